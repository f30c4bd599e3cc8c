// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whole workers, and guests that do what guests may do with their memory while their disks are in use: give it away and get
 * it back, be migrated, withdraw grants, end. And guests of which foreign memory can't be had.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xen/io/blkif.h>

#include "check_main.h"
#include "log.h"
#include "sim/faults.h"
#include "sim_disk.h"
#include "sim_probe.h"

#define DISK_BYTES (UINT64_C(8) << 20)
#define GUEST_PAGES 4096u /* 16 chunks, of which each guest uses most */

static struct sim_disk disk, other;
static struct load_result result;
static char text[ERROR_TEXT_MAX];

static const struct blkif_frontend_options *frontend_options(bool persistent)
{
	static struct blkif_frontend_options options;

	options = (struct blkif_frontend_options){
		.protocol = BLKIF_X86_64, .segments = 4, .persistent = persistent, .queues = 2};
	return &options;
}

/* A PV guest would be asked to leave its grants in place, if its disk didn't want frames. */
static void start(bool pv, uint32_t version, bool persistent)
{
	sim_disk_start_guest(
		&(struct sim_guest_options){.pages = GUEST_PAGES, .pv = pv, .grant_version = version});
	sim_disk_access = pv ? "foreign" : "auto";
	sim_disk_open(&disk, SIM_DISK_DEVICE, DISK_BYTES, "");
	sim_disk_connect(&disk, frontend_options(persistent));
}

static void stop(void)
{
	sim_disk_close(&disk);
	sim_disk_stop();
}

static struct load *begin(struct sim_disk *of, const struct load_options *options)
{
	char reason[FRONT_ERROR_MAX];
	struct load *load;

	ck_assert_msg(load_create(of->frontend, options, &load, reason) == 0, "%s", reason);
	ck_assert_int_eq(load_start(load), 0);
	return load;
}

static const struct load_options mixed = {
	.read_percent = 50,
	.random = true,
	.block_bytes = 4 * 4096,
	.first_sector = 0,
	.verify = true,
	.begins_zeroed = true,
	.flush_every = 50,
};

/* Each kind of guest, each version of its table. With both directions by foreign frames no grant is mapped. */
START_TEST(kinds_of_guests)
{
	struct load_options options = mixed;

	options.requests = 2000;
	sim_disk_access = "foreign";
	start(_i & 1, _i & 2 ? 2 : 1, _i & 4);
	if (!(_i & 1))
		sim_fault_set(machine, &(struct sim_fault){.call = SIM_GRANTS_MAP, .error = -EIO});
	sim_disk_load(&disk, &options);
	sim_faults_clear(machine);
	stop();
}
END_TEST

/* No frame lies beside another one: each page of a chunk comes from elsewhere. */
START_TEST(frames_apart)
{
	struct load_options options = mixed;

	options.requests = 1000;
	sim_disk_access = "foreign";
	sim_disk_start_guest(&(struct sim_guest_options){.pages = GUEST_PAGES, .pv = _i, .run_pages = 1});
	sim_disk_open(&disk, SIM_DISK_DEVICE, DISK_BYTES, "");
	sim_disk_connect(&disk, frontend_options(true));
	sim_disk_load(&disk, &options);
	stop();
}
END_TEST

/* Direct I/O goes by pages of ours where the guest's are foreign, and the data is right. Not each file system can do it. */
START_TEST(direct)
{
	struct load_options options = mixed;

	sim_disk_start_guest(&(struct sim_guest_options){.pages = GUEST_PAGES, .pv = _i & 1});
	if (sim_disk_open_direct(&disk, SIM_DISK_DEVICE, DISK_BYTES)) {
		sim_disk_connect(&disk, frontend_options(_i & 2));
		options.requests = 300;
		options.first_sector = 3;
		options.block_bytes = 3 * 4096 + 512;
		sim_disk_load(&disk, &options);
		sim_disk_close(&disk);
	}
	sim_disk_stop();
}
END_TEST

/* ---- ballooning ---- */

static atomic_bool ending;
static atomic_uint balloon_rounds;

#define BALLOON_PAGES (GUEST_PAGES / 16 * 3)

