// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blkif.c - one ring of one disk: requests are started, completed and answered
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/blkif.h>

#include "rings/blkif_internal.h"

/* ---- starting ---- */

/* describe_step - what the backend sees of the request in this step. Data runs that follow each other become
 * one. */
static void describe_step(struct blkif_slot *slot, uint8_t operation)
{
	struct xvhost_request *seen = &slot->request.seen;

	seen->operation = operation;
	seen->offset = 0;
	seen->length = 0;
	seen->iov = slot->iov;
	seen->iov_count = 0;
	if (operation == XVHOST_FLUSH)
		return;
	seen->offset = slot->offset;
	seen->length = slot->length;
	for (uint32_t i = 0; i < slot->mapping.count; i++) {
		char *start = (char *)slot->pages[i] + slot->first_sectors[i] * BLKIF_SECTOR_BYTES;
		size_t bytes = slot->sector_counts[i] * BLKIF_SECTOR_BYTES;
		struct iovec *last = seen->iov_count ? &slot->iov[seen->iov_count - 1] : NULL;

		if (last && (char *)last->iov_base + last->iov_len == start)
			last->iov_len += bytes;
		else
			slot->iov[seen->iov_count++] = (struct iovec){start, bytes};
	}
}

/* next_operation - the step that is to be done now; 0 when all are done. */
static uint8_t next_operation(const struct blkif_slot *slot)
{
	return slot->step < BLKIF_STEPS_MAX ? slot->steps[slot->step] : 0;
}

/* submit - give a request to the backend of its layer. */
static void submit(struct blkif_layer_request *request)
{
	request->submitted = true;
	blkif_layer_of(request)->backend->submit(&request->seen);
}

/* submit_step - give the request's next step to the backend, or complete it when there is none. */
static void submit_step(struct blkif_slot *slot)
{
	struct blkif_queue *queue = blkif_queue_of(slot);
	uint8_t operation = next_operation(slot);

	if (operation == 0) {
		blkif_list_append(&queue->turn->completed, slot);
		return;
	}
	describe_step(slot, operation);
	submit(&slot->request);
}

void blkif_refuse_mapping(struct blkif_slot *slot)
{
	struct blkif_queue *queue = blkif_queue_of(slot);

	slot->error = slot->mapping.error;
	log_limited(queue->limit, LOG_LEVEL_WARNING,
		    "%s: request refused: can't map its %" PRIu32 " grants (gref %" PRIu32
		    " and on) for %s: %s",
		    queue->name, slot->mapping.count, slot->mapping.grefs[0],
		    slot->mapping.writable ? "writing" : "reading", strerror(-slot->error));
	blkif_list_append(&queue->turn->completed, slot);
}

void blkif_start(struct blkif_turn *turn)
{
	struct blkif_slot *slot;
	size_t count = 0;

	if (turn->indirect > 0)
		blkif_read_indirect(turn);

	for (slot = turn->taken.first; slot; slot = slot->next)
		if (slot->mapping.count > 0)
			turn->mappings[count++] = &slot->mapping;
	if (count > 0)
		memory_map(turn->memory, turn->mappings, count);
	while ((slot = blkif_list_take(&turn->taken))) {
		if (slot->mapping.count > 0 && slot->mapping.error < 0) {
			blkif_refuse_mapping(slot);
			continue;
		}
		slot->mapped = slot->mapping.count > 0;
		submit_step(slot);
	}
}

/* ---- finishing ---- */

void blkif_complete(struct xvhost_request *seen, int error)
{
	struct blkif_layer_request *request = blkif_of_seen(seen);
	struct blkif_slot *slot;

	/* Each is completed once, and an error is not above 0: a backend that does otherwise has lost count. */
	assert(request->submitted && error <= 0);
	request->submitted = false;
	if (request->outer) {
		blkif_layer_of(request->outer)->backend->forwarded(&request->outer->seen, error);
		return;
	}
	slot = blkif_slot_of(request);
	slot->step++;
	slot->error = error;
	blkif_list_append(&blkif_queue_of(slot)->turn->completed, slot);
}

/* can_forward - a wrapper's mistakes shall not become those of the backend below. */
static bool can_forward(const struct blkif_layer *inner, uint32_t operation, uint64_t offset, uint64_t length)
{
	const struct xvhost_disk_properties *properties = inner->properties;
	uint64_t size_bytes = blkif_layer_bytes(inner);

	switch (operation) {
	case XVHOST_FLUSH:
		return properties->flags & XVHOST_DISK_FLUSH;
	case XVHOST_WRITE:
		if (properties->flags & XVHOST_DISK_READ_ONLY)
			return false;
		break;
	case XVHOST_DISCARD:
		if (!(properties->flags & XVHOST_DISK_DISCARD) || properties->flags & XVHOST_DISK_READ_ONLY)
			return false;
		break;
	case XVHOST_SECURE_DISCARD:
		if (!(properties->flags & XVHOST_DISK_SECURE_DISCARD) ||
		    properties->flags & XVHOST_DISK_READ_ONLY)
			return false;
		break;
	case XVHOST_READ:
		break;
	default:
		return false;
	}
	return offset % properties->block_bytes == 0 && length % properties->block_bytes == 0 && length > 0 &&
	       offset <= size_bytes && length <= size_bytes - offset;
}

