// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Network cards with a control ring, served by a whole worker: each request has its status, each packet the hash that the guest works
 * out itself, and comes by the queue that the guest's mapping says.
 */
#include <string.h>
#include <unistd.h>

#include "check_main.h"
#include "sim/net_front_control.h"
#include "sim_net.h"

#define CARD 0
#define OTHER_CARD 1
#define ALL_FLAGS                                                                                            \
	(XEN_NETIF_CTRL_HASH_TYPE_IPV4 | XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP | XEN_NETIF_CTRL_HASH_TYPE_IPV6 | \
	 XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP)
/* Packets under way, of all streams: all may come by one queue, which has 256 pages, and each takes five. */
#define UNDER_WAY 40
#define LONGEST 9014

enum {
	SUCCESS = XEN_NETIF_CTRL_STATUS_SUCCESS,
	NOT_SUPPORTED = XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED,
	INVALID = XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER,
	OVERFLOW = XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW,
};

/* How a test's guest and its memory are: in turn. */
static const struct {
	const char *access;
	bool pv;
	uint32_t grant_version;
} ways[] = {{"foreign", false, 1}, {"grant", false, 1}, {"auto", true, 1}, {"grant", false, 2}};

#define WAY_COUNT ((int)(sizeof(ways) / sizeof(ways[0])))

static struct sim_net net;

static void start(int way, uint32_t queues)
{
	const struct netif_frontend_options options = {
		.takes = SIM_NET_ALL_TAKEN, .guard = true, .control = true, .queues = queues};

	sim_disk_access = ways[way].access;
	sim_disk_start_guest(&(struct sim_guest_options){
		.strict = true, .pv = ways[way].pv, .grant_version = ways[way].grant_version});
	sim_net_open(&net, CARD, "echo");
	sim_net_connect(&net, &options);
}

static void stop(void)
{
	sim_net_close(&net);
	sim_disk_stop();
}

/* ---- requests ---- */

/* expect - that a request has this status. Returns what the answer says besides. */
static uint32_t expect(uint32_t status, uint16_t type, uint32_t first, uint32_t second, uint32_t third)
{
	struct xen_netif_ctrl_response response;

	ck_assert_msg(net_front_control_ask(net.frontend, type, (const uint32_t[]){first, second, third},
					    &response) == 0,
		      "%s", net.frontend->control.error);
	ck_assert_uint_eq(response.status, status);
	return response.data;
}

/* expect_page - the same of one whose first word is the grant of a page with these bytes. */
static void expect_page(uint32_t status, uint16_t type, const void *bytes, uint32_t length, uint32_t second,
			uint32_t third)
{
	struct xen_netif_ctrl_response response;

	ck_assert_msg(net_front_control_grant(net.frontend, type, bytes, length,
					      (const uint32_t[]){second, third}, &response) == 0,
		      "%s", net.frontend->control.error);
	ck_assert_uint_eq(response.status, status);
	ck_assert_uint_eq(response.data, 0);
}

START_TEST(statuses)
{
	const uint32_t flags = XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, key = XEN_NETIF_CTRL_TYPE_SET_HASH_KEY,
		       size = XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE,
		       mapping = XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING,
		       algorithm = XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM;
	static const uint32_t entries[128] = {1, 0, 1}, wrong[2] = {0, 2};
	static const uint8_t bytes[PAGE_BYTES] = {1, 2, 3};

	start(_i, 2);
	expect(NOT_SUPPORTED, XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS, 0, 0, 0);
	expect(NOT_SUPPORTED, flags, 1, 0, 0);
	expect(INVALID, algorithm, 2, 0, 0);
	expect(SUCCESS, algorithm, XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ, 0, 0);
	ck_assert_uint_eq(expect(SUCCESS, XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS, 0, 0, 0), ALL_FLAGS);
	expect(INVALID, flags, ALL_FLAGS + 1, 0, 0);
	expect(SUCCESS, flags, ALL_FLAGS, 0, 0);
	expect_page(SUCCESS, key, bytes, 40, 40, 0);
	expect_page(OVERFLOW, key, bytes, 41, 41, 0);
	expect(SUCCESS, key, UINT32_MAX, 0, 0);
	expect(INVALID, key, UINT32_MAX, 40, 0);
	expect(INVALID, key, 0, 1, 0);
	ck_assert_uint_eq(expect(SUCCESS, XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, 0, 0, 0), 128);
	expect(INVALID, size, 129, 0, 0);
	expect(SUCCESS, size, 128, 0, 0);
	expect_page(SUCCESS, mapping, entries, sizeof(entries), 128, 0);
	expect_page(SUCCESS, mapping, entries, 12, 3, 125);
	expect_page(INVALID, mapping, entries, 12, 3, 126);
	expect_page(INVALID, mapping, entries, 12, 3, UINT32_MAX - 1);
	expect_page(OVERFLOW, mapping, entries, 12, UINT32_MAX, 1);
	expect_page(INVALID, mapping, wrong, 8, 2, 0);
	expect(INVALID, mapping, UINT32_MAX, 1, 0);
	expect(SUCCESS, mapping, UINT32_MAX, 0, 128);
	for (uint16_t type = 8; type < 12; type++)
		expect(NOT_SUPPORTED, type, 0, 0, 0);
	expect(NOT_SUPPORTED, 0, 0, 0, 0);
	expect(NOT_SUPPORTED, UINT16_MAX, 0, 0, 0);
	/* It goes on behind the end of the ring, where its counters are more than its entries. */
	for (int i = 0; i < 300; i++)
		expect(SUCCESS, size, 1, 0, 0);
	expect(SUCCESS, algorithm, XEN_NETIF_CTRL_HASH_ALGORITHM_NONE, 0, 0);
	stop();
}
END_TEST

