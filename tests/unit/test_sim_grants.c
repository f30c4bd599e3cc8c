// SPDX-License-Identifier: GPL-2.0-or-later
/* The simulated machine: grants, mapped by the rules of Xen and of Linux's gntdev. Both versions of the table. */
#include "check_main.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sim/grant_entry.h"
#include "sim/sim.h"
#include "sim_probe.h"

#define PAGES 64
#define DOMID 5

static struct sim_machine *machine;
static struct sim_guest *guest;
static const struct platform *platform;
static struct grants *grants;
static uint64_t frames[PAGES];

static void setup_guest(uint32_t version, bool strict)
{
	struct sim_guest_options options = {
		.domid = DOMID, .pages = PAGES, .grant_version = version, .strict = strict};

	machine = sim_machine_create(version);
	ck_assert_ptr_nonnull(machine);
	platform = sim_platform(machine);
	ck_assert_int_eq(sim_guest_create(machine, &options, &guest), 0);
	ck_assert_int_eq(platform->grants_open(platform, &grants), 0);
	ck_assert_int_eq(sim_pages_take(guest, PAGES, frames), 0);
}

/* Four kinds of guests: each test runs for all of them. */
#define KINDS 4

static void setup_kind(int kind)
{
	setup_guest(kind & 1 ? 2 : 1, kind & 2);
}

static void teardown(void)
{
	platform->grants_close(grants);
	sim_machine_destroy(machine);
}

static uint32_t grant(uint64_t frame, bool read_only)
{
	int64_t gref = sim_grant(guest, SIM_HOST_DOMID, frame, read_only);

	ck_assert_int_ge(gref, GRANT_RESERVED_ENTRIES);
	return (uint32_t)gref;
}

static int map(uint32_t gref, bool writable, void **page, void **mapping)
{
	return platform->grants_map(grants, DOMID, &gref, 1, writable, false, page, mapping);
}

static uint16_t *flags_of(uint32_t gref)
{
	return sim_grant_entry(guest, gref);
}

/* What is written on one side is seen on the other, and a read-only mapping can't be written. */
START_TEST(same_memory)
{
	void *page, *mapping, *reading, *read_mapping;
	uint32_t gref;
	char *own;

	setup_kind(_i);
	gref = grant(frames[3], false);
	own = sim_page(guest, frames[3]);
	strcpy(own, "from the guest");
	ck_assert_int_eq(map(gref, true, &page, &mapping), 0);
	ck_assert_ptr_ne(page, own);
	ck_assert_str_eq(page, "from the guest");
	strcpy(page, "from the host");
	ck_assert_str_eq(own, "from the host");
	ck_assert_int_eq(map(gref, false, &reading, &read_mapping), 0);
	ck_assert_str_eq(reading, "from the host");
	ck_assert(can_write(page));
	ck_assert(can_read(reading));
	ck_assert(!can_write(reading));
	ck_assert_int_eq(platform->grants_unmap(grants, mapping, 1), 0);
	ck_assert_int_eq(platform->grants_unmap(grants, read_mapping, 1), 0);
	/* With `strict` the addresses are gone. */
	ck_assert_int_eq(can_read(page), !(_i & 2));
	ck_assert_int_eq(can_read(reading), !(_i & 2));
	teardown();
}
END_TEST

