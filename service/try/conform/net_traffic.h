/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net_traffic.h - packets of a guest whose content is known, and those of them that come back
 *
 * Each queue is a stream of packets with numbers (sim/net_content.h). What a backend gives the guest may be something else, of which
 * nothing is known; what is one of these must be the right one.
 */
#ifndef CONFORM_NET_TRAFFIC_H
#define CONFORM_NET_TRAFFIC_H

#include "sim/net_content.h"
#include "try/conform/net_loop.h"
#include "try/conform/report.h"

struct conform_traffic {
	struct net_content_options content;
	uint64_t random;
	uint32_t pieces_max;		    /* of a packet */
	bool verify;			    /* what comes back */
	uint32_t sent[CONFORM_CARD_QUEUES]; /* by stream: number of the last packet */
	uint32_t came[CONFORM_CARD_QUEUES]; /* by stream: number of the last one that has come back */
	uint64_t came_count;		    /* of all streams */
};

/* conform_traffic_init - small packets in two pieces, of the kinds that the card takes. */
void conform_traffic_init(struct conform_traffic *traffic, const struct conform_card *card, uint64_t seed);

/* conform_traffic_send - give the backend so many packets at once, or as many as it does not have yet. Returns how many. */
uint32_t conform_traffic_send(struct conform_traffic *traffic, struct conform_net_queue *queue,
			      uint32_t count);

/* conform_traffic_run - so many packets on each of these queues of one loop, until all are transmitted. */
void conform_traffic_run(struct conform_traffic *traffic, struct conform_net_queue *const *queues,
			 uint32_t queue_count, uint32_t packets);

/* conform_traffic_came - the host has taken a packet for the guest. */
void conform_traffic_came(struct conform_traffic *traffic, const struct conform_net_queue *queue,
			  const struct xvhost_packet *packet);

#endif
