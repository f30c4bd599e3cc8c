// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * grants.c - the host's handle of grants: map and unmap, as Linux's gntdev does it through libxengnttab
 *
 * Theory of operation: a handle has a record for each grant that is mapped through it, Xen's maptrack. The
 * records of one call are a chain, and the first is the mapping's identity. In most cases the addresses are
 * places in the host's permanent views of the guest's memory, so mapping and unmapping are some checks and
 * counters. A guest that is `strict`, and a list that must be consecutive, get addresses of their own.
 *
 * Errors: gntdev makes -EINVAL of whatever Xen has against one of the grants (no such domain or gref, no
 * permission, no record left), and maps all of a list or nothing. A wrong mapping or count is -EINVAL, too:
 * libxengnttab compares the count with what GET_OFFSET_FOR_VADDR says.
 */
#include "sim/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define LIST_MAX 65536u /* gntdev's limit of one call */

/* A grant that is mapped. */
struct record {
	uint32_t next; /* of the same call, or of the free ones; index + 1, 0 ends */
	uint32_t gref;
	uint32_t page;
	bool writable;
	bool first; /* and in use */
	/* The rest is the first record's. */
	uint32_t count;
	struct sim_guest *guest;
	void *own_addresses; /* NULL: those of the permanent views */
};

struct grants {
	struct grants *next;
	struct sim_machine *machine;
	struct sim_lock lock;
	uint32_t free; /* a chain of records */
	uint32_t free_count;
	uint32_t fresh; /* records from here on were never used */
	struct record *records;
};

static struct record *record_at(struct grants *grants, uint32_t link)
{
	return &grants->records[link - 1];
}

/* ---- records ---- */

/* take_records - a chain of `count`; 0 if there are not so many. The handle is locked. */
static uint32_t take_records(struct grants *grants, uint32_t count)
{
	uint32_t chain = 0;

	if (SIM_MAPTRACK_MAX - grants->fresh + grants->free_count < count)
		return 0;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t taken = grants->free;

		if (taken) {
			grants->free = record_at(grants, taken)->next;
			grants->free_count--;
		} else {
			taken = ++grants->fresh;
		}
		record_at(grants, taken)->next = chain;
		chain = taken;
	}
	return chain;
}

/* give_records - the way back. The handle is locked. */
static void give_records(struct grants *grants, uint32_t chain, uint32_t count)
{
	grants->free_count += count;
	while (chain) {
		struct record *record = record_at(grants, chain);
		uint32_t next = record->next;

		record->next = grants->free;
		grants->free = chain;
		chain = next;
	}
}

/* ---- map ---- */

/* begin - records for a list and a reference to the guest. Returns the chain, or 0. */
static uint32_t begin(struct grants *grants, uint16_t domid, uint32_t count)
{
	struct sim_guest *guest;
	uint32_t chain = 0;

	sim_lock(&grants->lock);
	guest = sim_guest_find(grants->machine, domid);
	if (guest)
		chain = take_records(grants, count);
	if (chain) {
		sim_guest_reference(guest);
		record_at(grants, chain)->guest = guest;
		record_at(grants, chain)->count = count;
		record_at(grants, chain)->own_addresses = NULL;
	}
	sim_unlock(&grants->lock);
	return chain;
}

/* end - of the chain's grants the first `used` are in use; then nothing of it is left. */
static void end(struct grants *grants, uint32_t chain, uint32_t used)
{
	struct record *first = record_at(grants, chain);
	struct sim_guest *guest = first->guest;
	uint32_t link = chain;

	for (uint32_t i = 0; i < used; i++) {
		struct record *record = record_at(grants, link);

		sim_grant_use_end(guest, record->gref, record->writable);
		link = record->next;
	}
	sim_lock(&grants->lock);
	give_records(grants, chain, first->count);
	sim_unlock(&grants->lock);
	sim_guest_drop(guest);
}

/* place - say where the pages are. */
static int place(struct grants *grants, uint32_t chain, bool consecutive, void **pages)
{
	struct record *first = record_at(grants, chain);
	uint32_t link = chain;

	if (first->guest->options.strict || (consecutive && first->count > 1)) {
		uint32_t *numbers = malloc(first->count * sizeof(numbers[0]));

		if (!numbers)
			return -ENOMEM;
		for (uint32_t i = 0; link; link = record_at(grants, link)->next)
			numbers[i++] = record_at(grants, link)->page;
		first->own_addresses = sim_page_map(first->guest, numbers, first->count, first->writable);
		free(numbers);
		if (!first->own_addresses)
			return -errno;
		for (uint32_t i = 0; i < first->count; i++)
			pages[i] = (char *)first->own_addresses + (size_t)i * PAGE_BYTES;
		return 0;
	}
	for (uint32_t i = 0; link; link = record_at(grants, link)->next)
		pages[i++] = sim_page_host(first->guest, record_at(grants, link)->page, first->writable);
	return 0;
}

