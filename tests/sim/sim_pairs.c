// SPDX-License-Identifier: GPL-2.0-or-later
/* sim_pairs.c - two guests with a worker each, and pairs of cards, one of each guest, that are ports of switches */
#include "sim_pairs.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOINED_SEED 1000000u /* of packets that no other load sends */

static struct sim_guest *guests[2];
struct worker_thread *sim_pairs_workers[2];
struct sim_net sim_pairs_cards[SIM_PAIRS][2];
char sim_pairs_directory[64];
bool sim_pairs_written_down;
struct net_load_result sim_pairs_results[SIM_PAIRS];

const struct netif_frontend_options sim_pairs_all_taken = {.takes = SIM_NET_ALL_TAKEN, .guard = true};

void sim_pairs_use(uint32_t index)
{
	guest = guests[index];
	worker = sim_pairs_workers[index];
}

void sim_pairs_open(struct sim_net *card, uint32_t index, uint32_t device_id, const char *name)
{
	char target[256] = "";

	if (sim_pairs_written_down && index == 0 && device_id == 0)
		snprintf(target, sizeof(target), "pcap:path=%s/pcapng,target=", sim_pairs_directory);
	snprintf(target + strlen(target), sizeof(target) - strlen(target), "switch:name=%s,directory=%s",
		 name, sim_pairs_directory);
	sim_pairs_use(index);
	sim_net_open(card, device_id, target);
	ck_assert_uint_eq(card->opened.takes, SIM_NET_ALL_TAKEN);
	ck_assert_uint_eq(card->opened.queues_max, 1);
}

void sim_pairs_stop(void)
{
	char command[128];

	for (uint32_t i = 0; i < 2; i++) {
		sim_pairs_use(i);
		for (uint32_t pair = 0; pair < SIM_PAIRS; pair++)
			sim_net_close(&sim_pairs_cards[pair][i]);
	}
	ck_assert_int_eq(worker_thread_stop(sim_pairs_workers[1]), 0);
	sim_guest_destroy(guests[1]);
	sim_pairs_use(0);
	sim_disk_stop();
	snprintf(command, sizeof(command), "rm -r %s", sim_pairs_directory);
	ck_assert_int_eq(system(command), 0);
}

void sim_pairs_address(struct net_content_options *options, uint32_t pair, uint32_t from)
{
	options->addressed = options->minimum >= NET_CONTENT_ADDRESSED_BYTES;
	memcpy(options->source, (const uint8_t[]){2, 0, 0, 0, (uint8_t)pair, (uint8_t)from}, 6);
	memcpy(options->destination, (const uint8_t[]){2, 0, 0, 0, (uint8_t)pair, (uint8_t)(1 - from)}, 6);
}

struct net_load *sim_pairs_begin(uint32_t pair, uint32_t from, struct net_load_options options)
{
	options.from = sim_pairs_cards[pair][from].frontend;
	options.to = sim_pairs_cards[pair][1 - from].frontend;
	sim_pairs_address(&options.content, pair, from);
	return sim_net_begin(&options);
}

const struct net_load_result *sim_pairs_finish(uint32_t pair, struct net_load *load)
{
	struct net_load_result *result = &sim_pairs_results[pair];

	sim_net_finish(load, result);
	return result;
}

void sim_pairs_wait_until_joined(uint32_t pair)
{
	/* What is under way from before comes, or is lost, before it. */
	struct net_load_options one = {.content = {.minimum = 60, .maximum = 60, .seed = JOINED_SEED},
				       .packets = 1,
				       .quiet_ms = 1000,
				       .others_come = true};

	usleep(100000);
	for (uint32_t from = 0; from < 2; from++) {
		uint32_t tries = 0;

		do {
			struct net_load *load = sim_pairs_begin(pair, from, one);

			ck_assert_uint_lt(tries++, 10);
			one.content.seed++;
			net_load_finish(load, &sim_pairs_results[pair]);
			net_load_destroy(load);
			ck_assert_msg(sim_pairs_results[pair].error == 0, "%s", sim_pairs_results[pair].text);
		} while (sim_pairs_results[pair].received == 0);
	}
}

void sim_pairs_start(const char *access, const char *const names[SIM_PAIRS][2])
{
	const struct sim_guest_options options = {
		.domid = SIM_PAIRS_OTHER_DOMID, .pages = 16384, .strict = true};
	char backends[SIM_DISK_PATH_MAX];

	strcpy(sim_pairs_directory, "/tmp/xvhost-sim-switch.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(sim_pairs_directory));
	sim_disk_access = access;
	sim_disk_start(true);
	guests[0] = guest;
	sim_pairs_workers[0] = worker;
	sim_disk_built(backends, "backends");
	ck_assert_int_eq(sim_guest_create(machine, &options, &guests[1]), 0);
	ck_assert_int_eq(worker_thread_start(sim_platform(machine), SIM_PAIRS_OTHER_DOMID, backends,
					     &sim_pairs_workers[1]),
			 0);
	for (uint32_t pair = 0; pair < SIM_PAIRS; pair++)
		for (uint32_t i = 0; i < 2; i++) {
			sim_pairs_open(&sim_pairs_cards[pair][i], i, pair, names[pair][i]);
			sim_net_connect(&sim_pairs_cards[pair][i], &sim_pairs_all_taken);
		}
}

void sim_pairs_both_ways(struct net_load_options options)
{
	struct net_load *loads[SIM_PAIRS];

	for (uint32_t pair = 0; pair < SIM_PAIRS; pair++)
		loads[pair] = sim_pairs_begin(pair, pair % 2, options);
	for (uint32_t pair = 0; pair < SIM_PAIRS; pair++)
		ck_assert_uint_eq(sim_pairs_finish(pair, loads[pair])->received, options.packets);
}
