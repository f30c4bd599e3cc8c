# SPDX-License-Identifier: GPL-2.0-or-later
#
# What tests/bench/disk does with numbers.

def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;

# ---- figures ----

# What is lower or higher in one way than in another, pair by pair.
def of($runs; $guest; $job; $way): [$runs[] | select(.guest == $guest and .way == $way and (.job | startswith($job + ":")))] | sort_by(.pair);
def rate: .load.requests * 1e9 / .load.elapsed_ns;
def host_ns: .cost.host_ns / .load.requests;
def guest_ns: .cost.guest_ns / .load.requests;

# One for which nothing was run has no value.
def figure($name; $unit; $better; $reach; $values):
	if ($values | length) == 0 then {$name, value: null, $unit, $better, $reach, spread: null, rounds: 0, reached: null}
	else ($values | median) as $value
	| {$name, $value, $unit, $better, $reach, spread: [($values | min), ($values | max)], rounds: ($values | length),
	   reached: (if $better == "higher" then $value >= $reach else $value <= $reach end)} end;

# The rates of xvhost, each by the better one of the others in its pair.
def vs_best($runs; $guest; $job):
	of($runs; $guest; $job; "xvhost") as $mine | of($runs; $guest; $job; "blkback") as $kernel | of($runs; $guest; $job; "qdisk") as $qemu
	| [range($mine | length) | ($mine[.] | rate) / ([($kernel[.], $qemu[.]) | rate] | max)];
def ratios($runs; $guest; $job; $other; cost):
	of($runs; $guest; $job; "xvhost") as $mine | of($runs; $guest; $job; $other) as $theirs
	| [range($mine | length) | ($mine[.] | cost) / ($theirs[.] | cost)];

# Targets of each guest.
def workloads:
	[{name: "randread_4k_qd32", job: "randread:4k:32:1", pvh: 1.2, pv: 1.0}, {name: "randwrite_4k_qd32", job: "randwrite:4k:32:1", pvh: 1.2, pv: 1.0},
	 {name: "randread_4k_qd1", job: "randread:4k:1:1", pvh: 1.0, pv: 1.0}, {name: "read_256k_qd8", job: "read:256k:8:1", pvh: 1.5, pv: 1.1},
	 {name: "write_256k_qd8", job: "write:256k:8:1", pvh: 1.5, pv: 1.1}];
def deep: "randread:4k:32:1";

# Calls that map or unmap: mmap and munmap, and of Xen's devices the commands IOCTL_PRIVCMD_MMAP and MMAPBATCH ('P', 2 to 4), those of
# gntdev ('G') and of xen_remap ('X').
def maps:
	((. / 256 | floor) % 256 | [.] | implode) as $type | ($type == "P" and (. % 256) >= 2 and (. % 256) <= 4) or $type == "G" or $type == "X";
