/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory.h - one guest's memory, as the rings see it
 *
 * Theory of operation: a request names grants; a ring needs addresses. Rings hand over all the requests of a
 * loop turn as one list of `struct memory_mapping`, and get an address per page or an error per mapping; the
 * same way back when the requests are complete. The list is the point: a mapper that can put many pages into
 * one call gets them all at once.
 *
 * A mapper is one way to reach guest memory. There is `gnttab` (gnttab.c): it maps each mapping's grants by one call and
 * keeps nothing. Mappers that map lists of frames, the resolver and the cache stand behind the same two functions.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/platform.h"

struct memory;

/* The pages of one request. Whoever asks owns it and keeps it unchanged from map to unmap. */
struct memory_mapping {
	const uint32_t *grefs; /* asked: the grants ... */
	uint32_t count;	       /* ... this many, at least 1 ... */
	bool writable;	       /* ... to be written by us */
	int error;	       /* answered: 0, or a negative errno and nothing is mapped */
	void **pages;	       /* answered: the address of each page; room for `count` */
	void *address;	       /* the mapper's own */
};

/* memory_open - reach the memory of one guest. Returns 0 or a negative errno. Control thread. */
int memory_open(const struct platform *platform, uint16_t domid, struct memory **memory);

/* memory_close - all that was mapped has been unmapped. Control thread. */
void memory_close(struct memory *memory);

/* memory_mapper_name - which mapper serves this guest, for the log. */
const char *memory_mapper_name(const struct memory *memory);

/* memory_map - map a list; each entry has its own error afterwards. Loop thread. */
void memory_map(struct memory *memory, struct memory_mapping **mappings, size_t count);

/* memory_unmap - unmap a list of what memory_map mapped without error. Loop thread. */
void memory_unmap(struct memory *memory, struct memory_mapping **mappings, size_t count);

/*
 * memory_map_ring - map a ring's pages, writable, at consecutive addresses, for as long as the ring is served. Returns 0 or
 * a negative errno. Control thread.
 */
int memory_map_ring(struct memory *memory, const uint32_t *grefs, uint32_t count, void **address);
void memory_unmap_ring(struct memory *memory, void *address, uint32_t count);

#endif
