// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The wrapper backends in a whole worker, with a guest's load on them. How exactly they do what they do is shown with a
 * clock of the test's in tests/unit/test_wrapper_*.c; here time is real, so it is asked for what it is at least.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check_main.h"
#include "sim_disk.h"
#include "worker/backends.h"

#define DISK_BYTES (UINT64_C(8) << 20)
#define PATIENCE_NS UINT64_C(6000000000) /* xvhostd has 8 s */

static struct sim_disk disk;
static struct load *load;
static struct load_result result;
static char log_file[] = "/tmp/xvhost-test-XXXXXX";
static char trigger_directory[] = "/tmp/xvhost-test-XXXXXX";

/* start - a disk behind a stack, which is a target string with a %s for a name in the file system. */
static void start(const char *stack, const char *name, const struct blkif_frontend_options *options)
{
	char before[512];

	snprintf(before, sizeof(before), stack, name);
	sim_disk_start(false);
	sim_disk_open_behind(&disk, SIM_DISK_DEVICE, DISK_BYTES, before);
	sim_disk_connect(&disk, options);
}

static void stop(void)
{
	sim_disk_close(&disk);
	sim_disk_stop();
}

/* make_load - of requests of 4 KiB. */
static void make_load(const struct load_options *options)
{
	char text[FRONT_ERROR_MAX];

	ck_assert_msg(load_create(disk.frontend, options, &load, text) == 0, "%s", text);
}

static void run(void)
{
	ck_assert_int_eq(load_start(load), 0);
	load_finish(load, &result);
	ck_assert_int_eq(result.error, 0);
}

/* check_line - one of the log's, whole and of a request that can be. Returns the operation's place in `counts`. */
static int check_line(const char *line)
{
	static const char *const operations[] = {"read", "write", "flush", "discard"};
	uint64_t seconds, microseconds, offset, length, took_us;
	char operation[16], outcome[16], end;
	int fields = sscanf(line, "%" SCNu64 ".%6" SCNu64 " %15s %" SCNu64 " %" SCNu64 " %15s %" SCNu64 "%c",
			    &seconds, &microseconds, operation, &offset, &length, outcome, &took_us, &end);
	int place = 0;

	ck_assert_msg(fields == 8 && end == '\n', "'%s'", line);
	while (place < 4 && strcmp(operation, operations[place]) != 0)
		place++;
	ck_assert_msg(place < 4 && strcmp(outcome, "ok") == 0, "'%s'", line);
	ck_assert_msg(place == 2 ? offset == 0 && length == 0 : length == 4096 && offset <= DISK_BYTES - 4096,
		      "'%s'", line);
	/* The delay below the log. */
	ck_assert_msg(took_us >= (place == 0 ? 200 : place == 2 ? 0 : 100), "'%s'", line);
	return place;
}

/* check_log - a line for each request that was answered, and none of them harmed by another. */
static void check_log(const struct load_counters *counters)
{
	uint64_t counts[4] = {0};
	char line[256];
	FILE *stream = fopen(log_file, "r");

	ck_assert_ptr_nonnull(stream);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), stream));
	ck_assert_str_eq(line, "# guest 7 vbd 51712: time operation offset length result microseconds\n");
	while (fgets(line, sizeof(line), stream))
		counts[check_line(line)]++;
	fclose(stream);
	ck_assert_uint_eq(counts[0], counters->reads);
	ck_assert_uint_eq(counts[1], counters->writes);
	ck_assert_uint_eq(counts[2], counters->flushes);
	ck_assert_uint_eq(counts[3], counters->discards);
}

/* All four in front of each other: the data is right, with one and several queues, and the log has it all. */
START_TEST(stack_of_all)
{
	const struct blkif_frontend_options options = {
		.protocol = BLKIF_X86_64, .queues = 1 + 2 * (uint32_t)_i, .persistent = _i == 1};
	const struct load_options what = {
		.read_percent = 50,
		.random = true,
		.block_bytes = 4096,
		.requests = 3000,
		.flush_every = 10,
		.discard_every = 20,
		.verify = true,
		.begins_zeroed = true,
	};
	int fd = mkstemp(log_file);

	ck_assert_int_ge(fd, 0);
	close(fd);
	start("limit:iops=100000,bandwidth=1G,disk=log:file=%s,disk=delay:read-us=200,write-us=100,jitter-us="
	      "300,"
	      "disk=error:per-million=0,disk=",
	      log_file, &options);
	make_load(&what);
	run();
	ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
	ck_assert_uint_eq(result.counters.reads + result.counters.writes, 3000);
	ck_assert_uint_gt(result.counters.flushes, 10);
	ck_assert_uint_gt(result.counters.discards, 10);
	ck_assert_uint_gt(result.counters.blocks_verified, 1000);
	check_log(&result.counters);
	load_verify(load, &result);
	ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
	load_destroy(load);
	unlink(log_file);
	stop();
}
END_TEST

