// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_sim_host.c - a disk's whole life over the simulated machine: toolstack, xvhostd, worker, guest
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "sim/faults.h"
#include "sim/load.h"
#include "sim/xenstore.h"
#include "vm.h"
#include "worker/backends.h"

#define DOMID 7

static struct vm vm;

static void set_up(void)
{
	vm_start(1, LOG_LEVEL_DEBUG);
	vm_boot(&vm, DOMID);
}

static void tear_down(void)
{
	wait_for(sim_host_workers(host) == 0);
	vm_shut_down(&vm);
	vm_stop();
}

static const struct blkif_frontend_options shapes[] = {
	{.protocol = BLKIF_X86_64},
	{.protocol = BLKIF_X86_32, .ring_order = 2, .segments = 4},
	{.protocol = BLKIF_X86_64, .queues = 2, .ring_order = 1, .segments = 32},
	{.protocol = BLKIF_X86_64, .persistent = true},
};

START_TEST(test_life)
{
	vm_attach(&vm);
	vm_connect(&vm, &shapes[_i]);
	ck_assert_uint_eq(vm.frontend->features.sectors, VM_DISK_BYTES / 512);
	vm_use(&vm, 1);
	ck_assert_uint_eq(sim_host_workers(host), 1);
	vm_close(&vm);
	vm_connect(&vm, &shapes[_i]);
	vm_use(&vm, 2);
	vm_close(&vm);
	vm_detach(&vm);
	wait_for(sim_host_workers(host) == 0);
	vm_attach(&vm);
	vm_detach(&vm);
}
END_TEST

START_TEST(test_read_only)
{
	vm.block.read_only = true;
	vm_attach(&vm);
	vm_connect(&vm, &shapes[0]);
	ck_assert(vm.frontend->features.read_only);
	vm_close(&vm);
	vm_detach(&vm);
}
END_TEST

/* The guest may discard if the toolstack does not say otherwise. */
START_TEST(test_discard)
{
	vm.block.discard_off = _i;
	vm_attach(&vm);
	ck_assert_str_eq(vm_node(&vm, "feature-discard"), _i ? "0" : "1");
	vm_connect(&vm, &shapes[0]);
	ck_assert_int_eq(vm.frontend->features.discard, !_i);
	ck_assert(!vm.frontend->features.discard_secure);
	/* tmpfs gives back pages. */
	ck_assert_uint_eq(vm.frontend->features.discard_granularity, 4096);
	ck_assert_uint_eq(vm.frontend->features.discard_alignment, 0);
	ck_assert_str_eq(vm_node(&vm, "feature-discard"), _i ? "0" : "1");
	vm_close(&vm);
	vm_detach(&vm);
}
END_TEST

/* Persistent grants are offered where grants are the way, and kept if the frontend makes them. */
START_TEST(test_persistent)
{
	const bool by_grants = _i & 1, frontend = _i & 2;
	char target[sizeof(vm.target)];

	snprintf(target, sizeof(target), "%s", vm.target);
	ck_assert_int_lt(snprintf(vm.target, sizeof(vm.target), "memory=%s,%s", by_grants ? "grant" : "auto",
				  target),
			 (int)sizeof(vm.target));
	vm_attach(&vm);
	ck_assert_str_eq(vm_node(&vm, "feature-persistent"), by_grants ? "1" : "0");
	vm_connect(&vm, &shapes[frontend ? 3 : 0]);
	ck_assert_int_eq(vm.frontend->features.persistent, by_grants);
	vm_use(&vm, 1);
	vm_close(&vm);
	vm_detach(&vm);
}
END_TEST

START_TEST(test_bad_target)
{
	snprintf(vm.target, sizeof(vm.target), "file:path=/nowhere/disk");
	ck_assert_int_eq(sim_block_attach(toolstack, &vm.block, VM_WAIT_MS, vm_text), -ECONNREFUSED);
	ck_assert_ptr_nonnull(
		strstr(vm_text, "can't open '/nowhere/disk' for reading and writing: No such file"));
	ck_assert_ptr_nonnull(strstr(vm_error(&vm), "2 parameter path of backend file: can't open"));
	ck_assert_str_eq(vm_node(&vm, "hotplug-status"), "error");
	vm_detach(&vm);
}
END_TEST

