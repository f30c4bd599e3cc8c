# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The kernel module xen_remap and its tests, tests/kernel. Its guests have 128 MiB.

REMAP_TESTS=/usr/libexec/xvhost/tests
REMAP_FRAMES=6000 # of a PVH guest that the tests try
REMAP_OPTIONS=()  # of remap-test
REMAP_COMPLAINTS='BUG|WARNING|Oops|Bad page|rss-counter|Bad swap|Call Trace'

# Frames that the tests may use: numbers of a PVH guest's own, or a PV guest's machine frames.
remap_frames()
{
	if [[ $1 == pv ]]; then
		$REMAP_TESTS/lab-domain frames "$(guest_domid "$1")" /srv/frames
		echo /srv/frames
	else
		echo 8192+$REMAP_FRAMES
	fi
}

# remap_tests NAME: what /dev/xen/remap must do, with a guest's memory.
remap_tests()
{
	local frames

	frames=$(remap_frames "$1")
	xl pause "$1"
	$REMAP_TESTS/remap-test "${REMAP_OPTIONS[@]}" "$(guest_domid "$1")" "$frames" >"/var/log/lab/remap-$1.log" || {
		cat "/var/log/lab/remap-$1.log"
		fail "remap-test of $1: $(grep -A 1 -m 1 'not so' "/var/log/lab/remap-$1.log" || tail -n 1 "/var/log/lab/remap-$1.log")"
	}
	cat "/var/log/lab/remap-$1.log"
	xl unpause "$1"
}

# remap_destroy NAME unmap|kill: destroys a guest of 128 MiB while some of these are mapped; then the mapping ends in the
# given way, and all memory returns.
remap_destroy()
{
	local name=$1 ending=$2 free frames holder lines

	frames=$(remap_frames "$name")
	free=$(xen_free_memory)
	# A PV guest that runs can't make page tables of pages that are mapped writable, and crashes.
	xl pause "$name"
	coproc HOLDER { exec $REMAP_TESTS/remap-test --hold "$(guest_domid "$name")" "$frames"; }
	holder=$HOLDER_PID
	exec {lines}<&"${HOLDER[0]}"
	until read -r -t 60 -u "$lines" line && [[ $line == held ]]; do
		[[ -n ${line:-} ]] || fail "remap-test --hold $name said nothing"
	done
	xl destroy "$name"
	# As long as something is mapped the domain stays.
	nap 1
	xl list | grep -q '(null)' || fail "$name is gone though its memory is mapped"
	if [[ $ending == kill ]]; then
		kill -KILL "$holder"
	else
		echo >&"${HOLDER[1]}"
		read -r -t 60 -u "$lines" line
		expect_equal "result of remap-test --hold" 'ok hold' "$line"
	fi
	wait_until 20 "[[ \$(xen_free_memory) -ge $((free + 127)) ]]"
	[[ $ending == kill ]] || echo >&"${HOLDER[1]}"
	wait "$holder" 2>/dev/null || [[ $ending == kill ]]
	exec {lines}<&-
	guest_wait_gone "$name"
}

remap_load()
{
	insmod "/usr/lib/modules/$(uname -r)/updates/xen_remap.ko"
}

remap_unload()
{
	! grep -q "the module xen_remap can't show responses any more" "$XVHOSTD_LOG" 2>/dev/null ||
		fail "a worker has given up to show responses by the module"
	rmmod xen_remap
	expect_equal "what the kernel complains of" '' "$(dmesg | grep -E "$REMAP_COMPLAINTS" || true)"
}
