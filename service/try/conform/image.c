// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * image.c - what was written where, and requests that are verified against it
 */
#include "try/conform/image.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR_BYTES 512u
#define LARGE_PIECE (64u << 10)
#define FOUR_GIB_SECTORS (UINT64_C(1) << 23)
#define PIECES_MAX 32 /* of a request by chance */
#define LARGEST_SECTORS 128

/* ---- content ---- */

/* mix - a number that looks like chance (splitmix64). */
static uint64_t mix(uint64_t number)
{
	number += UINT64_C(0x9e3779b97f4a7c15);
	number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
	return number ^ number >> 31;
}

uint32_t conform_image_random(struct conform_image *image, uint32_t limit)
{
	image->random = mix(image->random);
	return (uint32_t)(image->random >> 32) % limit;
}

/* content - of a sector of the disk in this generation. */
static void content(const struct conform_image *image, uint64_t sector, uint32_t generation,
		    uint64_t words[64])
{
	uint64_t base = mix(image->seed ^ mix(sector) ^ (uint64_t)generation << 40);

	for (uint64_t i = 0; i < 64; i++)
		words[i] = base + i * UINT64_C(0xd1342543de82ef95);
}

/* add_area - unless it lies in the one before; what would lie there is left out. */
static void add_area(struct conform_image *image, uint64_t first_sector, uint64_t count)
{
	const struct conform_area *before = image->area_count ? &image->areas[image->area_count - 1] : NULL;

	if (before && first_sector < before->first_sector + before->count) {
		uint64_t overlap = before->first_sector + before->count - first_sector;

		if (overlap >= count)
			return;
		first_sector += overlap;
		count -= overlap;
	}
	image->areas[image->area_count++] = (struct conform_area){.first_sector = first_sector,
								  .count = (uint32_t)count};
}

void conform_image_init(struct conform_image *image, uint64_t size_bytes, uint32_t block_bytes, uint64_t seed)
{
	uint64_t sectors = size_bytes / SECTOR_BYTES,
		 middle = sectors > FOUR_GIB_SECTORS ? FOUR_GIB_SECTORS : sectors / 2;
	uint32_t block = block_bytes / SECTOR_BYTES;
	uint64_t count = sectors < CONFORM_AREA_SECTORS ? sectors : CONFORM_AREA_SECTORS;

	memset(image, 0, sizeof(*image));
	image->seed = seed;
	image->random = seed;
	image->block_sectors = block;
	add_area(image, 0, count);
	if (sectors > 4 * CONFORM_AREA_SECTORS)
		add_area(image, (middle - count / 2) / block * block, count);
	add_area(image, sectors - count, count);
}

void conform_image_narrow(struct conform_image *image)
{
	if (image->area_count == 1 && image->areas[0].count > image->block_sectors)
		image->areas[0].count -= image->block_sectors;
	image->area_count = 1;
	image->one_piece = true;
}

/* ---- shapes ---- */

uint32_t conform_image_pieces(struct conform_image *image, uint32_t sectors, uint32_t pieces[CONFORM_IOV_MAX],
			      uint32_t *gap)
{
	uint32_t count = 0;

	*gap = conform_image_random(image, 3) * SECTOR_BYTES;
	while (sectors > 0) {
		uint32_t piece = image->one_piece || count + 1 == PIECES_MAX
					 ? sectors
					 : 1 + conform_image_random(image, sectors);

		pieces[count++] = piece * SECTOR_BYTES;
		sectors -= piece;
	}
	return count;
}

/* ---- requests ---- */

/* fill - put what is to be written into the request's memory, as the next generation. */
static void fill(struct conform_image *image, struct conform_request *request, uint32_t sectors)
{
	const struct conform_area *area = &image->areas[request->area];

	request->generation = ++image->generation;
	for (uint32_t i = 0; i < sectors; i++) {
		uint64_t words[64];

		content(image, area->first_sector + request->first_sector + i, request->generation, words);
		memcpy(conform_request_sector(request, i), words, sizeof(words));
	}
}

