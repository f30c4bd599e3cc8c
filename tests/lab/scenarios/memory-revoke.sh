# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A guest withdraws grants that are in use, points them at other pages and at frames that are not its own, and makes them
# read-only, all the time: its requests fail or complete, nothing else. Its worker goes on, its disk can be used afterwards,
# and another guest has not noticed. Disks are reached by frames: Linux grants each page anew then. Grants that stay in place would stay
# redirected when the guest is hostile no more, and what it reads would lie in another page of its own.
#
# lab: timeout=700
# lab: guest=good type=pv memory=128M
# lab: guest=pv type=pv memory=128M
# lab: guest=pvh type=pvh memory=128M

HOSTILE_S=10

step "start xvhostd, a guest with load, and two that will be hostile"
truncate -s 16M /srv/{good,pv,pvh}.img
cp /usr/libexec/xvhost/tests/lab_revoke.ko /srv/module.img
truncate -s %512 /srv/module.img
xvhostd_start
for name in good pv pvh; do
	guest_launch $name "$(xvhost_disk xvda rw memory=foreign,file:path=/srv/$name.img)" \
		"$(xvhost_disk xvdb ro memory=foreign,file:path=/srv/module.img)"
done
for name in good pv pvh; do
	guest_wait_up $name
done
memory_load good load_fio 50
workers=$(pgrep xvhost-worker | sort)

for name in pv pvh; do
	step "$name: hostile for $HOSTILE_S s"
	memory_expect_way $name 51712 'cached frames.*'
	guest_run $name "cat /dev/xvdb >/run/lab_revoke.ko && insmod /run/lab_revoke.ko"
	guest_run $name "fio --name=any --filename=/dev/xvda --direct=1 --ioengine=libaio --iodepth=16 --rw=randrw --bsrange=4k-128k \
		--blockalign=4k --size=16m --time_based --runtime=$HOSTILE_S --continue_on_error=io --output-format=json \
		--output=/run/fio.json >/dev/null 2>&1; cat /run/fio.json" >"/var/log/lab/fio-$name.log"
	guest_run $name 'rmmod lab_revoke'
	said=$(guest_run $name 'dmesg | sed -n "s/.*lab_revoke: \([0-9].*\)/\1/p"')
	requests=$(sed -n '/^{/,$p' "/var/log/lab/fio-$name.log" |
		jq -r '.jobs[0] | "\(.read.total_ios + .write.total_ios) requests, \(.total_err) failed"')
	note "$name: $said; $requests"

	step "$name: its disk can be used"
	guest_run $name 'head -c 1M /dev/urandom >/run/data && dd if=/run/data of=/dev/xvda bs=64k oflag=direct status=none'
	expect_equal "checksum" "$(head -c 1M "/srv/$name.img" | cksum)" "$(guest_run $name 'cksum </run/data')"
	expect_equal "checksum of what is read" "$(guest_run $name 'cksum </run/data')" \
		"$(guest_run $name 'dd if=/dev/xvda bs=64k count=16 iflag=direct status=none | cksum')"
done

step "no worker ended, and the other guest has not noticed"
expect_equal "workers" "$workers" "$(pgrep xvhost-worker | sort)"
memory_load_end good
note "good: ${MEMORY_SAID[0]}"

step "nothing is left"
guest_shutdown good
guest_destroy pv
guest_destroy pvh
xvhostd_stop
expect_clean
pass
