// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What went wrong in other backends of network cards, by the number of Xen's advisory (xenbits.xen.org/xsa/): it does not happen here.
 * XSA-349, of xenstore's watches, is xvhostd's: test_daemon_net.c.
 */
#include <errno.h>
#include <string.h>

#include "one_card.h"

static void end_all(void)
{
	for (uint32_t i = 0; i < card_transmitted; i++)
		netif_transmitted(card_packets[i].seen, 0);
	card_take_turn();
}

/* make_tcp - a packet's first 54 bytes, of TCP over IPv4. */
static void make_tcp(uint8_t *bytes)
{
	static const uint8_t headers[54] = {2, 0, 0,	0,    0,    1, 2,  0, 0, 0, 0,	2, 8, 0, 0x45, 0,
					    0, 0, 0,	1,    0,    0, 64, 6, 0, 0, 10, 0, 0, 1, 10,   0,
					    0, 2, 0x12, 0x34, 0x56, 8, 1,  2, 3, 4, 0,	0, 0, 0, 0x50};

	memcpy(bytes, headers, sizeof(headers));
}

/*
 * XSA-155: what lies in shared memory is read once. All slots change as soon as they were taken, and the headers as soon as they were
 * copied; the packet stays what was checked.
 */
START_TEST(xsa_155_double_fetch)
{
	const struct card_options options = {.takes = XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_GSO_TCPV4};
	const netif_extra_info_t extra = {.type = XEN_NETIF_EXTRA_TYPE_GSO,
					  .u.gso = {.size = 1000, .type = XEN_NETIF_GSO_TYPE_TCPV4}};
	uint8_t headers[NETIF_HEADER_BYTES];

	card_start((enum card_way)_i, &options);
	card_fill(0);
	card_fill(1);
	make_tcp(card_page(0));
	memcpy(headers, card_page(0), sizeof(headers));
	card_put(card_gref(0), 0, 7000, NETTXF_more_data | NETTXF_extra_info | NETTXF_csum_blank, 1);
	card_put_extra(&extra);
	card_put(card_gref(1), 0, 4000, 0, 2);
	card_push();
	netif_take(card);
	memset(card_tx_slot(0), 0xff, 3 * sizeof(netif_tx_request_t));
	netif_start(&card_turn);
	ck_assert_uint_eq(card_transmitted, 1);
	memset(card_page(0), 0xff, PAGE_BYTES);
	ck_assert_uint_eq(card_packets[0].length, 7000);
	ck_assert_mem_eq(card_packets[0].data, headers, sizeof(headers));
	/* What the backend finds now is what it found before. */
	ck_assert_mem_eq(card_packets[0].seen->iov[0].iov_base, headers, sizeof(headers));
	ck_assert_uint_eq(card_packets[0].seen->length, 7000);
	ck_assert_uint_eq(card_packets[0].seen->gso_bytes, 1000);
	ck_assert_uint_eq(card_packets[0].seen->header_bytes, 54);
	end_all();
	card_expect(1, NETIF_RSP_OKAY);
	card_expect(2, NETIF_RSP_OKAY);
	card_expect_null(1);
	card_expect_none();
	ck_assert(!netif_queue_broken(card));
	card_stop();
}
END_TEST

/* XSA-155 again: the id of a slot for the guest, and its grant, change after the slot was taken. */
START_TEST(xsa_155_double_fetch_rx)
{
	static uint8_t data[1000];
	static struct iovec iov = {data, sizeof(data)};
	static struct xvhost_packet packet = {.iov = &iov, .iov_count = 1, .length = sizeof(data)};
	union netif_rx_sring_entry entry;

	card_start((enum card_way)_i, NULL);
	card_post_pages(0, 1);
	memset(data, 0x22, sizeof(data));
	ck_assert(netif_receive(netif_seen(card), &packet));
	memset(&card_rx_ring()->ring[0], 0xff, sizeof(entry));
	card_take_turn();
	ck_assert(card_take_rx(&entry));
	ck_assert_uint_eq(entry.rsp.id, 0);
	ck_assert_int_eq(entry.rsp.status, sizeof(data));
	ck_assert_mem_eq(card_page(0), data, sizeof(data));
	card_stop();
}
END_TEST

