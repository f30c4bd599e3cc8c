// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * front_ring.c - the guest's half of one blkif ring
 */
#include "sim/front_ring.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <xen/io/blkif.h>

#include "rings/ring.h"

/* A 32-bit guest aligns 64-bit members to 4 bytes: from `id` on, all lies 4 bytes earlier. */
#define ENTRY_BYTES_64 112u
#define ENTRY_BYTES_32 108u
#define ID_AT_64 8u
#define ID_AT_32 4u

static_assert(sizeof(struct blkif_request) == ENTRY_BYTES_64 && ENTRY_BYTES_64 <= FRONT_ENTRY_MAX, "layout");
static_assert(sizeof(struct front_segment) == sizeof(struct blkif_request_segment), "layout");
static_assert(FRONT_DIRECT_SEGMENTS == BLKIF_MAX_SEGMENTS_PER_REQUEST, "limit");
static_assert(FRONT_INDIRECT_PAGES == BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST, "limit");
static_assert(FRONT_PAGE_DESCRIPTORS * sizeof(struct front_segment) == PAGE_BYTES, "layout");

static struct ring_header *header_of(const struct front_ring *ring)
{
	return (struct ring_header *)ring->pages[0];
}

/* grant_pages - all or none. */
static int grant_pages(struct front_ring *ring, struct sim_guest *guest, uint16_t host_domid)
{
	for (uint32_t i = 0; i < ring->page_count; i++) {
		int64_t gref = sim_grant(guest, host_domid, ring->frames[i], false);

		if (gref < 0) {
			while (i-- > 0)
				sim_grant_end(guest, ring->grefs[i]);
			return (int)gref;
		}
		ring->grefs[i] = (uint32_t)gref;
	}
	return 0;
}

int front_ring_create(struct front_ring *ring, struct sim_guest *guest, uint16_t host_domid,
		      enum blkif_protocol protocol, uint32_t page_count)
{
	int error;

	assert(page_count >= 1 && page_count <= RING_PAGES_MAX);
	*ring = (struct front_ring){.protocol = protocol, .page_count = page_count};
	ring->entry_bytes = protocol == BLKIF_X86_32 ? ENTRY_BYTES_32 : ENTRY_BYTES_64;
	ring->size = ring_size(page_count * PAGE_BYTES, ring->entry_bytes);
	error = sim_pages_take(guest, page_count, ring->frames);
	if (error < 0)
		return error;
	for (uint32_t i = 0; i < page_count; i++) {
		ring->pages[i] = sim_page(guest, ring->frames[i]);
		memset(ring->pages[i], 0, PAGE_BYTES);
	}
	header_of(ring)->request_event = 1;
	header_of(ring)->response_event = 1;
	error = grant_pages(ring, guest, host_domid);
	if (error < 0)
		sim_pages_give_back(guest, page_count, ring->frames);
	return error;
}

void front_ring_begin_at(struct front_ring *ring, uint32_t counter)
{
	struct ring_header *header = header_of(ring);

	ring->request_producer = ring->request_published = counter;
	ring->response_consumer = ring->response_shown = counter;
	header->request_producer = header->response_producer = counter;
	header->request_event = header->response_event = counter + 1;
}

uint32_t front_ring_destroy(struct front_ring *ring, struct sim_guest *guest)
{
	uint32_t mapped = 0;

	for (uint32_t i = 0; i < ring->page_count; i++) {
		if (sim_grant_end(guest, ring->grefs[i]) < 0)
			mapped++;
		else
			sim_pages_give_back(guest, 1, &ring->frames[i]);
	}
	ring->page_count = 0;
	return mapped;
}

/* ---- requests ---- */

static void put16(uint8_t *to, uint16_t value)
{
	memcpy(to, &value, sizeof(value));
}

static void put32(uint8_t *to, uint32_t value)
{
	memcpy(to, &value, sizeof(value));
}

static void put64(uint8_t *to, uint64_t value)
{
	memcpy(to, &value, sizeof(value));
}

