// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tap backend: packets for the guest, whatever it takes, and when it has no room for them. See tap_card.h.
 */
#include "../../backends/net/frames.c"
#include "../../backends/net/frames_header.c"
#include "../../backends/net/frames_receive.c"
#include "../../backends/net/interface_news.c"
#include "../../backends/net/tap.c"
#include "../../backends/net/tap_interface.c"

#include "fake_net_host.h"
#include "ipv4_packets.h"
#include "tap_card.h"

#include "check_main.h" /* last: it has a macro called fail */

#define TEN_SECONDS_NS UINT64_C(10000000000)

START_TEST(receive)
{
	uint32_t sent = 0;

	tap_card_open(&tap_backend, 1, false);
	tap_card_start(0, 0);
	tap_card_send(sent++, 14 + 46);
	fake_net_run();
	for (uint32_t round = 0; round < 4; round++) {
		for (uint32_t i = 0; i < 100; i++, sent++)
			tap_card_send(sent, 60 + sent % 1000);
		fake_net_run();
	}
	ck_assert_uint_eq(fake_net_received_count, sent);
	tap_card_got(0, 0, 60);
	for (uint32_t i = 1; i < sent; i++)
		tap_card_got(i, i, 60 + i % 1000);
	/* Each read brought a packet, but for those that wait for the next. */
	ck_assert_uint_eq(fake_net_queues[0].reads - fake_net_queues[0].reading, sent);
	ck_assert_uint_gt(fake_net_queues[0].reading, 0);
	ck_assert_uint_eq(fake_net_queues[0].dropped, 0);
	fake_net_stop(0);
	tap_card_close();
}
END_TEST

/* Where one packet comes at a time few reads are left to wait for it; where many do, many. */
START_TEST(reads_follow_packets)
{
	tap_card_open(&tap_backend, 1, false);
	tap_card_start(0, 0);
	for (uint32_t i = 0; i < 200; i++)
		tap_card_send(i, 60);
	fake_net_run();
	ck_assert_uint_eq(fake_net_received_count, 200);
	ck_assert_uint_ge(fake_net_queues[0].reading, FRAMES_READS / 2);
	for (uint32_t i = 0; i < 2 * FRAMES_READS; i++) {
		tap_card_send(i, 60);
		fake_net_run();
	}
	ck_assert_uint_ge(fake_net_queues[0].reading, 1);
	ck_assert_uint_le(fake_net_queues[0].reading, 2);
	ck_assert_uint_eq(fake_net_received_count, 200 + 2 * FRAMES_READS);
	fake_net_stop(0);
	tap_card_close();
}
END_TEST

/* Each packet wakes all reads, and io_uring gives up one that was woken for nothing too often; that is no packet lost. */
START_TEST(reads_that_are_given_up)
{
	uint32_t sent = 0;

	tap_card_open(&tap_backend, 1, false);
	tap_card_start(0, 0);
	while (sent < 200)
		tap_card_send(sent++, 60);
	fake_net_run();
	ck_assert_uint_ge(fake_net_queues[0].reading, FRAMES_READS / 2);
	for (uint32_t round = 0; round < 200; round++) {
		/* So many that as many reads are started again, and leave some to wait. */
		for (uint32_t i = 0; i <= FRAMES_READS / 2; i++)
			tap_card_send(sent++, 60);
		fake_net_run();
	}
	ck_assert_uint_eq(fake_net_received_count, sent);
	ck_assert_uint_eq(fake_net_queues[0].dropped, 0);
	fake_net_stop(0);
	tap_card_close();
}
END_TEST

/* send_ipv4 - a packet with a blank checksum, and with gso_bytes a large one, through the host's side. */
static void send_ipv4(uint8_t *frame, size_t length, uint8_t protocol, uint16_t gso_bytes)
{
	struct virtio_net_hdr header = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					.csum_start = 34,
					.csum_offset = protocol == IPPROTO_TCP ? 16 : 6,
					.hdr_len = TCP_HEADERS,
					.gso_size = gso_bytes,
					.gso_type = gso_bytes ? VIRTIO_NET_HDR_GSO_TCPV4
							      : VIRTIO_NET_HDR_GSO_NONE};
	const struct iovec pieces[] = {{&header, sizeof(header)}, {frame, length}};

	ck_assert_int_eq(writev(tap_card_wire, pieces, 2), (ssize_t)(sizeof(header) + length));
	fake_net_run();
}

/* A guest gets large packets and blank checksums if it takes them ... */
START_TEST(receive_offloads)
{
	static uint8_t frame[PACKET_MAX];
	const struct xvhost_packet *packet = &fake_net_received[0].packet;
	size_t length = make_ipv4(frame, IPPROTO_TCP, 30000);

	tap_card_open(&tap_backend, 1, true);
	tap_card_start(0, FAKE_NET_ALL);
	send_ipv4(frame, length, IPPROTO_TCP, 1300);
	ck_assert_uint_eq(fake_net_received_count, 1);
	ck_assert_uint_eq(packet->length, length);
	ck_assert_uint_eq(packet->gso, XVHOST_GSO_TCPV4);
	ck_assert_uint_eq(packet->gso_bytes, 1300);
	ck_assert_uint_eq(packet->header_bytes, TCP_HEADERS);
	ck_assert_uint_eq(packet->flags, XVHOST_PACKET_CHECKSUM_BLANK | XVHOST_PACKET_CHECKSUM_GOOD);
	ck_assert_uint_eq(packet->checksum_start, 34);
	ck_assert_uint_eq(packet->checksum_offset, 16);
	ck_assert_mem_eq(packet->iov->iov_base, frame, length);

	length = make_ipv4(frame, IPPROTO_UDP, 777);
	send_ipv4(frame, length, IPPROTO_UDP, 0);
	ck_assert_uint_eq(fake_net_received_count, 2);
	packet = &fake_net_received[1].packet;
	ck_assert_uint_eq(packet->gso, XVHOST_GSO_NONE);
	ck_assert_uint_eq(packet->flags, XVHOST_PACKET_CHECKSUM_BLANK | XVHOST_PACKET_CHECKSUM_GOOD);
	ck_assert_uint_eq(packet->checksum_offset, 6);
	ck_assert_mem_eq(packet->iov->iov_base, frame, length);
	ck_assert_uint_eq(fake_net_queues[0].dropped, 0);
	fake_net_stop(0);
	tap_card_close();
}
END_TEST

