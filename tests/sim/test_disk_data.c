// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Data through a whole worker: what a guest wrote by a ring is what it reads, whatever the ring, the layout, the kind
 * of request and of grants. The load knows of each sector where it belongs and which writing of it was the last.
 */
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <xen/io/blkif.h>

#include "check_main.h"
#include "sim/faults.h"
#include "sim_disk.h"

#define DISK_BYTES (UINT64_C(8) << 20)

static struct sim_disk disk;

static void start(bool strict, const struct blkif_frontend_options *options)
{
	sim_disk_start(strict);
	sim_disk_open(&disk, SIM_DISK_DEVICE, DISK_BYTES, "");
	sim_disk_connect(&disk, options);
}

static void stop(void)
{
	sim_disk_close(&disk);
	sim_disk_stop();
}

/* All sizes of rings, both layouts, both kinds of grants, with each page of its own or not; each entry is used often. */
START_TEST(rings)
{
	const struct blkif_frontend_options options = {
		.protocol = _i & 1 ? BLKIF_X86_32 : BLKIF_X86_64,
		.persistent = _i & 2,
		.ring_order = (uint32_t)_i / 4 % (RING_ORDER_MAX + 1),
		.segments = 2,
	};
	const struct load_options load = {
		.read_percent = 40,
		.random = true,
		.block_bytes = 4096,
		.first_sector = 3,
		.requests = 4u * (32u << options.ring_order),
		.verify = true,
		.begins_zeroed = true,
		.seed = (uint64_t)_i,
	};

	start(_i >= 4 * (RING_ORDER_MAX + 1), &options);
	ck_assert_uint_eq(disk.frontend->queues[0].depth, 32u << options.ring_order);
	ck_assert_uint_gt(sim_disk_load(&disk, &load)->counters.blocks_verified, 0);
	stop();
}
END_TEST

