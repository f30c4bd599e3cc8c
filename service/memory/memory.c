// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * memory.c - one guest's memory: which mapping goes which way
 */
#include "memory/memory.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "log.h"
#include "memory/mapper.h"

/* Pages of ours: as many as a loop's requests can name. The last of them may go beyond the limit. */
#define BOUNCE_PAGES (CONFIG_LOOP_GRANTS_MAPPED + 256u)

/* ---- open and close ---- */

int memory_open(const struct platform *platform, uint16_t domid, struct guest_memory *guest,
		uint32_t mappings_max, struct memory **memory)
{
	struct memory *opened = calloc(1, sizeof(*opened));
	int error;

	if (!opened)
		return -ENOMEM;
	opened->platform = platform;
	opened->domid = domid;
	opened->guest = guest;
	opened->bell = eventfd(0, EFD_CLOEXEC);
	if (opened->bell < 0) {
		error = -errno;
		goto fail_memory;
	}
	error = platform->grants_open(platform, &opened->grants);
	if (error < 0)
		goto fail_bell;
	error = gnttab_open(mappings_max, &opened->gnttab);
	if (error < 0)
		goto fail_grants;
	*memory = opened;
	return 0;
fail_grants:
	platform->grants_close(opened->grants);
fail_bell:
	close(opened->bell);
fail_memory:
	free(opened);
	return error;
}

/* open_cache - and what belongs to it. The guest's foreign memory is open. */
static int open_cache(struct memory *memory)
{
	const struct guest_memory *guest = memory->guest;
	const struct cache_options options = {
		.platform = memory->platform,
		.foreign = guest->foreign,
		.domid = memory->domid,
		.writable = !guest->pv,
		.slots = CHUNKS_OF_MIB(guest->settings.most_mib),
		.idle_ticks = guest->settings.idle_s,
		.age_ticks = guest->pv ? GUEST_PV_AGE_S : 0,
	};
	struct cache *cache;
	int error;

	memory->dirty = calloc(MEMORY_EXTENTS_MAX, sizeof(memory->dirty[0]));
	memory->dirty_grefs = calloc(MEMORY_EXTENTS_MAX, sizeof(memory->dirty_grefs[0]));
	error = -ENOMEM;
	if (!memory->dirty || !memory->dirty_grefs)
		goto fail_dirty;
	error = bounce_create(BOUNCE_PAGES, &memory->bounce);
	if (error < 0)
		goto fail_dirty;
	error = cache_create(&options, &cache);
	if (error < 0)
		goto fail_bounce;
	guest_memory_join(memory->guest, memory, cache);
	return 0;
fail_bounce:
	bounce_destroy(memory->bounce);
fail_dirty:
	free(memory->dirty);
	free(memory->dirty_grefs);
	return error;
}

/* close_cache - the guest goes on, if it waits for this loop, when nothing is mapped any more. */
static void close_cache(struct memory *memory)
{
	const struct cache_counters *counters = &memory->cache->counters;

	/* The numbers are those of this loop. */
	log_info("guest %u: memory: %" PRIu64 " pages found in the cache, %" PRIu64
		 " chunks mapped by %" PRIu64 " calls, %" PRIu64 " missed and not mapped, %" PRIu64
		 " evicted, %" PRIu64 " times invalidated, %" PRIu64 " written frames in %" PRIu64 " reports",
		 memory->domid, counters->hits, counters->chunks, counters->map_calls, counters->refused,
		 counters->evictions, counters->invalidations, memory->reports.frames, memory->reports.calls);
	cache_destroy(memory->cache);
	guest_memory_leave(memory->guest, memory);
	bounce_destroy(memory->bounce);
	free(memory->dirty);
	free(memory->dirty_grefs);
}

void memory_close(struct memory *memory)
{
	if (memory->cache)
		close_cache(memory);
	gnttab_close(memory->gnttab);
	memory->platform->grants_close(memory->grants);
	close(memory->bell);
	free(memory);
}

/* ---- the way of a device ---- */

/* reach - have a cache of the guest's frames, or say why that can't be. */
static int reach(struct memory *memory, char reason[MEMORY_REASON_MAX])
{
	int error;

	if (!memory->guest) {
		snprintf(reason, MEMORY_REASON_MAX, "nothing else was asked for");
		return -EOPNOTSUPP;
	}
	error = guest_memory_reach(memory->guest, reason);
	if (error < 0 || memory->cache)
		return error;
	error = open_cache(memory);
	if (error < 0)
		snprintf(reason, MEMORY_REASON_MAX, "can't make a cache: %s", strerror(-error));
	return error;
}

/* describe_cached - how frames are mapped, and in which direction. */
static void describe_cached(const struct memory *memory, char text[MEMORY_TEXT_MAX])
{
	const char *why, *way = memory->platform->foreign_way(memory->guest->foreign, &why);

	snprintf(text, MEMORY_TEXT_MAX, "cached frames%s, by %s (%s)",
		 memory->guest->pv ? " where we read and grants where we write, for a PV guest" : "", way,
		 why);
}

