// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * disk.c - one disk of the guest: its backend, and its ring while a frontend is connected
 */
#include "worker/disk.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "memory/persistent.h"
#include "worker/target.h"

#define MEMORY_ALIGNMENT_MAX 512u /* segments begin at sectors */

static_assert(offsetof(struct disk_layer, seen) == 0, "layer_of");
static_assert(RING_PAGES_MAX <= MEMORY_RING_PAGES_MAX, "memory_map_ring");

/* layer_of - from what a backend sees. Its view is const; what the host keeps for it is the host's own. */
static struct disk_layer *layer_of(const struct xvhost_disk *seen)
{
	return (struct disk_layer *)(uintptr_t)seen;
}

/* ---- what the backend may call ---- */

static void host_log(const struct xvhost_disk *seen, enum xvhost_log_level level, const char *format, ...)
{
	struct disk_layer *layer = layer_of(seen);
	char line[LOG_LINE_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	log_limited(&layer->disk->limit, (enum log_level)level, "%s: %s: %s", layer->disk->name,
		    layer->backend->name, line);
}

static void host_fail(struct xvhost_disk *seen, const char *format, ...)
{
	char *text = layer_of(seen)->disk->fail_text;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, ERROR_TEXT_MAX, format, arguments);
	va_end(arguments);
}

static const struct xvhost_host host = {
	.size = sizeof(struct xvhost_host),
	.abi = XVHOST_BACKEND_ABI,
	.complete = blkif_complete,
	.read = loop_read,
	.write = loop_write,
	.sync = loop_sync,
	.log = host_log,
	.fail = host_fail,
	.fallocate = loop_fallocate,
	.wait = loop_wait,
	.forward = blkif_forward,
	.watch = loop_watch,
};

/* ---- open and close ---- */

/* check_properties - what a backend says of its disk must be something that can be served. */
static int check_properties(const struct disk_layer *layer, char text[ERROR_TEXT_MAX])
{
	const struct xvhost_disk_properties *properties = &layer->properties;

	if (!is_disk_block(properties->block_bytes)) {
		snprintf(text, ERROR_TEXT_MAX,
			 "backend %s has blocks of %" PRIu32 " bytes, it must be a power of 2 from %u to %u",
			 layer->backend->name, properties->block_bytes, DISK_BLOCK_MIN, DISK_BLOCK_MAX);
		return -EINVAL;
	}
	if (properties->physical_block_bytes != 0 &&
	    (!is_power_of_2(properties->physical_block_bytes) ||
	     properties->physical_block_bytes < properties->block_bytes)) {
		snprintf(text, ERROR_TEXT_MAX,
			 "backend %s has physical blocks of %" PRIu32
			 " bytes, it must be a power of 2 and at least a block, which is %" PRIu32,
			 layer->backend->name, properties->physical_block_bytes, properties->block_bytes);
		return -EINVAL;
	}
	if (properties->size_bytes == 0 || properties->size_bytes % properties->block_bytes != 0) {
		snprintf(text, ERROR_TEXT_MAX,
			 "the disk has %" PRIu64 " bytes, it must be a multiple of %" PRIu32
			 " and more than 0",
			 properties->size_bytes, properties->block_bytes);
		return -EINVAL;
	}
	if (properties->memory_alignment > MEMORY_ALIGNMENT_MAX) {
		snprintf(text, ERROR_TEXT_MAX,
			 "backend %s needs memory aligned to %" PRIu32 " bytes, a guest's is aligned to %u",
			 layer->backend->name, properties->memory_alignment, MEMORY_ALIGNMENT_MAX);
		return -EINVAL;
	}
	return 0;
}

static void close_layer(struct disk_layer *layer)
{
	layer->backend->close(&layer->seen);
	free(layer->config);
}

/* close_layers - the outermost first, since each uses those below it. */
static void close_layers(struct disk *disk, uint32_t first)
{
	for (uint32_t i = first; i < disk->layer_count; i++)
		close_layer(&disk->layers[i]);
}

