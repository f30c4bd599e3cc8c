// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blkif_take.c - one ring of one disk: requests are copied out of it and checked
 *
 * An indirect request has its segments in a page of the guest's. They are read when all requests of the turn were
 * taken, so that their pages are mapped by one call; then the request is as a direct one.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/blkif.h>

#include "rings/blkif_check.h"
#include "rings/blkif_internal.h"

/* set_steps - what the backend is asked for, in order. */
static void set_steps(struct blkif_slot *slot, bool flush)
{
	uint8_t *step = slot->steps;
	bool data = slot->mapping.count > 0;

	memset(slot->steps, 0, sizeof(slot->steps));
	switch (slot->operation) {
	case BLKIF_OP_READ:
		*step = XVHOST_READ;
		break;
	case BLKIF_OP_WRITE:
		*step = XVHOST_WRITE;
		break;
	case BLKIF_OP_DISCARD:
		*step = XVHOST_DISCARD;
		break;
	case BLKIF_OP_FLUSH_DISKCACHE:
		if (flush)
			*step++ = XVHOST_FLUSH;
		if (data)
			*step = XVHOST_WRITE;
		break;
	case BLKIF_OP_WRITE_BARRIER:
		if (flush)
			*step++ = XVHOST_FLUSH;
		if (data)
			*step++ = XVHOST_WRITE;
		if (data && flush)
			*step = XVHOST_FLUSH;
		break;
	default:
		break;
	}
}

/* use_arrays - let the slot keep its segments in its own few arrays, or in those for many. */
#define use_arrays(slot, arrays)                                                                             \
	do {                                                                                                 \
		(slot)->grefs = (arrays)->grefs;                                                             \
		(slot)->pages = (arrays)->pages;                                                             \
		(slot)->first_sectors = (arrays)->first_sectors;                                             \
		(slot)->sector_counts = (arrays)->sector_counts;                                             \
		(slot)->iov = (arrays)->iov;                                                                 \
	} while (0)

/* fill - carry a checked request over into its slot. */
static void fill(struct blkif_slot *slot, const struct blkif_wire_request *wire)
{
	uint32_t unit = blkif_queue_of(slot)->unit_sectors;
	uint64_t sectors = 0;

	for (uint32_t i = 0; i < wire->segment_count; i++) {
		const struct blkif_wire_segment *segment = &wire->segments[i];

		slot->grefs[i] = segment->gref;
		slot->first_sectors[i] = (uint8_t)(segment->first_sector * unit);
		slot->sector_counts[i] = (uint8_t)((segment->last_sector - segment->first_sector + 1u) *
						   unit);
		sectors += slot->sector_counts[i];
	}
	slot->offset = sectors ? wire->sector * unit * BLKIF_SECTOR_BYTES : 0;
	slot->length = sectors * BLKIF_SECTOR_BYTES;
	slot->mapping = (struct memory_mapping){
		.grefs = slot->grefs,
		.count = wire->segment_count,
		.writable = wire->operation == BLKIF_OP_READ,
		.cached = blkif_queue_of(slot)->cached,
		.persistent = blkif_queue_of(slot)->persistent,
		.direct = blkif_queue_of(slot)->direct,
		.first_sectors = slot->first_sectors,
		.sector_counts = slot->sector_counts,
		.sharer = blkif_queue_of(slot),
		.pages = slot->pages,
	};
	set_steps(slot, blkif_queue_of(slot)->flush);
}

/* take_slot - a free slot, made empty. There is one for each entry of the ring. */
static struct blkif_slot *take_slot(struct blkif_queue *queue, uint8_t operation, uint64_t id)
{
	struct blkif_slot *slot = queue->free_slots;

	assert(slot);
	queue->free_slots = slot->next;
	slot->generation++;
	slot->id = id;
	slot->operation = operation;
	slot->offset = 0;
	slot->length = 0;
	slot->error = 0;
	slot->step = 0;
	slot->indirect = false;
	slot->mapped = false;
	slot->mapping.count = 0;
	slot->grants = 0;
	blkif_stock_set(&queue->turn->requests, &queue->in_flight, queue->in_flight + 1);
	queue->counters.requests++;
	return slot;
}

/* count_grants - the mappings that this request needs from here on. */
static void count_grants(struct blkif_slot *slot, uint16_t count)
{
	struct blkif_queue *queue = blkif_queue_of(slot);

	blkif_stock_set(&queue->turn->grants, &queue->grants, queue->grants - slot->grants + count);
	slot->grants = count;
}