static bool is_filled(const uint8_t *sector, uint8_t byte)
{
	return sector[0] == byte && memcmp(sector, sector + 1, SECTOR_BYTES - 1) == 0;
}

/* origin - what this is, if it is not what it should be: helps to find out what went wrong. */
static void origin(const struct conform_image *image, const uint8_t *found, char *text, size_t size)
{
	uint64_t words[64];

	if (is_filled(found, CONFORM_UNREAD)) {
		snprintf(text, size, "the memory was not filled");
		return;
	}
	if (is_filled(found, 0)) {
		snprintf(text, size, "it reads as zeroes");
		return;
	}
	for (uint32_t a = 0; a < image->area_count; a++) {
		for (uint32_t i = 0; i < image->areas[a].count; i++) {
			/* The latest first. */
			for (uint32_t g = image->areas[a].generation[i]; g > 0; g--) {
				content(image, image->areas[a].first_sector + i, g, words);
				if (memcmp(words, found, 8) != 0)
					continue;
				snprintf(text, size,
					 "it holds what was written to sector %" PRIu64 " by write %u of %u",
					 image->areas[a].first_sector + i, g, image->generation);
				return;
			}
		}
	}
	snprintf(text, size, "it begins with %02x %02x %02x %02x, which nobody wrote", found[0], found[1],
		 found[2], found[3]);
}

/* hint - for a promise that is broken by a disk which keeps nothing, or nothing after close. */
static const char *hint(enum conform_promise_number promise)
{
	switch (promise) {
	case CONFORM_DATA:
		return "; a disk that is not meant to keep anything is looked at with --keeps never";
	case CONFORM_KEEPS:
	case CONFORM_FLUSH:
	case CONFORM_READ_ONLY:
	case CONFORM_FRESH:
		return "; a disk that is not meant to keep it is looked at with --keeps while-open";
	default:
		return "";
	}
}

/* verify - what was read, sector by sector. */
static void verify(const struct conform_image *image, struct conform_request *request, uint32_t sectors)
{
	const struct conform_area *area = &image->areas[request->area];

	for (uint32_t i = 0; i < sectors; i++) {
		uint32_t generation = area->generation[request->first_sector + i];
		const uint8_t *found = conform_request_sector(request, i);
		char text[200], what[200];
		uint64_t words[64];

		if (generation == 0)
			continue;
		content(image, area->first_sector + request->first_sector + i, generation, words);
		if (memcmp(words, found, sizeof(words)) == 0)
			continue;
		conform_request_text(request, text, sizeof(text));
		origin(image, found, what, sizeof(what));
		conform_broken(image->promise,
			       "%s: sector %" PRIu64 " of the disk, the request's sector %u, is wrong: %s%s",
			       text, area->first_sector + request->first_sector + i, i, what,
			       is_filled(found, 0) ? hint(image->promise) : "");
	}
}

struct conform_request *conform_image_begin(struct conform_image *image, struct conform_queue *queue,
					    uint32_t operation, uint32_t area_number, uint32_t first_sector,
					    const uint32_t *pieces, uint32_t count, uint32_t gap)
{
	struct conform_area *area = &image->areas[area_number];
	struct conform_request *request;
	uint32_t sectors = 0;

	for (uint32_t i = 0; i < count; i++)
		sectors += pieces[i] / SECTOR_BYTES;
	assert(first_sector + sectors <= area->count && first_sector % image->block_sectors == 0 &&
	       sectors % image->block_sectors == 0);
	for (uint32_t i = 0; i < sectors; i++)
		if (area->busy[first_sector + i])
			return NULL;
	request = conform_request_make(queue, operation, (area->first_sector + first_sector) * SECTOR_BYTES,
				       pieces, count, gap);
	if (!request)
		return NULL;
	request->area = area_number;
	request->first_sector = first_sector;
	if (operation == XVHOST_WRITE)
		fill(image, request, sectors);
	memset(area->busy + first_sector, true, sectors);
	conform_submit(request);
	return request;
}

