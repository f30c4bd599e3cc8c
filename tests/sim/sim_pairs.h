/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim_pairs.h - two guests with a worker each, and pairs of cards, one of each guest, that are ports of switches
 */
#ifndef SIM_PAIRS_H
#define SIM_PAIRS_H

#include "sim_net.h"

#define SIM_PAIRS 2
#define SIM_PAIRS_OTHER_DOMID 8
/* Of the largest packets: less than a port has room for, and than the guest has posted. */
#define SIM_PAIRS_LARGE_DEPTH 10

extern struct worker_thread *sim_pairs_workers[2];
extern struct sim_net sim_pairs_cards[SIM_PAIRS][2];
extern char sim_pairs_directory[64]; /* of the switches */
extern bool sim_pairs_written_down; /* what passes through the first guest's first card goes to a file, too */
extern struct net_load_result sim_pairs_results[SIM_PAIRS];
extern const struct netif_frontend_options sim_pairs_all_taken;

/* sim_pairs_start - all of it, connected; each card is a port of the switch of this name. */
void sim_pairs_start(const char *access, const char *const names[SIM_PAIRS][2]);
void sim_pairs_stop(void);

/* sim_pairs_use - this guest and its worker, for the functions of sim_net.h. */
void sim_pairs_use(uint32_t index);

/* sim_pairs_open - a card of this guest on the switch of this name. */
void sim_pairs_open(struct sim_net *card, uint32_t index, uint32_t device_id, const char *name);

/* sim_pairs_address - what is sent from one guest to the other by this pair of cards, if it is long enough. */
void sim_pairs_address(struct net_content_options *options, uint32_t pair, uint32_t from);

/* sim_pairs_begin - a load from one guest to the other by this pair of cards. */
struct net_load *sim_pairs_begin(uint32_t pair, uint32_t from, struct net_load_options options);

/* sim_pairs_finish - all that was sent has come. */
const struct net_load_result *sim_pairs_finish(uint32_t pair, struct net_load *load);

/*
 * sim_pairs_wait_until_joined - ports find each other when their guests are connected already: until then packets go nowhere. What other loads
 * had sent before is not under way any more.
 */
void sim_pairs_wait_until_joined(uint32_t pair);

/* sim_pairs_both_ways - the same load by each pair, in the other direction, at the same time. */
void sim_pairs_both_ways(struct net_load_options options);

#endif
