// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * load_model.c - what is to be on the disk, block by block
 */
#include "sim/load_model.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "sim/load_content.h"

uint32_t model_write_begins(struct load_block *block)
{
	assert(model_may(block, true));
	block->writing = true;
	block->state = BLOCK_UNKNOWN;
	return ++block->generation;
}

void model_write_ends(struct load_block *block, bool good)
{
	block->writing = false;
	if (good)
		block->state = BLOCK_WRITTEN;
}

void model_discard_begins(struct load_block *block)
{
	assert(model_may(block, true));
	block->writing = true;
	block->state = BLOCK_UNKNOWN;
}

void model_discard_ends(struct load_block *block)
{
	block->writing = false;
}

void model_read_begins(struct load_block *block)
{
	assert(model_may(block, false));
	block->readers++;
}

void model_read_ends(struct load_block *block)
{
	block->readers--;
}

/* sector_at - where sector `i` of the block's data lies in the guest's memory. */
static void *sector_at(const struct load_data *data, uint32_t i)
{
	uint32_t at = data->first_sector + i;

	return (char *)data->pages[at / FRONT_PAGE_SECTORS] + at % FRONT_PAGE_SECTORS * LOAD_SECTOR_BYTES;
}

void model_fill(const struct load_data *data, uint32_t generation)
{
	for (uint32_t i = 0; i < data->sectors; i++)
		content_fill(sector_at(data, i), data->seed, data->sector + i, generation);
}

/* judge - what is wrong with a sector that is not what it should be. */
static enum load_error judge(const struct load_data *data, const struct load_block *block, uint32_t i,
			     enum content_state state, const struct content_head *head,
			     char text[FRONT_ERROR_MAX])
{
	char expected[80] = "zeroes";
	uint64_t sector = data->sector + i;

	if (block->state == BLOCK_WRITTEN)
		snprintf(expected, sizeof(expected), "writing %" PRIu32 " of it", block->generation);
	switch (state) {
	case CONTENT_ZERO:
		snprintf(text, FRONT_ERROR_MAX, "sector %" PRIu64 " holds zeroes instead of %s", sector,
			 expected);
		return LOAD_STALE;
	case CONTENT_OTHER:
		snprintf(text, FRONT_ERROR_MAX,
			 "sector %" PRIu64 " holds writing %" PRIu64 " of sector %" PRIu64 " instead of %s",
			 sector, head->generation, head->sector, expected);
		return head->sector == sector ? LOAD_STALE : LOAD_MISPLACED;
	case CONTENT_TORN:
		snprintf(text, FRONT_ERROR_MAX,
			 "sector %" PRIu64 " begins as writing %" PRIu64 " of sector %" PRIu64
			 " and goes on otherwise, instead of %s",
			 sector, head->generation, head->sector, expected);
		return LOAD_TORN;
	default:
		snprintf(text, FRONT_ERROR_MAX,
			 "sector %" PRIu64 " holds what was never written instead of %s", sector, expected);
		return LOAD_CORRUPT;
	}
}

enum load_error model_check(const struct load_data *data, const struct load_block *block,
			    char text[FRONT_ERROR_MAX])
{
	enum content_state wanted = block->state == BLOCK_ZERO ? CONTENT_ZERO : CONTENT_RIGHT;
	enum load_error error = LOAD_ERRORS;
	bool right = false;

	if (block->state == BLOCK_UNKNOWN)
		return LOAD_ERRORS;
	for (uint32_t i = 0; i < data->sectors; i++) {
		struct content_head head = {0};
		enum content_state state = content_check(sector_at(data, i), data->seed, data->sector + i,
							 block->generation, &head);

		if (state == wanted)
			right = true;
		else if (error == LOAD_ERRORS)
			error = judge(data, block, i, state, &head, text);
	}
	/* One sector of this writing and one of an older one: it was not written as a whole. */
	return error == LOAD_STALE && right ? LOAD_TORN : error;
}
