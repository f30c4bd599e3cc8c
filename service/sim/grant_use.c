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

/* may_map - does this entry let the host domain map a whole page? */
static enum grant_status may_map(struct entry_head head, bool writable)
{
	if ((head.flags & GRANT_TYPE_MASK) != GRANT_PERMIT || head.flags & GRANT_SUB_PAGE ||
	    head.domid != SIM_HOST_DOMID)
		return GRANT_STATUS_GENERAL_ERROR;
	if (writable && head.flags & GRANT_READ_ONLY)
		return GRANT_STATUS_GENERAL_ERROR;
	return GRANT_STATUS_OKAY;
}

static uint32_t marks(bool writable)
{
	return GRANT_READING | (writable ? GRANT_WRITING : 0);
}

/* mark_v1 - check the entry and mark it used in one step. */
static enum grant_status mark_v1(struct grant_entry_v1 *entry, bool writable)
{
	uint32_t *word = (uint32_t *)(void *)entry, seen = __atomic_load_n(word, __ATOMIC_ACQUIRE);

	for (int tries = 0; tries < TRIES; tries++) {
		enum grant_status status = may_map(head_of(seen), writable);

		if (status != GRANT_STATUS_OKAY)
			return status;
		if (__atomic_compare_exchange_n(word, &seen, seen | marks(writable), false, __ATOMIC_SEQ_CST,
						__ATOMIC_ACQUIRE))
			return GRANT_STATUS_OKAY;
	}
	return GRANT_STATUS_GENERAL_ERROR;
}

/* mark_v2 - the mark is in another word than what it is to hold fast, so that is looked at once more. */
static enum grant_status mark_v2(union grant_entry_v2 *entry, uint16_t *status_word, bool writable)
{
	uint32_t *word = (uint32_t *)(void *)entry;
	uint16_t before = __atomic_load_n(status_word, __ATOMIC_RELAXED);
	enum grant_status status = may_map(head_of(__atomic_load_n(word, __ATOMIC_ACQUIRE)), writable);

	if (status != GRANT_STATUS_OKAY)
		return status;
	__atomic_fetch_or(status_word, (uint16_t)marks(writable), __ATOMIC_SEQ_CST);
	status = may_map(head_of(__atomic_load_n(word, __ATOMIC_SEQ_CST)), writable);
	if (status != GRANT_STATUS_OKAY)
		__atomic_store_n(status_word, before, __ATOMIC_SEQ_CST);
	return status;
}

static enum grant_status mark(struct sim_guest *guest, uint32_t gref, bool writable)
{
	if (guest->options.grant_version == 1)
		return mark_v1((struct grant_entry_v1 *)(void *)guest->grant_entries + gref, writable);
	return mark_v2((union grant_entry_v2 *)(void *)guest->grant_entries + gref,
		       &guest->grant_statuses[gref], writable);
}

/* unmark - what is not used any more, of GRANT_READING and GRANT_WRITING. */
static void unmark(struct sim_guest *guest, uint32_t gref, uint32_t flags)
{
	uint16_t *word = &guest->grant_statuses[gref];

	if (guest->options.grant_version == 1)
		word = &((struct grant_entry_v1 *)(void *)guest->grant_entries + gref)->flags;
	__atomic_fetch_and(word, (uint16_t)~flags, __ATOMIC_SEQ_CST);
}

static uint64_t frame_of(const struct sim_guest *guest, uint32_t gref)
{
	if (guest->options.grant_version == 1)
		return __atomic_load_n(&((struct grant_entry_v1 *)(void *)guest->grant_entries + gref)->frame,
				       __ATOMIC_RELAXED);
	return __atomic_load_n(
		&((union grant_entry_v2 *)(void *)guest->grant_entries + gref)->full_page.frame,
		__ATOMIC_RELAXED);
}

/* begin_use - the active entry is locked. */
static enum grant_status begin_use(struct sim_guest *guest, struct sim_active *active, uint32_t gref,
				   bool writable)
{
	bool first = active->readers + active->writers == 0;
	enum grant_status status;

	if (!first && (!writable || active->writers > 0))
		return GRANT_STATUS_OKAY;
	status = mark(guest, gref, writable);
	if (status != GRANT_STATUS_OKAY || !first)
		return status;
	if (!sim_page_get(guest, frame_of(guest, gref), &active->page)) {
		unmark(guest, gref, marks(writable));
		return GRANT_STATUS_BAD_PAGE;
	}
	return GRANT_STATUS_OKAY;
}

enum grant_status sim_grant_use(struct sim_guest *guest, uint32_t gref, bool writable, uint32_t *page)
{
	struct sim_active *active;
	enum grant_status status;

	if (gref >= __atomic_load_n(&guest->grant_entry_count, __ATOMIC_ACQUIRE))
		return GRANT_STATUS_BAD_GREF;
	active = &guest->active[gref];
	sim_lock(&active->lock);
	status = begin_use(guest, active, gref, writable);
	if (status == GRANT_STATUS_OKAY) {
		active->readers += !writable;
		active->writers += writable;
		*page = active->page;
	}
	sim_unlock(&active->lock);
	return status;
}

void sim_grant_use_end(struct sim_guest *guest, uint32_t gref, bool writable)
{
	struct sim_active *active = &guest->active[gref];
	uint32_t flags = 0, page = SIM_NO_PAGE;

	sim_lock(&active->lock);
	active->readers -= !writable;
	active->writers -= writable;
	if (writable && active->writers == 0)
		flags = GRANT_WRITING;
	if (active->readers + active->writers == 0) {
		flags |= GRANT_READING;
		page = active->page;
	}
	if (flags)
		unmark(guest, gref, flags);
	sim_unlock(&active->lock);
	if (page != SIM_NO_PAGE)
		sim_page_put(guest, page);
}
