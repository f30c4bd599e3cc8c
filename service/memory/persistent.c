// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * persistent.c - grants that the frontend leaves in place stay mapped
 */
#include "memory/persistent.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "memory/mapper.h"

#define NONE UINT32_MAX
#define BATCH_GRANTS_MAX 256u /* of one call; a request has no more */

/* A grant that is mapped, or will be by the call that is being prepared. */
struct kept_grant {
	uint32_t gref;
	uint32_t batch;
	uint32_t next_in_hash; /* with the same hash; or the next free one */
	uint32_t next_in_batch;
	void *page;
};

/* What one call has mapped. */
struct kept_batch {
	void *mapping; /* the platform's name of it */
	uint32_t first, count;
	uint32_t uses;	 /* pages that requests use */
	bool referenced; /* used since the hand of the clock came by */
	bool mapped;
};

struct persistent {
	struct kept_grant *grants;  /* grants_max of them */
	struct kept_batch *batches; /* as many: each may hold one grant only */
	uint32_t *heads;	    /* of the hash, hash_mask + 1 of them */
	uint32_t grants_max, hash_mask;
	uint32_t free_grants, hand;
	uint32_t open_batch; /* the one that is being prepared, or NONE */
	bool missed;	     /* a grant of this list was not mapped yet */
	bool failed;	     /* a batch of this list could not be mapped */
	bool no_room;	     /* none could be made in this list */
	struct persistent_counters counters;
};

int persistent_create(uint32_t grants_max, struct persistent **created)
{
	struct persistent *persistent = calloc(1, sizeof(*persistent));
	uint32_t heads = 1;

	if (!persistent)
		return -ENOMEM;
	while (heads < grants_max)
		heads *= 2;
	persistent->grants_max = grants_max;
	persistent->hash_mask = heads - 1;
	persistent->grants = calloc(grants_max, sizeof(*persistent->grants));
	persistent->batches = calloc(grants_max, sizeof(*persistent->batches));
	persistent->heads = malloc(heads * sizeof(persistent->heads[0]));
	if (!persistent->grants || !persistent->batches || !persistent->heads) {
		persistent_destroy(NULL, persistent);
		return -ENOMEM;
	}
	memset(persistent->heads, 0xff, heads * sizeof(persistent->heads[0]));
	persistent->free_grants = NONE;
	for (uint32_t i = grants_max; i > 0; i--) {
		persistent->grants[i - 1].next_in_hash = persistent->free_grants;
		persistent->free_grants = i - 1;
	}
	persistent->open_batch = NONE;
	*created = persistent;
	return 0;
}

const struct persistent_counters *persistent_counters(const struct persistent *persistent)
{
	return &persistent->counters;
}

/* ---- finding ---- */

/* head_of - grefs are small numbers in no order; their low bits are as good as any hash. */
static uint32_t *head_of(struct persistent *persistent, uint32_t gref)
{
	return &persistent->heads[gref & persistent->hash_mask];
}

static uint32_t find(struct persistent *persistent, uint32_t gref)
{
	uint32_t at = *head_of(persistent, gref);

	while (at != NONE && persistent->grants[at].gref != gref)
		at = persistent->grants[at].next_in_hash;
	return at;
}

/* forget - a grant is not found any more, and its place is free. */
static void forget(struct persistent *persistent, uint32_t at)
{
	struct kept_grant *grant = &persistent->grants[at];
	uint32_t *link = head_of(persistent, grant->gref);

	while (*link != at)
		link = &persistent->grants[*link].next_in_hash;
	*link = grant->next_in_hash;
	grant->next_in_hash = persistent->free_grants;
	persistent->free_grants = at;
}

/* ---- batches ---- */

