# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Load that uses all of a guest's memory for its disks, which are xvda to be written and xvdb to be read, and what Xen and
# the worker say of that memory.
#
# A load runs until memory_load_end; it ends sooner only when it has read something else than it should.

MEMORY_STOP=/run/lab-stop # in the guest: its loads end when this file is there
declare -A MEMORY_JOBS

# memory_config LINE...: the section [memory] of xvhost.conf, for the next xvhostd_start.
memory_config()
{
	mkdir -p /etc/xvhost
	printf '%s\n' '[memory]' "$@" >/etc/xvhost/xvhost.conf
}

# memory_way NAME DEVICE: what the worker's log says last of the way to the memory of a disk.
memory_way()
{
	sed -n "s/.*guest $(guest_domid "$1") vbd $2: memory by //p" "$XVHOSTD_LOG" | tail -n 1
}

# memory_expect_way NAME DEVICE PATTERN: that it is this way; an extended regular expression for all of the text.
memory_expect_way()
{
	local -; set +x
	local way

	way=$(memory_way "$1" "$2")
	[[ $way =~ ^($3)$ ]] || fail "memory of guest $1, vbd $2, is reached by '$way', which should be '$3'"
	note "$1, vbd $2: memory by $way"
}

# memory_load NAME FUNCTION [ARGUMENT...]: begins a load in the guest: one of the functions load_... below.
memory_load()
{
	local -; set +x
	local GUEST_JOB

	guest_begin "$1" "MEMORY_STOP=$MEMORY_STOP
$(declare -f "$2")
${*:2}"
	MEMORY_JOBS[$1]+=" $GUEST_JOB"
}

# memory_load_end NAME: ends the loads of a guest. What each has to say is in the array MEMORY_SAID, in the order of their begin.
memory_load_end()
{
	local -; set +x
	local job

	MEMORY_SAID=()
	guest_run "$1" "touch $MEMORY_STOP"
	for job in ${MEMORY_JOBS[$1]}; do
		MEMORY_SAID+=("$(guest_wait --timeout 120 "$1" "$job")") ||
			fail "a load in guest $1 has found: ${MEMORY_SAID[*]: -1}"
	done
	guest_run "$1" "rm $MEMORY_STOP"
	memory_load_forget "$1"
}

# memory_load_forget NAME: the guest is gone, and its loads with it.
memory_load_forget()
{
	MEMORY_JOBS[$1]=''
}

# ---- loads; these functions run in the guest's bash ----

# load_fio [RATE]: blocks that are written, verified, and written again, both past the page cache and through it; at most so
# many per second of each kind. Prints how often.
load_fio()
{
	local rounds=0

	until [[ -e $MEMORY_STOP ]]; do
		fio --filename=/dev/xvda --thread --verify=crc32c --verify_fatal=1 --verify_backlog=64 --output-format=terse \
			--rate_iops="${1:-150}" --rw=randwrite --name=direct --direct=1 --ioengine=libaio --iodepth=16 --bs=16k --size=6m \
			--name=buffered --direct=0 --ioengine=psync --bs=16k --offset=8m --size=4m --fsync=16 >/run/fio.out 2>&1 || {
			tail -n 5 /run/fio.out
			return 1
		}
		rounds=$((rounds + 1))
	done
	echo "$rounds rounds of fio"
}

# load_reads MIB SUM: what is read always has this checksum; each time it lies in other pages, since those of the time before
# are given back.
load_reads()
{
	local rounds=0 sum

	until [[ -e $MEMORY_STOP ]]; do
		sum=$(head -c "$1M" /dev/xvdb | cksum)
		[[ ${sum%% *} == "$2" ]] || {
			echo "after $rounds good rounds the first $1 MiB of xvdb have checksum $sum"
			return 1
		}
		echo 1 >/proc/sys/vm/drop_caches
		rounds=$((rounds + 1))
	done
	echo "$rounds times $1 MiB read"
}

# load_fill MIB: reads into the page cache bit by bit, and looks at its pages at the end only. Prints how many MiB
# these are, their checksum, and how many sectors had to be read again for that.
load_fill()
{
	local mib=0 before after sum

	exec 9</dev/xvdb
	until [[ -e $MEMORY_STOP ]]; do
		if [[ $mib -lt $1 ]]; then
			head -c 1M <&9 >/dev/null && mib=$((mib + 1))
		fi
		sleep 0.2
	done
	read -r _ _ before _ </sys/block/xvdb/stat
	sum=$(head -c "${mib}M" /dev/xvdb | cksum)
	read -r _ _ after _ </sys/block/xvdb/stat
	echo "$mib ${sum%% *} $((after - before))"
}

# Processes that come and go, with page tables of their own and pages that others had before. Prints how many. By busybox's
# shell, which is smaller than bash.
load_forks()
{
	# shellcheck disable=SC2016 # for that shell
	busybox sh -c 'processes=0
		until [ -e "$0" ]; do
			for child in 1 2 3 4 5 6 7 8 9 10; do
				: &
			done
			wait
			processes=$((processes + 10))
		done
		echo "$processes processes"' "$MEMORY_STOP"
}

# No load: counts what xvda and xvdb do before the guest's memory becomes less for the first time, while it becomes less or
# more, and between and after that. Prints requests
# per second, and for how many seconds, of each.
load_watch()
{
	local nap now last='' kb last_kb a b all last_all phase=0 requests=(0 0 0) time=(0 0 0)

	exec {nap}<> <(:)
	until [[ -e $MEMORY_STOP ]]; do
		read -r now _ </proc/uptime
		now=${now/./}
		read -r kb </sys/devices/system/xen_memory/xen_memory0/info/current_kb
		read -ra a </sys/block/xvda/stat
		read -ra b </sys/block/xvdb/stat
		all=$((a[0] + a[4] + b[0] + b[4]))
		if [[ $last ]]; then
			[[ $phase -eq 0 ]] || phase=2
			[[ $kb -eq $last_kb ]] || phase=1
			requests[phase]=$((requests[phase] + all - last_all))
			time[phase]=$((time[phase] + now - last))
		fi
		last=$now last_kb=$kb last_all=$all
		read -rt 0.2 -u "$nap" || true
	done
	for phase in 0 1 2; do
		[[ ${time[phase]} -gt 0 ]] || time[phase]=1
		echo "$((requests[phase] * 100 / time[phase])) $((time[phase] / 100))"
	done
}

# ---- memory of guests ----

declare -A MEMORY_REQUESTS # requests that the disks of guests have ended, when memory_set was done last

# memory_set MIB NAME...: balloons guests, and waits until they say that they have so much, more or less.
memory_set()
{
	local -; set +x
	local name mib=$1

	shift
	for name; do
		timeout 30 xl mem-set "$name" "$mib" || fail "xl mem-set $name $mib ended with status $?"
	done
	for name; do
		MEMORY_REQUESTS[$name]=$(guest_run "$name" --timeout 150 "until
			off=\$((\$(</sys/devices/system/xen_memory/xen_memory0/info/current_kb) / 1024 - $mib))
			[[ \${off#-} -le 2 ]]
		do
			sleep 0.2
		done
		read -ra a </sys/block/xvda/stat
		read -ra b </sys/block/xvdb/stat
		echo \$((a[0] + a[4] + b[0] + b[4]))")
	done
}
