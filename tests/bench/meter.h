/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What something costs in the lab's Dom0: processor ticks, which are instructions in a lab that counts these, or what is
 * asked of Xen meanwhile. The two are measured one after the other, since counting costs instructions.
 *
 * Xen counts hypercalls: its trace has a record of each that a PV domain makes, and of each write to a page table that it
 * carries out in the domain's stead. Of hypercalls those about memory are counted; others come of themselves, with timer
 * interrupts and with the return from any system call. One that an interrupt stops, and that goes on after it, is counted
 * once. The records are those of Dom0's only processor: guests that are PV domains must be paused.
 */
#ifndef TESTS_BENCH_METER_H
#define TESTS_BENCH_METER_H

#include <stdbool.h>
#include <stdint.h>

struct meter {
	uint64_t ticks;
	uint64_t hypercalls; /* a multicall is one */
	uint64_t operations; /* in them: entries of page tables, flushes, grants, ... */
	uint64_t traps;	     /* writes to page tables, each a fault, that Xen carried out */
};

struct measurement {
	const char *way;
	uint32_t block; /* pages of one call */
	uint32_t round; /* 0: ticks are not told */
	uint32_t grants;
	uint64_t pages; /* in all blocks */
	struct meter map;
	struct meter unmap;
};

/* From now on hypercalls are counted, or ticks again. Ends the program if Xen can't do it. */
void meter_count_hypercalls(bool count);
bool meter_counts_hypercalls(void);

/* What is between the two is added to the meter: ticks, or all the rest. */
uint64_t meter_start(void);
void meter_stop(struct meter *meter, uint64_t started);

/* Prints a line of JSON, of ticks or of all the rest, each for one page. */
void meter_tell(const struct measurement *measurement);

#endif
