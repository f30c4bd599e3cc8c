// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blkif_frontend.c - a disk as the guest has it: rings, requests, the pages and grants of their data
 */
#include "sim/blkif_frontend.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xen/io/blkif.h>

#define ID_INDEX_BITS 16		  /* the lower part of an id: which request it is */
#define ID_FIRST (UINT64_C(0xfedc) << 48) /* ids use all of their 64 bits */

/* ---- making and unmaking ---- */

/* create_queue - one ring and its event channel. */
static int create_queue(struct blkif_frontend *frontend, uint32_t index)
{
	const struct blkif_frontend_options *options = &frontend->options;
	struct front_queue *queue = &frontend->queues[index];
	int error;

	queue->frontend = frontend;
	queue->index = index;
	error = front_ring_create(&queue->ring, options->guest, options->host_domid, options->protocol,
				  1u << options->ring_order);
	if (error < 0)
		return error;
	error = sim_port_open(options->guest, options->host_domid);
	if (error < 0) {
		front_ring_destroy(&queue->ring, options->guest);
		return error;
	}
	queue->port = (uint32_t)error;
	return 0;
}

int blkif_frontend_create(const struct blkif_frontend_options *options, struct blkif_frontend **created)
{
	struct blkif_frontend *frontend;
	uint32_t queues = options->queues ? options->queues : 1;
	int error = 0;

	if (queues > FRONT_QUEUES_MAX || options->ring_order > RING_ORDER_MAX)
		return -EINVAL;
	frontend = calloc(1, sizeof(*frontend));
	if (!frontend)
		return -ENOMEM;
	frontend->options = *options;
	frontend->options.queues = queues;
	while (frontend->queue_count < queues) {
		error = create_queue(frontend, frontend->queue_count);
		if (error < 0) {
			blkif_frontend_destroy(frontend);
			return error;
		}
		frontend->queue_count++;
	}
	*created = frontend;
	return 0;
}

void blkif_frontend_describe(const struct blkif_frontend *frontend, struct message_disk_connect *connect)
{
	memset(connect, 0, sizeof(*connect));
	connect->protocol = frontend->options.protocol;
	connect->ring_pages = frontend->queues[0].ring.page_count;
	connect->queue_count = frontend->queue_count;
	connect->persistent = frontend->options.persistent;
	connect->large_sectors = frontend->options.large_sectors;
	for (uint32_t i = 0; i < frontend->queue_count; i++) {
		const struct front_ring *ring = &frontend->queues[i].ring;

		memcpy(connect->queues[i].ring_refs, ring->grefs, ring->page_count * sizeof(ring->grefs[0]));
		connect->queues[i].event_channel = frontend->queues[i].port;
	}
}

/* ---- the requests' pages ---- */

/* grant_for_good - all pages of a request, writable: a read may be next. */
static int grant_for_good(const struct blkif_frontend_options *options, struct front_request *request)
{
	for (; request->granted < options->segments; request->granted++) {
		int64_t gref = sim_grant(options->guest, options->host_domid,
					 request->frames[request->granted], false);

		if (gref < 0)
			return (int)gref;
		request->segments[request->granted].gref = (uint32_t)gref;
	}
	return 0;
}

/* create_indirect_pages - they stay granted, whatever the data's pages do; the host only reads them. */
static int create_indirect_pages(const struct blkif_frontend_options *options, struct front_request *request)
{
	uint32_t count = (options->segments + FRONT_PAGE_DESCRIPTORS - 1) / FRONT_PAGE_DESCRIPTORS;

	while (request->indirect_page_count < count) {
		uint32_t i = request->indirect_page_count;
		int error = sim_pages_take(options->guest, 1, &request->indirect_frames[i]);
		int64_t gref;

		if (error < 0)
			return error;
		gref = sim_grant(options->guest, options->host_domid, request->indirect_frames[i],
				 !options->persistent);
		if (gref < 0) {
			sim_pages_give_back(options->guest, 1, &request->indirect_frames[i]);
			return (int)gref;
		}
		request->indirect_grefs[i] = (uint32_t)gref;
		request->indirect_pages[i] = sim_page(options->guest, request->indirect_frames[i]);
		request->indirect_page_count++;
	}
	return 0;
}

