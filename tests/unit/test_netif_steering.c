// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packets for the guest that go to the queue of its choice: a card of two queues, over rings that the test fills. The backend knows
 * nothing of it: it is told of room where it waits for it, and gets its packets back in the order in which it gave them. Each test runs
 * for each way to the guest's memory, without and with a wrapper before the backend. And frontends that do not notify of room.
 */
#include <errno.h>
#include <string.h>

#include "one_card.h"
#include "rings/netif_hash.h"

#define ALL_KINDS                                                                                            \
	(XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6 | XVHOST_NET_GSO_TCPV4 | XVHOST_NET_GSO_TCPV6)
#define SECOND_PAGE 400u /* the second queue's rings: tx, then rx */
#define OTHER 0xffu	 /* no IP */

static struct netif_hash *hash;
static struct netif_queue *second;
static netif_rx_sring_t *second_rx;
static uint32_t second_producer, second_consumer;
static uint8_t data[8][XVHOST_NET_BYTES_MAX];
static struct iovec pieces[1024];
static struct xvhost_packet packets[1024];

/* ---- a wrapper that passes everything on ---- */

static int wrapper_start(struct xvhost_net_queue *queue)
{
	(void)queue;
	return 0;
}

static void wrapper_stop(struct xvhost_net_queue *queue)
{
	(void)queue;
}

static bool wrapper_offered(struct xvhost_net_queue *queue, struct xvhost_packet *packet)
{
	return netif_receive(queue, packet);
}

static void wrapper_room(struct xvhost_net_queue *queue)
{
	netif_more_room(queue);
}

static const struct xvhost_net_backend wrapper = {
	.name = "wrapper",
	.queue_start = wrapper_start,
	.queue_stop = wrapper_stop,
	.room = wrapper_room,
	.delivered = netif_give_back,
	.offered = wrapper_offered,
};

static const struct xvhost_net_backend *const wrappers[] = {&wrapper};

static struct xvhost_net_queue *seen_by_backend(struct netif_queue *queue)
{
	return netif_seen_by(queue, netif_layers(queue) - 1);
}

/* ---- the card ---- */

/* For each way to the guest's memory there are two rounds: without and with the wrapper. */
#define ROUNDS (2 * (int)CARD_WAYS)

/* begin - both queues; what has an IPv4 address that ends with an odd number goes to the second. */
static void begin(int round, const struct card_options *with)
{
	const enum card_way way = (enum card_way)(round % (int)CARD_WAYS);
	struct card_options options = with ? *with : (struct card_options){.guest_takes = ALL_KINDS};
	/* Of the windows into it only that of the addresses' last bit is not 0, but 1. */
	static const uint8_t key[40] = {[11] = 0x02};
	static const uint32_t entries[] = {0, 1};

	hash = netif_hash_create(2);
	ck_assert_ptr_nonnull(hash);
	options.hash = hash;
	options.wrappers = wrappers;
	options.wrapper_count = round >= (int)CARD_WAYS;
	card_start(way, &options);
	memset(card_page(SECOND_PAGE), 0, 2 * PAGE_BYTES);
	second_rx = (netif_rx_sring_t *)card_page(SECOND_PAGE + 1);
	memset(second_rx, 0, PAGE_BYTES);
	second_rx->req_event = second_rx->rsp_event = 1;
	((netif_tx_sring_t *)card_page(SECOND_PAGE))->req_event = 1;
	second_producer = second_consumer = 0;
	second = card_second(way, SECOND_PAGE);
	ck_assert_uint_eq(netif_hash_set_algorithm(hash, XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ), 0);
	ck_assert_uint_eq(netif_hash_set_flags(hash, XEN_NETIF_CTRL_HASH_TYPE_IPV4), 0);
	netif_hash_set_key(hash, key, sizeof(key));
	ck_assert_uint_eq(netif_hash_set_mapping_size(hash, 2), 0);
	ck_assert_uint_eq(netif_hash_set_mapping(hash, entries, 2, 0), 0);
}

static void end(void)
{
	card_stop();
	netif_hash_free(hash);
}

/* turn - of both queues, as the loop takes it. */
static void turn(void)
{
	netif_take(second);
	card_take_turn();
	card_publish(second);
}

