# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A PV guest makes page tables of pages that its disks have used, as processes come and go: Xen allows that only for pages
# that nobody has mapped writable. By grants that stay, by privcmd, then by the kernel module; and the guest crashes if pages are
# mapped writable.
#
# lab: timeout=800
# lab: guest=pv type=pv

READ_MIB=8

begin()
{
	memory_load pv load_fio 30
	memory_load pv load_reads $READ_MIB "${sum%% *}"
	memory_load pv load_forks
}

# storm SECONDS
storm()
{
	begin
	nap "$1"
	memory_load_end pv
	note "${MEMORY_SAID[0]}, ${MEMORY_SAID[1]}, ${MEMORY_SAID[2]}"
}

# The guest's kernel has complained or died.
broken()
{
	guest_crashed pv || grep -qE 'multicall.*failed|kernel BUG|Oops|WARNING|general protection' "$(guest_console pv)"
}

step "start xvhostd and the guest"
truncate -s 12M /srv/pv.img
head -c ${READ_MIB}M /dev/urandom >/srv/read.img
sum=$(cksum </srv/read.img)
xvhostd_start
guest_create pv "$(xvhost_disk xvda rw file:path=/srv/pv.img)" "$(xvhost_disk xvdb ro file:path=/srv/read.img)"

step "processes come and go, with grants that stay"
storm 10
memory_expect_way pv 51712 'grants that a PV guest leaves in place'

step "frames mapped by privcmd"
xvhostd_stop
memory_config 'access = foreign'
xvhostd_start
storm 15
memory_expect_way pv 51712 '.*cached frames.*, by privcmd .*'

step "and by the kernel module"
xvhostd_stop
remap_load
xvhostd_start
storm 15
memory_expect_way pv 51712 '.*cached frames.*, by remap .*'

step "mapped writable, which is noticed"
! broken || fail "the guest's kernel complains: $(grep -m 1 -E 'multicall|BUG|Oops|WARNING|protection' "$(guest_console pv)")"
xvhostd_stop
remap_unload
LD_PRELOAD=/usr/libexec/xvhost/tests/writable.so xvhostd_start
begin
wait_until 60 broken

step "nothing is left"
timeout 60 xl destroy pv
xvhostd_stop
expect_clean
pass
