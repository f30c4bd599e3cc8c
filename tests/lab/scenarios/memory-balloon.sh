# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Guests give memory away and get other memory back, many times, while their disks are under load: no byte is wrong, the
# disks go on, and what they gave away is free. In the end they are destroyed while all of their memory is in use by their disks.
#
# lab: timeout=800
# lab: guest=pv type=pv
# lab: guest=pvh type=pvh

ROUNDS=3
IDLE_S=2
READ_MIB=16
ALL_MIB=80
LITTLE_MIB=244

step "start xvhostd and the guests"
truncate -s 12M /srv/pv.img /srv/pvh.img
head -c ${ALL_MIB}M /dev/urandom >/srv/read.img
sum=$(head -c ${READ_MIB}M /srv/read.img | cksum)
sum_all=$(cksum </srv/read.img)
memory_config "idle_s = $IDLE_S" 'access = foreign'
xvhostd_start
for name in pv pvh; do
	guest_launch $name "$(xvhost_disk xvda rw file:path=/srv/$name.img)" \
		"$(xvhost_disk xvdb ro file:path=/srv/read.img)"
done
for name in pv pvh; do
	guest_wait_up $name
	memory_load $name load_fio 50
	memory_load $name load_reads $READ_MIB "${sum%% *}"
	memory_load $name load_watch
done
nap 5

# balloon MIB: sets the memory of both guests, whose disks go on.
balloon()
{
	local name
	local -A had=()

	for name in pv pvh; do
		had[$name]=${MEMORY_REQUESTS[$name]:-0}
	done
	memory_set "$1" pv pvh
	for name in pv pvh; do
		[[ ${MEMORY_REQUESTS[$name]} -gt ${had[$name]} ]] ||
			fail "no request of $name was done while it ballooned to $1 MiB"
	done
}

for ((round = 1; round <= ROUNDS; round++)); do
	step "round $round of $ROUNDS: down to $LITTLE_MIB MiB and up again"
	balloon $LITTLE_MIB
	balloon 256
done

step "the loads have read what they should"
for name in pv pvh; do
	memory_load_end $name
	note "$name: ${MEMORY_SAID[0]}, ${MEMORY_SAID[1]}"
	read -d '' -ra rates <<<"${MEMORY_SAID[2]}" || true
	note "$name: requests per second before ballooning: ${rates[0]} (for ${rates[1]} s)," \
		"during: ${rates[2]} (${rates[3]} s), between and after: ${rates[4]} (${rates[5]} s)"
	expect_equal "checksum of $name's disk" "$(cksum <"/srv/$name.img")" \
		"$(guest_run $name 'dd if=/dev/xvda bs=1M iflag=direct status=none | cksum')"
done

memory_expect_way pv 51712 'cached frames .*'
memory_expect_way pvh 51712 'cached frames, .*'

step "what the guests give away is free"
for name in pv pvh; do
	before=$(xen_free_memory)
	memory_set $LITTLE_MIB $name
	# Two for what memory_set allows, and two for rounding.
	wait_until $((IDLE_S + 8)) "[[ \$(xen_free_memory) -ge $((before + 256 - LITTLE_MIB - 4)) ]]"
	memory_set 256 $name
done

step "destroy them while their disks use all memory that they have"
for name in pv pvh; do
	memory_load $name load_fio 50
	memory_load $name load_reads $ALL_MIB "${sum_all%% *}"
done
nap 6
domid=$(guest_domid pvh)
for name in pv pvh; do
	guest_destroy $name
	memory_load_forget $name
done

step "nothing is left"
xvhostd_stop
said=$(sed -n "s/.*guest $domid: memory: //p" "$XVHOSTD_LOG")
note "pvh: $said"
[[ $said =~ \ [1-9][0-9]*\ times\ invalidated ]] || fail "the PVH guest's memory was never invalidated"
expect_clean
pass
