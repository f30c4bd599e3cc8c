# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What scripts that try xvhost-try have in common: `. lib.sh BUILD`. Each function test_NAME of theirs is a test; see run_tests.

O=$(cd "${1:?BUILD is missing}" && pwd) || exit 2
try=$O/bin/xvhost-try
# In memory where that can be: these are no tests of this machine's disk.
work=$(mktemp -d -p /dev/shm xvhost.XXXXXX 2>/dev/null || mktemp -d)
trap 'rm -rf "$work"' EXIT

# expect STATUS ARGUMENT...: run it; what it prints is in the files out and err.
expect()
{
	local wanted=$1 status

	shift
	timeout -k 1 120 "$try" "$@" >out 2>err </dev/null
	status=$?
	[[ $status == "$wanted" ]] && return
	echo "xvhost-try $*: exit status $status instead of $wanted"
	cat out err
	[[ ! -e server.log ]] || cat server.log
	return 1
}

# conform TARGET ARGUMENT...: no promise is broken.
conform()
{
	expect 0 --conform "$@" && has out ' 0 broken'
}

# begun PROCESS: this xvhost-try has begun its load, since when it has a handler for SIGINT.
begun()
{
	local caught

	for _ in {1..500}; do
		caught=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null)
		[[ -z $caught || $((0x$caught & 2)) == 0 ]] || return 0
		sleep 0.02
	done
	echo "the load did not begin"
	return 1
}

# under_load TARGET ARGUMENT...: begin a load that reports for machines, and let it go on for a second; its end is waited for by loaded.
under_load()
{
	"$try" "$@" --json >out 2>err </dev/null &
	child=$!
	begun "$child" && sleep 1
}

# loaded FILTER: it has ended, within a minute, and the report fulfils the condition.
loaded()
{
	timeout 60 tail --pid="$child" -s 0.1 -f /dev/null || kill -KILL "$child"
	wait "$child"
	json "$1"
}

# has FILE TEXT: some line of the file has this text.
has()
{
	grep -qF -e "$2" "$1" && return
	echo "'$2' is not in what was printed:"
	cat "$1"
	return 1
}

# awaits FILE TEXT: the same of a file that is still being written.
awaits()
{
	for _ in {1..500}; do
		! grep -qF -e "$2" "$1" || return 0
		sleep 0.02
	done
	has "$1" "$2"
}

# is_empty FILE
is_empty()
{
	[[ ! -s $1 ]] && return
	echo "this should not be in $1:"
	cat "$1"
	return 1
}

# json FILTER [ARGUMENT...]: the report fulfils the condition.
json()
{
	jq -e "${@:2}" "$1" out >/dev/null && return
	echo "not so in the report: $1"
	cat out err
	return 1
}

# run_test NAME: one test, in its folder; the server whose number it left in the file `pid` is ended.
run_test()
{
	mkdir "$work/$1" && cd "$work/$1" || return
	if "test_$1" >output 2>&1; then
		echo "ok $1" >result
	else
		{ sed 's/^/  /' output; echo "not ok $1"; } >result
	fi
	[[ ! -s pid ]] || kill -KILL "$(<pid)" 2>/dev/null
}

# run_tests COUNT: all tests, so many at once. Prints "ok NAME" or "not ok NAME" for each, after what went wrong; returns
# whether all are good.
run_tests()
{
	local name names=()

	while read -r _ _ name; do
		[[ $name != test_* ]] || names+=("${name#test_}")
	done < <(declare -F)
	for name in "${names[@]}"; do
		while [[ $(jobs -rp | wc -l) -ge $1 ]]; do
			wait -n
		done
		run_test "$name" &
	done
	wait
	cd "$work" && cat "${names[@]/%//result}"
	! grep -q '^not ok' "${names[@]/%//result}"
}
