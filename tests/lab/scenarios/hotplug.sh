# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A disk is attached to a running guest and detached again, 20 times, while another disk of the guest is in use. With the kernel
# module.
#
# lab: timeout=700
# lab: guest=pvh type=pvh

step "start xvhostd and the guest with one disk"
truncate -s 64M /srv/first.img /srv/second.img
remap_load
xvhostd_start
guest_create pvh "$(xvhost_disk xvda rw file:path=/srv/first.img)"
load=$(guest_start pvh 'fio --name=load --filename=/dev/xvda --direct=1 --ioengine=libaio --iodepth=4 --rw=randwrite \
	--bs=4k --size=48m --time_based --runtime=20 --verify=crc32c --verify_backlog=64 --verify_fatal=1 \
	--rate_iops=50 --output-format=terse')

for round in {1..20}; do
	step "round $round: attach, write, read, detach"
	xl_attach pvh xvdb file:path=/srv/second.img
	sum=$(guest_run pvh "for i in \$(seq 100); do [ -b /dev/xvdb ] && break; sleep 0.1; done; [ -b /dev/xvdb ] || exit 1
		seq $round 100000 | head -c 256K >/tmp/data && dd if=/tmp/data of=/dev/xvdb bs=64k oflag=direct status=none &&
		sha256sum </tmp/data") || fail "the disk did not appear in the guest, or can't be written: $sum"
	expect_equal "checksum" "$sum" "$(head -c 256K /srv/second.img | sha256sum)"
	xl_detach pvh xvdb
	guest_run pvh 'for i in $(seq 100); do [ -b /dev/xvdb ] || exit 0; sleep 0.1; done; exit 1' ||
		fail "the disk did not go away in the guest"
done
expect_equal "closed disks in the log" 20 "$(grep -c 'xvhost-worker: guest 1 vbd 51728: closed' "$XVHOSTD_LOG")"

step "the other disk was not disturbed"
guest_wait --timeout 90 pvh "$load" >/dev/null || fail "fio on the first disk found an error"

step "shut down, nothing is left"
guest_shutdown pvh
xvhostd_stop
expect_clean
remap_unload
pass