/* Kinds of requests. */
static const struct {
	const char *name;
	struct load_options load;
	uint32_t segments, depth;
} kinds[] = {
	{"a sector in the middle of a page", {.block_bytes = 512, .first_sector = 5, .random = true}, 1, 0},
	{"a page", {.block_bytes = 4096, .random = true}, 1, 0},
	{"one after the other", {.block_bytes = 4096, .span_bytes = 300 * 4096}, 1, 0},
	{"one at a time", {.block_bytes = 4096, .random = true}, 1, 1},
	{"as many segments as a direct request has", {.block_bytes = 11 * 4096, .random = true}, 11, 0},
	{"the same, over the edges of pages",
	 {.block_bytes = 10 * 4096 + 512, .first_sector = 7, .random = true},
	 11,
	 0},
	{"indirect, one segment", {.block_bytes = 4096, .random = true, .indirect = true}, 1, 0},
	{"indirect, 12 segments", {.block_bytes = 12 * 4096, .random = true}, 12, 0},
	{"indirect, as many segments as there can be",
	 {.block_bytes = 255 * 4096 + 512, .first_sector = 7, .random = true},
	 256,
	 4},
	{"flushes", {.block_bytes = 4096, .random = true, .flush_every = 3}, 1, 0},
	{"barriers", {.block_bytes = 8192, .random = true, .barrier_every = 5}, 2, 0},
	{"barriers and flushes",
	 {.block_bytes = 8192, .random = true, .barrier_every = 7, .flush_every = 2},
	 2,
	 0},
	{"discards", {.block_bytes = 4096, .random = true, .discard_every = 3}, 1, 0},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

START_TEST(requests)
{
	uint32_t kind = (uint32_t)_i % KINDS;
	const struct blkif_frontend_options options = {
		.protocol = BLKIF_X86_64,
		.persistent = (uint32_t)_i >= KINDS,
		.segments = kinds[kind].segments,
		.depth = kinds[kind].depth,
	};
	struct load_options load = kinds[kind].load;
	const struct load_result *done;

	load.read_percent = 50;
	load.requests = 500;
	load.verify = true;
	load.begins_zeroed = true;
	start(false, &options);
	done = sim_disk_load(&disk, &load);
	ck_assert_msg(done->counters.reads + done->counters.writes == 500, "%s", kinds[kind].name);
	if (load.flush_every)
		ck_assert_uint_gt(done->counters.flushes, 30);
	if (load.discard_every)
		ck_assert_uint_gt(done->counters.discards, 30);
	stop();
}
END_TEST

/* Several queues of one disk, each with a thread on either side; each queue's blocks are its own. */
START_TEST(queues)
{
	const struct blkif_frontend_options options = {
		.protocol = BLKIF_X86_64,
		.queues = (uint32_t)_i % 4 + 1,
		.persistent = _i & 1,
		.ring_order = (uint32_t)_i & 1,
		.segments = 1,
	};
	const struct load_options load = {
		.read_percent = 50,
		.random = true,
		.block_bytes = 4096,
		.requests = 2000,
		.flush_every = 20,
		.barrier_every = 50,
		.verify = true,
		.begins_zeroed = true,
	};

	start(_i >= 4, &options);
	ck_assert_uint_eq(disk.frontend->queue_count, options.queues);
	ck_assert_uint_gt(sim_disk_load(&disk, &load)->counters.blocks_verified, 0);
	for (uint32_t i = 0; i < options.queues; i++)
		ck_assert_uint_ge(disk.frontend->queues[i].ring.response_consumer, 2000 / options.queues);
	stop();
}
END_TEST

/* Segments that begin and end anywhere, in an order of the guest's. */
START_TEST(scattered_segments)
{
	static const struct front_range ranges[] = {{4, 7}, {0, 0}, {7, 7}, {1, 3}, {0, 7}};
	const struct blkif_frontend_options options = {
		.protocol = BLKIF_X86_64, .segments = 5, .persistent = _i};
	uint8_t expected[17 * 512], found[sizeof(expected)], *at = expected;
	struct front_request *request;
	struct front_queue *queue;
	int error;

	start(true, &options);
	queue = &disk.frontend->queues[0];
	request = front_take(queue);
	for (uint32_t i = 0; i < 5; i++) {
		uint32_t first = ranges[i].first_sector * 512, bytes;

		bytes = (ranges[i].last_sector + 1u) * 512 - first;
		for (uint32_t j = 0; j < PAGE_BYTES; j++)
			((uint8_t *)request->pages[i])[j] = (uint8_t)(i * 31 + j / 512 * 7 + j);
		memcpy(at, (uint8_t *)request->pages[i] + first, bytes);
		at += bytes;
		request->ranges[i] = ranges[i];
	}
	ck_assert_ptr_eq(at, expected + sizeof(expected));
	request->operation = BLKIF_OP_WRITE;
	request->segment_count = 5;
	request->sector = 1001;
	ck_assert_int_eq(front_put(queue, request), 0);
	ck_assert_int_eq(front_push(queue), 0);
	ck_assert_int_eq(front_wait(queue, 10000), 1);
	ck_assert_ptr_eq(front_reap(queue, &error), request);
	ck_assert_int_eq(request->status, BLKIF_RSP_OKAY);
	ck_assert(!request->busy);
	ck_assert_int_eq(pread(disk.file, found, sizeof(found), 1001 * 512), sizeof(found));
	ck_assert_mem_eq(found, expected, sizeof(found));

	/* Read back the other way round; what lies beside the segments stays. */
	for (uint32_t i = 0; i < 5; i++)
		memset(request->pages[i], 0xee, PAGE_BYTES);
	request->operation = BLKIF_OP_READ;
	ck_assert_int_eq(front_put(queue, request), 0);
	ck_assert_int_eq(front_push(queue), 0);
	ck_assert_int_eq(front_wait(queue, 10000), 1);
	ck_assert_ptr_eq(front_reap(queue, &error), request);
	at = expected;
	for (uint32_t i = 0; i < 5; i++) {
		for (uint32_t j = 0; j < PAGE_BYTES; j++) {
			bool inside = j / 512 >= ranges[i].first_sector && j / 512 <= ranges[i].last_sector;

			ck_assert_uint_eq(((uint8_t *)request->pages[i])[j], inside ? *at++ : 0xee);
		}
	}
	front_give_back(queue, request);
	stop();
}
END_TEST

/* The counters of a ring wrap at 2^32. */
START_TEST(counters_wrap)
{
	const struct blkif_frontend_options options = {
		.guest = NULL, .protocol = BLKIF_X86_64, .segments = 1};
	const struct load_options load = {
		.read_percent = 50, .random = true, .block_bytes = 4096, .requests = 1000, .verify = true};
	struct blkif_frontend_options all = options;
	char text[ERROR_TEXT_MAX];

	sim_disk_start(false);
	sim_disk_open(&disk, SIM_DISK_DEVICE, DISK_BYTES, "");
	all.guest = guest;
	all.device_id = SIM_DISK_DEVICE;
	ck_assert_int_eq(blkif_frontend_create(&all, &disk.frontend), 0);
	front_ring_begin_at(&disk.frontend->queues[0].ring, UINT32_MAX - 500);
	ck_assert_msg(worker_thread_connect(worker, disk.frontend, &disk.opened, text) == 0, "%s", text);
	sim_disk_load(&disk, &load);
	ck_assert_uint_lt(disk.frontend->queues[0].ring.request_producer, 10000);
	stop();
}
END_TEST

/* Three disks at once, each with other requests; and one that comes and goes meanwhile. */
START_TEST(several_disks)
{
	struct sim_disk disks[3], guest_of_others;
	struct load *loads[3];
	struct load_result *done = calloc(1, sizeof(*done));
	char text[FRONT_ERROR_MAX];

	sim_disk_start(_i);
	for (uint32_t i = 0; i < 3; i++) {
		const struct blkif_frontend_options options = {.protocol = i == 1 ? BLKIF_X86_32
										  : BLKIF_X86_64,
							       .ring_order = i,
							       .persistent = i == 2,
							       .depth = 20,
							       .segments = 4 + 10 * i};
		const struct load_options load = {.read_percent = 50,
						  .random = true,
						  .block_bytes = 4096 * (4 + 10 * i),
						  .verify = true,
						  .begins_zeroed = true,
						  .flush_every = 10,
						  .seed = i};

		sim_disk_open(&disks[i], SIM_DISK_DEVICE + 16 * i, DISK_BYTES, "");
		sim_disk_connect(&disks[i], &options);
		ck_assert_msg(load_create(disks[i].frontend, &load, &loads[i], text) == 0, "%s", text);
		ck_assert_int_eq(load_start(loads[i]), 0);
	}
	for (int i = 0; i < 10; i++) {
		const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64, .segments = 1};
		const struct load_options load = {
			.read_percent = 0, .block_bytes = 512, .requests = 10, .verify = true};

		sim_disk_open(&guest_of_others, SIM_DISK_DEVICE + 16 * 3, 1 << 20, "");
		sim_disk_connect(&guest_of_others, &options);
		sim_disk_load(&guest_of_others, &load);
		sim_disk_close(&guest_of_others);
	}
	for (uint32_t i = 0; i < 3; i++)
		load_stop(loads[i]);
	for (uint32_t i = 0; i < 3; i++) {
		load_finish(loads[i], done);
		ck_assert_msg(load_errors(done) == 0, "disk %u: %s", i, done->text);
		ck_assert_uint_gt(done->counters.writes, 0);
		load_verify(loads[i], done);
		ck_assert_msg(load_errors(done) == 0, "disk %u: %s", i, done->text);
		load_destroy(loads[i]);
		sim_disk_close(&disks[i]);
	}
	free(done);
	sim_disk_stop();
}
END_TEST

