// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frames that the guest does not have: to try them costs a hypercall each, and a guest can name as many as there are
 * numbers. What of its memory it really uses is served all the same.
 */
#include "check_main.h"

#include "log.h"
#include "memory/cache.h"
#include "sim/sim.h"

#define DOMID 5
#define PAGES 4096u
#define SLOTS 1024u
#define NOWHERE (UINT64_C(1) << 24) /* the guest has no frame from here on */

static struct sim_machine *machine;
static struct sim_guest *guest;
static struct platform platform;
static struct foreign *foreign;
static struct cache *cache;
static uint64_t frames[PAGES];
static uint64_t tried_in_vain;

static int seen_map(struct foreign *handle, uint16_t domid, const struct foreign_run *runs,
		    uint32_t run_count, const uint64_t *list, int *errors)
{
	int error = sim_platform(machine)->foreign_map(handle, domid, runs, run_count, list, errors);

	for (uint32_t i = 0; i < run_count * CHUNK_FRAMES; i++)
		tried_in_vain += errors[i] < 0;
	return error;
}

static void setup(void)
{
	const struct sim_guest_options options = {.domid = DOMID, .pages = PAGES};
	struct cache_options cache_options = {
		.platform = &platform, .domid = DOMID, .writable = true, .slots = SLOTS, .idle_ticks = 10};

	log_set_level(LOG_LEVEL_ERROR);
	machine = sim_machine_create(1);
	ck_assert_ptr_nonnull(machine);
	platform = *sim_platform(machine);
	platform.foreign_map = seen_map;
	ck_assert_int_eq(sim_guest_create(machine, &options, &guest), 0);
	ck_assert_int_eq(sim_pages_take(guest, PAGES, frames), 0);
	ck_assert_int_eq(platform.foreign_open(&platform, &cache_options.foreign), 0);
	foreign = cache_options.foreign;
	ck_assert_int_eq(cache_create(&cache_options, &cache), 0);
	tried_in_vain = 0;
}

static void teardown(void)
{
	cache_destroy(cache);
	platform.foreign_close(foreign);
	sim_machine_destroy(machine);
}

/* look_up - one turn. Returns whether the frame was there. */
static bool look_up(uint64_t frame)
{
	void *page = cache_use(cache, frame);
	bool there = false;

	cache_map_missed(cache);
	if (page) {
		there = cache_has(cache, page);
		cache_drop(cache, page);
	}
	cache_settle(cache);
	return there;
}

/* Each of another chunk, or the same few again and again. */
START_TEST(few_are_tried)
{
	uint32_t ticks = 5, chunks = _i ? 200 : 2000;
	uint64_t most = (uint64_t)CACHE_IN_VAIN * (ticks + 1) + CHUNK_FRAMES;

	setup();
	for (uint32_t tick = 1; tick <= ticks; tick++) {
		for (uint32_t i = 0; i < 2000; i++)
			ck_assert(!look_up(NOWHERE + (uint64_t)(i % chunks) * CHUNK_FRAMES));
		cache_tick(cache, tick);
	}
	ck_assert_uint_ge(tried_in_vain, CACHE_IN_VAIN);
	ck_assert_uint_le(tried_in_vain, most);
	teardown();
}
END_TEST

/* A good chunk is found after a tick at the latest, and its hits pay for more. */
START_TEST(good_ones_are_found)
{
	uint64_t before;

	setup();
	for (uint32_t i = 0; i < 2000; i++)
		look_up(NOWHERE + (uint64_t)i * CHUNK_FRAMES);
	ck_assert(!look_up(frames[0]));
	cache_tick(cache, 1);
	ck_assert(look_up(frames[0]));
	for (uint32_t i = 0; i < 2000; i++)
		look_up(NOWHERE + (uint64_t)i * CHUNK_FRAMES);
	before = tried_in_vain;
	for (uint32_t i = 0; i < 10 * CHUNK_FRAMES; i++)
		ck_assert(look_up(frames[0]));
	ck_assert_uint_eq(tried_in_vain, before);
	for (uint32_t i = 5000; i < 6000; i++)
		look_up(NOWHERE + (uint64_t)i * CHUNK_FRAMES);
	ck_assert_uint_gt(tried_in_vain, before + 8 * CHUNK_FRAMES);
	ck_assert_uint_lt(tried_in_vain, before + 12 * CHUNK_FRAMES);
	teardown();
}
END_TEST

/* Also when nothing is mapped any more, and time would not need to pass. */
START_TEST(time_passes)
{
	uint32_t tick = 0;

	setup();
	ck_assert(!cache_needs_ticks(cache));
	for (uint32_t i = 0; i < 2000; i++)
		look_up(NOWHERE + (uint64_t)i * CHUNK_FRAMES);
	cache_advance(cache, 1);
	ck_assert_uint_eq(cache->chunks, 0);
	while (cache_needs_ticks(cache))
		cache_tick(cache, ++tick);
	ck_assert_uint_ge(tick, 1);
	ck_assert_uint_le(tick, 2);
	/* The chunks that were tried are lost with the epoch, and one must be earned. */
	for (uint32_t i = 0; i < CACHE_CHUNK_PRICE; i++)
		ck_assert(!look_up(frames[0]));
	ck_assert(look_up(frames[0]));
	teardown();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, few_are_tried, 0, 2);
	tcase_add_test(test_case, good_ones_are_found);
	tcase_add_test(test_case, time_passes);
}

CHECK_MAIN("cache: absent frames", add_tests)
