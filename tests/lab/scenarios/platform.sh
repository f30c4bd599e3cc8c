# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What service/platform/platform.h promises of foreign memory, grants and device models holds on real Xen, for a PV and a
# PVH guest, by privcmd and by the kernel module.
#
# lab: timeout=700
# lab: guest=pv type=pv memory=128M
# lab: guest=pvh type=pvh memory=128M

FOREIGN='lists runs wrong-calls restricted close'
GRANTS='grant-table granted-pages grant-copy'
PUBLISH='publish publish-shared publish-refused'

# platform_tests NAME WAY TEST...: while the guest is paused; the frames must be mapped in this way.
platform_tests()
{
	local name=$1 way=$2 log=/var/log/lab/platform-$1-$2.log frames

	shift 2
	frames=$(remap_frames "$name")
	xl pause "$name"
	"$REMAP_TESTS/platform-test" "$@" "$(guest_domid "$name")" "$name" "$frames" >"$log" 2>&1 || {
		cat "$log"
		fail "platform-test of $name, $way: $(grep -A 1 -m 1 'not so' "$log" || tail -n 1 "$log")"
	}
	xl unpause "$name"
	cat "$log"
	grep -q "frames by $way: " "$log" || fail "frames of $name were not mapped by $way"
}

# balloon_test TEST MEMORY: runs a test of the PVH guest, and sets the guest's memory when it is ready.
balloon_test()
{
	local log=/var/log/lab/platform-$1-$2.log test

	"$REMAP_TESTS/platform-test" "$1" "$(guest_domid pvh)" pvh 1000+1500/20 >"$log" 2>&1 &
	test=$!
	wait_until 30 "grep -q ready '$log'"
	xl mem-set pvh "$2"
	wait "$test" || {
		cat "$log"
		fail "platform-test $1: $(grep -m 1 'not so' "$log" || tail -n 1 "$log")"
	}
	cat "$log"
	expect_equal "output of the guest" alive "$(guest_run pvh 'echo alive')"
}

step "create a PV and a PVH guest"
guest_launch pv
guest_launch pvh
guest_wait_up pv
guest_wait_up pvh

# shellcheck disable=SC2086 # lists of our own words
{
	step "by privcmd"
	platform_tests pvh privcmd $FOREIGN $GRANTS device-models device-models-at-once dirty
	platform_tests pv privcmd $FOREIGN $GRANTS device-models

	step "by the kernel module"
	remap_load
	platform_tests pvh remap $FOREIGN $GRANTS $PUBLISH publish-dirty
	platform_tests pv remap $FOREIGN $GRANTS $PUBLISH
}

step "the guest gives memory away"
balloon_test balloon 112
note "$(grep answers /var/log/lab/platform-balloon-112.log)"
balloon_test abandoned 104
expect_equal "output of the PV guest" alive "$(guest_run pv 'echo alive')"

step "a process that the guest waits for is killed"
"$REMAP_TESTS/platform-test" kept "$(guest_domid pvh)" pvh 8192+1500 >/var/log/lab/platform-kept.log 2>&1 &
kept=$!
wait_until 30 'grep -q ready /var/log/lab/platform-kept.log'
kill -KILL $kept
[[ -n $(find /run/xvhost -name "device-model-$(guest_domid pvh)-*") ]] || fail "there is no file that tells of the device model"
xl mem-set pvh 100
nap 2
job=$(guest_start pvh 'echo alive')
nap 3
! grep -q "$job = " "$(guest_console pvh)" || fail "the guest does not wait"
"$REMAP_TESTS/platform-test" clean-up "$(guest_domid pvh)" pvh 8192+1500
expect_equal "output of the guest" alive "$(guest_wait pvh "$job")"
expect_equal "files that tell of device models" '' "$(find /run/xvhost -name 'device-model-*')"

step "nothing is left"
guest_destroy pv
guest_destroy pvh
expect_clean
remap_unload
pass
