// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vm.c - a simulated machine with xvhostd in it, and guests with one disk each, for tests
 */
#include "vm.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim/load.h"
#include "sim/xenstore.h"

struct sim_machine *machine;
struct sim_host *host;
struct xenstore *toolstack;
char vm_text[ERROR_TEXT_MAX];

static unsigned threads_before, nodes_before;

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
const char *vm_node(const struct vm *vm, const char *name)
{
	static char value[XENSTORE_VALUE_MAX];
	char path[XENSTORE_PATH_MAX];
	char *read;

	snprintf(path, sizeof(path), "backend/vbd/%u/%u/%s", vm->block.domid, vm->block.device_id, name);
	read = sim_xenstore_read(toolstack, 0, path);
	snprintf(value, sizeof(value), "%s", read != NULL ? read : "");
	free(read);
	return value;
}

/* error_node - what xvhostd says of the disk in the way of Linux's backends. */
const char *vm_error(const struct vm *vm)
{
	static char value[XENSTORE_VALUE_MAX];
	char path[XENSTORE_PATH_MAX];
	char *read;

	snprintf(path, sizeof(path), "error/backend/vbd/%u/%u/error", vm->block.domid, vm->block.device_id);
	read = sim_xenstore_read(toolstack, 0, path);
	snprintf(value, sizeof(value), "%s", read != NULL ? read : "");
	free(read);
	return value;
}

/* ---- actors ---- */

void vm_boot(struct vm *vm, uint16_t domid)
{
	const struct sim_guest_options options = {.domid = domid, .pages = 8192, .strict = true};

	*vm = (struct vm){.block = {.domid = domid, .device_id = VM_DEVICE, .target = vm->target}};
	ck_assert_int_eq(sim_guest_create(machine, &options, &vm->guest), 0);
	ck_assert_int_eq(sim_xenstore_open(machine, domid, &vm->xenstore), 0);
	vm->handshake = (struct blkif_handshake_options){
		.platform = sim_platform(machine), .xenstore = vm->xenstore, .timeout_ms = VM_WAIT_MS};
	vm->file = memfd_create("disk", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(vm->file, VM_DISK_BYTES), 0);
	snprintf(vm->target, sizeof(vm->target), "file:path=/proc/self/fd/%d", vm->file);
}

void vm_shut_down(struct vm *vm)
{
	sim_xenstore_close(vm->xenstore);
	sim_guest_destroy(vm->guest);
	close(vm->file);
}

void vm_attach(const struct vm *vm)
{
	ck_assert_msg(sim_block_attach(toolstack, &vm->block, VM_WAIT_MS, vm_text) == 0, "%s", vm_text);
	ck_assert_str_eq(vm_node(vm, "hotplug-status"), "connected");
}

int vm_try_to_connect(struct vm *vm, const struct blkif_frontend_options *options)
{
	struct blkif_frontend_options all = *options;

	all.guest = vm->guest;
	all.device_id = vm->block.device_id;
	return blkif_handshake_connect(&vm->handshake, &all, &vm->frontend, vm_text);
}

void vm_connect(struct vm *vm, const struct blkif_frontend_options *options)
{
	ck_assert_msg(vm_try_to_connect(vm, options) == 0, "%s", vm_text);
	ck_assert_str_eq(vm_node(vm, "state"), "4");
	ck_assert_str_eq(vm_error(vm), "");
}

void vm_close(struct vm *vm)
{
	ck_assert_msg(blkif_handshake_close(&vm->handshake, vm->frontend, vm_text) == 0, "%s", vm_text);
	vm->frontend = NULL;
	ck_assert_str_eq(vm_node(vm, "state"), "6");
}

void vm_detach(const struct vm *vm)
{
	ck_assert_int_eq(sim_block_detach(toolstack, &vm->block, false, VM_WAIT_MS), 0);
	ck_assert_str_eq(vm_node(vm, "state"), "");
	wait_for(vm_error(vm)[0] == '\0');
}

/* use - write all of the disk, in any order, and read it back. */
void vm_use(struct vm *vm, uint64_t seed)
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

	ck_assert_msg(load_create(vm->frontend, &options, &load, vm_text) == 0, "%s", vm_text);
	ck_assert_int_eq(load_start(load), 0);
	load_finish(load, &result);
	ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
	load_verify(load, &result);
	ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
	ck_assert_uint_gt(result.counters.blocks_verified, 100);
	load_destroy(load);
}

/* ---- beginning and end ---- */

static unsigned nodes(void)
{
	return sim_store_nodes(sim_machine_store(machine));
}

void vm_start(uint64_t seed, enum log_level level)
{
	log_init("xvhostd", level);
	machine = sim_machine_create(seed);
	ck_assert_ptr_nonnull(machine);
	threads_before = threads();
	ck_assert_int_eq(sim_xenstore_open(machine, 0, &toolstack), 0);
	nodes_before = nodes();
	ck_assert_int_eq(sim_host_start(machine, NULL, &host), 0);
}

void vm_stop(void)
{
	wait_for(sim_host_workers(host) == 0);
	ck_assert_int_eq(sim_host_stop(host), 0);
	ck_assert_uint_eq(nodes(), nodes_before);
	ck_assert_uint_eq(sim_store_watches(sim_machine_store(machine)), 0);
	/* The kernel's own threads that worked for an io_uring, as for a discard, end a moment after it. */
	wait_for(threads() == threads_before);
	sim_xenstore_close(toolstack);
	sim_machine_destroy(machine);
}
