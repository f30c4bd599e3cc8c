# SPDX-License-Identifier: GPL-2.0-or-later
#
# Draws tests/bench/net's plot: `data` holds the jobs and their rates by each way, as ratios to netback's.

set terminal svg size 1400,500 font 'sans,11'
set output output_file
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.8 noborder
set grid ytics linetype 1 linecolor rgb '#dddddd'
set yrange [0:*]
set key outside right
set xtics font ',9'
set ylabel 'rate, netback = 1'
ways = 'netback tap switch'

plot for [i = 1:3] data using (column(i + 1)):xtic(1) title word(ways, i)
