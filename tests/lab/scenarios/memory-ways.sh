# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Each way to a guest's memory carries data, is taken when it should be, and is told in the log with the reason: frames by
# privcmd, grants, grants that stay, frames by the kernel module; per host and per disk; for direct I/O, too.
#
# lab: timeout=700
# lab: guest=pv type=pv memory=128M
# lab: guest=pvh type=pvh memory=128M

A=51712 B=51728 C=51744 D=51760 # xvda to xvdd
PV_FRAMES='cached frames where we read and grants where we write, for a PV guest, by'
PV_STAY='grants that a PV guest leaves in place'
GRANTS='grants \(memory=grant\)'

# data: both guests write to each of their disks and read it again; what they read is in the images.
data()
{
	local name disk disks jobs

	for name in pv pvh; do
		disks=(a b c)
		[[ $name == pv ]] || disks+=(d)
		jobs=''
		for disk in "${disks[@]}"; do
			jobs+=" --name=$disk --filename=/dev/xvd$disk"
		done
		guest_run $name "fio --thread --direct=1 --ioengine=libaio --iodepth=8 --rw=randwrite --bsrange=512-64k --blockalign=512 \
			--size=512k --verify=crc32c --verify_fatal=1 --output-format=terse $jobs" >"/var/log/lab/fio-$name.log" ||
			fail "fio in guest $name: $(tail -n 2 "/var/log/lab/fio-$name.log")"
		for disk in "${disks[@]}"; do
			expect_equal "checksum of $name's $disk" "$(sha256sum <"/srv/$name.$disk")" \
				"$(guest_run $name "dd if=/dev/xvd$disk bs=1M iflag=direct status=none | sha256sum")"
		done
	done
}

# expect_registered COUNT: so often memory was registered for the disk with direct I/O, and never for another or in vain.
expect_registered()
{
	expect_equal "registrations for vbd $D" "$1" \
		"$(grep -c "vbd $D: direct I/O by 4096 KiB that are registered with io_uring$" "$XVHOSTD_LOG")"
	expect_equal 'lines about registering' "$1" "$(grep -c 'with io_uring' "$XVHOSTD_LOG")"
}

# restart LINE...: xvhostd, with this in xvhost.conf; the guests stay connected.
restart()
{
	xvhostd_stop
	memory_config "$@"
	xvhostd_start
}

step "without the kernel module: frames by privcmd, where nothing else is asked for"
for name in pv pvh; do
	truncate -s 2M /srv/$name.{a,b,c}
done
truncate -s 2M /srv/pvh.d
loop=$(loop_disk /srv/pvh.d)
xvhostd_start
guest_launch pv "$(xvhost_disk xvda rw file:path=/srv/pv.a)" \
	"$(xvhost_disk xvdb rw memory=grant,file:path=/srv/pv.b)" \
	"$(xvhost_disk xvdc rw memory=foreign,file:path=/srv/pv.c)"
guest_launch pvh "$(xvhost_disk xvda rw file:path=/srv/pvh.a)" \
	"$(xvhost_disk xvdb rw memory=grant,file:path=/srv/pvh.b)" \
	"$(xvhost_disk xvdc rw memory=foreign,file:path=/srv/pvh.c)" \
	"$(xvhost_disk xvdd rw "file:path=$loop,direct=on")"
guest_wait_up pv
guest_wait_up pvh
data
memory_expect_way pv $A "$PV_STAY"
memory_expect_way pv $B "$GRANTS"
memory_expect_way pv $C "$PV_FRAMES privcmd \(.*not loaded\)"
for disk in $A $C $D; do
	memory_expect_way pvh $disk 'cached frames, by privcmd \(.*not loaded\)'
done
memory_expect_way pvh $B "$GRANTS"
expect_registered 1

step "grants for all disks that do not ask for something else"
restart 'access = grant'
data
memory_expect_way pv $A "$GRANTS"
for disk in $A $B $D; do
	memory_expect_way pvh $disk "$GRANTS"
done
memory_expect_way pv $C "$PV_FRAMES privcmd \(.*not loaded\)"
memory_expect_way pvh $C 'cached frames, by privcmd \(.*not loaded\)'
expect_registered 1

step "with the kernel module: frames by it"
remap_load
restart
data
memory_expect_way pv $A "$PV_STAY"
memory_expect_way pv $B "$GRANTS"
memory_expect_way pv $C "$PV_FRAMES remap \(/dev/xen/remap is there\)"
for disk in $A $C $D; do
	memory_expect_way pvh $disk 'cached frames, by remap \(/dev/xen/remap is there\)'
done
memory_expect_way pvh $B "$GRANTS"

step "shut down, nothing is left"
guest_shutdown pv
guest_shutdown pvh
losetup -d "$loop"
xvhostd_stop
expect_clean
remap_unload
pass
