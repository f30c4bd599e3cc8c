// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest's disk connected by xenstore, in all ways that blkif knows to describe its rings, by one frontend after the
 * other; and frontends that end without a word.
 */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check_main.h"
#include "log.h"
#include "sim/blkif_handshake.h"
#include "sim/host.h"
#include "sim/load.h"
#include "sim/toolstack.h"

#define DOMID 11
#define DEVICE 51712
#define WAIT_MS 10000
#define DISK_BYTES (4 << 20)

static struct sim_machine *machine;
static struct sim_host *host;
static struct sim_guest *guest;
static struct xenstore *toolstack, *xenstore;
static struct blkif_handshake_options handshake;
static struct blkif_frontend *frontend;
static struct sim_block block = {.domid = DOMID, .device_id = DEVICE};
static char text[ERROR_TEXT_MAX];
static const char *stack = "";	    /* of wrappers, as the target string begins */
static const char *parameters = ""; /* of the disk, behind its path */
static int file;

static void start(void)
{
	const struct sim_guest_options with = {.domid = DOMID, .pages = 8192};
	static char target[256], built[PATH_MAX];
	static struct config config;
	const char *build = getenv("XVHOST_BUILD");

	log_set_level(LOG_LEVEL_WARNING);
	machine = sim_machine_create(5);
	ck_assert_int_eq(sim_guest_create(machine, &with, &guest), 0);
	ck_assert_int_eq(sim_xenstore_open(machine, 0, &toolstack), 0);
	ck_assert_int_eq(sim_xenstore_open(machine, DOMID, &xenstore), 0);
	config_set_defaults(&config);
	ck_assert_ptr_nonnull(realpath(build ? build : "build", built));
	snprintf(config.backend_directory, sizeof(config.backend_directory), "%.4000s/backends", built);
	ck_assert_int_eq(sim_host_start(machine, &config, &host), 0);
	handshake = (struct blkif_handshake_options){
		.platform = sim_platform(machine), .xenstore = xenstore, .timeout_ms = WAIT_MS};
	file = memfd_create("disk", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(file, DISK_BYTES), 0);
	snprintf(target, sizeof(target), "%sfile:path=/proc/self/fd/%d%s", stack, file, parameters);
	block.target = target;
	ck_assert_msg(sim_block_attach(toolstack, &block, WAIT_MS, text) == 0, "%s", text);
}

static void stop(void)
{
	ck_assert_int_eq(sim_block_detach(toolstack, &block, false, WAIT_MS), 0);
	ck_assert_int_eq(sim_host_stop(host), 0);
	handshake.platform->xenstore_close(xenstore);
	handshake.platform->xenstore_close(toolstack);
	sim_guest_destroy(guest);
	sim_machine_destroy(machine);
	close(file);
}

static void connect_frontend(const struct blkif_frontend_options *options)
{
	struct blkif_frontend_options all = *options;

	all.guest = guest;
	all.device_id = DEVICE;
	all.depth = 8;
	ck_assert_msg(blkif_handshake_connect(&handshake, &all, &frontend, text) == 0, "%s", text);
}

/* use - write, read, and read back. */
static void use(uint64_t seed)
{
	const struct load_options options = {.read_percent = 50,
					     .random = true,
					     .block_bytes = 4096,
					     .requests = 100,
					     .flush_every = 10,
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
	ck_assert_uint_gt(result.counters.blocks_verified, 0);
	load_destroy(load);
}

/* Each form after the other one, on the same device: nothing of the one before may be left. */
START_TEST(forms)
{
	static const struct {
		struct blkif_handshake_options form;
		struct blkif_frontend_options options;
	} rows[] = {
		{{0}, {.protocol = BLKIF_X86_64, .segments = 1}},
		{{.ring_ref0 = true}, {.protocol = BLKIF_X86_64, .segments = 1}},
		{{.num_ring_pages = true}, {.protocol = BLKIF_X86_64, .ring_order = 3, .segments = 1}},
		{{0}, {.protocol = BLKIF_X86_32, .ring_order = 4, .segments = 1}},
		{{.no_protocol = true}, {.protocol = BLKIF_X86_32, .segments = 1}},
		{{0}, {.protocol = BLKIF_X86_64, .queues = 2, .segments = 1}},
		{{.num_ring_pages = true, .ring_ref0 = true},
		 {.protocol = BLKIF_X86_32, .queues = 2, .ring_order = 1, .segments = 1, .persistent = true}},
		{{.ring_ref0 = true}, {.protocol = BLKIF_X86_64, .queues = 2, .segments = 1}},
		{{.num_ring_pages = true}, {.protocol = BLKIF_X86_64, .segments = 1}},
	};

	start();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		handshake.ring_ref0 = rows[i].form.ring_ref0;
		handshake.num_ring_pages = rows[i].form.num_ring_pages;
		handshake.no_protocol = rows[i].form.no_protocol;
		connect_frontend(&rows[i].options);
		ck_assert_uint_eq(frontend->features.sectors, 8192);
		ck_assert_uint_eq(frontend->features.indirect_segments, 256);
		ck_assert(frontend->features.flush && frontend->features.discard &&
			  !frontend->features.read_only);
		ck_assert_uint_eq(frontend->options.ring_order, rows[i].options.ring_order);
		use(i);
		ck_assert_msg(blkif_handshake_close(&handshake, frontend, text) == 0, "%s", text);
	}
	stop();
}
END_TEST

