// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Grants that stay mapped: found again, bounded in number, and gone when they are to be.
 */
#include "check_main.h"

#include <errno.h>

#include "log.h"
#include "memory/memory.h"
#include "memory/persistent.h"
#include "sim/faults.h"
#include "sim/sim.h"

#define DOMID 7
#define GRANTS 64u
#define MAPPINGS 12u
#define PAGES_MAX 24u
#define TURNS 600u

static struct sim_machine *machine;
static struct sim_guest *guest;
static struct platform platform;
static struct memory *memory;
static struct persistent *persistent;
static uint64_t frames[GRANTS], random_state;
static uint32_t grefs[GRANTS];
static bool read_only[GRANTS];

/* What is mapped by the platform, as it was asked. */
static uint32_t grants_mapped, map_calls;
static uint32_t room = UINT32_MAX; /* for so many in Xen's table */

static uint32_t chance(uint32_t below)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % below;
}

static int seen_map(struct grants *handle, uint16_t domid, const uint32_t *list, uint32_t count,
		    bool writable, bool consecutive, void **pages, void **mapping)
{
	int error;

	map_calls++;
	if (count > room - grants_mapped)
		return -EINVAL;
	error = sim_platform(machine)->grants_map(handle, domid, list, count, writable, consecutive, pages,
						  mapping);
	if (error == 0)
		grants_mapped += count;
	return error;
}

static int seen_unmap(struct grants *handle, void *mapping, uint32_t count)
{
	grants_mapped -= count;
	return sim_platform(machine)->grants_unmap(handle, mapping, count);
}

/* setup - every page holds its index; one grant in `one_read_only` can only be read, 0: none. */
static void setup(uint32_t grants_max, uint32_t one_read_only)
{
	const struct sim_guest_options options = {.domid = DOMID, .pages = 1024, .strict = true};

	log_set_level(LOG_LEVEL_ERROR);
	machine = sim_machine_create(3);
	ck_assert_ptr_nonnull(machine);
	platform = *sim_platform(machine);
	platform.grants_map = seen_map;
	platform.grants_unmap = seen_unmap;
	ck_assert_int_eq(sim_guest_create(machine, &options, &guest), 0);
	ck_assert_int_eq(sim_pages_take(guest, GRANTS, frames), 0);
	for (uint32_t i = 0; i < GRANTS; i++) {
		int64_t gref;

		read_only[i] = one_read_only > 0 && i % one_read_only == 0;
		gref = sim_grant(guest, SIM_HOST_DOMID, frames[i], read_only[i]);
		ck_assert_int_gt(gref, 0);
		grefs[i] = (uint32_t)gref;
		*(uint32_t *)sim_page(guest, frames[i]) = i;
	}
	ck_assert_int_eq(memory_open(&platform, DOMID, NULL, MAPPINGS, &memory), 0);
	ck_assert_int_eq(persistent_create(grants_max, &persistent), 0);
	random_state = grants_max * 1000 + one_read_only;
}

/* teardown - nothing stays mapped, so that the guest can end all of its grants. */
static void teardown(void)
{
	persistent_destroy(memory, persistent);
	ck_assert_uint_eq(grants_mapped, 0);
	for (uint32_t i = 0; i < GRANTS; i++)
		ck_assert_int_eq(sim_grant_end(guest, grefs[i]), 0);
	memory_close(memory);
	sim_machine_destroy(machine);
}

/* A request. */
struct asked {
	struct memory_mapping mapping;
	uint32_t which[PAGES_MAX]; /* of the grants */
	uint32_t grefs[PAGES_MAX];
	void *pages[PAGES_MAX];
	bool writable, bad, mapped, ending;
};

static struct asked asked[MAPPINGS];

