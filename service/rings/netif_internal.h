/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netif_internal.h - what the files of netif have in common: netif_queue.c, netif_take.c, netif_transmit.c, netif_receive.c,
 * netif_turn.c, netif_layers.c
 */
#ifndef NETIF_INTERNAL_H
#define NETIF_INTERNAL_H

#include <stddef.h>

#include "rings/netif.h"
#include "rings/netif_area.h"
#include "rings/netif_hash.h"
#include "rings/netif_rate.h"

/* A packet from the guest. Of its slots those without data are in `ids` only. */
struct netif_packet {
	struct xvhost_packet seen; /* first: netif_packet_of */
	struct netif_packet *next; /* free ones, or those that ended */
	struct memory_mapping mapping;
	int error;
	bool given;  /* the backend has it */
	bool read;   /* all of it is in `private`, and was never mapped */
	bool mapped; /* `mapping` is */
	uint8_t slot_count, extra_count;
	uint8_t first, end; /* of the slots that have data */
	uint16_t flags;	    /* NETTXF_... */
	uint8_t *private;   /* the headers; all of it, if it is copied, or no larger */
	uint16_t ids[NETIF_SLOTS_BROKEN];
	uint32_t grefs[NETIF_SLOTS_MAX];
	uint16_t offsets[NETIF_SLOTS_MAX], sizes[NETIF_SLOTS_MAX];
	void *pages[NETIF_SLOTS_MAX];
	struct iovec iov[XVHOST_NET_IOVECS_MAX];
};

/* A packet for the guest, and the slots that it takes: all in one piece of the batch's arrays. */
struct netif_delivery {
	struct xvhost_packet *seen;
	struct memory_mapping mapping;
	int error;
	uint16_t headroom;
	uint16_t first_id, first_data;
	uint8_t data_count;  /* 0: it has no slots, and is dropped */
	uint8_t extra_count; /* extra infos, which follow the first slot */
	struct netif_hash_value hash;
	uint32_t copy_count; /* pieces of the turn's list */
};

/* Packets for the guest that were taken since the last netif_finish. */
struct netif_batch {
	uint32_t count, id_count, data_count;
	struct netif_delivery deliveries[NETIF_RECEIVED_MAX];
	uint16_t ids[NETIF_RING_SIZE];
	uint32_t grefs[NETIF_RING_SIZE]; /* of the slots that get data */
	void *pages[NETIF_RING_SIZE];
};

/* Of a card with hashes: the packets that a queue's backend gave it, in that order, wherever they lie. Of others the batch is that. */
struct netif_order {
	uint32_t count;
	struct netif_delivery *deliveries[NETIF_RECEIVED_MAX];
};

struct netif_operation {
	uint32_t generation;
	bool busy;
	bool waiting;
	uint8_t layer; /* whose it is, while it is busy */
};

/* A packet that a card below a wrapper has for the guest, from when the wrapper took it until that card has it back. */
struct netif_offered {
	struct xvhost_packet *packet;
	int error;
	bool given_back;
};

#define NETIF_OFFERED_MAX (2 * NETIF_RECEIVED_MAX) /* a power of 2 */

/* A card below a wrapper: what it has for the guest, in its order. Counters, of which the lower bits are places. */
struct netif_offers {
	struct netif_offered packets[NETIF_OFFERED_MAX];
	uint32_t first, next;
	uint32_t back; /* all before this one are given back */
	bool room_due; /* the backend is to be told that it may offer more */
};

/* A queue as one of its backends has it. */
struct netif_layer {
	struct xvhost_net_queue seen; /* first: netif_layer_of */
	struct netif_queue *queue;
	const struct xvhost_net_backend *backend;
	uint32_t first_number, end_number; /* of its own operations, among the queue's */
	bool started;
	struct netif_offers *offers; /* NULL: it is the outermost */
};

struct netif_queue {
	struct netif_layer layers[NETIF_LAYERS_MAX]; /* the outermost first */
	uint32_t layer_count;
	bool delivering; /* the backends are being given packets back */
	const char *name;
	struct log_limit *limit;
	void *owner;
	struct netif_turn *turn;
	struct netif_queue *next_taken, *next_finished, *next_finishing;
	uint16_t index;
	bool in_taken, in_finished; /* lists of the turn */
	bool started, released, broken;
	bool scatter, cached, map_tx, map_rx;
	uint32_t takes; /* XVHOST_NET_...: the backend, from the guest */

	struct ring tx;
	bool tx_look;	 /* there may be packets in the ring */
	bool tx_asked;	 /* to be notified of the next one */
	bool tx_no_room; /* none is taken until others end */
	bool rate_waits; /* none is taken until there is credit */
	struct netif_rate rate;
	struct xvhost_packet *taken[NETIF_PACKETS_PER_TURN];
	uint32_t taken_count;
	struct netif_packet *packets, *free_packets;
	struct netif_packet *ended, **ended_last; /* to be given back and answered by netif_finish */
	uint32_t in_flight;
	uint8_t *headers;	/* with map_tx: NETIF_HEADROOM_BYTES and NETIF_HEADER_BYTES for each packet */
	struct netif_area area; /* without */

