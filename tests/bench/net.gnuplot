# SPDX-License-Identifier: GPL-2.0-or-later
#
# Draws tests/bench/net's plots, one below the other, each with the command that makes it again: `folder` holds the files lab, icount and
# native, which are empty if there is no such part. Of the first two each line has a job and its value by each way, as ratios to netback's; of
# the last, a name, the median, the least and the greatest value. The first line of each is the command.

set terminal svg size 1400,1350 font 'sans,11'
set output output_file
set multiplot layout 3,1
set style fill solid 0.8 noborder
set bmargin 6
set grid ytics linetype 1 linecolor rgb '#dddddd'
set yrange [0:*]
set key outside right
set xtics font ',9'
ways = 'netback tap switch'

has(part) = system(sprintf("test -s '%s/%s' && echo 1 || echo 0", folder, part)) eq '1'
command(part) = system(sprintf("head -n 1 '%s/%s' | tr -d '\"'", folder, part))

set style data histograms
set style histogram clustered gap 1
do for [part in 'lab icount'] {
	if (has(part)) {
		set title command(part) noenhanced
		set ylabel part eq 'lab' ? 'rate, netback = 1' : 'instructions of a packet, netback = 1'
		plot for [i = 1:3] folder.'/'.part every ::1 using (column(i + 1)):xtic(1) title word(ways, i)
	}
}
if (has('native')) {
	set title command('native') noenhanced
	set ylabel "packets a second and core of the workers'"
	set format y '%.1s %c'
	set boxwidth 0.6
	unset key
	set pointintervalbox 0
	plot folder.'/native' every ::1 using 0:2:xtic(1) with boxes linecolor rgb '#4477aa', \
		'' every ::1 using 0:2:3:4 with yerrorbars pointtype 0 linecolor rgb '#222222'
}
unset multiplot
