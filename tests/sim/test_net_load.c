// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The load for network cards: packets that a right host sends back are all found right, and each thing that a host can do wrong to one is
 * found. The host is net_peer.h.
 */
#include <errno.h>
#include <string.h>

#include "check_main.h"
#include "net_peer.h"
#include "sim/net_load.h"

#define DOMID 9
#define ALL_TAKEN                                                                                            \
	(XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6 | XVHOST_NET_GSO_TCPV4 | XVHOST_NET_GSO_TCPV6)

static struct sim_machine *machine;
static struct sim_guest *guest;
static struct netif_frontend *card;
static struct net_peer *peer;
static struct net_load_result result;

static void start(struct netif_frontend_options options, struct net_peer_options peer_options)
{
	const struct sim_guest_options with = {.domid = DOMID, .pages = 8192, .strict = true};
	const struct netif_features features = {
		.takes = ALL_TAKEN, .scatter = true, .split = true, .xdp_headroom = true, .queues_max = 8};

	machine = sim_machine_create(3);
	ck_assert_int_eq(sim_guest_create(machine, &with, &guest), 0);
	options.guest = guest;
	options.guard = true;
	ck_assert_int_eq(netif_frontend_create(&options, &features, &card), 0);
	peer_options.platform = sim_platform(machine);
	peer_options.domid = DOMID;
	peer = net_peer_start(&peer_options, card, card);
}

static void stop(void)
{
	net_peer_stop(peer);
	ck_assert_uint_eq(netif_frontend_destroy(card), 0);
	sim_guest_destroy(guest);
	sim_machine_destroy(machine);
}

/* run - a load of these packets, there and back. */
static void run(struct net_load_options options)
{
	struct net_load *load;

	options.from = card;
	if (!options.content.maximum) {
		options.content.minimum = XVHOST_NET_BYTES_MIN;
		options.content.maximum = XVHOST_NET_BYTES_MAX;
	}
	options.content.takes = ALL_TAKEN;
	options.content.seed = 77;
	ck_assert_int_eq(net_load_create(&options, &load), 0);
	ck_assert_int_eq(net_load_start(load), 0);
	net_load_finish(load, &result);
	net_load_destroy(load);
}

/* Any size in any slots, one or more queues, one event channel or two. */
START_TEST(right)
{
	static const struct {
		uint32_t queues, headroom, depth;
		bool split_channels, split;
	} rows[] = {
		{1, 0, 0, false, false}, {1, 0, 0, false, true},  {1, 256, 1, true, true},
		{3, 0, 200, true, true}, {4, 13, 0, false, true},
	};

	start((struct netif_frontend_options){.queues = rows[_i].queues,
					      .takes = ALL_TAKEN,
					      .xdp_headroom = rows[_i].headroom,
					      .split = rows[_i].split_channels},
	      (struct net_peer_options){0});
	run((struct net_load_options){
		.to = card, .depth = rows[_i].depth, .split = rows[_i].split, .packets = 600});
	ck_assert_msg(result.error == 0, "%s", result.text);
	ck_assert_uint_eq(result.received, rows[_i].queues * 600);
	ck_assert_uint_eq(result.sent, result.received);
	ck_assert_uint_eq(result.sent_bytes, result.received_bytes);
	ck_assert_uint_eq(result.lost + result.refused + result.failed, 0);
	ck_assert_uint_eq(result.way_ns.count, result.received);
	ck_assert_uint_gt(result.notifications, 0);
	stop();
}
END_TEST

