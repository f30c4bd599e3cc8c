# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Watching a run: follows the serial log, shows what Dom0 says it does, and ends the machine at its last line, at a
# panic, when nothing was heard for too long, or at the time limit, whichever comes first.

# What Xen or Dom0's kernel says when it is lost. Lines that begin with "| " are what a scenario printed.
PANIC='^[^|]*(Kernel panic - not syncing|Panic on CPU|FATAL TRAP|FATAL PAGE FAULT|Xen BUG at|Domain 0 crashed'
PANIC+='|Hardware Dom0 (crashed|shutdown|halted)|Reboot in five seconds|Attempted to kill init)'

# One line of progress with the seconds since the run began.
show()
{
	local cpu=''

	if [[ $VERBOSE == yes ]]; then
		# What it cost so far, which does not depend on how busy this machine is.
		cpu=$(awk -v hz="$(getconf CLK_TCK)" '{ printf "[%.1f s of CPU]", ($14 + $15) / hz }' "/proc/$QEMU_PID/stat" \
			2>/dev/null)
	fi
	printf '  %6ss%s  %s\n' "$(elapsed "$RUN_BEGAN")" "$cpu" "$*"
}

# watch_run RUN PID: sets VERDICT to passed or failed, and REASON.
watch_run()
{
	local run=$1 qemu=$2 line text part='' tail_pid serial left end heard panicked=''

	VERDICT=failed REASON='' STEP='before the first step'
	end=$((SECONDS + SETTING[timeout]))
	heard=$SECONDS
	exec {serial}< <(exec tail -n +1 -F --pid="$qemu" -s 0.2 "$run/serial.log" 2>/dev/null)
	tail_pid=$!
	while :; do
		line=''
		if IFS= read -rt 1 -u "$serial" text; then
			line=$part$text
			part=''
			line=${line%$'\r'}
			heard=$SECONDS
			[[ $VERBOSE == no ]] || printf '          %s\n' "$line"
		elif [[ $? -gt 128 ]]; then
			# The time was up in the middle of a line.
			part+=$text
		else
			# The end of the log: QEMU has ended.
			REASON=${REASON:-the machine ended by itself}
			break
		fi
		case $line in
		*'@lab boot'*) show "Dom0 is up" ;;
		*'@lab step '*) STEP=${line##*@lab step } && show "$STEP" ;;
		*'@lab note '*) show "  ${line##*@lab note }" ;;
		*'@lab fail '*)
			text=${line##*@lab fail }
			REASON=${REASON:-$text}
			show "${RED}failed: $text$PLAIN"
			;;
		*'@lab result passed'*) VERDICT=passed ;;
		*'@lab end'*) break ;;
		esac
		if [[ -z $panicked && $line =~ $PANIC ]]; then
			panicked="panic: $line"
			VERDICT=failed REASON=$panicked
			show "$RED$panicked$PLAIN"
			# A little longer, for the rest of its message.
			left=$((SECONDS + 2))
			[[ $left -ge $end ]] || end=$left
		fi
		if [[ $SECONDS -ge $end ]]; then
			REASON=${REASON:-the time limit of ${SETTING[timeout]} s}
			break
		fi
		if [[ ${SETTING[icount]} == no && $((SECONDS - heard)) -ge ${SETTING[stall]} ]]; then
			REASON=${REASON:-nothing heard from Dom0 for ${SETTING[stall]} s}
			break
		fi
	done
	kill "$tail_pid" 2>/dev/null
	exec {serial}<&-
	[[ -z $panicked ]] || VERDICT=failed
	[[ $VERDICT == passed || -n $REASON ]] || REASON="the scenario ended without pass"
}

# Ends the QEMU of this run, and no other.
end_machine()
{
	local pid=$1 i

	kill "$pid" 2>/dev/null
	for ((i = 0; i < 20; i++)); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
}
