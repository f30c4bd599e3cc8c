// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * memory.c - a guest's memory: pages of a memfd, and the frame numbers under which the guest knows them
 *
 * Theory of operation: the memfd holds twice the guest's pages, so that a frame that was given to Xen can come
 * back as another page. It is mapped whole three times: as the guest sees it, as the host may read it, as the
 * host may write it. A page that nobody has is punched out of the memfd, so it costs nothing and comes back as
 * zeroes, as Xen's does.
 */
#include "sim/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES_MAX (1u << 26) /* 256 GiB; a place in the memfd stays far from 32 bits */
#define FIRST_FRAME 256	     /* of a guest that is not PV: no memory below 1 MiB */
#define RUN_PAGES 32	     /* see struct sim_guest_options */

/* ---- beginning and end ---- */

uint32_t sim_take_random(struct sim_machine *machine, uint32_t *numbers, uint32_t *count)
{
	uint32_t at = (uint32_t)(sim_random(machine) % *count), number = numbers[at];

	numbers[at] = numbers[--*count];
	return number;
}

/* map_views - the three views of the memfd. */
static int map_views(struct sim_guest *guest)
{
	char *views[3] = {0};

	for (int i = 0; i < 3; i++) {
		views[i] = mmap(NULL, guest->bytes, i == 1 ? PROT_READ : PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_NORESERVE, guest->memory_fd, 0);
		if (views[i] == MAP_FAILED) {
			int error = -errno;

			while (--i >= 0)
				munmap(views[i], guest->bytes);
			return error;
		}
	}
	guest->view = views[0];
	guest->host_view[false] = views[1];
	guest->host_view[true] = views[2];
	return 0;
}

static int allocate_lists(struct sim_guest *guest)
{
	guest->page_of_slot = calloc(guest->slot_count, sizeof(guest->page_of_slot[0]));
	guest->last_page_of_slot = calloc(guest->slot_count, sizeof(guest->last_page_of_slot[0]));
	guest->free_slots = calloc(guest->slot_count, sizeof(guest->free_slots[0]));
	guest->slot_taken = calloc(guest->slot_count, sizeof(guest->slot_taken[0]));
	guest->page_references = calloc(guest->page_count, sizeof(guest->page_references[0]));
	guest->xen_pages = calloc(guest->page_count, sizeof(guest->xen_pages[0]));
	if (!guest->page_of_slot || !guest->last_page_of_slot || !guest->free_slots || !guest->slot_taken ||
	    !guest->page_references || !guest->xen_pages)
		return -ENOMEM;
	return 0;
}

static void free_lists(struct sim_guest *guest)
{
	free(guest->page_of_slot);
	free(guest->last_page_of_slot);
	free(guest->free_slots);
	free(guest->slot_taken);
	free(guest->page_references);
	free(guest->xen_pages);
}

/* give_page - to the guest's `at`-th slot; beyond them it is Xen's. */
static void give_page(struct sim_guest *guest, uint32_t at, uint32_t page)
{
	uint32_t slot = guest->options.pv ? page : at;

	if (at >= guest->options.pages) {
		guest->xen_pages[guest->xen_page_count++] = page;
		return;
	}
	guest->page_of_slot[slot] = page;
	guest->page_references[page] = 1;
	guest->free_slots[guest->free_slot_count++] = slot;
}

/* begin_runs - cut the guest's slots, and what is Xen's beyond them, into runs by chance: `starts` gets where each begins,
 * `begins` says it of each place. Returns how many there are. */
static uint32_t begin_runs(const struct sim_guest *guest, uint32_t *starts, bool *begins)
{
	uint32_t most = guest->options.run_pages ? guest->options.run_pages : RUN_PAGES, count = 0;

	for (uint32_t at = 0, end; at < guest->page_count; at = end) {
		end = at + 1 + (uint32_t)(sim_random(guest->machine) % most);
		if (at < guest->options.pages && end > guest->options.pages)
			end = guest->options.pages;
		starts[count++] = at;
		begins[at] = true;
	}
	return count;
}

