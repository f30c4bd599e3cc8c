/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call.h - calls of backends by a loop thread, which must not block
 *
 * Each call is entered and left, so that it is known whether the host was called from within one, and how long the thread was
 * blocked.
 */
#ifndef CONFORM_CALL_H
#define CONFORM_CALL_H

#include <stdbool.h>
#include <stdint.h>

/* The calls of one thread. */
struct conform_calls {
	int schedstat_fd;   /* how long this thread waited for a processor */
	uint32_t depth;	    /* calls of backends that the thread is in */
	uint32_t blocked;   /* calls that were blocked for long */
	bool is_one_of_two; /* another loop runs at the same time */
};

/* When a call of a backend began. */
struct conform_call {
	int64_t wall_ns, running_ns, waiting_ns, switches;
};

/* conform_calls_init, _exit - of the thread that calls. */
void conform_calls_init(struct conform_calls *calls);
void conform_calls_exit(struct conform_calls *calls);

/* conform_call_enter - a backend is about to be called; for what is named by `of`, unless it is NULL. */
struct conform_call conform_call_enter(struct conform_calls *calls, const char *function, const char *of);

/* conform_call_leave - it has returned. */
void conform_call_leave(struct conform_calls *calls, const char *function, struct conform_call call);

#endif
