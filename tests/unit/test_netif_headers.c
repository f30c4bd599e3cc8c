// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Headers of packets: where TCP and UDP begin, what is no such packet, and checksums, which are compared with those of a reference that
 * adds byte by byte. The last tests send such packets through a queue.
 */
#include <string.h>

#include "one_card.h"
#include "rings/netif_headers.h"

#define ALL_KINDS                                                                                            \
	(XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6 | XVHOST_NET_GSO_TCPV4 | XVHOST_NET_GSO_TCPV6)

enum {
	TCP = 6,
	UDP = 17,
};

/* A packet that is being made. */
static uint8_t bytes[XVHOST_NET_BYTES_MAX];
static uint32_t length, network, transport;
static bool ipv6, tcp;

static void put(const void *from, uint32_t count)
{
	memcpy(bytes + length, from, count);
	length += count;
}

static void put_16(uint32_t value)
{
	put((const uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

/* begin - Ethernet, with so many VLAN tags. */
static void begin(uint32_t tags, uint32_t type)
{
	memset(bytes, 0, sizeof(bytes));
	length = 0;
	put("\x02\x11\x22\x33\x44\x55\x02\x66\x77\x88\x99\xaa", 12);
	for (uint32_t i = 0; i < tags; i++) {
		put_16(i + 1 < tags ? 0x88a8 : 0x8100);
		put_16(100 + i);
	}
	put_16(type);
	network = length;
}

static void put_ipv4(uint32_t words, uint32_t fragment, uint8_t protocol)
{
	uint8_t header[60] = {(uint8_t)(0x40 | words),
			      0,
			      0,
			      0,
			      0,
			      1,
			      (uint8_t)(fragment >> 8),
			      (uint8_t)fragment,
			      64,
			      protocol,
			      0,
			      0,
			      10,
			      20,
			      30,
			      41,
			      192,
			      168,
			      250,
			      7};

	ipv6 = false;
	put(header, words * 4);
}

static void put_ipv6(uint8_t next)
{
	uint8_t header[40] = {0x60, 0, 0, 0, 0, 0, next, 64};

	ipv6 = true;
	for (uint32_t i = 8; i < 40; i++)
		header[i] = (uint8_t)(i * 29);
	put(header, sizeof(header));
}

static void put_transport(uint8_t protocol, uint32_t words, uint32_t data)
{
	uint8_t header[60] = {0x12, 0x34, 0x56, 0x78, 1, 2, 3, 4};

	tcp = protocol == TCP;
	transport = length;
	if (tcp)
		header[12] = (uint8_t)(words << 4);
	put(header, tcp ? words * 4 : 8);
	for (uint32_t i = 0; i < data; i++)
		bytes[length++] = (uint8_t)(i * 31 + 7);
}

static bool find(struct netif_headers *headers)
{
	return netif_headers_find(bytes, length < NETIF_HEADER_BYTES ? length : NETIF_HEADER_BYTES, length,
				  headers);
}

static void expect_found(uint32_t data_start)
{
	struct netif_headers headers;

	ck_assert(find(&headers));
	ck_assert_uint_eq(headers.ipv6, ipv6);
	ck_assert_uint_eq(headers.tcp, tcp);
	ck_assert_uint_eq(headers.network_start, network);
	ck_assert_uint_eq(headers.transport_start, transport);
	ck_assert_uint_eq(headers.checksum_offset, tcp ? 16 : 6);
	ck_assert_uint_eq(headers.data_start, data_start);
}

static void expect_nothing(void)
{
	struct netif_headers headers;

	ck_assert(!find(&headers));
}

/* ---- the reference ---- */

static uint32_t add_bytes(uint32_t sum, const uint8_t *from, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		sum += i % 2 ? from[i] : (uint32_t)from[i] << 8;
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return sum;
}

/* pseudo_sum - of the pseudo header. */
static uint32_t pseudo_sum(const uint8_t *packet)
{
	uint32_t rest = length - transport, sum;

	sum = ipv6 ? add_bytes(0, packet + network + 8, 32) : add_bytes(0, packet + network + 12, 8);
	sum += tcp ? TCP : UDP;
	sum += rest;
	while (sum > 0xffff)
		sum -= 0xffff;
	return sum;
}

static uint32_t checksum_at(const uint8_t *packet)
{
	const uint8_t *at = packet + transport + (tcp ? 16 : 6);

	return (uint32_t)at[0] << 8 | at[1];
}

/* is_right - the whole, with its checksum, adds up to 0xffff. */
static bool is_right(const uint8_t *packet)
{
	return add_bytes(pseudo_sum(packet), packet + transport, length - transport) == 0xffff;
}

/* blank - as a guest leaves it. */
static void blank(void)
{
	uint8_t *at = bytes + transport + (tcp ? 16 : 6);
	uint32_t sum = pseudo_sum(bytes);

	at[0] = (uint8_t)(sum >> 8);
	at[1] = (uint8_t)sum;
}

/* ---- finding ---- */

START_TEST(plain_headers)
{
	begin(0, 0x0800);
	put_ipv4(5, 0, TCP);
	put_transport(TCP, 5, 100);
	expect_found(54);
	begin(0, 0x0800);
	put_ipv4(5, 0x4000, UDP); /* must not be fragmented */
	put_transport(UDP, 0, 0);
	expect_found(42);
	begin(0, 0x86dd);
	put_ipv6(TCP);
	put_transport(TCP, 8, 100);
	expect_found(86);
	begin(0, 0x86dd);
	put_ipv6(UDP);
	put_transport(UDP, 0, 1);
	expect_found(62);
}
END_TEST

START_TEST(options_and_tags)
{
	begin(2, 0x0800);
	put_ipv4(15, 0, TCP);
	put_transport(TCP, 8, 100);
	expect_found(14 + 8 + 60 + 32);
	begin(1, 0x86dd);
	put_ipv6(TCP);
	put_transport(TCP, 15, 0);
	expect_found(18 + 40 + 60);
}
END_TEST

/* TCP's options may go beyond the bytes that were copied, its other fields may not. */
START_TEST(headers_beyond_the_copy)
{
	begin(0, 0x0800);
	put_ipv4(15, 0, TCP);
	put_transport(TCP, 15, 100);
	expect_found(14 + 60 + 60);
	begin(0, 0x86dd);
	put_ipv6(60);
	put((const uint8_t[56]){TCP, 6}, 56);
	put_transport(TCP, 5, 100);
	ck_assert_uint_eq(transport, 110);
	expect_nothing();
	begin(0, 0x86dd);
	put_ipv6(60);
	put((const uint8_t[48]){TCP, 5}, 48);
	put_transport(TCP, 5, 100);
	expect_found(122);
}
END_TEST

START_TEST(extension_headers)
{
	begin(0, 0x86dd);
	put_ipv6(0);
	put((const uint8_t[8]){43, 0}, 8);
	put((const uint8_t[16]){51, 1}, 16);
	put((const uint8_t[16]){60, 2}, 16); /* in units of 4 bytes, without 2 */
	put((const uint8_t[8]){44, 0}, 8);
	put((const uint8_t[8]){UDP, 0, 0, 0, 1, 2, 3, 4}, 8); /* the one fragment of it */
	put_transport(UDP, 0, 10);
	expect_found(54 + 56 + 8);
}
END_TEST

START_TEST(fragments)
{
	begin(0, 0x0800);
	put_ipv4(5, 0x2000, TCP);
	put_transport(TCP, 5, 100);
	expect_nothing();
	begin(0, 0x0800);
	put_ipv4(5, 1, UDP);
	put_transport(UDP, 0, 100);
	expect_nothing();
	begin(0, 0x86dd);
	put_ipv6(44);
	put((const uint8_t[8]){UDP, 0, 0, 1}, 8);
	put_transport(UDP, 0, 10);
	expect_nothing();
	begin(0, 0x86dd);
	put_ipv6(44);
	put((const uint8_t[8]){UDP, 0, 1, 0}, 8);
	put_transport(UDP, 0, 10);
	expect_nothing();
}
END_TEST

START_TEST(no_such_packets)
{
	begin(0, 0x0806);
	put_ipv4(5, 0, TCP);
	put_transport(TCP, 5, 100);
	expect_nothing();
	begin(3, 0x0800);
	put_ipv4(5, 0, TCP);
	put_transport(TCP, 5, 100);
	expect_nothing();
	begin(0, 0x0800);
	put_ipv4(5, 0, 1);
	put_transport(TCP, 5, 100);
	expect_nothing();
	begin(0, 0x0800);
	put_ipv4(5, 0, TCP);
	bytes[network] = 0x65;
	put_transport(TCP, 5, 100);
	expect_nothing();
	begin(0, 0x0800);
	put_ipv4(5, 0, TCP);
	bytes[network] = 0x44;
	put_transport(TCP, 5, 100);
	expect_nothing();
	begin(0, 0x0800);
	put_ipv4(5, 0, TCP);
	put_transport(TCP, 5, 100);
	bytes[transport + 12] = 0x40;
	expect_nothing();
	begin(0, 0x0800);
	put_ipv4(5, 0, TCP);
	put_transport(TCP, 5, 3);
	bytes[transport + 12] = 0x60; /* options that are not there */
	expect_nothing();
	begin(0, 0x86dd);
	put_ipv6(59);
	put_transport(TCP, 5, 100);
	expect_nothing();
	begin(0, 0x86dd);
	put_ipv4(5, 0, TCP);
	put_transport(TCP, 5, 100);
	expect_nothing();
}
END_TEST

/* Nothing is read beyond what there is: the bytes after it are another's, for the sanitizer. */
START_TEST(cut_anywhere)
{
	struct netif_headers headers;

	for (uint32_t kind = 0; kind < 2; kind++) {
		begin(1, kind ? 0x86dd : 0x0800);
		if (kind) {
			put_ipv6(0);
			put((const uint8_t[8]){TCP, 0}, 8);
		} else {
			put_ipv4(7, 0, TCP);
		}
		put_transport(TCP, 6, 0);
		for (uint32_t cut = 0; cut <= length; cut++) {
			uint8_t *copy = malloc(cut ? cut : 1);

			memcpy(copy, bytes, cut);
			ck_assert_uint_eq(netif_headers_find(copy, cut, cut, &headers), cut == length);
			free(copy);
		}
	}
}
END_TEST

/* Anything at all: what is found lies within. */
START_TEST(nonsense)
{
	uint64_t state = 1;
	uint32_t found = 0;

	for (uint32_t i = 0; i < 300000; i++) {
		struct netif_headers headers;

		begin(i % 3, i % 2 ? 0x86dd : 0x0800);
		length = 14 + i % 115;
		for (uint32_t k = network; k < length; k++) {
			state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
			bytes[k] = (uint8_t)(state >> 56) & (i % 5 ? 0xff : 0x0f);
		}
		bytes[network] = i % 2 ? 0x60 : 0x45;
		bytes[network + (i % 2 ? 6 : 9)] = i % 7 ? TCP : 0;
		if (!find(&headers))
			continue;
		found++;
		ck_assert_uint_le(headers.data_start, length);
		ck_assert_uint_le(headers.transport_start + headers.checksum_offset + 2u, length);
	}
	ck_assert_uint_gt(found, 1000);
}
END_TEST

/* ---- checksums ---- */

/* Packets of all lengths, cut into iovecs at odd places. */
START_TEST(checksums)
{
	for (uint32_t data = 0; data < 3000; data += data < 64 ? 1 : 97) {
		struct netif_headers headers;
		struct iovec iov[4];
		uint32_t first, rest;

		begin(data % 3, data % 2 ? 0x86dd : 0x0800);
		if (data % 2)
			put_ipv6(data % 4 < 2 ? TCP : UDP);
		else
			put_ipv4(5, 0, data % 4 < 2 ? TCP : UDP);
		put_transport(data % 4 < 2 ? TCP : UDP, 5 + data % 3, data);
		ck_assert(find(&headers));
		netif_headers_blank(bytes, length, &headers);
		ck_assert_uint_eq(checksum_at(bytes) % 0xffff, pseudo_sum(bytes) % 0xffff);
		first = length < NETIF_HEADER_BYTES ? length : NETIF_HEADER_BYTES - data % 2;
		rest = length - first;
		iov[0] = (struct iovec){bytes, first};
		iov[1] = (struct iovec){bytes + first, rest / 3};
		iov[2] = (struct iovec){bytes + first + rest / 3, 0};
		iov[3] = (struct iovec){bytes + first + rest / 3, rest - rest / 3};
		netif_headers_complete(iov, 4, &headers);
		ck_assert(is_right(bytes));
		ck_assert(tcp || checksum_at(bytes) != 0);
	}
}
END_TEST

/* UDP's 0 says that there is none. */
START_TEST(udp_checksum_of_zero)
{
	struct netif_headers headers;
	struct iovec iov = {bytes, 0};
	uint32_t sum;

	begin(0, 0x0800);
	put_ipv4(5, 0, UDP);
	put_transport(UDP, 0, 2);
	bytes[length - 2] = bytes[length - 1] = 0;
	blank();
	sum = 0xffff - add_bytes(pseudo_sum(bytes), bytes + transport, 6);
	bytes[length - 2] = (uint8_t)(sum >> 8);
	bytes[length - 1] = (uint8_t)sum;
	iov.iov_len = length;
	ck_assert(find(&headers));
	netif_headers_complete(&iov, 1, &headers);
	ck_assert_uint_eq(checksum_at(bytes), 0xffff);
	ck_assert(is_right(bytes));
}
END_TEST

/* ---- through a queue ---- */

/* send - the packet, over pages that begin with `first_bytes` of it. Its one response is `status`. */
static void send(uint32_t first_bytes, uint32_t flags, const netif_extra_info_t *extra, int16_t status)
{
	uint32_t at = first_bytes, page = 1;

	memcpy(card_page(0) + 17, bytes, first_bytes);
	card_put(card_gref(0), 17, length,
		 flags | (at < length ? NETTXF_more_data : 0) | (extra ? NETTXF_extra_info : 0), 0);
	if (extra)
		card_put_extra(extra);
	for (; at < length; page++) {
		uint32_t piece = length - at < PAGE_BYTES ? length - at : PAGE_BYTES;

		memcpy(card_page(page), bytes + at, piece);
		at += piece;
		card_put(card_gref(page), 0, piece, at < length ? NETTXF_more_data : 0, page);
	}
	card_push();
	netif_event(card);
	card_transmitted = 0;
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, status == NETIF_RSP_OKAY);
	for (uint32_t i = 0; i < card_transmitted; i++)
		netif_transmitted(card_packets[i].seen, 0);
	if (card_transmitted > 0)
		card_take_turn();
	for (uint32_t i = 0; i < page; i++)
		card_expect(i, status);
	card_expect_null(extra != NULL);
	card_expect_none();
}

/* make - TCP or UDP over either. */
static void make(bool want_ipv6, bool want_tcp, uint32_t data)
{
	begin(0, want_ipv6 ? 0x86dd : 0x0800);
	if (want_ipv6)
		put_ipv6(want_tcp ? TCP : UDP);
	else
		put_ipv4(5, 0, want_tcp ? TCP : UDP);
	put_transport(want_tcp ? TCP : UDP, 8, data);
	blank();
}

START_TEST(blank_checksums_pass)
{
	const struct card_options options = {.takes = ALL_KINDS};

	card_start((enum card_way)_i, &options);
	for (uint32_t kind = 0; kind < 4; kind++) {
		make(kind & 1, kind & 2, 1400);
		send(200, NETTXF_csum_blank | NETTXF_data_validated, NULL, NETIF_RSP_OKAY);
		ck_assert_uint_eq(card_packets[0].flags,
				  XVHOST_PACKET_CHECKSUM_BLANK | XVHOST_PACKET_CHECKSUM_GOOD);
		ck_assert_uint_eq(card_packets[0].seen->checksum_start, transport);
		ck_assert_uint_eq(card_packets[0].seen->checksum_offset, tcp ? 16 : 6);
		ck_assert_mem_eq(card_packets[0].data, bytes, length);
	}
	make(false, true, 100);
	send(50, NETTXF_data_validated, NULL, NETIF_RSP_OKAY);
	ck_assert_uint_eq(card_packets[0].flags, XVHOST_PACKET_CHECKSUM_GOOD);
	card_stop();
}
END_TEST

/* A backend that does not take it gets a packet that is whole. */
START_TEST(blank_checksums_are_filled)
{
	const struct card_options options = {.takes = XVHOST_NET_CHECKSUM_IPV4};

	card_start((enum card_way)_i, &options);
	for (uint32_t data = 0; data < 60000; data = data * 3 + 1) {
		for (uint32_t i = 0; i < 2; i++) {
			make(true, i, data);
			ck_assert(!is_right(bytes));
			send(length < 201 ? length : 201, NETTXF_csum_blank | NETTXF_data_validated, NULL,
			     NETIF_RSP_OKAY);
			ck_assert_uint_eq(card_packets[0].flags, XVHOST_PACKET_CHECKSUM_GOOD);
			ck_assert_uint_eq(card_packets[0].length, length);
			ck_assert(is_right(card_packets[0].data));
		}
		make(false, true, data);
		send(length < 201 ? length : 201, NETTXF_csum_blank, NULL, NETIF_RSP_OKAY);
		ck_assert(card_packets[0].flags & XVHOST_PACKET_CHECKSUM_BLANK);
		ck_assert(!is_right(card_packets[0].data));
	}
	card_stop();
}
END_TEST

START_TEST(gso)
{
	const struct card_options options = {.takes = ALL_KINDS};
	netif_extra_info_t extra = {.type = XEN_NETIF_EXTRA_TYPE_GSO, .u.gso = {.size = 1448}};

	card_start((enum card_way)_i, &options);
	for (uint32_t kind = 0; kind < 4; kind++) {
		extra.u.gso.type = kind & 1 ? XEN_NETIF_GSO_TYPE_TCPV6 : XEN_NETIF_GSO_TYPE_TCPV4;
		make(kind & 1, true, 60000);
		/* Where it does not say that it is blank it becomes so. */
		if (kind & 2)
			bytes[transport + 16] ^= 0x55;
		send(66, kind & 2 ? NETTXF_data_validated : NETTXF_csum_blank, &extra, NETIF_RSP_OKAY);
		ck_assert_uint_eq(card_packets[0].flags,
				  XVHOST_PACKET_CHECKSUM_BLANK | XVHOST_PACKET_CHECKSUM_GOOD);
		ck_assert_uint_eq(card_packets[0].seen->gso, kind & 1 ? XVHOST_GSO_TCPV6 : XVHOST_GSO_TCPV4);
		ck_assert_uint_eq(card_packets[0].seen->gso_bytes, 1448);
		ck_assert_uint_eq(card_packets[0].seen->header_bytes, transport + 32);
		ck_assert_uint_eq(card_packets[0].seen->checksum_start, transport);
		ck_assert_uint_eq(card_packets[0].seen->checksum_offset, 16);
		blank();
		ck_assert_mem_eq(card_packets[0].data, bytes, length);
	}
	card_stop();
}
END_TEST

/* GSO says one protocol, the headers say another. */
START_TEST(gso_of_another_protocol)
{
	const struct card_options options = {.takes = ALL_KINDS};
	netif_extra_info_t extra = {.type = XEN_NETIF_EXTRA_TYPE_GSO, .u.gso = {.size = 1448}};

	card_start((enum card_way)_i, &options);
	extra.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
	make(true, true, 6000);
	send(100, NETTXF_csum_blank, &extra, NETIF_RSP_ERROR);
	make(false, false, 6000);
	send(100, NETTXF_csum_blank, &extra, NETIF_RSP_ERROR);
	extra.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV6;
	make(false, true, 6000);
	send(100, NETTXF_csum_blank, &extra, NETIF_RSP_ERROR);
	card_stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_test(test_case, plain_headers);
	tcase_add_test(test_case, options_and_tags);
	tcase_add_test(test_case, headers_beyond_the_copy);
	tcase_add_test(test_case, extension_headers);
	tcase_add_test(test_case, fragments);
	tcase_add_test(test_case, no_such_packets);
	tcase_add_test(test_case, cut_anywhere);
	tcase_add_test(test_case, nonsense);
	tcase_add_test(test_case, checksums);
	tcase_add_test(test_case, udp_checksum_of_zero);
	tcase_add_loop_test(test_case, blank_checksums_pass, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, blank_checksums_are_filled, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, gso, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, gso_of_another_protocol, 0, CARD_WAYS);
}

CHECK_MAIN("netif_headers", add_tests)
