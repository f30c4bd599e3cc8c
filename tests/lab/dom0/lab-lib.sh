# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What scenarios are written with, in Dom0. Each subject has its own file; README.md lists the functions.
# A function that cannot do its work ends the scenario by fail(); those that answer a question return 0 or 1.
# `local -; set +x` keeps a function's inside out of the scenario's trace.
for part in /lab/lib/*.sh; do
	# shellcheck source=/dev/null
	. "$part"
done
unset part
