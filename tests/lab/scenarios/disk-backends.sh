# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The backends that serve no file, and the wrappers, under real guests: ram gives memory back, limit slows its own disk and no other, log,
# error and delay do what they say, one before the other, and a server of nbd is killed under load, with what it had not written.
#
# lab: timeout=400 packages=nbd
# lab: guest=pv type=pv kernel=6.1
# lab: guest=pvh type=pvh kernel=6.12

FIO='fio --direct=1 --ioengine=libaio --output-format=terse --verify=crc32c --verify_fatal=1'
SERVER=(nbdkit -f -U /run/nbd.socket -P /run/nbd.pid --filter=cache file /srv/nbd.img cache=writeback)
export TMPDIR=/tmp # of its cache

# server_start: and until it takes connections.
server_start()
{
	rm -f /run/nbd.socket /run/nbd.pid
	"${SERVER[@]}" &
	wait_until 20 '[[ -s /run/nbd.pid && -S /run/nbd.socket ]]'
}

# server_kill: with all that it has in its cache.
server_kill()
{
	kill -KILL "$(</run/nbd.pid)"
	wait_until 10 '! kill -0 "$(</run/nbd.pid)" 2>/dev/null'
}

# of_worker NAME: the memory of its own that a guest's worker has, in KiB.
of_worker()
{
	awk '/^RssAnon:/ { print $2 }' "/proc/$(pgrep -f "xvhost-worker --domid $(guest_domid "$1")")/status"
}

step "start the server, xvhostd and the guests"
truncate -s 16M /srv/nbd.img /srv/limit.img /srv/below.img
server_start
xvhostd_start
guest_launch pv "$(xvhost_disk xvda rw ram:size=64M)" "$(xvhost_disk xvdb rw limit:iops=24,burst-ms=0,disk=file:path=/srv/limit.img)"
guest_launch pvh "$(xvhost_disk xvda rw nbd:uri=nbd+unix:///?socket=/run/nbd.socket)" "$(xvhost_disk xvdb rw \
	log:file=/var/log/lab/requests,disk=error:operations=write,trigger=/run/bad,disk=error:operations=flush,trigger=/run/unflushed,disk=delay:read-us=30000,disk=file:path=/srv/below.img)"
guest_wait_up pv
guest_wait_up pvh

step "limit: no more requests than it says, while the guest's other disk is faster"
limited=$(guest_start pv "$FIO --name=limited --filename=/dev/xvdb --rw=randwrite --bs=8k --iodepth=8 --size=1m")
guest_run pv "$FIO --name=beside --filename=/dev/xvda --rw=randwrite --bs=4k --iodepth=8 --size=256k; dmesg | grep blkfront >/tmp/features;
	grep -q 'xvda: barrier or flush: disabled' /tmp/features && grep -q 'xvdb: flush diskcache: enabled' /tmp/features" >/dev/null ||
	fail "fio found an error, or flushes are not what the backends have"
[[ ! -e /run/lab/$limited.end ]] || fail "the disk without a limit was as slow as the one with"

step "meanwhile log, error and delay, one before the other: reads take long, and writes fail as long as they shall"
read_us=$(guest_run pvh "$FIO --clocksource=clock_gettime --name=late --filename=/dev/xvdb --rw=write --bs=64k --iodepth=2 --size=1m" | cut -d ';' -f 14)
((read_us >= 30000)) || fail "a read took only $read_us us"
touch /run/bad
nap 0.5
! guest_run pvh 'dd if=/dev/zero of=/dev/xvdb bs=64k count=4 conv=fsync status=none' 2>/dev/null || fail "no write failed"
rm /run/bad
nap 0.5
guest_run pvh 'head -c 256k /dev/urandom >/tmp/data && dd if=/tmp/data of=/dev/xvdb bs=64k conv=fsync status=none &&
	dd if=/dev/xvdb bs=64k count=4 iflag=direct status=none | cmp - /tmp/data' || fail "the disk did not go on"

