/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netif.h - one pair of rings of one network card: packets of the guest in, packets for the guest out (xen/io/netif.h)
 *
 * The names of the rings are the guest's: it transmits by `tx`, and puts empty pages into `rx`, to receive.
 *
 * Theory of operation: a loop turn goes through these functions in this order, each for all queues that have something to do.
 *
 *	netif_take	copies packets' slots out of the tx ring, checks them, collects what must be mapped or copied
 *	netif_start	maps or copies all that was collected by one call, gives each queue's packets to its backend
 *	...		the backend ends packets (netif_transmitted), and has some for the guest (netif_receive), now or in a
 *			later turn
 *	netif_finish	gives back the memory of all that was transmitted and answers it; brings all that is to be received to
 *			the guest by one call, and gives it back to the backend
 *	netif_hand_over	says what of one queue is to be shown to the frontend
 *	netif_ask	before the loop sleeps: the frontend is asked to notify of what comes next
 *
 * A packet that fails its check is answered with an error and goes no further. A ring whose counters are impossible, or in which it
 * can't be known where a packet ends, is broken: nothing more is taken from it, nor put into it.
 *
 * The first NETIF_HEADER_BYTES of a packet from the guest are copied once; headers are read there and nowhere else. The rest, if there is any,
 * is mapped where the guest's frames are in the cache, and copied by Xen otherwise (docs/memory.md).
 *
 * So one call is for what the cache has, which costs nothing of Xen's, and one for all copies. What the cache should have and has not is mapped
 * by grants within that call: a list for each queue and each 352 pages, and after one that can't be mapped, a list for each of its packets.
 *
 * All functions belong to the loop's thread unless they say something else.
 */
#ifndef NETIF_H
#define NETIF_H

#include <stdbool.h>
#include <stdint.h>

#include "log.h"
#include "memory/memory.h"
#include "rings/ring.h"
#include "worker/messages.h"
#include "xvhost/backend.h"

#define NETIF_HEADER_BYTES XVHOST_NET_HEADER_BYTES
#define NETIF_HEADROOM_BYTES XVHOST_NET_HEADROOM_BYTES
#define NETIF_RING_SIZE 256u /* slots in each of the rings, which have one page */
#define NETIF_SLOTS_MAX                                                                                      \
	18u /* of a packet from the guest: XEN_NETIF_NR_SLOTS_MIN; one of more is dropped ... */
#define NETIF_SLOTS_BROKEN 20u	  /* ... and one of more than these breaks the ring */
#define NETIF_EXTRAS_MAX 4u	  /* extra infos of a packet, one of each type; more break the ring */
#define NETIF_OPERATIONS_MAX 256u /* of a queue, besides those of packets that are transmitted */
#define NETIF_LAYERS_MAX 8u	  /* backends that stand one before the other */
#define NETIF_NUMBERS_MAX (NETIF_RING_SIZE + NETIF_LAYERS_MAX * NETIF_OPERATIONS_MAX)
#define NETIF_RECEIVED_MAX 128u		      /* packets for the guest that one queue takes in one turn */
#define NETIF_PACKETS_PER_TURN 128u	      /* from the guest, the same */
#define NETIF_MULTICAST_MAX 64u		      /* addresses that a guest can ask for, as in Linux's netback */
#define NETIF_ROOM_WAIT_NS UINT64_C(30000000) /* a frontend that says nothing of room is looked at so often */
#define NETIF_GENERATION_MASK 0xfffffu
#define NETIF_MAPPINGS_MAX (NETIF_RING_SIZE + NETIF_RECEIVED_MAX) /* of a queue, for memory_open */

struct netif_hash;
struct netif_multicast;
struct netif_queue;

/* What was done, for the log, xvhostctl and tests. Packets and bytes are the guest's: tx is from the guest. */
struct netif_counters {
	uint64_t tx_packets, tx_bytes;
	uint64_t tx_errors; /* answered with an error */
	uint64_t rx_packets, rx_bytes;
	uint64_t rx_dropped; /* for the guest, and thrown away */
	uint64_t events;
	uint64_t notifications;
};

