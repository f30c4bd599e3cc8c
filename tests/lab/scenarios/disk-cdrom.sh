# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# CD-ROM drives whose medium is taken out and put in while guests with both kernels have them connected. They are PV guests: Linux
# leaves CD-ROM drives alone in all others, which includes PVH.
#
# lab: timeout=700
# lab: guest=old type=pv kernel=6.1
# lab: guest=new type=pv kernel=6.12

MIB=$((1 << 20))

# insert NAME TARGET: as a toolstack does; "" takes it out. xl 4.17 does it for HVM guests alone (below).
insert()
{
	xenstore-write "/local/domain/0/backend/vbd/$(guest_domid "$1")/51744/params" "$2"
}

# node NAME NODE: of the drive's backend.
node()
{
	xenstore-read "/local/domain/0/backend/vbd/$(guest_domid "$1")/51744/$2"
}

# expect_size NAME BYTES: what the guest has for the drive, after some time.
expect_size()
{
	wait_until 20 "[[ \$(guest_run $1 'blockdev --getsize64 /dev/xvdc') == $2 ]]"
}

# expect_content NAME FILE: the guest reads what is in the file, with the page cache and without.
expect_content()
{
	expect_size "$1" "$(stat -c %s "$2")"
	expect_equal "$1: content of $2" "$(for way in direct cached; do sha256sum <"$2"; done)" "$(guest_run "$1" --timeout 60 \
		'dd if=/dev/xvdc bs=256k iflag=direct status=none | sha256sum; sha256sum </dev/xvdc')"
}

step "start xvhostd and two guests, one with a medium in its drive and one without"
head -c $((4 * MIB)) /dev/urandom >/srv/a.iso
head -c $((6 * MIB)) /dev/urandom >/srv/b.iso
head -c $((6 * MIB)) /dev/urandom >/srv/c.iso
truncate -s 8M /srv/d.iso
mkdir /tmp/content
sha256sum /srv/b.iso >/tmp/content/sum
mke2fs -q -F -t ext4 -d /tmp/content /srv/d.iso
xvhostd_start
guest_launch old "devtype=cdrom,$(xvhost_disk xvdc ro file:path=/srv/a.iso)"
guest_launch new "devtype=cdrom,$(xvhost_disk xvdc ro empty)"
guest_wait_up old
guest_wait_up new

step "what the guests see"
for name in old new; do
	expect_equal "$name: removable, read-only" "1 1" "$(guest_run $name 'cat /sys/block/xvdc/{removable,ro} | xargs')"
done
expect_content old /srv/a.iso
expect_size new 0
expect_equal "bytes in an empty drive" 0 "$(guest_run new 'dd if=/dev/xvdc bs=4k iflag=direct status=none | wc -c')"

step "xl 4.17 changes the medium of HVM guests alone"
! timeout 30 xl cd-eject old xvdc >/tmp/xl.log 2>&1 || fail "xl has done it"
note "$(grep -m 1 -i cdrom /tmp/xl.log)"

step "a medium for the empty drive"
insert new file:path=/srv/b.iso
expect_content new /srv/b.iso

step "out, and another one in; on all the way from one of the same size to one of another"
for name in old new; do
	insert $name ""
	expect_size $name 0
	insert $name file:path=/srv/c.iso
	expect_content $name /srv/c.iso
	insert $name file:path=/srv/b.iso
	nap 2
	expect_content $name /srv/b.iso
	insert $name file:path=/srv/a.iso
	expect_content $name /srv/a.iso
	expect_equal "$name: state" 4 "$(node $name state)"
done

step "a medium that can't be put in leaves the drive empty, and the toolstack can read why"
insert new file:path=/srv/none.iso
expect_size new 0
wait_until 10 '[[ $(node new xvhost-status) == error ]]'
note "$(node new hotplug-error)"
insert new file:path=/srv/b.iso
expect_content new /srv/b.iso
expect_equal "status" ready "$(node new xvhost-status)"

step "who has a file system of the medium mounted gets errors when it is out, and reads again when it is in"
for name in old new; do
	insert $name file:path=/srv/d.iso
	expect_content $name /srv/d.iso
	guest_run $name 'mkdir -p /mnt && mount -t ext4 -o ro,noload /dev/xvdc /mnt'
	insert $name empty
	expect_size $name 0
	! guest_run $name 'echo 3 >/proc/sys/vm/drop_caches; cat /mnt/sum' >/dev/null 2>&1 ||
		fail "$name read a file of a medium that is out"
	insert $name file:path=/srv/d.iso
	expect_size $name $((8 * MIB))
	expect_equal "$name: a file" "$(</tmp/content/sum)" \
		"$(guest_run $name 'umount /mnt; mount -t ext4 -o ro,noload /dev/xvdc /mnt && cat /mnt/sum; umount /mnt')"
done

step "media change under load: each read is answered"
for name in old new; do
	insert $name file:path=/srv/b.iso
	expect_content $name /srv/b.iso
	jobs+=("$(guest_start $name 'fio --name=load --filename=/dev/xvdc --readonly --direct=1 --ioengine=libaio --iodepth=8 \
		--rw=randread --bs=4k --size=4m --time_based --runtime=12 --output-format=terse')")
done
for round in {1..10}; do
	for name in old new; do
		insert $name "file:path=/srv/$([[ $((round % 2)) == 1 ]] && echo c || echo b).iso"
	done
	nap 1
done
guest_wait old "${jobs[0]}" --timeout 60 >/dev/null || fail "reads failed"
guest_wait new "${jobs[1]}" --timeout 60 >/dev/null || fail "reads failed"
expect_content new /srv/b.iso
note "changes in the log: $(grep -c 'medium changed' "$XVHOSTD_LOG")"

step "shut down, nothing is left"
guest_shutdown old
guest_shutdown new
xvhostd_stop
expect_clean
pass
