// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blkif.c - one ring of one disk: requests in, responses out
 */
#include "rings/blkif.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/blkif.h>

#include "rings/blkif_check.h"

static_assert(offsetof(struct blkif_layer_request, seen) == 0, "blkif_of_seen");
static_assert(offsetof(struct blkif_slot, request) == 0, "blkif_slot_of");
static_assert(offsetof(struct blkif_layer, seen) == 0, "blkif_layer_of");

static struct blkif_queue *queue_of(struct blkif_slot *slot)
{
	return blkif_layer_of(&slot->request)->queue;
}

/* ---- lists ---- */

static void list_append(struct blkif_list *list, struct blkif_slot *slot)
{
	slot->next = NULL;
	if (list->last)
		list->last->next = slot;
	else
		list->first = slot;
	list->last = slot;
}

static struct blkif_slot *list_take(struct blkif_list *list)
{
	struct blkif_slot *slot = list->first;

	if (slot) {
		list->first = slot->next;
		if (!list->first)
			list->last = NULL;
	}
	return slot;
}

/* ---- making and unmaking ---- */

/* scratch_bytes - what one request of this layer carries for its backend. */
static size_t scratch_bytes(const struct blkif_layer *layer)
{
	return (layer->backend->request_size + 15u) & ~(size_t)15;
}

/* init_request - a request of one slot for one layer. Returns the memory behind its scratch. */
static uint8_t *init_request(struct blkif_queue *queue, struct blkif_layer_request *request, uint32_t slot,
			     uint32_t layer, uint8_t *scratch)
{
	request->slot = (uint16_t)slot;
	request->layer = (uint8_t)layer;
	request->seen.queue = &queue->layers[layer].seen;
	request->seen.scratch = scratch;
	return scratch + scratch_bytes(&queue->layers[layer]);
}

/* make_slots - all that requests need, so that none is allocated later. */
static int make_slots(struct blkif_queue *queue)
{
	uint32_t inner_count = queue->layer_count - 1;
	struct blkif_layer_request *inner;
	uint8_t *scratch;
	size_t bytes = 0;

	for (uint32_t i = 0; i < queue->layer_count; i++)
		bytes += scratch_bytes(&queue->layers[i]);
	queue->slots = calloc(queue->ring.size, sizeof(*queue->slots));
	queue->inner_requests = calloc(queue->ring.size * inner_count + 1, sizeof(*queue->inner_requests));
	queue->scratch = aligned_alloc(16, bytes ? queue->ring.size * bytes : 16);
	if (!queue->slots || !queue->inner_requests || !queue->scratch)
		return -ENOMEM;
	inner = queue->inner_requests;
	scratch = queue->scratch;
	for (uint32_t i = 0; i < queue->ring.size; i++) {
		struct blkif_slot *slot = &queue->slots[i];
		struct blkif_layer_request *outer = &slot->request;

		scratch = init_request(queue, outer, i, 0, scratch);
		for (uint32_t layer = 1; layer < queue->layer_count; layer++, inner++) {
			scratch = init_request(queue, inner, i, layer, scratch);
			inner->outer = outer;
			outer->inner = inner;
			outer = inner;
		}
		slot->next = queue->free_slots;
		queue->free_slots = slot;
	}
	return 0;
}

int blkif_queue_create(const struct blkif_queue_parameters *parameters, struct blkif_queue **created)
{
	struct blkif_queue *queue = calloc(1, sizeof(*queue));
	const struct xvhost_disk_properties *properties = parameters->layers[0].properties;
	int error;

	if (!queue)
		return -ENOMEM;
	assert(parameters->layer_count >= 1 && parameters->layer_count <= BLKIF_LAYERS_MAX);
	queue->layer_count = parameters->layer_count;
	for (uint32_t i = 0; i < queue->layer_count; i++) {
		queue->layers[i] = (struct blkif_layer){
			.seen = {.size = sizeof(struct xvhost_queue), .disk = parameters->layers[i].disk},
			.backend = parameters->layers[i].backend,
			.properties = parameters->layers[i].properties,
			.queue = queue,
		};
	}
	queue->name = parameters->layers[0].disk->name;
	queue->limit = parameters->limit;
	queue->protocol = parameters->protocol;
	queue->disk_bytes = properties->size_bytes;
	queue->read_only = properties->flags & XVHOST_DISK_READ_ONLY;
	queue->flush = properties->flags & XVHOST_DISK_FLUSH;
	error = ring_attach(&queue->ring, parameters->pages, parameters->page_count * PAGE_BYTES,
			    blkif_entry_bytes(parameters->protocol));
	if (error == 0)
		error = make_slots(queue);
	if (error < 0) {
		blkif_queue_free(queue);
		return error;
	}
	*created = queue;
	return 0;
}

