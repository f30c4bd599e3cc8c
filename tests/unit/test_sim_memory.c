// SPDX-License-Identifier: GPL-2.0-or-later
/* The simulated machine: its seed, its guests, their memory. */
#include "check_main.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/sim.h"
#include "sim/xenstore.h"

#define PAGES 256

static struct sim_machine *machine;
static const uint8_t zeroes[PAGE_BYTES];

static void setup(void)
{
	machine = sim_machine_create(1);
	ck_assert_ptr_nonnull(machine);
}

static void teardown(void)
{
	sim_machine_destroy(machine);
}

static struct sim_guest *make_guest(struct sim_machine *of, uint16_t domid, bool pv)
{
	struct sim_guest_options options = {.domid = domid, .pages = PAGES, .pv = pv};
	struct sim_guest *guest;

	ck_assert_int_eq(sim_guest_create(of, &options, &guest), 0);
	return guest;
}

START_TEST(guests_of_a_machine)
{
	struct sim_guest *guest = make_guest(machine, 7, false), *other;

	ck_assert_uint_eq(sim_guest_domid(guest), 7);
	ck_assert_int_eq(sim_guest_create(machine, &(struct sim_guest_options){.domid = 7, .pages = 1},
					  &other),
			 -EEXIST);
	ck_assert_int_eq(sim_guest_create(machine, &(struct sim_guest_options){.pages = 1}, &other), -EINVAL);
	ck_assert_int_eq(sim_guest_create(machine, &(struct sim_guest_options){.domid = 0x7ff0, .pages = 1},
					  &other),
			 -EINVAL);
	ck_assert_int_eq(sim_guest_create(machine, &(struct sim_guest_options){.domid = 8}, &other), -EINVAL);
	sim_guest_destroy(guest);
	/* The number is free again; the machine ends its guests. */
	make_guest(machine, 7, true);
}
END_TEST

/* A guest has a home in xenstore as long as it is there, and may write below it. */
START_TEST(home)
{
	struct sim_guest *guest = make_guest(machine, 7, false);
	struct xenstore *host, *own;
	char *value;

	ck_assert_int_eq(sim_platform(machine)->xenstore_open(sim_platform(machine), &host), 0);
	ck_assert_int_eq(sim_xenstore_open(machine, 7, &own), 0);
	value = sim_xenstore_read(host, 0, "/local/domain/7/domid");
	ck_assert_str_eq(value, "7");
	free(value);
	ck_assert_int_eq(sim_xenstore_write(own, 0, "data/a", "b"), 0);
	ck_assert_int_eq(sim_xenstore_write(own, 0, "/local/domain/0/a", "b"), -EACCES);
	value = sim_xenstore_read(host, 0, "/local/domain/7/data/a");
	ck_assert_str_eq(value, "b");
	free(value);
	sim_guest_destroy(guest);
	ck_assert_ptr_null(sim_xenstore_read(host, 0, "/local/domain/7"));
	ck_assert_int_eq(errno, ENOENT);
	sim_xenstore_close(own);
	sim_xenstore_close(host);
}
END_TEST

/* Each page can be had once, is zero, can be written, and has an address of its own. */
START_TEST(all_pages)
{
	struct sim_guest *guest = make_guest(machine, 1, _i);
	uint64_t frames[PAGES], one;

	ck_assert_int_eq(sim_pages_take(guest, PAGES, frames), 0);
	for (uint32_t i = 0; i < PAGES; i++) {
		uint8_t *page = sim_page(guest, frames[i]);

		ck_assert_ptr_nonnull(page);
		ck_assert_uint_eq((uintptr_t)page % PAGE_BYTES, 0);
		ck_assert_mem_eq(page, zeroes, PAGE_BYTES);
		memset(page, (int)i + 1, PAGE_BYTES);
	}
	for (uint32_t i = 0; i < PAGES; i++)
		ck_assert_uint_eq(*(uint8_t *)sim_page(guest, frames[i]), (uint8_t)(i + 1));
	ck_assert_int_eq(sim_pages_take(guest, 1, &one), -ENOMEM);
	sim_pages_give_back(guest, 10, frames + 5);
	ck_assert_int_eq(sim_pages_take(guest, 11, frames), -ENOMEM);
	ck_assert_int_eq(sim_pages_take(guest, 10, frames), 0);
}
END_TEST

