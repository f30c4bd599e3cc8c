/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * liar.h - a hostile guest: rings that are right but for one thing
 *
 * Theory of operation: a liar uses a connected frontend's first ring by itself, with pages and grants of its own. It tells
 * one lie at a time, between honest requests on the same ring: these must be served as if nothing were, unless the lie
 * ruins the ring. What a lie says depends on a seed, so that it can be told again.
 */
#ifndef LIAR_H
#define LIAR_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/blkif_frontend.h"

struct liar;

/* What a lie leads to. */
enum lie_end {
	LIE_HARMLESS, /* it is served as if it were none */
	LIE_REFUSED,  /* it is answered with an error */
	LIE_ANYTHING, /* it is answered, somehow */
	LIE_BREAKS,   /* the ring is declared broken */
	LIE_RUINS,    /* the guest has written over its own ring: the host may find it broken or not */
};

struct lie;

/* lie_at - counted from 0; NULL after the last. */
const struct lie *lie_at(uint32_t index);
const char *lie_name(const struct lie *lie);
enum lie_end lie_end(const struct lie *lie);

/* lie_find - NULL if there is no lie of this name. */
const struct lie *lie_find(const char *name);

/* What came of it. */
struct lie_outcome {
	uint32_t honest, honest_good, honest_failed; /* requests; answered without an error; with one */
	uint32_t false_ones, granted, refused;	     /* the same of the lie's own requests */
	uint32_t strays;			     /* answers to what was not asked */
	bool unanswered;			     /* not all answers came in time */
	bool broken;
};

struct liar_options {
	struct blkif_frontend *frontend; /* connected and set up; of its requests none are used */
	uint32_t grant_version;		 /* of the guest's table: 1 or 2 */
	uint64_t others_frame; /* of another guest: what a bad grant names; 0: a frame that there is not */
	uint64_t seed;
	/* Has the host declared the ring broken? Is asked while answers are waited for. */
	bool (*broken)(void *context);
	void *context;
};

/* liar_create - returns 0 or a negative errno. */
int liar_create(const struct liar_options *options, struct liar **liar);

/* liar_destroy - after the disk is disconnected. Returns how many of its grants the host has mapped still. */
uint32_t liar_destroy(struct liar *liar);

/*
 * liar_tell - honest requests, the lie, honest requests, and all their answers. After a lie that breaks or ruins the ring it is
 * of no use any more.
 */
void liar_tell(struct liar *liar, const struct lie *lie, struct lie_outcome *outcome);

/* liar_judge - did it end as it must? Returns NULL, or what is wrong. */
const char *liar_judge(const struct lie *lie, const struct lie_outcome *outcome);

/* liar_choose - some lie, by the seed, that leaves the ring usable. */
const struct lie *liar_choose(struct liar *liar);

#endif
