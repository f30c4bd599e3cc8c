# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Whether anything is left behind once all is stopped, compared with what was there before the scenario began.

# How much less free memory than before is no leak (MiB).
CLEAN_MEMORY_SLACK=${CLEAN_MEMORY_SLACK:-4}

xen_free_memory()
{
	xl info | awk '$1 == "free_memory" { print $3 }'
}

dom0_event_channels()
{
	lsevtchn 0 | grep -c . || true
}

# Processes with a Xen device open or mapped: "PID COMMAND" each.
xen_device_users()
{
	local pid name

	{
		find /proc/[0-9]*/fd -lname '/dev/xen/*' -o -lname '/proc/xen/*' 2>/dev/null || true
		grep -lsE ' /(dev|proc)/xen/' /proc/[0-9]*/maps || true
	} | cut -d / -f 3 | sort -u | while read -r pid; do
		read -r name <"/proc/$pid/comm" && echo "$pid $name"
	done 2>/dev/null || true
}

# What there is before the first scenario begins, as assignments for clean_leftovers.
clean_baseline()
{
	printf 'CLEAN_MEMORY=%q\nCLEAN_CHANNELS=%q\nCLEAN_USERS=%q\n' \
		"$(xen_free_memory)" "$(dom0_event_channels)" "$(xen_device_users)"
}

# What is left, a line each; nothing if all is clean.
clean_leftovers()
{
	local now path CLEAN_MEMORY CLEAN_CHANNELS CLEAN_USERS

	. /run/lab/baseline
	pgrep -l '^xvhost' | sed 's/^/process /' || true
	for path in vbd vif; do
		xenstore-ls "/local/domain/0/backend/$path" 2>/dev/null | grep -q . &&
			echo "xenstore nodes in /local/domain/0/backend/$path"
	done
	xl list | awk 'NR > 1 && $1 != "Domain-0" { print "domain " $1 " in state " $5 }'
	comm -13 <(sort <<<"$CLEAN_USERS") <(xen_device_users | sort) | sed 's/^/user of a Xen device: process /'
	now=$(dom0_event_channels)
	[[ $now -eq $CLEAN_CHANNELS ]] || echo "Dom0 has $now event channels, at first $CLEAN_CHANNELS"
	now=$(xen_free_memory)
	[[ $((now + CLEAN_MEMORY_SLACK)) -ge $CLEAN_MEMORY ]] ||
		echo "Xen has $now MiB of free memory, at first $CLEAN_MEMORY"
	return 0
}

# expect_clean: fails if something is still left after some seconds.
expect_clean()
{
	local -; set +x
	# shellcheck disable=SC2016 # evaluated there
	if ! holds_within "${CLEAN_SECONDS:-15}" '[[ -z $(clean_leftovers) ]]'; then
		lsevtchn 0 >/var/log/lab/leftover-evtchn.log 2>&1 || true
		fail "left behind: $(clean_leftovers | paste -sd ';' | sed 's/;/; /g')"
	fi
}
