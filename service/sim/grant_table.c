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

uint32_t sim_grant_frame_page(struct sim_guest *guest, enum grant_frames which, uint32_t number)
{
	bool statuses = which == GRANT_FRAMES_STATUSES;
	uint64_t entries = ((uint64_t)number + 1) * PAGE_BYTES;

	if (number >= (statuses ? SIM_STATUS_FRAMES_MAX : SIM_GRANT_FRAMES_MAX) ||
	    (statuses && guest->options.grant_version == 1))
		return SIM_NO_PAGE;
	/* Entries of all frames before, and one of its own at least. */
	entries = statuses ? (uint64_t)number * PAGE_BYTES / sizeof(uint16_t) + 1
			   : entries / entry_bytes(guest);
	sim_lock(&guest->grants_lock);
	while (guest->grant_entry_count < entries)
		grow(guest);
	sim_unlock(&guest->grants_lock);
	return guest->table_page + (statuses ? SIM_GRANT_FRAMES_MAX : 0) + number;
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

/* put_v2 - fill an entry's other words, then its flags: from then on Xen may look at it. */
static void put_v2(struct sim_guest *guest, uint32_t gref, const union grant_entry_v2 *filled)
{
	union grant_entry_v2 *entry = sim_grant_entry(guest, gref);
	const uint32_t *from = (const uint32_t *)(const void *)filled;
	uint32_t *to = (uint32_t *)(void *)entry;

	for (size_t i = 1; i < sizeof(*entry) / sizeof(*to); i++)
		__atomic_store_n(&to[i], from[i], __ATOMIC_RELAXED);
	__atomic_store_n(&entry->domid, filled->domid, __ATOMIC_RELAXED);
	__atomic_store_n(&entry->flags, filled->flags, __ATOMIC_RELEASE);
}

static uint16_t permit(bool read_only)
{
	return (uint16_t)(GRANT_PERMIT | (read_only ? GRANT_READ_ONLY : 0));
}

int64_t sim_grant(struct sim_guest *guest, uint16_t domid, uint64_t frame, bool read_only)
{
	int64_t gref = take_gref(guest);

	if (gref < 0)
		return gref;
	if (guest->options.grant_version == 1) {
		struct grant_entry_v1 *entry = sim_grant_entry(guest, (uint32_t)gref);

		__atomic_store_n(&entry->frame, (uint32_t)frame, __ATOMIC_RELAXED);
		__atomic_store_n(&entry->domid, domid, __ATOMIC_RELAXED);
		__atomic_store_n(&entry->flags, permit(read_only), __ATOMIC_RELEASE);
	} else {
		put_v2(guest, (uint32_t)gref,
		       &(union grant_entry_v2){
			       .full_page = {.flags = permit(read_only), .domid = domid, .frame = frame}});
	}
	return gref;
}

int64_t sim_grant_sub_page(struct sim_guest *guest, uint16_t domid, uint64_t frame, uint16_t offset,
			   uint16_t length, bool read_only)
{
	int64_t gref = guest->options.grant_version == 2 ? take_gref(guest) : -EINVAL;

	if (gref >= 0)
		put_v2(guest, (uint32_t)gref,
		       &(union grant_entry_v2){
			       .sub_page = {.flags = (uint16_t)(permit(read_only) | GRANT_SUB_PAGE),
					    .domid = domid,
					    .offset = offset,
					    .length = length,
					    .frame = frame}});
	return gref;
}

int64_t sim_grant_transitive(struct sim_guest *guest, uint16_t domid, uint16_t other_domid,
			     uint32_t other_gref, bool read_only)
{
	int64_t gref = guest->options.grant_version == 2 ? take_gref(guest) : -EINVAL;

	if (gref >= 0)
		put_v2(guest, (uint32_t)gref,
		       &(union grant_entry_v2){
			       .transitive = {.flags = (uint16_t)(GRANT_TRANSITIVE |
								  (read_only ? GRANT_READ_ONLY : 0)),
					      .domid = domid,
					      .other_domid = other_domid,
					      .other_gref = other_gref}});
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
