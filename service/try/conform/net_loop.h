/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net_loop.h - queues of network cards, their packets, and the thread that waits for what they start
 *
 * Theory of operation: as loop.h has it for disks. A packet that is given to the backend lies in an arena (memory.h), which
 * can only be read until it is transmitted and not at all afterwards. Its headers and the room before them, which can be written, are compared. What the backend has for the guest is looked at when the host
 * takes it, and once more before it is given back, at the end of the loop's turn. What is wrong ends the process by conform_broken().
 *
 * With wrappers each backend has a queue of its own; they are in a chain, the outermost of which is the loop's. Packets from the guest are
 * the outermost's, whoever has them (net_layers.h).
 */
#ifndef CONFORM_NET_LOOP_H
#define CONFORM_NET_LOOP_H

#include <liburing.h>

#include "rings/netif.h"
#include "try/conform/call.h"
#include "try/conform/card.h"
#include "try/conform/memory.h"

#define CONFORM_NET_PACKETS 32u		/* of one queue, that are transmitted at a time */
#define CONFORM_NET_QUEUES_MAX 8u	/* of one loop */
#define CONFORM_NET_NO_LIMIT UINT32_MAX /* of packets for which the guest has room */
#define CONFORM_NET_TIMEOUT_MS 5000	/* what takes longer never ends */
#define CONFORM_NET_CUT_MAX 64u		/* iovecs of a write that ends short */

struct conform_net_queue;
struct conform_traffic;

enum conform_net_operation_type {
	CONFORM_NET_IDLE = 0,
	CONFORM_NET_READ,
	CONFORM_NET_WRITE,
	CONFORM_NET_WAIT
};

/* An operation of the host's, by its number. */
struct conform_net_operation {
	struct conform_net_queue *queue;
	enum conform_net_operation_type type;
	const struct iovec *iov;
	uint32_t iov_count;
	uint64_t iov_sum; /* of the iovecs as they were */
	struct iovec cut[CONFORM_NET_CUT_MAX];
	struct __kernel_timespec timeout;
	bool forced; /* the result is forced_result, whatever io_uring says */
	int32_t forced_result;
	bool failed; /* the last one of this number was made to fail */
};

/* A packet from the guest. */
struct conform_net_packet {
	struct conform_net_queue *queue;
	struct conform_arena arena;
	bool has_arena;
	bool live;				  /* the backend has it */
	uint64_t number;			  /* of all that were made, from 1 */
	struct conform_net_queue *holder;	  /* the queue of the backend that has it */
	uint64_t iov_sum;			  /* of the iovecs as they were given */
	int below_error;			  /* what the card below said of it */
	struct xvhost_packet given;		  /* as it was given, with ... */
	uint8_t headers[XVHOST_NET_HEADER_BYTES]; /* ... its first bytes */
};

/* A packet for the guest that the host has taken. */
struct conform_net_received {
	struct xvhost_packet *packet; /* the backend's */
	struct xvhost_packet taken;   /* as it was, with ... */
	uint64_t iov_sum, content_sum;
	bool given_back; /* by the wrapper that took it; with this error */
	int error;
};

struct conform_net_watch {
	bool set;
	uint32_t generation; /* what io_uring says of another one comes too late */
};

struct conform_net_queue {
	struct xvhost_net_queue seen; /* first: what the backend sees */
	struct conform_net_loop *loop;
	struct conform_card *card;
	struct conform_net_queue *above, *below; /* NULL: none */
	struct conform_net_packet packets[CONFORM_NET_PACKETS];
	struct conform_net_operation operations[CONFORM_NET_PACKETS + NETIF_OPERATIONS_MAX];
	struct conform_net_received received[NETIF_RECEIVED_MAX];
	struct conform_net_watch watches[XVHOST_WATCHES_MAX];
	uint32_t live;		 /* packets that the backend has */
	uint32_t under_way;	 /* operations */
	uint32_t received_count; /* that are not given back yet */
	uint32_t watch_count;
	uint64_t forwarded; /* the number of the last packet that was passed on */
	bool room_due;	    /* of one below a wrapper: it is to be told that it may offer more */
	uint32_t room;	    /* packets that the guest takes until it has no room; CONFORM_NET_NO_LIMIT */
	bool room_wanted;   /* the backend was told that there is none */
	bool told_to_stop;
	int deliver_error; /* what `delivered` is called with */

	/* Counted since the queue was started. */
	uint64_t given, lost, taken, refused, dropped, rooms;
};

/* What is done to the reads and writes that backends start; waiting is not counted. */
struct conform_net_fault {
	uint32_t at; /* the number of the operation, from 1; 0: none */
	int error;   /* its result; 0: a write does half of it, and a read reads nothing */
};

struct conform_net_loop {
	struct conform_calls calls;
	struct io_uring ring;
	struct conform_net_queue *queues[CONFORM_NET_QUEUES_MAX]; /* NULL: free */
	struct conform_net_queue *called;			  /* a call for it is running */
	struct conform_net_fault fault;
	uint32_t operations, faults;	 /* that `fault` may be about, and was */
	uint64_t made;			 /* packets */
	struct conform_traffic *traffic; /* is told of each packet that the host takes; may be NULL */
};

void conform_net_loop_init(struct conform_net_loop *loop);
void conform_net_loop_exit(struct conform_net_loop *loop);

/* conform_net_queue_start - on the loop's thread, as all that follow. `count` of the card's queues run. */
void conform_net_queue_start(struct conform_net_queue *queue, struct conform_net_loop *loop,
			     struct conform_card *card, uint32_t index, uint32_t count, uint32_t guest_takes);

/* conform_net_under_way - is anything, of this queue and those below? */
bool conform_net_under_way(const struct conform_net_queue *queue);

/* conform_net_queue_stop - tell the backend, wait until nothing is under way, and stop. */
void conform_net_queue_stop(struct conform_net_queue *queue);

/* conform_net_free - a packet that the backend does not have and that was not used for longest; NULL: it has all. */
struct conform_net_packet *conform_net_free(struct conform_net_queue *queue);

/*
 * conform_net_make - put content into a free packet, in `count` pieces, the first of which has all headers; the others lie one behind
 * the other, each as far from the one before as `gap` says. `described` has all of the packet but its memory.
 */
void conform_net_make(struct conform_net_packet *packet, const struct xvhost_packet *described,
		      const uint8_t *content, const uint32_t *pieces, uint32_t count, uint32_t gap);

/* conform_net_transmit - give packets that were made, all at once. */
void conform_net_transmit(struct conform_net_queue *queue, struct conform_net_packet *const *packets,
			  uint32_t count);

/* conform_net_turn - hand over what was started and deliver results; waits so long for one. Returns whether there was any. */
bool conform_net_turn(struct conform_net_loop *loop, uint32_t wait_ms);

/* conform_net_finish - until all packets of the queue are transmitted. */
void conform_net_finish(struct conform_net_queue *queue);

/* conform_net_idle - look at what comes for some time. */
void conform_net_idle(struct conform_net_loop *loop, uint32_t time_ms);

/* conform_net_packet_text - for people: "packet 7 (1514 bytes in 3 pieces)". */
void conform_net_packet_text(const struct conform_net_packet *packet, char *text, size_t size);

#endif
