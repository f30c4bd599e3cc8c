// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * grant_table.c - a guest's grant table, as the guest's own kernel uses it
 *
 * The entries lie in pages of the guest's memory that have no frame number, one after the other in the guest's
 * view. The table grows by a frame when all entries are taken, as Linux's does.
 */
#include "sim/machine.h"

#include <errno.h>
#include <stdlib.h>

static uint32_t entry_bytes(const struct sim_guest *guest)
{
	return guest->options.grant_version == 1 ? sizeof(struct grant_entry_v1)
						 : sizeof(union grant_entry_v2);
}

/* grow - one more frame. grants_lock is held. */
static void grow(struct sim_guest *guest)
{
	uint32_t count = guest->grant_entry_count, more = PAGE_BYTES / entry_bytes(guest);

	/* The lowest is taken first. */
	for (uint32_t gref = count + more; gref > count; gref--)
		if (gref - 1 >= GRANT_RESERVED_ENTRIES)
			guest->free_grefs[guest->free_gref_count++] = gref - 1;
	__atomic_store_n(&guest->grant_entry_count, count + more, __ATOMIC_RELEASE);
}

int sim_grant_table_init(struct sim_guest *guest)
{
	guest->grant_entries = guest->view + (size_t)guest->table_page * PAGE_BYTES;
	guest->grant_statuses = (uint16_t *)(guest->grant_entries + SIM_GRANT_FRAMES_MAX * PAGE_BYTES);
	guest->grant_entries_max = SIM_GRANT_FRAMES_MAX * PAGE_BYTES / entry_bytes(guest);
	guest->active = calloc(guest->grant_entries_max, sizeof(guest->active[0]));
	guest->free_grefs = calloc(guest->grant_entries_max, sizeof(guest->free_grefs[0]));
	guest->gref_taken = calloc(guest->grant_entries_max, sizeof(guest->gref_taken[0]));
	if (!guest->active || !guest->free_grefs || !guest->gref_taken) {
		sim_grant_table_destroy(guest);
		return -ENOMEM;
	}
	grow(guest);
	return 0;
}

void sim_grant_table_destroy(struct sim_guest *guest)
{
	free(guest->active);
	free(guest->free_grefs);
	free(guest->gref_taken);
}

void *sim_grant_entry(struct sim_guest *guest, uint32_t gref)
{
	if (gref >= __atomic_load_n(&guest->grant_entry_count, __ATOMIC_ACQUIRE))
		return NULL;
	return guest->grant_entries + (size_t)gref * entry_bytes(guest);
}

/* take_gref - a free entry, or -ENOSPC when the table can't grow any more. */
static int64_t take_gref(struct sim_guest *guest)
{
	int64_t gref = -ENOSPC;

	sim_lock(&guest->grants_lock);
	if (guest->free_gref_count == 0 && guest->grant_entry_count < guest->grant_entries_max)
		grow(guest);
	if (guest->free_gref_count > 0) {
		gref = guest->free_grefs[--guest->free_gref_count];
		guest->gref_taken[gref] = true;
	}
	sim_unlock(&guest->grants_lock);
	return gref;
}

int64_t sim_grant(struct sim_guest *guest, uint16_t domid, uint64_t frame, bool read_only)
{
	int64_t gref = take_gref(guest);
	uint16_t flags = (uint16_t)(GRANT_PERMIT | (read_only ? GRANT_READ_ONLY : 0));

	if (gref < 0)
		return gref;
	/* The flags come last: from then on Xen may look at the rest. */
	if (guest->options.grant_version == 1) {
		struct grant_entry_v1 *entry = sim_grant_entry(guest, (uint32_t)gref);

		__atomic_store_n(&entry->frame, (uint32_t)frame, __ATOMIC_RELAXED);
		__atomic_store_n(&entry->domid, domid, __ATOMIC_RELAXED);
		__atomic_store_n(&entry->flags, flags, __ATOMIC_RELEASE);
	} else {
		union grant_entry_v2 *entry = sim_grant_entry(guest, (uint32_t)gref);

		__atomic_store_n(&entry->full_page.frame, frame, __ATOMIC_RELAXED);
		__atomic_store_n(&entry->domid, domid, __ATOMIC_RELAXED);
		__atomic_store_n(&entry->flags, flags, __ATOMIC_RELEASE);
	}
	return gref;
}

/* withdraw_v1 - clear the flags, unless Xen has set one of its own. */
static bool withdraw_v1(struct grant_entry_v1 *entry)
{
	uint16_t flags = __atomic_load_n(&entry->flags, __ATOMIC_RELAXED);

	do {
		if (flags & (GRANT_READING | GRANT_WRITING))
			return false;
	} while (!__atomic_compare_exchange_n(&entry->flags, &flags, 0, true, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	return true;
}

/* withdraw_v2 - the same; what Xen does is in another word, so the flags are cleared first, and come back. */
static bool withdraw_v2(union grant_entry_v2 *entry, const uint16_t *status)
{
	uint16_t flags;

	if (__atomic_load_n(status, __ATOMIC_SEQ_CST) & (GRANT_READING | GRANT_WRITING))
		return false;
	flags = __atomic_exchange_n(&entry->flags, 0, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(status, __ATOMIC_SEQ_CST) & (GRANT_READING | GRANT_WRITING)) {
		__atomic_store_n(&entry->flags, flags, __ATOMIC_SEQ_CST);
		return false;
	}
	return true;
}

int sim_grant_end(struct sim_guest *guest, uint32_t gref)
{
	void *entry = sim_grant_entry(guest, gref);
	int error = 0;

	if (!entry)
		return -EINVAL;
	sim_lock(&guest->grants_lock);
	if (!guest->gref_taken[gref]) {
		error = -EINVAL;
	} else if (guest->options.grant_version == 1 ? !withdraw_v1(entry)
						     : !withdraw_v2(entry, &guest->grant_statuses[gref])) {
		error = -EBUSY;
	} else {
		guest->gref_taken[gref] = false;
		guest->free_grefs[guest->free_gref_count++] = gref;
	}
	sim_unlock(&guest->grants_lock);
	return error;
}
