// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_cable.c - the two ends of a cable, between backends that do what the test says
 *
 * Backends receive and transmit by hand; what the cable does is asked for turn by turn. The first end is where packets are received.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_main.h"
#include "worker/cable_internal.h"

#define ENTRIES 64
#define BATCH 16
#define PACKETS (2 * CABLE_PACKETS_MAX)

static struct submissions io;
static struct cable_end *ends; /* CABLE_ENDS of them */

/* What the backends were called with. */
static struct xvhost_packet *transmitted[PACKETS], *delivered[PACKETS];
static int delivered_errors[PACKETS];
static uint32_t transmitted_count, delivered_count, room_count[CABLE_ENDS];
static bool ends_at_once;
static uint32_t done_number, done_count, ready_index, ready_count;
static int32_t done_result, ready_events;

static int queue_start(struct xvhost_net_queue *queue)
{
	queue->state = NULL;
	return 0;
}

static void queue_stop(struct xvhost_net_queue *queue)
{
	ck_assert(queue->flags & XVHOST_QUEUE_STOPPING);
}

static void transmit(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		ck_assert_ptr_eq(packets[i]->queue, queue);
		ck_assert_uint_lt(packets[i]->index, queue->packets_max);
		transmitted[transmitted_count++] = packets[i];
		if (ends_at_once)
			queue->net->host->transmitted(packets[i], 0);
	}
}

static void room(struct xvhost_net_queue *queue)
{
	room_count[cable_end_of(queue)->index]++;
}

static void deliver(struct xvhost_packet *packet, int error)
{
	delivered_errors[delivered_count] = error;
	delivered[delivered_count++] = packet;
}

static void io_done(struct xvhost_net_queue *queue, uint32_t number, int32_t result)
{
	(void)queue;
	done_number = number;
	done_result = result;
	done_count++;
}

static void ready(struct xvhost_net_queue *queue, uint32_t index, int32_t events)
{
	(void)queue;
	ready_index = index;
	ready_events = events;
	ready_count++;
}

