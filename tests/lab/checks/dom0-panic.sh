# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A panic of Dom0's kernel ends the run long before its time limit.
#
# lab: timeout=300
# within: 60
# expect: panic: .*Kernel panic - not syncing: sysrq triggered crash

step "crash Dom0"
echo c >/proc/sysrq-trigger
sleep 1000
pass
