# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Network cards with two queues, of PVH guests with Linux 6.12 and 6.1: both queues carry packets, data is right while the guest's
# features are on and while they are off, with an MTU of 9000, and with an XDP program, which wants headroom before each packet.
#
# lab: timeout=700 packages=net guest_packages=net
# lab: guest=new type=pvh kernel=6.12 vcpus=2
# lab: guest=old type=pvh kernel=6.1 vcpus=2

MTU=9000
TRANSFER_MIB=2
XDP_HEADROOM=256 # that Linux wants

# everywhere MIB: files between a guest and Dom0, by IPv4 and IPv6, and between the guests.
everywhere()
{
	net_swap "$1" new dom0 10.0.0.2,10.0.0.1 fd00::2,fd00::1
	net_swap "$1" new old 10.0.0.2,10.0.0.3
}

# interrupts NAME: how many each of the card's queues had, "QUEUE NUMBER" a line.
interrupts()
{
	guest_run "$1" 'cat /proc/interrupts' |
		awk '$NF ~ /^vif0-q/ { sum = 0; for (i = 2; $i ~ /^[0-9]+$/; i++) sum += $i; print $NF, sum }'
}

# reconnected HEADROOM: the new guest has asked for so much headroom, and is connected again with it.
reconnected()
{
	local domid front

	domid=$(guest_domid new)
	front=/local/domain/$domid/device/vif/0
	holds_within 15 "[[ \$(xenstore-read $front/xdp-headroom $front/state) == $1$'\n'4 ]]" ||
		fail "headroom and state of the frontend are $(xenstore-read "$front/xdp-headroom" "$front/state" | paste -sd ' ')"
	expect_equal "the backend's state" 4 "$(xenstore-read "/local/domain/0/backend/vif/$domid/0/state")"
	grep -q "guest $domid vif 0: now .* headroom $1\$" "$XVHOSTD_LOG" || fail "the log does not tell of a headroom of $1"
}

step "two guests with two queues, and an MTU of $MTU on the host's side"
net_config '[net]' 'max_queues = 2' '[network xenbr0]' 'target = tap:bridge=xenbr0'
net_bridge xenbr0 10.0.0.1/24
xvhostd_start
cp /usr/libexec/xvhost/tests/xdp-pass /srv/xdp-pass.img
truncate -s %512 /srv/xdp-pass.img
GUEST_VIFS=("$(net_vif xvhost xenbr0 00:16:3e:00:00:02),mtu=$MTU")
guest_launch new "$(xvhost_disk xvda ro file:path=/srv/xdp-pass.img)"
GUEST_VIFS=("$(net_vif xvhost xenbr0 00:16:3e:00:00:03),mtu=$MTU")
guest_launch old
guest_wait_up new
guest_wait_up old
net_up new 10.0.0.2/24
net_up old 10.0.0.3/24
ip address add fd00::1/64 dev xenbr0 nodad
guest_run new 'echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad && ip address add fd00::2/64 dev eth0'
for name in new old; do
	domid=$(guest_domid $name)
	expect_equal "queues of $name" 2 "$(net_queues $name eth0)"
	grep -q "guest $domid vif 0: connected, 2 pairs of rings, split event channels" "$XVHOSTD_LOG" ||
		fail "the log does not tell of two pairs of rings of $name"
	expect_equal "queues of vif$domid.0" 2 "$(find "/sys/class/net/vif$domid.0/queues" -name 'tx-*' | wc -l)"
	expect_equal "MTU of vif$domid.0" $MTU "$(<"/sys/class/net/vif$domid.0/mtu")"
done

step "all directions"
everywhere $TRANSFER_MIB
for name in new old; do
	net_ping $name 10.0.0.1 1 1473 16384 $NET_PING_MAX
done

step "both queues carry packets"
# Linux chooses a queue by a stream's addresses and ports.
net_iperf new dom0 10.0.0.1 2 -P 6 >/dev/null
net_iperf dom0 new 10.0.0.2 2 -P 6 >/dev/null
net_iperf old new 10.0.0.2 2 -P 6 >/dev/null
for name in new old; do
	said=$(interrupts $name)
	note "$name: interrupts: $(paste -sd ' ' <<<"$said")"
	[[ $(awk '$2 > 20' <<<"$said" | cut -d - -f 2 | sort -u | wc -l) -eq 2 ]] || fail "one of two queues of $name was not used: $said"
done

for features in 'tso off tx off' 'sg off'; do
	step "the guest has $features"
	guest_run new "ethtool -K eth0 $features"
	everywhere 1
	net_ping new 10.0.0.1 1473 $NET_PING_MAX
done
# Linux's driver leaves the checksums of IPv4 to others in any case.
net_expect_features new eth0 scatter-gather=off tx-checksum-ipv6=off tx-tcp-segmentation=off tx-tcp6-segmentation=off
guest_run new 'ethtool -K eth0 sg on tx on tso on'

step "the host cuts packets into segments before the guest gets them, and fills in checksums"
domid=$(guest_domid new)
net_run dom0 "ethtool -K vif$domid.0 tso off && ethtool -K vif$domid.0 tx off && ethtool -K vif$domid.0 sg off" ||
	fail "the features of vif$domid.0 can't be switched off"
net_swap 1 new dom0 10.0.0.2,10.0.0.1 fd00::2,fd00::1

step "an XDP program in the guest, which makes the driver ask for headroom"
guest_run new 'cat /dev/xvda >/run/xdp-pass && chmod +x /run/xdp-pass'
# Linux drops what does not fit into a page there; the host still cuts TCP's packets.
net_begin new 'echo $BASHPID >/run/xdp.pid; exec /run/xdp-pass eth0'
xdp=$NET_JOB
reconnected $XDP_HEADROOM
net_swap 1 new dom0 10.0.0.2,10.0.0.1 fd00::2,fd00::1
net_ping dom0 10.0.0.2 1 1472
guest_run new 'kill -TERM $(</run/xdp.pid)'
reconnected 0
text=$(net_end new "$xdp" 10) || true
expect_equal "what xdp-pass says" attached "$text"

step "an MTU of $MTU"
for name in new old; do
	guest_run $name "ip link set eth0 mtu $MTU"
done
expect_equal "MTU of the bridge" $MTU "$(</sys/class/net/xenbr0/mtu)"
for address in 10.0.0.2 10.0.0.3; do
	# Not one byte more is possible.
	net_run dom0 "ping -M do -c 2 -i 0.2 -W 5 -s $((MTU - 28)) $address" >/dev/null || fail "no answer to $MTU bytes from $address"
	! net_run dom0 "ping -M do -c 1 -W 2 -s $((MTU - 27)) $address" >/dev/null || fail "$((MTU + 1)) bytes are not too many"
done
everywhere $TRANSFER_MIB

step "shut down, nothing is left"
guest_shutdown new
guest_shutdown old
xvhostd_stop
net_bridge_remove xenbr0
expect_clean
pass
