// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bounce.c - pages of ours, between the guest's and a backend
 *
 * Three kinds of mappings need them: those for direct I/O whose frames are in the cache, since the kernel takes no
 * foreign memory there; grants for direct I/O, which had better not be mapped (memory.c); and grants that can't be mapped but only
 * copied, those of a part of a page and those of another domain's grant. What the guest writes to the disk is copied before the backend sees it, and what it reads after the
 * backend has done it.
 *
 * The addresses are reserved, and take memory when they are used first. A mapping's pages follow each other where there is a
 * run of so many, so that its data is in one piece; the first such run is taken, and so the first pages of all are used
 * most. These are offered to be registered with io_uring, which then need not look up and pin them for each request.
 */
#include "memory/mapper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define RUNS_TRIED 64u /* before a mapping gets pages that do not follow each other */

/*
 * Pages to be registered, and so to be pinned: what Linux's frontend has under way on a ring of one page, 32 requests of 32
 * pages.
 */
#define REGISTERED_PAGES 1024u

struct bounce {
	char *pages;
	uint32_t page_count;
	uint64_t *free; /* a bit for each page */
	uint32_t free_count;
	void **origins;		   /* by page: the one in the cache */
	struct grant_copy *copies; /* of one call */
};

static uint32_t index_of(const struct bounce *bounce, const void *page)
{
	return (uint32_t)((size_t)((const char *)page - bounce->pages) / PAGE_BYTES);
}

void *bounce_origin(const struct bounce *bounce, const void *page)
{
	return bounce->origins[index_of(bounce, page)];
}

/* next_page - the first one from `index` on, and before `end`, that is free or not; `end` if there is none. */
static uint32_t next_page(const struct bounce *bounce, uint32_t index, uint32_t end, bool is_free)
{
	while (index < end) {
		uint64_t word = bounce->free[index / 64];
		uint64_t found = (is_free ? word : ~word) >> index % 64;

		if (found) {
			index += (uint32_t)__builtin_ctzll(found);
			return index < end ? index : end;
		}
		index = (index | 63) + 1;
	}
	return end;
}

/* find_run - where so many free pages follow each other; 0 if that is not soon found. */
static uint32_t find_run(const struct bounce *bounce, uint32_t count)
{
	uint32_t end = bounce->page_count, next = 0;

	for (uint32_t i = 0; i < RUNS_TRIED; i++) {
		uint32_t first = next_page(bounce, next, end, true);

		if (end - first < count)
			break;
		next = next_page(bounce, first, first + count, false);
		if (next == first + count)
			return first;
	}
	return 0;
}

/* take - pages for a mapping, of which there are enough. Those that it has are remembered, if it `has_origins`. */
static void take(struct bounce *bounce, struct memory_mapping *mapping, bool has_origins)
{
	uint32_t index = find_run(bounce, mapping->count);

	bounce->free_count -= mapping->count;
	for (uint32_t i = 0; i < mapping->count; i++, index++) {
		index = next_page(bounce, index, bounce->page_count, true);
		bounce->free[index / 64] &= ~(UINT64_C(1) << index % 64);
		bounce->origins[index] = has_origins ? mapping->pages[i] : NULL;
		mapping->pages[i] = bounce->pages + (size_t)index * PAGE_BYTES;
	}
}

static void give_back(struct bounce *bounce, const struct memory_mapping *mapping)
{
	for (uint32_t i = 0; i < mapping->count; i++) {
		uint32_t index = index_of(bounce, mapping->pages[i]);

		bounce->free[index / 64] |= UINT64_C(1) << index % 64;
	}
	bounce->free_count += mapping->count;
}

/* used_part - which bytes of a page are used. */
static void used_part(const struct memory_mapping *mapping, uint32_t page, uint32_t *offset, uint32_t *length)
{
	*offset = mapping->first_sectors ? mapping->first_sectors[page] * MEMORY_SECTOR_BYTES : 0;
	*length = mapping->sector_counts ? mapping->sector_counts[page] * MEMORY_SECTOR_BYTES : PAGE_BYTES;
}

/* ---- frames that are in the cache ---- */

static void copy_cached(struct bounce *bounce, const struct memory_mapping *mapping, bool to_guest)
{
	for (uint32_t i = 0; i < mapping->count; i++) {
		char *own = mapping->pages[i], *guest = bounce_origin(bounce, own);
		uint32_t offset, length;

		used_part(mapping, i, &offset, &length);
		memcpy((to_guest ? guest : own) + offset, (to_guest ? own : guest) + offset, length);
	}
}

/* bounce_cached - put pages of ours before those of the cache. */
static void bounce_cached(struct memory *memory, struct memory_mapping *mapping)
{
	struct bounce *bounce = memory->bounce;

	if (bounce->free_count < mapping->count) {
		foreign_release(memory, mapping->pages, mapping->count);
		mapping->way = WAY_GRANTS;
		return;
	}
	take(bounce, mapping, true);
	if (mapping->writable) {
		mapping->way = WAY_CACHE_BOUNCED;
		return;
	}
	copy_cached(bounce, mapping, false);
	for (uint32_t i = 0; i < mapping->count; i++)
		cache_drop(memory->cache, bounce_origin(bounce, mapping->pages[i]));
	mapping->way = WAY_COPIED;
}

