/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * persistent.h - grants that the frontend leaves in place stay mapped (blkif.h, feature-persistent)
 *
 * Theory of operation: a frontend that makes its grants persistent copies data to and from pages that it has granted once, and
 * names the same grants again and again. Each ring keeps those that it has seen mapped, writable, because the same page serves
 * for both directions. A hash finds a grant's page; a use is counted as long as a request needs it.
 *
 * The grant device maps a list as one object and can unmap only the whole object. All the grants that one call maps are a
 * batch, then: they stay and leave together. When there is no room for another grant, a batch leaves that nothing uses
 * and that was not used since the hand of the clock came by last (CLOCK). If there is none, the request has its
 * grants mapped for itself alone (gnttab.c), as if they were not persistent.
 *
 * A guest that ends such a grant all the same, and grants another page by the same number, reaches its own old page.
 * Linux's frontend first asks whether the grant is still mapped.
 *
 * One ring, one loop: no locks.
 */
#ifndef PERSISTENT_H
#define PERSISTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory;
struct memory_mapping;
struct persistent;

struct persistent_counters {
	uint64_t hits;	    /* pages that were mapped already */
	uint64_t mapped;    /* pages that were mapped */
	uint64_t map_calls; /* ... by so many calls */
	uint64_t refused;   /* requests that found no room, or had a grant that can't be kept */
	uint64_t evicted;   /* pages that had to make room */
};

/* persistent_create - nothing is mapped; at most `grants_max` grants will be, at least 1. Returns 0 or -ENOMEM. */
int persistent_create(uint32_t grants_max, struct persistent **persistent);

/* persistent_destroy - unmap all; no request uses any of them. The loop does not use it any more. */
void persistent_destroy(struct memory *memory, struct persistent *persistent);

/*
 * persistent_map - map those mappings of a list whose way is WAY_PERSISTENT. Those that can't be have WAY_GRANTS
 * afterwards.
 */
void persistent_map(struct memory *memory, struct memory_mapping **mappings, size_t count);

/* persistent_unmap - end the uses of those of a list whose way is WAY_PERSISTENT. */
void persistent_unmap(struct memory_mapping **mappings, size_t count);

/* persistent_give_up - unmap what no request uses. Returns whether there was something. */
bool persistent_give_up(struct memory *memory, struct persistent *persistent);

const struct persistent_counters *persistent_counters(const struct persistent *persistent);

#endif
