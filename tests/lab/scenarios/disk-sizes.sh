# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Disks with sectors of 4096 bytes, and disks that grow and shrink while they are in use: a file, and a block device with
# direct I/O; guests with both kernels.
#
# lab: timeout=700
# lab: guest=old type=pvh kernel=6.1
# lab: guest=new type=pvh kernel=6.12

VERIFY='--direct=1 --ioengine=libaio --verify=crc32c --verify_fatal=1 --output-format=terse'
MIB=$((1 << 20))

# sizes NAME DISK: the guest's words for logical and physical sector size, and bytes.
sizes()
{
	guest_run "$1" "blockdev --getss --getpbsz --getsize64 /dev/$2 | xargs"
}

step "start xvhostd and the guests, each with a file and one with a block device, of sectors of 4096 bytes"
truncate -s 32M /srv/old.img /srv/new.img /srv/loop.img
loop=$(losetup --find --show --sector-size 4096 /srv/loop.img)
xvhostd_start
guest_launch old "$(xvhost_disk xvda rw file:path=/srv/old.img,block-size=4096)" \
	"$(xvhost_disk xvdb rw "file:path=$loop,direct=on")"
guest_launch new "$(xvhost_disk xvda rw file:path=/srv/new.img,block-size=4096)"
guest_wait_up old
guest_wait_up new

step "what the guests see"
for name in old new; do
	expect_equal "$name: sizes of xvda" "4096 4096 $((32 * MIB))" "$(sizes $name xvda)"
done
expect_equal "sizes of xvdb" "4096 4096 $((32 * MIB))" "$(sizes old xvdb)"

step "the block device's direct I/O does not take a block in two pieces of memory: it is open a second time"
worker=$(pgrep -f "xvhost-worker --domid $(guest_domid old)")
expect_equal "times that it is open" 2 "$(find "/proc/$worker/fd" -lname "$loop" | wc -l)"

step "the disks grow under a verified load"
for name in old new; do
	jobs+=("$(guest_start $name "fio $VERIFY --name=grow --filename=/dev/xvda --rw=randwrite --bsrange=4k-64k \
		--blockalign=4k --iodepth=16 --size=8m --loops=20 --time_based --runtime=8")")
done
nap 2
truncate -s 48M /srv/old.img /srv/new.img /srv/loop.img
losetup -c "$loop"
for name in old new; do
	wait_until 20 "[[ \$(guest_run $name 'blockdev --getsize64 /dev/xvda') == $((48 * MIB)) ]]"
done
expect_equal "sizes of xvdb" "4096 4096 $((48 * MIB))" "$(sizes old xvdb)"
guest_wait old "${jobs[0]}" --timeout 90 >/dev/null
guest_wait new "${jobs[1]}" --timeout 90 >/dev/null

step "what is new can be written, in memory that is cut within blocks, too"
for disk in xvda xvdb; do
	guest_run old --timeout 90 "fio $VERIFY --filename=/dev/$disk --stonewall --offset=40m --size=512k --iodepth=8 \
		--name=aligned --rw=randwrite --bs=4k --name=cut --rw=randwrite --bs=8k --iomem_align=512" >/dev/null
	expect_equal "checksum" "$(guest_run old "dd if=/dev/$disk bs=1M skip=40 count=1 iflag=direct status=none | sha256sum")" \
		"$(dd if="$([[ $disk == xvda ]] && echo /srv/old.img || echo "$loop")" bs=1M skip=40 count=1 status=none | sha256sum)"
done

step "a disk that shrinks refuses what is beyond its end, and goes on"
truncate -s 16M /srv/new.img
wait_until 20 "[[ \$(guest_run new 'blockdev --getsize64 /dev/xvda') == $((16 * MIB)) ]]"
! guest_run new 'dd if=/dev/zero of=/dev/xvda bs=4k seek=4096 count=1 oflag=direct' >/dev/null ||
	fail "what is beyond the end was written"
guest_run new 'dd if=/dev/zero of=/dev/xvda bs=4k seek=4095 count=1 oflag=direct'
expect_equal "size of the file" $((16 * MIB)) "$(stat -c %s /srv/new.img)"

step "shut down, nothing is left"
guest_shutdown old
guest_shutdown new
losetup -d "$loop"
xvhostd_stop
expect_clean
pass
