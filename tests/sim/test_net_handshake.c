// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest's network card connected by xenstore, in all ways that netif knows to describe its rings, by one frontend after the
 * other; its headroom changes while it is connected; and frontends that end without a word.
 */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_main.h"
#include "log.h"
#include "sim/host.h"
#include "sim/net_front_control.h"
#include "sim/net_load.h"
#include "sim/netif_handshake.h"
#include "sim/toolstack.h"

#define DOMID 11
#define WAIT_MS 10000
#define ALL_TAKEN                                                                                            \
	(XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6 | XVHOST_NET_GSO_TCPV4 | XVHOST_NET_GSO_TCPV6)

static struct sim_machine *machine;
static struct sim_host *host;
static struct sim_guest *guest;
static struct xenstore *toolstack, *xenstore;
static struct netif_handshake_options handshake;
static struct netif_frontend *card;
static struct sim_vif vif = {.domid = DOMID, .handle = 1, .mac = "00:16:3e:01:02:03"};
static char text[ERROR_TEXT_MAX];
static struct config config;

static void start(void)
{
	const struct sim_guest_options with = {.domid = DOMID, .pages = 16384, .strict = true};
	static char built[PATH_MAX];
	const char *build = getenv("XVHOST_BUILD");

	log_set_level(LOG_LEVEL_WARNING);
	machine = sim_machine_create(5);
	ck_assert_int_eq(sim_guest_create(machine, &with, &guest), 0);
	ck_assert_int_eq(sim_xenstore_open(machine, 0, &toolstack), 0);
	ck_assert_int_eq(sim_xenstore_open(machine, DOMID, &xenstore), 0);
	config_set_defaults(&config);
	ck_assert_ptr_nonnull(realpath(build ? build : "build", built));
	snprintf(config.backend_directory, sizeof(config.backend_directory), "%.4000s/backends", built);
	snprintf(config.net_target, sizeof(config.net_target), "echo");
	ck_assert_int_eq(sim_host_start(machine, &config, &host), 0);
	handshake = (struct netif_handshake_options){
		.platform = sim_platform(machine), .xenstore = xenstore, .timeout_ms = WAIT_MS};
	ck_assert_msg(sim_vif_attach(toolstack, &vif, WAIT_MS, text) == 0, "%s", text);
}

static void stop(void)
{
	ck_assert_int_eq(sim_vif_detach(toolstack, &vif, false, WAIT_MS), 0);
	ck_assert_int_eq(sim_host_stop(host), 0);
	handshake.platform->xenstore_close(xenstore);
	handshake.platform->xenstore_close(toolstack);
	sim_guest_destroy(guest);
	sim_machine_destroy(machine);
}

static void connect_card(const struct netif_frontend_options *options)
{
	struct netif_frontend_options all = *options;

	all.guest = guest;
	all.device_id = vif.handle;
	all.guard = true;
	ck_assert_msg(netif_handshake_connect(&handshake, &all, &card, text) == 0, "%s", text);
}

/* use - packets there and back, as the guest takes them. */
static void use(uint64_t seed)
{
	const struct net_load_options options = {
		.from = card,
		.to = card,
		.content = {.minimum = XVHOST_NET_BYTES_MIN,
			    .maximum = XVHOST_NET_BYTES_MAX,
			    .takes = card->options.takes,
			    .seed = seed},
		.depth = 8,
		.split = true,
		.packets = 100,
	};
	static struct net_load_result result;
	struct net_load *load;

	ck_assert_int_eq(net_load_create(&options, &load), 0);
	ck_assert_int_eq(net_load_start(load), 0);
	net_load_finish(load, &result);
	net_load_destroy(load);
	ck_assert_msg(result.error == 0, "%s", result.text);
	ck_assert_uint_eq(result.received, 100 * card->queue_count);
	ck_assert_uint_eq(result.lost, 0);
}

static void close_card(void)
{
	ck_assert_msg(netif_handshake_close(&handshake, card, text) == 0, "%s", text);
}

/* Each form after the other one, on the same device: nothing of the one before may be left. */
START_TEST(forms)
{
	static const struct netif_frontend_options rows[] = {
		{.takes = ALL_TAKEN},
		{.takes = ALL_TAKEN, .split = true},
		{.takes = ALL_TAKEN, .queues = 2},
		{.takes = ALL_TAKEN, .queues = 2, .split = true, .xdp_headroom = 256},
		{.takes = 0, .no_scatter = true},
		{.takes = XVHOST_NET_CHECKSUM_IPV4, .multicast_control = true},
		{.takes = XVHOST_NET_CHECKSUM_IPV6 | XVHOST_NET_GSO_TCPV6, .queues = 2},
		{.takes = XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_GSO_TCPV4, .xdp_headroom = 1},
		{.takes = ALL_TAKEN},
	};

	start();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		connect_card(&rows[i]);
		ck_assert_uint_eq(card->features.takes, ALL_TAKEN);
		ck_assert_uint_ge(card->features.queues_max, 1);
		ck_assert(card->features.scatter && card->features.split && card->features.xdp_headroom &&
			  card->features.multicast_control);
		ck_assert_uint_eq(card->options.xdp_headroom, rows[i].xdp_headroom);
		use(i);
		close_card();
	}
	stop();
}
END_TEST

/* With a control ring, and by its hashes; then by a frontend that has none, and says nothing of room, either. */
START_TEST(control_ring)
{
	const struct net_hash hash = {
		.flags = 3, .key_bytes = 3, .key = {1, 2, 3}, .mapping_size = 2, .mapping = {0, 0}};

	start();
	for (uint32_t i = 0; i < 4; i++) {
		connect_card(&(struct netif_frontend_options){
			.takes = ALL_TAKEN, .control = i % 2 == 0, .silent = i % 2, .queues = 1 + i / 2});
		ck_assert(card->features.control);
		if (i == 0)
			ck_assert_msg(net_front_control_hash(card, &hash) == 0, "%s", card->control.error);
		use(i);
		close_card();
	}
	stop();
}
END_TEST

/* A guest asks for more queues than there are, and gets those that there are. */
START_TEST(too_many_queues)
{
	start();
	connect_card(&(struct netif_frontend_options){.takes = ALL_TAKEN, .queues = NET_QUEUES_MAX});
	ck_assert_uint_eq(card->queue_count, card->features.queues_max);
	use(1);
	close_card();
	stop();
}
END_TEST

/* As netfront does it for programs of XDP: the headroom changes, and all packets have it as soon as xvhostd has said so. */
START_TEST(headroom)
{
	static const uint32_t rows[] = {256, 0, 13, 256};

	start();
	connect_card(&(struct netif_frontend_options){.takes = ALL_TAKEN});
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_msg(netif_handshake_headroom(&handshake, card, rows[i], text) == 0, "%s", text);
		use(i);
	}
	close_card();
	stop();
}
END_TEST

/* The frontend goes without a word, and another one comes: what the first had is let go of. */
START_TEST(without_a_word)
{
	start();
	for (int i = 0; i < 3; i++) {
		struct netif_frontend *before;

		connect_card(&(struct netif_frontend_options){.takes = ALL_TAKEN});
		use(1);
		before = card;
		connect_card(&(struct netif_frontend_options){.takes = ALL_TAKEN, .split = true});
		ck_assert_uint_eq(netif_frontend_destroy(before), 0);
		use(2);
		close_card();
	}
	stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_test(test_case, forms);
	tcase_add_test(test_case, control_ring);
	tcase_add_test(test_case, too_many_queues);
	tcase_add_test(test_case, headroom);
	tcase_add_test(test_case, without_a_word);
}

CHECK_MAIN("net handshake", add_tests)
