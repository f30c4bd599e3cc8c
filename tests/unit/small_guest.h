/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * small_guest.h - a simulated guest for tests of a worker's parts: pages that are named by their grants, one ring
 *
 * One guest for each test process. Whatever a test needs of the ring beyond this is in sim/front_ring.h.
 */
#ifndef SMALL_GUEST_H
#define SMALL_GUEST_H

#include "platform/platform.h"
#include "sim/front_ring.h"
#include "worker/messages.h"

#define SMALL_GUEST_DOMID 7
#define SMALL_GUEST_FIRST_GREF 8   /* the grants of its pages ... */
#define SMALL_GUEST_LAST_GREF 2047 /* ... are these */
#define SMALL_GUEST_BAD_GREF 0x7fffffff

/* small_guest_init - the guest, as small_guest_platform() sees it. */
void small_guest_init(void);
const struct platform *small_guest_platform(void);

/* small_guest_page - the guest's own view of a page. */
void *small_guest_page(uint32_t gref);

/* Grants that are mapped, and event channels that are bound, at this moment. */
int small_guest_mapped(void);
int small_guest_bound(void);

/* small_guest_mapped_writable - what grants_map was told last: may we write? */
bool small_guest_mapped_writable(void);

/* small_guest_kick - make the event channel pending. */
void small_guest_kick(void);

/* small_guest_wait_notified - until the guest is notified; false after timeout_ms. All notifications are taken then. */
bool small_guest_wait_notified(int timeout_ms);

/* ---- its ring ---- */

/* small_ring_init - an empty ring. */
void small_ring_init(struct front_ring *ring, enum blkif_protocol protocol, uint32_t pages);

/* small_ring_put - a direct request, not yet shown to the host. Of the segments those are written that fit. */
void small_ring_put(struct front_ring *ring, uint8_t operation, uint64_t id, uint64_t sector,
		    uint8_t segment_count, const struct front_segment *segments);

/* small_ring_put_indirect - an indirect one, whose segments the test puts into the page of `gref`. */
void small_ring_put_indirect(struct front_ring *ring, uint8_t operation, uint64_t id, uint64_t sector,
			     uint16_t segment_count, uint32_t gref);

void small_ring_put_discard(struct front_ring *ring, uint64_t id, uint64_t sector, uint64_t sectors);

/* small_ring_take - one response; false when there is none, and then the host is asked to notify of the next. */
bool small_ring_take(struct front_ring *ring, struct front_response *response);

/* small_ring_describe - what the host is told of it. */
void small_ring_describe(const struct front_ring *ring, struct message_disk_connect *connect);

#endif
