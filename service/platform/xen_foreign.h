/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xen_foreign.h - a handle of foreign memory, and the ways that Linux has to map frames
 *
 * The handle (xen_foreign.c) keeps the books: what is reserved, for what, and what is mapped there. A way is asked for
 * nothing that the books don't permit, and with the handle locked.
 */
#ifndef XEN_FOREIGN_H
#define XEN_FOREIGN_H

#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>

#include "platform/xen.h"

/* Addresses that are reserved. */
struct foreign_range {
	struct foreign_range *next;
	char *start;
	uint32_t pages;
	enum foreign_use use;
	uint32_t run_of[]; /* by page: the number of the first page of the run that is mapped here + 1, or 0 */
};

struct foreign {
	const struct foreign_way *way;
	const char *reason; /* why it is this way */
	int privcmd;	    /* open; maps grant tables, whatever the way */
	int device;	    /* the way's own, or -1 */
	pthread_mutex_t lock;
	int32_t restricted_to; /* a domain, or -1 */
	struct foreign_range *ranges;
};

/* A way to map frames. What it reserves is unmapped by munmap() with all that is mapped there. */
struct foreign_way {
	const char *name;
	/* Returns the addresses, or NULL with errno set. */
	void *(*reserve)(struct foreign *foreign, size_t bytes, enum foreign_use use);
	int (*restrict_to)(struct foreign *foreign, uint16_t domid);
	/* As in platform.h. `range` is where all runs are. */
	int (*map)(struct foreign *foreign, uint16_t domid, const struct foreign_range *range,
		   const struct foreign_run *runs, uint32_t run_count, const uint64_t *frames, int *errors);
	int (*unmap)(struct foreign *foreign, const struct foreign_run *runs, uint32_t run_count);
};

static inline size_t run_bytes(const struct foreign_run *run)
{
	return (size_t)run->pages * PAGE_BYTES;
}

static inline int use_protection(enum foreign_use use)
{
	return use == FOREIGN_WRITE ? PROT_READ | PROT_WRITE : PROT_READ;
}

/* xen_foreign_privcmd.c: the way of any Dom0; and pages that fault, grant tables, restriction of foreign->privcmd. */
extern const struct foreign_way foreign_way_privcmd;
void *foreign_privcmd_reserve(struct foreign *foreign, size_t bytes, enum foreign_use use);
int foreign_privcmd_unmap(struct foreign *foreign, const struct foreign_run *runs, uint32_t run_count);
int foreign_privcmd_map_grant_frames(struct foreign *foreign, uint16_t domid, const struct foreign_run *run,
				     enum grant_frames which, uint32_t first);
int foreign_privcmd_restrict(struct foreign *foreign, uint16_t domid);

/* xen_foreign_remap.c: the way of the kernel module xen_remap, which maps long lists. */
extern const struct foreign_way foreign_way_remap;

#endif
