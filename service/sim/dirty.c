// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dirty.c - live migration: what is known to be written, and what was written all the same
 *
 * Instead of a copy of each page its hash is kept. A page whose hash is another one than at its last copy, and which
 * is not marked dirty, would be wrong after the migration.
 */
#include "sim/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct sim_migration {
	uint64_t *hash; /* by page, as it was copied last */
	uint8_t *dirty; /* by page */
};

void sim_dirty_destroy(struct sim_guest *guest)
{
	if (!guest->migration)
		return;
	free(guest->migration->hash);
	free(guest->migration->dirty);
	free(guest->migration);
}

void sim_dirty_mark(struct sim_guest *guest, uint32_t page)
{
	__atomic_store_n(&guest->migration->dirty[page], true, __ATOMIC_SEQ_CST);
}

static uint64_t hash_page(const struct sim_guest *guest, uint32_t page)
{
	const uint64_t *words = (const uint64_t *)(void *)(guest->view + (size_t)page * PAGE_BYTES);
	uint64_t hash = 0;

	for (size_t i = 0; i < PAGE_BYTES / sizeof(*words); i++)
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u + (hash >> 29);
	return hash;
}

/* allocate - once for a guest, since those who mark pages take no lock. */
static int allocate(struct sim_guest *guest)
{
	struct sim_migration *migration = calloc(1, sizeof(*migration));

	if (!migration)
		return -ENOMEM;
	guest->migration = migration;
	migration->hash = calloc(guest->page_count, sizeof(migration->hash[0]));
	migration->dirty = calloc(guest->page_count, sizeof(migration->dirty[0]));
	if (migration->hash && migration->dirty)
		return 0;
	sim_dirty_destroy(guest);
	guest->migration = NULL;
	return -ENOMEM;
}

int sim_migration_begin(struct sim_guest *guest)
{
	int error = 0;

	if (guest->migrating)
		return -EBUSY;
	if (!guest->migration)
		error = allocate(guest);
	if (error < 0)
		return error;
	memset(guest->migration->dirty, true, guest->page_count);
	__atomic_store_n(&guest->migrating, true, __ATOMIC_RELEASE);
	sim_migration_round(guest);
	return 0;
}

void sim_migration_end(struct sim_guest *guest)
{
	__atomic_store_n(&guest->migrating, false, __ATOMIC_RELEASE);
}

void sim_migration_wrote(struct sim_guest *guest, uint64_t frame)
{
	uint32_t page = sim_page_find(guest, frame);

	if (page != SIM_NO_PAGE)
		sim_dirty_page(guest, page);
}

uint32_t sim_migration_round(struct sim_guest *guest)
{
	struct sim_migration *migration = guest->migration;
	uint32_t copied = 0;

	for (uint32_t slot = 0; slot < guest->slot_count; slot++) {
		uint32_t page = guest->page_of_slot[slot];

		if (page == SIM_NO_PAGE ||
		    !__atomic_exchange_n(&migration->dirty[page], false, __ATOMIC_SEQ_CST))
			continue;
		migration->hash[page] = hash_page(guest, page);
		copied++;
	}
	return copied;
}

/* mark_granted - what is granted and mapped to be written counts as written, in Xen when it is unmapped. */
static void mark_granted(struct sim_guest *guest)
{
	for (uint32_t gref = 0; gref < guest->grant_entry_count; gref++) {
		struct sim_active *active = &guest->active[gref];

		sim_lock(&active->lock);
		if (active->writers > 0 && active->found.page != SIM_NO_PAGE)
			sim_dirty_mark(guest, active->found.page);
		sim_unlock(&active->lock);
	}
}

bool sim_migration_knows(struct sim_guest *guest, uint64_t frame)
{
	uint32_t page = sim_page_find(guest, frame);

	return page == SIM_NO_PAGE || __atomic_load_n(&guest->migration->dirty[page], __ATOMIC_SEQ_CST) ||
	       hash_page(guest, page) == guest->migration->hash[page];
}

uint32_t sim_migration_missed(struct sim_guest *guest, uint64_t *frames, uint32_t max)
{
	uint32_t missed = 0;

	mark_granted(guest);
	for (uint32_t slot = 0; slot < guest->slot_count; slot++) {
		if (sim_migration_knows(guest, guest->first_frame + slot))
			continue;
		if (missed < max)
			frames[missed] = guest->first_frame + slot;
		missed++;
	}
	return missed;
}
