# SPDX-License-Identifier: GPL-2.0-or-later
#
# What tests/bench/net does with numbers.

def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;

# ---- figures ----

# What a frame carries of TCP: a packet, whatever the cards join to larger ones.
def segment: 1448;
def is_tcp: .job | startswith("tcp-");
# Datagrams, segments, or requests there and back.
def packets: if is_tcp then .load.bytes / segment elif .job | startswith("request") then 2 * .load.units else .load.units end;
def rate: (if is_tcp then .load.bytes else .load.units end) * 1e9 / .load.elapsed_ns;
# In a lab that counts instructions these are some.
def total_ns: .cost.host_ns + .cost.guest_ns;
def instructions: total_ns / packets;

def of($runs; $way; $peer; $job): [$runs[] | select(.way == $way and .peer == $peer and (.job | startswith($job + ":")))] | sort_by(.pair);
# Pair by pair, what one way has by what another has.
def ratios($runs; $way; $other; $peer; $job; what):
	of($runs; $way; $peer; $job) as $mine | of($runs; $other; $peer; $job) as $theirs
	| [range([($mine | length), ($theirs | length)] | min) | ($mine[.] | what) / ($theirs[.] | what)];
# Of several jobs the one where it is worst.
def worst($better; $jobs; of_job): [$jobs[] | [of_job] | select(.[0] | length > 0)] | if length == 0 then []
	else (map(.[0]) | if $better == "higher" then min_by(median) else max_by(median) end) end;

def figure($name; $unit; $better; $reach; $values):
	if ($values | length) == 0 then {$name, value: null, $unit, $better, $reach, spread: null, reached: null}
	else {$name, value: ($values | median), $unit, $better, $reach, spread: [($values | min), ($values | max)]}
	| . + {reached: (if .better == "higher" then .value >= .reach else .value <= .reach end)} end;
def ratio($name; $better; $reach; $runs; $way; $peer; $jobs; what):
	figure($name; "ratio"; $better; $reach; worst($better; $jobs; ratios($runs; $way; "netback"; $peer; .; what)));

# Calls that map, unmap or copy: mmap and munmap, and of Xen's devices the commands IOCTL_PRIVCMD_MMAP and MMAPBATCH ('P', 2 to 4), those
# of gntdev ('G') and of xen_remap ('X').
def maps:
	((. / 256 | floor) % 256 | [.] | implode) as $type | ($type == "P" and (. % 256) >= 2 and (. % 256) <= 4) or $type == "G" or $type == "X";
