// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packets from the guest: what the backend sees of them, what the frontend is answered. Each test runs for each way to the guest's
 * memory.
 */
#include <errno.h>
#include <string.h>

#include "one_card.h"

/* end - all that was transmitted from `first` on. */
static void end(uint32_t first, int error)
{
	for (uint32_t i = first; i < card_transmitted; i++)
		netif_transmitted(card_packets[i % NETIF_RING_SIZE].seen, error);
	card_take_turn();
}

/* expect_data - what lies in the guest's page at this offset is in the packet. */
static void expect_data(uint32_t packet, uint32_t at, uint32_t page, uint32_t offset, uint32_t bytes)
{
	ck_assert_uint_le(at + bytes, card_packets[packet].length);
	ck_assert_mem_eq(card_packets[packet].data + at, card_page(page) + offset, bytes);
}

START_TEST(packet_of_one_slot)
{
	card_start((enum card_way)_i, NULL);
	card_fill(0);
	card_put(card_gref(0), 100, 1000, 0, 77);
	card_push();
	ck_assert(netif_queue_ready(card));
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 1);
	ck_assert_uint_eq(card_packets[0].length, 1000);
	ck_assert_uint_eq(card_packets[0].flags, 0);
	ck_assert_uint_eq(card_packets[0].seen->gso, XVHOST_GSO_NONE);
	expect_data(0, 0, 0, 100, 1000);
	card_expect_none();
	ck_assert(!netif_queue_idle(card));
	ck_assert(!netif_queue_ready(card));
	end(0, 0);
	card_expect(77, NETIF_RSP_OKAY);
	card_expect_none();
	ck_assert(netif_queue_idle(card));
	ck_assert_uint_eq(netif_counters(card)->tx_packets, 1);
	ck_assert_uint_eq(netif_counters(card)->tx_bytes, 1000);
	card_stop();
}
END_TEST

/* What was lost is answered with an error. */
START_TEST(lost_packet)
{
	card_start((enum card_way)_i, NULL);
	card_put(card_gref(0), 0, 60, 0, 1);
	card_push();
	card_take_turn();
	end(0, -EIO);
	card_expect(1, NETIF_RSP_ERROR);
	ck_assert_uint_eq(netif_counters(card)->tx_errors, 1);
	ck_assert_uint_eq(netif_counters(card)->tx_packets, 0);
	card_stop();
}
END_TEST

/* The first slot has what the others leave of the packet's size. */
START_TEST(packet_of_many_slots)
{
	const uint32_t sizes[NETIF_SLOTS_MAX] = {100,  4096, 4096, 1,	 3000, 0,    4096, 77, 4096,
						 4096, 4096, 4096, 4096, 4096, 4096, 4096, 14, 4096};
	uint32_t total = 0, at = 0;

	card_start((enum card_way)_i, NULL);
	for (uint32_t i = 0; i < NETIF_SLOTS_MAX; i++)
		total += sizes[i];
	for (uint32_t i = 0; i < NETIF_SLOTS_MAX; i++) {
		card_fill(i);
		card_put(card_gref(i), PAGE_BYTES - sizes[i], i == 0 ? total : sizes[i],
			 i + 1 < NETIF_SLOTS_MAX ? NETTXF_more_data : 0, i);
	}
	card_push();
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 1);
	ck_assert_uint_eq(card_packets[0].length, total);
	for (uint32_t i = 0; i < NETIF_SLOTS_MAX; at += sizes[i++])
		expect_data(0, at, i, PAGE_BYTES - sizes[i], sizes[i]);
	end(0, 0);
	for (uint32_t i = 0; i < NETIF_SLOTS_MAX; i++)
		card_expect(i, NETIF_RSP_OKAY);
	card_expect_none();
	card_stop();
}
END_TEST

