# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Network cards of guests, bridges of Dom0, and what is sent from one to the other. A place is a guest's name, or dom0.
# Features and iperf3 want packages=net and guest_packages=net.

# What one ping carries at most by IPv4.
NET_PING_MAX=65507
NET_BACKENDS=/sys/bus/xen-backend

# net_vif WAY BRIDGE [MAC]: prints a vif= entry for a card by
#     netback          xen-netback with Xen's script vif-bridge
#     xvhost           xvhost with its own script; what the bridge's name means is told by xvhost.conf
#     xvhost-bridge    xvhost's backend `tap`, whose interface Xen's script puts into the bridge
net_vif()
{
	local script=vif-bridge

	[[ $1 != xvhost ]] || script=vif-xvhost
	echo "bridge=$2,script=$script${3:+,mac=$3}"
}

# net_config LINE...: xvhost.conf, for the next xvhostd_start.
net_config()
{
	mkdir -p /etc/xvhost
	printf '%s\n' "$@" >/etc/xvhost/xvhost.conf
}

# net_bridge NAME [ADDRESS/PREFIX]: makes a bridge in Dom0, with this address of Dom0's own.
net_bridge()
{
	local -; set +x
	# Ports are forwarded to at once.
	ip link add name "$1" type bridge stp_state 0 forward_delay 0 || fail "no bridge $1 can be made"
	[[ -z ${2:-} ]] || ip address add "$2" dev "$1"
	ip link set dev "$1" up
}

net_bridge_remove()
{
	local -; set +x
	ip link delete dev "$1" || fail "the bridge $1 can't be removed"
}

# ---- cards of running guests ----

# net_attach NAME ENTRY: gives a running guest a card.
net_attach()
{
	local -; set +x
	local log=/var/log/lab/xl-network-attach.log words

	IFS=, read -ra words <<<"$2"
	timeout 70 xl network-attach "$1" "${words[@]}" >"$log" 2>&1 ||
		fail "xl network-attach $1 '$2' ended with status $?: $(tail_line "$log")"
}

# net_detach NAME DEVID: takes the card away again and waits until nothing of it is left in xenstore, nor in the guest: Linux would
# close the next card of this number instead.
net_detach()
{
	local -; set +x
	local log=/var/log/lab/xl-network-detach.log domid directory

	domid=$(guest_domid "$1") || fail "there is no guest $1"
	directory=$(xenstore-read "/libxl/$domid/device/vif/$2/backend") || fail "the guest $1 has no card $2"
	timeout 70 xl network-detach "$1" "$2" >"$log" 2>&1 ||
		fail "xl network-detach $1 $2 ended with status $?: $(tail_line "$log")"
	holds_within 20 "! xenstore-exists $directory" || fail "the card $2 of guest $1 did not go away"
	guest_run "$1" "for i in \$(seq 150); do [[ -e /sys/bus/xen/devices/vif-$2 ]] || exit 0; sleep 0.1; done; exit 1" ||
		fail "the guest $1 does not let go of its card $2"
}

# net_netback_beside: loads xen-netback, which would take every card on the bus, so that it only takes those of net_bind. Once it is
# there xvhost takes no more cards: attach those first.
net_netback_beside()
{
	local -; set +x
	echo 0 >$NET_BACKENDS/drivers_autoprobe
	modprobe xen-netback
}

# net_netback_end: there is none of it any more.
net_netback_end()
{
	local -; set +x
	rmmod xen-netback
	echo 1 >$NET_BACKENDS/drivers_autoprobe
}

# net_bind NAME DEVID: gives xen-netback this card as soon as there is one. To be run in the background of what makes the card.
net_bind()
{
	local -; set +x
	local domid device

	domid=$(guest_domid "$1") || fail "there is no guest $1"
	device=vif-$domid-$2
	holds_within 30 "[[ -e $NET_BACKENDS/devices/$device ]]" || fail "there is no card $device"
	echo "$device" >$NET_BACKENDS/drivers/vif/bind || fail "xen-netback does not take $device"
}

# net_attach_netback NAME DEVID ENTRY: a card by xen-netback after net_netback_beside; the number is that which xl will give it.
net_attach_netback()
{
	local -; set +x
	local binder

	net_bind "$1" "$2" &
	binder=$!
	net_attach "$1" "$3"
	wait $binder || fail "xen-netback did not take the card $2 of guest $1"
}

# ---- in guests ----

# net_run PLACE COMMAND [--timeout S]: runs it there, as guest_run.
net_run()
{
	local -; set +x
	local limit=$GUEST_RUN_TIMEOUT words=()

	guest_words "$@"
	if [[ ${words[0]} == dom0 ]]; then
		timeout "$limit" bash -c "${words[1]}" 2>&1 </dev/null
	else
		guest_run --timeout "$limit" "${words[@]}"
	fi
}

