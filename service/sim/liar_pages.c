// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * liar_pages.c - pages of a hostile guest, their grants, and a thread that scribbles
 */
#include "sim/liar_pages.h"

#include <errno.h>
#include <stdlib.h>

#define LOST_FRAME 0x7ffffff0 /* beyond any guest's memory */

int liar_page_take(struct sim_guest *guest, struct liar_page *page, uint16_t domid, bool read_only)
{
	int error = sim_pages_take(guest, 1, &page->frame);
	int64_t gref;

	if (error < 0)
		return error;
	page->memory = sim_page(guest, page->frame);
	gref = sim_grant(guest, domid, page->frame, read_only);
	if (gref < 0)
		return (int)gref;
	page->gref = (uint32_t)gref;
	return 0;
}

uint32_t liar_page_give_up(struct sim_guest *guest, const struct liar_page *page)
{
	if (!page->memory)
		return 0;
	if (page->gref && sim_grant_end(guest, page->gref) == -EBUSY)
		return 1;
	sim_pages_give_back(guest, 1, &page->frame);
	return 0;
}

void liar_page_set_flags(struct sim_guest *guest, const struct liar_page *page, uint16_t flags)
{
	uint16_t *entry = sim_grant_entry(guest, page->gref);

	__atomic_store_n(entry, flags, __ATOMIC_SEQ_CST);
}

void liar_page_set_frame(struct sim_guest *guest, const struct liar_page *page, uint32_t grant_version,
			 uint64_t frame)
{
	uint32_t *entry = sim_grant_entry(guest, page->gref);

	__atomic_store_n(&entry[grant_version == 2 ? 2 : 1], (uint32_t)frame, __ATOMIC_SEQ_CST);
}

void liar_page_lose_frame(struct sim_guest *guest, const struct liar_page *page, uint32_t grant_version)
{
	liar_page_set_frame(guest, page, grant_version, LOST_FRAME);
}

/* ---- the thread that scribbles ---- */

static void *scribble(void *argument)
{
	struct liar_scribbler *scribbler = argument;
	uint32_t value = 1;

	while (!__atomic_load_n(&scribbler->stop, __ATOMIC_RELAXED)) {
		/* A generator of its own: the liar's is another thread's. */
		value = value * 1664525u + 1013904223u;
		__atomic_store_n(&scribbler->memory[value / 7 % scribbler->bytes], (uint8_t)(value >> 24),
				 __ATOMIC_RELAXED);
	}
	return NULL;
}

void liar_scribbler_begin(struct liar_scribbler *scribbler, void *memory, uint32_t bytes)
{
	scribbler->memory = memory;
	scribbler->bytes = bytes;
	scribbler->stop = false;
	if (pthread_create(&scribbler->thread, NULL, scribble, scribbler) != 0)
		abort();
}

void liar_scribbler_end(struct liar_scribbler *scribbler)
{
	__atomic_store_n(&scribbler->stop, true, __ATOMIC_RELAXED);
	pthread_join(scribbler->thread, NULL);
}
