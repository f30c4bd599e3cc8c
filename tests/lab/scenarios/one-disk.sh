# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The smallest scenario with everything in it: a guest writes to a disk of xvhost's, and Dom0 finds it there.
#
# lab: timeout=700
# lab: guest=pv type=pv

step "start xvhostd and the guest"
truncate -s 16M /srv/disk.img
xvhostd_start
guest_create pv "$(xvhost_disk xvda rw file:path=/srv/disk.img)"

step "write, flush, compare"
guest_run pv 'dd if=/dev/urandom of=/dev/xvda bs=256k count=16 oflag=direct conv=fsync status=none'
expect_equal "checksum" "$(sha256sum </srv/disk.img)" \
	"$(guest_run pv 'dd if=/dev/xvda bs=1M iflag=direct status=none | sha256sum')"

step "shut down, nothing is left"
guest_shutdown pv
xvhostd_stop
expect_clean
pass
