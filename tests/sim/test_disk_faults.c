// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A whole worker whose calls of Xen fail, or are slow: what can't be done is answered with an error, what is answered without
 * one is right, and afterwards everything goes on, with nothing left mapped.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check_main.h"
#include "sim/faults.h"
#include "sim_disk.h"

static struct sim_disk disk;
static struct load_result result;
static char text[ERROR_TEXT_MAX];

static const struct load_options mixed = {
	.read_percent = 50,
	.random = true,
	.block_bytes = 3 * 4096,
	.requests = 400,
	.flush_every = 10,
	.verify = true,
	.begins_zeroed = true,
};

/* start - calls of grants fail, so grants are the way. */
static void start(bool strict)
{
	sim_disk_access = "grant";
	sim_disk_start(strict);
	sim_disk_open(&disk, SIM_DISK_DEVICE, 4 << 20, "");
}

static void stop(void)
{
	sim_disk_close(&disk);
	sim_disk_stop();
}

static const struct blkif_frontend_options *direct(void)
{
	static const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64, .segments = 3};

	return &options;
}

static uint64_t wrong_data(void)
{
	const uint64_t *errors = result.counters.errors;

	return errors[LOAD_STALE] + errors[LOAD_MISPLACED] + errors[LOAD_TORN] + errors[LOAD_CORRUPT];
}

/* run - a load, whose result may have errors, but none of the data. */
static struct load *run(const struct load_options *options)
{
	struct load *load;

	ck_assert_msg(load_create(disk.frontend, options, &load, text) == 0, "%s", text);
	ck_assert_int_eq(load_start(load), 0);
	load_finish(load, &result);
	ck_assert_msg(result.error == 0, "%s", result.text);
	ck_assert_msg(wrong_data() == 0, "%s", result.text);
	return load;
}

/* verify - what was written without an error is there. */
static void verify(struct load *load)
{
	sim_faults_clear(machine);
	load_verify(load, &result);
	ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
	load_destroy(load);
}

static const struct load_options indirect = {
	.read_percent = 50,
	.random = true,
	.block_bytes = 3 * 4096,
	.requests = 200,
	.indirect = true,
	.verify = true,
	.begins_zeroed = true,
};

/* Some of the calls that map fail: exactly these requests fail. */
START_TEST(maps_fail)
{
	const struct sim_fault fault = {
		.call = SIM_GRANTS_MAP, .one_in = 4, .error = _i & 1 ? -ENOMEM : -EINVAL};
	struct load *load;

	start(_i & 2);
	sim_disk_connect(&disk, direct());
	sim_fault_set(machine, &fault);
	load = run(_i & 4 ? &indirect : &mixed);
	ck_assert_uint_gt(sim_fault_hits(machine, SIM_GRANTS_MAP), 0);
	ck_assert_uint_gt(load_errors(&result), 0);
	ck_assert_uint_gt(result.counters.writes, 0);
	ck_assert_uint_eq(load_errors(&result), result.counters.errors[LOAD_READ_FAILED] +
							result.counters.errors[LOAD_WRITE_FAILED]);
	verify(load);
	stop();
}
END_TEST

/* One call fails, each in its turn: while it connects, or at any time of the load. */
START_TEST(each_map_fails)
{
	uint32_t hits = 1, after;
	struct load *load;

	start(false);
	for (after = 0; hits > 0 && after < 60; after++) {
		const struct sim_fault fault = {
			.call = SIM_GRANTS_MAP, .after = after, .times = 1, .error = -EAGAIN};
		const struct blkif_frontend_options options = {.guest = guest,
							       .device_id = SIM_DISK_DEVICE,
							       .protocol = BLKIF_X86_64,
							       .depth = 3,
							       .segments = 3};
		struct load_options few = mixed;
		int error;

		few.requests = 20;
		few.seed = after;
		few.begins_zeroed = false;
		ck_assert_int_eq(blkif_frontend_create(&options, &disk.frontend), 0);
		sim_fault_set(machine, &fault);
		error = worker_thread_connect(worker, disk.frontend, &disk.opened, text);
		if (after == 0) {
			ck_assert_int_eq(error, -EAGAIN);
			ck_assert_msg(strstr(text, "can't map the ring's 1 pages"), "%s", text);
			ck_assert_uint_eq(blkif_frontend_destroy(disk.frontend), 0);
			continue;
		}
		ck_assert_msg(error == 0, "%s", text);
		load = run(&few);
		hits = sim_fault_hits(machine, SIM_GRANTS_MAP);
		verify(load);
		sim_disk_disconnect(&disk);
	}
	ck_assert_uint_gt(after, 5);
	stop();
}
END_TEST

/*
 * What can't be unmapped stays mapped, and is answered all the same: the guest finds its grants in use, and nothing else is
 * different.
 */
START_TEST(unmaps_fail)
{
	const struct sim_fault fault = {.call = SIM_GRANTS_UNMAP, .after = 5, .times = 2, .error = -EIO};
	struct load_options options = mixed;

	options.depth = 4;
	start(_i);
	sim_disk_connect(&disk, direct());
	sim_fault_set(machine, &fault);
	load_destroy(run(&options));
	ck_assert_uint_eq(sim_fault_hits(machine, SIM_GRANTS_UNMAP), 2);
	ck_assert_uint_ge(result.counters.errors[LOAD_GRANT_BUSY], 2);
	ck_assert_uint_eq(load_errors(&result), result.counters.errors[LOAD_GRANT_BUSY]);
	ck_assert_int_eq(worker_thread_disconnect(worker, disk.device_id), 0);
	ck_assert_uint_eq(blkif_frontend_destroy(disk.frontend), 3 * result.counters.errors[LOAD_GRANT_BUSY]);
	disk.frontend = NULL;
	stop();
}
END_TEST

