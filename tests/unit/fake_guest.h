/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake_guest.h - just enough of a guest for tests of the worker's own logic
 *
 * Pages that are granted by number, and one event channel. It has no rules of Xen's beyond "this grant is not
 * there"; claims about Xen are the lab's. One guest for each test process.
 */
#ifndef FAKE_GUEST_H
#define FAKE_GUEST_H

#include "platform/platform.h"
#include "worker/messages.h"

#define FAKE_GUEST_DOMID 7
#define FAKE_GUEST_PAGES 2048	  /* gref n is page n, and there are no others */
#define FAKE_GUEST_REMOTE_PORT 42 /* the only port that can be bound */

extern const struct platform fake_guest_platform;

void fake_guest_init(void);

/* The guest's own view of a page. */
void *fake_guest_page(uint32_t gref);

/* Grants that are mapped at this moment. */
int fake_guest_mapped(void);

/* What grants_map was told last: may we write? */
bool fake_guest_mapped_writable(void);

/* Event channels that are bound at this moment. */
int fake_guest_bound(void);

/* Make the bound event channel pending. */
void fake_guest_kick(void);

/* Wait until the guest is notified; false after timeout_ms. Returns with all notifications taken. */
bool fake_guest_wait_notified(int timeout_ms);

/* ---- a blkfront: one ring over the first pages, all the rest for data ---- */

#define FAKE_FRONTEND_RING_GREF 1

struct fake_frontend {
	enum blkif_protocol protocol;
	uint32_t ring_pages;
	uint32_t size;
	uint32_t request_producer;
	uint32_t response_consumer;
};

struct fake_segment {
	uint32_t gref;
	uint8_t first_sector, last_sector;
};

void fake_frontend_init(struct fake_frontend *frontend, enum blkif_protocol protocol, uint32_t ring_pages);

/* Write a request into the ring, not yet shown to the backend. */
void fake_frontend_put(struct fake_frontend *frontend, uint8_t operation, uint64_t id, uint64_t sector,
		       uint8_t segment_count, const struct fake_segment *segments);

/* The same of an indirect request, whose segments the test puts into the page of `gref`. */
void fake_frontend_put_indirect(struct fake_frontend *frontend, uint8_t operation, uint64_t id,
				uint64_t sector, uint16_t segment_count, uint32_t gref);

/* The same of a discard. */
void fake_frontend_put_discard(struct fake_frontend *frontend, uint64_t id, uint64_t sector,
			       uint64_t sectors);

/* Show what was put. Returns true if the backend asked to be notified. */
bool fake_frontend_push(struct fake_frontend *frontend);

/* Take one response; false when there is none. */
bool fake_frontend_take(struct fake_frontend *frontend, uint64_t *id, uint8_t *operation, int16_t *status);

/* The ring that the backend maps. */
void fake_frontend_message(const struct fake_frontend *frontend, struct message_disk_connect *connect);

#endif
