// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's side by itself: what it writes into a ring, and what it says of a host that answers wrongly. The test is
 * the host.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <xen/io/blkif.h>

#include "check_main.h"
#include "rings/ring.h"
#include "sim/blkif_frontend.h"

#define DOMID 5

static struct sim_machine *machine;
static struct sim_guest *guest;
static struct blkif_frontend *frontend;
static struct front_queue *queue;

static void start(enum blkif_protocol protocol, bool persistent, uint32_t segments)
{
	const struct sim_guest_options with = {.domid = DOMID, .pages = 2048};
	const struct blkif_features features = {
		.sectors = 1000, .indirect_segments = 256, .discard = true, .flush = true};
	struct blkif_frontend_options options = {.protocol = protocol,
						 .persistent = persistent,
						 .segments = segments,
						 .device_id = 51712,
						 .depth = 4};

	machine = sim_machine_create(3);
	ck_assert_int_eq(sim_guest_create(machine, &with, &guest), 0);
	options.guest = guest;
	ck_assert_int_eq(blkif_frontend_create(&options, &frontend), 0);
	ck_assert_int_eq(blkif_frontend_set_up(frontend, &features), 0);
	queue = &frontend->queues[0];
}

static void stop(void)
{
	ck_assert_uint_eq(blkif_frontend_destroy(frontend), 0);
	sim_guest_destroy(guest);
	sim_machine_destroy(machine);
}

static struct ring_header *header(void)
{
	return (struct ring_header *)queue->ring.pages[0];
}

/* entry - of the ring's first page. */
static uint8_t *entry(uint32_t at)
{
	return queue->ring.pages[0] + sizeof(struct ring_header) + at * queue->ring.entry_bytes;
}

/* put - a request of so many sectors. */
static struct front_request *put(uint8_t operation, uint32_t sectors)
{
	struct front_request *request = front_take(queue);

	ck_assert_ptr_nonnull(request);
	request->operation = operation;
	request->sector = 0x123456789a;
	request->discard_sectors = 0xabcdef0123;
	front_set_data(request, 2, sectors);
	ck_assert_int_eq(front_put(queue, request), 0);
	return request;
}

/* answer - the next response, in the layout of both ABIs. */
static void answer(uint64_t id, uint8_t operation, int16_t status)
{
	uint8_t *at = entry(header()->response_producer % queue->ring.size);

	memcpy(at, &id, 8);
	at[8] = operation;
	memcpy(at + 10, &status, 2);
	header()->response_producer++;
}

/* What lies in the ring, byte for byte as blkif.h has it. */
START_TEST(direct_request)
{
	struct front_request *request;
	struct blkif_request wire;

	start(BLKIF_X86_64, true, 3);
	request = put(BLKIF_OP_WRITE, 16);
	front_push(queue);
	ck_assert_uint_eq(header()->request_producer, 1);
	memcpy(&wire, entry(0), sizeof(wire));
	ck_assert_uint_eq(wire.operation, BLKIF_OP_WRITE);
	ck_assert_uint_eq(wire.nr_segments, 3);
	ck_assert_uint_eq(wire.handle, 51712);
	ck_assert_uint_eq(wire.id, request->id);
	ck_assert_uint_eq(wire.sector_number, 0x123456789a);
	ck_assert_uint_eq(wire.seg[0].first_sect, 2);
	ck_assert_uint_eq(wire.seg[0].last_sect, 7);
	ck_assert_uint_eq(wire.seg[1].first_sect, 0);
	ck_assert_uint_eq(wire.seg[1].last_sect, 7);
	ck_assert_uint_eq(wire.seg[2].first_sect, 0);
	ck_assert_uint_eq(wire.seg[2].last_sect, 1);
	ck_assert_uint_eq(wire.seg[2].gref, request->segments[2].gref);
	stop();
}
END_TEST