START_TEST(delays)
{
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64, .depth = 4};
	const struct load_options what = {
		.read_percent = 50, .random = true, .block_bytes = 4096, .requests = 200, .flush_every = 5};

	start("delay:read-us=2000,write-us=5000,%sflush-us=1000,disk=", "", &options);
	make_load(&what);
	run();
	ck_assert_uint_eq(load_errors(&result), 0);
	ck_assert_uint_ge(result.read_ns.minimum, 2000000);
	ck_assert_uint_ge(result.write_ns.minimum, 5000000);
	ck_assert_uint_ge(result.flush_ns.minimum, 1000000);
	/* They wait side by side: 4 at a time. */
	ck_assert_uint_lt(result.elapsed_ns,
			  (result.read_ns.sum + result.write_ns.sum + result.flush_ns.sum) / 2);
	load_destroy(load);
	stop();
}
END_TEST

/* Of 1000 reads each tenth fails, whatever the queue; writes do not, and what they wrote is there. */
START_TEST(errors)
{
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64, .queues = 1 + (uint32_t)_i};
	const struct load_options write = {
		.block_bytes = 4096, .requests = 1000, .verify = true, .begins_zeroed = true, .random = true};
	const struct load_options read = {
		.read_percent = 100, .block_bytes = 4096, .requests = 1000, .random = true};

	start("error:operations=read,every=10,%sdisk=", "", &options);
	make_load(&write);
	run();
	ck_assert_uint_eq(load_errors(&result), 0);
	ck_assert_uint_eq(result.counters.writes, 1000);
	load_destroy(load);
	make_load(&read);
	run();
	ck_assert_uint_eq(result.counters.errors[LOAD_READ_FAILED], 100);
	ck_assert_uint_eq(result.counters.reads, 900);
	ck_assert_uint_eq(load_errors(&result), 100);
	load_destroy(load);
	stop();
}
END_TEST

/* errors_now - how many of some reads fail. */
static uint64_t errors_now(void)
{
	run();
	return result.counters.errors[LOAD_READ_FAILED];
}

/* A disk becomes bad, and well again, while it is used. */
START_TEST(trigger)
{
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64};
	const struct load_options read = {.read_percent = 100, .block_bytes = 4096, .requests = 10};
	char file[64];

	ck_assert_ptr_nonnull(mkdtemp(trigger_directory));
	snprintf(file, sizeof(file), "%s/bad", trigger_directory);
	start("error:trigger=%s,disk=", file, &options);
	make_load(&read);
	ck_assert_uint_eq(errors_now(), 0);
	ck_assert_int_eq(symlink("/", file), 0);
	for (int i = 0; i < 10000 && errors_now() != 10; i++)
		usleep(1000);
	ck_assert_uint_eq(errors_now(), 10);
	ck_assert_int_eq(unlink(file), 0);
	for (int i = 0; i < 10000 && errors_now() != 0; i++)
		usleep(1000);
	ck_assert_uint_eq(errors_now(), 0);
	load_destroy(load);
	stop();
	ck_assert_int_eq(rmdir(trigger_directory), 0);
}
END_TEST

/* 1000 in a second: the 500th begins no sooner than 499 ms after the first, with one queue and with several. How much
 * later is the machine's matter. */
START_TEST(limits)
{
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64, .queues = _i == 1 ? 3 : 1};
	const struct load_options what = {.read_percent = 50,
					  .block_bytes = 4096,
					  .requests = 500,
					  .verify = true,
					  .begins_zeroed = true};

	/* 500 times 4096 bytes at 4096000 bytes a second is the same. */
	start(_i < 2 ? "limit:iops=1000,burst-ms=0,%sdisk=" : "limit:bandwidth=4096000,burst-ms=0,%sdisk=",
	      "", &options);
	make_load(&what);
	run();
	ck_assert_uint_eq(load_errors(&result), 0);
	ck_assert_uint_eq(result.counters.reads + result.counters.writes, 500);
	ck_assert_uint_ge(result.elapsed_ns, 499000000);
	load_destroy(load);
	stop();
}
END_TEST

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Stacks in which a ring's requests would wait for half a minute and more. */
static const char *const slow_stacks[] = {
	"limit:iops=1,burst-ms=1000,%sdisk=",
	"delay:read-us=60000000,write-us=60000000,%sdisk=",
	"limit:iops=1000,disk=delay:read-us=60000000,write-us=60000000,%sdisk=",
	"delay:read-us=60000000,disk=delay:read-us=60000000,disk=%sdelay:read-us=60000000,disk=",
};

/*
 * A ring is let go while all of its requests wait: the waits end, and those that would come after them, too, and the
 * requests are carried out. The guest's other disk goes on meanwhile and notices nothing.
 */