/* Calls that wait, and events that come late or in parts, change nothing but the time. */
START_TEST(slow_calls)
{
	static const struct sim_fault faults[] = {
		{.call = SIM_GRANTS_MAP, .one_in = 3, .delay_us = 100},
		{.call = SIM_GRANTS_UNMAP, .one_in = 3, .delay_us = 100},
		{.call = SIM_EVENT_CHANNELS_NOTIFY, .one_in = 3, .delay_us = 100},
		{.call = SIM_EVENT, .one_in = 2, .delay_us = 200},
		{.call = SIM_EVENT_CHANNELS_BIND, .delay_us = 1000},
		{.call = SIM_EVENT_CHANNELS_UNBIND, .delay_us = 1000},
	};
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64, .queues = 2, .segments = 3};

	start(false);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sim_fault_set(machine, &faults[i]);
	sim_disk_connect(&disk, &options);
	sim_disk_load(&disk, &mixed);
	sim_disk_disconnect(&disk);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		ck_assert_uint_gt(sim_fault_hits(machine, faults[i].call), 0);
	stop();
}
END_TEST

/* What connecting needs fails, of one queue or of the second: the text says what, and the next time it works. */
START_TEST(connecting_fails)
{
	static const struct {
		struct sim_fault fault;
		const char *text;
	} rows[] = {
		{{.call = SIM_EVENT_CHANNELS_BIND, .times = 1, .error = -ENOSPC}, "can't bind event-channel"},
		{{.call = SIM_EVENT_CHANNELS_BIND, .after = 1, .times = 1, .error = -ENOSPC},
		 "can't bind event-channel"},
		{{.call = SIM_GRANTS_MAP, .times = 1, .error = -EINVAL}, "can't map the ring's 2 pages"},
		{{.call = SIM_GRANTS_MAP, .after = 1, .times = 1, .error = -EINVAL},
		 "can't map the ring's 2 pages"},
	};
	struct blkif_frontend_options options = {.device_id = SIM_DISK_DEVICE,
						 .protocol = BLKIF_X86_64,
						 .queues = 2,
						 .ring_order = 1,
						 .segments = 3};
	int error;

	start(true);
	options.guest = guest;
	sim_fault_set(machine, &rows[_i].fault);
	ck_assert_int_eq(blkif_frontend_create(&options, &disk.frontend), 0);
	error = worker_thread_connect(worker, disk.frontend, &disk.opened, text);
	ck_assert_msg(sim_fault_hits(machine, rows[_i].fault.call) == 1, "%s", text);
	ck_assert_int_eq(error, rows[_i].fault.error);
	ck_assert_msg(strstr(text, rows[_i].text), "%s", text);
	ck_assert_uint_eq(blkif_frontend_destroy(disk.frontend), 0);
	disk.frontend = NULL;
	sim_disk_connect(&disk, &options);
	sim_disk_load(&disk, &mixed);
	stop();
}
END_TEST

/* A second loop can't be had: the first one serves all queues, and when it can be had again there are two. */
START_TEST(fewer_loops)
{
	static const struct sim_fault faults[] = {
		{.call = SIM_GRANTS_OPEN, .error = -EMFILE},
		{.call = SIM_EVENT_CHANNELS_OPEN, .error = -EMFILE},
		{.call = SIM_EVENT_CHANNELS_RESTRICT, .error = -EPERM},
	};
	struct load_options again = mixed;
	const struct blkif_frontend_options four = {.protocol = BLKIF_X86_64, .queues = 4, .segments = 3};

	start(true);
	sim_fault_set(machine, &faults[_i]);
	sim_disk_connect(&disk, &four);
	ck_assert_uint_eq(sim_fault_hits(machine, faults[_i].call), 3);
	sim_disk_load(&disk, &mixed);
	sim_disk_disconnect(&disk);
	sim_faults_clear(machine);
	again.begins_zeroed = false;
	sim_disk_connect(&disk, &four);
	sim_disk_load(&disk, &again);
	stop();
}
END_TEST

/* A backend that can serve one queue only: its disk is reported, with what the backend says, and the frontend is not blamed. */
START_TEST(queue_not_started)
{
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64, .queues = 2};
	int file = memfd_create("disk", MFD_CLOEXEC);
	char target[TARGET_MAX], backends[SIM_DISK_PATH_MAX];

	sim_disk_start(false);
	ck_assert_int_eq(worker_thread_stop(worker), 0);
	sim_disk_built(backends, "tests/backends");
	ck_assert_int_eq(worker_thread_start(sim_platform(machine), SIM_DISK_DOMID, backends, &worker), 0);
	ck_assert_int_eq(ftruncate(file, 1 << 20), 0);
	snprintf(target, sizeof(target), "wrong:path=/proc/self/fd/%d,fault=one-queue", file);
	sim_disk_open_target(&disk, SIM_DISK_DEVICE, target);
	sim_disk_connect(&disk, &options);
	ck_assert(worker_thread_broken(worker, SIM_DISK_DEVICE, 5000, text));
	ck_assert_str_eq(
		text, "backend wrong can't start queue 1: Device or resource busy; the disk is not served");
	stop();
	close(file);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, maps_fail, 0, 8);
	tcase_add_test(test_case, each_map_fails);
	tcase_add_loop_test(test_case, unmaps_fail, 0, 2);
	tcase_add_test(test_case, slow_calls);
	tcase_add_test(test_case, queue_not_started);
	tcase_add_loop_test(test_case, connecting_fails, 0, 4);
	tcase_add_loop_test(test_case, fewer_loops, 0, 3);
}

CHECK_MAIN("disk faults", add_tests)
