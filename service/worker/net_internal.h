/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net_internal.h - what the files of a network card have in common: net.c, net_layers.c, net_control.c
 */
#ifndef NET_INTERNAL_H
#define NET_INTERNAL_H

#include "worker/net.h"

/* net_open_layers - all backends of a target, or none and the reason. net_close_layers: there are none afterwards. */
int net_open_layers(struct net *net, const struct guest *guest, const struct message_net_open *asked,
		    char text[ERROR_TEXT_MAX]);
void net_close_layers(struct net *net);

/* net_open_queue - have all backends do what a queue needs before it is served, or none and the reason. net_close_queue: and after. */
int net_open_queue(const struct net *net, struct netif_queue *queue, char text[ERROR_TEXT_MAX]);
void net_close_queue(const struct net *net, struct netif_queue *queue);

/* net_map_ring - one of a card's, whose grant is in this node of the frontend's. Returns 0; or a negative errno, and `text` says why. */
int net_map_ring(const struct guest_loop *loop, const char *node, uint32_t gref, struct memory_ring *ring,
		 char text[ERROR_TEXT_MAX]);

/* net_bind - an event channel, the same. net_unbind - what can't be is said in the log. */
int net_bind(const struct guest *guest, const struct guest_loop *loop, const char *node, uint32_t remote,
	     uint32_t *port, char text[ERROR_TEXT_MAX]);
void net_unbind(const struct net *net, const struct guest *guest, const struct guest_loop *loop,
		uint32_t port);

/* net_control_begin - a frontend that has a control ring connects: before its queues. Returns as the others do. */
int net_control_begin(struct net *net, const struct message_net_connect *asked, char text[ERROR_TEXT_MAX]);

/* net_control_connect - after its queues: map the ring, bind the event channel, give it to the last queue. */
int net_control_connect(struct net *net, const struct guest *guest, const struct message_net_connect *asked,
			bool cached, char text[ERROR_TEXT_MAX]);

/* net_control_disconnect - what there is of it, before the queues are disconnected; net_control_end - after that. */
void net_control_disconnect(struct net *net, const struct guest *guest);
void net_control_end(struct net *net);

#endif
