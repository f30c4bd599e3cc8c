# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What a scenario wants, from the "# lab:" lines in its header. A line has words KEY=VALUE; one that begins with
# guest=NAME declares a guest, and its further words belong to that guest. README.md tells every setting.

declare -A SETTING GUEST
GUESTS=()

settings_defaults()
{
	SETTING=([timeout]=300 [dom0_memory]=2048M [dom0_kernel]=6.1 [dom0_type]=pv [dom0_vcpus]=1 [icount]=no [spare_memory]=512M
		[mitigations]=off [fast_pvh]=yes [packages]='' [guest_packages]='' [files_in]='' [guest_files_in]='' [files_out]='' [stall]=60 [xen_args]='' [dom0_args]='')
	GUEST=()
	GUESTS=()
}

set_scenario()
{
	[[ -v SETTING[$1] ]] || die "no setting '$1'; there are: ${!SETTING[*]}"
	case $1=$2 in
	timeout=*[!0-9]* | stall=*[!0-9]* | timeout= | stall=) die "$1 is '$2' but must be a number of seconds" ;;
	dom0_memory=* | spare_memory=*) mebibytes "$2" >/dev/null || exit 2 ;;
	dom0_vcpus=[1-8]) ;;
	dom0_vcpus=*) die "dom0_vcpus is '$2' but must be 1 to 8" ;;
	dom0_type=pv | dom0_type=pvh) ;;
	dom0_type=*) die "dom0_type is '$2' but must be pv or pvh" ;;
	icount=yes | icount=no | fast_pvh=yes | fast_pvh=no | mitigations=off | mitigations=auto) ;;
	icount=* | fast_pvh=*) die "$1 is '$2' but must be yes or no" ;;
	mitigations=*) die "mitigations is '$2' but must be off or auto" ;;
	esac
	SETTING[$1]=$2
}

set_guest()
{
	local name=$1 key=$2 value=$3

	case $key=$value in
	type=pv | type=pvh) ;;
	type=*) die "guest $name: type is '$value' but must be pv or pvh" ;;
	vcpus=[1-8]) ;;
	vcpus=*) die "guest $name: vcpus is '$value' but must be 1 to 8" ;;
	memory=*) value=$(mebibytes "$value") || exit 2 ;;
	driver_domain=yes | driver_domain=no) ;;
	driver_domain=*) die "guest $name: driver_domain is '$value' but must be yes or no" ;;
	kernel=* | cmdline=*) ;;
	*) die "guest $name: no setting '$key'; there are: type vcpus kernel memory cmdline driver_domain" ;;
	esac
	GUEST[$name.$key]=$value
}

declare_guest()
{
	local name=$1

	[[ $name =~ ^[a-z][a-z0-9]{0,15}$ ]] || die "guest name '$name': use up to 16 of a-z and 0-9"
	[[ $name != guest ]] || die "a guest cannot be named 'guest', which stands for all guests"
	GUESTS+=("$name")
	set_guest "$name" type pvh
	set_guest "$name" vcpus 1
	set_guest "$name" kernel 6.1
	set_guest "$name" memory 256M
	set_guest "$name" driver_domain no
	GUEST[$name.cmdline]=''
}

