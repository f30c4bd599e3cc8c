/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * liar_internal.h - what lies are made of (internal to liar.c and lies.c)
 */
#ifndef LIAR_INTERNAL_H
#define LIAR_INTERNAL_H

#include "rings/ring.h"
#include "sim/liar.h"
#include "sim/liar_pages.h"

#define LIAR_PAGES 24u /* of data, granted writable */

struct liar {
	struct liar_options options;
	struct sim_guest *guest;
	struct front_ring *ring;
	uint32_t port;
	uint64_t random;
	uint64_t disk_sectors;
	struct lie_outcome *outcome; /* of the lie that is being told */
	uint32_t next_id;

	struct liar_page pages[LIAR_PAGES];
	struct liar_page indirect;  /* describes segments; writable for the host, too */
	struct liar_page read_only; /* granted so */
	struct liar_page foreign;   /* granted to another domain */
	struct liar_page fickle;    /* its grant is changed while it is in use */
	struct liar_page lost;	    /* its grant names a frame that the guest does not have */
	struct liar_page withdrawn; /* its entry is empty, and nobody else's meanwhile */

	struct liar_scribbler scribbler;
};

/* A lie is a request that is valid but for one thing, or a deed. */
struct lie {
	const char *name;
	enum lie_end end;
	/* Changes a valid request; `segments` are its segments, 11 of them, or those in the indirect page. */
	void (*twist)(struct liar *liar, struct front_wire *wire, struct front_segment *segments);
	bool indirect;	   /* the request that is twisted is an indirect one */
	uint8_t operation; /* of the request that is twisted */
	void (*act)(struct liar *liar);
};

extern const struct lie lies[];
extern const uint32_t lie_count;

uint64_t liar_random(struct liar *liar, uint64_t below);
struct ring_header *liar_header(struct liar *liar);

/* liar_valid - a valid request with some segments, of reading or writing; `segments` has room for `count_max`. */
void liar_valid(struct liar *liar, uint8_t operation, uint32_t count_max, struct front_wire *wire,
		struct front_segment *segments);

/* liar_make_indirect - the same request, its segments in the indirect page. */
void liar_make_indirect(struct liar *liar, struct front_wire *wire);

/* liar_put_false, liar_put_honest - into the ring, and counted. */
void liar_put_false(struct liar *liar, struct front_wire *wire);
void liar_put_honest(struct liar *liar, uint32_t count);

/* liar_show - push, and notify whether the host asked for it or not. */
void liar_show(struct liar *liar);

/* liar_entry_at - where an entry lies that is not divided between two pages; `at` counts entries. */
void *liar_entry_at(struct liar *liar, uint32_t at);

/* liar_collect - wait for the answers to all that was asked so far. */
void liar_collect(struct liar *liar);

#endif
