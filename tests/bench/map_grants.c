// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * map-grants DOMID ROUNDS - what it costs to reach pages that a domain has granted, by blocks of several sizes
 *
 * Runs in the lab's Dom0, where ticks of the processor are instructions. The grants are those that the domain has given to
 * Dom0 and that can be written; a block that is larger than their number names them several times. Prints a line of JSON for
 * each way, size and round: ticks for each page; and one for each way and size of what is asked of Xen. The round before the
 * first is not told.
 *
 *     gntdev     grants mapped and unmapped by the grant device
 *     grantcopy  grants copied, whole pages; there is nothing to unmap
 *     lookup     in the cache: the grant's entry is checked, its frame is found; and the end of its use
 *     cached     the same by memory.h, as the rings do it: 32 requests in a list, no call is made
 *     miss       pages of a cache that holds nothing yet, for each page that is mapped; and of one that is given up
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory/mapper.h"
#include "meter.h"

#define PAGES_MAX 4096u /* of a block */
#define PAGES_MIN 1024u /* in the blocks of a measurement */
#define REQUESTS 32u
#define TABLE_FRAMES 8u /* of the grant table that are looked at */
#define ENTRIES (TABLE_FRAMES * PAGE_BYTES / 8)

static const struct platform *const platform = &platform_xen;
static const struct guest_memory_settings settings = {.most_mib = 512, .budget_mib = 512, .idle_s = 255};
static uint16_t domid;
static uint32_t granted[ENTRIES], granted_count;
static uint32_t grefs[PAGES_MAX]; /* the granted ones, again and again */
static void *pages[PAGES_MAX];
static struct guest_memory *guest;
static struct memory *memory;

static void must(int error, const char *what)
{
	if (error < 0)
		errx(1, "domain %u: %s: %s", domid, what, strerror(-error));
}

/* find_grants - the domain's table tells them. It is of version 1, as Linux has it. */
static void find_grants(void)
{
	struct foreign *foreign;
	void *table;

	must(platform->foreign_open(platform, &foreign), "foreign memory");
	must(platform->foreign_reserve(foreign, TABLE_FRAMES, FOREIGN_GRANT_TABLE, &table), "addresses");
	must(platform->foreign_map_grant_frames(foreign, domid, table, GRANT_FRAMES_ENTRIES, 0, TABLE_FRAMES),
	     "grant table");
	for (uint32_t gref = 0; gref < ENTRIES; gref++) {
		uint32_t head = ((const uint32_t *)table)[2 * gref];

		if ((head & (0xffff0000u | RESOLVER_TYPE | RESOLVER_READ_ONLY | RESOLVER_SUB_PAGE)) ==
		    RESOLVER_PERMIT)
			granted[granted_count++] = gref;
	}
	platform->foreign_close(foreign);
	if (granted_count < 256)
		errx(1, "domain %u has granted %u pages only", domid, granted_count);
	for (uint32_t i = 0; i < PAGES_MAX; i++)
		grefs[i] = granted[i % granted_count];
}

static struct measurement measurement_of(const char *way, uint32_t block, uint32_t round)
{
	return (struct measurement){.way = way,
				    .block = block,
				    .round = round,
				    .grants = granted_count,
				    .pages = block > PAGES_MIN ? block : PAGES_MIN};
}

static void measure_gntdev(struct grants *grants, uint32_t block, uint32_t round)
{
	struct measurement cost = measurement_of("gntdev", block, round);

	for (uint32_t first = 0; first < cost.pages; first += block) {
		uint64_t began = meter_start();
		void *mapping;

		must(platform->grants_map(grants, domid, grefs + first, block, true, false, pages, &mapping),
		     "map grants");
		meter_stop(&cost.map, began);
		began = meter_start();
		must(platform->grants_unmap(grants, mapping, block), "unmap grants");
		meter_stop(&cost.unmap, began);
	}
	meter_tell(&cost);
}