/* drop_batch - unmap it, if it is mapped, and forget its grants. Nothing uses them. */
static void drop_batch(struct memory *memory, struct persistent *persistent, struct kept_batch *batch)
{
	int error = 0;

	assert(batch->uses == 0);
	if (batch->mapped)
		error = memory->platform->grants_unmap(memory->grants, batch->mapping, batch->count);
	if (error < 0)
		log_error("guest %u: can't unmap %u persistent grants: %s", memory->domid, batch->count,
			  strerror(-error));
	for (uint32_t at = batch->first; batch->count > 0; batch->count--) {
		uint32_t next = persistent->grants[at].next_in_batch;

		forget(persistent, at);
		at = next;
	}
	batch->mapped = false;
}

/* make_room - drop a batch that was not used lately. Returns false if there is none. */
static bool make_room(struct memory *memory, struct persistent *persistent)
{
	for (uint32_t i = 0; i < 2 * persistent->grants_max && !persistent->no_room; i++) {
		struct kept_batch *batch = &persistent->batches[persistent->hand];

		persistent->hand = (persistent->hand + 1) % persistent->grants_max;
		if (!batch->mapped || batch->uses > 0)
			continue;
		if (batch->referenced) {
			batch->referenced = false;
			continue;
		}
		persistent->counters.evicted += batch->count;
		drop_batch(memory, persistent, batch);
		return true;
	}
	persistent->no_room = true;
	return false;
}

/* begin_batch - there is always one that is free: each that is not has a grant at least. */
static struct kept_batch *begin_batch(struct persistent *persistent)
{
	uint32_t at = 0;

	while (persistent->batches[at].count > 0)
		at++;
	persistent->batches[at] = (struct kept_batch){.first = NONE, .referenced = true};
	persistent->open_batch = at;
	return &persistent->batches[at];
}

/* map_batch - the one that is being prepared is complete. */
static void map_batch(struct memory *memory, struct persistent *persistent)
{
	struct kept_batch *batch = &persistent->batches[persistent->open_batch];
	uint32_t grefs[BATCH_GRANTS_MAX], count = 0;
	void *pages[BATCH_GRANTS_MAX];
	int error;

	for (uint32_t at = batch->first; at != NONE; at = persistent->grants[at].next_in_batch)
		grefs[count++] = persistent->grants[at].gref;
	assert(count == batch->count);
	error = memory->platform->grants_map(memory->grants, memory->domid, grefs, count, true, false, pages,
					     &batch->mapping);
	batch->mapped = error == 0;
	persistent->counters.map_calls++;
	persistent->counters.mapped += batch->mapped ? count : 0;
	count = 0;
	for (uint32_t at = batch->first; batch->mapped && at != NONE;
	     at = persistent->grants[at].next_in_batch)
		persistent->grants[at].page = pages[count++];
	persistent->failed |= !batch->mapped;
	persistent->open_batch = NONE;
}

/* add - a grant to the batch that is being prepared. Returns its place, or NONE when there is no room. */
static uint32_t add(struct memory *memory, struct persistent *persistent, uint32_t gref)
{
	struct kept_batch *batch;
	uint32_t at, *head;

	if (persistent->free_grants == NONE && !make_room(memory, persistent))
		return NONE;
	batch = persistent->open_batch == NONE ? begin_batch(persistent)
					       : &persistent->batches[persistent->open_batch];
	at = persistent->free_grants;
	head = head_of(persistent, gref);
	persistent->free_grants = persistent->grants[at].next_in_hash;
	persistent->grants[at] = (struct kept_grant){
		.gref = gref,
		.batch = persistent->open_batch,
		.next_in_hash = *head,
		.next_in_batch = batch->first,
	};
	*head = at;
	batch->first = at;
	persistent->missed = true;
	if (++batch->count == BATCH_GRANTS_MAX)
		map_batch(memory, persistent);
	return at;
}

/* ---- uses ---- */

/* release - the first `count` pages of a mapping are not used any more. */
static void release(struct persistent *persistent, const struct memory_mapping *mapping, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = find(persistent, mapping->grefs[i]);

		assert(at != NONE);
		persistent->batches[persistent->grants[at].batch].uses--;
	}
}

