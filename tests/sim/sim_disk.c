// SPDX-License-Identifier: GPL-2.0-or-later
/* sim_disk.c - one guest over the simulated machine, a worker that serves it, and its disks */
#include "sim_disk.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"

#define GUEST_PAGES 16384

struct sim_machine *machine;
struct sim_guest *guest;
struct worker_thread *worker;
const char *sim_disk_access;

static const char *access_of_disks(void)
{
	const char *environment = getenv("XVHOST_TEST_MEMORY");

	if (sim_disk_access)
		return sim_disk_access;
	return environment ? environment : "auto";
}

void sim_disk_start(bool strict)
{
	sim_disk_start_version(strict, 1);
}

void sim_disk_start_version(bool strict, uint32_t grant_version)
{
	sim_disk_start_guest(&(struct sim_guest_options){.grant_version = grant_version, .strict = strict});
}

void sim_disk_built(char path[SIM_DISK_PATH_MAX], const char *name)
{
	const char *build = getenv("XVHOST_BUILD");
	char *absolute = realpath(build ? build : "build", NULL);

	ck_assert_ptr_nonnull(absolute);
	ck_assert_int_lt(snprintf(path, SIM_DISK_PATH_MAX, "%s/%s", absolute, name), SIM_DISK_PATH_MAX);
	free(absolute);
}

void sim_disk_start_guest(const struct sim_guest_options *guest_options)
{
	struct sim_guest_options options = *guest_options;
	static char backends[SIM_DISK_PATH_MAX];

	options.domid = SIM_DISK_DOMID;
	if (options.pages == 0)
		options.pages = GUEST_PAGES;
	sim_disk_built(backends, "backends");
	log_set_level(LOG_LEVEL_WARNING);
	machine = sim_machine_create(1);
	ck_assert_ptr_nonnull(machine);
	ck_assert_int_eq(sim_guest_create(machine, &options, &guest), 0);
	ck_assert_int_eq(worker_thread_start(sim_platform(machine), SIM_DISK_DOMID, backends, &worker), 0);
}

void sim_disk_stop(void)
{
	ck_assert_int_eq(worker_thread_stop(worker), 0);
	sim_guest_destroy(guest);
	sim_machine_destroy(machine);
}

void sim_disk_open_target(struct sim_disk *disk, uint32_t device_id, const char *target)
{
	char whole[TARGET_MAX];

	*disk = (struct sim_disk){.device_id = device_id, .file = -1};
	snprintf(whole, sizeof(whole), "memory=%s,%s", access_of_disks(), target);
	ck_assert_msg(worker_thread_open(worker, device_id, whole, false, &disk->opened) == 0, "%s",
		      disk->opened.text);
}

static void open_file(struct sim_disk *disk, uint32_t device_id, uint64_t bytes, const char *before,
		      const char *parameters)
{
	char target[TARGET_MAX];
	int file = memfd_create("disk", MFD_CLOEXEC);

	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(ftruncate(file, (off_t)bytes), 0);
	snprintf(target, sizeof(target), "%sfile:path=/proc/self/fd/%d%s", before, file, parameters);
	sim_disk_open_target(disk, device_id, target);
	disk->file = file;
}

void sim_disk_open(struct sim_disk *disk, uint32_t device_id, uint64_t bytes, const char *parameters)
{
	open_file(disk, device_id, bytes, "", parameters);
}

void sim_disk_open_behind(struct sim_disk *disk, uint32_t device_id, uint64_t bytes, const char *before)
{
	open_file(disk, device_id, bytes, before ? before : "", "");
}

bool sim_disk_open_direct(struct sim_disk *disk, uint32_t device_id, uint64_t bytes)
{
	char path[SIM_DISK_PATH_MAX], target[SIM_DISK_PATH_MAX + 64];
	int file;

	sim_disk_built(path, "direct-XXXXXX");
	file = mkostemp(path, O_DIRECT | O_CLOEXEC);
	if (file < 0 && errno == EINVAL)
		return false;
	ck_assert_int_ge(file, 0);
	unlink(path);
	ck_assert_int_eq(ftruncate(file, (off_t)bytes), 0);
	snprintf(target, sizeof(target), "file:path=/proc/self/fd/%d,direct=on", file);
	sim_disk_open_target(disk, device_id, target);
	disk->file = file;
	return true;
}

void sim_disk_connect(struct sim_disk *disk, const struct blkif_frontend_options *options)
{
	struct blkif_frontend_options all = *options;
	char text[ERROR_TEXT_MAX];

	all.guest = guest;
	all.host_domid = SIM_HOST_DOMID;
	all.device_id = disk->device_id;
	ck_assert_int_eq(blkif_frontend_create(&all, &disk->frontend), 0);
	ck_assert_msg(worker_thread_connect(worker, disk->frontend, &disk->opened, text) == 0, "%s", text);
}

void sim_disk_disconnect(struct sim_disk *disk)
{
	ck_assert_int_eq(worker_thread_disconnect(worker, disk->device_id), 0);
	ck_assert_uint_eq(blkif_frontend_destroy(disk->frontend), 0);
	disk->frontend = NULL;
}

void sim_disk_close(struct sim_disk *disk)
{
	if (disk->frontend)
		sim_disk_disconnect(disk);
	ck_assert_int_eq(worker_thread_close(worker, disk->device_id), 0);
	if (disk->file >= 0)
		close(disk->file);
}

void sim_disk_wait_until_taken(const struct sim_disk *disk, uint32_t requests)
{
	for (uint32_t tries = 0; tries < 15000; tries++) {
		uint32_t taken = 0;

		for (uint32_t i = 0; i < disk->frontend->queue_count; i++) {
			/* The head of a ring (io/ring.h): requests shown, and which of them the host asks for. */
			const uint32_t *head =
				(const uint32_t *)(const void *)disk->frontend->queues[i].ring.pages[0];
			uint32_t shown = __atomic_load_n(&head[0], __ATOMIC_ACQUIRE);

			if (__atomic_load_n(&head[1], __ATOMIC_ACQUIRE) == shown + 1)
				taken += shown;
		}
		if (taken == requests)
			return;
		usleep(1000);
	}
	ck_abort_msg("the worker has not taken %" PRIu32 " requests", requests);
}

const struct load_result *sim_disk_load(struct sim_disk *disk, const struct load_options *options)
{
	static struct load_result done, verified;
	char text[FRONT_ERROR_MAX];
	struct load *load;

	ck_assert_msg(load_create(disk->frontend, options, &load, text) == 0, "%s", text);
	ck_assert_int_eq(load_start(load), 0);
	load_finish(load, &done);
	ck_assert_msg(load_errors(&done) == 0, "%s", done.text);
	load_verify(load, &verified);
	ck_assert_msg(load_errors(&verified) == 0, "%s", verified.text);
	ck_assert_uint_eq(verified.counters.blocks_verified, verified.counters.reads);
	if (options->verify && options->read_percent < 100 && !options->discard_every)
		ck_assert_uint_gt(verified.counters.blocks_verified, 0);
	load_destroy(load);
	return &done;
}