/* encode - in the guest's layout. Returns how many bytes of the entry mean something. */
static uint32_t encode(const struct front_ring *ring, const struct front_wire *wire,
		       uint8_t entry[FRONT_ENTRY_MAX])
{
	const uint32_t id_at = ring->protocol == BLKIF_X86_32 ? ID_AT_32 : ID_AT_64, body_at = id_at + 16;
	uint32_t count = wire->segment_count;

	put64(entry, 0);
	entry[0] = wire->operation;
	put64(entry + id_at, wire->id);
	put64(entry + id_at + 8, wire->sector);
	switch (wire->operation) {
	case BLKIF_OP_INDIRECT:
		entry[1] = wire->indirect_operation;
		put16(entry + 2, wire->segment_count);
		put32(entry + body_at, wire->handle);
		memcpy(entry + body_at + 4, wire->indirect_grefs, sizeof(wire->indirect_grefs));
		return body_at + 4 + (uint32_t)sizeof(wire->indirect_grefs);
	case BLKIF_OP_DISCARD:
		entry[1] = wire->flag;
		put16(entry + 2, wire->handle);
		put64(entry + body_at, wire->discard_sectors);
		return body_at + 8;
	default:
		entry[1] = (uint8_t)wire->segment_count;
		put16(entry + 2, wire->handle);
		if (count > FRONT_DIRECT_SEGMENTS)
			count = FRONT_DIRECT_SEGMENTS;
		if (count > 0)
			memcpy(entry + body_at, wire->segments, count * sizeof(wire->segments[0]));
		return body_at + count * (uint32_t)sizeof(wire->segments[0]);
	}
}

/* place - where an entry lies: its page, and the place in that. */
static uint32_t place(const struct front_ring *ring, uint32_t at, uint32_t *in_page)
{
	uint32_t byte = (uint32_t)sizeof(struct ring_header) + (at & (ring->size - 1)) * ring->entry_bytes;

	*in_page = byte % PAGE_BYTES;
	return byte / PAGE_BYTES;
}

void front_ring_write(struct front_ring *ring, uint32_t at, const void *bytes, uint32_t length)
{
	uint32_t in_page, page = place(ring, at, &in_page);
	uint32_t here = length < PAGE_BYTES - in_page ? length : PAGE_BYTES - in_page;

	memcpy(ring->pages[page] + in_page, bytes, here);
	if (here < length)
		memcpy(ring->pages[page + 1], (const uint8_t *)bytes + here, length - here);
}

void front_ring_put(struct front_ring *ring, const struct front_wire *wire)
{
	uint8_t entry[FRONT_ENTRY_MAX];
	uint32_t length = encode(ring, wire, entry);

	assert(front_ring_free(ring) > 0);
	front_ring_write(ring, ring->request_producer++, entry, length);
}

bool front_ring_push(struct front_ring *ring)
{
	struct ring_header *header = header_of(ring);
	uint32_t before = ring->request_published, now = ring->request_producer, event;

	__atomic_store_n(&header->request_producer, now, __ATOMIC_RELEASE);
	ring->request_published = now;
	/* The host sets its event and then looks for requests; we do the same crosswise. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	event = __atomic_load_n(&header->request_event, __ATOMIC_RELAXED);
	return now - event < now - before;
}

/* ---- responses ---- */

int front_ring_take(struct front_ring *ring, struct front_response *response)
{
	uint32_t in_page, page;
	uint8_t entry[16] = {0};
	uint32_t here;

	if (ring->response_shown == ring->response_consumer) {
		uint32_t shown = __atomic_load_n(&header_of(ring)->response_producer, __ATOMIC_ACQUIRE);

		if (shown - ring->response_consumer > ring->request_published - ring->response_consumer)
			return -EPROTO;
		ring->response_shown = shown;
		if (shown == ring->response_consumer)
			return 0;
	}
	page = place(ring, ring->response_consumer, &in_page);
	here = PAGE_BYTES - in_page < sizeof(entry) ? PAGE_BYTES - in_page : (uint32_t)sizeof(entry);
	memcpy(entry, ring->pages[page] + in_page, here);
	if (here < sizeof(entry))
		memcpy(entry + here, ring->pages[page + 1], sizeof(entry) - here);
	/* A response has no member that the two layouts place differently. */
	memcpy(&response->id, entry, sizeof(response->id));
	response->operation = entry[8];
	memcpy(&response->status, entry + 10, sizeof(response->status));
	ring->response_consumer++;
	return 1;
}

bool front_ring_ask(struct front_ring *ring)
{
	struct ring_header *header = header_of(ring);

	__atomic_store_n(&header->response_event, ring->response_consumer + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&header->response_producer, __ATOMIC_ACQUIRE) != ring->response_consumer;
}
