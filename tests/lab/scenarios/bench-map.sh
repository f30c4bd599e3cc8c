# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What mapping and unmapping a guest's pages costs in Dom0, in instructions. Run by tests/bench/map.
#
# lab: timeout=900 icount=yes stall=300
# lab: guest=pv type=pv memory=128M
# lab: guest=pvh type=pvh memory=128M

ROUNDS=3

step "a PV and a PVH guest, paused"
remap_load
guest_launch pv
guest_launch pvh
guest_wait_up pv
guest_wait_up pvh
for guest in pv pvh; do
	frames=$(remap_frames "$guest")
	xl pause "$guest"
	step "mapping pages of the ${guest^^} guest"
	"$REMAP_TESTS/map-pages" "$(guest_domid "$guest")" "$frames" $ROUNDS >"/var/log/lab/map-$guest.jsonl"
done
printf '{"kernel": "%s", "xen": "%s.%s%s"}\n' "$(uname -r)" "$(</sys/hypervisor/version/major)" \
	"$(</sys/hypervisor/version/minor)" "$(</sys/hypervisor/version/extra)" >/var/log/lab/versions.json
pass