static const struct xvhost_net_backend backend = {
	.size = sizeof(backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "by-hand",
	.queue_start = queue_start,
	.queue_stop = queue_stop,
	.transmit = transmit,
	.room = room,
	.delivered = deliver,
	.io_done = io_done,
	.ready = ready,
};

static void set_up(void)
{
	ck_assert_int_eq(submissions_init(&io, ENTRIES, ENTRIES), 0);
	ends = calloc(CABLE_ENDS, sizeof(*ends));
	ck_assert_ptr_nonnull(ends);
	for (uint32_t i = 0; i < CABLE_ENDS; i++) {
		struct cable_end *end = &ends[i];

		end->index = i;
		end->other = &ends[1 - i];
		end->io = &io;
		end->backend = &backend;
		end->properties = (struct xvhost_net_properties){.flags = XVHOST_NET_CHECKSUM_IPV4,
								 .operations = 4};
		end->net = (struct xvhost_net){.host = &cable_host, .name = "cable"};
		for (uint32_t index = 0; index < XVHOST_WATCHES_MAX; index++)
			end->watches[index].fd = -1;
	}
	for (uint32_t i = 0; i < CABLE_ENDS; i++)
		ck_assert_int_eq(cable_end_start(&ends[i]), 0);
	ck_assert_uint_eq(ends[0].queue.guest_takes, XVHOST_NET_CHECKSUM_IPV4);
}

/* turn - as cable.c's, but it may wait only if something is to come. */
static void turn(bool wait)
{
	struct submissions_done done[BATCH];
	uint32_t count;

	for (uint32_t i = 0; i < CABLE_ENDS; i++)
		cable_end_transmit(&ends[i]);
	for (uint32_t i = 0; i < CABLE_ENDS; i++)
		cable_end_give_back(&ends[i]);
	for (uint32_t i = 0; i < CABLE_ENDS; i++)
		cable_end_change_watches(&ends[i]);
	submissions_submit(&io, wait);
	count = submissions_reap(&io, done, BATCH);
	for (uint32_t i = 0; i < count; i++) {
		struct cable_end *end = &ends[done[i].data >> 16 & 1];

		if (done[i].data >> 56 == COMPLETION_NET_WATCH)
			cable_end_watch_done(end, done[i].data, done[i].result);
		else if (done[i].data >> 56 != COMPLETION_WAIT_ENDED)
			cable_end_done(end, done[i].data, done[i].result);
	}
}

static void tear_down(void)
{
	for (uint32_t i = 0; i < CABLE_ENDS; i++)
		cable_end_release(&ends[i]);
	turn(false);
	for (uint32_t i = 0; i < CABLE_ENDS; i++) {
		ck_assert(cable_end_is_idle(&ends[i]));
		cable_end_stop(&ends[i]);
	}
	submissions_exit(&io);
	free(ends);
}

static bool receive(struct xvhost_packet *packet)
{
	packet->queue = &ends[0].queue;
	return cable_host.receive(&ends[0].queue, packet);
}

/* end - as the second end's backend. */
static void end(uint32_t place, int error)
{
	cable_host.transmitted(transmitted[place], error);
}

/* ---- packets ---- */

/* make - a packet of `count` pieces of this many bytes each, all of which are different. */
static struct xvhost_packet make(uint8_t *bytes, struct iovec *pieces, uint32_t count, uint32_t piece_bytes)
{
	for (uint32_t i = 0; i < count * piece_bytes; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	for (uint32_t i = 0; i < count; i++)
		pieces[i] = (struct iovec){bytes + (size_t)i * piece_bytes, piece_bytes};
	return (struct xvhost_packet){.iov = pieces, .iov_count = count, .length = count * piece_bytes};
}

/* The first bytes are the host's, with room before them; the others stay where they are. */
START_TEST(first_bytes)
{
	static const uint32_t pieces_bytes[][2] = {{1, 14},   {1, 127}, {1, 128},  {1, 129},   {1, 65535},
						   {2, 64},   {2, 65},	{20, 6},   {20, 7},    {19, 200},
						   {3, 5000}, {13, 10}, {20, 128}, {16, 4095}, {14, 1}};
	uint32_t count = pieces_bytes[_i][0], piece_bytes = pieces_bytes[_i][1], at = 0;
	uint8_t *bytes = malloc((size_t)count * piece_bytes);
	struct iovec pieces[XVHOST_NET_IOVECS_MAX];
	struct xvhost_packet packet = make(bytes, pieces, count, piece_bytes), *seen;
	uint32_t private = packet.length < XVHOST_NET_HEADER_BYTES ? packet.length : XVHOST_NET_HEADER_BYTES;

	packet.flags = XVHOST_PACKET_CHECKSUM_BLANK | XVHOST_PACKET_CHECKSUM_GOOD;
	packet.checksum_start = 3;
	packet.checksum_offset = 5;
	ck_assert(receive(&packet));
	ck_assert(cable_end_is_due(&ends[1]));
	turn(false);
	ck_assert_uint_eq(transmitted_count, 1);
	seen = transmitted[0];
	ck_assert_uint_eq(seen->length, packet.length);
	ck_assert_uint_eq(seen->flags, packet.flags);
	ck_assert_uint_eq(seen->checksum_start, 3);
	ck_assert_uint_eq(seen->checksum_offset, 5);
	ck_assert_uint_eq(seen->iov[0].iov_len, private);
	ck_assert_uint_eq(((uintptr_t)seen->iov[0].iov_base - XVHOST_NET_HEADROOM_BYTES) % 16, 0);
	memset((uint8_t *)seen->iov[0].iov_base - XVHOST_NET_HEADROOM_BYTES, 0xee, XVHOST_NET_HEADROOM_BYTES);
	for (uint32_t i = 0; i < seen->iov_count; i++) {
		ck_assert_int_eq(memcmp(seen->iov[i].iov_base, bytes + at, seen->iov[i].iov_len), 0);
		ck_assert((i == 0) != (seen->iov[i].iov_base == bytes + at));
		at += (uint32_t)seen->iov[i].iov_len;
	}
	ck_assert_uint_eq(at, packet.length);
	/* What comes to stand in the packet's memory later is not seen in its first bytes. */
	memset(bytes, 0, private);
	ck_assert_uint_ne(((uint8_t *)seen->iov[0].iov_base)[5], 0);
	ck_assert_uint_eq(delivered_count, 0);
	end(0, 0);
	turn(false);
	ck_assert_uint_eq(delivered_count, 1);
	ck_assert_ptr_eq(delivered[0], &packet);
	ck_assert_int_eq(delivered_errors[0], 0);
	ck_assert_uint_eq(ends[1].packets_sent, 1);
	free(bytes);
}
END_TEST

/* A packet that can't be passed on is given back with an error, in its place among the others. */
START_TEST(refused)
{
	uint8_t bytes[20 * 200];
	struct iovec pieces[6][XVHOST_NET_IOVECS_MAX];
	struct xvhost_packet packets[6];
	const int errors[6] = {0, -EMSGSIZE, -EOPNOTSUPP, -EINVAL, -EINVAL, 0};

	for (uint32_t i = 0; i < 6; i++)
		packets[i] = make(bytes, pieces[i], 1, 100);
	packets[1] = make(bytes, pieces[1], XVHOST_NET_IOVECS_MAX, 200);
	packets[2].gso = XVHOST_GSO_TCPV4;
	packets[3].length++;
	packets[4] = make(bytes, pieces[4], 1, XVHOST_NET_BYTES_MIN - 1);
	for (uint32_t i = 0; i < 6; i++)
		ck_assert(receive(&packets[i]));
	turn(false);
	ck_assert_uint_eq(transmitted_count, 2);
	ck_assert_uint_eq(delivered_count, 0);
	end(0, 0);
	end(1, -EIO);
	turn(false);
	ck_assert_uint_eq(delivered_count, 6);
	for (uint32_t i = 0; i < 6; i++) {
		ck_assert_ptr_eq(delivered[i], &packets[i]);
		ck_assert_int_eq(delivered_errors[i], i == 5 ? -EIO : errors[i]);
	}
	ck_assert_uint_eq(ends[1].packets_sent, 1);
	ck_assert_uint_eq(ends[1].packets_failed, 5);
	ck_assert_uint_eq(ends[0].packets_sent + ends[0].packets_failed, 0);
}
END_TEST

/* Packets are given back in their order, however they end; when there are too many, the backend is told once of room. */
START_TEST(full)
{
	static uint8_t bytes[64];
	struct iovec piece = {bytes, sizeof(bytes)};
	struct xvhost_packet packets[PACKETS];

	for (uint32_t i = 0; i < PACKETS; i++)
		packets[i] = (struct xvhost_packet){.iov = &piece, .iov_count = 1, .length = sizeof(bytes)};
	for (uint32_t i = 0; i < CABLE_PACKETS_MAX; i++)
		ck_assert(receive(&packets[i]));
	ck_assert(!receive(&packets[CABLE_PACKETS_MAX]));
	ck_assert(!receive(&packets[CABLE_PACKETS_MAX]));
	turn(false);
	ck_assert_uint_eq(transmitted_count, CABLE_PACKETS_MAX);
	ck_assert(!cable_end_is_due(&ends[1]));
	/* All but the first have ended: there is no room yet. */
	for (uint32_t i = CABLE_PACKETS_MAX - 1; i > 0; i--)
		end(i, 0);
	turn(false);
	ck_assert_uint_eq(delivered_count + room_count[0], 0);
	ck_assert(!receive(&packets[CABLE_PACKETS_MAX]));
	end(0, 0);
	ck_assert(cable_end_is_due(&ends[1]));
	turn(false);
	ck_assert_uint_eq(delivered_count, CABLE_PACKETS_MAX);
	ck_assert_uint_eq(room_count[0], 1);
	ends_at_once = true;
	for (uint32_t i = CABLE_PACKETS_MAX; i < PACKETS; i++)
		ck_assert(receive(&packets[i]));
	turn(false);
	turn(false);
	ck_assert_uint_eq(delivered_count, PACKETS);
	for (uint32_t i = 0; i < PACKETS; i++)
		ck_assert_ptr_eq(delivered[i], &packets[i]);
	ck_assert_uint_eq(room_count[0], 1);
	ck_assert_uint_eq(room_count[1], 0);
}
END_TEST

/* Nothing more is taken; what was taken and not given to the other backend fails, and both are told once. */
START_TEST(stopping)
{
	static uint8_t bytes[64];
	struct iovec piece = {bytes, sizeof(bytes)};
	struct xvhost_packet packets[CABLE_PACKETS_MAX + 1];

	for (uint32_t i = 0; i <= CABLE_PACKETS_MAX; i++)
		packets[i] = (struct xvhost_packet){.iov = &piece, .iov_count = 1, .length = sizeof(bytes)};
	ck_assert(receive(&packets[0]));
	turn(false);
	for (uint32_t i = 1; i < CABLE_PACKETS_MAX; i++)
		ck_assert(receive(&packets[i]));
	ck_assert(!receive(&packets[CABLE_PACKETS_MAX]));
	for (uint32_t i = 0; i < CABLE_ENDS; i++)
		cable_end_release(&ends[i]);
	ck_assert(!receive(&packets[CABLE_PACKETS_MAX]));
	turn(false);
	ck_assert_uint_eq(transmitted_count, 1);
	ck_assert(!cable_end_is_idle(&ends[1]));
	end(0, 0);
	turn(false);
	ck_assert_uint_eq(delivered_count, CABLE_PACKETS_MAX);
	ck_assert_int_eq(delivered_errors[0], 0);
	ck_assert_int_eq(delivered_errors[1], -ECANCELED);
	ck_assert_uint_eq(room_count[0], 1);
	ck_assert_uint_eq(room_count[1], 1);
}
END_TEST

/* ---- operations ---- */

START_TEST(operations)
{
	const uint32_t number = CABLE_PACKETS_MAX + 2;
	char letters[8] = "abcdefg", got[8] = "";
	struct iovec out = {letters, 7}, in[2] = {{got, 3}, {got + 3, 4}};
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	cable_host.write(&ends[0].queue, number, fds[1], &out, 1);
	turn(true);
	ck_assert_uint_eq(done_count, 1);
	ck_assert_uint_eq(done_number, number);
	ck_assert_int_eq(done_result, 7);
	cable_host.read(&ends[1].queue, number, fds[0], in, 2);
	turn(true);
	ck_assert_uint_eq(done_count, 2);
	ck_assert_int_eq(done_result, 7);
	ck_assert_str_eq(got, "abcdefg");
	cable_host.wait(&ends[0].queue, number + 1, 1000000);
	turn(true);
	ck_assert_uint_eq(done_count, 3);
	ck_assert_uint_eq(done_number, number + 1);
	ck_assert_int_eq(done_result, -ETIME);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* What may wait for ever ends when the end is to stop. */
START_TEST(ended_early)
{
	char got[8];
	struct iovec in = {got, sizeof(got)};
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	cable_host.read(&ends[0].queue, CABLE_PACKETS_MAX, fds[0], &in, 1);
	cable_host.wait(&ends[1].queue, CABLE_PACKETS_MAX, UINT64_C(3600) * 1000000000);
	turn(false);
	ck_assert(!cable_end_is_idle(&ends[0]) && !cable_end_is_idle(&ends[1]));
	for (uint32_t i = 0; i < CABLE_ENDS; i++)
		cable_end_release(&ends[i]);
	for (uint32_t turns = 0; done_count < 2 && turns < 10; turns++)
		turn(true);
	ck_assert_uint_eq(done_count, 2);
	ck_assert_int_eq(done_result, -ECANCELED);
	/* What begins now waits no longer. */
	cable_host.wait(&ends[1].queue, CABLE_PACKETS_MAX, UINT64_C(3600) * 1000000000);
	turn(true);
	ck_assert_uint_eq(done_count, 3);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(watched)
{
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	cable_host.watch(&ends[1].queue, 3, fds[0], POLLIN);
	ck_assert(cable_end_is_due(&ends[1]));
	turn(false);
	ck_assert(!cable_end_is_due(&ends[1]));
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	turn(true);
	ck_assert_uint_eq(ready_count, 1);
	ck_assert_uint_eq(ready_index, 3);
	ck_assert_int_eq(ready_events, POLLIN);
	/* One that is given up says nothing any more. */
	cable_host.watch(&ends[1].queue, 3, fds[0], POLLIN);
	cable_host.watch(&ends[1].queue, 3, -1, 0);
	turn(false);
	turn(false);
	ck_assert_uint_eq(ready_count, 1);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, set_up, tear_down);
	tcase_add_loop_test(test_case, first_bytes, 0, 15);
	tcase_add_test(test_case, refused);
	tcase_add_test(test_case, full);
	tcase_add_test(test_case, stopping);
	tcase_add_test(test_case, operations);
	tcase_add_test(test_case, ended_early);
	tcase_add_test(test_case, watched);
}

CHECK_MAIN("cable", add_tests)
