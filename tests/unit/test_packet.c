// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The packet backend: which packets a guest gets, whatever it takes, and what becomes of its interface. See tap_card.h: one end of a pair of
 * interfaces (veth) is the card's, the other end is the wire.
 */
#include "../../backends/net/frames.c"
#include "../../backends/net/frames_header.c"
#include "../../backends/net/frames_receive.c"
#include "../../backends/net/interface_news.c"
#include "../../backends/net/packet.c"
#include "../../backends/net/packet_filter.c"
#include "../../backends/net/packet_interface.c"
#include "../../backends/net/packet_socket.c"
#include "../../backends/net/packet_macvlan.c"

#include <linux/sockios.h>
#include <linux/veth.h>
#include <sys/uio.h>

#include "fake_net_host.h"
#include "ipv4_packets.h"
#include "tap_card.h"

#include "check_main.h" /* last: it has a macro called fail */

#define NEAR "near0" /* the card's end */
#define FAR "far0"   /* the wire's */
#define TARGET "packet:interface=" NEAR
#define MACVLAN_TARGET TARGET ",mode=macvlan"

static const uint8_t guest_mac[] = {0, 0x16, 0x3e, 1, 2, 3}; /* as fake_net_host.c has it */

/* ---- interfaces ---- */

/* make_pair - both ends, up. */
static void make_pair(void)
{
	struct request request = make_request(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 0);
	_Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];
	const struct ifinfomsg peer = {.ifi_family = AF_UNSPEC};
	struct rtattr *info, *data, *other;

	add_attribute(&request, IFLA_IFNAME, NEAR, sizeof(NEAR));
	info = add_attribute(&request, IFLA_LINKINFO, NULL, 0);
	add_attribute(&request, IFLA_INFO_KIND, "veth", 4);
	data = add_attribute(&request, IFLA_INFO_DATA, NULL, 0);
	other = add_attribute(&request, VETH_INFO_PEER, &peer, sizeof(peer));
	add_attribute(&request, IFLA_IFNAME, FAR, sizeof(FAR));
	end_nest(&request, other);
	end_nest(&request, data);
	end_nest(&request, info);
	ck_assert_msg(ask(&request, answer) >= 0, "this machine can make no interfaces of type veth");
	tap_card_set_up(NEAR, true);
	tap_card_set_up(FAR, true);
	tap_card_wait_link(NEAR);
	tap_card_wait_link(FAR);
}

/* wait_link - until the card has one, or none, and can be used from the other end. */
static void wait_link(bool up)
{
	for (int i = 0; i < 3000 && fake_net_link != up; i++) {
		fake_net_run();
		usleep(1000);
	}
	ck_assert(fake_net_link == up);
	if (!up)
		return;
	tap_card_wait_link(NEAR);
	tap_card_wait_link(FAR);
}

static void set_up(void)
{
	tap_card_namespace();
	make_pair();
}

/* begin - open the card with so many queues, and start all. */
static void begin(const char *target, uint16_t queues, uint32_t takes, bool with_headers)
{
	ck_assert_msg(fake_net_open(&packet_backend, target, queues) == 0, "%s", fake_net_text);
	for (uint32_t i = 0; i < queues; i++)
		fake_net_start(i, takes);
	tap_card_listen(FAR, with_headers);
	if (tap_card_flags(NEAR) & IFF_UP)
		wait_link(true);
}

static void end(uint16_t queues)
{
	for (uint32_t i = 0; i < queues; i++)
		fake_net_stop(i);
	tap_card_close();
}

/* wait_received - so many packets have come. The kernel's own threads bring them when there are many, and a macvlan's those for groups. */
static void wait_received(uint32_t count)
{
	fake_net_run();
	for (int i = 0; i < 5000 && fake_net_received_count < count; i++) {
		usleep(1000);
		fake_net_run();
	}
	ck_assert_uint_eq(fake_net_received_count, count);
}

