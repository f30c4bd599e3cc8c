/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host.h - the host's functions for the loop thread, and calls of backends, all of which are watched
 */
#ifndef CONFORM_HOST_H
#define CONFORM_HOST_H

#include "try/conform/loop.h"

/* What each disk sees as its host. */
extern const struct xvhost_host conform_host;

/* The loop of this thread, NULL on any other. */
extern _Thread_local struct conform_loop *conform_my_loop;

/* Which part lies in which arena. */
extern struct conform_part *conform_parts[CONFORM_ARENAS_MAX];

/* conform_enter - a backend is about to be called; for this request, unless it is NULL. */
struct conform_call conform_enter(struct conform_loop *loop, const char *function,
				  const struct conform_part *part);

/* conform_leave - it has returned. */
void conform_leave(struct conform_loop *loop, const char *function, struct conform_call call);

/* conform_hand_over - submit a part of a request to its backend. */
void conform_hand_over(struct conform_part *part, uint32_t operation, uint64_t offset, uint64_t length,
		       struct iovec *iov, uint32_t iov_count);

/* conform_deliver - the result of what is under way for a part. */
void conform_deliver(struct conform_part *part, int32_t result);

/* conform_host_describe - for conform_memory_user. */
bool conform_host_describe(uint32_t arena, char *text, size_t size);

#endif
