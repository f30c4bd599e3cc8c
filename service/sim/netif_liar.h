/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netif_liar.h - a hostile guest's network card: rings that are right but for one thing
 *
 * Theory of operation: as liar.h. A liar uses the first queue of a connected card by itself, whose backend gives packets back, so that
 * what it sends comes to the pages that it posts. It tells one lie at a time, between honest packets on the same rings: these must be
 * served as if nothing were, unless the lie breaks the ring.
 */
#ifndef NETIF_LIAR_H
#define NETIF_LIAR_H

#include "sim/liar.h"
#include "sim/netif_frontend.h"

struct net_liar;
struct net_lie;

/* net_lie_at - counted from 0; NULL after the last. The last ones, net_lie_needs_control says which, are for cards with a control
 * ring. */
const struct net_lie *net_lie_at(uint32_t index);
const char *net_lie_name(const struct net_lie *lie);

bool net_lie_needs_control(const struct net_lie *lie);

/* net_lie_end - one of enum lie_end; what is said of requests there holds for slots and pages. */
enum lie_end net_lie_end(const struct net_lie *lie);

/* net_lie_find - NULL if there is no lie of this name. */
const struct net_lie *net_lie_find(const char *name);

/* What came of it. */
struct net_lie_outcome {
	uint32_t honest, honest_good,
		honest_failed;		       /* slots of packets; answered without an error; with one */
	uint32_t false_ones, granted, refused; /* the same of the lie's own */
	uint32_t extras, nulls;		       /* extra infos, and their answers */
	uint32_t pages_good, pages_failed;     /* that were posted honestly: filled; answered with an error */
	uint32_t false_pages, pages_granted, pages_refused; /* the same of the lie's own */
	uint32_t strays;				    /* answers to what was not asked */
	bool unanswered;				    /* not all answers came in time */
	bool broken;
};

struct net_liar_options {
	struct netif_frontend *card; /* connected; of its pages none are used */
	uint32_t grant_version;	     /* of the guest's table: 1 or 2 */
	uint64_t seed;
	/* Has the host declared the card broken? Is asked while answers are waited for. */
	bool (*broken)(void *context);
	void *context;
};

/* net_liar_create - returns 0 or a negative errno. */
int net_liar_create(const struct net_liar_options *options, struct net_liar **liar);

/* net_liar_destroy - after the card is disconnected. Returns how many of its grants the host has mapped still. */
uint32_t net_liar_destroy(struct net_liar *liar);

/* net_liar_tell - honest packets, the lie, honest packets, and all their answers. After a lie that breaks or ruins the rings it is
 * of no use any more. */
void net_liar_tell(struct net_liar *liar, const struct net_lie *lie, struct net_lie_outcome *outcome);

/* net_liar_judge - did it end as it must? Returns NULL, or what is wrong. */
const char *net_liar_judge(const struct net_lie *lie, const struct net_lie_outcome *outcome);

/* net_liar_choose - some lie, by the seed, that leaves the rings usable. */
const struct net_lie *net_liar_choose(struct net_liar *liar);

#endif
