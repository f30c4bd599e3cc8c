// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pages of ours: which ones mappings get. Each page has one user, and a mapping's pages follow each other where that can be.
 */
#include "check_main.h"

#include <errno.h>
#include <string.h>

#include "memory/mapper.h"

#define PAGES 1500u
#define COUNT_MAX 256u
#define RUNS (PAGES / 5)

static struct memory memory;

/* A mapping. */
static struct run {
	struct memory_mapping mapping, *list;
	void *pages[COUNT_MAX];
} runs[RUNS];

static uint64_t random_state;

static uint32_t chance(uint32_t below)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % below;
}

static void setup(void)
{
	memset(runs, 0, sizeof(runs));
	ck_assert_int_eq(bounce_create(PAGES, &memory.bounce), 0);
}

static void teardown(void)
{
	bounce_destroy(memory.bounce);
}

/* map - 0, or -ENOMEM if there are not enough pages. */
static int map(struct run *run, uint32_t count)
{
	run->list = &run->mapping;
	run->mapping = (struct memory_mapping){
		.count = count, .writable = true, .way = WAY_COPY, .pages = run->pages};
	bounce_map_copies(&memory, &run->list, 1);
	if (run->mapping.error < 0)
		run->mapping.count = 0;
	return run->mapping.error;
}

static void unmap(struct run *run)
{
	bounce_unmap(&memory, &run->list, 1);
	run->mapping.count = 0;
}

static bool is_one_piece(const struct run *run)
{
	for (uint32_t i = 1; i < run->mapping.count; i++)
		if (run->pages[i] != (char *)run->pages[i - 1] + PAGE_BYTES)
			return false;
	return true;
}

/* are_apart - no page has two users. */
static bool are_apart(void)
{
	const char *start = bounce_to_register(memory.bounce).iov_base;
	bool used[PAGES] = {false};

	for (uint32_t i = 0; i < RUNS; i++) {
		for (uint32_t j = 0; j < runs[i].mapping.count; j++) {
			size_t index = (size_t)((const char *)runs[i].pages[j] - start) / PAGE_BYTES;

			if (index >= PAGES || used[index])
				return false;
			used[index] = true;
		}
	}
	return true;
}

/* Mappings of any sizes come and go: each gets its pages if there are so many, in one piece while most are free. */
START_TEST(any_sizes)
{
	uint32_t most = _i & 1 ? PAGES : PAGES / 4, used = 0, mapped = 0, pieces = 0, refused = 0;

	random_state = (uint64_t)_i;
	setup();
	for (uint32_t i = 0; i < 4000; i++) {
		struct run *run = &runs[chance(RUNS)];
		uint32_t count = 1 + chance(chance(3) ? 8 : COUNT_MAX);

		if (run->mapping.count > 0) {
			used -= run->mapping.count;
			unmap(run);
		} else if (used + count > PAGES) {
			ck_assert_int_eq(map(run, count), -ENOMEM);
			refused++;
		} else if (used + count <= most) {
			ck_assert_int_eq(map(run, count), 0);
			used += count;
			mapped++;
			pieces += is_one_piece(run);
		}
		if (!are_apart())
			ck_abort_msg("step %u", i);
	}
	ck_assert_uint_gt(mapped, 500);
	if (_i & 1) {
		ck_assert_uint_gt(refused, 50);
		ck_assert_uint_lt(pieces, mapped);
	} else {
		ck_assert_uint_gt(pieces, mapped * 98 / 100);
	}
	teardown();
}
END_TEST

/* Mappings of one size are all in one piece, until no page is left; those that are free again are taken in any order. */
START_TEST(one_size)
{
	uint32_t size = 1 + (uint32_t)_i * 3, fit = PAGES / size < RUNS ? PAGES / size : RUNS;

	setup();
	for (uint32_t i = 0; i < fit; i++)
		ck_assert_int_eq(map(&runs[i], size), 0);
	for (uint32_t i = 0; i < 3000; i++) {
		struct run *run = &runs[chance(fit)];

		if (run->mapping.count > 0)
			unmap(run);
		else
			ck_assert_int_eq(map(run, size), 0);
		if (run->mapping.count > 0)
			ck_assert(is_one_piece(run));
	}
	ck_assert(are_apart());
	teardown();
}
END_TEST

/* Pages that do not follow each other serve where others are not left. */
START_TEST(in_pieces)
{
	const uint32_t size = PAGES / RUNS;

	setup();
	for (uint32_t i = 0; i < RUNS; i++)
		ck_assert_int_eq(map(&runs[i], size), 0);
	unmap(&runs[1]);
	unmap(&runs[3]);
	ck_assert_int_eq(map(&runs[1], 2 * size + 1), -ENOMEM);
	ck_assert_int_eq(map(&runs[1], 2 * size), 0);
	ck_assert(!is_one_piece(&runs[1]));
	ck_assert(are_apart());
	ck_assert_int_eq(map(&runs[3], 1), -ENOMEM);
	teardown();
}
END_TEST

/* What is to be registered is where pages are taken first. */
START_TEST(registered_first)
{
	struct iovec first;

	setup();
	first = bounce_to_register(memory.bounce);
	bounce_populate(memory.bounce);
	ck_assert_uint_lt(first.iov_len, (size_t)PAGES * PAGE_BYTES);
	for (uint32_t i = 0; i < first.iov_len / PAGE_BYTES / 8; i++) {
		ck_assert_int_eq(map(&runs[i], 8), 0);
		ck_assert_ptr_eq(runs[i].pages[0], (char *)first.iov_base + (size_t)i * 8 * PAGE_BYTES);
	}
	teardown();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, any_sizes, 0, 6);
	tcase_add_loop_test(test_case, one_size, 0, 12);
	tcase_add_test(test_case, in_pieces);
	tcase_add_test(test_case, registered_first);
}

CHECK_MAIN("bounce", add_tests)