int memory_choose(struct memory *memory, enum memory_access access, bool *cached, char text[MEMORY_TEXT_MAX])
{
	char reason[MEMORY_REASON_MAX];
	int error;

	*cached = false;
	if (access == MEMORY_GRANT) {
		snprintf(text, MEMORY_TEXT_MAX, "grants (memory=grant)");
		return 0;
	}
	error = reach(memory, reason);
	if (error == 0) {
		*cached = true;
		describe_cached(memory, text);
	} else if (access == MEMORY_FOREIGN) {
		snprintf(text, MEMORY_TEXT_MAX, "memory=foreign can't be: %s", reason);
		return error;
	} else {
		snprintf(text, MEMORY_TEXT_MAX, "grants (%s)", reason);
	}
	return 0;
}

bool memory_maps_each(const struct memory *memory, bool cached)
{
	return !cached || memory->guest->pv;
}

bool memory_copies(const struct memory *memory, bool cached, bool to_guest)
{
	return memory->platform->grants_copy && (!cached || (to_guest && memory->guest->pv));
}

/* ---- map and unmap ---- */

/* can_go_by_cache - shall the cache be tried? A PV guest's frames are not written there. */
static bool can_go_by_cache(const struct memory *memory, const struct memory_mapping *mapping)
{
	return mapping->cached && !(mapping->writable && memory->guest->pv);
}

/* can_copy_only - is one of the grants such that it can be copied but not mapped? */
static bool can_copy_only(struct memory *memory, const struct memory_mapping *mapping)
{
	struct resolver *resolver = &memory->guest->resolver;
	struct resolver_view view = resolver_view(resolver, mapping->writable);
	bool found = false;

	for (uint32_t i = 0; i < mapping->count && !found; i++) {
		uint64_t frame;

		found = resolver_look_up(resolver, &view, mapping->grefs[i], &frame) == RESOLVED_BY_COPY;
	}
	return found;
}

/* copy_what_failed - after grants could not be mapped: those that can be copied are. */
static void copy_what_failed(struct memory *memory, struct memory_mapping **mappings, size_t count)
{
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		if (mappings[i]->error == 0 || !mappings[i]->cached || !can_copy_only(memory, mappings[i]))
			continue;
		mappings[i]->error = 0;
		mappings[i]->way = WAY_COPY;
		any = true;
	}
	if (any)
		bounce_map_copies(memory, mappings, count);
}

/*
 * copy_what_is_direct - of what would be mapped by grants. A process that is killed while the storage reads into pages that it has mapped
 * leaves Dom0's kernel with broken page tables (gntdev of Linux 6.1, PV): it unmaps them late, after the process is gone.
 */
static void copy_what_is_direct(struct memory *memory, struct memory_mapping **mappings, size_t count)
{
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		if (!mappings[i]->direct || mappings[i]->way != WAY_GRANTS)
			continue;
		mappings[i]->way = WAY_COPY;
		any = true;
	}
	if (!any)
		return;
	bounce_map_copies(memory, mappings, count);
	/* Where there is no room for copies they are mapped. */
	for (size_t i = 0; i < count; i++)
		if (mappings[i]->way == WAY_GRANTS)
			mappings[i]->error = 0;
}

/* cache_of - the loop's cache, if there is one by now. */
static struct cache *cache_of(const struct memory *memory)
{
	return __atomic_load_n(&memory->cache, __ATOMIC_ACQUIRE);
}

/* ways_of - a bit for each way that mappings of a list have gone. */
static uint32_t ways_of(struct memory_mapping **mappings, size_t count)
{
	uint32_t ways = 0;

	for (size_t i = 0; i < count; i++)
		ways |= 1u << mappings[i]->way;
	return ways;
}

/*
 * map_again - after grants could not be mapped: what the ring keeps mapped may be what Xen has no room for. Linux does not say why it
 * failed; a guest whose grants are bad makes only its own ring slow.
 */
static void map_again(struct memory *memory, struct memory_mapping **mappings, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct memory_mapping *mapping = mappings[i];

		if (mapping->error == 0 || mapping->way != WAY_GRANTS || !mapping->persistent)
			continue;
		if (!persistent_give_up(memory, mapping->persistent))
			continue;
		for (size_t again = i; again < count; again++) {
			if (mappings[again]->error == 0 || mappings[again]->persistent != mapping->persistent)
				continue;
			mappings[again]->error = 0;
			gnttab_map(memory, &mappings[again], 1);
		}
	}
}

/* map_grants - what does not go by the cache. */
static void map_grants(struct memory *memory, struct memory_mapping **mappings, size_t count)
{
	bool failed = false;

	gnttab_map(memory, mappings, count);
	for (size_t i = 0; i < count; i++)
		failed |= mappings[i]->error < 0;
	if (failed)
		map_again(memory, mappings, count);
	if (failed && cache_of(memory) && memory->platform->grants_copy)
		copy_what_failed(memory, mappings, count);
}