/* What was written stays through many connections, and nothing of them is left behind. */
START_TEST(connect_again)
{
	const struct load_options write = {.read_percent = 0,
					   .block_bytes = 4096,
					   .requests = 32,
					   .span_bytes = 32 * 4096,
					   .verify = true};
	char before[512], after[512];

	sim_disk_start(false);
	sim_disk_open(&disk, SIM_DISK_DEVICE, DISK_BYTES, "");
	for (uint32_t i = 0; i < 30; i++) {
		const struct blkif_frontend_options options = {.protocol = i % 2 ? BLKIF_X86_32
										 : BLKIF_X86_64,
							       .ring_order = i % 5,
							       .persistent = i % 3 == 0,
							       .depth = 8,
							       .segments = 1};

		sim_disk_connect(&disk, &options);
		sim_disk_load(&disk, &write);
		ck_assert_int_eq(pread(disk.file, before, sizeof(before), 31 * 4096), sizeof(before));
		sim_disk_disconnect(&disk);
		ck_assert_int_eq(pread(disk.file, after, sizeof(after), 31 * 4096), sizeof(after));
		ck_assert_mem_eq(before, after, sizeof(after));
	}
	sim_disk_close(&disk);
	sim_disk_stop();
}
END_TEST

/*
 * A frontend that leaves its grants in place has each of them mapped once, where grants are the way. Where frames are
 * mapped none is.
 */
