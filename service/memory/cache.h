/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cache.h - frames of a guest that stay mapped
 *
 * Theory of operation: what is mapped and unmapped is a chunk, an aligned run of frames. Each chunk lies in a slot of
 * one range of addresses, so a page's slot follows from its address. A hash from the chunk's number to its slot finds
 * it again. A look-up counts a use of the chunk; as long as it has one it stays mapped.
 *
 * A chunk that is not there gets a slot at once, and with it the addresses of its frames, but it is mapped later, by
 * cache_map_missed, together with all others that were missed. Only then it is known which of its frames could be
 * mapped: the guest need not have all frames of a chunk. What can't be had here is had by grants; that is never an
 * error.
 *
 * A chunk leaves when another one needs its slot (CLOCK: one that was not used since the hand came by last), when it
 * was not used for some time, when it is too old, and when its epoch is over because the guest gave memory away. It is
 * not found from then on, and is unmapped when its last use has ended.
 *
 * To map a chunk and to unmap another costs as much as CACHE_CHUNK_PRICE pages by grants. So an eviction must have been
 * earned by so many hits; where they are too few for what the guest uses, the rest goes by grants.
 *
 * A guest can name frames that it does not have, each of another chunk, and to try a frame in vain costs a hypercall. So
 * that, too, must be earned: each hit pays for one such frame, and each tick for CACHE_IN_VAIN. When more were tried, no
 * chunk is until it is paid.
 *
 * A guest that gives memory away does so in many steps, and an epoch ends with each. So what was lost with an epoch must be
 * earned as well: it comes back chunk by chunk, each for CACHE_CHUNK_PRICE look-ups of the new epoch, which need not have found
 * anything, until as many chunks were mapped as were lost.
 *
 * One cache, one thread.
 */
#ifndef CACHE_H
#define CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log.h"
#include "platform/platform.h"

#define CHUNK_FRAMES 256u
#define CHUNK_BYTES ((size_t)CHUNK_FRAMES * PAGE_BYTES)
#define CACHE_BATCH 64u	      /* chunks that one call maps or unmaps */
#define CACHE_EVICT_BATCH 16u /* chunks that are evicted together, if the budget is not small */
#define CACHE_CHUNK_PRICE 160 /* look-ups: what it costs to map a chunk and to unmap another */
#define CACHE_IN_VAIN (CACHE_BATCH * CHUNK_FRAMES) /* frames that are not there and may be tried, in a tick */

enum cache_state {
	CACHE_FREE,
	CACHE_MISSED,  /* found by look-ups, to be mapped by cache_map_missed */
	CACHE_MAPPED,  /* found by look-ups */
	CACHE_LEAVING, /* not found any more; to be unmapped when it is not used */
};

/* A chunk's place. As large as a processor's cache line. */
struct cache_slot {
	_Alignas(64) uint64_t chunk;	      /* its first frame's number / CHUNK_FRAMES */
	uint64_t missing[CHUNK_FRAMES / 64u]; /* a bit for each frame that could not be mapped */
	uint32_t uses;
	uint32_t epoch;	    /* in which it was mapped */
	uint32_t mapped_at; /* tick */
	uint8_t state;	    /* enum cache_state */
	bool referenced;    /* used since the hand of the clock, or a tick, came by */
	uint8_t idle;	    /* ticks without use */
	bool nothing;	    /* the call failed: there is nothing to unmap */
	bool has_missing;   /* any of those bits is set */
};

struct cache_counters {
	uint64_t hits;
	uint64_t misses;	/* chunks that were not there */
	uint64_t refused;	/* misses for which there was no room, or that were not earned */
	uint64_t holes;		/* look-ups of frames that could not be mapped */
	uint64_t evictions;	/* chunks that had to make room */
	uint64_t invalidations; /* epochs that ended */
	uint64_t frames;	/* mapped, all together */
	uint64_t chunks;	/* the same */
	uint64_t map_calls, unmap_calls;
};

