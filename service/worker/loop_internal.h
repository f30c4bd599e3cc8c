/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop_internal.h - what the files of the loop have in common: loop.c, submissions.c
 */
#ifndef LOOP_INTERNAL_H
#define LOOP_INTERNAL_H

#include <assert.h>
#include <liburing.h>
#include <pthread.h>
#include <semaphore.h>

#include "log.h"
#include "worker/loop.h"
#include "worker/mailbox.h"

#define PORTS_BATCH 64 /* event channels taken by one read */
#define GENERATION_MASK 0xfffffu

/* What a completion is for: the top 8 bits of its user_data. One switch in reap() knows them all. */
enum completion_type {
	COMPLETION_PORTS = 1, /* the event channels' descriptor was read */
	COMPLETION_UNMASKED,  /* ... could not be written */
	COMPLETION_COMMAND,   /* the mailbox of commands was rung */
	COMPLETION_REQUEST, /* a backend's I/O: 4 bits layer, 20 bits generation, 16 bits queue, 16 bits slot */
	COMPLETION_WAIT,    /* a backend's time has passed; the same */
	COMPLETION_MEMORY,     /* memory's bell was rung */
	COMPLETION_WAIT_ENDED, /* a wait could not be ended early */
	COMPLETION_WATCH, /* a backend's descriptor is ready: as a request's, but the slot is the watch's index */
	COMPLETION_WATCH_ENDED, /* a watch could not be ended */
};

/* A place in the table of queues. */
struct served {
	struct blkif_queue *queue; /* NULL: free */
	uint32_t port;
	bool releasing;
	bool broken_told; /* LOOP_BROKEN was sent, or LOOP_NOT_STARTED */
	bool masked;	  /* the port may have been pending and was not unmasked since */
};

struct loop {
	struct blkif_turn turn; /* first: a queue finds its loop by it */
	const struct platform *platform;
	struct event_channels *channels;
	int channels_fd;
	struct io_uring ring;
	struct served served[LOOP_QUEUES_MAX];
	uint32_t served_end; /* no place is used from here on */

	uint32_t ports[PORTS_BATCH];	  /* where pending ports are read to */
	uint32_t unmask[LOOP_QUEUES_MAX]; /* what is being written to unmask */
	uint64_t rung;			  /* where the mailbox's eventfd is read to */
	uint64_t memory_rung;		  /* where memory's is */
	bool ending, failed;
	bool wait_by_poll;
	bool unsubmitted;	    /* the kernel has not taken all that was prepared */
	struct io_uring_sqe *aside; /* ASIDE_MAX of them, prepared while the submission queue was full */
	uint32_t aside_first, aside_count;
	uint32_t first; /* the place that is looked at first, another one each turn */
	bool registered_tried;
	struct iovec registered; /* with io_uring; its length is 0 until it is */
	uint32_t watches_set;	 /* gives each its generation */
	struct log_limit limit;

	struct mailbox commands, events;
	pthread_t thread;
	sem_t started;
	int start_error;
};

static_assert(offsetof(struct loop, turn) == 0, "loop_of");

static inline struct loop *loop_of(struct blkif_queue *queue)
{
	return (struct loop *)queue->turn;
}

/* submissions_init - the loop's io_uring, made by the thread that uses it. Returns 0 or a negative errno. */
int submissions_init(struct loop *loop);

/* submissions_exit - unmake it. What is under way is cancelled or waited for. */
void submissions_exit(struct loop *loop);

/*
 * submissions_register - memory that backends will often read to and write from stays looked up and pinned. Without it
 * all works, too. Returns 0 or a negative errno.
 */
int submissions_register(struct loop *loop, struct iovec memory);

/* submissions_read_ports - of event channels that are pending; COMPLETION_PORTS follows. */
void submissions_read_ports(struct loop *loop);

/* submissions_read_command_bell, _memory_bell - until the bell is rung: COMPLETION_COMMAND, COMPLETION_MEMORY. */
void submissions_read_command_bell(struct loop *loop);
void submissions_read_memory_bell(struct loop *loop);

/* submissions_unmask - `count` ports of loop->unmask. */
void submissions_unmask(struct loop *loop, uint32_t count);

/* submissions_end_wait - before its time. The backend gets the result as ever, by COMPLETION_WAIT. */
void submissions_end_wait(struct loop *loop, struct blkif_layer_request *request);

/* submissions_watch - what the queue's backends watch, as they want it now. */
void submissions_watch(struct loop *loop, struct blkif_queue *queue);

/* submissions_watch_nothing - the queue has stopped. What comes of its watches later is nobody's. */
void submissions_watch_nothing(struct loop *loop, struct blkif_queue *queue);

/* submissions_submit - hand all to the kernel. With `wait` until something is complete: the one place that waits. */
void submissions_submit(struct loop *loop, bool wait);

#endif