	struct ring rx;
	bool room_wanted;	/* netif_receive has returned false */
	bool room_at_once;	/* ... since it had enough for one turn */
	bool room_asked;	/* to be notified of more slots */
	bool room_due;		/* netif_start is to tell the backend */
	uint32_t room_producer; /* ... since this was all that the guest had given ... */
	struct ring *room_ring; /* ... in this ring: its own, or with a hash another queue's ... */
	uint32_t room_changes;	/* ... and the hash was this; the packet may go to another one by now */
	bool silent;		/* the guest does not notify of slots */
	uint32_t rx_known;	/* slots are there to be taken up to here */
	uint16_t headroom;
	struct netif_batch batches[2]; /* one fills while the other one is given back to the backend */
	uint32_t batch;
	struct netif_hash *hash;    /* that all of the card's queues share; NULL: it has no control ring */
	struct netif_order *orders; /* with a hash: of each batch */

	bool multicast_control;
	struct netif_multicast *multicast, *own_multicast;
	struct netif_operation *operations;
	uint32_t operation_count, operations_busy;
	struct netif_counters counters;
};

static inline struct netif_packet *netif_packet_of(struct xvhost_packet *seen)
{
	return (struct netif_packet *)seen;
}

/* From a mapping to the packet that it belongs to. */
static inline struct netif_packet *netif_packet_of_mapping(struct memory_mapping *mapping)
{
	return (struct netif_packet *)((char *)mapping - offsetof(struct netif_packet, mapping));
}

static inline struct netif_delivery *netif_delivery_of_mapping(struct memory_mapping *mapping)
{
	return (struct netif_delivery *)((char *)mapping - offsetof(struct netif_delivery, mapping));
}

static inline struct netif_layer *netif_layer_of(struct xvhost_net_queue *seen)
{
	return (struct netif_layer *)seen;
}

/* netif_is_below - a wrapper. */
static inline bool netif_is_below(const struct netif_layer *layer)
{
	return layer->offers;
}

/* netif_break - leave the rings alone from now on. The text says why. */
void netif_break(struct netif_queue *queue, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* netif_break_counter - for a counter that can't be. */
void netif_break_counter(struct netif_queue *queue, const struct ring *ring, uint32_t producer);

/* netif_answer_packet - answer all slots of a packet from the guest, and make it free. */
void netif_answer_packet(struct netif_packet *packet);

/* netif_end_packet - a packet that was taken needs nothing but netif_finish. */
void netif_end_packet(struct netif_packet *packet, int error);

/* netif_add_taken, netif_add_finished - the queue to a list of the turn, if it is not there. */
static inline void netif_add_taken(struct netif_queue *queue)
{
	if (queue->in_taken)
		return;
	queue->in_taken = true;
	queue->next_taken = queue->turn->taken;
	queue->turn->taken = queue;
}

static inline void netif_add_finished(struct netif_queue *queue)
{
	if (queue->in_finished)
		return;
	queue->in_finished = true;
	queue->next_finished = queue->turn->finished;
	queue->turn->finished = queue;
}

/* netif_transmit_collect - what must be mapped or copied of the packets that were taken, to the turn's lists. */
void netif_transmit_collect(struct netif_queue *queue);

/* netif_transmit - give the packets that could be had to the backend. `copies` are those of this queue; returns those of the next. */
const struct grant_copy *netif_transmit(struct netif_queue *queue, const struct grant_copy *copies);

/* netif_room_due - is the backend to be told that there may be room for what it has for the guest? Loop thread. */
bool netif_room_due(const struct netif_queue *queue);

/* netif_ask_room - returns true if there is room by now. */
bool netif_ask_room(struct netif_queue *queue);

/* netif_receive_collect - as netif_transmit_collect, for the packets of the batch that is full, or full enough. */
void netif_receive_collect(struct netif_queue *queue);

/* netif_receive_copied - what came of the copies of this queue; returns those of the next. */
const struct grant_copy *netif_receive_copied(struct netif_queue *queue, const struct grant_copy *copies);

/* netif_receive_fill - put a packet's data into the guest's pages, which are mapped. */
void netif_receive_fill(struct netif_delivery *delivery);

/* netif_receive_answer - answer the slots of that batch. */
void netif_receive_answer(struct netif_queue *queue);

/* netif_receive_give_back - the packets that the queue's backend gave it are its own again. All queues of the turn were answered. */
void netif_receive_give_back(struct netif_queue *queue);

/* netif_receive_empty - that batch is of no use any more. All queues of the turn have given back. */
void netif_receive_empty(struct netif_queue *queue);

/* netif_come_back - a packet that was forwarded to this layer has ended there. */
void netif_come_back(struct netif_layer *layer, struct xvhost_packet *packet, int error);

/* netif_offer - this layer has a packet for the guest: ask the wrapper above. Returns whether that takes it. */
bool netif_offer(struct netif_layer *layer, struct xvhost_packet *packet);

/* netif_deliver_below - what wrappers have given back, to whom it belongs; news of room. */
void netif_deliver_below(struct netif_queue *queue);

/* netif_offers_none - no layer waits for a packet to be given back. */
bool netif_offers_none(const struct netif_queue *queue);

#endif
