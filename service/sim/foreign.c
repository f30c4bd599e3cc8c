// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * foreign.c - the host's handle of foreign memory: frames mapped by number, as Linux's privcmd does it
 *
 * A frame's mapping keeps its page, as Xen's reference does: the guest may give the frame away, or end. A run of pages
 * is one mapping, and is unmapped whole, since privcmd can't split it.
 */
#include "sim/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Addresses that are reserved. */
struct range {
	struct range *next;
	char *start;
	size_t bytes;
	enum foreign_use use;
};

/* A run that is mapped. */
struct mapping {
	struct mapping *next;
	char *start;
	uint32_t count;
	struct sim_guest *guest; /* NULL if there was none: then each frame has an error */
	bool writable;
	bool counted;	  /* its pages have references: they are no grant table's */
	uint32_t pages[]; /* SIM_NO_PAGE where there is an error */
};

struct foreign {
	struct foreign *next;
	struct sim_machine *machine;
	pthread_mutex_t lock;
	int64_t restricted_to; /* a domain, or -1 */
	struct range *ranges;
	struct mapping *mappings;
};

/* ---- addresses ---- */

/* reserve_at - pages that fault; at `address` if that is not NULL. */
static void *reserve_at(void *address, size_t bytes)
{
	void *reserved = mmap(address, bytes, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (address ? MAP_FIXED : 0), -1, 0);

	return reserved == MAP_FAILED ? NULL : reserved;
}

static int foreign_reserve(struct foreign *foreign, uint32_t pages, enum foreign_use use, void **address)
{
	int error = sim_fault_check(foreign->machine, SIM_FOREIGN_RESERVE);
	struct range *range;

	if (error < 0)
		return error;
	range = pages > 0 ? malloc(sizeof(*range)) : NULL;
	if (!range)
		return pages > 0 ? -ENOMEM : -EINVAL;
	range->use = use;
	range->bytes = (size_t)pages * PAGE_BYTES;
	range->start = reserve_at(NULL, range->bytes);
	if (!range->start) {
		free(range);
		return -ENOMEM;
	}
	pthread_mutex_lock(&foreign->lock);
	range->next = foreign->ranges;
	foreign->ranges = range;
	pthread_mutex_unlock(&foreign->lock);
	*address = range->start;
	return 0;
}

static bool overlap(const char *start, size_t bytes, const char *other, size_t other_bytes)
{
	return start < other + other_bytes && other < start + bytes;
}

/* find_range - where all of these pages are reserved, or NULL. */
static const struct range *find_range(const struct foreign *foreign, const char *start, size_t bytes)
{
	const struct range *range = foreign->ranges;

	if (bytes == 0 || (uintptr_t)start % PAGE_BYTES)
		return NULL;
	while (range && (start < range->start || start + bytes > range->start + range->bytes))
		range = range->next;
	return range;
}

/* check_runs - do they lie in one reservation, and ascend? */
static bool check_runs(const struct foreign *foreign, const struct foreign_run *runs, uint32_t run_count)
{
	const struct range *range = NULL;
	const char *end = NULL;

	for (uint32_t i = 0; i < run_count; i++) {
		const char *start = runs[i].address;
		size_t bytes = (size_t)runs[i].pages * PAGE_BYTES;
		const struct range *found = find_range(foreign, start, bytes);

		if (!found || (range && found != range) || start < end)
			return false;
		range = found;
		end = start + bytes;
	}
	return run_count > 0;
}

/* check_place - may something be mapped there, and for what? The handle is locked. */
static int check_place(const struct foreign *foreign, const char *start, uint32_t count,
		       enum foreign_use *use)
{
	size_t bytes = (size_t)count * PAGE_BYTES;
	const struct range *range = find_range(foreign, start, bytes);

	if (!range)
		return -EINVAL;
	*use = range->use;
	for (const struct mapping *mapping = foreign->mappings; mapping; mapping = mapping->next)
		if (overlap(start, bytes, mapping->start, (size_t)mapping->count * PAGE_BYTES))
			return -EBUSY;
	return 0;
}

/* ---- map and unmap ---- */

/* begin - check the call. Returns a mapping of no pages yet, which has taken the reference to the guest, if any; or NULL
 * with *error. The handle is locked. */
