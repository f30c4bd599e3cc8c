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

/* A packet that is received: read from the interface, then given to the guest. */
struct tap_buffer {
	struct xvhost_packet packet;   /* first: `delivered` is called with it */
	struct virtio_net_hdr *header; /* right before the packet */
	struct iovec whole;	       /* both */
	struct iovec piece;	       /* the packet's */
};

/* A buffer is free, or read into, or kept with a packet, or the guest has it. */
struct tap_receive {
	void *memory;
	uint32_t size;		/* so many reads are to be under way: 1 to TAP_BUFFERS */
	uint32_t reading;	/* so many are */
	uint32_t filled;	/* packets that came since reads were started */
	uint32_t given;		/* packets that the guest has */
	uint32_t refusals;	/* by the guest; wraps */
	uint32_t refusals_seen; /* when the time began that is under way */
	bool timing;
	bool no_room; /* the guest refused a packet, and has given no room since */
	uint32_t free_count;
	uint32_t kept_first, kept_next; /* packets that are kept, in their order; both wrap */
	uint8_t free[TAP_BUFFERS];
	uint8_t kept[TAP_BUFFERS];
	struct tap_buffer buffers[TAP_BUFFERS];
};

struct tap_queue {
	struct xvhost_net_queue *queue;
	int fd;
	unsigned int offload; /* TUN_F_...: what is received may have that */
	bool lost;	      /* the interface is gone: nothing is read or written */
	struct tap_receive receive;
	struct xvhost_packet *transmitting[]; /* by their indexes: queue->packets_max of them */
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

/* tap_receive_start - begin to read. */
void tap_receive_start(struct tap_queue *mine);

/* tap_receive_done - the result of an operation that is none of transmitted packets; it counts from 0. */
void tap_receive_done(struct tap_queue *mine, uint32_t number, int32_t result);

/* What the host calls, see backend.h. */
void tap_room(struct xvhost_net_queue *queue);
void tap_delivered(struct xvhost_packet *packet, int error);

#endif
