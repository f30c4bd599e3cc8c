# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# xvhost in a driver domain serves a PV and a PVH guest by grants, without any privilege of Dom0 and inside xenstored's quotas: disks, and
# network cards on a switch, which has an uplink to the driver domain itself.
#
# lab: timeout=880
# lab: guest=driver type=pvh driver_domain=yes memory=512M
# lab: guest=pv type=pv kernel=6.12
# lab: guest=pvh type=pvh

XVDA=51712 XVDC=51744
GRANTS='memory by grants \(can.t restrict foreign memory to the guest: Invalid argument\)'

# expect_log WHAT PATTERN COUNT: that the driver domain's log has so many lines.
expect_log()
{
	expect_equal "$1" "$3" "$(driver_log driver "$2" | wc -l)"
}

# write_and_compare NAME VDEV IMAGE
write_and_compare()
{
	guest_run "$1" "dd if=/dev/urandom of=/dev/$2 bs=256k count=16 oflag=direct conv=fsync status=none"
	driver_expect_data driver "$1" "$2" "$3"
}

# attach_third: gives the PVH guest a third disk, uses it and takes it away.
attach_third()
{
	xl_attach_disk pvh "$(driver_disk driver xvdc rw file:path=/srv/third.img)"
	guest_run pvh 'for i in $(seq 300); do [ -b /dev/xvdc ] && exit 0; sleep 0.1; done; exit 1'
	write_and_compare pvh xvdc /srv/third.img
	driver_detach driver pvh xvdc $XVDC
}

# attach_fails TARGET: xl says so of a third disk within the time that it waits.
attach_fails()
{
	local began=$SECONDS status=0

	timeout 70 xl block-attach pvh "$(driver_disk driver xvdc rw "$1")" >/var/log/lab/xl-attach.log 2>&1 || status=$?
	[[ $status -ne 0 && $status -ne 124 ]] || fail "xl block-attach of $1 ended with status $status"
	grep -q 'unable to add device with path' /var/log/lab/xl-attach.log || fail "xl said: $(</var/log/lab/xl-attach.log)"
	[[ $((SECONDS - began)) -le 20 ]] || fail "xl block-attach took $((SECONDS - began)) s to fail"
}

# expect_reason TEXT: that hotplug-error says so.
expect_reason()
{
	local text

	text=$(xenstore-read "$(driver_directory driver pvh $XVDC)/hotplug-error")
	[[ $text == *"$1"* ]] || fail "hotplug-error is '$text'"
}

step "create the driver domain; it has no privilege"
guest_create driver
driver_prepare driver
guest_run driver 'cd /srv && truncate -s 32M fs && mkfs.ext4 -q fs && mkdir direct && mount -o loop fs direct &&
	truncate -s 16M pv.img pvh.img direct/second.img third.img'
expect_equal "capabilities" "" "$(guest_run driver 'cat /proc/xen/capabilities')"
for command in 'xenstore-write /local/domain/0/name me' 'xenstore-write /tool/me me' 'xenstore-ls /local/domain/0/backend' \
	'/usr/lib/xen-4.17/bin/xl list'; do
	text=$(guest_run driver "$command" || true)
	[[ $text == *"Permission denied"* || $text == *"could not write"* || $text == *"not permitted"* ]] ||
		fail "in the driver domain $command said: $text"
	note "$text"
done
guest_run driver "modprobe tun && mkdir -p /etc/xvhost &&
	printf '%s\n' '[switch lan]' 'uplink = tap:' >/etc/xvhost/xvhost.conf"
driver_xvhostd_start driver
nodes=$(driver_quota driver nodes) watches=$(driver_quota driver watches)

step "two guests get disks and cards from it; in Dom0 the scripts are not needed"
mv /etc/xen/scripts/{block,vif}-xvhost /run/
GUEST_VIFS=("backend=driver,$(net_vif xvhost lan 00:16:3e:00:00:02)")
guest_create pv "$(driver_disk driver xvda rw file:path=/srv/pv.img)"
GUEST_VIFS=("backend=driver,$(net_vif xvhost lan 00:16:3e:00:00:03)")
guest_create pvh "$(driver_disk driver xvda rw file:path=/srv/pvh.img)" \
	"$(driver_disk driver xvdb rw file:path=/srv/direct/second.img,direct=on)"
