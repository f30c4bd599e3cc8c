/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring.h - the backend's half of a shared ring (xen/include/public/io/ring.h)
 *
 * Theory of operation: both sides write to the same pages. A header of four counters that only ever grow (and
 * wrap at 2^32) is followed by entries; a request and later its response use the same entry. Each side
 * publishes its own producer, and asks by an "event" counter to be notified only when the other side's
 * producer passes it.
 *
 * The frontend is hostile. Its counters are read once per use, into a local, and checked against what can
 * be; our own counters are kept in private memory and never read back. An entry is copied out once.
 */
#ifndef RING_H
#define RING_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The first 64 bytes of the first page. */
struct ring_header {
	uint32_t request_producer;  /* frontend's */
	uint32_t request_event;	    /* ours: notify us when request_producer passes it */
	uint32_t response_producer; /* ours */
	uint32_t response_event;    /* frontend's: notify it when response_producer passes it */
	uint8_t reserved[48];
};

struct ring {
	struct ring_header *header;
	uint8_t *entries;
	uint32_t size; /* entries, a power of two */
	uint32_t entry_bytes;
	uint32_t request_consumer;   /* requests taken */
	uint32_t response_producer;  /* responses written */
	uint32_t response_published; /* responses that were handed over to be shown to the frontend */
};

/* Responses of a ring that are to be shown. */
struct ring_publication {
	uint32_t *producer;	 /* the ring's counter, which shows them */
	const uint32_t *event;	 /* the frontend's counter, by which it asks to be notified */
	uint32_t before, now;	 /* what the first was, and is to be */
	uint64_t *notifications; /* counts how often the frontend was notified; NULL: nobody counts */
};

/* ring_size - how many entries fit: the largest power of two. 0 if there is not even one. */
static inline uint32_t ring_size(uint32_t ring_bytes, uint32_t entry_bytes)
{
	uint32_t fit, size = 1;

	if (ring_bytes < sizeof(struct ring_header) + entry_bytes)
		return 0;
	fit = (ring_bytes - (uint32_t)sizeof(struct ring_header)) / entry_bytes;
	while (size <= fit / 2)
		size *= 2;
	return size;
}

/*
 * ring_attach - begin to serve a ring at what was last answered. On a new ring that is 0; on one that another
 * worker has served and drained it is where that one stopped. Returns 0, or -EPROTO if the counters can't be.
 */
static inline int ring_attach(struct ring *ring, void *pages, uint32_t ring_bytes, uint32_t entry_bytes)
{
	struct ring_header *header = pages;
	uint32_t answered = __atomic_load_n(&header->response_producer, __ATOMIC_ACQUIRE);
	uint32_t asked = __atomic_load_n(&header->request_producer, __ATOMIC_ACQUIRE);

	*ring = (struct ring){
		.header = header,
		.entries = (uint8_t *)pages + sizeof(*header),
		.size = ring_size(ring_bytes, entry_bytes),
		.entry_bytes = entry_bytes,
		.request_consumer = answered,
		.response_producer = answered,
		.response_published = answered,
	};
	return asked - answered <= ring->size ? 0 : -EPROTO;
}

/*
 * ring_pending - how many requests wait to be taken. Returns -EPROTO when the frontend's counter is not
 * possible: more requests than entries that are free of unanswered ones. `*producer` is what it said, for the
 * log.
 */
static inline int ring_pending(const struct ring *ring, uint32_t *producer)
{
	uint32_t asked = __atomic_load_n(&ring->header->request_producer, __ATOMIC_ACQUIRE);

	*producer = asked;
	if (asked - ring->response_producer > ring->size)
		return -EPROTO;
	/* Taken requests lie between the two, so a producer that ran backwards shows here. */
	if (asked - ring->request_consumer > ring->size)
		return -EPROTO;
	return (int)(asked - ring->request_consumer);
}

/* ring_take_bytes - ring_take where the size of all entries is known when this is compiled: the copy takes no call. */
static inline void ring_take_bytes(struct ring *ring, void *copy, uint32_t entry_bytes)
{
	uint32_t at = ring->request_consumer++ & (ring->size - 1);

	memcpy(copy, ring->entries + (size_t)at * entry_bytes, entry_bytes);
	/* From here on only the copy may be looked at: no second read may be made of this. */
	__asm__ volatile("" ::: "memory");
}

/* ring_take - copy the next request out, entry_bytes of it. ring_pending said that there is one. */
static inline void ring_take(struct ring *ring, void *copy)
{
	ring_take_bytes(ring, copy, ring->entry_bytes);
}

/* ring_answer - write the next response; it is seen when it was handed over and shown. */
static inline void ring_answer(struct ring *ring, const void *response, uint32_t bytes)
{
	uint32_t at = ring->response_producer++ & (ring->size - 1);

	memcpy(ring->entries + (size_t)at * ring->entry_bytes, response, bytes);
}

/*
 * ring_hand_over - all responses that were written and not yet shown: whoever gets the publication shows them, by ring_show or in
 * another way, before the ring is unmapped. False: there are none.
 */
static inline bool ring_hand_over(struct ring *ring, struct ring_publication *publication)
{
	*publication = (struct ring_publication){
		.producer = &ring->header->response_producer,
		.event = &ring->header->response_event,
		.before = ring->response_published,
		.now = ring->response_producer,
	};
	ring->response_published = ring->response_producer;
	return publication->before != publication->now;
}

/* ring_show - show the responses to the frontend. Returns true if it has asked to be notified of one of them. */
static inline bool ring_show(const struct ring_publication *publication)
{
	uint32_t before = publication->before, now = publication->now, event;

	__atomic_store_n(publication->producer, now, __ATOMIC_RELEASE);
	/* The frontend sets its event and then looks for responses; we do the same crosswise. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	event = __atomic_load_n(publication->event, __ATOMIC_RELAXED);
	return now - event < now - before;
}

/*
 * ring_ask_notification - ask to be notified of the next request. The caller then looks with ring_pending
 * once more: what came in between is not notified.
 */
static inline void ring_ask_notification(struct ring *ring)
{
	__atomic_store_n(&ring->header->request_event, ring->request_consumer + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/*
 * ring_ask_more - ask to be notified of the first request beyond `producer`, which ring_pending has said: for who needs more
 * requests than there are. The caller then looks with ring_pending once more.
 */
static inline void ring_ask_more(struct ring *ring, uint32_t producer)
{
	__atomic_store_n(&ring->header->request_event, producer + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
