# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The same guests and load with cards by xvhost and by xen-netback, in turn. Run by tests/bench/net.
#
# lab: timeout=5000 stall=600
# lab: guest=pvh type=pvh memory=256M
# lab: guest=other type=pvh memory=256M

# What is to be done: BENCH_WAYS, BENCH_PAIRS, BENCH_HOST_JOBS, BENCH_GUEST_JOBS, BENCH_CALL_JOBS, BENCH_MODULE.
. /lab/bench-net.settings
LOG=/var/log/lab
TOOLS=/usr/libexec/xvhost/tests
# As in bench-disk: guests read the time by themselves.
GUEST_CONFIG='tsc_mode="native"'
# Each way is a network: 10.0.NUMBER.0, where Dom0 is 1, unless it is a switch of xvhost's, and the guests are 2 and 3. xen-netback
# comes last, since xvhost takes no cards after it.
declare -A NUMBER=([tap]=1 [switch]=2 [netback]=3)
declare -A HOST_NUMBER=([pvh]=2 [other]=3)

# card NAME WAY DEVID: gives the guest a card of this way.
card()
{
	local name=$1 way=$2 number=${NUMBER[$2]} mac

	printf -v mac '00:16:3e:00:%02x:%02x' "$number" "${HOST_NUMBER[$name]}"
	if [[ $way == netback ]]; then
		net_attach_netback "$name" "$3" "$(net_vif netback "x$way" "$mac")"
	else
		net_attach "$name" "$(net_vif xvhost "x$way" "$mac")"
	fi
	net_up "$name" "10.0.$number.${HOST_NUMBER[$name]}/24" "$mac"
}

# Workers, whose processor time and calls are told apart from the rest of Dom0's.
workers()
{
	pgrep -f "^[^ ]*xvhost-worker .*--domid[= ]($(guest_domid pvh)|$(guest_domid other))( |$)" || true
}

# measure FILE PAIR WAY/PEER/JOB...: carries the jobs out one after the other. Adds a line of JSON for each to the file: what net-load
# says and what host-meter says of it.
measure()
{
	local -; set +x
	local file=$1 pair=$2 meter load cost word fields jobs=()

	shift 2
	for word; do
		IFS=/ read -ra fields <<<"$word"
		jobs+=("10.0.${NUMBER[${fields[0]}]}.$([[ ${fields[1]} == host ]] && echo 1 || echo 3)/${fields[2]}")
	done
	# shellcheck disable=SC2046 # a list of numbers
	"$TOOLS/host-meter" "$(guest_domid pvh),$(guest_domid other)" $# $(workers) >/run/lab/costs &
	meter=$!
	guest_run pvh --timeout 600 "net-load data ${jobs[*]}" >/run/lab/loads || fail "net-load: $(</run/lab/loads)"
	wait "$meter" || fail "host-meter failed"
	for word; do
		if ! read -r load <&3 || ! read -r cost <&4; then
			fail "a job has left no figures"
		fi
		IFS=/ read -ra fields <<<"$word"
		printf '{"pair": %s, "way": "%s", "peer": "%s", "job": "%s", "load": %s, "cost": %s}\n' "$pair" "${fields[@]}" "$load" "$cost" \
			>>"$file"
	done 3</run/lab/loads 4</run/lab/costs
}

# in_turn PAIR: each job by each way that has this peer; each pair begins with another way.
in_turn()
{
	local pair=$1 first=$(($1 % ${#BENCH_WAYS[@]})) job way list=()

	for job in "${BENCH_HOST_JOBS[@]/#/host/}" "${BENCH_GUEST_JOBS[@]/#/guest/}"; do
		for way in "${BENCH_WAYS[@]:first}" "${BENCH_WAYS[@]:0:first}"; do
			[[ $way == switch && $job == host/* ]] || list+=("$way/$job")
		done
	done
	measure $LOG/net.jsonl "$pair" "${list[@]}"
}

# count_calls WAY: system calls of xvhost's workers.
count_calls()
{
	local job list=()

	for job in "${BENCH_CALL_JOBS[@]}"; do
		list+=("$1/$([[ $1 == switch ]] && echo guest || echo host)/$job")
	done
	# Once without counting: pages that the guests have not used yet are mapped then.
	measure /dev/null 0 "${list[@]}"
	ways_count_calls on
	measure $LOG/calls.jsonl 0 "${list[@]}"
	ways_count_calls off
}

step "networks"
# Nothing else is to be on them.
sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
for way in "${BENCH_WAYS[@]}"; do
	[[ $way == switch ]] || net_bridge "x$way" "10.0.${NUMBER[$way]}.1/24"
done
if [[ ${BENCH_WAYS[*]} != netback ]]; then
	net_config '[network xtap]' 'target = tap:bridge=xtap' '[network xswitch]' 'target = switch'
	[[ $BENCH_MODULE == no ]] || remap_load
	xvhostd_start
fi

step "guests"
guest_launch pvh
guest_launch other
guest_wait_up pvh
guest_wait_up other
for name in pvh other; do
	guest_run $name 'echo 1 | tee /proc/sys/net/ipv6/conf/{all,default}/disable_ipv6 >/dev/null'
done
devid=0
for way in tap switch netback; do
	[[ " ${BENCH_WAYS[*]} " == *" $way "* ]] || continue
	step "cards by $way"
	[[ $way != netback ]] || net_netback_beside
	card pvh $way $devid
	card other $way $devid
	devid=$((devid + 1))
done
"$TOOLS/net-load" serve 2>$LOG/net-load-dom0.log &
server=$!
guest_start other 'net-load serve' >/dev/null
net_listens other 5300

if [[ ${#BENCH_CALL_JOBS[@]} -gt 0 ]]; then
	for way in "${BENCH_WAYS[@]}"; do
		[[ $way != netback ]] || continue
		step "calls of $way"
		count_calls "$way"
	done
fi
for ((pair = 1; pair <= BENCH_PAIRS; pair++)); do
	step "pair $pair of $BENCH_PAIRS"
	in_turn "$pair"
done
step "end"
kill "$server"
guest_destroy pvh
guest_destroy other
[[ " ${BENCH_WAYS[*]} " != *' netback '* ]] || net_netback_end
printf '{"kernel": "%s", "xen": "%s.%s%s"}\n' "$(uname -r)" "$(</sys/hypervisor/version/major)" \
	"$(</sys/hypervisor/version/minor)" "$(</sys/hypervisor/version/extra)" >$LOG/versions.json
pass