# net_find CARD: prints a command which sets `interface` in a guest, and ends if the card does not appear.
net_find()
{
	echo "interface=
		for i in {1..150}; do
			for path in /sys/class/net/*; do
				read -r address <\$path/address
				[[ \${path##*/} != '$1' && \$address != '${1,,}' ]] || interface=\${path##*/}
			done
			[[ -z \$interface ]] || break
			sleep 0.1
		done
		[[ -n \$interface ]] || exit 2"
}

# net_interface NAME CARD: prints the name of the guest's interface, which is given by its MAC or is itself a name; waits until it is
# there.
net_interface()
{
	local -; set +x
	guest_run "$1" "$(net_find "$2"); echo \$interface" || fail "the card $2 did not appear in the guest $1"
}

# net_up NAME ADDRESS/PREFIX [CARD]: gives the guest's card (eth0; or a name or MAC) this address, and waits until it is connected.
net_up()
{
	local -; set +x
	local status=0

	guest_run "$1" "$(net_find "${3:-eth0}"); ip addr add $2 dev \$interface && ip link set \$interface up || exit 1
		for i in {1..150}; do
			[[ \$(</sys/class/net/\$interface/carrier) == 1 ]] && exit 0
			sleep 0.1
		done; exit 1" || status=$?
	[[ $status -ne 2 ]] || fail "the card ${3:-eth0} did not appear in the guest $1"
	[[ $status -eq 0 ]] || fail "the card ${3:-eth0} of guest $1 does not get connected"
}

# net_features PLACE INTERFACE: prints what was negotiated, a line "NAME on" or "NAME off" for each of ethtool's features.
net_features()
{
	local -; set +x
	net_run "$1" "ethtool -k $2" | sed -nE 's/^[[:space:]]*([a-z0-9-]+): (on|off)( .*)?$/\1 \2/p'
}

# net_expect_features NAME INTERFACE FEATURE=on|off...
net_expect_features()
{
	local -; set +x
	local list word

	list=$(net_features "$1" "$2")
	for word in "${@:3}"; do
		grep -qxF "${word/=/ }" <<<"$list" ||
			fail "feature ${word%=*} of $1's $2 should be ${word#*=} but is: $(grep "^${word%=*} " <<<"$list" || echo unknown)"
	done
}

# net_queues NAME INTERFACE: prints how many queues it has to send by.
net_queues()
{
	local -; set +x
	guest_run "$1" "echo /sys/class/net/$2/queues/tx-*" | wc -w
}

# ---- traffic ----