/* The 32-bit layout: all from the id on is 4 bytes earlier. */
START_TEST(direct_request_32)
{
	struct front_request *request;
	uint64_t value;
	uint32_t gref;

	start(BLKIF_X86_32, true, 1);
	put(BLKIF_OP_READ, 1);
	request = put(BLKIF_OP_READ, 3);
	front_push(queue);
	ck_assert_uint_eq(queue->ring.entry_bytes, 108);
	memcpy(&value, entry(1) + 4, 8);
	ck_assert_uint_eq(value, request->id);
	memcpy(&value, entry(1) + 12, 8);
	ck_assert_uint_eq(value, 0x123456789a);
	memcpy(&gref, entry(1) + 20, 4);
	ck_assert_uint_eq(gref, request->segments[0].gref);
	ck_assert_uint_eq(entry(1)[24], 2);
	ck_assert_uint_eq(entry(1)[25], 4);
	stop();
}
END_TEST

START_TEST(indirect_request)
{
	const struct blkif_request_segment *described;
	struct blkif_request_indirect wire;
	struct front_request *request;

	start(BLKIF_X86_64, true, 20);
	request = put(BLKIF_OP_READ, 100);
	front_push(queue);
	memcpy(&wire, entry(0), sizeof(wire));
	ck_assert_uint_eq(wire.operation, BLKIF_OP_INDIRECT);
	ck_assert_uint_eq(wire.indirect_op, BLKIF_OP_READ);
	ck_assert_uint_eq(wire.nr_segments, 13);
	ck_assert_uint_eq(wire.handle, 51712);
	ck_assert_uint_eq(wire.id, request->id);
	ck_assert_uint_eq(wire.sector_number, 0x123456789a);
	ck_assert_uint_eq(wire.indirect_grefs[0], request->indirect_grefs[0]);
	described = (const void *)request->indirect_pages[0];
	ck_assert_uint_eq(described[12].gref, request->segments[12].gref);
	ck_assert_uint_eq(described[12].first_sect, 0);
	ck_assert_uint_eq(described[12].last_sect, 5);
	stop();
}
END_TEST

START_TEST(discard_request)
{
	struct blkif_request_discard wire;
	struct front_request *request;

	start(BLKIF_X86_64, true, 1);
	request = put(BLKIF_OP_DISCARD, 1);
	front_push(queue);
	memcpy(&wire, entry(0), sizeof(wire));
	ck_assert_uint_eq(wire.operation, BLKIF_OP_DISCARD);
	ck_assert_uint_eq(wire.flag, 0);
	ck_assert_uint_eq(wire.id, request->id);
	ck_assert_uint_eq(wire.sector_number, 0x123456789a);
	ck_assert_uint_eq(wire.nr_sectors, 0xabcdef0123);
	stop();
}
END_TEST

