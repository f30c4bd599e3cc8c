# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The ways in which a guest's disks can be served, to be compared: the same images by xvhost, by the kernel's xen-blkback, by
# QEMU, all at the same time, so that the loads of one and the other can follow each other closely. The load is disk-load's, in
# the guest; host-meter measures what it costs.
#
#     xvhost    its backend `file`
#     null      its backend `null`, which has no storage: what guest and rings cost by themselves
#     blkback   xen-blkback over a loop device
#     qdisk     QEMU. It must run since the guest was created: WAYS_QEMU is a disk= entry for that
#
# The first image is xvda by the first way, xvdb by the second, and so on.

WAYS=(xvhost null blkback qdisk)
WAYS_TOOLS=/usr/libexec/xvhost/tests
WAYS_EVENTS=/sys/kernel/tracing/events
WAYS_QEMU='vdev=xvdz,access=ro,backendtype=qdisk,format=raw,target=/srv/small.img'

# ways_images MIB COUNT: makes the images.
ways_images()
{
	local i

	truncate -s 1M /srv/small.img
	for ((i = 0; i < $2; i++)); do
		# Real pages, so that none is to be made while something is measured.
		dd if=/dev/zero of="/srv/$i.img" bs=1M count="$1" status=none
	done
}

# ways_letters WAY COUNT: the last letters of its first disks' names.
ways_letters()
{
	local i letters=abcdefghijklmnop

	for ((i = 0; i < $2 * ${#WAYS[@]}; i++)); do
		[[ ${WAYS[i % ${#WAYS[@]}]} != "$1" ]] || printf %s "${letters:i:1}"
	done
}

# ways_entry WAY VDEV IMAGE: a disk= entry.
ways_entry()
{
	case $1 in
	xvhost) xvhost_disk "$2" rw "file:path=$3" ;;
	null) xvhost_disk "$2" rw "null:size=$(stat -c %s "$3")" ;;
	blkback) echo "vdev=$2,access=rw,backendtype=phy,target=$(loop_disk "$3")" ;;
	qdisk) echo "vdev=$2,access=rw,backendtype=qdisk,format=raw,target=$3" ;;
	esac
}

# The kernel's backend takes every disk of the bus that it finds, so it is only told of those that it is to have.
ways_load_blkback()
{
	[[ ! -d /sys/bus/xen-backend/drivers/vbd ]] || return 0
	echo 0 >/sys/bus/xen-backend/drivers_autoprobe
	modprobe xen-blkback
}

# ways_bind DOMID VDEV: gives it the next disk, as soon as there is one.
ways_bind()
{
	local number device

	printf -v number %d "'${2: -1}"
	device=vbd-$1-$((51712 + (number - 97) * 16))
	until [[ -e /sys/bus/xen-backend/devices/$device ]]; do
		nap 0.02
	done
	echo "$device" >/sys/bus/xen-backend/drivers/vbd/bind
}

ways_attach_one()
{
	local name=$1 way=$2 vdev=xvd$3 image=$4 binder=''

	if [[ $way == blkback ]]; then
		ways_load_blkback
		ways_bind "$(guest_domid "$name")" "$vdev" &
		binder=$!
	fi
	xl_attach_disk "$name" "$(ways_entry "$way" "$vdev" "$image")"
	[[ -z $binder ]] || wait "$binder" || fail "xen-blkback did not take $vdev"
}

# ways_attach NAME COUNT: each way serves so many disks of the guest; waits until they are there. Once xen-blkback is there
# xvhost takes no more disks.
ways_attach()
{
	local name=$1 count=$2 way letters i

	for way in "${WAYS[@]}"; do
		letters=$(ways_letters "$way" "$count")
		for ((i = 0; i < count; i++)); do
			ways_attach_one "$name" "$way" "${letters:i:1}" "/srv/$i.img"
		done
		ways_wait "$name" "xvd${letters: -1}"
	done
}

# ways_wait NAME VDEV: until the guest sees the disk.
ways_wait()
{
	guest_run "$1" "for i in \$(seq 300); do [ -b /dev/$2 ] && exit 0; sleep 0.1; done; exit 1" ||
		fail "the disk $2 did not appear in the guest $1"
}

# ways_detach NAME COUNT: they are gone.
ways_detach()
{
	local name=$1 count=$2 way letters i

	for way in "${WAYS[@]}"; do
		letters=$(ways_letters "$way" "$count")
		for ((i = 0; i < count; i++)); do
			xl_detach "$name" "xvd${letters:i:1}"
		done
	done
	rmmod xen-blkback
	echo 1 >/sys/bus/xen-backend/drivers_autoprobe
	losetup -D
}

# Processes that serve the guest's disks, other than the kernel's threads.
ways_processes()
{
	pgrep -f "^[^ ]*xvhost-worker .*--domid[= ]$(guest_domid "$1")( |$)" || true
	xenstore-read "/local/domain/$(guest_domid "$1")/image/device-model-pid"
}

# ways_load NAME PAIR WAY:JOB...: carries them out one after the other. A job is one of disk-load's, but has the number of disks
# for their letters. Adds a line of JSON for each to $WAYS_RESULT: what disk-load says and what host-meter says of it.
ways_load()
{
	local -; set +x
	local name=$1 pair=$2 meter load cost word way fields jobs=() ways=()

	shift 2
	for word; do
		way=${word%%:*}
		IFS=: read -ra fields <<<"${word#*:}"
		fields[3]=$(ways_letters "$way" "${fields[3]}")
		ways+=("$way")
		jobs+=("$(IFS=: && echo "${fields[*]}")")
	done
	# shellcheck disable=SC2046 # a list of numbers
	"$WAYS_TOOLS/host-meter" "$(guest_domid "$name")" $# $(ways_processes "$name") >/run/lab/costs &
	meter=$!
	guest_run "$name" --timeout "${WAYS_TIMEOUT:-1200}" "disk-load data ${jobs[*]}" >/run/lab/loads ||
		fail "disk-load: $(</run/lab/loads)"
	wait "$meter" || fail "host-meter failed"
	for word; do
		if ! read -r load <&3 || ! read -r cost <&4; then
			fail "a job has left no figures"
		fi
		printf '{"guest": "%s", "pair": %s, "way": "%s", "job": "%s", "load": %s, "cost": %s}\n' "$name" "$pair" \
			"${word%%:*}" "${word#*:}" "$load" "$cost" >>"$WAYS_RESULT"
	done 3</run/lab/loads 4</run/lab/costs
}

# ways_count_calls on|off: system calls are counted from now on, or no more.
ways_count_calls()
{
	local undo=''

	[[ $1 == on ]] || undo='!'
	mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
	echo "${undo}hist:keys=common_pid,id" >"$WAYS_EVENTS/raw_syscalls/sys_enter/trigger"
	echo "${undo}hist:keys=common_pid,cmd" >"$WAYS_EVENTS/syscalls/sys_enter_ioctl/trigger"
}

# ways_log DOMID SINCE: what xvhostd's log says of a guest, after its first SINCE lines.
ways_log()
{
	tail -n "+$(($2 + 1))" "$XVHOSTD_LOG" | grep -E "guest $1( |:)"
}

# ways_counters DOMID SINCE: what the log says, after its first SINCE lines, of the guest's only disk, which was detached, as members of
# a JSON object. The disk's own lines come when it is disconnected, among them that of grants that a PV guest leaves in place; that of the
# cache of frames, if the disk went by it, when the worker ends. The disk has one ring, so there is one of each.
ways_counters()
{
	local -; set +x
	local text found members number='[^0-9]*([0-9]+)'

	text=$(ways_log "$1" "$2")
	found="persistent grants:$number pages found mapped,$number mapped by$number calls"
	members='"memory": "persistent grants", "pages_found": \1, "map_calls": \3, "reported_frames": 0, "reports": 0'
	if [[ $text == *'memory by cached frames'* ]]; then
		wait_until 20 "ways_log $1 $2 | grep -q 'guest $1: memory: '"
		text=$(ways_log "$1" "$2")
		found="guest $1: memory:$number pages found in the cache,$number chunks mapped by$number calls.*[^0-9]$number written frames in$number reports"
		members='"memory": "cache", "pages_found": \1, "map_calls": \3, "reported_frames": \4, "reports": \5'
	fi
	sed -nE "s/.*disconnected after$number requests$number failed$number bytes read,$number written,$number events,$number notifications.*/\"requests\": \1, \"events\": \5, \"notifications\": \6/p" \
		<<<"$text"
	sed -nE "s/.*$found.*/, $members/p" <<<"$text"
}