static int sim_grants_map(struct grants *grants, uint16_t domid, const uint32_t *grefs, uint32_t count,
			  bool writable, bool consecutive, void **pages, void **mapping)
{
	uint32_t chain, link, used;
	struct record *first;
	int error = sim_faulty(grants->machine) ? sim_fault_check(grants->machine, SIM_GRANTS_MAP) : 0;

	if (error < 0)
		return error;
	if (count < 1 || count > LIST_MAX)
		return -EINVAL;
	chain = begin(grants, domid, count);
	if (!chain)
		return -EINVAL;
	first = record_at(grants, chain);
	for (used = 0, link = chain; used < count; used++) {
		struct sim_use use = {.gref = grefs[used], .domid = SIM_HOST_DOMID, .writable = writable};
		struct record *record = record_at(grants, link);
		struct sim_found found;

		if (sim_grant_use(first->guest, &use, &found) != GRANT_STATUS_OKAY) {
			end(grants, chain, used);
			return -EINVAL;
		}
		record->gref = grefs[used];
		record->writable = writable;
		record->page = found.page;
		link = record->next;
	}
	error = place(grants, chain, consecutive, pages);
	if (error < 0) {
		end(grants, chain, used);
		return error;
	}
	first->first = true;
	*mapping = first;
	return 0;
}

/* ---- unmap ---- */

static void unmap(struct grants *grants, struct record *first)
{
	first->first = false;
	if (first->own_addresses)
		munmap(first->own_addresses, (size_t)first->count * PAGE_BYTES);
	end(grants, (uint32_t)(first - grants->records) + 1, first->count);
}

static int sim_grants_unmap(struct grants *grants, void *mapping, uint32_t count)
{
	int error = sim_faulty(grants->machine) ? sim_fault_check(grants->machine, SIM_GRANTS_UNMAP) : 0;
	struct record *first = mapping;

	if (error < 0)
		return error;
	if (first < grants->records || first >= grants->records + SIM_MAPTRACK_MAX || !first->first ||
	    first->count != count)
		return -EINVAL;
	unmap(grants, first);
	return 0;
}

/* ---- the handle ---- */

static int sim_grants_open(const struct platform *platform, struct grants **grants)
{
	int error = sim_fault_check(platform->context, SIM_GRANTS_OPEN);
	struct grants *opened;

	if (error < 0)
		return error;
	opened = calloc(1, sizeof(*opened));
	if (!opened)
		return -ENOMEM;
	opened->machine = platform->context;
	/* Its pages are touched when they are used first. */
	opened->records = calloc(SIM_MAPTRACK_MAX, sizeof(opened->records[0]));
	if (!opened->records) {
		free(opened);
		return -ENOMEM;
	}
	pthread_mutex_lock(&opened->machine->lock);
	opened->next = opened->machine->grants;
	opened->machine->grants = opened;
	pthread_mutex_unlock(&opened->machine->lock);
	*grants = opened;
	return 0;
}

/* Whatever is still mapped is unmapped, as when a process ends. */
static void sim_grants_close(struct grants *grants)
{
	struct sim_machine *machine = grants->machine;
	struct grants **link = &machine->grants;

	for (uint32_t i = 0; i < grants->fresh; i++)
		if (grants->records[i].first)
			unmap(grants, &grants->records[i]);
	pthread_mutex_lock(&machine->lock);
	while (*link != grants)
		link = &(*link)->next;
	*link = grants->next;
	pthread_mutex_unlock(&machine->lock);
	free(grants->records);
	free(grants);
}

struct sim_machine *sim_grants_machine(struct grants *grants)
{
	return grants->machine;
}

struct sim_guest *sim_grants_guest(struct grants *grants, uint16_t domid)
{
	struct sim_guest *guest;

	sim_lock(&grants->lock);
	guest = sim_guest_find(grants->machine, domid);
	if (guest)
		sim_guest_reference(guest);
	sim_unlock(&grants->lock);
	return guest;
}

void sim_grants_quiesce(struct sim_machine *machine)
{
	for (struct grants *grants = machine->grants; grants; grants = grants->next) {
		sim_lock(&grants->lock);
		sim_unlock(&grants->lock);
	}
}

void sim_grants_platform(struct platform *platform)
{
	platform->grants_open = sim_grants_open;
	platform->grants_close = sim_grants_close;
	platform->grants_map = sim_grants_map;
	platform->grants_unmap = sim_grants_unmap;
	platform->grants_copy = sim_grants_copy;
}
