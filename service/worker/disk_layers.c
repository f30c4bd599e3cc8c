// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * disk_layers.c - the backends of a disk: opened, asked for its size, closed
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "worker/disk_internal.h"

#define MEMORY_ALIGNMENT_MAX 512u /* segments begin at sectors */

static_assert(offsetof(struct disk_layer, seen) == 0, "layer_of");

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

/* close_from - the outermost first, since each uses those below it. */
static void close_from(struct disk *disk, uint32_t first)
{
	for (uint32_t i = first; i < disk->layer_count; i++)
		close_layer(&disk->layers[i]);
}

/* configure_layer - find a target's backend and parse its parameters. `*inner` is the target of the layer below. */
static int configure_layer(struct disk *disk, const char *backend_directory, uint32_t flags,
			   const char *target, const char **inner, char text[ERROR_TEXT_MAX])
{
	struct disk_layer *layer = &disk->layers[disk->layer_count];
	int error;

	if (disk->layer_count == BLKIF_LAYERS_MAX) {
		snprintf(text, ERROR_TEXT_MAX, "more than %d backends stand one before the other",
			 BLKIF_LAYERS_MAX);
		return -EINVAL;
	}
	*layer = (struct disk_layer){
		.disk = disk,
		.seen = {.size = sizeof(layer->seen), .flags = flags, .host = &host, .name = disk->name},
	};
	error = target_find(backend_directory, target, &layer->backend, &layer->config, text);
	if (error < 0)
		return error;
	disk->layer_count++;
	*inner = target_of_inner(head_of_disk(layer->backend), layer->config);
	return 0;
}

/* take_over - what a wrapper may not know of the disk below it. */
static void take_over(struct xvhost_disk *seen, const struct xvhost_disk *inner)
{
	if (disk_queues_max(inner) < disk_queues_max(seen))
		seen->queues_max = inner->queues_max;
	if (seen->discard_granularity == 0) {
		seen->discard_granularity = inner->discard_granularity;
		seen->discard_alignment = inner->discard_alignment;
	}
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
		layer->properties.flags &= ~(uint32_t)(XVHOST_DISK_DISCARD | XVHOST_DISK_SECURE_DISCARD);
	if (!innermost)
		take_over(&layer->seen, &layer[1].seen);
	error = check_properties(layer, text);
	if (error < 0)
		layer->backend->close(&layer->seen);
	return error;
}

/* open_layers - all backends that a target names, or none. */
static int open_layers(struct disk *disk, const char *backend_directory, uint32_t flags, const char *target,
		       char text[ERROR_TEXT_MAX])
{
	uint32_t opened;
	int error = 0;

	while (target && error == 0)
		error = configure_layer(disk, backend_directory, flags, target, &target, text);
	opened = disk->layer_count;
	while (opened > 0 && error == 0) {
		error = open_layer(disk, &disk->layers[opened - 1], text);
		if (error == 0)
			opened--;
	}
	if (error < 0) {
		close_from(disk, opened);
		for (uint32_t i = 0; i < opened; i++)
			free(disk->layers[i].config);
		disk->layer_count = 0;
	}
	return error;
}

void disk_close_layers(struct disk *disk)
{
	close_from(disk, 0);
	disk->layer_count = 0;
}

/* describe_discard - what a backend says is a hint, and one that can't be is none. */
static void describe_discard(const struct disk_layer *layer, struct message_disk_opened *answer)
{
	uint32_t block = layer->properties.block_bytes, granularity = layer->seen.discard_granularity;
	uint32_t alignment = layer->seen.discard_alignment;

	answer->discard = (layer->properties.flags & XVHOST_DISK_DISCARD) && !answer->read_only;
	answer->discard_secure = answer->discard && (layer->properties.flags & XVHOST_DISK_SECURE_DISCARD);
	answer->discard_granularity = granularity > 0 && granularity % block == 0 ? granularity : block;
	answer->discard_alignment = alignment % block == 0 ? alignment % answer->discard_granularity : 0;
}

/*
 * wants_persistent - is the guest to be asked to leave its grants in place? That costs it a copy of all data, so where frames are
 * mapped it is not worth it. But a PV guest's frames are mapped to be read only, and a copy costs less than to map and unmap
 * a grant. What is for direct I/O is copied by us in any case.
 */
static bool wants_persistent(const struct disk *disk, const struct guest *guest)
{
	enum memory_access access = disk_access(disk, guest);

	if (access == MEMORY_GRANT || !guest->platform->foreign_open)
		return true;
	for (uint32_t i = 0; i < disk->layer_count; i++)
		if (disk->layers[i].properties.flags & XVHOST_DISK_DIRECT)
			return false;
	return access == MEMORY_AUTO && guest_memory_is_pv(guest->memory);
}

/* describe - an open disk. */
static void describe(const struct disk *disk, const struct guest *guest, struct message_disk_opened *answer)
{
	const struct xvhost_disk_properties *properties = &disk->layers[0].properties;

	answer->size_bytes = properties->size_bytes;
	answer->block_bytes = properties->block_bytes;
	answer->physical_block_bytes = properties->physical_block_bytes ? properties->physical_block_bytes
									: properties->block_bytes;
	answer->read_only = properties->flags & XVHOST_DISK_READ_ONLY;
	answer->flush = properties->flags & XVHOST_DISK_FLUSH;
	answer->persistent = wants_persistent(disk, guest);
	describe_discard(&disk->layers[0], answer);
	answer->queues_max = disk->layers[0].seen.queues_max;
}

void disk_open_layers(struct disk *disk, const struct guest *guest, const struct message_disk_open *asked,
		      struct message_disk_opened *answer)
{
	uint32_t flags = (asked->read_only ? XVHOST_DISK_READ_ONLY : 0) |
			 (asked->direct ? XVHOST_DISK_DIRECT : 0);
	const char *target;

	disk->discard_off = asked->discard_off;
	answer->error = target_take_options(asked->target, &disk->options, &target, answer->text);
	if (answer->error == 0 && disk_is_empty_drive(target) && asked->removable)
		disk_make_empty(disk, DISK_BLOCK_MIN, asked->read_only);
	else if (answer->error == 0)
		answer->error = open_layers(disk, guest->backend_directory, flags, target, answer->text);
	if (answer->error == 0)
		describe(disk, guest, answer);
}

void disk_open(struct disk *disk, const struct guest *guest, uint32_t device_id,
	       const struct message_disk_open *asked, struct message_disk_opened *answer)
{
	assert(disk->state == DISK_FREE);
	*disk = (struct disk){.device_id = device_id};
	snprintf(disk->name, sizeof(disk->name), "guest %u vbd %" PRIu32, guest->domid, device_id);
	disk_open_layers(disk, guest, asked, answer);
	if (answer->error < 0) {
		/* The one who asked tells of it. */
		log_debug("%s: target '%s': %s", disk->name, asked->target, answer->text);
		return;
	}
	disk->state = DISK_OPEN;
	log_info("%s: opened %s: %" PRIu64 " bytes%s", disk->name, asked->target, answer->size_bytes,
		 answer->read_only ? ", read-only" : "");
}

void disk_close(struct disk *disk)
{
	assert(disk->state == DISK_OPEN);
	disk_close_layers(disk);
	disk->state = DISK_FREE;
	log_info("%s: closed", disk->name);
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
