// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cache.c - frames of a guest that stay mapped
 */
#include "memory/cache.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static_assert(sizeof(struct cache_slot) == 64, "a cache line");

/* ---- the table: open addressing, and no marks of what was removed ---- */

static uint32_t slot_index(const struct cache *cache, const struct cache_slot *slot)
{
	return (uint32_t)(slot - cache->slots);
}

static void insert(struct cache *cache, const struct cache_slot *slot)
{
	uint32_t at = cache_hash(cache, slot->chunk);

	while (cache->table[at] != 0)
		at = (at + 1) & cache->table_mask;
	cache->table[at] = slot_index(cache, slot) + 1;
}

/* remove_from_table - and move up those behind that would not be found over the gap. */
static void remove_from_table(struct cache *cache, const struct cache_slot *slot)
{
	uint32_t mask = cache->table_mask, gap = cache_hash(cache, slot->chunk), at;

	while (cache->table[gap] != slot_index(cache, slot) + 1)
		gap = (gap + 1) & mask;
	for (at = (gap + 1) & mask; cache->table[at] != 0; at = (at + 1) & mask) {
		uint32_t home = cache_hash(cache, cache->slots[cache->table[at] - 1].chunk);

		/* It may go to the gap if its home is not behind the gap. */
		if (((at - home) & mask) >= ((at - gap) & mask)) {
			cache->table[gap] = cache->table[at];
			gap = at;
		}
	}
	cache->table[gap] = 0;
}

/* ---- lists for the platform ---- */

static int compare_slots(const void *one, const void *other)
{
	uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;

	return a < b ? -1 : a > b;
}

/* describe_runs - where the chunks of these slots lie, ascending. */
static void describe_runs(const struct cache *cache, uint32_t *slots, uint32_t count,
			  struct foreign_run runs[CACHE_BATCH])
{
	qsort(slots, count, sizeof(slots[0]), compare_slots);
	for (uint32_t i = 0; i < count; i++)
		runs[i] = (struct foreign_run){cache->range + slots[i] * CHUNK_BYTES, CHUNK_FRAMES};
}

/* ---- leaving ---- */

static void free_slot(struct cache *cache, uint32_t index)
{
	struct cache_slot *slot = &cache->slots[index];

	cache->older -= slot->epoch != cache->epoch;
	slot->state = CACHE_FREE;
	cache->free[cache->free_count++] = index;
	cache->chunks--;
}

/* unmap - by one call. On failure they stay mapped. */
static int unmap(struct cache *cache, uint32_t *slots, uint32_t count)
{
	struct foreign_run runs[CACHE_BATCH];
	int error;

	if (count == 0)
		return 0;
	describe_runs(cache, slots, count, runs);
	cache->counters.unmap_calls++;
	error = cache->platform->foreign_unmap(cache->foreign, runs, count);
	if (error < 0) {
		log_limited(&cache->limit, LOG_LEVEL_ERROR, "guest %u: can't unmap %u chunks of memory: %s",
			    cache->domid, count, strerror(-error));
		return error;
	}
	for (uint32_t i = 0; i < count; i++)
		free_slot(cache, slots[i]);
	return 0;
}

void cache_settle(struct cache *cache)
{
	while (cache->leaving_count > 0) {
		uint32_t batch[CACHE_BATCH], count = 0, first = cache->leaving_count;

		/* The last ones; those that were never mapped are free at once. */
		while (first > 0 && count < CACHE_BATCH) {
			uint32_t index = cache->leaving[--first];

			if (!cache->slots[index].nothing)
				batch[count++] = index;
		}
		for (uint32_t i = first; i < cache->leaving_count; i++)
			if (cache->slots[cache->leaving[i]].nothing)
				free_slot(cache, cache->leaving[i]);
		cache->leaving_count = first;
		if (unmap(cache, batch, count) == 0)
			continue;
		/* To be tried again. */
		for (uint32_t i = 0; i < count; i++)
			cache->leaving[cache->leaving_count++] = batch[i];
		return;
	}
}

void cache_left(struct cache *cache, struct cache_slot *slot)
{
	cache->leaving[cache->leaving_count++] = slot_index(cache, slot);
}

/* leave - it is not found any more. */
static void leave(struct cache *cache, struct cache_slot *slot)
{
	remove_from_table(cache, slot);
	slot->state = CACHE_LEAVING;
	if (slot->uses == 0)
		cache_left(cache, slot);
}

/* ---- making room ---- */

/* evict - up to `count` chunks that nobody uses, by CLOCK. Returns how many. */
static uint32_t evict(struct cache *cache, uint32_t count)
{
	uint32_t evicted = 0;

	/* The second round finds what the first one has left without a reference. */
	for (uint32_t step = 0; step < 2 * cache->slots_end && evicted < count; step++) {
		struct cache_slot *slot = &cache->slots[cache->hand];

		cache->hand = cache->hand + 1 < cache->slots_end ? cache->hand + 1 : 0;
		if (slot->state != CACHE_MAPPED || slot->uses > 0)
			continue;
		if (slot->referenced) {
			slot->referenced = false;
			continue;
		}
		leave(cache, slot);
		evicted++;
	}
	cache->counters.evictions += evicted;
	cache_settle(cache);
	return evicted;
}

