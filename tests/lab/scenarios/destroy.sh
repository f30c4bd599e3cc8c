# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Guests are destroyed while their disks are under load; all of their memory returns to Xen, and the next guest
# is served as the first was. With the kernel module.
#
# lab: timeout=700
# lab: guest=pv type=pv
# lab: guest=pvh type=pvh

LOAD='fio --name=load --filename=/dev/xvda --direct=1 --ioengine=libaio --iodepth=32 --rw=randrw --bs=16k --size=48m \
	--time_based --runtime=200 --output-format=terse'

step "start xvhostd"
truncate -s 64M /srv/disk.img
remap_load
xvhostd_start

for name in pv pvh pv pvh; do
	step "create the $name guest, destroy it under load"
	guest_create $name "$(xvhost_disk xvda rw file:path=/srv/disk.img)"
	guest_start $name "$LOAD" >/dev/null
	nap 3
	guest_destroy $name
	wait_until 20 '[[ $(pgrep -c xvhost-worker) -eq 0 ]]'
done

step "xvhostd is killed under load; the guest can still be destroyed, and nothing is left"
guest_create pvh "$(xvhost_disk xvda rw file:path=/srv/disk.img)"
guest_start pvh "$LOAD" >/dev/null
nap 2
kill -KILL "$(xvhostd_pid)"
wait_until 20 '[[ $(pgrep -c xvhost-worker) -eq 0 ]]'
guest_destroy pvh
xvhostd_start
nap 2
xvhostd_stop
expect_clean
remap_unload
pass