START_TEST(largest_packet)
{
	card_start((enum card_way)_i, NULL);
	for (uint32_t round = 0; round < 20; round++) {
		for (uint32_t i = 0; i < 16; i++) {
			card_fill(i + round);
			card_put(card_gref(i + round), 0,
				 i == 0 ? XVHOST_NET_BYTES_MAX : PAGE_BYTES - (i == 15),
				 i < 15 ? NETTXF_more_data : 0, i);
		}
		card_push();
		card_take_turn();
		ck_assert_uint_eq(card_transmitted, round + 1);
		for (uint32_t i = 0; i < 16; i++)
			expect_data(round, i * PAGE_BYTES, i + round, 0, PAGE_BYTES - (i == 15));
		end(round, 0);
		for (uint32_t i = 0; i < 16; i++)
			card_expect(i, NETIF_RSP_OKAY);
	}
	card_stop();
}
END_TEST

START_TEST(smallest_packet)
{
	card_start((enum card_way)_i, NULL);
	card_fill(0);
	card_put(card_gref(0), 4082, 14, 0, 1);
	card_put(card_gref(0), 0, 13, 0, 2);
	card_put(card_gref(0), 0, 0, 0, 3);
	card_push();
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 1);
	expect_data(0, 0, 0, 4082, 14);
	card_expect(2, NETIF_RSP_ERROR);
	card_expect(3, NETIF_RSP_ERROR);
	end(0, 0);
	card_expect(1, NETIF_RSP_OKAY);
	card_stop();
}
END_TEST

/* The ring full of packets, over and over; they end in another order than they came in. All are mapped or copied by one call. */
START_TEST(many_packets)
{
	const uint32_t turns = NETIF_RING_SIZE / NETIF_PACKETS_PER_TURN;
	uint32_t transmitted = 0;

	card_start((enum card_way)_i, NULL);
	for (uint32_t i = 0; i < 64; i++)
		card_fill(i);
	for (uint32_t round = 0; round < 30; round++) {
		bool answered[NETIF_RING_SIZE] = {false};
		netif_tx_response_t response;

		for (uint32_t i = 0; i < NETIF_RING_SIZE; i++)
			card_put(card_gref(i % 64), i, 64 + i * 7, 0, i);
		card_push();
		netif_event(card);
		card_copy_calls = 0;
		for (uint32_t turn = 1; turn <= turns; turn++) {
			ck_assert(netif_queue_ready(card));
			card_take_turn();
			ck_assert_uint_eq(card_transmitted - transmitted, turn * NETIF_PACKETS_PER_TURN);
			ck_assert_uint_eq(card_map_calls, _i == CARD_BY_GRANTS ? round * turns + turn : 0);
		}
		ck_assert(!netif_queue_ready(card));
		ck_assert_uint_eq(card_copy_calls, _i == CARD_COPIED ? turns : 0);
		for (uint32_t i = 0; i < NETIF_RING_SIZE; i++) {
			uint32_t at = (transmitted + i * 101) % NETIF_RING_SIZE;

			expect_data((transmitted + i) % NETIF_RING_SIZE, 0, i % 64, i, 64 + i * 7);
			netif_transmitted(card_packets[at].seen, 0);
		}
		card_take_turn();
		for (uint32_t i = 0; i < NETIF_RING_SIZE; i++) {
			ck_assert(card_take_response(&response));
			ck_assert_int_eq(response.status, NETIF_RSP_OKAY);
			ck_assert_uint_lt(response.id, NETIF_RING_SIZE);
			ck_assert(!answered[response.id]);
			answered[response.id] = true;
		}
		card_expect_none();
		transmitted = card_transmitted;
	}
	card_stop();
}
END_TEST

/* More than there is private memory for wait in the ring, and come when others end. */
START_TEST(packets_wait_for_memory)
{
	uint32_t most = 0;

	card_start(CARD_COPIED, NULL);
	for (uint32_t i = 0; i < 14; i++)
		for (uint32_t k = 0; k < 16; k++)
			card_put(card_gref(k), 0, k == 0 ? XVHOST_NET_BYTES_MAX : PAGE_BYTES - (k == 15),
				 k < 15 ? NETTXF_more_data : 0, i);
	card_push();
	card_take_turn();
	most = card_transmitted;
	ck_assert_uint_ge(most, 4);
	ck_assert_uint_lt(most, 14);
	ck_assert(!netif_queue_ready(card));
	ck_assert(!netif_ask(card));
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, most);
	/* The last one only: what was taken before it is in the way. */
	netif_transmitted(card_packets[most - 1].seen, 0);
	card_take_turn();
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, most);
	for (uint32_t i = 0; i < most - 1; i++)
		netif_transmitted(card_packets[i].seen, 0);
	card_take_turn();
	ck_assert(netif_queue_ready(card));
	card_take_turn();
	ck_assert_uint_gt(card_transmitted, most);
	while (card_transmitted < 14) {
		uint32_t from = most;

		most = card_transmitted;
		end(from, 0);
		card_take_turn();
	}
	end(most, 0);
	ck_assert_uint_eq(netif_counters(card)->tx_packets, 14);
	card_stop();
}
END_TEST

