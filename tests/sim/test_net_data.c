// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Network cards of a guest, served by a whole worker: packets of all sizes in all ways to lie in slots come back right, whatever the
 * guest takes, by each way to its memory, over one or many queues; and a card comes and goes under load.
 */
#include <string.h>
#include <unistd.h>

#include "check_main.h"
#include "sim_net.h"

#define CARD 0
#define OTHER_CARD 1
#define LARGE_DEPTH 10 /* of the largest packets, each of which takes 18 pages of the 256 that are posted */

/* How a test's guest and its memory are: in turn. */
static const struct {
	const char *access;
	bool pv;
	uint32_t grant_version;
} ways[] = {{"foreign", false, 1}, {"grant", false, 1}, {"auto", true, 1}, {"grant", false, 2}};

#define WAY_COUNT ((int)(sizeof(ways) / sizeof(ways[0])))

static void start_way(int way)
{
	sim_disk_access = ways[way].access;
	sim_disk_start_guest(&(struct sim_guest_options){
		.strict = true, .pv = ways[way].pv, .grant_version = ways[way].grant_version});
}

static const struct netif_frontend_options all_taken = {.takes = SIM_NET_ALL_TAKEN, .guard = true};

static struct net_content_options content(uint32_t minimum, uint32_t maximum, uint32_t takes, uint64_t seed)
{
	return (struct net_content_options){
		.minimum = minimum, .maximum = maximum, .takes = takes, .seed = seed};
}

/* Each size at which something begins or ends, in any number of slots. */
START_TEST(sizes)
{
	static const uint32_t lengths[] = {14,	 15,   21,   42,   59,	 60,   61,    62,    64,    127,
					   128,	 129,  130,  255,  256,	 257,  1000,  1513,  1514,  1515,
					   4095, 4096, 4097, 8191, 8193, 9014, 16384, 65000, 65534, 65535};
	struct sim_net net;

	start_way(_i);
	sim_net_open(&net, CARD, "echo");
	sim_net_connect(&net, &all_taken);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		for (int split = 0; split < 2; split++)
			sim_net_load(&net,
				     &(struct net_load_options){.content = content(lengths[i], lengths[i],
										   SIM_NET_ALL_TAKEN, i),
								.depth = LARGE_DEPTH,
								.split = split,
								.packets = 60});
	sim_net_close(&net);
	sim_disk_stop();
}
END_TEST

/* Many packets of any size. */
START_TEST(mixed)
{
	static const struct {
		uint32_t queues, headroom;
		bool split_channels;
	} rows[] = {{1, 0, false}, {1, 256, true}, {2, 0, true}, {4, 100, false}, {8, 0, true}};
	struct netif_frontend_options options = all_taken;
	struct sim_net net;

	start_way(_i % WAY_COUNT);
	options.queues = rows[_i / WAY_COUNT].queues;
	options.xdp_headroom = rows[_i / WAY_COUNT].headroom;
	options.split = rows[_i / WAY_COUNT].split_channels;
	sim_net_open(&net, CARD, "echo");
	sim_net_connect(&net, &options);
	for (int split = 0; split < 2; split++)
		sim_net_load(&net, &(struct net_load_options){.content = content(14, 65535, SIM_NET_ALL_TAKEN,
										 (uint64_t)_i),
							      .depth = LARGE_DEPTH,
							      .split = split,
							      .packets = 2000 / options.queues});
	sim_net_load(&net, &(struct net_load_options){.content = content(14, 1514, SIM_NET_ALL_TAKEN, 5),
						      .depth = 40,
						      .split = true,
						      .packets = 2000 / options.queues});
	sim_net_close(&net);
	sim_disk_stop();
}
END_TEST

