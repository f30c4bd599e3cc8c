// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packets for the guest: what lies in its pages, what the responses say, what the backend is told. Each test runs for each way to the
 * guest's memory.
 */
#include <errno.h>
#include <string.h>

#include "one_card.h"

#define ALL_KINDS                                                                                            \
	(XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6 | XVHOST_NET_GSO_TCPV4 | XVHOST_NET_GSO_TCPV6)

static uint8_t data[XVHOST_NET_BYTES_MAX + 1];
static struct iovec iov[1024][XVHOST_NET_IOVECS_MAX];
static struct xvhost_packet packets[1024];

static void fill(void)
{
	for (uint32_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 13 + (i >> 8) * 5);
	/* To one address, not to many. */
	data[0] &= 0xfe;
}

/* describe - a packet of the first `length` bytes of data, in `pieces`. */
static struct xvhost_packet *describe(uint32_t index, uint32_t length, uint32_t pieces)
{
	struct xvhost_packet *packet = &packets[index];
	uint32_t at = 0;

	*packet = (struct xvhost_packet){
		.queue = netif_seen(card), .iov = iov[index], .iov_count = pieces, .length = length};
	for (uint32_t i = 0; i < pieces; i++) {
		uint32_t bytes = i + 1 < pieces ? length / pieces : length - at;

		iov[index][i] = (struct iovec){data + at, bytes};
		at += bytes;
	}
	return packet;
}

static bool receive(struct xvhost_packet *packet)
{
	return netif_receive(netif_seen(card), packet);
}

static void expect_delivered(uint32_t at, const struct xvhost_packet *packet, int error)
{
	ck_assert_uint_gt(card_delivered_count, at);
	ck_assert_ptr_eq(card_delivered[at].packet, packet);
	ck_assert_int_eq(card_delivered[at].error, error);
}

/* expect_slot - the next response, and `bytes` of data from `at` on in the page whose number is its id. */
static void expect_slot(uint32_t id, uint32_t offset, uint32_t flags, uint32_t at, uint32_t bytes)
{
	union netif_rx_sring_entry entry;
	const uint8_t *page = card_page(id);

	ck_assert(card_take_rx(&entry));
	ck_assert_uint_eq(entry.rsp.id, id);
	ck_assert_uint_eq(entry.rsp.offset, offset);
	ck_assert_uint_eq(entry.rsp.flags, flags);
	ck_assert_int_eq(entry.rsp.status, (int)bytes);
	ck_assert_mem_eq(page + offset, data + at, bytes);
	for (uint32_t i = 0; i < PAGE_BYTES; i++)
		if (i < offset || i >= offset + bytes)
			ck_assert_uint_eq(page[i], 0xcc);
}

static void expect_error(uint32_t id, uint32_t flags)
{
	union netif_rx_sring_entry entry;

	ck_assert(card_take_rx(&entry));
	ck_assert_uint_eq(entry.rsp.id, id);
	ck_assert_uint_eq(entry.rsp.flags, flags);
	ck_assert_int_eq(entry.rsp.status, NETIF_RSP_ERROR);
}

static void expect_none(void)
{
	union netif_rx_sring_entry entry;

	ck_assert(!card_take_rx(&entry));
}