/* ---- packets ---- */

static void hash_packets(const struct net_hash *hash)
{
	ck_assert_msg(net_front_control_hash(net.frontend, hash) == 0, "%s", net.frontend->control.error);
}

/* use - packets there and back, each of which is looked at. */
static void use(uint64_t seed, bool scattered)
{
	sim_net_load(&net, &(struct net_load_options){.content = {.minimum = XVHOST_NET_BYTES_MIN,
								  .maximum = LONGEST,
								  .takes = SIM_NET_ALL_TAKEN,
								  .seed = seed},
						      .depth = UNDER_WAY / net.frontend->queue_count,
						      .scattered = scattered,
						      .packets = 300});
}

static void make_key(struct net_hash *hash, uint32_t bytes)
{
	hash->key_bytes = bytes;
	for (uint32_t i = 0; i < bytes; i++)
		hash->key[i] = (uint8_t)(i * 89 + 17);
}

/* responses - that were taken from each queue's ring so far. */
static void responses(uint32_t counts[NET_QUEUES_MAX])
{
	for (uint32_t i = 0; i < net.frontend->queue_count; i++)
		counts[i] = net.frontend->queues[i]->rx.response_consumer;
}

START_TEST(hashed)
{
	static const struct {
		uint32_t queues, flags, key_bytes, mapping_size;
	} rows[] = {
		{1, ALL_FLAGS, 40, 0},	{4, ALL_FLAGS, 40, 0}, {4, ALL_FLAGS, 40, 128}, {3, ALL_FLAGS, 17, 7},
		{2, 1, 40, 1},		{2, 2, 40, 3},	       {2, 4, 40, 0},		{2, 8, 40, 5},
		{8, ALL_FLAGS, 40, 64}, {2, 6, 1, 2},	       {4, ALL_FLAGS, 0, 128},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct net_hash hash = {.flags = rows[i].flags, .mapping_size = rows[i].mapping_size};

		start(_i, rows[i].queues);
		make_key(&hash, rows[i].key_bytes);
		for (uint32_t entry = 0; entry < hash.mapping_size; entry++)
			hash.mapping[entry] = (entry * 5 + entry / 3) % rows[i].queues;
		hash_packets(&hash);
		use(i, true);
		stop();
	}
}
END_TEST

/* With a mapping that names one queue all comes by that one; with none of them by where it was sent. */
START_TEST(one_queue)
{
	struct net_hash hash = {.flags = ALL_FLAGS, .mapping_size = 4};
	uint32_t before[NET_QUEUES_MAX], after[NET_QUEUES_MAX];

	start(_i, 4);
	make_key(&hash, 40);
	for (uint32_t queue = 0; queue < 4; queue++) {
		for (uint32_t entry = 0; entry < 4; entry++)
			hash.mapping[entry] = queue;
		hash_packets(&hash);
		responses(before);
		use(queue, true);
		responses(after);
		for (uint32_t i = 0; i < 4; i++)
			ck_assert(i == queue || after[queue] - before[queue] > 2 * (after[i] - before[i]));
	}
	/* Without hashes each stream keeps its order. */
	hash.flags = 0;
	hash_packets(&hash);
	use(9, false);
	hash.flags = ALL_FLAGS;
	hash_packets(&hash);
	expect(SUCCESS, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, XEN_NETIF_CTRL_HASH_ALGORITHM_NONE, 0, 0);
	net.frontend->hash.flags = 0;
	use(10, false);
	stop();
}
END_TEST

/* Nobody asks for anything: all is as without a control ring. */
START_TEST(unused)
{
	start(_i, 3);
	use(1, false);
	stop();
}
END_TEST

