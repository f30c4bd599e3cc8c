/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapper.h - what the files of memory/ know of each other (internal to memory/)
 */
#ifndef MAPPER_H
#define MAPPER_H

#include <pthread.h>

#include "memory/cache.h"
#include "memory/guest_memory.h"
#include "memory/memory.h"
#include "memory/persistent.h"
#include "memory/resolver.h"

/* The way of a mapping. */
enum memory_way {
	WAY_GRANTS,
	WAY_PERSISTENT,
	WAY_CACHE,
	WAY_CACHE_BOUNCED, /* the data is in pages of ours, and its frames, which are written at the end, in the cache */
	WAY_COPY,   /* the data is in pages of ours, and is copied by Xen */
	WAY_COPIED, /* the data is in pages of ours, and that is all */
};

#define MEMORY_REASON_MAX 120 /* bytes of a reason with the final 0 */
#define GUEST_TICK_MS 1000    /* of the caches' clock */
#define GUEST_PV_AGE_S 60     /* a PV guest's chunk is mapped anew after so long */

/* What all loops of a guest share. */
struct guest_memory {
	const struct platform *platform;
	uint16_t domid;
	struct guest_memory_settings settings;
	/* Set once, when foreign memory was opened; then read by all. */
	bool reached;
	bool pv;
	struct foreign *foreign;
	struct device_model *model; /* NULL for a PV guest */
	struct resolver resolver;

	/* Read by all threads. */
	uint32_t epoch;
	uint32_t tick;
	uint32_t budget; /* chunks, for each loop */
	bool failed;	 /* the device model can't be relied on: no new look-ups in caches */

	pthread_mutex_t lock;	/* of what follows */
	struct memory *members; /* those with a cache */
	uint32_t member_count;
	uint32_t chunks; /* for all loops together */
	bool ending;
	int keeper_bell;
	pthread_t keeper;
};

/* What was written and reported to Xen, by ourselves or by who publishes the responses. */
struct report_counters {
	uint64_t frames;
	uint64_t calls; /* the platform may make several hypercalls of one that has very many frames */
};

/* One loop's. */
struct memory {
	const struct platform *platform;
	uint16_t domid;
	struct grants *grants;
	struct gnttab *gnttab;
	struct guest_memory *guest; /* NULL: grants only */
	struct cache *cache;	    /* NULL: not yet; set by the control thread, then the loop's */
	struct bounce *bounce;	    /* the same */
	uint64_t *dirty;	    /* frames that were written and not reported yet: MEMORY_EXTENTS_MAX */
	uint32_t *dirty_grefs;	    /* the grants that name them */
	uint32_t dirty_count;
	uint32_t dirty_handed_over; /* the first of them, by memory_hand_over_written */
	bool leaves_reports;
	bool unreported; /* see memory_is_unreported */
	struct report_counters reports;
	struct log_limit limit;

	/* Between the loop and the keeper. */
	int bell;
	uint32_t clean_epoch; /* of no older one anything is mapped */
	bool needs_ticks;     /* anything is mapped, or waits for time to pass */
	struct memory *next;  /* in guest->members */
};

/* gnttab.c: the mappings of a list whose way is WAY_GRANTS. */
int gnttab_open(uint32_t mappings_max, struct gnttab **gnttab);
void gnttab_close(struct gnttab *gnttab);
void gnttab_map(struct memory *memory, struct memory_mapping **mappings, size_t count);
size_t gnttab_unmap(struct memory *memory, struct memory_mapping **mappings, size_t count,
		    struct memory_mapping **gone);

/*
 * foreign.c: foreign_map maps the mappings of a list whose way is WAY_CACHE; those that it can't have another way
 * afterwards. foreign_unmap reports what was written to those of a list that are in the cache, then ends their uses.
 */
void foreign_map(struct memory *memory, struct memory_mapping **mappings, size_t count);
void foreign_unmap(struct memory *memory, struct memory_mapping **mappings, size_t count);

/* foreign_read - as memory_read, with a cache. */
bool foreign_read(struct memory *memory, uint32_t gref, uint32_t offset, uint32_t bytes, void *to);

/* foreign_release - end the uses of these pages, which are in the cache. */
void foreign_release(struct memory *memory, void *const *pages, uint32_t count);

/*
 * bounce.c: bounce_map gives pages of ours to those mappings of a list whose way is WAY_CACHE and that are for direct I/O,
 * bounce_map_copies to those whose way is WAY_COPY. Where no pages are left grants are the way afterwards, or the error
 * is set. bounce_write brings what was written to the guest; bounce_unmap takes the pages back.
 */
int bounce_create(uint32_t pages, struct bounce **bounce);
void bounce_destroy(struct bounce *bounce);
void bounce_map(struct memory *memory, struct memory_mapping **mappings, size_t count);
void bounce_map_copies(struct memory *memory, struct memory_mapping **mappings, size_t count);
void bounce_write(struct memory *memory, struct memory_mapping **mappings, size_t count);
void bounce_unmap(struct memory *memory, struct memory_mapping **mappings, size_t count);

/* bounce_to_register - those of our pages that are used most; bounce_populate makes them take memory now. Any thread. */
struct iovec bounce_to_register(const struct bounce *bounce);
void bounce_populate(const struct bounce *bounce);

/* bounce_origin - the page in the cache that a page of ours stands for. */
void *bounce_origin(const struct bounce *bounce, const void *page);

/* ---- guest_memory.c ---- */

/* guest_memory_reach - open foreign memory, if it is not yet; `reason` says why it can't be. Control thread. */
int guest_memory_reach(struct guest_memory *guest, char reason[MEMORY_REASON_MAX]);

/* guest_memory_join, _leave - a loop has a cache now, or has none any more. Control thread. */
void guest_memory_join(struct guest_memory *guest, struct memory *memory, struct cache *cache);
void guest_memory_leave(struct guest_memory *guest, struct memory *memory);

/* guest_memory_tell - say what the loop has mapped; the keeper may be waiting for it. Loop thread. */
void guest_memory_tell(struct memory *memory);

/* guest_memory_fail - the device model can't be relied on any more; `what` could not be done. Any thread. */
void guest_memory_fail(struct guest_memory *guest, const char *what, int error);

#endif