/* What the guest takes: each combination of checksums and GSO that there is, and pages in one piece only. */
START_TEST(taken)
{
	static const struct {
		uint32_t takes;
		bool no_scatter;
	} rows[] = {
		{0, false},
		{0, true},
		{XVHOST_NET_CHECKSUM_IPV4, false},
		{XVHOST_NET_CHECKSUM_IPV6, false},
		{XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6, true},
		{XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_GSO_TCPV4, false},
		{XVHOST_NET_CHECKSUM_IPV6 | XVHOST_NET_GSO_TCPV6, false},
		{SIM_NET_ALL_TAKEN, false},
	};
	uint32_t takes = rows[_i].takes, gso = takes & (XVHOST_NET_GSO_TCPV4 | XVHOST_NET_GSO_TCPV6);
	const struct netif_frontend_options options = {
		.takes = takes, .no_scatter = rows[_i].no_scatter, .guard = true};
	struct sim_net net;

	start_way(_i % WAY_COUNT);
	sim_net_open(&net, CARD, "echo");
	sim_net_connect(&net, &options);
	/* Blank checksums are sent whatever comes back; a packet with GSO can't come back to who does not take it. */
	sim_net_load(&net,
		     &(struct net_load_options){
			     .content = content(14, 65535,
						XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6 | gso, 9),
			     .depth = LARGE_DEPTH,
			     .split = true,
			     .packets = 3000});
	sim_net_close(&net);
	sim_disk_stop();
}
END_TEST

/* To a card that drops all: what is answered, and how long that takes. */
START_TEST(one_way)
{
	static struct net_load_result result;
	struct net_load_options options = {.content = content(14, 65535, SIM_NET_ALL_TAKEN, 3),
					   .depth = 12,
					   .split = true,
					   .packets = 3000};
	struct netif_frontend_options card = all_taken;
	struct net_load *load;
	struct sim_net net;

	start_way(_i);
	card.queues = 2;
	sim_net_open(&net, CARD, "null");
	sim_net_connect(&net, &card);
	options.from = net.frontend;
	ck_assert_int_eq(net_load_create(&options, &load), 0);
	ck_assert_int_eq(net_load_start(load), 0);
	net_load_finish(load, &result);
	net_load_destroy(load);
	ck_assert_msg(result.error == 0, "%s", result.text);
	ck_assert_uint_eq(result.sent, 6000);
	ck_assert_uint_eq(result.refused, 0);
	ck_assert_uint_eq(result.way_ns.count, 6000);
	sim_net_close(&net);
	sim_disk_stop();
}
END_TEST

/* ---- multicast ---- */

/* send_from - a small packet with this source, which comes back as its destination. `type`: an extra info, or 0. */
static void send_from(struct net_front_queue *queue, const uint8_t source[6], uint8_t type)
{
	struct net_front_packet *packet = net_front_take(queue, 1, 1), *reaped;
	struct net_front_slot *slot = packet->slots[0];

	memset(slot->page, 0, 60);
	memcpy(slot->page + 6, source, 6);
	slot->offset = 0;
	slot->size = 60;
	if (type) {
		packet->extra_count = 1;
		packet->extras[0] = (struct netif_extra_info){.type = type};
		memcpy(packet->extras[0].u.mcast.addr, source, 6);
	}
	ck_assert_int_eq(net_front_send(queue, packet), 0);
	ck_assert_int_eq(net_front_push(queue), 0);
	while (net_front_reap(queue, &reaped) == 0)
		ck_assert_int_gt(net_front_wait(queue, NET_FRONT_TX, -1, 5000), 0);
	ck_assert_ptr_eq(reaped, packet);
	ck_assert_int_eq(packet->status, NETIF_RSP_OKAY);
	net_front_free(queue, packet);
}

