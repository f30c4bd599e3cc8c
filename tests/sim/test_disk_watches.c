// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Backends that watch descriptors, in a whole worker: tests/backends/watching.c does it in all ways that there are, and
 * ends the process when it is called where it should not be.
 */
#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "sim_disk.h"
#include "worker/backends.h"

#define DISK_BYTES (UINT64_C(8) << 20)

static struct sim_disk disk;

static void start(const char *before)
{
	const struct xvhost_disk_backend *backend;
	char path[SIM_DISK_PATH_MAX], text[ERROR_TEXT_MAX];

	sim_disk_built(path, "tests/backends/watching.so");
	ck_assert_msg(backends_load(path, &backend, text) == 0, "%s", text);
	sim_disk_start(false);
	sim_disk_open_behind(&disk, SIM_DISK_DEVICE, DISK_BYTES, before);
}

static void stop(void)
{
	sim_disk_close(&disk);
	sim_disk_stop();
}

/* All requests go through the sockets, with one and several queues, in one layer and in three; and again when the
 * frontend has come back. */
START_TEST(load_through_sockets)
{
	static const char *const stacks[] = {
		"watching:disk=", "watching:disk=delay:jitter-us=100,disk=watching:disk=watching:disk="};
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64,
						       .queues = 1 + 2 * (uint32_t)(_i % 2)};
	const struct load_options what = {.read_percent = 50,
					  .random = true,
					  .block_bytes = 4096,
					  .requests = 5000,
					  .flush_every = 10,
					  .verify = true,
					  .begins_zeroed = true};

	start(stacks[_i / 2]);
	sim_disk_connect(&disk, &options);
	sim_disk_load(&disk, &what);
	sim_disk_disconnect(&disk);
	sim_disk_connect(&disk, &options);
	sim_disk_load(&disk,
		      &(struct load_options){.read_percent = 100, .block_bytes = 4096, .requests = 1000});
	stop();
}
END_TEST

/* What waits for something that never comes is told that the queue is to stop, and can answer then. */
START_TEST(stop_is_told)
{
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64, .queues = 1 + (uint32_t)_i};
	const struct load_options read = {.read_percent = 100, .block_bytes = 4096, .requests = 32};
	struct load_result result;
	char text[FRONT_ERROR_MAX];
	struct load *load;

	start("watching:hold=on,disk=");
	sim_disk_connect(&disk, &options);
	ck_assert_msg(load_create(disk.frontend, &read, &load, text) == 0, "%s", text);
	ck_assert_int_eq(load_start(load), 0);
	sim_disk_wait_until_taken(&disk, 32);
	ck_assert_int_eq(worker_thread_disconnect(worker, SIM_DISK_DEVICE), 0);
	load_finish(load, &result);
	ck_assert_uint_eq(load_errors(&result), 0);
	load_destroy(load);
	ck_assert_uint_eq(blkif_frontend_destroy(disk.frontend), 0);
	disk.frontend = NULL;
	stop();
}
END_TEST

/* A disk says how many queues it can have; what stands before it need not know of that. */
START_TEST(queues_are_limited)
{
	static const char *const stacks[] = {"watching:queues=2,disk=", "delay:disk=watching:queues=2,disk=",
					     "watching:queues=5,disk=watching:queues=2,disk="};
	struct blkif_frontend_options options = {.protocol = BLKIF_X86_64,
						 .queues = 3,
						 .host_domid = SIM_HOST_DOMID,
						 .device_id = SIM_DISK_DEVICE};
	char text[ERROR_TEXT_MAX];

	start(stacks[_i]);
	ck_assert_uint_eq(disk.opened.queues_max, 2);
	options.guest = guest;
	ck_assert_int_eq(blkif_frontend_create(&options, &disk.frontend), 0);
	ck_assert_int_lt(worker_thread_connect(worker, disk.frontend, &disk.opened, text), 0);
	ck_assert_str_eq(text, "the frontend has 3 queues, the disk can have 2");
	blkif_frontend_destroy(disk.frontend);
	options.queues = 2;
	sim_disk_connect(&disk, &options);
	sim_disk_load(&disk,
		      &(struct load_options){.read_percent = 100, .block_bytes = 4096, .requests = 100});
	stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, load_through_sockets, 0, 4);
	tcase_add_loop_test(test_case, stop_is_told, 0, 2);
	tcase_add_loop_test(test_case, queues_are_limited, 0, 3);
}

CHECK_MAIN("disk_watches", add_tests)
