// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * requests.c - promises about single requests
 */
#include <assert.h>
#include <string.h>

#include "try/conform/context.h"
#include "try/conform/promises.h"

#define SECTOR_BYTES 512u
#define LOAD_REQUESTS 300
#define AFTERWARDS_MS 30 /* how long what is done too late is waited for */

/* One after the other, of each kind, then several at a time. */
void conform_check_complete(struct conform_context *context)
{
	struct conform_disk disk;
	struct conform_queue queue, *queues[] = {&queue};
	uint32_t piece;

	conform_begin(context, &disk, &queue);
	piece = context->image.block_sectors * SECTOR_BYTES;
	/* What is read back is another promise's subject. */
	context->image.verify = false;
	conform_image_narrow(&context->image);
	conform_image_do(&context->image, &queue, XVHOST_READ, 0, 0, &piece, 1, 0);
	if (context->image.writes)
		conform_image_do(&context->image, &queue, XVHOST_WRITE, 0, 0, &piece, 1, 0);
	conform_flush(&queue);
	conform_image_load(&context->image, queues, 1, LOAD_REQUESTS);
	conform_idle(&context->loop, AFTERWARDS_MS);
	conform_end(&disk, &queue);
}

/* The host looks at its calls by itself; this gives it something to look at. */
void conform_check_calls(struct conform_context *context)
{
	struct conform_disk disk;
	struct conform_queue queue, *queues[] = {&queue};

	conform_begin(context, &disk, &queue);
	context->image.verify = false;
	conform_image_narrow(&context->image);
	for (uint32_t i = 0; i < 3; i++) {
		conform_image_load(&context->image, queues, 1, LOAD_REQUESTS);
		conform_flush(&queue);
		conform_idle(&context->loop, AFTERWARDS_MS);
	}
	conform_end(&disk, &queue);
}

/* Few requests, so that none is used again while something may still be going on with its memory. */
void conform_check_memory(struct conform_context *context)
{
	struct conform_disk disk;
	struct conform_queue queue, *queues[] = {&queue};

	conform_begin(context, &disk, &queue);
	context->image.verify = false;
	conform_image_narrow(&context->image);
	context->image.one_piece = false;
	for (uint32_t i = 0; i < 8; i++) {
		conform_image_load(&context->image, queues, 1, CONFORM_DEPTH / 2);
		conform_idle(&context->loop, AFTERWARDS_MS / 3);
	}
	conform_end(&disk, &queue);
}

/* read_once - with the memory filled with `before`; what is there afterwards goes to `after`. */
static void read_once(struct conform_queue *queue, uint32_t bytes, uint8_t before, uint8_t *after)
{
	uint32_t sectors = bytes / SECTOR_BYTES, pieces[CONFORM_IOV_MAX] = {0};
	struct conform_request *request;

	for (uint32_t i = 0; i < sectors; i++)
		pieces[i] = SECTOR_BYTES;
	request = conform_request_make(queue, XVHOST_READ, 0, pieces, sectors, SECTOR_BYTES);
	assert(request);
	for (uint32_t i = 0; i < sectors; i++)
		memset(conform_request_sector(request, i), before, SECTOR_BYTES);
	conform_submit(request);
	if (conform_finish(request) < 0)
		conform_broken(CONFORM_READ_FILLS, "a read of %u bytes at byte 0 was completed with %s",
			       bytes, conform_error_name(request->error));
	conform_request_open(request);
	for (uint32_t i = 0; i < sectors; i++)
		memcpy(after + i * SECTOR_BYTES, conform_request_sector(request, i), SECTOR_BYTES);
	conform_request_give_back(request);
}

/* A byte that is always what the memory held before was not filled. */
void conform_check_read_fills(struct conform_context *context)
{
	static uint8_t first[16 * SECTOR_BYTES], second[16 * SECTOR_BYTES];
	uint32_t bytes = sizeof(first);
	struct conform_disk disk;
	struct conform_queue queue;

	conform_begin(context, &disk, &queue);
	if (bytes > disk.layers[0].properties.size_bytes)
		bytes = (uint32_t)disk.layers[0].properties.size_bytes;
	read_once(&queue, bytes, 0x6b, first);
	read_once(&queue, bytes, 0x94, second);
	for (uint32_t i = 0; i < bytes; i++)
		if (first[i] == 0x6b && second[i] == 0x94)
			conform_broken(
				CONFORM_READ_FILLS,
				"byte %u of a read of %u bytes at byte 0 was not filled, though it succeeded",
				i, bytes);
	conform_end(&disk, &queue);
}

