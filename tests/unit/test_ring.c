// SPDX-License-Identifier: GPL-2.0-or-later
/* The arithmetic of a shared ring: sizes, wrap-around of the counters, impossible counters, notifications. */
#include "check_main.h"
#include "rings/ring.h"

#define ENTRY 112u

static uint8_t pages[4096 * 16] __attribute__((aligned(4096)));

static struct ring_header *header(void)
{
	return (struct ring_header *)pages;
}

/* attach_at - a ring of one page whose counters stand at `at`. */
static struct ring attach_at(uint32_t at)
{
	struct ring ring;

	memset(pages, 0, sizeof(pages));
	header()->request_producer = at;
	header()->response_producer = at;
	ck_assert_int_eq(ring_attach(&ring, pages, 4096, ENTRY), 0);
	return ring;
}

/* publish - returns true if the frontend has asked to be notified. */
static bool publish(struct ring *ring)
{
	struct ring_publication shown;

	return ring_hand_over(ring, &shown) && ring_show(&shown);
}

START_TEST(sizes)
{
	/* As Linux computes them for 1, 2, 4, 8 and 16 pages. */
	static const uint32_t x86_64[] = {32, 64, 128, 256, 512}, x86_32[] = {32, 64, 128, 256, 512};

	for (unsigned int order = 0; order <= 4; order++) {
		ck_assert_uint_eq(ring_size(4096u << order, 112), x86_64[order]);
		ck_assert_uint_eq(ring_size(4096u << order, 108), x86_32[order]);
	}
	ck_assert_uint_eq(ring_size(64, 112), 0);
	ck_assert_uint_eq(ring_size(64 + 111, 112), 0);
	ck_assert_uint_eq(ring_size(64 + 112, 112), 1);
	ck_assert_uint_eq(ring_size(64 + 3 * 112, 112), 2);
}
END_TEST

static const uint32_t starts[] = {0, 1, 31, 32, 0x7ffffff0u, 0xffffffe0u, 0xffffffffu};

/* Every request is taken once, in order, across the wrap of the counters. */
START_TEST(take_and_answer)
{
	struct ring ring = attach_at(starts[_i]);
	uint8_t entry[ENTRY], response[16] = {0};
	uint32_t producer;

	for (uint32_t round = 0; round < 100; round++) {
		for (uint32_t i = 0; i < 32; i++) {
			uint32_t at = header()->request_producer & 31;

			memset(pages + 64 + at * ENTRY, (int)i + 1, ENTRY);
			header()->request_producer++;
		}
		ck_assert_int_eq(ring_pending(&ring, &producer), 32);
		for (uint32_t i = 0; i < 32; i++) {
			ring_take(&ring, entry);
			ck_assert_uint_eq(entry[0], i + 1);
			ck_assert_uint_eq(entry[ENTRY - 1], i + 1);
		}
		ck_assert_int_eq(ring_pending(&ring, &producer), 0);
		for (uint32_t i = 0; i < 32; i++) {
			response[0] = (uint8_t)(100 + i);
			ring_answer(&ring, response, sizeof(response));
		}
		publish(&ring);
		ck_assert_uint_eq(header()->response_producer, header()->request_producer);
		for (uint32_t i = 0; i < 32; i++)
			ck_assert_uint_eq(pages[64 + ((header()->response_producer - 32 + i) & 31) * ENTRY],
					  100 + i);
	}
}
END_TEST

/* What a frontend can't have asked for. */
START_TEST(impossible_counters)
{
	struct ring ring = attach_at(starts[_i]);
	uint32_t producer, start = starts[_i];
	uint8_t entry[ENTRY];

	header()->request_producer = start + 32;
	ck_assert_int_eq(ring_pending(&ring, &producer), 32);
	header()->request_producer = start + 33;
	ck_assert_int_eq(ring_pending(&ring, &producer), -EPROTO);
	ck_assert_uint_eq(producer, start + 33);
	header()->request_producer = start - 1;
	ck_assert_int_eq(ring_pending(&ring, &producer), -EPROTO);
	header()->request_producer = start + 0x80000000u;
	ck_assert_int_eq(ring_pending(&ring, &producer), -EPROTO);
	/* Backwards over what was taken, though not over what was answered. */
	header()->request_producer = start + 3;
	ck_assert_int_eq(ring_pending(&ring, &producer), 3);
	ring_take(&ring, entry);
	ring_take(&ring, entry);
	header()->request_producer = start + 1;
	ck_assert_int_eq(ring_pending(&ring, &producer), -EPROTO);
}
END_TEST

/* A second worker goes on where the first was drained. */
START_TEST(attach_again)
{
	struct ring ring;
	uint32_t producer;

	memset(pages, 0, sizeof(pages));
	header()->request_producer = 1005;
	header()->response_producer = 1000;
	ck_assert_int_eq(ring_attach(&ring, pages, 4096, ENTRY), 0);
	ck_assert_int_eq(ring_pending(&ring, &producer), 5);
	header()->response_producer = 1000 - 28;
	ck_assert_int_eq(ring_attach(&ring, pages, 4096, ENTRY), -EPROTO);
	header()->response_producer = 1006;
	ck_assert_int_eq(ring_attach(&ring, pages, 4096, ENTRY), -EPROTO);
}
END_TEST

/* The frontend is notified of the response that it asked for and of no other. */
START_TEST(notifications)
{
	uint32_t start = starts[_i];
	struct ring ring = attach_at(start);
	uint8_t response[16] = {0};

	ck_assert(!publish(&ring));
	header()->response_event = start + 3;
	ring_answer(&ring, response, sizeof(response));
	ck_assert(!publish(&ring));
	ring_answer(&ring, response, sizeof(response));
	ck_assert(!publish(&ring));
	ring_answer(&ring, response, sizeof(response));
	ck_assert(publish(&ring));
	/* Not asked again: no more of them. */
	ring_answer(&ring, response, sizeof(response));
	ck_assert(!publish(&ring));
	/* Several at once, the asked one among them. */
	header()->response_event = start + 6;
	for (int i = 0; i < 5; i++)
		ring_answer(&ring, response, sizeof(response));
	ck_assert(publish(&ring));
	ck_assert(!publish(&ring));
}
END_TEST

START_TEST(asks_for_the_next)
{
	struct ring ring = attach_at(starts[_i]);
	uint8_t entry[ENTRY];

	header()->request_producer += 2;
	ring_take(&ring, entry);
	ring_take(&ring, entry);
	ring_ask_notification(&ring);
	ck_assert_uint_eq(header()->request_event, starts[_i] + 3);
}
END_TEST

static void add_tests(TCase *test_case)
{
	const int count = sizeof(starts) / sizeof(starts[0]);

	tcase_add_test(test_case, sizes);
	tcase_add_loop_test(test_case, take_and_answer, 0, count);
	tcase_add_loop_test(test_case, impossible_counters, 0, count);
	tcase_add_test(test_case, attach_again);
	tcase_add_loop_test(test_case, notifications, 0, count);
	tcase_add_loop_test(test_case, asks_for_the_next, 0, count);
}

CHECK_MAIN("ring", add_tests)