/* describe - a packet of one of the queues, with an IPv4 address that ends so, whose last bit is the hash; or with no address. */
static struct xvhost_packet *describe(uint32_t index, struct netif_queue *queue, uint32_t length,
				      uint8_t address)
{
	uint8_t *bytes = data[index % 8];

	memset(bytes, (int)index + 1, length);
	bytes[0] = 2;
	bytes[12] = 0x08;
	bytes[13] = address == OTHER ? 6 : 0;
	bytes[14] = 0x45;
	bytes[23] = 17;
	memset(bytes + 26, 0, 8);
	bytes[33] = address;
	pieces[index] = (struct iovec){bytes, length};
	packets[index] = (struct xvhost_packet){
		.queue = seen_by_backend(queue), .iov = &pieces[index], .iov_count = 1, .length = length};
	return &packets[index];
}

static bool give(uint32_t index, struct netif_queue *queue, uint32_t length, uint8_t address)
{
	return netif_receive(seen_by_backend(queue), describe(index, queue, length, address));
}

static void post_second(uint32_t page, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const netif_rx_request_t request = {.gref = card_gref(page + i), .id = (uint16_t)(page + i)};

		memcpy(&second_rx->ring[second_producer++ % NETIF_RING_SIZE], &request, sizeof(request));
	}
	__atomic_store_n(&second_rx->req_prod, second_producer, __ATOMIC_RELEASE);
}

static bool take_second(union netif_rx_sring_entry *entry)
{
	if (__atomic_load_n(&second_rx->rsp_prod, __ATOMIC_ACQUIRE) == second_consumer)
		return false;
	memcpy(entry, &second_rx->ring[second_consumer++ % NETIF_RING_SIZE], sizeof(*entry));
	return true;
}

/* expect - the next response of one of the queues: a packet of one page, whole, with this hash or without one. */
static void expect(struct netif_queue *queue, uint32_t id, uint32_t index, uint32_t length, uint8_t address)
{
	bool (*take)(union netif_rx_sring_entry *) = queue == second ? take_second : card_take_rx;
	bool hashed = address != OTHER;
	union netif_rx_sring_entry entry;
	netif_extra_info_t extra;

	ck_assert(take(&entry));
	ck_assert_uint_eq(entry.rsp.id, id);
	ck_assert_int_eq(entry.rsp.status, (int)length);
	ck_assert_uint_eq(entry.rsp.flags, hashed ? NETRXF_extra_info : 0);
	ck_assert_mem_eq(card_page(id) + entry.rsp.offset, data[index % 8], length);
	if (!hashed)
		return;
	ck_assert(take(&entry));
	memcpy(&extra, &entry, sizeof(extra));
	ck_assert_uint_eq(extra.type, XEN_NETIF_EXTRA_TYPE_HASH);
	ck_assert_uint_eq(extra.flags, 0);
	ck_assert_uint_eq(extra.u.hash.type, _XEN_NETIF_CTRL_HASH_TYPE_IPV4);
	ck_assert_uint_eq(extra.u.hash.algorithm, XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ);
	ck_assert_uint_eq(extra.u.hash.value[0], address & 1);
	for (int i = 1; i < 4; i++)
		ck_assert_uint_eq(extra.u.hash.value[i], 0);
}

static void expect_nothing(void)
{
	union netif_rx_sring_entry entry;

	ck_assert(!card_take_rx(&entry));
	ck_assert(!take_second(&entry));
}

/* expect_back - the backend's packets, in this order. */
static void expect_back(uint32_t count, const uint32_t *indexes)
{
	ck_assert_uint_eq(card_delivered_count, count);
	for (uint32_t i = 0; i < count; i++) {
		ck_assert_ptr_eq(card_delivered[i].packet, &packets[indexes[i]]);
		ck_assert_int_eq(card_delivered[i].error, 0);
	}
	card_delivered_count = 0;
}