/* limits_of - what the requests of a queue are held against. */
static struct blkif_limits limits_of(const struct blkif_queue *queue, bool indirect)
{
	return (struct blkif_limits){
		.disk_sectors = blkif_layer_bytes(&queue->layers[0]) / BLKIF_SECTOR_BYTES,
		.block_sectors = queue->block_sectors,
		.unit_sectors = queue->unit_sectors,
		.read_only = queue->read_only,
		.discard = queue->discard,
		.discard_secure = queue->discard_secure,
		.indirect = indirect,
	};
}

/* refuse - complete a request that did not pass the check. */
static void refuse(struct blkif_slot *slot, int error, const char *reason)
{
	struct blkif_queue *queue = blkif_queue_of(slot);

	log_limited(queue->limit, LOG_LEVEL_WARNING, "%s: request refused: %s", queue->name, reason);
	slot->error = error;
	blkif_list_append(&queue->turn->completed, slot);
}

/* take_indirect - check what the entry itself says; the segments are read later, with those of the whole turn. */
static void take_indirect(struct blkif_queue *queue, const uint8_t entry[BLKIF_ENTRY_MAX])
{
	const struct blkif_limits limits = limits_of(queue, true);
	struct blkif_wire_request wire;
	uint32_t gref = blkif_decode_indirect(queue->protocol, entry, &wire);
	struct blkif_slot *slot = take_slot(queue, wire.operation, wire.id);
	char reason[BLKIF_REASON_MAX];
	int error = blkif_check_head(&wire, &limits, reason);

	if (error < 0) {
		refuse(slot, error, reason);
		return;
	}
	slot->indirect = true;
	slot->indirect_gref = gref;
	slot->indirect_count = wire.segment_count;
	slot->offset = wire.sector; /* until it is checked with the segments: in sectors */
	use_arrays(slot, slot->many);
	count_grants(slot, wire.segment_count + 1); /* and the page of segments */
	queue->turn->indirect++;
	blkif_list_append(&queue->turn->taken, slot);
}

/* take_direct - check and queue up. */
static void take_direct(struct blkif_queue *queue, const uint8_t entry[BLKIF_ENTRY_MAX])
{
	const struct blkif_limits limits = limits_of(queue, false);
	struct blkif_wire_request wire;
	struct blkif_slot *slot;
	char reason[BLKIF_REASON_MAX];
	int error;

	blkif_decode(queue->protocol, entry, &wire);
	slot = take_slot(queue, wire.operation, wire.id);
	error = blkif_check_head(&wire, &limits, reason);
	if (error == 0)
		error = blkif_check_segments(&wire, &limits, reason);
	if (error < 0) {
		refuse(slot, error, reason);
		return;
	}
	use_arrays(slot, &slot->direct);
	fill(slot, &wire);
	count_grants(slot, wire.segment_count);
	if (wire.operation == BLKIF_OP_WRITE_BARRIER) {
		queue->barrier = slot;
		if (queue->in_flight > 1)
			return;
	}
	blkif_list_append(&queue->turn->taken, slot);
}

/* take_discard - check and queue up. */
static void take_discard(struct blkif_queue *queue, const uint8_t entry[BLKIF_ENTRY_MAX])
{
	const struct blkif_limits limits = limits_of(queue, false);
	struct blkif_wire_discard wire;
	struct blkif_slot *slot;
	char reason[BLKIF_REASON_MAX];
	int error;

	blkif_decode_discard(queue->protocol, entry, &wire);
	slot = take_slot(queue, BLKIF_OP_DISCARD, wire.id);
	error = blkif_check_discard(&wire, &limits, reason);
	if (error < 0) {
		refuse(slot, error, reason);
		return;
	}
	slot->offset = wire.sector * queue->unit_sectors * BLKIF_SECTOR_BYTES;
	slot->length = wire.sectors * queue->unit_sectors * BLKIF_SECTOR_BYTES;
	set_steps(slot, queue->flush);
	if (wire.flags & BLKIF_DISCARD_SECURE)
		slot->steps[0] = XVHOST_SECURE_DISCARD;
	blkif_list_append(&queue->turn->taken, slot);
}

/* take_one - copy the next request, and look at the copy only. */
static void take_one(struct blkif_queue *queue)
{
	uint8_t entry[BLKIF_ENTRY_MAX];

	ring_take(&queue->ring, entry);
	if (blkif_is_indirect(entry))
		take_indirect(queue, entry);
	else if (blkif_is_discard(entry))
		take_discard(queue, entry);
	else
		take_direct(queue, entry);
}