/* More than the host offers is not asked for. */
START_TEST(fits)
{
	const struct blkif_frontend_options options = {
		.protocol = BLKIF_X86_64, .queues = 16, .ring_order = 4, .segments = 4096};

	start();
	connect_frontend(&options);
	ck_assert_uint_le(frontend->queue_count, 16);
	ck_assert_uint_eq(frontend->options.segments, 256);
	use(1);
	ck_assert_msg(blkif_handshake_close(&handshake, frontend, text) == 0, "%s", text);
	stop();
}
END_TEST

/* expect_node - what the host has written. */
static void expect_node(const char *name, const char *expected)
{
	char path[XENSTORE_PATH_MAX];
	char *value;

	snprintf(path, sizeof(path), "/local/domain/0/backend/vbd/%d/%d/%s", DOMID, DEVICE, name);
	value = handshake.platform->xenstore_read(toolstack, 0, path);
	ck_assert_msg(value && strcmp(value, expected) == 0, "%s is %s, not %s", name, value, expected);
	free(value);
}

/* The same disk, whatever the frontend counts its sectors in; one after the other on the same device. */
START_TEST(sector_sizes)
{
	const struct blkif_frontend_options options[] = {
		{.protocol = BLKIF_X86_64, .segments = 1},
		{.protocol = BLKIF_X86_64, .segments = 1, .large_sectors = true},
	};

	parameters = ",block-size=4096";
	start();
	for (int i = 0; i < 4; i++) {
		connect_frontend(&options[i % 2]);
		expect_node("sectors", i % 2 ? "1024" : "8192");
		expect_node("sector-size", "4096");
		expect_node("physical-sector-size", "4096");
		ck_assert_uint_eq(frontend->features.sectors, 8192);
		ck_assert_uint_eq(frontend->features.sector_bytes, 4096);
		ck_assert_uint_eq(frontend->features.physical_bytes, 4096);
		use((uint64_t)i);
		ck_assert_msg(blkif_handshake_close(&handshake, frontend, text) == 0, "%s", text);
	}
	stop();
}
END_TEST

/* load_beyond - write and read what the disk has from some byte on. Returns the result of the load. */
static const struct load_result *load_beyond(uint64_t bytes, uint64_t requests)
{
	const struct load_options options = {.read_percent = 50,
					     .block_bytes = 4096,
					     .start_bytes = bytes,
					     .requests = requests,
					     .verify = true,
					     .begins_zeroed = true};
	static struct load_result result;
	struct load *load;

	ck_assert_msg(load_create(frontend, &options, &load, text) == 0, "%s", text);
	ck_assert_int_eq(load_start(load), 0);
	load_finish(load, &result);
	load_destroy(load);
	return &result;
}

/* resize - the file, under a load on the part that stays, and the frontend learns of it. */
static void resize(uint64_t bytes)
{
	const struct load_options options = {.read_percent = 50,
					     .random = true,
					     .block_bytes = 4096,
					     .span_bytes = DISK_BYTES,
					     .verify = true,
					     .flush_every = 10};
	static struct load_result result;
	struct load *load;

	ck_assert_msg(load_create(frontend, &options, &load, text) == 0, "%s", text);
	ck_assert_int_eq(load_start(load), 0);
	ck_assert_int_eq(ftruncate(file, (off_t)bytes), 0);
	ck_assert_msg(blkif_handshake_await_size(&handshake, frontend, text) == 0, "%s", text);
	load_stop(load);
	load_finish(load, &result);
	ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
	ck_assert_uint_gt(result.counters.blocks_verified, 0);
	load_destroy(load);
}

