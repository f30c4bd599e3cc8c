// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xen_foreign_remap.c - the kernel module xen_remap: frames mapped long lists at a time, and its descriptor for publishing
 */
#include "platform/xen_foreign.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

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

static int restrict_device(int device, uint16_t domid)
{
	struct xvhost_remap_restriction restriction = {.domain = domid};

	return ioctl(device, XVHOST_REMAP_RESTRICT, &restriction) == 0 ? 0 : error_number();
}

static int restrict_to(struct foreign *foreign, uint16_t domid)
{
	return restrict_device(foreign->device, domid);
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

int xen_publisher_open(const struct platform *platform, uint16_t domid)
{
	int error, device = open(XVHOST_REMAP_PATH, O_RDWR | O_CLOEXEC);

	(void)platform;
	if (device < 0)
		return error_number();
	error = restrict_device(device, domid);
	if (error == 0)
		return device;
	close(device);
	return error;
}

const struct foreign_way foreign_way_remap = {
	.name = "remap",
	.reserve = reserve,
	.restrict_to = restrict_to,
	.map = map,
	.unmap = unmap,
};
