# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# In a driver domain xvhostd is killed and started again under load, then its workers with it, then the domain is destroyed.
#
# lab: timeout=880
# lab: guest=driver type=pvh driver_domain=yes memory=512M
# lab: guest=pv type=pv
# lab: guest=pvh type=pvh kernel=6.12

XVDA=51712
XEN_REFUSES='memory by grants \(.*: (Operation not permitted|Permission denied)\)'
GIVEN_UP='worker (is gone|before)|broken|has not opened'

step "a driver domain and two guests"
guest_create driver
driver_prepare driver
guest_run driver 'truncate -s 16M /srv/pv.img /srv/pvh.img'
driver_xvhostd_start driver
guest_create pv "$(driver_disk driver xvda rw file:path=/srv/pv.img)"
guest_create pvh "$(driver_disk driver xvda rw file:path=/srv/pvh.img)"

step "xvhostd is killed and started again under load"
memory_load pv load_fio
memory_load pvh load_fio
for _ in 1 2 3; do
	nap 5
	guest_run driver 'kill -KILL $(</run/lab/xvhostd.pid)'
	driver_xvhostd_start driver
done

step "stopped and started, with a privcmd that leaves it to Xen to refuse"
driver_xvhostd_stop driver
guest_run driver 'umount /proc/xen && modprobe -r xenfs xen-privcmd && modprobe xen-privcmd unrestricted=1 && modprobe xenfs &&
	mount -t xenfs xenfs /proc/xen'
driver_xvhostd_start driver
# A PV guest leaves its grants in place, so that nothing else is tried for it.
wait_until 30 '[[ -n $(driver_log driver "guest $(guest_domid pvh) .*$XEN_REFUSES") ]]'
wait_until 30 '[[ -n $(driver_log driver "guest $(guest_domid pv) .*memory by grants that a PV guest leaves in place") ]]'
note "$(driver_log driver "$XEN_REFUSES")"
nap 5
for name in pv pvh; do
	memory_load_end $name
	note "$name: ${MEMORY_SAID[*]}"
	driver_expect_data driver $name xvda /srv/$name.img
done
expect_equal "disks that were given up" "" "$(driver_log driver "$GIVEN_UP")"

step "it is killed with the workers of the PV guest: what they had taken is not guessed"
memory_load pv load_fio
memory_load pvh load_fio
nap 5
guest_run driver "for pid in \$(pidof xvhost-worker); do
		! tr '\0' ' ' </proc/\$pid/cmdline | grep -q -- '--domid $(guest_domid pv) ' || worker=\$pid
	done
	kill -KILL \$(</run/lab/xvhostd.pid) \$worker"
driver_xvhostd_start driver
wait_until 30 '[[ -n $(driver_log driver "error: guest $(guest_domid pv) .* the worker before was killed") ]]'
wait_until 30 '[[ $(xenstore-read "$(driver_directory driver pv $XVDA)/state") == [56] ]]'
guest_destroy pv
memory_load_forget pv
memory_load_end pvh
note "pvh: ${MEMORY_SAID[*]}"

step "the driver domain is destroyed under load; Dom0 goes on, and the guest can be destroyed"
memory_load pvh load_fio
nap 5
guest_destroy driver
nap 3
timeout 20 xl list
note "$(guest_run pvh 'dmesg | tail -n 2; echo "requests under way: $(cat /sys/block/xvda/inflight)"')"
guest_destroy pvh
memory_load_forget pvh
expect_clean
pass
