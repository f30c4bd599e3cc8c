/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop_internal.h - what the files of the loop have in common: loop.c, loop_net.c, submissions.c
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
	COMPLETION_NET,		/* a net backend's I/O: 20 bits generation, 16 bits queue, 16 bits number */
	COMPLETION_NET_WAIT,	/* its time has passed; the same */
	COMPLETION_NET_WATCH,	/* its descriptor is ready; the same, but the number is the watch's index */
	COMPLETION_NET_RATE,	/* a queue that had used up its rate may go on: generation, queue */
};

enum loop_command {
	COMMAND_SERVE = 1,
	COMMAND_RELEASE,
	COMMAND_NET_SERVE,
	COMMAND_NET_RELEASE,
	COMMAND_NET_SET,
	COMMAND_END,
};

/* A place in the table of queues. */
struct served {
	struct blkif_queue *queue; /* NULL: free */
	uint32_t port;
	bool releasing;
	bool broken_told; /* LOOP_BROKEN was sent, or LOOP_NOT_STARTED */
	bool masked;	  /* the port may have been pending and was not unmasked since */
};

/* What a loop has of a card's queue. */
struct loop_net {
	struct netif_queue *queue;
	struct loop *loop;	   /* that serves it */
	uint32_t port_tx, port_rx; /* the same if they are not split */
	bool masked_tx, masked_rx; /* may have been pending and were not unmasked since */
	bool releasing;
	bool broken_told;  /* LOOP_BROKEN was sent, or LOOP_NOT_STARTED */
	bool watching;	   /* what its backend watches has changed */
	bool rate_waiting; /* COMPLETION_NET_RATE is to come */
	uint32_t rate_generation;
	struct __kernel_timespec rate_wait;
	struct blkif_watch watches[XVHOST_WATCHES_MAX];
	struct __kernel_timespec waits[NETIF_NUMBERS_MAX]; /* of host->wait, until io_uring has read them */

	struct message_net_settings settings; /* of COMMAND_NET_SET, while that is under way */
};

struct loop {
	struct blkif_turn turn; /* first: a queue finds its loop by it */
	struct netif_turn net_turn;
	const struct platform *platform;
	struct event_channels *channels;
	int channels_fd;
	struct io_uring ring;
	struct served served[LOOP_QUEUES_MAX];
	uint32_t served_end; /* no place is used from here on */
	struct loop_net *nets[LOOP_NETS_MAX];
	uint32_t nets_end; /* the same */

	uint32_t ports[PORTS_BATCH];			      /* where pending ports are read to */
	uint32_t unmask[LOOP_QUEUES_MAX + 2 * LOOP_NETS_MAX]; /* what is being written to unmask */
	uint64_t rung;					      /* where the mailbox's eventfd is read to */
	uint64_t memory_rung;				      /* where memory's is */
	bool ending, failed;
	bool wait_by_poll;
	bool unsubmitted;	    /* the kernel has not taken all that was prepared */
	struct io_uring_sqe *aside; /* ASIDE_MAX of them, prepared while the submission queue was full */
	uint32_t aside_first, aside_count;
	uint32_t first; /* the place that is looked at first, another one each turn */
	bool registered_tried;
	struct iovec registered; /* with io_uring; its length is 0 until it is */
	uint32_t watches_set;	 /* gives each its generation */
	uint32_t rates_waited;	 /* the same of waits for rates */
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

/*
 * submissions_watch - a backend wants to watch this, with its watch of this index; submissions_change_watches brings the kernel to
 * what is wanted of all XVHOST_WATCHES_MAX of them. `place` is their user_data without generation and index.
 */
void submissions_watch(struct blkif_watch *watch, int fd, uint32_t events);
void submissions_change_watches(struct loop *loop, struct blkif_watch *watches, uint64_t place);

/* submissions_watch_nothing - the queue has stopped. What comes of its watches later is nobody's. */
void submissions_watch_nothing(struct loop *loop, struct blkif_watch *watches, uint64_t place);

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
struct io_uring_sqe *submissions_entry(struct loop *loop);

/* submissions_end_timeout - before its time. Its completion comes as ever, by its user_data. */
void submissions_end_timeout(struct loop *loop, uint64_t user_data);

/* submissions_cancel - I/O that may wait for ever. Its completion comes as ever. */
void submissions_cancel(struct loop *loop, uint64_t user_data);

/* loop_tell - an event for the control thread. */
void loop_tell(struct loop *loop, struct mailbox_message message);

/* ---- loop_net.c: the loop's part for cards; what loop.c does for disks ---- */

int loop_nets_init(struct loop *loop);
void loop_nets_exit(struct loop *loop);
void loop_nets_command(struct loop *loop, enum loop_command command, struct loop_net *net);
void loop_nets_port(struct loop *loop, uint32_t port);
void loop_nets_done(struct loop *loop, uint64_t data, int32_t result);
void loop_nets_watch_done(struct loop *loop, uint64_t data, int32_t result);
void loop_nets_rate_done(struct loop *loop, uint64_t data);
void loop_nets_take(struct loop *loop);
void loop_nets_publish(struct loop *loop);
void loop_nets_look_after(struct loop *loop);
void loop_nets_all_masked(struct loop *loop);
bool loop_nets_ready(const struct loop *loop);
bool loop_nets_ask(struct loop *loop);

/* loop_nets_unmask - adds to loop->unmask what can be unmasked; returns how many there are then. */
uint32_t loop_nets_unmask(struct loop *loop, uint32_t count);

/* submissions_submit - hand all to the kernel. With `wait` until something is complete: the one place that waits. */
void submissions_submit(struct loop *loop, bool wait);

#endif
