// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The switch backend: ports join and leave, packets go where they belong, in their order, whoever takes them; and a peer that lies or dies
 * harms nobody else.
 */
#include "../../backends/net/switch.c"
#include "../../backends/net/switch_join.c"
#include "../../backends/net/switch_peers.c"
#include "../../backends/net/switch_receive.c"
#include "../../backends/net/switch_ring.c"
#include "../../backends/net/segment.c"

#include <pthread.h>
#include <sys/wait.h>

#include "fake_net_host.h"

#include "check_main.h" /* last: it has a macro called fail */

#define LENGTH 200u
#define MANY 20000u

static char directory[64];
static char target[128];
static uint8_t frame[XVHOST_NET_BYTES_MAX];

static void set_up(void)
{
	strcpy(directory, "/tmp/xvhost-switch.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(target, sizeof(target), "switch:name=one,directory=%s", directory);
	for (uint32_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 13 + i / 256);
}

/* Nothing is left but the lock. */
static void tear_down(void)
{
	char command[192];

	fake_net_close();
	snprintf(command, sizeof(command), "test -z \"$(find %s -type s)\" && rm -r %s", directory,
		 directory);
	ck_assert_int_eq(system(command), 0);
}

static void open_port(uint32_t port)
{
	ck_assert_msg(fake_net_open_card(port, &switch_backend, target) == 0, "%s", fake_net_text);
}

static void start_port(uint32_t port)
{
	open_port(port);
	fake_net_start(port, FAKE_NET_ALL);
	fake_net_run();
}

static void stop_port(uint32_t port)
{
	fake_net_stop(port);
	fake_net_close_card(port);
}

/* send - a packet from one port's MAC to another's; to all if that is FAKE_NET_QUEUES. */
static void send_packet(uint32_t from, uint32_t to, uint32_t length, const struct xvhost_packet *shape)
{
	const struct iovec pieces[] = {{frame, 14}, {frame + 14, length - 14}};

	memset(frame, to == FAKE_NET_QUEUES ? 0xff : 2, 6);
	if (to != FAKE_NET_QUEUES)
		frame[5] = (uint8_t)to;
	memset(frame + 6, 2, 6);
	frame[11] = (uint8_t)from;
	frame[12] = 0x08;
	frame[13] = 0x00;
	fake_net_transmit(from, pieces, length > 14 ? 2 : 1, shape);
	ck_assert_int_eq(fake_net_queues[from].error, 0);
}

static void send_to_all(uint32_t from)
{
	send_packet(from, FAKE_NET_QUEUES, LENGTH, NULL);
}

/* received_so_far - packets of this port. */
static uint32_t received_so_far(uint32_t port)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < fake_net_received_count; i++)
		count += fake_net_received[i].packet.queue == &fake_net_queues[port].queue;
	return count;
}

static uint32_t received(uint32_t port)
{
	fake_net_run();
	return received_so_far(port);
}

static void forget_received(void)
{
	fake_net_run();
	for (uint32_t i = 0; i < fake_net_received_count; i++)
		free(fake_net_received[i].piece.iov_base);
	fake_net_received_count = 0;
}

/* expect - that what this port sends to all comes to each of the others below `count`, once. */
static void expect_all(uint32_t from, uint32_t count)
{
	forget_received();
	send_to_all(from);
	for (uint32_t i = 0; i < count; i++)
		ck_assert_msg(received(i) == (i != from), "from %u to %u: %u", from, i, received(i));
	forget_received();
}

/* peers_of - that have joined this port. */
static uint32_t peers_of(uint32_t card)
{
	const struct switch_port *port = fake_net_queues[card].queue.state;
	uint32_t count = 0;

	for (uint32_t i = 0; i < port->peers_end; i++)
		count += port->peers[i].state == SWITCH_PEER_JOINED;
	return count;
}

/* Ports that are opened and started in any order: each finds all others. */
START_TEST(join)
{
	uint32_t count = (uint32_t)_i + 2;

	for (uint32_t i = 0; i < count; i++)
		open_port(i);
	for (uint32_t i = count; i-- > 0;)
		fake_net_start(i, FAKE_NET_ALL);
	fake_net_run();
	for (uint32_t i = 0; i < count; i++)
		expect_all(i, count);
	/* One more, when they run. */
	start_port(count);
	for (uint32_t i = 0; i <= count; i++) {
		ck_assert_uint_eq(peers_of(i), count);
		expect_all(i, count + 1);
	}
	for (uint32_t i = 0; i <= count; i++)
		stop_port(i);
}
END_TEST