/* comes_back - does a packet to this address come to the guest? One that always does is sent behind it. */
static bool comes_back(struct net_front_queue *queue, const uint8_t address[6])
{
	static const uint8_t unicast[6] = {2, 1, 1, 1, 1, 1};
	struct net_front_received received;
	bool last, came = false;

	send_from(queue, address, 0);
	send_from(queue, unicast, 0);
	do {
		int there;

		while ((there = net_front_receive(queue, &received)) == 0)
			ck_assert_int_gt(net_front_wait(queue, NET_FRONT_RX, -1, 5000), 0);
		ck_assert_msg(there == 1, "%s", queue->error);
		last = memcmp(received.pieces[0].iov_base, unicast, 6) == 0;
		if (!last) {
			ck_assert_mem_eq(received.pieces[0].iov_base, address, 6);
			came = true;
		}
		net_front_done(queue, &received);
	} while (!last);
	ck_assert_int_ge(net_front_post(queue), 0);
	ck_assert_int_eq(net_front_push(queue), 0);
	return came;
}

/* A guest that controls it gets those multicast packets only that it has asked for, and others as ever. */
START_TEST(multicast)
{
	static const uint8_t group[6] = {1, 0, 0x5e, 1, 2, 3}, other[6] = {0x33, 0x33, 0, 0, 0, 1},
			     broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct netif_frontend_options options = all_taken;
	struct message_net_settings settings = {0};
	struct net_front_queue *queue;
	struct sim_net net;

	start_way(_i);
	options.multicast_control = true;
	sim_net_open(&net, CARD, "echo");
	sim_net_connect(&net, &options);
	queue = net.frontend->queues[0];
	ck_assert_int_ge(net_front_post(queue), 0);
	ck_assert_int_eq(net_front_push(queue), 0);
	ck_assert(!comes_back(queue, group));
	ck_assert(comes_back(queue, broadcast));
	send_from(queue, group, XEN_NETIF_EXTRA_TYPE_MCAST_ADD);
	ck_assert(comes_back(queue, group));
	ck_assert(!comes_back(queue, other));
	send_from(queue, other, XEN_NETIF_EXTRA_TYPE_MCAST_ADD);
	send_from(queue, group, XEN_NETIF_EXTRA_TYPE_MCAST_DEL);
	ck_assert(!comes_back(queue, group));
	ck_assert(comes_back(queue, other));
	/* From now on it gets all of them. */
	ck_assert_int_eq(worker_thread_net_set(worker, CARD, &settings), 0);
	ck_assert(comes_back(queue, group));
	ck_assert_int_eq(net_front_idle(queue), 0);
	sim_net_close(&net);
	sim_disk_stop();
}
END_TEST

/* ---- coming and going ---- */

/* A card is disconnected while packets are under way, and another frontend is connected. Nothing of the old one stays in use. */
START_TEST(comes_and_goes)
{
	static struct net_load_result result;
	struct netif_frontend_options card = all_taken;
	struct sim_net net;

	start_way(_i);
	card.queues = 2;
	sim_net_open(&net, CARD, "echo");
	for (uint32_t round = 0; round < 100; round++) {
		struct net_load_options options = {
			.content = content(14, 65535, SIM_NET_ALL_TAKEN, round), .depth = 5, .split = true};
		struct net_load *load;

		card.split = round % 2;
		sim_net_connect(&net, &card);
		options.from = options.to = net.frontend;
		ck_assert_int_eq(net_load_create(&options, &load), 0);
		ck_assert_int_eq(net_load_start(load), 0);
		while (net_load_received(load) < round % 10 * 5)
			usleep(100);
		ck_assert_int_eq(worker_thread_net_disconnect(worker, CARD), 0);
		net_load_abandon(load);
		net_load_finish(load, &result);
		net_load_destroy(load);
		ck_assert_msg(result.error == 0, "%s", result.text);
		ck_assert_uint_eq(netif_frontend_destroy(net.frontend), 0);
		net.frontend = NULL;
	}
	sim_net_close(&net);
	sim_disk_stop();
}
END_TEST