/* has_cache - is there a cache, whose look-ups can be relied on? */
static bool has_cache(const struct memory *memory)
{
	return cache_of(memory) && !__atomic_load_n(&memory->guest->failed, __ATOMIC_RELAXED);
}

bool memory_read(struct memory *memory, uint32_t gref, uint32_t offset, uint32_t bytes, void *to)
{
	return has_cache(memory) && foreign_read(memory, gref, offset, bytes, to);
}

void memory_map(struct memory *memory, struct memory_mapping **mappings, size_t count)
{
	bool can_cache = has_cache(memory);
	bool cached = false, direct = false, persistent = false;

	for (size_t i = 0; i < count; i++) {
		mappings[i]->error = 0;
		mappings[i]->way = mappings[i]->persistent ? WAY_PERSISTENT : WAY_GRANTS;
		persistent |= mappings[i]->persistent != NULL;
		direct |= mappings[i]->direct;
		if (!can_cache || !can_go_by_cache(memory, mappings[i]))
			continue;
		mappings[i]->way = WAY_CACHE;
		cached = true;
	}
	if (cached)
		foreign_map(memory, mappings, count);
	if (direct && cache_of(memory)) {
		bounce_map(memory, mappings, count);
		if (memory->platform->grants_copy)
			copy_what_is_direct(memory, mappings, count);
	}
	if (persistent)
		persistent_map(memory, mappings, count);
	if (ways_of(mappings, count) & 1u << WAY_GRANTS)
		map_grants(memory, mappings, count);
}

size_t memory_unmap(struct memory *memory, struct memory_mapping **mappings, size_t count,
		    struct memory_mapping **gone)
{
	const uint32_t in_cache = 1u << WAY_CACHE | 1u << WAY_CACHE_BOUNCED;
	const uint32_t bounced = 1u << WAY_CACHE_BOUNCED | 1u << WAY_COPY | 1u << WAY_COPIED;
	uint32_t ways = ways_of(mappings, count);
	size_t gone_count = 0;

	if (ways & bounced)
		bounce_write(memory, mappings, count);
	if (ways & in_cache)
		foreign_unmap(memory, mappings, count);
	if (ways & bounced)
		bounce_unmap(memory, mappings, count);
	if (ways & 1u << WAY_PERSISTENT)
		persistent_unmap(mappings, count);
	if (ways & 1u << WAY_GRANTS)
		gone_count = gnttab_unmap(memory, mappings, count, gone);
	for (size_t i = 0; i < count; i++)
		if (mappings[i]->way != WAY_GRANTS)
			gone[gone_count++] = mappings[i];
	return gone_count;
}

void memory_copy(struct memory *memory, struct grant_copy *copies, uint32_t count)
{
	int error = memory->platform->grants_copy(memory->grants, memory->domid, copies, count);

	for (uint32_t i = 0; error < 0 && i < count; i++)
		copies[i].error = error;
}

void memory_expect_direct(struct memory *memory)
{
	if (memory->cache)
		bounce_populate(memory->bounce);
}

struct iovec memory_to_register(const struct memory *memory)
{
	return cache_of(memory) ? bounce_to_register(memory->bounce) : (struct iovec){0};
}

/* ---- the keeper's bell ---- */

int memory_bell(const struct memory *memory)
{
	return memory->bell;
}

void memory_attend(struct memory *memory)
{
	struct cache *cache = cache_of(memory);
	uint32_t epoch, tick;

	if (!cache)
		return;
	epoch = __atomic_load_n(&memory->guest->epoch, __ATOMIC_ACQUIRE);
	tick = __atomic_load_n(&memory->guest->tick, __ATOMIC_RELAXED);
	cache->budget = __atomic_load_n(&memory->guest->budget, __ATOMIC_RELAXED);
	if (epoch != cache->epoch)
		cache_advance(cache, epoch);
	if (tick != cache->tick)
		cache_tick(cache, tick);
	guest_memory_tell(memory);
}

/* ---- rings ---- */

/* Rings are always mapped by grant: that is the frontend's word that we may write there, and it holds the
 * pages. */
int memory_map_ring(struct memory *memory, const uint32_t *grefs, uint32_t count, struct memory_ring *ring)
{
	assert(count >= 1 && count <= MEMORY_RING_PAGES_MAX);
	ring->count = count;
	return memory->platform->grants_map(memory->grants, memory->domid, grefs, count, true, true,
					    ring->pages, &ring->mapping);
}

void memory_unmap_ring(struct memory *memory, const struct memory_ring *ring)
{
	int error = memory->platform->grants_unmap(memory->grants, ring->mapping, ring->count);

	if (error < 0)
		log_error("guest %u: can't unmap a ring of %u pages: %s", memory->domid, ring->count,
			  strerror(-error));
}