/* scatter - give the guest's slots pages by chance: the runs lie in the memfd in any order. */
static int scatter(struct sim_guest *guest)
{
	uint32_t *starts = calloc(guest->page_count, sizeof(starts[0])), count, page = 0;
	bool *begins = calloc(guest->page_count, sizeof(begins[0]));

	if (!starts || !begins) {
		free(starts);
		free(begins);
		return -ENOMEM;
	}
	for (uint32_t slot = 0; slot < guest->slot_count; slot++)
		guest->page_of_slot[slot] = SIM_NO_PAGE;
	count = begin_runs(guest, starts, begins);
	while (count > 0) {
		uint32_t at = sim_take_random(guest->machine, starts, &count);

		do
			give_page(guest, at, page++);
		while (++at < guest->page_count && !begins[at]);
	}
	free(starts);
	free(begins);
	return 0;
}

static uint64_t choose_first_frame(struct sim_guest *guest)
{
	struct sim_machine *machine = guest->machine;
	uint64_t gap = sim_random(machine) % 0x10000;

	if (!guest->options.pv)
		return FIRST_FRAME;
	return __atomic_fetch_add(&machine->next_machine_frame, guest->page_count + gap, __ATOMIC_RELAXED) +
	       gap;
}

int sim_memory_init(struct sim_guest *guest)
{
	int error;

	if (guest->options.pages > PAGES_MAX)
		return -EINVAL;
	guest->page_count = guest->options.pages * 2;
	guest->slot_count = guest->options.pv ? guest->page_count : guest->options.pages;
	guest->table_page = guest->page_count;
	guest->bytes = ((uint64_t)guest->page_count + SIM_GRANT_FRAMES_MAX + SIM_STATUS_FRAMES_MAX) *
		       PAGE_BYTES;
	guest->memory_fd = memfd_create("guest", MFD_CLOEXEC);
	if (guest->memory_fd < 0)
		return -errno;
	error = ftruncate(guest->memory_fd, (off_t)guest->bytes) == 0 ? 0 : -errno;
	if (error == 0)
		error = allocate_lists(guest);
	if (error == 0)
		error = scatter(guest);
	if (error == 0)
		error = map_views(guest);
	if (error < 0) {
		free_lists(guest);
		close(guest->memory_fd);
		return error;
	}
	guest->first_frame = choose_first_frame(guest);
	pthread_mutex_init(&guest->memory_lock, NULL);
	return 0;
}

void sim_memory_destroy(struct sim_guest *guest)
{
	munmap(guest->view, guest->bytes);
	munmap(guest->host_view[false], guest->bytes);
	munmap(guest->host_view[true], guest->bytes);
	free_lists(guest);
	close(guest->memory_fd);
	pthread_mutex_destroy(&guest->memory_lock);
}

/* ---- frames and pages ---- */

uint32_t sim_page_find(const struct sim_guest *guest, uint64_t frame)
{
	uint64_t slot = frame - guest->first_frame;

	if (slot >= guest->slot_count)
		return SIM_NO_PAGE;
	return __atomic_load_n(&guest->page_of_slot[slot], __ATOMIC_SEQ_CST);
}

