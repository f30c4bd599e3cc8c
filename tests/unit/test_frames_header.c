// SPDX-License-Identifier: GPL-2.0-or-later
/* What stands before packets from a tap or packet socket: which of them a guest can have, and what it is told of them. */
#include "../../backends/net/frames_header.c"

#include "ipv4_packets.h"

#include "check_main.h" /* last: it has a macro called fail */

#define ALL (TUN_F_CSUM | TUN_F_TSO4)

/* read_header - of a packet in one piece. */
static enum frames_fit read_header(const struct virtio_net_hdr *header, unsigned int offload, uint8_t *frame,
				   size_t length, struct xvhost_packet *packet)
{
	static struct iovec piece;

	piece = (struct iovec){frame, length};
	*packet = (struct xvhost_packet){.iov = &piece, .iov_count = 1, .length = (uint32_t)length};
	return frames_header_read(header, offload, packet);
}

/* add_tag - of a VLAN, to a packet of so many bytes. */
static void add_tag(uint8_t *tagged, const uint8_t *frame, size_t length)
{
	memcpy(tagged, frame, 12);
	memcpy(tagged + 12, "\x81\x00\x00\x05", 4);
	memcpy(tagged + 16, frame + 12, length - 12);
}

/* What guests would not find: a blank checksum behind a VLAN's tag. They get it filled in. */
START_TEST(blank_where_guests_do_not_look)
{
	const struct virtio_net_hdr header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 38, .csum_offset = 6};
	static uint8_t frame[PACKET_MAX], tagged[PACKET_MAX];
	struct xvhost_packet packet;

	for (size_t data = 0; data < 9; data++) {
		size_t length = make_ipv4(frame, IPPROTO_UDP, data);

		add_tag(tagged, frame, length);
		ck_assert(FRAMES_WHOLE == read_header(&header, TUN_F_CSUM, tagged, length + 4, &packet));
		ck_assert_uint_eq(packet.flags & XVHOST_PACKET_CHECKSUM_BLANK, 0);
		ck_assert(checksum_is_right(tagged + 4, length));
	}
}
END_TEST

/* Large packets of which the guest takes no such, or would not find the checksum, are to be cut. */
START_TEST(large_packets)
{
	struct virtio_net_hdr header = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					.csum_start = 34,
					.csum_offset = 16,
					.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
					.gso_size = 1000};
	static uint8_t frame[PACKET_MAX], tagged[PACKET_MAX];
	size_t length = make_ipv4(frame, IPPROTO_TCP, 3000);
	struct xvhost_packet packet;

	ck_assert(read_header(&header, ALL, frame, length, &packet) == FRAMES_WHOLE);
	ck_assert_uint_eq(packet.gso, XVHOST_GSO_TCPV4);
	ck_assert(read_header(&header, TUN_F_CSUM | TUN_F_TSO6, frame, length, &packet) == FRAMES_CUT);
	ck_assert(read_header(&header, 0, frame, length, &packet) == FRAMES_CUT);
	header.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	ck_assert(read_header(&header, ALL, frame, length, &packet) == FRAMES_WHOLE);
	ck_assert_uint_eq(packet.gso, XVHOST_GSO_TCPV4);
	add_tag(tagged, frame, length);
	header.csum_start += 4;
	ck_assert(read_header(&header, ALL, tagged, length + 4, &packet) == FRAMES_CUT);
	ck_assert_uint_eq(packet.header_bytes, TCP_HEADERS + 4);
}
END_TEST

/* What can't be. */
START_TEST(headers_that_are_refused)
{
	static const struct virtio_net_hdr headers[] = {
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 65535},
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 65535, .csum_offset = 16},
		{.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 1000},
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		 .csum_start = 34,
		 .csum_offset = 16,
		 .gso_type = VIRTIO_NET_HDR_GSO_TCPV4},
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		 .csum_start = 34,
		 .csum_offset = 16,
		 .gso_type = VIRTIO_NET_HDR_GSO_UDP,
		 .gso_size = 1000},
	};
	static uint8_t frame[PACKET_MAX];
	size_t length = make_ipv4(frame, IPPROTO_TCP, 3000);
	struct virtio_net_hdr good = headers[3];
	struct xvhost_packet packet;

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		ck_assert_msg(read_header(&headers[i], ALL, frame, length, &packet) == FRAMES_NONE,
			      "header %zu", i);
	good.gso_size = 1000;
	ck_assert(read_header(&good, ALL, frame, length, &packet) == FRAMES_WHOLE);
	/* TCP's own length of its header: too short, longer than the packet. */
	frame[46] = 4 << 4;
	ck_assert(read_header(&good, ALL, frame, length, &packet) == FRAMES_NONE);
	frame[46] = 15 << 4;
	ck_assert(read_header(&good, ALL, frame, 34 + 59, &packet) == FRAMES_NONE);
	ck_assert(read_header(&good, ALL, frame, 34 + 60, &packet) == FRAMES_WHOLE);
	ck_assert_uint_eq(packet.header_bytes, 34 + 60);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_test(test_case, blank_where_guests_do_not_look);
	tcase_add_test(test_case, large_packets);
	tcase_add_test(test_case, headers_that_are_refused);
}

CHECK_MAIN("frames header", add_tests)
