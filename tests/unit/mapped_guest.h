/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mapped_guest.h - a simulated guest, and its memory as two loops reach it */
#ifndef MAPPED_GUEST_H
#define MAPPED_GUEST_H

#include "memory/mapper.h"
#include "sim/sim.h"

#define DOMID 5
#define PAGES 2048u
#define MAPPINGS_MAX 16u
#define LOOPS 2u

extern struct sim_machine *mapped_machine;
extern struct sim_guest *guest;
extern const struct platform *platform;
extern struct guest_memory *shared; /* by the loops */
extern struct memory *loops[LOOPS];
extern uint64_t frames[PAGES], random_state;
extern bool is_pv;

/* chance - the next number by chance, which random_state decides. */
uint32_t chance(uint32_t below);

/* setup_machine - all but the way, which is not chosen yet. */
void setup_machine(bool pv, uint32_t version, uint32_t idle_s);
void setup(bool pv, uint32_t version, uint32_t idle_s);
void teardown(void);

struct one {
	struct memory_mapping mapping, *list, *gone[MAPPINGS_MAX];
	uint32_t gref;
	void *page;
};

/* map_one - a page. Returns the error. */
int map_one(struct memory *memory, struct one *one, int64_t gref, bool writable, bool direct);
int unmap_one(struct memory *memory, struct one *one);

/* in_cache - does this page lie there? */
bool in_cache(const struct memory *memory, const void *page);

#endif
