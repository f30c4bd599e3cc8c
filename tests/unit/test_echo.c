// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The echo backend: what the guest sends comes back to it, and what can't is counted. And null: nothing comes back.
 */
#include "../../backends/net/echo.c"

#undef XVHOST_NET_BACKEND_SYMBOL
#define XVHOST_NET_BACKEND_SYMBOL null_entry
#include "../../backends/net/null.c"

#include "fake_net_host.h"

#include "check_main.h" /* last: it has a macro called fail */

#define PACKET_BYTES 300u

static uint8_t frame[XVHOST_NET_BYTES_MAX];

static void start(const struct xvhost_net_backend *backend, const char *target, uint32_t takes)
{
	for (uint32_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 7 + i / 256);
	frame[12] = 0x08;
	frame[13] = 0x00;
	ck_assert_int_eq(fake_net_open(backend, target, 1), 0);
	ck_assert_uint_eq(fake_net_properties.flags, FAKE_NET_ALL);
	fake_net_start(0, takes);
}

static void stop(void)
{
	fake_net_stop(0);
	fake_net_close();
}

/* send - in three pieces. */
static void send(uint32_t length, const struct xvhost_packet *shape)
{
	const struct iovec pieces[] = {{frame, 14}, {frame + 14, 1}, {frame + 15, length - 15}};

	fake_net_transmit(0, pieces, 3, shape);
}

START_TEST(comes_back)
{
	static const uint32_t lengths[] = {15, PACKET_BYTES, 65535};

	start(&echo_backend, "echo", 0);
	for (uint32_t i = 0; i < 3; i++) {
		const uint8_t *bytes;

		send(lengths[i], NULL);
		ck_assert_uint_eq(fake_net_queues[0].transmitted, i + 1);
		ck_assert_int_eq(fake_net_queues[0].error, 0);
		ck_assert_uint_eq(fake_net_received_count, i + 1);
		ck_assert_uint_eq(fake_net_received[i].packet.length, lengths[i]);
		bytes = fake_net_received[i].piece.iov_base;
		ck_assert_mem_eq(bytes, frame + 6, 6);
		ck_assert_mem_eq(bytes + 6, frame, 6);
		ck_assert_mem_eq(bytes + 12, frame + 12, lengths[i] - 12);
		fake_net_run();
	}
	ck_assert_uint_eq(fake_net_queues[0].dropped, 0);
	stop();
}
END_TEST

/* There are so many buffers in a turn, and they come again; a guest without room loses packets. All that is lost is counted. */
START_TEST(is_bounded)
{
	start(&echo_backend, "echo", 0);
	for (uint32_t turn = 1; turn <= 3; turn++) {
		for (uint32_t i = 0; i < BUFFERS + 5; i++)
			send(PACKET_BYTES, NULL);
		ck_assert_uint_eq(fake_net_received_count, turn * BUFFERS);
		ck_assert_uint_eq(fake_net_queues[0].dropped, turn * 5);
		fake_net_run();
	}
	fake_net_queues[0].room = 2;
	for (uint32_t i = 0; i < 6; i++)
		send(PACKET_BYTES, NULL);
	ck_assert_uint_eq(fake_net_received_count, 3 * BUFFERS + 2);
	ck_assert_uint_eq(fake_net_queues[0].dropped, 3 * 5 + 4);
	ck_assert_uint_eq(fake_net_queues[0].transmitted, 3 * (BUFFERS + 5) + 6);
	fake_net_run();
	fake_net_make_room(0, BUFFERS);
	/* No buffer was lost with the packets. */
	for (uint32_t i = 0; i < BUFFERS; i++)
		send(PACKET_BYTES, NULL);
	ck_assert_uint_eq(fake_net_received_count, 4 * BUFFERS + 2);
	stop();
}
END_TEST

/* A guest gets back what it takes: large packets whole, blank checksums blank; or else filled in, and no large packets. */
START_TEST(suits_the_guest)
{
	const struct xvhost_packet large = {.flags = XVHOST_PACKET_CHECKSUM_BLANK,
					    .gso = XVHOST_GSO_TCPV4,
					    .gso_bytes = 100,
					    .header_bytes = 54,
					    .checksum_start = 34,
					    .checksum_offset = 16};
	struct xvhost_packet blank = large, *got = &fake_net_received[0].packet;
	const uint8_t *bytes;
	uint32_t sum = 0;

	blank.gso = XVHOST_GSO_NONE;
	start(&echo_backend, "echo", FAKE_NET_ALL);
	send(PACKET_BYTES, &large);
	send(PACKET_BYTES, &blank);
	ck_assert_uint_eq(fake_net_received_count, 2);
	ck_assert_uint_eq(got[0].gso, XVHOST_GSO_TCPV4);
	ck_assert_uint_eq(got[0].gso_bytes, 100);
	ck_assert_uint_eq(got[0].header_bytes, 54);
	got = &fake_net_received[1].packet;
	ck_assert_uint_eq(got->flags, XVHOST_PACKET_CHECKSUM_BLANK);
	ck_assert_uint_eq(got->checksum_start, 34);
	ck_assert_uint_eq(got->checksum_offset, 16);
	stop();

	start(&echo_backend, "echo", 0);
	send(PACKET_BYTES, &large);
	ck_assert_uint_eq(fake_net_received_count, 0);
	ck_assert_uint_eq(fake_net_queues[0].dropped, 1);
	send(PACKET_BYTES, &blank);
	ck_assert_uint_eq(fake_net_received_count, 1);
	ck_assert_uint_eq(fake_net_received[0].packet.flags & XVHOST_PACKET_CHECKSUM_BLANK, 0);
	/* The sum of all, and what the pseudo header had been, which is the frame's own content here. */
	bytes = fake_net_received[0].piece.iov_base;
	for (uint32_t i = 34; i < PACKET_BYTES; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	sum += (uint32_t)frame[50] << 8 | frame[51];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	ck_assert_uint_eq(sum, 0xffff);
	stop();
}
END_TEST

START_TEST(nothing_comes_back)
{
	start(&null_backend, "null", FAKE_NET_ALL);
	for (uint32_t i = 1; i <= 100; i++) {
		send(PACKET_BYTES, NULL);
		ck_assert_uint_eq(fake_net_queues[0].transmitted, i);
		ck_assert_int_eq(fake_net_queues[0].error, 0);
	}
	fake_net_run();
	ck_assert_uint_eq(fake_net_received_count, 0);
	stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_test(test_case, comes_back);
	tcase_add_test(test_case, is_bounded);
	tcase_add_test(test_case, suits_the_guest);
	tcase_add_test(test_case, nothing_comes_back);
}

CHECK_MAIN("echo", add_tests)