/* A grant for each use, which ends with the answer; or one for all. */
START_TEST(grants)
{
	struct front_request *request;
	uint32_t gref;
	int error;

	start(BLKIF_X86_64, _i, 1);
	request = put(BLKIF_OP_WRITE, 1);
	gref = request->segments[0].gref;
	/* Read-only, since the host only reads; unless it stays for a read. */
	ck_assert_int_eq(!(*(uint16_t *)sim_grant_entry(guest, gref) & GTF_readonly), _i);
	front_push(queue);
	answer(request->id, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
	ck_assert_ptr_eq(front_reap(queue, &error), request);
	ck_assert_int_eq(*(uint16_t *)sim_grant_entry(guest, gref) & GTF_type_mask, _i);
	front_give_back(queue, request);
	stop();
}
END_TEST

/* A host that has a page mapped still when it answers is found out, and the request is not used until that is over. */
START_TEST(busy_grant)
{
	const struct platform *platform;
	struct front_request *request, *others[4];
	struct grants *host;
	void *page, *mapping;
	int error;

	start(BLKIF_X86_64, false, 1);
	platform = sim_platform(machine);
	ck_assert_int_eq(platform->grants_open(platform, &host), 0);
	request = put(BLKIF_OP_WRITE, 1);
	ck_assert_int_eq(platform->grants_map(host, DOMID, &request->segments[0].gref, 1, false, true, &page,
					      &mapping),
			 0);
	front_push(queue);
	answer(request->id, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
	ck_assert_ptr_eq(front_reap(queue, &error), request);
	ck_assert(request->busy);
	ck_assert_uint_eq(queue->busy_grants, 1);
	front_give_back(queue, request);
	for (int i = 0; i < 3; i++)
		ck_assert_ptr_nonnull(others[i] = front_take(queue));
	ck_assert_ptr_null(front_take(queue));
	ck_assert_int_eq(platform->grants_unmap(host, mapping, 1), 0);
	front_give_back(queue, request);
	ck_assert_ptr_eq(front_take(queue), request);
	platform->grants_close(host);
	stop();
}
END_TEST

/* Answers that can't be; each ends the use of the ring with a text. */
START_TEST(wrong_answers)
{
	static const struct {
		uint64_t id_change;
		uint8_t operation;
		int16_t status;
		int times;
		const char *text;
	} rows[] = {
		{2, BLKIF_OP_READ, 0, 1, "has an id that no request in flight has"},
		{9, BLKIF_OP_READ, 0, 1, "has an id that no request had"},
		{1 << 16, BLKIF_OP_READ, 0, 1, "has an id that no request in flight has"},
		{UINT64_C(1) << 63, BLKIF_OP_READ, 0, 1, "has an id that no request in flight has"},
		{0, BLKIF_OP_WRITE, 0, 1, "has another operation than its request"},
		{0, BLKIF_OP_INDIRECT, 0, 1, "has another operation than its request"},
		{0, BLKIF_OP_READ, 1, 1, "has a status that blkif does not have"},
		{0, BLKIF_OP_READ, -3, 1, "has a status that blkif does not have"},
		{0, BLKIF_OP_READ, 0, 2, "answers a request that was answered before"},
		{0, BLKIF_OP_READ, 0, 3, "shows more responses than there were requests"},
	};
	struct front_request *request;
	int error;

	start(_i % 2 ? BLKIF_X86_64 : BLKIF_X86_32, false, 1);
	request = put(BLKIF_OP_READ, 1);
	put(BLKIF_OP_READ, 1);
	front_push(queue);
	for (int i = 0; i < rows[_i].times; i++)
		answer(request->id ^ rows[_i].id_change, rows[_i].operation, rows[_i].status);
	for (int i = 1; i < rows[_i].times && rows[_i].times < 3; i++)
		ck_assert_ptr_eq(front_reap(queue, &error), request);
	ck_assert_ptr_null(front_reap(queue, &error));
	ck_assert_int_eq(error, -EPROTO);
	ck_assert_msg(strstr(queue->error, rows[_i].text), "%s", queue->error);
	stop();
}
END_TEST

/* The host is notified only as it asked; and asks are made so that no answer is missed. */
START_TEST(notifications)
{
	struct front_request *request;
	int error;

	start(BLKIF_X86_64, true, 1);
	request = put(BLKIF_OP_READ, 1);
	front_push(queue);
	ck_assert_uint_eq(queue->notifications, 1);
	put(BLKIF_OP_READ, 1);
	front_push(queue);
	ck_assert_uint_eq(queue->notifications, 1);
	header()->request_event = 3;
	put(BLKIF_OP_READ, 1);
	front_push(queue);
	ck_assert_uint_eq(queue->notifications, 2);
	ck_assert_int_eq(front_wait(queue, 0), 0);
	ck_assert_uint_eq(header()->response_event, 1);
	answer(request->id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	ck_assert_int_eq(front_wait(queue, 0), 1);
	ck_assert_ptr_eq(front_reap(queue, &error), request);
	ck_assert_ptr_null(front_reap(queue, &error));
	ck_assert_int_eq(error, 0);
	ck_assert_int_eq(front_wait(queue, 10), 0);
	ck_assert_uint_eq(header()->response_event, 2);
	stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_test(test_case, direct_request);
	tcase_add_test(test_case, direct_request_32);
	tcase_add_test(test_case, indirect_request);
	tcase_add_test(test_case, discard_request);
	tcase_add_loop_test(test_case, grants, 0, 2);
	tcase_add_test(test_case, busy_grant);
	tcase_add_loop_test(test_case, wrong_answers, 0, 10);
	tcase_add_test(test_case, notifications);
}

CHECK_MAIN("frontend", add_tests)