static struct mapping *begin(struct foreign *foreign, uint16_t domid, struct sim_guest *guest,
			     const struct foreign_run *run, bool grant_table, int *error)
{
	enum foreign_use use = FOREIGN_READ;
	struct mapping *mapping = NULL;

	if (foreign->restricted_to >= 0 && foreign->restricted_to != domid)
		*error = -EPERM;
	else
		*error = check_place(foreign, run->address, run->pages, &use);
	if (*error == 0 && grant_table != (use == FOREIGN_GRANT_TABLE))
		*error = -EINVAL;
	if (*error == 0) {
		mapping = malloc(sizeof(*mapping) + run->pages * sizeof(mapping->pages[0]));
		*error = mapping ? 0 : -ENOMEM;
	}
	if (!mapping) {
		if (guest)
			sim_guest_drop(guest);
		return NULL;
	}
	*mapping = (struct mapping){.next = foreign->mappings,
				    .start = run->address,
				    .count = run->pages,
				    .guest = guest,
				    .writable = use == FOREIGN_WRITE};
	for (uint32_t i = 0; i < run->pages; i++)
		mapping->pages[i] = SIM_NO_PAGE;
	foreign->mappings = mapping;
	return mapping;
}

/* map_pages - put pages that lie one after the other in their places. */
static int map_pages(const struct mapping *mapping, uint32_t at, uint32_t first, uint32_t count)
{
	void *mapped = mmap(mapping->start + (size_t)at * PAGE_BYTES, (size_t)count * PAGE_BYTES,
			    PROT_READ | (mapping->writable ? PROT_WRITE : 0), MAP_SHARED | MAP_FIXED,
			    mapping->guest->memory_fd, (off_t)first * PAGE_BYTES);

	return mapped == MAP_FAILED ? -errno : 0;
}

/* keep_frame - find and keep a frame's page, with Xen's errors for a frame that the guest does not have (see forbid_others), and for
 * one of no guest. */
static int keep_frame(struct mapping *mapping, uint32_t at, uint64_t frame)
{
	uint32_t page;

	if (!mapping->guest)
		return -ESRCH;
	if (!sim_page_get(mapping->guest, frame, &page))
		return -EINVAL;
	mapping->pages[at] = page;
	return 0;
}

/* run_length - so many pages from here on lie one after the other. */
static uint32_t run_length(const struct mapping *mapping, uint32_t at)
{
	uint32_t length = 1;

	while (at + length < mapping->count && mapping->pages[at + length] == mapping->pages[at] + length)
		length++;
	return length;
}

/* map_run - those of the pages from here on that lie one after the other. Returns how many they are. */
static uint32_t map_run(struct mapping *mapping, uint32_t at, int *errors)
{
	uint32_t length = run_length(mapping, at);
	int error = map_pages(mapping, at, mapping->pages[at], length);

	for (uint32_t i = at; error < 0 && i < at + length; i++) {
		errors[i] = error;
		sim_page_put(mapping->guest, mapping->pages[i]);
		mapping->pages[i] = SIM_NO_PAGE;
	}
	return length;
}

/* map_frames - of the call's frames those from `most` on have an error. */
static void map_frames(struct mapping *mapping, const uint64_t *frames, uint32_t most, int rest_error,
		       int *errors)
{
	for (uint32_t i = 0; i < mapping->count; i++)
		errors[i] = i < most ? keep_frame(mapping, i, frames[i]) : rest_error;
	for (uint32_t i = 0; i < mapping->count;)
		i += mapping->pages[i] == SIM_NO_PAGE ? 1 : map_run(mapping, i, errors);
}

/* unmap - the handle is locked. */
static void unmap(struct foreign *foreign, struct mapping *mapping)
{
	struct mapping **link = &foreign->mappings;

	while (*link != mapping)
		link = &(*link)->next;
	*link = mapping->next;
	if (!reserve_at(mapping->start, (size_t)mapping->count * PAGE_BYTES))
		abort();
	for (uint32_t i = 0; mapping->counted && i < mapping->count; i++)
		if (mapping->pages[i] != SIM_NO_PAGE)
			sim_page_put(mapping->guest, mapping->pages[i]);
	if (mapping->guest)
		sim_guest_drop(mapping->guest);
	free(mapping);
}

/* begin_runs - a mapping of no pages yet for each run, which takes a reference to the guest, if there is one; or an error
 * and none. The handle is locked. */
static int begin_runs(struct foreign *foreign, uint16_t domid, struct sim_guest *guest,
		      const struct foreign_run *runs, uint32_t run_count)
{
	bool other = foreign->restricted_to >= 0 && foreign->restricted_to != domid;
	int error = other || check_runs(foreign, runs, run_count) ? 0 : -EINVAL;
	uint32_t begun = 0;

	while (error == 0 && begun < run_count) {
		struct mapping *mapping;

		if (guest)
			sim_guest_reference(guest);
		mapping = begin(foreign, domid, guest, &runs[begun], false, &error);
		if (!mapping)
			break;
		mapping->counted = true;
		begun++;
	}
	while (error < 0 && begun-- > 0)
		unmap(foreign, foreign->mappings);
	return error;
}

