// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A stack of backends: what a wrapper asks goes to the one below, what that answers comes back to it. The wrapper
 * here cuts each request of data in two; the backend below completes nothing by itself.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <xen/io/blkif.h>

#include "check_main.h"
#include "one_queue.h"

static struct xvhost_request *below[64]; /* what the innermost was asked, in order */
static uint32_t below_count;
static char story[256]; /* of starts and stops */

static int open_disk(struct xvhost_disk *disk, const void *config, struct xvhost_disk_properties *properties)
{
	(void)disk;
	(void)config;
	(void)properties;
	return 0;
}

static void close_disk(struct xvhost_disk *disk)
{
	(void)disk;
}

static void tell(const char *what)
{
	strncat(story, what, sizeof(story) - strlen(story) - 1);
}

static void below_submit(struct xvhost_request *request)
{
	below[below_count++] = request;
}

static int below_start(struct xvhost_queue *started)
{
	(void)started;
	tell("below starts,");
	return 0;
}

static void below_stop(struct xvhost_queue *stopped)
{
	(void)stopped;
	tell("below stops,");
}

static const struct xvhost_disk_backend below_backend = {
	.size = sizeof(below_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "below",
	.request_size = 40,
	.open = open_disk,
	.close = close_disk,
	.queue_start = below_start,
	.queue_stop = below_stop,
	.submit = below_submit,
};

/* ---- the wrapper ---- */

struct halves {
	uint64_t done;
	struct iovec iov;
};

static uint64_t bad_offset; /* added to what is asked of the backend below */
static int start_error;

/* ask_half - requests here have one iovec. */
static void ask_half(struct xvhost_request *request)
{
	struct halves *halves = request->scratch;

	halves->iov.iov_base = (char *)request->iov->iov_base + halves->done;
	halves->iov.iov_len = request->length / 2;
	blkif_forward(request, request->operation, request->offset + halves->done + bad_offset,
		      request->length / 2, &halves->iov, 1);
}

static void wrapper_submit(struct xvhost_request *request)
{
	struct halves *halves = request->scratch;

	halves->done = 0;
	if (request->operation == XVHOST_FLUSH)
		blkif_forward(request, XVHOST_FLUSH, 77, 77, NULL, 0);
	else
		ask_half(request);
}

static void wrapper_forwarded(struct xvhost_request *request, int error)
{
	struct halves *halves = request->scratch;

	if (request->operation != XVHOST_FLUSH && error == 0) {
		halves->done += request->length / 2;
		if (halves->done < request->length) {
			ask_half(request);
			return;
		}
	}
	blkif_complete(request, error);
}

static int wrapper_start(struct xvhost_queue *started)
{
	(void)started;
	tell("wrapper starts,");
	return start_error;
}

static void wrapper_stop(struct xvhost_queue *stopped)
{
	(void)stopped;
	tell("wrapper stops,");
}

static const struct xvhost_disk_backend wrapper = {
	.size = sizeof(wrapper),
	.abi = XVHOST_BACKEND_ABI,
	.name = "halves",
	.request_size = sizeof(struct halves),
	.open = open_disk,
	.close = close_disk,
	.queue_start = wrapper_start,
	.queue_stop = wrapper_stop,
	.submit = wrapper_submit,
	.forwarded = wrapper_forwarded,
};

/* start - one wrapper or two above the backend that completes nothing. */
static void start(uint32_t wrappers)
{
	const struct xvhost_disk_backend *stack[] = {&wrapper, &wrapper, &below_backend};

	bad_offset = 0;
	below_count = 0;
	one_queue_start(BLKIF_X86_64, 1, XVHOST_DISK_FLUSH, stack + 2 - wrappers, wrappers + 1);
	ck_assert_int_eq(blkif_queue_start(queue), 0);
}

static void stop(void)
{
	blkif_queue_stop(queue);
	one_queue_stop();
}

static const struct front_segment page_20 = {20, 0, 7, 0};

/* The pieces arrive in order, each when the one before is done, and each request is answered once. */
START_TEST(pieces)
{
	uint32_t wrappers = (uint32_t)_i, count = 1u << wrappers;

	start(wrappers);
	for (uint32_t i = 0; i < 3; i++)
		small_ring_put(&frontend, BLKIF_OP_WRITE, i, 8 * i, 1, &page_20);
	front_ring_push(&frontend);
	one_turn();
	for (uint32_t piece = 0; piece < count; piece++) {
		ck_assert_uint_eq(below_count, 3 * (piece + 1));
		for (uint32_t i = 0; i < 3; i++) {
			struct xvhost_request *request = below[3 * piece + i];

			ck_assert_uint_eq(request->operation, XVHOST_WRITE);
			ck_assert_uint_eq(request->offset, 4096 * i + 4096 / count * piece);
			ck_assert_uint_eq(request->length, 4096 / count);
			ck_assert_uint_eq(request->iov_count, 1);
			ck_assert_uint_eq(request->iov->iov_len, 4096 / count);
			ck_assert_uint_eq((uintptr_t)request->scratch % 16, 0);
			memset(request->scratch, 0xee, below_backend.request_size);
			blkif_complete(request, 0);
		}
	}
	one_turn();
	for (uint32_t i = 0; i < 3; i++)
		expect_answer(i, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
	stop();
}
END_TEST

/* An error of the backend below ends the request; the second half is not asked for. */
START_TEST(error_below)
{
	start(2);
	small_ring_put(&frontend, BLKIF_OP_READ, 1, 0, 1, &page_20);
	front_ring_push(&frontend);
	one_turn();
	ck_assert_uint_eq(below_count, 1);
	blkif_complete(below[0], -EIO);
	one_turn();
	ck_assert_uint_eq(below_count, 1);
	expect_answer(1, BLKIF_OP_READ, BLKIF_RSP_ERROR);
	stop();
}
END_TEST

/* A flush has no place on the disk, whatever the wrapper says. */
START_TEST(flush)
{
	start(1);
	small_ring_put(&frontend, BLKIF_OP_FLUSH_DISKCACHE, 1, 0, 0, NULL);
	front_ring_push(&frontend);
	one_turn();
	ck_assert_uint_eq(below_count, 1);
	ck_assert_uint_eq(below[0]->operation, XVHOST_FLUSH);
	ck_assert_uint_eq(below[0]->offset + below[0]->length + below[0]->iov_count, 0);
	blkif_complete(below[0], 0);
	one_turn();
	expect_answer(1, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_RSP_OKAY);
	stop();
}
END_TEST

/* A wrapper that asks beyond the disk, or between its blocks, gets an error; the backend below is not asked. */
START_TEST(bad_forward)
{
	static const uint64_t offsets[] = {ONE_QUEUE_DISK_BYTES, 1, UINT64_MAX - 511};

	start(1);
	bad_offset = offsets[_i];
	small_ring_put(&frontend, BLKIF_OP_WRITE, 1, 1, 1, &page_20);
	front_ring_push(&frontend);
	one_turn();
	ck_assert_uint_eq(below_count, _i == 2 ? 1 : 0);
	if (_i == 2) {
		/* 512 more than 2^64 - 512 is 0, a place on the disk. */
		ck_assert_uint_eq(below[0]->offset, 0);
		blkif_complete(below[0], -EIO);
		one_turn();
	}
	expect_answer(1, BLKIF_OP_WRITE, BLKIF_RSP_ERROR);
	stop();
}
END_TEST

/* The innermost is the first to start and the last to stop; what did not start is not stopped. */
START_TEST(starts_and_stops)
{
	const struct xvhost_disk_backend *const stack[] = {&wrapper, &below_backend};

	one_queue_start(BLKIF_X86_64, 1, 0, stack, 2);
	start_error = _i ? -ENOMEM : 0;
	ck_assert_int_eq(blkif_queue_start(queue), start_error);
	blkif_queue_stop(queue);
	ck_assert_str_eq(story, _i ? "below starts,wrapper starts,below stops,"
				   : "below starts,wrapper starts,wrapper stops,below stops,");
	one_queue_stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, pieces, 0, 3);
	tcase_add_test(test_case, error_below);
	tcase_add_test(test_case, flush);
	tcase_add_loop_test(test_case, bad_forward, 0, 3);
	tcase_add_loop_test(test_case, starts_and_stops, 0, 2);
}

CHECK_MAIN("layers", add_tests)
