// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Indirect requests of one queue: their segments are read once, from a page that is not mapped any longer than that,
 * and whatever a guest writes there is refused or carried out.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <xen/io/blkif.h>

#include "check_main.h"
#include "one_queue.h"

#define SEGMENT_PAGE 40 /* the gref of the page of segments */

static struct xvhost_request *submitted[64];
static uint32_t submitted_count;

static void submit(struct xvhost_request *request)
{
	submitted[submitted_count++] = request;
}

static const struct xvhost_disk_backend backend = {.name = "test", .submit = submit};

static void start(enum blkif_protocol protocol)
{
	const struct xvhost_disk_backend *const backends[] = {&backend};

	one_queue_start(protocol, 1, XVHOST_DISK_FLUSH, backends, 1);
}

/* set_segments - `count` of them, one page each, from gref `first` on. */
static struct blkif_request_segment *set_segments(uint32_t gref, uint32_t first, uint32_t count)
{
	struct blkif_request_segment *segments = small_guest_page(gref);

	for (uint32_t i = 0; i < count; i++)
		segments[i] = (struct blkif_request_segment){first + i, 0, 7};
	return segments;
}

static void push(void)
{
	front_ring_push(&frontend);
	one_turn();
}

/* As many segments as there may be, beside a direct request and another indirect one, in both ABIs. */
START_TEST(carried_out)
{
	const struct front_segment direct = {20, 0, 7, 0};

	start(_i ? BLKIF_X86_32 : BLKIF_X86_64);
	set_segments(SEGMENT_PAGE, 100, 1)[0].first_sect = 5;
	set_segments(SEGMENT_PAGE + 1, 100, 124);
	small_ring_put_indirect(&frontend, BLKIF_OP_WRITE, 1, 0, 1, SEGMENT_PAGE);
	small_ring_put(&frontend, BLKIF_OP_READ, 2, 0, 1, &direct);
	small_ring_put_indirect(&frontend, BLKIF_OP_READ, 3, 8, 124, SEGMENT_PAGE + 1);
	push();
	ck_assert_uint_eq(submitted_count, 3);
	ck_assert_uint_eq(submitted[0]->operation, XVHOST_WRITE);
	ck_assert_uint_eq(submitted[0]->length, 3 * 512);
	ck_assert_uint_eq(submitted[1]->operation, XVHOST_READ);
	ck_assert_uint_eq(submitted[2]->operation, XVHOST_READ);
	ck_assert_uint_eq(submitted[2]->offset, 4096);
	ck_assert_uint_eq(submitted[2]->length, 124 * 4096);
	/* The ring, and the data: the pages of segments are not mapped any more. */
	ck_assert_int_eq(small_guest_mapped(), 1 + 1 + 1 + 124);
	for (uint32_t i = 0; i < 3; i++)
		blkif_complete(submitted[i], 0);
	one_turn();
	for (uint32_t i = 0; i < 3; i++) {
		struct front_response response;

		ck_assert(small_ring_take(&frontend, &response));
		ck_assert_int_eq(response.status, BLKIF_RSP_OKAY);
		/* The operation of the response is that of the data, as with blkback. */
		ck_assert_uint_eq(response.operation, response.id == 1 ? BLKIF_OP_WRITE : BLKIF_OP_READ);
	}
	one_queue_stop();
}
END_TEST

