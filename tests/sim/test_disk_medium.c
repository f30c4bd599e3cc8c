// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Drives whose medium the toolstack takes out and puts in while a guest has them connected: by xenstore, xvhostd and a worker.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/io/blkif.h>

#include "check_main.h"
#include "log.h"
#include "sim/blkif_handshake.h"
#include "sim/host.h"
#include "sim/load.h"
#include "sim/toolstack.h"
#include "sim_disk.h"

#define DOMID 11
#define DEVICE 51712
#define WAIT_MS 10000
#define MIB (1 << 20)

/* A file that can be put into the drive. */
struct medium {
	int file;
	char target[128];
};

static struct sim_host *host;
static struct xenstore *toolstack, *xenstore;
static struct blkif_handshake_options handshake;
static struct blkif_frontend *frontend;
static struct sim_block block = {.domid = DOMID, .device_id = DEVICE, .removable = true};
static struct medium first, second;
static char text[ERROR_TEXT_MAX];

/* make_medium - each byte is `content`. `parameters` follow the path. */
static void make_medium(struct medium *medium, size_t bytes, char content, const char *parameters)
{
	void *whole;

	medium->file = memfd_create("medium", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(medium->file, (off_t)bytes), 0);
	whole = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, medium->file, 0);
	ck_assert_ptr_ne(whole, MAP_FAILED);
	memset(whole, content, bytes);
	munmap(whole, bytes);
	snprintf(medium->target, sizeof(medium->target), "file:path=/proc/self/fd/%d%s", medium->file,
		 parameters);
}

static void start(void)
{
	const struct sim_guest_options with = {.domid = DOMID, .pages = 8192};
	static struct config config;

	config_set_defaults(&config);
	sim_disk_built(config.backend_directory, "backends");
	log_set_level(LOG_LEVEL_WARNING);
	machine = sim_machine_create(5);
	ck_assert_int_eq(sim_guest_create(machine, &with, &guest), 0);
	ck_assert_int_eq(sim_xenstore_open(machine, 0, &toolstack), 0);
	ck_assert_int_eq(sim_xenstore_open(machine, DOMID, &xenstore), 0);
	ck_assert_int_eq(sim_host_start(machine, &config, &host), 0);
	handshake = (struct blkif_handshake_options){
		.platform = sim_platform(machine), .xenstore = xenstore, .timeout_ms = WAIT_MS};
	make_medium(&first, 4 * MIB, '1', "");
	make_medium(&second, 6 * MIB, '2', "");
}

static void attach(const char *target, const struct blkif_frontend_options *options)
{
	struct blkif_frontend_options all = *options;

	block.target = target;
	ck_assert_msg(sim_block_attach(toolstack, &block, WAIT_MS, text) == 0, "%s", text);
	all.guest = guest;
	all.device_id = DEVICE;
	all.depth = 8;
	ck_assert_msg(blkif_handshake_connect(&handshake, &all, &frontend, text) == 0, "%s", text);
}

static void stop(void)
{
	ck_assert_msg(blkif_handshake_close(&handshake, frontend, text) == 0, "%s", text);
	ck_assert_int_eq(sim_block_detach(toolstack, &block, false, WAIT_MS), 0);
	ck_assert_int_eq(sim_host_stop(host), 0);
	handshake.platform->xenstore_close(xenstore);
	handshake.platform->xenstore_close(toolstack);
	sim_guest_destroy(guest);
	sim_machine_destroy(machine);
	close(first.file);
	close(second.file);
}

/* insert - and the guest knows it. */
static void insert(const char *target, uint64_t bytes)
{
	ck_assert_int_eq(sim_block_insert(toolstack, &block, target), 0);
	ck_assert_msg(blkif_handshake_await_size(&handshake, frontend, text) == 0, "%s", text);
	ck_assert_uint_eq(frontend->features.sectors, bytes / 512);
}

/* expect_node - what the host has written, or writes soon; NULL: no such node. */
static void expect_node(const char *name, const char *expected)
{
	char path[XENSTORE_PATH_MAX], *value = NULL;
	bool right = false;

	snprintf(path, sizeof(path), "/local/domain/0/backend/vbd/%d/%d/%s", DOMID, DEVICE, name);
	for (int tries = 0; tries < WAIT_MS && !right; tries++) {
		free(value);
		value = handshake.platform->xenstore_read(toolstack, 0, path);
		right = value && expected ? strstr(value, expected) != NULL : value == expected;
		if (!right)
			usleep(1000);
	}
	ck_assert_msg(right, "%s is %s, not %s", name, value, expected);
	free(value);
}

