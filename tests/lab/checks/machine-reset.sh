# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A reset of the whole machine, as a triple fault makes it.
#
# lab: timeout=300
# within: 60
# expect: the machine ended by itself

step "let Xen reset the machine"
xl debug-keys R
sleep 1000
pass
