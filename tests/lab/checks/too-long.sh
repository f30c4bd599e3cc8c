# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A scenario that does not end is ended in Dom0, early enough for its logs to come out.
#
# lab: timeout=50
# expect: did not end within its 20 s, in step: sleep
# expect: this line is in the scenario's output

step "sleep"
echo "this line is in the scenario's output"
sleep 1000
pass