/* use - each grant of a mapping, mapped or to be mapped; what is to be has no page yet. Returns false if that can't be, and none is used. */
static bool use(struct memory *memory, struct persistent *persistent, struct memory_mapping *mapping)
{
	for (uint32_t i = 0; i < mapping->count; i++) {
		uint32_t at = find(persistent, mapping->grefs[i]);
		struct kept_batch *batch;

		if (at != NONE)
			persistent->counters.hits++;
		else
			at = add(memory, persistent, mapping->grefs[i]);
		if (at == NONE) {
			release(persistent, mapping, i);
			return false;
		}
		batch = &persistent->batches[persistent->grants[at].batch];
		batch->uses++;
		batch->referenced = true;
		mapping->pages[i] = persistent->grants[at].page;
	}
	return true;
}

/* find_pages - once more, after all that was missed is mapped. Returns false if one of the grants was not. */
static bool find_pages(struct persistent *persistent, struct memory_mapping *mapping)
{
	for (uint32_t i = 0; i < mapping->count; i++) {
		struct kept_grant *grant = &persistent->grants[find(persistent, mapping->grefs[i])];

		if (!persistent->batches[grant->batch].mapped)
			return false;
		mapping->pages[i] = grant->page;
	}
	return true;
}

/* refuse - the grants are mapped for this request alone. */
static void refuse(struct persistent *persistent, struct memory_mapping *mapping)
{
	persistent->counters.refused++;
	mapping->way = WAY_GRANTS;
}

/* map_ring - the mappings of a list that belong to one ring. */
static void map_ring(struct memory *memory, struct memory_mapping **mappings, size_t count)
{
	struct persistent *persistent = mappings[0]->persistent;

	persistent->missed = persistent->failed = persistent->no_room = false;
	for (size_t i = 0; i < count; i++)
		if (!use(memory, persistent, mappings[i]))
			refuse(persistent, mappings[i]);
	if (!persistent->missed)
		return;
	if (persistent->open_batch != NONE)
		map_batch(memory, persistent);
	for (size_t i = 0; i < count; i++) {
		if (mappings[i]->way != WAY_PERSISTENT || find_pages(persistent, mappings[i]))
			continue;
		release(persistent, mappings[i], mappings[i]->count);
		refuse(persistent, mappings[i]);
	}
	for (uint32_t i = 0; persistent->failed && i < persistent->grants_max; i++)
		if (persistent->batches[i].count > 0 && !persistent->batches[i].mapped)
			drop_batch(memory, persistent, &persistent->batches[i]);
}

void persistent_map(struct memory *memory, struct memory_mapping **mappings, size_t count)
{
	size_t begin = 0;

	while (begin < count) {
		size_t end = begin + 1;

		if (mappings[begin]->way == WAY_PERSISTENT) {
			while (end < count && mappings[end]->way == WAY_PERSISTENT &&
			       mappings[end]->persistent == mappings[begin]->persistent)
				end++;
			map_ring(memory, mappings + begin, end - begin);
		}
		begin = end;
	}
}

void persistent_unmap(struct memory_mapping **mappings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (mappings[i]->way == WAY_PERSISTENT)
			release(mappings[i]->persistent, mappings[i], mappings[i]->count);
}

bool persistent_give_up(struct memory *memory, struct persistent *persistent)
{
	uint64_t before = persistent->counters.evicted;

	for (uint32_t i = 0; i < persistent->grants_max; i++) {
		struct kept_batch *batch = &persistent->batches[i];

		if (!batch->mapped || batch->uses > 0)
			continue;
		persistent->counters.evicted += batch->count;
		drop_batch(memory, persistent, batch);
	}
	return persistent->counters.evicted > before;
}

void persistent_destroy(struct memory *memory, struct persistent *persistent)
{
	for (uint32_t i = 0; memory && i < persistent->grants_max; i++)
		if (persistent->batches[i].count > 0)
			drop_batch(memory, persistent, &persistent->batches[i]);
	free(persistent->grants);
	free(persistent->batches);
	free(persistent->heads);
	free(persistent);
}
