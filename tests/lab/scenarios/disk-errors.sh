# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Disks that fail, are slow, and hang: the guest gets the errors as they are, a disk goes on when its device does, and one that hangs
# keeps neither the guest's other disks nor those of other guests, nor xl.
#
# lab: timeout=700 packages=dm
# lab: guest=pvh type=pvh kernel=6.12
# lab: guest=pv type=pv kernel=6.1

export DM_DISABLE_UDEV=1
FIO='fio --direct=1 --ioengine=libaio --output-format=terse'
VERIFY='--verify=crc32c --verify_fatal=1'

# table TABLE...: what the device `bad` does from now on; lines of 64 MiB together.
table()
{
	dmsetup suspend --nolockfs bad
	printf '%s\n' "$@" | dmsetup load bad
	dmsetup resume bad
}

# reads NAME MIB: whether the guest can read this megabyte of the bad disk.
reads()
{
	guest_run "$1" "dd if=/dev/xvda of=/dev/null bs=64k skip=$(($2 * 16)) count=1 iflag=direct status=none" 2>/dev/null
}

# until_waiting NAME DISK: until all 8 requests of a load wait for an answer.
until_waiting()
{
	wait_until 30 "[[ \$(guest_run $1 \"awk '{ print \\\$9 }' /sys/block/$2/stat\") == 8 ]]"
}

step "a device of many kinds, and two guests that have a good disk, too"
truncate -s 64M /srv/bad.img /srv/good.img /srv/other.img
loop=$(losetup --find --show /srv/bad.img)
modprobe -a dm-mod dm-delay
good="0 131072 linear $loop 0"
dmsetup create bad --table "$good"
xvhostd_start
guest_launch pvh "$(xvhost_disk xvda rw file:path=/dev/mapper/bad,direct=on)" "$(xvhost_disk xvdb rw file:path=/srv/good.img)"
guest_launch pv "$(xvhost_disk xvda rw file:path=/srv/other.img)"
guest_wait_up pvh
guest_wait_up pv
guest_run pvh 'dd if=/dev/urandom of=/dev/xvda bs=1M count=4 oflag=direct status=none'

step "a megabyte that can't be read or written: an error there, and nowhere else"
table "0 4096 linear $loop 0" "4096 2048 error" "6144 124928 linear $loop 6144"
reads pvh 1 || fail "before the bad part"
! reads pvh 2 || fail "the bad part was read"
reads pvh 3 || fail "behind the bad part"
! guest_run pvh 'dd if=/dev/zero of=/dev/xvda bs=64k seek=32 count=1 oflag=direct status=none' 2>/dev/null ||
	fail "the bad part was written"
! guest_run pvh 'dd if=/dev/zero of=/dev/xvda bs=256k seek=7 count=2 oflag=direct status=none' 2>/dev/null ||
	fail "a request that ends in the bad part was written"
grep -q 'write of .* failed: Input/output error' "$XVHOSTD_LOG" || fail "the log does not say so"
guest_run pvh 'dd if=/dev/zero of=/dev/xvda bs=64k seek=112 count=1 oflag=direct status=none && sync'

step "the device is well again, and so is the disk"
table "$good"
for megabyte in 1 2 3; do
	reads pvh $megabyte || fail "megabyte $megabyte"
done
expect_equal "first MiB" "$(head -c 1M "$loop" | sha256sum)" "$(guest_run pvh 'head -c 1M /dev/xvda | sha256sum')"
guest_run pvh --timeout 60 "$FIO $VERIFY --name=well --filename=/dev/xvda --rw=randwrite --bs=16k --iodepth=8 --offset=8m --size=4m" >/dev/null

step "slow: half a second for each request, while the guest's other disk and the other guest go on"
table "0 131072 delay $loop 0 500"
slow=$(guest_start pvh "$FIO --name=slow --filename=/dev/xvda --rw=randread --bs=4k --iodepth=4 --size=8m --time_based --runtime=60")
fast=$(guest_start pvh "$FIO $VERIFY --name=fast --filename=/dev/xvdb --rw=randwrite --bs=4k --iodepth=4 --size=1m")
guest_run pv --timeout 60 "$FIO $VERIFY --name=fast --filename=/dev/xvda --rw=randwrite --bs=4k --iodepth=4 --size=1m" >/dev/null
fast=$(guest_wait pvh "$fast" --timeout 60)
[[ ! -e /run/lab/$slow.end ]] || fail "the good disks took as long as the slow one"
note "1 MiB of the good disk took $(cut -d ';' -f 50 <<<"$fast") ms beside it"
guest_run pvh 'killall -INT fio'
requests=$({ guest_wait pvh "$slow" --timeout 60 || true; } | grep ';' | cut -d ';' -f 8)
note "the slow disk: $requests reads a second, 8 can be"
((requests >= 1 && requests <= 9)) || fail "the slow disk was not slow"

