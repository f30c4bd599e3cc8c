// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blkif_queue.c - one ring of one disk: made, started, stopped and unmade
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rings/blkif_internal.h"

static_assert(offsetof(struct blkif_layer_request, seen) == 0, "blkif_of_seen");
static_assert(offsetof(struct blkif_slot, request) == 0, "blkif_slot_of");
static_assert(offsetof(struct blkif_layer, seen) == 0, "blkif_layer_of");

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
	queue->many_segments = calloc(queue->ring.size, sizeof(*queue->many_segments));
	queue->inner_requests = calloc(queue->ring.size * inner_count + 1, sizeof(*queue->inner_requests));
	queue->scratch = aligned_alloc(16, bytes ? queue->ring.size * bytes : 16);
	if (!queue->slots || !queue->many_segments || !queue->inner_requests || !queue->scratch)
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
		slot->many = &queue->many_segments[i];
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
			.seen = {.size = sizeof(struct xvhost_queue),
				 .index = parameters->index,
				 .disk = parameters->layers[i].disk},
			.backend = parameters->layers[i].backend,
			.properties = parameters->layers[i].properties,
			.queue = queue,
		};
		for (uint32_t k = 0; k < XVHOST_WATCHES_MAX; k++)
			queue->layers[i].watches[k].fd = -1;
	}
	queue->name = parameters->layers[0].disk->name;
	queue->limit = parameters->limit;
	queue->protocol = parameters->protocol;
	queue->block_sectors = properties->block_bytes / BLKIF_SECTOR_BYTES;
	queue->unit_sectors = parameters->large_sectors ? queue->block_sectors : 1;
	queue->read_only = properties->flags & XVHOST_DISK_READ_ONLY;
	queue->flush = properties->flags & XVHOST_DISK_FLUSH;
	queue->discard = properties->flags & XVHOST_DISK_DISCARD;
	queue->discard_secure = properties->flags & XVHOST_DISK_SECURE_DISCARD;
	queue->cached = parameters->cached;
	queue->persistent = parameters->persistent;
	queue->requests_per_turn = parameters->requests_per_turn;
	for (uint32_t i = 0; i < queue->layer_count; i++)
		queue->direct |= (parameters->layers[i].properties->flags & XVHOST_DISK_DIRECT) != 0;
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
	free(queue->many_segments);
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