write_and_compare pv xvda /srv/pv.img
write_and_compare pvh xvda /srv/pvh.img
write_and_compare pvh xvdb /srv/direct/second.img
expect_log "disks by grants, found out by itself" "vbd [0-9]+: $GRANTS" 3
expect_log "disks with persistent grants" 'connected, .*persistent grants$' 3
expect_log "cards by grants" "vif 0: $GRANTS" 2
for name in pv pvh; do
	guest_run $name 'dmesg | grep "xvda: .*persistent grants: enabled"'
done

step "its quotas"
new_nodes=$(($(driver_quota driver nodes) - nodes)) new_watches=$(($(driver_quota driver watches) - watches))
note "xenstored counts $nodes nodes and $watches watches at first, $new_nodes and $new_watches more for 3 disks and 2 cards," \
	"$(driver_quota driver transactions) transactions, $(driver_quota driver memory) bytes"
[[ $new_nodes -le $((3 * 31 + 2 * 27)) ]] || fail "3 disks and 2 cards have $new_nodes nodes"
expect_equal "watches for 3 disks and 2 cards" 5 "$new_watches"

step "the guests and the driver domain talk by a switch; then a card is detached"
guest_run driver 'ip addr add 10.0.0.1/24 dev up.lan && ip link set up.lan up'
net_up pv 10.0.0.2/24
net_up pvh 10.0.0.3/24
net_ping pvh 10.0.0.2 1 1472 $NET_PING_MAX
net_ping pv 10.0.0.1 $NET_PING_MAX
# On a busy machine there are 50 KiB/s: each packet waits for three domains, one after the other.
net_swap 1 pvh pv 10.0.0.3,10.0.0.2
net_swap 1 pv driver 10.0.0.2,10.0.0.1
net_detach pv 0
card_nodes=$((nodes + new_nodes - $(driver_quota driver nodes)))
note "the card had $card_nodes nodes"
[[ $card_nodes -ge 20 ]] || fail "of the detached card there are nodes left: there were only $card_nodes"
((new_nodes -= card_nodes, new_watches -= 1))
expect_equal "watches without it" "$((watches + new_watches))" "$(driver_quota driver watches)"

step "attach and detach"
attach_third
expect_equal "nodes after that" "$((nodes + new_nodes))" "$(driver_quota driver nodes)"
expect_equal "watches after that" "$((watches + new_watches))" "$(driver_quota driver watches)"

step "a disk that can't be opened"
attach_fails file:path=/srv/none.img
expect_reason "can't open '/srv/none.img'"
driver_detach driver pvh xvdc $XVDC

step "more nodes than the quota"
xenstore-control quota set nodes $((nodes + new_nodes + 20))
attach_fails file:path=/srv/third.img
driver_log driver "guest $(guest_domid pvh) vbd $XVDC: can't write state 2 .* no more nodes" | grep -m 1 .
xenstore-control quota set nodes 1000
wait_until 20 '[[ $(xenstore-read "$(driver_directory driver pvh $XVDC)/state") == [24] ]]'
driver_detach driver pvh xvdc $XVDC

step "more watches than the quota, of which xenstored gives one more than that"
xenstore-control quota set watches $((watches + new_watches - 1))
attach_fails file:path=/srv/third.img
expect_reason "no more watches"
driver_log driver "guest $(guest_domid pvh) vbd $XVDC: can't watch .* no more watches" | grep -m 1 .
xenstore-control quota set watches 128
driver_detach driver pvh xvdc $XVDC

step "attach and detach with xl devd"
guest_run driver 'mkdir -p /var/log/xen /var/lib/xen; [ -e /var/run ] || ln -s /run /var/run
	setsid /usr/lib/xen-4.17/bin/xl devd -F </dev/null >/run/devd.log 2>&1 & sleep 2; pidof xl'
xl_attach_disk pvh "$(driver_disk driver xvdc rw file:path=/srv/third.img)"
wait_until 20 '[[ $(xenstore-read "$(driver_directory driver pvh $XVDC)/hotplug-status") == connected ]]'
driver_detach driver pvh xvdc $XVDC
guest_run driver 'kill $(pidof xl); cat /run/devd.log'

step "shut down in order; persistent grants were used"
guest_shutdown pv
guest_shutdown pvh
driver_xvhostd_stop driver
text=$(driver_log driver 'persistent grants: [1-9][0-9]* pages found mapped, [1-9]')
note "$text"
[[ $(wc -l <<<"$text") -ge 3 ]] || fail "of the disks only these had persistent grants"
guest_shutdown driver
expect_clean
pass
