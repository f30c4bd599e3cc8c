/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * submissions.h - an io_uring: what is asked of the kernel by it, and the place that waits
 *
 * One thread has it: the loop that serves rings, or the one that joins two net backends (cable.h).
 */
#ifndef SUBMISSIONS_H
#define SUBMISSIONS_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

#include "rings/blkif.h"
#include "xvhost/backend.h"

#define GENERATION_MASK 0xfffffu
#define SUBMISSIONS_DONE_MAX 640u /* taken by one submissions_reap */

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
	COMPLETION_NET,		/* a net backend's I/O: 20 bits generation, 16 bits queue, 16 bits number */
	COMPLETION_NET_WAIT,	/* its time has passed; the same */
	COMPLETION_NET_WATCH,	/* its descriptor is ready; the same, but the number is the watch's index */
	COMPLETION_NET_RATE,	/* a queue that had used up its rate may go on: generation, queue */
	COMPLETION_NET_ROOM,	/* a queue that waits for room is to be looked at: generation, queue */
	COMPLETION_PUBLISHED,	/* responses could not be shown */
};

/* What has become of something. */
struct submissions_done {
	uint64_t data; /* its user_data */
	int32_t result;
};

struct submissions {
	struct io_uring ring;
	bool wait_by_poll;
	bool failed;		    /* it is of no use any more */
	bool unsubmitted;	    /* the kernel has not taken all that was prepared */
	struct io_uring_sqe *aside; /* aside_max of them, prepared while the submission queue was full */
	uint32_t aside_max, aside_first, aside_count;
	uint32_t watches_set; /* gives each its generation */
};

/*
 * submissions_init - by the thread that is to use it; all is 0 but for `wait_by_poll`, see loop_create. At most so many
 * operations are prepared at a time, and of so many there may be completions. Returns 0 or a negative errno.
 */
int submissions_init(struct submissions *io, uint32_t operations, uint32_t completions);

/* submissions_exit - unmake it. What is under way is cancelled or waited for. */
void submissions_exit(struct submissions *io);

/*
 * submissions_watch - a backend wants to watch this, with its watch of this index; submissions_change_watches brings the kernel to
 * what is wanted of all XVHOST_WATCHES_MAX of them. `place` is their user_data without generation and index.
 */
void submissions_watch(struct blkif_watch *watch, int fd, uint32_t events);
void submissions_change_watches(struct submissions *io, struct blkif_watch *watches, uint64_t place);

/*
 * submissions_watch_done - a watch's completion has come, with this user_data. False: the backend does not watch this any more, and is not
 * to be told.
 */
bool submissions_watch_done(struct blkif_watch *watch, uint64_t user_data);

/* submissions_watch_nothing - the queue has stopped. What comes of its watches later is nobody's. */
void submissions_watch_nothing(struct submissions *io, struct blkif_watch *watches, uint64_t place);

/* submissions_generation - of a completion whose user_data has one. */
static inline uint32_t submissions_generation(uint64_t user_data)
{
	return user_data >> 32 & GENERATION_MASK;
}

/* submissions_tag - a completion's user_data, to which the rest is added. */
static inline uint64_t submissions_tag(enum completion_type type)
{
	return (uint64_t)type << 56;
}

/* submissions_time - nanoseconds, as io_uring wants them. */
static inline struct __kernel_timespec submissions_time(uint64_t nanoseconds)
{
	return (struct __kernel_timespec){.tv_sec = (int64_t)(nanoseconds / 1000000000),
					  .tv_nsec = (long long)(nanoseconds % 1000000000)};
}

/* submissions_entry - an entry for the kernel, which is cleared but for user_data when it is prepared. */
struct io_uring_sqe *submissions_entry(struct submissions *io);

/* submissions_prepare_read, _write - of the current place of a descriptor. */
void submissions_prepare_read(struct io_uring_sqe *sqe, int fd, const struct iovec *iov, uint32_t iov_count);
void submissions_prepare_write(struct io_uring_sqe *sqe, int fd, const struct iovec *iov, uint32_t iov_count);

/* submissions_end_timeout - before its time. Its completion comes as ever, by its user_data. */
void submissions_end_timeout(struct submissions *io, uint64_t user_data);

/* submissions_cancel - I/O that may wait for ever. Its completion comes as ever. */
void submissions_cancel(struct submissions *io, uint64_t user_data);

/* submissions_reap - take what is complete, as much as there is room for in `done`. Returns how many there are. */
uint32_t submissions_reap(struct submissions *io, struct submissions_done *done, uint32_t most);

/* submissions_submit - hand all to the kernel. With `wait` until something is complete: the one place that waits. */
void submissions_submit(struct submissions *io, bool wait);

#endif