/* XSA-216: all bytes of a response are ours, of those that have less to say, too: nothing of what was there before stays. */
START_TEST(xsa_216_response_padding)
{
	static uint8_t data[14];
	static struct iovec iov = {data, sizeof(data)};
	static struct xvhost_packet packet = {.iov = &iov, .iov_count = 1, .length = sizeof(data)};
	const netif_extra_info_t extra = {.type = XEN_NETIF_EXTRA_TYPE_HASH};
	const uint8_t *slot;

	card_start((enum card_way)_i, NULL);
	card_put(card_gref(0), 0, 60, NETTXF_extra_info, 0x1234);
	card_put_extra(&extra);
	card_push();
	card_take_turn();
	memset(card_tx_slot(0), 0xdd, 2 * sizeof(netif_tx_request_t));
	end_all();
	slot = card_tx_slot(0);
	ck_assert_mem_eq(slot, ((const uint8_t[12]){0x34, 0x12, NETIF_RSP_OKAY}), 12);
	slot = card_tx_slot(1);
	ck_assert_mem_eq(slot, ((const uint8_t[12]){0, 0, NETIF_RSP_NULL}), 12);
	card_post_pages(0x34, 1);
	ck_assert(netif_receive(netif_seen(card), &packet));
	memset(&card_rx_ring()->ring[0], 0xdd, sizeof(union netif_rx_sring_entry));
	card_take_turn();
	ck_assert_mem_eq(&card_rx_ring()->ring[0], ((const uint8_t[8]){0x34, 0, 0, 0, 0, 0, 14, 0}), 8);
	card_stop();
}
END_TEST

/* XSA-332: events without work are no work: nothing stays to be done, and each is one look. */
START_TEST(xsa_332_event_storm)
{
	card_start((enum card_way)_i, NULL);
	for (uint32_t i = 0; i < 10000; i++) {
		netif_event(card);
		netif_event(card);
		card_take_turn();
		ck_assert(!netif_queue_ready(card));
		ck_assert(!netif_ask(card));
		ck_assert(!card_notify_tx && !card_notify_rx);
	}
	ck_assert_uint_eq(card_transmit_calls + card_rooms + card_copy_calls + card_map_calls, 0);
	ck_assert_uint_eq(netif_counters(card)->events, 20000);
	card_stop();
}
END_TEST

/* XSA-392: a guest that gives no slots makes nothing wait here. What the backend has stays the backend's, which has its own bound. */
START_TEST(xsa_392_unbounded_rx_queue)
{
	static uint8_t data[60];
	static struct iovec iov = {data, sizeof(data)};
	static struct xvhost_packet packet = {.iov = &iov, .iov_count = 1, .length = sizeof(data)};
	uint32_t taken = 0;

	card_start((enum card_way)_i, NULL);
	for (uint32_t i = 0; i < 10000; i++)
		ck_assert(!netif_receive(netif_seen(card), &packet));
	ck_assert(netif_queue_idle(card));
	card_take_turn();
	ck_assert_uint_eq(card_delivered_count, 0);
	/* With slots there is a bound for each turn. */
	card_post_pages(0, 200);
	while (netif_receive(netif_seen(card), &packet))
		taken++;
	ck_assert_uint_eq(taken, NETIF_RECEIVED_MAX);
	card_take_turn();
	ck_assert_uint_eq(card_delivered_count, NETIF_RECEIVED_MAX);
	card_stop();
}
END_TEST

/* put_scattered - a packet in slots of these sizes, the last of which has what is left. */
static void put_scattered(const uint8_t *bytes, uint32_t length, const uint32_t *sizes, uint32_t count)
{
	for (uint32_t i = 0, at = 0; i < count; i++) {
		uint32_t size = i + 1 < count ? sizes[i] : length - at;

		memcpy(card_page(i) + 5 * i, bytes + at, size);
		card_put(card_gref(i), 5 * i, i == 0 ? length : size, i + 1 < count ? NETTXF_more_data : 0,
			 i);
		at += size;
	}
	card_push();
}

static void expect_scattered(const uint8_t *bytes, uint32_t length, uint32_t count)
{
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 1);
	ck_assert_uint_eq(card_packets[0].length, length);
	ck_assert_mem_eq(card_packets[0].data, bytes, length);
	ck_assert_uint_ge(card_packets[0].first_bytes,
			  length < NETIF_HEADER_BYTES ? length : NETIF_HEADER_BYTES);
	end_all();
	for (uint32_t i = 0; i < count; i++)
		card_expect(i, NETIF_RSP_OKAY);
	card_expect_none();
}

