# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The same guest, images and load with xvhost, xen-blkback and QEMU, in turn. Run by tests/bench/disk.
#
# lab: timeout=7000 stall=600 packages=qemu
# lab: guest=pvh type=pvh memory=256M
# lab: guest=pv type=pv memory=256M

# What is to be done: BENCH_GUESTS, BENCH_DISKS, BENCH_PAIRS, BENCH_WAYS, BENCH_JOBS, BENCH_CALL_JOBS, BENCH_CALL_PAIRS, BENCH_MODULE.
. /lab/bench-disk.settings
WAYS_RESULT=/var/log/lab/disk.jsonl
# Guests read the time by themselves, as they do on processors whose TSC can be relied on. The lab's processor does not say so of its
# own, so that Xen would emulate each rdtsc: five for each request, three quarters of what the request costs the guest.
GUEST_CONFIG='tsc_mode="native"'

# in_turn NAME PAIR: each job by each way; each pair begins with another way.
in_turn()
{
	local name=$1 pair=$2 job way first=$(($2 % ${#BENCH_WAYS[@]})) list=()

	for job in "${BENCH_JOBS[@]}"; do
		for way in "${BENCH_WAYS[@]:first}" "${BENCH_WAYS[@]:0:first}"; do
			list+=("$way:$job")
		done
	done
	ways_load "$name" "$pair" "${list[@]}"
}

# count_calls NAME PAIR JOB: what xvhost says that it did for it, and what the kernel says.
count_calls()
{
	local name=$1 pair=$2 job=$3 since counters

	since=$(wc -l <"$XVHOSTD_LOG")
	xl_attach_disk "$name" "$(ways_entry xvhost xvda /srv/0.img)"
	ways_wait "$name" xvda
	ways_count_calls on
	WAYS_RESULT=/var/log/lab/calls.jsonl ways_load "$name" "$pair" "xvhost:$job"
	ways_count_calls off
	xl_detach "$name" xvda
	counters=$(ways_counters "$(guest_domid "$name")" "$since" | tr -d '\n')
	printf '{"guest": "%s", "pair": %s, "job": "%s", "counters": {%s}}\n' "$name" "$pair" "$job" "$counters" >>/var/log/lab/counters.jsonl
}

[[ $BENCH_MODULE == no ]] || remap_load
ways_images 64 "$BENCH_DISKS"
xvhostd_start
for guest in "${BENCH_GUESTS[@]}"; do
	step "the ${guest^^} guest"
	guest_create "$guest" "$WAYS_QEMU"
	for job in "${BENCH_CALL_JOBS[@]}"; do
		step "${guest^^} guest, calls of $job"
		for ((pair = 1; pair <= BENCH_CALL_PAIRS; pair++)); do
			count_calls "$guest" "$pair" "$job"
		done
	done
	step "${guest^^} guest, disks"
	ways_attach "$guest" "$BENCH_DISKS"
	for ((pair = 1; pair <= BENCH_PAIRS; pair++)); do
		step "${guest^^} guest, pair $pair of $BENCH_PAIRS"
		in_turn "$guest" "$pair"
	done
	step "${guest^^} guest, end"
	ways_detach "$guest" "$BENCH_DISKS"
	guest_destroy "$guest"
done
printf '{"kernel": "%s", "xen": "%s.%s%s"}\n' "$(uname -r)" "$(</sys/hypervisor/version/major)" \
	"$(</sys/hypervisor/version/minor)" "$(</sys/hypervisor/version/extra)" >/var/log/lab/versions.json
pass
