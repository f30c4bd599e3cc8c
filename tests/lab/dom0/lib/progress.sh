# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Steps, verdicts and waiting.

# A process-free sleep: reading from a pipe that nobody writes to.
exec {LAB_NAP}<> <(:)
nap()
{
	read -rt "$1" -u "$LAB_NAP" || true
}

# step TEXT: what the scenario does from here on. The driver shows it, and a failure names it.
step()
{
	local -; set +x
	LAB_STEPS=$((${LAB_STEPS:-0} + 1))
	echo "$*" >/run/lab/step
	echo "step $LAB_STEPS: $*" >&2
	echo "@lab step $*" >/dev/hvc0
}

# note TEXT: a line for the reader of the progress, such as a measured value.
note()
{
	local -; set +x
	echo "note: $*" >&2
	echo "@lab note $*" >/dev/hvc0
}

# The first failure is the one to tell.
record_failure()
{
	echo "FAILED: $*" >&2
	if (set -o noclobber && echo "$*" >/run/lab/failure) 2>/dev/null; then
		echo "@lab fail $* (in step: $(cat /run/lab/step 2>/dev/null || echo none))" >/dev/hvc0
	fi
}

# fail TEXT: ends the scenario as failed.
fail()
{
	local -; set +x
	record_failure "$*"
	# In a subshell, such as $(guest_run ...), the exit alone would end only that.
	[[ $BASHPID == "$$" ]] || kill -TERM "$$"
	exit 1
}

# pass: the scenario did all that it wanted. Without this call it has failed.
pass()
{
	local -; set +x
	[[ ! -e /run/lab/failure ]] || exit 1
	echo passed >/run/lab/result
}

# holds_within SECONDS CONDITION: evaluates the condition until it holds; returns 1 if it does not in time.
holds_within()
{
	local -; set +x
	local end=$((SECONDS + $1))

	until eval "$2" >/dev/null 2>&1; do
		[[ $SECONDS -lt $end ]] || return 1
		nap 0.2
	done
}

# wait_until SECONDS CONDITION: the same, but the scenario fails if it does not hold in time.
wait_until()
{
	local -; set +x
	holds_within "$1" "$2" || fail "after $1 s this still does not hold: $2"
}

# expect_equal WHAT SHOULD IS
expect_equal()
{
	local -; set +x
	[[ $2 == "$3" ]] || fail "$1 should be '$2' but is '$3'"
}
