// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_sim_host.c - a disk's whole life over the simulated machine: toolstack, xvhostd, worker, guest
 *
 * After each test nothing may be left: no worker, no thread, no grant mapped, no watch, and in xenstore what was there
 * before.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check_main.h"
#include "sim/blkif_handshake.h"
#include "sim/faults.h"
#include "sim/host.h"
#include "sim/load.h"
#include "sim/toolstack.h"
#include "sim/xenstore.h"

#define DOMID 7
#define DEVICE 51712
#define DISK_BYTES (4u << 20)
#define WAIT_MS 5000

static struct sim_machine *machine;
static struct sim_host *host;
static struct xenstore *toolstack;
static char text[ERROR_TEXT_MAX];

/* A guest with one disk. */
struct vm {
	struct sim_guest *guest;
	struct xenstore *xenstore;
	struct blkif_frontend *frontend; /* NULL: not connected */
	struct blkif_handshake_options handshake;
	struct sim_block block;
	int file;
	char target[64];
};

static struct vm vm;

/* ---- what is there ---- */

static unsigned threads(void)
{
	DIR *directory = opendir("/proc/self/task");
	unsigned count = 0;

	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count;
}

/* node - a node of the disk's backend, until the next call; "" if it isn't there. */
static const char *node(const struct vm *of, const char *name)
{
	static char value[XENSTORE_VALUE_MAX];
	char path[XENSTORE_PATH_MAX];
	char *read;

	snprintf(path, sizeof(path), "backend/vbd/%u/%u/%s", of->block.domid, of->block.device_id, name);
	read = sim_xenstore_read(toolstack, 0, path);
	snprintf(value, sizeof(value), "%s", read != NULL ? read : "");
	free(read);
	return value;
}

/* error_node - what xvhostd says of the disk in the way of Linux's backends. */
static const char *error_node(const struct vm *of)
{
	static char value[XENSTORE_VALUE_MAX];
	char path[XENSTORE_PATH_MAX];
	char *read;

	snprintf(path, sizeof(path), "error/backend/vbd/%u/%u/error", of->block.domid, of->block.device_id);
	read = sim_xenstore_read(toolstack, 0, path);
	snprintf(value, sizeof(value), "%s", read != NULL ? read : "");
	free(read);
	return value;
}

