# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Lives of guests: creating them with the settings that the scenario's header declares, ending them.
# GUEST[NAME.SETTING] comes from /lab/settings.

# Limits of the waits for a guest (seconds).
GUEST_UP_TIMEOUT=${GUEST_UP_TIMEOUT:-120}
GUEST_DOWN_TIMEOUT=${GUEST_DOWN_TIMEOUT:-60}

guest_known()
{
	[[ -n ${GUEST[$1.type]:-} ]] || fail "guest '$1' is not declared in the scenario's header"
}

# guest_domid NAME: prints the domain's number; returns 1 if there is no such domain.
guest_domid()
{
	local -; set +x
	xl domid "$1" 2>/dev/null
}

# Whether the domain whose number was last seen is still known to xenstore.
guest_lives()
{
	local domid

	[[ -e /run/lab/$1.domid ]] && read -r domid <"/run/lab/$1.domid" && [[ -n $domid ]] || return 1
	xenstore-exists "/local/domain/$domid/name" 2>/dev/null || guest_domid "$1" >"/run/lab/$1.domid"
}

# Whether the domain crashed (it is preserved then): its xl says so in its log.
guest_crashed()
{
	[[ -e /var/log/xen/xl-$1.log && $(<"/var/log/xen/xl-$1.log") == *'reason code 3'* ]]
}

# guest_config NAME [DISK...]: prints the xl configuration. VIFs and further lines come from the variables
# GUEST_VIFS (an array of vif entries) and GUEST_CONFIG (text).
guest_config()
{
	local name=$1 entry cpu initrd=initrd cmdline='console=hvc0 quiet panic=1 cryptomgr.notests=1 norandmaps pci=noearly'

	shift
	printf 'name = "%s"\ntype = "%s"\n' "$name" "${GUEST[$name.type]}"
	if [[ ${GUEST[$name.driver_domain]} == yes ]]; then
		initrd=initrd.driver
		echo 'driver_domain = 1'
	fi
	printf 'kernel = "/lab/guest/%s/vmlinux"\nramdisk = "/lab/guest/%s/%s"\n' \
		"${GUEST[$name.kernel]}" "${GUEST[$name.kernel]}" "$initrd"
	[[ $LAB_MITIGATIONS != off ]] || cmdline+=" mitigations=off init_on_alloc=0"
	printf 'cmdline = "%s %s"\n' "$cmdline" "${GUEST[$name.cmdline]:-}"
	printf 'memory = %s\nvcpus = %s\n' "${GUEST[$name.memory]}" "${GUEST[$name.vcpus]}"
	printf 'cpus = ['
	for cpu in ${GUEST[$name.cpus]}; do
		printf ' "%s",' "$cpu"
	done
	printf ' ]\non_reboot = "restart"\non_crash = "preserve"\n'
	printf 'disk = ['
	for entry; do
		printf " '%s'," "$entry"
	done
	printf ' ]\nvif = ['
	for entry in ${GUEST_VIFS[@]+"${GUEST_VIFS[@]}"}; do
		printf " '%s'," "$entry"
	done
	printf ' ]\n%s\n' "${GUEST_CONFIG:-}"
}

# guest_create NAME [DISK...]: creates the guest with these disk= entries and waits until its agent answers.
guest_create()
{
	local -; set +x
	guest_launch "$@"
	guest_wait_up "$1"
}

# guest_launch NAME [DISK...]: the same without waiting; several guests can come up at the same time.
guest_launch()
{
	local -; set +x
	local name=$1 config=/var/log/lab/guest-$1.cfg log=/var/log/lab/xl-create-$1.log

	guest_known "$name"
	shift
	guest_config "$name" "$@" >"$config"
	guest_reader "$name"
	guest_ups "$name" >"/run/lab/$name.ups-before"
	timeout 90 xl -vvv create "$config" >"$log" 2>&1 || fail "xl create $name ended with status $?: $(tail_line "$log")"
}

# The last line of a log that says what went wrong, for a failure's text.
tail_line()
{
	grep -aiE 'error|fail|invalid' "$1" | grep -v 'xc: debug' | tail -n 1 || true
}

# guest_again NAME: creates a guest that crashed while it started once more. Now and then the emulator lets a processor run an instruction
# that another one has changed since, and Linux, which patches itself, ends by "int3". False: it was something else, or the second time.
guest_again()
{
	local name=$1 log=/var/log/xen/xl-$1.log

	[[ ! -e /run/lab/$name.again ]] && grep -aq 'Oops: int3' "$(guest_console "$name")" || return 1
	: >"/run/lab/$name.again"
	note "guest $name crashed by a fault of the emulator's, and is created once more"
	xl destroy "$name" >>"$log" 2>&1 && holds_within 30 "! guest_lives '$name'" || return 1
	mv "$log" "$log.crashed"
	timeout 90 xl -vvv create "/var/log/lab/guest-$name.cfg" >"/var/log/lab/xl-create-$name-again.log" 2>&1
}

# guest_wait_up NAME: waits until the agent says that it is up, after guest_launch or guest_reboot_begin.
guest_wait_up()
{
	local -; set +x
	local name=$1 before=0 end=$((SECONDS + GUEST_UP_TIMEOUT)) now

	[[ ! -e /run/lab/$name.ups-before ]] || read -r before <"/run/lab/$name.ups-before"
	while :; do
		now=$(guest_ups "$name")
		[[ $now -le $before ]] || break
		[[ $SECONDS -lt $end ]] || fail "guest $name did not answer within $GUEST_UP_TIMEOUT s"
		nap 0.25
		! guest_crashed "$name" || guest_again "$name" || fail "guest $name crashed while it started"
	done
	guest_domid "$name" >"/run/lab/$name.domid" || fail "guest $name went away while it started"
}

# guest_shutdown NAME: asks the guest to shut down and waits until the domain is gone.
guest_shutdown()
{
	local -; set +x
	guest_domid "$1" >"/run/lab/$1.domid" || fail "there is no guest $1"
	timeout 20 xl shutdown "$1" >>"/var/log/lab/xl-$1.log" 2>&1 || fail "xl shutdown $1 ended with status $?"
	guest_wait_gone "$1"
}

# guest_wait_gone NAME
guest_wait_gone()
{
	local -; set +x
	holds_within "$GUEST_DOWN_TIMEOUT" "! guest_lives '$1' || guest_crashed '$1'" ||
		fail "guest $1 is still there after $GUEST_DOWN_TIMEOUT s"
	! guest_crashed "$1" || fail "guest $1 crashed while it shut down"
}

# guest_reboot NAME: reboots it from outside and waits until its agent answers again.
guest_reboot()
{
	local -; set +x
	guest_reboot_begin "$1"
	guest_wait_up "$1"
}

# guest_reboot_begin NAME: only asks for the reboot.
guest_reboot_begin()
{
	local -; set +x
	guest_ups "$1" >"/run/lab/$1.ups-before"
	timeout 20 xl reboot "$1" >>"/var/log/lab/xl-$1.log" 2>&1 || fail "xl reboot $1 ended with status $?"
}

# guest_destroy NAME
guest_destroy()
{
	local -; set +x
	timeout 60 xl destroy "$1" >>"/var/log/lab/xl-$1.log" 2>&1 || fail "xl destroy $1 ended with status $?"
	guest_wait_gone "$1"
}