static uint32_t pages_of(const struct foreign_run *runs, uint32_t run_count)
{
	uint32_t pages = 0;

	for (uint32_t i = 0; i < run_count; i++)
		pages += runs[i].pages;
	return pages;
}

static struct mapping *find_mapping(const struct foreign *foreign, const struct foreign_run *run)
{
	struct mapping *mapping = foreign->mappings;

	while (mapping && mapping->start != run->address)
		mapping = mapping->next;
	return mapping && mapping->count == run->pages ? mapping : NULL;
}

/* forbid_others - a PV guest's frames are the machine's: those that another one has get an error of their own. */
static void forbid_others(const struct sim_guest *guest, const uint64_t *frames, uint32_t count, int *errors)
{
	struct sim_machine *machine = guest->machine;
	uint32_t first = 0;

	while (first < count && errors[first] != -EINVAL)
		first++;
	if (first == count)
		return;
	pthread_mutex_lock(&machine->lock);
	for (uint32_t domid = 1; domid <= SIM_DOMID_MAX; domid++) {
		const struct sim_guest *other = machine->guests[domid];

		if (!other || other == guest || !other->options.pv)
			continue;
		for (uint32_t i = first; i < count; i++)
			if (errors[i] == -EINVAL && sim_page_find(other, frames[i]) != SIM_NO_PAGE)
				errors[i] = -EPERM;
	}
	pthread_mutex_unlock(&machine->lock);
}

static int foreign_map(struct foreign *foreign, uint16_t domid, const struct foreign_run *runs,
		       uint32_t run_count, const uint64_t *frames, int *errors)
{
	uint32_t count = pages_of(runs, run_count), most = count;
	int error, fault = sim_fault_part(foreign->machine, SIM_FOREIGN_MAP, &most);
	struct sim_guest *guest;

	if (fault < 0 && most == count)
		return fault;
	guest = sim_guest_hold(foreign->machine, domid);
	pthread_mutex_lock(&foreign->lock);
	error = begin_runs(foreign, domid, guest, runs, run_count);
	for (uint32_t i = 0, done = 0; error == 0 && i < run_count; done += runs[i++].pages)
		map_frames(find_mapping(foreign, &runs[i]), frames + done, most > done ? most - done : 0,
			   fault < 0 ? fault : -ENOMEM, errors + done);
	pthread_mutex_unlock(&foreign->lock);
	if (guest && guest->options.pv && error == 0)
		forbid_others(guest, frames, most, errors);
	if (guest)
		sim_guest_drop(guest);
	return error;
}

static int foreign_map_grant_frames(struct foreign *foreign, uint16_t domid, void *address,
				    enum grant_frames which, uint32_t first, uint32_t count)
{
	int error = sim_fault_check(foreign->machine, SIM_FOREIGN_MAP_GRANT_FRAMES);
	struct sim_guest *guest;
	struct mapping *mapping;

	if (error < 0)
		return error;
	guest = sim_guest_hold(foreign->machine, domid);
	pthread_mutex_lock(&foreign->lock);
	mapping = begin(foreign, domid, guest, &(struct foreign_run){address, count}, true, &error);
	if (mapping && !guest)
		error = -ESRCH;
	for (uint32_t i = 0; mapping && error == 0 && i < count; i++) {
		uint32_t page = sim_grant_frame_page(mapping->guest, which, first + i);

		error = page == SIM_NO_PAGE ? -EINVAL : map_pages(mapping, i, page, 1);
	}
	if (mapping && error < 0)
		unmap(foreign, mapping);
	pthread_mutex_unlock(&foreign->lock);
	return error;
}

static int foreign_unmap(struct foreign *foreign, const struct foreign_run *runs, uint32_t run_count)
{
	int error = sim_fault_check(foreign->machine, SIM_FOREIGN_UNMAP);

	if (error < 0)
		return error;
	pthread_mutex_lock(&foreign->lock);
	if (!check_runs(foreign, runs, run_count))
		error = -EINVAL;
	for (uint32_t i = 0; error == 0 && i < run_count; i++)
		if (!find_mapping(foreign, &runs[i]))
			error = -EINVAL;
	for (uint32_t i = 0; error == 0 && i < run_count; i++)
		unmap(foreign, find_mapping(foreign, &runs[i]));
	pthread_mutex_unlock(&foreign->lock);
	return error;
}

