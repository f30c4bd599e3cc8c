// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xen_foreign.c - foreign memory: the handle, what is reserved and mapped
 *
 * This does not go by libxenforeignmemory, which unmaps by munmap(): that leaves a hole among the reserved addresses,
 * and if another thread's mmap() gets there first, its memory is what we would map over next. Here one mapping
 * replaces the other in one step, and nobody sees a hole.
 */
#include "platform/xen_foreign.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "xvhost/remap.h"

#define PRIVCMD_PATH "/dev/xen/privcmd"

/* ---- the books; the handle is locked ---- */

/* find_range - where these pages are reserved, all of them; or NULL. */
static struct foreign_range *find_range(const struct foreign *foreign, const struct foreign_run *run)
{
	const char *start = run->address;
	struct foreign_range *range = foreign->ranges;

	if (run->pages == 0 || (uintptr_t)start % PAGE_BYTES)
		return NULL;
	while (range && (start < range->start ||
			 start + run_bytes(run) > range->start + (size_t)range->pages * PAGE_BYTES))
		range = range->next;
	return range;
}

static uint32_t first_page(const struct foreign_range *range, const struct foreign_run *run)
{
	return (uint32_t)((size_t)((char *)run->address - range->start) / PAGE_BYTES);
}

/* check_runs - do these runs lie in one reservation, and ascend? Returns it, or NULL. */
static struct foreign_range *check_runs(const struct foreign *foreign, const struct foreign_run *runs,
					uint32_t run_count)
{
	struct foreign_range *range = run_count > 0 ? find_range(foreign, &runs[0]) : NULL;

	for (uint32_t i = 1; range && i < run_count; i++) {
		const char *end = (const char *)runs[i - 1].address + run_bytes(&runs[i - 1]);

		if (find_range(foreign, &runs[i]) != range || (const char *)runs[i].address < end)
			return NULL;
	}
	return range;
}

static bool is_free(const struct foreign_range *range, const struct foreign_run *run)
{
	uint32_t first = first_page(range, run);

	for (uint32_t page = 0; page < run->pages; page++)
		if (range->run_of[first + page])
			return false;
	return true;
}

/* is_mapped - is just this run mapped, no more and no less? */
static bool is_mapped(const struct foreign_range *range, const struct foreign_run *run)
{
	uint32_t first = first_page(range, run), end = first + run->pages;

	return range->run_of[first] == first + 1 && range->run_of[end - 1] == first + 1 &&
	       (end == range->pages || range->run_of[end] != first + 1);
}

static void note_mapped(struct foreign_range *range, const struct foreign_run *run, bool mapped)
{
	uint32_t first = first_page(range, run);

	for (uint32_t page = 0; page < run->pages; page++)
		range->run_of[first + page] = mapped ? first + 1 : 0;
}

/* check_map - may this domain's memory be mapped there? */
static int check_map(const struct foreign *foreign, uint16_t domid, const struct foreign_run *runs,
		     uint32_t run_count, bool grant_table, struct foreign_range **range)
{
	if (foreign->restricted_to >= 0 && foreign->restricted_to != domid)
		return -EPERM;
	*range = check_runs(foreign, runs, run_count);
	if (!*range)
		return -EINVAL;
	for (uint32_t i = 0; i < run_count; i++)
		if (!is_free(*range, &runs[i]))
			return -EBUSY;
	return grant_table == ((*range)->use == FOREIGN_GRANT_TABLE) ? 0 : -EINVAL;
}

/* ---- reserve and release ---- */

int xen_foreign_reserve(struct foreign *foreign, uint32_t pages, enum foreign_use use, void **address)
{
	struct foreign_range *range;

	if (pages == 0)
		return -EINVAL;
	range = calloc(1, sizeof(*range) + pages * sizeof(range->run_of[0]));
	if (!range)
		return -ENOMEM;
	range->pages = pages;
	range->use = use;
	if (use == FOREIGN_GRANT_TABLE)
		range->start = foreign_privcmd_reserve(foreign, (size_t)pages * PAGE_BYTES, use);
	else
		range->start = foreign->way->reserve(foreign, (size_t)pages * PAGE_BYTES, use);
	if (!range->start) {
		int error = error_number();

		free(range);
		return error;
	}
	pthread_mutex_lock(&foreign->lock);
	range->next = foreign->ranges;
	foreign->ranges = range;
	pthread_mutex_unlock(&foreign->lock);
	*address = range->start;
	return 0;
}

/* unmap - what the books say. The handle is locked. */
static int unmap(struct foreign *foreign, const struct foreign_range *range, const struct foreign_run *runs,
		 uint32_t run_count)
{
	if (range->use == FOREIGN_GRANT_TABLE)
		return foreign_privcmd_unmap(foreign, runs, run_count);
	return foreign->way->unmap(foreign, runs, run_count);
}

