// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One pair of rings: the rate, with a clock of the test's, multicast addresses, the backend's operations, and rings that were served before.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

static uint64_t clock_ns = UINT64_C(1000000000000);

static int clock_of_test(clockid_t clock, struct timespec *time)
{
	(void)clock;
	time->tv_sec = (time_t)(clock_ns / 1000000000);
	time->tv_nsec = (long)(clock_ns % 1000000000);
	return 0;
}

#define clock_gettime clock_of_test
#include "../../service/rings/netif_rate.c"
#undef clock_gettime

#include "one_card.h"
#include "rings/netif_multicast.h"

static void end_at_once(struct xvhost_packet *const *packets, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		netif_transmitted(packets[i], 0);
}

/* ---- the rate ---- */

static void put_packets(uint32_t count, uint32_t bytes)
{
	for (uint32_t i = 0; i < count; i++)
		card_put(card_gref(i), 0, bytes, 0, i);
	card_push();
	netif_event(card);
}

START_TEST(rate_is_kept)
{
	const struct card_options options = {.settings = {.rate_bytes = 2500, .rate_interval_us = 250000}};

	card_start(CARD_COPIED, &options);
	card_on_transmit = end_at_once;
	ck_assert_uint_eq(netif_rate_wait_ns(card), 0);
	put_packets(7, 1000);
	card_take_turn();
	/* The third has credit for half of it, and leaves a debt. */
	ck_assert_uint_eq(card_transmitted, 3);
	ck_assert_uint_eq(netif_rate_wait_ns(card), 250000000);
	/* It is the clock that lets it go on, not another event. */
	ck_assert(!netif_queue_ready(card));
	ck_assert(!netif_ask(card));
	netif_event(card);
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 3);
	clock_ns += 249999999;
	netif_rate_passed(card);
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 3);
	ck_assert_uint_eq(netif_rate_wait_ns(card), 1);
	clock_ns++;
	netif_rate_passed(card);
	ck_assert(netif_queue_ready(card));
	card_take_turn();
	/* 2500 for this interval, without 500 of debt, and then the same again. */
	ck_assert_uint_eq(card_transmitted, 5);
	ck_assert_uint_eq(netif_rate_wait_ns(card), 250000000);
	clock_ns += 250000000;
	netif_rate_passed(card);
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 7);
	ck_assert_uint_eq(netif_rate_wait_ns(card), 0);
	card_stop();
}
END_TEST

/* A packet that is larger than all of an interval's credit is paid by the next ones, rather than never sent. */
START_TEST(rate_below_a_packet)
{
	const struct card_options options = {.settings = {.rate_bytes = 300, .rate_interval_us = 10000}};

	card_start(CARD_COPIED, &options);
	card_on_transmit = end_at_once;
	put_packets(3, 1000);
	for (uint32_t i = 1; i <= 3; i++) {
		card_take_turn();
		ck_assert_uint_eq(card_transmitted, i);
		if (i == 3)
			break;
		/* A debt of 700 bytes, and then of 800, and there must be more than none. */
		ck_assert_uint_eq(netif_rate_wait_ns(card), 30000000);
		clock_ns += 30000000;
		netif_rate_passed(card);
	}
	card_stop();
}
END_TEST

/* What was not used is lost: a guest that was silent for long may not send more at once than any other. */
START_TEST(rate_is_not_saved)
{
	const struct card_options options = {.settings = {.rate_bytes = 2000, .rate_interval_us = 50000}};

	card_start(CARD_COPIED, &options);
	card_on_transmit = end_at_once;
	clock_ns += 220000000;
	put_packets(10, 1000);
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 2);
	card_stop();
}
END_TEST

/* Another rate counts at once, for a queue that waits, too. */
START_TEST(rate_is_changed)
{
	const struct card_options options = {
		.settings = {.rate_bytes = 1000, .rate_interval_us = 3600000000u}};
	const struct message_net_settings none = {.rate_bytes = 0};

	card_start(CARD_COPIED, &options);
	card_on_transmit = end_at_once;
	put_packets(10, 1000);
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 1);
	ck_assert_uint_gt(netif_rate_wait_ns(card), UINT64_C(3000) * 1000000000);
	netif_queue_set(card, &none);
	ck_assert_uint_eq(netif_rate_wait_ns(card), 0);
	ck_assert(netif_queue_ready(card));
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 10);
	card_stop();
}
END_TEST