START_TEST(test_detach_while_connected)
{
	vm_attach(&vm);
	vm_connect(&vm, &shapes[0]);
	/* The guest takes its time. */
	ck_assert_int_eq(sim_block_detach(toolstack, &vm.block, false, 100), -ETIMEDOUT);
	wait_for(strcmp(vm_node(&vm, "state"), "5") == 0);
	vm_close(&vm);
	vm_detach(&vm);
}
END_TEST

START_TEST(test_forced_detach)
{
	vm_attach(&vm);
	vm_connect(&vm, &shapes[0]);
	ck_assert_int_eq(sim_block_detach(toolstack, &vm.block, true, VM_WAIT_MS), 0);
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

	vm_boot(&other, DOMID + 1);
	vm_attach(&vm);
	vm_attach(&other);
	vm_connect(&vm, &shapes[0]);
	vm_connect(&other, &shapes[0]);
	ck_assert_int_eq(load_create(other.frontend, &options, &load, vm_text), 0);
	ck_assert_int_eq(load_start(load), 0);
	/* xenstore's part of `xl destroy` comes while requests are in flight, and then the guest is no more. */
	ck_assert_int_eq(sim_block_begin_detach(toolstack, &other.block, true), 0);
	load_finish(load, &result);
	load_destroy(load);
	wait_for(strcmp(vm_node(&other, "state"), "6") == 0);
	blkif_frontend_destroy(other.frontend);
	vm_shut_down(&other);
	ck_assert_int_eq(sim_block_detach(toolstack, &other.block, true, VM_WAIT_MS), 0);
	vm_use(&vm, 3);
	vm_close(&vm);
	vm_detach(&vm);
}
END_TEST

START_TEST(test_guest_crashes)
{
	struct vm other;

	vm_boot(&other, DOMID + 1);
	vm_attach(&other);
	vm_connect(&other, &shapes[2]);
	/* Nobody has said anything to xvhostd before, which has the rings mapped. */
	ck_assert_uint_gt(blkif_frontend_destroy(other.frontend), 0);
	vm_shut_down(&other);
	ck_assert_int_eq(sim_block_detach(toolstack, &other.block, true, VM_WAIT_MS), 0);
	wait_for(sim_host_workers(host) == 0);
}
END_TEST

/* Also if xenstore can't tell at first which disks there are. */
START_TEST(test_host_is_started_again)
{
	const struct sim_fault fault = {.call = SIM_XENSTORE_DIRECTORY, .times = 4, .error = -EIO};

	vm_attach(&vm);
	vm_connect(&vm, &shapes[0]);
	vm_use(&vm, 4);
	ck_assert_int_eq(sim_host_stop(host), 0);
	ck_assert_str_eq(vm_node(&vm, "state"), "4");
	if (_i)
		sim_fault_set(machine, &fault);
	ck_assert_int_eq(sim_host_start(machine, NULL, &host), 0);
	vm_use(&vm, 5);
	ck_assert_uint_eq(sim_fault_hits(machine, SIM_XENSTORE_DIRECTORY), _i ? 4 : 0);
	sim_faults_clear(machine);
	vm_close(&vm);
	vm_detach(&vm);
}
END_TEST

START_TEST(test_ring_that_cannot_be_mapped)
{
	const struct sim_fault fault = {.call = SIM_GRANTS_MAP, .times = 1, .error = -EINVAL};

	vm_attach(&vm);
	sim_fault_set(machine, &fault);
	ck_assert_int_eq(vm_try_to_connect(&vm, &shapes[0]), -ECONNREFUSED);
	wait_for(vm_error(&vm)[0] != '\0');
	sim_faults_clear(machine);
	sim_xenstore_write(vm.xenstore, 0, "device/vbd/51712/state", "6");
	wait_for(strcmp(vm_node(&vm, "state"), "6") == 0);
	vm_connect(&vm, &shapes[0]);
	vm_use(&vm, 6);
	vm_close(&vm);
	vm_detach(&vm);
}
END_TEST

