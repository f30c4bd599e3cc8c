// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * disk.c - one disk of the guest: its backend, and its ring while a frontend is connected
 */
#include "worker/disk_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "memory/persistent.h"

static_assert(RING_PAGES_MAX <= MEMORY_RING_PAGES_MAX, "memory_map_ring");

/* keep_grants - those that the frontend leaves in place, if they are the way of this queue's requests. */
static int keep_grants(struct disk_queue *queue, const struct message_disk_connect *asked,
		       char text[ERROR_TEXT_MAX])
{
	int error;

	queue->persistent = NULL;
	if (!asked->persistent || queue->cached)
		return 0;
	error = persistent_create(CONFIG_RING_PERSISTENT_GRANTS, &queue->persistent);
	if (error < 0)
		snprintf(text, ERROR_TEXT_MAX, "no memory for persistent grants");
	return error;
}

/* forget_grants - unmap them. */
static void forget_grants(struct disk_queue *queue)
{
	if (queue->persistent)
		persistent_destroy(queue->loop->memory, queue->persistent);
	queue->persistent = NULL;
}

/* disconnect_queue - unbind, unmake, unmap. */
static void disconnect_queue(struct disk *disk, const struct guest *guest, struct disk_queue *queue)
{
	int error = guest->platform->event_channels_unbind(queue->loop->channels, queue->port);

	if (error < 0)
		log_error("%s: can't unbind port %" PRIu32 ": %s", disk->name, queue->port, strerror(-error));
	if (queue->queue)
		blkif_queue_free(queue->queue);
	forget_grants(queue);
	/* Queues are told apart by their addresses, and another disk's may come to lie here. */
	queue->queue = NULL;
	memory_unmap_ring(queue->loop->memory, &queue->ring);
}

void disk_disconnect_queues(struct disk *disk, const struct guest *guest)
{
	for (; disk->queue_count > 0; disk->queue_count--)
		disconnect_queue(disk, guest, &disk->queues[disk->queue_count - 1]);
}

/* requests_per_turn - where Xen is asked to map them, one call should do for many. */
static uint32_t requests_per_turn(const struct guest *guest, const struct disk_queue *queue)
{
	if (!queue->persistent && memory_maps_each(queue->loop->memory, queue->cached))
		return CONFIG_LOOP_REQUESTS_MAPPED_TOGETHER;
	return guest->platform->requests_per_turn;
}

int disk_make_queue(struct disk *disk, const struct guest *guest, uint32_t index, char text[ERROR_TEXT_MAX])
{
	const struct message_disk_connect *rings = &disk->rings;
	struct disk_queue *queue = &disk->queues[index];
	struct blkif_queue_parameters parameters = {
		.index = index,
		.layer_count = disk->layer_count,
		.protocol = rings->protocol,
		.large_sectors = rings->large_sectors,
		.pages = queue->ring.pages[0],
		.page_count = rings->ring_pages,
		.cached = queue->cached,
		.persistent = queue->persistent,
		.requests_per_turn = requests_per_turn(guest, queue),
		.limit = &disk->limit,
	};
	int error;

	for (uint32_t i = 0; i < disk->layer_count; i++) {
		parameters.layers[i].disk = &disk->layers[i].seen;
		parameters.layers[i].backend = disk->layers[i].backend;
		parameters.layers[i].properties = &disk->layers[i].properties;
	}
	error = blkif_queue_create(&parameters, &queue->queue);
	if (error < 0)
		snprintf(text, ERROR_TEXT_MAX, "can't serve the ring: %s",
			 error == -EPROTO ? "its counters are not possible" : strerror(-error));
	else if (queue->queue->direct && queue->cached)
		memory_expect_direct(queue->loop->memory);
	return error;
}

/*
 * choose_memory - the way to the memory of a queue's requests, whose ring is mapped. A PV guest that leaves its grants in place is
 * served by these alone: its frames would be mapped to be read only.
 */
