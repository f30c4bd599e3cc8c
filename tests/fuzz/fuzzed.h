/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzzed.h - what harnesses of rings have in common: the input, what must hold, and guests with pages of which some are bad
 */
#ifndef FUZZED_H
#define FUZZED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory/mapper.h"
#include "sim/sim.h"

#define FUZZED_OTHER_DOMID 20
#define FUZZED_PAGES_MAX 32u

/* must - or the input is a finding. */
void must(bool holds, const char *what);

/* ---- the input: what is not there is 0 ---- */

struct input {
	const uint8_t *at;
	size_t left;
};

uint8_t next_u8(struct input *input);
uint16_t next_u16(struct input *input);
uint32_t next_u32(struct input *input);

/* ---- guests ---- */

/* Bad pages, as many as these, one after the other. */
enum fuzzed_bad {
	FUZZED_READ_ONLY,
	FUZZED_OTHER_DOMAIN,
	FUZZED_WITHDRAWN,
	FUZZED_LOST, /* of a frame that there is not */
	FUZZED_BAD_PAGES,
};

struct fuzzed_options {
	uint16_t domid;
	bool pv;	   /* such a guest */
	bool strict;	   /* what is unmapped can't be touched */
	bool no_copies;	   /* all is mapped */
	bool cached;	   /* its memory is reached by cached frames */
	uint32_t pages;	   /* that are granted */
	uint32_t bad_from; /* the first of the bad ones */
	uint32_t mappings_max;
};

/* A guest and how the host reaches it. */
struct fuzzed {
	struct fuzzed_options options;
	struct platform platform;
	struct sim_guest *guest;
	struct memory *memory;
	uint8_t *pages[FUZZED_PAGES_MAX];
	uint64_t frames[FUZZED_PAGES_MAX];
	uint32_t grefs[FUZZED_PAGES_MAX];
};

extern int64_t fuzzed_mapped; /* grants, of all guests */

/* fuzzed_make - never unmade. The first call makes the machine, too; nothing is logged from then on. */
void fuzzed_make(struct fuzzed *made, const struct fuzzed_options *options);

/* next_gref - of one of the first `pages`, or one that is none. change_grant - something of one of theirs, by the program. */
uint32_t next_gref(struct input *input, const struct fuzzed *of, uint32_t pages);
void change_grant(struct input *input, const struct fuzzed *of, uint32_t pages);

/* fuzzed_restore - the grants, as they were before a program changed them. Nothing is mapped but rings. */
void fuzzed_restore(struct fuzzed *fuzzed);

#endif