static void measure_copy(struct grants *grants, uint32_t block, uint32_t round)
{
	static struct grant_copy copies[PAGES_MAX];
	static uint8_t own[PAGES_MAX * PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
	struct measurement cost = measurement_of("grantcopy", block, round);

	memset(own, 1, sizeof(own));
	for (uint32_t first = 0; first < cost.pages; first += block) {
		uint64_t began;

		for (uint32_t i = 0; i < block; i++)
			copies[i] = (struct grant_copy){.gref = grefs[first + i],
							.length = PAGE_BYTES,
							.own = own + (size_t)i * PAGE_BYTES};
		began = meter_start();
		must(platform->grants_copy(grants, domid, copies, block), "copy grants");
		meter_stop(&cost.map, began);
		for (uint32_t i = 0; i < block; i++)
			must(copies[i].error, "copy a grant");
	}
	meter_tell(&cost);
}

/* measure_look_up - of pages that are mapped. */
static void measure_look_up(uint32_t block, uint32_t round)
{
	struct resolver *resolver = &memory->guest->resolver;
	struct cache *cache = memory->cache;
	struct measurement cost = measurement_of("lookup", block, round);

	for (uint32_t first = 0; first < cost.pages; first += block) {
		uint64_t began = meter_start();
		struct resolver_view view = resolver_view(resolver, false);

		for (uint32_t i = 0; i < block; i++) {
			uint64_t frame;

			if (resolver_look_up(resolver, &view, grefs[first + i], &frame) != RESOLVED)
				errx(1, "grant %u is not found", grefs[first + i]);
			pages[i] = cache_use(cache, frame);
		}
		meter_stop(&cost.map, began);
		began = meter_start();
		for (uint32_t i = 0; i < block; i++)
			cache_drop(cache, pages[i]);
		meter_stop(&cost.unmap, began);
	}
	meter_tell(&cost);
}

/* measure_cached - a list of requests, each of a part of the block; those of one page are as many as there are pages. */
static void measure_cached(uint32_t block, uint32_t round)
{
	static struct memory_mapping mappings[REQUESTS];
	struct memory_mapping *list[REQUESTS], *gone[REQUESTS];
	uint32_t count = block < REQUESTS ? block : REQUESTS, each = block / count;
	struct measurement cost = measurement_of("cached", block, round);

	for (uint32_t first = 0; first < cost.pages; first += block) {
		uint64_t began;

		for (uint32_t i = 0; i < count; i++) {
			mappings[i] = (struct memory_mapping){
				.grefs = grefs + first + i * each,
				.count = each,
				.cached = true,
				.pages = pages + i * each,
			};
			list[i] = &mappings[i];
		}
		began = meter_start();
		memory_map(memory, list, count);
		meter_stop(&cost.map, began);
		began = meter_start();
		if (memory_unmap(memory, list, count, gone) != count)
			errx(1, "a mapping stays");
		meter_stop(&cost.unmap, began);
		for (uint32_t i = 0; i < count; i++)
			must(mappings[i].error, "map by the cache");
	}
	meter_tell(&cost);
}

static void open_memory(void)
{
	char text[MEMORY_TEXT_MAX];
	bool cached;

	must(memory_open(platform, domid, guest, REQUESTS, &memory), "memory");
	if (memory_choose(memory, MEMORY_FOREIGN, &cached, text) < 0)
		errx(1, "%s", text);
}

/* fill - use each granted page once, and map what that needs. */
static void fill(void)
{
	struct resolver *resolver = &memory->guest->resolver;
	struct resolver_view view = resolver_view(resolver, false);

	for (uint32_t i = 0; i < PAGES_MAX; i++) {
		uint64_t frame;

		pages[i] = NULL;
		if (resolver_look_up(resolver, &view, grefs[i], &frame) == RESOLVED)
			pages[i] = cache_use(memory->cache, frame);
		if (!pages[i])
			errx(1, "grant %u is not found", grefs[i]);
	}
	cache_map_missed(memory->cache);
	cache_settle(memory->cache);
	for (uint32_t i = 0; i < PAGES_MAX; i++)
		cache_drop(memory->cache, pages[i]);
}

/* measure_miss - how many pages are mapped depends on where the granted ones lie. */
static void measure_miss(uint32_t round)
{
	struct measurement cost = measurement_of("miss", CHUNK_FRAMES, round);
	uint64_t began, mapped;

	cache_advance(memory->cache, memory->cache->epoch + 1);
	mapped = memory->cache->counters.frames;
	began = meter_start();
	fill();
	meter_stop(&cost.map, began);
	cost.pages = memory->cache->counters.frames - mapped;
	began = meter_start();
	cache_advance(memory->cache, memory->cache->epoch + 1);
	meter_stop(&cost.unmap, began);
	meter_tell(&cost);
}

static void measure_round(struct grants *grants, uint32_t round)
{
	static const uint32_t blocks[] = {1, 16, 64, 256, 1024, 4096};

	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		measure_gntdev(grants, blocks[i], round);
		measure_copy(grants, blocks[i], round);
	}
	measure_miss(round);
	fill();
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		measure_look_up(blocks[i], round);
		measure_cached(blocks[i], round);
	}
}

static void measure(uint32_t rounds)
{
	struct grants *grants;

	must(platform->grants_open(platform, &grants), "the grant device");
	measure_round(grants, 0);
	meter_count_hypercalls(true);
	measure_round(grants, 0);
	meter_count_hypercalls(false);
	for (uint32_t round = 1; round <= rounds; round++)
		measure_round(grants, round);
	platform->grants_close(grants);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		errx(2, "usage: map-grants DOMID ROUNDS");
	domid = (uint16_t)strtoul(argv[1], NULL, 10);
	find_grants();
	must(guest_memory_open(platform, domid, &settings, &guest), "guest memory");
	open_memory();
	measure((uint32_t)strtoul(argv[2], NULL, 10));
	memory_close(memory);
	guest_memory_close(guest);
	return 0;
}
