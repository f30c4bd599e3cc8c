// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gnttab.c - the mapper that asks Xen for each grant
 *
 * Theory of operation: the grant device maps a list of grants as one object and can unmap only the whole
 * object. A frontend must not see a response before its grants are unmapped (blkfront gives the whole
 * disk up when it finds one in use). If the requests of a turn shared an object, each would wait for the slowest of them;
 * so each request is an object of its own: one call for all of its grants, and one to unmap them.
 */
#include "log.h"
#include "memory/mapper.h"

#include <assert.h>

static void gnttab_map(struct memory *memory, struct memory_mapping **mappings, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct memory_mapping *mapping = mappings[i];

		assert(mapping->count > 0);
		mapping->error = memory->platform->grants_map(memory->grants, memory->domid, mapping->grefs,
							      mapping->count, mapping->writable, &mapping->address);
		if (mapping->error < 0)
			continue;
		mapping->error = 0;
		for (uint32_t page = 0; page < mapping->count; page++)
			mapping->pages[page] = (char *)mapping->address + (size_t)page * PAGE_BYTES;
	}
}

static void gnttab_unmap(struct memory *memory, struct memory_mapping **mappings, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct memory_mapping *mapping = mappings[i];
		int error = memory->platform->grants_unmap(memory->grants, mapping->address, mapping->count);

		/* A list that was mapped can't fail to be unmapped but by a fault of the kernel or of ours. */
		if (error < 0)
			log_error("guest %u: can't unmap %u grants: error %d", memory->domid, mapping->count, -error);
		mapping->address = NULL;
	}
}

const struct memory_mapper mapper_gnttab = {
	.name = "gnttab",
	.map = gnttab_map,
	.unmap = gnttab_unmap,
};