/* The data comes from the very page that holds the segments: strange, and harmless. */
START_TEST(points_at_itself)
{
	start(BLKIF_X86_64);
	set_segments(SEGMENT_PAGE, SEGMENT_PAGE, 1);
	small_ring_put_indirect(&frontend, BLKIF_OP_READ, 1, 0, 1, SEGMENT_PAGE);
	push();
	ck_assert_uint_eq(submitted_count, 1);
	memset(submitted[0]->iov->iov_base, 0xff, submitted[0]->iov->iov_len);
	blkif_complete(submitted[0], 0);
	one_turn();
	expect_answer(1, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	one_queue_stop();
}
END_TEST

/* What is written to the page after the segments were read changes nothing. */
START_TEST(changed_after_the_copy)
{
	start(BLKIF_X86_64);
	set_segments(SEGMENT_PAGE, 100, 20);
	small_ring_put_indirect(&frontend, BLKIF_OP_WRITE, 1, 0, 20, SEGMENT_PAGE);
	push();
	memset(small_guest_page(SEGMENT_PAGE), 0xff, PAGE_BYTES);
	ck_assert_uint_eq(submitted[0]->length, 20 * 4096);
	ck_assert_int_eq(small_guest_mapped(), 21);
	blkif_complete(submitted[0], 0);
	one_turn();
	expect_answer(1, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
	one_queue_stop();
}
END_TEST

/* Each row is one request that is refused; the one after it is not. */
static const struct {
	uint8_t operation;
	uint16_t count;
	uint64_t sector;
	uint32_t gref;
	uint8_t last_sector; /* of the last segment */
	int16_t status;
} refused[] = {
	{BLKIF_OP_READ, 0, 0, SEGMENT_PAGE, 7, BLKIF_RSP_ERROR},
	{BLKIF_OP_READ, 257, 0, SEGMENT_PAGE, 7, BLKIF_RSP_ERROR},
	{BLKIF_OP_READ, 65535, 0, SEGMENT_PAGE, 7, BLKIF_RSP_ERROR},
	{BLKIF_OP_WRITE_BARRIER, 1, 0, SEGMENT_PAGE, 7, BLKIF_RSP_EOPNOTSUPP},
	{BLKIF_OP_FLUSH_DISKCACHE, 1, 0, SEGMENT_PAGE, 7, BLKIF_RSP_EOPNOTSUPP},
	{BLKIF_OP_DISCARD, 1, 0, SEGMENT_PAGE, 7, BLKIF_RSP_EOPNOTSUPP},
	{BLKIF_OP_INDIRECT, 1, 0, SEGMENT_PAGE, 7, BLKIF_RSP_EOPNOTSUPP},
	{BLKIF_OP_READ, 2, 0, 0xffffffff, 7, BLKIF_RSP_ERROR},
	{BLKIF_OP_READ, 2, 0, SEGMENT_PAGE, 8, BLKIF_RSP_ERROR},
	{BLKIF_OP_READ, 256, 0, SEGMENT_PAGE, 7, BLKIF_RSP_ERROR},
	{BLKIF_OP_READ, 2, 1000, SEGMENT_PAGE, 7, BLKIF_RSP_ERROR},
	{BLKIF_OP_READ, 2, UINT64_MAX, SEGMENT_PAGE, 7, BLKIF_RSP_ERROR},
};

START_TEST(refused_row)
{
	uint32_t count = refused[_i].count <= 256 ? refused[_i].count : 256;

	start(BLKIF_X86_64);
	if (count > 0)
		set_segments(SEGMENT_PAGE, 100, count)[count - 1].last_sect = refused[_i].last_sector;
	set_segments(SEGMENT_PAGE + 1, 100, 2);
	small_ring_put_indirect(&frontend, refused[_i].operation, 1, refused[_i].sector, refused[_i].count,
				refused[_i].gref);
	small_ring_put_indirect(&frontend, BLKIF_OP_READ, 2, 0, 2, SEGMENT_PAGE + 1);
	push();
	expect_answer(1, refused[_i].operation, refused[_i].status);
	ck_assert_uint_eq(submitted_count, 1);
	ck_assert_uint_eq(submitted[0]->length, 2 * 4096);
	blkif_complete(submitted[0], 0);
	one_turn();
	expect_answer(2, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	one_queue_stop();
}
END_TEST

/* A segment whose page can't be mapped fails its request alone. */
START_TEST(bad_grant)
{
	start(BLKIF_X86_64);
	set_segments(SEGMENT_PAGE, 100, 30)[17].gref = 0x7fffffff;
	small_ring_put_indirect(&frontend, BLKIF_OP_WRITE, 1, 0, 30, SEGMENT_PAGE);
	push();
	ck_assert_uint_eq(submitted_count, 0);
	expect_answer(1, BLKIF_OP_WRITE, BLKIF_RSP_ERROR);
	one_queue_stop();
}
END_TEST

/*
 * Requests beyond the limit on grants stay in the ring until others are answered, and none is lost. The page of segments counts
 * while it is mapped.
 */
START_TEST(limited_grants)
{
	uint32_t answered = 0;

	start(BLKIF_X86_64);
	/* 8 are set aside for this queue, and of the 24 that are common it has half. */
	blkif_stock_init(&turn.grants, 32, 1);
	set_segments(SEGMENT_PAGE, 100, 10);
	for (uint32_t i = 0; i < 12; i++)
		small_ring_put_indirect(&frontend, BLKIF_OP_READ, i, 0, 10, SEGMENT_PAGE);
	front_ring_push(&frontend);
	while (answered < 12) {
		uint32_t first = answered;

		ck_assert(!blkif_take(queue, 64));
		ck_assert_uint_eq(turn.grants.used, 2 * 11);
		ck_assert(blkif_queue_full(queue));
		blkif_start(&turn);
		ck_assert_uint_eq(submitted_count, first + 2);
		ck_assert_uint_eq(turn.grants.used, 2 * 10);
		while (answered < submitted_count)
			blkif_complete(submitted[answered++], 0);
		blkif_finish(&turn);
		ck_assert_uint_eq(turn.grants.used, 0);
		ck_assert_int_eq(turn.grants.left, 24);
	}
	one_queue_stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, carried_out, 0, 2);
	tcase_add_test(test_case, points_at_itself);
	tcase_add_test(test_case, changed_after_the_copy);
	tcase_add_loop_test(test_case, refused_row, 0, sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(test_case, bad_grant);
	tcase_add_test(test_case, limited_grants);
}

CHECK_MAIN("indirect", add_tests)