static int choose_memory(struct disk *disk, const struct guest *guest, uint32_t index,
			 char text[ERROR_TEXT_MAX])
{
	struct disk_queue *queue = &disk->queues[index];
	enum memory_access access = disk_access(disk, guest);
	char way[MEMORY_TEXT_MAX] = "grants that a PV guest leaves in place";
	int error = 0;

	queue->cached = false;
	if (access != MEMORY_AUTO || !disk->rings.persistent || !guest_memory_is_pv(guest->memory))
		error = memory_choose(queue->loop->memory, access, &queue->cached, way);
	if (error < 0)
		snprintf(text, ERROR_TEXT_MAX, "%s", way);
	else if (index == 0)
		log_limited(&disk->limit, LOG_LEVEL_INFO, "%s: memory by %s", disk->name, way);
	return error;
}

/* connect_queue - map, make, bind; or nothing and the reason. */
static int connect_queue(struct disk *disk, struct guest *guest, const struct message_disk_connect *asked,
			 uint32_t index, char text[ERROR_TEXT_MAX])
{
	const struct message_queue *described = &asked->queues[index];
	struct disk_queue *queue = &disk->queues[index];
	int error = guest_loop(guest, index, &queue->loop, text);

	if (error < 0)
		return error;
	error = memory_map_ring(queue->loop->memory, described->ring_refs, asked->ring_pages, &queue->ring);
	if (error < 0) {
		snprintf(text, ERROR_TEXT_MAX,
			 "can't map the ring's %" PRIu32 " pages (ring-ref %" PRIu32 "%s): %s",
			 asked->ring_pages, described->ring_refs[0], asked->ring_pages > 1 ? " and on" : "",
			 strerror(-error));
		return error;
	}
	error = choose_memory(disk, guest, index, text);
	if (error == 0)
		error = keep_grants(queue, asked, text);
	if (error < 0)
		goto fail_ring;
	error = disk_make_queue(disk, guest, index, text);
	if (error < 0)
		goto fail_grants;
	error = guest->platform->event_channels_bind(queue->loop->channels, guest->domid,
						     described->event_channel);
	if (error < 0) {
		snprintf(text, ERROR_TEXT_MAX, "can't bind event-channel %" PRIu32 ": %s",
			 described->event_channel, strerror(-error));
		goto fail_queue;
	}
	queue->port = (uint32_t)error;
	return 0;
fail_queue:
	blkif_queue_free(queue->queue);
	queue->queue = NULL;
fail_grants:
	forget_grants(queue);
fail_ring:
	memory_unmap_ring(queue->loop->memory, &queue->ring);
	return error;
}

/* connect_queues - all or none. */
static int connect_queues(struct disk *disk, struct guest *guest, const struct message_disk_connect *asked,
			  char text[ERROR_TEXT_MAX])
{
	uint32_t most = disk_queues_max(&disk->layers[0].seen);

	if (asked->queue_count > most) {
		snprintf(text, ERROR_TEXT_MAX,
			 "the frontend has %" PRIu32 " queues, the disk can have %" PRIu32,
			 asked->queue_count, most);
		return -EINVAL;
	}
	for (uint32_t i = 0; i < asked->queue_count; i++) {
		int error = connect_queue(disk, guest, asked, i, text);

		if (error < 0) {
			disk_disconnect_queues(disk, guest);
			return error;
		}
		disk->queue_count++;
	}
	return 0;
}

void disk_connect(struct disk *disk, struct guest *guest, const struct message_disk_connect *asked,
		  struct message_error *answer)
{
	assert(disk->state == DISK_OPEN && disk->queue_count == 0);
	assert(asked->ring_pages >= 1 && asked->ring_pages <= RING_PAGES_MAX);
	assert(asked->queue_count >= 1 && asked->queue_count <= DISK_QUEUES_MAX);
	disk->rings = *asked;
	answer->error = connect_queues(disk, guest, asked, answer->text);
	if (answer->error < 0) {
		log_limited(&disk->limit, LOG_LEVEL_ERROR, "%s: %s", disk->name, answer->text);
		return;
	}
	log_limited(&disk->limit, LOG_LEVEL_INFO,
		    "%s: connected, %s, %" PRIu32 " %s of %" PRIu32 " pages with %" PRIu32 " entries%s",
		    disk->name, asked->protocol == BLKIF_X86_64 ? "x86_64" : "x86_32", disk->queue_count,
		    disk->queue_count == 1 ? "ring" : "rings", asked->ring_pages,
		    disk->queues[0].queue->ring.size,
		    disk->queues[0].persistent ? ", persistent grants" : "");
	disk_serve(disk);
}