/* What the guest may change itself gives it no credit, however often it does: neither at once nor by beginning the interval anew. */
START_TEST(rate_is_not_refilled_by_the_guest)
{
	const struct card_options options = {.settings = {.rate_bytes = 1000, .rate_interval_us = 50000}};
	struct message_net_settings settings = options.settings;

	card_start(CARD_COPIED, &options);
	card_on_transmit = end_at_once;
	put_packets(10, 1000);
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 1);
	clock_ns += 20000000;
	for (uint32_t i = 0; i < 20; i++) {
		settings.multicast_control = i % 2;
		settings.xdp_headroom = i % 4 < 2 ? 256 : 0;
		netif_queue_set(card, &settings);
		card_take_turn();
		ck_assert_uint_eq(card_transmitted, 1);
		ck_assert_uint_eq(netif_rate_wait_ns(card), 30000000);
	}
	/* Nor does the same rate, once more. */
	netif_queue_set(card, &options.settings);
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 1);
	clock_ns += 30000000;
	netif_rate_passed(card);
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 2);
	card_stop();
}
END_TEST

/* put_into_second - packets into the ring of the second queue. */
static void put_into_second(struct netif_queue *second, uint32_t tx_page, uint16_t count, uint16_t bytes)
{
	netif_tx_sring_t *tx = (void *)card_page(tx_page);
	union netif_tx_sring_entry *entries = tx->ring;

	for (uint16_t i = 0; i < count; i++)
		entries[i].req = (netif_tx_request_t){.gref = card_gref(i), .size = bytes, .id = i};
	tx->req_prod = count;
	netif_event(second);
}

/* A card's queues have what the card may send together, not each of them all of it, nor one the other's. */
START_TEST(rate_is_of_all_queues)
{
	const struct card_options options = {.queues = 2,
					     .settings = {.rate_bytes = 8000, .rate_interval_us = 50000}};
	const struct message_net_settings other = {.rate_bytes = 4000, .rate_interval_us = 50000};
	const struct message_net_settings least = {.rate_bytes = 1, .rate_interval_us = 50000};
	struct netif_queue *second;

	card_start(CARD_COPIED, &options);
	card_on_transmit = end_at_once;
	second = card_second(CARD_COPIED, 100);
	put_packets(30, 1000);
	put_into_second(second, 100, 30, 1000);
	for (uint32_t interval = 1; interval <= 3; interval++) {
		netif_take(second);
		card_take_turn();
		ck_assert_uint_eq(card_transmitted, interval * 8);
		ck_assert_uint_eq(netif_rate_wait_ns(second), 50000000);
		clock_ns += 50000000;
		netif_rate_passed(card);
		netif_rate_passed(second);
	}
	netif_queue_set(card, &other);
	netif_queue_set(second, &other);
	netif_take(second);
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 3 * 8 + 4);
	/* Half a byte is a limit, too. */
	netif_queue_set(card, &least);
	netif_queue_set(second, &least);
	netif_take(second);
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 3 * 8 + 4 + 2);
	clock_ns += 50000000;
	netif_rate_passed(card);
	netif_rate_passed(second);
	netif_take(second);
	card_take_turn();
	ck_assert_uint_eq(card_transmitted, 3 * 8 + 4 + 2);
	card_stop();
}
END_TEST

/* Numbers that are no limit, and do not overflow. */
START_TEST(rate_of_any_size)
{
	const struct card_options options = {
		.settings = {.rate_bytes = UINT64_MAX, .rate_interval_us = UINT64_MAX}};

	card_start(CARD_COPIED, &options);
	card_on_transmit = end_at_once;
	put_packets(200, 1000);
	while (netif_queue_ready(card))
		card_take_turn();
	ck_assert_uint_eq(card_transmitted, 200);
	card_stop();
}
END_TEST

/* ---- multicast ---- */

static void ask_multicast(uint8_t type, uint8_t last, int16_t status)
{
	const netif_extra_info_t extra = {.type = type, .u.mcast.addr = {1, 0, 0x5e, 0, 0, last}};

	card_put(CARD_BAD_GREF, 0, 0, NETTXF_extra_info, last);
	card_put_extra(&extra);
	card_push();
	netif_event(card);
	card_take_turn();
	card_expect(last, status);
	card_expect_null(1);
	card_expect_none();
	ck_assert_uint_eq(card_transmitted, 0);
}

static uint8_t frame[60] = {1, 0, 0x5e};
static struct iovec frame_iov[2] = {{frame, 4}, {frame + 4, 56}};
static struct xvhost_packet frame_packet = {.iov = frame_iov, .iov_count = 2, .length = 60};

