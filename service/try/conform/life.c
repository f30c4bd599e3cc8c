// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * life.c - promises about opening, closing and queues
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "try/conform/context.h"
#include "try/conform/promises.h"
#include "try/conform/usage.h"

#define QUEUES 4
#define CYCLES 1000	/* of opening and closing ... */
#define CYCLES_S 8	/* ... or as many as this time allows ... */
#define CYCLES_LEAST 50 /* ... but so many */
#define LOADS_MAX 8	/* of 1000 requests, until one leaves nothing behind */
#define WARM_UP 20	/* cycles in which a backend may set up what it keeps for all times */

/* With and without a queue, and with a queue that comes a second time. */
void conform_check_open(struct conform_context *context)
{
	struct conform_disk disk;
	struct conform_queue queue;

	conform_open(context, &disk, 0);
	conform_close(&disk);
	for (uint32_t starts = 1; starts <= 2; starts++) {
		conform_open(context, &disk, 0);
		for (uint32_t i = 0; i < starts; i++) {
			conform_queue_start(&queue, &context->loop, &disk, 0);
			conform_queue_stop(&queue);
		}
		conform_close(&disk);
	}
}

/* conform_open() looks at what the properties say; they are also the same each time. */
void conform_check_properties(struct conform_context *context)
{
	struct xvhost_disk_properties first, second;
	struct conform_disk disk;

	conform_open(context, &disk, 0);
	first = disk.layers[0].properties;
	conform_check_measure(&disk);
	conform_close(&disk);
	conform_open(context, &disk, 0);
	second = disk.layers[0].properties;
	conform_close(&disk);
	if (first.size_bytes != second.size_bytes)
		conform_broken(CONFORM_PROPERTIES,
			       "size_bytes was %" PRIu64 " when it was first opened, %" PRIu64
			       " the second time",
			       first.size_bytes, second.size_bytes);
	if (first.block_bytes != second.block_bytes ||
	    first.physical_block_bytes != second.physical_block_bytes)
		conform_broken(CONFORM_PROPERTIES,
			       "block_bytes and physical_block_bytes were %" PRIu32 " and %" PRIu32
			       " when it was first opened, %" PRIu32 " and %" PRIu32 " the second time",
			       first.block_bytes, first.physical_block_bytes, second.block_bytes,
			       second.physical_block_bytes);
	if (first.flags != second.flags)
		conform_broken(CONFORM_PROPERTIES,
			       "flags was 0x%x when it was first opened, 0x%x the second time", first.flags,
			       second.flags);
	conform_note("%" PRIu64 " bytes, blocks of %" PRIu32 "%s%s", first.size_bytes, first.block_bytes,
		     first.flags & XVHOST_DISK_FLUSH ? ", with flush" : "",
		     first.flags & XVHOST_DISK_READ_ONLY ? ", read-only" : "");
}

/* fill_queue - submit as much as there is room for. */
static void fill_queue(struct conform_context *context, struct conform_queue *queue)
{
	struct conform_image *image = &context->image;
	uint32_t block = image->block_sectors, piece = block * 512, count = image->areas[0].count / block;

	if (count > CONFORM_DEPTH)
		count = CONFORM_DEPTH;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t operation = image->writes && i % 2 ? XVHOST_WRITE : XVHOST_READ;

		conform_image_begin(image, queue, operation, 0, i * block, &piece, 1, 0);
	}
}

/* empty_queue - all that was submitted must end by itself. */
static void empty_queue(struct conform_context *context, struct conform_queue *queue)
{
	for (uint32_t i = 0; i < CONFORM_DEPTH; i++) {
		if (queue->requests[i].state == CONFORM_FREE)
			continue;
		conform_finish(&queue->requests[i]);
		conform_image_end(&context->image, &queue->requests[i]);
	}
}

/*
 * Everything is under way at once, nothing more is submitted, results come in order and backwards; then the queue stops and
 * the disk closes, and nothing comes afterwards.
 */
