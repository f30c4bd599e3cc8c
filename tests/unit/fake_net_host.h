/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake_net_host.h - a host with network cards, for tests of net backends
 *
 * Operations are carried out by an io_uring, as the worker does it: fake_net_run submits what was started, tells the results, and
 * gives the packets back that the host took for the guest. What a backend does wrong by its contract (ending a packet twice, two
 * operations of one number) fails the test.
 */
#ifndef FAKE_NET_HOST_H
#define FAKE_NET_HOST_H

#include "worker/messages.h"
#include "xvhost/backend.h"

#define FAKE_NET_QUEUES 8
#define FAKE_NET_PACKETS 64    /* that are transmitted at a time, of a queue */
#define FAKE_NET_RECEIVED 8192 /* of one test */
#define FAKE_NET_ALL                                                                                         \
	(XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6 | XVHOST_NET_GSO_TCPV4 | XVHOST_NET_GSO_TCPV6)

/* A packet that a guest got: its iovecs are one, with a copy. */
struct fake_net_received {
	struct xvhost_packet packet;
	struct iovec piece;
};

struct fake_net_queue {
	struct xvhost_net_queue queue;
	uint32_t room;	  /* packets that the guest takes; the test sets it */
	uint32_t reading; /* reads under way */
	uint32_t reads;	  /* so far */
	uint32_t dropped;
	uint32_t transmitted;
	int error;	      /* of the packet that was transmitted last */
	uint32_t forwarded;   /* packets that the card below has */
	uint32_t given_back;  /* packets of the card below */
	int given_back_error; /* of the last one */
	uint32_t rooms_below; /* times that the card below was told of room */
	bool waiting;	      /* a wait is under way ... */
	uint64_t wait_ns;     /* ... for so long; the last one, if none is */
};

extern struct fake_net_queue fake_net_queues[FAKE_NET_QUEUES];
/* What the card below a wrapper is. There is none: it gets and gives what the test says. */
extern struct xvhost_net_properties fake_net_inner;
extern struct fake_net_received fake_net_received[FAKE_NET_RECEIVED];
extern uint32_t fake_net_received_count;
extern int fake_net_deliver_error; /* with which packets are given back; 0 at first */
extern struct xvhost_net_properties fake_net_properties;

/* What was said last by log or fail; how many lines the log has. */
extern char fake_net_text[ERROR_TEXT_MAX];
extern uint32_t fake_net_logged;

extern bool fake_net_uplink; /* cards have no address, as that of an uplink */
extern bool fake_net_link;   /* what was said last of the only card's link */

/* fake_net_open - by a target string; a card of so many queues, whose interface is to be called vif1.0. Returns what open did. */
int fake_net_open(const struct xvhost_net_backend *backend, const char *target, uint16_t queues);

/* fake_net_open_card - one of several cards, of the guests 1 and on, each of which has one queue, of the same number. Any thread, if another card is
 * open. */
int fake_net_open_card(uint32_t card, const struct xvhost_net_backend *backend, const char *target);

/* fake_net_close - all cards that are open. fake_net_close_card - one of several. */
void fake_net_close(void);
void fake_net_close_card(uint32_t card);

/* fake_net_card - the only card. */
struct xvhost_net *fake_net_card(void);

/* fake_net_start - a queue of a guest that takes this (XVHOST_NET_...), and has room for any number of packets. */
void fake_net_start(uint32_t index, uint32_t takes);

/* fake_net_release - the queue is to stop. fake_net_stop - what is under way is ended, and must be all; the queue stops. */
void fake_net_release(uint32_t index);
void fake_net_stop(uint32_t index);

/* fake_net_transmit - a packet of these pieces; `shape` has its flags and gso and may be NULL. The pieces stay until it is ended. */
void fake_net_transmit(uint32_t index, const struct iovec *pieces, uint32_t count,
		       const struct xvhost_packet *shape);

/* fake_net_end_below - all that the card below a wrapper has comes back. */
void fake_net_end_below(uint32_t index, int error);

/* fake_net_offer - a packet of the card below, of these pieces, which stay until it is given back. Returns whether it was taken. */
bool fake_net_offer(uint32_t index, const struct iovec *pieces, uint32_t count);

/* fake_net_run - carry out what was started, and what follows from it, until nothing more happens; have the backend attend. */
void fake_net_run(void);

/* fake_net_run_writes - the same, and writes to files, which take their time, are waited for. */
void fake_net_run_writes(uint32_t index);

/* fake_net_make_room - for so many packets; the backend is told. */
void fake_net_make_room(uint32_t index, uint32_t packets);

/* fake_net_time - the wait that is under way has passed. */
void fake_net_time(uint32_t index);

#endif
