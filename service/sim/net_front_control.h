/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net_front_control.h - the control ring of a network card, as the guest has it
 *
 * Whoever asks by it is one thread, and nobody receives packets meanwhile: what they must have changes with the answer.
 */
#ifndef NET_FRONT_CONTROL_H
#define NET_FRONT_CONTROL_H

#include "sim/net_hash.h"
#include "sim/netif_frontend.h"

/* net_front_control_create, _destroy - of a frontend; see netif_frontend_create, _destroy. */
int net_front_control_create(struct netif_frontend *frontend);
uint32_t net_front_control_destroy(struct netif_frontend *frontend);

/*
 * net_front_control_ask - and wait for the answer. Returns 0 and the answer, whose id and type are right; or -EPROTO, -ETIMEDOUT or
 * another errno, and frontend->control.error says what is wrong.
 */
int net_front_control_ask(struct netif_frontend *frontend, uint16_t type, const uint32_t data[3],
			  struct xen_netif_ctrl_response *response);

/* net_front_control_grant - as that, with these bytes in a page whose grant is data[0]. Until the answer it is granted, to be read. */
int net_front_control_grant(struct netif_frontend *frontend, uint16_t type, const void *bytes,
			    uint32_t length, const uint32_t rest[2],
			    struct xen_netif_ctrl_response *response);

/*
 * net_front_control_hash - ask for all of this. Each packet that is received from then on must have its hash and come by its queue, or
 * the use of the queue ends. Returns 0; -EPROTO if the host refuses one of the steps; or another errno.
 */
int net_front_control_hash(struct netif_frontend *frontend, const struct net_hash *hash);

/* net_front_check_hash - of a packet that was received whole. Returns 0 or -EPROTO. */
int net_front_check_hash(struct net_front_queue *queue, const struct net_front_received *received);

#endif
