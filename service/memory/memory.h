/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory.h - one guest's memory, as the rings of one loop see it
 *
 * Theory of operation: a request names grants; a ring needs addresses. Rings hand over all the requests of a
 * loop turn as one list of `struct memory_mapping`, and get an address per page or an error per mapping. The
 * way back is a list, too. Lists are the point: what can be put into one call is, and some may be kept until
 * others are done.
 *
 * Behind these functions a mapping goes one of several ways (docs/memory.md says which and why):
 *
 *	by the cache	the grant's frame is looked up in the guest's table (resolver.h), and its address among the
 *			frames that stay mapped (cache.h): no call at all in the steady state (foreign.c)
 *	by persistence	the frontend leaves its grants in place, and so they stay mapped (persistent.c)
 *	by grants	Xen is asked to map the grants, and to unmap them afterwards (gnttab.c)
 *	by copies	grants of parts of pages can't be mapped; their data is copied (bounce.c)
 *
 * What can't go by the first two goes by grants. What all loops of a guest share is in guest_memory.h.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "memory/access.h"
#include "platform/platform.h"
#include "xvhost/remap.h"

struct memory;
struct guest_memory;
struct mapping_group;
struct persistent;

#define MEMORY_RING_PAGES_MAX 16
#define MEMORY_SECTOR_BYTES 512u
#define MEMORY_EXTENTS_MAX 4096u /* frames that wait to be reported */
#define MEMORY_TEXT_MAX 256	 /* bytes of a text about the way to a guest's memory, with the final 0 */

/* A ring's pages, mapped one after the other: pages[0] is where it begins. */
struct memory_ring {
	void *pages[MEMORY_RING_PAGES_MAX];
	uint32_t count;
	void *mapping; /* the platform's name of it */
};

/* The pages of one request. Whoever asks owns it and keeps it unchanged from map to unmap. */
struct memory_mapping {
	const uint32_t *grefs; /* asked: the grants ... */
	uint32_t count;	       /* ... this many, at least 1 ... */
	bool writable;	       /* ... to be written by us */
	bool cached;	       /* asked: may go by the cache, as memory_choose has said */
	bool direct;	       /* asked: the pages must be such that the kernel takes them for direct I/O */
	/* asked: which sectors of each page are used; NULL: all of each page */
	const uint8_t *first_sectors, *sector_counts;
	/* asked, before memory_unmap: the data is of no use, so that none needs to reach the guest */
	bool failed;
	/* answered: 0, or a negative errno and nothing is mapped. By memory_unmap: not all reached the guest. */
	int error;
	struct persistent
		*persistent; /* asked: the ring's, where the frontend leaves its grants in place, or NULL */
	const void *sharer; /* asked: mappings of different sharers never wait for each other to be unmapped */
	void **pages;	    /* answered: the address of each page; room for `count` */
	uint8_t way;	    /* these are memory's own */
	struct mapping_group *group;
	struct memory_mapping *next;
};

/*
 * memory_open - reach the memory of one guest, with at most `mappings_max` mappings at a time. `guest` is what its loops
 * share; NULL: grants only. Returns 0 or a negative errno. Control thread.
 */
int memory_open(const struct platform *platform, uint16_t domid, struct guest_memory *guest,
		uint32_t mappings_max, struct memory **memory);

/* memory_close - all that was mapped has been unmapped; the loop has ended. Control thread. */
void memory_close(struct memory *memory);

/*
 * memory_choose - the way for the requests of a device, one of whose rings has been mapped: `*cached` is what its mappings
 * may ask for, `text` says which way that is and why. Returns 0; or a negative errno if MEMORY_FOREIGN can't be, and
 * `text` says why. Control thread.
 */
int memory_choose(struct memory *memory, enum memory_access access, bool *cached, char text[MEMORY_TEXT_MAX]);

/* memory_maps_each - is Xen asked for the grants of each request, or of some, of a device with this `cached`? Then it pays
 * to hand over many requests together. Control thread. */
bool memory_maps_each(const struct memory *memory, bool cached);

/* memory_map - map a list; each entry has its own error afterwards. Loop thread. */
void memory_map(struct memory *memory, struct memory_mapping **mappings, size_t count);

/*
 * memory_read - copy a part of a granted page, if its frame is in the cache. False: it is not, or Xen is to judge; then memory_map tells.
 * For a little data that may go by the cache: it costs less than a mapping, and nothing stays in use. Loop thread.
 */
bool memory_read(struct memory *memory, uint32_t gref, uint32_t offset, uint32_t bytes, void *to);

/*
 * memory_unmap - the mappings of a list, which memory_map mapped without error, are not used any more. What was
 * written to them is in the guest's memory when this returns, and known to whoever migrates the guest; but see memory_leave_reports.
 * Returns how many mappings, of this list and of earlier ones, are not mapped any more now, and lists them in
 * `gone`, which has room for mappings_max. Loop thread.
 */
size_t memory_unmap(struct memory *memory, struct memory_mapping **mappings, size_t count,
		    struct memory_mapping **gone);

/*
 * memory_copy - copy between parts of granted pages and memory of ours, by one call of Xen's; each piece has its own error
 * afterwards. For what is not mapped: see memory_copies. Loop thread.
 */
void memory_copy(struct memory *memory, struct grant_copy *copies, uint32_t count);

/*
 * memory_copies - is it better to copy data from a guest, or to it, than to map its grants, with this `cached`? So it is where
 * mapping takes calls. Control thread.
 */
bool memory_copies(const struct memory *memory, bool cached, bool to_guest);

/*
 * memory_expect_direct - requests will come that are for direct I/O and may go by the cache. What is to be registered for them
 * takes memory now, which would hold up the loop. Control thread.
 */
void memory_expect_direct(struct memory *memory);

/*
 * memory_to_register - where most of what is mapped for direct I/O lies, if it does not lie in the guest's own pages: memory of
 * ours that is worth being registered with io_uring. It stays until memory_close. Its length is 0 if there is none. Loop
 * thread.
 */
struct iovec memory_to_register(const struct memory *memory);

/*
 * memory_leave_reports - from now on, or from now on no longer, memory_unmap leaves it to the caller to report what was written:
 * before the guest can learn of it. Loop thread, as those that follow.
 */
void memory_leave_reports(struct memory *memory, bool leave);

/*
 * memory_hand_over_written - the frames that are still to be reported, as many as MEMORY_EXTENTS_MAX extents hold, which is all
 * there can be. Then either memory_written_reported is called, before the next of these; or memory_report, which reports
 * them, and returns 0 or a negative errno.
 */
uint32_t memory_hand_over_written(struct memory *memory,
				  struct xvhost_remap_extent extents[MEMORY_EXTENTS_MAX]);
void memory_written_reported(struct memory *memory);
int memory_report(struct memory *memory);

/* memory_is_unreported - something could not be reported, perhaps of responses that are written already: no more may be shown. */
bool memory_is_unreported(const struct memory *memory);

/* memory_bell - an eventfd that becomes readable when memory_attend is to be called; -1: never. */
int memory_bell(const struct memory *memory);

/* memory_attend - the guest gave memory away, or time has passed: unmap what is over. Loop thread. */
void memory_attend(struct memory *memory);

/*
 * memory_map_ring - map a ring's pages, writable, at consecutive addresses, for as long as the ring is
 * served. Returns 0 or a negative errno. Control thread.
 */
int memory_map_ring(struct memory *memory, const uint32_t *grefs, uint32_t count, struct memory_ring *ring);
void memory_unmap_ring(struct memory *memory, const struct memory_ring *ring);

#endif
