/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * front_ring.h - the guest's half of one blkif ring (xen/io/ring.h, xen/io/blkif.h)
 *
 * Theory of operation: requests are put into entries, then shown together, which also says whether the host asked
 * to be notified of one of them; responses are taken in the order in which the host gave them. Nothing is checked
 * of what is put: a frontend asks for what is right, a liar for what is not. The pages of a ring lie scattered in the
 * guest's memory, so that an entry may lie in two of them.
 *
 * One ring belongs to one thread.
 */
#ifndef FRONT_RING_H
#define FRONT_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/sim.h"
#include "worker/messages.h"

#define FRONT_DIRECT_SEGMENTS 11u   /* of a request without indirect pages */
#define FRONT_INDIRECT_PAGES 8u	    /* of an indirect request */
#define FRONT_PAGE_DESCRIPTORS 512u /* segments that one indirect page describes */
#define FRONT_PAGE_SECTORS 8u	    /* sectors of 512 bytes in a page */
#define FRONT_ENTRY_MAX 112u	    /* bytes of the largest entry */

struct front_ring {
	enum blkif_protocol protocol;
	uint32_t page_count;
	uint32_t size; /* entries, a power of two */
	uint32_t entry_bytes;
	uint32_t request_producer;  /* requests put */
	uint32_t request_published; /* requests that the host was shown */
	uint32_t response_consumer; /* responses taken */
	uint32_t response_shown;    /* responses that the host has shown, when last looked at */
	uint8_t *pages[RING_PAGES_MAX];
	uint64_t frames[RING_PAGES_MAX];
	uint32_t grefs[RING_PAGES_MAX];
};

/* A segment as it lies in the ring, or in an indirect page. */
struct front_segment {
	uint32_t gref;
	uint8_t first_sector, last_sector;
	uint16_t padding;
};

/* A request before it is put into a ring's layout. What an operation does not have is left out. */
struct front_wire {
	uint8_t operation;	    /* BLKIF_OP_... */
	uint8_t indirect_operation; /* of BLKIF_OP_INDIRECT */
	uint8_t flag;		    /* of BLKIF_OP_DISCARD */
	uint16_t segment_count;
	uint16_t handle;
	uint64_t id;
	uint64_t sector;
	uint64_t discard_sectors;
	const struct front_segment *segments; /* the first 11 go into the ring; not of an indirect request */
	uint32_t indirect_grefs[FRONT_INDIRECT_PAGES];
};

struct front_response {
	uint64_t id;
	uint8_t operation;
	int16_t status;
};

/*
 * front_ring_create - take pages, grant them to a domain, make an empty ring of them. Returns 0, -ENOMEM or
 * -ENOSPC.
 */
int front_ring_create(struct front_ring *ring, struct sim_guest *guest, uint16_t host_domid,
		      enum blkif_protocol protocol, uint32_t page_count);

/* front_ring_begin_at - let the counters of a ring that nobody serves yet begin here instead of 0. */
void front_ring_begin_at(struct front_ring *ring, uint32_t counter);

/* front_ring_destroy - end the grants, give the pages back. Returns how many pages the host has still mapped;
 * these are kept. */
uint32_t front_ring_destroy(struct front_ring *ring, struct sim_guest *guest);

/* front_ring_free - entries that neither wait for an answer nor hold one. */
static inline uint32_t front_ring_free(const struct front_ring *ring)
{
	return ring->size - (ring->request_producer - ring->response_consumer);
}

/* front_ring_put - the next request; the host sees it after front_ring_push. There must be a free entry. */
void front_ring_put(struct front_ring *ring, const struct front_wire *wire);

/* front_ring_write - any bytes at any place of the entries; `at` counts entries and wraps. For liars. */
void front_ring_write(struct front_ring *ring, uint32_t at, const void *bytes, uint32_t length);

/* front_ring_push - show what was put. Returns true if the host has asked to be notified of it. */
bool front_ring_push(struct front_ring *ring);

/*
 * front_ring_take - the next response. Returns 1; 0 when there is none; -EPROTO when the host shows more responses
 * than there are requests.
 */
int front_ring_take(struct front_ring *ring, struct front_response *response);

/* front_ring_ask - ask to be notified of the next response. Returns true if one is there already: then no event may
 * come for it. */
bool front_ring_ask(struct front_ring *ring);

#endif