static int create_request(struct front_queue *queue, struct front_request *request)
{
	const struct blkif_frontend_options *options = &queue->frontend->options;
	uint32_t count = options->segments;
	int error;

	request->frames = calloc(count, sizeof(*request->frames));
	request->pages = calloc(count, sizeof(*request->pages));
	request->ranges = calloc(count, sizeof(*request->ranges));
	request->segments = calloc(count, sizeof(*request->segments));
	if (!request->frames || !request->pages || !request->ranges || !request->segments)
		return -ENOMEM;
	error = sim_pages_take(options->guest, count, request->frames);
	if (error < 0)
		return error;
	for (uint32_t i = 0; i < count; i++)
		request->pages[i] = sim_page(options->guest, request->frames[i]);
	if (options->persistent)
		error = grant_for_good(options, request);
	if (error == 0 && queue->frontend->features.indirect_segments > 0)
		error = create_indirect_pages(options, request);
	return error;
}

static int create_requests(struct front_queue *queue)
{
	const struct blkif_frontend_options *options = &queue->frontend->options;
	uint32_t depth = options->depth;

	if (depth == 0 || depth > queue->ring.size)
		depth = queue->ring.size;
	queue->requests = calloc(depth, sizeof(*queue->requests));
	if (!queue->requests)
		return -ENOMEM;
	for (uint32_t i = 0; i < depth; i++) {
		int error;

		queue->requests[i].index = (uint16_t)i;
		queue->requests[i].id = ID_FIRST | i;
		queue->depth = i + 1;
		error = create_request(queue, &queue->requests[i]);
		if (error < 0)
			return error;
	}
	/* The one that is free last is used first, so that as few as possible are in use. */
	for (uint32_t i = depth; i-- > 0;)
		front_give_back(queue, &queue->requests[i]);
	return 0;
}

int blkif_frontend_set_up(struct blkif_frontend *frontend, const struct blkif_features *features)
{
	struct blkif_frontend_options *options = &frontend->options;
	uint32_t most = features->indirect_segments;
	int error = 0;

	frontend->features = *features;
	if (frontend->features.sector_bytes == 0)
		frontend->features.sector_bytes = 512;
	if (frontend->features.physical_bytes == 0)
		frontend->features.physical_bytes = frontend->features.sector_bytes;
	if (most < FRONT_DIRECT_SEGMENTS)
		most = FRONT_DIRECT_SEGMENTS;
	if (most > FRONT_SEGMENTS_MAX)
		most = FRONT_SEGMENTS_MAX;
	if (options->segments == 0)
		options->segments = 1;
	if (options->segments > most)
		options->segments = most;
	for (uint32_t i = 0; i < frontend->queue_count && error == 0; i++)
		error = create_requests(&frontend->queues[i]);
	return error;
}

/* end_grants - of a request's data. Returns how many the host has mapped still; these stay. */
static uint32_t end_grants(struct sim_guest *guest, struct front_request *request)
{
	uint32_t mapped = 0;

	for (uint32_t i = 0; i < request->granted; i++) {
		if (request->segments[i].gref == 0)
			continue;
		if (sim_grant_end(guest, request->segments[i].gref) < 0)
			mapped++;
		else
			request->segments[i].gref = 0;
	}
	if (mapped == 0)
		request->granted = 0;
	return mapped;
}

static uint32_t destroy_request(struct sim_guest *guest, struct front_request *request, uint32_t segments)
{
	uint32_t mapped = end_grants(guest, request);

	for (uint32_t i = 0; i < request->indirect_page_count; i++) {
		if (sim_grant_end(guest, request->indirect_grefs[i]) < 0)
			mapped++;
		else
			sim_pages_give_back(guest, 1, &request->indirect_frames[i]);
	}
	for (uint32_t i = 0; request->pages && i < segments; i++)
		if (request->pages[i] && request->segments[i].gref == 0)
			sim_pages_give_back(guest, 1, &request->frames[i]);
	free(request->frames);
	free(request->pages);
	free(request->ranges);
	free(request->segments);
	return mapped;
}