def mapping_calls:
	([.cost.ioctls[] | select(.number | maps) | .count] | add // 0)
	+ ([.cost.system_calls[] | select(.number == 9 or .number == 11) | .count] | add // 0);
def system_calls: [.cost.system_calls[].count] | add // 0;

def tcp($direction): ["tcp-\($direction):64k:1", "tcp-\($direction):64k:4"];
def udp($direction): ["udp-\($direction):64:128", "udp-\($direction):1400:128"];
# Of the calls of all jobs of one way the most for a packet: what is not counted for one job is not hidden by another.
def most_calls($calls; calls): [$calls[] | calls / packets] | if length == 0 then [] else [max] end;

def figures($lab; $icount):
	($lab.runs // []) as $runs | ($icount.runs // []) as $counted | ($lab.calls // []) as $calls
	| [ratio("pvh_tcp_to_host_vs_netback"; "higher"; 1.0; $runs; "tap"; "host"; tcp("send"); rate),
	   ratio("pvh_tcp_to_guest_vs_netback"; "higher"; 1.0; $runs; "tap"; "host"; tcp("receive"); rate),
	   ratio("pvh_pps_to_host_vs_netback"; "higher"; 1.0; $runs; "tap"; "host"; udp("send"); rate),
	   ratio("pvh_pps_to_guest_vs_netback"; "higher"; 1.0; $runs; "tap"; "host"; udp("receive"); rate),
	   ratio("instructions_per_packet_vs_netback"; "lower"; 1.0; $counted; "tap"; "host";
		udp("send") + udp("receive") + ["tcp-send:64k:1", "tcp-receive:64k:1"]; instructions),
	   ratio("pvh_tcp_guest_to_guest_vs_bridge"; "higher"; 1.5; $runs; "switch"; "guest"; tcp("send"); rate),
	   ratio("pvh_pps_guest_to_guest_vs_bridge"; "higher"; 2.0; $runs; "switch"; "guest"; udp("send"); rate),
	   ratio("instructions_per_packet_guest_to_guest_vs_bridge"; "lower"; 0.6; $counted; "switch"; "guest";
		udp("send") + ["tcp-send:64k:1"]; instructions),
	   figure("system_calls_per_packet"; "1"; "lower"; 0.1; most_calls($calls; system_calls)),
	   figure("mapping_calls_per_packet"; "1"; "lower"; 0; most_calls($calls; mapping_calls))];

def document:
	{name: "net", $command, versions: (($lab[0].versions // $icount[0].versions // {}) + {$xvhost}),
	 figures: figures($lab[0]; $icount[0]), lab: $lab[0], icount: $icount[0], native: $native[0]};

# What xvhost-try --json says. What came to the second guest, or was answered where nothing comes. A core is one of the workers', of which
# a packet by `switch` needs two.
def native_run:
	(if .load.second_guest then .received else .sent end) as $done
	| {$pair, $backend, $size, $command, packets: $done.packets, packets_per_second: $done.packets_per_second,
	   bytes_per_second: $done.bytes_per_second, packets_per_core_second: ($done.packets_per_second / .cpu.worker_cores), lost,
	   worker_ns: (1e9 * .cpu.worker_cores / $done.packets_per_second), guest_ns: (1e9 * .cpu.guest_cores / $done.packets_per_second),
	   p50_ns: .latency_ns.p50, p99_ns: .latency_ns.p99};

# ---- showing ----

def pad($width): tostring | if length < $width then (" " * ($width - length)) + . else . end;
def left($width): tostring | if length < $width then . + (" " * ($width - length)) else . end;
def fixed: (. * 1000 | round) as $n | "\($n / 1000 | floor).\("00" + ($n % 1000 | tostring) | .[-3:])";
def whole: round | tostring;

# In the order in which they came.
def in_order(key): . as $all | reduce (.[] | key) as $one ([]; if index([$one]) then . else . + [$one] end);
def ways: ["netback", "tap", "switch"];
def job_name:
	. as {$peer, $job} | ($job | split(":")) as [$kind, $size, $count]
	| (if $peer == "host" then "Dom0" else "guest" end) as $there
	| if $kind == "request" then "request to \($there)"
	  elif $kind | startswith("tcp") then "TCP \(if $kind == "tcp-send" then "to" else "from" end) \($there) x\($count)"
	  else "UDP \($size) \(if $kind == "udp-send" then "to" else "from" end) \($there)" end;
def shown_rate: if .[0] | is_tcp then (map(rate) | median * 8 / 1e6 | fixed) + " Mbit/s"
	elif .[0].job | startswith("request") then (map(rate) | median | whole) + " 1/s"
	else (map(rate) | median | whole) + " pps" end;
# Processor time of Dom0 for a gigabyte or a million packets, in seconds.
def host_seconds: if is_tcp then .cost.host_ns / .load.bytes else .cost.host_ns / packets / 1e3 end;
def guest_seconds: if is_tcp then .cost.guest_ns / .load.bytes else .cost.guest_ns / packets / 1e3 end;
def latency($which): if .[0].load[$which] then map(.load[$which]) | median / 1000 | whole else "-" end;
def lost: map(100 * (.load.lost // 0) / (.load.units + (.load.lost // 0))) | median | fixed;

def lab_table:
	.lab as $lab | if $lab then
		"By the clock; processor seconds are for a gigabyte or a million packets. \($lab.command)",
		("" | left(32)) + (["rate", "host s", "guests s", "p50 us", "p99 us", "lost %"] | map(pad(16)) | add),
		($lab.runs | in_order({peer, job})[] as $which | ways[] as $way
		 | [$lab.runs[] | select(.way == $way and .peer == $which.peer and .job == $which.job)] | select(length > 0)
		 | ($which | job_name | left(24)) + ($way | left(8)) + ([shown_rate, (map(host_seconds) | median | fixed), (map(guest_seconds) | median | fixed),
		    latency("p50_ns"), latency("p99_ns"), lost] | map(pad(16)) | add)),
		"",
		(if ($lab.calls | length) > 0 then
		 "For each packet of xvhost" | left(32) | . + (["system calls", "mapping calls"] | map(pad(16)) | add) else empty end),
		($lab.calls[] | (job_name | left(24)) + (.way | left(8)) + ([system_calls / packets, mapping_calls / packets] | map(fixed | pad(16)) | add)),
		""
	else empty end;

def icount_table:
	.icount as $icount | if $icount then
		"Instructions for each packet; of TCP, for each \(segment) bytes. \($icount.command)",
		("" | left(32)) + (["all", "host", "guests", "lost %"] | map(pad(16)) | add),
		($icount.runs | in_order({peer, job})[] as $which | ways[] as $way
		 | [$icount.runs[] | select(.way == $way and .peer == $which.peer and .job == $which.job)] | select(length > 0)
		 | ($which | job_name | left(24)) + ($way | left(8)) + ([(map(instructions), map(.cost.host_ns / packets), map(.cost.guest_ns / packets)) | median | whole]
		    + [lost] | map(pad(16)) | add)),
		""
	else empty end;

def native_table:
	.native as $native | if $native then
		"Without Xen: packets to null, and through switch to a second guest. \($native.command)",
		("" | left(24)) + (["packets/s", "and core", "MB/s", "workers ns", "guests ns", "p50 us", "p99 us"] | map(pad(14)) | add),
		($native.runs | in_order({backend, size})[] as $which | [$native.runs[] | select(.backend == $which.backend and .size == $which.size)]
		 | ("\($which.backend), \($which.size) bytes" | left(24)) + ([(map(.packets_per_second), map(.packets_per_core_second),
		    map(.bytes_per_second / 1e6), map(.worker_ns), map(.guest_ns), map(.p50_ns / 1000), map(.p99_ns / 1000)) | median | whole | pad(14)] | add)),
		""
	else empty end;

def tables:
	lab_table, icount_table, native_table,
	(.figures[] | (.name | left(52)) + (if .value == null then "not measured, to reach: \(.reach)"
	 else (.value | fixed) + "   \(.spread[0] | fixed) to \(.spread[1] | fixed), to reach: \(.reach)"
	 + (if .reached then "   reached" else "   not reached" end) end));

# For gnuplot: the command, then a line for each job: its name and what all ways have by netback's, 0 for a way that does not have it. Nothing
# if netback was not run.
def ways_plot(what):
	if . then
		[.runs as $runs | $runs | in_order({peer, job})[] as $which
		 | [ways[] as $way | [$runs[] | select(.way == $way and .peer == $which.peer and .job == $which.job) | what]
		    | if length == 0 then 0 else median end] as $all | select($all[0] > 0)
		 | "\"\($which | job_name | gsub(" "; "\\n"))\" " + ([$all[] / $all[0]] | map(tostring) | join(" "))] as $lines
		| if $lines == [] then empty else "\"\(.command)\"", $lines[] end
	else empty end;
def lab_plot: .lab | ways_plot(rate);
def icount_plot: .icount | ways_plot(instructions);
# The command, then for each size and backend: a name, the median, the least and the greatest.
def native_plot:
	.native | if . then
		"\"\(.command)\"",
		(.runs as $runs | $runs | in_order({size, backend})[] as $which
		 | [$runs[] | select(.backend == $which.backend and .size == $which.size) | .packets_per_core_second]
		 | "\"\($which.backend)\\n\($which.size)\" \(median) \(min) \(max)")
	else empty end;
