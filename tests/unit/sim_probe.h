/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim_probe.h - for tests of the simulated machine
 *
 * May this address be read, may it be written? The kernel is asked, by a pipe: it answers EFAULT where the program
 * would be killed.
 */
#ifndef SIM_PROBE_H
#define SIM_PROBE_H

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* must - for threads beside the test's own, which must not use Check: it is not made for threads, and slow. */
#define must(condition)                                                                                      \
	do {                                                                                                 \
		if (!(condition)) {                                                                          \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);              \
			abort();                                                                             \
		}                                                                                            \
	} while (0)

static inline bool probe(void *address, bool write_it)
{
	int fds[2];
	bool can;

	ck_assert_int_eq(pipe(fds), 0);
	can = write(fds[1], address, 1) == 1;
	ck_assert(can || errno == EFAULT);
	if (can && write_it) {
		/* The same byte comes back. */
		can = read(fds[0], address, 1) == 1;
		ck_assert(can || errno == EFAULT);
	}
	close(fds[0]);
	close(fds[1]);
	return can;
}

static inline bool can_read(void *address)
{
	return probe(address, false);
}

static inline bool can_write(void *address)
{
	return probe(address, true);
}

#endif
