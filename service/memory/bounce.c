// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bounce.c - pages of ours, between the guest's and a backend
 *
 * Two kinds of mappings need them: those for direct I/O whose frames are in the cache, since the kernel takes no
 * foreign memory there; and grants that can't be mapped but only copied, those of a part of a page and those of another
 * domain's grant. What the guest writes to the disk is copied before the backend sees it, and what it reads after the
 * backend has done it.
 *
 * The addresses are reserved, and take memory when they are used first. The page that was given back last is taken first.
 */
#include "memory/mapper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct bounce {
	char *pages;
	uint32_t page_count;
	uint32_t *free;
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

/* take - pages for a mapping, which had those of `origins`, if it had any. */
static void take(struct bounce *bounce, struct memory_mapping *mapping, bool has_origins)
{
	for (uint32_t i = 0; i < mapping->count; i++) {
		uint32_t index = bounce->free[--bounce->free_count];

		bounce->origins[index] = has_origins ? mapping->pages[i] : NULL;
		mapping->pages[i] = bounce->pages + (size_t)index * PAGE_BYTES;
	}
}

static void give_back(struct bounce *bounce, const struct memory_mapping *mapping)
{
	/* The first one is on top again, so that the next mapping gets them in the same order. */
	for (uint32_t i = mapping->count; i > 0; i--)
		bounce->free[bounce->free_count++] = index_of(bounce, mapping->pages[i - 1]);
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

int bounce_create(uint32_t pages, struct bounce **created)
{
	struct bounce *bounce = calloc(1, sizeof(*bounce));
	void *mapped;

	if (!bounce)
		return -ENOMEM;
	bounce->page_count = pages;
	bounce->free = calloc(pages, sizeof(bounce->free[0]));
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
	for (uint32_t i = pages; i > 0; i--)
		bounce->free[bounce->free_count++] = i - 1;
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