/* send_to - a frame of this number to this address, by the wire. */
static void send_to(const uint8_t mac[6], uint32_t number)
{
	uint8_t frame[PACKET_MAX];
	size_t bytes = tap_card_frame(frame, number, 60);

	memcpy(frame, mac, 6);
	ck_assert_int_eq(send(tap_card_wire, frame, bytes, 0), (ssize_t)bytes);
	fake_net_run();
}

/* ---- packets from the guest ---- */

START_TEST(transmit)
{
	static uint8_t frames[FAKE_NET_PACKETS][PACKET_MAX];
	uint8_t seen[PACKET_MAX];

	begin(_i == 0 ? TARGET : MACVLAN_TARGET, 1, 0, false);
	ck_assert_uint_eq(fake_net_properties.flags, FAKE_NET_ALL);
	for (uint32_t i = 0; i < FAKE_NET_PACKETS; i++) {
		struct iovec piece = {frames[i], tap_card_frame(frames[i], i, 20 + i * 20)};

		fake_net_transmit(0, &piece, 1, NULL);
	}
	fake_net_run();
	ck_assert_uint_eq(fake_net_queues[0].transmitted, FAKE_NET_PACKETS);
	for (uint32_t i = 0; i < FAKE_NET_PACKETS; i++) {
		ck_assert_uint_eq(tap_card_from_wire(seen), 20 + i * 20);
		ck_assert_mem_eq(seen, frames[i], 20 + i * 20);
	}
	/* None comes back. */
	ck_assert_uint_eq(fake_net_received_count, 0);
	ck_assert(fake_net_link);
	end(1);
}
END_TEST

START_TEST(transmit_gso)
{
	static uint8_t frame[PACKET_MAX], seen[PACKET_MAX];
	const struct xvhost_packet shape = {.flags = XVHOST_PACKET_CHECKSUM_BLANK,
					    .gso = XVHOST_GSO_TCPV4,
					    .gso_bytes = 1000,
					    .header_bytes = TCP_HEADERS,
					    .checksum_start = 34,
					    .checksum_offset = 16};
	struct virtio_net_hdr header;
	size_t length = make_ipv4(frame, IPPROTO_TCP, 40000);
	const struct iovec pieces[] = {{frame, 128}, {frame + 128, length - 128}};

	begin(_i == 0 ? TARGET : MACVLAN_TARGET, 1, 0, true);
	fake_net_transmit(0, pieces, 2, &shape);
	fake_net_run();
	ck_assert_int_eq(fake_net_queues[0].error, 0);
	ck_assert_uint_eq(tap_card_from_wire(seen), sizeof(header) + length);
	memcpy(&header, seen, sizeof(header));
	ck_assert_uint_eq(header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	ck_assert_uint_eq(header.gso_size, 1000);
	ck_assert_uint_eq(header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	ck_assert_mem_eq(seen + sizeof(header), frame, length);
	end(1);
}
END_TEST

/* ---- packets for the guest ---- */

/* What is for the guest or a group, and has no VLAN's tag. */
START_TEST(receive)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
			     group[6] = {0x33, 0x33, 0, 0, 0, 1};
	uint8_t other[6], frame[PACKET_MAX], tagged[PACKET_MAX];
	uint32_t count = 0;

	begin(_i == 0 ? TARGET : MACVLAN_TARGET, 1, 0, false);
	send_to(guest_mac, 1);
	send_to(broadcast, 2);
	send_to(group, 3);
	wait_received(count += 3);
	for (uint32_t i = 0; i < 6; i++) {
		memcpy(other, guest_mac, 6);
		other[i] ^= 0x40;
		send_to(other, 4);
	}
	ck_assert_uint_eq(fake_net_received_count, count);
	tap_card_frame(frame, 5, 60);
	memcpy(tagged, frame, 12);
	memcpy(tagged + 16, frame + 12, 48);
	memcpy(tagged + 12, "\x81\x00\x00\x05", 4);
	ck_assert_int_eq(send(tap_card_wire, tagged, 64, 0), 64);
	fake_net_run();
	ck_assert_uint_eq(fake_net_received_count, count);
	/* Priority 3, no VLAN. */
	memcpy(tagged + 14, "\x60\x00", 2);
	ck_assert_int_eq(send(tap_card_wire, tagged, 64, 0), 64);
	wait_received(++count);
	tap_card_got(count - 1, 5, 60);
	ck_assert_uint_eq(fake_net_queues[0].dropped, 0);
	end(1);
}
END_TEST

/* Nothing comes, and nothing gathers, while no guest is connected. */
START_TEST(nothing_before_and_after)
{
	ck_assert_int_eq(fake_net_open(&packet_backend, TARGET, 1), 0);
	tap_card_listen(FAR, false);
	tap_card_send(1, 60);
	fake_net_start(0, 0);
	fake_net_run();
	ck_assert_uint_eq(fake_net_received_count, 0);
	tap_card_send(2, 60);
	wait_received(1);
	tap_card_got(0, 2, 60);
	/* What this guest has no room for the next one does not get. */
	fake_net_queues[0].room = 0;
	for (uint32_t i = 0; i < 100; i++)
		tap_card_send(3, 60);
	fake_net_run();
	fake_net_stop(0);
	tap_card_send(4, 60);
	fake_net_start(0, 0);
	tap_card_send(5, 60);
	wait_received(2);
	tap_card_got(1, 5, 60);
	end(1);
}
END_TEST

/* send_large - a TCP packet with a header that says that it is large, by the wire. */
static void send_large(uint8_t *frame, size_t length, uint16_t gso_bytes)
{
	struct virtio_net_hdr header = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					.csum_start = 34,
					.csum_offset = 16,
					.hdr_len = TCP_HEADERS,
					.gso_size = gso_bytes,
					.gso_type = VIRTIO_NET_HDR_GSO_TCPV4};
	const struct iovec pieces[] = {{&header, sizeof(header)}, {frame, length}};

	ck_assert_int_eq(writev(tap_card_wire, pieces, 2), (ssize_t)(sizeof(header) + length));
}