static void *balloon_up_and_down(void *argument)
{
	static uint64_t frames[BALLOON_PAGES];
	uint32_t count = *(uint32_t *)argument;

	while (!ending) {
		must(sim_pages_take(guest, count, frames) == 0);
		must(sim_balloon_out(guest, count, frames) == 0);
		/* What the host has mapped Xen can't give again. */
		while (sim_balloon_in(guest, count, frames) < 0)
			usleep(1000);
		sim_pages_give_back(guest, count, frames);
		balloon_rounds++;
		/* Each time all is mapped anew, which takes the simulated machine long. */
		usleep(50000);
	}
	return NULL;
}

/*
 * The guest balloons while one disk is busy and another one comes and goes, whose pages are others each time, and often ones
 * that were given away meanwhile: each finds what it wrote.
 */
START_TEST(ballooning)
{
	/* Few pages, which lie in few chunks: all are mapped anew after each round. */
	const struct blkif_frontend_options few = {
		.protocol = BLKIF_X86_64, .segments = 4, .depth = 6, .persistent = _i & 2};
	uint32_t count = _i & 1 ? 50 : BALLOON_PAGES, rounds = 0;
	struct load_options options = mixed;
	pthread_t thread;
	struct load *load;

	sim_disk_start_guest(&(struct sim_guest_options){
		.pages = GUEST_PAGES, .pv = _i & 1, .grant_version = _i & 2 ? 2 : 1});
	sim_disk_open(&disk, SIM_DISK_DEVICE, DISK_BYTES, "");
	sim_disk_connect(&disk, &few);
	load = begin(&disk, &options);
	ending = false;
	pthread_create(&thread, NULL, balloon_up_and_down, &count);
	options.requests = 200;
	while (rounds < 4 || balloon_rounds < 4) {
		sim_disk_open(&other, SIM_DISK_DEVICE + 16, DISK_BYTES, "");
		sim_disk_connect(&other, &few);
		sim_disk_load(&other, &options);
		sim_disk_close(&other);
		rounds++;
	}
	ending = true;
	pthread_join(thread, NULL);
	load_stop(load);
	load_finish(load, &result);
	ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
	load_verify(load, &result);
	ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
	load_destroy(load);
	stop();
}
END_TEST

/* ---- live migration ---- */

/* read_rounds - the guest reads, and is copied, in turn. Returns how many pages were written and nobody knew of. */
static uint32_t read_rounds(void)
{
	const struct load_options options = {
		.read_percent = 100, .random = true, .block_bytes = 4 * 4096, .requests = 300};
	uint32_t missed = 0, copied = 0;
	char block[4096];

	for (uint64_t at = 0; at < DISK_BYTES; at += sizeof(block)) {
		memset(block, (int)(1 + at / sizeof(block) % 255), sizeof(block));
		ck_assert_int_eq(pwrite(disk.file, block, sizeof(block), (off_t)at), sizeof(block));
	}
	ck_assert_int_eq(sim_migration_begin(guest), 0);
	for (uint32_t round = 0; round < 5; round++) {
		struct load_options other_places = options;
		struct load *load;

		other_places.seed = round;
		load = begin(&disk, &other_places);
		load_finish(load, &result);
		ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
		load_destroy(load);
		missed += sim_migration_missed(guest, NULL, 0);
		copied += sim_migration_round(guest);
	}
	ck_assert_uint_gt(copied, 100);
	sim_migration_end(guest);
	return missed;
}

/* What was read into the guest's memory is known to whoever migrates it; and is not, if we do not say so. */
START_TEST(migration)
{
	bool pv = _i & 1, says = !(_i & 2);

	start(pv, 1, true);
	if (!says)
		sim_fault_set(machine, &(struct sim_fault){.call = SIM_DEVICE_MODEL_MODIFIED, .most = 1});
	if (says || pv)
		ck_assert_uint_eq(read_rounds(), 0);
	else
		ck_assert_uint_gt(read_rounds(), 0);
	sim_faults_clear(machine);
	stop();
}
END_TEST

/* ---- grants that stay ---- */

