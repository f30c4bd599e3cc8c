# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# xvhost in a driver domain: a guest that is declared with driver_domain=yes.

# driver_disk NAME VDEV ACCESS TARGET: prints a disk= entry for a disk that the driver domain's xvhost serves.
driver_disk()
{
	echo "backend=$1,$(xvhost_disk "$2" "$3" "$4")"
}

# driver_prepare NAME [PARAMETER]: after its start: the drivers and folders that xvhostd wants. PARAMETER is one of the module
# xen-privcmd.
driver_prepare()
{
	local -; set +x
	guest_run "$1" "modprobe xen-privcmd ${2:-} && modprobe -a xen-evtchn xen-gntdev xenfs && mkdir -p /proc/xen /srv &&
		mount -t xenfs xenfs /proc/xen && mount -t tmpfs -o size=80% srv /srv" ||
		fail "the driver domain $1 could not be prepared"
}

# driver_log NAME PATTERN: prints what its xvhostd and workers have logged, of the lines that match. The log goes to the console.
driver_log()
{
	grep -aE '^xvhost(d|-worker): ' "$(guest_console "$1")" | tr -d '\r' | grep -E "$2" || true
}

# driver_xvhostd_start NAME [ARGUMENT...]: starts xvhostd there.
driver_xvhostd_start()
{
	local -; set +x
	local name=$1

	shift
	guest_run "$name" "setsid xvhostd $* </dev/null >/dev/hvc0 2>&1 & echo \$! >/run/lab/xvhostd.pid
		sleep 0.5; kill -0 \$(</run/lab/xvhostd.pid)" || fail "xvhostd ended at once in $name, see its console"
}

# driver_xvhostd_stop NAME: ends it by SIGTERM and waits for its end and that of its workers.
driver_xvhostd_stop()
{
	local -; set +x
	guest_run "$1" "kill -TERM \$(</run/lab/xvhostd.pid) && for i in \$(seq 150); do
			pidof xvhostd xvhost-worker >/dev/null || exit 0
			sleep 0.1
		done; exit 1" || fail "xvhostd in $1 did not end within 15 s of SIGTERM"
}

# driver_quota NAME WHAT: how much of one of xenstored's quotas the domain uses: nodes, watches, transactions, outstanding, memory.
driver_quota()
{
	local -; set +x
	xenstore-control quota "$(guest_domid "$1")" | awk -v what="$2" '$1 == what { print $3 }'
}

# driver_directory DRIVER NAME DEVID: prints the backend's directory of a disk.
driver_directory()
{
	echo "/local/domain/$(guest_domid "$1")/backend/vbd/$(guest_domid "$2")/$3"
}

# driver_detach DRIVER NAME VDEV DEVID: takes a disk away; libxl waits until the driver domain has removed its directory.
driver_detach()
{
	local -; set +x
	local directory

	directory=$(driver_directory "$1" "$2" "$4")
	timeout 70 xl block-detach "$2" "$3" >/var/log/lab/xl-detach.log 2>&1 ||
		fail "xl block-detach $2 $3 ended with status $?: $(tail_line /var/log/lab/xl-detach.log)"
	! xenstore-exists "$directory" || fail "$directory is still there"
}

# driver_expect_data DRIVER NAME VDEV IMAGE: what the guest reads is what the image in the driver domain holds.
driver_expect_data()
{
	expect_equal "checksum of $4" "$(guest_run "$2" "dd if=/dev/$3 bs=1M iflag=direct status=none | sha256sum")" \
		"$(guest_run "$1" "sha256sum <$4")"
}
