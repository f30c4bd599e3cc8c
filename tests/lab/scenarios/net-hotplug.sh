# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Network cards that come and go, under traffic of others, which loses no byte: a card is attached to a running guest and detached
# again while packets pass by it in both directions, 5 times; xvhostd is stopped and started, and connected guests stay connected; a guest with two cards reboots; guests are
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

# flooded INTERFACE PACKETS: so many more packets have passed each way.
flooded()
{
	local files=("/sys/class/net/$1/statistics/"{rx,tx}_packets) rx tx

	rx=$(($(<"${files[0]}") + $2)) tx=$(($(<"${files[1]}") + $2))
	wait_until 30 "[[ \$(<'${files[0]}') -ge $rx && \$(<'${files[1]}') -ge $tx ]]"
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
# By the card that comes and goes, which has a network of its own.
ip address add 10.0.2.1/24 dev xenbr1
net_flood_begin 6011 pvh 10.0.2.1 50
net_flood_begin 6012 dom0 10.0.2.4 50
domid=$(guest_domid pvh)

for ((round = 1; round <= ROUNDS; round++)); do
	step "round $round of $ROUNDS: attach, use, detach under traffic"
	net_attach pvh "$(net_vif xvhost xenbr1 00:16:3e:00:01:04)"
	net_up pvh 10.0.2.4/24 00:16:3e:00:01:04
	flooded "vif$domid.2" 200
	net_detach pvh 2
done
net_flood_end 6011
net_flood_end 6012
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
