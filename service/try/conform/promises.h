/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * promises.h - the promises: each is a function that runs on the loop thread of a process of its own
 *
 * It returns if nothing wrong was seen, and does not if something was. What the host sees by itself (a second
 * complete(), a call on another thread, memory that is touched too late, a blocked thread) ends any of them.
 */
#ifndef CONFORM_PROMISES_H
#define CONFORM_PROMISES_H

struct conform_context;

/* parameters.c */
void conform_check_load(struct conform_context *context);
void conform_check_table(struct conform_context *context);
void conform_check_open_fails(struct conform_context *context);
void conform_check_parameters(struct conform_context *context);

/* life.c */
void conform_check_open(struct conform_context *context);
void conform_check_properties(struct conform_context *context);
void conform_check_quiesce(struct conform_context *context);
void conform_check_queues(struct conform_context *context);
void conform_check_loops(struct conform_context *context);
void conform_check_fresh(struct conform_context *context);
void conform_check_no_leak(struct conform_context *context);

/* requests.c */
void conform_check_complete(struct conform_context *context);
void conform_check_calls(struct conform_context *context);
void conform_check_memory(struct conform_context *context);
void conform_check_read_fills(struct conform_context *context);
void conform_check_edges(struct conform_context *context);
void conform_check_iovecs(struct conform_context *context);

/* data.c; those with a second function have it run in a second process after the first has ended */
void conform_check_data(struct conform_context *context);
void conform_check_parallel(struct conform_context *context);
void conform_check_keeps(struct conform_context *context);
void conform_check_flush(struct conform_context *context);
void conform_check_flush_after(struct conform_context *context);
void conform_check_discard(struct conform_context *context);
void conform_check_read_only(struct conform_context *context);

/* errors.c */
void conform_check_errors(struct conform_context *context);
void conform_check_short(struct conform_context *context);

#endif
