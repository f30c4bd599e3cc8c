# SPDX-License-Identifier: GPL-2.0-or-later
#
# Draws tests/bench/map's plot: `data` holds blocks, each named by guest and way, of block size, map and unmap.

set terminal svg size 1200,800 font 'sans,11'
set output output_file
set multiplot layout 2,2
set logscale x 2
set logscale y
set grid linetype 1 linecolor rgb '#dddddd'
set pointintervalbox 0
set key outside right
set xlabel 'pages in a call'
set yrange [10:*]
ways = 'single mmapbatch gntdev grantcopy remap cached'

do for [guest in 'pvh pv'] {
	do for [what in '2 3'] {
		set title sprintf('%s guest, %s: instructions a page', guest eq 'pvh' ? 'PVH' : 'PV', what eq '2' ? 'map' : 'unmap')
		plot for [way in ways] data index (guest . '_' . way) using 1:int(what) with linespoints linewidth 2 title way
	}
}
unset multiplot
