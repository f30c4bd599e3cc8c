// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * load_content.c - what a load writes into a sector, so that a read tells where it comes from
 */
#include "sim/load_content.h"

#include <stdbool.h>

#define WORDS (LOAD_SECTOR_BYTES / 8)
#define BODY_AT 4u /* the words before it: mark, sector, generation, key */
#define MARK UINT64_C(0x78766864636f6e74)
#define STEP UINT64_C(0x9e3779b97f4a7c15)

/* mix - every bit of the value decides on every bit of the result. */
static uint64_t mix(uint64_t value)
{
	value ^= value >> 32;
	value *= UINT64_C(0xd6e8feb86659fd93);
	value ^= value >> 32;
	value *= UINT64_C(0xd6e8feb86659fd93);
	return value ^ value >> 32;
}

static uint64_t key_of(uint64_t seed, uint64_t sector, uint64_t generation)
{
	return mix(mix(mix(seed) + sector) + generation);
}

void content_fill(void *memory, uint64_t seed, uint64_t sector, uint64_t generation)
{
	uint64_t *words = memory, key = key_of(seed, sector, generation);

	words[0] = MARK ^ seed;
	words[1] = sector;
	words[2] = generation;
	words[3] = key;
	for (uint32_t i = BODY_AT; i < WORDS; i++)
		words[i] = key + i * STEP;
}

/* matches - is it all as content_fill would have it? */
static bool matches(const uint64_t *words, uint64_t seed, uint64_t sector, uint64_t generation)
{
	uint64_t key = key_of(seed, sector, generation);
	uint64_t wrong = (words[0] ^ MARK ^ seed) | (words[1] ^ sector) | (words[2] ^ generation) |
			 (words[3] ^ key);

	for (uint32_t i = BODY_AT; i < WORDS; i++)
		wrong |= words[i] ^ (key + i * STEP);
	return wrong == 0;
}

static bool is_zero(const uint64_t *words)
{
	uint64_t any = 0;

	for (uint32_t i = 0; i < WORDS; i++)
		any |= words[i];
	return any == 0;
}

enum content_state content_check(const void *memory, uint64_t seed, uint64_t sector, uint64_t generation,
				 struct content_head *head)
{
	const uint64_t *words = memory;

	if (matches(words, seed, sector, generation))
		return CONTENT_RIGHT;
	if (is_zero(words))
		return CONTENT_ZERO;
	head->sector = words[1];
	head->generation = words[2];
	if (words[0] != (MARK ^ seed))
		return CONTENT_FOREIGN;
	return matches(words, seed, head->sector, head->generation) ? CONTENT_OTHER : CONTENT_TORN;
}
