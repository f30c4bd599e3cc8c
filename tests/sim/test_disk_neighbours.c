// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two disks of one guest on one loop: single small reads of one, and many large ones of the other beside them. How fast
 * either is depends on the machine; what is asked for is how far one gets while the other goes on.
 */
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <xen/io/blkif.h>

#include "check_main.h"
#include "sim_disk.h"

#define READS_MAX 500
#define TURN_REQUESTS 8 /* SIM_REQUESTS_PER_TURN, whose header and Xen's can't be had together */

static struct sim_disk small, large;
static struct load *large_load;
static struct load_result result;

static uint64_t large_reads(void)
{
	struct load_counters counters;

	load_progress(large_load, &counters);
	return counters.reads;
}

/* start - both disks, connected in this order or the other; of one of them as many reads as its ring holds. */
static void start(const char *large_target, bool small_first)
{
	const struct blkif_frontend_options single = {.protocol = BLKIF_X86_64, .depth = 1};
	const struct blkif_frontend_options many = {
		.protocol = BLKIF_X86_64, .ring_order = 4, .segments = 16};
	const struct load_options reads = {.read_percent = 100, .block_bytes = 1 << 16};
	char text[FRONT_ERROR_MAX];

	sim_disk_start(false);
	sim_disk_open_target(&small, SIM_DISK_DEVICE, "null:size=8M");
	sim_disk_open_target(&large, SIM_DISK_DEVICE + 16, large_target);
	if (small_first)
		sim_disk_connect(&small, &single);
	sim_disk_connect(&large, &many);
	if (!small_first)
		sim_disk_connect(&small, &single);
	ck_assert_msg(load_create(large.frontend, &reads, &large_load, text) == 0, "%s", text);
	ck_assert_int_eq(load_start(large_load), 0);
	while (large_reads() == 0)
		usleep(1000);
}

static void stop(void)
{
	load_stop(large_load);
	load_finish(large_load, &result);
	ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
	load_destroy(large_load);
	sim_disk_close(&small);
	sim_disk_close(&large);
	sim_disk_stop();
}

/* read_small - of the one disk. Returns how many there were of the other meanwhile. */
static uint64_t read_small(void)
{
	struct front_queue *queue = &small.frontend->queues[0];
	struct front_request *request = front_take(queue);
	uint64_t before;
	int error;

	request->operation = BLKIF_OP_READ;
	request->sector = 0;
	front_set_data(request, 0, 8);
	ck_assert_int_eq(front_put(queue, request), 0);
	ck_assert_int_eq(front_push(queue), 0);
	before = large_reads();
	ck_assert_int_eq(front_wait(queue, 10000), 1);
	ck_assert_ptr_eq(front_reap(queue, &error), request);
	ck_assert_int_eq(request->status, BLKIF_RSP_OKAY);
	front_give_back(queue, request);
	return large_reads() - before;
}

static int compare(const void *left, const void *right)
{
	const uint64_t *one = left, *other = right;

	return *one < *other ? -1 : *one > *other;
}

/*
 * small_reads - so many, and beside most of them at most `large_most` of the other disk: the machine may let this thread wait, while the
 * others go on.
 */
static void small_reads(size_t count, uint64_t large_most)
{
	uint64_t beside[READS_MAX];

	for (size_t i = 0; i < count; i++)
		beside[i] = read_small();
	qsort(beside, count, sizeof(beside[0]), compare);
	ck_assert_uint_le(beside[count / 2], large_most);
}

/*
 * A disk that is as fast as the loop can serve it, and whose ring is never empty. A turn takes so many of its requests, and one or two
 * turns go by from asking to the answer, when the loop looks at both rings each time.
 */
START_TEST(beside_a_busy_disk)
{
	start("null:size=8M", _i);
	small_reads(100, 4 * TURN_REQUESTS);
	stop();
}
END_TEST

/* A disk that is slow has its requests under way all the time. They must not be all that can be. */
START_TEST(beside_a_slow_disk)
{
	start("limit:iops=200,burst-ms=0,disk=null:size=8M", _i);
	small_reads(READS_MAX, 2);
	stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, beside_a_busy_disk, 0, 2);
	tcase_add_loop_test(test_case, beside_a_slow_disk, 0, 2);
}

CHECK_MAIN("disk_neighbours", add_tests)
