/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netif_liar_internal.h - what lies about network cards are made of (internal to netif_liar.c, netif_lies.c, netif_deeds.c
 * and netif_control_lies.c)
 */
#ifndef NETIF_LIAR_INTERNAL_H
#define NETIF_LIAR_INTERNAL_H

#include "sim/liar_pages.h"
#include "sim/net_ring.h"
#include "sim/netif_liar.h"

#define NET_LIAR_PAGES 8u	   /* of what is sent */
#define NET_LIAR_POSTED 8u	   /* pages that are posted honestly; a power of two */
#define NET_LIAR_SLOT_BYTES 100u   /* of each of the slots of a packet that is to be twisted */
#define NET_LIAR_LARGE_BYTES 3000u /* of a packet with GSO */

/* Whose a request is, by its id. */
enum net_liar_who {
	NET_LIAR_NOBODY,
	NET_LIAR_HONEST,
	NET_LIAR_FALSE,
};

/* An entry of the tx ring. */
union net_liar_slot {
	struct netif_tx_request request;
	struct netif_extra_info extra;
};

/* A packet before it is put into the ring. */
struct net_liar_packet {
	union net_liar_slot slots[NET_FRONT_RING_SIZE];
	bool is_extra[NET_FRONT_RING_SIZE];
	uint32_t count;
};

/* What a place of the rx ring was posted with. */
struct net_liar_place {
	enum net_liar_who who;
	struct liar_page *page; /* if honest */
	uint16_t id;
};

struct net_liar {
	struct net_liar_options options;
	struct sim_guest *guest;
	struct net_front_queue *queue;
	uint64_t random;
	struct net_lie_outcome *outcome; /* of the lie that is being told */

	uint16_t next_id;
	uint32_t waiting[UINT16_MAX + 1]; /* tx requests of this id without an answer ... */
	uint8_t who[UINT16_MAX + 1];	  /* ... and whose they are */
	struct net_liar_place places[NET_FRONT_RING_SIZE];
	uint32_t posted_honest, posted_false; /* pages that the host has */
	bool extra_follows;		      /* in the rx ring */
	bool no_posting;		      /* nothing is posted honestly */

	struct liar_page pages[NET_LIAR_PAGES];
	struct liar_page large; /* a packet for GSO */
	struct liar_page receiving[NET_LIAR_POSTED];
	struct liar_page *free[NET_LIAR_POSTED]; /* of `receiving` */
	uint32_t free_count;
	struct liar_page read_only; /* granted so */
	struct liar_page foreign;   /* granted to another domain */
	struct liar_page fickle;    /* its grant is changed while it is in use */
	struct liar_page lost;	    /* its grant names a frame that the guest does not have */
	struct liar_page withdrawn; /* its entry is empty, and nobody else's meanwhile */

	struct liar_scribbler scribbler;
};

/* A lie is a packet that is right but for one thing, or a deed. */
struct net_lie {
	const char *name;
	enum lie_end end;
	void (*twist)(struct net_liar *liar, struct net_liar_packet *packet);
	bool large; /* what is twisted has an extra info for GSO and one slot; else no extra info and three slots */
	void (*act)(struct net_liar *liar);
};

/* netif_lies.c, netif_deeds.c, netif_control_lies.c */
extern const struct net_lie net_lies[], net_deeds[], net_control_lies[];
extern const uint32_t net_lie_count, net_deed_count, net_control_lie_count;

uint32_t net_liar_random(struct net_liar *liar, uint32_t below);

/* net_liar_valid - a right packet, of one of the two kinds. */
void net_liar_valid(struct net_liar *liar, bool large, struct net_liar_packet *packet);

/* net_liar_put - into the ring, and counted, with ids of their own unless `id` is 0 or more. */
void net_liar_put(struct net_liar *liar, const struct net_liar_packet *packet, enum net_liar_who who, int id);
void net_liar_put_honest(struct net_liar *liar, uint32_t count);

/* net_liar_post - a page into the rx ring. */
void net_liar_post(struct net_liar *liar, uint32_t gref, uint16_t padding);

/* net_liar_show - push both rings, and notify whether the host asked for it or not. */
void net_liar_show(struct net_liar *liar);

/* net_liar_collect - wait for the answers to all that was asked so far, and until the host has none of the lie's pages. */
void net_liar_collect(struct net_liar *liar);

#endif
