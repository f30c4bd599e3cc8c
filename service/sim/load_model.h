/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load_model.h - what is to be on the disk, block by block
 *
 * Theory of operation: a block's content is known when it is zero from the beginning or when its last writing was answered
 * without error. While a block is written it is neither read nor written a second time, and while it is read it is not
 * written; so what a read must give is known when it begins. Blocks of different queues are different, so each block
 * is one thread's.
 */
#ifndef LOAD_MODEL_H
#define LOAD_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/load.h"

/* What a block holds. */
enum block_state {
	BLOCK_UNKNOWN,
	BLOCK_ZERO,
	BLOCK_WRITTEN,
};

struct load_block {
	uint32_t generation; /* the last writing that began; when WRITTEN, what it holds */
	uint16_t readers;    /* reads in flight */
	uint8_t state;	     /* enum block_state */
	bool writing;	     /* a write or a discard is in flight */
};

/* model_may - may it be read, or written, now? */
static inline bool model_may(const struct load_block *block, bool write)
{
	return !block->writing && (!write || block->readers == 0);
}

/* model_write_begins - returns the generation of this writing. */
uint32_t model_write_begins(struct load_block *block);
void model_write_ends(struct load_block *block, bool good);
void model_discard_begins(struct load_block *block);
void model_discard_ends(struct load_block *block);
void model_read_begins(struct load_block *block);
void model_read_ends(struct load_block *block);

/* The sectors of a block, in the pages of a request. */
struct load_data {
	void *const *pages;
	uint32_t first_sector; /* of the first page */
	uint64_t sector;       /* on the disk */
	uint32_t sectors;
	uint64_t seed;
};

void model_fill(const struct load_data *data, uint32_t generation);

/*
 * model_check - is this what the block holds? Returns LOAD_ERRORS for yes, or what is wrong and a text; of a block that is
 * unknown everything is right.
 */
enum load_error model_check(const struct load_data *data, const struct load_block *block,
			    char text[FRONT_ERROR_MAX]);

#endif