/* put_large - a packet of so many bytes from page 100 on; `id` of its last slot, 0 of the others. */
static void put_large(uint32_t bytes, uint32_t id)
{
	uint32_t page = 100, left = bytes;

	for (; left > PAGE_BYTES; left -= PAGE_BYTES, page++)
		card_put(card_gref(page), 0, left == bytes ? bytes : PAGE_BYTES, NETTXF_more_data, 0);
	card_put(card_gref(page), 0, left, 0, id);
}

/* The private memory goes round, with some packets under way all the time: none gets into another's. */
START_TEST(memory_goes_round)
{
	uint32_t ended = 0, next = 0;

	card_start((enum card_way)_i, NULL);
	for (uint32_t i = 0; i < 17; i++)
		card_fill(100 + i);
	while (ended < 200) {
		for (; next < 200 && next < ended + 6; next++)
			put_large(60 + next * 7919 % 65000, 1);
		card_push();
		netif_event(card);
		while (netif_queue_ready(card))
			card_take_turn();
		/* Fewer fit if what is free is not in one piece. */
		ck_assert_uint_gt(card_transmitted, ended);
		for (uint32_t i = 0; i < 2 && ended < card_transmitted; i++, ended++) {
			struct xvhost_packet *seen = card_packets[ended].seen;
			uint32_t at = 0;

			ck_assert_uint_eq(seen->length, 60 + ended * 7919 % 65000);
			for (uint32_t k = 0; k < seen->iov_count; at += (uint32_t)seen->iov[k++].iov_len)
				ck_assert_mem_eq(seen->iov[k].iov_base, card_packets[ended].data + at,
						 seen->iov[k].iov_len);
			for (at = 0; at < seen->length; at += PAGE_BYTES)
				expect_data(ended, at, 100 + at / PAGE_BYTES, 0,
					    seen->length - at < PAGE_BYTES ? seen->length - at : PAGE_BYTES);
			netif_transmitted(seen, 0);
		}
		card_take_turn();
		for (netif_tx_response_t response; card_take_response(&response);)
			ck_assert_int_eq(response.status, NETIF_RSP_OKAY);
	}
	card_stop();
}
END_TEST

/* The call as a whole fails: packets are lost, the queue goes on. */
START_TEST(copy_fails)
{
	card_start(CARD_COPIED, NULL);
	for (uint32_t i = 0; i < 3; i++)
		card_put(card_gref(i), 0, 60, 0, i);
	card_push();
	card_fault(SIM_GRANTS_COPY, -EFAULT);
	card_take_turn();
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 0);
	for (uint32_t i = 0; i < 3; i++)
		card_expect(i, NETIF_RSP_ERROR);
	card_fault(SIM_GRANTS_COPY, 0);
	card_put(card_gref(0), 0, 60, 0, 9);
	card_push();
	netif_event(card);
	card_take_turn();
	end(0, 0);
	card_expect(9, NETIF_RSP_OKAY);
	card_stop();
}
END_TEST

/* What the backend does within transmit counts in the same turn. */
static void end_at_once(struct xvhost_packet *const *packets, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		netif_transmitted(packets[i], 0);
}

START_TEST(ended_at_once)
{
	card_start((enum card_way)_i, NULL);
	card_on_transmit = end_at_once;
	for (uint32_t i = 0; i < 1000; i++) {
		card_put(card_gref(i % 100), 0, 60, 0, i);
		card_push();
		card_take_turn();
		card_expect(i, NETIF_RSP_OKAY);
	}
	card_stop();
}
END_TEST