/* configure_layer - find a target's backend and parse its parameters. `*inner` is the target of the layer below. */
static int configure_layer(struct disk *disk, const char *backend_directory, bool read_only,
			   const char *target, const char **inner, char text[ERROR_TEXT_MAX])
{
	struct disk_layer *layer = &disk->layers[disk->layer_count];
	char name[BACKEND_NAME_MAX];
	int error;

	if (disk->layer_count == BLKIF_LAYERS_MAX) {
		snprintf(text, ERROR_TEXT_MAX, "more than %d backends stand one before the other",
			 BLKIF_LAYERS_MAX);
		return -EINVAL;
	}
	*layer = (struct disk_layer){
		.disk = disk,
		.seen = {.size = sizeof(layer->seen),
			 .flags = read_only ? XVHOST_DISK_READ_ONLY : 0,
			 .host = &host,
			 .name = disk->name},
	};
	error = target_backend_name(target, name, text);
	if (error == 0)
		error = backends_find(backend_directory, name, &layer->backend, text);
	if (error == 0)
		error = target_configure(target, layer->backend, &layer->config, text);
	if (error < 0)
		return error;
	disk->layer_count++;
	*inner = target_of_inner(layer->backend, layer->config);
	return 0;
}

/* queues_max - how many queues a disk can have at a time, as one of its layers says. */
static uint32_t queues_max(const struct xvhost_disk *disk)
{
	return disk->queues_max > 0 && disk->queues_max < DISK_QUEUES_MAX ? disk->queues_max
									  : DISK_QUEUES_MAX;
}

/* open_layer - a layer whose configuration is made, and those below it are open. */
static int open_layer(struct disk *disk, struct disk_layer *layer, char text[ERROR_TEXT_MAX])
{
	bool innermost = layer == &disk->layers[disk->layer_count - 1];
	int error;

	layer->seen.inner = innermost ? NULL : &layer[1].properties;
	disk->fail_text[0] = '\0';
	error = layer->backend->open(&layer->seen, layer->config, &layer->properties);
	if (error < 0) {
		snprintf(text, ERROR_TEXT_MAX, "%s",
			 disk->fail_text[0] ? disk->fail_text
					    : "the backend can't open the disk and does not say why");
		return error;
	}
	if (layer->seen.flags & XVHOST_DISK_READ_ONLY)
		layer->properties.flags |= XVHOST_DISK_READ_ONLY;
	if (disk->discard_off)
		layer->properties.flags &= ~(uint32_t)XVHOST_DISK_DISCARD;
	/* A wrapper may not know of it. */
	if (!innermost && queues_max(&layer[1].seen) < queues_max(&layer->seen))
		layer->seen.queues_max = layer[1].seen.queues_max;
	error = check_properties(layer, text);
	if (error < 0)
		layer->backend->close(&layer->seen);
	return error;
}

/* open_layers - all backends that a target names, or none. */
static int open_layers(struct disk *disk, const char *backend_directory, bool read_only, const char *target,
		       char text[ERROR_TEXT_MAX])
{
	uint32_t opened;
	int error = 0;

	while (target && error == 0)
		error = configure_layer(disk, backend_directory, read_only, target, &target, text);
	opened = disk->layer_count;
	while (opened > 0 && error == 0) {
		error = open_layer(disk, &disk->layers[opened - 1], text);
		if (error == 0)
			opened--;
	}
	if (error < 0) {
		close_layers(disk, opened);
		for (uint32_t i = 0; i < opened; i++)
			free(disk->layers[i].config);
	}
	return error;
}

/* access_of - how the memory of this disk's requests is to be reached. */
static enum memory_access access_of(const struct disk *disk, const struct guest *guest)
{
	return disk->options.access_given ? disk->options.access : guest->access;
}