/* mark_broken - the ring's counters are impossible; leave it alone from now on. */
static void mark_broken(struct blkif_queue *queue, uint32_t producer)
{
	queue->broken = true;
	log_limited(queue->limit, LOG_LEVEL_ERROR,
		    "%s: ring broken: req_prod is %" PRIu32 ", at most %" PRIu32 " is possible (%" PRIu32
		    " taken, %" PRIu32 " answered, %" PRIu32 " entries)",
		    queue->name, producer, queue->ring.response_producer + queue->ring.size,
		    queue->ring.request_consumer, queue->ring.response_producer, queue->ring.size);
}

bool blkif_take(struct blkif_queue *queue, uint32_t budget)
{
	while (!queue->broken && !queue->barrier) {
		uint32_t producer;
		int pending = ring_pending(&queue->ring, &producer);

		if (pending < 0) {
			mark_broken(queue, producer);
			return false;
		}
		if (pending == 0)
			return false;
		queue->asked = false;
		for (; pending > 0 && !queue->barrier; pending--) {
			if (blkif_queue_full(queue))
				return false;
			if (budget == 0)
				return true;
			take_one(queue);
			budget--;
		}
	}
	/* A barrier wakes the queue up when it is done. */
	return false;
}

bool blkif_ask(struct blkif_queue *queue)
{
	uint32_t producer;

	if (queue->asked || queue->broken || queue->barrier || blkif_queue_full(queue))
		return false;
	ring_ask_notification(&queue->ring);
	queue->asked = true;
	/* Look once more after asking: what came in between is not notified. A counter that can't be is found by taking. */
	return ring_pending(&queue->ring, &producer) != 0;
}

/* ---- indirect requests ---- */

/* copy_segments - map the pages of segments of all indirect requests of a list, and copy what they hold. */
static void copy_segments(struct blkif_turn *turn, const struct blkif_list *taken)
{
	struct blkif_slot *slot;
	size_t count = 0, mapped = 0;

	for (slot = taken->first; slot; slot = slot->next) {
		if (!slot->indirect)
			continue;
		slot->mapping = (struct memory_mapping){
			.grefs = &slot->indirect_gref,
			.count = 1,
			.cached = blkif_queue_of(slot)->cached,
			.persistent = blkif_queue_of(slot)->persistent,
			.sharer = blkif_queue_of(slot),
			.pages = slot->pages,
		};
		turn->mappings[count++] = &slot->mapping;
	}
	memory_map(turn->memory, turn->mappings, count);
	for (size_t i = 0; i < count; i++) {
		if (turn->mappings[i]->error < 0)
			continue;
		slot = blkif_slot_of_mapping(turn->mappings[i]);
		memcpy(slot->many->copy, slot->pages[0], slot->indirect_count * (size_t)BLKIF_SEGMENT_BYTES);
		turn->mappings[mapped++] = turn->mappings[i];
	}
	/* Nothing else was mapped with them, so none stays. */
	if (mapped > 0 && memory_unmap(turn->memory, turn->mappings, mapped, turn->gone) != mapped)
		abort();
}

/* check_segments - with its segments the request is as a direct one. */
static void check_segments(struct blkif_slot *slot)
{
	struct blkif_queue *queue = blkif_queue_of(slot);
	const struct blkif_limits limits = limits_of(queue, true);
	struct blkif_wire_request wire;
	char reason[BLKIF_REASON_MAX];
	int error;

	wire.operation = slot->operation;
	wire.segment_count = slot->indirect_count;
	wire.id = slot->id;
	wire.sector = slot->offset;
	slot->offset = 0;
	blkif_decode_segments(slot->many->copy, &wire);
	error = blkif_check_segments(&wire, &limits, reason);
	if (error < 0) {
		refuse(slot, error, reason);
		return;
	}
	fill(slot, &wire);
	blkif_list_append(&queue->turn->taken, slot);
}

void blkif_read_indirect(struct blkif_turn *turn)
{
	struct blkif_list taken = turn->taken;
	struct blkif_slot *slot;

	copy_segments(turn, &taken);
	turn->taken = (struct blkif_list){NULL, NULL};
	turn->indirect = 0;
	while ((slot = blkif_list_take(&taken))) {
		if (!slot->indirect) {
			blkif_list_append(&turn->taken, slot);
			continue;
		}
		slot->indirect = false;
		count_grants(slot, slot->indirect_count); /* the page of segments is unmapped */
		if (slot->mapping.error < 0)
			blkif_refuse_mapping(slot);
		else
			check_segments(slot);
	}
}