/* ---- grants that can only be copied ---- */

/* describe_copies - of a mapping. Returns how many. */
static uint32_t describe_copies(const struct memory_mapping *mapping, struct grant_copy *copies,
				bool to_guest)
{
	for (uint32_t i = 0; i < mapping->count; i++) {
		uint32_t offset, length;

		used_part(mapping, i, &offset, &length);
		copies[i] = (struct grant_copy){
			.gref = mapping->grefs[i],
			.offset = (uint16_t)offset,
			.length = (uint16_t)length,
			.to_guest = to_guest,
			.own = (char *)mapping->pages[i] + offset,
		};
	}
	return mapping->count;
}

/* copy_grants - of those mappings that are to be copied now, by one call. Sets the errors. */
static void copy_grants(struct memory *memory, struct memory_mapping **mappings, size_t count, bool to_guest)
{
	struct grant_copy *copies = memory->bounce->copies;
	uint32_t copied = 0;
	int error;

	for (size_t i = 0; i < count; i++)
		if (mappings[i]->way == WAY_COPY && mappings[i]->writable == to_guest && !mappings[i]->failed)
			copied += describe_copies(mappings[i], copies + copied, to_guest);
	if (copied == 0)
		return;
	error = memory->platform->grants_copy(memory->grants, memory->domid, copies, copied);
	for (size_t i = 0, at = 0; i < count; i++) {
		if (mappings[i]->way != WAY_COPY || mappings[i]->writable != to_guest || mappings[i]->failed)
			continue;
		mappings[i]->error = error;
		for (uint32_t j = 0; j < mappings[i]->count; j++, at++)
			if (error == 0 && copies[at].error < 0)
				mappings[i]->error = copies[at].error;
	}
}

void bounce_map_copies(struct memory *memory, struct memory_mapping **mappings, size_t count)
{
	struct bounce *bounce = memory->bounce;

	for (size_t i = 0; i < count; i++) {
		if (mappings[i]->way != WAY_COPY)
			continue;
		if (bounce->free_count >= mappings[i]->count) {
			take(bounce, mappings[i], false);
			continue;
		}
		mappings[i]->way = WAY_GRANTS;
		mappings[i]->error = -ENOMEM;
	}
	copy_grants(memory, mappings, count, false);
	for (size_t i = 0; i < count; i++) {
		if (mappings[i]->way != WAY_COPY || mappings[i]->writable)
			continue;
		if (mappings[i]->error < 0)
			give_back(bounce, mappings[i]);
		mappings[i]->way = WAY_COPIED;
	}
}

/* ---- what memory.c calls ---- */

void bounce_map(struct memory *memory, struct memory_mapping **mappings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (mappings[i]->way == WAY_CACHE && mappings[i]->direct)
			bounce_cached(memory, mappings[i]);
}

void bounce_write(struct memory *memory, struct memory_mapping **mappings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (mappings[i]->way == WAY_CACHE_BOUNCED && !mappings[i]->failed)
			copy_cached(memory->bounce, mappings[i], true);
	copy_grants(memory, mappings, count, true);
}

void bounce_unmap(struct memory *memory, struct memory_mapping **mappings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (mappings[i]->way == WAY_CACHE_BOUNCED || mappings[i]->way == WAY_COPY ||
		    mappings[i]->way == WAY_COPIED)
			give_back(memory->bounce, mappings[i]);
}

struct iovec bounce_to_register(const struct bounce *bounce)
{
	uint32_t pages = bounce->page_count < REGISTERED_PAGES ? bounce->page_count : REGISTERED_PAGES;

	return (struct iovec){.iov_base = bounce->pages, .iov_len = (size_t)pages * PAGE_BYTES};
}

void bounce_populate(const struct bounce *bounce)
{
	const struct iovec memory = bounce_to_register(bounce);

	/* A kernel before 5.14 can't do so: then it is done when they are registered. */
	madvise(memory.iov_base, memory.iov_len, MADV_POPULATE_WRITE);
}

int bounce_create(uint32_t pages, struct bounce **created)
{
	struct bounce *bounce = calloc(1, sizeof(*bounce));
	void *mapped;

	if (!bounce)
		return -ENOMEM;
	bounce->page_count = pages;
	bounce->free = calloc((pages + 63) / 64, sizeof(bounce->free[0]));
	bounce->origins = calloc(pages, sizeof(bounce->origins[0]));
	bounce->copies = calloc(pages, sizeof(bounce->copies[0]));
	mapped = mmap(NULL, (size_t)pages * PAGE_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mapped != MAP_FAILED)
		bounce->pages = mapped;
	if (!bounce->free || !bounce->origins || !bounce->copies || !bounce->pages) {
		bounce_destroy(bounce);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < pages; i++)
		bounce->free[i / 64] |= UINT64_C(1) << i % 64;
	bounce->free_count = pages;
	*created = bounce;
	return 0;
}

void bounce_destroy(struct bounce *bounce)
{
	if (bounce->pages)
		munmap(bounce->pages, (size_t)bounce->page_count * PAGE_BYTES);
	free(bounce->free);
	free(bounce->origins);
	free(bounce->copies);
	free(bounce);
}
