# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What goes wrong with a network card is told in words, and another guest's traffic goes on: nodes and bridges that make no sense, an
# interface that is removed, a guest that takes nothing or sleeps under a flood, a limit of what a guest may send.
#
# lab: timeout=700 packages=net guest_packages=net
# lab: guest=good type=pv memory=192M
# lab: guest=bad type=pvh memory=192M

MAC=00:16:3e:00:00:03
FLOOD_S=6
GROWTH_KIB=4096 # of a worker's memory: 32 packets of 64 KiB for each direction

# refused TEXT NETWORK: xl can't attach a card on this network without waiting for its own time limit, and says this; so does the log.
refused()
{
	local log=/var/log/lab/refused.log

	! timeout 30 xl network-attach bad "bridge=$2" script=vif-xvhost >$log 2>&1 || fail "a card on $2 was attached"
	! grep -qi 'timed out' $log || fail "xl waited in vain for a card on $2"
	grep -qF "$1" $log || fail "xl does not say '$1': $(tail -n 5 $log)"
	grep -qF "$1" "$XVHOSTD_LOG" || fail "the log does not say '$1'"
	# libxl 4.17 leaves it to the user to remove what it could not attach.
	net_detach bad 1
}

# nonsense NODE VALUE TEXT: a card with this node in its backend's directory, which xl would not write, is refused with this text.
nonsense()
{
	local domid front back

	domid=$(guest_domid bad)
	front=/local/domain/$domid/device/vif/9
	back=/local/domain/0/backend/vif/$domid/9
	declare -A nodes=([frontend]=$front [frontend-id]=$domid [online]=1 [script]=/etc/xen/scripts/vif-xvhost
		[bridge]=xenbr0 [mac]=00:16:3e:00:00:09 [handle]=9 [state]=1)
	nodes[$1]=$2
	words=()
	for node in "${!nodes[@]}"; do
		words+=("$back/$node" "${nodes[$node]}")
	done
	xenstore-write -- "$front/backend" "$back" "$front/backend-id" 0 "$front/state" 1 "${words[@]}"
	wait_until 10 "xenstore-exists $back/hotplug-error"
	[[ $(xenstore-read "$back/hotplug-error") == *"$3"* ]] || fail "for $1 '$2' hotplug-error is: $(xenstore-read "$back/hotplug-error")"
	grep -qF "$3" "$XVHOSTD_LOG" || fail "the log does not say '$3'"
	xenstore-rm "$front"
	xenstore-rm "$back"
}

# worker_kib: memory of the bad guest's worker.
worker_kib()
{
	awk '/^VmRSS:/ { print $2 }' "/proc/$(pgrep -f "xvhost-worker .*--domid[= ]$(guest_domid bad)( |$)")/status"
}

# flood WHAT INTERFACE: packets from Dom0 for the bad guest, which takes none: they are dropped at its interface, while the good guest's
# traffic goes on and the worker's memory stays as it is.
flood()
{
	local drops=/sys/class/net/$2/statistics/tx_dropped kib dropped after_kib NET_JOB

	kib=$(worker_kib)
	dropped=$(<"$drops")
	net_begin dom0 "until [[ -e /run/flood.stop ]]; do dd if=/dev/zero bs=1400 count=3000 status=none >/dev/udp/10.0.0.3/9; done; true"
	nap $FLOOD_S
	goes_on 30
	after_kib=$(worker_kib)
	dropped=$(($(<"$drops") - dropped))
	touch /run/flood.stop
	net_end dom0 "$NET_JOB" 20
	rm /run/flood.stop
	note "$1: $dropped packets were dropped, the worker has $after_kib KiB of memory after $kib KiB"
	[[ $dropped -gt 0 ]] || fail "$1: no packet was dropped, so it was no flood"
	[[ $after_kib -le $((kib + GROWTH_KIB)) ]] || fail "$1: the worker's memory has grown from $kib to $after_kib KiB"
}

# goes_on SECONDS: what the good guest sends and gets.
goes_on()
{
	net_stream_goes_on 6001 "$1"
	net_stream_goes_on 6002 "$1"
}

# recovers: the bad guest, which first gets what has gathered for it, takes part again.
recovers()
{
	wait_until 20 "net_run bad 'busybox ping -c 1 -W 2 10.0.0.1'"
	net_ping bad 10.0.0.1 1 1472 $NET_PING_MAX
}