/* gets - does a packet to this address reach the guest? */
static bool gets(const uint8_t address[6])
{
	union netif_rx_sring_entry entry;
	bool got;

	memcpy(frame, address, 6);
	card_delivered_count = 0;
	ck_assert(netif_receive(netif_seen(card), &frame_packet));
	card_take_turn();
	ck_assert_uint_eq(card_delivered_count, 1);
	got = card_take_rx(&entry);
	ck_assert_int_eq(card_delivered[0].error, got ? 0 : -EADDRNOTAVAIL);
	return got;
}

#define TO_GROUP(last) ((const uint8_t[6]){1, 0, 0x5e, 0, 0, (last)})

START_TEST(multicast_filter)
{
	const struct card_options options = {.settings.multicast_control = true};
	const struct message_net_settings without = {.multicast_control = false};

	card_start((enum card_way)_i, &options);
	card_post_pages(0, 100);
	ck_assert(!gets(TO_GROUP(1)));
	ck_assert(gets((const uint8_t[6]){0xff, 0xff, 0xff, 0xff, 0xff, 0xff}));
	ck_assert(gets((const uint8_t[6]){0, 0x16, 0x3e, 1, 2, 3}));
	ask_multicast(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 1, NETIF_RSP_OKAY);
	ask_multicast(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 2, NETIF_RSP_OKAY);
	ask_multicast(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 1, NETIF_RSP_OKAY);
	ck_assert(gets(TO_GROUP(1)));
	ck_assert(gets(TO_GROUP(2)));
	ck_assert(!gets(TO_GROUP(3)));
	ask_multicast(XEN_NETIF_EXTRA_TYPE_MCAST_DEL, 1, NETIF_RSP_OKAY);
	ask_multicast(XEN_NETIF_EXTRA_TYPE_MCAST_DEL, 9, NETIF_RSP_OKAY);
	ck_assert(!gets(TO_GROUP(1)));
	ck_assert(gets(TO_GROUP(2)));
	ck_assert_uint_eq(netif_counters(card)->rx_dropped, 3);
	ck_assert_uint_eq(netif_counters(card)->tx_packets, 0);
	netif_queue_set(card, &without);
	ck_assert(gets(TO_GROUP(1)));
	netif_queue_set(card, &options.settings);
	ck_assert(!gets(TO_GROUP(1)));
	ck_assert(gets(TO_GROUP(2)));
	card_stop();
}
END_TEST

START_TEST(most_multicast_addresses)
{
	const struct card_options options = {.settings.multicast_control = true};

	card_start((enum card_way)_i, &options);
	card_post_pages(0, 100);
	for (uint32_t i = 0; i < NETIF_MULTICAST_MAX; i++)
		ask_multicast(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, (uint8_t)i, NETIF_RSP_OKAY);
	ask_multicast(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 200, NETIF_RSP_ERROR);
	ask_multicast(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 7, NETIF_RSP_OKAY);
	ck_assert(!gets(TO_GROUP(200)));
	ask_multicast(XEN_NETIF_EXTRA_TYPE_MCAST_DEL, 7, NETIF_RSP_OKAY);
	ask_multicast(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 200, NETIF_RSP_OKAY);
	ck_assert(gets(TO_GROUP(200)));
	ck_assert(!gets(TO_GROUP(7)));
	card_stop();
}
END_TEST

/* The address of zeros is an address like others. */
START_TEST(multicast_addresses)
{
	struct netif_multicast *multicast = netif_multicast_create();
	const uint8_t zeros[6] = {0};

	ck_assert_ptr_nonnull(multicast);
	ck_assert(!netif_multicast_has(multicast, zeros));
	ck_assert_int_eq(netif_multicast_add(multicast, zeros), 0);
	ck_assert(netif_multicast_has(multicast, zeros));
	netif_multicast_remove(multicast, zeros);
	ck_assert(!netif_multicast_has(multicast, zeros));
	netif_multicast_free(multicast);
}
END_TEST

/* ---- the backend's operations ---- */

static uint32_t waiting_numbers[8], waiting_generations[8], waiting_count;

static void note_waiting(void *context, uint32_t number, uint32_t generation)
{
	ck_assert_ptr_eq(context, card);
	waiting_numbers[waiting_count] = number;
	waiting_generations[waiting_count++] = generation;
}