/* All the pages of a list, in its order; consecutive if asked for. */
START_TEST(lists)
{
	uint32_t grefs[PAGES];
	void *pages[PAGES], *mapping;

	setup_kind(_i);
	for (uint32_t i = 0; i < PAGES; i++) {
		grefs[i] = grant(frames[i], false);
		*(uint32_t *)sim_page(guest, frames[i]) = i + 1;
	}
	for (int consecutive = 0; consecutive < 2; consecutive++) {
		ck_assert_int_eq(platform->grants_map(grants, DOMID, grefs, PAGES, consecutive, consecutive,
						      pages, &mapping),
				 0);
		for (uint32_t i = 0; i < PAGES; i++) {
			ck_assert_uint_eq(*(uint32_t *)pages[i], i + 1);
			if (consecutive)
				ck_assert_ptr_eq(pages[i], (char *)pages[0] + (size_t)i * PAGE_BYTES);
			ck_assert_int_eq(sim_grant_end(guest, grefs[i]), -EBUSY);
		}
		/* A wrong count or a wrong name changes nothing. */
		ck_assert_int_eq(platform->grants_unmap(grants, mapping, PAGES - 1), -EINVAL);
		ck_assert_int_eq(platform->grants_unmap(grants, pages[0], PAGES), -EINVAL);
		ck_assert(can_read(pages[PAGES - 1]));
		ck_assert_int_eq(platform->grants_unmap(grants, mapping, PAGES), 0);
		ck_assert_int_eq(platform->grants_unmap(grants, mapping, PAGES), -EINVAL);
		if (consecutive)
			ck_assert(!can_read(pages[PAGES - 1]));
	}
	for (uint32_t i = 0; i < PAGES; i++)
		ck_assert_int_eq(sim_grant_end(guest, grefs[i]), 0);
	teardown();
}
END_TEST

/* The marks that Xen makes, and their counting. */
START_TEST(marks)
{
	void *page, *reading[2], *writing;
	uint32_t gref;

	setup_kind(_i & 2);
	gref = grant(frames[0], false);
	ck_assert_uint_eq(*flags_of(gref), GRANT_PERMIT);
	ck_assert_int_eq(map(gref, false, &page, &reading[0]), 0);
	ck_assert_uint_eq(*flags_of(gref), GRANT_PERMIT | GRANT_READING);
	ck_assert_int_eq(map(gref, true, &page, &writing), 0);
	ck_assert_int_eq(map(gref, false, &page, &reading[1]), 0);
	ck_assert_uint_eq(*flags_of(gref), GRANT_PERMIT | GRANT_READING | GRANT_WRITING);
	platform->grants_unmap(grants, reading[0], 1);
	ck_assert_uint_eq(*flags_of(gref), GRANT_PERMIT | GRANT_READING | GRANT_WRITING);
	platform->grants_unmap(grants, writing, 1);
	ck_assert_uint_eq(*flags_of(gref), GRANT_PERMIT | GRANT_READING);
	ck_assert_int_eq(sim_grant_end(guest, gref), -EBUSY);
	platform->grants_unmap(grants, reading[1], 1);
	ck_assert_uint_eq(*flags_of(gref), GRANT_PERMIT);
	ck_assert_int_eq(sim_grant_end(guest, gref), 0);
	ck_assert_uint_eq(*flags_of(gref), 0);
	ck_assert_int_eq(sim_grant_end(guest, gref), -EINVAL);
	teardown();
}
END_TEST

/* What is refused: everything of a list when one is bad, and nothing stays marked. */
START_TEST(refused)
{
	uint32_t good, read_only, bad[8], count = 0;
	void *pages[2], *mapping;

	setup_kind(_i);
	good = grant(frames[0], false);
	read_only = grant(frames[1], true);
	bad[count++] = read_only;
	bad[count++] = (uint32_t)sim_grant(guest, 9, frames[2], false);	 /* another domain's */
	bad[count++] = (uint32_t)sim_grant(guest, 0, 1ull << 31, false); /* no such frame */
	bad[count++] = grant(frames[3], false);				 /* not permitted */
	__atomic_store_n(flags_of(bad[3]), GRANT_ACCEPT, __ATOMIC_RELAXED);
	bad[count++] = 1000000; /* beyond the table */
	bad[count++] = 500 + (_i & 1 ? 0 : 1);
	if (_i & 1) {
		bad[count - 1] = grant(frames[4], false);
		__atomic_fetch_or(flags_of(bad[count - 1]), GRANT_SUB_PAGE, __ATOMIC_RELAXED);
		bad[count++] = grant(frames[4], false);
		__atomic_fetch_or(flags_of(bad[count - 1]), GRANT_TRANSITIVE, __ATOMIC_RELAXED);
	}
	for (uint32_t i = 0; i < count; i++) {
		for (uint32_t order = 0; order < 2; order++) {
			uint32_t grefs[2] = {order ? good : bad[i], order ? bad[i] : good};

			ck_assert_int_eq(platform->grants_map(grants, DOMID, grefs, 2, true, false, pages,
							      &mapping),
					 -EINVAL);
			ck_assert_uint_eq(*flags_of(good), GRANT_PERMIT);
			ck_assert_int_eq(sim_grant_end(guest, good), 0);
			good = grant(frames[0], false);
		}
	}
	ck_assert_int_eq(platform->grants_map(grants, DOMID + 1, &good, 1, true, false, pages, &mapping),
			 -EINVAL);
	ck_assert_int_eq(platform->grants_map(grants, 0xffff, &good, 1, true, false, pages, &mapping),
			 -EINVAL);
	ck_assert_int_eq(platform->grants_map(grants, DOMID, &good, 0, true, false, pages, &mapping),
			 -EINVAL);
	ck_assert_int_eq(map(read_only, false, pages, &mapping), 0);
	ck_assert_int_eq(sim_grant_end(guest, read_only), -EBUSY);
	ck_assert_int_eq(platform->grants_unmap(grants, mapping, 1), 0);
	teardown();
}
END_TEST

