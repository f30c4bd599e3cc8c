# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Network cards by xvhost's backend tap, on a bridge, for a PV guest with Linux 6.1 and a PVH guest with 6.12 and two queues: what they
# negotiate, and packets of all sizes, streams and files between them and Dom0. A card by Xen's own script comes and goes, with pcap before
# it: tcpdump finds in the file what has passed.
#
# lab: timeout=700 packages=net,tcpdump guest_packages=net
# lab: guest=pv type=pv
# lab: guest=pvh type=pvh kernel=6.12 vcpus=2

step "two guests with cards on a bridge"
net_config '[net]' 'adopt = all' 'max_queues = 2' '[network xenbr0]' 'target = tap:bridge=xenbr0' '[network xenbr1]' \
	'target = pcap:path=/run/card.pcapng,target=tap:'
net_bridge xenbr0 10.0.0.1/24
net_bridge xenbr1 10.0.1.1/24
xvhostd_start
GUEST_VIFS=("$(net_vif xvhost xenbr0 00:16:3e:00:00:02)")
guest_launch pv
GUEST_VIFS=("$(net_vif xvhost xenbr0 00:16:3e:00:00:03)")
guest_launch pvh
guest_wait_up pv
guest_wait_up pvh
net_up pv 10.0.0.2/24
net_up pvh 10.0.0.3/24
for name in pv pvh; do
	net_expect_features $name eth0 scatter-gather=on tx-checksum-ipv4=on tx-checksum-ipv6=on tx-tcp-segmentation=on \
		tx-tcp6-segmentation=on
done
expect_equal "queues of the PV guest" 1 "$(net_queues pv eth0)"
expect_equal "queues of the PVH guest" 2 "$(net_queues pvh eth0)"

step "PV guest and Dom0"
net_converse pv dom0 10.0.0.1 >/run/lab/net.jsonl
step "PVH guest and Dom0"
net_converse pvh dom0 10.0.0.1 >>/run/lab/net.jsonl
step "guest and guest"
net_converse pvh pv 10.0.0.2 >>/run/lab/net.jsonl
step "from Dom0"
net_ping dom0 10.0.0.2 1 $NET_PING_MAX
net_ping dom0 10.0.0.3 1 $NET_PING_MAX
net_transfer dom0 pv 10.0.0.2 4
net_transfer dom0 pvh 10.0.0.3 4

step "a card by Xen's script vif-bridge comes and goes, while another is in use"
net_begin pvh 'echo $BASHPID >/run/ping.pid; exec busybox ping -q -c 1000000 10.0.0.1'
net_attach pvh "$(net_vif xvhost-bridge xenbr1 00:16:3e:00:00:04)"
net_up pvh 10.0.1.2/24 00:16:3e:00:00:04
net_ping pvh 10.0.1.1 1 $NET_PING_MAX
net_transfer pvh dom0 10.0.1.1 2
interface=vif$(guest_domid pvh).1
[[ -e /sys/class/net/xenbr1/brif/$interface ]] || fail "$interface is not in xenbr1"
net_detach pvh 1
wait_until 10 "[[ ! -e /sys/class/net/$interface ]]"
guest_run pvh 'kill -INT $(</run/ping.pid)'
net_end pvh "$NET_JOB" 20 >/var/log/lab/ping.log || fail "the other card was disturbed: no answers"
read -r sent came < <(sed -nE 's/^([0-9]+) packets transmitted, ([0-9]+) packets received.*/\1 \2/p' /var/log/lab/ping.log)
# The last may have been under way.
[[ $sent -ge 5 && $came -ge $((sent - 1)) ]] || fail "the other card was disturbed: of $sent pings $came came back"

step "what has passed through that card is in its file"
# captured FILTER: prints a line for each packet. There is no user tcpdump here.
captured()
{
	tcpdump -n -q -Z root -r /run/card.pcapng "$1" 2>/var/log/lab/tcpdump.log ||
		fail "tcpdump does not read the file: $(tail_line /var/log/lab/tcpdump.log)"
}
# The pings were three of each size; what is large is in several packets, the first of which counts.
expect_equal "pings in the file" 6 "$(captured 'icmp[icmptype] == icmp-echo and src 10.0.1.2' | wc -l)"
expect_equal "their answers" 6 "$(captured 'icmp[icmptype] == icmp-echoreply and dst 10.0.1.2' | wc -l)"
bytes=$(captured 'tcp and src 10.0.1.2' | awk '{ sum += $NF } END { print sum + 0 }')
[[ $bytes -ge 2097152 ]] || fail "of 2 MiB that were sent only $bytes bytes are in the file"
[[ $(captured 'tcp and src 10.0.1.2 and greater 2000' | wc -l) -gt 0 ]] || fail "no large packet is in the file"
rm /run/card.pcapng

step "shut down, nothing is left"
guest_shutdown pv
guest_shutdown pvh
xvhostd_stop
net_bridge_remove xenbr0
net_bridge_remove xenbr1
expect_clean
pass
