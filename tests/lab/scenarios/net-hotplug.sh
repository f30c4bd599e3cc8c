# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Network cards that come and go, under traffic of others, which loses no byte: a card is attached to a running guest and detached
# again, 5 times; xvhostd is stopped and started, and connected guests stay connected; a guest with two cards reboots; guests are
# destroyed. With the kernel module.
#
# lab: timeout=700
# lab: guest=pv type=pv
# lab: guest=pvh type=pvh

ROUNDS=5

# cards_up: the two of the PVH guest.
cards_up()
{
	net_up pvh 10.0.0.3/24 00:16:3e:00:00:03
	net_up pvh 10.0.1.3/24 00:16:3e:00:01:03
}

# interfaces: those of guests' cards.
interfaces()
{
	find /sys/class/net -name 'vif*'
}

streams_begin()
{
	net_stream_begin 6001 pvh dom0 10.0.0.1
	net_stream_begin 6002 dom0 pvh 10.0.1.3
	net_stream_begin 6003 pv pvh 10.0.0.3
}

# streams_end: with no byte that is wrong.
streams_end()
{
	local port

	for port in 6001 6002 6003; do
		note "stream $port: $(net_stream_end $port) bytes"
	done
}

step "two guests, the PVH guest with two cards"
net_config '[network xenbr0]' 'target = tap:bridge=xenbr0' '[network xenbr1]' 'target = tap:bridge=xenbr1'
net_bridge xenbr0 10.0.0.1/24
net_bridge xenbr1 10.0.1.1/24
remap_load
xvhostd_start
GUEST_VIFS=("$(net_vif xvhost xenbr0 00:16:3e:00:00:02)")
guest_launch pv
GUEST_VIFS=("$(net_vif xvhost xenbr0 00:16:3e:00:00:03)" "$(net_vif xvhost xenbr1 00:16:3e:00:01:03)")
guest_launch pvh
guest_wait_up pv
guest_wait_up pvh
net_up pv 10.0.0.2/24
cards_up
net_ping pvh 10.0.0.2 1 $NET_PING_MAX
net_ping dom0 10.0.1.3 1 $NET_PING_MAX
streams_begin

for ((round = 1; round <= ROUNDS; round++)); do
	step "round $round of $ROUNDS: attach, use, detach"
	net_attach pvh "$(net_vif xvhost xenbr1 00:16:3e:00:01:04)"
	net_up pvh 10.0.1.4/24 00:16:3e:00:01:04
	# By this card, not by the other of the same network.
	guest_run pvh "busybox ping -A -c 3 -W 5 -I $(net_interface pvh 00:16:3e:00:01:04) 10.0.1.1" >/dev/null ||
		fail "no answer by the attached card"
	net_detach pvh 2
done
domid=$(guest_domid pvh)
expect_equal "closed cards in the log" $ROUNDS "$(grep -c "xvhost-worker: guest $domid vif 2: closed" "$XVHOSTD_LOG")"
[[ ! -e /sys/class/net/vif$domid.2 ]] || fail "the interface vif$domid.2 is still there"

step "xvhostd stops under traffic and starts again, which goes on"
xvhostd_stop
[[ -z $(interfaces) ]] || fail "interfaces are left: $(interfaces)"
nap 3
xvhostd_start
for port in 6001 6002 6003; do
	net_stream_goes_on $port 40
done
streams_end

step "the guest with two cards reboots"
guest_reboot pvh
cards_up
net_ping pv 10.0.0.3 1 $NET_PING_MAX
net_ping dom0 10.0.1.3 1 $NET_PING_MAX
net_transfer pvh pv 10.0.0.2 1

step "guests are destroyed under traffic"
streams_begin
net_stream_begin 6004 pv dom0 10.0.0.1
net_stream_goes_on 6001 30
guest_destroy pvh
net_stream_goes_on 6004 30
guest_destroy pv

step "nothing is left"
wait_until 20 '[[ -z $(interfaces) ]]'
xvhostd_stop
net_bridge_remove xenbr0
net_bridge_remove xenbr1
expect_clean
remap_unload
pass
