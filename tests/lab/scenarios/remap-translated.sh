# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The same as remap-module in a Dom0 with its own translation (PVH), where mapping goes another way.
#
# lab: timeout=800 dom0_type=pvh
# lab: guest=pvh type=pvh memory=128M

# Enough for two blocks; this takes many times as long as in a PV Dom0.
REMAP_FRAMES=2100
REMAP_OPTIONS=(--short)

step "the module loads"
remap_load
expect_equal "the module's way" 'xen_remap: maps guest memory the auto-translated way' \
	"$(dmesg | sed -n 's/.*\(xen_remap: maps.*\)/\1/p')"

step "lists and misuse"
guest_create pvh
remap_tests pvh
expect_equal "output of the PVH guest" alive "$(guest_run pvh 'echo alive')"

step "the guest is destroyed while its memory is mapped"
remap_destroy pvh unmap

step "nothing is left, and the module can go"
expect_clean
remap_unload
pass