/* keep_page - one reference more, unless there is none: then the page is nobody's. */
static bool keep_page(struct sim_guest *guest, uint32_t page)
{
	uint32_t *references = &guest->page_references[page];
	uint32_t count = __atomic_load_n(references, __ATOMIC_RELAXED);

	while (count > 0)
		if (__atomic_compare_exchange_n(references, &count, count + 1, true, __ATOMIC_SEQ_CST,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

bool sim_page_get(struct sim_guest *guest, uint64_t frame, uint32_t *page)
{
	for (;;) {
		uint32_t found = sim_page_find(guest, frame);

		if (found == SIM_NO_PAGE)
			return false;
		if (!keep_page(guest, found))
			continue;
		*page = found;
		if (sim_page_find(guest, frame) == found)
			return true;
		/* It was ballooned away in between. */
		sim_page_put(guest, found);
	}
}

void sim_page_put(struct sim_guest *guest, uint32_t page)
{
	if (__atomic_fetch_sub(&guest->page_references[page], 1, __ATOMIC_SEQ_CST) > 1)
		return;
	if (fallocate(guest->memory_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)page * PAGE_BYTES,
		      PAGE_BYTES) < 0)
		abort();
	pthread_mutex_lock(&guest->memory_lock);
	guest->xen_pages[guest->xen_page_count++] = page;
	pthread_mutex_unlock(&guest->memory_lock);
}

void *sim_page_map(struct sim_guest *guest, const uint32_t *pages, uint32_t count, bool writable)
{
	int protection = PROT_READ | (writable ? PROT_WRITE : 0);
	size_t bytes = (size_t)count * PAGE_BYTES;
	char *start = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (start == MAP_FAILED)
		return NULL;
	for (uint32_t i = 0; i < count; i++) {
		if (mmap(start + (size_t)i * PAGE_BYTES, PAGE_BYTES, protection, MAP_SHARED | MAP_FIXED,
			 guest->memory_fd, (off_t)pages[i] * PAGE_BYTES) == MAP_FAILED) {
			int error = errno;

			munmap(start, bytes);
			errno = error;
			return NULL;
		}
	}
	return start;
}

/* ---- the guest's side ---- */

void *sim_page(struct sim_guest *guest, uint64_t frame)
{
	uint32_t page = sim_page_find(guest, frame);

	return page == SIM_NO_PAGE ? NULL : guest->view + (size_t)page * PAGE_BYTES;
}

static bool are_neighbours(const struct sim_guest *guest, uint32_t slot, uint32_t other)
{
	uint32_t page = guest->page_of_slot[slot], other_page = guest->page_of_slot[other];

	return slot + 1 == other || other + 1 == slot || page + 1 == other_page || other_page + 1 == page;
}

/* take_slot - a free slot by chance, and, if that can be had with some tries, not beside the last one. */
static uint32_t take_slot(struct sim_guest *guest, uint32_t last)
{
	uint32_t slot = sim_take_random(guest->machine, guest->free_slots, &guest->free_slot_count);

	for (int tries = 0; tries < 8 && last != SIM_NO_PAGE && guest->free_slot_count > 0 &&
			    are_neighbours(guest, slot, last);
	     tries++) {
		uint32_t other = sim_take_random(guest->machine, guest->free_slots, &guest->free_slot_count);

		guest->free_slots[guest->free_slot_count++] = slot;
		slot = other;
	}
	return slot;
}

int sim_pages_take(struct sim_guest *guest, uint32_t count, uint64_t *frames)
{
	uint32_t slot = SIM_NO_PAGE;
	int error = 0;

	pthread_mutex_lock(&guest->memory_lock);
	if (guest->free_slot_count < count)
		error = -ENOMEM;
	for (uint32_t i = 0; error == 0 && i < count; i++) {
		slot = take_slot(guest, slot);
		guest->slot_taken[slot] = true;
		frames[i] = guest->first_frame + slot;
	}
	pthread_mutex_unlock(&guest->memory_lock);
	return error;
}

void sim_pages_give_back(struct sim_guest *guest, uint32_t count, const uint64_t *frames)
{
	pthread_mutex_lock(&guest->memory_lock);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t slot = frames[i] - guest->first_frame;

		assert(slot < guest->slot_count && guest->slot_taken[slot]);
		assert(guest->page_of_slot[slot] != SIM_NO_PAGE);
		guest->slot_taken[slot] = false;
		guest->free_slots[guest->free_slot_count++] = (uint32_t)slot;
	}
	pthread_mutex_unlock(&guest->memory_lock);
}

int sim_page_use_as_table(struct sim_guest *guest, uint64_t frame)
{
	uint32_t page = sim_page_find(guest, frame);

	if (page == SIM_NO_PAGE || !guest->options.pv)
		return -EINVAL;
	return sim_grants_write(guest, page) || sim_foreign_writes(guest, page) ? -EBUSY : 0;
}
