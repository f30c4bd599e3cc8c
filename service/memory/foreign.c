// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * foreign.c - memory by the cache: from grants to frames, from frames to addresses
 *
 * In the steady state a page costs a look at its grant's entry, a look-up in the cache, and a count; there is no call.
 * What was written is reported by one call for all mappings that are given back together, or left to who publishes the
 * responses: whoever migrates a guest does not see what we write.
 */
#include "memory/mapper.h"

#include <errno.h>
#include <string.h>

#include "log.h"
#include "platform/frame_extents.h"

void foreign_release(struct memory *memory, void *const *pages, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		cache_drop(memory->cache, pages[i]);
}

/* look_up - the addresses of all pages, and a use of each; or none. `view` is for reading, or for writing, as the mapping is. */
static bool look_up(struct memory *memory, struct resolver_view *view, struct memory_mapping *mapping)
{
	struct resolver *resolver = &memory->guest->resolver;
	uint32_t count = mapping->count;
	const uint32_t *grefs = mapping->grefs;
	void **pages = mapping->pages;
	struct cache *cache = memory->cache;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t frame;

		if (resolver_look_up(resolver, view, grefs[i], &frame) != RESOLVED ||
		    !(pages[i] = cache_use(cache, frame))) {
			foreign_release(memory, pages, i);
			return false;
		}
	}
	return true;
}

/* is_whole - could all pages be mapped? */
static bool is_whole(const struct memory *memory, const struct memory_mapping *mapping)
{
	for (uint32_t i = 0; i < mapping->count; i++)
		if (!cache_has(memory->cache, mapping->pages[i]))
			return false;
	return true;
}

/* map_missed - now it turns out what could be mapped. */
static void map_missed(struct memory *memory, struct memory_mapping **mappings, size_t count)
{
	cache_map_missed(memory->cache);
	for (size_t i = 0; i < count; i++) {
		if (mappings[i]->way != WAY_CACHE || is_whole(memory, mappings[i]))
			continue;
		foreign_release(memory, mappings[i]->pages, mappings[i]->count);
		mappings[i]->way = WAY_GRANTS;
	}
	cache_settle(memory->cache);
	guest_memory_tell(memory);
}

void foreign_map(struct memory *memory, struct memory_mapping **mappings, size_t count)
{
	uint64_t misses = memory->cache->counters.misses, refused = memory->cache->counters.refused;
	const struct resolver *resolver = &memory->guest->resolver;
	struct resolver_view views[] = {resolver_view(resolver, false), resolver_view(resolver, true)};

	for (size_t i = 0; i < count; i++)
		if (mappings[i]->way == WAY_CACHE &&
		    !look_up(memory, &views[mappings[i]->writable], mappings[i]))
			mappings[i]->way = WAY_GRANTS;
	if (memory->cache->counters.misses != misses || memory->cache->counters.refused != refused)
		map_missed(memory, mappings, count);
}

bool foreign_read(struct memory *memory, uint32_t gref, uint32_t offset, uint32_t bytes, void *to)
{
	struct resolver *resolver = &memory->guest->resolver;
	struct resolver_view view = resolver_view(resolver, false);
	const char *page;
	uint64_t frame;

	if (resolver_look_up(resolver, &view, gref, &frame) != RESOLVED)
		return false;
	page = cache_peek(memory->cache, frame);
	if (!page)
		return false;
	memcpy(to, page + offset, bytes);
	return true;
}

/* ---- what was written ---- */

/* count_report - one call was made. */
static void count_report(struct memory *memory, uint32_t frames)
{
	memory->reports.calls++;
	memory->reports.frames += frames;
}

void memory_leave_reports(struct memory *memory, bool leave)
{
	memory->leaves_reports = leave;
}

uint32_t memory_hand_over_written(struct memory *memory,
				  struct xvhost_remap_extent extents[MEMORY_EXTENTS_MAX])
{
	memory->dirty_handed_over = memory->dirty_count;
	return frame_extents(memory->dirty, memory->dirty_count, extents);
}

void memory_written_reported(struct memory *memory)
{
	uint32_t reported = memory->dirty_handed_over;

	if (reported > 0)
		count_report(memory, reported);
	memory->dirty_handed_over = 0;
	memory->dirty_count -= reported;
	if (memory->dirty_count == 0)
		return;
	memmove(memory->dirty, memory->dirty + reported, memory->dirty_count * sizeof(memory->dirty[0]));
	memmove(memory->dirty_grefs, memory->dirty_grefs + reported,
		memory->dirty_count * sizeof(memory->dirty_grefs[0]));
}