void disk_open(struct disk *disk, const struct guest *guest, uint32_t device_id,
	       const struct message_disk_open *asked, struct message_disk_opened *answer)
{
	const struct xvhost_disk_properties *properties = &disk->layers[0].properties;
	const char *target;

	assert(disk->state == DISK_FREE);
	*disk = (struct disk){.device_id = device_id, .discard_off = asked->discard_off};
	snprintf(disk->name, sizeof(disk->name), "guest %u vbd %" PRIu32, guest->domid, device_id);
	answer->error = target_take_options(asked->target, &disk->options, &target, answer->text);
	if (answer->error == 0)
		answer->error = open_layers(disk, guest->backend_directory, asked->read_only, target,
					    answer->text);
	if (answer->error < 0) {
		/* The one who asked tells of it. */
		log_debug("%s: target '%s': %s", disk->name, asked->target, answer->text);
		return;
	}
	disk->state = DISK_OPEN;
	answer->size_bytes = properties->size_bytes;
	answer->block_bytes = properties->block_bytes;
	answer->physical_block_bytes = properties->physical_block_bytes ? properties->physical_block_bytes
									: properties->block_bytes;
	answer->read_only = properties->flags & XVHOST_DISK_READ_ONLY;
	answer->flush = properties->flags & XVHOST_DISK_FLUSH;
	answer->persistent = access_of(disk, guest) == MEMORY_GRANT || !guest->platform->foreign_open;
	answer->discard = (properties->flags & XVHOST_DISK_DISCARD) && !answer->read_only;
	answer->queues_max = disk->layers[0].seen.queues_max;
	log_info("%s: opened %s: %" PRIu64 " bytes%s", disk->name, asked->target, answer->size_bytes,
		 answer->read_only ? ", read-only" : "");
}

/* ---- another size ---- */

bool disk_can_change(const struct disk *disk)
{
	return disk->layers[disk->layer_count - 1].backend->measure;
}

/* measure_layer - how large it is now, in whole blocks; as it was, if that can't be told or is no size of a disk. */
static uint64_t measure_layer(struct disk *disk, struct disk_layer *layer)
{
	uint64_t was = layer->properties.size_bytes, size_bytes = was;
	int error = layer->backend->measure ? layer->backend->measure(&layer->seen, &size_bytes) : 0;

	if (error < 0) {
		log_limited(&disk->limit, LOG_LEVEL_WARNING,
			    "%s: backend %s can't tell how large the disk is: %s", disk->name,
			    layer->backend->name, strerror(-error));
		return was;
	}
	size_bytes -= size_bytes % layer->properties.block_bytes;
	return size_bytes > 0 ? size_bytes : was;
}

/*
 * The loops look at the sizes meanwhile. A wrapper may ask the disk below for what that has just lost, which is an error
 * of that request alone.
 */
bool disk_measure(struct disk *disk, uint64_t *size_bytes)
{
	uint64_t was = disk->layers[0].properties.size_bytes;

	assert(disk->state != DISK_FREE);
	for (uint32_t i = disk->layer_count; i > 0; i--) {
		struct disk_layer *layer = &disk->layers[i - 1];

		__atomic_store_n(&layer->properties.size_bytes, measure_layer(disk, layer), __ATOMIC_RELAXED);
	}
	*size_bytes = disk->layers[0].properties.size_bytes;
	if (*size_bytes == was)
		return false;
	log_limited(&disk->limit, LOG_LEVEL_INFO, "%s: %s: %" PRIu64 " bytes instead of %" PRIu64, disk->name,
		    *size_bytes > was ? "has grown" : "has shrunk", *size_bytes, was);
	return true;
}

void disk_close(struct disk *disk)
{
	assert(disk->state == DISK_OPEN);
	close_layers(disk, 0);
	disk->state = DISK_FREE;
	log_info("%s: closed", disk->name);
}

/* ---- connect and disconnect ---- */

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
	blkif_queue_free(queue->queue);
	forget_grants(queue);
	/* Queues are told apart by their addresses, and another disk's may come to lie here. */
	queue->queue = NULL;
	memory_unmap_ring(queue->loop->memory, &queue->ring);
}

