// SPDX-License-Identifier: GPL-2.0-or-later
/* balloon.c - frames that a guest gives to Xen, and gets back with other memory behind them */
#include "sim/machine.h"

#include <errno.h>

/* give_away - take the frame's page from it. Returns the page, or SIM_NO_PAGE if the guest can't give it. */
static uint32_t give_away(struct sim_guest *guest, uint64_t frame)
{
	uint64_t slot = frame - guest->first_frame;
	uint32_t page = SIM_NO_PAGE;

	pthread_mutex_lock(&guest->memory_lock);
	if (slot < guest->slot_count && guest->slot_taken[slot]) {
		page = guest->page_of_slot[slot];
		guest->last_page_of_slot[slot] = page;
		__atomic_store_n(&guest->page_of_slot[slot], SIM_NO_PAGE, __ATOMIC_SEQ_CST);
		/* A PV guest knows the frame no more; another one keeps it, empty. */
		if (guest->options.pv)
			guest->slot_taken[slot] = false;
	}
	pthread_mutex_unlock(&guest->memory_lock);
	return page;
}

int sim_balloon_out(struct sim_guest *guest, uint32_t count, const uint64_t *frames)
{
	uint32_t done = 0;

	while (done < count) {
		uint32_t page = give_away(guest, frames[done]);

		if (page == SIM_NO_PAGE)
			break;
		sim_page_put(guest, page);
		done++;
	}
	if (done > 0 && !guest->options.pv)
		sim_invalidate(guest);
	return done == count ? 0 : -EINVAL;
}

/* take_page - a page of Xen's, and another one than `last` if there is. memory_lock is held. */
static uint32_t take_page(struct sim_guest *guest, uint32_t last)
{
	uint32_t page = sim_take_random(guest->machine, guest->xen_pages, &guest->xen_page_count);

	if (page == last && guest->xen_page_count > 0) {
		page = sim_take_random(guest->machine, guest->xen_pages, &guest->xen_page_count);
		guest->xen_pages[guest->xen_page_count++] = last;
	}
	return page;
}

/* get_back - memory_lock is held. */
static int get_back(struct sim_guest *guest, uint64_t *frame)
{
	uint64_t slot = *frame - guest->first_frame;
	uint32_t page;

	if (!guest->options.pv && (slot >= guest->slot_count || !guest->slot_taken[slot] ||
				   guest->page_of_slot[slot] != SIM_NO_PAGE))
		return -EINVAL;
	if (guest->xen_page_count == 0)
		return -ENOMEM;
	page = take_page(guest, guest->options.pv ? SIM_NO_PAGE : guest->last_page_of_slot[slot]);
	if (guest->options.pv)
		slot = page;
	*frame = guest->first_frame + slot;
	guest->slot_taken[slot] = true;
	__atomic_store_n(&guest->page_references[page], 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&guest->page_of_slot[slot], page, __ATOMIC_SEQ_CST);
	sim_dirty_page(guest, page);
	return 0;
}

int sim_balloon_in(struct sim_guest *guest, uint32_t count, uint64_t *frames)
{
	int error = 0;

	pthread_mutex_lock(&guest->memory_lock);
	for (uint32_t i = 0; error == 0 && i < count; i++)
		error = get_back(guest, &frames[i]);
	pthread_mutex_unlock(&guest->memory_lock);
	return error;
}
