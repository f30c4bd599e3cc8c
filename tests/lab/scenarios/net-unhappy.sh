# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What goes wrong with a network card is told in words, and another guest's traffic goes on: nodes and bridges that make no sense, an
# interface that is removed, a guest that takes nothing or sleeps under a flood, a limit of what a guest may send.
#
# lab: timeout=400
# lab: guest=good type=pv memory=192M
# lab: guest=bad type=pvh memory=192M

MAC=00:16:3e:00:00:03
FLOOD_PACKETS=2000 # that are dropped: more than the ring, the worker and the interface hold
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

# nonsense NODE VALUE TEXT: for nonsense_refused: a card with this node in its backend's directory. xl would not write most of them.
NONSENSE_FIRST=9 # their numbers
nonsense_words=() nonsense_texts=()
nonsense()
{
	local number=$((NONSENSE_FIRST + ${#nonsense_texts[@]})) node
	local front=/local/domain/$bad/device/vif/$number back=/local/domain/0/backend/vif/$bad/$number

	declare -A nodes=([frontend]=$front [frontend-id]=$bad [online]=1 [script]=/etc/xen/scripts/vif-xvhost
		[bridge]=xenbr0 [mac]=00:16:3e:00:00:09 [handle]=$number [state]=1)
	nodes[$1]=$2
	for node in "${!nodes[@]}"; do
		nonsense_words+=("$back/$node" "${nodes[$node]}")
	done
	nonsense_words+=("$front/backend" "$back" "$front/backend-id" 0 "$front/state" 1)
	nonsense_texts+=("$3")
}

# nonsense_refused: each of these cards is refused with its text.
nonsense_refused()
{
	local paths=() errors=() number i

	for ((number = NONSENSE_FIRST; number < NONSENSE_FIRST + ${#nonsense_texts[@]}; number++)); do
		paths+=("/local/domain/0/backend/vif/$bad/$number")
	done
	xenstore-write -- "${nonsense_words[@]}"
	for i in "${!paths[@]}"; do
		wait_until 120 "xenstore-exists ${paths[i]}/hotplug-error"
	done
	mapfile -t errors < <(xenstore-read "${paths[@]/%//hotplug-error}")
	for i in "${!paths[@]}"; do
		[[ ${errors[i]} == *"${nonsense_texts[i]}"* ]] || fail "instead of '${nonsense_texts[i]}' hotplug-error is '${errors[i]}'"
		grep -qF "${nonsense_texts[i]}" "$XVHOSTD_LOG" || fail "the log does not say '${nonsense_texts[i]}'"
		paths+=("/local/domain/$bad/device/vif/${paths[i]##*/}")
	done
	xenstore-rm "${paths[@]}"
}

# worker_kib: memory of the bad guest's worker.
worker_kib()
{
	awk '/^VmRSS:/ { print $2 }' "/proc/$(pgrep -f "xvhost-worker .*--domid[= ]$bad( |$)")/status"
}

# dropped_at INTERFACE: packets for a guest.
dropped_at()
{
	echo "$(<"/sys/class/net/$1/statistics/tx_dropped")"
}

# flood WHAT INTERFACE: packets from Dom0 for the bad guest, which takes none: they are dropped at its interface, while the good guest's
# traffic goes on and the worker's memory stays as it is.
flood()
{
	local kib dropped after_kib

	kib=$(worker_kib)
	dropped=$(dropped_at "$2")
	net_flood_begin 9 dom0 10.0.0.3 1500
	holds_within 40 "[[ \$(dropped_at '$2') -ge $((dropped + FLOOD_PACKETS)) ]]" ||
		fail "$1: only $(($(dropped_at "$2") - dropped)) packets were dropped, so it was no flood"
	goes_on 30
	after_kib=$(worker_kib)
	dropped=$(($(dropped_at "$2") - dropped))
	net_flood_end 9
	note "$1: $dropped packets were dropped, the worker has $after_kib KiB of memory after $kib KiB"
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
	net_ping bad 10.0.0.1 $NET_PING_MAX
}

# sends MOST: sets KIB_S, how much comes from the good guest, which must not be more.
sends()
{
	local file bytes began_us

	file=/sys/class/net/vif$good.0/statistics/rx_bytes
	bytes=$(<"$file") began_us=${EPOCHREALTIME/[.,]/}
	nap 3
	bytes=$(($(<"$file") - bytes))
	KIB_S=$((bytes * 1000000 / 1024 / (${EPOCHREALTIME/[.,]/} - began_us)))
	note "$KIB_S KiB/s"
	[[ $KIB_S -le $1 ]] || fail "the guest sends $KIB_S KiB/s, it should be $1 at most"
}

step "two guests, one with a limit of 128 kbit/s"
net_config '[net]' 'adopt = all' '[network xenbr0]' 'target = tap:bridge=xenbr0' '[network xenbr1]' 'target = tap:bridge=xenbr1' \
	'[network nowhere]' 'target = tap:bridge=nosuch' '[network nobridge]' 'target = tap:bridge=lo'
net_bridge xenbr0 10.0.0.1/24
net_bridge xenbr1 10.0.1.1/24
xvhostd_start
GUEST_VIFS=("$(net_vif xvhost xenbr0 00:16:3e:00:00:02),rate=128Kb/s@100ms")
guest_launch good
GUEST_VIFS=("$(net_vif xvhost xenbr0 $MAC)")
guest_launch bad
guest_wait_up good
guest_wait_up bad
net_up good 10.0.0.2/24
net_up bad 10.0.0.3/24
good=$(guest_domid good) bad=$(guest_domid bad)
rate=/local/domain/0/backend/vif/$good/0/rate

step "the limit, and others while the guest is connected"
expect_equal "the node rate" 1600,100000 "$(xenstore-read "$rate")"
net_stream_begin 6001 good dom0 10.0.0.1
# More than is taken without looking at the clock again.
net_stream_goes_on 6001 90
# 15.6 KiB/s and one large packet; a busy guest sends less.
sends 22
xenstore-write "$rate" 4800,50000
wait_until 10 "grep -q 'now 4800 bytes' '$XVHOSTD_LOG'"
# 93.8 KiB/s.
for _ in {1..15}; do
	sends 110
	[[ $KIB_S -le 25 ]] || break
done
[[ $KIB_S -gt 25 ]] || fail "with a higher limit the guest does not send more"
xenstore-write "$rate" 1000000
wait_until 10 "grep -q 'rate is \"1000000\"' '$XVHOSTD_LOG'"
xenstore-rm "$rate"
wait_until 10 "grep -q 'now 0 bytes' '$XVHOSTD_LOG'"

step "bridges and names that can't be had, nodes that make no sense"
refused "parameter bridge of backend tap is 'nosuch': there is no such interface" nowhere
interface=vif$bad.$NONSENSE_FIRST
net_bridge "$interface"
nonsense bridge xenbr0 "can't make the interface '$interface': there is one of that name"
nonsense bridge nobridge "parameter bridge of backend tap is 'lo': that is no bridge"
nonsense mac 01:16:3e:00:00:09 'backend node mac is "01:16:3e:00:00:09"; it must be the address of one card'
nonsense mac banana 'backend node mac is "banana"'
nonsense rate 0,50000 'backend node rate is "0,50000"; it must be BYTES,MICROSECONDS'
nonsense mtu 10 'backend node mtu is "10"; it must be a decimal number'
nonsense vifname a/b 'backend node vifname is "a/b"; it must be the name of an interface'
nonsense_refused
net_bridge_remove "$interface"
net_stream_begin 6002 dom0 good 10.0.0.2

step "a guest whose interface is down, under a flood"
interface=vif$bad.0
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
wait_until 20 "grep -q 'guest $bad vif 0: the interface was removed' '$XVHOSTD_LOG'"
goes_on 30
net_detach bad 0

step "a card by Xen's script stays in its bridge when xvhostd stops and starts again"
net_attach bad "$(net_vif xvhost xenbr0 $MAC)"
net_attach bad "$(net_vif xvhost-bridge xenbr1 00:16:3e:00:01:03)"
net_up bad 10.0.0.3/24 $MAC
net_up bad 10.0.1.3/24 00:16:3e:00:01:03
net_ping bad 10.0.1.1 $NET_PING_MAX
xvhostd_stop
xvhostd_start
goes_on 30
recovers
net_ping bad 10.0.1.1 $NET_PING_MAX
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