/* What one turn of a loop gathers from all of its network queues. The queues are in lists of it. */
struct netif_turn {
	struct memory *memory;
	struct netif_queue *taken;    /* queues with packets that netif_start is to start */
	struct netif_queue *finished; /* queues with something for netif_finish */
	/* Room for what one call maps or copies; made by netif_turn_init. */
	struct memory_mapping **mappings, **gone;
	struct grant_copy *copies;
	uint32_t mapping_count, copy_count;
};

/* A card that a wrapper stands before. */
struct netif_below {
	struct xvhost_net *net;
	const struct xvhost_net_backend *backend;
	const struct xvhost_net_properties *properties;
};

/* What a queue is made of. The caller keeps all that it points to until netif_queue_free, but for `below`. */
struct netif_queue_parameters {
	struct xvhost_net *net;
	const struct xvhost_net_backend *backend;
	const struct xvhost_net_properties *properties;
	const struct netif_below *below; /* with wrappers: below_count of them, the uppermost first */
	uint32_t below_count;
	uint32_t index, count;	 /* of the queue, of the card's queues */
	void *tx_page, *rx_page; /* the rings, mapped */
	uint32_t guest_takes;	 /* XVHOST_NET_... */
	bool scatter;		 /* the guest takes packets in more than one page */
	bool silent;		 /* it does not notify of slots that it has put into rx */
	bool cached;		 /* what is mapped may go by the cache, as memory_choose has said */
	bool map_tx, map_rx;	 /* its memory is mapped, to read and to write; if not, Xen copies */
	struct netif_multicast
		*multicast;	 /* that all of the card's queues share; NULL: the queue has its own */
	struct netif_hash *hash; /* that all of them share, who are served by one loop; NULL: there is none */
	const struct message_net_settings *settings;
	struct log_limit *limit; /* of what the guest can cause */
	void *owner;		 /* whoever serves it keeps what he wants here: netif_owner */
};

/* netif_multicast_create, _free - the multicast addresses that a guest asks for, on any queue of its card; none at first.
 * Returns NULL if there is no memory. Control thread. */
struct netif_multicast *netif_multicast_create(void);
void netif_multicast_free(struct netif_multicast *multicast);

/* netif_turn_init, _free - for at most so many queues. Returns 0 or -ENOMEM. Control thread. */
int netif_turn_init(struct netif_turn *turn, struct memory *memory, uint32_t queues_max);
void netif_turn_free(struct netif_turn *turn);

/* netif_queue_create - a queue over mapped rings. Returns 0, -EPROTO when a ring's counters are not possible, -ENOMEM.
 * Control thread. */
int netif_queue_create(const struct netif_queue_parameters *parameters, struct netif_queue **queue);

/* netif_queue_free - after netif_queue_stop, or without netif_queue_start. Control thread. */
void netif_queue_free(struct netif_queue *queue);

/* netif_queue_start - tell the backend. Returns 0 or its error. `index` is of the loop's table, for completions. */
int netif_queue_start(struct netif_queue *queue, struct netif_turn *turn, uint16_t index);

/* netif_not_started - the backend whose error netif_queue_start has returned. */
const struct xvhost_net_backend *netif_not_started(const struct netif_queue *queue);

/* netif_queue_release - nothing more is taken; the backend is told that the queue is to stop. */
void netif_queue_release(struct netif_queue *queue);

/* netif_queue_stop - tell the backend that was told of the start. The queue is idle. */
void netif_queue_stop(struct netif_queue *queue);

/*
 * netif_queue_set - other settings, of the whole card: of its rate each queue has an equal part. Packets that were received before are
 * delivered as it was then.
 */
void netif_queue_set(struct netif_queue *queue, const struct message_net_settings *settings);

/* netif_queue_idle - nothing of it is under way: no packet, no operation of its backend's, nothing for netif_finish. */
bool netif_queue_idle(const struct netif_queue *queue);

/* netif_queue_broken - nothing more is taken, for good; the log says why. */
bool netif_queue_broken(const struct netif_queue *queue);

/* netif_queue_ready - there may be something to take, to finish, or room for the backend, without another event. */
bool netif_queue_ready(const struct netif_queue *queue);

/* netif_event - one of its ports was pending. */
void netif_event(struct netif_queue *queue);

/* netif_take - take up to NETIF_PACKETS_PER_TURN packets from the tx ring. May mark the queue broken. */
void netif_take(struct netif_queue *queue);

