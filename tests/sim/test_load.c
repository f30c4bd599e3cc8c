// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The load itself: does it find what is wrong with a disk's data, and does it count rightly? Between the load and the
 * reading back the file is changed behind everybody's back.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "check_main.h"
#include "sim/histogram.h"
#include "sim_disk.h"

#define BLOCK 8192
#define BLOCKS 16
#define SEED 4711

static struct sim_disk disk;
static struct load *load;
static struct load_result result;
static char text[FRONT_ERROR_MAX];

static const struct load_options write_all = {
	.read_percent = 0,
	.block_bytes = BLOCK,
	.span_bytes = BLOCKS * BLOCK,
	.requests = BLOCKS,
	.verify = true,
	.seed = SEED,
};

static void start(const char *before)
{
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64, .segments = 4, .depth = 4};

	sim_disk_start(false);
	sim_disk_open_behind(&disk, SIM_DISK_DEVICE, 1 << 20, before);
	sim_disk_connect(&disk, &options);
}

static void run(void)
{
	ck_assert_int_eq(load_start(load), 0);
	load_finish(load, &result);
}

static void stop(void)
{
	load_destroy(load);
	sim_disk_close(&disk);
	sim_disk_stop();
}

/* get, put - bytes of the disk. */
static void get(uint64_t at, void *bytes, size_t count)
{
	ck_assert_int_eq(pread(disk.file, bytes, count, (off_t)at), (int)count);
}

static void put(uint64_t at, const void *bytes, size_t count)
{
	ck_assert_int_eq(pwrite(disk.file, bytes, count, (off_t)at), (int)count);
}

static char old_block[BLOCK];

static void zero_block(void)
{
	const char zeroes[BLOCK] = {0};

	put(3 * BLOCK, zeroes, BLOCK);
}

static void zero_sector(void)
{
	const char zeroes[512] = {0};

	put(3 * BLOCK + 512, zeroes, 512);
}

static void older_block(void)
{
	put(3 * BLOCK, old_block, BLOCK);
}

static void older_sector(void)
{
	put(3 * BLOCK + 1024, old_block + 1024, 512);
}

static void another_block(void)
{
	char block[BLOCK];

	get(4 * BLOCK, block, BLOCK);
	put(3 * BLOCK, block, BLOCK);
}

static void another_byte(void)
{
	char byte;

	get(3 * BLOCK + 900, &byte, 1);
	byte = (char)(byte ^ 1);
	put(3 * BLOCK + 900, &byte, 1);
}

static void nonsense(void)
{
	char block[BLOCK];

	memset(block, 0x5a, sizeof(block));
	put(3 * BLOCK, block, BLOCK);
}

static const struct {
	void (*change)(void);
	enum load_error error;
	const char *text;
} changes[] = {
	{zero_block, LOAD_STALE, "sector 48 holds zeroes instead of writing 2 of it"},
	{zero_sector, LOAD_TORN, "sector 49 holds zeroes instead of writing 2 of it"},
	{older_block, LOAD_STALE, "sector 48 holds writing 1 of sector 48 instead of writing 2 of it"},
	{older_sector, LOAD_TORN, "sector 50 holds writing 1 of sector 50 instead of writing 2 of it"},
	{another_block, LOAD_MISPLACED, "sector 48 holds writing 2 of sector 64 instead of writing 2 of it"},
	{another_byte, LOAD_TORN, "sector 49 begins as writing 2 of sector 49 and goes on otherwise"},
	{nonsense, LOAD_CORRUPT, "sector 48 holds what was never written instead of writing 2 of it"},
};

/* Each kind of wrong data is found by reading back, once, and named. */
START_TEST(wrong_data)
{
	start(NULL);
	ck_assert_int_eq(load_create(disk.frontend, &write_all, &load, text), 0);
	run();
	get(3 * BLOCK, old_block, BLOCK);
	run();
	ck_assert_uint_eq(load_errors(&result), 0);
	changes[_i].change();
	load_verify(load, &result);
	ck_assert_uint_eq(load_errors(&result), 1);
	ck_assert_uint_eq(result.counters.errors[changes[_i].error], 1);
	ck_assert_uint_eq(result.counters.blocks_verified, BLOCKS - 1);
	ck_assert_msg(strstr(result.text, changes[_i].text), "%s", result.text);
	ck_assert_int_eq(result.error, 0);
	stop();
}
END_TEST

/* A read in the middle of a load finds it, too; and what should be zero is not. */
START_TEST(wrong_data_while_it_runs)
{
	struct load_options options = write_all;

	options.read_percent = 100;
	options.begins_zeroed = true;
	start(NULL);
	nonsense();
	ck_assert_int_eq(load_create(disk.frontend, &options, &load, text), 0);
	run();
	ck_assert_uint_eq(result.counters.reads, BLOCKS);
	ck_assert_uint_eq(result.counters.errors[LOAD_CORRUPT], 1);
	ck_assert_uint_eq(result.counters.blocks_verified, BLOCKS - 1);
	ck_assert_str_eq(result.text, "sector 48 holds what was never written instead of zeroes");
	stop();
}
END_TEST

/* Requests that fail are counted by their kind; a block whose writing failed is unknown, not wrong. */
START_TEST(failed_requests)
{
	struct load_options options = write_all;

	start("error:operations=write,every=4,disk=");
	ck_assert_int_eq(load_create(disk.frontend, &options, &load, text), 0);
	run();
	ck_assert_uint_eq(result.counters.errors[LOAD_WRITE_FAILED], BLOCKS / 4);
	ck_assert_uint_eq(result.counters.writes, BLOCKS - BLOCKS / 4);
	ck_assert_uint_eq(load_errors(&result), BLOCKS / 4);
	ck_assert_msg(strstr(result.text, "was answered with status -1"), "%s", result.text);
	load_verify(load, &result);
	ck_assert_uint_eq(load_errors(&result), 0);
	ck_assert_uint_eq(result.counters.blocks_verified, BLOCKS - BLOCKS / 4);
	stop();
}
END_TEST

