# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A Dom0 from which nothing is heard any more.
#
# lab: timeout=300 stall=15
# within: 90
# expect: nothing heard from Dom0 for 15 s

step "stop what says that Dom0 is alive"
kill -STOP "$(pgrep -P 1 -x init)"
sleep 1000
pass
