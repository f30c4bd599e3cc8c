// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xen_foreign_remap.c - frames mapped by the kernel module xen_remap, long lists at a time
 */
#include "platform/xen_foreign.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "xvhost/remap.h"

#define RUNS_ON_STACK 64

/* call - an ioctl with a list. */
static int call(struct foreign *foreign, unsigned long request, const struct foreign_run *runs,
		uint32_t run_count, struct xvhost_remap_list *list)
{
	struct xvhost_remap_run on_stack[RUNS_ON_STACK], *given = on_stack;
	int error;

	if (run_count > RUNS_ON_STACK)
		given = malloc(run_count * sizeof(*given));
	if (!given)
		return -ENOMEM;
	for (uint32_t i = 0; i < run_count; i++)
		given[i] = (struct xvhost_remap_run){.address = (uintptr_t)runs[i].address,
						     .pages = runs[i].pages};
	list->runs = (uintptr_t)given;
	list->run_count = run_count;
	error = ioctl(foreign->device, request, list) == 0 ? 0 : error_number();
	if (given != on_stack)
		free(given);
	return error;
}

/* reserve - what is not mapped there faults; the protection of all that will be mapped is settled here. */
static void *reserve(struct foreign *foreign, size_t bytes, enum foreign_use use)
{
	void *reserved = mmap(NULL, bytes, use_protection(use), MAP_SHARED, foreign->device, 0);

	return reserved == MAP_FAILED ? NULL : reserved;
}

static int restrict_to(struct foreign *foreign, uint16_t domid)
{
	struct xvhost_remap_restriction restriction = {.domain = domid};

	return ioctl(foreign->device, XVHOST_REMAP_RESTRICT, &restriction) == 0 ? 0 : error_number();
}

static int unmap(struct foreign *foreign, const struct foreign_run *runs, uint32_t run_count)
{
	struct xvhost_remap_list list = {0};

	return call(foreign, XVHOST_REMAP_UNMAP_LIST, runs, run_count, &list);
}

/* map - a list that was carried out in part is taken back. */
static int map(struct foreign *foreign, uint16_t domid, const struct foreign_range *range,
	       const struct foreign_run *runs, uint32_t run_count, const uint64_t *frames, int *errors)
{
	struct xvhost_remap_list list = {
		.domain = domid, .frames = (uintptr_t)frames, .errors = (uintptr_t)errors};
	int error = call(foreign, XVHOST_REMAP_MAP_LIST, runs, run_count, &list);

	(void)range;
	if (error < 0 && list.done > 0)
		unmap(foreign, runs, run_count);
	return error;
}

const struct foreign_way foreign_way_remap = {
	.name = "remap",
	.reserve = reserve,
	.restrict_to = restrict_to,
	.map = map,
	.unmap = unmap,
};
