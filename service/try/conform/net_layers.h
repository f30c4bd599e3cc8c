/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net_layers.h - packets that go through wrappers, as service/rings/netif_layers.c has it, all of which is looked at
 */
#ifndef CONFORM_NET_LAYERS_H
#define CONFORM_NET_LAYERS_H

#include "try/conform/net_loop.h"

/* What xvhost_net_host has. */
void conform_net_forward(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets,
			 uint32_t count);
void conform_net_give_back(struct xvhost_packet *packet, int error);
void conform_net_more_room(struct xvhost_net_queue *queue);

/* conform_net_come_back - a packet was ended by who had it, below a wrapper. */
void conform_net_come_back(struct conform_net_packet *packet, int error);

/* conform_net_offer - this queue, below a wrapper, has a packet for the guest. Returns whether the wrapper takes it. */
bool conform_net_offer(struct conform_net_queue *queue, struct xvhost_packet *packet);

/* conform_net_deliver_below - what wrappers have given back, to whom it belongs, and news of room. Returns whether there was any. What
 * is not given back, and the host does not have, breaks a promise. */
bool conform_net_deliver_below(struct conform_net_queue *outermost);

#endif
