# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What is wrong is refused in words, at once, and harms nothing else: target strings, files, a full file system, a guest
# that never connects, a frontend that writes nonsense, the kernel's own driver in the way.
#
# lab: timeout=700
# lab: guest=good type=pvh
# lab: guest=bad type=pv

# refused TARGET TEXT: xl block-attach fails without waiting for its own time limit; xl's user and the log have the text.
refused()
{
	! timeout 30 xl block-attach bad "$(xvhost_disk xvdz rw "$1")" >/var/log/lab/refused.log 2>&1 ||
		fail "target '$1' was accepted"
	! grep -qi 'timed out' /var/log/lab/refused.log || fail "xl waited in vain for target '$1'"
	grep -qF "$2" /var/log/lab/refused.log || fail "xl does not say '$2': $(tail -n 5 /var/log/lab/refused.log)"
	grep -qF "$2" "$XVHOSTD_LOG" || fail "the log does not say '$2'"
	# libxl 4.17 leaves it to the user to remove what it could not attach.
	xl_detach bad xvdz
}

# nonsense NODE VALUE [NAMED]: the frontend writes it and says that it is ready; xvhostd names the node, or another one that is
# wrong by it, and the device closes.
nonsense()
{
	local domid frontend before named=${3:-$1}

	domid=$(guest_domid bad)
	frontend=/local/domain/$domid/device/vbd/51712
	before=$(grep -c "vbd 51712.*$named" "$XVHOSTD_LOG" || true)
	xl_attach bad xvda file:path=/srv/bad.img
	xenstore-write "$frontend/ring-ref" 8 "$frontend/event-channel" 1 "$frontend/protocol" x86_64-abi
	xenstore-write -- "$frontend/$1" "$2" "$frontend/state" 3
	wait_until 10 "[[ \$(xenstore-read /local/domain/0/backend/vbd/$domid/51712/state) -ge 5 ]]"
	[[ $(grep -c "vbd 51712.*$named" "$XVHOSTD_LOG") -gt $before ]] || fail "the log does not name $named: $(tail -n 1 "$XVHOSTD_LOG")"
	xenstore-write "$frontend/state" 6
	xl_detach bad xvda
}

step "start xvhostd, a guest with load, and a guest without blkfront"
truncate -s 64M /srv/good.img /srv/bad.img
truncate -s 1000 /srv/odd.img
truncate -s 0 /srv/empty.img
truncate -s 64M /srv/short.img
mkdir -p /srv/small
mount -t tmpfs -o size=4M small /srv/small
truncate -s 32M /srv/small/full.img
xvhostd_start
guest_create good "$(xvhost_disk xvda rw file:path=/srv/good.img)"
guest_create bad
load=$(guest_start good 'fio --name=load --filename=/dev/xvda --direct=1 --ioengine=libaio --iodepth=4 --rw=randwrite \
	--bs=4k --size=48m --time_based --runtime=60 --verify=crc32c --verify_backlog=64 --verify_fatal=1 \
	--rate_iops=50 --output-format=terse')
guest_run bad 'rmmod xen-blkfront'

step "target strings and files that can't be served"
refused 'fil:path=/srv/bad.img' "no backend is called 'fil'"
refused 'file:pth=/srv/bad.img' "backend file has no parameter 'pth'"
refused 'file:path=/srv/bad.img,direct=perhaps' "parameter direct of backend file is 'perhaps'"
refused 'file:path=/srv/missing.img' "can't open '/srv/missing.img'"
refused 'file:path=/srv/odd.img' "has 1000 bytes, it must be a multiple of 512"
refused 'file:path=/srv/empty.img' 'has 0 bytes'
refused 'file:path=/srv' 'Is a directory'
refused 'file:path=/srv/bad.img,direct=on' 'direct'
refused 'null:size=1000' 'must be a multiple of 512'

step "no permission"
mount -o remount,ro /srv/small
refused 'file:path=/srv/small/full.img' "Read-only file system"
mount -o remount,rw /srv/small

step "a frontend that writes nonsense into its nodes"
nonsense ring-ref banana
nonsense ring-ref -1
nonsense ring-ref 99999999999
nonsense ring-ref 4000000000
nonsense event-channel 0x10
nonsense event-channel 4000000000
nonsense protocol vax-abi
nonsense ring-page-order 5
nonsense ring-page-order 4294967297
nonsense multi-queue-num-queues 0
nonsense multi-queue-num-queues 17
nonsense multi-queue-num-queues 2 queue-0/ring-ref

step "a guest that never connects"
xl_attach bad xvda file:path=/srv/bad.img
nap 2
xl_detach bad xvda

step "after all that, the same guest can use a disk"
guest_run bad 'modprobe xen-blkfront'
xl_attach bad xvda file:path=/srv/bad.img
guest_run bad 'for i in $(seq 100); do [ -b /dev/xvda ] && exit 0; sleep 0.1; done; exit 1'
guest_run bad 'dd if=/dev/urandom of=/dev/xvda bs=64k count=16 oflag=direct status=none'

step "a file that became shorter"
xl_attach bad xvdb file:path=/srv/short.img
truncate -s 1M /srv/short.img
! guest_run bad 'dd if=/dev/xvdb of=/dev/null bs=64k skip=160 count=1 iflag=direct status=none' >/dev/null ||
	fail "what is no longer there was read"
guest_run bad 'dd if=/dev/xvdb of=/dev/null bs=64k count=16 iflag=direct status=none'
# Whoever comes first: the read, or the look at the file's size.
grep -qE 'is shorter now|has shrunk: 1048576 bytes instead of 67108864' "$XVHOSTD_LOG" || fail "the log does not say that the file is shorter"

step "a full file system: an I/O error for the guest, a sentence in the log"
xl_attach bad xvdc file:path=/srv/small/full.img
! guest_run bad 'dd if=/dev/urandom of=/dev/xvdc bs=64k count=320 oflag=direct status=none' >/dev/null ||
	fail "20 MiB fit into 4 MiB"
grep -q 'vbd 51744: write .* No space left on device' "$XVHOSTD_LOG" || fail "the log does not say that the disk is full"
guest_run bad 'dd if=/dev/xvdc of=/dev/null bs=64k count=16 iflag=direct status=none'

step "the guest with load was not disturbed"
guest_wait --timeout 150 good "$load" >/dev/null || fail "fio in the good guest found an error"

step "shut down, nothing is left"
guest_shutdown bad
guest_shutdown good
xvhostd_stop
umount /srv/small
expect_clean
! xenstore-ls /local/domain/0/error 2>/dev/null | grep -q vbd || fail "error nodes are left in xenstore"
pass