struct cache {
	/* What a hit needs. */
	uint32_t *table; /* slot + 1, by the hash of the chunk's number; 0: none */
	uint32_t table_shift, table_mask;
	struct cache_slot *slots;
	char *range;
	struct cache_counters counters;

	const struct platform *platform;
	struct foreign *foreign;
	uint16_t domid;
	uint32_t slot_count;
	uint32_t slots_end; /* no slot was ever used from here on */
	uint32_t chunks;    /* slots in use */
	uint32_t budget;    /* of these, at most */
	uint32_t hand;	    /* CLOCK's */
	uint64_t spent;	    /* hits, for evictions */
	bool no_victim;	    /* nothing could be evicted in this turn */
	int64_t in_vain;    /* frames that may still be tried in vain; 0 or less: none */
	uint64_t paid;	    /* hits, for that */
	uint32_t lost;	    /* chunks that went with an epoch and did not come back yet */
	uint64_t repaid;    /* look-ups that do not count, or no more, for what was lost */
	uint32_t epoch;
	uint32_t older; /* chunks that are mapped still and belong to an epoch before */
	uint32_t tick;
	uint32_t idle_ticks, age_ticks;
	uint32_t *free; /* slots */
	uint32_t free_count;
	uint32_t *leaving; /* slots that can be unmapped */
	uint32_t leaving_count;
	uint32_t missed[CACHE_BATCH]; /* slots */
	uint32_t missed_count;
	uint64_t frames[CACHE_BATCH * CHUNK_FRAMES]; /* of one call */
	int errors[CACHE_BATCH * CHUNK_FRAMES];
	struct log_limit limit;
};

struct cache_options {
	const struct platform *platform;
	struct foreign *foreign;
	uint16_t domid;
	bool writable;	     /* how chunks are mapped */
	uint32_t slots;	     /* chunks at most, whatever the budget becomes; at least 1 */
	uint32_t idle_ticks; /* a chunk that was not used for so long leaves; 1 to 255 */
	uint32_t age_ticks;  /* a chunk that was mapped so long ago leaves; 0: never */
};

/* cache_create - nothing is mapped; the budget is all slots. Returns 0 or a negative errno. */
int cache_create(const struct cache_options *options, struct cache **cache);

/* cache_destroy - nothing is used any more; unmaps everything. */
void cache_destroy(struct cache *cache);

/* cache_miss - the slow part of cache_use: a chunk that is not there gets a slot. Returns its number + 1, or 0. */
uint32_t cache_miss(struct cache *cache, uint64_t chunk);

/* cache_hole - the slow part of cache_use: a frame of a chunk that is there could not be mapped. */
void cache_hole(struct cache *cache, struct cache_slot *slot);

/* cache_left - the slow part of cache_drop: the last use of a chunk that is leaving. */
void cache_left(struct cache *cache, struct cache_slot *slot);

/* cache_map_missed - map what cache_use did not find. */
void cache_map_missed(struct cache *cache);

/* cache_settle - unmap what leaves and is not used. */
void cache_settle(struct cache *cache);

/* cache_advance - a new epoch: what is mapped is not found any more. `older` is 0 when nothing of it is mapped. */
void cache_advance(struct cache *cache, uint32_t epoch);

/* cache_tick - some time has passed, and the clock says so: chunks that are idle or too old leave, and those beyond the
 * budget. */
void cache_tick(struct cache *cache, uint32_t tick);

static inline struct cache_slot *cache_slot_of(const struct cache *cache, const void *page)
{
	return &cache->slots[((size_t)((const char *)page - cache->range)) / CHUNK_BYTES];
}

static inline uint32_t cache_frame_in_chunk(const struct cache *cache, const void *page)
{
	return (uint32_t)((size_t)((const char *)page - cache->range) / PAGE_BYTES) % CHUNK_FRAMES;
}

