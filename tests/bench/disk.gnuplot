# SPDX-License-Identifier: GPL-2.0-or-later
#
# Draws tests/bench/disk's plots, one below the other, each with the command that makes it again: `folder` holds a file for each of
# `plots`, whose first three lines are its title, the unit and the command. Then each line has a job and its value by each way, as ratios
# to blkback's; of `native`, by each backend.

count = words(plots)
set terminal svg size 1400,(420 * (count > 0 ? count : 1)) font 'sans,11'
set output output_file
set multiplot layout (count > 0 ? count : 1),1
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.8 noborder
set bmargin 6
set grid ytics linetype 1 linecolor rgb '#dddddd'
set yrange [0:*]
set key outside right
set xtics font ',9'
ways = 'xvhost blkback qdisk null'
backends = 'file null'

line(name, number) = system(sprintf("sed -n %dp '%s/%s'", number, folder, name))

do for [name in plots] {
	names = name eq 'native' ? backends : ways
	set title line(name, 1).': '.line(name, 3) noenhanced
	set ylabel line(name, 2)
	plot for [i = 1:words(names)] folder.'/'.name every ::3 using (column(i + 1)):xtic(1) title word(names, i)
}
unset multiplot