/* ask - one request of a page from `sector` on. Returns its status; what is read begins with `*content`. */
static int ask(struct front_queue *queue, uint8_t operation, uint64_t sector, char *content)
{
	struct front_request *request = front_take(queue);
	int error;

	request->operation = operation;
	request->sector = sector;
	front_set_data(request, 0, 8);
	if (operation == BLKIF_OP_FLUSH_DISKCACHE)
		request->segment_count = 0;
	memset(request->pages[0], 'w', 4096);
	ck_assert_int_eq(front_put(queue, request), 0);
	ck_assert_int_eq(front_push(queue), 0);
	ck_assert_int_eq(front_wait(queue, WAIT_MS), 1);
	ck_assert_ptr_eq(front_reap(queue, &error), request);
	*content = *(char *)request->pages[0];
	front_give_back(queue, request);
	return request->status;
}

/* expect_medium - of all bytes `content`, up to this many. */
static void expect_medium(char content, uint64_t bytes)
{
	struct front_queue *queue = &frontend->queues[frontend->queue_count - 1];
	char found;

	ck_assert_int_eq(ask(queue, BLKIF_OP_READ, 0, &found), BLKIF_RSP_OKAY);
	ck_assert_int_eq(found, content);
	ck_assert_int_eq(ask(queue, BLKIF_OP_READ, bytes / 512 - 8, &found), BLKIF_RSP_OKAY);
	ck_assert_int_eq(found, content);
	ck_assert_int_eq(ask(queue, BLKIF_OP_READ, bytes / 512, &found), BLKIF_RSP_ERROR);
}

/* expect_empty - every request fails, and the ring goes on. */
static void expect_empty(void)
{
	static const uint8_t operations[] = {BLKIF_OP_READ, BLKIF_OP_WRITE, BLKIF_OP_FLUSH_DISKCACHE,
					     BLKIF_OP_WRITE_BARRIER};
	char found;

	for (size_t i = 0; i < sizeof(operations); i++)
		ck_assert_msg(ask(&frontend->queues[0], operations[i], 0, &found) == BLKIF_RSP_ERROR,
			      "operation %d", operations[i]);
}

/* use - write, read, and read back. */
static void use(uint64_t seed)
{
	const struct load_options options = {.read_percent = 50,
					     .random = true,
					     .block_bytes = 4096,
					     .requests = 100,
					     .flush_every = 10,
					     .discard_every = 7,
					     .verify = true,
					     .seed = seed};
	static struct load_result result;
	struct load *load;

	ck_assert_msg(load_create(frontend, &options, &load, text) == 0, "%s", text);
	ck_assert_int_eq(load_start(load), 0);
	load_finish(load, &result);
	ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
	load_verify(load, &result);
	ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
	load_destroy(load);
}

static const struct blkif_frontend_options kinds[] = {
	{.protocol = BLKIF_X86_64, .segments = 1},
	{.protocol = BLKIF_X86_32, .segments = 1, .queues = 2, .ring_order = 1, .persistent = true},
	{.protocol = BLKIF_X86_64, .segments = 20, .large_sectors = true},
};

/* Out, another one in, and the first one again; what is written goes to the one that is in. */
START_TEST(another)
{
	char found;

	start();
	attach(first.target, &kinds[_i]);
	expect_medium('1', 4 * MIB);
	insert("", 0);
	expect_node("state", "4");
	expect_empty();
	insert(second.target, 6 * MIB);
	expect_medium('2', 6 * MIB);
	use(1);
	ck_assert_int_eq(ask(&frontend->queues[0], BLKIF_OP_WRITE, 0, &found), BLKIF_RSP_OKAY);
	insert(first.target, 4 * MIB);
	expect_medium('1', 4 * MIB);
	use(2);
	ck_assert_int_eq(pread(second.file, &found, 1, 0), 1);
	ck_assert_int_eq(found, 'w');
	stop();
}
END_TEST