/* From one card to another, with true addresses, from the smallest packet on in which the numbers have room. */
START_TEST(to_another_card)
{
	const struct sim_guest_options with = {.domid = DOMID, .pages = 8192, .strict = true};
	const struct netif_features features = {
		.takes = ALL_TAKEN, .scatter = true, .split = true, .queues_max = 8};
	struct netif_frontend_options options = {.takes = ALL_TAKEN, .queues = 2, .split = _i, .guard = true};
	struct net_peer_options peer_options = {.domid = DOMID};
	struct net_load_options load = {.content = {.minimum = NET_CONTENT_ADDRESSED_BYTES,
						    .maximum = XVHOST_NET_BYTES_MAX,
						    .addressed = true,
						    .source = {2, 0, 0, 0, 0, 1},
						    .destination = {2, 0, 0, 0, 0, 2}},
					.depth = 30,
					.split = true,
					.packets = 600};
	struct netif_frontend *other;

	machine = sim_machine_create(3);
	ck_assert_int_eq(sim_guest_create(machine, &with, &guest), 0);
	options.guest = guest;
	ck_assert_int_eq(netif_frontend_create(&options, &features, &card), 0);
	options.device_id = 1;
	ck_assert_int_eq(netif_frontend_create(&options, &features, &other), 0);
	peer_options.platform = sim_platform(machine);
	peer = net_peer_start(&peer_options, card, other);
	load.to = other;
	run(load);
	ck_assert_msg(result.error == 0, "%s", result.text);
	ck_assert_uint_eq(result.received, 1200);
	ck_assert_uint_eq(result.lost, 0);
	net_peer_stop(peer);
	ck_assert_uint_eq(netif_frontend_destroy(other), 0);
	ck_assert_uint_eq(netif_frontend_destroy(card), 0);
	sim_guest_destroy(guest);
	sim_machine_destroy(machine);
}
END_TEST

/* A guest that takes no blank checksum gets whole ones, in packets of one size. */
START_TEST(filled)
{
	start((struct netif_frontend_options){.takes = XVHOST_NET_GSO_TCPV4 | XVHOST_NET_GSO_TCPV6},
	      (struct net_peer_options){.fill = true});
	run((struct net_load_options){.to = card,
				      .packets = 500,
				      .content = {.minimum = 60 + (uint32_t)_i,
						  .maximum = 60 + (uint32_t)_i}});
	ck_assert_msg(result.error == 0, "%s", result.text);
	ck_assert_uint_eq(result.received_bytes, 500 * (60 + (uint64_t)_i));
	stop();
}
END_TEST

/* This host takes nothing where there are no pages to send it back into: it does not answer, and that is said. */
START_TEST(unanswered)
{
	start((struct netif_frontend_options){.queues = 2}, (struct net_peer_options){0});
	run((struct net_load_options){.packets = 5, .timeout_ms = 300});
	ck_assert_int_eq(result.error, -ETIMEDOUT);
	ck_assert_msg(strstr(result.text, "none of 5 packets was answered"), "%s", result.text);
	ck_assert_uint_eq(result.received, 0);
	stop();
}
END_TEST

/* It ends by time, and at once when it is told to. */
START_TEST(ends)
{
	struct net_load_options options = {.depth = 8, .time_ms = _i ? 0 : 200};
	struct net_load *load;

	start((struct netif_frontend_options){.takes = ALL_TAKEN}, (struct net_peer_options){0});
	options.from = options.to = card;
	options.content = (struct net_content_options){.minimum = 60, .maximum = 1514, .takes = ALL_TAKEN};
	ck_assert_int_eq(net_load_create(&options, &load), 0);
	ck_assert_int_eq(net_load_start(load), 0);
	while (_i && net_load_received(load) < 1000)
		;
	if (_i)
		net_load_stop(load);
	net_load_finish(load, &result);
	ck_assert_msg(result.error == 0, "%s", result.text);
	ck_assert_uint_eq(result.lost, 0);
	if (_i)
		ck_assert_uint_ge(result.received, 1000);
	else
		ck_assert_uint_ge(result.elapsed_ns, 190 * 1000000ul);
	net_load_destroy(load);
	stop();
}
END_TEST

/* A packet that is given up and comes all the same, before those that were sent since, is neither lost nor an error. */
START_TEST(late)
{
	start((struct netif_frontend_options){.takes = ALL_TAKEN},
	      (struct net_peer_options){.fault = PEER_LINGERS});
	run((struct net_load_options){
		.to = card, .packets = 160, .depth = 1, .quiet_ms = PEER_LINGERS_MS / 10, .scattered = _i});
	ck_assert_msg(result.error == 0, "%s", result.text);
	ck_assert_uint_eq(result.received, 160);
	ck_assert_uint_eq(result.lost, 0);
	ck_assert_uint_ge(result.way_ns.maximum, PEER_LINGERS_MS * 1000000ul);
	stop();
}
END_TEST

