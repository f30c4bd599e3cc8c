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
#include <unistd.h>

#include "check_main.h"
#include "sim_disk.h"

static struct sim_disk disk;
static bool refusing; /* from here on the loop's thread's, while there is one */
static uint32_t taken, refused;
static atomic_uint refused_full;
static int error;

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

	if (refuse_full())
		return error;
	if (!next)
		*(void **)&next = next_of("io_uring_submit");
	return next(ring);
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned int count)
{
	static int (*next)(struct io_uring *, unsigned int);

	if (refuse_turn())
		return error;
	if (!next)
		*(void **)&next = next_of("io_uring_submit_and_wait");
	return next(ring, count);
}

int io_uring_submit_and_get_events(struct io_uring *ring)
{
	static int (*next)(struct io_uring *);

	if (refuse_turn())
		return error;
	if (!next)
		*(void **)&next = next_of("io_uring_submit_and_get_events");
	return next(ring);
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

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, submissions_refused, 0, 8);
}

CHECK_MAIN("disk_submissions", add_tests)
