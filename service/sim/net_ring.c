// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net_ring.c - the guest's half of one ring of a network card
 */
#include "sim/net_ring.h"

#include <errno.h>
#include <string.h>

int net_ring_create(struct net_ring *ring, struct sim_guest *guest, uint16_t host_domid, uint32_t entry_bytes)
{
	int64_t gref;
	int error;

	*ring = (struct net_ring){.entry_bytes = entry_bytes, .size = ring_size(PAGE_BYTES, entry_bytes)};
	error = sim_pages_take(guest, 1, &ring->frame);
	if (error < 0)
		return error;
	ring->page = sim_page(guest, ring->frame);
	memset(ring->page, 0, PAGE_BYTES);
	net_ring_begin_at(ring, 0);
	gref = sim_grant(guest, host_domid, ring->frame, false);
	if (gref < 0) {
		sim_pages_give_back(guest, 1, &ring->frame);
		ring->page = NULL;
		return (int)gref;
	}
	ring->gref = (uint32_t)gref;
	return 0;
}

void net_ring_begin_at(struct net_ring *ring, uint32_t counter)
{
	struct ring_header *header = net_ring_header(ring);

	ring->request_producer = ring->request_published = ring->response_consumer = counter;
	header->request_producer = header->response_producer = counter;
	header->request_event = header->response_event = counter + 1;
}

uint32_t net_ring_destroy(struct net_ring *ring, struct sim_guest *guest)
{
	if (!ring->page)
		return 0;
	ring->page = NULL;
	if (sim_grant_end(guest, ring->gref) < 0)
		return 1;
	sim_pages_give_back(guest, 1, &ring->frame);
	return 0;
}

bool net_ring_push(struct net_ring *ring)
{
	struct ring_header *header = net_ring_header(ring);
	uint32_t before = ring->request_published, now = ring->request_producer, event;

	if (before == now)
		return false;
	__atomic_store_n(&header->request_producer, now, __ATOMIC_RELEASE);
	ring->request_published = now;
	/* The host sets its event and then looks for requests; we do the same crosswise. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	event = __atomic_load_n(&header->request_event, __ATOMIC_RELAXED);
	return now - event < now - before;
}

int net_ring_look(const struct net_ring *ring)
{
	uint32_t shown = __atomic_load_n(&net_ring_header(ring)->response_producer, __ATOMIC_ACQUIRE);

	if (shown - ring->response_consumer > ring->request_published - ring->response_consumer)
		return -EPROTO;
	return (int)(shown - ring->response_consumer);
}

bool net_ring_ask(struct net_ring *ring, uint32_t responses)
{
	struct ring_header *header = net_ring_header(ring);
	uint32_t shown;

	__atomic_store_n(&header->response_event, ring->response_consumer + responses, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	shown = __atomic_load_n(&header->response_producer, __ATOMIC_ACQUIRE);
	return shown - ring->response_consumer >= responses;
}
