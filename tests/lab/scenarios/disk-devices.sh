# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Block devices with their own limits under the file backend: what they give back of what guests discard, and how they say so; and
# what xl's words direct-io-safe and no-discard come to, and disks that the guest does not trust. xl 4.17 has no word for those.
#
# lab: timeout=700 packages=dm
# lab: guest=old type=pvh kernel=6.1 cmdline=xen_blkfront.trusted=0
# lab: guest=new type=pv kernel=6.12 cmdline=xen_blkfront.trusted=0

export DM_DISABLE_UDEV=1
MIB=$((1 << 20))

# queue NAME DISK: the guest's words for sector sizes, granularity and alignment of discards, and whether there are any.
queue()
{
	guest_run "$1" "cd /sys/block/$2 && cat queue/logical_block_size queue/physical_block_size queue/discard_granularity \
		discard_alignment && [[ \$(<queue/discard_max_bytes) != 0 ]] && echo yes || echo no" | xargs
}

# of_device DEVICE: the same of a device of ours that can discard.
of_device()
{
	local at queue
	at=/sys/dev/block/$(stat -c %Hr:%Lr "$1")
	[[ -d $at/queue ]] && queue=$at/queue || queue=$at/../queue
	cat "$queue"/{logical_block_size,physical_block_size,discard_granularity} "$at/discard_alignment" | xargs
}

# content NAME DISK BYTES: checksum, from the guest.
content()
{
	guest_run "$1" "head -c $3 /dev/$2 | sha256sum"
}

