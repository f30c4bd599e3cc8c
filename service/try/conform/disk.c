// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * disk.c - a disk that is tried, and those below it if its backend is a wrapper
 */
#include "try/conform/disk.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "try/conform/host.h"
#include "try/conform/report.h"
#include "worker/target.h"

#define ALIGNMENT_MAX 512u
#define KNOWN_FLAGS                                                                                          \
	(XVHOST_DISK_READ_ONLY | XVHOST_DISK_FLUSH | XVHOST_DISK_DISCARD | XVHOST_DISK_DIRECT |              \
	 XVHOST_DISK_SECURE_DISCARD)

static pthread_t control_thread;
static const struct xvhost_disk *opening; /* open() of this disk is running */

void conform_disk_init(void)
{
	control_thread = pthread_self();
}

/* ---- what the backend may call ---- */

void conform_disk_log(const struct xvhost_disk *disk, enum xvhost_log_level level, const char *format, ...)
{
	va_list arguments;

	(void)disk;
	(void)level;
	va_start(arguments, format);
	vsnprintf(conform_report->log, sizeof(conform_report->log), format, arguments);
	va_end(arguments);
}

void conform_disk_fail(struct xvhost_disk *disk, const char *format, ...)
{
	va_list arguments;

	if (!pthread_equal(pthread_self(), control_thread))
		conform_broken(CONFORM_THREAD, "fail() was called on another thread than open()");
	if (disk != opening)
		conform_broken(CONFORM_HOST_CALLS, "fail() was called outside of this disk's open()");
	va_start(arguments, format);
	vsnprintf(((struct conform_layer *)disk)->disk->fail_text, ERROR_TEXT_MAX, format, arguments);
	va_end(arguments);
}

/* ---- open and close ---- */

/* configure - find a target's backend and parse its parameters. `*inner` is the target of the layer below. */
static int configure(struct conform_disk *disk, const char *directory, uint32_t flags, const char *target,
		     const char **inner)
{
	struct conform_layer *layer = &disk->layers[disk->layer_count];
	int error;

	if (disk->layer_count == BLKIF_LAYERS_MAX) {
		snprintf(disk->fail_text, ERROR_TEXT_MAX, "more than %d backends stand one before the other",
			 BLKIF_LAYERS_MAX);
		return -EINVAL;
	}
	*layer = (struct conform_layer){
		.disk = disk,
		.number = disk->layer_count,
		.seen = {.size = sizeof(layer->seen),
			 .flags = flags,
			 .host = &conform_host,
			 .name = "conformance"},
	};
	error = target_find(directory, target, &layer->backend, &layer->config, disk->fail_text);
	if (error < 0)
		return error;
	disk->layer_count++;
	*inner = target_of_inner(head_of_disk(layer->backend), layer->config);
	return 0;
}

static int open_layer(struct conform_disk *disk, struct conform_layer *layer)
{
	bool innermost = layer->number == disk->layer_count - 1;
	int error;

	layer->seen.inner = innermost ? NULL : &layer[1].properties;
	disk->fail_text[0] = '\0';
	opening = &layer->seen;
	conform_doing("open() of backend %s", layer->backend->name);
	error = layer->backend->open(&layer->seen, layer->config, &layer->properties);
	conform_doing(NULL);
	opening = NULL;
	if (error > 0 || error < -4095)
		conform_broken(CONFORM_OPEN, "open() returned %d, it must be 0 or a negative errno", error);
	return error;
}

static void close_layer(struct conform_layer *layer)
{
	conform_doing("close() of backend %s", layer->backend->name);
	layer->backend->close(&layer->seen);
	conform_doing(NULL);
	free(layer->config);
}

int conform_disk_open(struct conform_disk *disk, const char *directory, const char *target, uint32_t flags)
{
	uint32_t opened;
	int error = 0;

	memset(disk, 0, sizeof(*disk));
	while (target && error == 0)
		error = configure(disk, directory, flags, target, &target);
	opened = disk->layer_count;
	while (opened > 0 && error == 0) {
		error = open_layer(disk, &disk->layers[opened - 1]);
		if (error < 0)
			break;
		/* The worker adds it; the one that is tried must say so itself. */
		if (opened > 1)
			disk->layers[opened - 1].properties.flags |= flags;
		opened--;
	}
	if (error < 0) {
		for (uint32_t i = opened; i < disk->layer_count; i++)
			close_layer(&disk->layers[i]);
		for (uint32_t i = 0; i < opened; i++)
			free(disk->layers[i].config);
	}
	return error;
}

