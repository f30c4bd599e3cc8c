# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# So does a crash of Xen itself.
#
# lab: timeout=300
# within: 60
# expect: panic: .*Panic on CPU

step "crash Xen"
xl debug-keys C
sleep 1000
pass
