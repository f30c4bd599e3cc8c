# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A command in a guest that does not end within its time.
#
# lab: timeout=200
# lab: guest=g1 type=pvh
# expect: a command in guest g1 did not end within 5 s

step "create it"
guest_create g1
step "sleep in it"
guest_run --timeout 5 g1 'sleep 1000'
pass
