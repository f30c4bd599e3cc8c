# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Guests reboot by themselves and from outside; what they wrote before is there afterwards. xvhostd is stopped
# and started under a connected guest, which sees a pause and no error.
#
# lab: timeout=700
# lab: guest=pv type=pv
# lab: guest=pvh type=pvh

step "start xvhostd and the guests"
truncate -s 64M /srv/pv.img /srv/pvh.img
xvhostd_start
for name in pv pvh; do
	guest_create $name "$(xvhost_disk xvda rw file:path=/srv/$name.img)"
	guest_run $name 'mkfs.ext4 -q /dev/xvda && mount /dev/xvda /mnt && seq 200000 >/mnt/numbers && umount /mnt'
done

for name in pv pvh; do
	step "$name: reboot, twice"
	for round in 1 2; do
		guest_reboot $name
		expect_equal "content in round $round" "$(seq 200000 | sha256sum)" \
			"$(guest_run $name 'mount -o ro /dev/xvda /mnt && sha256sum </mnt/numbers && umount /mnt')"
	done
done
expect_equal "workers" 2 "$(pgrep -c xvhost-worker)"

step "stop xvhostd under load, start it again: the guests see a pause"
loads=()
for name in pv pvh; do
	loads+=("$(guest_start $name 'fio --name=load --filename=/dev/xvda --direct=1 --ioengine=libaio --iodepth=16 \
		--rw=randwrite --bs=4k --size=12m --verify=crc32c --verify_backlog=256 --verify_fatal=1 \
		--time_based --runtime=15 --output-format=terse')")
done
nap 4
xvhostd_stop
! pgrep xvhost || fail "a process of xvhost is left after SIGTERM"
nap 2
xvhostd_start
guest_wait --timeout 120 pv "${loads[0]}" >/dev/null || fail "fio in the PV guest found an error"
guest_wait --timeout 120 pvh "${loads[1]}" >/dev/null || fail "fio in the PVH guest found an error"
expect_equal "requests that failed" 0 "$(grep -c 'disconnected after .*([1-9][0-9]* failed)' "$XVHOSTD_LOG" || true)"

step "shut down, nothing is left"
guest_shutdown pv
guest_shutdown pvh
xvhostd_stop
expect_clean
pass