/* What is lost is counted, and is no error of its own. */
START_TEST(lost)
{
	start((struct netif_frontend_options){.takes = ALL_TAKEN},
	      (struct net_peer_options){.fault = _i ? PEER_DROPS : PEER_REFUSES});
	run((struct net_load_options){.to = card, .packets = 301, .quiet_ms = 1000});
	ck_assert_msg(result.error == 0, "%s", result.text);
	ck_assert_uint_eq(result.received, 296);
	ck_assert_uint_eq(result.lost, 5);
	ck_assert_uint_eq(result.refused, _i ? 0 : 5);
	stop();
}
END_TEST

START_TEST(wrong_hosts)
{
	static const struct {
		enum net_peer_fault fault;
		const char *text;
	} rows[] = {
		{PEER_REPEATS, "comes twice, too late, or was not sent"},
		{PEER_OVERTAKES, "comes twice, too late, or was not sent"},
		{PEER_CHANGES_BYTE, "byte "},
		{PEER_CUTS, "bytes instead of "},
		{PEER_FORGETS_BLANK, "its checksum is "},
		{PEER_FILLS_WRONG, "its checksum is "},
		{PEER_FORGETS_GSO, "it has segments of 0 bytes (IPv0) instead of "},
		{PEER_SAYS_GOOD, "a checksum"},
		{PEER_STOPS, "packets was answered within"},
	};

	start((struct netif_frontend_options){.takes = ALL_TAKEN},
	      (struct net_peer_options){.fault = rows[_i].fault});
	run((struct net_load_options){
		.to = card,
		.packets = 400,
		.timeout_ms = rows[_i].fault == PEER_STOPS ? 500 : 0,
		/* Small ones have nothing to cut, and raw ones no checksum that changes with a byte. */
		.content = {.minimum = rows[_i].fault == PEER_CUTS ? 100 : 14,
			    .maximum = XVHOST_NET_BYTES_MAX}});
	ck_assert_int_eq(result.error, rows[_i].fault == PEER_STOPS ? -ETIMEDOUT : -EPROTO);
	ck_assert_uint_ge(result.received, 60);
	ck_assert_msg(strstr(result.text, rows[_i].text) ||
			      (rows[_i].fault == PEER_CHANGES_BYTE && strstr(result.text, "checksum")),
		      "%s", result.text);
	stop();
}
END_TEST

/* Where packets may come by several queues they may overtake each other, but not come twice, and those that are lost are counted. */
START_TEST(scattered)
{
	static const enum net_peer_fault faults[] = {PEER_RIGHT, PEER_OVERTAKES, PEER_DROPS, PEER_REPEATS};

	start((struct netif_frontend_options){.takes = ALL_TAKEN},
	      (struct net_peer_options){.fault = faults[_i]});
	run((struct net_load_options){.to = card, .packets = 310, .quiet_ms = 1000, .scattered = true});
	stop();
	if (faults[_i] == PEER_REPEATS) {
		ck_assert_int_eq(result.error, -EPROTO);
		ck_assert_ptr_nonnull(strstr(result.text, "comes twice"));
		return;
	}
	ck_assert_msg(result.error == 0, "%s", result.text);
	ck_assert_uint_eq(result.lost, faults[_i] == PEER_DROPS ? 5 : 0);
	ck_assert_uint_eq(result.received, 310 - result.lost);
}
END_TEST

/* A host that has been asked for hashes and gives none is wrong. */
START_TEST(without_hashes)
{
	start((struct netif_frontend_options){.takes = ALL_TAKEN}, (struct net_peer_options){0});
	card->hash = (struct net_hash){.flags = 1, .key_bytes = 1, .key = {1}};
	run((struct net_load_options){.to = card, .packets = 100});
	ck_assert_int_eq(result.error, -EPROTO);
	ck_assert_msg(strstr(result.text, "should have a hash, type 0"), "%s", result.text);
	stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, scattered, 0, 4);
	tcase_add_test(test_case, without_hashes);
	tcase_add_loop_test(test_case, right, 0, 5);
	tcase_add_loop_test(test_case, to_another_card, 0, 2);
	tcase_add_loop_test(test_case, filled, 0, 5);
	tcase_add_test(test_case, unanswered);
	tcase_add_loop_test(test_case, ends, 0, 2);
	tcase_add_loop_test(test_case, late, 0, 2);
	tcase_add_loop_test(test_case, lost, 0, 2);
	tcase_add_loop_test(test_case, wrong_hosts, 0, 9);
}

CHECK_MAIN("net load", add_tests)
