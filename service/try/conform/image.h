/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image.h - what was written where, and requests that are verified against it
 *
 * Theory of operation: three areas of the disk are written, at its start, around its middle (or, if it is large,
 * around its byte 4 Gi), and at its end. Each sector of 512 bytes has a generation, counted up with each write; its content
 * comes from the image's seed, its place and its generation, so that a sector at the wrong place or from an earlier
 * write is told from the right one. Generation 0: not known what it holds. Areas and requests are of whole blocks of the
 * disk, which may be larger.
 */
#ifndef CONFORM_IMAGE_H
#define CONFORM_IMAGE_H

#include "try/conform/loop.h"
#include "try/conform/report.h"

#define CONFORM_AREAS_MAX 3
#define CONFORM_AREA_SECTORS 2048

struct conform_area {
	uint64_t first_sector; /* of the disk */
	uint32_t count;
	uint32_t generation[CONFORM_AREA_SECTORS];
	bool busy[CONFORM_AREA_SECTORS]; /* in a request that is under way */
};

struct conform_image {
	struct conform_area areas[CONFORM_AREAS_MAX];
	uint32_t area_count;
	uint32_t block_sectors; /* of the disk's blocks */
	uint64_t seed, random;
	uint32_t generation;		     /* of the last write */
	bool verify;			     /* the disk is meant to keep what is written */
	bool writes;			     /* it may be written */
	bool one_piece;			     /* random requests have one piece of memory */
	enum conform_promise_number promise; /* that is broken by wrong data */
};

/* conform_image_init - of a disk of this size and with such blocks, of which nothing is known. */
void conform_image_init(struct conform_image *image, uint64_t size_bytes, uint32_t block_bytes,
			uint64_t seed);

/* conform_image_narrow - nothing special: only the start of the disk, without its last block, and one piece of memory. */
void conform_image_narrow(struct conform_image *image);

/* conform_image_random - a number below `limit`, which is not 0. */
uint32_t conform_image_random(struct conform_image *image, uint32_t limit);

/* conform_image_pieces - a shape by chance for this many sectors; fills `pieces` and `gap`, returns their number. */
uint32_t conform_image_pieces(struct conform_image *image, uint32_t sectors, uint32_t pieces[CONFORM_IOV_MAX],
			      uint32_t *gap);

/*
 * conform_image_begin - submit a read or write of sectors of an area. NULL: some of them are in use, or the queue has no
 * request left.
 */
struct conform_request *conform_image_begin(struct conform_image *image, struct conform_queue *queue,
					    uint32_t operation, uint32_t area, uint32_t first_sector,
					    const uint32_t *pieces, uint32_t count, uint32_t gap);

/* conform_image_end - verify a request that is complete, take down what it wrote, and give it back. Returns its
 * result. */
int conform_image_end(struct conform_image *image, struct conform_request *request);

/* conform_image_do - begin, finish and end one, which must succeed. */
void conform_image_do(struct conform_image *image, struct conform_queue *queue, uint32_t operation,
		      uint32_t area, uint32_t first_sector, const uint32_t *pieces, uint32_t count,
		      uint32_t gap);

/* conform_image_all - read or write all areas, in large pieces. */
void conform_image_all(struct conform_image *image, struct conform_queue *queue, uint32_t operation);

/*
 * conform_image_discard - give up sectors of an area, of which nothing is known from then on. Returns the request's result. With
 * `look`, none of them may be read as it was before.
 */
int conform_image_discard(struct conform_image *image, struct conform_queue *queue, uint32_t operation,
			  uint32_t area, uint32_t first_sector, uint32_t count, bool look);

/* conform_image_load - random requests on these queues of one loop, several at a time, all of which must succeed. */
void conform_image_load(struct conform_image *image, struct conform_queue *const *queues,
			uint32_t queue_count, uint32_t requests);

/* conform_image_assume - all areas were written once, in order, by conform_image_all in another process. */
void conform_image_assume(struct conform_image *image);

/* conform_flush - flush, if the disk offers it, which must succeed. */
void conform_flush(struct conform_queue *queue);

#endif
