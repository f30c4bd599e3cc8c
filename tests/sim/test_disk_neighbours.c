// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two disks of one guest on one loop: single small reads of one, and many large ones of the other beside them. How fast
 * either is depends on the machine; what is asked for is how far one gets while the other goes on.
 */
#include <inttypes.h>
#include <unistd.h>

#include "check_main.h"
#include "sim_disk.h"

static struct sim_disk small, large;
static struct load *small_load, *large_load;
static struct load_result result;

static struct load *make_load(struct sim_disk *disk, const struct load_options *options)
{
	char text[FRONT_ERROR_MAX];
	struct load *load;

	ck_assert_msg(load_create(disk->frontend, options, &load, text) == 0, "%s", text);
	ck_assert_int_eq(load_start(load), 0);
	return load;
}

static uint64_t reads_of(const struct load *load)
{
	struct load_counters counters;

	load_progress(load, &counters);
	return counters.reads;
}

/* start - both disks, connected in this order or the other; of one of them as many reads as its ring holds. */
static void start(const char *large_target, bool small_first)
{
	const struct blkif_frontend_options single = {.protocol = BLKIF_X86_64, .depth = 1};
	const struct blkif_frontend_options many = {
		.protocol = BLKIF_X86_64, .ring_order = 4, .segments = 16};
	const struct load_options reads = {.read_percent = 100, .block_bytes = 1 << 16};

	sim_disk_start(false);
	sim_disk_open_target(&small, SIM_DISK_DEVICE, "null:size=8M");
	sim_disk_open_target(&large, SIM_DISK_DEVICE + 16, large_target);
	if (small_first)
		sim_disk_connect(&small, &single);
	sim_disk_connect(&large, &many);
	if (!small_first)
		sim_disk_connect(&small, &single);
	large_load = make_load(&large, &reads);
	while (reads_of(large_load) == 0)
		usleep(1000);
}

static void finish(struct load *load)
{
	load_finish(load, &result);
	ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
	load_destroy(load);
}

static void stop(void)
{
	finish(small_load);
	load_stop(large_load);
	finish(large_load);
	sim_disk_close(&small);
	sim_disk_close(&large);
	sim_disk_stop();
}

/* small_reads - so many, while there are at most `large_most` of the other disk. */
static void small_reads(uint64_t count, uint64_t large_most)
{
	const struct load_options reads = {.read_percent = 100, .block_bytes = 4096, .requests = count};
	uint64_t large_before = reads_of(large_load), done;

	small_load = make_load(&small, &reads);
	while ((done = reads_of(small_load)) < count) {
		uint64_t large_done = reads_of(large_load) - large_before;

		ck_assert_msg(large_done <= large_most,
			      "%" PRIu64 " large reads beside %" PRIu64 " of %" PRIu64 " small ones",
			      large_done, done, count);
		usleep(1000);
	}
}

/*
 * A disk that is as fast as the loop can serve it, and whose ring is never empty. A turn takes up to 64 of its requests, so there
 * are 64 beside each small one when the loop looks at both rings each time.
 */
START_TEST(beside_a_busy_disk)
{
	start("null:size=8M", _i);
	small_reads(100, 100 * 320);
	stop();
}
END_TEST

/* A disk that is slow has its requests under way all the time. They must not be all that can be. */
START_TEST(beside_a_slow_disk)
{
	start("limit:iops=200,burst-ms=0,disk=null:size=8M", _i);
	small_reads(500, 1000);
	stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, beside_a_busy_disk, 0, 2);
	tcase_add_loop_test(test_case, beside_a_slow_disk, 0, 2);
}

CHECK_MAIN("disk_neighbours", add_tests)