START_TEST(stop_ends_waits)
{
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64, .queues = 1 + _i % 2};
	const struct blkif_frontend_options plain = {.protocol = BLKIF_X86_64};
	const struct load_options write = {
		.read_percent = 50, .block_bytes = 4096, .requests = 60000, .verify = true};
	const struct load_options read = {.read_percent = 100, .block_bytes = 4096, .requests = 32};
	char text[FRONT_ERROR_MAX];
	struct sim_disk other;
	struct load *others;
	uint64_t began_ns;

	/* All requests are taken when the ring is let go: nothing else may take time. */
	sim_disk_access = "grant";
	start(slow_stacks[_i], "", &options);
	sim_disk_open(&other, SIM_DISK_DEVICE + 16, DISK_BYTES, "");
	sim_disk_connect(&other, &plain);
	ck_assert_msg(load_create(other.frontend, &write, &others, text) == 0, "%s", text);
	make_load(&read);
	ck_assert_int_eq(load_start(others), 0);
	ck_assert_int_eq(load_start(load), 0);
	sim_disk_wait_until_taken(&disk, 32);
	began_ns = monotonic_ns();
	ck_assert_int_eq(worker_thread_disconnect(worker, SIM_DISK_DEVICE), 0);
	ck_assert_uint_lt(monotonic_ns() - began_ns, PATIENCE_NS);
	load_finish(load, &result);
	ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
	ck_assert_uint_eq(result.counters.reads, 32);
	load_destroy(load);
	load_finish(others, &result);
	ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
	load_verify(others, &result);
	ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
	load_destroy(others);
	ck_assert_uint_eq(blkif_frontend_destroy(disk.frontend), 0);
	disk.frontend = NULL;
	sim_disk_close(&other);
	stop();
}
END_TEST

/* Backends are told that the queue is to stop, before their waits end; and not when it is connected again. */
START_TEST(stop_is_told)
{
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64};
	const struct load_options read = {
		.read_percent = 100, .block_bytes = 4096, .requests = 8, .depth = 8};
	const struct xvhost_disk_backend *backend;
	char path[SIM_DISK_PATH_MAX], text[ERROR_TEXT_MAX];

	sim_disk_built(path, "tests/backends/stopping.so");
	ck_assert_msg(backends_load(path, &backend, text) == 0, "%s", text);
	start("stopping:disk=%sdelay:disk=stopping:disk=", "", &options);
	for (int round = 0; round < 2; round++) {
		make_load(&read);
		ck_assert_int_eq(load_start(load), 0);
		sim_disk_wait_until_taken(&disk, 8);
		ck_assert_int_eq(worker_thread_disconnect(worker, SIM_DISK_DEVICE), 0);
		load_finish(load, &result);
		ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
		ck_assert_uint_eq(result.counters.reads, 8);
		load_destroy(load);
		ck_assert_uint_eq(blkif_frontend_destroy(disk.frontend), 0);
		disk.frontend = NULL;
		if (round == 0)
			sim_disk_connect(&disk, &options);
	}
	stop();
}
END_TEST

/* What a toolstack writes loads no file, though there is a backend in it: only xvhost-try takes paths. */
START_TEST(paths_are_refused)
{
	static const char *const before[] = {"", "delay:read-us=1,disk=", "error:disk=delay:disk="};
	char directory[SIM_DISK_PATH_MAX], target[TARGET_MAX];
	struct message_disk_opened opened;

	sim_disk_start(false);
	sim_disk_built(directory, "tests/backends");
	ck_assert_int_eq(chdir(directory), 0);
	ck_assert_int_eq(access("./stopping.so", R_OK), 0);
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		snprintf(target, sizeof(target), "%s./stopping.so:disk=null", before[i]);
		ck_assert_int_lt(worker_thread_open(worker, SIM_DISK_DEVICE, target, false, &opened), 0);
		ck_assert_msg(strstr(opened.text, "'./stopping.so' is no backend's name"), "%s", opened.text);
	}
	sim_disk_stop();
}
END_TEST

/* A ring that is let go while requests of it wait: they are answered, and the worker ends in order. */
START_TEST(stop_while_waiting)
{
	static const char *const stacks[] = {"limit:iops=200,burst-ms=0,%sdisk=",
					     "delay:jitter-us=200000,%sdisk="};
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64};
	const struct load_options read = {.read_percent = 100, .block_bytes = 4096, .requests = 32};
	struct load_counters counters;

	start(stacks[_i], "", &options);
	make_load(&read);
	ck_assert_int_eq(load_start(load), 0);
	do {
		usleep(1000);
		load_progress(load, &counters);
	} while (counters.reads < 4);
	ck_assert_int_eq(worker_thread_disconnect(worker, SIM_DISK_DEVICE), 0);
	load_finish(load, &result);
	ck_assert_int_eq(result.error, 0);
	ck_assert_uint_eq(result.counters.reads, 32);
	load_destroy(load);
	ck_assert_uint_eq(blkif_frontend_destroy(disk.frontend), 0);
	disk.frontend = NULL;
	stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, stack_of_all, 0, 2);
	tcase_add_test(test_case, delays);
	tcase_add_loop_test(test_case, errors, 0, 3);
	tcase_add_test(test_case, trigger);
	tcase_add_loop_test(test_case, limits, 0, 3);
	tcase_add_loop_test(test_case, stop_ends_waits, 0, sizeof(slow_stacks) / sizeof(slow_stacks[0]));
	tcase_add_test(test_case, stop_is_told);
	tcase_add_test(test_case, paths_are_refused);
	tcase_add_loop_test(test_case, stop_while_waiting, 0, 2);
}

CHECK_MAIN("disk_wrappers", add_tests)
