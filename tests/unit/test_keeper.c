// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the loops of a guest share: its keeper, which lets a guest that gives memory away go on when no loop has any of that, and
 * is the clock of the caches; and the budget.
 */
#include "check_main.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "mapped_guest.h"
#include "sim_probe.h"

static atomic_bool went_on;

static void *balloon(void *argument)
{
	(void)argument;
	must(sim_balloon_out(guest, 8, frames + 100) == 0);
	went_on = true;
	return NULL;
}

/* attend - when the bell rings, within some time. */
static void attend(struct memory *memory)
{
	struct pollfd polled = {.fd = memory_bell(memory), .events = POLLIN};
	uint64_t rung;

	ck_assert_int_eq(poll(&polled, 1, 5000), 1);
	ck_assert_int_eq(read(polled.fd, &rung, sizeof(rung)), sizeof(rung));
	memory_attend(memory);
}

static void hear(struct memory *memory)
{
	struct pollfd polled = {.fd = memory_bell(memory), .events = POLLIN};

	if (poll(&polled, 1, 0) == 1)
		attend(memory);
}

/* earn - see that a page is not found in the cache until it was asked for so often. */
static void earn(struct memory *memory, int64_t gref)
{
	struct one one;

	for (uint32_t i = 0; i < CACHE_CHUNK_PRICE; i++) {
		ck_assert_int_eq(map_one(memory, &one, gref, false, false), 0);
		ck_assert(!in_cache(memory, one.page));
		ck_assert_int_eq(unmap_one(memory, &one), 0);
	}
}

/* The guest that gives memory away waits for each loop, and for what is in use. Afterwards its other memory is found. */
START_TEST(balloon_waits_for_loops)
{
	struct one first, second;
	int64_t gref;
	pthread_t thread;
	uint64_t old_epoch;

	setup(false, 1, 10);
	gref = sim_grant(guest, SIM_HOST_DOMID, frames[100], false);
	strcpy(sim_page(guest, frames[100]), "old");
	ck_assert_int_eq(map_one(loops[0], &first, gref, false, false), 0);
	ck_assert_int_eq(map_one(loops[1], &second, gref, false, false), 0);
	ck_assert_int_eq(unmap_one(loops[1], &second), 0);
	hear(loops[0]);
	hear(loops[1]);
	old_epoch = loops[0]->cache->epoch;
	pthread_create(&thread, NULL, balloon, NULL);
	while (__atomic_load_n(&shared->epoch, __ATOMIC_ACQUIRE) == old_epoch)
		usleep(1000);
	attend(loops[0]);
	usleep(50000);
	ck_assert(!went_on);
	ck_assert_uint_eq(loops[1]->cache->chunks, 1);
	while (loops[1]->cache->chunks > 0)
		attend(loops[1]);
	usleep(50000);
	ck_assert(!went_on);
	/* What is in use is the old memory still. */
	ck_assert_str_eq(first.page, "old");
	ck_assert_int_eq(unmap_one(loops[0], &first), 0);
	pthread_join(thread, NULL);
	ck_assert(went_on);
	ck_assert_int_eq(sim_balloon_in(guest, 8, frames + 100), 0);
	strcpy(sim_page(guest, frames[100]), "new");
	for (uint32_t i = 0; i < LOOPS; i++) {
		earn(loops[i], gref);
		ck_assert_int_eq(map_one(loops[i], &first, gref, false, false), 0);
		ck_assert(in_cache(loops[i], first.page));
		ck_assert_str_eq(first.page, "new");
		ck_assert_int_eq(unmap_one(loops[i], &first), 0);
	}
	teardown();
}
END_TEST

/* ---- a guest that gives memory away again and again, and what it reads meanwhile ---- */

/*
 * What is read is what the guest has now, found or not. After a loop has lost its chunks nothing is found there until it was
 * asked for so often. The frames that come and go are the first ones.
 */
#define COMING_AND_GOING 300u
#define STAYING 200u
#define HELD_MAX 8u

static struct {
	struct one ones[HELD_MAX];
	uint32_t loop_of[HELD_MAX]; /* LOOPS: not in use */
	uint32_t index_of[HELD_MAX];
	int64_t grefs[COMING_AND_GOING + STAYING];
	uint32_t to_earn[LOOPS]; /* look-ups that can't find anything */
	bool away, giving;
	pthread_t thread;
	uint64_t stamp;
	uint32_t rounds, found, by_grants;
} life;