int conform_image_end(struct conform_image *image, struct conform_request *request)
{
	struct conform_area *area = &image->areas[request->area];
	uint32_t sectors = (uint32_t)(request->parts[0].length / SECTOR_BYTES);
	int error = request->error;

	memset(area->busy + request->first_sector, false, sectors);
	conform_request_open(request);
	if (request->parts[0].operation == XVHOST_WRITE) {
		for (uint32_t i = 0; i < sectors; i++)
			area->generation[request->first_sector + i] = error == 0 && image->verify
									      ? request->generation
									      : 0;
	} else if (error == 0) {
		verify(image, request, sectors);
	}
	conform_request_give_back(request);
	return error;
}

/* must_succeed - end one that has no reason to fail. */
static void must_succeed(struct conform_image *image, struct conform_request *request)
{
	char text[200];
	int error;

	conform_request_text(request, text, sizeof(text));
	error = conform_image_end(image, request);
	if (error < 0)
		conform_broken(image->promise, "%s was completed with %s, it should succeed", text,
			       conform_error_name(error));
}

void conform_image_do(struct conform_image *image, struct conform_queue *queue, uint32_t operation,
		      uint32_t area, uint32_t first_sector, const uint32_t *pieces, uint32_t count,
		      uint32_t gap)
{
	struct conform_request *request = conform_image_begin(image, queue, operation, area, first_sector,
							      pieces, count, gap);

	assert(request);
	conform_finish(request);
	must_succeed(image, request);
}

void conform_image_all(struct conform_image *image, struct conform_queue *queue, uint32_t operation)
{
	for (uint32_t a = 0; a < image->area_count; a++) {
		for (uint32_t i = 0; i < image->areas[a].count;) {
			uint32_t left = (image->areas[a].count - i) * SECTOR_BYTES;
			uint32_t piece = left < LARGE_PIECE ? left : LARGE_PIECE;

			conform_image_do(image, queue, operation, a, i, &piece, 1, 0);
			i += piece / SECTOR_BYTES;
		}
	}
}

void conform_image_assume(struct conform_image *image)
{
	for (uint32_t a = 0; a < image->area_count; a++) {
		for (uint32_t i = 0; i < image->areas[a].count; i++) {
			if (i % (LARGE_PIECE / SECTOR_BYTES) == 0)
				image->generation++;
			image->areas[a].generation[i] = image->generation;
		}
	}
}

/* look_for - what these sectors held as these generations must not be there any more. */
static void look_for(struct conform_image *image, struct conform_queue *queue, uint32_t area_number,
		     uint32_t first_sector, uint32_t count, const uint32_t *generations)
{
	const struct conform_area *area = &image->areas[area_number];
	uint32_t sectors;

	for (uint32_t done = 0; done < count; done += sectors) {
		struct conform_request *request;
		uint32_t piece;

		sectors = count - done < LARGE_PIECE / SECTOR_BYTES ? count - done
								    : LARGE_PIECE / SECTOR_BYTES;
		piece = sectors * SECTOR_BYTES;
		request = conform_image_begin(image, queue, XVHOST_READ, area_number, first_sector + done,
					      &piece, 1, 0);
		assert(request);
		conform_finish(request);
		conform_request_open(request);
		for (uint32_t i = 0; i < sectors; i++) {
			uint64_t sector = area->first_sector + first_sector + done + i, words[64];

			content(image, sector, generations[done + i], words);
			if (generations[done + i] != 0 &&
			    memcmp(words, conform_request_sector(request, i), sizeof(words)) == 0)
				conform_broken(image->promise,
					       "a secure discard was completed with 0, but sector %" PRIu64
					       " of the disk reads as before",
					       sector);
		}
		must_succeed(image, request);
	}
}

