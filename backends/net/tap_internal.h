/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tap_internal.h - between the files of backend tap
 */
#ifndef TAP_INTERNAL_H
#define TAP_INTERNAL_H

#include <linux/virtio_net.h>
#include <stdatomic.h>

#include "xvhost/backend.h"

#define TAP_BUFFERS 32u /* of a queue: packets that are read from the interface at a time */

/* What the target string gives. */
struct tap_config {
	const char *name;
	const char *bridge;
};

/* One card. */
struct tap {
	atomic_uint running;  /* queues that are started */
	atomic_bool lost;     /* the interface was removed, and the log says so */
	uint32_t queue_count; /* that the interface has */
	int fds[];	      /* one for each queue */
};

/* A packet that is transmitted. */
struct tap_transmit {
	struct xvhost_packet *packet;
	struct virtio_net_hdr header;
	struct iovec pieces[1 + XVHOST_NET_IOVECS_MAX]; /* the header, then the packet's */
};

/* A packet that is received: read from the interface, then given to the guest. */
struct tap_buffer {
	struct xvhost_packet packet; /* first: `delivered` is called with it */
	struct virtio_net_hdr header;
	struct iovec pieces[2]; /* the header, the memory */
	struct iovec piece;	/* the packet's */
	bool reading;
	int32_t result; /* of the read */
};

/* Buffers are read in batches: the first ones of the array, in its order, none again before all have been given back. */
struct tap_receive {
	void *memory;
	uint32_t size;		/* of the next batch */
	uint32_t started;	/* of the batch: buffers that it has; 0: there is none */
	uint32_t reading;	/* of these: the interface has them */
	uint32_t next;		/* the first that is not given to the guest yet */
	uint32_t given;		/* the guest has them */
	uint32_t filled;	/* they held packets */
	uint32_t refusals;	/* by the guest; wraps */
	uint32_t refusals_seen; /* when the time began that is under way */
	bool dry;		/* nothing more was there */
	bool watching;
	bool timing;
	bool no_room;  /* the guest refused a packet, and has given no room since */
	bool too_long; /* ... for so long that packets are dropped */
	struct tap_buffer buffers[TAP_BUFFERS];
};

struct tap_queue {
	struct xvhost_net_queue *queue;
	int fd;
	unsigned int offload; /* TUN_F_...: what is received may have that */
	bool lost;	      /* the interface is gone: nothing is read or written */
	struct tap_receive receive;
	struct tap_transmit transmit[]; /* queue->packets_max of them */
};

/* ---- tap_interface.c ---- */

/*
 * tap_interface_make - make the interface that the card is to have, up, without a link, and a descriptor for each queue. Returns
 * 0, or a negative errno after host->fail. Control thread.
 */
int tap_interface_make(struct xvhost_net *net, const struct tap_config *config, struct tap *tap);

/* tap_interface_start - the queue is part of the interface, which has a link. `offload` is TUN_F_... Returns 0 or a negative
 * errno. */
int tap_interface_start(struct xvhost_net *net, struct tap *tap, uint32_t index, unsigned int offload);

/* tap_interface_stop - the queue is no part any more. The last one takes the link with it. */
void tap_interface_stop(struct tap *tap, uint32_t index);

/* ---- tap_header.c ---- */

/* tap_header_write - what stands before a packet that is transmitted. */
void tap_header_write(const struct xvhost_packet *packet, struct virtio_net_hdr *header);

/*
 * tap_header_read - fill flags, gso and what belongs to them from what stands before a packet that is received, which lies in one
 * piece. False: the guest can't have such a packet.
 */
bool tap_header_read(const struct virtio_net_hdr *header, unsigned int offload, struct xvhost_packet *packet);

/* ---- tap_receive.c ---- */

/* tap_lost - the interface was removed: nothing more is read or written. */
void tap_lost(struct tap_queue *mine);

/* tap_receive_init, _free - the buffers. Returns 0 or -ENOMEM. */
int tap_receive_init(struct tap_queue *mine);
void tap_receive_free(struct tap_queue *mine);

/* tap_receive_go_on - start what there is to do, if nothing is under way. */
void tap_receive_go_on(struct tap_queue *mine);

/* tap_receive_done - the result of an operation that is none of transmitted packets; it counts from 0. */
void tap_receive_done(struct tap_queue *mine, uint32_t number, int32_t result);

/* What the host calls, see backend.h. */
void tap_room(struct xvhost_net_queue *queue);
void tap_delivered(struct xvhost_packet *packet, int error);
void tap_ready(struct xvhost_net_queue *queue, uint32_t index, int32_t events);

#endif