/* mark_by_grant - Xen counts a page as written when a grant of it, mapped to be written, is unmapped. */
static int mark_by_grant(struct memory *memory, uint32_t gref)
{
	const struct platform *platform = memory->platform;
	void *page, *mapping;
	int error = platform->grants_map(memory->grants, memory->domid, &gref, 1, true, false, &page,
					 &mapping);

	return error < 0 ? error : platform->grants_unmap(memory->grants, mapping, 1);
}

/*
 * report_each - Xen 4.17 takes no report of the highest frame that a guest has, and refuses all that come with it. Any other
 * error says that no more reports can be relied on.
 */
static int report_each(struct memory *memory)
{
	struct guest_memory *guest = memory->guest;
	int unmarked = 0;

	for (uint32_t i = 0; i < memory->dirty_count; i++) {
		int error = memory->platform->device_model_modified(guest->model, &memory->dirty[i], 1);

		count_report(memory, error == 0 ? 1 : 0);
		if (error == 0)
			continue;
		if (error != -EINVAL)
			guest_memory_fail(guest, "report what was written to its memory", error);
		error = mark_by_grant(memory, memory->dirty_grefs[i]);
		if (error < 0)
			unmarked = error;
	}
	if (unmarked < 0)
		log_limited(&memory->limit, LOG_LEVEL_ERROR,
			    "guest %u: can't report what was written to its memory, nor by grants: %s",
			    guest->domid, strerror(-unmarked));
	return unmarked;
}

int memory_report(struct memory *memory)
{
	int error = 0;

	if (memory->dirty_count > 0) {
		error = memory->platform->device_model_modified(memory->guest->model, memory->dirty,
								memory->dirty_count);
		count_report(memory, error == 0 ? memory->dirty_count : 0);
		if (error < 0)
			error = report_each(memory);
	}
	memory->dirty_count = memory->dirty_handed_over = 0;
	/* Some frames may be those of responses that are written already. */
	memory->unreported |= error < 0 && memory->leaves_reports;
	return error;
}

bool memory_is_unreported(const struct memory *memory)
{
	return memory->unreported;
}

/* note_written - the frames of a mapping, to be reported. */
static int note_written(struct memory *memory, const struct memory_mapping *mapping)
{
	bool bounced = mapping->way == WAY_CACHE_BOUNCED;
	int error = 0;

	for (uint32_t i = 0; i < mapping->count; i++) {
		const void *page = mapping->pages[i];

		if (memory->dirty_count == MEMORY_EXTENTS_MAX && error == 0)
			error = memory_report(memory);
		if (bounced)
			page = bounce_origin(memory->bounce, page);
		memory->dirty_grefs[memory->dirty_count] = mapping->grefs[i];
		memory->dirty[memory->dirty_count++] = cache_frame(memory->cache, page);
	}
	return error;
}

/* was_written - to frames that are in the cache. What failed may have been written in part, but not from a page of ours. */
static bool was_written(const struct memory_mapping *mapping)
{
	return mapping->writable &&
	       (mapping->way == WAY_CACHE || (mapping->way == WAY_CACHE_BOUNCED && !mapping->failed));
}

/* report_written - what was written to the mappings of a list. */
static void report_written(struct memory *memory, struct memory_mapping **mappings, size_t count)
{
	int error = 0;

	for (size_t i = 0; i < count; i++)
		if (was_written(mappings[i]) && note_written(memory, mappings[i]) < 0)
			error = -EIO;
	if (!memory->leaves_reports && memory_report(memory) < 0)
		error = -EIO;
	/* The guest may be migrated at this moment, and then it would never see what it has asked for. */
	for (size_t i = 0; error < 0 && i < count; i++)
		if (was_written(mappings[i]))
			mappings[i]->error = error;
}

void foreign_unmap(struct memory *memory, struct memory_mapping **mappings, size_t count)
{
	/* First: as long as a frame is mapped the guest that gives it away waits for us, so this is still the frame. If it is another one
	 * when it is reported, that is one more page for whoever migrates the guest. */
	if (memory->guest->model)
		report_written(memory, mappings, count);
	for (size_t i = 0; i < count; i++) {
		const struct memory_mapping *mapping = mappings[i];

		if (mapping->way == WAY_CACHE)
			foreign_release(memory, mapping->pages, mapping->count);
		for (uint32_t j = 0; mapping->way == WAY_CACHE_BOUNCED && j < mapping->count; j++)
			cache_drop(memory->cache, bounce_origin(memory->bounce, mapping->pages[j]));
	}
	if (memory->cache->leaving_count > 0) {
		cache_settle(memory->cache);
		guest_memory_tell(memory);
	}
}
