// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * grant_use.c - what Xen does with a grant: check the entry, mark it used, keep its page
 *
 * Theory of operation: the entry is the guest's, who may change it at any moment. Xen looks at it when its first
 * use begins, or its first for writing, marks it with a compare-exchange, so that an honest guest can't withdraw
 * it any more, and keeps what it found in an active entry of its own. What the guest writes there afterwards
 * changes nothing for the uses that there are, nor for those that join them.
 */
#include "sim/machine.h"

/* How often a guest may change an entry under our hands before it is refused. */
#define TRIES 5

/* The flags and the domain are read, and marked, as one word. */
struct entry_head {
	uint16_t flags, domid;
};

static struct entry_head head_of(uint32_t word)
{
	return (struct entry_head){.flags = (uint16_t)word, .domid = (uint16_t)(word >> 16)};
}

static struct grant_entry_v1 *entry_v1(const struct sim_guest *guest, uint32_t gref)
{
	return (struct grant_entry_v1 *)(void *)guest->grant_entries + gref;
}

static union grant_entry_v2 *entry_v2(const struct sim_guest *guest, uint32_t gref)
{
	return (union grant_entry_v2 *)(void *)guest->grant_entries + gref;
}

/* is_permitted - a part of a page, and another domain's grant, can be copied but not mapped. */
static bool is_permitted(const struct sim_guest *guest, const struct sim_use *use, struct entry_head head)
{
	uint16_t type = head.flags & GRANT_TYPE_MASK;

	if (head.domid != use->domid || (use->writable && head.flags & GRANT_READ_ONLY))
		return false;
	if (use->copy)
		return type == GRANT_PERMIT ||
		       (type == GRANT_TRANSITIVE && guest->options.grant_version == 2 && !use->by_transitive);
	return type == GRANT_PERMIT && !(head.flags & GRANT_SUB_PAGE);
}

static uint32_t marks(bool writable)
{
	return GRANT_READING | (writable ? GRANT_WRITING : 0);
}

/* mark_v1 - check the entry and mark it used in one step. `*flags` is what it said. */
static bool mark_v1(struct sim_guest *guest, const struct sim_use *use, uint16_t *flags)
{
	uint32_t *word = (uint32_t *)(void *)entry_v1(guest, use->gref);
	uint32_t seen = __atomic_load_n(word, __ATOMIC_ACQUIRE);

	for (int tries = 0; tries < TRIES; tries++) {
		if (!is_permitted(guest, use, head_of(seen)))
			return false;
		*flags = head_of(seen).flags;
		if (__atomic_compare_exchange_n(word, &seen, seen | marks(use->writable), false,
						__ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE))
			return true;
	}
	return false;
}

/* mark_v2 - the mark is in another word than what it is to hold fast, so that is looked at once more. */
static bool mark_v2(struct sim_guest *guest, const struct sim_use *use, uint16_t *flags)
{
	uint32_t *word = (uint32_t *)(void *)entry_v2(guest, use->gref);
	uint16_t *status = &guest->grant_statuses[use->gref];
	uint16_t before = __atomic_load_n(status, __ATOMIC_RELAXED);
	struct entry_head head = head_of(__atomic_load_n(word, __ATOMIC_ACQUIRE)), again;

	if (!is_permitted(guest, use, head))
		return false;
	__atomic_fetch_or(status, (uint16_t)marks(use->writable), __ATOMIC_SEQ_CST);
	again = head_of(__atomic_load_n(word, __ATOMIC_SEQ_CST));
	if (again.flags != head.flags || again.domid != head.domid) {
		__atomic_store_n(status, before, __ATOMIC_SEQ_CST);
		return false;
	}
	*flags = head.flags;
	return true;
}

/* unmark - what is not used any more, of GRANT_READING and GRANT_WRITING. */
static void unmark(struct sim_guest *guest, uint32_t gref, uint32_t flags)
{
	uint16_t *word = guest->options.grant_version == 1 ? &entry_v1(guest, gref)->flags
							   : &guest->grant_statuses[gref];

	__atomic_fetch_and(word, (uint16_t)~flags, __ATOMIC_SEQ_CST);
}