static void stamp_frames(uint32_t first, uint32_t end)
{
	for (uint32_t i = first; i < end; i++)
		*(uint64_t *)sim_page(guest, frames[i]) = ++life.stamp;
}

static void *give_away(void *argument)
{
	(void)argument;
	must(sim_balloon_out(guest, COMING_AND_GOING, frames) == 0);
	went_on = true;
	return NULL;
}

static void let_go(uint32_t held)
{
	ck_assert_int_eq(unmap_one(loops[life.loop_of[held]], &life.ones[held]), 0);
	life.loop_of[held] = LOOPS;
}

/* begin_giving - and be sure that the keeper has heard of it. */
static void begin_giving(void)
{
	uint32_t epoch = shared->epoch;

	went_on = false;
	pthread_create(&life.thread, NULL, give_away, NULL);
	while (__atomic_load_n(&shared->epoch, __ATOMIC_ACQUIRE) == epoch)
		sched_yield();
	life.giving = life.away = true;
	life.rounds++;
}

static void attend_to(uint32_t loop)
{
	struct cache *cache = loops[loop]->cache;
	uint32_t chunks = cache->chunks, epoch = cache->epoch;

	memory_attend(loops[loop]);
	if (cache->epoch != epoch && chunks > 0)
		life.to_earn[loop] = CACHE_CHUNK_PRICE;
}

/* see_it_go_on - the guest waits for loops that have something of before, and for nothing else. */
static void see_it_go_on(void)
{
	bool waits = false;

	if (!life.giving)
		return;
	for (uint32_t i = 0; i < LOOPS; i++)
		waits = waits || loops[i]->cache->epoch != shared->epoch || loops[i]->cache->older > 0;
	if (waits) {
		ck_assert(!went_on);
		return;
	}
	pthread_join(life.thread, NULL);
	life.giving = false;
}

/* get_back - other memory. What we still have of the old one can't be given. */
static void get_back(void)
{
	for (uint32_t i = 0; i < HELD_MAX; i++)
		if (life.loop_of[i] < LOOPS && life.index_of[i] < COMING_AND_GOING)
			let_go(i);
	ck_assert_int_eq(sim_balloon_in(guest, COMING_AND_GOING, frames), 0);
	stamp_frames(0, COMING_AND_GOING);
	life.away = false;
}

/* read_one - a page that the guest has. */
static void read_one(uint32_t held)
{
	uint32_t index = life.away ? COMING_AND_GOING + chance(STAYING) : chance(COMING_AND_GOING + STAYING);
	uint32_t loop = chance(LOOPS);
	struct one *one = &life.ones[held];

	ck_assert_int_eq(map_one(loops[loop], one, life.grefs[index], false, false), 0);
	life.loop_of[held] = loop;
	life.index_of[held] = index;
	ck_assert_uint_eq(*(uint64_t *)one->page, *(uint64_t *)sim_page(guest, frames[index]));
	if (!in_cache(loops[loop], one->page)) {
		life.by_grants++;
	} else {
		ck_assert_uint_eq(life.to_earn[loop], 0);
		life.found++;
	}
	life.to_earn[loop] -= life.to_earn[loop] > 0;
}

static void live(void)
{
	uint32_t held = chance(HELD_MAX);

	switch (chance(32)) {
	case 0:
		attend_to(chance(LOOPS));
		break;
	case 1:
		if (!life.away && chance(3) == 0)
			begin_giving();
		else if (life.away && !life.giving)
			get_back();
		break;
	default:
		for (uint32_t i = chance(60); life.loop_of[held] == LOOPS && i > 0; i--) {
			read_one(held);
			let_go(held);
		}
		if (life.loop_of[held] < LOOPS)
			let_go(held);
		else
			read_one(held);
		break;
	}
	see_it_go_on();
}