/* A PV guest is asked to leave its grants in place, and then no frame of it is mapped; one that does not is served by frames. */
START_TEST(pv_leaves_grants)
{
	struct load_options options = mixed;
	bool pv = _i & 1, leaves = _i & 2;
	struct load *load;

	sim_disk_start_guest(&(struct sim_guest_options){.pages = GUEST_PAGES, .pv = pv});
	sim_disk_access = "auto";
	/* It harms nobody, and is counted. */
	sim_fault_set(machine, &(struct sim_fault){.call = SIM_FOREIGN_MAP, .delay_us = 1});
	sim_disk_open(&disk, SIM_DISK_DEVICE, DISK_BYTES, "");
	ck_assert_int_eq(disk.opened.persistent, pv);
	sim_disk_connect(&disk, frontend_options(pv && leaves));
	options.requests = 4000;
	load = begin(&disk, &options);
	load_finish(load, &result);
	ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
	if (pv && leaves)
		ck_assert_uint_eq(sim_fault_hits(machine, SIM_FOREIGN_MAP), 0);
	else
		ck_assert_uint_gt(sim_fault_hits(machine, SIM_FOREIGN_MAP), 0);
	sim_faults_clear(machine);
	load_verify(load, &result);
	ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
	load_destroy(load);
	stop();
}
END_TEST

/* Not for direct I/O: gntdev must not unmap pages that storage still works on. */
START_TEST(pv_direct)
{
	sim_disk_access = "auto";
	sim_disk_start_guest(&(struct sim_guest_options){.pages = GUEST_PAGES, .pv = true});
	if (sim_disk_open_direct(&disk, SIM_DISK_DEVICE, DISK_BYTES)) {
		ck_assert(!disk.opened.persistent);
		sim_disk_connect(&disk, frontend_options(false));
		sim_disk_close(&disk);
	}
	sim_disk_stop();
}
END_TEST

/* ---- grants that are withdrawn, and guests that end ---- */

static void *withdraw_and_give(void *argument)
{
	uint32_t number = 1;

	(void)argument;
	while (!ending) {
		uint16_t *flags;

		number = number * 1103515245u + 12345;
		flags = sim_grant_entry(guest, GNTTAB_NR_RESERVED_ENTRIES + (number >> 16) % 400);
		must(flags);
		if (!(__atomic_load_n(flags, __ATOMIC_SEQ_CST) & GTF_permit_access))
			continue;
		if (number & 1 << 12) {
			__atomic_fetch_and(flags, (uint16_t)~GTF_permit_access, __ATOMIC_SEQ_CST);
			usleep(20);
			__atomic_fetch_or(flags, GTF_permit_access, __ATOMIC_SEQ_CST);
		} else {
			__atomic_fetch_or(flags, GTF_readonly, __ATOMIC_SEQ_CST);
			usleep(20);
			__atomic_fetch_and(flags, (uint16_t)~GTF_readonly, __ATOMIC_SEQ_CST);
		}
	}
	return NULL;
}

/* Grants are withdrawn, made read-only and given again while they are in use: requests fail, or are right. */
START_TEST(withdrawn_in_use)
{
	struct load_options options = mixed;
	const uint64_t *errors = result.counters.errors;
	uint64_t failed;
	pthread_t thread;
	struct load *load;

	log_set_level(LOG_LEVEL_ERROR);
	start(_i & 1, _i & 2 ? 2 : 1, true);
	options.requests = 20000;
	ending = false;
	pthread_create(&thread, NULL, withdraw_and_give, NULL);
	load = begin(&disk, &options);
	load_finish(load, &result);
	ending = true;
	pthread_join(thread, NULL);
	failed = errors[LOAD_READ_FAILED] + errors[LOAD_WRITE_FAILED];
	ck_assert_uint_gt(failed, 0);
	ck_assert_msg(load_errors(&result) == failed, "%s", result.text);
	ck_assert_uint_gt(result.counters.writes, 1000);
	load_verify(load, &result);
	ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
	load_destroy(load);
	stop();
}
END_TEST

