# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What mapping and unmapping a guest's pages costs in Dom0, in instructions and hypercalls: page by page, and in dumps and
# migrations of a whole guest. Run by tests/bench/map.
#
# lab: timeout=3000 icount=yes stall=600
# lab: guest=pv type=pv memory=128M
# lab: guest=pvh type=pvh memory=128M
# lab: guest=mover type=pvh memory=256M

ROUNDS=3
MOVES=2
DUMP=/usr/libexec/xvhost/tests/guest-dump
TIMEFORMAT='%S %U %R'

# timed WHAT WAY ROUND COMMAND...: what the command and its children cost, by seconds, which are 10^9 instructions.
timed()
{
	local what=$1 way=$2 round=$3 system user elapsed

	shift 3
	[[ $way == stock ]] || set -- xvhost-accel "$@"
	{ time "$@" >"/var/log/lab/$what.log" 2>&1; } 2>/var/log/lab/times || {
		tail -n 20 "/var/log/lab/$what.log"
		fail "$* failed"
	}
	read -r system user elapsed </var/log/lab/times
	printf '{"what": "%s", "way": "%s", "round": %d, "system_s": %s, "user_s": %s, "elapsed_s": %s}\n' \
		"$what" "$way" "$round" "$system" "$user" "$elapsed" | tee -a /var/log/lab/moves.jsonl
}

# in_turn WHAT COMMAND...: each round both ways, and each begins with the other one of the two.
in_turn()
{
	local what=$1 round way

	shift
	for ((round = 1; round <= MOVES; round++)); do
		for way in $([[ $((round % 2)) == 1 ]] && echo stock accel || echo accel stock); do
			timed "$what" "$way" "$round" "$@"
		done
	done
}

step "a PV and a PVH guest with a disk whose grants stay"
# While hypercalls are counted no other process is to run: one with a fixed priority may have the whole processor.
echo -1 >/proc/sys/kernel/sched_rt_runtime_us
remap_load
xvhostd_start
guest_launch pv "$(xvhost_disk xvda rw memory=grant,null:size=1G)"
guest_launch pvh "$(xvhost_disk xvda rw memory=grant,null:size=1G)"
guest_wait_up pv
guest_wait_up pvh
for guest in pv pvh; do
	guest_run "$guest" --timeout 200 'fio --name=grants --filename=/dev/xvda --direct=1 --ioengine=libaio --rw=read \
		--bs=64k --iodepth=32 --io_size=16m --output-format=terse' >/dev/null
	frames=$(remap_frames "$guest")
	xl pause "$guest"
	step "mapping pages of the ${guest^^} guest"
	"$REMAP_TESTS/map-pages" "$(guest_domid "$guest")" "$frames" $ROUNDS >"/var/log/lab/map-$guest.jsonl"
	"$REMAP_TESTS/map-grants" "$(guest_domid "$guest")" $ROUNDS >>"/var/log/lab/map-$guest.jsonl"
done
printf '{"kernel": "%s", "xen": "%s.%s%s"}\n' "$(uname -r)" "$(</sys/hypervisor/version/major)" \
	"$(</sys/hypervisor/version/minor)" "$(</sys/hypervisor/version/extra)" >/var/log/lab/versions.json

step "dumps of a guest's memory"
in_turn dump "$DUMP" "$(guest_domid pvh)" /srv/dump
rm /srv/dump
guest_destroy pv
guest_destroy pvh

step "an idle guest migrates to this host"
guest_create mover
in_turn migration_idle xl migrate -s '' mover "xl migrate-receive"

step "... and one that keeps writing to its memory"
guest_run mover 'mkdir -p /busy && mount -t tmpfs tmpfs /busy && touch /busy/go &&
	(while [[ -e /busy/go ]]; do dd if=/dev/zero of=/busy/data bs=1M count=64 conv=notrunc; done >/dev/null 2>&1 &)'
in_turn migration_busy xl migrate -s '' mover "xl migrate-receive"
guest_run mover 'rm /busy/go'
guest_destroy mover
pass