# scsi_units: how many units of scsi_debug are in use.
scsi_units()
{
	local map part count=0

	IFS=, read -ra map </sys/bus/pseudo/drivers/scsi_debug/map
	for part in "${map[@]}"; do
		((count += ${part#*-} - ${part%-*} + 1))
	done
	echo "$count"
}

# opened_direct GUEST PATH: whether its worker has the file open with O_DIRECT.
opened_direct()
{
	local worker link
	worker=$(pgrep -f "xvhost-worker --domid $(guest_domid "$1")")
	link=$(find "/proc/$worker/fd" -lname "$2" | head -n 1)
	(($(awk '/^flags:/ { print $2 }' "/proc/$worker/fdinfo/${link##*/}") & 040000)) && echo yes || echo no
}

step "a thin volume, a loop device, one that is read-only, one that can be replaced by another, one with large physical sectors"
truncate -s 64M /srv/pool.img /srv/loop.img /srv/swap.img
truncate -s 8M /srv/meta.img /srv/plain.img
head -c 1M /dev/urandom >/srv/ro.img
meta=$(losetup --find --show /srv/meta.img)
pool=$(losetup --find --show /srv/pool.img)
loop=$(losetup --find --show /srv/loop.img)
ro=$(losetup --find --show --read-only /srv/ro.img)
swap=$(losetup --find --show /srv/swap.img)
modprobe -a dm-mod dm-thin-pool
dmsetup create pool --table "0 131072 thin-pool $meta $pool 256 0 1 skip_block_zeroing"
dmsetup message pool 0 "create_thin 0"
dmsetup create thin --table "0 65536 thin /dev/mapper/pool 0"
dmsetup create swap --table "0 65536 linear $swap 0"
limits=/sys/dev/block/$(stat -c %Hr:%Lr /dev/mapper/thin)/queue
note "thin: discard_max_bytes, write_zeroes_max_bytes: $(cat "$limits"/{discard,write_zeroes}_max_bytes | xargs)"

# Sectors of 512 bytes in physical ones of 4096, units of 32 KiB to discard. The partition begins in the middle of one.
modprobe sd_mod
modprobe scsi_debug dev_size_mb=16 num_parts=1 physblk_exp=3 lbpu=1 lbpws=1 unmap_granularity=64 delay=0
wait_until 20 '[[ -b /dev/sda1 ]]'

step "start xvhostd and the guests"
xvhostd_start
guest_launch old "$(xvhost_disk xvda rw file:path=/dev/mapper/thin)" "$(xvhost_disk xvdb rw "file:path=$loop")" \
	"$(xvhost_disk xvdc ro "file:path=$ro")"
guest_launch new "direct-io-safe,$(xvhost_disk xvda rw file:path=/srv/plain.img)" "$(xvhost_disk xvdb rw file:path=/dev/sda1,direct=on)"
guest_wait_up old
guest_wait_up new
xl_attach_disk old "direct-io-safe,no-discard,$(xvhost_disk xvdd rw file:path=/dev/mapper/swap)"
guest_run old 'for i in $(seq 100); do [[ -b /dev/xvdd ]] && exit 0; sleep 0.1; done; exit 1'

step "what xl has written, and what came of it"
at=/local/domain/0/backend/vbd/$(guest_domid old)
expect_equal "nodes" "1 0" "$(xenstore-read "$at/51760/direct-io-safe" "$at/51760/discard-enable" | xargs)"
expect_equal "nodes" "1" "$(xenstore-read "$at/51712/discard-enable")"
expect_equal "trusted" 1 "$(xenstore-read "/local/domain/$(guest_domid old)/device/vbd/51760/trusted")"
expect_equal "direct I/O: of the device that is safe" yes "$(opened_direct old /dev/mapper/swap)"
expect_equal "direct I/O: of one of which nothing was said" no "$(opened_direct old "$loop")"
expect_equal "direct I/O: on tmpfs, which can't" no "$(opened_direct new /srv/plain.img)"
note "$(guest_run old 'dmesg | grep "blkfront: xvd[ad]"')"
expect_equal "bounce buffers, 6.1" 1 "$(guest_run old 'dmesg | grep -c "blkfront: xvdd.*bounce buffer: enabled"')"
expect_equal "bounce buffers, 6.12" 1 "$(guest_run new 'dmesg | grep -c "blkfront: xvdb.*bounce buffer: enabled"')"

step "limits that the guests see"
expect_equal "thin" "$(of_device /dev/mapper/thin) yes" "$(queue old xvda)"
expect_equal "loop" "$(of_device "$loop") yes" "$(queue old xvdb)"
expect_equal "large physical sectors, in Dom0" "512 4096 32768 16384" "$(of_device /dev/sda1)"
# Linux shows an alignment for partitions alone.
expect_equal "large physical sectors" "512 4096 32768 0 yes" "$(queue new xvdb)"
expect_equal "the alignment of what is discarded" 16384 "$(xenstore-read "/local/domain/0/backend/vbd/$(guest_domid new)/51728/discard-alignment")"
expect_equal "no-discard" no "$(queue old xvdd | awk '{ print $NF }')"
expect_equal "file on tmpfs" "512 512 4096 0 yes" "$(queue new xvda)"
expect_equal "read-only" 1 "$(guest_run old 'cat /sys/block/xvdc/ro')"
expect_equal "content of the read-only one" "$(sha256sum </srv/ro.img)" "$(content old xvdc $MIB)"
xl block-attach old "$(xvhost_disk xvde rw "file:path=$ro")" >/tmp/xl.log 2>&1 && fail "xl attached what can't be written"
grep -q 'is read-only; give access=ro' /tmp/xl.log || fail "xl says: $(tail -n 3 /tmp/xl.log)"
xl_detach old xvde

step "what is discarded is given back, what lies beside it stays"
for where in old:xvda old:xvdb new:xvda new:xvdb; do
	name=${where%:*} disk=${where#*:}
	guest_run "$name" "head -c 2M /dev/urandom >/tmp/$disk && dd if=/tmp/$disk of=/dev/$disk bs=256k oflag=direct conv=fsync status=none"
done
mapped=$(dmsetup status thin | awk '{ print $4 }')
blocks=$(stat -c %b /srv/loop.img)
plain=$(stat -c %b /srv/plain.img)
units=$(scsi_units)
for where in old:xvda:128 old:xvdb:128 new:xvda:128 new:xvdb:124; do
	IFS=: read -r name disk from <<<"$where"
	guest_run "$name" "blkdiscard -o $((from * 4096)) -l 1M /dev/$disk &&
		dd if=/dev/zero of=/tmp/$disk bs=4k seek=$from count=256 conv=notrunc status=none &&
		head -c 2M /dev/$disk | cmp - /tmp/$disk" ||
		fail "$where: it does not read as zeroes, or what lies beside it was changed"
done
expect_equal "thin: sectors that were given back" 2048 $((mapped - $(dmsetup status thin | awk '{ print $4 }')))
expect_equal "loop: blocks that were given back" 2048 $((blocks - $(stat -c %b /srv/loop.img)))
expect_equal "large physical sectors: units of 32 KiB that were given back" 32 $((units - $(scsi_units)))
expect_equal "file: blocks that were given back" 2048 $((plain - $(stat -c %b /srv/plain.img)))

step "zeroes can be written, where blkif has no request for them; secure discards are refused where the device has none"
for name in old new; do
	guest_run $name 'blkdiscard -z -o 1536k -l 256k /dev/xvda && dd if=/dev/zero of=/tmp/xvda bs=256k seek=6 count=1 conv=notrunc status=none &&
		head -c 2M /dev/xvda | cmp - /tmp/xvda && ! blkdiscard -s -l 4k /dev/xvda 2>/dev/null' || fail "$name"
	expect_equal "discard-secure" 0 "$(xenstore-read "/local/domain/0/backend/vbd/$(guest_domid $name)/51712/discard-secure")"
done

step "a disk that the guest does not trust, by direct I/O, verified"
guest_run old --timeout 90 'fio --direct=1 --ioengine=libaio --verify=crc32c --verify_fatal=1 --output-format=terse --name=bounce \
	--filename=/dev/xvdd --rw=randwrite --bsrange=4k-64k --iodepth=8 --size=4m' >/dev/null

step "a device that stops to give space back: the guest is told once, and everything else goes on"
xl_detach old xvdd
xl_attach old xvdf file:path=/dev/mapper/swap
guest_run old 'for i in $(seq 100); do [[ -b /dev/xvdf ]] && exit 0; sleep 0.1; done; exit 1'
guest_run old 'blkdiscard -l 1M /dev/xvdf'
dmsetup suspend swap
dmsetup load swap --table "0 65536 error"
dmsetup resume swap
# The first one that is refused is no error in Linux: a discard is only a hint.
guest_run old 'blkdiscard -f -l 1M /dev/xvdf'
grep -q "can't be given back after all" "$XVHOSTD_LOG" || fail "the log does not say so"
expect_equal "the guest does not ask again" 0 "$(guest_run old 'cat /sys/block/xvdf/queue/discard_max_bytes')"
! guest_run old 'blkdiscard -f -l 1M /dev/xvdf' 2>/dev/null || fail "the guest discards still"
dmsetup suspend swap
dmsetup load swap --table "0 65536 linear $swap 0"
dmsetup resume swap
guest_run old 'dd if=/dev/zero of=/dev/xvdf bs=64k count=4 oflag=direct status=none'

step "shut down, nothing is left"
guest_shutdown old
guest_shutdown new
for name in thin pool swap; do
	dmsetup remove "$name"
done
losetup -D
modprobe -r scsi_debug
xvhostd_stop
expect_clean
pass
