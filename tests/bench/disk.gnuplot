# SPDX-License-Identifier: GPL-2.0-or-later
#
# Draws tests/bench/disk's plot: `data` holds a block for each guest, of jobs and their rates by each way, as ratios to blkback's.

set terminal svg size 1400,900 font 'sans,11'
set output output_file
set multiplot layout 2,1
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.8 noborder
set grid ytics linetype 1 linecolor rgb '#dddddd'
set yrange [0:*]
set key outside right
set xtics font ',9'
set ylabel 'rate, blkback = 1'
ways = 'xvhost blkback qdisk null'

do for [guest in 'pvh pv'] {
	set title sprintf('%s guest', guest eq 'pvh' ? 'PVH' : 'PV')
	stats data index guest using 2 nooutput
	if (STATS_records > 0) {
		plot for [i = 1:4] data index guest using (column(i + 1)):xtic(1) title word(ways, i)
	}
}
unset multiplot
