# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What a run leaves: the logs out of Dom0, and on failure the lines that matter.

# Unpacks the tar on the results disk; there is none if Dom0 died.
unpack_results()
{
	local run=$1

	if [[ $(head -c 512 "$run/results.img" | tr -d '\0' | wc -c) -gt 0 ]]; then
		tar -x -C "$run" -f "$run/results.img" --no-same-owner 2>"$run/unpack.log" || echo "the results are damaged"
	fi
	rm -f "$run/results.img"
	[[ -s $run/unpack.log ]] || rm -f "$run/unpack.log"
}

# The last lines of a log, if there are any.
excerpt()
{
	local title=$1 file=$2 count=$3

	[[ -s $file ]] || return 0
	printf '%s--- %s%s\n' "$BOLD" "$title" "$PLAIN"
	tail -n "$count" "$file" | tr -d '\r' | cut -c 1-200
}

# What went wrong, and what the logs said last.
report_failure()
{
	local run=$1 file

	printf '%sFAILED%s in step: %s\n' "$RED" "$PLAIN" "$STEP"
	printf '       %s\n' "$REASON"
	excerpt "scenario's output" "$run/scenario.log" 12
	# Without what every function of the library begins with.
	grep -avE ': (local -|set \+x|at_error|local status=.*)$' "$run/trace.log" >"$run/excerpt" 2>/dev/null
	excerpt "scenario's trace" "$run/excerpt" 6
	excerpt "xvhostd" "$run/xvhost/xvhostd.log" 15
	for file in "$run"/xl-*.log; do
		[[ $file == */xl-dmesg.log || $file == */xl-list.log ]] && continue
		grep -aiE 'error|fail' "$file" 2>/dev/null | grep -v 'loader probe failed' >"$run/excerpt" && excerpt "xl (${file##*/})" "$run/excerpt" 6
	done
	for file in "$run"/xen/guest-*.log; do
		grep -aE 'Kernel panic|BUG:|Oops|I/O error' "$file" >"$run/excerpt" 2>/dev/null
		excerpt "alarms on the console of ${file##*/guest-}" "$run/excerpt" 5
		grep -avE '^@lab [0-9]' "$file" >"$run/excerpt" 2>/dev/null
		excerpt "console of ${file##*/guest-}" "$run/excerpt" 12
	done
	rm -f "$run/excerpt"
	excerpt "Dom0's kernel" "$run/dom0-dmesg.log" 6
	excerpt "serial console (Xen and Dom0)" "$run/serial.log" 15
	printf '%s--- all logs: %s%s\n' "$BOLD" "$run" "$PLAIN"
}

# Keeps the newest run folders.
prune_runs()
{
	local keep=${LAB_KEEP_RUNS:-30}

	find "$CACHE/runs" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %p\0' | sort -z -rn |
		tail -z -n "+$((keep + 1))" | cut -z -d ' ' -f 2- | xargs -0 -r rm -rf
}