START_TEST(receive_large)
{
	static uint8_t frame[PACKET_MAX];
	const struct xvhost_packet *packet = &fake_net_received[0].packet;
	size_t length = make_ipv4(frame, IPPROTO_TCP, 30000);

	begin(TARGET, 1, FAKE_NET_ALL, true);
	send_large(frame, length, 1300);
	wait_received(1);
	ck_assert_uint_eq(packet->length, length);
	ck_assert_uint_eq(packet->gso, XVHOST_GSO_TCPV4);
	ck_assert_uint_eq(packet->gso_bytes, 1300);
	ck_assert_uint_eq(packet->header_bytes, TCP_HEADERS);
	ck_assert_uint_eq(packet->flags, XVHOST_PACKET_CHECKSUM_BLANK | XVHOST_PACKET_CHECKSUM_GOOD);
	ck_assert_mem_eq(packet->iov->iov_base, frame, length);
	end(1);
}
END_TEST

/* check_segments - the packets from this place on are a packet's segments, in their order and whole. Returns the next place. */
static uint32_t check_segments(uint32_t place, const uint8_t *frame, size_t data)
{
	size_t at = 0;

	while (at < data) {
		const struct xvhost_packet *packet = &fake_net_received[place++].packet;
		const uint8_t *bytes = packet->iov->iov_base;

		ck_assert_uint_le(place, fake_net_received_count);
		ck_assert_uint_eq(packet->gso, XVHOST_GSO_NONE);
		ck_assert_uint_eq(packet->flags & XVHOST_PACKET_CHECKSUM_BLANK, 0);
		ck_assert(checksum_is_right(bytes, packet->length));
		ck_assert_mem_eq(bytes + TCP_HEADERS, frame + TCP_HEADERS + at, packet->length - TCP_HEADERS);
		at += packet->length - TCP_HEADERS;
	}
	ck_assert_uint_eq(at, data);
	return place;
}