void conform_check_quiesce(struct conform_context *context)
{
	struct conform_disk disk;
	struct conform_queue queue;

	conform_begin(context, &disk, &queue);
	context->image.verify = false;
	for (uint32_t i = 0; i < 4; i++) {
		context->loop.hold = true;
		context->loop.backwards = i % 2;
		fill_queue(context, &queue);
		conform_queue_stopping(&queue);
		while (conform_turn(&context->loop))
			;
		context->loop.hold = false;
		empty_queue(context, &queue);
		conform_queue_stop(&queue);
		conform_idle(&context->loop, 5);
		conform_queue_start(&queue, &context->loop, &disk, 0);
	}
	conform_end(&disk, &queue);
	conform_idle(&context->loop, 20);
}

/* Several queues of one disk on one loop; one stops and comes back while the others go on. */
void conform_check_queues(struct conform_context *context)
{
	static struct conform_queue queues[QUEUES];
	struct conform_queue *all[QUEUES];
	struct conform_disk disk;
	uint32_t count;

	conform_begin(context, &disk, &queues[0]);
	count = conform_disk_queues(&disk, QUEUES);
	if (count == 1)
		conform_skip("the disk has one queue at a time (queues_max)");
	for (uint32_t i = 0; i < count; i++)
		all[i] = &queues[i];
	for (uint32_t i = 1; i < count; i++)
		conform_queue_start(&queues[i], &context->loop, &disk, i);
	conform_image_load(&context->image, all, count, 200);
	for (uint32_t i = 0; i < count; i++) {
		struct conform_queue *others[QUEUES];

		for (uint32_t k = 1; k < count; k++)
			others[k - 1] = &queues[(i + k) % count];
		conform_queue_stop(&queues[i]);
		conform_image_load(&context->image, others, count - 1, 50);
		conform_queue_start(&queues[i], &context->loop, &disk, i);
	}
	conform_image_load(&context->image, all, count, 200);
	for (uint32_t i = 0; i < count; i++)
		conform_queue_stop(&queues[i]);
	conform_close(&disk);
	conform_note("%u queues", count);
}

/* What the second loop thread of a disk needs. */
struct second_loop {
	struct conform_disk *disk;
	struct conform_image image;
};

static void *second_loop_main(void *argument)
{
	static struct conform_loop loop;
	static struct conform_queue queue;
	struct conform_queue *queues[] = {&queue};
	struct second_loop *second = argument;

	conform_loop_init(&loop);
	loop.calls.is_one_of_two = true;
	conform_queue_start(&queue, &loop, second->disk, 1);
	conform_image_load(&second->image, queues, 1, 1000);
	conform_queue_stop(&queue);
	conform_loop_exit(&loop);
	return NULL;
}

/* Two queues of one disk, each on a thread of its own and in its own part of the disk. */
void conform_check_loops(struct conform_context *context)
{
	static struct second_loop second;
	struct conform_disk disk;
	struct conform_queue queue, *queues[] = {&queue};
	pthread_t thread;

	conform_begin(context, &disk, &queue);
	if (conform_disk_queues(&disk, 2) < 2)
		conform_skip("the disk has one queue at a time (queues_max)");
	if (context->image.area_count < 2)
		conform_skip("the disk is too small for two parts");
	context->loop.calls.is_one_of_two = true;
	second.disk = &disk;
	second.image = context->image;
	second.image.areas[0] = second.image.areas[--context->image.area_count];
	second.image.area_count = 1;
	if (pthread_create(&thread, NULL, second_loop_main, &second) != 0)
		conform_skip("can't start a thread");
	conform_image_load(&context->image, queues, 1, 1000);
	pthread_join(thread, NULL);
	conform_end(&disk, &queue);
}

