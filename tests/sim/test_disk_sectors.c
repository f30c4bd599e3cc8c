// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Disks whose blocks are larger than 512 bytes, with frontends of both kinds: those that count in sectors of 512 bytes whatever
 * the disk has, as Linux's, and those that count in the disk's blocks, as feature-large-sector-size has it.
 */
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <xen/io/blkif.h>

#include "check_main.h"
#include "sim_disk.h"

#define DISK_BYTES (UINT64_C(8) << 20)
#define BLOCK 4096u

static struct sim_disk disk;

static void start(const char *parameters, const struct blkif_frontend_options *options)
{
	sim_disk_start(false);
	sim_disk_open(&disk, SIM_DISK_DEVICE, DISK_BYTES, parameters);
	sim_disk_connect(&disk, options);
}

static void stop(void)
{
	sim_disk_close(&disk);
	sim_disk_stop();
}

/* Kinds of requests; a frontend that counts in blocks has its data in whole blocks of memory, too. */
static const struct {
	const char *parameters;
	bool large_sectors;
	enum blkif_protocol protocol;
	uint32_t segments;
	struct load_options load;
} kinds[] = {
	{",block-size=4096", false, BLKIF_X86_64, 1, {.block_bytes = 4096}},
	{",block-size=4096", false, BLKIF_X86_32, 4, {.block_bytes = 3 * 4096, .first_sector = 3}},
	{",block-size=4K,direct=on", false, BLKIF_X86_64, 2, {.block_bytes = 4096, .first_sector = 7}},
	{",block-size=4096", false, BLKIF_X86_64, 33, {.block_bytes = 32 * 4096, .first_sector = 1}},
	{",block-size=4096", false, BLKIF_X86_64, 1, {.block_bytes = 4096, .discard_every = 3}},
	{",block-size=4096", true, BLKIF_X86_64, 1, {.block_bytes = 4096}},
	{",block-size=4096", true, BLKIF_X86_32, 11, {.block_bytes = 11 * 4096, .barrier_every = 5}},
	{",block-size=4096", true, BLKIF_X86_64, 40, {.block_bytes = 40 * 4096, .flush_every = 5}},
	{",block-size=4096", true, BLKIF_X86_64, 1, {.block_bytes = 4096, .discard_every = 3}},
	{",block-size=2048", false, BLKIF_X86_64, 2, {.block_bytes = 2048, .first_sector = 7}},
	{",block-size=1K", true, BLKIF_X86_64, 1, {.block_bytes = 1024, .first_sector = 2}},
	{"", true, BLKIF_X86_64, 2, {.block_bytes = 4096, .first_sector = 3}},
};

START_TEST(loads)
{
	const struct blkif_frontend_options options = {
		.protocol = kinds[_i].protocol,
		.segments = kinds[_i].segments,
		.large_sectors = kinds[_i].large_sectors,
	};
	struct load_options load = kinds[_i].load;

	load.random = true;
	load.read_percent = 50;
	load.requests = 400;
	load.verify = true;
	load.begins_zeroed = true;
	start(kinds[_i].parameters, &options);
	sim_disk_load(&disk, &load);
	stop();
}
END_TEST

/* ask - one request for `sectors` of 512 bytes from `sector` on. Returns its status. */
static int ask(uint8_t operation, uint64_t sector, uint32_t first_sector, uint32_t sectors)
{
	struct front_queue *queue = &disk.frontend->queues[0];
	struct front_request *request = front_take(queue);
	int error;

	request->operation = operation;
	request->sector = sector;
	request->discard_sectors = sectors;
	if (operation != BLKIF_OP_DISCARD)
		front_set_data(request, first_sector, sectors);
	if (operation == BLKIF_OP_WRITE)
		memset(request->pages[0], 0x5a, 4096);
	ck_assert_int_eq(front_put(queue, request), 0);
	ck_assert_int_eq(front_push(queue), 0);
	ck_assert_int_eq(front_wait(queue, 10000), 1);
	ck_assert_ptr_eq(front_reap(queue, &error), request);
	front_give_back(queue, request);
	return request->status;
}

/* Where a sector's number leads is the same for both kinds, and the rest of the disk stays as it is. */
START_TEST(places)
{
	const struct blkif_frontend_options options = {
		.protocol = BLKIF_X86_64, .segments = 2, .large_sectors = _i};
	char expected[3 * BLOCK] = {0}, found[3 * BLOCK];

	start(",block-size=4096", &options);
	ck_assert_uint_eq(disk.opened.block_bytes, BLOCK);
	ck_assert_uint_eq(disk.opened.physical_block_bytes, BLOCK);
	ck_assert_uint_eq(disk.frontend->features.sectors, DISK_BYTES / 512);
	ck_assert_int_eq(ask(BLKIF_OP_WRITE, 5 * 8, 0, 8), BLKIF_RSP_OKAY);
	memset(expected + BLOCK, 0x5a, BLOCK);
	ck_assert_int_eq(pread(disk.file, found, sizeof(found), 4 * BLOCK), sizeof(found));
	ck_assert_mem_eq(found, expected, sizeof(found));
	ck_assert_int_eq(ask(BLKIF_OP_DISCARD, 5 * 8, 0, 8), BLKIF_RSP_OKAY);
	ck_assert_int_eq(pread(disk.file, found, sizeof(found), 4 * BLOCK), sizeof(found));
	memset(expected, 0, sizeof(expected));
	ck_assert_mem_eq(found, expected, sizeof(found));
	ck_assert_int_eq(ask(BLKIF_OP_READ, DISK_BYTES / 512 - 8, 0, 8), BLKIF_RSP_OKAY);
	ck_assert_int_eq(ask(BLKIF_OP_READ, DISK_BYTES / 512, 0, 8), BLKIF_RSP_ERROR);
	stop();
}
END_TEST

/* What is no whole block is refused, and has done nothing; the disk goes on. */
START_TEST(refused)
{
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64, .segments = 2};
	char found[4 * BLOCK];

	start(",block-size=4096", &options);
	ck_assert_int_eq(ask(BLKIF_OP_WRITE, 8, 0, 7), BLKIF_RSP_ERROR);
	ck_assert_int_eq(ask(BLKIF_OP_WRITE, 9, 0, 8), BLKIF_RSP_ERROR);
	ck_assert_int_eq(ask(BLKIF_OP_READ, 1, 0, 1), BLKIF_RSP_ERROR);
	ck_assert_int_eq(ask(BLKIF_OP_DISCARD, 8, 0, 9), BLKIF_RSP_ERROR);
	ck_assert_int_eq(pread(disk.file, found, sizeof(found), 0), sizeof(found));
	for (size_t i = 0; i < sizeof(found); i++)
		ck_assert_int_eq(found[i], 0);
	ck_assert_int_eq(ask(BLKIF_OP_READ, 8, 3, 8), BLKIF_RSP_OKAY);
	stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, loads, 0, sizeof(kinds) / sizeof(kinds[0]));
	tcase_add_loop_test(test_case, places, 0, 2);
	tcase_add_test(test_case, refused);
	tcase_set_timeout(test_case, 60);
}

CHECK_MAIN("disk_sectors", add_tests)