/* The guest ends with requests under way and all its memory mapped. Nothing of it is left when its worker has ended. */
START_TEST(guest_ends)
{
	struct front_queue *queue;

	sim_disk_start_guest(&(struct sim_guest_options){.pages = GUEST_PAGES, .pv = _i});
	sim_disk_open_behind(&disk, SIM_DISK_DEVICE, DISK_BYTES, "delay:read-us=100000,disk=");
	sim_disk_connect(&disk, frontend_options(true));
	queue = &disk.frontend->queues[0];
	for (uint32_t i = 0; i < 20; i++) {
		struct front_request *request = front_take(queue);

		request->operation = BLKIF_OP_READ;
		request->sector = 8 * i;
		front_set_data(request, 0, 8);
		ck_assert_int_eq(front_put(queue, request), 0);
	}
	ck_assert_int_eq(front_push(queue), 0);
	usleep(20000);
	sim_guest_destroy(guest);
	usleep(200000);
	ck_assert_int_eq(worker_thread_stop(worker), 0);
	close(disk.file);
	sim_machine_destroy(machine);
}
END_TEST

/* ---- without foreign memory ---- */

/* connect_refused - with this access, while a call fails. */
static void connect_refused(const char *access, const struct sim_fault *fault)
{
	struct blkif_frontend_options options = *frontend_options(true);

	sim_disk_access = access;
	sim_disk_start(false);
	sim_disk_open(&disk, SIM_DISK_DEVICE, DISK_BYTES, "");
	sim_fault_set(machine, fault);
	options.guest = guest;
	options.host_domid = SIM_HOST_DOMID;
	options.device_id = disk.device_id;
	ck_assert_int_eq(blkif_frontend_create(&options, &disk.frontend), 0);
	ck_assert_int_eq(worker_thread_connect(worker, disk.frontend, &disk.opened, text), -EPERM);
	ck_assert_uint_eq(blkif_frontend_destroy(disk.frontend), 0);
	disk.frontend = NULL;
}

/* memory=auto goes by grants then, memory=foreign says why it can't be; once it can be, it can. */
START_TEST(not_to_be_had)
{
	static const struct sim_fault faults[] = {
		{.call = SIM_FOREIGN_OPEN, .error = -EPERM},
		{.call = SIM_FOREIGN_RESTRICT, .error = -EPERM},
		{.call = SIM_DEVICE_MODEL_OPEN, .error = -EPERM},
		/* For the grant table, for the cache. */
		{.call = SIM_FOREIGN_RESERVE, .error = -EPERM},
		{.call = SIM_FOREIGN_RESERVE, .after = 1, .error = -EPERM},
		{.call = SIM_FOREIGN_MAP_GRANT_FRAMES, .error = -EPERM},
	};
	struct load_options options = mixed;

	options.requests = 500;
	connect_refused("foreign", &faults[_i]);
	ck_assert_msg(strstr(text, "memory=foreign can't be: "), "%s", text);
	sim_disk_access = "auto";
	sim_disk_open(&other, SIM_DISK_DEVICE + 16, DISK_BYTES, "");
	sim_disk_connect(&other, frontend_options(true));
	sim_disk_load(&other, &options);
	sim_disk_close(&other);
	sim_faults_clear(machine);
	sim_disk_connect(&disk, frontend_options(true));
	sim_disk_load(&disk, &options);
	stop();
}
END_TEST

/* Who can't tell whether a guest is PV does not ask it to leave its grants in place, and it is served all the same. */
START_TEST(kind_not_to_be_had)
{
	struct load_options options = mixed;

	options.requests = 500;
	sim_disk_access = "auto";
	sim_disk_start_guest(&(struct sim_guest_options){.pages = GUEST_PAGES, .pv = true});
	sim_fault_set(machine, &(struct sim_fault){.call = SIM_DEVICE_MODEL_POSSIBLE, .error = -EIO});
	sim_disk_open(&disk, SIM_DISK_DEVICE, DISK_BYTES, "");
	ck_assert(!disk.opened.persistent);
	ck_assert_uint_gt(sim_fault_hits(machine, SIM_DEVICE_MODEL_POSSIBLE), 0);
	sim_faults_clear(machine);
	sim_disk_connect(&disk, frontend_options(false));
	sim_disk_load(&disk, &options);
	stop();
}
END_TEST

static void *balloon_once(void *argument)
{
	static uint64_t frames[BALLOON_PAGES];

	must(sim_pages_take(guest, BALLOON_PAGES, frames) == 0);
	must(sim_balloon_out(guest, BALLOON_PAGES, frames) == 0);
	return argument;
}