/* disconnect_queues - all that are connected. */
static void disconnect_queues(struct disk *disk, const struct guest *guest)
{
	for (; disk->queue_count > 0; disk->queue_count--)
		disconnect_queue(disk, guest, &disk->queues[disk->queue_count - 1]);
}

/* requests_per_turn - where Xen is asked to map them, one call should do for many. */
static uint32_t requests_per_turn(const struct disk_queue *queue)
{
	if (!queue->persistent && memory_maps_each(queue->loop->memory, queue->cached))
		return CONFIG_LOOP_REQUESTS_MAPPED_TOGETHER;
	return CONFIG_LOOP_REQUESTS_PER_TURN;
}

/* make_queue - over a ring that is mapped. */
static int make_queue(struct disk *disk, const struct message_disk_connect *asked, uint32_t index,
		      char text[ERROR_TEXT_MAX])
{
	struct disk_queue *queue = &disk->queues[index];
	struct blkif_queue_parameters parameters = {
		.index = index,
		.layer_count = disk->layer_count,
		.protocol = asked->protocol,
		.large_sectors = asked->large_sectors,
		.pages = queue->ring.pages[0],
		.page_count = asked->ring_pages,
		.cached = queue->cached,
		.persistent = queue->persistent,
		.requests_per_turn = requests_per_turn(queue),
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
	return error;
}

/* choose_memory - the way to the memory of a queue's requests, whose ring is mapped. */
static int choose_memory(struct disk *disk, const struct guest *guest, uint32_t index,
			 char text[ERROR_TEXT_MAX])
{
	struct disk_queue *queue = &disk->queues[index];
	char way[MEMORY_TEXT_MAX];
	int error = memory_choose(queue->loop->memory, access_of(disk, guest), &queue->cached, way);

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
	error = make_queue(disk, asked, index, text);
	if (error < 0)
		goto fail_grants;
	if (queue->queue->direct && queue->cached)
		memory_expect_direct(queue->loop->memory);
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
	uint32_t most = queues_max(&disk->layers[0].seen);

	if (asked->queue_count > most) {
		snprintf(text, ERROR_TEXT_MAX,
			 "the frontend has %" PRIu32 " queues, the disk can have %" PRIu32,
			 asked->queue_count, most);
		return -EINVAL;
	}
	for (uint32_t i = 0; i < asked->queue_count; i++) {
		int error = connect_queue(disk, guest, asked, i, text);

		if (error < 0) {
			disconnect_queues(disk, guest);
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
	answer->error = connect_queues(disk, guest, asked, answer->text);
	if (answer->error < 0) {
		log_limited(&disk->limit, LOG_LEVEL_ERROR, "%s: %s", disk->name, answer->text);
		return;
	}
	disk->state = DISK_CONNECTED;
	disk->released = 0;
	disk->broken = false;
	log_limited(&disk->limit, LOG_LEVEL_INFO,
		    "%s: connected, %s, %" PRIu32 " %s of %" PRIu32 " pages with %" PRIu32 " entries%s",
		    disk->name, asked->protocol == BLKIF_X86_64 ? "x86_64" : "x86_32", disk->queue_count,
		    disk->queue_count == 1 ? "ring" : "rings", asked->ring_pages,
		    disk->queues[0].queue->ring.size,
		    disk->queues[0].persistent ? ", persistent grants" : "");
	for (uint32_t i = 0; i < disk->queue_count; i++)
		loop_serve(disk->queues[i].loop->loop, disk->queues[i].queue, disk->queues[i].port);
}

void disk_release(struct disk *disk)
{
	assert(disk->state == DISK_CONNECTED);
	disk->state = DISK_RELEASING;
	for (uint32_t i = 0; i < disk->queue_count; i++)
		loop_release(disk->queues[i].loop->loop, disk->queues[i].queue);
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

bool disk_released(struct disk *disk, const struct guest *guest)
{
	assert(disk->state == DISK_RELEASING);
	if (++disk->released < disk->queue_count)
		return false;
	log_counters(disk);
	disconnect_queues(disk, guest);
	disk->state = DISK_OPEN;
	return true;
}