/* release - first what is mapped there goes, in the fast way; if that fails munmap() does it. The handle is locked. */
static void release(struct foreign *foreign, struct foreign_range *range)
{
	struct foreign_range **link = &foreign->ranges;

	for (uint32_t page = 0, end; page < range->pages; page = end) {
		struct foreign_run run = {.address = range->start + (size_t)page * PAGE_BYTES};

		for (end = page + 1; end < range->pages && range->run_of[end] == range->run_of[page];)
			end++;
		run.pages = end - page;
		if (range->run_of[page])
			unmap(foreign, range, &run, 1);
	}
	while (*link != range)
		link = &(*link)->next;
	*link = range->next;
	munmap(range->start, (size_t)range->pages * PAGE_BYTES);
	free(range);
}

int xen_foreign_release(struct foreign *foreign, void *address, uint32_t pages)
{
	struct foreign_range *range;
	int error = 0;

	pthread_mutex_lock(&foreign->lock);
	range = foreign->ranges;
	while (range && range->start != address)
		range = range->next;
	if (!range || range->pages != pages)
		error = -EINVAL;
	else
		release(foreign, range);
	pthread_mutex_unlock(&foreign->lock);
	return error;
}

/* ---- map and unmap ---- */

int xen_foreign_map(struct foreign *foreign, uint16_t domid, const struct foreign_run *runs,
		    uint32_t run_count, const uint64_t *frames, int *errors)
{
	struct foreign_range *range;
	int error;

	pthread_mutex_lock(&foreign->lock);
	error = check_map(foreign, domid, runs, run_count, false, &range);
	if (error == 0)
		error = foreign->way->map(foreign, domid, range, runs, run_count, frames, errors);
	for (uint32_t i = 0; error == 0 && i < run_count; i++)
		note_mapped(range, &runs[i], true);
	pthread_mutex_unlock(&foreign->lock);
	return error;
}

int xen_foreign_map_grant_frames(struct foreign *foreign, uint16_t domid, void *address,
				 enum grant_frames which, uint32_t first, uint32_t count)
{
	struct foreign_run run = {.address = address, .pages = count};
	struct foreign_range *range;
	int error;

	pthread_mutex_lock(&foreign->lock);
	error = check_map(foreign, domid, &run, 1, true, &range);
	if (error == 0)
		error = foreign_privcmd_map_grant_frames(foreign, domid, &run, which, first);
	if (error == 0)
		note_mapped(range, &run, true);
	pthread_mutex_unlock(&foreign->lock);
	return error;
}

int xen_foreign_unmap(struct foreign *foreign, const struct foreign_run *runs, uint32_t run_count)
{
	struct foreign_range *range;
	int error;

	pthread_mutex_lock(&foreign->lock);
	range = check_runs(foreign, runs, run_count);
	error = range ? 0 : -EINVAL;
	for (uint32_t i = 0; error == 0 && i < run_count; i++)
		if (!is_mapped(range, &runs[i]))
			error = -EINVAL;
	if (error == 0)
		error = unmap(foreign, range, runs, run_count);
	for (uint32_t i = 0; error == 0 && i < run_count; i++)
		note_mapped(range, &runs[i], false);
	pthread_mutex_unlock(&foreign->lock);
	return error;
}

/* ---- the handle ---- */

/* choose_way - the kernel module's if it is there and lets us. */
static void choose_way(struct foreign *foreign)
{
	foreign->device = open(XVHOST_REMAP_PATH, O_RDWR | O_CLOEXEC);
	if (foreign->device >= 0) {
		foreign->way = &foreign_way_remap;
		foreign->reason = XVHOST_REMAP_PATH " is there";
		return;
	}
	foreign->way = &foreign_way_privcmd;
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		foreign->reason = XVHOST_REMAP_PATH " is not there: the module xen_remap is not loaded";
	else
		foreign->reason = XVHOST_REMAP_PATH " can't be opened";
}

int xen_foreign_open(const struct platform *platform, struct foreign **foreign)
{
	struct foreign *opened = calloc(1, sizeof(*opened));

	(void)platform;
	if (!opened)
		return -ENOMEM;
	opened->privcmd = open(PRIVCMD_PATH, O_RDWR | O_CLOEXEC);
	if (opened->privcmd < 0) {
		int error = error_number();

		free(opened);
		return error;
	}
	choose_way(opened);
	opened->restricted_to = -1;
	pthread_mutex_init(&opened->lock, NULL);
	*foreign = opened;
	return 0;
}

void xen_foreign_close(struct foreign *foreign)
{
	pthread_mutex_lock(&foreign->lock);
	while (foreign->ranges)
		release(foreign, foreign->ranges);
	pthread_mutex_unlock(&foreign->lock);
	pthread_mutex_destroy(&foreign->lock);
	if (foreign->device >= 0)
		close(foreign->device);
	close(foreign->privcmd);
	free(foreign);
}

const char *xen_foreign_way(struct foreign *foreign, const char **reason)
{
	*reason = foreign->reason;
	return foreign->way->name;
}

int xen_foreign_restrict(struct foreign *foreign, uint16_t domid)
{
	int error;

	pthread_mutex_lock(&foreign->lock);
	error = foreign_privcmd_restrict(foreign, domid);
	if (error == 0)
		error = foreign->way->restrict_to(foreign, domid);
	if (error == 0)
		foreign->restricted_to = domid;
	pthread_mutex_unlock(&foreign->lock);
	return error;
}