/* ask - for the pages of these grants. */
static void ask(struct asked *request, uint32_t count, bool writable)
{
	request->writable = writable;
	request->bad = false;
	for (uint32_t i = 0; i < count; i++) {
		request->grefs[i] = grefs[request->which[i]];
		request->bad |= writable && read_only[request->which[i]];
	}
	request->mapping = (struct memory_mapping){
		.grefs = request->grefs,
		.count = count,
		.writable = writable,
		.persistent = persistent,
		.sharer = persistent,
		.pages = request->pages,
	};
}

/* check - the request has its own pages, or the error that it deserves. */
static void check(struct asked *request)
{
	request->mapped = request->mapping.error == 0;
	ck_assert_int_eq(request->mapped, !request->bad);
	for (uint32_t i = 0; request->mapped && i < request->mapping.count; i++) {
		ck_assert_uint_eq(*(uint32_t *)request->pages[i], request->which[i]);
		if (request->writable)
			((uint32_t *)request->pages[i])[1] = request->which[i];
	}
}

/* some_turns - requests come, several of them together, and end in any order. */
static void some_turns(uint32_t turns, uint32_t grants, uint32_t grants_max)
{
	struct memory_mapping *list[MAPPINGS], *gone[MAPPINGS];

	for (uint32_t turn = 0; turn < turns; turn++) {
		size_t count = 0, ended;

		for (uint32_t i = 0; i < MAPPINGS; i++) {
			uint32_t pages = 1 + chance(PAGES_MAX);

			if (asked[i].mapped || chance(2))
				continue;
			for (uint32_t page = 0; page < pages; page++)
				asked[i].which[page] = chance(grants);
			ask(&asked[i], pages, chance(2));
			list[count++] = &asked[i].mapping;
		}
		memory_map(memory, list, count);
		for (size_t i = 0; i < count; i++)
			check((struct asked *)list[i]);
		/* All but those that are mapped for one request alone. */
		if (persistent_counters(persistent)->refused == 0)
			ck_assert_uint_le(grants_mapped, grants_max);
		count = 0;
		for (uint32_t i = 0; i < MAPPINGS; i++)
			if (asked[i].mapped && !asked[i].ending && (turn + 1 == turns || chance(2))) {
				asked[i].ending = true;
				list[count++] = &asked[i].mapping;
			}
		ended = memory_unmap(memory, list, count, gone);
		/* Those that go by grants may have had to wait for each other. */
		for (size_t i = 0; i < ended; i++) {
			struct asked *request = (struct asked *)gone[i];

			ck_assert(request->mapped && request->ending);
			request->mapped = request->ending = false;
		}
	}
	for (uint32_t i = 0; i < MAPPINGS; i++)
		ck_assert(!asked[i].mapped);
}

/* With room for all of them each grant is mapped once. */
START_TEST(each_is_mapped_once)
{
	const struct persistent_counters *counters;

	setup(GRANTS, 0);
	counters = persistent_counters(persistent);
	some_turns(TURNS, GRANTS, GRANTS);
	ck_assert_uint_eq(counters->mapped, GRANTS);
	ck_assert_uint_eq(grants_mapped, GRANTS);
	ck_assert_uint_eq(counters->refused, 0);
	ck_assert_uint_eq(counters->evicted, 0);
	ck_assert_uint_eq(counters->map_calls, map_calls);
	ck_assert_uint_gt(counters->hits, 50 * GRANTS);
	teardown();
}
END_TEST

/* What is used now stays found when there is room for some only. */
START_TEST(there_is_a_limit)
{
	static const uint32_t limits[] = {1, 7, 30, GRANTS - 1};
	const struct persistent_counters *counters;

	setup(limits[_i], 0);
	counters = persistent_counters(persistent);
	some_turns(TURNS, GRANTS, limits[_i]);
	/* Requests are over: only what is kept is mapped still. */
	ck_assert_uint_le(grants_mapped, limits[_i]);
	ck_assert_uint_eq(grants_mapped, counters->mapped - counters->evicted);
	ck_assert_uint_gt(counters->refused, 0);
	/* The guest now uses few of them: these find room, and are mapped no more after that. */
	if (limits[_i] >= 5 + PAGES_MAX) {
		uint64_t mapped;

		some_turns(200, 5, limits[_i]);
		mapped = counters->mapped;
		some_turns(200, 5, limits[_i]);
		ck_assert_uint_eq(counters->mapped, mapped);
	}
	teardown();
}
END_TEST