/* A guest that takes no large packets gets segments: more than there are buffers, many packets at a time, with and without room. */
START_TEST(receive_in_segments)
{
	static uint8_t frame[PACKET_MAX];
	const uint32_t takes = _i % 2 == 0 ? 0 : XVHOST_NET_GSO_TCPV6 | XVHOST_NET_CHECKSUM_IPV4;
	const bool room = _i < 2;
	size_t length = make_ipv4(frame, IPPROTO_TCP, 60000);
	uint32_t place = 0;

	begin(TARGET, 1, takes, true);
	if (!room)
		fake_net_queues[0].room = 7;
	for (uint32_t i = 0; i < FRAMES_READS + 3; i++)
		send_large(frame, length, 1000);
	fake_net_run();
	while (!room && fake_net_received_count < (FRAMES_READS + 3) * 60) {
		uint32_t before = fake_net_received_count;

		fake_net_make_room(0, 13);
		fake_net_run();
		ck_assert_uint_gt(fake_net_received_count, before);
	}
	for (uint32_t i = 0; i < FRAMES_READS + 3; i++)
		place = check_segments(place, frame, 60000);
	ck_assert_uint_eq(fake_net_received_count, place);
	ck_assert_uint_eq(fake_net_queues[0].dropped, 0);
	end(1);
}
END_TEST

/* What is being cut when the time for it is up, or the queue stops, is dropped; what comes next is whole. */
START_TEST(segments_without_room)
{
	static uint8_t frame[PACKET_MAX];
	size_t length = make_ipv4(frame, IPPROTO_TCP, 5000);
	uint32_t place;

	begin(TARGET, 1, 0, true);
	for (uint32_t times = 0; times < 3; times++) {
		place = fake_net_received_count + 2;
		fake_net_queues[0].room = 2;
		send_large(frame, length, 1000);
		wait_received(place);
		if (times == 1) {
			fake_net_stop(0);
			ck_assert_uint_eq(fake_net_queues[0].dropped, 1);
			fake_net_start(0, 0);
		} else {
			fake_net_time(0);
			ck_assert_uint_eq(fake_net_queues[0].dropped, 1);
			fake_net_queues[0].dropped = 0;
		}
		fake_net_make_room(0, 100);
		send_large(frame, length, 1000);
		fake_net_run();
		ck_assert_uint_eq(check_segments(place, frame, 5000), fake_net_received_count);
	}
	end(1);
}
END_TEST

/* The kernel keeps a bounded number for a guest without room; what it dropped is counted when the queue stops. */
START_TEST(socket_is_full)
{
	uint32_t kept, sent = 0;

	begin(TARGET, 1, 0, false);
	fake_net_queues[0].room = 0;
	while (sent < 30000)
		tap_card_send(sent++, 1000);
	fake_net_run();
	fake_net_make_room(0, FAKE_NET_RECEIVED - 1);
	fake_net_run();
	kept = fake_net_received_count;
	ck_assert_uint_ge(kept, 500);
	for (uint32_t i = 0; i < 500; i++)
		tap_card_got(i, i, 1000);
	fake_net_stop(0);
	ck_assert_uint_eq(fake_net_queues[0].dropped, sent - kept);
	tap_card_close();
}
END_TEST

/* ---- several queues ---- */

/* send_flow - a packet of TCP or UDP between two ports, by IPv4 or IPv6. */
static void send_flow(bool ipv6, uint8_t protocol, uint16_t from, uint16_t to)
{
	uint8_t frame[14 + 40 + 20] = {0};
	uint8_t *ports = frame + 14 + (ipv6 ? 40 : 20);

	memcpy(frame, guest_mac, 6);
	frame[6] = 2;
	frame[12] = ipv6 ? 0x86 : 0x08;
	frame[13] = ipv6 ? 0xdd : 0x00;
	frame[14] = ipv6 ? 0x60 : 0x45;
	frame[ipv6 ? 20 : 23] = protocol;
	frame[ipv6 ? 37 : 29] = 1; /* the addresses' ends */
	frame[ipv6 ? 53 : 33] = 2;
	ports[0] = (uint8_t)(from >> 8);
	ports[1] = (uint8_t)from;
	ports[2] = (uint8_t)(to >> 8);
	ports[3] = (uint8_t)to;
	ck_assert_int_eq(send(tap_card_wire, frame, sizeof(frame), 0), (ssize_t)sizeof(frame));
	fake_net_run();
}