/* look_up - what a marked entry leads to. */
static enum grant_status look_up(struct sim_guest *guest, struct sim_found *found, uint32_t gref,
				 uint16_t flags)
{
	const union grant_entry_v2 *entry = entry_v2(guest, gref);
	uint64_t frame;

	found->page = SIM_NO_PAGE;
	found->offset = 0;
	found->length = PAGE_BYTES;
	if (guest->options.grant_version == 1) {
		frame = __atomic_load_n(&entry_v1(guest, gref)->frame, __ATOMIC_RELAXED);
	} else if ((flags & GRANT_TYPE_MASK) == GRANT_TRANSITIVE) {
		found->other_domid = __atomic_load_n(&entry->transitive.other_domid, __ATOMIC_RELAXED);
		found->other_gref = __atomic_load_n(&entry->transitive.other_gref, __ATOMIC_RELAXED);
		return GRANT_STATUS_OKAY;
	} else {
		frame = __atomic_load_n(&entry->full_page.frame, __ATOMIC_RELAXED);
		if (flags & GRANT_SUB_PAGE) {
			found->offset = __atomic_load_n(&entry->sub_page.offset, __ATOMIC_RELAXED);
			found->length = __atomic_load_n(&entry->sub_page.length, __ATOMIC_RELAXED);
		}
	}
	return sim_page_get(guest, frame, &found->page) ? GRANT_STATUS_OKAY : GRANT_STATUS_BAD_PAGE;
}

/* is_whole - can what is in use already be mapped? */
static bool is_whole(const struct sim_found *found)
{
	return found->page != SIM_NO_PAGE && found->offset == 0 && found->length == PAGE_BYTES;
}

/* begin_use - the active entry is locked. */
static enum grant_status begin_use(struct sim_guest *guest, struct sim_active *active,
				   const struct sim_use *use)
{
	bool first = active->readers + active->writers == 0;
	enum grant_status status;
	uint16_t flags = 0;

	if (!first && (active->found.domid != use->domid || (!use->copy && !is_whole(&active->found))))
		return GRANT_STATUS_GENERAL_ERROR;
	if (!first && (!use->writable || active->writers > 0))
		return GRANT_STATUS_OKAY;
	if (guest->options.grant_version == 1 ? !mark_v1(guest, use, &flags) : !mark_v2(guest, use, &flags))
		return GRANT_STATUS_GENERAL_ERROR;
	if (!first)
		return GRANT_STATUS_OKAY;
	active->found.domid = use->domid;
	status = look_up(guest, &active->found, use->gref, flags);
	if (status != GRANT_STATUS_OKAY)
		unmark(guest, use->gref, marks(use->writable));
	return status;
}

enum grant_status sim_grant_use(struct sim_guest *guest, const struct sim_use *use, struct sim_found *found)
{
	struct sim_active *active;
	enum grant_status status;

	if (use->gref >= __atomic_load_n(&guest->grant_entry_count, __ATOMIC_ACQUIRE))
		return GRANT_STATUS_BAD_GREF;
	active = &guest->active[use->gref];
	sim_lock(&active->lock);
	status = begin_use(guest, active, use);
	if (status == GRANT_STATUS_OKAY) {
		active->readers += !use->writable;
		active->writers += use->writable;
		*found = active->found;
	}
	sim_unlock(&active->lock);
	return status;
}

void sim_grant_use_end(struct sim_guest *guest, uint32_t gref, bool writable)
{
	struct sim_active *active = &guest->active[gref];
	uint32_t flags = 0, page = SIM_NO_PAGE;

	sim_lock(&active->lock);
	if (writable && active->found.page != SIM_NO_PAGE)
		sim_dirty_page(guest, active->found.page);
	active->readers -= !writable;
	active->writers -= writable;
	if (writable && active->writers == 0)
		flags = GRANT_WRITING;
	if (active->readers + active->writers == 0) {
		flags |= GRANT_READING;
		page = active->found.page;
	}
	if (flags)
		unmark(guest, gref, flags);
	sim_unlock(&active->lock);
	if (page != SIM_NO_PAGE)
		sim_page_put(guest, page);
}

bool sim_grants_write(struct sim_guest *guest, uint32_t page)
{
	uint32_t count = __atomic_load_n(&guest->grant_entry_count, __ATOMIC_ACQUIRE);
	bool found = false;

	for (uint32_t gref = 0; gref < count && !found; gref++) {
		struct sim_active *active = &guest->active[gref];

		sim_lock(&active->lock);
		found = active->writers > 0 && active->found.page == page;
		sim_unlock(&active->lock);
	}
	return found;
}
