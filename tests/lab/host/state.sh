# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Saved states: the machine as it was when Dom0 had come up and waited for its run disk. Booting Xen and Dom0 costs
# 15 to 25 seconds; going on from a saved state costs one or two. A state belongs to all that could make a
# difference to it: images, Dom0's init, the machine's settings, QEMU, and this machine's processor, whose time stamp
# counter the emulated one follows.

# The name of the state that the settings want.
state_key()
{
	{
		printf '%s\n' "${IMAGE[xen]}" "${IMAGE[dom0]}" "${IMAGE[kernel-${SETTING[dom0_kernel]}]}"
		machine_command DISKS
		machine_boot INITRD
		printf '%s\n' "${QEMU[@]}"
		cat "$LAB_DIR"/dom0/{init,xl} "$LAB_DIR"/dom0/lib/{progress,clean}.sh "$LAB_DIR"/host/{machine,state}.sh
		qemu-system-x86_64 --version
		grep -m 2 -E 'model name|bogomips' /proc/cpuinfo
	} | sha256sum | cut -c 1-12
}

# Waits for a line in a log while QEMU runs. state_wait LOG REGEX SECONDS
state_wait()
{
	local end=$((SECONDS + $3))

	until grep -qaE "$2" "$1"; do
		kill -0 "$QEMU_PID" 2>/dev/null || return 1
		[[ $SECONDS -lt $end ]] || return 1
		sleep 0.1
	done
}

# state_boot WORK: starts a machine and waits until Dom0 waits. Sets QEMU_PID; false when that came to nothing.
state_boot()
{
	local work=$1

	rm -rf "$work"
	mkdir -p "$work"
	machine_disks "$work"
	machine_initrd "$work/initrd"
	machine_command "$work"
	machine_boot "$work/initrd"
	mkfifo "$work/monitor"
	: >"$work/serial.log"
	: >"$work/monitor.log"
	setpriv --pdeathsig KILL "${QEMU[@]}" -serial "file:$work/serial.log" -monitor stdio <>"$work/monitor" \
		>"$work/monitor.log" 2>&1 &
	QEMU_PID=$!
	state_wait "$work/serial.log" "@lab ready|$PANIC" 300 && grep -qa '@lab ready' "$work/serial.log" && return
	end_machine "$QEMU_PID"
	QEMU_PID=''
	return 1
}

# state_make FOLDER: boots a machine up to the point where it waits, and saves it. Xen looks whether its timer ticks, for a moment in
# which an emulator on a busy machine may not have run; that is tried again.
state_make()
{
	local folder=$1 work=$1.new monitor tries=3

	progress "machine: booting Xen and Dom0 once, to begin all further runs from there"
	until state_boot "$work"; do
		if [[ $((--tries)) -eq 0 ]] || ! grep -qa "IO-APIC + timer doesn't work" "$work/serial.log"; then
			tail -n 20 "$work/serial.log" "$work/monitor.log" >&2
			die "Dom0 does not come up; its serial console: $work/serial.log"
		fi
		progress "machine: Xen's timer stood still while this machine was busy; once more"
	done
	exec {monitor}<>"$work/monitor"
	printf 'migrate_set_parameter max-bandwidth 64G\nmigrate "exec:cat >%s"\ninfo migrate\n' "$work/state" >&"$monitor"
	state_wait "$work/monitor.log" 'Migration status: (completed|failed)' 60
	exec {monitor}>&-
	end_machine "$QEMU_PID"
	QEMU_PID=''
	grep -qa 'Migration status: completed' "$work/monitor.log" ||
		die "QEMU did not save the machine's state, see $work/monitor.log"
	rm -f "$work"/{initrd,monitor,results.img,run.img,guests.img}
	rm -rf "$folder"
	mv -T "$work" "$folder"
	progress "machine: saved, $(du -sm "$folder" | cut -f 1) MiB"
}

# Sets STATE to the folder of the state that the settings want, making it if it is not there yet.
state_prepare()
{
	local folder lock old

	folder=$CACHE/states/$(state_key)
	mkdir -p "$CACHE/states"
	if [[ ! -d $folder ]]; then
		exec {lock}>"$CACHE/states/lock"
		flock -n "$lock" || {
			progress "machine: waiting for another lab that boots one"
			flock -w 600 "$lock" || die "another lab has held $CACHE/states/lock for ten minutes"
		}
		[[ -d $folder ]] || state_make "$folder"
		exec {lock}>&-
	fi
	touch "$folder"
	STATE=$folder
	# Those used least recently go; one that is being read stays readable.
	for old in $(find "$CACHE/states" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %p\n' | sort -rn |
		tail -n +7 | cut -d ' ' -f 2-); do
		rm -rf "$old"
	done
}