static uint32_t last_queue(void)
{
	return fake_net_received[fake_net_received_count - 1].packet.queue->index;
}

/* Each packet comes once, those of a flow all by one queue, and many flows by all queues, though their ports are all even. */
START_TEST(queues)
{
	const bool ipv6 = _i & 1;
	const uint8_t protocol = _i & 2 ? IPPROTO_TCP : IPPROTO_UDP;
	const uint16_t count = _i & 4 ? 2 : 3;
	uint32_t flows[3] = {0}, got = 0;
	uint8_t frame[PACKET_MAX];

	begin(TARGET, count, 0, false);
	for (uint16_t port = 32768; port < 32768 + 400; port += 2) {
		send_flow(ipv6, protocol, port, 5201);
		wait_received(++got);
		flows[last_queue()]++;
		send_flow(ipv6, protocol, port, 5201);
		wait_received(++got);
		ck_assert_ptr_eq(fake_net_received[got - 1].packet.queue,
				 fake_net_received[got - 2].packet.queue);
	}
	for (uint32_t i = 0; i < count; i++)
		ck_assert_uint_ge(flows[i], 200 / count / 2);
	/* What has no ports. */
	tap_card_frame(frame, 7, 60);
	tap_card_send(7, 60);
	wait_received(++got);
	ck_assert_uint_eq(last_queue(), 0);
	for (uint32_t i = 0; i < count; i++) {
		struct iovec piece = {frame, 60};

		fake_net_transmit(i, &piece, 1, NULL);
		fake_net_run();
		ck_assert_int_eq(fake_net_queues[i].error, 0);
		ck_assert_uint_eq(tap_card_from_wire(frame), 60);
	}
	ck_assert_uint_eq(fake_net_received_count, got);
	end(count);
}
END_TEST

/* Of a datagram in fragments the ports are in the first one only; all come by one queue. */
START_TEST(fragments)
{
	uint8_t frame[60] = {0};
	uint32_t queue;

	begin(TARGET, 3, 0, false);
	for (uint8_t address = 1; address < 20; address++) {
		memcpy(frame, guest_mac, 6);
		frame[12] = 0x08;
		frame[14] = 0x45;
		frame[20] = 0x20; /* more follow */
		frame[21] = 0;
		frame[23] = IPPROTO_UDP;
		frame[29] = address;
		frame[34] = 77; /* a port, or data */
		ck_assert_int_eq(send(tap_card_wire, frame, sizeof(frame), 0), (ssize_t)sizeof(frame));
		wait_received(address * 2u - 1);
		queue = last_queue();
		frame[20] = 0;
		frame[21] = 2; /* the last one */
		frame[34] = 99;
		ck_assert_int_eq(send(tap_card_wire, frame, sizeof(frame), 0), (ssize_t)sizeof(frame));
		wait_received(address * 2u);
		ck_assert_uint_eq(last_queue(), queue);
	}
	end(3);
}
END_TEST

/* ---- what becomes of the interface ---- */

/* transmit_one - a packet. Returns what became of it. */
static int transmit_one(uint32_t index)
{
	uint8_t frame[PACKET_MAX];
	struct iovec piece = {frame, tap_card_frame(frame, 1, 60)};
	uint32_t before = fake_net_queues[index].transmitted;

	fake_net_transmit(index, &piece, 1, NULL);
	fake_net_run();
	ck_assert_uint_eq(fake_net_queues[index].transmitted, before + 1);
	return fake_net_queues[index].error;
}