static void *open_in_thread(void *number)
{
	open_port((uint32_t)(uintptr_t)number);
	return NULL;
}

/* All at the same time: of two, one connects to the other. */
START_TEST(join_together)
{
	const uint32_t count = 5;
	pthread_t threads[5];

	open_port(0);
	for (uint32_t i = 1; i < count; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, open_in_thread, (void *)(uintptr_t)i), 0);
	for (uint32_t i = 1; i < count; i++)
		pthread_join(threads[i], NULL);
	for (uint32_t i = 0; i < count; i++)
		fake_net_start(i, FAKE_NET_ALL);
	fake_net_run();
	for (uint32_t i = 0; i < count; i++) {
		ck_assert_uint_eq(peers_of(i), count - 1);
		expect_all(i, count);
	}
	for (uint32_t i = 0; i < count; i++)
		stop_port(i);
}
END_TEST

/* A destination that was seen gets its packets alone, until it is seen elsewhere or leaves. */
START_TEST(learn_and_forget)
{
	for (uint32_t i = 0; i < 3; i++)
		start_port(i);
	send_packet(0, 1, LENGTH, NULL);
	ck_assert_uint_eq(received(1), 1);
	ck_assert_uint_eq(received(2), 1);
	forget_received();
	send_packet(1, 0, LENGTH, NULL);
	ck_assert_uint_eq(received(0), 1);
	ck_assert_uint_eq(received(2), 0);
	forget_received();
	send_packet(0, 1, LENGTH, NULL);
	ck_assert_uint_eq(received(1), 1);
	ck_assert_uint_eq(received(2), 0);
	/* Its MAC moves to another port. */
	frame[11] = 1;
	{
		const struct iovec piece = {frame, LENGTH};

		memset(frame, 0xff, 6);
		fake_net_transmit(2, &piece, 1, NULL);
	}
	forget_received();
	send_packet(0, 1, LENGTH, NULL);
	ck_assert_uint_eq(received(1), 0);
	ck_assert_uint_eq(received(2), 1);
	/* The port leaves: its MAC may be anywhere. */
	stop_port(2);
	forget_received();
	send_packet(0, 1, LENGTH, NULL);
	ck_assert_uint_eq(received(1), 1);
	ck_assert_uint_eq(peers_of(0), 1);
	stop_port(0);
	stop_port(1);
}
END_TEST

/* More addresses than the table has: each packet comes to who is to have it, if not to him alone. */
START_TEST(many_addresses)
{
	const uint32_t count = SWITCH_TABLE_SETS * SWITCH_TABLE_WAYS * 4;
	uint8_t bytes[60] = {[12] = 8};
	const struct iovec piece = {bytes, sizeof(bytes)};
	uint32_t alone = 0;

	for (uint32_t i = 0; i < 3; i++)
		start_port(i);
	for (uint32_t i = 0; i < count; i++) {
		memset(bytes, 0xff, 6);
		memcpy(bytes + 7, &i, sizeof(i));
		fake_net_transmit(1, &piece, 1, NULL);
		if (i % FAKE_NET_PACKETS == FAKE_NET_PACKETS - 1)
			forget_received();
	}
	for (uint32_t i = 0; i < count; i++) {
		memset(bytes + 6, 2, 6);
		bytes[0] = 0;
		memcpy(bytes + 1, &i, sizeof(i));
		bytes[5] = 0;
		fake_net_transmit(0, &piece, 1, NULL);
		ck_assert_uint_eq(received(1), 1);
		alone += received_so_far(2) == 0;
		forget_received();
	}
	ck_assert_uint_eq(alone, SWITCH_TABLE_SETS * SWITCH_TABLE_WAYS);
	for (uint32_t i = 0; i < 3; i++)
		stop_port(i);
}
END_TEST

/* number_of - the packet's, which lies behind its headers. */
static uint32_t number_of(const struct fake_net_received *one)
{
	uint32_t number;

	memcpy(&number, (const uint8_t *)one->piece.iov_base + 20, sizeof(number));
	return number;
}