/* A packet whose grant is bad does not harm the others of the turn. */
START_TEST(bad_grants)
{
	card_start((enum card_way)_i, NULL);
	card_fill(1);
	card_fill(2);
	card_put(card_gref(1), 0, 1000, 0, 1);
	card_put(CARD_BAD_GREF, 0, 1000, 0, 2);
	card_put(card_gref(2), 0, 500, 0, 6);
	card_put(card_gref(3), 0, 1000, NETTXF_more_data, 3);
	card_put(CARD_BAD_GREF, 0, 500, 0, 4);
	card_put(card_gref(2), 0, 1000, 0, 5);
	card_push();
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 3);
	ck_assert_uint_eq(card_transmit_calls, 1);
	expect_data(0, 0, 1, 0, 1000);
	expect_data(1, 0, 2, 0, 500);
	expect_data(2, 0, 2, 0, 1000);
	for (uint32_t id = 2; id <= 4; id++)
		card_expect(id, NETIF_RSP_ERROR);
	card_expect_none();
	end(0, 0);
	card_expect(1, NETIF_RSP_OKAY);
	card_expect(6, NETIF_RSP_OKAY);
	card_expect(5, NETIF_RSP_OKAY);
	ck_assert_uint_eq(netif_counters(card)->tx_errors, 2);
	card_stop();
}
END_TEST

/* The frontend is notified of a response if it has asked; we ask for its next packet before the loop sleeps. */
START_TEST(notifications)
{
	card_start((enum card_way)_i, NULL);
	ck_assert(netif_queue_ready(card));
	card_take_turn();
	ck_assert(!netif_queue_ready(card));
	ck_assert(!netif_ask(card));
	card_put(card_gref(0), 0, 1000, 0, 1);
	ck_assert(card_push());
	netif_event(card);
	card_take_turn();
	ck_assert(!card_notify_tx);
	/* Not asked since. */
	card_put(card_gref(0), 0, 1000, 0, 2);
	ck_assert(!card_push());
	/* It is seen when we ask. */
	ck_assert(netif_ask(card));
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 2);
	end(0, 0);
	ck_assert(card_notify_tx);
	ck_assert(!card_notify_rx);
	card_expect(1, NETIF_RSP_OKAY);
	card_expect(2, NETIF_RSP_OKAY);
	card_expect_none();
	ck_assert_uint_eq(netif_counters(card)->events, 1);
	ck_assert_uint_eq(netif_counters(card)->notifications, 1);
	card_stop();
}
END_TEST

/* ---- what breaks the ring ---- */

/* expect_broken - and nothing more is taken or answered. */
static void expect_broken(void)
{
	uint32_t published = card_tx_ring()->rsp_prod;

	ck_assert(!netif_queue_broken(card));
	card_push();
	card_take_turn();
	ck_assert(netif_queue_broken(card));
	ck_assert(!netif_queue_ready(card));
	ck_assert_uint_eq(card_transmitted, 0);
	netif_event(card);
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 0);
	ck_assert_uint_eq(card_tx_ring()->rsp_prod, published);
	ck_assert(!netif_ask(card));
	ck_assert(netif_queue_idle(card));
	card_stop();
}

START_TEST(slot_beyond_its_page)
{
	card_start((enum card_way)_i, NULL);
	card_put(card_gref(0), 4000, 97, 0, 1);
	expect_broken();
}
END_TEST

START_TEST(fragment_beyond_its_page)
{
	card_start((enum card_way)_i, NULL);
	card_put(card_gref(0), 0, 1000, NETTXF_more_data, 1);
	card_put(card_gref(1), 4000, 97, 0, 2);
	expect_broken();
}
END_TEST

/* No sum of 16 bits: offset and size together overflow. */
START_TEST(slot_that_overflows)
{
	card_start((enum card_way)_i, NULL);
	card_put(card_gref(0), 65535, 100, 0, 1);
	expect_broken();
}
END_TEST

START_TEST(too_many_slots_break)
{
	card_start((enum card_way)_i, NULL);
	for (uint32_t i = 0; i <= NETIF_SLOTS_BROKEN; i++)
		card_put(card_gref(0), 0, i == 0 ? 1000 : 10, i < NETIF_SLOTS_BROKEN ? NETTXF_more_data : 0,
			 i);
	expect_broken();
}
END_TEST

