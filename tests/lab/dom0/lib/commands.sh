# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Commands in guests. They go to the guest's console through the terminal that xenconsoled made for it. For each
# guest a reader follows xenconsoled's log of that console and puts each answer into a file (/run/lab/ID.text, then
# ID.end); the protocol is told in guest/agent. Starting a process costs an emulated Dom0 a good part of a
# second, so as little as possible is done by programs.

# Default limit of guest_run and guest_wait in seconds.
GUEST_RUN_TIMEOUT=${GUEST_RUN_TIMEOUT:-120}

# guest_console NAME: prints the name of the file with all that the guest's console ever printed.
guest_console()
{
	echo "/var/log/xen/guest-$1.log"
}

# Starts the reader of a guest unless it runs already. A guest that comes by migration has its console's log under
# the name that it had on arrival.
guest_reader()
{
	local name=$1 log=/var/log/xen/guest-$1

	[[ ! -e /run/lab/$name.reader ]] || return 0
	echo 0 >"/run/lab/$name.reader"
	echo 0 >"/run/lab/$name.ups"
	(
		exec </dev/null >/dev/null 2>&1
		tail -q -n +1 -F "$log.log" "$log--incoming.log" | mawk -W interactive -v name="$name" -v dir=/run/lab '
			$1 != "@lab" { next }
			$2 == "up" {
				ups++
				file = dir "/" name ".ups"
				print ups >file
				close(file)
			}
			$3 == ":" { text[$2] = text[$2] substr($0, length($2) + 9) }
			$3 == "=" {
				file = dir "/" $2 ".text"
				printf "%s", text[$2] >file
				close(file)
				text[$2] = ""
				file = dir "/" $2 ".end"
				print $4, $5, $6 >file
				close(file)
			}'
	) &
}

# How often the agent has said that it is up.
guest_ups()
{
	local ups=0

	[[ ! -e /run/lab/$1.ups ]] || until read -r ups <"/run/lab/$1.ups"; do nap 0.01; done
	echo "$ups"
}

# Sets GUEST_TTY to the terminal of a guest's console; the domain may have changed since the last time.
guest_tty()
{
	local name=$1 domid='' found

	[[ ! -e /run/lab/$name.domid ]] || read -r domid <"/run/lab/$name.domid" || true
	found=$(xenstore-read "/local/domain/${domid:-none}/name" "/local/domain/${domid:-none}/console/tty" 2>/dev/null) ||
		true
	if [[ $found != "$name"$'\n'/* ]]; then
		domid=$(guest_domid "$name") || fail "there is no guest $name"
		echo "$domid" >"/run/lab/$name.domid"
		found=$(xenstore-read "/local/domain/$domid/name" "/local/domain/$domid/console/tty") ||
			fail "guest $name has no console"
	fi
	GUEST_TTY=${found#*$'\n'}
}

# guest_start NAME COMMAND: starts the command in the guest and prints a number for guest_wait.
guest_start()
{
	local -; set +x
	local GUEST_JOB

	guest_begin "$1" "$2"
	echo "$GUEST_JOB"
}

# The same, but the number comes in the variable GUEST_JOB, which saves a process.
guest_begin()
{
	local text=$2 i GUEST_TTY

	guest_tty "$1"
	guest_reader "$1"
	GUEST_JOB=${EPOCHREALTIME//[.,]/}$BASHPID
	text=${text//\\/"\\\\"}
	text=${text//$'\n'/"\\n"}
	for ((i = 0; i < ${#text}; i += 900)); do
		printf 'run %s %s\n' "$GUEST_JOB" "${text:i:900}"
	done >"$GUEST_TTY"
	printf 'go %s\n' "$GUEST_JOB" >"$GUEST_TTY"
}

# guest_words ARGUMENT...: sorts them into the caller's `words` and, by the option --timeout S, its `limit`.
guest_words()
{
	while [[ $# -gt 0 ]]; do
		case $1 in
		--timeout) limit=$2 && shift ;;
		*) words+=("$1") ;;
		esac
		shift
	done
}

# guest_wait NAME NUMBER [--timeout S]: waits for the end of what guest_start began, prints what it printed and
# returns its exit status. The option may stand anywhere.
guest_wait()
{
	local -; set +x
	local limit=$GUEST_RUN_TIMEOUT name id end look=$((SECONDS + 5)) status length kind text tries=3 GUEST_TTY words=()

	guest_words "$@"
	name=${words[0]} id=${words[1]} end=$((SECONDS + limit))
	[[ $id =~ ^[0-9]+$ ]] || fail "guest_wait $name: '$id' is no number from guest_start"
	while :; do
		if [[ -e /run/lab/$id.end ]] && read -r status length kind <"/run/lab/$id.end"; then
			text=''
			IFS= read -r -d '' text <"/run/lab/$id.text" || true
			if [[ $kind == base64 ]]; then
				# A variable cannot hold what this one printed.
				if base64 -d <<<"$text" >"/run/lab/$id.out" && [[ $(stat -c %s "/run/lab/$id.out") -eq $length ]]; then
					cat "/run/lab/$id.out"
					break
				fi
			else
				printf -v text '%b' "$text"
				if [[ ${#text} -eq $length ]]; then
					printf '%s' "$text"
					break
				fi
			fi
			[[ $((tries -= 1)) -gt 0 ]] || fail "the answer of guest $name came damaged"
			rm "/run/lab/$id.end"
			guest_tty "$name"
			printf 'again %s\n' "$id" >"$GUEST_TTY"
		fi
		nap 0.1
		if [[ $SECONDS -ge $end ]]; then
			guest_tty "$name"
			printf 'kill %s\n' "$id" >"$GUEST_TTY"
			fail "a command in guest $name did not end within $limit s"
		fi
		if [[ $SECONDS -ge $look ]]; then
			look=$((SECONDS + 5))
			guest_crashed "$name" && fail "guest $name crashed during a command"
			guest_lives "$name" || fail "guest $name went away during a command"
		fi
	done
	return "$status"
}

# guest_run NAME COMMAND [--timeout S]: runs the command in the guest's bash, prints what it printed (both outputs) and
# returns its exit status. The option may stand anywhere.
guest_run()
{
	local -; set +x
	local limit=$GUEST_RUN_TIMEOUT GUEST_JOB words=()

	guest_words "$@"
	[[ ${#words[@]} -eq 2 ]] || fail "guest_run wants a guest and one command, not: ${words[*]}"
	guest_begin "${words[0]}" "${words[1]}"
	guest_wait --timeout "$limit" "${words[0]}" "$GUEST_JOB"
}