void blkif_queue_free(struct blkif_queue *queue)
{
	assert(queue->in_flight == 0 && queue->layers_started == 0);
	free(queue->slots);
	free(queue->inner_requests);
	free(queue->scratch);
	free(queue);
}

int blkif_queue_start(struct blkif_queue *queue)
{
	for (uint32_t i = queue->layer_count; i > 0; i--) {
		struct blkif_layer *layer = &queue->layers[i - 1];
		int error = layer->backend->queue_start ? layer->backend->queue_start(&layer->seen) : 0;

		if (error < 0) {
			log_error("%s: backend %s can't start a queue: %s", queue->name, layer->backend->name,
				  strerror(-error));
			return error;
		}
		queue->layers_started++;
	}
	return 0;
}

void blkif_queue_stop(struct blkif_queue *queue)
{
	for (; queue->layers_started > 0; queue->layers_started--) {
		struct blkif_layer *layer = &queue->layers[queue->layer_count - queue->layers_started];

		if (layer->backend->queue_stop)
			layer->backend->queue_stop(&layer->seen);
	}
}

/* ---- taking ---- */

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

/* fill - carry a checked request over into its slot. */
static void fill(struct blkif_slot *slot, const struct blkif_wire_request *wire)
{
	uint64_t sectors = 0;

	for (uint32_t i = 0; i < wire->segment_count; i++) {
		const struct blkif_wire_segment *segment = &wire->segments[i];

		slot->grefs[i] = segment->gref;
		slot->first_sectors[i] = segment->first_sector;
		slot->sector_counts[i] = (uint8_t)(segment->last_sector - segment->first_sector + 1);
		sectors += slot->sector_counts[i];
	}
	slot->offset = sectors ? wire->sector * BLKIF_SECTOR_BYTES : 0;
	slot->length = sectors * BLKIF_SECTOR_BYTES;
	slot->mapping = (struct memory_mapping){
		.grefs = slot->grefs,
		.count = wire->segment_count,
		.writable = wire->operation == BLKIF_OP_READ,
		.sharer = queue_of(slot),
		.pages = slot->pages,
	};
	set_steps(slot, queue_of(slot)->flush);
}

/* take_slot - a free slot, made empty. There is one for each entry of the ring. */
static struct blkif_slot *take_slot(struct blkif_queue *queue, const struct blkif_wire_request *wire)
{
	struct blkif_slot *slot = queue->free_slots;

	assert(slot);
	queue->free_slots = slot->next;
	slot->generation++;
	slot->id = wire->id;
	slot->operation = wire->operation;
	slot->offset = 0;
	slot->length = 0;
	slot->error = 0;
	slot->step = 0;
	slot->mapped = false;
	queue->in_flight++;
	queue->turn->in_flight++;
	queue->counters.requests++;
	return slot;
}

/* take_one - copy, decode, check and queue up the next request. */
static void take_one(struct blkif_queue *queue)
{
	const struct blkif_limits limits = {queue->disk_bytes / BLKIF_SECTOR_BYTES, queue->read_only};
	uint8_t entry[BLKIF_ENTRY_MAX];
	struct blkif_wire_request wire;
	struct blkif_slot *slot;
	char reason[BLKIF_REASON_MAX];
	int error;

	ring_take(&queue->ring, entry);
	blkif_decode(queue->protocol, entry, &wire);
	slot = take_slot(queue, &wire);
	error = blkif_check(&wire, &limits, reason);
	if (error < 0) {
		log_limited(queue->limit, LOG_LEVEL_WARNING, "%s: request refused: %s", queue->name, reason);
		slot->error = error;
		list_append(&queue->turn->completed, slot);
		return;
	}
	fill(slot, &wire);
	if (wire.operation == BLKIF_OP_WRITE_BARRIER) {
		queue->barrier = slot;
		if (queue->in_flight > 1)
			return;
	}
	list_append(&queue->turn->taken, slot);
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
	struct blkif_turn *turn = queue->turn;
	bool asked = false;

	while (!queue->broken && !queue->barrier) {
		uint32_t producer;
		int pending = ring_pending(&queue->ring, &producer);

		if (pending < 0) {
			mark_broken(queue, producer);
			return false;
		}
		if (pending == 0) {
			if (asked)
				return false;
			/* Look once more after asking: what came in between is not notified. */
			ring_ask_notification(&queue->ring);
			asked = true;
			continue;
		}
		for (; pending > 0 && !queue->barrier; pending--) {
			if (budget == 0 || turn->in_flight == turn->in_flight_max)
				return true;
			take_one(queue);
			budget--;
		}
		asked = false;
	}
	/* A barrier wakes the queue up when it is done. */
	return false;
}

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
	struct blkif_queue *queue = queue_of(slot);
	uint8_t operation = next_operation(slot);

	if (operation == 0) {
		list_append(&queue->turn->completed, slot);
		return;
	}
	describe_step(slot, operation);
	submit(&slot->request);
}