uint32_t blkif_frontend_destroy(struct blkif_frontend *frontend)
{
	struct sim_guest *guest = frontend->options.guest;
	uint32_t mapped = 0;

	for (uint32_t i = 0; i < frontend->queue_count; i++) {
		struct front_queue *queue = &frontend->queues[i];

		sim_port_close(guest, queue->port);
		for (uint32_t j = 0; j < queue->depth; j++)
			mapped += destroy_request(guest, &queue->requests[j], frontend->options.segments);
		free(queue->requests);
		mapped += front_ring_destroy(&queue->ring, guest);
	}
	free(frontend);
	return mapped;
}

/* ---- asking ---- */

struct front_request *front_take(struct front_queue *queue)
{
	struct front_request *request = queue->first_free;

	if (request)
		queue->first_free = request->next_free;
	return request;
}

void front_give_back(struct front_queue *queue, struct front_request *request)
{
	assert(!request->in_flight);
	/* As long as a grant can't be ended the pages are not to be used for anything else. */
	if (request->busy && end_grants(queue->frontend->options.guest, request) > 0)
		return;
	request->busy = false;
	request->next_free = queue->first_free;
	queue->first_free = request;
}

void front_set_data(struct front_request *request, uint32_t first_sector, uint32_t sectors)
{
	request->segment_count = 0;
	while (sectors > 0) {
		struct front_range *range = &request->ranges[request->segment_count++];
		uint32_t here = FRONT_PAGE_SECTORS - first_sector;

		if (here > sectors)
			here = sectors;
		range->first_sector = (uint8_t)first_sector;
		range->last_sector = (uint8_t)(first_sector + here - 1);
		sectors -= here;
		first_sector = 0;
	}
}

/* grant_segments - fresh grants, as many as the request has segments. */
static int grant_segments(const struct blkif_frontend_options *options, struct front_request *request)
{
	bool read_only = request->operation != BLKIF_OP_READ;

	for (request->granted = 0; request->granted < request->segment_count; request->granted++) {
		int64_t gref = sim_grant(options->guest, options->host_domid,
					 request->frames[request->granted], read_only);

		if (gref < 0) {
			end_grants(options->guest, request);
			return (int)gref;
		}
		request->segments[request->granted].gref = (uint32_t)gref;
	}
	return 0;
}

/* unit_sectors - sectors of 512 bytes in what the frontend counts in. */
static uint32_t unit_sectors(const struct blkif_frontend *frontend)
{
	return frontend->options.large_sectors ? frontend->features.sector_bytes / 512 : 1;
}

/* set_segments - which part of each page. */
static void set_segments(struct front_request *request, uint32_t unit)
{
	for (uint32_t i = 0; i < request->segment_count; i++) {
		const struct front_range *range = &request->ranges[i];

		assert(range->first_sector % unit == 0 && (range->last_sector + 1) % unit == 0);
		request->segments[i].first_sector = (uint8_t)(range->first_sector / unit);
		request->segments[i].last_sector = (uint8_t)(range->last_sector / unit);
	}
}

/* write_descriptors - into the indirect pages, as many as are needed. */
static void write_descriptors(const struct front_request *request)
{
	for (uint32_t done = 0; done < request->segment_count; done += FRONT_PAGE_DESCRIPTORS) {
		uint32_t here = request->segment_count - done;

		if (here > FRONT_PAGE_DESCRIPTORS)
			here = FRONT_PAGE_DESCRIPTORS;
		memcpy(request->indirect_pages[done / FRONT_PAGE_DESCRIPTORS], request->segments + done,
		       here * sizeof(request->segments[0]));
	}
}

static void put_in_ring(struct front_queue *queue, struct front_request *request)
{
	uint32_t unit = unit_sectors(queue->frontend);
	struct front_wire wire = {
		.operation = request->operation,
		.segment_count = (uint16_t)request->segment_count,
		.handle = (uint16_t)queue->frontend->options.device_id,
		.id = request->id,
		.sector = request->sector / unit,
		.segments = request->segments,
	};

	if (request->operation == BLKIF_OP_DISCARD) {
		wire.flag = request->discard_secure ? BLKIF_DISCARD_SECURE : 0;
		wire.discard_sectors = request->discard_sectors / unit;
	} else if (request->indirect || request->segment_count > FRONT_DIRECT_SEGMENTS) {
		assert(request->indirect_page_count * FRONT_PAGE_DESCRIPTORS >= request->segment_count);
		write_descriptors(request);
		wire.operation = BLKIF_OP_INDIRECT;
		wire.indirect_operation = request->operation;
		memcpy(wire.indirect_grefs, request->indirect_grefs, sizeof(wire.indirect_grefs));
	}
	front_ring_put(&queue->ring, &wire);
}