START_TEST(gives_memory_away_often)
{
	random_state = (uint64_t)_i * 7919;
	setup(false, 1, 255);
	stamp_frames(0, COMING_AND_GOING + STAYING);
	for (uint32_t i = 0; i < COMING_AND_GOING + STAYING; i++)
		life.grefs[i] = sim_grant(guest, SIM_HOST_DOMID, frames[i], true);
	for (uint32_t i = 0; i < HELD_MAX; i++)
		life.loop_of[i] = LOOPS;
	for (uint32_t step = 0; step < 1500; step++)
		live();
	for (uint32_t i = 0; i < HELD_MAX; i++)
		if (life.loop_of[i] < LOOPS)
			let_go(i);
	for (uint32_t i = 0; i < LOOPS; i++)
		attend_to(i);
	see_it_go_on();
	ck_assert(!life.giving);
	ck_assert_uint_gt(life.rounds, 4);
	ck_assert_uint_gt(life.found, 1000);
	ck_assert_uint_gt(life.by_grants, 1000);
	teardown();
}
END_TEST

/* A guest that waits goes on when a loop ends, for that unmaps all. */
START_TEST(loop_ends)
{
	struct one one;
	pthread_t thread;
	char text[MEMORY_TEXT_MAX];
	bool cached;

	setup(false, 1, 10);
	ck_assert_int_eq(map_one(loops[1], &one, sim_grant(guest, SIM_HOST_DOMID, frames[100], true), false,
				 false),
			 0);
	ck_assert_int_eq(unmap_one(loops[1], &one), 0);
	pthread_create(&thread, NULL, balloon, NULL);
	while (__atomic_load_n(&shared->epoch, __ATOMIC_ACQUIRE) == 0)
		usleep(1000);
	memory_close(loops[1]);
	while (loops[0]->cache->epoch == 0)
		attend(loops[0]);
	pthread_join(thread, NULL);
	ck_assert_int_eq(memory_open(platform, DOMID, shared, MAPPINGS_MAX, &loops[1]), 0);
	/* One that comes later has nothing of before. */
	ck_assert_int_eq(memory_choose(loops[1], MEMORY_AUTO, &cached, text), 0);
	ck_assert_uint_eq(loops[1]->cache->epoch, 1);
	teardown();
}
END_TEST

/* What is not used for a second is unmapped, if a second is what was asked for. */
START_TEST(idle)
{
	struct one one;

	setup(_i, 1, 1);
	ck_assert_int_eq(
		map_one(loops[0], &one, sim_grant(guest, SIM_HOST_DOMID, frames[0], true), false, false), 0);
	for (uint32_t i = 0; i < 3; i++) {
		hear(loops[0]);
		attend(loops[0]);
	}
	ck_assert_uint_eq(loops[0]->cache->chunks, 1);
	ck_assert_int_eq(unmap_one(loops[0], &one), 0);
	while (loops[0]->cache->chunks > 0)
		attend(loops[0]);
	ck_assert(!can_read(one.page));
	teardown();
}
END_TEST

/* The budget is the guest's; each loop with a cache has an equal part of it. */
START_TEST(budget)
{
	struct guest_memory_settings settings = {.most_mib = 1000, .budget_mib = 10, .idle_s = 10};

	setup(false, 1, 10);
	hear(loops[0]);
	ck_assert_uint_eq(loops[0]->cache->budget, 32);
	guest_memory_set(shared, &settings);
	hear(loops[0]);
	hear(loops[1]);
	ck_assert_uint_eq(loops[0]->cache->budget, 5);
	ck_assert_uint_eq(loops[1]->cache->budget, 5);
	/* Not more than it began with, for the addresses are reserved. */
	settings.budget_mib = 1000;
	guest_memory_set(shared, &settings);
	hear(loops[0]);
	ck_assert_uint_eq(loops[0]->cache->budget, 32);
	settings.budget_mib = 1;
	guest_memory_set(shared, &settings);
	hear(loops[0]);
	ck_assert_uint_eq(loops[0]->cache->budget, 1);
	teardown();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_test(test_case, balloon_waits_for_loops);
	tcase_add_loop_test(test_case, gives_memory_away_often, 0, 8);
	tcase_add_test(test_case, loop_ends);
	tcase_add_loop_test(test_case, idle, 0, 2);
	tcase_add_test(test_case, budget);
}

CHECK_MAIN("keeper", add_tests)