START_TEST(down_and_up)
{
	uint32_t reads;

	begin(_i == 0 ? TARGET : MACVLAN_TARGET, 2, 0, false);
	fake_net_run();
	ck_assert_uint_eq(fake_net_logged, 0);
	tap_card_set_up(NEAR, false);
	wait_link(false);
	/* A macvlan does not say that it drops. */
	if (_i == 0) {
		ck_assert_int_lt(transmit_one(0), 0);
		ck_assert_int_lt(transmit_one(1), 0);
	}
	reads = fake_net_queues[0].reads;
	fake_net_run();
	ck_assert_uint_eq(fake_net_queues[0].reads, reads);
	tap_card_set_up(NEAR, true);
	wait_link(true);
	ck_assert_int_eq(transmit_one(0), 0);
	ck_assert_int_eq(transmit_one(1), 0);
	tap_card_send(9, 60);
	wait_received(1);
	tap_card_got(0, 9, 60);
	ck_assert_uint_eq(fake_net_queues[0].dropped + fake_net_queues[1].dropped, 0);
	end(2);
}
END_TEST

/* The other end's link is ours. */
START_TEST(no_link)
{
	begin(TARGET, 1, 0, false);
	tap_card_set_up(FAR, false);
	wait_link(false);
	ck_assert_str_eq(fake_net_text, "the interface '" NEAR "' has no link");
	tap_card_set_up(FAR, true);
	wait_link(true);
	ck_assert_str_eq(fake_net_text, "the interface '" NEAR "' has a link");
	end(1);
}
END_TEST

START_TEST(opened_while_down)
{
	tap_card_set_up(NEAR, false);
	begin(_i == 0 ? TARGET : MACVLAN_TARGET, 2, 0, false);
	wait_link(false);
	tap_card_set_up(NEAR, true);
	wait_link(true);
	tap_card_send(3, 60);
	wait_received(1);
	end(2);
}
END_TEST

/* Removed under load, with reads that wait: a line in the log; and it goes on by itself when there is one again. */
START_TEST(removed_and_back)
{
	begin(_i == 0 ? TARGET : MACVLAN_TARGET, 2, 0, false);
	for (uint32_t times = 0; times < 3; times++) {
		uint32_t logged, got = fake_net_received_count;

		ck_assert_int_eq(transmit_one(0), 0);
		logged = fake_net_logged;
		tap_card_remove(NEAR);
		for (uint32_t i = 0; i < 5; i++) {
			ck_assert_int_lt(transmit_one(0), 0);
			ck_assert_int_lt(transmit_one(1), 0);
		}
		wait_link(false);
		ck_assert_uint_eq(fake_net_logged, logged + 1);
		ck_assert_str_eq(fake_net_text,
				 "the interface '" NEAR
				 "' was removed: all packets are dropped until there is one again");
		close(tap_card_wire);
		make_pair();
		tap_card_listen(FAR, false);
		wait_link(true);
		ck_assert_str_eq(fake_net_text, "the interface '" NEAR "' is there again");
		ck_assert_int_eq(transmit_one(1), 0);
		send_to(guest_mac, times);
		wait_received(got + 1);
		ck_assert_uint_eq(fake_net_queues[0].dropped + fake_net_queues[1].dropped, 0);
	}
	end(2);
}
END_TEST

/* ---- opening ---- */

static void refused(const char *target, int error, const char *says)
{
	ck_assert_int_eq(fake_net_open(&packet_backend, target, 2), error);
	ck_assert_str_eq(fake_net_text, says);
	ck_assert_uint_eq(if_nametoindex(INTERFACE), 0);
}