START_TEST(unfinished_packet)
{
	card_start((enum card_way)_i, NULL);
	card_put(card_gref(0), 0, 1000, NETTXF_more_data, 1);
	expect_broken();
}
END_TEST

START_TEST(unfinished_extras)
{
	const netif_extra_info_t extra = {.type = XEN_NETIF_EXTRA_TYPE_HASH,
					  .flags = XEN_NETIF_EXTRA_FLAG_MORE};

	card_start((enum card_way)_i, NULL);
	card_put(card_gref(0), 0, 1000, NETTXF_extra_info, 1);
	card_put_extra(&extra);
	expect_broken();
}
END_TEST

START_TEST(extra_of_no_type)
{
	const netif_extra_info_t extra = {.type = XEN_NETIF_EXTRA_TYPE_NONE};

	card_start((enum card_way)_i, NULL);
	card_put(card_gref(0), 0, 1000, NETTXF_extra_info, 1);
	card_put_extra(&extra);
	expect_broken();
}
END_TEST

START_TEST(extra_of_unknown_type)
{
	const netif_extra_info_t extra = {.type = XEN_NETIF_EXTRA_TYPE_MAX};

	card_start((enum card_way)_i, NULL);
	card_put(card_gref(0), 0, 1000, NETTXF_extra_info, 1);
	card_put_extra(&extra);
	expect_broken();
}
END_TEST

START_TEST(too_many_extras)
{
	const netif_extra_info_t extra = {.type = XEN_NETIF_EXTRA_TYPE_HASH,
					  .flags = XEN_NETIF_EXTRA_FLAG_MORE};

	card_start((enum card_way)_i, NULL);
	card_put(card_gref(0), 0, 1000, NETTXF_extra_info, 1);
	for (uint32_t i = 0; i <= NETIF_EXTRAS_MAX; i++)
		card_put_extra(&extra);
	card_put(card_gref(0), 0, 1000, 0, 2);
	expect_broken();
}
END_TEST

START_TEST(impossible_counter)
{
	card_start((enum card_way)_i, NULL);
	for (uint32_t i = 0; i <= NETIF_RING_SIZE; i++)
		card_put(card_gref(0), 0, 60, 0, i);
	expect_broken();
}
END_TEST

/* Packets that are under way when the ring breaks end as always, but are not answered. */
START_TEST(broken_with_packets_under_way)
{
	card_start((enum card_way)_i, NULL);
	card_put(card_gref(0), 0, 60, 0, 1);
	card_push();
	card_take_turn();
	card_put(card_gref(0), 4095, 60, 0, 2);
	card_push();
	netif_event(card);
	card_take_turn();
	ck_assert(netif_queue_broken(card));
	ck_assert(!netif_queue_idle(card));
	end(0, 0);
	ck_assert(netif_queue_idle(card));
	ck_assert_uint_eq(card_tx_ring()->rsp_prod, 0);
	card_stop();
}
END_TEST

/* ---- what is answered with an error ---- */

/* 19 and 20 slots: all are answered, and the next packet is found. */
START_TEST(too_many_slots)
{
	card_start((enum card_way)_i, NULL);
	for (uint32_t slots = NETIF_SLOTS_MAX + 1; slots <= NETIF_SLOTS_BROKEN; slots++) {
		for (uint32_t i = 0; i < slots; i++)
			card_put(card_gref(i), 0, i == 0 ? 1000 : 10, i + 1 < slots ? NETTXF_more_data : 0,
				 i);
		card_put(card_gref(0), 0, 60, 0, 99);
		card_push();
		netif_event(card);
		card_transmitted = 0;
		card_take_turn();
		for (uint32_t i = 0; i < slots; i++)
			card_expect(i, NETIF_RSP_ERROR);
		card_expect_none();
		ck_assert_uint_eq(card_transmitted, 1);
		end(0, 0);
		card_expect(99, NETIF_RSP_OKAY);
	}
	card_stop();
}
END_TEST