/* A card beside it, without a control ring, has its queues on loops of their own. */
START_TEST(beside_another)
{
	const struct netif_frontend_options options = {.takes = SIM_NET_ALL_TAKEN, .queues = 4};
	struct net_hash hash = {.flags = ALL_FLAGS, .mapping_size = 3, .mapping = {2, 1, 0}};
	struct net_load_options with = {
		.content = {.minimum = 14, .maximum = 3000, .takes = SIM_NET_ALL_TAKEN}, .depth = 8};
	static struct net_load_result result;
	struct sim_net other;
	struct net_load *load;

	start(_i, 3);
	make_key(&hash, 40);
	sim_net_open(&other, OTHER_CARD, "echo");
	sim_net_connect(&other, &options);
	with.from = with.to = other.frontend;
	ck_assert_int_eq(net_load_create(&with, &load), 0);
	ck_assert_int_eq(net_load_start(load), 0);
	for (uint32_t i = 0; i < 4; i++) {
		hash_packets(&hash);
		use(i, true);
	}
	net_load_stop(load);
	net_load_finish(load, &result);
	net_load_destroy(load);
	ck_assert_msg(result.error == 0, "%s", result.text);
	ck_assert_uint_eq(result.lost, 0);
	sim_net_close(&other);
	stop();
}
END_TEST

/* The card goes in the middle of a load, and the next frontend has to ask anew. */
START_TEST(goes_under_load)
{
	struct netif_frontend_options options = {
		.takes = SIM_NET_ALL_TAKEN, .guard = true, .queues = 4, .control = true};
	struct net_hash hash = {.flags = ALL_FLAGS, .mapping_size = 5, .mapping = {3, 2, 1, 0, 3}};
	static struct net_load_result result;

	start(_i, 4);
	make_key(&hash, 40);
	for (uint32_t i = 0; i < 6; i++) {
		struct net_load_options with = {.content = {.minimum = 14, .maximum = LONGEST, .seed = i},
						.depth = UNDER_WAY / 4,
						.scattered = true};
		struct net_load *load;

		hash_packets(&hash);
		with.from = with.to = net.frontend;
		with.content.takes = SIM_NET_ALL_TAKEN;
		ck_assert_int_eq(net_load_create(&with, &load), 0);
		ck_assert_int_eq(net_load_start(load), 0);
		while (net_load_received(load) < 200)
			usleep(200);
		ck_assert_int_eq(worker_thread_net_disconnect(worker, CARD), 0);
		net_load_abandon(load);
		net_load_finish(load, &result);
		net_load_destroy(load);
		ck_assert_msg(result.error == 0, "%s", result.text);
		ck_assert_uint_eq(netif_frontend_destroy(net.frontend), 0);
		options.control = i % 2;
		sim_net_connect(&net, &options);
		use(i, false);
		sim_net_disconnect(&net);
		options.control = true;
		sim_net_connect(&net, &options);
	}
	stop();
}
END_TEST

/* What can't be connected is not, all is let go of, and the next attempt can be. */
START_TEST(can_not_be_connected)
{
	char text[ERROR_TEXT_MAX];
	uint32_t gref, port;

	start(_i, 2);
	sim_net_disconnect(&net);
	for (int what = 0; what < 3; what++) {
		sim_net_create(&net, &(struct netif_frontend_options){
					     .takes = SIM_NET_ALL_TAKEN, .queues = 2, .control = true});
		gref = net.frontend->control.ring.gref;
		port = net.frontend->control.port;
		if (what == 0)
			net.frontend->control.ring.gref = 0x7fffffff;
		else if (what == 1)
			net.frontend->control.port = 12345;
		else
			net_ring_header(&net.frontend->control.ring)->request_producer = 1000;
		ck_assert_int_lt(worker_thread_net_connect(worker, net.frontend, false, text), 0);
		ck_assert_ptr_nonnull(strstr(text, what == 0   ? "ctrl-ring-ref 2147483647"
						   : what == 1 ? "event-channel-ctrl 12345"
							       : "control ring: its counters"));
		net.frontend->control.ring.gref = gref;
		net.frontend->control.port = port;
		ck_assert_uint_eq(netif_frontend_destroy(net.frontend), 0);
	}
	sim_net_connect(&net, &(struct netif_frontend_options){
				      .takes = SIM_NET_ALL_TAKEN, .queues = 2, .control = true});
	expect(SUCCESS, XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, 0, 0, 0);
	use(1, false);
	stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, statuses, 0, WAY_COUNT);
	tcase_add_loop_test(test_case, hashed, 0, WAY_COUNT);
	tcase_add_loop_test(test_case, one_queue, 0, WAY_COUNT);
	tcase_add_loop_test(test_case, unused, 0, WAY_COUNT);
	tcase_add_loop_test(test_case, beside_another, 0, WAY_COUNT);
	tcase_add_loop_test(test_case, goes_under_load, 0, WAY_COUNT);
	tcase_add_loop_test(test_case, can_not_be_connected, 0, WAY_COUNT);
}

CHECK_MAIN("net control", add_tests)
