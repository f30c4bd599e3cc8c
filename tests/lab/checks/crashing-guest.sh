# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A guest whose kernel panics during a command is noticed at once, and its console is shown.
#
# lab: timeout=200
# lab: guest=g1 type=pv
# expect: guest g1 crashed during a command
# expect: Kernel panic - not syncing: sysrq triggered crash

step "create it"
guest_create g1
step "crash it"
guest_run g1 'echo c >/proc/sysrq-trigger'
pass