/* earned - how many evictions the hits since the last ones pay for. What was not used is not saved for ever. */
static uint32_t earned(struct cache *cache)
{
	uint64_t hits = cache->counters.hits - cache->spent;

	if (hits > CACHE_CHUNK_PRICE * (uint64_t)CACHE_BATCH) {
		hits = CACHE_CHUNK_PRICE * (uint64_t)CACHE_BATCH;
		cache->spent = cache->counters.hits - hits;
	}
	return (uint32_t)(hits / CACHE_CHUNK_PRICE);
}

/* make_room - for one chunk at least, and for some more, since they are unmapped by one call. */
static bool make_room(struct cache *cache)
{
	uint32_t batch = cache->budget / 8, most = earned(cache);

	if (cache->no_victim || most == 0)
		return false;
	if (batch > CACHE_EVICT_BATCH)
		batch = CACHE_EVICT_BATCH;
	if (batch == 0)
		batch = 1;
	most = evict(cache, batch < most ? batch : most);
	cache->spent += (uint64_t)most * CACHE_CHUNK_PRICE;
	cache->no_victim = most == 0;
	return cache->free_count > 0 && cache->chunks < cache->budget;
}

/* ---- frames that are not there ---- */

/* pay - for those that were tried in vain, and for more to come; what is not used is not saved for ever. */
static void pay(struct cache *cache, uint32_t more)
{
	cache->in_vain += (int64_t)(cache->counters.hits - cache->paid) + more;
	cache->paid = cache->counters.hits;
	if (cache->in_vain > CACHE_IN_VAIN)
		cache->in_vain = CACHE_IN_VAIN;
}

/* may_try - chunks whose frames may be missing? */
static bool may_try(struct cache *cache)
{
	if (cache->in_vain <= 0)
		pay(cache, 0);
	return cache->in_vain > 0;
}

/* ---- what was lost with an epoch ---- */

/* look_ups - that could have found something; holes can't. */
static uint64_t look_ups(const struct cache *cache)
{
	return cache->counters.hits + cache->counters.refused;
}

/* regain - may one more chunk be mapped, though it may be one that was lost? */
static bool regain(struct cache *cache)
{
	if (cache->lost == 0)
		return true;
	if (look_ups(cache) - cache->repaid < CACHE_CHUNK_PRICE)
		return false;
	cache->repaid += CACHE_CHUNK_PRICE;
	cache->lost--;
	return true;
}

/* ---- mapping ---- */

/* note_errors - which frames of a chunk could not be mapped. */
static void note_errors(struct cache *cache, struct cache_slot *slot, const int *errors)
{
	memset(slot->missing, 0, sizeof(slot->missing));
	for (uint32_t i = 0; i < CHUNK_FRAMES; i++) {
		if (errors[i] < 0) {
			slot->missing[i / 64] |= UINT64_C(1) << i % 64;
			slot->has_missing = true;
			cache->in_vain--;
		} else {
			cache->counters.frames++;
		}
	}
}

void cache_map_missed(struct cache *cache)
{
	struct foreign_run runs[CACHE_BATCH];
	uint32_t count = cache->missed_count;
	int error;

	cache->no_victim = false;
	if (count == 0)
		return;
	cache->missed_count = 0;
	describe_runs(cache, cache->missed, count, runs);
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t j = 0; j < CHUNK_FRAMES; j++)
			cache->frames[i * CHUNK_FRAMES + j] = cache->slots[cache->missed[i]].chunk *
								      CHUNK_FRAMES +
							      j;
	cache->counters.map_calls++;
	error = cache->platform->foreign_map(cache->foreign, cache->domid, runs, count, cache->frames,
					     cache->errors);
	if (error < 0)
		log_limited(&cache->limit, LOG_LEVEL_WARNING, "guest %u: can't map %u chunks of memory: %s",
			    cache->domid, count, strerror(-error));
	for (uint32_t i = 0; i < count; i++) {
		struct cache_slot *slot = &cache->slots[cache->missed[i]];

		slot->state = CACHE_MAPPED;
		slot->nothing = slot->has_missing = error < 0;
		if (error < 0)
			memset(slot->missing, 0xff, sizeof(slot->missing));
		else
			note_errors(cache, slot, cache->errors + i * CHUNK_FRAMES);
	}
	cache->counters.chunks += count;
}

uint32_t cache_miss(struct cache *cache, uint64_t chunk)
{
	struct cache_slot *slot;
	uint32_t index;

	if (!may_try(cache) || !regain(cache) ||
	    ((cache->chunks >= cache->budget || cache->free_count == 0) && !make_room(cache))) {
		cache->counters.refused++;
		return 0;
	}
	if (cache->missed_count == CACHE_BATCH)
		cache_map_missed(cache);
	cache->counters.misses++;
	index = cache->free[--cache->free_count];
	if (index >= cache->slots_end)
		cache->slots_end = index + 1;
	slot = &cache->slots[index];
	*slot = (struct cache_slot){
		.chunk = chunk, .epoch = cache->epoch, .mapped_at = cache->tick, .state = CACHE_MISSED};
	cache->chunks++;
	insert(cache, slot);
	cache->missed[cache->missed_count++] = index;
	return index + 1;
}

