/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netif_handshake.h - the guest's part of the talk by which a network card is connected, in xenstore
 *
 * Theory of operation: as Linux's netfront. When the host is in InitWait the frontend reads what is offered, makes its rings, and goes to
 * Connected with their description at once; then the host follows. The end is Closing, then Closed when the host has let go. Each
 * function does all of one such step and waits for the host, on the calling thread.
 */
#ifndef NETIF_HANDSHAKE_H
#define NETIF_HANDSHAKE_H

#include "platform/platform.h"
#include "sim/netif_frontend.h"

struct netif_handshake_options {
	const struct platform *platform;
	struct xenstore *xenstore; /* with the guest's permissions (sim_xenstore_open); one thread */
	int timeout_ms;		   /* for each state of the host's */
};

/*
 * netif_handshake_connect - connect the device `options->device_id`, whose nodes the toolstack has made. What the options want and
 * the host does not offer is left out. Returns 0, or a negative errno and the reason: -ETIMEDOUT, -ECONNREFUSED when the host closes
 * instead, -EOPNOTSUPP when it does not copy.
 */
int netif_handshake_connect(const struct netif_handshake_options *handshake,
			    const struct netif_frontend_options *options, struct netif_frontend **frontend,
			    char text[NET_FRONT_ERROR_MAX]);

/*
 * netif_handshake_headroom - as netfront does it when a program for XDP comes or goes: the node is written, Reconfiguring, and the
 * host answers Reconfigured; then Connected again, both. Only while no page is posted. Returns 0 or a negative errno.
 */
int netif_handshake_headroom(const struct netif_handshake_options *handshake, struct netif_frontend *frontend,
			     uint32_t headroom, char text[NET_FRONT_ERROR_MAX]);

/*
 * netif_handshake_close - an orderly end: Closing, the host lets go, Closed, the frontend is destroyed. Returns 0;
 * -EBUSY if the host had grants mapped still; -ETIMEDOUT, and the frontend is destroyed all the same.
 */
int netif_handshake_close(const struct netif_handshake_options *handshake, struct netif_frontend *frontend,
			  char text[NET_FRONT_ERROR_MAX]);

#endif