/* A guest that takes its word back by force while we have the page: the page stays, and new uses are refused
 * only when the old ones have ended. */
START_TEST(withdrawn_while_mapped)
{
	void *page, *mapping, *again;
	uint32_t gref;

	setup_kind(_i);
	gref = grant(frames[0], false);
	ck_assert_int_eq(map(gref, false, &page, &mapping), 0);
	__atomic_store_n(flags_of(gref), 0, __ATOMIC_SEQ_CST);
	*(char *)sim_page(guest, frames[0]) = 42;
	ck_assert_int_eq(*(volatile char *)page, 42);
	/* Reading is permitted by the first mapping; writing was never, and the entry says no. */
	ck_assert_int_eq(map(gref, true, &page, &again), -EINVAL);
	ck_assert_int_eq(map(gref, false, &page, &again), 0);
	ck_assert_int_eq(platform->grants_unmap(grants, again, 1), 0);
	ck_assert_int_eq(platform->grants_unmap(grants, mapping, 1), 0);
	ck_assert_int_eq(map(gref, false, &page, &mapping), -EINVAL);
	ck_assert_int_eq(sim_grant_end(guest, gref), 0);
	teardown();
}
END_TEST

/* The table grows while there is room, then says so; each gref is another one. */
START_TEST(table_grows)
{
	uint32_t most = (_i & 1 ? 256 : 512) * 64;
	void *page, *mapping;
	int64_t gref = 0;

	setup_kind(_i);
	ck_assert_ptr_null(sim_grant_entry(guest, most / 64));
	for (uint32_t i = GRANT_RESERVED_ENTRIES; i < most; i++) {
		gref = sim_grant(guest, SIM_HOST_DOMID, frames[i % PAGES], false);
		ck_assert_int_eq(gref, i);
	}
	ck_assert_int_eq(sim_grant(guest, SIM_HOST_DOMID, frames[0], false), -ENOSPC);
	*(uint32_t *)sim_page(guest, frames[(most - 1) % PAGES]) = 4711;
	ck_assert_int_eq(map((uint32_t)gref, false, &page, &mapping), 0);
	ck_assert_uint_eq(*(uint32_t *)page, 4711);
	ck_assert_ptr_nonnull(sim_grant_entry(guest, most - 1));
	ck_assert_ptr_null(sim_grant_entry(guest, most));
	teardown();
}
END_TEST

/* A guest that is destroyed leaves us what we have mapped, and nothing more. */
START_TEST(destroyed_while_mapped)
{
	struct sim_guest_options options = {.domid = DOMID, .pages = 1};
	void *page, *mapping;
	uint32_t gref;

	setup_kind(_i);
	gref = grant(frames[0], false);
	strcpy(sim_page(guest, frames[0]), "still here");
	ck_assert_int_eq(map(gref, true, &page, &mapping), 0);
	sim_guest_destroy(guest);
	ck_assert_str_eq(page, "still here");
	*(char *)page = 'S';
	ck_assert_int_eq(map(gref, true, &page, &page), -EINVAL);
	ck_assert_int_eq(sim_guest_create(machine, &options, &guest), 0);
	ck_assert_int_eq(map(gref, true, &page, &page), -EINVAL);
	ck_assert_int_eq(platform->grants_unmap(grants, mapping, 1), 0);
	ck_assert(!can_read(page));
	teardown();
}
END_TEST

