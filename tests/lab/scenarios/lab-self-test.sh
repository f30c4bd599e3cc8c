# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The lab itself, without xvhost: a PV and a PVH guest, exact output and exit status of commands, a disk by the
# kernel's own backend, shutdown, reboot, destroy, and nothing left behind.
#
# lab: timeout=800
# lab: guest=pv type=pv
# lab: guest=pvh type=pvh

step "create a disk image and load the kernel's own backend"
truncate -s 24M /srv/disk.img
modprobe xen-blkback
loop=$(loop_disk /srv/disk.img)

step "create a PV and a PVH guest"
guest_launch pv "vdev=xvda,access=rw,backendtype=phy,target=$loop"
guest_launch pvh
guest_wait_up pv
guest_wait_up pvh

step "commands give exact output and exit status"
for name in pv pvh; do
	expect_equal "output" $'one\ntwo\n\n  three\\' "$(guest_run $name 'printf "one\ntwo\n\n  three\\\\"')"
	status=0
	guest_run $name 'exit 7' || status=$?
	expect_equal "exit status" 7 "$status"
	expect_equal "checksum of a long output" "$(seq 3000 | cksum)" "$(guest_run $name 'seq 3000' | cksum)"
	expect_equal "checksum of binary output" "$(printf 'a\0b\n\n' | cksum)" \
		"$(guest_run $name 'printf "a\0b\n\n"' | cksum)"
	expect_equal "processors" "${GUEST[$name.vcpus]}" "$(guest_run $name nproc)"
done

step "two commands at the same time"
slow=$(guest_start pvh 'sleep 2; echo slow')
expect_equal "output of the quick one" quick "$(guest_run pvh 'echo quick')"
expect_equal "output of the slow one" slow "$(guest_wait pvh "$slow")"

step "a file system on the disk"
guest_run pv 'mkfs.ext4 -q /dev/xvda && mount /dev/xvda /mnt && seq 10000 >/mnt/numbers && sync && umount /mnt'
guest_run pv 'e2fsck -f -n /dev/xvda' >/dev/null

step "fio writes and verifies 4 KiB blocks"
guest_run pv 'fio --name=verify --filename=/dev/xvda --direct=1 --ioengine=libaio --iodepth=8 --rw=randwrite \
	--bs=4k --size=1m --offset=16m --verify=crc32c --output-format=terse' >/dev/null

step "what the guest wrote lies in the image"
sum=$(guest_run pv 'dd if=/dev/xvda bs=1M iflag=direct status=none | sha256sum')
expect_equal "checksum" "$(sha256sum </srv/disk.img)" "$sum"

step "reboot the PVH guest"
guest_reboot pvh
expect_equal "output after reboot" again "$(guest_run pvh 'echo again')"

step "shut the PV guest down, destroy the PVH guest"
guest_shutdown pv
guest_destroy pvh

step "nothing is left"
losetup -d "$loop"
rmmod xen-blkback
expect_clean
pass