def mapping_calls:
	([.cost.ioctls[] | select(.number | maps) | .count] | add // 0)
	+ ([.cost.system_calls[] | select(.number == 9 or .number == 11) | .count] | add // 0);
def system_calls: [.cost.system_calls[].count] | add // 0;
# Of what the worker's log has counted from connect to disconnect; null where it says nothing.
def per_io($name): if .[$name] == null then null else .[$name] / .requests end;
def hypercalls: if .reports == null then null else (.notifications + .reports + .map_calls) / .requests end;

def figures($lab; $icount):
	($lab.runs // []) as $runs | ($icount.runs // []) as $counted | ($lab.calls // []) as $calls
	| [(("pvh", "pv") as $guest | workloads[] | figure($guest + "_" + .name + "_vs_best"; "ratio"; "higher"; .[$guest]; vs_best($runs; $guest; .job))),
	   figure("instructions_4k_vs_blkback"; "ratio"; "lower"; 0.85; ratios($counted; "pvh"; deep; "blkback"; 1 / rate)),
	   figure("instructions_256k_vs_blkback"; "ratio"; "lower"; 0.75; ratios($counted; "pvh"; "read:256k:8:1"; "blkback"; 1 / rate)),
	   figure("mapping_calls_per_io"; "1"; "lower"; 0; of($calls; "pvh"; deep; "xvhost") | map(mapping_calls / .load.requests)),
	   figure("system_calls_per_io"; "1"; "lower"; 0.2; of($calls; "pvh"; deep; "xvhost") | map(system_calls / .load.requests)),
	   figure("host_cpu_per_io_vs_blkback"; "ratio"; "lower"; 1.0; ratios($runs; "pvh"; deep; "blkback"; host_ns)),
	   figure("host_cpu_per_io_vs_qdisk"; "ratio"; "lower"; 0.5; ratios($runs; "pvh"; deep; "qdisk"; host_ns))];

def document:
	{name: "disk", $command, versions: (($lab[0].versions // $icount[0].versions // {}) + {$xvhost}),
	 figures: figures($lab[0]; $icount[0]), lab: $lab[0], icount: $icount[0], native: $native[0]};

# What xvhost-try --json says.
def native_run:
	{$backend, $job, $command, requests_per_second, bytes_per_second, p50_ns: ((if .read.requests > 0 then .read else .write end).latency_ns.p50),
	 p99_ns: ((if .read.requests > 0 then .read else .write end).latency_ns.p99), cpu_ns_per_request: .cpu.worker_ns_per_request};

# ---- showing ----

def pad($width): tostring | if length < $width then (" " * ($width - length)) + . else . end;
def left($width): tostring | if length < $width then . + (" " * ($width - length)) else . end;
def fixed: (. * 1000 | round) as $n | "\($n / 1000 | floor).\("00" + ($n % 1000 | tostring) | .[-3:])";
def whole: round | tostring;
def each_median: if length == 0 or any(. == null) then "-" else median | fixed end;

def job_name: split(":") | .[0] + " " + .[1] + " qd" + .[2] + (if .[3] == "1" then "" else " x" + .[3] end);
# In the order in which they came.
def in_order(key): . as $all | reduce (.[] | key) as $one ([]; if index([$one]) then . else . + [$one] end);
def ways: ["xvhost", "blkback", "qdisk", "null"];

# Small blocks by requests, large ones by megabytes.
def shown_rate($job; $rate):
	($job | split(":")[1] | rtrimstr("k") | tonumber) as $kib
	| if $kib >= 64 then ($rate * $kib * 1024 / 1e6 | fixed) + " MB/s" else ($rate | whole) + " IOPS" end;

def lab_table:
	.lab as $lab | if $lab then
		"By the clock. \($lab.command)",
		(["pvh", "pv"][] as $guest | [$lab.runs[] | select(.guest == $guest)] | select(length > 0) | . as $runs
		 | "\($guest | ascii_upcase) guest" | left(24) | . + "  " + (["rate", "p50 us", "p99 us", "host us/IO", "guest us/IO"] | map(pad(14)) | add),
		   ($runs | in_order(.job)[] as $job | (ways[] as $way | [$runs[] | select(.job == $job and .way == $way)] | select(length > 0)
		    | ($job | job_name | left(24)) + ($way | left(8)) + (shown_rate($job; map(rate) | median) | pad(14))
		      + ([map(.load.p50_ns), map(.load.p99_ns), map(host_ns), map(guest_ns)] | map(median / 1000 | whole | pad(12)) | add)))),
		"",
		(if ($lab.calls | length) > 0 then
		 "For each I/O of xvhost" | left(26)
		 | . + (["system calls", "mapping", "hypercalls", "events", "notifications", "reports", "pages found"] | map(pad(14)) | add) else empty end),
		($lab.calls | in_order({guest, job})[] as $which
		 | [$lab.calls[] | select({guest, job} == $which)] as $calls | [$lab.counters[] | select({guest, job} == $which) | .counters] as $counters
		 | ($which.guest + ", " + ($which.job | job_name) | left(26))
		   + ([($calls | map(system_calls / .load.requests)), ($calls | map(mapping_calls / .load.requests)), ($counters | map(hypercalls)),
		       ($counters[0] | ("events", "notifications", "reports", "pages_found") as $name | $counters | map(per_io($name)))]
		      | map(each_median | pad(14)) | add)
		   + ($counters[0].memory // "" | if . == "" then "" else "  " + . end)),
		""
	else empty end;

def icount_table:
	.icount as $icount | if $icount then
		"Instructions for each I/O. \($icount.command)",
		("" | left(32)) + (["all", "from", "to", "host", "guest"] | map(pad(12)) | add),
		($icount.runs | in_order({guest, job})[] as $which | ways[] as $way
		 | [$icount.runs[] | select({guest, job} == $which and .way == $way)] | select(length > 0)
		 | (($which.guest + ", " + ($which.job | job_name)) | left(24)) + ($way | left(8))
		   + ([map(1e9 / rate) | median, min, max] + [map(host_ns), map(guest_ns) | median] | map(whole | pad(12)) | add)),
		""
	else empty end;

def native_table:
	.native as $native | if $native then
		"Without Xen. \($native.command)",
		($native.runs[] | (.job | split(":") | join(" ") | left(24)) + (.backend | left(8)) + (.requests_per_second | whole | pad(12)) + " IOPS"
		 + (.cpu_ns_per_request | whole | pad(12)) + " ns of the worker"),
		""
	else empty end;

def verdict: if .value == null then "not measured" elif .reached then "reached" else "not reached" end;
def tables:
	lab_table, icount_table, native_table,
	(.figures[] | (.name | left(36)) + (if .value == null then "    -" | left(36) else "\(.value | fixed)   \(.spread[0] | fixed) to \(.spread[1] | fixed), \(.rounds) rounds" | left(36) end)
	 + "to reach: \(.reach)   " + verdict);

# For gnuplot: one file for each plot. It begins with its name, its unit and the command, a line each; then there is a line for each job: its
# name, and what all ways have by blkback's, 0 for a way that does not have it. Nothing if there are no runs with blkback.
def ways_plot($title; $unit; $command; $runs; what):
	[$runs | in_order(.job)[] as $job
	 | [ways[] as $way | [$runs[] | select(.job == $job and .way == $way) | what] | if length == 0 then 0 else median end] as $all
	 | select($all[1] > 0) | "\"\($job | job_name | gsub(" "; "\\n"))\" " + ([$all[] / $all[1]] | map(tostring) | join(" "))] as $lines
	| if $lines == [] then empty else $title, $unit, $command, $lines[] end;
def guest_runs($guest): [.runs[] | select(.guest == $guest)];
def lab_plot($guest; $unit; what): .lab | if . then ways_plot("\($guest | ascii_upcase) guest"; $unit; .command; guest_runs($guest); what) else empty end;
def pvh_rate_plot: lab_plot("pvh"; "rate, blkback = 1"; rate);
def pv_rate_plot: lab_plot("pv"; "rate, blkback = 1"; rate);
def pvh_latency_plot: lab_plot("pvh"; "p99 latency, blkback = 1"; .load.p99_ns);
def pvh_host_plot: lab_plot("pvh"; "host time of an I/O, blkback = 1"; host_ns);
def pv_host_plot: lab_plot("pv"; "host time of an I/O, blkback = 1"; host_ns);
def instructions_plot:
	.icount | if . then
		ways_plot("PVH and PV guests"; "instructions of an I/O, blkback = 1"; .command; [.runs[] | .job = (.guest | ascii_upcase) + " " + .job]; 1e9 / rate)
	else empty end;
# Processor time of the worker for each request, of null and file.
def native_plot:
	.native | if . then
		"without Xen", "ns of the worker for a request", .command,
		(.runs as $runs | $runs | in_order(.job)[] as $job
		 | "\"\($job | gsub(":"; "\\n"))\" " + ([("file", "null") as $backend | $runs[] | select(.job == $job and .backend == $backend) | .cpu_ns_per_request | tostring] | join(" ")))
	else empty end;
