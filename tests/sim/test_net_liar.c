// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest that lies on one of its network cards. Each lie must end as it must, honest packets on the same rings are served, the card can
 * be connected anew, nothing stays mapped, and another card of the guest goes on with right packets all the time.
 */
#include <stdint.h>
#include <unistd.h>

#include "check_main.h"
#include "sim/netif_liar.h"
#include "sim_net.h"

#define CARD 0
#define OTHER_CARD 1

static struct sim_net net, other;
static struct net_load *load;
static struct net_liar *liar;
static uint32_t grant_version;
static bool with_control; /* the liar's card has a control ring */

static bool is_broken(void *context)
{
	(void)context;
	return worker_thread_broken(worker, CARD, 0, NULL);
}

/* connect_liar - fresh rings for it. */
static void connect_liar(uint64_t seed)
{
	const struct netif_frontend_options options = {.takes = SIM_NET_ALL_TAKEN,
						       .split = seed % 2,
						       .multicast_control = seed % 3 == 0,
						       .control = with_control};
	struct net_liar_options with = {.grant_version = grant_version, .seed = seed, .broken = is_broken};

	sim_net_connect(&net, &options);
	with.card = net.frontend;
	ck_assert_int_eq(net_liar_create(&with, &liar), 0);
}

static void disconnect_liar(void)
{
	/* The worker answers this when it has answered all that it has taken, and unmapped all. */
	sim_net_disconnect(&net);
	ck_assert_uint_eq(net_liar_destroy(liar), 0);
}

/* start - both cards; the other one is under load until the end. */
static void start(const char *access, uint32_t version, uint64_t seed)
{
	const struct netif_frontend_options options = {.takes = SIM_NET_ALL_TAKEN, .guard = true};
	struct net_load_options with = {.content = {.minimum = XVHOST_NET_BYTES_MIN,
						    .maximum = XVHOST_NET_BYTES_MAX,
						    .takes = SIM_NET_ALL_TAKEN,
						    .seed = seed},
					.depth = 4,
					.split = true};

	grant_version = version;
	sim_disk_access = access;
	sim_disk_start_version(true, version);
	sim_net_open(&net, CARD, "echo");
	sim_net_open(&other, OTHER_CARD, "echo");
	sim_net_connect(&other, &options);
	with.from = with.to = other.frontend;
	ck_assert_int_eq(net_load_create(&with, &load), 0);
	ck_assert_int_eq(net_load_start(load), 0);
	connect_liar(seed);
}

/* stop - the other card has served all of its load, with the right packets. */
static void stop(void)
{
	static struct net_load_result result;
	uint64_t before = net_load_received(load);

	while (net_load_received(load) < before + 20)
		usleep(200);
	disconnect_liar();
	net_load_stop(load);
	net_load_finish(load, &result);
	ck_assert_msg(result.error == 0, "the other card: %s", result.text);
	ck_assert_uint_eq(result.lost + result.refused + result.failed, 0);
	net_load_destroy(load);
	sim_net_close(&other);
	sim_net_close(&net);
	sim_disk_stop();
}

static void tell(const struct net_lie *lie)
{
	struct net_lie_outcome outcome;
	const char *wrong;

	net_liar_tell(liar, lie, &outcome);
	wrong = net_liar_judge(lie, &outcome);
	ck_assert_msg(!wrong,
		      "%s: %s (honest %u: %u good, %u failed; false %u: %u granted, %u refused; extra infos "
		      "%u: %u; "
		      "pages %u good, %u failed; false pages %u: %u granted, %u refused; %u strays)",
		      net_lie_name(lie), wrong, outcome.honest, outcome.honest_good, outcome.honest_failed,
		      outcome.false_ones, outcome.granted, outcome.refused, outcome.extras, outcome.nulls,
		      outcome.pages_good, outcome.pages_failed, outcome.false_pages, outcome.pages_granted,
		      outcome.pages_refused, outcome.strays);
	if (net_lie_end(lie) != LIE_BREAKS && net_lie_end(lie) != LIE_RUINS)
		return;
	disconnect_liar();
	connect_liar(outcome.honest + 77);
}

static uint32_t lie_total(void)
{
	uint32_t count = 0;

	while (net_lie_at(count))
		count++;
	return count;
}

static const char *const ways[] = {"foreign", "grant"};

/* Each lie by itself, some times over. */
START_TEST(each_lie)
{
	with_control = _i % 4 == 0 || net_lie_needs_control(net_lie_at((uint32_t)_i / 2));
	start(ways[_i % 2], 1 + (uint32_t)_i / 2 % 2, (uint64_t)_i);
	for (int i = 0; i < 4; i++)
		tell(net_lie_at((uint32_t)_i / 2));
	stop();
}
END_TEST

/* Many lies, in an order by chance. */
START_TEST(mixed_lies)
{
	with_control = _i % 8 < 4;
	start(ways[_i % 2], 1 + (uint32_t)_i / 2 % 2, (uint64_t)_i + 100);
	for (int i = 0; i < 150; i++)
		tell(net_liar_choose(liar));
	tell(net_lie_find("producer-anywhere"));
	for (int i = 0; i < 50; i++)
		tell(net_liar_choose(liar));
	tell(net_lie_find("21-slots"));
	tell(net_lie_find("full-ring"));
	stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, each_lie, 0, 2 * (int)lie_total());
	tcase_add_loop_test(test_case, mixed_lies, 0, 8);
}

CHECK_MAIN("net liar", add_tests)
