# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The kernel's xen-blkback holds the bus: xvhostd says so and what to do, xl's user learns it at once, and after the module
# is gone the disk can be attached.
#
# lab: timeout=700
# lab: guest=pvh type=pvh

step "xen-blkback is loaded before xvhostd starts"
truncate -s 64M /srv/disk.img
modprobe xen-blkback
xvhostd_start
wait_until 5 "grep -q 'xen-blkback' '$XVHOSTD_LOG'"
guest_create pvh

step "a disk is refused in words"
! timeout 60 xl block-attach pvh "$(xvhost_disk xvda rw file:path=/srv/disk.img)" >/var/log/lab/refused.log 2>&1 ||
	fail "the disk was attached though xen-blkback holds the bus"
grep -q 'xen-blkback' /var/log/lab/refused.log || fail "xl does not name xen-blkback: $(cat /var/log/lab/refused.log)"
# libxl 4.17 leaves it to the user to remove what it could not attach.
xl_detach pvh xvda

step "without the module it works"
rmmod xen-blkback
xl_attach pvh xvda file:path=/srv/disk.img
guest_run pvh 'for i in $(seq 100); do [ -b /dev/xvda ] && exit 0; sleep 0.1; done; exit 1'
guest_run pvh 'dd if=/dev/urandom of=/dev/xvda bs=64k count=16 oflag=direct status=none'

step "shut down, nothing is left"
guest_shutdown pvh
xvhostd_stop
expect_clean
pass
