# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Guests are saved and restored, and a PVH guest is migrated while it runs, under load: no byte is wrong afterwards. And it
# would be noticed if what the worker writes to a guest's memory were not reported to Xen.
#
# lab: timeout=800
# lab: guest=pv type=pv memory=192M
# lab: guest=pvh type=pvh memory=192M

FILL_MIB=64

# begin NAME: load on its disks.
begin()
{
	memory_load "$1" load_fill $FILL_MIB
	memory_load "$1" load_fio 40
	nap 2
}

# end NAME: its loads end, and have found nothing. Sets `is` and `should` to the checksums of what was read to the guest's page
# cache from the begin of its loads on.
end()
{
	local mib again

	memory_load_end "$1"
	read -r mib is again <<<"${MEMORY_SAID[0]}"
	note "$1: $mib MiB in the page cache${MEMORY_SAID[1]:+, ${MEMORY_SAID[1]}}"
	[[ $mib -gt 0 ]] || fail "guest $1 has read nothing"
	[[ $again -lt 2048 ]] || fail "guest $1 did not keep what it had read: $again sectors were read again"
	should=$(head -c ${mib}M /srv/read.img | cksum)
	should=${should%% *}
}

# end_well NAME: and all is as it should be.
end_well()
{
	end "$1"
	expect_equal "checksum of what $1 has read" "$should" "$is"
	expect_equal "checksum of $1's disk" "$(cksum <"/srv/$1.img")" \
		"$(guest_run "$1" 'dd if=/dev/xvda bs=1M iflag=direct status=none | cksum')"
}

# save_restore NAME
save_restore()
{
	timeout 100 xl save "$1" /srv/saved >"/var/log/lab/save-$1.log" 2>&1 || fail "xl save $1: $(tail_line "/var/log/lab/save-$1.log")"
	timeout 100 xl restore /srv/saved >"/var/log/lab/restore-$1.log" 2>&1 || fail "xl restore $1: $(tail_line "/var/log/lab/restore-$1.log")"
	rm /srv/saved
}

# migrate NAME: to this machine.
migrate()
{
	timeout 150 xl migrate -s '' "$1" 'xl migrate-receive' >"/var/log/lab/migrate-$1.log" 2>&1 ||
		fail "xl migrate $1: $(tail_line "/var/log/lab/migrate-$1.log")"
}

step "start xvhostd and the guests"
truncate -s 12M /srv/pv.img /srv/pvh.img
head -c ${FILL_MIB}M /dev/urandom >/srv/read.img
xvhostd_start
for name in pv pvh; do
	guest_launch $name "$(xvhost_disk xvda rw file:path=/srv/$name.img)" \
		"$(xvhost_disk xvdb ro file:path=/srv/read.img)"
done
guest_wait_up pv
guest_wait_up pvh

step "pv: save and restore"
begin pv
save_restore pv
end_well pv
guest_shutdown pv

step "pvh: save and restore"
begin pvh
save_restore pvh
end_well pvh

# A PV guest can't be: Debian's Xen is made without CONFIG_SHADOW_PAGING, and can't see what a PV guest writes.
step "pvh: migrate"
begin pvh
migrate pvh
end_well pvh
memory_expect_way pvh 51728 'cached frames, by .*'

step "pvh: migrate, and what is written is reported by the kernel module"
xvhostd_stop
remap_load
xvhostd_start
begin pvh
migrate pvh
end_well pvh
grep -q "guest $(guest_domid pvh): responses are shown by the module xen_remap" "$XVHOSTD_LOG" ||
	fail "they are not shown by the module"
xvhostd_stop
remap_unload

step "pvh: migrate while nothing is reported, which is noticed"
LD_PRELOAD=/usr/libexec/xvhost/tests/unreported.so xvhostd_start
memory_load pvh load_fill $FILL_MIB
nap 2
migrate pvh
end pvh
[[ $is != "$should" ]] || fail "what was written to memory in a migration is there though nothing was reported"

step "shut down, nothing is left"
guest_destroy pvh
xvhostd_stop
expect_clean
pass
