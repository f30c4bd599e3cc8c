/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net_peer.h - a host of a network card, as small as can be, for tests of the guest's side
 *
 * A thread for each queue maps its rings and sends back what the guest sends, or brings it to another card. It copies by grants, trusts the guest, and can do one thing
 * wrong.
 */
#ifndef NET_PEER_H
#define NET_PEER_H

#include "sim/netif_frontend.h"

enum net_peer_fault {
	PEER_RIGHT,
	PEER_DROPS,	    /* a packet now and then */
	PEER_REFUSES,	    /* answers one with an error, and drops it */
	PEER_REPEATS,	    /* a packet comes twice */
	PEER_OVERTAKES,	    /* two packets come in the wrong order */
	PEER_CHANGES_BYTE,  /* of the data */
	PEER_CUTS,	    /* the last byte is missing */
	PEER_FORGETS_BLANK, /* a blank checksum stays as it is, and is said to be whole */
	PEER_FILLS_WRONG,   /* a checksum is filled in, and is wrong */
	PEER_FORGETS_GSO,   /* a large packet comes as one without segments */
	PEER_SAYS_GOOD,	    /* of a packet that nobody has looked at */
	PEER_STOPS,	    /* nothing is answered any more */
	PEER_LINGERS,	    /* that is right: a packet is answered, and comes PEER_LINGERS_MS later */
	PEER_FAULTS,
};

#define PEER_LINGERS_MS 200

struct net_peer_options {
	const struct platform *platform;
	uint16_t domid;
	enum net_peer_fault fault; /* of one packet in 50; from the 100th on */
	bool fill;		   /* blank checksums, since the guest does not take them */
};

struct net_peer;

/* net_peer_start - bring what one card sends to another one with as many queues, or back to the same. */
struct net_peer *net_peer_start(const struct net_peer_options *options, const struct netif_frontend *from,
				const struct netif_frontend *to);
void net_peer_stop(struct net_peer *peer);

#endif
