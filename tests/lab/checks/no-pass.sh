# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A scenario that ends without pass has not passed.
#
# lab: timeout=60
# expect: ended without pass

step "do nothing"
