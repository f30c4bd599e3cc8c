# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Guests with network cards give memory away and get other memory back, are saved and restored, and a PVH guest is migrated while it
# runs, all under traffic: what they receive is right, and what the worker writes to a guest's memory is reported to Xen.
#
# lab: timeout=700
# lab: guest=pv type=pv memory=192M
# lab: guest=pvh type=pvh memory=192M

IDLE_S=2
LITTLE_MIB=176
ALL_MIB=192
ROUNDS=2

# goes_on: what was sent before and what is sent now comes, by both guests' cards.
goes_on()
{
	local port

	for port in 6001 6002 6003; do
		net_stream_goes_on $port "$1"
	done
}

# save_restore NAME
save_restore()
{
	timeout 100 xl save "$1" /srv/saved >"/var/log/lab/save-$1.log" 2>&1 || fail "xl save $1: $(tail_line "/var/log/lab/save-$1.log")"
	timeout 100 xl restore /srv/saved >"/var/log/lab/restore-$1.log" 2>&1 || fail "xl restore $1: $(tail_line "/var/log/lab/restore-$1.log")"
	rm /srv/saved
}

step "start xvhostd and the guests, with disks"
net_config '[network xenbr0]' 'target = tap:bridge=xenbr0' '[memory]' "idle_s = $IDLE_S" 'access = foreign'
net_bridge xenbr0 10.0.0.1/24
xvhostd_start
disks=("$(xvhost_disk xvda rw null:size=64M)" "$(xvhost_disk xvdb ro null:size=64M)")
GUEST_VIFS=("$(net_vif xvhost xenbr0 00:16:3e:00:00:02)")
guest_launch pv "${disks[@]}"
GUEST_VIFS=("$(net_vif xvhost xenbr0 00:16:3e:00:00:03)")
guest_launch pvh "${disks[@]}"
guest_wait_up pv
guest_wait_up pvh
net_up pv 10.0.0.2/24
net_up pvh 10.0.0.3/24
net_stream_begin 6001 dom0 pv 10.0.0.2
net_stream_begin 6002 dom0 pvh 10.0.0.3
net_stream_begin 6003 pv pvh 10.0.0.3
goes_on 30

for ((round = 1; round <= ROUNDS; round++)); do
	step "round $round of $ROUNDS: down to $LITTLE_MIB MiB and up again, under traffic"
	memory_set $LITTLE_MIB pv pvh
	goes_on 30
	memory_set $ALL_MIB pv pvh
done
for name in pv pvh; do
	domid=$(guest_domid $name)
	note "$name: memory of the card by $(sed -n "s/.*guest $domid vif 0: memory by //p" "$XVHOSTD_LOG" | tail -n 1)"
done

for name in pv pvh; do
	step "$name: save and restore"
	save_restore $name
	goes_on 60
done

# A PV guest can't be: Debian's Xen is made without CONFIG_SHADOW_PAGING, and can't see what a PV guest writes.
step "pvh: migrate under traffic"
timeout 150 xl migrate -s '' pvh 'xl migrate-receive' >/var/log/lab/migrate-pvh.log 2>&1 ||
	fail "xl migrate pvh: $(tail_line /var/log/lab/migrate-pvh.log)"
goes_on 60
for port in 6001 6002 6003; do
	note "stream $port: $(net_stream_end $port) bytes"
done
net_ping pvh 10.0.0.2 1 $NET_PING_MAX

step "nothing is left"
guest_destroy pv
guest_destroy pvh
xvhostd_stop
net_bridge_remove xenbr0
expect_clean
pass
