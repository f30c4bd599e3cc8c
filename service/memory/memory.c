// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * memory.c - one guest's memory: chooses the mapper
 */
#include "memory/memory.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "memory/mapper.h"

int memory_open(const struct platform *platform, uint16_t domid, uint32_t mappings_max,
		struct memory **memory)
{
	struct memory *opened = calloc(1, sizeof(*opened));
	int error;

	if (!opened)
		return -ENOMEM;
	opened->platform = platform;
	opened->domid = domid;
	opened->mapper = &mapper_gnttab;
	error = platform->grants_open(platform, &opened->grants);
	if (error < 0)
		goto fail_memory;
	error = opened->mapper->open(opened, mappings_max);
	if (error < 0)
		goto fail_grants;
	*memory = opened;
	return 0;
fail_grants:
	platform->grants_close(opened->grants);
fail_memory:
	free(opened);
	return error;
}

void memory_close(struct memory *memory)
{
	memory->mapper->close(memory);
	memory->platform->grants_close(memory->grants);
	free(memory);
}

const char *memory_mapper_name(const struct memory *memory)
{
	return memory->mapper->name;
}

void memory_map(struct memory *memory, struct memory_mapping **mappings, size_t count)
{
	memory->mapper->map(memory, mappings, count);
}

size_t memory_unmap(struct memory *memory, struct memory_mapping **mappings, size_t count,
		    struct memory_mapping **gone)
{
	return memory->mapper->unmap(memory, mappings, count, gone);
}

/* Rings are always mapped by grant: that is the frontend's word that we may write there, and it holds the
 * pages. */
int memory_map_ring(struct memory *memory, const uint32_t *grefs, uint32_t count, struct memory_ring *ring)
{
	assert(count >= 1 && count <= MEMORY_RING_PAGES_MAX);
	ring->count = count;
	return memory->platform->grants_map(memory->grants, memory->domid, grefs, count, true, true,
					    ring->pages, &ring->mapping);
}

void memory_unmap_ring(struct memory *memory, const struct memory_ring *ring)
{
	int error = memory->platform->grants_unmap(memory->grants, ring->mapping, ring->count);

	if (error < 0)
		log_error("guest %u: can't unmap a ring of %u pages: %s", memory->domid, ring->count,
			  strerror(-error));
}