START_TEST(test_others_write_the_same_nodes)
{
	const struct sim_fault fault = {.call = SIM_XENSTORE_TRANSACTION_END, .one_in = 2, .error = -EAGAIN};

	sim_fault_set(machine, &fault);
	vm_attach(&vm);
	vm_connect(&vm, &shapes[0]);
	vm_close(&vm);
	vm_detach(&vm);
	ck_assert_uint_gt(sim_fault_hits(machine, SIM_XENSTORE_TRANSACTION_END), 0);
}
END_TEST

/* live - all of a disk's life. False: it did not come up, and the toolstack or the guest was told why. */
static bool live(void)
{
	int error = sim_block_attach(toolstack, &vm.block, SIM_TOOLSTACK_TIMEOUT_MS, vm_text);
	bool up = error == 0;

	ck_assert_msg(up || (error == -ECONNREFUSED && vm_text[0] != '\0'), "%s", vm_text);
	if (up) {
		error = vm_try_to_connect(&vm, &shapes[2]);
		up = error == 0;
		ck_assert_msg(up || (error == -ECONNREFUSED && vm_error(&vm)[0] != '\0'), "%s", vm_text);
	}
	if (up) {
		vm_use(&vm, 1);
		ck_assert_msg(blkif_handshake_close(&vm.handshake, vm.frontend, vm_text) == 0, "%s", vm_text);
	}
	vm.frontend = NULL;
	ck_assert_int_eq(sim_block_detach(toolstack, &vm.block, !up, SIM_TOOLSTACK_TIMEOUT_MS), 0);
	return up;
}

/* What fails is tried again after a second, and the toolstack gives up after ten: so not all of them fail, nor for ever. */
static const struct sim_fault xenstore_faults[] = {
	{.call = SIM_XENSTORE_READ, .one_in = 5, .times = 60, .error = -EIO},
	{.call = SIM_XENSTORE_WRITE, .one_in = 5, .times = 40, .error = -EIO},
	{.call = SIM_XENSTORE_REMOVE, .one_in = 2, .error = -EIO},
	{.call = SIM_XENSTORE_DIRECTORY, .one_in = 2, .error = -EIO},
	{.call = SIM_XENSTORE_TRANSACTION_START, .one_in = 2, .times = 8, .error = -EIO},
	{.call = SIM_XENSTORE_TRANSACTION_END, .one_in = 2, .times = 8, .error = -EIO},
	{.call = SIM_XENSTORE_WATCH, .one_in = 2, .error = -EIO},
	{.call = SIM_XENSTORE_UNWATCH, .error = -EIO},
};

/* xvhostd lives, the disk comes up or somebody is told why it does not, and nothing is left. */
START_TEST(test_xenstore_fails)
{
	const struct sim_fault *fault = &xenstore_faults[_i];
	const unsigned watches = sim_store_watches(sim_machine_store(machine));

	sim_fault_set(machine, fault);
	for (int i = 0; i < 20 && sim_fault_hits(machine, fault->call) < 3; i++) {
		const uint32_t hits = sim_fault_hits(machine, fault->call);

		live();
		/* The next one is another disk. */
		wait_for(fault->call == SIM_XENSTORE_UNWATCH
				 ? sim_fault_hits(machine, fault->call) > hits
				 : sim_store_watches(sim_machine_store(machine)) == watches);
	}
	ck_assert_uint_ge(sim_fault_hits(machine, fault->call), 3);
	sim_faults_clear(machine);
	ck_assert(live());
	wait_for(vm_error(&vm)[0] == '\0');
}
END_TEST