/* The guest may have got the frame meanwhile. But not more often than once in a tick, or it could have us map for
 * nothing all the time. */
void cache_hole(struct cache *cache, struct cache_slot *slot)
{
	cache->counters.holes++;
	if (slot->state == CACHE_MAPPED && slot->mapped_at != cache->tick && may_try(cache))
		leave(cache, slot);
}

/* ---- time ---- */

void cache_advance(struct cache *cache, uint32_t epoch)
{
	assert(cache->missed_count == 0);
	cache->epoch = epoch;
	cache->older = cache->chunks;
	cache->counters.invalidations++;
	cache->repaid = look_ups(cache);
	for (uint32_t i = 0; i < cache->slots_end; i++) {
		if (cache->slots[i].state != CACHE_MAPPED)
			continue;
		leave(cache, &cache->slots[i]);
		cache->lost++;
	}
	cache_settle(cache);
}

/* is_over - shall this chunk leave? */
static bool is_over(const struct cache *cache, struct cache_slot *slot)
{
	if (cache->age_ticks > 0 && cache->tick - slot->mapped_at >= cache->age_ticks)
		return true;
	if (slot->referenced || slot->uses > 0)
		slot->idle = 0;
	else
		slot->idle++;
	slot->referenced = slot->uses > 0;
	return slot->idle >= cache->idle_ticks;
}

void cache_tick(struct cache *cache, uint32_t tick)
{
	assert(cache->missed_count == 0);
	cache->tick = tick;
	pay(cache, CACHE_IN_VAIN);
	for (uint32_t i = 0; i < cache->slots_end; i++)
		if (cache->slots[i].state == CACHE_MAPPED && is_over(cache, &cache->slots[i]))
			leave(cache, &cache->slots[i]);
	cache_settle(cache);
	if (cache->chunks > cache->budget)
		evict(cache, cache->chunks - cache->budget);
}

/* ---- create and destroy ---- */

/* make_arrays - a slot for each chunk, and a table that is never more than half full. */
static int make_arrays(struct cache *cache)
{
	uint32_t bits = 1;

	while ((UINT64_C(1) << bits) < 2 * (uint64_t)cache->slot_count)
		bits++;
	cache->table_shift = 64 - bits;
	cache->table_mask = (uint32_t)((UINT64_C(1) << bits) - 1);
	cache->table = calloc((size_t)1 << bits, sizeof(cache->table[0]));
	cache->slots = aligned_alloc(64, cache->slot_count * sizeof(cache->slots[0]));
	cache->free = calloc(cache->slot_count, sizeof(cache->free[0]));
	cache->leaving = calloc(cache->slot_count, sizeof(cache->leaving[0]));
	if (!cache->table || !cache->slots || !cache->free || !cache->leaving)
		return -ENOMEM;
	/* The lowest is taken first. */
	for (uint32_t i = cache->slot_count; i > 0; i--)
		cache->free[cache->free_count++] = i - 1;
	return 0;
}

static void free_arrays(struct cache *cache)
{
	free(cache->table);
	free(cache->slots);
	free(cache->free);
	free(cache->leaving);
	free(cache);
}

int cache_create(const struct cache_options *options, struct cache **created)
{
	struct cache *cache = calloc(1, sizeof(*cache));
	void *range;
	int error;

	if (!cache)
		return -ENOMEM;
	assert(options->slots > 0 && options->idle_ticks > 0 && options->idle_ticks <= UINT8_MAX);
	cache->platform = options->platform;
	cache->foreign = options->foreign;
	cache->domid = options->domid;
	cache->slot_count = cache->budget = options->slots;
	cache->idle_ticks = options->idle_ticks;
	cache->age_ticks = options->age_ticks;
	cache->in_vain = CACHE_IN_VAIN;
	error = make_arrays(cache);
	if (error == 0)
		error = cache->platform->foreign_reserve(cache->foreign, cache->slot_count * CHUNK_FRAMES,
							 options->writable ? FOREIGN_WRITE : FOREIGN_READ,
							 &range);
	if (error < 0) {
		free_arrays(cache);
		return error;
	}
	cache->range = range;
	*created = cache;
	return 0;
}

void cache_destroy(struct cache *cache)
{
	int error;

	for (uint32_t i = 0; i < cache->slots_end; i++) {
		assert(cache->slots[i].state == CACHE_FREE || cache->slots[i].uses == 0);
		if (cache->slots[i].state == CACHE_MAPPED)
			leave(cache, &cache->slots[i]);
	}
	cache_settle(cache);
	error = cache->platform->foreign_release(cache->foreign, cache->range,
						 cache->slot_count * CHUNK_FRAMES);
	if (error < 0)
		log_error("guest %u: can't release the addresses of its memory: %s", cache->domid,
			  strerror(-error));
	free_arrays(cache);
}