step "hangs: what was asked waits, and is answered when the device goes on"
table "$good"
dmsetup suspend --noflush --nolockfs bad
hung=$(guest_start pvh "$FIO $VERIFY --name=hung --filename=/dev/xvda --rw=randwrite --bs=4k --iodepth=8 --offset=16m --size=1m")
until_waiting pvh xvda
guest_run pvh --timeout 60 "$FIO $VERIFY --name=beside --filename=/dev/xvdb --rw=randwrite --bs=4k --iodepth=4 --size=1m" >/dev/null
guest_run pv --timeout 60 "$FIO $VERIFY --name=beside --filename=/dev/xvda --rw=randwrite --bs=4k --iodepth=4 --size=1m" >/dev/null
expect_equal "requests that wait" 8 "$(guest_run pvh "awk '{ print \$9 }' /sys/block/xvda/stat")"
dmsetup resume bad
guest_wait pvh "$hung" --timeout 60 >/dev/null

step "hangs while it is detached: xl comes back in time, and neither the guest's other disk nor the other guest notices"
load=$(guest_start pv "$FIO $VERIFY --name=load --filename=/dev/xvda --rw=randwrite --bs=4k --iodepth=4 --size=1m --time_based --runtime=25")
dmsetup suspend --noflush --nolockfs bad
hung=$(guest_start pvh "$FIO --name=hung --filename=/dev/xvda --rw=randread --bs=4k --iodepth=8 --size=1m")
until_waiting pvh xvda
began=$SECONDS
! timeout 60 xl block-detach pvh xvda >/tmp/xl.log 2>&1 || fail "xl detached a disk that hangs"
note "xl gave up after $((SECONDS - began)) s: $(tail -n 1 /tmp/xl.log)"
((SECONDS - began <= 20)) || fail "xl took $((SECONDS - began)) s"
guest_run pvh --timeout 60 "$FIO $VERIFY --name=beside --filename=/dev/xvdb --rw=randwrite --bs=4k --iodepth=4 --size=1m" >/dev/null
guest_wait pv "$load" --timeout 60 >/dev/null || fail "the other guest noticed"
dmsetup resume bad
guest_wait pvh "$hung" --timeout 60 >/dev/null || true
xl_detach pvh xvda
wait_until 20 'dmsetup remove bad 2>/dev/null'

step "hangs while its guest is destroyed, which has no other disk in use: the worker is ended with it"
dmsetup create bad --table "$good"
xl_attach pv xvdb file:path=/dev/mapper/bad,direct=on
guest_run pv 'for i in $(seq 100); do [[ -b /dev/xvdb ]] && exit 0; sleep 0.1; done; exit 1'
dmsetup suspend --noflush --nolockfs bad
guest_start pv "$FIO --name=hung --filename=/dev/xvdb --rw=randread --bs=4k --iodepth=8 --size=1m" >/dev/null
until_waiting pv xvdb
began=$SECONDS
timeout 60 xl destroy pv >/tmp/xl.log 2>&1 && ended=0 || ended=$?
note "xl destroy ended with status $ended after $((SECONDS - began)) s"
((SECONDS - began <= 30)) || fail "xl took $((SECONDS - began)) s"
guest_run pvh --timeout 60 "$FIO $VERIFY --name=beside --filename=/dev/xvdb --rw=randwrite --bs=4k --iodepth=4 --size=1m" >/dev/null
dmsetup resume bad
guest_wait_gone pv
! dmesg | grep -m 1 'BUG: \|WARNING: ' || fail "Dom0's kernel was harmed"

step "shut down, nothing is left"
guest_shutdown pvh
wait_until 30 'dmsetup remove bad 2>/dev/null'
losetup -D
xvhostd_stop
expect_clean
pass
