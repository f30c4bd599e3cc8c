# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A guest whose userland never answers.
#
# lab: timeout=120
# lab: guest=g1 type=pv cmdline=rdinit=/usr/bin/cat
# expect: guest g1 did not answer within 20 s

step "create it"
GUEST_UP_TIMEOUT=20
guest_create g1
pass