/* A disk that grows, grows by what is no whole block, and shrinks to what it was, while it is in use. */
START_TEST(resized)
{
	const struct blkif_frontend_options options = {
		.protocol = BLKIF_X86_64, .segments = 1, .large_sectors = _i};

	/* The disk is looked at every other second; more load than this says nothing more. */
	stack = "limit:iops=2000,disk=";
	parameters = ",block-size=4096";
	start();
	connect_frontend(&options);
	resize(2 * DISK_BYTES);
	ck_assert_uint_eq(frontend->features.sectors, 2 * DISK_BYTES / 512);
	expect_node("sectors", _i ? "2048" : "16384");
	expect_node("state", "4");
	ck_assert_uint_eq(load_errors(load_beyond(DISK_BYTES, 500)), 0);
	resize(3 * DISK_BYTES + 4096 + 512);
	ck_assert_uint_eq(frontend->features.sectors, 3 * DISK_BYTES / 512 + 8);
	ck_assert_uint_eq(load_errors(load_beyond(2 * DISK_BYTES, 100)), 0);
	resize(DISK_BYTES);
	ck_assert_uint_eq(frontend->features.sectors, DISK_BYTES / 512);
	/* A guest that does not believe it. */
	frontend->features.sectors *= 2;
	ck_assert_uint_eq(load_errors(load_beyond(DISK_BYTES, 100)), 100);
	ck_assert_int_eq(lseek(file, 0, SEEK_END), DISK_BYTES);
	ck_assert_msg(blkif_handshake_close(&handshake, frontend, text) == 0, "%s", text);
	stop();
}
END_TEST

/* A frontend gets the size of the moment, though the disk was opened with another one; and wrappers pass it on. */
START_TEST(resized_before)
{
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64, .segments = 1};
	char wrappers[160];

	if (_i) {
		snprintf(wrappers, sizeof(wrappers),
			 "limit:iops=2000,disk=log:file=/proc/self/fd/%d,disk=error:per-million=0,"
			 "disk=delay:read-us=1,disk=",
			 memfd_create("log", MFD_CLOEXEC));
		stack = wrappers;
	}
	start();
	connect_frontend(&options);
	resize(2 * DISK_BYTES);
	ck_assert_msg(blkif_handshake_close(&handshake, frontend, text) == 0, "%s", text);
	connect_frontend(&options);
	ck_assert_uint_eq(frontend->features.sectors, 2 * DISK_BYTES / 512);
	ck_assert_uint_eq(load_errors(load_beyond(DISK_BYTES, 100)), 0);
	ck_assert_msg(blkif_handshake_close(&handshake, frontend, text) == 0, "%s", text);
	stop();
}
END_TEST

/* A frontend that is gone without closing, with requests in flight; the next one connects. */
START_TEST(ends_without_a_word)
{
	const struct blkif_frontend_options options = {
		.protocol = BLKIF_X86_64, .segments = 1, .persistent = _i};

	start();
	for (int i = 0; i < 3; i++) {
		struct blkif_frontend *before = frontend;

		connect_frontend(&options);
		/* The host has let go of what the one before had granted. */
		if (i > 0)
			ck_assert_uint_eq(blkif_frontend_destroy(before), 0);
		use((uint64_t)i);
		for (int j = 0; j < 8; j++) {
			struct front_request *request = front_take(&frontend->queues[0]);

			request->operation = j % 2;
			request->sector = 0;
			front_set_data(request, 0, 8);
			ck_assert_int_eq(front_put(&frontend->queues[0], request), 0);
		}
		ck_assert_int_eq(front_push(&frontend->queues[0]), 0);
	}
	ck_assert_msg(blkif_handshake_close(&handshake, frontend, text) == 0, "%s", text);
	stop();
}
END_TEST

/* Nothing to connect to. */
START_TEST(no_device)
{
	const struct blkif_frontend_options options = {
		.guest = guest, .device_id = 768, .protocol = BLKIF_X86_64};

	start();
	ck_assert_int_eq(blkif_handshake_connect(&handshake, &options, &frontend, text), -ENOENT);
	ck_assert_msg(strstr(text, "device/vbd/768/backend can't be read"), "%s", text);
	stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_test(test_case, forms);
	tcase_add_test(test_case, fits);
	tcase_add_test(test_case, sector_sizes);
	tcase_add_loop_test(test_case, resized, 0, 2);
	tcase_add_loop_test(test_case, resized_before, 0, 2);
	tcase_set_timeout(test_case, 60);
	tcase_add_loop_test(test_case, ends_without_a_word, 0, 2);
	tcase_add_test(test_case, no_device);
}

CHECK_MAIN("disk handshake", add_tests)
