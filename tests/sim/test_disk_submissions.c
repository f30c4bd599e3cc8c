// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a worker submits to io_uring, and how. Its kernel may not take what is submitted, when memory is short: everything is
 * carried out all the same, later. And direct I/O goes by memory that is registered, where it can be.
 * The functions of liburing are replaced here; they go on to those of the library.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <liburing.h>
#include <linux/capability.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xen/io/blkif.h>

#include "check_main.h"
#include "sim_disk.h"

static struct sim_disk disk;
static bool refusing; /* from here on the loop's thread's, while there is one */
static uint32_t taken, refused;
static atomic_uint refused_full;
static int error;
static atomic_uint submitted[IORING_OP_LAST]; /* by operation */
static atomic_uint registrations, registrations_refused;

/* count_prepared - what is about to be submitted. */
static void count_prepared(const struct io_uring *ring)
{
	const struct io_uring_sq *queue = &ring->sq;

	for (unsigned int i = queue->sqe_head; i != queue->sqe_tail; i++)
		atomic_fetch_add(&submitted[queue->sqes[i & queue->ring_mask].opcode], 1);
}

/* refuse_turn - after so many turns that go well nothing is taken until the queue is full, or nobody fills it. */
static bool refuse_turn(void)
{
	if (!refusing || taken++ < 100)
		return false;
	if (refused++ < 1000) {
		usleep(20);
		return true;
	}
	taken = refused = 0;
	return false;
}

/* refuse_full - the queue is full in the middle of a turn. */
static bool refuse_full(void)
{
	if (!refusing || taken < 100)
		return false;
	atomic_fetch_add(&refused_full, 1);
	refused += 100;
	return true;
}

/* liburing's own. */
static struct {
	int (*submit)(struct io_uring *);
	int (*submit_and_wait)(struct io_uring *, unsigned int);
	int (*submit_and_get_events)(struct io_uring *);
	int (*register_buffers)(struct io_uring *, const struct iovec *, unsigned int);
} library;

/* find - one of them, before there are threads. */
static void find(const char *name, void *function)
{
	*(void **)function = dlsym(RTLD_NEXT, name);
	assert(*(void **)function);
}

static void find_library(void)
{
	find("io_uring_submit", &library.submit);
	find("io_uring_submit_and_wait", &library.submit_and_wait);
	find("io_uring_submit_and_get_events", &library.submit_and_get_events);
	find("io_uring_register_buffers", &library.register_buffers);
}

int io_uring_submit(struct io_uring *ring)
{
	if (refuse_full())
		return error;
	count_prepared(ring);
	return library.submit(ring);
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned int count)
{
	if (refuse_turn())
		return error;
	count_prepared(ring);
	return library.submit_and_wait(ring, count);
}

int io_uring_submit_and_get_events(struct io_uring *ring)
{
	if (refuse_turn())
		return error;
	count_prepared(ring);
	return library.submit_and_get_events(ring);
}

int io_uring_register_buffers(struct io_uring *ring, const struct iovec *iovecs, unsigned int count)
{
	int result = library.register_buffers(ring, iovecs, count);

	atomic_fetch_add(&registrations, 1);
	if (result < 0)
		atomic_fetch_add(&registrations_refused, 1);
	return result;
}

/* More requests than the submission queue has entries, again and again; behind a wrapper that waits, too. */
START_TEST(submissions_refused)
{
	static const int errors[] = {-EAGAIN, -EBUSY, -EINTR, 0};
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64, .ring_order = 4};
	const struct load_options mixed = {
		.read_percent = 50,
		.random = true,
		.block_bytes = 4096,
		.requests = 5000,
		.flush_every = 100,
		.verify = true,
		.begins_zeroed = true,
	};

	error = errors[_i % 4];
	refusing = true;
	sim_disk_start(false);
	sim_disk_open_behind(&disk, SIM_DISK_DEVICE, 8 << 20, _i < 4 ? "" : "delay:jitter-us=100,disk=");
	sim_disk_connect(&disk, &options);
	sim_disk_load(&disk, &mixed);
	ck_assert_uint_gt(atomic_load(&refused_full), 0);
	sim_disk_close(&disk);
	sim_disk_stop();
}
END_TEST

/* ---- registered memory ---- */

#define DISK_BYTES (UINT64_C(16) << 20)
#define REGISTERED_BYTES (UINT64_C(4) << 20) /* of each loop; docs/memory.md says so */

