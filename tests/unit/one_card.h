/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * one_card.h - one pair of rings of a network card over a simulated guest, without a loop: the test takes the turns
 *
 * The backend here ends nothing by itself and receives nothing: each test does that. What it is given is recorded, with the data that
 * it sees at that time.
 */
#ifndef ONE_CARD_H
#define ONE_CARD_H

#include <stdint.h>
#include <xen/io/netif.h>

#include "check_main.h"
#include "rings/netif.h"
#include "sim/faults.h"
#include "sim/sim.h"

#define CARD_PAGES 512u
#define CARD_BAD_GREF 0x7fffffffu

/* How the guest's memory is reached. Tests are run for each, with _i. */
enum card_way {
	CARD_CACHED,
	CARD_BY_GRANTS,
	CARD_COPIED,
	CARD_READ_CACHED, /* as of a PV guest: read there, and written by copies */
	CARD_WAYS,
};

struct card_options {
	uint32_t takes;	      /* the backend */
	uint32_t guest_takes; /* the guest */
	bool no_scatter;      /* of the guest */
	uint32_t operations;
	uint32_t begin_at; /* counters of both rings, which are not new */
	bool silent;	   /* the guest does not notify of pages */
	uint32_t queues;   /* of the card, and as many parts of its rate; 0: one, or two with a hash */
	struct netif_hash *hash;
	const struct xvhost_net_backend *const
		*wrappers; /* that stand before the backend, the outermost first */
	uint32_t wrapper_count;
	uint32_t wrapper_operations; /* of each */
	int start_error;	     /* that the first queue_start returns */
	struct message_net_settings settings;
};

/* A packet as the backend was given it. */
struct card_packet {
	struct xvhost_packet *seen;
	uint32_t length, flags, iov_count;
	uint32_t first_bytes; /* of the first iovec */
	uint8_t data[XVHOST_NET_BYTES_MAX];
};

struct card_delivered {
	struct xvhost_packet *packet;
	int error;
};

extern struct netif_queue *card;
extern struct xvhost_net_queue *card_seen; /* what the backend sees of it */
extern struct netif_turn card_turn;
extern struct card_packet card_packets[NETIF_RING_SIZE];
extern uint32_t card_transmitted, card_transmit_calls;
extern struct card_delivered card_delivered[1024];
extern uint32_t card_delivered_count, card_rooms, card_io_done;
extern int32_t card_io_result;
/* Called from within transmit, delivered and room, if a test sets them. */
extern void (*card_on_transmit)(struct xvhost_packet *const *packets, uint32_t count);
extern void (*card_on_delivered)(struct xvhost_packet *packet);
extern void (*card_on_room)(void);
/* Calls of Xen's, all of them since the start. */
extern uint32_t card_copy_calls, card_copies, card_map_calls;
extern bool card_notify_tx, card_notify_rx;

/* card_start - NULL: no options. */
void card_start(enum card_way way, const struct card_options *options);

/* card_memory - as the queue reaches it; *cached: whether its mappings ask for the cache. */
struct memory *card_memory(bool *cached);

/* card_second - another queue, with the same wrappers and settings, over rings in two of the guest's pages; `tx_page` and the next one. */
struct netif_queue *card_second(enum card_way way, uint32_t tx_page);

/* card_stop - the queue is released, and idle. Nothing but the rings may be mapped, but in the cache. */
void card_stop(void);

/* card_publish - what a queue has answered; sets card_notify_tx and card_notify_rx. */
void card_publish(struct netif_queue *of);

/* card_take_turn - as the loop does it, once. */
void card_take_turn(void);

/* card_fault - from now on this call of the host's fails, too; 0: none does any more. */
void card_fault(enum sim_call call, int error);

/* The guest's pages, and their grants. */
uint8_t *card_page(uint32_t page);
uint32_t card_gref(uint32_t page);
/* card_fill - bytes that no other page has. */
void card_fill(uint32_t page);

/* ---- the tx ring ---- */

/* card_put - a slot; card_put_extra - an extra info in a slot. The host sees them after card_push. */
void card_put(uint32_t gref, uint32_t offset, uint32_t size, uint32_t flags, uint32_t id);
void card_put_extra(const netif_extra_info_t *extra);
/* card_push - returns true if the host has asked to be notified. */
bool card_push(void);
void *card_tx_slot(uint32_t at);
netif_tx_sring_t *card_tx_ring(void);

/* card_take_response - returns false if there is none. */
bool card_take_response(netif_tx_response_t *response);

/* card_expect - the next response; card_expect_none - there is no more. */
void card_expect(uint32_t id, int16_t status);
void card_expect_null(uint32_t count);
void card_expect_none(void);

/* ---- the rx ring ---- */

void card_post(uint32_t gref, uint32_t id);
/* card_post_pages - pages from `page` on, with their numbers as ids. */
void card_post_pages(uint32_t page, uint32_t count);
bool card_push_rx(void);
netif_rx_sring_t *card_rx_ring(void);
bool card_take_rx(union netif_rx_sring_entry *entry);

#endif