void blkif_forward(struct xvhost_request *seen, uint32_t operation, uint64_t offset, uint64_t length,
		   struct iovec *iov, uint32_t iov_count)
{
	struct blkif_layer_request *request = blkif_of_seen(seen), *inner = request->inner;
	struct blkif_layer *layer = blkif_layer_of(request);

	assert(request->submitted && inner && !inner->submitted);
	if (!can_forward(layer + 1, operation, offset, length)) {
		log_limited(layer->queue->limit, LOG_LEVEL_ERROR,
			    "%s: backend %s asks %s for operation %" PRIu32 " on %" PRIu64
			    " bytes at byte %" PRIu64 ", which that does not offer",
			    layer->queue->name, layer->backend->name, layer[1].backend->name, operation,
			    length, offset);
		layer->backend->forwarded(seen, -EINVAL);
		return;
	}
	inner->seen.operation = operation;
	inner->seen.offset = operation == XVHOST_FLUSH ? 0 : offset;
	inner->seen.length = operation == XVHOST_FLUSH ? 0 : length;
	inner->seen.iov = iov;
	inner->seen.iov_count = operation == XVHOST_FLUSH ? 0 : iov_count;
	submit(inner);
}

static const char *operation_name(uint8_t operation)
{
	switch (operation) {
	case BLKIF_OP_READ:
		return "read";
	case BLKIF_OP_WRITE:
		return "write";
	case BLKIF_OP_FLUSH_DISKCACHE:
		return "flush";
	case BLKIF_OP_DISCARD:
		return "discard";
	case BLKIF_OP_WRITE_BARRIER:
		return "write barrier";
	default:
		return "request";
	}
}

/* answer - write the response, count it, and make the slot free. */
static void answer(struct blkif_slot *slot)
{
	struct blkif_queue *queue = blkif_queue_of(slot);
	uint8_t entry[BLKIF_ENTRY_MAX];
	int16_t status = BLKIF_RSP_OKAY;
	uint32_t bytes;

	if (slot->error < 0) {
		status = slot->error == -EOPNOTSUPP ? BLKIF_RSP_EOPNOTSUPP : BLKIF_RSP_ERROR;
		queue->counters.errors++;
	} else if (slot->operation == BLKIF_OP_READ) {
		queue->counters.bytes_read += slot->length;
	} else if (slot->operation != BLKIF_OP_DISCARD) {
		queue->counters.bytes_written += slot->length;
	}
	/* What never reached the backend has had its line in the log. */
	if (slot->error < 0 && slot->step > 0)
		log_limited(queue->limit, LOG_LEVEL_ERROR,
			    "%s: %s of %" PRIu64 " bytes at byte %" PRIu64 " failed: %s", queue->name,
			    operation_name(slot->operation), slot->length, slot->offset,
			    strerror(-slot->error));
	bytes = blkif_encode(queue->protocol, slot->id, slot->operation, status, entry);
	ring_answer(&queue->ring, entry, bytes);
	queue->unpublished = true;
	if (slot == queue->barrier) {
		queue->barrier = NULL;
		queue->ready = true;
	}
	slot->next = queue->free_slots;
	queue->free_slots = slot;
	blkif_stock_set(&queue->turn->requests, &queue->in_flight, queue->in_flight - 1);
	blkif_stock_set(&queue->turn->grants, &queue->grants, queue->grants - slot->grants);
	/* A barrier that waited for all others begins when it is the only one left. */
	if (queue->barrier && queue->in_flight == 1)
		blkif_list_append(&queue->turn->taken, queue->barrier);
}

/* mapping_done - what memory_unmap gets of a request. */
static struct memory_mapping *mapping_done(struct blkif_slot *slot)
{
	slot->mapping.failed = slot->error < 0;
	return &slot->mapping;
}

void blkif_finish(struct blkif_turn *turn)
{
	struct blkif_slot *slot;
	size_t count = 0, gone;

	while ((slot = blkif_list_take(&turn->completed))) {
		if (slot->error == 0 && next_operation(slot) != 0)
			submit_step(slot);
		else if (slot->mapped)
			turn->mappings[count++] = mapping_done(slot);
		else
			answer(slot);
	}
	if (count == 0)
		return;
	gone = memory_unmap(turn->memory, turn->mappings, count, turn->gone);
	for (size_t i = 0; i < gone; i++) {
		slot = blkif_slot_of_mapping(turn->gone[i]);
		/* What was read may not have reached the guest. */
		if (slot->error == 0)
			slot->error = slot->mapping.error;
		answer(slot);
	}
}

bool blkif_hand_over(struct blkif_queue *queue, struct ring_publication *publication)
{
	if (!queue->unpublished)
		return false;
	queue->unpublished = false;
	ring_hand_over(&queue->ring, publication);
	publication->notifications = &queue->counters.notifications;
	return true;
}