/* Requests of each size that there can be; depths with which all fit into what is registered, and with which not. */
static const struct {
	uint32_t segments, depth, first_sector, bytes;
} sizes[] = {
	{1, 32, 0, 512},	 {1, 32, 5, 512},
	{1, 32, 0, 4096},	 {11, 32, 7, 10 * 4096 + 512},
	{16, 32, 0, 16 * 4096},	 {64, 16, 0, 64 * 4096},
	{256, 4, 0, 256 * 4096}, {256, 4, 7, 255 * 4096 + 512},
	{64, 32, 0, 64 * 4096},	 {256, 8, 0, 256 * 4096},
};

#define SIZES ((int)(sizeof(sizes) / sizeof(sizes[0])))

/* connect_direct - a disk with direct I/O and its frontend. False: the file system can't. */
static bool connect_direct(uint32_t queues, int size)
{
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64,
						       .segments = sizes[size].segments,
						       .depth = sizes[size].depth,
						       .queues = queues};

	if (!sim_disk_open_direct(&disk, SIM_DISK_DEVICE, DISK_BYTES))
		return false;
	sim_disk_connect(&disk, &options);
	return true;
}

/* load_direct - write and read, all of which is right; then the disk is closed. */
static struct load_counters load_direct(int size)
{
	const struct load_options mixed = {
		.read_percent = 50,
		.random = true,
		.block_bytes = sizes[size].bytes,
		.first_sector = sizes[size].first_sector,
		.requests = sizes[size].segments < 64 ? 200 : 50,
		.verify = true,
		.begins_zeroed = true,
	};
	struct load_counters counters = sim_disk_load(&disk, &mixed)->counters;

	sim_disk_close(&disk);
	return counters;
}

static void expect_no_fixed(void)
{
	ck_assert_uint_eq(atomic_load(&submitted[IORING_OP_READ_FIXED]), 0);
	ck_assert_uint_eq(atomic_load(&submitted[IORING_OP_WRITE_FIXED]), 0);
}

/* has_lock_privilege - may this process pin more than RLIMIT_MEMLOCK says? With `drop` not from here on. */
static bool has_lock_privilege(bool drop)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	const uint32_t bit = 1u << CAP_IPC_LOCK % 32;
	bool has;

	ck_assert_int_eq(syscall(SYS_capget, &header, data), 0);
	has = data[CAP_IPC_LOCK / 32].effective & bit;
	data[CAP_IPC_LOCK / 32].effective &= ~bit;
	if (drop)
		ck_assert_int_eq(syscall(SYS_capset, &header, data), 0);
	return has;
}

/* all_registered - a process without the privilege may have been refused, by what others of its user have pinned. */
static bool all_registered(void)
{
	bool all = atomic_load(&registrations_refused) == 0;

	ck_assert(all || !has_lock_privilege(false));
	return all;
}

/* Where all the data that is under way fits, each request is one piece of what is registered. */
START_TEST(registered)
{
	int size = _i % SIZES;
	uint32_t queues = 1 + (uint32_t)(_i / SIZES), pages, fixed_reads, fixed_writes;
	struct load_counters counters;
	bool fits;

	pages = sizes[size].depth * sizes[size].segments;
	fits = pages * UINT64_C(4096) <= REGISTERED_BYTES;
	sim_disk_access = "foreign";
	sim_disk_start(false);
	if (!connect_direct(queues, size)) {
		sim_disk_stop();
		return;
	}
	counters = load_direct(size);
	sim_disk_stop();
	fixed_reads = atomic_load(&submitted[IORING_OP_READ_FIXED]);
	fixed_writes = atomic_load(&submitted[IORING_OP_WRITE_FIXED]);
	ck_assert_uint_eq(atomic_load(&registrations), queues);
	ck_assert_uint_gt(counters.reads, 0);
	ck_assert_uint_gt(counters.writes, 0);
	if (!all_registered())
		return;
	ck_assert_uint_gt(fixed_reads, 0);
	ck_assert_uint_gt(fixed_writes, 0);
	if (fits) {
		ck_assert_uint_ge(fixed_reads, counters.reads);
		ck_assert_uint_ge(fixed_writes, counters.writes);
		ck_assert_uint_eq(atomic_load(&submitted[IORING_OP_READV]), 0);
		ck_assert_uint_eq(atomic_load(&submitted[IORING_OP_WRITEV]), 0);
	}
}
END_TEST