/* Grants that can't be kept, since they can't be written, still serve to be read. */
START_TEST(read_only_grants)
{
	setup(GRANTS, 9);
	some_turns(TURNS, GRANTS, GRANTS);
	ck_assert_uint_gt(persistent_counters(persistent)->refused, 0);
	teardown();
}
END_TEST

/* Calls that fail at any place harm only requests that needed them. */
START_TEST(failing_calls)
{
	const struct sim_fault fault = {.call = SIM_GRANTS_MAP, .one_in = 3, .error = -ENOMEM};
	struct memory_mapping *list[MAPPINGS], *gone[MAPPINGS];
	uint32_t failed = 0;

	setup(GRANTS / 2, 0);
	sim_fault_set(machine, &fault);
	for (uint32_t turn = 0; turn < TURNS; turn++) {
		size_t count = 0;

		for (uint32_t i = 0; i < MAPPINGS; i++) {
			for (uint32_t page = 0; page < 3; page++)
				asked[i].which[page] = chance(GRANTS);
			ask(&asked[i], 3, true);
			list[i] = &asked[i].mapping;
		}
		memory_map(memory, list, MAPPINGS);
		for (uint32_t i = 0; i < MAPPINGS; i++) {
			if (list[i]->error < 0) {
				ck_assert_int_eq(list[i]->error, -ENOMEM);
				failed++;
				continue;
			}
			check(&asked[i]);
			list[count++] = &asked[i].mapping;
		}
		ck_assert_uint_eq(memory_unmap(memory, list, count, gone), count);
	}
	ck_assert_uint_gt(failed, 0);
	sim_faults_clear(machine);
	teardown();
}
END_TEST

/* map - a request for grants that follow each other. */
static int map(struct asked *request, uint32_t first, uint32_t count)
{
	struct memory_mapping *mapping = &request->mapping;

	for (uint32_t i = 0; i < count; i++)
		request->which[i] = first + i;
	ask(request, count, true);
	memory_map(memory, &mapping, 1);
	if (mapping->error == 0)
		check(request);
	return mapping->error;
}

static void unmap(struct asked *request)
{
	struct memory_mapping *mapping = &request->mapping, *gone;

	ck_assert_uint_eq(memory_unmap(memory, &mapping, 1, &gone), 1);
	request->mapped = false;
}

/* What is kept makes room when Xen has none for what is needed; what is in use does not. */
START_TEST(xen_has_no_room)
{
	setup(GRANTS, 0);
	room = 30;
	for (uint32_t turn = 0; turn < 5; turn++) {
		for (uint32_t first = 0; first < 60; first += 20) {
			ck_assert_int_eq(map(&asked[0], first, 20), 0);
			unmap(&asked[0]);
		}
	}
	ck_assert_uint_gt(persistent_counters(persistent)->evicted, 0);
	ck_assert_int_eq(map(&asked[0], 0, 20), 0);
	ck_assert_int_eq(map(&asked[1], 20, 20), -EINVAL);
	ck_assert_int_eq(map(&asked[1], 20, 10), 0);
	unmap(&asked[1]);
	unmap(&asked[0]);
	room = UINT32_MAX;
	teardown();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_test(test_case, each_is_mapped_once);
	tcase_add_loop_test(test_case, there_is_a_limit, 0, 4);
	tcase_add_test(test_case, read_only_grants);
	tcase_add_test(test_case, failing_calls);
	tcase_add_test(test_case, xen_has_no_room);
}

CHECK_MAIN("persistent", add_tests)
