/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cable_internal.h - between the files of the cable
 */
#ifndef CABLE_INTERNAL_H
#define CABLE_INTERNAL_H

#include "log.h"
#include "rings/netif.h"
#include "worker/cable.h"
#include "worker/messages.h"
#include "worker/submissions.h"
#include "xvhost/backend.h"

#define CABLE_PACKETS_MAX 64u /* on their way to one end at a time; a power of 2 */
#define CABLE_NUMBERS_MAX (CABLE_PACKETS_MAX + NETIF_OPERATIONS_MAX)
#define CABLE_MTU 1500u

/* Before a packet's first bytes, which are copied, is room for a header of the backend's. */
struct cable_header {
	_Alignas(16) uint8_t headroom[XVHOST_NET_HEADROOM_BYTES];
	uint8_t bytes[XVHOST_NET_HEADER_BYTES];
};

/* A packet on its way to an end. */
struct cable_packet {
	struct xvhost_packet seen;  /* first: what the end's backend transmits */
	struct xvhost_packet *from; /* what the other end's backend received */
	int error;
	bool ended;
	struct iovec iov[XVHOST_NET_IOVECS_MAX];
};

struct cable_operation {
	uint32_t generation;
	bool busy;
	struct __kernel_timespec time; /* of a wait, until io_uring has read it */
};

/*
 * One end. Packets on their way to it are in the order in which they came, and are given back in that order: those from `first` on
 * are with the backend, those from `given` on are to be given to it. All three wrap.
 */
struct cable_end {
	struct xvhost_net net; /* first: cable_end_of */
	struct xvhost_net_queue queue;
	struct cable_end *other;
	struct submissions *io;
	uint32_t index;
	const struct xvhost_net_backend *backend;
	struct xvhost_net_properties properties;
	void *config;
	bool opened, started;
	bool no_link; /* the backend says so */

	uint32_t first, given, next;
	bool refused; /* a packet of the other end's, which is to be told when there is room */
	struct cable_packet packets[CABLE_PACKETS_MAX];
	struct cable_header headers[CABLE_PACKETS_MAX];

	struct cable_operation operations[CABLE_NUMBERS_MAX];
	uint32_t operations_busy;
	bool watching; /* what the backend watches has changed */
	struct blkif_watch watches[XVHOST_WATCHES_MAX];

	uint64_t packets_sent, packets_failed, packets_dropped; /* towards it */
	struct log_limit limit;
	char fail_text[ERROR_TEXT_MAX]; /* what the backend said of its open() */
};

static inline struct cable_end *cable_end_of(struct xvhost_net_queue *queue)
{
	return (struct cable_end *)queue->net;
}

/* What the ends' backends may ask for. */
extern const struct xvhost_net_host cable_host;

/* cable_end_open, _close - find the target's backend, with its parameters, and open it. Returns 0 or a negative errno after a line in the
 * log. */
int cable_end_open(struct cable_end *end, const struct cable_options *options);
void cable_end_close(struct cable_end *end);

/* cable_end_start - its queue; the other end is open. Returns 0 or a negative errno. */
int cable_end_start(struct cable_end *end);

/* cable_end_release - what is under way comes to an end. cable_end_stop - it has. */
void cable_end_release(struct cable_end *end);
bool cable_end_is_idle(const struct cable_end *end);
void cable_end_stop(struct cable_end *end);

/* cable_end_done, _watch_done - what io_uring has completed for it; `data` is the user_data. */
void cable_end_done(struct cable_end *end, uint64_t data, int32_t result);
void cable_end_watch_done(struct cable_end *end, uint64_t data, int32_t result);

/* cable_end_transmit - give its backend the packets that have come for it. */
void cable_end_transmit(struct cable_end *end);

/* cable_end_give_back - to the other end's backend what this one has ended, and tell it of room. */
void cable_end_give_back(struct cable_end *end);

/* cable_end_change_watches - bring the kernel to what its backend watches. */
void cable_end_change_watches(struct cable_end *end);

/* cable_end_is_due - one of these three has something to do. */
bool cable_end_is_due(const struct cable_end *end);

#endif
