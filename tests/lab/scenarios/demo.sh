# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What xvhost is for: a PV and a PVH guest each get a disk that xvhost serves from a file in Dom0, and a network card on a
# bridge of Dom0. Each makes a file system on its disk, copies files, finds them unchanged after unmounting and mounting
# again, and lets fio write and verify. Guests and Dom0 ping each other with packets of all sizes, run iperf3, and send
# each other files. Then Dom0 looks at the images.
#
# lab: timeout=700 packages=net guest_packages=net
# lab: guest=pv type=pv
# lab: guest=pvh type=pvh

GUESTS=(pv pvh)
FILES=/usr/sbin # what the guests copy: some megabytes of programs
BRIDGE=xenbr0
TARGET=tap:bridge=$BRIDGE
declare -A ADDRESS=([dom0]=10.0.0.1 [pv]=10.0.0.2 [pvh]=10.0.0.3)

step "start xvhostd"
for name in "${GUESTS[@]}"; do
	truncate -s 256M "/srv/$name.img"
done
net_bridge $BRIDGE "${ADDRESS[dom0]}/24"
net_config "[network $BRIDGE]" "target = $TARGET"
xvhostd_start

GUEST_VIFS=("$(net_vif xvhost $BRIDGE)")
for name in "${GUESTS[@]}"; do
	step "create the ${name^^} guest with a disk, target=file:path=/srv/$name.img, and a network card, target=$TARGET"
	guest_create "$name" "$(xvhost_disk xvda rw "file:path=/srv/$name.img")"
done

for name in "${GUESTS[@]}"; do
	step "${name^^}: make ext4, copy files, note their checksums"
	guest_run "$name" 'mkfs.ext4 -q /dev/xvda && mount /dev/xvda /mnt'
	guest_run "$name" "cp -rL $FILES /mnt/copy && cd $FILES && find . -type f | sort | xargs sha256sum >/mnt/sums"
	guest_run "$name" 'umount /mnt'
	step "${name^^}: mount again, compare all files by checksum"
	guest_run "$name" 'mount /dev/xvda /mnt && cd /mnt/copy && sha256sum --quiet -c /mnt/sums'
	guest_run "$name" 'wc -l </mnt/sums' >"/run/lab/$name.files"
	guest_run "$name" 'sha256sum </mnt/sums' >"/run/lab/$name.sum"
	step "${name^^}: fio writes 4 KiB blocks at random and verifies each by crc32c"
	guest_run "$name" --timeout 200 'fio --name=demo --filename=/mnt/fio --size=8m --rw=randwrite --bs=4k --direct=1 \
		--ioengine=libaio --iodepth=16 --verify=crc32c --verify_fatal=1 --output-format=json' \
		>"/run/lab/$name.json" || fail "fio found an error: $(head -c 300 "/run/lab/$name.json")"
	guest_run "$name" 'cd / && umount /mnt'
done

for name in "${GUESTS[@]}"; do
	net_up "$name" "${ADDRESS[$name]}/24"
done
for pair in 'pv dom0' 'pvh dom0' 'pvh pv'; do
	read -r from to <<<"$pair"
	step "${from^^} and ${to^^}: ping with 1 byte to 64 KiB, send a file each way, iperf3 each way by TCP and UDP"
	net_converse "$from" "$to" "${ADDRESS[$to]}" >>/run/lab/net.jsonl
	net_ping "$to" "${ADDRESS[$from]}" 1 $NET_PING_MAX
	net_transfer "$to" "$from" "${ADDRESS[$from]}" 4
done

for name in "${GUESTS[@]}"; do
	step "shut the ${name^^} guest down"
	guest_shutdown "$name"
done

for name in "${GUESTS[@]}"; do
	step "${name^^}: look at the image from Dom0: e2fsck, and every file by content"
	e2fsck -f -n "/srv/$name.img" >"/var/log/lab/e2fsck-$name.log" 2>&1 ||
		fail "e2fsck found errors on $name.img: $(tail -n 1 "/var/log/lab/e2fsck-$name.log")"
	mkdir -p "/mnt/$name"
	mount -o loop,ro "/srv/$name.img" "/mnt/$name"
	expect_equal "checksum of the list of checksums" "$(cat "/run/lab/$name.sum")" "$(sha256sum <"/mnt/$name/sums")"
	(cd "/mnt/$name/copy" && sha256sum --quiet -c ../sums) || fail "a file on $name.img is not what the guest copied"
	umount "/mnt/$name"
done

step "stop xvhostd, nothing is left behind"
xvhostd_stop
net_bridge_remove $BRIDGE
expect_clean

# served NAME: the bytes that the worker read and wrote for a guest, from its log.
served()
{
	sed -n "s|.*guest $1 vbd .* disconnected after .*, \([0-9]*\) bytes read, \([0-9]*\) written.*|\2 \1|p" \
		"$XVHOSTD_LOG"
}

{
	printf '%-6s %15s %15s %18s %12s %12s\n' guest 'bytes written' 'bytes read' verified 'write IOPS' 'verify IOPS'
	domid=1
	for name in "${GUESTS[@]}"; do
		read -r written read < <(served $((domid++)))
		printf '%-6s %15s %15s %18s %12.0f %12.0f\n' "$name" "$written" "$read" \
			"$(cat "/run/lab/$name.files") files, 8 MiB" \
			"$(jq '.jobs[0].write.iops' "/run/lab/$name.json")" "$(jq '.jobs[0].read.iops' "/run/lab/$name.json")"
	done
	echo
	printf '%-6s %-6s %15s %10s %12s %8s %18s %8s\n' from to 'bytes of pings' files 'TCP Mbit/s' back 'UDP, of 2 Mbit/s' back
	jq -r '"\(.from) \(.to) \(.tcp) \(.tcp_back) \(.udp) \(.udp_back)"' /run/lab/net.jsonl | while read -r from to rates; do
		# shellcheck disable=SC2086 # four words
		printf '%-6s %-6s %15s %10s %12.1f %8.1f %18.1f %8.1f\n' "$from" "$to" "1 to $NET_PING_MAX" '2 x 4 MiB' $rates
	done
	echo
	echo "All that the guests wrote through xvhost was read back unchanged, and all files that they sent came unchanged."
} >/var/log/lab/summary
pass