void blkif_start(struct blkif_turn *turn)
{
	struct blkif_slot *slot;
	size_t count = 0;

	for (slot = turn->taken.first; slot; slot = slot->next)
		if (slot->mapping.count > 0)
			turn->mappings[count++] = &slot->mapping;
	if (count > 0)
		memory_map(turn->memory, turn->mappings, count);
	while ((slot = list_take(&turn->taken))) {
		struct blkif_queue *queue = queue_of(slot);

		if (slot->mapping.count > 0 && slot->mapping.error < 0) {
			slot->error = slot->mapping.error;
			log_limited(queue->limit, LOG_LEVEL_WARNING,
				    "%s: request refused: can't map its %" PRIu32 " grants (gref %" PRIu32
				    " and on) for %s: %s",
				    queue->name, slot->mapping.count, slot->grefs[0],
				    slot->mapping.writable ? "writing" : "reading", strerror(-slot->error));
			list_append(&turn->completed, slot);
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
	list_append(&queue_of(slot)->turn->completed, slot);
}

/* can_forward - a wrapper's mistakes shall not become those of the backend below. */
static bool can_forward(const struct blkif_layer *inner, uint32_t operation, uint64_t offset, uint64_t length)
{
	const struct xvhost_disk_properties *properties = inner->properties;

	switch (operation) {
	case XVHOST_FLUSH:
		return properties->flags & XVHOST_DISK_FLUSH;
	case XVHOST_WRITE:
		if (properties->flags & XVHOST_DISK_READ_ONLY)
			return false;
		break;
	case XVHOST_READ:
		break;
	default:
		return false;
	}
	return offset % properties->block_bytes == 0 && length % properties->block_bytes == 0 && length > 0 &&
	       offset <= properties->size_bytes && length <= properties->size_bytes - offset;
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
	case BLKIF_OP_WRITE_BARRIER:
		return "write barrier";
	default:
		return "request";
	}
}

/* answer - write the response, count it, and make the slot free. */
static void answer(struct blkif_slot *slot)
{
	struct blkif_queue *queue = queue_of(slot);
	uint8_t entry[BLKIF_ENTRY_MAX];
	int16_t status = BLKIF_RSP_OKAY;
	uint32_t bytes;

	if (slot->error < 0) {
		status = slot->error == -EOPNOTSUPP ? BLKIF_RSP_EOPNOTSUPP : BLKIF_RSP_ERROR;
		queue->counters.errors++;
	} else if (slot->operation == BLKIF_OP_READ) {
		queue->counters.bytes_read += slot->length;
	} else {
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
	queue->in_flight--;
	queue->turn->in_flight--;
	/* A barrier that waited for all others begins when it is the only one left. */
	if (queue->barrier && queue->in_flight == 1)
		list_append(&queue->turn->taken, queue->barrier);
}

/* slot_of - from a mapping to the request that it belongs to. */
static struct blkif_slot *slot_of(struct memory_mapping *mapping)
{
	return (struct blkif_slot *)((char *)mapping - offsetof(struct blkif_slot, mapping));
}

void blkif_finish(struct blkif_turn *turn)
{
	struct blkif_slot *slot;
	size_t count = 0, gone;

	while ((slot = list_take(&turn->completed))) {
		if (slot->error == 0 && next_operation(slot) != 0)
			submit_step(slot);
		else if (slot->mapped)
			turn->mappings[count++] = &slot->mapping;
		else
			answer(slot);
	}
	if (count == 0)
		return;
	gone = memory_unmap(turn->memory, turn->mappings, count, turn->gone);
	for (size_t i = 0; i < gone; i++)
		answer(slot_of(turn->gone[i]));
}

bool blkif_publish(struct blkif_queue *queue)
{
	bool notify;

	if (!queue->unpublished)
		return false;
	queue->unpublished = false;
	notify = ring_publish(&queue->ring);
	queue->counters.notifications += notify;
	return notify;
}
