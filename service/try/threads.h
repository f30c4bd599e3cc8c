/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * threads.h - processor time of threads that somebody else has started
 *
 * A worker starts threads, and the kernel starts more for its io_uring. What they cost is that of all threads of this process
 * but those that were there before.
 */
#ifndef THREADS_H
#define THREADS_H

#include <stdint.h>
#include <sys/types.h>

#define THREADS_MAX 64

struct threads {
	uint32_t count;
	pid_t ids[THREADS_MAX];
};

/* threads_note - those that there are now. */
void threads_note(struct threads *threads);

/* threads_others_cpu_ns - what all threads that there are now, but for these, have used so far. */
uint64_t threads_others_cpu_ns(const struct threads *threads);

#endif
