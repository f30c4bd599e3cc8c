# SPDX-License-Identifier: GPL-2.0-or-later
#
# What tests/bench/native does with numbers.

# ---- one run: what both programs are asked for ----

# What xvhost-try --json says.
def xvhost:
	{requests_per_second, bytes_per_second,
	 latency_p99_us: ((if .read.requests > 0 then .read else .write end).latency_ns.p99 / 1000),
	 cpu_ns_per_request: .cpu.worker_ns_per_request,
	 guest_cpu_ns_per_request: .cpu.guest_ns_per_request,
	 requests_per_core_second: .cpu.requests_per_worker_core_second};

# What fio says. Its processor time is that of its own thread, without those of the kernel that work for its io_uring.
def fio:
	.jobs[0] as $job
	| (if $job.read.total_ios > 0 then $job.read else $job.write end) as $side
	| {requests_per_second: $side.iops, bytes_per_second: $side.bw_bytes,
	   latency_p99_us: ($side.clat_ns.percentile["99.000000"] / 1000),
	   cpu_ns_per_request: (($job.usr_cpu + $job.sys_cpu) / 100 * $job.job_runtime * 1e6 / $side.total_ios)};

# ---- all runs ----

def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def figure($name; $values; $unit; $reach):
	{name: $name, value: ($values | median), unit: $unit, better: "higher", reach: $reach,
	 spread: [($values | min), ($values | max)]};

# Of an array of runs. A ratio is made within a pair.
def ratios: group_by(.pair) | map((map(select(.who == "xvhost"))[0].requests_per_second) /
	(map(select(.who == "fio"))[0].requests_per_second));
def of_case($name): map(select(.case == $name));
def names($prefix): map(.case | select(startswith($prefix))) | reduce .[] as $name ([]; if index($name) then . else . + [$name] end);

def figures:
	. as $runs
	| [(names("file_")[] as $name | figure($name + "_vs_fio"; $runs | of_case($name) | ratios; "ratio"; 0.95)),
	   (names("null_") as $null
	    | ($null[] as $name | figure("null_requests_per_second_" + ($name | ltrimstr("null_") | "qd" + .);
	                                 $runs | of_case($name) | map(.requests_per_core_second); "1/s"; 1500000)),
	      figure("null_requests_per_second"; $runs | of_case($null[-1]) | map(.requests_per_core_second); "1/s"; 1500000))];

def document:
	{name: "native", $command, $began, seconds_of_a_run: $seconds, versions: {$xvhost, $fio, $kernel},
	 machine: {$processor, $processors, $filesystem}, figures: figures, runs: .};

# ---- showing ----

def pad($width): tostring | if length < $width then (" " * ($width - length)) + . else . end;
def left($width): tostring | if length < $width then . + (" " * ($width - length)) else . end;
def fixed: (. * 1000 | round) as $n | "\($n / 1000 | floor).\("00" + ($n % 1000 | tostring) | .[-3:])";
def count: round | tostring;
def short: ltrimstr("file_") | rtrimstr("_vs_fio") | gsub("_"; " ");

def null_plot:
	.figures[] | select(.name | startswith("null_requests_per_second_qd"))
	| "\(.name | ltrimstr("null_requests_per_second_qd")) \(.value) \(.spread[0]) \(.spread[1])";
def ratio_plot:
	.figures[] | select(.unit == "ratio") | "\"\(.name | short | gsub(" "; "\\n"))\" \(.value) \(.spread[0]) \(.spread[1])";

def mean_rate($who): map(select(.who == $who).requests_per_second) | median;
def verdict: if .value >= .reach then "reached" else "not reached" end;
def table:
	. as $all
	| ("file, beside fio" | left(30)) + ("xvhost/s" | pad(11)) + ("fio/s" | pad(11)) + ("ratio" | pad(8)) + "   of 5 pairs",
	  (.figures[] | select(.unit == "ratio")
	   | . as $figure | ($all.runs | of_case($figure.name | rtrimstr("_vs_fio"))) as $runs
	   | "  " + (.name | short | left(28)) + ($runs | mean_rate("xvhost") | count | pad(11))
	     + ($runs | mean_rate("fio") | count | pad(11)) + (.value | fixed | pad(8))
	     + "   \(.spread[0] | fixed) to \(.spread[1] | fixed), \(.reach) \(verdict)"),
	  "",
	  ("null, by depth" | left(30)) + ("per second" | pad(11)) + ("and core" | pad(11)) + "           of 5 runs",
	  (.figures[] | select(.name | startswith("null_requests_per_second_qd"))
	   | . as $figure | ($all.runs | of_case($figure.name | sub("requests_per_second_qd"; ""))) as $runs
	   | "  " + (.name | ltrimstr("null_requests_per_second_qd") | left(28)) + ($runs | mean_rate("xvhost") | count | pad(11))
	     + (.value | count | pad(11)) + "           \(.spread[0] | count) to \(.spread[1] | count), \(.reach) \(verdict)"),
	  "";
