# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Two guests with load on their disks at the same time, one of them with kernel 6.12, two virtual processors and so two
# queues; each has a worker of its own, and when one of these is killed the other guest does not notice.
#
# lab: timeout=700
# lab: guest=old type=pv
# lab: guest=new type=pvh kernel=6.12 vcpus=2

# Two jobs, so that a guest with two processors uses two queues.
FIO='fio --name=load --filename=/dev/xvda --direct=1 --ioengine=libaio --iodepth=8 --numjobs=2 --offset_increment=6m --rw=randwrite --bs=4k --size=4m \
	--verify=crc32c --verify_fatal=1 --output-format=terse'

step "start xvhostd and both guests"
truncate -s 32M /srv/old.img /srv/new.img
mkdir -p /etc/xvhost
printf '[disk]\nmax_queues = 2\n' >/etc/xvhost/xvhost.conf
xvhostd_start
guest_create old "$(xvhost_disk xvda rw file:path=/srv/old.img)"
guest_create new "$(xvhost_disk xvda rw file:path=/srv/new.img)"
for rings in 'guest 1 .*, 1 ring of 1 pages' 'guest 2 .*, 2 rings of 1 pages'; do
	grep -q "$rings" "$XVHOSTD_LOG" || fail "the log does not have '$rings'"
done
expect_equal "workers" 2 "$(pgrep -c xvhost-worker)"

step "fio with verify in both"
first=$(guest_start old "$FIO")
second=$(guest_start new "$FIO")
guest_wait --timeout 150 old "$first" >/dev/null || fail "fio in the first guest found an error"
guest_wait --timeout 150 new "$second" >/dev/null || fail "fio in the second guest found an error"
for name in old new; do
	expect_equal "checksum of $name" "$(sha256sum <"/srv/$name.img")" \
		"$(guest_run $name 'dd if=/dev/xvda bs=1M iflag=direct status=none | sha256sum')"
done

step "kill the worker of the first guest: the second goes on"
pkill -KILL -f "xvhost-worker --domid $(guest_domid old) "
wait_until 10 "grep -q 'guest $(guest_domid old).*worker' '$XVHOSTD_LOG'"
guest_run new --timeout 150 "$FIO" >/dev/null || fail "fio in the second guest found an error"

step "destroy the first, shut the second down, nothing is left"
guest_destroy old
guest_shutdown new
xvhostd_stop
expect_clean
pass