/* It ends when it has done what it was to do, and takes the time that it was given. */
START_TEST(limits)
{
	struct load_options options = write_all;

	start(NULL);
	options.requests = 0;
	options.bytes = 5 * BLOCK;
	options.verify = false;
	ck_assert_int_eq(load_create(disk.frontend, &options, &load, text), 0);
	run();
	ck_assert_uint_eq(result.counters.bytes_written, 5 * BLOCK);
	ck_assert_uint_eq(result.write_ns.count, 5);
	ck_assert_uint_ge(histogram_percentile(&result.write_ns, 100),
			  histogram_percentile(&result.write_ns, 50));
	load_destroy(load);

	options.bytes = 0;
	options.time_ms = 300;
	ck_assert_int_eq(load_create(disk.frontend, &options, &load, text), 0);
	run();
	ck_assert_uint_ge(result.elapsed_ns, 300 * 1000000);
	ck_assert_uint_gt(result.counters.writes, 0);
	load_destroy(load);

	options.time_ms = 0;
	ck_assert_int_eq(load_create(disk.frontend, &options, &load, text), 0);
	ck_assert_int_eq(load_start(load), 0);
	for (struct load_counters counters = {0}; counters.writes < 100; usleep(100))
		load_progress(load, &counters);
	load_stop(load);
	load_finish(load, &result);
	ck_assert_uint_ge(result.counters.writes, 100);
	ck_assert_uint_eq(load_errors(&result), 0);
	stop();
}
END_TEST

/* A disk that does not answer ends the load. */
START_TEST(no_answer)
{
	struct load_options options = write_all;

	options.timeout_ms = 50;
	start("delay:write-us=60000000,disk=");
	ck_assert_int_eq(load_create(disk.frontend, &options, &load, text), 0);
	run();
	ck_assert_int_eq(result.error, -ETIMEDOUT);
	ck_assert_str_eq(result.text, "queue 0: none of 4 requests was answered within 50 ms");
	ck_assert_uint_eq(load_errors(&result), 1);
	stop();
}
END_TEST

/* What can't be is refused, and the text says why. */
START_TEST(bad_options)
{
	static const struct {
		struct load_options options;
		const char *text;
	} rows[] = {
		{{.block_bytes = 0}, "not a multiple of the disk's sectors of 512"},
		{{.block_bytes = 1000},
		 "a block of 1000 bytes is not a multiple of the disk's sectors of 512"},
		{{.block_bytes = 5 * 4096}, "needs 5 pages, a request of this disk has 4"},
		{{.block_bytes = 4 * 4096, .first_sector = 1}, "needs 5 pages, a request of this disk has 4"},
		{{.block_bytes = 512, .first_sector = 8}, "data can't begin at sector 8 of a page"},
		{{.block_bytes = 512, .read_percent = 101}, "101 of 100 requests can't be reads"},
		{{.block_bytes = 4096, .start_bytes = 512}, "it must be a multiple of 4096 bytes"},
		{{.block_bytes = 4096, .start_bytes = 1 << 20}, "on a disk of 1048576"},
		{{.block_bytes = 4096, .start_bytes = 4096, .span_bytes = 1 << 20}, "does not fit on a disk"},
		{{.block_bytes = 4096, .span_bytes = 512},
		 "fewer blocks of 4096 bytes than there are queues"},
	};

	start(NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_int_eq(load_create(disk.frontend, &rows[i].options, &load, text), -EINVAL);
		ck_assert_msg(strstr(text, rows[i].text), "%s", text);
	}
	ck_assert_int_eq(load_create(disk.frontend, &write_all, &load, text), 0);
	stop();
}
END_TEST

/* Each value is found to 3%, whatever its size. */
START_TEST(percentiles)
{
	struct histogram *one = malloc(sizeof(*one)), *two = malloc(sizeof(*two));

	histogram_clear(one);
	histogram_clear(two);
	ck_assert_uint_eq(histogram_percentile(one, 50), 0);
	for (uint64_t value = 1; value <= 1000; value++)
		histogram_add(value % 2 ? one : two, value * 1000);
	histogram_merge(one, two);
	ck_assert_uint_eq(one->count, 1000);
	ck_assert_uint_eq(one->minimum, 1000);
	ck_assert_uint_eq(one->maximum, 1000000);
	ck_assert(histogram_mean(one) == 500500.0);
	for (unsigned per_cent = 1; per_cent <= 100; per_cent++) {
		uint64_t exact = per_cent * 10 * 1000, found = histogram_percentile(one, per_cent);

		ck_assert_msg(found >= exact && found <= exact + exact / 32, "%u: %lu", per_cent, found);
	}
	histogram_clear(one);
	for (unsigned shift = 0; shift < 63; shift++) {
		histogram_clear(one);
		histogram_add(one, UINT64_C(1) << shift);
		ck_assert_uint_eq(histogram_percentile(one, 99.9), UINT64_C(1) << shift);
	}
	free(one);
	free(two);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, wrong_data, 0, sizeof(changes) / sizeof(changes[0]));
	tcase_add_test(test_case, wrong_data_while_it_runs);
	tcase_add_test(test_case, failed_requests);
	tcase_add_test(test_case, limits);
	tcase_add_test(test_case, no_answer);
	tcase_add_test(test_case, bad_options);
	tcase_add_test(test_case, percentiles);
}

CHECK_MAIN("load", add_tests)
