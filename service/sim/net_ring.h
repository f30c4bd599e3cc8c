/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net_ring.h - the guest's half of one ring of a network card: one page (xen/io/ring.h, xen/io/netif.h)
 *
 * Theory of operation: as front_ring.h, but entries are written and read where they are, since each of the two rings of a card
 * has its own. Nothing is checked of what is put; of what the host shows only that it can be.
 *
 * One ring belongs to one thread.
 */
#ifndef NET_RING_H
#define NET_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "rings/ring.h"
#include "sim/sim.h"

struct net_ring {
	uint8_t *page;
	uint64_t frame;
	uint32_t gref;
	uint32_t entry_bytes;
	uint32_t size;		    /* entries, a power of two */
	uint32_t request_producer;  /* requests put */
	uint32_t request_published; /* requests that the host was shown */
	uint32_t response_consumer; /* responses taken */
};

/* net_ring_create - a page, granted to a domain, with an empty ring. Returns 0, -ENOMEM or -ENOSPC. */
int net_ring_create(struct net_ring *ring, struct sim_guest *guest, uint16_t host_domid,
		    uint32_t entry_bytes);

/* net_ring_begin_at - let the counters of a ring that nobody serves yet begin here instead of 0. */
void net_ring_begin_at(struct net_ring *ring, uint32_t counter);

/* net_ring_destroy - end the grant, give the page back. Returns 1 if the host has it mapped still; then it is kept. */
uint32_t net_ring_destroy(struct net_ring *ring, struct sim_guest *guest);

static inline struct ring_header *net_ring_header(const struct net_ring *ring)
{
	return (struct ring_header *)ring->page;
}

/* net_ring_entry - where an entry lies; `at` counts entries and wraps. */
static inline void *net_ring_entry(const struct net_ring *ring, uint32_t at)
{
	return ring->page + sizeof(struct ring_header) + (at & (ring->size - 1)) * ring->entry_bytes;
}

/* net_ring_free - entries that neither wait for an answer nor hold one. */
static inline uint32_t net_ring_free(const struct net_ring *ring)
{
	return ring->size - (ring->request_producer - ring->response_consumer);
}

/* net_ring_push - show what was put. Returns true if the host has asked to be notified of it. */
bool net_ring_push(struct net_ring *ring);

/* net_ring_look - how many responses are there to be taken; -EPROTO when they are more than there were requests. */
int net_ring_look(const struct net_ring *ring);

/*
 * net_ring_ask - ask to be notified when so many more responses are there. Returns true if they are there already: then no
 * event may come for them.
 */
bool net_ring_ask(struct net_ring *ring, uint32_t responses);

#endif
