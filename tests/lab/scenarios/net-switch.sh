# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Two guests, PV and PVH, whose cards are on xvhost's own switch, which nothing was configured for but its uplink: packets of all sizes,
# streams and files between them, and between them and Dom0. Both are also on another network, which is apart. With the kernel module.
#
# lab: timeout=700 packages=net guest_packages=net
# lab: guest=pv type=pv
# lab: guest=pvh type=pvh kernel=6.12

step "two guests with two cards each"
net_config '[switch lan]' 'uplink = tap:bridge=xenbr0'
net_bridge xenbr0 10.0.0.1/24
remap_load
xvhostd_start
GUEST_VIFS=("$(net_vif xvhost lan 00:16:3e:00:00:02)" "$(net_vif xvhost other 00:16:3e:00:01:02)")
guest_launch pv
GUEST_VIFS=("$(net_vif xvhost lan 00:16:3e:00:00:03)" "$(net_vif xvhost other 00:16:3e:00:01:03)")
guest_launch pvh
guest_wait_up pv
guest_wait_up pvh
for name in pv pvh; do
	host=$([[ $name == pv ]] && echo 2 || echo 3)
	net_up $name 10.0.0.$host/24 00:16:3e:00:00:0$host
	net_up $name 10.0.1.$host/24 00:16:3e:00:01:0$host
	net_expect_features $name eth0 scatter-gather=on tx-checksum-ipv4=on tx-tcp-segmentation=on
done

step "guest and guest"
net_converse pvh pv 10.0.0.2 >/run/lab/net.jsonl
net_exchange pv pvh 10.0.0.3

step "Dom0, by the uplink"
[[ -e /sys/class/net/xenbr0/brif/up.lan ]] || fail "up.lan is not in xenbr0"
for name in pv pvh; do
	net_ping $name 10.0.0.1 1 1472 $NET_PING_MAX
done
net_ping dom0 10.0.0.2 1 $NET_PING_MAX
net_transfer pvh dom0 10.0.0.1 4
net_transfer dom0 pv 10.0.0.2 4
note "PVH guest to Dom0: TCP $(net_iperf pvh dom0 10.0.0.1 1) Mbit/s and $(net_iperf pvh dom0 10.0.0.1 1 -R) back"

step "the uplink is killed, and there is another one"
net_stream_begin 6001 pv dom0 10.0.0.1
net_stream_begin 6002 pvh pv 10.0.0.2
net_stream_goes_on 6001 20
killed=$(pgrep -f 'xvhost-worker .*--switch lan')
kill -KILL "$killed"
net_stream_goes_on 6002 20
wait_until 10 "pgrep -f 'xvhost-worker .*--switch lan' | grep -qvx $killed"
net_stream_goes_on 6001 60
net_stream_end 6001 >/dev/null
net_stream_end 6002 >/dev/null

step "the other network"
net_ping pv 10.0.1.3 1 $NET_PING_MAX
# An address of the other network is not found here. Linux answers for all its addresses on any card, unless it is told not to.
guest_run pvh 'echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore'
guest_run pvh "ip addr add 10.0.2.3/24 dev \$(basename \$(dirname \$(grep -l 00:16:3e:00:01:03 /sys/class/net/*/address)))"
guest_run pv "ip addr add 10.0.2.2/24 dev \$(basename \$(dirname \$(grep -l 00:16:3e:00:00:02 /sys/class/net/*/address)))"
! net_run pv 'busybox ping -c 3 -W 2 10.0.2.3' >/dev/null || fail "packets came from one network to the other"

step "a guest that goes away"
guest_destroy pvh
! net_run pv 'busybox ping -c 1 -W 2 10.0.0.3' >/dev/null || fail "a guest that is gone answers"

step "shut down, nothing is left"
guest_shutdown pv
xvhostd_stop
[[ ! -e /sys/class/net/up.lan ]] || fail "the uplink's interface is still there"
net_bridge_remove xenbr0
expect_clean
remap_unload
pass