/* Of a PV guest what it reads goes by memory of ours, too, from where Xen copies it. */
START_TEST(registered_pv)
{
	struct load_counters counters = {0};
	bool direct;

	sim_disk_access = "foreign";
	sim_disk_start_guest(&(struct sim_guest_options){.pv = true});
	direct = connect_direct(1, 2);
	if (direct)
		counters = load_direct(2);
	sim_disk_stop();
	if (!direct)
		return;
	ck_assert_uint_eq(atomic_load(&registrations), 1);
	if (!all_registered())
		return;
	ck_assert_uint_ge(atomic_load(&submitted[IORING_OP_READ_FIXED]), counters.reads);
	ck_assert_uint_ge(atomic_load(&submitted[IORING_OP_WRITE_FIXED]), counters.writes);
}
END_TEST

/* A kernel that registers nothing is asked once for each loop, and all goes on without. A loop must be there before the limit,
 * since that may count its io_uring, too. */
START_TEST(registration_refused)
{
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64, .segments = 1};
	const struct rlimit none = {0, 0};
	struct sim_disk first;

	has_lock_privilege(true);
	sim_disk_access = "foreign";
	sim_disk_start(false);
	sim_disk_open(&first, SIM_DISK_DEVICE + 16, DISK_BYTES, "");
	sim_disk_connect(&first, &options);
	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	if (connect_direct(1, _i)) {
		load_direct(_i);
		ck_assert_uint_eq(atomic_load(&registrations), 1);
		ck_assert_uint_eq(atomic_load(&registrations_refused), 1);
	}
	sim_disk_close(&first);
	sim_disk_stop();
	expect_no_fixed();
}
END_TEST

/* Nothing is pinned for guests that do not need it: those without direct I/O, and those whose pages take it. */
START_TEST(not_registered)
{
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64, .segments = 1};
	const struct load_options load = {
		.read_percent = 50, .random = true, .block_bytes = 4096, .requests = 200, .verify = true};
	bool by_grants = _i;

	sim_disk_access = by_grants ? "grant" : "foreign";
	sim_disk_start(false);
	if (!by_grants)
		sim_disk_open(&disk, SIM_DISK_DEVICE, DISK_BYTES, "");
	if (!by_grants || sim_disk_open_direct(&disk, SIM_DISK_DEVICE, DISK_BYTES)) {
		sim_disk_connect(&disk, &options);
		sim_disk_load(&disk, &load);
		sim_disk_close(&disk);
	}
	sim_disk_stop();
	ck_assert_uint_eq(atomic_load(&registrations), 0);
	expect_no_fixed();
}
END_TEST

/* The first disk with direct I/O registers for all that follow, and for itself when it connects again. */
START_TEST(registered_once)
{
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64, .segments = 1};
	const struct load_options load = {.read_percent = 0,
					  .block_bytes = 4096,
					  .requests = 50,
					  .span_bytes = 50 * 4096,
					  .verify = true};
	struct sim_disk buffered;

	sim_disk_access = "foreign";
	sim_disk_start(false);
	sim_disk_open(&buffered, SIM_DISK_DEVICE + 16, DISK_BYTES, "");
	sim_disk_connect(&buffered, &options);
	sim_disk_load(&buffered, &load);
	ck_assert_uint_eq(atomic_load(&registrations), 0);
	for (int i = 0; i < 3; i++) {
		if (!sim_disk_open_direct(&disk, SIM_DISK_DEVICE, DISK_BYTES))
			break;
		sim_disk_connect(&disk, &options);
		sim_disk_load(&disk, &load);
		sim_disk_load(&buffered, &load);
		sim_disk_close(&disk);
		ck_assert_uint_eq(atomic_load(&registrations), 1);
	}
	sim_disk_close(&buffered);
	sim_disk_stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	find_library();
	tcase_add_loop_test(test_case, submissions_refused, 0, 8);
	tcase_add_loop_test(test_case, registered, 0, 2 * SIZES);
	tcase_add_test(test_case, registered_pv);
	tcase_add_loop_test(test_case, registration_refused, 0, SIZES);
	tcase_add_loop_test(test_case, not_registered, 0, 2);
	tcase_add_test(test_case, registered_once);
}

CHECK_MAIN("disk_submissions", add_tests)
