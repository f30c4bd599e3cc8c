# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Something still open at the end is found.
#
# lab: timeout=90
# expect: left behind: .*user of a Xen device: process [0-9]+ sleep
# expect: left behind: .*xenstore nodes in .*backend.vbd

step "leave something behind"
# shellcheck disable=SC2217 # open is all it has to be
sleep 1000 </dev/xen/evtchn &
xenstore-write /local/domain/0/backend/vbd/99/51712/state 2
step "nothing is left"
CLEAN_SECONDS=3
expect_clean
pass