/* release - what is mapped there is unmapped. The handle is locked. */
static void release(struct foreign *foreign, struct range *range)
{
	struct range **link = &foreign->ranges;

	for (struct mapping *mapping = foreign->mappings, *next; mapping; mapping = next) {
		next = mapping->next;
		if (overlap(range->start, range->bytes, mapping->start, PAGE_BYTES))
			unmap(foreign, mapping);
	}
	while (*link != range)
		link = &(*link)->next;
	*link = range->next;
	munmap(range->start, range->bytes);
	free(range);
}

static int foreign_release(struct foreign *foreign, void *address, uint32_t pages)
{
	int error = sim_fault_check(foreign->machine, SIM_FOREIGN_RELEASE);
	struct range *range;

	if (error < 0)
		return error;
	pthread_mutex_lock(&foreign->lock);
	range = foreign->ranges;
	while (range && range->start != address)
		range = range->next;
	if (!range || range->bytes != (size_t)pages * PAGE_BYTES)
		error = -EINVAL;
	else
		release(foreign, range);
	pthread_mutex_unlock(&foreign->lock);
	return error;
}

/* ---- the handle ---- */

static int foreign_open(const struct platform *platform, struct foreign **foreign)
{
	struct sim_machine *machine = platform->context;
	int error = sim_fault_check(machine, SIM_FOREIGN_OPEN);
	struct foreign *opened;

	if (error < 0)
		return error;
	opened = calloc(1, sizeof(*opened));
	if (!opened)
		return -ENOMEM;
	opened->machine = machine;
	opened->restricted_to = -1;
	pthread_mutex_init(&opened->lock, NULL);
	pthread_mutex_lock(&machine->lock);
	opened->next = machine->foreign;
	machine->foreign = opened;
	pthread_mutex_unlock(&machine->lock);
	*foreign = opened;
	return 0;
}

static void foreign_close(struct foreign *foreign)
{
	struct sim_machine *machine = foreign->machine;
	struct foreign **link = &machine->foreign;

	pthread_mutex_lock(&foreign->lock);
	while (foreign->ranges)
		release(foreign, foreign->ranges);
	pthread_mutex_unlock(&foreign->lock);
	pthread_mutex_lock(&machine->lock);
	while (*link != foreign)
		link = &(*link)->next;
	*link = foreign->next;
	pthread_mutex_unlock(&machine->lock);
	pthread_mutex_destroy(&foreign->lock);
	free(foreign);
}

static const char *foreign_way(struct foreign *foreign, const char **reason)
{
	(void)foreign;
	*reason = "the guest is simulated";
	return "sim";
}

/* Linux: to another domain than the first is -EINVAL. */
static int foreign_restrict(struct foreign *foreign, uint16_t domid)
{
	int error = sim_fault_check(foreign->machine, SIM_FOREIGN_RESTRICT);

	if (error < 0)
		return error;
	pthread_mutex_lock(&foreign->lock);
	if (foreign->restricted_to >= 0 && foreign->restricted_to != domid)
		error = -EINVAL;
	else
		foreign->restricted_to = domid;
	pthread_mutex_unlock(&foreign->lock);
	return error;
}

/* writes - does this handle have the page mapped writable? The handle is locked. */
static bool writes(const struct foreign *foreign, const struct sim_guest *guest, uint32_t page)
{
	for (const struct mapping *mapping = foreign->mappings; mapping; mapping = mapping->next)
		for (uint32_t i = 0; mapping->guest == guest && mapping->writable && i < mapping->count; i++)
			if (mapping->pages[i] == page)
				return true;
	return false;
}

bool sim_foreign_writes(struct sim_guest *guest, uint32_t page)
{
	struct sim_machine *machine = guest->machine;
	bool found = false;

	pthread_mutex_lock(&machine->lock);
	for (struct foreign *foreign = machine->foreign; foreign && !found; foreign = foreign->next) {
		pthread_mutex_lock(&foreign->lock);
		found = writes(foreign, guest, page);
		pthread_mutex_unlock(&foreign->lock);
	}
	pthread_mutex_unlock(&machine->lock);
	return found;
}

void sim_foreign_platform(struct platform *platform)
{
	platform->foreign_open = foreign_open;
	platform->foreign_close = foreign_close;
	platform->foreign_way = foreign_way;
	platform->foreign_restrict = foreign_restrict;
	platform->foreign_reserve = foreign_reserve;
	platform->foreign_release = foreign_release;
	platform->foreign_map = foreign_map;
	platform->foreign_unmap = foreign_unmap;
	platform->foreign_map_grant_frames = foreign_map_grant_frames;
}
