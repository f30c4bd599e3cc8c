# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A command that nothing guards fails: the report names its line.
#
# lab: timeout=60
# expect: line 11 of the scenario ended with status 3: \( exit 3 \)
# expect: FAILED.* in step: run something

step "run something"
(exit 3)
pass