/* XSA-423: headers that are spread over slots are in one piece for whoever gets the packet. */
START_TEST(xsa_423_split_headers)
{
	const uint32_t sizes[NETIF_SLOTS_MAX] = {1, 1, 12, 1, 19, 3, 2, 1, 10, 5, 7, 1, 1, 30, 40, 100, 200};
	uint8_t bytes[900];

	card_start((enum card_way)_i, NULL);
	for (uint32_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	make_tcp(bytes);
	put_scattered(bytes, sizeof(bytes), sizes, NETIF_SLOTS_MAX);
	expect_scattered(bytes, sizeof(bytes), NETIF_SLOTS_MAX);
	card_stop();
}
END_TEST

/*
 * XSA-432: a packet of as many slots as there may be, the first of which are smaller than the headers that are copied, so that a slot is
 * split: what describes it has room for one part more.
 */
START_TEST(xsa_432_most_slots_and_split_headers)
{
	uint32_t sizes[NETIF_SLOTS_MAX], length = 0;
	static uint8_t bytes[XVHOST_NET_BYTES_MAX];

	card_start((enum card_way)_i, NULL);
	for (uint32_t i = 0; i < NETIF_SLOTS_MAX; i++)
		sizes[i] = i == 0 ? 127 : 3500;
	for (uint32_t i = 0; i < NETIF_SLOTS_MAX; i++)
		length += sizes[i];
	for (uint32_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)(i * 7 + (i >> 8));
	put_scattered(bytes, length, sizes, NETIF_SLOTS_MAX);
	expect_scattered(bytes, length, NETIF_SLOTS_MAX);
	if (_i != CARD_COPIED)
		ck_assert_uint_eq(card_packets[0].iov_count, NETIF_SLOTS_MAX);
	card_stop();
}
END_TEST

/* The same with no byte split: each slot has an iovec, and the headers one more. */
START_TEST(xsa_432_most_iovecs)
{
	uint32_t sizes[NETIF_SLOTS_MAX], length = 0;
	static uint8_t bytes[XVHOST_NET_BYTES_MAX];

	card_start((enum card_way)_i, NULL);
	for (uint32_t i = 0; i < NETIF_SLOTS_MAX; i++)
		length += sizes[i] = i == 0 ? 200 : 3000;
	for (uint32_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)(i * 3 + (i >> 8));
	put_scattered(bytes, length, sizes, NETIF_SLOTS_MAX);
	expect_scattered(bytes, length, NETIF_SLOTS_MAX);
	if (_i != CARD_COPIED)
		ck_assert_uint_eq(card_packets[0].iov_count, NETIF_SLOTS_MAX + 1);
	card_stop();
}
END_TEST

/* XSA-448: slots without data do no harm wherever they are, and their grants are not looked at. */
START_TEST(xsa_448_empty_slots)
{
	card_start((enum card_way)_i, NULL);
	card_fill(1);
	card_fill(2);
	card_put(CARD_BAD_GREF, 4096, 1000, NETTXF_more_data, 0); /* all is in the others */
	card_put(CARD_BAD_GREF, 0, 0, NETTXF_more_data, 1);
	card_put(card_gref(1), 0, 600, NETTXF_more_data, 2);
	card_put(CARD_BAD_GREF, 4096, 0, NETTXF_more_data, 3);
	card_put(card_gref(2), 0, 400, NETTXF_more_data, 4);
	card_put(CARD_BAD_GREF, 0, 0, 0, 5);
	card_push();
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 1);
	ck_assert_uint_eq(card_packets[0].length, 1000);
	ck_assert_mem_eq(card_packets[0].data, card_page(1), 600);
	ck_assert_mem_eq(card_packets[0].data + 600, card_page(2), 400);
	end_all();
	for (uint32_t id = 0; id < 6; id++)
		card_expect(id, NETIF_RSP_OKAY);
	card_expect_none();
	card_stop();
}
END_TEST

/* XSA-448: nothing but slots without data is a packet that is too small. */
START_TEST(xsa_448_nothing_but_empty_slots)
{
	card_start((enum card_way)_i, NULL);
	for (uint32_t i = 0; i < NETIF_SLOTS_MAX; i++)
		card_put(card_gref(0), 0, 0, i + 1 < NETIF_SLOTS_MAX ? NETTXF_more_data : 0, i);
	card_push();
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 0);
	for (uint32_t i = 0; i < NETIF_SLOTS_MAX; i++)
		card_expect(i, NETIF_RSP_ERROR);
	card_expect_none();
	card_stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, xsa_155_double_fetch, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, xsa_155_double_fetch_rx, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, xsa_216_response_padding, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, xsa_332_event_storm, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, xsa_392_unbounded_rx_queue, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, xsa_423_split_headers, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, xsa_432_most_slots_and_split_headers, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, xsa_432_most_iovecs, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, xsa_448_empty_slots, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, xsa_448_nothing_but_empty_slots, 0, CARD_WAYS);
}

CHECK_MAIN("netif_advisories", add_tests)