/* From each queue to each, and what has no hash to where it was. */
START_TEST(to_each_queue)
{
	begin(_i, NULL);
	card_post_pages(0, 20);
	post_second(100, 20);
	ck_assert(give(0, card, 100, 3));
	ck_assert(give(1, card, 200, 2));
	ck_assert(give(2, second, 300, 4));
	ck_assert(give(3, second, 400, 5));
	ck_assert(give(4, card, 500, OTHER));
	ck_assert(give(5, second, 600, OTHER));
	ck_assert(give(6, card, 700, 1));
	ck_assert(!netif_queue_idle(card) && !netif_queue_idle(second));
	turn();
	expect(card, 0, 1, 200, 2);
	expect(card, 2, 2, 300, 4);
	expect(card, 4, 4, 500, OTHER);
	expect(second, 100, 0, 100, 3);
	expect(second, 102, 3, 400, 5);
	expect(second, 104, 5, 600, OTHER);
	expect(second, 105, 6, 700, 1);
	expect_nothing();
	ck_assert_uint_eq(card_delivered_count, 7);
	ck_assert(netif_queue_idle(card) && netif_queue_idle(second));
	ck_assert_uint_eq(netif_counters(card)->rx_packets, 3);
	ck_assert_uint_eq(netif_counters(second)->rx_packets, 4);
	end();
}
END_TEST

/* Each queue's packets come back in their order, though they are answered ring by ring. */
START_TEST(order)
{
	static const uint32_t in_order[] = {0, 1, 2, 3, 4, 5, 6, 7};

	begin(_i, NULL);
	card_post_pages(0, 20);
	post_second(100, 20);
	for (uint32_t i = 0; i < 8; i++)
		ck_assert(give(i, card, 60, (uint8_t)(i * 7 / 3)));
	turn();
	expect_back(8, in_order);
	for (uint32_t i = 0; i < 8; i++)
		ck_assert(give(i, second, 60, (uint8_t)(i * 5 / 3)));
	turn();
	expect_back(8, in_order);
	end();
}
END_TEST

static uint32_t given_again;

/* give_another - while packets are given back, to the other queue than that one went to. */
static void give_another(struct xvhost_packet *packet)
{
	if (given_again == 16)
		return;
	given_again++;
	ck_assert(give(given_again, netif_queue_of(packet->queue), 60, (uint8_t)given_again));
}

START_TEST(given_while_given_back)
{
	uint32_t in_order[17];

	begin(_i, NULL);
	card_post_pages(0, 40);
	post_second(100, 40);
	given_again = 0;
	card_on_delivered = give_another;
	ck_assert(give(0, card, 60, 0));
	for (uint32_t i = 0; i < 17; i++) {
		in_order[i] = i;
		ck_assert(i == 0 || netif_queue_ready(card));
		ck_assert(!netif_queue_idle(card));
		turn();
	}
	ck_assert(netif_queue_idle(card) && netif_queue_idle(second));
	expect_back(17, in_order);
	card_on_delivered = NULL;
	end();
}
END_TEST