void conform_disk_close(struct conform_disk *disk)
{
	for (uint32_t i = 0; i < disk->layer_count; i++)
		close_layer(&disk->layers[i]);
}

int conform_disk_measure(struct conform_disk *disk, uint64_t *size_bytes)
{
	struct conform_layer *layer = &disk->layers[0];
	int error;

	conform_doing("measure() of backend %s", layer->backend->name);
	error = layer->backend->measure(&layer->seen, size_bytes);
	conform_doing(NULL);
	return error;
}

bool conform_disk_impossible(const struct conform_layer *layer, char text[ERROR_TEXT_MAX])
{
	const struct xvhost_disk_properties *properties = &layer->properties;

	text[0] = '\0';
	if (!is_disk_block(properties->block_bytes))
		snprintf(text, ERROR_TEXT_MAX,
			 "block_bytes is %" PRIu32 ", it must be a power of 2 from %u to %u",
			 properties->block_bytes, DISK_BLOCK_MIN, DISK_BLOCK_MAX);
	else if (properties->size_bytes == 0 || properties->size_bytes % properties->block_bytes != 0)
		snprintf(text, ERROR_TEXT_MAX,
			 "size_bytes is %" PRIu64 ", it must be a multiple of block_bytes (%" PRIu32
			 ") and more than 0",
			 properties->size_bytes, properties->block_bytes);
	else if (properties->size_bytes > INT64_MAX)
		snprintf(text, ERROR_TEXT_MAX, "size_bytes is %" PRIu64 ", more than an offset can be",
			 properties->size_bytes);
	else if (properties->memory_alignment > ALIGNMENT_MAX ||
		 (properties->memory_alignment != 0 && !is_power_of_2(properties->memory_alignment)))
		snprintf(text, ERROR_TEXT_MAX,
			 "memory_alignment is %" PRIu32 ", it must be a power of 2, at most %u",
			 properties->memory_alignment, ALIGNMENT_MAX);
	else if (properties->flags & ~KNOWN_FLAGS)
		snprintf(text, ERROR_TEXT_MAX, "flags is 0x%" PRIx32 ", this backend.h has 0x%x",
			 properties->flags, KNOWN_FLAGS);
	else if (properties->physical_block_bytes != 0 &&
		 (!is_power_of_2(properties->physical_block_bytes) ||
		  properties->physical_block_bytes < properties->block_bytes))
		snprintf(text, ERROR_TEXT_MAX,
			 "physical_block_bytes is %" PRIu32
			 ", it must be 0, or a power of 2 and at least block_bytes (%" PRIu32 ")",
			 properties->physical_block_bytes, properties->block_bytes);
	else if (layer->seen.discard_granularity % properties->block_bytes != 0 ||
		 layer->seen.discard_alignment % properties->block_bytes != 0)
		snprintf(text, ERROR_TEXT_MAX,
			 "discard_granularity and discard_alignment are %" PRIu32 " and %" PRIu32
			 ", they must be multiples of block_bytes (%" PRIu32 ")",
			 layer->seen.discard_granularity, layer->seen.discard_alignment,
			 properties->block_bytes);
	else if ((properties->flags & XVHOST_DISK_SECURE_DISCARD) &&
		 !(properties->flags & XVHOST_DISK_DISCARD))
		snprintf(text, ERROR_TEXT_MAX,
			 "flags is 0x%" PRIx32
			 " with XVHOST_DISK_SECURE_DISCARD, but without XVHOST_DISK_DISCARD",
			 properties->flags);
	return text[0] != '\0';
}

uint32_t conform_disk_queues(const struct conform_disk *disk, uint32_t wanted)
{
	for (uint32_t i = 0; i < disk->layer_count; i++) {
		uint32_t most = disk->layers[i].seen.queues_max;

		if (most > 0 && most < wanted)
			wanted = most;
	}
	return wanted;
}
