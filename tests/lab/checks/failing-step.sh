# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A comparison in the second step fails: the report names that step and both values.
#
# lab: timeout=60
# expect: FAILED.* in step: the second step
# expect: answer should be '42' but is '41'

step "the first step"
true
step "the second step"
expect_equal "answer" 42 41
step "the third step"
pass