/* With GSO there are two extra infos, and the slots of the data lie around them. */
START_TEST(with_gso)
{
	union netif_rx_sring_entry entry;
	netif_extra_info_t extra;

	begin(_i, NULL);
	post_second(100, 4);
	describe(0, card, 5000, 9);
	packets[0].gso = XVHOST_GSO_TCPV4;
	packets[0].gso_bytes = 1400;
	packets[0].flags = XVHOST_PACKET_CHECKSUM_BLANK;
	ck_assert(netif_receive(seen_by_backend(card), &packets[0]));
	turn();
	ck_assert(take_second(&entry));
	ck_assert_uint_eq(entry.rsp.id, 100);
	ck_assert_int_eq(entry.rsp.status, 4096);
	ck_assert_uint_eq(entry.rsp.flags,
			  NETRXF_extra_info | NETRXF_more_data | NETRXF_csum_blank | NETRXF_data_validated);
	ck_assert(take_second(&entry));
	memcpy(&extra, &entry, sizeof(extra));
	ck_assert_uint_eq(extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
	ck_assert_uint_eq(extra.flags, XEN_NETIF_EXTRA_FLAG_MORE);
	ck_assert_uint_eq(extra.u.gso.size, 1400);
	ck_assert(take_second(&entry));
	memcpy(&extra, &entry, sizeof(extra));
	ck_assert_uint_eq(extra.type, XEN_NETIF_EXTRA_TYPE_HASH);
	ck_assert_uint_eq(extra.flags, 0);
	ck_assert_uint_eq(extra.u.hash.value[0], 1);
	ck_assert(take_second(&entry));
	ck_assert_uint_eq(entry.rsp.id, 103);
	ck_assert_int_eq(entry.rsp.status, 5000 - 4096);
	ck_assert_uint_eq(entry.rsp.flags, 0);
	ck_assert_mem_eq(card_page(100), data[0], 4096);
	ck_assert_mem_eq(card_page(103), data[0] + 4096, 5000 - 4096);
	expect_nothing();
	end();
}
END_TEST

/* A queue waits for room where its packet goes to, and is told of it by that ring. */
START_TEST(room)
{
	begin(_i, NULL);
	card_post_pages(0, 20);
	post_second(100, 1);
	turn();
	/* Its hash needs a second slot. */
	ck_assert(!give(0, card, 60, 1));
	ck_assert(!netif_queue_ready(card));
	ck_assert(!netif_ask(card));
	ck_assert_uint_eq(second_rx->req_event, 2);
	card_post_pages(20, 4);
	turn();
	ck_assert_uint_eq(card_rooms, 0);
	post_second(101, 1);
	ck_assert(netif_queue_ready(card));
	turn();
	ck_assert_uint_eq(card_rooms, 1);
	ck_assert(give(0, card, 60, 1));
	turn();
	expect(second, 100, 0, 60, 1);
	expect_nothing();
	end();
}
END_TEST

/* The guest stops a queue, and maps the hash to another one: who waits for the first one's room is told. */
START_TEST(room_elsewhere)
{
	static const uint32_t entries[] = {0, 0};

	begin(_i, NULL);
	card_post_pages(0, 20);
	turn();
	ck_assert(!give(0, card, 60, 1));
	turn();
	ck_assert_uint_eq(card_rooms, 0);
	ck_assert(!netif_queue_ready(card));
	ck_assert_uint_eq(netif_hash_set_mapping(hash, entries, 2, 0), 0);
	ck_assert(netif_queue_ready(card));
	turn();
	ck_assert_uint_eq(card_rooms, 1);
	ck_assert(give(0, card, 60, 1));
	turn();
	expect(card, 0, 0, 60, 1);
	expect_nothing();
	end();
}
END_TEST

/* A queue takes as many in a turn as it would without, and goes on in the next one, without an event. */
START_TEST(as_many_as_in_a_turn)
{
	uint32_t taken = 0;

	begin(_i, NULL);
	card_post_pages(0, 200);
	post_second(200, 160);
	while (give(taken, card, 60, (uint8_t)taken))
		taken++;
	ck_assert_uint_eq(taken, NETIF_RECEIVED_MAX);
	ck_assert(netif_queue_ready(card));
	turn();
	ck_assert_uint_eq(card_delivered_count, NETIF_RECEIVED_MAX);
	turn();
	ck_assert_uint_eq(card_rooms, 1);
	end();
	/* So does one that gets packets of both; that takes all that a ring can have. */
	begin(_i, NULL);
	card_post_pages(0, NETIF_RING_SIZE);
	for (taken = 0; give(taken, taken % 2 ? card : second, 60, 0); taken++)
		;
	ck_assert_uint_eq(taken, NETIF_RECEIVED_MAX);
	turn();
	ck_assert_uint_eq(card_delivered_count, 2 * NETIF_RECEIVED_MAX);
	end();
}
END_TEST

/* The rings of the other queue break: that one says so, and what was given comes back. */
START_TEST(other_queue_breaks)
{
	begin(_i, NULL);
	card_post_pages(0, 20);
	__atomic_store_n(&second_rx->req_prod, 1000, __ATOMIC_RELEASE);
	ck_assert(!give(0, card, 60, 1));
	ck_assert(netif_queue_broken(second));
	ck_assert(!netif_queue_broken(card));
	ck_assert(!give(0, card, 60, 1));
	ck_assert(give(1, card, 60, 2));
	turn();
	expect(card, 0, 1, 60, 2);
	end();
}
END_TEST

/* The other queue stops first: nothing goes there any more, and what is on its way comes back. */
START_TEST(other_queue_stops)
{
	static const uint32_t in_order[] = {0};

	begin(_i, NULL);
	card_post_pages(0, 20);
	post_second(100, 20);
	ck_assert(give(0, card, 60, 1));
	netif_queue_release(second);
	ck_assert(!netif_queue_idle(second) && !netif_queue_idle(card));
	ck_assert(!give(1, card, 60, 1));
	turn();
	ck_assert(netif_queue_idle(second) && netif_queue_idle(card));
	expect_back(1, in_order);
	end();
}
END_TEST

/* A packet that the guest can't get, and one whose page can't be had. */
START_TEST(errors)
{
	union netif_rx_sring_entry *ring;

	begin(_i, &(struct card_options){.guest_takes = 0});
	card_post_pages(0, 20);
	ring = second_rx->ring;
	ring[0].req = (netif_rx_request_t){.gref = CARD_BAD_GREF, .id = 7};
	ring[1].req = (netif_rx_request_t){.gref = CARD_BAD_GREF, .id = 8};
	second_producer = 2;
	post_second(100, 0);
	ck_assert(give(0, card, 60, 1));
	describe(1, card, 60, 1);
	packets[1].gso = XVHOST_GSO_TCPV4;
	ck_assert(netif_receive(seen_by_backend(card), &packets[1]));
	ck_assert(give(2, card, 60, 2));
	turn();
	ck_assert_uint_eq(card_delivered_count, 3);
	ck_assert_int_lt(card_delivered[0].error, 0);
	ck_assert_int_eq(card_delivered[1].error, -EOPNOTSUPP);
	ck_assert_int_eq(card_delivered[2].error, 0);
	expect(card, 0, 2, 60, 2);
	end();
}
END_TEST

/* Switched off, a packet goes to where the backend has it. */
START_TEST(switched_off)
{
	union netif_rx_sring_entry entry;

	begin(_i, NULL);
	card_post_pages(0, 20);
	ck_assert_uint_eq(netif_hash_set_flags(hash, 0), 0);
	ck_assert(give(0, card, 60, 1));
	turn();
	ck_assert(card_take_rx(&entry));
	ck_assert_uint_eq(entry.rsp.flags, 0);
	expect_nothing();
	end();
}
END_TEST

/* ---- frontends that do not notify of room ---- */

/* Time is asked for while packets wait for it, and at no other time. */
START_TEST(silent)
{
	card_start((enum card_way)_i, &(struct card_options){.silent = true});
	card_take_turn();
	ck_assert_uint_eq(netif_room_wait_ns(card), 0);
	ck_assert(!give(0, card, 60, OTHER));
	ck_assert_uint_eq(netif_room_wait_ns(card), NETIF_ROOM_WAIT_NS);
	ck_assert(!netif_queue_ready(card));
	card_post_pages(0, 1);
	ck_assert(netif_queue_ready(card));
	card_take_turn();
	ck_assert_uint_eq(card_rooms, 1);
	ck_assert_uint_eq(netif_room_wait_ns(card), 0);
	ck_assert(give(0, card, 60, OTHER));
	ck_assert_uint_eq(netif_room_wait_ns(card), 0);
	card_stop();
}
END_TEST

START_TEST(not_silent)
{
	card_start((enum card_way)_i, NULL);
	ck_assert(!give(0, card, 60, OTHER));
	ck_assert_uint_eq(netif_room_wait_ns(card), 0);
	card_stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, to_each_queue, 0, ROUNDS);
	tcase_add_loop_test(test_case, order, 0, ROUNDS);
	tcase_add_loop_test(test_case, given_while_given_back, 0, ROUNDS);
	tcase_add_loop_test(test_case, with_gso, 0, ROUNDS);
	tcase_add_loop_test(test_case, room, 0, ROUNDS);
	tcase_add_loop_test(test_case, room_elsewhere, 0, ROUNDS);
	tcase_add_loop_test(test_case, as_many_as_in_a_turn, 0, ROUNDS);
	tcase_add_loop_test(test_case, other_queue_breaks, 0, ROUNDS);
	tcase_add_loop_test(test_case, other_queue_stops, 0, ROUNDS);
	tcase_add_loop_test(test_case, errors, 0, ROUNDS);
	tcase_add_loop_test(test_case, switched_off, 0, ROUNDS);
	tcase_add_loop_test(test_case, silent, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, not_silent, 0, CARD_WAYS);
}

CHECK_MAIN("netif: packets for other queues", add_tests)