# net_ping PLACE ADDRESS SIZE...: each size (of what a ping carries, up to NET_PING_MAX) must come back three times of three. Each is a
# command: after the first answer ping waits for another no longer than two such round trips, and a busy machine stands still longer.
net_ping()
{
	local -; set +x
	local output ping='busybox ping'

	[[ $1 != dom0 ]] || ping=/usr/bin/ping
	output=$(net_run "$1" "for size in ${*:3}; do
			for i in 1 2 3; do
				text=\$($ping -c 1 -W 10 -s \$size $2 2>&1) || { echo \"size \$size: \$text\"; exit 1; }
			done
		done") || fail "ping from $1 to $2: $(tail -n 4 <<<"$output" | paste -sd ' ')"
}

# net_listens PLACE PORT: waits until somebody listens there, by TCP.
net_listens()
{
	local -; set +x
	local pattern

	printf -v pattern ':%04X [0-9A-F:]+ 0A ' "$2"
	net_run "$1" "for i in \$(seq 100); do grep -qE '$pattern' /proc/net/tcp /proc/net/tcp6 2>/dev/null && exit 0; sleep 0.1; done; exit 1" ||
		fail "nobody listens at port $2 of $1"
}

# net_connect ADDRESS PORT: prints a command which connects its descriptor 9 as soon as somebody listens there, by TCP.
net_connect()
{
	echo "for try in {1..150}; do ! exec 9>/dev/tcp/$1/$2 || break; read -rt 0.1 <> <(:); done 2>/dev/null"
}

# net_begin PLACE COMMAND: in the background. Sets NET_JOB for net_end.
net_begin()
{
	local -; set +x
	if [[ $1 == dom0 ]]; then
		NET_JOB=${EPOCHREALTIME//[.,]/}
		{
			bash -c "$2" </dev/null >"/run/lab/net-$NET_JOB.out" 2>&1
			echo $? >"/run/lab/net-$NET_JOB.end"
		} &
	else
		NET_JOB=$(guest_start "$1" "$2")
	fi
}

# net_end PLACE JOB SECONDS: waits for its end, prints what it printed and returns its status.
net_end()
{
	local -; set +x
	local status

	if [[ $1 == dom0 ]]; then
		holds_within "$3" "[[ -s /run/lab/net-$2.end ]]" || fail "a command in Dom0 did not end within $3 s"
		read -r status <"/run/lab/net-$2.end"
		cat "/run/lab/net-$2.out"
		return "$status"
	fi
	guest_wait --timeout "$3" "$1" "$2"
}

# net_iperf FROM TO ADDRESS SECONDS [OPTION...]: iperf3 from one place to another, which has this address; with -R the other way, with
# -u by UDP. Prints the Mbit/s that came. Fails if nothing did; how many datagrams are lost, an emulated and busy machine decides.
net_iperf()
{
	local -; set +x
	local from=$1 to=$2 address=$3 seconds=$4 json NET_JOB log=/var/log/lab/iperf3-$1-$2.log

	shift 4
	net_begin "$to" "iperf3 -s -1"
	net_listens "$to" 5201
	json=$(net_run "$from" --timeout $((seconds + 40)) "iperf3 -J -c $address -t $seconds --connect-timeout 10000 $*") ||
		fail "iperf3 from $from to $address $*: $(jq -r .error <<<"$json" 2>/dev/null || tail -n 1 <<<"$json")"
	echo "$json" >>"$log"
	net_end "$to" "$NET_JOB" 30 >>"$log" || fail "iperf3's server in $to: $(tail -n 1 "$log")"
	[[ $(jq '(.end.sum_received // .end.sum).bytes > 0' <<<"$json") == true ]] ||
		fail "iperf3 from $from to $address $*: nothing came"
	jq '(.end.sum_received // .end.sum).bits_per_second / 1e5 | floor / 10' <<<"$json"
}

# net_transfer FROM TO ADDRESS MIB: copies a file of so many MiB by TCP to the place with this address and compares checksums.
net_transfer()
{
	local -; set +x
	local from=$1 to=$2 address=$3 sum NET_JOB came

	net_begin "$to" "busybox nc -l -p 5001 | sha256sum"
	sum=$(net_run "$from" --timeout 90 "f=/tmp/net-transfer; head -c ${4}M /dev/urandom >\$f && $(net_connect "$address" 5001) &&
		cat \$f >&9 && exec 9>&- && sha256sum <\$f; s=\$?; rm -f \$f; exit \$s") ||
		fail "no file can be sent from $from to $address: $sum"
	came=$(net_end "$to" "$NET_JOB" 60) || fail "no file came from $from to $to: $came"
	expect_equal "the checksum of the file that came from $from to $to" "$sum" "$came"
}

# net_swap MIB A B A_ADDRESS,B_ADDRESS...: copies a file of so many MiB from A to B and one from B to A by each pair of addresses, all at
# the same time, and compares checksums. It takes one command in each of the places.
net_swap()
{
	local -; set +x
	local mib=$1 places=("$2" "$3") pairs=("${@:4}") towards=() job=() sum=() i pair NET_JOB text

	for pair in "${pairs[@]}"; do
		towards[0]+=" ${pair#*,}" towards[1]+=" ${pair%,*}"
	done
	for i in 0 1; do
		net_begin "${places[i]}" "file=/tmp/net-swap port=5010
			head -c ${mib}M /dev/urandom >\$file
			for address in${towards[i]}; do
				((port += 1))
				timeout 100 busybox nc -l -p \$port | sha256sum >\$file.\$port &
			done
			port=5010
			for address in${towards[i]}; do
				((port += 1))
				{
					$(net_connect "\$address" "\$port")
					cat \$file >&9 || echo nothing can be sent to \$address
				} &
			done
			sha256sum <\$file
			wait
			cat \$file.*
			rm \$file \$file.*"
		job[i]=$NET_JOB
	done
	for i in 0 1; do
		text=$(net_end "${places[i]}" "${job[i]}" 110) || fail "no files between ${places[*]}: ${places[i]}: $text"
		sum[i]=$text
	done
	for i in 0 1; do
		text=${sum[1 - i]%%$'\n'*}
		for pair in "${pairs[@]}"; do
			text+=$'\n'${sum[i]%%$'\n'*}
		done
		expect_equal "checksums of what ${places[1 - i]} has sent, and has got from ${places[i]}" "$text" "${sum[1 - i]}"
	done
}

# net_exchange FROM TO ADDRESS: pings of all sizes, and a file.
net_exchange()
{
	net_ping "$1" "$3" 1 56 1000 1472 1473 4096 16384 32768 $NET_PING_MAX
	net_transfer "$1" "$2" "$3" 4
}

# net_converse FROM TO ADDRESS: all of that from one place to the other and back. Prints a line of JSON with what was measured.
net_converse()
{
	local -; set +x
	local from=$1 to=$2 address=$3 there back udp_there udp_back

	net_exchange "$from" "$to" "$address"
	there=$(net_iperf "$from" "$to" "$address" 1)
	back=$(net_iperf "$from" "$to" "$address" 1 -R)
	udp_there=$(net_iperf "$from" "$to" "$address" 1 -u -b 2M -l 1400)
	udp_back=$(net_iperf "$from" "$to" "$address" 1 -u -b 2M -l 1400 -R)
	note "$from to $to: TCP $there Mbit/s and $back back, UDP $udp_there and $udp_back"
	printf '{"from": "%s", "to": "%s", "tcp": %s, "tcp_back": %s, "udp": %s, "udp_back": %s}\n' "$from" "$to" "$there" "$back" \
		"$udp_there" "$udp_back"
}

# ---- a stream that goes on ----

NET_STREAM_BYTES=50003 # an odd number
declare -A NET_STREAM  # by its port: where from, where to, the jobs there

# net_stream_begin PORT FROM TO ADDRESS: sends the same random bytes by TCP to this address again and again, until net_stream_end. What
# comes is not kept: a guest has little room, and how long a stream goes on nobody knows.
net_stream_begin()
{
	local -; set +x
	local port=$1 from=$2 to=$3 address=$4 NET_JOB receiver

	net_begin "$to" "echo \$BASHPID >/run/net-stream-$port.reader; exec sha256sum < <(busybox nc -l -p $port)"
	receiver=$NET_JOB
	net_listens "$to" "$port"
	net_begin "$from" "file=/run/net-stream-$port all=()
		rm -f \$file.stop && head -c $NET_STREAM_BYTES /dev/urandom >\$file && exec 8<> <(:) 9>/dev/tcp/$address/$port || exit 1
		until [[ -e \$file.stop ]]; do
			cat \$file >&9 || exit 1
			all+=(\$file)
			read -rt 0.1 -u 8
		done
		exec 9>&-
		echo \$((\${#all[@]} * $NET_STREAM_BYTES)) >\$file.sent
		cat \${all[@]} | sha256sum"
	NET_STREAM[$port]="$from $to $NET_JOB $receiver"
}

# net_stream_came PORT: prints how many bytes have come, as far as they were read.
net_stream_came()
{
	local -; set +x
	local to

	read -r _ to _ <<<"${NET_STREAM[$1]}"
	net_run "$to" "sed -n 's/^rchar: //p' /proc/\$(</run/net-stream-$1.reader)/io"
}

# net_stream_goes_on PORT SECONDS: waits until more has come than now; fails if nothing does in time.
net_stream_goes_on()
{
	local -; set +x
	local before

	before=$(net_stream_came "$1")
	holds_within "$2" "[[ \$(net_stream_came $1) -gt $((before + 2 * NET_STREAM_BYTES)) ]]" ||
		fail "within $2 s the stream by port $1 does not go on"
}

declare -A NET_FLOOD # by its port: where from, the job there

# net_flood_begin PORT PLACE ADDRESS PACKETS: sends so many datagrams at a time to this address, again and again until net_flood_end. It
# minds neither loss nor that the way there goes away.
net_flood_begin()
{
	local -; set +x
	local NET_JOB

	net_begin "$2" "rm -f /run/net-flood-$1.stop; exec 8<> <(:)
		until [[ -e /run/net-flood-$1.stop ]]; do
			dd if=/dev/zero bs=1400 count=$4 status=none >/dev/udp/$3/$1
			read -rt 0.05 -u 8
		done 2>/dev/null; true"
	NET_FLOOD[$1]="$2 $NET_JOB"
}

# net_flood_end PORT
net_flood_end()
{
	local -; set +x
	local place job

	read -r place job <<<"${NET_FLOOD[$1]}"
	net_run "$place" "touch /run/net-flood-$1.stop"
	net_end "$place" "$job" 30 >/dev/null || fail "the flood by port $1 from $place went wrong"
}

# net_stream_end PORT: the end. What came is what was sent. Prints how many bytes.
net_stream_end()
{
	local -; set +x
	local from to sender receiver sent came

	read -r from to sender receiver <<<"${NET_STREAM[$1]}"
	net_run "$from" "touch /run/net-stream-$1.stop"
	sent=$(net_end "$from" "$sender" 60) || fail "the stream by port $1 from $from was broken: $sent"
	came=$(net_end "$to" "$receiver" 60) || fail "the stream by port $1 did not come to $to: $came"
	expect_equal "checksum of what came by port $1 from $from to $to" "$sent" "$came"
	net_run "$from" "cat /run/net-stream-$1.sent"
}
