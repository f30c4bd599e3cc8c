/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load_content.h - what a load writes into a sector, so that a read tells where it comes from
 *
 * Theory of operation: a sector's first words say which load wrote it (its seed), which sector it is, and which writing of
 * its block it belongs to; all other words follow from these three.
 */
#ifndef LOAD_CONTENT_H
#define LOAD_CONTENT_H

#include <stdint.h>

#define LOAD_SECTOR_BYTES 512u

enum content_state {
	CONTENT_RIGHT,	 /* all words are as expected */
	CONTENT_ZERO,	 /* all words are zero */
	CONTENT_OTHER,	 /* whole, but of another place, writing or load */
	CONTENT_TORN,	 /* a head of this load, with words that do not follow from it */
	CONTENT_FOREIGN, /* nothing that this load has written */
};

/* What a sector says of itself; for CONTENT_OTHER and CONTENT_TORN. */
struct content_head {
	uint64_t sector;
	uint64_t generation;
};

void content_fill(void *memory, uint64_t seed, uint64_t sector, uint64_t generation);
enum content_state content_check(const void *memory, uint64_t seed, uint64_t sector, uint64_t generation,
				 struct content_head *head);

#endif