/* Neither the numbers nor the places of frames taken together follow each other. */
START_TEST(scattered)
{
	struct sim_guest *guest = make_guest(machine, 1, _i);
	uint64_t frames[PAGES / 2];

	ck_assert_int_eq(sim_pages_take(guest, PAGES / 2, frames), 0);
	for (uint32_t i = 1; i < PAGES / 2; i++) {
		ck_assert_int_ne(llabs((long long)(frames[i] - frames[i - 1])), 1);
		ck_assert_int_ne(
			labs((char *)sim_page(guest, frames[i]) - (char *)sim_page(guest, frames[i - 1])),
			PAGE_BYTES);
	}
}
END_TEST

/* count_neighbours - how often the guest's next frame lies behind a frame. */
static uint32_t count_neighbours(uint16_t domid, bool pv, uint32_t run_pages)
{
	const struct sim_guest_options options = {
		.domid = domid, .pages = PAGES, .pv = pv, .run_pages = run_pages};
	struct sim_guest *guest;
	uint64_t frames[PAGES];
	uint32_t count = 0;

	ck_assert_int_eq(sim_guest_create(machine, &options, &guest), 0);
	ck_assert_int_eq(sim_pages_take(guest, PAGES, frames), 0);
	for (uint32_t i = 0; i < PAGES; i++) {
		const char *page = sim_page(guest, frames[i]), *next = sim_page(guest, frames[i] + 1);

		count += next && next - page == PAGE_BYTES;
	}
	return count;
}

/* All frames lie apart, or they lie in runs, each elsewhere. A PV guest has the frames that it has by chance. */
START_TEST(runs)
{
	uint32_t apart = count_neighbours(1, _i, 1), some = count_neighbours(2, _i, 4),
		 most = count_neighbours(3, _i, 0);

	ck_assert_uint_lt(apart, _i ? PAGES * 5 / 8 : 5);
	ck_assert_uint_gt(some, PAGES / 2);
	ck_assert_uint_lt(some, PAGES * 7 / 8);
	ck_assert_uint_gt(most, PAGES * 7 / 8);
	ck_assert_uint_lt(most, PAGES - PAGES / 64);
}
END_TEST

/* The same seed gives the same frames, another one others. */
START_TEST(seed)
{
	uint64_t frames[3][16];

	for (uint64_t run = 0; run < 3; run++) {
		struct sim_machine *of = sim_machine_create(run / 2 + 5);

		ck_assert_int_eq(sim_pages_take(make_guest(of, 1, _i), 16, frames[run]), 0);
		sim_machine_destroy(of);
	}
	ck_assert_mem_eq(frames[0], frames[1], sizeof(frames[0]));
	ck_assert_mem_ne(frames[0], frames[2], sizeof(frames[0]));
}
END_TEST

/* Machine frames are one guest's only; a guest that is not PV counts for itself. */
START_TEST(frames_of_other_guests)
{
	struct sim_guest *first = make_guest(machine, 1, _i), *second = make_guest(machine, 2, _i);
	uint64_t frames[PAGES];

	ck_assert_int_eq(sim_pages_take(first, PAGES, frames), 0);
	for (uint32_t i = 0; i < PAGES; i++) {
		ck_assert_ptr_nonnull(sim_page(first, frames[i]));
		ck_assert_int_eq(!sim_page(second, frames[i]), _i);
	}
	ck_assert_ptr_null(sim_page(first, 0));
	ck_assert_ptr_null(sim_page(first, UINT64_MAX));
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, setup, teardown);
	tcase_add_test(test_case, guests_of_a_machine);
	tcase_add_test(test_case, home);
	tcase_add_loop_test(test_case, all_pages, 0, 2);
	tcase_add_loop_test(test_case, scattered, 0, 2);
	tcase_add_loop_test(test_case, runs, 0, 2);
	tcase_add_loop_test(test_case, seed, 0, 2);
	tcase_add_loop_test(test_case, frames_of_other_guests, 0, 2);
}

CHECK_MAIN("sim_memory", add_tests)