void disk_serve(struct disk *disk)
{
	disk->state = DISK_CONNECTED;
	disk->released = 0;
	disk->broken = false;
	for (uint32_t i = 0; i < disk->queue_count; i++)
		loop_serve(disk->queues[i].loop->loop, disk->queues[i].queue, disk->queues[i].port);
}

/* release - ask the loops to let go of all queues. */
static void release(struct disk *disk, enum disk_state state)
{
	assert(disk->state == DISK_CONNECTED);
	disk->state = state;
	for (uint32_t i = 0; i < disk->queue_count; i++)
		loop_release(disk->queues[i].loop->loop, disk->queues[i].queue);
}

void disk_release(struct disk *disk)
{
	release(disk, DISK_RELEASING);
}

void disk_begin_change(struct disk *disk, const struct message_disk_open *asked)
{
	disk->change = *asked;
	release(disk, DISK_CHANGING);
}

/* log_counters - what was done since the disk was connected, by all its queues together. */
static void log_counters(struct disk *disk)
{
	struct blkif_counters sum = {0};

	for (uint32_t i = 0; i < disk->queue_count; i++) {
		const struct blkif_counters *counters = &disk->queues[i].queue->counters;

		sum.requests += counters->requests;
		sum.errors += counters->errors;
		sum.bytes_read += counters->bytes_read;
		sum.bytes_written += counters->bytes_written;
		sum.events += counters->events;
		sum.notifications += counters->notifications;
	}
	log_limited(&disk->limit, LOG_LEVEL_INFO,
		    "%s: disconnected after %" PRIu64 " requests (%" PRIu64 " failed), %" PRIu64
		    " bytes read, %" PRIu64 " written, %" PRIu64 " events, %" PRIu64 " notifications",
		    disk->name, sum.requests, sum.errors, sum.bytes_read, sum.bytes_written, sum.events,
		    sum.notifications);
}

/* log_persistent - how the grants were used that the frontend leaves in place. */
static void log_persistent(struct disk *disk)
{
	struct persistent_counters sum = {0};

	for (uint32_t i = 0; i < disk->queue_count; i++) {
		const struct persistent_counters *counters;

		if (!disk->queues[i].persistent)
			continue;
		counters = persistent_counters(disk->queues[i].persistent);
		sum.hits += counters->hits;
		sum.mapped += counters->mapped;
		sum.map_calls += counters->map_calls;
		sum.evicted += counters->evicted;
		sum.refused += counters->refused;
	}
	if (sum.map_calls > 0)
		log_limited(&disk->limit, LOG_LEVEL_INFO,
			    "%s: persistent grants: %" PRIu64 " pages found mapped, %" PRIu64
			    " mapped by %" PRIu64 " calls, %" PRIu64 " unmapped for others, %" PRIu64
			    " requests without room",
			    disk->name, sum.hits, sum.mapped, sum.map_calls, sum.evicted, sum.refused);
}

bool disk_released(struct disk *disk)
{
	assert(disk->state == DISK_RELEASING || disk->state == DISK_CHANGING);
	return ++disk->released == disk->queue_count;
}

void disk_disconnect(struct disk *disk, const struct guest *guest)
{
	assert(disk->state == DISK_RELEASING && disk->released == disk->queue_count);
	log_counters(disk);
	log_persistent(disk);
	disk_disconnect_queues(disk, guest);
	disk->state = DISK_OPEN;
}
