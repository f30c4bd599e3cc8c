# SPDX-License-Identifier: GPL-2.0-or-later
#
# Draws tests/bench/native's plot: null_data and ratio_data hold a name, the median, the least and the greatest value a line.

set terminal svg size 1200,420 font 'sans,11'
set output output_file
set multiplot layout 1,2
set style fill solid 0.6
set boxwidth 0.6
unset key
set bmargin 5
set pointintervalbox 0
set grid ytics linetype 1 linecolor rgb '#dddddd'
set yrange [0:*]

set title 'null: requests a second and core of the worker'
set xlabel 'requests in flight'
set format y '%.1s %c'
plot null_data using 0:2:xtic(1) with boxes linecolor rgb '#4477aa', \
	'' using 0:2:3:4 with yerrorbars pointtype 0 linecolor rgb '#222222', \
	1.5e6 with lines dashtype 2 linecolor rgb '#cc3311'

set title 'file: IOPS as a part of those of fio, io\_uring'
unset xlabel
set format y '%.1f'
plot ratio_data using 0:2:xtic(1) with boxes linecolor rgb '#4477aa', \
	'' using 0:2:3:4 with yerrorbars pointtype 0 linecolor rgb '#222222', \
	0.95 with lines dashtype 2 linecolor rgb '#cc3311'
unset multiplot
