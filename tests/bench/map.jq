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

def figures:
	. as $runs
	| [("pvh", "pv") as $guest | (if $guest == "pv" then "_pv" else "" end) as $suffix
	   | figure("map_vs_mmapbatch" + $suffix; $runs | ratios($guest; "remap"; "mmapbatch"; .map); 0.87),
	     figure("unmap_vs_munmap" + $suffix; $runs | ratios($guest; "remap"; "mmapbatch"; .unmap); 0.23)];

def document:
	{name: "map", $command, $began, versions: {$xvhost, $xen, $kernel}, figures: figures, runs: .};

# ---- showing ----

def pad($width): tostring | if length < $width then (" " * ($width - length)) + . else . end;
def left($width): tostring | if length < $width then . + (" " * ($width - length)) else . end;
def fixed: (. * 1000 | round) as $n | "\($n / 1000 | floor).\("00" + ($n % 1000 | tostring) | .[-3:])";

def table:
	. as $all
	| (["pvh", "pv"][] as $guest
	   | ("\($guest | ascii_upcase) guest, instructions a page" | left(34)) + (["way", "map", "unmap", "both"] | map(pad(12)) | add),
	     ([$all.runs[] | select(.guest == $guest)] | group_by([.pages, .way])[]
	      | (.[0].pages | pad(32)) + "  " + (.[0].way | pad(12)) + (map(.map) | median | round | pad(12))
	        + (map(.unmap) | median | round | pad(12)) + (map(.map + .unmap) | median | round | pad(12))),
	     ""),
	  (.figures[] | "\(.name | left(34))\(.value | fixed)   \(.spread[0] | fixed) to \(.spread[1] | fixed), to reach: \(.reach)");
