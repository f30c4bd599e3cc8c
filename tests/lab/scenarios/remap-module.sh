# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The kernel module xen_remap maps memory of a PV and a PVH guest by lists, refuses misuse, and leaves nothing behind when
# processes are killed and guests are destroyed under it.
#
# lab: timeout=700
# lab: guest=pv type=pv memory=128M
# lab: guest=pvh type=pvh memory=128M

step "the module loads, and its device is for root alone"
remap_load
expect_equal "mode of the device" '600 0 0 character special file' "$(stat -c '%a %u %g %F' /dev/xen/remap)"
if setpriv --reuid 65534 --clear-groups bash -c ': </dev/xen/remap' 2>/dev/null; then
	fail "a user without rights could open the device"
fi

step "lists and misuse, PVH and PV guest"
guest_launch pv
guest_launch pvh
guest_wait_up pv
guest_wait_up pvh
remap_tests pvh
remap_tests pv
expect_equal "output of the PV guest" alive "$(guest_run pv 'echo alive')"
expect_equal "output of the PVH guest" alive "$(guest_run pvh 'echo alive')"

step "guests destroyed while their memory is mapped"
remap_destroy pv unmap
remap_destroy pvh kill

step "nothing is left, and the module can go"
expect_clean
remap_unload
pass