/* netif_start, netif_finish - for all queues of the turn; see above. */
void netif_start(struct netif_turn *turn);
void netif_finish(struct netif_turn *turn);

/* netif_hand_over - the responses that were written to one of its two rings, to be shown. False: there are none. */
bool netif_hand_over(struct netif_queue *queue, bool tx, struct ring_publication *publication);

/* netif_ask - true if something has come meanwhile, so that the queue needs another turn. */
bool netif_ask(struct netif_queue *queue);

/*
 * netif_rate_wait_ns - packets wait in the ring since those before have used up the rate: how long still? 0: none waits. When
 * the time has passed netif_rate_passed is called, and the queue is ready; earlier or later does no harm.
 */
uint64_t netif_rate_wait_ns(const struct netif_queue *queue);
void netif_rate_passed(struct netif_queue *queue);

/*
 * netif_room_wait_ns - the backend waits for room, and the frontend does not notify when it has given some: after so long the
 * queue is to be looked at again. 0: it need not be.
 */
uint64_t netif_room_wait_ns(const struct netif_queue *queue);

const struct netif_counters *netif_counters(const struct netif_queue *queue);
void *netif_owner(const struct netif_queue *queue);

/* ---- what the backend's calls become ---- */

/*
 * xvhost_net_host.transmitted, receive, dropped. A packet that the guest can't get is received, too, takes no slot, and comes back with an
 * error: -EMSGSIZE needs more than one page, -EOPNOTSUPP a kind that the guest does not take, -EADDRNOTAVAIL a multicast address
 * that it has not asked for, -EINVAL not as backend.h says. Others come from its memory, and -EPROTO from a ring that broke meanwhile.
 */
void netif_transmitted(struct xvhost_packet *packet, int error);
bool netif_receive(struct xvhost_net_queue *queue, struct xvhost_packet *packet);
void netif_dropped(struct xvhost_net_queue *queue, uint32_t count);

/* xvhost_net_host.forward, give_back, more_room: netif_layers.c. */
void netif_forward(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets, uint32_t count);
void netif_give_back(struct xvhost_packet *packet, int error);
void netif_more_room(struct xvhost_net_queue *queue);

/*
 * netif_number - among the operations of the whole queue, of one of a backend's: 0 to netif_numbers - 1. What netif_done and
 * netif_each_waiting have are such. They are the backend's own if there is no wrapper.
 */
uint32_t netif_number(struct xvhost_net_queue *seen, uint32_t number);
uint32_t netif_numbers(const struct netif_queue *queue);

/*
 * netif_begin - the backend starts the operation of this number, which must not be under way. Returns its generation, of
 * NETIF_GENERATION_MASK, with which netif_done is to be called. netif_done ends it and tells the backend.
 */
uint32_t netif_begin(struct xvhost_net_queue *seen, uint32_t number);
void netif_done(struct netif_queue *queue, uint32_t number, uint32_t generation, int32_t result);

/* netif_waiting - each operation that is a wait, so that it can be ended early when the queue is released: calls `each`. */
void netif_set_waiting(struct xvhost_net_queue *seen, uint32_t number);
void netif_each_waiting(struct netif_queue *queue,
			void (*each)(void *context, uint32_t number, uint32_t generation), void *context);

/* netif_queue_of - from what a backend sees. */
struct netif_queue *netif_queue_of(struct xvhost_net_queue *seen);

/* netif_seen - what the backend sees of it, and the backend: the outermost, if there are several. */
struct xvhost_net_queue *netif_seen(struct netif_queue *queue);
const struct xvhost_net_backend *netif_backend(const struct netif_queue *queue);

/* netif_seen_by - what the backend of this layer sees of it. */
struct xvhost_net_queue *netif_seen_by(struct netif_queue *queue, uint32_t layer);

/* netif_layer - of the backend that sees this: 0 is the outermost, netif_layers - 1 the innermost. netif_ready tells one of a watch,
 * netif_can_watch says whether one can be told. */
uint32_t netif_layer(struct xvhost_net_queue *seen);
uint32_t netif_layers(const struct netif_queue *queue);
bool netif_can_watch(struct xvhost_net_queue *seen);
void netif_ready(struct netif_queue *queue, uint32_t layer, uint32_t index, int32_t events);

uint16_t netif_index(const struct netif_queue *queue);

#endif