static void expect_gso(uint32_t type, uint32_t size)
{
	union netif_rx_sring_entry entry;
	netif_extra_info_t extra;

	ck_assert(card_take_rx(&entry));
	memcpy(&extra, &entry, sizeof(extra));
	ck_assert_uint_eq(extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
	ck_assert_uint_eq(extra.flags, 0);
	ck_assert_uint_eq(extra.u.gso.type, type);
	ck_assert_uint_eq(extra.u.gso.size, size);
	ck_assert_uint_eq(extra.u.gso.pad, 0);
	ck_assert_uint_eq(extra.u.gso.features, 0);
}

static void start(enum card_way way, const struct card_options *options)
{
	card_start(way, options);
	fill();
}

START_TEST(packet_of_one_slot)
{
	start((enum card_way)_i, NULL);
	card_post_pages(0, 4);
	ck_assert(receive(describe(0, 1000, 1)));
	ck_assert(receive(describe(1, 14, 1)));
	ck_assert(!netif_queue_idle(card));
	ck_assert(netif_queue_ready(card));
	ck_assert_uint_eq(card_delivered_count, 0);
	card_take_turn();
	expect_delivered(0, &packets[0], 0);
	expect_delivered(1, &packets[1], 0);
	ck_assert_uint_eq(card_delivered_count, 2);
	expect_slot(0, 0, 0, 0, 1000);
	expect_slot(1, 0, 0, 0, 14);
	expect_none();
	ck_assert(netif_queue_idle(card));
	ck_assert(!netif_queue_ready(card));
	ck_assert(card_notify_rx);
	ck_assert(!card_notify_tx);
	ck_assert_uint_eq(netif_counters(card)->rx_packets, 2);
	ck_assert_uint_eq(netif_counters(card)->rx_bytes, 1014);
	card_stop();
}
END_TEST

START_TEST(packet_of_many_slots)
{
	start((enum card_way)_i, NULL);
	card_post_pages(0, 200);
	ck_assert(receive(describe(0, 10000, 7)));
	ck_assert(receive(describe(1, XVHOST_NET_BYTES_MAX, XVHOST_NET_IOVECS_MAX)));
	ck_assert(receive(describe(2, 8192, 1)));
	ck_assert(receive(describe(3, 4097, 2)));
	card_take_turn();
	for (uint32_t i = 0; i < 4; i++)
		expect_delivered(i, &packets[i], 0);
	expect_slot(0, 0, NETRXF_more_data, 0, 4096);
	expect_slot(1, 0, NETRXF_more_data, 4096, 4096);
	expect_slot(2, 0, 0, 8192, 10000 - 8192);
	for (uint32_t i = 0; i < 16; i++)
		expect_slot(3 + i, 0, i < 15 ? NETRXF_more_data : 0, i * 4096, i < 15 ? 4096 : 4095);
	expect_slot(19, 0, NETRXF_more_data, 0, 4096);
	expect_slot(20, 0, 0, 4096, 4096);
	expect_slot(21, 0, NETRXF_more_data, 0, 4096);
	expect_slot(22, 0, 0, 4096, 1);
	expect_none();
	card_stop();
}
END_TEST

/* Iovecs of a byte, and of none. */
START_TEST(packet_in_odd_pieces)
{
	struct xvhost_packet *packet;

	start((enum card_way)_i, NULL);
	card_post_pages(0, 2);
	packet = describe(0, 5000, 6);
	iov[0][0] = (struct iovec){data, 0};
	iov[0][1] = (struct iovec){data, 1};
	iov[0][2] = (struct iovec){data + 1, 0};
	iov[0][3] = (struct iovec){data + 1, 4094};
	iov[0][4] = (struct iovec){data + 4095, 2};
	iov[0][5] = (struct iovec){data + 4097, 903};
	ck_assert(receive(packet));
	card_take_turn();
	expect_delivered(0, packet, 0);
	expect_slot(0, 0, NETRXF_more_data, 0, 4096);
	expect_slot(1, 0, 0, 4096, 904);
	card_stop();
}
END_TEST

START_TEST(checksum_flags)
{
	const struct card_options options = {.guest_takes = XVHOST_NET_CHECKSUM_IPV4};

	start((enum card_way)_i, &options);
	card_post_pages(0, 3);
	for (uint32_t i = 0; i < 3; i++)
		describe(i, 100, 1);
	packets[0].flags = XVHOST_PACKET_CHECKSUM_GOOD;
	packets[1].flags = XVHOST_PACKET_CHECKSUM_BLANK;
	packets[2].flags = XVHOST_PACKET_CHECKSUM_BLANK | XVHOST_PACKET_CHECKSUM_GOOD;
	for (uint32_t i = 0; i < 3; i++)
		ck_assert(receive(&packets[i]));
	card_take_turn();
	expect_slot(0, 0, NETRXF_data_validated, 0, 100);
	expect_slot(1, 0, NETRXF_data_validated | NETRXF_csum_blank, 0, 100);
	expect_slot(2, 0, NETRXF_data_validated | NETRXF_csum_blank, 0, 100);
	card_stop();
}
END_TEST

/* The extra info is in the second slot, and that page stays as it is. */
START_TEST(gso)
{
	const uint32_t blank = NETRXF_data_validated | NETRXF_csum_blank;
	const struct card_options options = {.guest_takes = ALL_KINDS};

	start((enum card_way)_i, &options);
	card_post_pages(0, 30);
	describe(0, 9000, 3);
	describe(1, 3000, 1);
	packets[0].gso = XVHOST_GSO_TCPV4;
	packets[1].gso = XVHOST_GSO_TCPV6;
	for (uint32_t i = 0; i < 2; i++) {
		packets[i].flags = XVHOST_PACKET_CHECKSUM_BLANK;
		packets[i].gso_bytes = (uint16_t)(1448 + i);
		ck_assert(receive(&packets[i]));
	}
	card_take_turn();
	expect_slot(0, 0, blank | NETRXF_extra_info | NETRXF_more_data, 0, 4096);
	expect_gso(XEN_NETIF_GSO_TYPE_TCPV4, 1448);
	expect_slot(2, 0, NETRXF_more_data, 4096, 4096);
	expect_slot(3, 0, 0, 8192, 808);
	expect_slot(4, 0, blank | NETRXF_extra_info, 0, 3000);
	expect_gso(XEN_NETIF_GSO_TYPE_TCPV6, 1449);
	expect_none();
	for (uint32_t i = 0; i < PAGE_BYTES; i++) {
		ck_assert_uint_eq(card_page(1)[i], 0xcc);
		ck_assert_uint_eq(card_page(5)[i], 0xcc);
	}
	card_stop();
}
END_TEST

/* Room before the data of each slot; other settings count for what is received from then on. */
START_TEST(xdp_headroom)
{
	const struct card_options options = {.settings.xdp_headroom = 256};
	const struct message_net_settings without = {.xdp_headroom = 0};

	start((enum card_way)_i, &options);
	card_post_pages(0, 10);
	ck_assert(receive(describe(0, 1500, 2)));
	ck_assert(receive(describe(1, 3841, 2)));
	netif_queue_set(card, &without);
	ck_assert(receive(describe(2, 3841, 2)));
	card_take_turn();
	expect_slot(0, 256, 0, 0, 1500);
	expect_slot(1, 256, NETRXF_more_data, 0, 3840);
	expect_slot(2, 256, 0, 3840, 1);
	expect_slot(3, 0, 0, 0, 3841);
	card_stop();
}
END_TEST

/* A packet that a guest can't get is gone, takes no slot, and the others get through. */
START_TEST(packets_that_are_dropped)
{
	const struct card_options options = {.no_scatter = true};

	start((enum card_way)_i, &options);
	card_post_pages(0, 10);
	for (uint32_t i = 0; i < 7; i++)
		describe(i, 100, 1);
	describe(0, 4097, 2);
	packets[1].flags = XVHOST_PACKET_CHECKSUM_BLANK;
	packets[2].gso = XVHOST_GSO_TCPV4;
	packets[3].length = 13;
	iov[3][0].iov_len = 13;
	packets[4].length = 101;
	packets[5].gso = 9;
	for (uint32_t i = 0; i < 7; i++)
		ck_assert(receive(&packets[i]));
	card_take_turn();
	ck_assert_uint_eq(card_delivered_count, 7);
	expect_delivered(0, &packets[0], -EMSGSIZE);
	expect_delivered(1, &packets[1], -EOPNOTSUPP);
	expect_delivered(2, &packets[2], -EOPNOTSUPP);
	expect_delivered(3, &packets[3], -EINVAL);
	expect_delivered(4, &packets[4], -EINVAL);
	expect_delivered(5, &packets[5], -EOPNOTSUPP);
	expect_delivered(6, &packets[6], 0);
	expect_slot(0, 0, 0, 0, 100);
	expect_none();
	ck_assert_uint_eq(netif_counters(card)->rx_dropped, 6);
	ck_assert_uint_eq(netif_counters(card)->rx_packets, 1);
	netif_dropped(netif_seen(card), 5);
	ck_assert_uint_eq(netif_counters(card)->rx_dropped, 11);
	card_stop();
}
END_TEST

/* All slots of a packet have the error, and look else as they would. The others of the turn get through. */
START_TEST(bad_grants)
{
	const struct card_options options = {.guest_takes = ALL_KINDS};

	start((enum card_way)_i, &options);
	card_post_pages(0, 1);
	card_post(CARD_BAD_GREF, 100);
	card_post_pages(1, 2);
	card_post(CARD_BAD_GREF, 101);
	card_post_pages(3, 5);
	ck_assert(receive(describe(0, 1000, 1)));
	ck_assert(receive(describe(1, 1000, 1)));
	describe(2, 8000, 3);
	packets[2].gso = XVHOST_GSO_TCPV4;
	packets[2].gso_bytes = 1000;
	packets[2].flags = XVHOST_PACKET_CHECKSUM_BLANK;
	ck_assert(receive(&packets[2]));
	ck_assert(receive(describe(3, 1000, 1)));
	card_take_turn();
	expect_delivered(0, &packets[0], 0);
	ck_assert_int_lt(card_delivered[1].error, 0);
	ck_assert_int_lt(card_delivered[2].error, 0);
	expect_delivered(3, &packets[3], 0);
	expect_slot(0, 0, 0, 0, 1000);
	expect_error(100, 0);
	expect_error(1, NETRXF_data_validated | NETRXF_csum_blank | NETRXF_extra_info | NETRXF_more_data);
	expect_gso(XEN_NETIF_GSO_TYPE_TCPV4, 1000);
	expect_error(101, 0);
	expect_slot(3, 0, 0, 0, 1000);
	expect_none();
	ck_assert_uint_eq(netif_counters(card)->rx_dropped, 2);
	card_stop();
}
END_TEST

/* A guest that is migrated would not see what was written, and what can't be marked by its grant, either: it gets an error in its place. */
START_TEST(written_and_not_reported)
{
	start(CARD_CACHED, NULL);
	card_post_pages(0, 3);
	card_fault(SIM_DEVICE_MODEL_MODIFIED, -EFAULT);
	card_fault(SIM_GRANTS_MAP, -EFAULT);
	ck_assert(receive(describe(0, 5000, 1)));
	card_take_turn();
	expect_delivered(0, &packets[0], -EIO);
	expect_error(0, NETRXF_more_data);
	expect_error(1, 0);
	card_fault(SIM_DEVICE_MODEL_MODIFIED, 0);
	card_stop();
}
END_TEST

/* The call as a whole fails: packets are lost, the queue goes on. */
START_TEST(copy_fails)
{
	start(CARD_COPIED, NULL);
	card_post_pages(0, 3);
	ck_assert(receive(describe(0, 1000, 1)));
	ck_assert(receive(describe(1, 1000, 1)));
	card_fault(SIM_GRANTS_COPY, -EFAULT);
	card_take_turn();
	expect_delivered(0, &packets[0], -EFAULT);
	expect_delivered(1, &packets[1], -EFAULT);
	expect_error(0, 0);
	expect_error(1, 0);
	card_fault(SIM_GRANTS_COPY, 0);
	ck_assert(receive(describe(2, 1000, 1)));
	card_take_turn();
	expect_slot(2, 0, 0, 0, 1000);
	card_stop();
}
END_TEST

/* One call for all packets of the turn, and the ring used over and over. */
START_TEST(many_packets)
{
	start((enum card_way)_i, NULL);
	for (uint32_t round = 0; round < 12; round++) {
		uint32_t delivered = card_delivered_count = 0;

		card_post_pages(0, 64);
		card_copy_calls = card_map_calls = 0;
		for (uint32_t i = 0; i < 64; i++)
			ck_assert(receive(describe(i, 20 + i * 60, 1 + i % 3)));
		card_take_turn();
		ck_assert_uint_eq(card_copy_calls, _i == CARD_COPIED || _i == CARD_READ_CACHED);
		ck_assert_uint_eq(card_map_calls, _i == CARD_BY_GRANTS);
		for (uint32_t i = 0; i < 64; i++) {
			expect_slot(i, 0, 0, 0, 20 + i * 60);
			expect_delivered(delivered++, &packets[i], 0);
		}
	}
	card_stop();
}
END_TEST

/* ---- room ---- */

START_TEST(no_slots)
{
	start((enum card_way)_i, NULL);
	card_take_turn();
	ck_assert(!receive(describe(0, 100, 1)));
	ck_assert(!netif_queue_ready(card));
	ck_assert(!netif_ask(card));
	card_take_turn();
	ck_assert_uint_eq(card_rooms, 0);
	/* The frontend sees that it is to notify. */
	memset(card_page(0), 0xcc, PAGE_BYTES);
	card_post(card_gref(0), 0);
	ck_assert(card_push_rx());
	ck_assert(netif_queue_ready(card));
	netif_event(card);
	card_take_turn();
	ck_assert_uint_eq(card_rooms, 1);
	ck_assert(receive(&packets[0]));
	card_take_turn();
	expect_slot(0, 0, 0, 0, 100);
	ck_assert_uint_eq(card_rooms, 1);
	/* Nobody waits, nobody is to notify. */
	card_post(card_gref(1), 1);
	ck_assert(!card_push_rx());
	ck_assert(!netif_queue_ready(card));
	card_stop();
}
END_TEST

/* There are slots, but not enough: the frontend is asked for those beyond the ones that it has given. */
START_TEST(too_few_slots)
{
	start((enum card_way)_i, NULL);
	card_post_pages(0, 2);
	card_take_turn();
	ck_assert(!receive(describe(0, 9000, 1)));
	ck_assert(!netif_queue_ready(card));
	ck_assert(!netif_ask(card));
	memset(card_page(2), 0xcc, PAGE_BYTES);
	card_post(card_gref(2), 2);
	ck_assert(card_push_rx());
	card_take_turn();
	ck_assert_uint_eq(card_rooms, 1);
	ck_assert(receive(&packets[0]));
	card_take_turn();
	expect_slot(0, 0, NETRXF_more_data, 0, 4096);
	expect_slot(1, 0, NETRXF_more_data, 4096, 4096);
	expect_slot(2, 0, 0, 8192, 808);
	card_stop();
}
END_TEST

/* What came between the look and the question is seen. */
START_TEST(slots_while_asking)
{
	start((enum card_way)_i, NULL);
	card_take_turn();
	ck_assert(!receive(describe(0, 100, 1)));
	card_post_pages(0, 1);
	ck_assert(netif_ask(card));
	card_take_turn();
	ck_assert_uint_eq(card_rooms, 1);
	card_stop();
}
END_TEST

/* After so many in a turn the rest has to wait for the next, with slots or without. */
START_TEST(most_of_a_turn)
{
	start((enum card_way)_i, NULL);
	card_post_pages(0, NETIF_RECEIVED_MAX + 1);
	for (uint32_t i = 0; i < NETIF_RECEIVED_MAX; i++)
		ck_assert(receive(describe(i, 100, 1)));
	ck_assert(!receive(describe(NETIF_RECEIVED_MAX, 100, 1)));
	netif_finish(&card_turn);
	ck_assert_uint_eq(card_delivered_count, NETIF_RECEIVED_MAX);
	ck_assert(netif_queue_ready(card));
	card_take_turn();
	ck_assert_uint_eq(card_rooms, 1);
	ck_assert(receive(&packets[NETIF_RECEIVED_MAX]));
	card_take_turn();
	for (uint32_t i = 0; i <= NETIF_RECEIVED_MAX; i++)
		expect_slot(i, 0, 0, 0, 100);
	card_stop();
}
END_TEST

/* The backend has the next packet as soon as one was delivered. */
static void receive_next(struct xvhost_packet *packet)
{
	uint32_t next = (uint32_t)(packet - packets) + 1;

	if (next < 20)
		ck_assert(receive(describe(next, 100 + next, 1)));
}

START_TEST(received_while_delivering)
{
	start((enum card_way)_i, NULL);
	card_post_pages(0, 30);
	card_on_delivered = receive_next;
	ck_assert(receive(describe(0, 100, 1)));
	while (netif_queue_ready(card))
		card_take_turn();
	ck_assert_uint_eq(card_delivered_count, 20);
	for (uint32_t i = 0; i < 20; i++) {
		expect_delivered(i, &packets[i], 0);
		expect_slot(i, 0, 0, 0, 100 + i);
	}
	expect_none();
	card_stop();
}
END_TEST

/* Rings that were served before, just before their counters wrap: slots that are not there are not taken. */
START_TEST(counters_wrap)
{
	const struct card_options options = {.begin_at = 0xfffffff0};

	start((enum card_way)_i, &options);
	ck_assert(!receive(describe(0, 100, 1)));
	card_post_pages(0, 4);
	card_take_turn();
	ck_assert_uint_eq(card_rooms, 1);
	for (uint32_t i = 0; i < 40; i++) {
		ck_assert(receive(describe(i, 100 + i, 1)));
		card_take_turn();
		expect_slot(i, 0, 0, 0, 100 + i);
		expect_none();
		card_post_pages(4 + i, 1);
	}
	for (uint32_t i = 40; i < 44; i++)
		ck_assert(receive(describe(i, 100, 1)));
	ck_assert(!receive(describe(44, 100, 1)));
	card_take_turn();
	card_stop();
}
END_TEST

/* ---- the end ---- */

START_TEST(impossible_counter)
{
	start((enum card_way)_i, NULL);
	card_rx_ring()->req_prod = NETIF_RING_SIZE + 1;
	ck_assert(!receive(describe(0, 100, 1)));
	ck_assert(netif_queue_broken(card));
	card_take_turn();
	ck_assert_uint_eq(card_delivered_count, 0);
	ck_assert_uint_eq(card_rx_ring()->rsp_prod, 0);
	ck_assert(netif_queue_idle(card));
	card_stop();
}
END_TEST

/* What was received before the tx ring broke comes back, and nothing is put into the rings. */
START_TEST(broken_while_receiving)
{
	start((enum card_way)_i, NULL);
	card_post_pages(0, 1);
	ck_assert(receive(describe(0, 100, 1)));
	card_put(card_gref(1), 4095, 60, 0, 1);
	card_push();
	card_take_turn();
	ck_assert(netif_queue_broken(card));
	expect_delivered(0, &packets[0], -EPROTO);
	ck_assert_uint_eq(card_rx_ring()->rsp_prod, 0);
	ck_assert(!receive(&packets[0]));
	card_stop();
}
END_TEST

START_TEST(released)
{
	start((enum card_way)_i, NULL);
	card_post_pages(0, 2);
	ck_assert(receive(describe(0, 100, 1)));
	netif_queue_release(card);
	ck_assert(!receive(describe(1, 100, 1)));
	ck_assert(!netif_queue_idle(card));
	ck_assert(netif_queue_ready(card));
	card_take_turn();
	expect_delivered(0, &packets[0], 0);
	expect_slot(0, 0, 0, 0, 100);
	ck_assert(netif_queue_idle(card));
	ck_assert(!netif_queue_ready(card));
	card_stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, packet_of_one_slot, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, packet_of_many_slots, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, packet_in_odd_pieces, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, checksum_flags, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, gso, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, xdp_headroom, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, packets_that_are_dropped, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, bad_grants, 0, CARD_WAYS);
	tcase_add_test(test_case, written_and_not_reported);
	tcase_add_test(test_case, copy_fails);
	tcase_add_loop_test(test_case, many_packets, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, counters_wrap, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, no_slots, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, too_few_slots, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, slots_while_asking, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, most_of_a_turn, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, received_while_delivering, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, impossible_counter, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, broken_while_receiving, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, released, 0, CARD_WAYS);
}

CHECK_MAIN("netif_rx", add_tests)
