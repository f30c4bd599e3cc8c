# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What every host-side part of the lab uses: progress lines with the elapsed time, error exits, numbers.
# Sourced, never run. LAB_DIR (this folder's parent) is set by the program that sources it.

LAB_STARTED=${LAB_STARTED:-$EPOCHREALTIME}

# Colours only on a terminal.
if [[ -t 1 ]]; then
	BOLD=$'\e[1m' RED=$'\e[31m' GREEN=$'\e[32m' PLAIN=$'\e[0m'
else
	BOLD='' RED='' GREEN='' PLAIN=''
fi

# Microseconds since the given $EPOCHREALTIME.
micros_since()
{
	local now=$EPOCHREALTIME

	# The separator is a comma in some locales.
	echo $((${now//[.,]/} - ${1//[.,]/}))
}

# Seconds with one digit after the point since the given $EPOCHREALTIME.
elapsed()
{
	local us

	us=$(micros_since "$1")
	printf '%d.%d' $((us / 1000000)) $((us / 100000 % 10))
}

progress()
{
	printf '[%6ss] %s\n' "$(elapsed "$LAB_STARTED")" "$*"
}

die()
{
	printf '%slab: %s%s\n' "$RED" "$*" "$PLAIN" >&2
	exit 2
}

# A size such as 512M or 2G in MiB.
mebibytes()
{
	case $1 in
	*[0-9]G) echo $((${1%G} * 1024)) ;;
	*[0-9]M) echo "${1%M}" ;;
	*) die "'$1' is no size; write a number with M or G, such as 512M" ;;
	esac
}

# Each argument is PROGRAM:PACKAGE; dies with one apt-get line that installs whatever is missing.
need_programs()
{
	local pair missing=()

	for pair; do
		command -v "${pair%%:*}" >/dev/null || [[ -x /usr/sbin/${pair%%:*} ]] || missing+=("${pair#*:}")
	done
	[[ ${#missing[@]} -eq 0 ]] || die "missing on this machine: apt-get install ${missing[*]}"
}