int front_put(struct front_queue *queue, struct front_request *request)
{
	const struct blkif_frontend_options *options = &queue->frontend->options;

	assert(!request->in_flight && !request->busy && request->segment_count <= options->segments);
	if (request->operation == BLKIF_OP_DISCARD)
		request->segment_count = 0;
	if (!options->persistent) {
		int error = grant_segments(options, request);

		if (error < 0)
			return error;
	}
	set_segments(request, unit_sectors(queue->frontend));
	/* Each use has another id, so that an answer which comes twice is found. */
	request->id += UINT64_C(1) << ID_INDEX_BITS;
	request->in_flight = true;
	queue->in_flight++;
	put_in_ring(queue, request);
	return 0;
}

int front_push(struct front_queue *queue)
{
	int error;

	if (!front_ring_push(&queue->ring))
		return 0;
	queue->notifications++;
	error = sim_port_notify(queue->frontend->options.guest, queue->port);
	/* Without another end Xen drops the event and says nothing: a host that is being replaced looks when it comes. */
	return error == -ENOTCONN ? 0 : error;
}

/* ---- being answered ---- */

/* refuse - the answer can't be; says why. */
static struct front_request *refuse(struct front_queue *queue, const struct front_response *response,
				    const char *reason, int *error)
{
	snprintf(queue->error, sizeof(queue->error),
		 "queue %" PRIu32 ": the host's response %" PRIu32 " (id %#" PRIx64
		 ", operation %u, status %d) %s",
		 queue->index, queue->ring.response_consumer - 1, response->id, response->operation,
		 response->status, reason);
	*error = -EPROTO;
	return NULL;
}

/* match - the request that a response answers; NULL and the reason if there is none. */
static struct front_request *match(struct front_queue *queue, const struct front_response *response,
				   int *error)
{
	uint32_t index = response->id & ((1u << ID_INDEX_BITS) - 1);
	struct front_request *request;

	if (index >= queue->depth)
		return refuse(queue, response, "has an id that no request had", error);
	request = &queue->requests[index];
	if (request->id != response->id)
		return refuse(queue, response, "has an id that no request in flight has", error);
	if (!request->in_flight)
		return refuse(queue, response, "answers a request that was answered before", error);
	if (response->operation != request->operation)
		return refuse(queue, response, "has another operation than its request", error);
	if (response->status > BLKIF_RSP_OKAY || response->status < BLKIF_RSP_EOPNOTSUPP)
		return refuse(queue, response, "has a status that blkif does not have", error);
	return request;
}

struct front_request *front_reap(struct front_queue *queue, int *error)
{
	const struct blkif_frontend_options *options = &queue->frontend->options;
	struct front_response response;
	struct front_request *request;
	int taken = front_ring_take(&queue->ring, &response);

	*error = 0;
	if (taken == 0)
		return NULL;
	if (taken < 0) {
		snprintf(queue->error, sizeof(queue->error),
			 "queue %" PRIu32 ": the host shows more responses than there were requests (%" PRIu32
			 " requests, %" PRIu32 " responses taken)",
			 queue->index, queue->ring.request_published, queue->ring.response_consumer);
		*error = -EPROTO;
		return NULL;
	}
	request = match(queue, &response, error);
	if (!request)
		return NULL;
	request->in_flight = false;
	queue->in_flight--;
	request->status = response.status;
	if (!options->persistent && end_grants(options->guest, request) > 0) {
		request->busy = true;
		queue->busy_grants++;
	}
	return request;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int front_wait(struct front_queue *queue, int timeout_ms)
{
	int64_t end_ms = 0;

	/* An event may have come for a response that was taken before it: then there is nothing yet. */
	while (!front_ring_ask(&queue->ring)) {
		int result, left_ms = timeout_ms;

		if (timeout_ms > 0) {
			int64_t now = now_ms();

			if (end_ms == 0)
				end_ms = now + timeout_ms;
			left_ms = end_ms > now ? (int)(end_ms - now) : 0;
		}
		queue->waits++;
		result = sim_port_wait(queue->frontend->options.guest, queue->port, left_ms);
		if (result <= 0)
			return result;
	}
	return 1;
}
