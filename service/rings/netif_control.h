/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netif_control.h - the control ring of one network card, by which the guest says how packets for it are hashed (netif.h of Xen)
 *
 * Theory of operation: the loop that serves the card's queues calls, in each turn, netif_control_take, which carries out a bounded
 * number of requests and writes the answers, and netif_control_hand_over; before it sleeps, netif_control_ask. A request is copied out
 * of the ring once, and so are the key and the mapping that its grant holds, whose page is had by a call of its own. What is wrong with a
 * request is said in its answer, what is wrong with the ring's counters makes the card broken.
 *
 * All functions belong to the loop's thread unless they say something else.
 */
#ifndef NETIF_CONTROL_H
#define NETIF_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "log.h"
#include "memory/memory.h"
#include "rings/netif_hash.h"
#include "rings/ring.h"

#define NETIF_CONTROL_PER_TURN 8u     /* requests that are carried out */
#define NETIF_CONTROL_MAPPINGS_MAX 1u /* of all control rings of a loop, for memory_open */

struct netif_control;

/* What it is made of. The caller keeps all that it points to until netif_control_free. */
struct netif_control_parameters {
	const char *name; /* of the card, for the log */
	struct log_limit *limit;
	void *page; /* the ring, mapped */
	struct memory *memory;
	bool cached; /* the guest's pages may be read by the cache, as memory_choose has said */
	struct netif_hash *hash;
};

/* netif_control_create - over a mapped ring. Returns 0, -EPROTO when its counters are not possible, -ENOMEM. Control thread. */
int netif_control_create(const struct netif_control_parameters *parameters, struct netif_control **control);
void netif_control_free(struct netif_control *control);

/* netif_control_event - its port was pending. */
void netif_control_event(struct netif_control *control);

/* netif_control_ready - there may be something to take without another event. */
bool netif_control_ready(const struct netif_control *control);

/* netif_control_broken - nothing more is taken, for good; the log says why. */
bool netif_control_broken(const struct netif_control *control);

/* netif_control_take - carry out what there is, up to NETIF_CONTROL_PER_TURN. */
void netif_control_take(struct netif_control *control);

/* netif_control_hand_over - the answers that were written, to be shown. False: there are none. */
bool netif_control_hand_over(struct netif_control *control, struct ring_publication *publication);

/* netif_control_ask - true if something has come meanwhile, so that another turn is needed. */
bool netif_control_ask(struct netif_control *control);

#endif