# sends LEAST MOST: Mbit/s that come from the good guest.
sends()
{
	local mbit

	mbit=$(net_iperf good dom0 10.0.0.1 4)
	note "$mbit Mbit/s"
	[[ ${mbit%.*} -ge $1 && ${mbit%.*} -lt $2 ]] || fail "the guest sends $mbit Mbit/s, it should be between $1 and $2"
}

step "two guests, one with a limit of 10 Mbit/s"
net_config '[net]' 'adopt = all' '[network xenbr0]' 'target = tap:bridge=xenbr0' '[network xenbr1]' 'target = tap:bridge=xenbr1' \
	'[network nowhere]' 'target = tap:bridge=nosuch' '[network nobridge]' 'target = tap:bridge=lo'
net_bridge xenbr0 10.0.0.1/24
net_bridge xenbr1 10.0.1.1/24
xvhostd_start
GUEST_VIFS=("$(net_vif xvhost xenbr0 00:16:3e:00:00:02),rate=10Mb/s")
guest_launch good
GUEST_VIFS=("$(net_vif xvhost xenbr0 $MAC)")
guest_launch bad
guest_wait_up good
guest_wait_up bad
net_up good 10.0.0.2/24
net_up bad 10.0.0.3/24
rate=/local/domain/0/backend/vif/$(guest_domid good)/0/rate

step "the limit, and others while the guest is connected"
note "rate is $(xenstore-read "$rate")"
sends 5 12
xenstore-write "$rate" 150000,50000
sends 14 28
xenstore-write "$rate" 1000000
wait_until 10 "grep -q 'rate is \"1000000\"' '$XVHOSTD_LOG'"
xenstore-rm "$rate"
wait_until 10 "grep -q 'now 0 bytes' '$XVHOSTD_LOG'"
net_stream_begin 6001 good dom0 10.0.0.1
net_stream_begin 6002 dom0 good 10.0.0.2

step "bridges and names that can't be had, nodes that make no sense"
refused "parameter bridge of backend tap is 'nosuch': there is no such interface" nowhere
refused "parameter bridge of backend tap is 'lo': that is no bridge" nobridge
interface=vif$(guest_domid bad).1
net_bridge "$interface"
refused "can't make the interface '$interface': there is one of that name" xenbr0
net_bridge_remove "$interface"
nonsense mac 01:16:3e:00:00:09 'backend node mac is "01:16:3e:00:00:09"; it must be the address of one card'
nonsense mac banana 'backend node mac is "banana"'
nonsense rate 0,50000 'backend node rate is "0,50000"; it must be BYTES,MICROSECONDS'
nonsense mtu 10 'backend node mtu is "10"; it must be a decimal number'
nonsense vifname a/b 'backend node vifname is "a/b"; it must be the name of an interface'

step "a guest whose interface is down, under a flood"
interface=vif$(guest_domid bad).0
ip neighbour replace 10.0.0.3 lladdr $MAC dev xenbr0 nud permanent
bridge fdb replace $MAC dev "$interface" master static
guest_run bad 'ip link set eth0 down'
flood 'interface down' "$interface"
guest_run bad 'ip link set eth0 up'
recovers

step "a guest that sleeps under a flood"
xl pause bad
flood 'asleep' "$interface"
xl unpause bad
recovers

step "an interface that is removed under load"
net_stream_begin 6003 bad dom0 10.0.0.1
net_stream_goes_on 6003 30
ip link delete "$interface"
wait_until 20 "grep -q 'guest $(guest_domid bad) vif 0: the interface was removed' '$XVHOSTD_LOG'"
goes_on 30
net_detach bad 0
net_attach bad "$(net_vif xvhost xenbr0 $MAC)"
net_up bad 10.0.0.3/24 $MAC
net_ping bad 10.0.0.1 1 1472 $NET_PING_MAX

step "a card by Xen's script stays in its bridge when xvhostd stops and starts again"
net_attach bad "$(net_vif xvhost-bridge xenbr1 00:16:3e:00:01:03)"
net_up bad 10.0.1.3/24 00:16:3e:00:01:03
net_ping bad 10.0.1.1 1 1472 $NET_PING_MAX
xvhostd_stop
xvhostd_start
goes_on 30
recovers
net_ping bad 10.0.1.1 1 1472 $NET_PING_MAX
for port in 6001 6002; do
	note "stream $port: $(net_stream_end $port) bytes"
done

step "shut down, nothing is left"
guest_shutdown good
guest_shutdown bad
xvhostd_stop
net_bridge_remove xenbr0
net_bridge_remove xenbr1
expect_clean
pass