/* What a handle leaves mapped is unmapped when it is closed. */
START_TEST(closed_while_mapped)
{
	uint32_t grefs[3];
	void *pages[3], *mapping;

	setup_kind(_i);
	for (uint32_t i = 0; i < 3; i++)
		grefs[i] = grant(frames[i], false);
	ck_assert_int_eq(platform->grants_map(grants, DOMID, grefs, 2, true, true, pages, &mapping), 0);
	ck_assert_int_eq(map(grefs[2], false, pages, &mapping), 0);
	platform->grants_close(grants);
	for (uint32_t i = 0; i < 3; i++)
		ck_assert_int_eq(sim_grant_end(guest, grefs[i]), 0);
	ck_assert_int_eq(platform->grants_open(platform, &grants), 0);
	teardown();
}
END_TEST

/* ---- several threads ---- */

static atomic_bool stop;

/* A guest that grants a page to be written, and tries to withdraw it again and again. What is written into it
 * after it was withdrawn would be seen. */
static void *fickle_guest(void *argument)
{
	_Atomic uint32_t *granted = argument;
	long withdrawn = 0;

	while (!stop) {
		uint32_t gref = (uint32_t)sim_grant(guest, SIM_HOST_DOMID, frames[0], false);
		volatile uint32_t *own = sim_page(guest, frames[0]);
		int error;

		*granted = gref;
		while ((error = sim_grant_end(guest, gref)) == -EBUSY)
			;
		must(error == 0);
		*own = 1;
		for (int i = 0; i < 50; i++)
			must(*own == 1);
		withdrawn++;
	}
	return (void *)withdrawn;
}

START_TEST(withdrawn_by_another_thread)
{
	_Atomic uint32_t granted = 0;
	long mapped = 0;
	pthread_t thread;
	void *withdrawn;

	setup_kind(_i & 1);
	stop = false;
	pthread_create(&thread, NULL, fickle_guest, (void *)&granted);
	for (time_t end = time(NULL) + 2; time(NULL) < end && mapped < 100000;) {
		void *page, *mapping;

		if (map(granted, true, &page, &mapping) == 0) {
			for (uint32_t i = 0; i < 20; i++)
				*(volatile uint32_t *)page = 100 + i;
			must(platform->grants_unmap(grants, mapping, 1) == 0);
			mapped++;
		}
	}
	stop = true;
	pthread_join(thread, &withdrawn);
	ck_assert_int_gt(mapped, 0);
	ck_assert_int_gt((long)withdrawn, 0);
	teardown();
}
END_TEST

struct mapper {
	pthread_t thread;
	uint32_t first, rounds;
};

static uint32_t shared_grefs[PAGES];

static void *map_many(void *argument)
{
	const struct mapper *mapper = argument;

	for (uint32_t round = 0; round < mapper->rounds; round++) {
		uint32_t at = (mapper->first + round) % (PAGES - 8), count = 1 + round % 8;
		bool writable = round / 8 % 2;
		void *pages[8], *mapping;

		must(platform->grants_map(grants, DOMID, shared_grefs + at, count, writable, round % 64 == 0,
					  pages, &mapping) == 0);
		for (uint32_t i = 0; i < count; i++)
			must(*(volatile uint32_t *)pages[i] == at + i);
		must(platform->grants_unmap(grants, mapping, count) == 0);
	}
	return NULL;
}