START_TEST(persistent_grants)
{
	const struct sim_fault count_calls = {.call = SIM_GRANTS_MAP};
	const bool by_grants = _i & 1, indirect = _i & 2;
	const struct blkif_frontend_options options = {
		.protocol = BLKIF_X86_64, .persistent = true, .depth = 8, .segments = indirect ? 16 : 2};
	const struct load_options load = {
		.read_percent = 50,
		.random = true,
		.block_bytes = indirect ? 16 * 4096 : 2 * 4096,
		.requests = 2000,
		.verify = true,
		.begins_zeroed = true,
	};
	uint32_t pages = options.depth * (options.segments + indirect);

	sim_disk_access = by_grants ? "grant" : "foreign";
	start(true, &options);
	ck_assert_int_eq(disk.opened.persistent, by_grants);
	sim_fault_set(machine, &count_calls);
	sim_disk_load(&disk, &load);
	if (by_grants)
		ck_assert_uint_ge(sim_fault_hits(machine, SIM_GRANTS_MAP), 1);
	/* At worst each by a call of its own. */
	ck_assert_uint_le(sim_fault_hits(machine, SIM_GRANTS_MAP), by_grants ? pages : 0);
	sim_faults_clear(machine);
	stop();
}
END_TEST

/* More of them than are kept: requests go on. */
START_TEST(too_many_persistent_grants)
{
	const struct blkif_frontend_options options = {
		.protocol = BLKIF_X86_64, .persistent = true, .ring_order = 2, .segments = 16};
	const struct load_options load = {
		.read_percent = 30,
		.random = true,
		.block_bytes = 16 * 4096,
		.requests = 1000,
		.verify = true,
		.begins_zeroed = true,
	};

	sim_disk_access = "grant";
	start(true, &options);
	ck_assert_uint_gt(disk.frontend->queues[0].depth * options.segments, CONFIG_RING_PERSISTENT_GRANTS);
	sim_disk_load(&disk, &load);
	stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, rings, 0, 8 * (RING_ORDER_MAX + 1));
	tcase_add_loop_test(test_case, requests, 0, 2 * KINDS);
	tcase_add_loop_test(test_case, queues, 0, 8);
	tcase_add_loop_test(test_case, scattered_segments, 0, 2);
	tcase_add_test(test_case, counters_wrap);
	tcase_add_loop_test(test_case, several_disks, 0, 2);
	tcase_add_test(test_case, connect_again);
	tcase_add_loop_test(test_case, persistent_grants, 0, 4);
	tcase_add_test(test_case, too_many_persistent_grants);
}

CHECK_MAIN("disk data", add_tests)
