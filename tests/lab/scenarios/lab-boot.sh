# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Dom0 alone: how long it takes to come up and to hand its results out.
#
# lab: timeout=700

step "Dom0 is ready"
expect_clean
pass