/* Several threads map the same grants by the same handle; at the end nothing is in use. */
START_TEST(mapped_by_several_threads)
{
	struct mapper mappers[3] = {
		{.first = 0, .rounds = 20000}, {.first = 7, .rounds = 20000}, {.first = 30, .rounds = 20000}};

	setup_kind(_i & 1);
	for (uint32_t i = 0; i < PAGES; i++) {
		shared_grefs[i] = grant(frames[i], false);
		*(uint32_t *)sim_page(guest, frames[i]) = i;
	}
	for (uint32_t i = 0; i < 3; i++)
		pthread_create(&mappers[i].thread, NULL, map_many, &mappers[i]);
	for (uint32_t i = 0; i < 3; i++)
		pthread_join(mappers[i].thread, NULL);
	for (uint32_t i = 0; i < PAGES; i++)
		ck_assert_int_eq(sim_grant_end(guest, shared_grefs[i]), 0);
	teardown();
}
END_TEST

/* ---- what it costs ---- */

/* areas - how many areas of the process's addresses are guests' memory. */
static int areas(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	int count = 0;

	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof(line), maps))
		count += strstr(line, "/memfd:") != NULL;
	fclose(maps);
	ck_assert_int_gt(count, 0);
	return count;
}

/* The addresses of a mapping that need not be consecutive are there already, unless the guest is strict. */
START_TEST(no_new_addresses)
{
	void *pages[PAGES], *mappings[PAGES];
	int before;

	setup_kind(_i);
	for (uint32_t i = 0; i < PAGES; i++)
		shared_grefs[i] = grant(frames[i], false);
	/* The records are made by the first use. */
	ck_assert_int_eq(map(shared_grefs[0], true, pages, mappings), 0);
	ck_assert_int_eq(platform->grants_unmap(grants, mappings[0], 1), 0);
	before = areas();
	for (uint32_t i = 0; i < PAGES; i++)
		ck_assert_int_eq(map(shared_grefs[i], i % 2, pages + i, mappings + i), 0);
	if (_i & 2)
		ck_assert_int_gt(areas(), before + PAGES / 2);
	else
		ck_assert_int_eq(areas(), before);
	teardown();
}
END_TEST

/* A call maps 65536 grants at most, a handle 262144 at a time. */
START_TEST(limits)
{
	static uint32_t grefs[65537];
	static void *pages[65537];
	void *mappings[5];

	setup_kind(_i & 1);
	for (uint32_t i = 0; i < 65537; i++)
		grefs[i] = GRANT_RESERVED_ENTRIES;
	ck_assert_uint_eq(grant(frames[0], false), GRANT_RESERVED_ENTRIES);
	ck_assert_int_eq(platform->grants_map(grants, DOMID, grefs, 65537, true, false, pages, &mappings[0]),
			 -EINVAL);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(platform->grants_map(grants, DOMID, grefs, 65536, true, false, pages,
						      &mappings[i]),
				 0);
	ck_assert_int_eq(map(grefs[0], false, pages, &mappings[4]), -EINVAL);
	ck_assert_int_eq(platform->grants_unmap(grants, mappings[1], 65536), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(map(grefs[0], false, pages, &mappings[4]), 0);
		ck_assert_int_eq(platform->grants_unmap(grants, mappings[4], 1), 0);
		ck_assert_int_eq(platform->grants_map(grants, DOMID, grefs, 65536, true, false, pages,
						      &mappings[1]),
				 0);
		ck_assert_int_eq(platform->grants_unmap(grants, mappings[1], 65536), 0);
	}
	teardown();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, same_memory, 0, KINDS);
	tcase_add_loop_test(test_case, lists, 0, KINDS);
	tcase_add_loop_test(test_case, marks, 0, KINDS);
	tcase_add_loop_test(test_case, refused, 0, KINDS);
	tcase_add_loop_test(test_case, withdrawn_while_mapped, 0, KINDS);
	tcase_add_loop_test(test_case, table_grows, 0, 2);
	tcase_add_loop_test(test_case, destroyed_while_mapped, 0, KINDS);
	tcase_add_loop_test(test_case, closed_while_mapped, 0, KINDS);
	tcase_add_loop_test(test_case, withdrawn_by_another_thread, 0, 2);
	tcase_add_loop_test(test_case, mapped_by_several_threads, 0, 2);
	tcase_add_loop_test(test_case, no_new_addresses, 0, KINDS);
	tcase_add_loop_test(test_case, limits, 0, 2);
}

CHECK_MAIN("sim_grants", add_tests)