START_TEST(operations)
{
	const struct card_options options = {.operations = 3};
	struct xvhost_net_queue *seen;
	uint32_t first, second, last;

	card_start((enum card_way)_i, &options);
	seen = netif_seen(card);
	ck_assert_ptr_eq(netif_queue_of(seen), card);
	ck_assert_uint_eq(netif_index(card), 3);
	first = netif_begin(seen, 0);
	last = netif_begin(seen, seen->packets_max + 2);
	ck_assert(!netif_queue_idle(card));
	netif_set_waiting(seen, seen->packets_max + 2);
	netif_done(card, 0, first, -EAGAIN);
	ck_assert_uint_eq(card_io_done, 1);
	ck_assert_int_eq(card_io_result, -EAGAIN);
	second = netif_begin(seen, 0);
	ck_assert_uint_ne(second, first);
	netif_each_waiting(card, note_waiting, card);
	ck_assert_uint_eq(waiting_count, 1);
	ck_assert_uint_eq(waiting_numbers[0], seen->packets_max + 2);
	ck_assert_uint_eq(waiting_generations[0], last);
	netif_done(card, seen->packets_max + 2, last, 0);
	netif_each_waiting(card, note_waiting, card);
	ck_assert_uint_eq(waiting_count, 1);
	netif_done(card, 0, second, 60);
	ck_assert_uint_eq(card_io_done, 3);
	ck_assert(netif_queue_idle(card));
	card_stop();
}
END_TEST

/* A generation has so many bits, and goes round. */
START_TEST(generations)
{
	uint32_t before = 0;

	card_start(CARD_COPIED, NULL);
	for (uint32_t i = 0; i < NETIF_GENERATION_MASK + 10; i++) {
		uint32_t generation = netif_begin(netif_seen(card), 5);

		ck_assert_uint_le(generation, NETIF_GENERATION_MASK);
		ck_assert_uint_ne(generation, before);
		before = generation;
		netif_done(card, 5, generation, 0);
	}
	card_stop();
}
END_TEST

/* ---- two queues in a turn ---- */

static uint8_t two_data[2][3000];
static struct iovec two_iov[2][2];
static struct xvhost_packet two_packets[2];

/* put_second - into the rings of the second queue, in these pages: one packet from the guest, two slots for it. */
static void put_second(uint32_t tx_page)
{
	netif_tx_sring_t *tx = (void *)card_page(tx_page);
	netif_rx_sring_t *rx = (void *)card_page(tx_page + 1);
	union netif_tx_sring_entry *tx_entries = tx->ring;
	union netif_rx_sring_entry *rx_entries = rx->ring;

	tx_entries[0].req = (netif_tx_request_t){
		.gref = CARD_BAD_GREF, .size = 70, .flags = NETTXF_more_data, .id = 1};
	tx_entries[1].req = (netif_tx_request_t){.gref = card_gref(20), .size = 10, .id = 2};
	tx_entries[2].req = (netif_tx_request_t){.gref = card_gref(21), .offset = 3, .size = 2000, .id = 3};
	tx->req_prod = 3;
	rx_entries[0].req = (netif_rx_request_t){.gref = card_gref(30), .id = 30};
	rx_entries[1].req = (netif_rx_request_t){.gref = CARD_BAD_GREF, .id = 31};
	rx->req_prod = 2;
}

/* receive_two - a packet for each queue's guest, in two pieces. */
static void receive_two(struct netif_queue *second)
{
	for (uint32_t i = 0; i < 2; i++) {
		memset(two_data[i], (int)i + 1, sizeof(two_data[i]));
		two_data[i][0] = 0;
		two_iov[i][0] = (struct iovec){two_data[i], 1000};
		two_iov[i][1] = (struct iovec){two_data[i] + 1000, 2000};
		two_packets[i] = (struct xvhost_packet){.iov = two_iov[i], .iov_count = 2, .length = 3000};
		ck_assert(netif_receive(netif_seen(i == 0 ? card : second), &two_packets[i]));
	}
	/* One more, into a page that is not granted. */
	ck_assert(netif_receive(netif_seen(second), &two_packets[1]));
}

/* expect_second - what came of it in its rings. */
static void expect_second(uint32_t tx_page)
{
	const netif_tx_sring_t *tx = (void *)card_page(tx_page);
	const netif_rx_sring_t *rx = (void *)card_page(tx_page + 1);
	const union netif_tx_sring_entry *tx_entries = tx->ring;
	const union netif_rx_sring_entry *rx_entries = rx->ring;

	ck_assert_uint_eq(tx->rsp_prod, 3);
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(tx_entries[i].rsp.id, i + 1);
		ck_assert_int_eq(tx_entries[i].rsp.status, i < 2 ? NETIF_RSP_ERROR : NETIF_RSP_OKAY);
	}
	ck_assert_uint_eq(rx->rsp_prod, 2);
	ck_assert_int_eq(rx_entries[0].rsp.status, 3000);
	ck_assert_int_eq(rx_entries[1].rsp.status, NETIF_RSP_ERROR);
	ck_assert_mem_eq(card_page(30), two_data[1], 3000);
}