/* Many, from two ports to a third one: all come, whole, in the order of each. */
START_TEST(order)
{
	uint32_t sent[2] = {0}, seen[2] = {0};

	for (uint32_t i = 0; i < 3; i++)
		start_port(i);
	send_to_all(2);
	fake_net_run();
	while (sent[0] + sent[1] < MANY) {
		forget_received();
		for (uint32_t i = 0; i < 40; i++) {
			uint32_t from = i % 3 > 0;

			memcpy(frame + 20, &sent[from], sizeof(sent[from]));
			sent[from]++;
			send_packet(from, 2, 60 + i * i % 1455, NULL);
		}
		ck_assert_uint_eq(received(2), 40);
		for (uint32_t i = 0; i < fake_net_received_count; i++) {
			const struct fake_net_received *one = &fake_net_received[i];
			uint32_t from = ((const uint8_t *)one->piece.iov_base)[11];

			ck_assert_uint_lt(from, 2);
			ck_assert_uint_eq(number_of(one), seen[from]++);
			ck_assert_mem_eq((const uint8_t *)one->piece.iov_base + 24, frame + 24,
					 one->packet.length - 24);
		}
	}
	ck_assert_uint_eq(fake_net_queues[2].dropped, 0);
	for (uint32_t i = 0; i < 3; i++)
		stop_port(i);
}
END_TEST

/* A guest without room finds what fits into the ring when it has some, in its order; the rest is counted. */
START_TEST(no_room)
{
	const uint32_t count = 40, length = 60000, fit = SWITCH_RING_BYTES / record_bytes(length);

	start_port(0);
	start_port(1);
	fake_net_queues[1].room = 0;
	for (uint32_t i = 0; i < count; i++) {
		memcpy(frame + 20, &i, sizeof(i));
		send_packet(0, 1, length, NULL);
		fake_net_run();
	}
	ck_assert_uint_eq(received(1), 0);
	ck_assert(fake_net_queues[1].waiting);
	fake_net_make_room(1, 5);
	ck_assert_uint_eq(received(1), 5);
	fake_net_make_room(1, UINT32_MAX);
	ck_assert_uint_eq(received(1), fit);
	for (uint32_t i = 0; i < fit; i++)
		ck_assert_uint_eq(number_of(&fake_net_received[i]), i);
	ck_assert_uint_eq(fake_net_queues[1].dropped, count - fit);
	/* And it goes on. */
	forget_received();
	send_packet(0, 1, LENGTH, NULL);
	ck_assert_uint_eq(received(1), 1);
	stop_port(0);
	stop_port(1);
}
END_TEST

/* What waited for too long is thrown away, and what comes then is offered again. */
START_TEST(no_room_for_long)
{
	start_port(0);
	start_port(1);
	fake_net_queues[1].room = 0;
	for (uint32_t i = 0; i < 10; i++)
		send_packet(0, 1, LENGTH, NULL);
	fake_net_run();
	fake_net_make_room(1, 4);
	fake_net_run();
	ck_assert_uint_eq(received(1), 4);
	ck_assert_uint_eq(fake_net_queues[1].wait_ns, UINT64_C(10000000000));
	/* It gave room meanwhile, so it has some more time. */
	fake_net_queues[1].wait_ns = 0;
	fake_net_time(1);
	ck_assert_uint_eq(fake_net_queues[1].wait_ns, UINT64_C(10000000000));
	ck_assert_uint_eq(fake_net_queues[1].dropped, 0);
	fake_net_time(1);
	ck_assert_uint_eq(fake_net_queues[1].dropped, 6);
	fake_net_queues[1].room = UINT32_MAX;
	forget_received();
	send_packet(0, 1, LENGTH, NULL);
	ck_assert_uint_eq(received(1), 1);
	stop_port(0);
	stop_port(1);
}
END_TEST

