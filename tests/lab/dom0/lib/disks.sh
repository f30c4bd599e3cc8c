# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Disks of guests.

# xvhost_disk VDEV ACCESS TARGET: prints a disk= entry for a disk that xvhost serves. target= comes last because
# xl takes all that follows it as the target.
xvhost_disk()
{
	echo "vdev=$1,access=$2,script=block-xvhost,backendtype=phy,target=$3"
}

# xl_attach NAME VDEV TARGET [ACCESS]: gives a running guest a disk that xvhost serves.
xl_attach()
{
	local -; set +x
	xl_attach_disk "$1" "$(xvhost_disk "$2" "${4:-rw}" "$3")"
}

# xl_attach_disk NAME ENTRY: the same with any disk= entry.
xl_attach_disk()
{
	local -; set +x
	timeout 70 xl block-attach "$1" "$2" >"/var/log/lab/xl-attach.log" 2>&1 ||
		fail "xl block-attach $1 '$2' ended with status $?: $(tail_line /var/log/lab/xl-attach.log)"
}

# xl_detach NAME VDEV: takes the disk away again and waits until nothing of it is left in xenstore.
xl_detach()
{
	local -; set +x
	local domid before

	domid=$(guest_domid "$1") || fail "there is no guest $1"
	before=$(vbd_count "$domid")
	timeout 70 xl block-detach "$1" "$2" >"/var/log/lab/xl-detach.log" 2>&1 ||
		fail "xl block-detach $1 $2 ended with status $?: $(tail_line /var/log/lab/xl-detach.log)"
	holds_within 20 "[[ \$(vbd_count $domid) -lt $before ]]" || fail "the disk $2 of guest $1 did not go away"
}

# How many disks a guest has, seen from the backend.
vbd_count()
{
	local kind

	for kind in vbd qdisk; do
		xenstore-list "/local/domain/0/backend/$kind/$1" 2>/dev/null || true
	done | wc -l
}

# loop_disk FILE: attaches a file as a loop device and prints the device.
loop_disk()
{
	local -; set +x
	losetup --find --show --direct-io=off "$1" || fail "no loop device for $1"
}