/* A guest that gave memory away can't be answered. Its disk is served on, by grants, and it goes on when its worker has ended. */
START_TEST(answer_fails)
{
	struct load_options options = mixed;
	pthread_t thread;

	options.requests = 1000;
	start(false, 1, false);
	sim_disk_load(&disk, &options);
	sim_fault_set(machine, &(struct sim_fault){.call = SIM_DEVICE_MODEL_ANSWER, .error = -EIO});
	pthread_create(&thread, NULL, balloon_once, NULL);
	while (sim_fault_hits(machine, SIM_DEVICE_MODEL_ANSWER) == 0)
		usleep(1000);
	/* It harms nobody, and is counted. */
	sim_fault_set(machine, &(struct sim_fault){.call = SIM_FOREIGN_MAP, .delay_us = 1});
	options.begins_zeroed = false;
	sim_disk_load(&disk, &options);
	ck_assert_uint_eq(sim_fault_hits(machine, SIM_FOREIGN_MAP), 0);
	sim_disk_close(&disk);
	ck_assert_int_eq(worker_thread_stop(worker), 0);
	pthread_join(thread, NULL);
	sim_guest_destroy(guest);
	sim_machine_destroy(machine);
}
END_TEST

/* Addresses that can't be released: that is said, and the worker ends in order. */
START_TEST(release_fails)
{
	struct load_options options = mixed;

	options.requests = 300;
	start(false, 1, false);
	sim_disk_load(&disk, &options);
	sim_fault_set(machine, &(struct sim_fault){.call = SIM_FOREIGN_RELEASE, .error = -EIO});
	sim_disk_close(&disk);
	ck_assert_int_eq(worker_thread_stop(worker), 0);
	/* Those of both loops' caches, and of the grant table. */
	ck_assert_uint_eq(sim_fault_hits(machine, SIM_FOREIGN_RELEASE), 3);
	sim_guest_destroy(guest);
	sim_machine_destroy(machine);
}
END_TEST

/* Frames that can't be mapped, and addresses that can't be unmapped: the requests do not notice. */
START_TEST(calls_fail)
{
	static const struct sim_fault faults[] = {
		{.call = SIM_FOREIGN_MAP, .one_in = 2, .error = -ENOMEM},
		{.call = SIM_FOREIGN_MAP, .most = 100},
		{.call = SIM_FOREIGN_UNMAP, .one_in = 2, .error = -EIO},
	};
	/* For each of the two queues less than the guest uses, so that chunks leave for others. */
	const struct message_memory small = {
		.access = MEMORY_AUTO, .most_mib = 16, .budget_mib = 16, .idle_s = 10};
	struct load_options options = mixed;

	options.requests = 3000;
	sim_disk_start_guest(&(struct sim_guest_options){.pages = GUEST_PAGES});
	ck_assert_int_eq(worker_thread_set_memory(worker, &small), 0);
	sim_disk_open(&disk, SIM_DISK_DEVICE, DISK_BYTES, "");
	sim_disk_connect(&disk, frontend_options(false));
	sim_fault_set(machine, &faults[_i]);
	sim_disk_load(&disk, &options);
	ck_assert_uint_gt(sim_fault_hits(machine, faults[_i].call), 0);
	sim_faults_clear(machine);
	stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, kinds_of_guests, 0, 8);
	tcase_add_loop_test(test_case, frames_apart, 0, 2);
	tcase_add_loop_test(test_case, direct, 0, 4);
	tcase_add_loop_test(test_case, ballooning, 0, 4);
	tcase_add_loop_test(test_case, migration, 0, 4);
	tcase_add_loop_test(test_case, pv_leaves_grants, 0, 4);
	tcase_add_test(test_case, pv_direct);
	tcase_add_loop_test(test_case, withdrawn_in_use, 0, 4);
	tcase_add_loop_test(test_case, guest_ends, 0, 2);
	tcase_add_loop_test(test_case, not_to_be_had, 0, 6);
	tcase_add_test(test_case, kind_not_to_be_had);
	tcase_add_test(test_case, answer_fails);
	tcase_add_test(test_case, release_fails);
	tcase_add_loop_test(test_case, calls_fail, 0, 3);
}

CHECK_MAIN("disk memory", add_tests)
