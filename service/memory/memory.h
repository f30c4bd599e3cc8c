/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory.h - one guest's memory, as the rings see it
 *
 * Theory of operation: a request names grants; a ring needs addresses. Rings hand over all the requests of a
 * loop turn as one list of `struct memory_mapping`, and get an address per page or an error per mapping. The
 * way back is a list, too. Lists are the point: a mapper that can put many pages into one call gets them all
 * at once, and may keep some until others are done.
 *
 * A mapper is one way to reach guest memory. There is `gnttab` (gnttab.c), which maps grants and keeps
 * nothing. Mappers that map lists of frames, the resolver and the cache stand behind the same functions.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/platform.h"

struct memory;
struct mapping_group;

#define MEMORY_RING_PAGES_MAX 16

/* A ring's pages, mapped one after the other: pages[0] is where it begins. */
struct memory_ring {
	void *pages[MEMORY_RING_PAGES_MAX];
	uint32_t count;
	void *mapping; /* the platform's name of it */
};

/* The pages of one request. Whoever asks owns it and keeps it unchanged from map to unmap. */
struct memory_mapping {
	const uint32_t *grefs; /* asked: the grants ... */
	uint32_t count;	       /* ... this many, at least 1 ... */
	bool writable;	       /* ... to be written by us */
	int error;	       /* answered: 0, or a negative errno and nothing is mapped */
	const void *sharer; /* asked: mappings of different sharers never wait for each other to be unmapped */
	void **pages;	    /* answered: the address of each page; room for `count` */
	struct mapping_group *group; /* the mapper's own */
	struct memory_mapping *next; /* the mapper's own */
};

/*
 * memory_open - reach the memory of one guest, with at most `mappings_max` mappings at a time. Returns 0 or a
 * negative errno. Control thread.
 */
int memory_open(const struct platform *platform, uint16_t domid, uint32_t mappings_max,
		struct memory **memory);

/* memory_close - all that was mapped has been unmapped. Control thread. */
void memory_close(struct memory *memory);

/* memory_mapper_name - which mapper serves this guest, for the log. */
const char *memory_mapper_name(const struct memory *memory);

/* memory_map - map a list; each entry has its own error afterwards. Loop thread. */
void memory_map(struct memory *memory, struct memory_mapping **mappings, size_t count);

/*
 * memory_unmap - the mappings of a list, which memory_map mapped without error, are not used any more.
 * Returns how many mappings, of this list and of earlier ones, are not mapped any more now, and lists them in
 * `gone`, which has room for mappings_max. Loop thread.
 */
size_t memory_unmap(struct memory *memory, struct memory_mapping **mappings, size_t count,
		    struct memory_mapping **gone);

/*
 * memory_map_ring - map a ring's pages, writable, at consecutive addresses, for as long as the ring is
 * served. Returns 0 or a negative errno. Control thread.
 */
int memory_map_ring(struct memory *memory, const uint32_t *grefs, uint32_t count, struct memory_ring *ring);
void memory_unmap_ring(struct memory *memory, const struct memory_ring *ring);

#endif
