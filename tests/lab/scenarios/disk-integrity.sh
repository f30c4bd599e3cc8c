# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What a guest writes is what the file in Dom0 holds: both kinds of guest, rings of one and of sixteen pages, a file
# and a block device with direct I/O, several disks, a read-only disk, the null backend.
#
# lab: timeout=700
# lab: guest=pv type=pv
# lab: guest=pvh type=pvh cmdline=xen_blkfront.max_ring_page_order=4

VERIFY='--direct=1 --ioengine=libaio --verify=crc32c --verify_fatal=1 --output-format=terse'

step "start xvhostd"
truncate -s 128M /srv/pv.img /srv/pvh.img /srv/direct.img
seq 700000 >/srv/readonly.img
truncate -s 4M /srv/readonly.img
loop=$(loop_disk /srv/direct.img)
xvhostd_start

step "create the guests, each with three disks"
guest_create pv "$(xvhost_disk xvda rw file:path=/srv/pv.img)" \
	"$(xvhost_disk xvdb ro file:path=/srv/readonly.img)" "$(xvhost_disk xvdc rw null:size=1G)"
guest_create pvh "$(xvhost_disk xvda rw file:path=/srv/pvh.img)" \
	"$(xvhost_disk xvdb rw file:path=/srv/readonly.img,readonly=on)" \
	"$(xvhost_disk xvdc rw "file:path=$loop,direct=on")"
grep -q 'guest 2 vbd 51712: connected, x86_64, 1 ring of 16 pages with 512 entries' "$XVHOSTD_LOG" ||
	fail "the PVH guest's ring does not have 16 pages"

for name in pv pvh; do
	step "$name: fio, many block sizes and depths, each block verified"
	guest_run $name --timeout 150 "fio $VERIFY --filename=/dev/xvda --stonewall \
		--name=random4k --rw=randwrite --bs=4k --iodepth=32 --size=8m \
		--name=sequential256k --rw=write --bs=256k --iodepth=8 --offset=32m --size=24m \
		--name=sectors --rw=randwrite --bsrange=512-64k --blockalign=512 --iodepth=16 --offset=64m --size=8m \
		--name=flushes --rw=randwrite --bs=4k --iodepth=4 --fsync=8 --offset=100m --size=1m" >/dev/null

	# The guest's kernel says which requests it will make: those of 256 KiB are indirect.
	guest_run $name 'dmesg | grep -q "xvda: .*indirect descriptors: enabled"' || fail "no indirect requests"

	step "$name: what is discarded takes no space any more, the rest stays"
	before=$(stat -c %b "/srv/$name.img")
	guest_run $name 'blkdiscard --offset 33m --length 16m /dev/xvda'
	expect_equal "blocks given back" $((16 * 2048)) $((before - $(stat -c %b "/srv/$name.img")))
	expect_equal "checksum of zeroes" "$(head -c 16M /dev/zero | sha256sum)" \
		"$(guest_run $name 'dd if=/dev/xvda bs=1M skip=33 count=16 iflag=direct status=none | sha256sum')"

	step "$name: the image holds what the guest reads"
	sum=$(guest_run $name 'dd if=/dev/xvda bs=1M iflag=direct status=none | sha256sum')
	expect_equal "checksum" "$(sha256sum <"/srv/$name.img")" "$sum"

	step "$name: the read-only disk can be read and not be written"
	expect_equal "read-only" 1 "$(guest_run $name 'blockdev --getro /dev/xvdb')"
	expect_equal "checksum" "$(sha256sum </srv/readonly.img)" \
		"$(guest_run $name 'dd if=/dev/xvdb bs=1M status=none | sha256sum')"
	! guest_run $name 'dd if=/dev/zero of=/dev/xvdb bs=4k count=1 oflag=direct' >/dev/null ||
		fail "a read-only disk was written"
done

step "pv: the null backend has its size and reads as zeroes"
expect_equal "size" 1073741824 "$(guest_run pv 'blockdev --getsize64 /dev/xvdc')"
guest_run pv 'dd if=/dev/urandom of=/dev/xvdc bs=1M count=8 oflag=direct status=none'
expect_equal "checksum of zeroes" "$(head -c 8M /dev/zero | sha256sum)" \
	"$(guest_run pv 'dd if=/dev/xvdc bs=1M count=8 iflag=direct status=none | sha256sum')"

step "pvh: a block device with direct=on"
guest_run pvh --timeout 100 "fio $VERIFY --name=direct --filename=/dev/xvdc --size=8m --rw=randwrite \
	--bsrange=512-128k --blockalign=512 --iodepth=16" >/dev/null
expect_equal "checksum" "$(guest_run pvh 'dd if=/dev/xvdc bs=1M iflag=direct status=none | sha256sum')" \
	"$(dd if="$loop" bs=1M iflag=direct status=none | sha256sum)"

step "shut down, nothing is left"
guest_shutdown pv
guest_shutdown pvh
losetup -d "$loop"
xvhostd_stop
expect_clean
pass