static inline bool cache_is_missing(const struct cache_slot *slot, uint32_t frame)
{
	return slot->missing[frame / 64] >> frame % 64 & 1;
}

/* cache_hash - a place of the table. The numbers of a guest's chunks follow each other, or nearly so. */
static inline uint32_t cache_hash(const struct cache *cache, uint64_t chunk)
{
	return (uint32_t)(chunk * UINT64_C(0x9e3779b97f4a7c15) >> cache->table_shift);
}

/* cache_find_link - the number of a chunk's slot + 1, or 0. */
static inline uint32_t cache_find_link(const struct cache *cache, uint64_t chunk)
{
	uint32_t at = cache_hash(cache, chunk), link;

	while ((link = cache->table[at]) != 0 && cache->slots[link - 1].chunk != chunk)
		at = (at + 1) & cache->table_mask;
	return link;
}

/* cache_find - the slot of a chunk, or NULL. */
static inline struct cache_slot *cache_find(const struct cache *cache, uint64_t chunk)
{
	uint32_t link = cache_find_link(cache, chunk);

	return link ? &cache->slots[link - 1] : NULL;
}

/*
 * cache_use - a frame's address, and a use of it; NULL if it can't be had here. Whether it could be mapped is known for
 * sure after cache_map_missed, if something was missed.
 */
static inline void *cache_use(struct cache *cache, uint64_t frame)
{
	uint64_t chunk = frame / CHUNK_FRAMES;
	uint32_t in_chunk = frame % CHUNK_FRAMES;
	size_t link = cache_find_link(cache, chunk);
	struct cache_slot *slot;

	if (__builtin_expect(link == 0, 0)) {
		link = cache_miss(cache, chunk);
		if (link == 0)
			return NULL;
		slot = &cache->slots[link - 1];
	} else {
		slot = &cache->slots[link - 1];
		if (__builtin_expect(slot->has_missing, 0) && cache_is_missing(slot, in_chunk)) {
			cache_hole(cache, slot);
			return NULL;
		}
		cache->counters.hits++;
	}
	slot->uses++;
	slot->referenced = true;
	return cache->range + ((link - 1) * CHUNK_FRAMES + in_chunk) * PAGE_BYTES;
}

/* cache_peek - a frame's address, if it is mapped, until the cache is called again; NULL: it is not, and nothing is done about it. */
static inline const char *cache_peek(struct cache *cache, uint64_t frame)
{
	uint32_t in_chunk = frame % CHUNK_FRAMES;
	size_t link = cache_find_link(cache, frame / CHUNK_FRAMES);
	struct cache_slot *slot;

	if (link == 0)
		return NULL;
	slot = &cache->slots[link - 1];
	if (slot->state != CACHE_MAPPED || (slot->has_missing && cache_is_missing(slot, in_chunk)))
		return NULL;
	cache->counters.hits++;
	slot->referenced = true;
	return cache->range + ((link - 1) * CHUNK_FRAMES + in_chunk) * PAGE_BYTES;
}

/* cache_drop - end a use. */
static inline void cache_drop(struct cache *cache, const void *page)
{
	struct cache_slot *slot = cache_slot_of(cache, page);

	if (--slot->uses == 0 && slot->state == CACHE_LEAVING)
		cache_left(cache, slot);
}

/* cache_needs_ticks - does time change anything? */
static inline bool cache_needs_ticks(const struct cache *cache)
{
	return cache->chunks > 0 || cache->in_vain <= 0;
}

/* cache_has - could the frame at this address, which is used, be mapped? */
static inline bool cache_has(const struct cache *cache, const void *page)
{
	return !cache_is_missing(cache_slot_of(cache, page), cache_frame_in_chunk(cache, page));
}

/* cache_frame - the number of the frame at this address, which is used. */
static inline uint64_t cache_frame(const struct cache *cache, const void *page)
{
	return cache_slot_of(cache, page)->chunk * CHUNK_FRAMES + cache_frame_in_chunk(cache, page);
}

#endif