START_TEST(fragments_larger_than_the_packet)
{
	card_start((enum card_way)_i, NULL);
	card_put(card_gref(0), 0, 100, NETTXF_more_data, 1);
	card_put(card_gref(1), 0, 60, NETTXF_more_data, 2);
	card_put(card_gref(1), 0, 41, 0, 3);
	card_push();
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 0);
	for (uint32_t id = 1; id <= 3; id++)
		card_expect(id, NETIF_RSP_ERROR);
	ck_assert(!netif_queue_broken(card));
	card_stop();
}
END_TEST

static void put_gso(uint8_t type, uint16_t size)
{
	const netif_extra_info_t extra = {.type = XEN_NETIF_EXTRA_TYPE_GSO,
					  .u.gso = {.type = type, .size = size}};

	card_put(card_gref(0), 0, 1000, NETTXF_extra_info | NETTXF_csum_blank, type);
	card_put_extra(&extra);
}

START_TEST(bad_gso)
{
	const struct card_options options = {.takes = XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_GSO_TCPV4};

	card_start((enum card_way)_i, &options);
	put_gso(XEN_NETIF_GSO_TYPE_TCPV4, 0);
	put_gso(XEN_NETIF_GSO_TYPE_NONE, 1448);
	put_gso(3, 1448);
	put_gso(XEN_NETIF_GSO_TYPE_TCPV6, 1448); /* not offered */
	put_gso(XEN_NETIF_GSO_TYPE_TCPV4, 1448); /* no headers */
	card_push();
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 0);
	card_expect(1, NETIF_RSP_ERROR);
	card_expect_null(1);
	card_expect(0, NETIF_RSP_ERROR);
	card_expect_null(1);
	card_expect(3, NETIF_RSP_ERROR);
	card_expect_null(1);
	card_expect(2, NETIF_RSP_ERROR);
	card_expect_null(1);
	card_expect(1, NETIF_RSP_ERROR);
	card_expect_null(1);
	card_expect_none();
	ck_assert_uint_eq(netif_counters(card)->tx_errors, 5);
	ck_assert(netif_queue_idle(card));
	card_stop();
}
END_TEST

START_TEST(blank_checksum_of_no_protocol)
{
	const struct card_options options = {.takes = XVHOST_NET_CHECKSUM_IPV4};

	card_start((enum card_way)_i, &options);
	card_fill(0);
	card_put(card_gref(0), 0, 1000, NETTXF_csum_blank, 1);
	card_push();
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 0);
	card_expect(1, NETIF_RSP_ERROR);
	card_stop();
}
END_TEST

/* Released: what was taken ends, nothing more is taken. */
START_TEST(released)
{
	card_start((enum card_way)_i, NULL);
	card_put(card_gref(0), 0, 60, 0, 1);
	card_push();
	card_take_turn();
	netif_queue_release(card);
	ck_assert_uint_eq(card_rooms, 1);
	ck_assert(netif_seen(card)->flags & XVHOST_QUEUE_STOPPING);
	card_put(card_gref(0), 0, 60, 0, 2);
	card_push();
	netif_event(card);
	ck_assert(!netif_queue_ready(card));
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 1);
	end(0, 0);
	card_expect(1, NETIF_RSP_OKAY);
	card_expect_none();
	card_stop();
	ck_assert_uint_eq(card_rooms, 1);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, packet_of_one_slot, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, lost_packet, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, packet_of_many_slots, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, largest_packet, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, smallest_packet, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, many_packets, 0, CARD_WAYS);
	tcase_add_test(test_case, packets_wait_for_memory);
	tcase_add_loop_test(test_case, memory_goes_round, 0, CARD_WAYS);
	tcase_add_test(test_case, copy_fails);
	tcase_add_loop_test(test_case, ended_at_once, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, bad_grants, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, notifications, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, slot_beyond_its_page, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, fragment_beyond_its_page, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, slot_that_overflows, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, too_many_slots_break, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, unfinished_packet, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, unfinished_extras, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, extra_of_no_type, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, extra_of_unknown_type, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, too_many_extras, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, impossible_counter, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, broken_with_packets_under_way, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, too_many_slots, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, fragments_larger_than_the_packet, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, bad_gso, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, blank_checksum_of_no_protocol, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, released, 0, CARD_WAYS);
}

CHECK_MAIN("netif_tx", add_tests)
