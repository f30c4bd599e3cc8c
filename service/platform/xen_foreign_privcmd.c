// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xen_foreign_privcmd.c - frames and grant tables mapped by Linux's privcmd
 *
 * Each run is a mapping of privcmd's in the place of pages that fault, and is replaced by such pages afterwards.
 * privcmd can map into a mapping of its own only once, and only into all of it.
 */
#include "platform/xen_foreign.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <xen/xen.h>
#include <xen/memory.h>
#include <xen/sys/privcmd.h>

/* An entry of x86's page tables has 52 bits of address. privcmd would cut larger numbers, and so map another frame. */
#define FRAME_LIMIT (1ull << 40)

/* faulting - pages that fault; at `address`, in one step, if that is not NULL. Returns NULL with errno set. */
static void *faulting(void *address, size_t bytes)
{
	void *reserved = mmap(address, bytes, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (address ? MAP_FIXED : 0), -1, 0);

	return reserved == MAP_FAILED ? NULL : reserved;
}

void *foreign_privcmd_reserve(struct foreign *foreign, size_t bytes, enum foreign_use use)
{
	(void)foreign;
	(void)use;
	return faulting(NULL, bytes);
}

int foreign_privcmd_restrict(struct foreign *foreign, uint16_t domid)
{
	domid_t domain = domid;

	return ioctl(foreign->privcmd, IOCTL_PRIVCMD_RESTRICT, &domain) == 0 ? 0 : error_number();
}

static int restrict_to(struct foreign *foreign, uint16_t domid)
{
	(void)foreign;
	(void)domid;
	return 0; /* foreign->privcmd is already */
}

/* ---- unmap ---- */

int foreign_privcmd_unmap(struct foreign *foreign, const struct foreign_run *runs, uint32_t run_count)
{
	int error = 0;

	(void)foreign;
	for (uint32_t i = 0; i < run_count; i++)
		if (!faulting(runs[i].address, run_bytes(&runs[i])))
			error = error_number();
	return error;
}

/* ---- map ---- */

/* open_run - a mapping of privcmd's, in which nothing is mapped yet. */
static int open_run(struct foreign *foreign, const struct foreign_run *run, int protection)
{
	void *opened = mmap(run->address, run_bytes(run), protection, MAP_SHARED | MAP_FIXED,
			    foreign->privcmd, 0);

	return opened == MAP_FAILED ? error_number() : 0;
}

/* map_run - the ioctl fails with ENOENT, too, when it was done and one of the frames has that error. */
static int map_run(struct foreign *foreign, uint16_t domid, const struct foreign_run *run, int protection,
		   const uint64_t *frames, int *errors)
{
	privcmd_mmapbatch_v2_t batch = {.num = run->pages,
					.dom = domid,
					.addr = (uintptr_t)run->address,
					.arr = frames,
					.err = errors};
	int error = open_run(foreign, run, protection);

	if (error == 0 && ioctl(foreign->privcmd, IOCTL_PRIVCMD_MMAPBATCH_V2, &batch) < 0 &&
	    errno != ENOENT) {
		error = error_number();
		foreign_privcmd_unmap(foreign, run, 1);
	}
	return error;
}

/*
 * possible_frames - the list, if all of its frames can be; else a copy of it, to free(), with a number that no frame has
 * in the place of those that can't. NULL for want of memory.
 */
static uint64_t *possible_frames(const uint64_t *frames, uint32_t count)
{
	uint64_t *possible = NULL;

	for (uint32_t i = 0; i < count; i++) {
		if (frames[i] < FRAME_LIMIT)
			continue;
		if (!possible) {
			possible = malloc(count * sizeof(*possible));
			if (!possible)
				return NULL;
			memcpy(possible, frames, count * sizeof(*possible));
		}
		possible[i] = FRAME_LIMIT - 1;
	}
	/* The cast takes away `const`, which free() would not have either. */
	return possible ? possible : (uint64_t *)(uintptr_t)frames;
}

static int map(struct foreign *foreign, uint16_t domid, const struct foreign_range *range,
	       const struct foreign_run *runs, uint32_t run_count, const uint64_t *frames, int *errors)
{
	uint32_t count = 0, mapped = 0, done = 0;
	uint64_t *possible;
	int error = 0;

	for (uint32_t i = 0; i < run_count; i++)
		count += runs[i].pages;
	possible = possible_frames(frames, count);
	if (!possible)
		return -ENOMEM;
	while (mapped < run_count) {
		error = map_run(foreign, domid, &runs[mapped], use_protection(range->use), possible + done,
				errors + done);
		if (error < 0)
			break;
		done += runs[mapped++].pages;
	}
	if (error < 0)
		foreign_privcmd_unmap(foreign, runs, mapped);
	if (possible != frames)
		free(possible);
	return error;
}

int foreign_privcmd_map_grant_frames(struct foreign *foreign, uint16_t domid, const struct foreign_run *run,
				     enum grant_frames which, uint32_t first)
{
	privcmd_mmap_resource_t resource = {
		.dom = domid,
		.type = XENMEM_resource_grant_table,
		.id = which == GRANT_FRAMES_ENTRIES ? XENMEM_resource_grant_table_id_shared
						    : XENMEM_resource_grant_table_id_status,
		.idx = first,
		.num = run->pages,
		.addr = (uintptr_t)run->address,
	};
	int error = open_run(foreign, run, PROT_READ);

	if (error == 0 && ioctl(foreign->privcmd, IOCTL_PRIVCMD_MMAP_RESOURCE, &resource) < 0) {
		error = error_number();
		foreign_privcmd_unmap(foreign, run, 1);
	}
	return error;
}

const struct foreign_way foreign_way_privcmd = {
	.name = "privcmd",
	.reserve = foreign_privcmd_reserve,
	.restrict_to = restrict_to,
	.map = map,
	.unmap = foreign_privcmd_unmap,
};