START_TEST(refusals)
{
	struct ifreq request = {.ifr_mtu = 1399};

	refused("packet:interface=none", -ENODEV,
		"parameter interface of backend packet is 'none': there is no such interface");
	refused("packet:interface=a/b", -EINVAL,
		"parameter interface of backend packet is 'a/b', it must be an interface's name, of at most "
		"15 bytes");
	refused("packet:interface=lo", -EINVAL, "interface 'lo' is no Ethernet");
	refused(TARGET ",mode=bridge", -EINVAL,
		"parameter mode of backend packet is 'bridge', it must be promiscuous or macvlan");
	ck_assert_int_eq(tap_card_question(NEAR, SIOCSIFMTU, &request), 0);
	refused(TARGET, -EINVAL, "the card's MTU is 1400, that of interface '" NEAR "' is 1399");
	refused(MACVLAN_TARGET, -EINVAL, "the card's MTU is 1400, that of interface '" NEAR "' is 1399");
	fake_net_uplink = true;
	refused(TARGET, -EINVAL, "backend packet serves cards that have an address; it can't be an uplink");
}
END_TEST

/* ---- macvlan ---- */

START_TEST(macvlan_comes_and_goes)
{
	struct ifreq request = {0};
	int index;

	ck_assert_int_eq(fake_net_open(&packet_backend, MACVLAN_TARGET, 1), 0);
	ck_assert_int_eq(tap_card_question(INTERFACE, SIOCGIFHWADDR, &request), 0);
	ck_assert_mem_eq(request.ifr_hwaddr.sa_data, guest_mac, 6);
	ck_assert_int_eq(tap_card_question(INTERFACE, SIOCGIFMTU, &request), 0);
	ck_assert_int_eq(request.ifr_mtu, 1400);
	ck_assert(tap_card_flags(INTERFACE) & IFF_UP);
	fake_net_close();
	ck_assert_uint_eq(if_nametoindex(INTERFACE), 0);

	/* One that was left behind makes way. */
	ck_assert_int_eq(fake_net_open(&packet_backend, MACVLAN_TARGET, 1), 0);
	index = (int)if_nametoindex(INTERFACE);
	((struct packet *)fake_net_card()->state)->index = 0; /* as if killed */
	fake_net_close();
	ck_assert_uint_eq(if_nametoindex(INTERFACE), (unsigned int)index);
	ck_assert_int_eq(fake_net_open(&packet_backend, MACVLAN_TARGET, 1), 0);
	ck_assert_uint_ne(if_nametoindex(INTERFACE), (unsigned int)index);
	fake_net_close();
	ck_assert_uint_eq(if_nametoindex(INTERFACE), 0);
}
END_TEST

/* Nobody else's makes way. */
START_TEST(macvlan_name_is_taken)
{
	struct ifreq request = {0};

	strcpy(request.ifr_newname, INTERFACE);
	tap_card_set_up(FAR, false);
	ck_assert_int_eq(tap_card_question(FAR, SIOCSIFNAME, &request), 0);
	ck_assert_int_eq(fake_net_open(&packet_backend, MACVLAN_TARGET, 1), -EEXIST);
	ck_assert_str_eq(fake_net_text, "backend packet can't make the macvlan interface '" INTERFACE
					"' on '" NEAR "': there is one of that name");
	ck_assert_uint_ne(if_nametoindex(INTERFACE), 0);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, set_up, NULL);
	tcase_add_loop_test(test_case, transmit, 0, 2);
	tcase_add_loop_test(test_case, transmit_gso, 0, 2);
	tcase_add_loop_test(test_case, receive, 0, 2);
	tcase_add_test(test_case, nothing_before_and_after);
	tcase_add_test(test_case, receive_large);
	tcase_add_loop_test(test_case, receive_in_segments, 0, 4);
	tcase_add_test(test_case, segments_without_room);
	tcase_add_test(test_case, socket_is_full);
	tcase_add_loop_test(test_case, queues, 0, 8);
	tcase_add_test(test_case, fragments);
	tcase_add_loop_test(test_case, down_and_up, 0, 2);
	tcase_add_test(test_case, no_link);
	tcase_add_loop_test(test_case, opened_while_down, 0, 2);
	tcase_add_loop_test(test_case, removed_and_back, 0, 2);
	tcase_add_test(test_case, refusals);
	tcase_add_test(test_case, macvlan_comes_and_goes);
	tcase_add_test(test_case, macvlan_name_is_taken);
}

CHECK_MAIN("packet", add_tests)