/* A drive that is empty when it is attached, said in both ways that there are. */
START_TEST(begins_empty)
{
	start();
	attach(_i ? "empty" : "", &kinds[0]);
	ck_assert_uint_eq(frontend->features.sectors, 0);
	expect_empty();
	insert(second.target, 6 * MIB);
	expect_medium('2', 6 * MIB);
	insert("empty", 0);
	expect_empty();
	stop();
}
END_TEST

/* Behind wrappers or not, media are what the target says. */
START_TEST(wrapped)
{
	char target[256];

	start();
	attach(first.target, &kinds[0]);
	snprintf(target, sizeof(target),
		 "memory=grant,limit:iops=100000,disk=log:file=/proc/self/fd/%d,disk=%s",
		 memfd_create("log", MFD_CLOEXEC), second.target);
	insert(target, 6 * MIB);
	expect_medium('2', 6 * MIB);
	use(1);
	insert(first.target, 4 * MIB);
	expect_medium('1', 4 * MIB);
	stop();
}
END_TEST

/* What can't be put in leaves the drive empty, and the toolstack can read why. */
START_TEST(refused)
{
	static const struct {
		const char *parameters, *why;
	} rows[] = {
		{",block-size=4096",
		 "the medium has sectors of 4096 bytes, the guest knows the drive with 512"},
		{"0", "can't open '/proc/self/fd/"},
		{",direct=perhaps", "direct"},
	};

	start();
	attach(first.target, &kinds[0]);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct medium bad;

		make_medium(&bad, MIB, 'b', rows[i].parameters);
		insert(bad.target, 0);
		expect_node("xvhost-status", "error");
		expect_node("hotplug-error", rows[i].why);
		expect_empty();
		close(bad.file);
		insert(second.target, 6 * MIB);
		expect_node("xvhost-status", "ready");
		expect_node("hotplug-error", NULL);
		expect_medium('2', 6 * MIB);
	}
	stop();
}
END_TEST

/* Changes under load: what is asked meanwhile is answered by the one or the other, in its time, and nothing is lost. */
START_TEST(under_load)
{
	const struct load_options options = {.read_percent = 100, .random = true, .block_bytes = 4096};
	static struct load_result result;
	struct load *load;

	start();
	attach(first.target, &kinds[_i]);
	ck_assert_msg(load_create(frontend, &options, &load, text) == 0, "%s", text);
	ck_assert_int_eq(load_start(load), 0);
	for (int i = 0; i < 10; i++) {
		/* The load does not know what is beyond the smaller one's end. */
		ck_assert_int_eq(sim_block_insert(toolstack, &block, i % 2 ? first.target : second.target),
				 0);
		usleep(20000);
		expect_node("sectors", i % 2 == 1 ? "8192" : "12288");
	}
	load_stop(load);
	load_finish(load, &result);
	ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
	ck_assert_uint_gt(result.counters.reads, 100);
	load_destroy(load);
	stop();
}
END_TEST

/* The guest or the toolstack goes on before the medium is there. */
START_TEST(not_waited_for)
{
	start();
	attach(first.target, &kinds[0]);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(sim_block_insert(toolstack, &block, i % 2 ? first.target : ""), 0);
		ck_assert_int_eq(sim_block_insert(toolstack, &block, second.target), 0);
		if (_i == 0)
			continue;
		ck_assert_msg(blkif_handshake_close(&handshake, frontend, text) == 0, "%s", text);
		ck_assert_int_eq(sim_block_detach(toolstack, &block, false, WAIT_MS), 0);
		attach(first.target, &kinds[0]);
		expect_medium('1', 4 * MIB);
	}
	if (_i == 0) {
		ck_assert_msg(blkif_handshake_await_size(&handshake, frontend, text) == 0, "%s", text);
		expect_node("sectors", "12288");
		expect_medium('2', 6 * MIB);
	}
	stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_set_timeout(test_case, 60);
	tcase_add_loop_test(test_case, another, 0, sizeof(kinds) / sizeof(kinds[0]));
	tcase_add_loop_test(test_case, begins_empty, 0, 2);
	tcase_add_test(test_case, wrapped);
	tcase_add_test(test_case, refused);
	tcase_add_loop_test(test_case, under_load, 0, sizeof(kinds) / sizeof(kinds[0]));
	tcase_add_loop_test(test_case, not_waited_for, 0, 2);
}

CHECK_MAIN("disk medium", add_tests)
