// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a card gets of a whole worker: as much as its rate lets it send, whatever queues it has, and its part beside another card of the
 * same loop whose ring is never empty. How fast either is depends on the machine; what is asked for are times that must pass at least, and
 * how far one card gets while the other goes on.
 */
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "check_main.h"
#include "log.h"
#include "sim_net.h"

#define CARD 0
#define OTHER_CARD 1
#define INTERVAL_US 1000u
#define PACKET_BYTES 1000u
#define NO_GREF 0x7fffffffu

/* A queue that sends one request again and again. */
struct flood {
	struct net_front_queue *queue;
	struct netif_tx_request request;
	uint32_t answered;
};

static struct sim_net net, other;

/* begin - by a queue of a card that is connected, packets of so many bytes; gref 0: of a page that is granted. */
static void begin(struct flood *flood, struct net_front_queue *queue, uint32_t gref, uint16_t bytes)
{
	*flood = (struct flood){.queue = queue, .request = {.gref = gref, .size = bytes, .offset = 7}};
	if (gref == 0)
		flood->request.gref = (uint32_t)sim_grant(guest, SIM_HOST_DOMID, queue->slots[0].frame, true);
}

/* collect - what was answered. */
static void collect(struct flood *flood)
{
	struct net_ring *ring = &flood->queue->tx;
	int answered = net_ring_look(ring);

	ck_assert_int_ge(answered, 0);
	ring->response_consumer += (uint32_t)answered;
	flood->answered += (uint32_t)answered;
}

/* put - as many as the ring has room for, up to this number. */
static void put(struct flood *flood, uint32_t count)
{
	struct net_ring *ring = &flood->queue->tx;

	for (; count > 0 && net_ring_free(ring) > 0; count--)
		*(struct netif_tx_request *)net_ring_entry(ring, ring->request_producer++) = flood->request;
	if (net_ring_push(ring))
		ck_assert_int_eq(sim_port_notify(guest, flood->queue->tx_port), 0);
}

/* end - when all that was sent is answered. The worker hears nothing from us meanwhile. */
static void end(struct flood *flood)
{
	while (flood->queue->tx.response_consumer != flood->queue->tx.request_producer) {
		usleep(100);
		collect(flood);
	}
	if (flood->request.gref != NO_GREF)
		ck_assert_int_eq(sim_grant_end(guest, flood->request.gref), 0);
}

static void stop(void)
{
	sim_net_close(&net);
	sim_disk_stop();
}

/* ---- the rate ---- */

static void start_with(uint32_t queues, const struct message_net_settings *settings)
{
	const struct netif_frontend_options options = {.queues = queues, .split = true};

	sim_disk_start(false);
	sim_net_open(&net, CARD, "null");
	sim_net_connect(&net, &options);
	ck_assert_int_eq(worker_thread_net_set(worker, CARD, settings), 0);
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/*
 * Each queue has 200 times what it may send in an interval: by all queues together one packet for each of them. The first and the last
 * interval may be short. The rings have all of it at once, so nobody but the loop's timer lets it go on; without it this would take a
 * second for each packet, which is when the loop looks by itself.
 */
START_TEST(rate)
{
	static const uint32_t queues[] = {1, 2, 4};
	const struct message_net_settings settings = {.rate_bytes = queues[_i] * PACKET_BYTES,
						      .rate_interval_us = INTERVAL_US};
	struct flood floods[4];
	uint64_t began_us;

	start_with(queues[_i], &settings);
	began_us = now_us();
	for (uint32_t i = 0; i < queues[_i]; i++) {
		begin(&floods[i], net.frontend->queues[i], 0, PACKET_BYTES);
		put(&floods[i], 200);
	}
	for (uint32_t i = 0; i < queues[_i]; i++)
		end(&floods[i]);
	ck_assert_uint_ge(now_us() - began_us, 198 * INTERVAL_US);
	stop();
}
END_TEST

/* Other settings while the guest waits for an hour: the rate is what it was, until it is another one. */
START_TEST(rate_is_changed)
{
	struct message_net_settings settings = {.rate_bytes = PACKET_BYTES, .rate_interval_us = 3600000000u};
	struct flood flood;

	start_with(1, &settings);
	begin(&flood, net.frontend->queues[0], 0, PACKET_BYTES);
	put(&flood, 100);
	for (uint32_t i = 0; i < 20 || flood.answered == 0; i++) {
		settings.multicast_control = i % 2 == 0;
		ck_assert_int_eq(worker_thread_net_set(worker, CARD, &settings), 0);
		collect(&flood);
	}
	ck_assert_uint_eq(flood.answered, 1);
	settings.rate_bytes = 0;
	ck_assert_int_eq(worker_thread_net_set(worker, CARD, &settings), 0);
	end(&flood);
	ck_assert_uint_eq(flood.answered, 100);
	stop();
}
END_TEST

/* ---- beside another card ---- */

/*
 * Both rings are always full, of good packets that one card sends, and of whatever the other does: neither gets far more of the loop than the
 * other. They are filled by one thread, which may stand still; then both are empty.
 */
START_TEST(beside_each_other)
{
	static const struct {
		uint32_t gref;
		uint16_t bytes;
	} rows[] = {
		{0, PACKET_BYTES},
		{NO_GREF, PACKET_BYTES}, /* a bad grant */
		{0, 13},		 /* refused before its grant is looked at */
		{0, 0},
	};
	static const struct netif_frontend_options options;
	const uint32_t most = 20000;
	struct sim_net *const cards[2] = {&net, &other};
	struct flood floods[2];

	sim_disk_access = _i & 1 ? "foreign" : "grant";
	sim_disk_start(false);
	log_set_level(LOG_LEVEL_ERROR);
	sim_net_open(&net, CARD, "null");
	sim_net_open(&other, OTHER_CARD, "null");
	/* Each is once the first that the loop serves. */
	for (int i = 0; i < 2; i++)
		sim_net_connect(cards[_i & 2 ? 1 - i : i], &options);
	begin(&floods[0], net.frontend->queues[0], 0, PACKET_BYTES);
	begin(&floods[1], other.frontend->queues[0], rows[_i / 4].gref, rows[_i / 4].bytes);
	while (floods[0].answered < most && floods[1].answered < most) {
		for (uint32_t i = 0; i < 2; i++) {
			collect(&floods[i]);
			put(&floods[i], UINT32_MAX);
		}
	}
	for (uint32_t i = 0; i < 2; i++)
		ck_assert_msg(floods[i].answered > most / 4, "%u packets of the one card, %u of the other",
			      floods[0].answered, floods[1].answered);
	for (uint32_t i = 0; i < 2; i++)
		end(&floods[i]);
	sim_net_close(&other);
	stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, rate, 0, 3);
	tcase_add_test(test_case, rate_is_changed);
	tcase_add_loop_test(test_case, beside_each_other, 0, 16);
}

CHECK_MAIN("net shares", add_tests)
