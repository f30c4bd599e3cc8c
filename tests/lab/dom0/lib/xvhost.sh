# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The daemon under test.

XVHOSTD_LOG=/var/log/xvhost/xvhostd.log

# xvhostd_start [ARGUMENT...]: starts it in the background, its output going to the log.
xvhostd_start()
{
	local -; set +x
	mkdir -p "${XVHOSTD_LOG%/*}"
	command -v xvhostd >/dev/null || fail "xvhostd is not in this Dom0: give the driver --install DIR"
	xvhostd "$@" </dev/null >>"$XVHOSTD_LOG" 2>&1 &
	echo $! >/run/lab/xvhostd.pid
	# One that cannot start says so at once.
	nap "${XVHOSTD_START_SECONDS:-0.5}"
	xvhostd_runs || fail "xvhostd ended at once: $(tail -n 1 "$XVHOSTD_LOG")"
}

xvhostd_pid()
{
	cat /run/lab/xvhostd.pid
}

# Whether the process runs; one that has ended but was not waited for does not.
xvhostd_runs()
{
	local state

	state=$(awk '/^State:/ { print $2 }' "/proc/$(xvhostd_pid)/status" 2>/dev/null) && [[ -n $state && $state != Z ]]
}

# xvhostd_stop: ends it by SIGTERM, waits for its end and wants exit status 0.
xvhostd_stop()
{
	local -; set +x
	local status=0

	kill -TERM "$(xvhostd_pid)" || fail "xvhostd does not run any more: $(tail -n 1 "$XVHOSTD_LOG")"
	holds_within "${XVHOSTD_STOP_SECONDS:-30}" '! xvhostd_runs' ||
		fail "xvhostd did not end within ${XVHOSTD_STOP_SECONDS:-30} s of SIGTERM"
	wait "$(xvhostd_pid)" || status=$?
	[[ $status -eq 0 ]] || fail "xvhostd ended with status $status: $(tail -n 1 "$XVHOSTD_LOG")"
}
