/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net_load.h - packets from one network card to another, or back to the same, which are verified
 *
 * Theory of operation: a thread for each queue of both cards. Each queue of the card that sends is a stream, which numbers its
 * packets; whoever receives one makes it once more and compares (net_content.h). In each stream the numbers must grow: a packet
 * that comes twice or is overtaken is an error, unless they may come by several queues, and numbers that never come are lost packets, which are counted, since only who
 * asked for the load knows how many the host may drop. At most `depth` packets of a stream are under way; when all of them were
 * answered and none comes for quiet_ms, they are given up, and others are sent. One that comes all the same was slow, not lost: how long
 * a machine may stand still nobody knows.
 *
 *	net_load_create, net_load_start, (net_load_stop, net_load_abandon), net_load_finish, net_load_destroy
 */
#ifndef NET_LOAD_H
#define NET_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/histogram.h"
#include "sim/net_content.h"
#include "sim/netif_frontend.h"

#define NET_LOAD_DEPTH_MAX 1024u
#define NET_LOAD_ERROR_MAX 512 /* bytes of an error's text with the final 0 */

struct net_load;

struct net_load_options {
	struct netif_frontend *from;
	struct netif_frontend *to; /* the same: packets come back. NULL: they only go */
	/* content.takes is cut to what the host offers to `from`. */
	struct net_content_options content;
	uint32_t depth; /* of each stream; 0 means 64 */
	bool split; /* packets lie in any number of slots, of any size, anywhere in their pages; else in as few as can be */
	uint64_t packets;  /* of each stream; 0: no limit */
	uint64_t time_ms;  /* 0: no limit */
	uint32_t quiet_ms; /* 0 means 3000 */
	uint32_t timeout_ms; /* a slot that has no answer for so long ends the load with an error; 0 means 10000 */
	bool scattered;	     /* a stream's packets may come by several queues, and overtake each other */
	bool others_come; /* packets that are none of these may come, too, and are counted; else they are an error */
};

struct net_load_result {
	uint64_t sent, sent_bytes;	   /* answered without error */
	uint64_t refused;		   /* answered with an error */
	uint64_t received, received_bytes; /* and right */
	uint64_t lost;			   /* sent or refused, and not received by the end */
	uint64_t others;		   /* received, and none of these */
	uint64_t failed;		   /* the host answered pages with an error instead */
	uint64_t elapsed_ns;		   /* from the start to the last of what was received, or answered */
	uint64_t guest_cpu_ns;		   /* of the load's own threads */
	uint64_t notifications;		   /* of the host */
	struct histogram
		way_ns; /* from the push to the receiver's looking, or to the answer where they only go */
	/* 0; -EPROTO and what was wrong; -ETIMEDOUT: the host does not answer; or other errors of the frontend. */
	int error;
	char text[NET_LOAD_ERROR_MAX];
};

/* net_load_create - the cards are connected and used by nobody else. Returns 0, -EINVAL or -ENOMEM. */
int net_load_create(const struct net_load_options *options, struct net_load **load);
void net_load_destroy(struct net_load *load);

/* net_load_start - begin. Returns 0 or a negative errno. Once. */
int net_load_start(struct net_load *load);

/* net_load_stop - end soon, when all that is under way has come or is lost. Any thread, any time. */
void net_load_stop(struct net_load *load);

/* net_load_abandon - end at once: the host is gone, and what is under way gets no answer. Any thread, any time. */
void net_load_abandon(struct net_load *load);

/* net_load_sent, net_load_received - packets so far. Any thread, any time. */
uint64_t net_load_sent(const struct net_load *load);
uint64_t net_load_received(const struct net_load *load);

/* net_load_finish - wait for the end. `result` is large: not for a small stack. */
void net_load_finish(struct net_load *load, struct net_load_result *result);

#endif