int conform_image_discard(struct conform_image *image, struct conform_queue *queue, uint32_t operation,
			  uint32_t area_number, uint32_t first_sector, uint32_t count, bool look)
{
	struct conform_area *area = &image->areas[area_number];
	struct conform_request *request = conform_request_make(queue, operation, 0, NULL, 0, 0);
	uint32_t generations[CONFORM_AREA_SECTORS];
	int error;

	assert(request && first_sector + count <= area->count);
	request->parts[0].offset = (area->first_sector + first_sector) * SECTOR_BYTES;
	request->parts[0].length = (uint64_t)count * SECTOR_BYTES;
	conform_submit(request);
	error = conform_finish(request);
	conform_request_open(request);
	conform_request_give_back(request);
	memcpy(generations, area->generation + first_sector, count * sizeof(generations[0]));
	memset(area->generation + first_sector, 0, count * sizeof(generations[0]));
	if (look && error == 0)
		look_for(image, queue, area_number, first_sector, count, generations);
	return error;
}

/* begin_by_chance - a read or write. NULL: try again. */
static struct conform_request *begin_by_chance(struct conform_image *image, struct conform_queue *queue)
{
	uint32_t block = image->block_sectors, area = conform_image_random(image, image->area_count);
	uint32_t first = conform_image_random(image, image->areas[area].count / block);
	uint32_t left = image->areas[area].count / block - first, most = LARGEST_SECTORS / block;
	uint32_t sectors = (1 + conform_image_random(image, left < most ? left : most)) * block;
	bool write = image->writes && conform_image_random(image, 2);
	uint32_t pieces[CONFORM_IOV_MAX], gap, count = conform_image_pieces(image, sectors, pieces, &gap);

	return conform_image_begin(image, queue, write ? XVHOST_WRITE : XVHOST_READ, area, first * block,
				   pieces, count, gap);
}

/* end_completed - all that are complete on these queues. Returns how many are not. */
static uint32_t end_completed(struct conform_image *image, struct conform_queue *const *queues,
			      uint32_t queue_count)
{
	uint32_t in_flight = 0;

	for (uint32_t q = 0; q < queue_count; q++) {
		for (uint32_t i = 0; i < CONFORM_DEPTH; i++)
			if (queues[q]->requests[i].state == CONFORM_COMPLETED)
				must_succeed(image, &queues[q]->requests[i]);
		in_flight += queues[q]->in_flight;
	}
	return in_flight;
}

/* first_in_flight - to wait for. */
static struct conform_request *first_in_flight(struct conform_queue *const *queues)
{
	for (uint32_t q = 0;; q++)
		for (uint32_t i = 0; i < CONFORM_DEPTH; i++)
			if (queues[q]->requests[i].state == CONFORM_SUBMITTED)
				return &queues[q]->requests[i];
}

void conform_image_load(struct conform_image *image, struct conform_queue *const *queues,
			uint32_t queue_count, uint32_t requests)
{
	uint32_t begun = 0, in_flight = 0;

	while (begun < requests || in_flight > 0) {
		/* A few attempts, then let some end: not all of a small disk's sectors can be in use at once. */
		for (uint32_t attempt = 0; attempt < CONFORM_DEPTH && begun < requests; attempt++)
			begun += begin_by_chance(image, queues[conform_image_random(image, queue_count)]) !=
				 NULL;
		in_flight = end_completed(image, queues, queue_count);
		if (in_flight == 0)
			continue;
		if (!conform_turn(queues[0]->loop))
			conform_finish(first_in_flight(queues));
		in_flight = end_completed(image, queues, queue_count);
	}
}

void conform_flush(struct conform_queue *queue)
{
	struct conform_request *request;
	int error;

	if (!(queue->disk->layers[0].properties.flags & XVHOST_DISK_FLUSH))
		return;
	request = conform_request_make(queue, XVHOST_FLUSH, 0, NULL, 0, 0);
	assert(request);
	conform_submit(request);
	error = conform_finish(request);
	conform_request_open(request);
	conform_request_give_back(request);
	if (error < 0)
		conform_broken(CONFORM_FLUSH,
			       "a flush was completed with %s, but the disk says XVHOST_DISK_FLUSH",
			       conform_error_name(error));
}