/* wait_for - until this is so. */
#define wait_for(condition)                                                                                  \
	do {                                                                                                 \
		for (unsigned waited_ms = 0; !(condition); waited_ms++) {                                    \
			ck_assert_msg(waited_ms < WAIT_MS, "%s", #condition);                                \
			usleep(1000);                                                                        \
		}                                                                                            \
	} while (0)

/* ---- actors ---- */

static void boot(struct vm *booted, uint16_t domid)
{
	const struct sim_guest_options options = {.domid = domid, .pages = 8192, .strict = true};

	*booted = (struct vm){.block = {.domid = domid, .device_id = DEVICE, .target = booted->target}};
	ck_assert_int_eq(sim_guest_create(machine, &options, &booted->guest), 0);
	ck_assert_int_eq(sim_xenstore_open(machine, domid, &booted->xenstore), 0);
	booted->handshake = (struct blkif_handshake_options){
		.platform = sim_platform(machine), .xenstore = booted->xenstore, .timeout_ms = WAIT_MS};
	booted->file = memfd_create("disk", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(booted->file, DISK_BYTES), 0);
	snprintf(booted->target, sizeof(booted->target), "file:path=/proc/self/fd/%d", booted->file);
}

static void shut_down(struct vm *of)
{
	sim_xenstore_close(of->xenstore);
	sim_guest_destroy(of->guest);
	close(of->file);
}

static void attach(const struct vm *of)
{
	ck_assert_msg(sim_block_attach(toolstack, &of->block, WAIT_MS, text) == 0, "%s", text);
	ck_assert_str_eq(node(of, "hotplug-status"), "connected");
}

static int try_to_connect(struct vm *of, const struct blkif_frontend_options *options)
{
	struct blkif_frontend_options all = *options;

	all.guest = of->guest;
	all.device_id = of->block.device_id;
	return blkif_handshake_connect(&of->handshake, &all, &of->frontend, text);
}

static void connect_frontend(struct vm *of, const struct blkif_frontend_options *options)
{
	ck_assert_msg(try_to_connect(of, options) == 0, "%s", text);
	ck_assert_str_eq(node(of, "state"), "4");
	ck_assert_str_eq(error_node(of), "");
}

static void close_frontend(struct vm *of)
{
	ck_assert_msg(blkif_handshake_close(&of->handshake, of->frontend, text) == 0, "%s", text);
	of->frontend = NULL;
	ck_assert_str_eq(node(of, "state"), "6");
}

static void detach(const struct vm *of)
{
	ck_assert_int_eq(sim_block_detach(toolstack, &of->block, false, WAIT_MS), 0);
	ck_assert_str_eq(node(of, "state"), "");
	wait_for(error_node(of)[0] == '\0');
}

/* use - write all of the disk, in any order, and read it back. */
static void use(struct vm *of, uint64_t seed)
{
	static struct load_result result;
	const struct load_options options = {
		.random = true,
		.block_bytes = 4096,
		.requests = 2000,
		.read_percent = 30,
		.flush_every = 50,
		.verify = true,
		.seed = seed,
	};
	struct load *load;

	ck_assert_msg(load_create(of->frontend, &options, &load, text) == 0, "%s", text);
	ck_assert_int_eq(load_start(load), 0);
	load_finish(load, &result);
	ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
	load_verify(load, &result);
	ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
	ck_assert_uint_gt(result.counters.blocks_verified, 100);
	load_destroy(load);
}

/* ---- fixtures ---- */

static unsigned threads_before, nodes_before;

static unsigned nodes(void)
{
	return sim_store_nodes(sim_machine_store(machine));
}

static void set_up(void)
{
	log_init("xvhostd", LOG_LEVEL_DEBUG);
	machine = sim_machine_create(1);
	ck_assert_ptr_nonnull(machine);
	threads_before = threads();
	ck_assert_int_eq(sim_xenstore_open(machine, 0, &toolstack), 0);
	nodes_before = nodes();
	boot(&vm, DOMID);
	ck_assert_int_eq(sim_host_start(machine, NULL, &host), 0);
}

static void tear_down(void)
{
	wait_for(sim_host_workers(host) == 0);
	shut_down(&vm);
	ck_assert_int_eq(sim_host_stop(host), 0);
	ck_assert_uint_eq(nodes(), nodes_before);
	ck_assert_uint_eq(sim_store_watches(sim_machine_store(machine)), 0);
	ck_assert_uint_eq(threads(), threads_before);
	sim_xenstore_close(toolstack);
	sim_machine_destroy(machine);
}

/* ---- tests ---- */

static const struct blkif_frontend_options shapes[] = {
	{.protocol = BLKIF_X86_64},
	{.protocol = BLKIF_X86_32, .ring_order = 2, .segments = 4},
	{.protocol = BLKIF_X86_64, .queues = 2, .ring_order = 1, .segments = 32},
	{.protocol = BLKIF_X86_64, .persistent = true},
};

START_TEST(test_life)
{
	attach(&vm);
	connect_frontend(&vm, &shapes[_i]);
	ck_assert_uint_eq(vm.frontend->features.sectors, DISK_BYTES / 512);
	use(&vm, 1);
	ck_assert_uint_eq(sim_host_workers(host), 1);
	close_frontend(&vm);
	connect_frontend(&vm, &shapes[_i]);
	use(&vm, 2);
	close_frontend(&vm);
	detach(&vm);
	wait_for(sim_host_workers(host) == 0);
	attach(&vm);
	detach(&vm);
}
END_TEST

START_TEST(test_read_only)
{
	vm.block.read_only = true;
	attach(&vm);
	connect_frontend(&vm, &shapes[0]);
	ck_assert(vm.frontend->features.read_only);
	close_frontend(&vm);
	detach(&vm);
}
END_TEST

START_TEST(test_bad_target)
{
	snprintf(vm.target, sizeof(vm.target), "file:path=/nowhere/disk");
	ck_assert_int_eq(sim_block_attach(toolstack, &vm.block, WAIT_MS, text), -ECONNREFUSED);
	ck_assert_ptr_nonnull(strstr(text, "can't open '/nowhere/disk' for reading and writing: No such file"));
	ck_assert_ptr_nonnull(strstr(error_node(&vm), "2 parameter path of backend file: can't open"));
	ck_assert_str_eq(node(&vm, "hotplug-status"), "error");
	detach(&vm);
}
END_TEST

START_TEST(test_detach_while_connected)
{
	attach(&vm);
	connect_frontend(&vm, &shapes[0]);
	/* The guest takes its time. */
	ck_assert_int_eq(sim_block_detach(toolstack, &vm.block, false, 100), -ETIMEDOUT);
	ck_assert_str_eq(node(&vm, "state"), "5");
	close_frontend(&vm);
	detach(&vm);
}
END_TEST

START_TEST(test_forced_detach)
{
	attach(&vm);
	connect_frontend(&vm, &shapes[0]);
	ck_assert_int_eq(sim_block_detach(toolstack, &vm.block, true, WAIT_MS), 0);
	wait_for(sim_host_workers(host) == 0);
	/* The guest has noticed nothing; the host has let go of all. */
	ck_assert_uint_eq(blkif_frontend_destroy(vm.frontend), 0);
}
END_TEST

START_TEST(test_guest_ends_while_connected)
{
	static struct load_result result;
	const struct load_options options = {.block_bytes = 4096, .timeout_ms = 300};
	struct vm other;
	struct load *load;

	boot(&other, DOMID + 1);
	attach(&vm);
	attach(&other);
	connect_frontend(&vm, &shapes[0]);
	connect_frontend(&other, &shapes[0]);
	ck_assert_int_eq(load_create(other.frontend, &options, &load, text), 0);
	ck_assert_int_eq(load_start(load), 0);
	/* xenstore's part of `xl destroy` comes while requests are in flight, and then the guest is no more. */
	ck_assert_int_eq(sim_block_begin_detach(toolstack, &other.block, true), 0);
	load_finish(load, &result);
	load_destroy(load);
	wait_for(strcmp(node(&other, "state"), "6") == 0);
	blkif_frontend_destroy(other.frontend);
	shut_down(&other);
	ck_assert_int_eq(sim_block_detach(toolstack, &other.block, true, WAIT_MS), 0);
	use(&vm, 3);
	close_frontend(&vm);
	detach(&vm);
}
END_TEST

START_TEST(test_guest_crashes)
{
	struct vm other;

	boot(&other, DOMID + 1);
	attach(&other);
	connect_frontend(&other, &shapes[2]);
	/* Nobody has said anything to xvhostd before. */
	shut_down(&other);
	ck_assert_int_eq(sim_block_detach(toolstack, &other.block, true, WAIT_MS), 0);
	wait_for(sim_host_workers(host) == 0);
}
END_TEST

START_TEST(test_host_is_started_again)
{
	attach(&vm);
	connect_frontend(&vm, &shapes[0]);
	use(&vm, 4);
	ck_assert_int_eq(sim_host_stop(host), 0);
	ck_assert_str_eq(node(&vm, "state"), "4");
	ck_assert_int_eq(sim_host_start(machine, NULL, &host), 0);
	use(&vm, 5);
	close_frontend(&vm);
	detach(&vm);
}
END_TEST

START_TEST(test_ring_that_cannot_be_mapped)
{
	const struct sim_fault fault = {.call = SIM_GRANTS_MAP, .times = 1, .error = -EINVAL};

	attach(&vm);
	sim_fault_set(machine, &fault);
	ck_assert_int_eq(try_to_connect(&vm, &shapes[0]), -ECONNREFUSED);
	wait_for(error_node(&vm)[0] != '\0');
	sim_faults_clear(machine);
	sim_xenstore_write(vm.xenstore, 0, "device/vbd/51712/state", "6");
	wait_for(strcmp(node(&vm, "state"), "6") == 0);
	connect_frontend(&vm, &shapes[0]);
	use(&vm, 6);
	close_frontend(&vm);
	detach(&vm);
}
END_TEST

START_TEST(test_others_write_the_same_nodes)
{
	const struct sim_fault fault = {.call = SIM_XENSTORE_TRANSACTION_END, .one_in = 2, .error = -EAGAIN};

	sim_fault_set(machine, &fault);
	attach(&vm);
	connect_frontend(&vm, &shapes[0]);
	close_frontend(&vm);
	detach(&vm);
	ck_assert_uint_gt(sim_fault_hits(machine, SIM_XENSTORE_TRANSACTION_END), 0);
}
END_TEST

START_TEST(test_no_xenstore)
{
	const struct sim_fault fault = {.call = SIM_XENSTORE_OPEN, .error = -ENOENT};
	struct sim_host *second;

	sim_fault_set(machine, &fault);
	ck_assert_int_eq(sim_host_start(machine, NULL, &second), -EIO);
	sim_faults_clear(machine);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, set_up, tear_down);
	tcase_add_loop_test(test_case, test_life, 0, sizeof(shapes) / sizeof(shapes[0]));
	tcase_add_test(test_case, test_read_only);
	tcase_add_test(test_case, test_bad_target);
	tcase_add_test(test_case, test_detach_while_connected);
	tcase_add_test(test_case, test_forced_detach);
	tcase_add_test(test_case, test_guest_ends_while_connected);
	tcase_add_test(test_case, test_guest_crashes);
	tcase_add_test(test_case, test_host_is_started_again);
	tcase_add_test(test_case, test_ring_that_cannot_be_mapped);
	tcase_add_test(test_case, test_others_write_the_same_nodes);
	tcase_add_test(test_case, test_no_xenstore);
}

CHECK_MAIN("sim: host", add_tests)