step "flushes that fail: Linux takes them for flushes that there are not, and the disk goes on"
touch /run/unflushed
nap 0.5
guest_run pvh 'dd if=/tmp/data of=/dev/xvdb bs=64k seek=4 conv=fsync status=none; dmesg | grep -q "blkfront: xvdb: empty flush op failed" &&
	dd if=/dev/xvdb bs=64k skip=4 count=4 iflag=direct status=none | cmp - /tmp/data' || fail "no flush failed, or the disk did not go on"
rm /run/unflushed
note "the log: $(awk '!/^#/ { count[$2 " " $5]++ } END { for (i in count) printf "%d %s, ", count[i], i }' /var/log/lab/requests)"
awk '!/^#/ && $2 == "read" && $6 < 30000 { exit 1 }' /var/log/lab/requests || fail "the log has a read that was not delayed"
for line in 'write [0-9]* [0-9]* EIO' 'write [0-9]* [0-9]* ok' 'flush 0 0 ok' 'flush 0 0 EIO'; do
	grep -q "^[0-9.]* $line [0-9]*\$" /var/log/lab/requests || fail "the log has no line '$line'"
done

step "nbd: what a killed server had only in its cache is written again"
guest_run pvh 'head -c 1M /dev/urandom >/tmp/data && dd if=/tmp/data of=/dev/xvda bs=64k oflag=direct status=none'
server_kill
sum=$(guest_run pvh 'sha256sum </tmp/data')
[[ $(head -c 1M /srv/nbd.img | sha256sum) != "$sum" ]] || fail "the server lost nothing"
server_start
guest_run pvh 'dd if=/dev/xvda bs=64k count=16 iflag=direct status=none | cmp - /tmp/data && sync /dev/xvda' || fail "it was lost"
expect_equal "the image after a flush" "$sum" "$(head -c 1M /srv/nbd.img | sha256sum)"

step "nbd: killed under load; meanwhile the limit's rate"
load=$(guest_start pvh "$FIO --name=load --filename=/dev/xvda --rw=randwrite --bsrange=4k-64k --iodepth=8 --offset=4m --size=4m --fsync=40 \
	--verify_backlog=64 --time_based --runtime=6")
for round in 1 2; do
	nap 1.5
	server_kill
	wait_until 20 "[[ \$(grep -c 'is lost; requests wait' '$XVHOSTD_LOG') == $((round + 1)) ]]"
	server_start
done
[[ ! -e /run/lab/$load.end ]] || fail "the load ended too early"
result=$(guest_wait pv "$limited" --timeout 90) || fail "fio found an error on the disk with a limit"
rate=$(cut -d ';' -f 49 <<<"$result")
note "$rate writes a second, 24 can be"
((rate >= 1 && rate <= 25)) || fail "the limit was not kept"
guest_wait pvh "$load" --timeout 60 >/dev/null || fail "fio found an error on the server's disk"

step "ram: what a file system holds stays, and what it gives back is the host's again"
guest_run pv 'mkfs.ext4 -q /dev/xvda && mount /dev/xvda /mnt && head -c 4M /dev/urandom >/mnt/kept && sha256sum </mnt/kept >/tmp/sum &&
	for i in 1 2 3 4; do cp /mnt/kept /mnt/gone$i; done && sync'
full=$(of_worker pv)
guest_run pv 'rm /mnt/gone* && sync && fstrim /mnt && umount /mnt && mount /dev/xvda /mnt && sha256sum </mnt/kept | cmp - /tmp/sum && umount /mnt'
trimmed=$(of_worker pv)
note "the worker's memory: $full KiB, after fstrim $trimmed KiB"
((full - trimmed >= 12 * 1024)) || fail "ram gave too little back"

step "shut down, nothing is left"
guest_shutdown pv
guest_shutdown pvh
server_kill
xvhostd_stop
expect_clean
pass