/* An open knows nothing of another one: neither of one before it, nor of one at the same time. */
void conform_check_fresh(struct conform_context *context)
{
	static struct conform_queue first_queue, second_queue;
	struct conform_queue *firsts[] = {&first_queue}, *seconds[] = {&second_queue};
	struct conform_disk first, second;
	bool read_only;

	conform_open(context, &first, 0);
	read_only = conform_is_read_only(&first);
	conform_close(&first);
	conform_open(context, &first, XVHOST_DISK_READ_ONLY);
	conform_close(&first);
	conform_begin(context, &first, &first_queue);
	if (conform_is_read_only(&first) != read_only)
		conform_broken(CONFORM_FRESH,
			       "after an open with XVHOST_DISK_READ_ONLY, one without it is read-only, too");
	if (conform_open_target(context, &second, context->subject.target, 0) < 0) {
		conform_note("not with two at a time: the second is refused (%.200s)", second.fail_text);
		conform_end(&first, &first_queue);
		return;
	}
	conform_queue_start(&second_queue, &context->loop, &second, 0);
	context->image.verify = context->options->data == CONFORM_DATA_ALWAYS;
	conform_image_load(&context->image, firsts, 1, 100);
	conform_flush(&first_queue);
	context->image.verify = false;
	conform_image_load(&context->image, seconds, 1, 100);
	conform_end(&first, &first_queue);
	context->image.verify = context->options->data != CONFORM_DATA_NEVER;
	conform_image_load(&context->image, seconds, 1, 200);
	if (conform_open_target(context, &first, context->subject.target, 0) == 0)
		conform_close(&first);
	conform_image_load(&context->image, seconds, 1, 200);
	conform_end(&second, &second_queue);
}

/* cycle - a short life of the disk. */
static void cycle(struct conform_context *context, bool flush)
{
	struct conform_disk disk;
	struct conform_queue queue;
	uint32_t piece;

	conform_begin(context, &disk, &queue);
	piece = context->image.block_sectors * 512;
	if (context->image.writes)
		conform_image_do(&context->image, &queue, XVHOST_WRITE, 0, 0, &piece, 1, 0);
	conform_image_do(&context->image, &queue, XVHOST_READ, 0, 0, &piece, 1, 0);
	if (flush)
		conform_flush(&queue);
	conform_end(&disk, &queue);
}

static void check_requests_leak(struct conform_context *context)
{
	struct conform_disk disk;
	struct conform_queue queue, *queues[] = {&queue};
	struct conform_usage before, after;
	bool leaks = true;
	char text[200];

	conform_begin(context, &disk, &queue);
	context->image.verify = false;
	conform_image_load(&context->image, queues, 1, 200);
	/* What fills a cache of some library's comes to an end, a leak does not. */
	for (uint32_t i = 0; i < LOADS_MAX && leaks; i++) {
		conform_usage_now(&before);
		conform_image_load(&context->image, queues, 1, 1000);
		conform_usage_now(&after);
		leaks = conform_usage_leak(&before, &after, 1000, text, sizeof(text));
	}
	if (leaks)
		conform_broken(CONFORM_NO_LEAK, "after 1000 requests %s", text);
	conform_end(&disk, &queue);
}

void conform_check_no_leak(struct conform_context *context)
{
	struct conform_usage before, after;
	struct timespec began, now;
	uint32_t count = 0;
	char text[200];

	clock_gettime(CLOCK_MONOTONIC, &began);
	for (uint32_t i = 0; i < WARM_UP; i++)
		cycle(context, true);
	conform_usage_now(&before);
	do {
		cycle(context, count % 50 == 0);
		count++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (count < CYCLES && (count < CYCLES_LEAST || now.tv_sec - began.tv_sec < CYCLES_S));
	conform_usage_now(&after);
	if (conform_usage_leak(&before, &after, count, text, sizeof(text)))
		conform_broken(CONFORM_NO_LEAK, "after it was opened and closed %u times %s", count, text);
	check_requests_leak(context);
	conform_note("%u times", count);
}
