# SPDX-License-Identifier: GPL-2.0-or-later
#
# What tests/bench/map does with numbers.

def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;

# Rounds of a guest, as ratios of two ways' costs at 1024 pages.
def ratios($guest; $way; $other; cost):
	map(select(.guest == $guest and .pages == 1024)) | group_by(.round)
	| map((map(select(.way == $way))[0] | cost) / (map(select(.way == $other))[0] | cost));
def figure($name; $values; $reach):
	{$name, value: ($values | median), unit: "ratio", better: "lower", $reach, spread: [($values | min), ($values | max)]};

# Replacing pages, to unmapping and mapping them.
def replace_ratios($guest):
	map(select(.guest == $guest and .pages == 1024)) | group_by(.round)
	| map((map(select(.way == "replace"))[0].map) / (map(select(.way == "remap"))[0] | .map + .unmap));

def figures:
	. as $runs
	| [("pvh", "pv") as $guest | (if $guest == "pv" then "_pv" else "" end) as $suffix
	   | figure("map_vs_mmapbatch" + $suffix; $runs | ratios($guest; "remap"; "mmapbatch"; .map); 0.87),
	     figure("unmap_vs_munmap" + $suffix; $runs | ratios($guest; "remap"; "mmapbatch"; .unmap); 0.23),
	     figure("map_unmap_vs_gntdev" + $suffix; $runs | ratios($guest; "remap"; "gntdev"; .map + .unmap); 0.30),
	     figure("replace_vs_unmap_map" + $suffix; $runs | replace_ratios($guest); null)]
	  + [figure("hit_instructions"; $runs | map(select(.guest == "pvh" and .way == "lookup" and .pages == 1024) | .map); 60)
	     + {unit: "instructions"}];

# The same of whole dumps and migrations: their system time.
def move_ratios($what):
	map(select(.what == $what)) | group_by(.round)
	| map((map(select(.way == "accel"))[0].system_s) / (map(select(.way == "stock"))[0].system_s));
def move_figures:
	. as $moves
	| [figure("migration_idle_vs_stock"; $moves | move_ratios("migration_idle"); 0.85),
	   figure("migration_busy_vs_stock"; $moves | move_ratios("migration_busy"); 0.80),
	   figure("dump_vs_stock"; $moves | move_ratios("dump"); null)];

# Runs in which calls were counted, of each guest, way and block size; and the others, with the hypercalls of the former.
def calls: map(select(.map_calls));
def runs:
	(calls | map({key: "\(.guest) \(.way) \(.pages)", value: (.map_calls.hypercalls + .unmap_calls.hypercalls)}) | from_entries) as $hypercalls
	| map(select(.round) | .hypercalls = $hypercalls["\(.guest) \(.way) \(.pages)"]);

def document:
	{name: "map", $command, $began, versions: {$xvhost, $xen, $kernel}, figures: ((runs | figures) + ($moves | move_figures)),
	 runs: runs, calls: calls, moves: $moves};

# ---- showing ----

def pad($width): tostring | if length < $width then (" " * ($width - length)) + . else . end;
def left($width): tostring | if length < $width then . + (" " * ($width - length)) else . end;
def share: (. * 10000 | round) as $n | "\($n / 10000 | floor).\("000" + ($n % 10000 | tostring) | .[-4:])";
def fixed: (. * 1000 | round) as $n | "\($n / 1000 | floor).\("00" + ($n % 1000 | tostring) | .[-3:])";

def table:
	. as $all
	| (["pvh", "pv"][] as $guest
	   | ("\($guest | ascii_upcase) guest, a page" | left(24)) + ("instructions" | pad(35)) + ("hypercalls" | pad(22)) + ("page faults" | pad(22)),
	     ("pages" | pad(12)) + "  " + ("way" | left(10)) + (["map", "unmap", "both", "map", "unmap", "map", "unmap"] | map(pad(11)) | add),
	     ([$all.runs[] | select(.guest == $guest)] | group_by([.pages, .way])[]
	      | .[0] as $one | ($all.calls[] | select(.guest == $guest and .way == $one.way and .pages == $one.pages)) as $calls
	      | ($one.pages | pad(12)) + "  " + ($one.way | left(10)) + (map(.map) | median | round | pad(11))
	        + (map(.unmap) | median | round | pad(11)) + (map(.map + .unmap) | median | round | pad(11))
	        + ($calls | [.map_calls.hypercalls, .unmap_calls.hypercalls, .map_calls.traps, .unmap_calls.traps] | map(share | pad(11)) | add)),
	     ""),
	  ("whole runs, 10^9 instructions" | left(34)) + (["way", "system", "user", "elapsed"] | map(pad(12)) | add),
	  (.moves | group_by([.what, .way])[]
	   | (.[0].what | pad(32)) + "  " + (.[0].way | pad(12)) + ([map(.system_s), map(.user_s), map(.elapsed_s)] | map(median | fixed | pad(12)) | add)),
	  "",
	  (.figures[] | "\(.name | left(34))\(.value | fixed)   \(.spread[0] | fixed) to \(.spread[1] | fixed), to reach: \(.reach // "-")");

# For gnuplot: for each guest and way a block with its name, then size, map and unmap a line.
def plot:
	["pvh", "pv"][] as $guest
	| ([.runs[] | select(.guest == $guest and .way != "miss" and .way != "lookup")] | group_by(.way)[]
	   | "# \($guest)_\(.[0].way)", (group_by(.pages)[] | "\(.[0].pages) \(map(.map) | median) \(map(.unmap) | median)"), "", "");