/* What a worker that was killed has left can't be ended: that is said, and the disk is served. */
START_TEST(test_clean_up_fails)
{
	sim_fault_set(machine, &(struct sim_fault){.call = SIM_DEVICE_MODEL_CLEAN_UP, .error = -EIO});
	ck_assert(live());
	wait_for(sim_host_workers(host) == 0);
	/* Before a worker starts, and when it has ended. */
	ck_assert_uint_eq(sim_fault_hits(machine, SIM_DEVICE_MODEL_CLEAN_UP), 2);
	sim_faults_clear(machine);
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

/* The new one offers less. What the guest was offered before is served on; when it connects anew it takes the new offer. */
START_TEST(test_host_is_started_with_less)
{
	struct config config;

	config_set_defaults(&config);
	config.max_queues = 1;
	config.max_ring_page_order = 0;
	vm_attach(&vm);
	vm_connect(&vm, &shapes[_i]);
	vm_use(&vm, 7);
	ck_assert_int_eq(sim_host_stop(host), 0);
	ck_assert_int_eq(sim_host_start(machine, &config, &host), 0);
	vm_use(&vm, 8);
	ck_assert_str_eq(vm_node(&vm, "state"), "4");
	ck_assert_str_eq(vm_error(&vm), "");
	vm_close(&vm);
	vm_connect(&vm, &shapes[_i]);
	ck_assert_str_eq(vm_node(&vm, "multi-queue-max-queues"), "1");
	ck_assert_uint_eq(vm.frontend->queue_count, 1);
	vm_use(&vm, 9);
	vm_close(&vm);
	vm_detach(&vm);
	/* The configuration ends with this function. */
	ck_assert_int_eq(sim_host_stop(host), 0);
	ck_assert_int_eq(sim_host_start(machine, NULL, &host), 0);
}
END_TEST

/* A disk that can have one queue is offered so, whatever the operator allows. */
START_TEST(test_disk_with_one_queue)
{
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64, .queues = 2};
	const struct xvhost_disk_backend *backend;
	char target[sizeof(vm.target)], path[PATH_MAX], text[ERROR_TEXT_MAX];
	const char *build = getenv("XVHOST_BUILD");

	snprintf(path, sizeof(path), "%s/tests/backends/watching.so", build ? build : "build");
	ck_assert_msg(backends_load(path, &backend, text) == 0, "%s", text);
	snprintf(target, sizeof(target), "%s", vm.target);
	ck_assert_int_lt(snprintf(vm.target, sizeof(vm.target), "watching:queues=1,disk=%s", target),
			 (int)sizeof(vm.target));
	vm_attach(&vm);
	ck_assert_str_eq(vm_node(&vm, "multi-queue-max-queues"), "1");
	vm_connect(&vm, &options);
	ck_assert_uint_eq(vm.frontend->queue_count, 1);
	vm_use(&vm, 5);
	vm_close(&vm);
	vm_detach(&vm);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, set_up, tear_down);
	tcase_add_loop_test(test_case, test_life, 0, sizeof(shapes) / sizeof(shapes[0]));
	tcase_add_test(test_case, test_read_only);
	tcase_add_loop_test(test_case, test_persistent, 0, 4);
	tcase_add_loop_test(test_case, test_discard, 0, 2);
	tcase_add_test(test_case, test_bad_target);
	tcase_add_test(test_case, test_disk_with_one_queue);
	tcase_add_test(test_case, test_detach_while_connected);
	tcase_add_test(test_case, test_forced_detach);
	tcase_add_test(test_case, test_guest_ends_while_connected);
	tcase_add_test(test_case, test_guest_crashes);
	tcase_add_loop_test(test_case, test_host_is_started_again, 0, 2);
	tcase_add_loop_test(test_case, test_host_is_started_with_less, 0, sizeof(shapes) / sizeof(shapes[0]));
	tcase_add_test(test_case, test_ring_that_cannot_be_mapped);
	tcase_add_test(test_case, test_others_write_the_same_nodes);
	tcase_add_test(test_case, test_clean_up_fails);
	tcase_add_test(test_case, test_no_xenstore);
	tcase_add_loop_test(test_case, test_xenstore_fails, 0,
			    sizeof(xenstore_faults) / sizeof(xenstore_faults[0]));
}

CHECK_MAIN("sim: host", add_tests)
