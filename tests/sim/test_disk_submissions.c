// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A worker whose kernel does not take what is submitted: io_uring_enter may say so when memory is short. Everything is
 * carried out all the same, later. The functions of liburing are replaced here; they go on to those of the library.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <liburing.h>
#include <stdatomic.h>

#include "check_main.h"
#include "sim_disk.h"

static struct sim_disk disk;
static atomic_int refused_part; /* of each 1000 turns so many, the first of them, submit nothing */
static atomic_uint turns, refusals;
static int error;

/* refuse - is it one of those turns? A submission within a turn does not begin another one. */
static bool refuse(bool begins_turn)
{
	unsigned int at = begins_turn ? atomic_fetch_add(&turns, 1) : atomic_load(&turns);
	bool refused = (int)(at % 1000) < atomic_load(&refused_part);

	if (refused)
		atomic_fetch_add(&refusals, 1);
	return refused;
}

/* next_of - liburing's own. */
static void *next_of(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	ck_assert_ptr_nonnull(function);
	return function;
}

int io_uring_submit(struct io_uring *ring)
{
	static int (*next)(struct io_uring *);

	if (refuse(false))
		return error;
	if (!next)
		*(void **)&next = next_of("io_uring_submit");
	return next(ring);
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned int count)
{
	static int (*next)(struct io_uring *, unsigned int);

	if (refuse(true))
		return error;
	if (!next)
		*(void **)&next = next_of("io_uring_submit_and_wait");
	return next(ring, count);
}

int io_uring_submit_and_get_events(struct io_uring *ring)
{
	static int (*next)(struct io_uring *);

	if (refuse(true))
		return error;
	if (!next)
		*(void **)&next = next_of("io_uring_submit_and_get_events");
	return next(ring);
}

/* More requests than the submission queue has entries, again and again; behind a wrapper that waits, too. */
START_TEST(refused)
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
	sim_disk_start(false);
	sim_disk_open_behind(&disk, SIM_DISK_DEVICE, 8 << 20, _i < 4 ? "" : "delay:jitter-us=100,disk=");
	sim_disk_connect(&disk, &options);
	atomic_store(&refused_part, 500);
	sim_disk_load(&disk, &mixed);
	ck_assert_uint_gt(atomic_load(&refusals), 100);
	sim_disk_close(&disk);
	atomic_store(&refused_part, 0);
	sim_disk_stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, refused, 0, 8);
}

CHECK_MAIN("disk_submissions", add_tests)
