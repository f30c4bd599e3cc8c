// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * data.c - promises about what is written
 */
#include <string.h>

#include "try/conform/context.h"
#include "try/conform/promises.h"

#define LOAD_REQUESTS 1500

/* One request after the other, in pages: what else can go wrong is the subject of other promises. */
void conform_check_data(struct conform_context *context)
{
	struct conform_image *image = &context->image;
	struct conform_disk disk;
	struct conform_queue queue;
	uint32_t piece = 4096;

	conform_begin(context, &disk, &queue);
	conform_needs_data(context, &disk, CONFORM_DATA_WHILE_OPEN);
	conform_image_narrow(image);
	if (image->areas[0].count < piece / 512)
		piece = image->block_sectors * 512;
	for (uint32_t turn = 0; turn < 2; turn++)
		for (uint32_t i = 0; i + piece / 512 <= image->areas[0].count; i += piece / 512)
			conform_image_do(image, &queue, turn == 0 ? XVHOST_WRITE : XVHOST_READ, 0, i, &piece,
					 1, 0);
	conform_end(&disk, &queue);
}

void conform_check_parallel(struct conform_context *context)
{
	struct conform_disk disk;
	struct conform_queue queue, *queues[] = {&queue};

	conform_begin(context, &disk, &queue);
	if (context->image.writes)
		conform_image_all(&context->image, &queue, XVHOST_WRITE);
	conform_image_load(&context->image, queues, 1, LOAD_REQUESTS);
	conform_flush(&queue);
	conform_image_all(&context->image, &queue, XVHOST_READ);
	conform_end(&disk, &queue);
}

/* reopened - the same image, after the disk was closed and opened again. */
static void reopened(struct conform_context *context, struct conform_disk *disk, struct conform_queue *queue,
		     uint32_t flags)
{
	conform_open(context, disk, flags);
	conform_queue_start(queue, &context->loop, disk, 0);
}

void conform_check_keeps(struct conform_context *context)
{
	struct conform_disk disk;
	struct conform_queue queue;

	conform_begin(context, &disk, &queue);
	conform_needs_data(context, &disk, CONFORM_DATA_ALWAYS);
	conform_image_all(&context->image, &queue, XVHOST_WRITE);
	conform_flush(&queue);
	conform_end(&disk, &queue);
	reopened(context, &disk, &queue, 0);
	conform_image_all(&context->image, &queue, XVHOST_READ);
	conform_end(&disk, &queue);
}

/*
 * check_stores - nothing that was written by the host's operations may be left that was not made durable by them. What a
 * backend does by its own system calls is not seen. `why` says why it should be durable.
 */
static void check_stores(const struct conform_disk *disk, const char *why)
{
	for (uint32_t i = 0; i < disk->store_count; i++) {
		const struct conform_store *store = &disk->stores[i];
		bool below = disk->layers[0].seen.inner != NULL;

		if (!store->dirty)
			continue;
		if (below)
			conform_broken(CONFORM_FLUSH,
				       "%s, but the disk below was not flushed after it was written", why);
		conform_broken(CONFORM_FLUSH,
			       "%s, but there was no sync() of descriptor %d after the last write() to it",
			       why, store->fd);
	}
}

/*
 * The process ends without closing the disk: what was flushed (or, without flushes, written) must not have been in its
 * memory only. In a second process it is read back.
 */
void conform_check_flush(struct conform_context *context)
{
	struct conform_disk disk;
	struct conform_queue queue;
	uint32_t piece = 4096;

	conform_begin(context, &disk, &queue);
	conform_needs_data(context, &disk, CONFORM_DATA_WHILE_OPEN);
	conform_image_all(&context->image, &queue, XVHOST_WRITE);
	conform_flush(&queue);
	if (disk.layers[0].properties.flags & XVHOST_DISK_FLUSH)
		check_stores(&disk, "a flush was completed with 0");
	else if (context->options->data == CONFORM_DATA_ALWAYS)
		check_stores(&disk, "the disk says that it has no cache to flush");
	if (disk.layers[0].properties.flags & XVHOST_DISK_FLUSH) {
		/* Twice, and with nothing to do. */
		conform_flush(&queue);
		if (context->image.areas[0].count >= piece / 512)
			conform_image_do(&context->image, &queue, XVHOST_READ, 0, 0, &piece, 1, 0);
	}
}

