# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Network cards by xvhost's backend packet, on an interface of Dom0: in promiscuous mode with two queues, and on a macvlan; what becomes of
# them when the interface goes down, is removed, and comes back; and what a guest is told of its link, by tap, too.
#
# lab: timeout=700 packages=net guest_packages=net
# lab: guest=pvh type=pvh kernel=6.12 vcpus=2

MAC=00:16:3e:00:00:02

# make_pair: an interface for the guests' cards, and its other end, with Dom0's addresses.
make_pair()
{
	ip link add up0 type veth peer name up1 address 02:00:00:00:00:01
	ip address add 10.0.0.1/24 dev up1
	ip address add 10.0.1.1/24 dev up1
	ip link set up1 up
	ip link set up0 up
}

# carrier DEVID VALUE: waits until the guest is told so.
carrier()
{
	local node

	node=/local/domain/0/backend/vif/$(guest_domid pvh)/$1/carrier
	holds_within 10 "[[ \$(xenstore-read $node) == $2 ]]" || fail "$node is $(xenstore-read "$node") instead of $2"
	expect_equal "the card's state" 4 "$(xenstore-read "${node%/*}/state")"
}

step "a guest with a card on an interface"
net_config '[net]' 'max_queues = 2' '[network direct]' 'target = packet:interface=up0' \
	'[network macvlan]' 'target = packet:interface=up0,mode=macvlan' \
	'[network nowhere]' 'target = packet:interface=nosuch' '[network tapped]' 'target = tap:'
modprobe veth
modprobe macvlan
make_pair
xvhostd_start
GUEST_VIFS=("$(net_vif xvhost direct $MAC)")
guest_launch pvh
guest_wait_up pvh
net_up pvh 10.0.0.2/24
net_expect_features pvh eth0 scatter-gather=on tx-checksum-ipv4=on tx-checksum-ipv6=on tx-tcp-segmentation=on tx-tcp6-segmentation=on
expect_equal "queues of the guest" 2 "$(net_queues pvh eth0)"
carrier 0 1

step "guest and Dom0"
net_converse pvh dom0 10.0.0.1 >/run/lab/net.jsonl
net_transfer dom0 pvh 10.0.0.2 4
net_iperf dom0 pvh 10.0.0.2 2 -P 6 >/dev/null
said=$(guest_run pvh 'cat /proc/interrupts' |
	awk '$NF ~ /^vif0-q/ { sum = 0; for (i = 2; $i ~ /^[0-9]+$/; i++) sum += $i; print $NF, sum }')
note "interrupts: $(paste -sd ' ' <<<"$said")"
[[ $(awk '$2 > 20' <<<"$said" | cut -d - -f 2 | sort -u | wc -l) -eq 2 ]] || fail "one of two queues was not used: $said"

step "another one on a macvlan of that interface"
net_attach pvh "$(net_vif xvhost macvlan 00:16:3e:00:00:03)"
interface=vif$(guest_domid pvh).1
expect_equal "MAC of $interface" 00:16:3e:00:00:03 "$(<"/sys/class/net/$interface/address")"
net_up pvh 10.0.1.2/24 00:16:3e:00:00:03
net_ping pvh 10.0.1.1 1 1472 $NET_PING_MAX
net_transfer pvh dom0 10.0.1.1 2
net_transfer dom0 pvh 10.0.1.2 2

step "the interface goes down and up, and is removed and comes back, under load"
net_stream_begin 6001 pvh dom0 10.0.0.1
net_stream_goes_on 6001 30
ip link set up0 down
carrier 0 0
carrier 1 0
ip link set up0 up
carrier 0 1
carrier 1 1
net_stream_goes_on 6001 60
ip link delete up0
carrier 0 0
carrier 1 0
make_pair
carrier 0 1
carrier 1 1
net_stream_goes_on 6001 60
note "stream: $(net_stream_end 6001) bytes"
net_ping pvh 10.0.1.1 1 $NET_PING_MAX
for line in "was removed" "is there again"; do
	expect_equal "lines of the log: the interface 'up0' $line" 2 "$(grep -c "the interface 'up0' $line" "$XVHOSTD_LOG")"
done

step "detached and attached again"
net_detach pvh 1
wait_until 10 "[[ ! -e /sys/class/net/$interface ]]"
net_attach pvh "$(net_vif xvhost macvlan 00:16:3e:00:00:03)"
net_up pvh 10.0.1.2/24 00:16:3e:00:00:03
net_ping pvh 10.0.1.1 1 1472
! xl network-attach pvh bridge=nowhere script=vif-xvhost >/run/lab/refused 2>&1 || fail "a card on no interface was attached"
grep -q "parameter interface of backend packet is 'nosuch': there is no such interface" /run/lab/refused ||
	fail "xl does not say why: $(tail_line /run/lab/refused)"

step "the link of a card by tap"
net_attach pvh "$(net_vif xvhost tapped 00:16:3e:00:00:04)"
number=$(xenstore-ls "/local/domain/0/backend/vif/$(guest_domid pvh)" | sed -nE 's/^([0-9]+) = .*/\1/p' | sort -n | tail -n 1)
interface=vif$(guest_domid pvh).$number
guest_run pvh "ip link set $(net_interface pvh 00:16:3e:00:00:04) up"
wait_until 20 "[[ \$(xenstore-read /local/domain/0/backend/vif/$(guest_domid pvh)/$number/state) == 4 ]]"
carrier "$number" 1
ip link set "$interface" down
carrier "$number" 0
ip link set "$interface" up
carrier "$number" 1

step "shut down, nothing is left"
guest_shutdown pvh
xvhostd_stop
[[ ! -e /sys/class/net/vif1.1 ]] || fail "a macvlan is left"
ip link delete up0
expect_clean
pass