/* A guest disconnects and connects again: the port stays, what was sent meanwhile is lost, what is sent then comes. */
START_TEST(comes_again)
{
	start_port(0);
	start_port(1);
	for (uint32_t round = 0; round < 50; round++) {
		for (uint32_t i = 0; i < round % 5; i++)
			send_to_all(0);
		if (round % 2)
			fake_net_run();
		fake_net_stop(1);
		forget_received();
		send_to_all(0);
		fake_net_start(1, FAKE_NET_ALL);
		ck_assert_uint_eq(received(1), 0);
		expect_all(0, 2);
		expect_all(1, 2);
	}
	ck_assert_uint_eq(fake_net_logged, 0);
	stop_port(0);
	stop_port(1);
}
END_TEST

/* A port joins while another one stops, which begins nothing more; they find each other when it is there again. */
START_TEST(joins_while_stopping)
{
	start_port(0);
	fake_net_release(0);
	start_port(1);
	fake_net_stop(0);
	ck_assert_uint_eq(peers_of(1), 0);
	fake_net_start(0, FAKE_NET_ALL);
	fake_net_run();
	expect_all(0, 2);
	expect_all(1, 2);
	stop_port(0);
	stop_port(1);
}
END_TEST

/* ---- what a guest does not take ---- */

/* sum_is_right - of TCP, in a packet without tags or options. */
static bool sum_is_right(const uint8_t *bytes, uint32_t length, bool ipv6)
{
	uint32_t transport = ipv6 ? 54 : 34, sum = 6 + length - transport;

	for (uint32_t i = ipv6 ? 22 : 26; i < length; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

/* make_tcp - headers of a TCP packet, with the sum of the pseudo header only. */
static struct xvhost_packet make_tcp(uint8_t *bytes, uint32_t length, bool ipv6, uint16_t gso_bytes)
{
	static const uint8_t ipv4[] = {0x45, 0, 0,  0, 0xff, 0xff, 0x40, 0, 64, 6,
				       0,    0, 10, 0, 0,    1,	   10,	 0, 0,	2};
	const uint16_t transport = ipv6 ? 54 : 34;
	uint32_t sum = 6 + length - transport;

	bytes[12] = ipv6 ? 0x86 : 0x08;
	bytes[13] = ipv6 ? 0xdd : 0x00;
	if (ipv6) {
		memset(bytes + 14, 0, 8);
		bytes[14] = 0x60;
		bytes[18] = (uint8_t)((length - 54) >> 8);
		bytes[19] = (uint8_t)(length - 54);
		bytes[20] = 6;
	} else {
		memcpy(bytes + 14, ipv4, sizeof(ipv4));
		bytes[16] = (uint8_t)((length - 14) >> 8);
		bytes[17] = (uint8_t)(length - 14);
	}
	memset(bytes + transport + 4, 0xff, 4); /* the sequence number will wrap */
	bytes[transport + 12] = 0x50;
	bytes[transport + 13] = 0x80 | 0x10 | 0x08 | 0x01; /* CWR, ACK, PSH, FIN */
	for (uint32_t i = ipv6 ? 22 : 26; i < transport; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	bytes[transport + 16] = (uint8_t)(sum >> 8);
	bytes[transport + 17] = (uint8_t)sum;
	return (struct xvhost_packet){.flags = XVHOST_PACKET_CHECKSUM_BLANK | XVHOST_PACKET_CHECKSUM_GOOD,
				      .gso = (uint16_t)(!gso_bytes ? XVHOST_GSO_NONE
							: ipv6	   ? XVHOST_GSO_TCPV6
								   : XVHOST_GSO_TCPV4),
				      .gso_bytes = gso_bytes,
				      .header_bytes = (uint16_t)(gso_bytes ? transport + 20 : 0),
				      .checksum_start = transport,
				      .checksum_offset = 16};
}

/* Packets with blank checksums, to a guest that takes none. */
START_TEST(checksums)
{
	static const uint32_t lengths[] = {54, 55, 60, 61, 1514, 65535};

	start_port(0);
	open_port(1);
	fake_net_start(1, _i);
	fake_net_run();
	for (uint32_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		const struct xvhost_packet shape = make_tcp(frame, lengths[i], false, 0);
		const struct fake_net_received *one = &fake_net_received[0];

		forget_received();
		send_packet(0, FAKE_NET_QUEUES, lengths[i], &shape);
		ck_assert_uint_eq(received(1), 1);
		ck_assert_uint_eq(one->packet.length, lengths[i]);
		ck_assert_uint_eq(one->packet.flags, XVHOST_PACKET_CHECKSUM_GOOD);
		ck_assert(sum_is_right(one->piece.iov_base, lengths[i], false));
		ck_assert_mem_eq((uint8_t *)one->piece.iov_base + 54, frame + 54, lengths[i] - 54);
	}
	stop_port(0);
	stop_port(1);
}
END_TEST

/* check_segment - the one of this number, whose data begins at `at`. */
static void check_segment(const uint8_t *bytes, uint32_t length, bool ipv6, uint32_t number, uint32_t at,
			  bool last)
{
	const uint8_t *tcp = bytes + (ipv6 ? 54 : 34), *ip = bytes + 14;
	const uint32_t headers = ipv6 ? 74 : 54;
	uint32_t sum = 0, sequence = UINT32_MAX + at;

	ck_assert_mem_eq(bytes, frame, 14);
	ck_assert_uint_eq((uint32_t)tcp[4] << 24 | (uint32_t)tcp[5] << 16 | (uint32_t)tcp[6] << 8 | tcp[7],
			  sequence);
	ck_assert_uint_eq(tcp[13], 0x10 | (number == 0 ? 0x80 : 0) | (last ? 0x09 : 0));
	ck_assert(sum_is_right(bytes, length, ipv6));
	ck_assert_mem_eq(bytes + headers, frame + headers + at, length - headers);
	if (ipv6) {
		ck_assert_uint_eq((uint32_t)ip[4] << 8 | ip[5], length - 54);
		return;
	}
	ck_assert_uint_eq((uint32_t)ip[2] << 8 | ip[3], length - 14);
	ck_assert_uint_eq((uint32_t)ip[4] << 8 | ip[5], (0xffff + number) & 0xffff);
	for (uint32_t i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	ck_assert_uint_eq((sum & 0xffff) + (sum >> 16), 0xffff);
}

/* Each segment by itself: of sizes that do not fit, that fit, and of one only. */
START_TEST(segments)
{
	static const struct {
		uint32_t data;
		uint16_t gso_bytes;
	} rows[] = {{60000, 1448}, {2896, 1448}, {2897, 1448}, {1, 1448}, {1000, 48}, {5000, 1001}};
	static uint8_t buffer[XVHOST_NET_BYTES_MAX];

	for (uint32_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		const bool ipv6 = _i;
		const uint32_t headers = ipv6 ? 74 : 54, length = headers + rows[row].data;
		struct iovec whole = {frame, length}, piece = {buffer, 0};
		struct xvhost_packet packet = make_tcp(frame, length, ipv6, rows[row].gso_bytes);
		struct xvhost_packet cut = {.iov = &piece};
		struct segment segment;
		uint32_t at = 0, number = 0;

		packet.iov = &whole;
		packet.iov_count = 1;
		packet.length = length;
		ck_assert(segment_begin(&segment, &packet));
		while (segment_next(&segment, &cut)) {
			ck_assert_uint_eq(cut.flags, XVHOST_PACKET_CHECKSUM_GOOD);
			ck_assert_uint_eq(cut.gso, XVHOST_GSO_NONE);
			ck_assert_uint_eq(cut.length, piece.iov_len);
			check_segment(buffer, cut.length, ipv6, number++, at,
				      at + cut.length - headers == rows[row].data);
			at += cut.length - headers;
		}
		ck_assert_uint_eq(at, rows[row].data);
		ck_assert_uint_eq(number, (rows[row].data + rows[row].gso_bytes - 1) / rows[row].gso_bytes);
	}
}
END_TEST

/* Large packets to a guest that takes none, which has room for some at a time: segments come in order, and what can't be cut is counted. */
START_TEST(cut)
{
	const uint32_t length = 54 + 60000;
	struct xvhost_packet shape = make_tcp(frame, length, false, 500);
	uint32_t at = 0;

	start_port(0);
	open_port(1);
	fake_net_start(1, XVHOST_NET_CHECKSUM_IPV4);
	fake_net_run();
	fake_net_queues[1].room = 7;
	send_packet(0, FAKE_NET_QUEUES, length, &shape);
	send_packet(0, FAKE_NET_QUEUES, LENGTH, NULL);
	while (fake_net_received_count < 121) {
		uint32_t before = fake_net_received_count;

		fake_net_make_room(1, 7);
		fake_net_run();
		ck_assert_uint_gt(fake_net_received_count, before);
	}
	/* Source and destination are the same in both. */
	for (uint32_t i = 0; i < 120; i++, at += 500)
		check_segment(fake_net_received[i].piece.iov_base, fake_net_received[i].packet.length, false,
			      i, at, i == 119);
	ck_assert_uint_eq(fake_net_received[120].packet.length, LENGTH);
	ck_assert_uint_eq(fake_net_queues[1].dropped, 0);
	/* Headers that are others than is said. */
	fake_net_queues[1].room = UINT32_MAX;
	forget_received();
	frame[14] = 0x46;
	for (uint32_t i = 0; i < 50; i++) {
		send_packet(0, FAKE_NET_QUEUES, length, &shape);
		fake_net_run();
	}
	ck_assert_uint_eq(received(1), 0);
	ck_assert_uint_eq(fake_net_queues[1].dropped, 50);
	frame[14] = 0x45;
	shape.gso_bytes = 1;
	send_packet(0, FAKE_NET_QUEUES, length, &shape);
	ck_assert_uint_eq(received(1), 0);
	ck_assert_uint_eq(fake_net_queues[1].dropped, 51);
	send_packet(0, FAKE_NET_QUEUES, LENGTH, NULL);
	ck_assert_uint_eq(received(1), 1);
	stop_port(0);
	stop_port(1);
}
END_TEST

/* ---- peers that lie or die ---- */

static struct switch_port *port_of(uint32_t card)
{
	return fake_net_queues[card].queue.state;
}

/* Many packets that the guest can't have: so many in a turn, and the others in the next ones, though nobody wakes the port any more. */
START_TEST(discarded_in_turns)
{
	const uint32_t count = 3000, in_a_turn = 1024;
	struct xvhost_packet shape = make_tcp(frame, LENGTH, false, 50);

	start_port(0);
	open_port(1);
	fake_net_start(1, XVHOST_NET_CHECKSUM_IPV4);
	fake_net_run();
	frame[14] = 0x46;
	for (uint32_t i = 0; i < count; i++)
		send_packet(0, FAKE_NET_QUEUES, LENGTH, &shape);
	ck_assert_uint_eq(fake_net_queues[1].dropped, 0);
	port_of(1)->peers[0].busy = true;
	switch_receive(port_of(1));
	ck_assert_uint_eq(fake_net_queues[1].dropped, in_a_turn);
	/* It was woken by the first of them, too. */
	fake_net_run();
	ck_assert_uint_eq(fake_net_queues[1].dropped, 2 * in_a_turn);
	fake_net_time(1);
	ck_assert_uint_eq(fake_net_queues[1].dropped, count);
	ck_assert(!fake_net_queues[1].waiting);
	frame[14] = 0x45;
	send_to_all(0);
	ck_assert_uint_eq(received(1), 1);
	stop_port(0);
	stop_port(1);
}
END_TEST

/* A peer's record or position is nonsense: it is cut off, said once, and the others go on; its own side finds it gone. */
START_TEST(lies)
{
	struct switch_peer *peer;

	for (uint32_t i = 0; i < 3; i++)
		start_port(i);
	peer = &port_of(2)->peers[0];
	ck_assert_int_eq(peer->state, SWITCH_PEER_JOINED);
	send_to_all(2);
	if (_i == 0) {
		/* What it has shown is not looked at yet. */
		memset(peer->out.area, 0xff, sizeof(struct switch_record));
	} else if (_i == 1) {
		atomic_store(&peer->out.header->produced, UINT64_MAX);
	} else {
		/* The room that is left is looked at when there seems to be none. */
		fake_net_run();
		atomic_store(&port_of(0)->peers[1].out.header->consumed, UINT64_MAX);
		for (uint32_t i = 0; i < 20; i++)
			send_packet(0, 2, 65000, NULL);
	}
	fake_net_run();
	ck_assert_uint_eq(fake_net_logged, 1);
	ck_assert_msg(strstr(fake_net_text, "is cut off from this one"), "%s", fake_net_text);
	ck_assert_uint_eq(peers_of(2), 1);
	ck_assert_uint_eq(peers_of(0) + peers_of(1), 3);
	expect_all(0, 2);
	forget_received();
	send_to_all(2);
	ck_assert_uint_eq(received(0) + received(1), 1);
	for (uint32_t i = 0; i < 3; i++)
		stop_port(i);
}
END_TEST

/* The guest has a packet of a peer that is lost: its memory stays until that is delivered. */
START_TEST(lost_with_packets)
{
	start_port(0);
	start_port(1);
	start_port(2);
	fake_net_queues[1].room = 0;
	for (uint32_t i = 0; i < 10; i++)
		send_to_all(0);
	fake_net_run();
	/* From here on the guest takes what it gets, and the host has it until it runs. */
	fake_net_make_room(1, 5);
	for (uint32_t i = 0; i < SWITCH_PEERS_MAX; i++)
		if (port_of(1)->peers[i].state == SWITCH_PEER_JOINED && port_of(1)->peers[i].given > 0) {
			ck_assert_uint_eq(port_of(1)->peers[i].given, 5);
			switch_peer_lose(port_of(1), &port_of(1)->peers[i], NULL);
			ck_assert_int_eq(port_of(1)->peers[i].state, SWITCH_PEER_GONE);
		}
	ck_assert_uint_eq(received(1), 5);
	ck_assert_uint_eq(peers_of(1), 1);
	ck_assert_uint_eq(peers_of(0), 1);
	forget_received();
	fake_net_make_room(1, UINT32_MAX);
	expect_all(2, 3);
	for (uint32_t i = 0; i < 3; i++)
		stop_port(i);
}
END_TEST

/* A process dies, without a word; one that comes in its place is found, and its socket does not stand in the way. */
START_TEST(dies)
{
	pid_t child;
	int status;

	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		open_port(1);
		_exit(0);
	}
	waitpid(child, &status, 0);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	start_port(0);
	ck_assert_uint_eq(peers_of(0), 0);
	start_port(1);
	expect_all(0, 2);
	/* Both are there; a third one of the same name is not let in. */
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		struct switch_config config = {.name = "one", .directory = directory};
		struct switch_port port = {.net = port_of(1)->net};

		_exit(switch_join(&port, &config) == -EBUSY ? 0 : 1);
	}
	waitpid(child, &status, 0);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	expect_all(0, 2);
	stop_port(0);
	stop_port(1);
}
END_TEST

/* hostile_connection - to the first port, as another one might. */
static int hostile_connection(void)
{
	int fd = connect_to(&port_of(0)->address);

	ck_assert_int_ge(fd, 0);
	fake_net_run();
	return fd;
}

/* Greetings that are none: they are refused, and the port goes on. */
START_TEST(bad_greetings)
{
	struct switch_consumer consumer;
	uint32_t said = 0;
	int fd, ring, text;

	start_port(0);
	start_port(1);
	ck_assert_int_eq(switch_consumer_create(&consumer, &ring), 0);
	/* Nothing at all: it is left, or goes. */
	close(hostile_connection());
	fake_net_run();
	ck_assert_uint_eq(fake_net_logged, said);
	/* No descriptor. */
	fd = hostile_connection();
	ck_assert_int_eq(send(fd, &own_greeting, sizeof(own_greeting), MSG_NOSIGNAL), sizeof(own_greeting));
	fake_net_run();
	ck_assert_uint_eq(fake_net_logged, ++said);
	close(fd);
	/* Something else. */
	fd = hostile_connection();
	ck_assert_int_eq(send(fd, "hello", 5, MSG_NOSIGNAL), 5);
	fake_net_run();
	ck_assert_uint_eq(fake_net_logged, ++said);
	close(fd);
	/* A descriptor of something else. */
	fd = hostile_connection();
	text = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(send_greeting(fd, text), 0);
	fake_net_run();
	ck_assert_uint_eq(fake_net_logged, ++said);
	close(text);
	close(fd);
	/* A right one, and then nonsense instead of wakes; and it reads nothing. */
	fd = hostile_connection();
	ck_assert_int_eq(send_greeting(fd, ring), 0);
	fake_net_run();
	ck_assert_uint_eq(fake_net_logged, said);
	ck_assert_uint_eq(peers_of(0), 2);
	for (uint32_t i = 0; i < 100; i++)
		ck_assert_int_eq(send(fd, &own_greeting, sizeof(own_greeting), MSG_NOSIGNAL),
				 sizeof(own_greeting));
	expect_all(1, 2);
	for (uint32_t i = 0; i < 2000; i++) {
		atomic_store(&consumer.header->state, SWITCH_RING_SLEEPS);
		send_to_all(0);
		forget_received();
	}
	expect_all(1, 2);
	/* The port stops all the same, and is there again. */
	fake_net_stop(0);
	fake_net_start(0, FAKE_NET_ALL);
	fake_net_run();
	expect_all(0, 2);
	close(fd);
	fake_net_run();
	ck_assert_uint_eq(peers_of(0), 1);
	switch_consumer_destroy(&consumer);
	close(ring);
	stop_port(0);
	stop_port(1);
}
END_TEST

/* As many ports as there can be, and one more; others than the first are connections only. */
START_TEST(too_many)
{
	int fds[SWITCH_PEERS_MAX + 1];

	start_port(0);
	for (uint32_t i = 0; i < SWITCH_PEERS_MAX; i++)
		fds[i] = hostile_connection();
	ck_assert_uint_eq(fake_net_logged, 0);
	fds[SWITCH_PEERS_MAX] = hostile_connection();
	ck_assert_uint_eq(fake_net_logged, 1);
	ck_assert_msg(strstr(fake_net_text, "there are too many"), "%s", fake_net_text);
	for (uint32_t i = 0; i <= SWITCH_PEERS_MAX; i++)
		close(fds[i]);
	fake_net_run();
	start_port(1);
	expect_all(0, 2);
	stop_port(0);
	stop_port(1);
}
END_TEST

/* Names that can't be. */
START_TEST(names)
{
	static const char *const wrong[] = {"name=a/b", "name=.", "name=..",
					    "name=abcdefghijklmnopqrstuvwxyzabcdef"};
	char text[256];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(text, sizeof(text), "switch:%s,directory=%s", wrong[i], directory);
		ck_assert_int_eq(fake_net_open_card(0, &switch_backend, text), -EINVAL);
		ck_assert_msg(strstr(fake_net_text, "the switch's name is"), "%s", fake_net_text);
	}
	snprintf(text, sizeof(text), "switch:directory=%s/%0100d", directory, 0);
	ck_assert_int_eq(fake_net_open_card(0, &switch_backend, text), -ENAMETOOLONG);
	snprintf(text, sizeof(text), "switch:directory=%s/a/b", directory);
	ck_assert_int_eq(fake_net_open_card(0, &switch_backend, text), -ENOENT);
	/* Two switches are two. */
	start_port(0);
	snprintf(text, sizeof(text), "switch:directory=%s", directory);
	ck_assert_int_eq(fake_net_open_card(1, &switch_backend, text), 0);
	fake_net_start(1, FAKE_NET_ALL);
	send_to_all(0);
	ck_assert_uint_eq(received(1), 0);
	ck_assert_uint_eq(peers_of(1), 0);
	stop_port(0);
	stop_port(1);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, set_up, tear_down);
	tcase_add_loop_test(test_case, join, 0, 4);
	tcase_add_loop_test(test_case, join_together, 0, 5);
	tcase_add_test(test_case, learn_and_forget);
	tcase_add_test(test_case, many_addresses);
	tcase_add_test(test_case, order);
	tcase_add_test(test_case, no_room);
	tcase_add_test(test_case, no_room_for_long);
	tcase_add_test(test_case, comes_again);
	tcase_add_test(test_case, joins_while_stopping);
	tcase_add_loop_test(test_case, checksums, 0, 2);
	tcase_add_loop_test(test_case, segments, 0, 2);
	tcase_add_test(test_case, cut);
	tcase_add_test(test_case, discarded_in_turns);
	tcase_add_loop_test(test_case, lies, 0, 3);
	tcase_add_test(test_case, lost_with_packets);
	tcase_add_test(test_case, dies);
	tcase_add_test(test_case, bad_greetings);
	tcase_add_test(test_case, too_many);
	tcase_add_test(test_case, names);
}

CHECK_MAIN("switch", add_tests)
