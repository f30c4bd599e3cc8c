/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop.h - queues, requests, and the host's functions for the loop thread, all of which are watched
 *
 * Theory of operation: a loop belongs to the thread that made it and has an io_uring of its own. A request that is
 * made lies in an arena (memory.h); for a stack of backends it has a part for each layer. Each call of a
 * backend is entered and left, so that it is known whether the host was called from within one, and how long the
 * thread was blocked. The host's operations of the outermost backend are counted, and can be told to fail. What is
 * wrong ends the process by conform_broken().
 */
#ifndef CONFORM_LOOP_H
#define CONFORM_LOOP_H

#include <liburing.h>
#include <pthread.h>
#include <time.h>

#include "try/conform/call.h"
#include "try/conform/disk.h"
#include "try/conform/memory.h"

#define CONFORM_UNREAD 0xe7	/* in memory that is to be read into */
#define CONFORM_DEPTH 16	/* requests of one queue */
#define CONFORM_TIMEOUT_MS 5000 /* what takes longer never ends */
#define CONFORM_QUEUES_MAX 8	/* of one loop */
#define CONFORM_WATCHES_MAX (CONFORM_QUEUES_MAX * BLKIF_LAYERS_MAX * XVHOST_WATCHES_MAX)

/* The host's operations. */
enum conform_operation {
	CONFORM_IDLE = 0,
	CONFORM_HOST_READ,
	CONFORM_HOST_WRITE,
	CONFORM_HOST_SYNC,
	CONFORM_HOST_FALLOCATE,
	CONFORM_HOST_WAIT,
	CONFORM_HOST_FORWARD
};

enum conform_fault_kind {
	CONFORM_FAULT_NONE = 0,
	CONFORM_FAULT_ERROR,   /* nothing is done, the result is an error */
	CONFORM_FAULT_SHORT,   /* only a part of a read or write is done */
	CONFORM_FAULT_NOTHING, /* nothing of a read or write is done: 0 bytes */
};

/* What is done to the operations that the outermost backend starts; waiting is not counted. */
struct conform_fault {
	enum conform_fault_kind kind;
	int error;	/* of CONFORM_FAULT_ERROR */
	uint32_t at;	/* the number of the operation, from 1 */
	bool from_then; /* and of all that follow */
};

struct conform_queue;

/* One request for one layer. */
struct conform_part {
	struct conform_request *request;
	uint32_t layer;
	struct conform_arena arena;
	bool live; /* the backend has it */
	uint32_t operation;
	uint64_t offset, length;
	uint32_t iov_count;

	enum conform_operation pending;
	uint32_t operations; /* started for this request */
	int fd;
	const struct iovec *iov; /* of what is pending */
	uint32_t pending_iov_count;
	uint64_t iov_sum;		   /* of the iovecs as they were */
	struct iovec cut[CONFORM_IOV_MAX]; /* what is done of a read or write that ends short */
	struct __kernel_timespec timeout;
	bool faulty; /* what is pending was told to fail */
	bool forced; /* the result is forced_result, whatever io_uring says */
	int32_t forced_result;
};

enum conform_request_state {
	CONFORM_FREE = 0,
	CONFORM_MADE, /* not submitted yet */
	CONFORM_SUBMITTED,
	CONFORM_COMPLETED /* `error` is its result; free once it is given back */
};

struct conform_request {
	struct conform_queue *queue;
	enum conform_request_state state;
	uint64_t number; /* of all that were made, from 1 */
	int error;
	struct iovec given[CONFORM_IOV_MAX]; /* as it was submitted */
	uint32_t given_count;
	uint32_t span;		    /* bytes of the arena's data in which its pieces lie */
	struct conform_part *parts; /* one for each layer; NULL until it is first used */

	/* Its place in an image. */
	uint32_t area, first_sector, generation;
};

struct conform_queue {
	struct conform_loop *loop;
	struct conform_disk *disk;
	struct xvhost_queue seen[BLKIF_LAYERS_MAX];
	bool in_stop; /* queue_stop() of one of them is running */
	struct conform_request requests[CONFORM_DEPTH];
	uint32_t in_flight;
};

/* A descriptor that a backend watches. */
struct conform_watch {
	struct conform_queue *queue; /* NULL: none */
	uint32_t layer, index;
	uint32_t generation; /* what io_uring says of another one comes too late */
};

struct conform_result {
	struct conform_part *part;
	int32_t result;
};

struct conform_loop {
	pthread_t thread;
	struct io_uring ring;
	struct conform_calls calls;
	uint32_t operations; /* that `fault` may be about, since it was set */
	uint32_t faults;     /* of these, the ones that were made to fail */
	struct conform_fault fault;
	bool hold;	/* results are kept back ... */
	bool backwards; /* ... and then the last one comes first */
	struct conform_result results[CONFORM_ARENAS_MAX];
	uint32_t result_count;
	uint32_t under_way; /* operations that io_uring has, and results that are kept back */
	uint32_t in_flight; /* requests */
	struct conform_queue *queues[CONFORM_QUEUES_MAX]; /* NULL: free */
	struct conform_watch watches[CONFORM_WATCHES_MAX];
	uint32_t watch_count; /* of them, in use */
	uint64_t made;	      /* requests */
};

void conform_loop_init(struct conform_loop *loop);
void conform_loop_exit(struct conform_loop *loop);

/* conform_queue_start - on the loop's thread, as all that follow. */
void conform_queue_start(struct conform_queue *queue, struct conform_loop *loop, struct conform_disk *disk,
			 uint32_t index);
void conform_queue_stop(struct conform_queue *queue);

/* conform_queue_stopping - the queue is to stop as soon as what it has is complete. */
void conform_queue_stopping(struct conform_queue *queue);

/*
 * conform_request_make - prepare a request whose data lies in `count` pieces, one behind the other and each as far
 * from the one before as `gap` says. What is read into is filled with what nobody wrote. NULL: all are in use.
 */
struct conform_request *conform_request_make(struct conform_queue *queue, uint32_t operation, uint64_t offset,
					     const uint32_t *pieces, uint32_t count, uint32_t gap);

/* conform_request_sector - where 512 bytes of the request's data lies. The arena must be open. */
uint8_t *conform_request_sector(struct conform_request *request, uint32_t sector);

/* conform_request_open - look at the data of a request that is complete; breaks a promise if what lies between its
 * pieces was changed. */
void conform_request_open(struct conform_request *request);

/* conform_request_give_back - its place may be used again; until then its memory faults. */
void conform_request_give_back(struct conform_request *request);

void conform_submit(struct conform_request *request);

/* conform_turn - hand over what the backend started and deliver results. Waits for one if any operation is under way.
 * Returns false if there was nothing to wait for. */
bool conform_turn(struct conform_loop *loop);

/* conform_finish - until this request is complete; returns its result. */
int conform_finish(struct conform_request *request);

/* conform_idle - look at what comes for some time, though nothing is under way. */
void conform_idle(struct conform_loop *loop, uint32_t time_ms);

/* conform_request_text - for people: "request 7 (read of 4096 bytes at byte 0 in 2 pieces)". */
void conform_request_text(const struct conform_request *request, char *text, size_t size);

#endif
