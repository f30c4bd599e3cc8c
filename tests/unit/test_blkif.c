// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A queue without a loop: what a backend is asked for, in which order, and what the frontend is answered. The
 * backend here completes nothing by itself; each test does that.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <xen/io/blkif.h>

#include "check_main.h"
#include "one_queue.h"

static struct xvhost_request *submitted[1024];
static uint32_t submitted_count;

static int test_open(struct xvhost_disk *disk, const void *config, struct xvhost_disk_properties *properties)
{
	(void)disk;
	(void)config;
	(void)properties;
	return 0;
}

static void test_close(struct xvhost_disk *disk)
{
	(void)disk;
}

static void test_submit(struct xvhost_request *request)
{
	submitted[submitted_count++] = request;
}

static const struct xvhost_disk_backend backend = {
	.size = sizeof(backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "test",
	.request_size = 24,
	.open = test_open,
	.close = test_close,
	.submit = test_submit,
};

static void start(enum blkif_protocol protocol, uint32_t ring_pages, uint32_t disk_flags)
{
	const struct xvhost_disk_backend *const backends[] = {&backend};

	one_queue_start(protocol, ring_pages, disk_flags, backends, 1);
}

/* find - a submitted request of this kind. */
static struct xvhost_request *find(uint32_t operation)
{
	for (uint32_t i = 0; i < submitted_count; i++)
		if (submitted[i]->operation == operation)
			return submitted[i];
	ck_abort_msg("nothing of operation %u was submitted", operation);
	return NULL;
}

/* expect_any_answer - each id from UINT64_MAX downwards comes once. */
static void expect_any_answer(uint8_t operation, int16_t status)
{
	static bool answered[512];
	static uint32_t count;
	struct front_response response;

	ck_assert(small_ring_take(&frontend, &response));
	ck_assert_uint_eq(response.operation, operation);
	ck_assert_int_eq(response.status, status);
	ck_assert_uint_lt(UINT64_MAX - response.id, frontend.size);
	ck_assert(!answered[UINT64_MAX - response.id]);
	answered[UINT64_MAX - response.id] = true;
	if (++count == frontend.size) {
		memset(answered, 0, sizeof(answered));
		count = 0;
	}
}

static void expect_no_answer(void)
{
	struct front_response response;

	ck_assert(!small_ring_take(&frontend, &response));
}

static const struct front_segment page_20 = {20, 0, 7, 0};

/* protocol and ring pages of the loop tests */
static const struct {
	enum blkif_protocol protocol;
	uint32_t ring_pages;
} rings[] = {
	{BLKIF_X86_64, 1}, {BLKIF_X86_64, 2}, {BLKIF_X86_64, 4}, {BLKIF_X86_64, 8}, {BLKIF_X86_64, 16},
	{BLKIF_X86_32, 1}, {BLKIF_X86_32, 2}, {BLKIF_X86_32, 4}, {BLKIF_X86_32, 8}, {BLKIF_X86_32, 16},
};

/* The ring filled to its last entry, completed backwards, again and again. */
START_TEST(full_ring)
{
	start(rings[_i].protocol, rings[_i].ring_pages, XVHOST_DISK_FLUSH);
	ck_assert_uint_eq(queue->ring.size, frontend.size);
	for (uint32_t round = 0; round < 5; round++) {
		submitted_count = 0;
		for (uint32_t i = 0; i < frontend.size; i++) {
			struct front_segment segment = {20 + i, 1, 2, 0};

			small_ring_put(&frontend, BLKIF_OP_WRITE, UINT64_MAX - i, i, 1, &segment);
			memset(small_guest_page(20 + i), (int)i, PAGE_BYTES);
		}
		front_ring_push(&frontend);
		for (uint32_t i = 0; i < frontend.size; i += 64)
			one_turn();
		ck_assert_uint_eq(submitted_count, frontend.size);
		for (uint32_t i = submitted_count; i-- > 0;) {
			ck_assert_uint_eq(submitted[i]->operation, XVHOST_WRITE);
			ck_assert_uint_eq(submitted[i]->offset, i * 512);
			ck_assert_uint_eq(submitted[i]->length, 1024);
			ck_assert_uint_eq(submitted[i]->iov_count, 1);
			ck_assert_uint_eq(submitted[i]->iov->iov_len, 1024);
			ck_assert_uint_eq((uintptr_t)submitted[i]->scratch % 16, 0);
			ck_assert_mem_eq(submitted[i]->iov->iov_base, (char *)small_guest_page(20 + i) + 512,
					 1024);
			blkif_complete(submitted[i], 0);
		}
		one_turn();
		for (uint32_t i = 0; i < frontend.size; i++)
			expect_any_answer(BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
		expect_no_answer();
	}
	one_queue_stop();
}
END_TEST

/* Pages that follow each other in memory become one iovec; parts of pages can't. */
START_TEST(iovecs)
{
	static const struct front_segment whole[] = {{50, 0, 7, 0}, {30, 0, 7, 0}, {40, 0, 7, 0}};
	static const struct front_segment parts[] = {
		{50, 4, 7, 0}, {30, 0, 7, 0}, {40, 0, 2, 0}, {41, 1, 1, 0}};

	start(BLKIF_X86_64, 1, 0);
	small_ring_put(&frontend, BLKIF_OP_READ, 1, 8, 3, whole);
	small_ring_put(&frontend, BLKIF_OP_WRITE, 2, 9, 4, parts);
	front_ring_push(&frontend);
	one_turn();
	ck_assert_uint_eq(submitted_count, 2);
	ck_assert_uint_eq(submitted[0]->iov_count, 1);
	ck_assert_uint_eq(submitted[0]->iov->iov_len, 3 * PAGE_BYTES);
	memset(submitted[0]->iov->iov_base, 0x5a, 3 * PAGE_BYTES);
	ck_assert_uint_eq(*(uint8_t *)small_guest_page(30), 0x5a);
	ck_assert_uint_eq(submitted[1]->length, (4 + 8 + 3 + 1) * 512);
	ck_assert_uint_eq(submitted[1]->iov_count, 2);
	ck_assert_uint_eq(submitted[1]->iov[0].iov_len, (4 + 8 + 3) * 512);
	ck_assert_uint_eq(submitted[1]->iov[1].iov_len, 512);
	blkif_complete(submitted[0], 0);
	blkif_complete(submitted[1], 0);
	one_turn();
	one_queue_stop();
}
END_TEST

/* Memory is writable for us only where the device is to write. */
START_TEST(permissions)
{
	start(BLKIF_X86_64, 1, 0);
	small_ring_put(&frontend, BLKIF_OP_READ, 1, 0, 1, &page_20);
	front_ring_push(&frontend);
	one_turn();
	ck_assert(small_guest_mapped_writable());
	small_ring_put(&frontend, BLKIF_OP_WRITE, 2, 0, 1, &page_20);
	front_ring_push(&frontend);
	one_turn();
	ck_assert(!small_guest_mapped_writable());
	blkif_complete(submitted[0], 0);
	blkif_complete(submitted[1], 0);
	one_turn();
	one_queue_stop();
}
END_TEST

/* A flush without data is one step; on a disk without a cache it is none. */
START_TEST(flush)
{
	start(BLKIF_X86_64, 1, _i ? XVHOST_DISK_FLUSH : 0);
	small_ring_put(&frontend, BLKIF_OP_FLUSH_DISKCACHE, 1, 12345678, 0, NULL);
	front_ring_push(&frontend);
	one_turn();
	if (_i) {
		ck_assert_uint_eq(submitted_count, 1);
		ck_assert_uint_eq(submitted[0]->operation, XVHOST_FLUSH);
		ck_assert_uint_eq(submitted[0]->offset, 0);
		ck_assert_uint_eq(submitted[0]->length, 0);
		ck_assert_uint_eq(submitted[0]->iov_count, 0);
		expect_no_answer();
		blkif_complete(submitted[0], 0);
		one_turn();
	}
	expect_answer(1, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_RSP_OKAY);
	one_queue_stop();
}
END_TEST

/* A barrier waits for all before it, is flush, write, flush, and holds back all after it. */
START_TEST(barrier)
{
	start(BLKIF_X86_64, 1, XVHOST_DISK_FLUSH);
	small_ring_put(&frontend, BLKIF_OP_WRITE, 1, 0, 1, &page_20);
	small_ring_put(&frontend, BLKIF_OP_WRITE, 2, 8, 1, &page_20);
	small_ring_put(&frontend, BLKIF_OP_WRITE_BARRIER, 3, 16, 1, &page_20);
	small_ring_put(&frontend, BLKIF_OP_WRITE, 4, 24, 1, &page_20);
	front_ring_push(&frontend);
	one_turn();
	one_turn();
	ck_assert_uint_eq(submitted_count, 2);
	blkif_complete(submitted[1], 0);
	one_turn();
	ck_assert_uint_eq(submitted_count, 2);
	blkif_complete(submitted[0], 0);
	one_turn();
	ck_assert_uint_eq(submitted_count, 3);
	ck_assert_uint_eq(submitted[2]->operation, XVHOST_FLUSH);
	blkif_complete(submitted[2], 0);
	one_turn();
	ck_assert_uint_eq(submitted_count, 4);
	ck_assert_uint_eq(submitted[3]->operation, XVHOST_WRITE);
	ck_assert_uint_eq(submitted[3]->offset, 16 * 512);
	ck_assert_uint_eq(submitted[3]->length, PAGE_BYTES);
	blkif_complete(submitted[3], 0);
	one_turn();
	ck_assert_uint_eq(submitted_count, 5);
	ck_assert_uint_eq(submitted[4]->operation, XVHOST_FLUSH);
	queue->ready = false;
	blkif_complete(submitted[4], 0);
	one_turn();
	ck_assert(queue->ready);
	one_turn();
	ck_assert_uint_eq(submitted_count, 6);
	ck_assert_uint_eq(submitted[5]->offset, 24 * 512);
	blkif_complete(submitted[5], 0);
	one_turn();
	expect_answer(1, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
	expect_answer(2, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
	expect_answer(3, BLKIF_OP_WRITE_BARRIER, BLKIF_RSP_OKAY);
	expect_answer(4, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
	one_queue_stop();
}
END_TEST

/* A step that fails ends the request; the rest of its steps is not begun, and the queue goes on. */
START_TEST(barrier_fails)
{
	start(BLKIF_X86_64, 1, XVHOST_DISK_FLUSH);
	small_ring_put(&frontend, BLKIF_OP_WRITE_BARRIER, 1, 16, 1, &page_20);
	small_ring_put(&frontend, BLKIF_OP_WRITE, 2, 24, 1, &page_20);
	front_ring_push(&frontend);
	one_turn();
	ck_assert_uint_eq(submitted_count, 1);
	blkif_complete(submitted[0], -EIO);
	one_turn();
	one_turn();
	ck_assert_uint_eq(submitted_count, 2);
	ck_assert_uint_eq(submitted[1]->operation, XVHOST_WRITE);
	blkif_complete(submitted[1], 0);
	one_turn();
	expect_answer(1, BLKIF_OP_WRITE_BARRIER, BLKIF_RSP_ERROR);
	expect_answer(2, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
	one_queue_stop();
}
END_TEST

/* Requests that are refused are answered, each by itself, and never reach the backend. */
START_TEST(refused)
{
	static const struct front_segment bad_sector = {20, 0, 9, 0},
					  bad_grant = {SMALL_GUEST_BAD_GREF, 0, 7, 0};
	static const struct front_segment many[11] = {{20, 0, 7, 0}};

	start(BLKIF_X86_64, 1, 0);
	small_ring_put(&frontend, BLKIF_OP_READ, 1, 0, 1, &bad_sector);
	small_ring_put(&frontend, BLKIF_OP_READ, 2, 0, 1, &bad_grant);
	small_ring_put(&frontend, BLKIF_OP_READ, 3, 0, 1, &page_20);
	small_ring_put(&frontend, 77, 4, 0, 1, &page_20);
	small_ring_put(&frontend, BLKIF_OP_WRITE, 5, 993, 1, &page_20);
	small_ring_put(&frontend, BLKIF_OP_WRITE, 6, 0, 200, many);
	front_ring_push(&frontend);
	one_turn();
	ck_assert_uint_eq(submitted_count, 1);
	blkif_complete(submitted[0], -ENOSPC);
	one_turn();
	expect_answer(1, BLKIF_OP_READ, BLKIF_RSP_ERROR);
	expect_answer(4, 77, BLKIF_RSP_EOPNOTSUPP);
	expect_answer(5, BLKIF_OP_WRITE, BLKIF_RSP_ERROR);
	expect_answer(6, BLKIF_OP_WRITE, BLKIF_RSP_ERROR);
	expect_answer(2, BLKIF_OP_READ, BLKIF_RSP_ERROR);
	expect_answer(3, BLKIF_OP_READ, BLKIF_RSP_ERROR);
	ck_assert_uint_eq(queue->counters.errors, 6);
	one_queue_stop();
}
END_TEST

/* A discard that is to leave nothing behind is one to a backend that can; others answer as blkif has it. */
START_TEST(secure_discard)
{
	struct front_wire wire = {.operation = BLKIF_OP_DISCARD,
				  .id = 1,
				  .flag = BLKIF_DISCARD_SECURE,
				  .sector = 8,
				  .discard_sectors = 16};

	start(BLKIF_X86_64, 1, XVHOST_DISK_DISCARD | (_i ? XVHOST_DISK_SECURE_DISCARD : 0));
	front_ring_put(&frontend, &wire);
	wire.id = 2;
	wire.flag = 0;
	front_ring_put(&frontend, &wire);
	front_ring_push(&frontend);
	one_turn();
	ck_assert_uint_eq(submitted_count, _i ? 2 : 1);
	ck_assert_uint_eq(submitted[submitted_count - 1]->operation, XVHOST_DISCARD);
	if (_i) {
		ck_assert_uint_eq(submitted[0]->operation, XVHOST_SECURE_DISCARD);
		ck_assert_uint_eq(submitted[0]->offset, 8 * 512);
		ck_assert_uint_eq(submitted[0]->length, 16 * 512);
		blkif_complete(submitted[0], 0);
	}
	blkif_complete(submitted[submitted_count - 1], -EOPNOTSUPP);
	one_turn();
	expect_answer(1, BLKIF_OP_DISCARD, _i ? BLKIF_RSP_OKAY : BLKIF_RSP_EOPNOTSUPP);
	expect_answer(2, BLKIF_OP_DISCARD, BLKIF_RSP_EOPNOTSUPP);
	one_queue_stop();
}
END_TEST

START_TEST(broken_ring)
{
	start(BLKIF_X86_64, 1, 0);
	small_ring_put(&frontend, BLKIF_OP_READ, 1, 0, 1, &page_20);
	front_ring_push(&frontend);
	one_turn();
	ck_assert(!queue->broken);
	frontend.request_producer += 40;
	front_ring_push(&frontend);
	ck_assert(!blkif_take(queue, 64));
	ck_assert(queue->broken);
	ck_assert_uint_eq(submitted_count, 1);
	/* Put right again, it stays broken; what was taken is finished. */
	frontend.request_producer -= 40;
	front_ring_push(&frontend);
	blkif_complete(submitted[0], 0);
	one_turn();
	expect_answer(1, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	ck_assert_uint_eq(submitted_count, 1);
	one_queue_stop();
}
END_TEST

/* The request is what it was when it was copied, whatever the guest writes there afterwards. */
START_TEST(changed_after_the_copy)
{
	start(BLKIF_X86_64, 1, 0);
	small_ring_put(&frontend, BLKIF_OP_WRITE, 1, 100, 1, &page_20);
	front_ring_push(&frontend);
	blkif_take(queue, 64);
	memset((char *)frontend.pages[0] + 64, 0xff, 112);
	one_turn();
	ck_assert_uint_eq(submitted_count, 1);
	ck_assert_uint_eq(submitted[0]->operation, XVHOST_WRITE);
	ck_assert_uint_eq(submitted[0]->offset, 100 * 512);
	blkif_complete(submitted[0], 0);
	one_turn();
	expect_answer(1, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
	one_queue_stop();
}
END_TEST

/* put_reads - fill the ring, with ids from 0 on. */
static void put_reads(void)
{
	for (uint32_t i = 0; i < frontend.size; i++)
		small_ring_put(&frontend, BLKIF_OP_READ, i, i, 1, &(struct front_segment){20 + i, 0, 0, 0});
	front_ring_push(&frontend);
}

/* take_singly - all that can be, in turns of one request, so that they are unmapped independently of each other. */
static void take_singly(void)
{
	bool more;

	do {
		more = blkif_take(queue, 1);
		blkif_start(&turn);
	} while (more);
}

/* answer - those of put_reads that were submitted as the first-th and on. */
static void answer(uint32_t first, uint32_t count)
{
	struct ring_publication shown;

	for (uint32_t i = first; i < first + count; i++)
		blkif_complete(submitted[i], 0);
	blkif_finish(&turn);
	if (blkif_hand_over(queue, &shown))
		ring_show(&shown);
	for (uint32_t i = first; i < first + count; i++)
		expect_answer(i, BLKIF_OP_READ, BLKIF_RSP_OKAY);
}

/* A turn takes no more than its budget, nor more than the queue may have under way; the rest comes later. */
START_TEST(limits)
{
	start(BLKIF_X86_64, 1, 0);
	put_reads();
	/* 2 are set aside for this queue, and 2 for another one; of the 12 that are common it has half. */
	blkif_stock_init(&turn.requests, 16, 2);
	ck_assert(blkif_take(queue, 5));
	ck_assert_uint_eq(queue->in_flight, 5);
	blkif_start(&turn);
	take_singly();
	ck_assert_uint_eq(queue->in_flight, 8);
	/* The guest is not asked for more while nothing can be taken, but as soon as something can. */
	ck_assert(!blkif_take(queue, 64));
	ck_assert(!blkif_ask(queue));
	answer(0, 5);
	ck_assert(blkif_ask(queue));
	take_singly();
	ck_assert_uint_eq(queue->in_flight, 8);
	answer(5, 8);
	ck_assert_uint_eq(turn.requests.used, 0);
	ck_assert_int_eq(turn.requests.left, 12);
	one_queue_stop();
}
END_TEST

/* What other queues hold, and be it for ever, is not taken from what this one is sure of. */
START_TEST(shares)
{
	struct blkif_stock *stock = _i ? &turn.requests : &turn.grants;
	uint32_t others[2] = {0, 0};

	start(BLKIF_X86_64, 1, 0);
	put_reads();
	/* 4 for each; of the other 36 the first has half, the second half of what it left, and so on. */
	blkif_stock_init(stock, 48, 3);
	for (uint32_t i = 0; i < 2; i++)
		while (blkif_stock_may_take(stock, others[i]))
			blkif_stock_set(stock, &others[i], others[i] + 1);
	ck_assert_uint_eq(others[0], 4 + 18);
	ck_assert_uint_eq(others[1], 4 + 9);
	take_singly();
	ck_assert_uint_eq(queue->in_flight, 4 + 5);
	/* A request that is large takes what is left and more. */
	blkif_stock_set(stock, &others[1], others[1] + 10);
	for (uint32_t i = 0; i < 9; i++) {
		answer(i, 1);
		take_singly();
		ck_assert_uint_eq(queue->in_flight, i < 5 ? 8 - i : 4);
	}
	answer(9, 4);
	one_queue_stop();
}
END_TEST

/* While the loop looks by itself the frontend is not asked to notify; it is notified only as it asked. */
START_TEST(suppressed_notifications)
{
	start(BLKIF_X86_64, 1, 0);
	small_ring_put(&frontend, BLKIF_OP_READ, 1, 0, 1, &page_20);
	ck_assert(front_ring_push(&frontend));
	/* Not taken yet: the backend knows already. */
	small_ring_put(&frontend, BLKIF_OP_WRITE, 2, 0, 1, &page_20);
	ck_assert(!front_ring_push(&frontend));
	ck_assert(!one_turn());
	/* The ring was found empty: asked again when there is nothing else to do, and once. */
	ck_assert(!blkif_ask(queue));
	small_ring_put(&frontend, BLKIF_OP_READ, 3, 0, 1, &page_20);
	ck_assert(front_ring_push(&frontend));
	ck_assert(!blkif_ask(queue));
	one_turn();
	/* What came before it was asked is found by asking. */
	small_ring_put(&frontend, BLKIF_OP_READ, 4, 0, 1, &page_20);
	ck_assert(!front_ring_push(&frontend));
	ck_assert(blkif_ask(queue));
	one_turn();
	blkif_complete(find(XVHOST_WRITE), 0);
	ck_assert(one_turn());
	/* The frontend has not looked since: no second notification. */
	blkif_complete(find(XVHOST_READ), 0);
	ck_assert(!one_turn());
	expect_answer(2, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
	expect_answer(1, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	expect_no_answer();
	blkif_complete(submitted[2], 0);
	blkif_complete(submitted[3], 0);
	ck_assert(one_turn());
	one_queue_stop();
}
END_TEST

/*
 * Requests that were taken together are unmapped and answered together, those of each direction for
 * themselves; a bad grant among them fails alone.
 */
START_TEST(groups)
{
	static const struct front_segment bad_grant = {SMALL_GUEST_BAD_GREF, 0, 7, 0};

	start(BLKIF_X86_64, 1, 0);
	for (uint32_t i = 0; i < 3; i++)
		small_ring_put(&frontend, BLKIF_OP_READ, i, i, 1, &(struct front_segment){20 + i, 0, 7, 0});
	small_ring_put(&frontend, BLKIF_OP_WRITE, 3, 3, 1, &(struct front_segment){23, 0, 7, 0});
	front_ring_push(&frontend);
	one_turn();
	ck_assert_uint_eq(submitted_count, 4);
	ck_assert_int_eq(small_guest_mapped(), 1 + 4);
	blkif_complete(submitted[1], 0);
	blkif_complete(submitted[0], -EIO);
	one_turn();
	expect_no_answer();
	blkif_complete(submitted[3], 0);
	one_turn();
	expect_answer(3, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
	expect_no_answer();
	ck_assert_int_eq(small_guest_mapped(), 1 + 3);
	blkif_complete(submitted[2], 0);
	one_turn();
	ck_assert_int_eq(small_guest_mapped(), 1);
	expect_answer(0, BLKIF_OP_READ, BLKIF_RSP_ERROR);
	expect_answer(1, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	expect_answer(2, BLKIF_OP_READ, BLKIF_RSP_OKAY);

	submitted_count = 0;
	small_ring_put(&frontend, BLKIF_OP_READ, 4, 0, 1, &page_20);
	small_ring_put(&frontend, BLKIF_OP_READ, 5, 0, 1, &bad_grant);
	small_ring_put(&frontend, BLKIF_OP_READ, 6, 0, 1, &page_20);
	front_ring_push(&frontend);
	one_turn();
	expect_answer(5, BLKIF_OP_READ, BLKIF_RSP_ERROR);
	ck_assert_uint_eq(submitted_count, 2);
	blkif_complete(submitted[0], 0);
	blkif_complete(submitted[1], 0);
	one_turn();
	expect_answer(4, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	expect_answer(6, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	one_queue_stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, full_ring, 0, sizeof(rings) / sizeof(rings[0]));
	tcase_add_test(test_case, iovecs);
	tcase_add_test(test_case, permissions);
	tcase_add_loop_test(test_case, flush, 0, 2);
	tcase_add_test(test_case, barrier);
	tcase_add_test(test_case, barrier_fails);
	tcase_add_test(test_case, refused);
	tcase_add_loop_test(test_case, secure_discard, 0, 2);
	tcase_add_test(test_case, broken_ring);
	tcase_add_test(test_case, changed_after_the_copy);
	tcase_add_test(test_case, limits);
	tcase_add_loop_test(test_case, shares, 0, 2);
	tcase_add_test(test_case, suppressed_notifications);
	tcase_add_test(test_case, groups);
}

CHECK_MAIN("blkif", add_tests)
