/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop_internal.h - what the files of the loop have in common: loop.c, loop_net.c, loop_publisher.c, loop_submissions.c
 */
#ifndef LOOP_INTERNAL_H
#define LOOP_INTERNAL_H

#include <assert.h>
#include <liburing.h>
#include <pthread.h>
#include <semaphore.h>

#include "log.h"
#include "rings/netif_control.h"
#include "worker/loop.h"
#include "worker/mailbox.h"
#include "worker/submissions.h"

#define PORTS_BATCH 64 /* event channels taken by one read */
#define PORTS_MAX (LOOP_QUEUES_MAX + 3 * LOOP_NETS_MAX)

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

/* A time that passes for a card's queue. */
struct loop_net_timer {
	bool waiting; /* its completion is to come */
	uint32_t generation;
	struct __kernel_timespec time; /* until io_uring has read it */
};

/* What a loop has of a card's queue. */
struct loop_net {
	struct netif_queue *queue;
	struct loop *loop;	   /* that serves it */
	uint32_t port_tx, port_rx; /* the same if they are not split */
	bool masked_tx, masked_rx; /* may have been pending and were not unmasked since */
	bool releasing;
	bool broken_told;	       /* LOOP_BROKEN was sent, or LOOP_NOT_STARTED */
	bool watching;		       /* what its backend watches has changed */
	struct netif_control *control; /* the card's, with one of its queues; NULL: none */
	uint32_t port_control;
	bool masked_control;
	struct loop_net_timer rate, room; /* COMPLETION_NET_RATE, COMPLETION_NET_ROOM */
	struct blkif_watch watches[NETIF_LAYERS_MAX][XVHOST_WATCHES_MAX];
	struct __kernel_timespec waits[NETIF_NUMBERS_MAX]; /* of host->wait, until io_uring has read them */

	struct message_net_settings settings; /* of COMMAND_NET_SET, while that is under way */
};

/* A ring whose responses are shown at the end of a turn. */
struct shown_ring {
	struct ring_publication ring;
	uint32_t port;
};

/* See loop_publisher.c. */
struct publisher {
	int device;	/* the module's, or -1: by hand */
	bool under_way; /* handed to the kernel; nothing of what follows may be changed */
	bool skipped;	/* the last turn could not publish */
	struct shown_ring shown[PORTS_MAX];
	uint32_t shown_count;
	struct xvhost_remap_publication publication;
	struct xvhost_remap_ring rings[PORTS_MAX];
	struct xvhost_remap_extent extents[MEMORY_EXTENTS_MAX];
};

struct loop {
	struct blkif_turn turn; /* first: a queue finds its loop by it */
	struct netif_turn net_turn;
	const struct platform *platform;
	struct event_channels *channels;
	int channels_fd;
	struct submissions io;
	struct publisher publisher;
	uint16_t domid;
	struct served served[LOOP_QUEUES_MAX];
	uint32_t served_end; /* no place is used from here on */
	struct loop_net *nets[LOOP_NETS_MAX];
	uint32_t nets_end; /* the same */

	uint32_t ports[PORTS_BATCH]; /* where pending ports are read to */
	uint32_t unmask[PORTS_MAX];  /* what is being written to unmask */
	uint64_t rung;		     /* where the mailbox's eventfd is read to */
	uint64_t memory_rung;	     /* where memory's is */
	bool ending;
	uint32_t first; /* the place that is looked at first, another one each turn */
	bool registered_tried;
	struct iovec registered; /* with io_uring; its length is 0 until it is */
	uint32_t timers_set;	 /* gives each timer of cards its generation */
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

/* loop_submissions_init - the loop's io_uring, made by the thread that uses it. Returns 0 or a negative errno. */
int loop_submissions_init(struct loop *loop);

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

/* loop_publisher_open - by the loop's thread, before anything else is asked of its io_uring. */
void loop_publisher_open(struct loop *loop);

/* loop_publisher_close - when the io_uring has ended. What it has not carried out is done now. */
void loop_publisher_close(struct loop *loop);

/*
 * loop_publisher_place - there will be something to publish in this turn: its entry goes before those of requests that are taken now, so
 * that the guest need not wait for their sake.
 */
void loop_publisher_place(struct loop *loop);

/*
 * loop_publisher_ready - can this turn publish? Not as long as the kernel has not carried out what the last one has. Then loop_publish takes
 * what is to be shown of a ring, and of which port's frontend; and loop_publisher_end_turn is called.
 */
bool loop_publisher_ready(struct loop *loop);
void loop_publish(struct loop *loop, const struct ring_publication *ring, uint32_t port);
void loop_publisher_end_turn(struct loop *loop);

/* loop_publisher_flush - have the kernel carry out what is under way, before a ring is unmapped. False: it has not, for want of memory, or
 * the turn could not publish. */
bool loop_publisher_flush(struct loop *loop);

/* loop_publisher_failed - COMPLETION_PUBLISHED. */
void loop_publisher_failed(struct loop *loop, int error);

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
void loop_nets_room_done(struct loop *loop, uint64_t data);
void loop_nets_take(struct loop *loop);
void loop_nets_publish(struct loop *loop);
void loop_nets_look_after(struct loop *loop);
void loop_nets_all_masked(struct loop *loop);
bool loop_nets_ready(const struct loop *loop);
bool loop_nets_ask(struct loop *loop);

/* loop_nets_unmask - adds to loop->unmask what can be unmasked; returns how many there are then. */
uint32_t loop_nets_unmask(struct loop *loop, uint32_t count);

#endif