/* write_and_read - some sectors by one request each; reads only, if the disk can't be written. */
static void write_and_read(struct conform_context *context, struct conform_queue *queue, uint32_t area,
			   uint32_t first, const uint32_t *pieces, uint32_t count, uint32_t gap)
{
	if (context->image.writes)
		conform_image_do(&context->image, queue, XVHOST_WRITE, area, first, pieces, count, gap);
	conform_image_do(&context->image, queue, XVHOST_READ, area, first, pieces, count, gap);
}

/* The first and the last block, each alone and as the end of a larger request, and the largest request. */
void conform_check_edges(struct conform_context *context)
{
	uint32_t block, piece, last, count;
	struct conform_disk disk;
	struct conform_queue queue;

	conform_begin(context, &disk, &queue);
	block = context->image.block_sectors;
	piece = block * SECTOR_BYTES;
	last = context->image.area_count - 1;
	count = context->image.areas[last].count;
	write_and_read(context, &queue, 0, 0, &piece, 1, 0);
	write_and_read(context, &queue, last, count - block, &piece, 1, 0);
	for (uint32_t sectors = 2 * block; sectors <= count; sectors *= 2) {
		piece = sectors * SECTOR_BYTES;
		write_and_read(context, &queue, 0, 0, &piece, 1, 0);
		write_and_read(context, &queue, last, count - sectors, &piece, 1, 0);
	}
	if (context->image.writes)
		conform_image_all(&context->image, &queue, XVHOST_WRITE);
	conform_image_all(&context->image, &queue, XVHOST_READ);
	conform_end(&disk, &queue);
}

/* How the memory of a request can be cut up: `count` pieces of `sectors` sectors, `gap` bytes apart. */
static const struct {
	uint32_t count, sectors, gap;
} shapes[] = {
	{1, 1, 0},    /* one block */
	{1, 8, 0},    /* one page */
	{1, 8, 512},  /* eight sectors across two pages */
	{2, 1, 512},  /* two sectors, apart */
	{8, 1, 512},  /* a page's worth, each block apart */
	{11, 8, 0},   /* as many as a request without indirect pages has */
	{11, 7, 512}, /* none of them a whole page */
	{32, 1, 3584},	{32, 8, 512}, {64, 3, 1024},
	{256, 1, 512},	{256, 8, 0}, /* as an indirect request has */
	{1, 2048, 0},		     /* one large piece */
	{1, 2047, 512},		     /* the same, off by a block */
};

void conform_check_iovecs(struct conform_context *context)
{
	uint32_t pieces[CONFORM_IOV_MAX], tried = 0;
	struct conform_disk disk;
	struct conform_queue queue;

	conform_begin(context, &disk, &queue);
	for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++) {
		if (shapes[s].count * shapes[s].sectors > context->image.areas[0].count ||
		    shapes[s].count * shapes[s].sectors % context->image.block_sectors != 0)
			continue;
		tried++;
		for (uint32_t i = 0; i < shapes[s].count; i++)
			pieces[i] = shapes[s].sectors * SECTOR_BYTES;
		write_and_read(context, &queue, 0, 0, pieces, shapes[s].count, shapes[s].gap);
	}
	/* Pieces of different lengths. */
	for (uint32_t i = 0; i < 50; i++) {
		uint32_t count = context->image.areas[0].count, sectors = count < 200 ? count : 200, gap;
		uint32_t piece_count = conform_image_pieces(&context->image, sectors, pieces, &gap);

		write_and_read(context, &queue, 0, 0, pieces, piece_count, gap);
	}
	conform_note("%u shapes", tried + 50);
	conform_end(&disk, &queue);
}
