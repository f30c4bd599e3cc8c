/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load_thread.h - one queue's part of a load (internal to load.c and load_thread.c)
 */
#ifndef LOAD_THREAD_H
#define LOAD_THREAD_H

#include <pthread.h>

#include "sim/load.h"
#include "sim/load_model.h"

/* What a thread does: the load itself, or reading back what it wrote. */
enum load_pass {
	PASS_LOAD,
	PASS_READ_BACK,
};

struct load_thread {
	struct load *load;
	struct front_queue *queue;
	pthread_t thread;
	enum load_pass pass;
	uint64_t random;
	uint64_t first_block, block_count; /* of the span */
	uint64_t cursor;		   /* the next block, counted from first_block */
	uint64_t requests_left, bytes_left;
	uint32_t writes_to_flush, writes_to_barrier, writes_to_discard;
	bool ending;
	uint64_t began_ns, ended_ns;
	uint64_t notifications_before, waits_before;
	struct load_result result;
};

struct load {
	struct blkif_frontend *frontend;
	struct load_options options;
	uint64_t block_count;
	uint32_t block_sectors;
	struct load_block *blocks; /* NULL without verification */
	bool stop;
	uint32_t thread_count;
	struct load_thread threads[];
};

/* load_thread_run - until the end of the pass and the answer to all that is in flight. A thread's main function. */
void *load_thread_run(void *thread);

#endif