/* ... and segments with whole checksums if not. */
START_TEST(receive_without_offloads)
{
	static const uint32_t takes[] = {0, XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_GSO_TCPV4,
					 XVHOST_NET_GSO_TCPV4 | XVHOST_NET_GSO_TCPV6};
	static uint8_t frame[PACKET_MAX];
	size_t length = make_ipv4(frame, IPPROTO_TCP, 5000), data = 0;

	tap_card_open(&tap_backend, 1, true);
	tap_card_start(0, takes[_i]);
	send_ipv4(frame, length, IPPROTO_TCP, 1300);
	ck_assert_uint_eq(fake_net_received_count, 4);
	for (uint32_t i = 0; i < 4; i++) {
		const struct xvhost_packet *packet = &fake_net_received[i].packet;
		const uint8_t *bytes = packet->iov->iov_base;

		ck_assert_uint_eq(packet->gso, XVHOST_GSO_NONE);
		ck_assert_uint_eq(packet->flags & XVHOST_PACKET_CHECKSUM_BLANK, 0);
		ck_assert(checksum_is_right(bytes, packet->length));
		ck_assert_mem_eq(bytes + TCP_HEADERS, frame + TCP_HEADERS + data,
				 packet->length - TCP_HEADERS);
		data += packet->length - TCP_HEADERS;
	}
	ck_assert_uint_eq(data, 5000);
	length = make_ipv4(frame, IPPROTO_UDP, 777);
	send_ipv4(frame, length, IPPROTO_UDP, 0);
	ck_assert_uint_eq(fake_net_received_count, 5);
	ck_assert(checksum_is_right(fake_net_received[4].packet.iov->iov_base, length));
	ck_assert_uint_eq(fake_net_queues[0].dropped, 0);
	fake_net_stop(0);
	tap_card_close();
}
END_TEST

/* ---- a guest without room ---- */

/* What came stays in its order until there is room. */
START_TEST(room_comes)
{
	tap_card_open(&tap_backend, 1, false);
	tap_card_start(0, 0);
	fake_net_queues[0].room = 3;
	for (uint32_t i = 0; i < 50; i++)
		tap_card_send(i, 60);
	fake_net_run();
	ck_assert_uint_eq(fake_net_received_count, 3);
	ck_assert(fake_net_queues[0].waiting);
	for (uint32_t i = 1; fake_net_received_count < 50; i++) {
		fake_net_make_room(0, i);
		fake_net_run();
		ck_assert_uint_le(i, 50);
	}
	for (uint32_t i = 0; i < 50; i++)
		tap_card_got(i, i, 60);
	ck_assert_uint_eq(fake_net_queues[0].dropped, 0);
	fake_net_stop(0);
	tap_card_close();
}
END_TEST

/* What is kept for some time is dropped and counted; what Linux has kept meanwhile is offered to the guest then, and so on. */
START_TEST(room_does_not_come)
{
	struct fake_net_queue *queue = &fake_net_queues[0];
	uint32_t dropped;

	tap_card_open(&tap_backend, 1, false);
	tap_card_start(0, 0);
	queue->room = 1;
	for (uint32_t i = 0; i < 100; i++)
		tap_card_send(i, 60);
	fake_net_run();
	ck_assert_uint_eq(fake_net_received_count, 1);
	ck_assert(queue->waiting);
	ck_assert_uint_eq(queue->wait_ns, TEN_SECONDS_NS);
	/* There was room since the time began: it begins again. */
	fake_net_make_room(0, 1);
	fake_net_time(0);
	fake_net_run();
	ck_assert_uint_eq(fake_net_received_count, 2);
	ck_assert_uint_eq(queue->dropped, 0);
	for (uint32_t times = 0; times < 2; times++) {
		ck_assert(queue->waiting);
		ck_assert_uint_eq(queue->wait_ns, TEN_SECONDS_NS);
		dropped = queue->dropped;
		fake_net_time(0);
		fake_net_run();
		ck_assert_uint_gt(queue->dropped, dropped);
		ck_assert_uint_le(queue->dropped - dropped, FRAMES_READS);
	}
	ck_assert(queue->waiting);
	dropped = queue->dropped;
	fake_net_make_room(0, 1000);
	fake_net_run();
	ck_assert_uint_eq(fake_net_received_count, 100 - dropped);
	ck_assert_uint_eq(queue->dropped, dropped);
	tap_card_got(1, 1, 60);
	for (uint32_t i = 2; i < fake_net_received_count; i++)
		tap_card_got(i, i + dropped, 60);
	fake_net_stop(0);
	tap_card_close();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, tap_card_prepare, NULL);
	tcase_add_test(test_case, receive);
	tcase_add_test(test_case, reads_follow_packets);
	tcase_add_test(test_case, reads_that_are_given_up);
	tcase_add_test(test_case, receive_offloads);
	tcase_add_loop_test(test_case, receive_without_offloads, 0, 3);
	tcase_add_test(test_case, room_comes);
	tcase_add_test(test_case, room_does_not_come);
}

CHECK_MAIN("tap receive", add_tests)