/* Both are served by the same calls, whichever way each of them goes, and none gets what is the other's. */
START_TEST(two_queues)
{
	const enum card_way first_way = _i & 1 ? CARD_COPIED : CARD_CACHED;
	const enum card_way second_way = _i & 2 ? CARD_COPIED : CARD_CACHED;
	struct netif_queue *second;
	union netif_rx_sring_entry entry;

	card_start(first_way, NULL);
	second = card_second(second_way, 100);
	card_fill(21);
	card_fill(22);
	card_put(card_gref(22), 7, 1500, 0, 9);
	card_push();
	card_post_pages(0, 1);
	put_second(100);
	netif_take(card);
	netif_take(second);
	netif_start(&card_turn);
	ck_assert_uint_eq(card_transmitted, 2);
	for (uint32_t i = 0; i < 2; i++) {
		bool is_second = card_packets[i].seen->queue == netif_seen(second);

		ck_assert_uint_eq(card_packets[i].length, is_second ? 2000 : 1500);
		ck_assert_mem_eq(card_packets[i].data, card_page(is_second ? 21 : 22) + (is_second ? 3 : 7),
				 card_packets[i].length);
		netif_transmitted(card_packets[i].seen, 0);
	}
	receive_two(second);
	netif_finish(&card_turn);
	card_publish(card);
	card_publish(second);
	card_expect(9, NETIF_RSP_OKAY);
	card_expect_none();
	ck_assert(card_take_rx(&entry));
	ck_assert_int_eq(entry.rsp.status, 3000);
	ck_assert_mem_eq(card_page(0), two_data[0], 3000);
	expect_second(100);
	ck_assert_uint_eq(card_delivered_count, 3);
	ck_assert_uint_le(card_copy_calls, 2);
	card_stop();
}
END_TEST

/* ---- rings that are not new ---- */

static struct xvhost_net net = {.name = "again"};
static const struct message_net_settings no_settings;

static int create_over(void *tx_page, void *rx_page, struct netif_queue **queue)
{
	static struct log_limit limit;
	static const struct xvhost_net_properties properties;
	const struct netif_queue_parameters parameters = {
		.net = &net,
		.backend = netif_backend(card),
		.properties = &properties,
		.count = 1,
		.tx_page = tx_page,
		.rx_page = rx_page,
		.settings = &no_settings,
		.limit = &limit,
	};

	return netif_queue_create(&parameters, queue);
}

START_TEST(counters_of_rings)
{
	static _Alignas(4096) uint8_t pages[2][4096];
	netif_tx_sring_t *tx = (void *)pages[0];
	netif_rx_sring_t *rx = (void *)pages[1];
	struct netif_queue *queue;

	card_start(CARD_COPIED, NULL);
	ck_assert_int_eq(create_over(tx, rx, &queue), 0);
	netif_queue_free(queue);
	/* Served before, beyond where the counters wrap. */
	tx->rsp_prod = 0xfffffff0;
	tx->req_prod = 5;
	rx->rsp_prod = 7;
	rx->req_prod = 7 + NETIF_RING_SIZE;
	ck_assert_int_eq(create_over(tx, rx, &queue), 0);
	netif_queue_free(queue);
	tx->req_prod = 0xfffffff0 + NETIF_RING_SIZE + 1;
	ck_assert_int_eq(create_over(tx, rx, &queue), -EPROTO);
	tx->req_prod = tx->rsp_prod;
	rx->req_prod++;
	ck_assert_int_eq(create_over(tx, rx, &queue), -EPROTO);
	card_stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_test(test_case, rate_is_kept);
	tcase_add_test(test_case, rate_below_a_packet);
	tcase_add_test(test_case, rate_is_not_saved);
	tcase_add_test(test_case, rate_is_changed);
	tcase_add_test(test_case, rate_is_not_refilled_by_the_guest);
	tcase_add_test(test_case, rate_is_of_all_queues);
	tcase_add_test(test_case, rate_of_any_size);
	tcase_add_loop_test(test_case, multicast_filter, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, most_multicast_addresses, 0, CARD_WAYS);
	tcase_add_test(test_case, multicast_addresses);
	tcase_add_loop_test(test_case, operations, 0, CARD_WAYS);
	tcase_add_test(test_case, generations);
	tcase_add_loop_test(test_case, two_queues, 0, 4);
	tcase_add_test(test_case, counters_of_rings);
}

CHECK_MAIN("netif_queue", add_tests)