/* The host goes and comes back to the same rings, as for an upgrade. The guest goes on; what was in the host may be lost. */
START_TEST(host_comes_back)
{
	static struct net_load_result result;
	struct net_load_options options = {.content = content(14, 65535, SIM_NET_ALL_TAKEN, 8),
					   .depth = LARGE_DEPTH,
					   .split = true,
					   .quiet_ms = 1000};
	struct netif_frontend_options card = all_taken;
	char text[ERROR_TEXT_MAX];
	struct net_load *load;
	struct sim_net net;
	uint64_t before;

	start_way(_i);
	card.queues = 2;
	sim_net_open(&net, CARD, "echo");
	sim_net_connect(&net, &card);
	options.from = options.to = net.frontend;
	ck_assert_int_eq(net_load_create(&options, &load), 0);
	ck_assert_int_eq(net_load_start(load), 0);
	for (int round = 0; round < 30; round++) {
		before = net_load_received(load);
		while (net_load_received(load) < before + 50)
			usleep(100);
		ck_assert_int_eq(worker_thread_net_disconnect(worker, CARD), 0);
		ck_assert_msg(worker_thread_net_connect(worker, net.frontend, true, text) == 0, "%s", text);
	}
	net_load_stop(load);
	net_load_finish(load, &result);
	net_load_destroy(load);
	ck_assert_msg(result.error == 0, "%s", result.text);
	ck_assert_uint_eq(result.refused + result.failed, 0);
	ck_assert_uint_ge(result.received, 1500);
	/* At most what was under way each time. */
	ck_assert_uint_le(result.lost, 30 * 2 * LARGE_DEPTH);
	sim_net_close(&net);
	sim_disk_stop();
}
END_TEST

/* Two cards and a disk, all at once. */
START_TEST(beside_each_other)
{
	static struct net_load_result result;
	const struct blkif_frontend_options disk_options = {
		.protocol = BLKIF_X86_64, .depth = 8, .segments = 2};
	struct net_load_options options = {
		.content = content(14, 65535, SIM_NET_ALL_TAKEN, 4), .depth = LARGE_DEPTH, .split = true};
	struct net_load *load;
	struct sim_net net, other;
	struct sim_disk disk;

	start_way(_i);
	sim_net_open(&net, CARD, "echo");
	sim_net_open(&other, OTHER_CARD, "echo");
	sim_disk_open(&disk, SIM_DISK_DEVICE, 4 << 20, "");
	sim_net_connect(&net, &all_taken);
	sim_net_connect(&other, &all_taken);
	sim_disk_connect(&disk, &disk_options);
	options.from = options.to = other.frontend;
	ck_assert_int_eq(net_load_create(&options, &load), 0);
	ck_assert_int_eq(net_load_start(load), 0);
	sim_disk_load(&disk, &(struct load_options){.read_percent = 50,
						    .random = true,
						    .block_bytes = 8192,
						    .verify = true,
						    .begins_zeroed = true,
						    .requests = 2000});
	options.packets = 2000;
	sim_net_load(&net, &options);
	net_load_stop(load);
	net_load_finish(load, &result);
	net_load_destroy(load);
	ck_assert_msg(result.error == 0, "%s", result.text);
	ck_assert_uint_eq(result.lost, 0);
	ck_assert_uint_gt(result.received, 100);
	sim_net_close(&net);
	sim_net_close(&other);
	sim_disk_close(&disk);
	sim_disk_stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, sizes, 0, WAY_COUNT);
	tcase_add_loop_test(test_case, mixed, 0, 5 * WAY_COUNT);
	tcase_add_loop_test(test_case, taken, 0, 8);
	tcase_add_loop_test(test_case, one_way, 0, WAY_COUNT);
	tcase_add_loop_test(test_case, multicast, 0, WAY_COUNT);
	tcase_add_loop_test(test_case, comes_and_goes, 0, WAY_COUNT);
	tcase_add_loop_test(test_case, host_comes_back, 0, WAY_COUNT);
	tcase_add_loop_test(test_case, beside_each_other, 0, WAY_COUNT);
}

CHECK_MAIN("net data", add_tests)
