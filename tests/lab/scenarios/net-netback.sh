# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The kernel's xen-netback on a bridge, without xvhost: what the lab's own functions for network cards can do.
#
# lab: timeout=700 packages=net guest_packages=net
# lab: guest=pv type=pv
# lab: guest=pvh type=pvh kernel=6.12

step "two guests with cards by xen-netback"
modprobe xen-netback
net_bridge xenbr0 10.0.0.1/24
GUEST_VIFS=("$(net_vif netback xenbr0 00:16:3e:00:00:02)")
guest_launch pv
GUEST_VIFS=("$(net_vif netback xenbr0 00:16:3e:00:00:03)")
guest_launch pvh
guest_wait_up pv
guest_wait_up pvh
net_up pv 10.0.0.2/24
net_up pvh 10.0.0.3/24
for name in pv pvh; do
	net_expect_features $name eth0 scatter-gather=on tx-checksum-ipv4=on tx-checksum-ipv6=on tx-tcp-segmentation=on \
		tx-tcp6-segmentation=on
	expect_equal "queues of $name" 1 "$(net_queues $name eth0)"
done

step "PV guest and Dom0"
net_converse pv dom0 10.0.0.1 >/run/lab/net.jsonl
step "PVH guest and Dom0"
net_converse pvh dom0 10.0.0.1 >>/run/lab/net.jsonl
step "guest and guest"
net_converse pvh pv 10.0.0.2 >>/run/lab/net.jsonl
step "from Dom0"
net_ping dom0 10.0.0.2 1 $NET_PING_MAX
net_transfer dom0 pvh 10.0.0.3 2

step "a card comes and goes"
net_attach pvh "$(net_vif netback xenbr0 00:16:3e:00:00:04)"
net_up pvh 10.0.0.4/24 00:16:3e:00:00:04
net_detach pvh 1

step "shut down, nothing is left"
guest_shutdown pv
guest_shutdown pvh
net_bridge_remove xenbr0
rmmod xen-netback
expect_clean
pass