# settings_read FILE OVERRIDE...: the overrides (KEY=VALUE for the scenario, NAME.KEY=VALUE for a guest,
# guest.KEY=VALUE for all of them) come from the command line and win.
settings_read()
{
	local file=$1 line word words guest

	shift
	settings_defaults
	while IFS= read -r line; do
		read -ra words <<<"$line"
		guest=''
		for word in "${words[@]}"; do
			[[ $word == *=* ]] || die "$file: '$word' in a '# lab:' line is not KEY=VALUE"
			if [[ ${word%%=*} == guest ]]; then
				guest=${word#*=}
				declare_guest "$guest"
			elif [[ -n $guest ]]; then
				set_guest "$guest" "${word%%=*}" "${word#*=}"
			else
				set_scenario "${word%%=*}" "${word#*=}"
			fi
		done
	done < <(sed -nE 's/^# lab:[[:space:]]*//p' "$file")
	for word; do
		[[ $word == *=* ]] || die "--set $word: write KEY=VALUE"
		case ${word%%=*} in
		guest.*)
			for guest in "${GUESTS[@]}"; do
				line=${word%%=*}
				set_guest "$guest" "${line#*.}" "${word#*=}"
			done
			;;
		*.*)
			line=${word%%=*}
			[[ -v GUEST[${line%%.*}.type] ]] || die "--set $word: there is no guest ${line%%.*}"
			set_guest "${line%%.*}" "${line#*.}" "${word#*=}"
			;;
		*) set_scenario "${word%%=*}" "${word#*=}" ;;
		esac
	done
	assign_processors
}

# Rounds up so that scenarios share one machine, and with it one saved state.
round_up()
{
	echo $((($1 + $2 - 1) / $2 * $2))
}

# Every virtual processor gets an emulated one of its own: those that move between processors crash in software
# emulation. With icount there is only one, which all of them share.
assign_processors()
{
	local guest i

	PROCESSORS=${SETTING[dom0_vcpus]}
	for guest in "${GUESTS[@]}"; do
		GUEST[$guest.cpus]=''
		for ((i = 0; i < ${GUEST[$guest.vcpus]}; i++)); do
			if [[ ${SETTING[icount]} == yes ]]; then
				GUEST[$guest.cpus]+="0 "
			else
				GUEST[$guest.cpus]+="$PROCESSORS "
				PROCESSORS=$((PROCESSORS + 1))
			fi
		done
	done
	PROCESSORS=$(round_up "$PROCESSORS" 8)
	[[ ${SETTING[icount]} == no ]] || PROCESSORS=1
}

# MiB of the emulated machine: Dom0, all guests with their page tables, and Xen's own.
machine_memory()
{
	local guest sum

	sum=$(($(mebibytes "${SETTING[dom0_memory]}") + $(mebibytes "${SETTING[spare_memory]}")))
	for guest in "${GUESTS[@]}"; do
		sum=$((sum + ${GUEST[$guest.memory]} + 32))
	done
	round_up "$sum" 2048
}

# Kernel versions that the guests use, each once.
guest_kernels()
{
	local guest

	for guest in "${GUESTS[@]}"; do
		echo "${GUEST[$guest.kernel]}"
	done | sort -u
}

# Kernel versions of driver domains, each once.
driver_domain_kernels()
{
	local guest

	for guest in "${GUESTS[@]}"; do
		[[ ${GUEST[$guest.driver_domain]} == no ]] || echo "${GUEST[$guest.kernel]}"
	done | sort -u
}

# The settings as Dom0 reads them.
settings_for_dom0()
{
	local mode=$1 scenario=$2 limit=$((SETTING[timeout] - 30)) key

	# In icount the clock in Dom0 jumps over idle time, so the limit that counts is the driver's.
	[[ ${SETTING[icount]} == no ]] || limit=$((SETTING[timeout] * 20))
	[[ $limit -ge 20 ]] || limit=20
	printf 'LAB_MODE=%q\nLAB_SCENARIO=%q\nLAB_SCENARIO_TIMEOUT=%q\n' "$mode" "$scenario" "$limit"
	printf 'LAB_NOW=%q\nLAB_MITIGATIONS=%q\n' "$(date +%s)" "${SETTING[mitigations]}"
	printf 'LAB_ICOUNT=%q\nLAB_FILES_OUT=%q\n' "${SETTING[icount]}" "${SETTING[files_out]//,/ }"
	printf 'LAB_GUESTS=%q\ndeclare -A GUEST\n' "${GUESTS[*]}"
	for key in "${!GUEST[@]}"; do
		printf 'GUEST[%s]=%q\n' "$key" "${GUEST[$key]}"
	done
}
