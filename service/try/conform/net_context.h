/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net_context.h - the network card that is tried, for promises; on the loop thread
 */
#ifndef CONFORM_NET_CONTEXT_H
#define CONFORM_NET_CONTEXT_H

#include "try/conform/context.h"
#include "try/conform/net_traffic.h"

#define CONFORM_NET_ALL                                                                                      \
	(XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6 | XVHOST_NET_GSO_TCPV4 | XVHOST_NET_GSO_TCPV6)

/* conform_card_open_target - open a card by any target, on the control thread. Returns what conform_card_make does. */
int conform_card_open_target(struct conform_context *context, struct conform_card *card, const char *target);

/* conform_card_open - open a card of the target that is tried, which must succeed and be possible. */
void conform_card_open(struct conform_context *context, struct conform_card *card);

void conform_card_close(struct conform_card *card);

/* conform_net_begin - open a card, start one queue for a guest that takes so much, and set up traffic that comes to the loop. */
void conform_net_begin(struct conform_context *context, struct conform_card *card,
		       struct conform_net_queue *queue, struct conform_traffic *traffic,
		       uint32_t guest_takes);

/* conform_net_end - stop the queue and close the card. */
void conform_net_end(struct conform_card *card, struct conform_net_queue *queue);

#endif
