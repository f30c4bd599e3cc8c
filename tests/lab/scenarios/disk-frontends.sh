# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What Linux's frontend can be told to do, in both kernels: as many and as large rings and requests as it has. And what it does where
# grants are the way: it leaves them in place. Both at once would take a gigabyte of the guest for each disk.
#
# lab: timeout=900
# lab: guest=old type=pvh kernel=6.1 vcpus=2
# lab: guest=new type=pv kernel=6.12 vcpus=2
# lab: guest=oldkept type=pv kernel=6.1 memory=192M
# lab: guest=newkept type=pvh kernel=6.12 memory=192M

FIO='fio --direct=1 --ioengine=libaio --output-format=terse --verify=crc32c --verify_fatal=1'

# line NAME: what the guest's driver says of its disk.
line()
{
	guest_run "$1" "dmesg | grep 'blkfront: xvda:' | sed 's/.*xvda: //'"
}

# use NAME BYTES: requests of up to so many, verified; what lies beside a discard stays.
use()
{
	guest_run "$1" --timeout 120 "$FIO --filename=/dev/xvda --name=use --rw=randrw --bsrange=4k-$2 --iodepth=16 --fsync=20 \
		--size=8m" >/dev/null || fail "$1: fio found an error"
	guest_run "$1" "head -c 1M /dev/urandom >/tmp/data && dd if=/tmp/data of=/dev/xvda bs=$2 oflag=direct conv=fsync status=none &&
		blkdiscard -o 256k -l 256k /dev/xvda && dd if=/dev/zero of=/tmp/data bs=256k seek=1 count=1 conv=notrunc status=none &&
		sha256sum </tmp/data >/tmp/sum && dd if=/dev/xvda bs=$2 count=$((1048576 / $2)) iflag=direct status=none |
		sha256sum | cmp - /tmp/sum" || fail "$1: content"
}

step "start xvhostd and the guests"
mkdir -p /etc/xvhost
printf '[disk]\nmax_queues = 2\n' >/etc/xvhost/xvhost.conf
xvhostd_start
for name in old new oldkept newkept; do
	truncate -s 64M /srv/$name.img
	[[ $name == *kept ]] && target=memory=grant, || target=memory=foreign,
	[[ $name == *kept ]] ||
		GUEST[$name.cmdline]='xen_blkfront.max_indirect_segments=256 xen_blkfront.max_ring_page_order=4 xen_blkfront.max_queues=2'
	guest_launch $name "$(xvhost_disk xvda rw "${target}file:path=/srv/$name.img")"
done
for name in old new oldkept newkept; do
	guest_wait_up $name
	note "$name: $(line $name)"
done

step "large rings and requests"
for name in old new; do
	expect_equal "$name: largest request in KiB" 1024 "$(guest_run $name 'cat /sys/block/xvda/queue/max_hw_sectors_kb')"
	expect_equal "$name: queues" 2 "$(guest_run $name 'ls /sys/block/xvda/mq | wc -l')"
	use $name 1048576
done
expect_equal "rings in the log" 2 "$(grep -c 'connected, x86_64, 2 rings of 16 pages with 512 entries' "$XVHOSTD_LOG")"

step "grants that stay"
for name in oldkept newkept; do
	[[ $(line $name) == *"persistent grants: enabled"* ]] || fail "$name: they do not"
	use $name 131072
done
expect_equal "in the log" 2 "$(grep -c 'with 32 entries, persistent grants' "$XVHOSTD_LOG")"

step "shut down, nothing is left"
for name in old new oldkept newkept; do
	guest_shutdown $name
done
xvhostd_stop
expect_clean
pass