void conform_check_flush_after(struct conform_context *context)
{
	struct conform_disk disk;
	struct conform_queue queue;

	if (context->options->data != CONFORM_DATA_ALWAYS) {
		conform_note("not after the end of the process: the disk is not meant to keep it");
		return;
	}
	conform_begin(context, &disk, &queue);
	conform_image_assume(&context->image);
	conform_image_all(&context->image, &queue, XVHOST_READ);
	conform_end(&disk, &queue);
}

/* discard - give up the middle third of an area. */
static void discard(struct conform_image *image, struct conform_queue *queue, uint32_t operation,
		    uint32_t area)
{
	bool secure = operation == XVHOST_SECURE_DISCARD;
	uint32_t block = image->block_sectors, count = image->areas[area].count / block / 3 * block;
	int error = count > 0 ? conform_image_discard(image, queue, operation, area, count, count, secure)
			      : 0;

	if (error < 0)
		conform_broken(CONFORM_DISCARD,
			       "a %s of %u sectors was completed with %s, but the disk says %s",
			       secure ? "secure discard" : "discard", count, conform_error_name(error),
			       secure ? "XVHOST_DISK_SECURE_DISCARD" : "XVHOST_DISK_DISCARD");
}

/* What is discarded may read as anything, and can be written again. What is discarded securely is not what it was. */
void conform_check_discard(struct conform_context *context)
{
	struct conform_disk disk;
	struct conform_queue queue, *queues[] = {&queue};
	uint32_t flags, last;

	conform_begin(context, &disk, &queue);
	flags = disk.layers[0].properties.flags;
	if (!(flags & XVHOST_DISK_DISCARD))
		conform_skip("the disk takes none");
	conform_needs_data(context, &disk, CONFORM_DATA_NEVER);
	if (context->image.areas[0].count < 3 * context->image.block_sectors)
		conform_skip("the disk is too small");
	last = flags & XVHOST_DISK_SECURE_DISCARD ? XVHOST_SECURE_DISCARD : XVHOST_DISCARD;
	for (uint32_t operation = XVHOST_DISCARD; operation <= last; operation++) {
		conform_image_all(&context->image, &queue, XVHOST_WRITE);
		for (uint32_t area = 0; area < context->image.area_count; area++)
			discard(&context->image, &queue, operation, area);
		conform_image_all(&context->image, &queue, XVHOST_READ);
		conform_image_load(&context->image, queues, 1, 300);
		conform_image_all(&context->image, &queue, XVHOST_READ);
	}
	conform_end(&disk, &queue);
	if (last == XVHOST_SECURE_DISCARD)
		conform_note("secure discards, too");
}

/* A disk that is opened for reading only says so, and what it holds stays as it is. */
void conform_check_read_only(struct conform_context *context)
{
	bool keeps = context->options->data == CONFORM_DATA_ALWAYS;
	struct conform_disk disk;
	struct conform_queue queue, *queues[] = {&queue};
	bool always;

	conform_begin(context, &disk, &queue);
	always = conform_is_read_only(&disk);
	if (!always && keeps)
		conform_image_all(&context->image, &queue, XVHOST_WRITE);
	conform_end(&disk, &queue);
	context->image.writes = false;
	for (uint32_t i = 0; i < 2; i++) {
		conform_open(context, &disk, XVHOST_DISK_READ_ONLY);
		if (!conform_is_read_only(&disk))
			conform_broken(CONFORM_READ_ONLY,
				       "the disk was opened with XVHOST_DISK_READ_ONLY, its properties' "
				       "flags are 0x%x "
				       "without it",
				       disk.layers[0].properties.flags);
		conform_queue_start(&queue, &context->loop, &disk, 0);
		if (!keeps)
			memset(context->image.areas[0].generation, 0,
			       sizeof(context->image.areas[0].generation));
		conform_image_load(&context->image, queues, 1, 100);
		conform_flush(&queue);
		conform_end(&disk, &queue);
	}
	reopened(context, &disk, &queue, 0);
	conform_image_all(&context->image, &queue, XVHOST_READ);
	conform_end(&disk, &queue);
	if (!keeps)
		conform_note("what it holds was not compared: it is not meant to keep it");
}
