# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Programs of libxenforeignmemory under xvhost-accel, with the module and without: a dump of a PV and a PVH guest's
# memory holds what the guest has, a program that uses the library in unusual ways sees no difference, and the PVH guest migrates
# to this host, is saved and restored.
#
# lab: timeout=800
# lab: guest=pv type=pv memory=128M
# lab: guest=pvh type=pvh memory=128M

DUMP=/usr/libexec/xvhost/tests/guest-dump
PATTERN_PAGES=3000 # of 4096 bytes

# fill NAME: a file in the guest's memory with a pattern of its own in each page; prints its checksum.
fill()
{
	guest_run "$1" "mkdir -p /pattern && mount -t tmpfs tmpfs /pattern &&
		awk 'BEGIN { for (page = 0; page < $PATTERN_PAGES; page++)
			printf \"%-4095s\\n\", sprintf(\"pattern-$1 page %05d\", page) }' >/pattern/file &&
		stat -c %s /pattern/file && cksum </pattern/file" --timeout 120
}

# count_pattern FILE NAME: how many pages of the pattern are in a dump, each counted once.
count_pattern()
{
	grep -aob "pattern-$2 page [0-9][0-9][0-9][0-9][0-9]" "$1" | awk -F: '$1 % 4096 == 0 { print $2 }' | sort -u | wc -l
}

# dump_test NAME [COMMAND]: dumps the guest's memory; COMMAND runs the program.
dump_test()
{
	local name=$1 file=/srv/$1.dump found

	shift
	xl pause "$name"
	"$@" "$DUMP" "$(guest_domid "$name")" "$file" 2>/var/log/lab/dump.log || fail "guest-dump $name: $(tail -n 1 /var/log/lab/dump.log)"
	xl unpause "$name"
	tr '\r' '\n' </var/log/lab/dump.log | tail -n 1
	found=$(count_pattern "$file" "$name")
	expect_equal "pages of the pattern in the dump of $name" "$PATTERN_PAGES" "$found"
	[[ $(($(stat -c '%b * %B' "$file"))) -lt $(stat -c %s "$file") ]] || fail "the dump of $name has no holes"
	# A PV guest that runs goes on with its page tables.
	expect_equal "output of $name" alive "$(guest_run "$name" 'echo alive')"
}

# unusual_test NAME OTHER: what accel-test says is the same in both ways.
unusual_test()
{
	local name=$1 other=$2 frames plain accelerated

	if [[ $name == pv ]]; then
		frames=$(remap_frames pv)
		read -d '' -ra frames < <(od -An -v -t u8 -j 80000 -N 32 "$frames") || true
	else
		frames=(9000 9001 9002 9003)
	fi
	xl pause "$name"
	plain=$("$REMAP_TESTS/accel-test" "$(guest_domid "$name")" "$(guest_domid "$other")" "${frames[@]}" 2>&1) || fail "accel-test $name: $plain"
	accelerated=$(xvhost-accel "$REMAP_TESTS/accel-test" "$(guest_domid "$name")" "$(guest_domid "$other")" "${frames[@]}" 2>&1) ||
		fail "xvhost-accel accel-test $name: $accelerated"
	xl unpause "$name"
	echo "$plain"
	expect_equal "what accel-test says of $name under xvhost-accel" "$plain" "$accelerated"
}

# uses_remap COMMAND...: runs it; the program that saves and restores memory for xl must have the device open meanwhile.
uses_remap()
{
	local seen='' command fd name

	"$@" >/var/log/lab/uses-remap.log 2>&1 &
	command=$!
	while kill -0 $command 2>/dev/null && [[ -z $seen ]]; do
		for fd in $(find /proc/[0-9]*/fd -lname /dev/xen/remap 2>/dev/null || true); do
			read -r name 2>/dev/null <"${fd%/fd/*}/comm" || continue
			[[ $name != libxl-save* ]] || seen=$fd
		done
		nap 0.1
	done
	wait $command || {
		tail -n 20 /var/log/lab/uses-remap.log
		fail "$1 $2 $3 ended with status $?: $(tail_line /var/log/lab/uses-remap.log)"
	}
	[[ -n $seen ]] || fail "libxl-save-helper did not open /dev/xen/remap during: $*"
}

step "a pattern in the memory of a PV and a PVH guest"
guest_launch pv
guest_launch pvh
guest_wait_up pv
guest_wait_up pvh
declare -A SUM
for name in pv pvh; do
	SUM[$name]=$(fill $name)
	note "pattern of $name: ${SUM[$name]//$'\n'/, }"
done

step "dumps without the module: xvhost-accel steps aside and says so"
for name in pv pvh; do
	dump_test $name
	mv /srv/$name.dump /srv/$name.first
	dump_test $name xvhost-accel
	grep -q '^xvhost-accel: /dev/xen/remap is missing' /var/log/lab/dump.log || fail "xvhost-accel said nothing"
done

step "dumps by the module"
remap_load
for name in pv pvh; do
	dump_test $name xvhost-accel
	rm /srv/$name.{dump,first}
done
expect_equal "what xvhost-accel says" '' "$(grep xvhost-accel /var/log/lab/dump.log || true)"

step "other uses of the library"
unusual_test pvh pv
unusual_test pv pvh

step "the PVH guest migrates to this host"
uses_remap xvhost-accel xl migrate -s '' pvh "xl migrate-receive"
expect_equal "pattern after migration" "${SUM[pvh]}" "$(guest_run pvh 'stat -c %s /pattern/file; cksum </pattern/file')"

step "both are saved and restored"
for name in pv pvh; do
	uses_remap xvhost-accel xl save $name /srv/$name.saved
	uses_remap xvhost-accel xl restore /srv/$name.saved
	rm /srv/$name.saved
	expect_equal "pattern after restore" "${SUM[$name]}" "$(guest_run $name 'stat -c %s /pattern/file; cksum </pattern/file')"
done

step "nothing is left"
guest_destroy pv
guest_destroy pvh
expect_clean
remap_unload
pass
