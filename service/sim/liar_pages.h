/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * liar_pages.h - pages of a hostile guest, their grants, and a thread that scribbles (internal to the liars)
 */
#ifndef LIAR_PAGES_H
#define LIAR_PAGES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "sim/sim.h"

#define LIAR_OTHER_DOMID 0x7abc /* nobody */

/* A page of the guest's with its grant. */
struct liar_page {
	uint64_t frame;
	void *memory;
	uint32_t gref;
};

/* liar_page_take - granted to this domain. Returns 0 or a negative errno; then it may be given up all the same. */
int liar_page_take(struct sim_guest *guest, struct liar_page *page, uint16_t domid, bool read_only);

/* liar_page_give_up - returns 1 if the host has it mapped still. */
uint32_t liar_page_give_up(struct sim_guest *guest, const struct liar_page *page);

/* liar_page_set_flags - of the grant's entry; 0: it is none. */
void liar_page_set_flags(struct sim_guest *guest, const struct liar_page *page, uint16_t flags);

/* liar_page_set_frame - let the grant's entry, of a table of this version, name another frame. */
void liar_page_set_frame(struct sim_guest *guest, const struct liar_page *page, uint32_t grant_version,
			 uint64_t frame);

/* liar_page_lose_frame - let it name a frame that there is not. */
void liar_page_lose_frame(struct sim_guest *guest, const struct liar_page *page, uint32_t grant_version);

/* A thread that writes to a place of the guest's memory until it is told to stop. */
struct liar_scribbler {
	pthread_t thread;
	uint8_t *memory;
	uint32_t bytes;
	bool stop;
};

void liar_scribbler_begin(struct liar_scribbler *scribbler, void *memory, uint32_t bytes);
void liar_scribbler_end(struct liar_scribbler *scribbler);

#endif
