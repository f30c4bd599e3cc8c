/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net_load_thread.h - one queue's part of a load (internal to net_load.c and net_load_thread.c)
 */
#ifndef NET_LOAD_THREAD_H
#define NET_LOAD_THREAD_H

#include <pthread.h>

#include "sim/net_load.h"

struct net_load_thread;

/* The packets of one queue that sends. */
struct net_load_stream {
	pthread_mutex_t lock;
	struct net_load_thread *sender;
	uint32_t put;		       /* packets put into the ring: the number of the next one */
	uint32_t arrived;	       /* numbers below this have come, or are lost */
	uint32_t least;		       /* without `scattered`: the lowest number that may come */
	bool came[NET_LOAD_DEPTH_MAX]; /* with `scattered`: by number, of those from `arrived` on */
	bool late[NET_LOAD_DEPTH_MAX]; /* with `scattered`: by number, of those below: it was given up */
	uint64_t lost;
	uint64_t began_ns[NET_LOAD_DEPTH_MAX]; /* by number */
	bool over;			       /* nothing more is sent, and all has come or is lost */
};

struct net_load_thread {
	struct net_load *load;
	struct net_front_queue *queue;
	struct net_load_stream *stream; /* NULL: it only receives */
	bool receives;
	pthread_t thread;
	int wake_fd;
	uint64_t random;
	uint8_t *made, *seen;  /* room for a packet */
	bool ending;	       /* nothing more is sent */
	uint32_t tx_in_flight; /* packets */
	uint64_t progress_ns;  /* when something was last answered or has come */
	uint64_t notifications_before;
	struct net_load_result result;
};

struct net_load {
	struct net_load_options options;
	uint64_t began_ns;
	bool stop;	       /* send nothing more */
	bool end;	       /* end at once */
	uint32_t streams_left; /* that are not over */
	uint32_t stream_count, thread_count, started_count;
	struct net_load_stream streams[NET_QUEUES_MAX];
	struct net_load_thread threads[2 * NET_QUEUES_MAX];
};

uint64_t net_load_now_ns(void);

/* net_load_wake - from its sleep. */
void net_load_wake(struct net_load_thread *thread);

/* net_load_thread_post - the pages that packets come to, before the threads run. */
void net_load_thread_post(struct net_load_thread *thread);

/* net_load_thread_run - until all streams are over. A thread's main function. */
void *net_load_thread_run(void *thread);

#endif
