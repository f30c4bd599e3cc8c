/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frames.h - packets by a descriptor of the kernel's, for backends tap and packet
 *
 * Each packet that the guest sends is one write, and each packet for it one read. A header before it (struct virtio_net_hdr) says whether
 * its checksum is blank and whether it is to be cut into segments, so that large packets pass as they are.
 */
#ifndef FRAMES_H
#define FRAMES_H

#include <linux/virtio_net.h>

#include "segment.h"
#include "xvhost/backend.h"

#define FRAMES_READS 64u		       /* of a queue: packets that are read at a time */
#define FRAMES_BUFFERS (FRAMES_READS + 1)      /* one is left for a segment, whatever is read */
#define FRAMES_OPERATIONS (FRAMES_BUFFERS + 1) /* for the properties */
#define FRAMES_CHECKSUMS (XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6)
#define FRAMES_TAKES (FRAMES_CHECKSUMS | XVHOST_NET_GSO_TCPV4 | XVHOST_NET_GSO_TCPV6)

/* A packet that is received: read, or cut from one that was, then given to the guest. */
struct frames_buffer {
	struct xvhost_packet packet;   /* first: `delivered` is called with it */
	struct virtio_net_hdr *header; /* right before the packet */
	struct iovec whole;	       /* both */
	struct iovec piece;	       /* the packet's */
	bool in_segments;	       /* the guest gets it so */
};

/* A buffer is free, or read into, or kept with a packet, or has a segment of one, or the guest has it. */
struct frames_receive {
	void *memory;
	uint32_t size;		/* so many reads are to be under way: 1 to FRAMES_READS */
	uint32_t reading;	/* so many are */
	uint32_t filled;	/* packets that came since reads were started */
	uint32_t given;		/* packets that the guest has */
	uint32_t refusals;	/* by the guest; wraps */
	uint32_t refusals_seen; /* when the time began that is under way */
	bool timing;
	bool no_room; /* the guest refused a packet, and has given no room since */
	uint32_t free_count;
	uint32_t kept_first, kept_next; /* packets that are kept, in their order; both wrap */
	uint8_t free[FRAMES_BUFFERS];
	uint8_t kept[FRAMES_READS];
	bool cutting;		   /* the first of them, into segments ... */
	struct frames_buffer *cut; /* ... of which this one waits for room; NULL: none */
	struct segment segment;	   /* where that is */
	struct frames_buffer buffers[FRAMES_BUFFERS];
};

struct frames {
	struct xvhost_net_queue *queue;
	int fd;
	unsigned int offload; /* TUN_F_...: what the guest may get */
	bool lost;	      /* the descriptor is good for nothing any more: nothing is read or written */
	struct frames_receive receive;
	struct xvhost_packet *transmitting[]; /* by their indexes: queue->packets_max of them */
};

/* ---- frames.c ---- */

/* frames_offload - TUN_F_...: what packets for a guest may have that takes this. The kernel does not tell one checksum from the other. */
unsigned int frames_offload(uint32_t guest_takes);

/* frames_start - begin to read, for a queue whose state this becomes. Returns 0 or -ENOMEM. Loop thread. */
int frames_start(struct xvhost_net_queue *queue, int fd);

/* What the host calls, see backend.h. */
void frames_queue_stop(struct xvhost_net_queue *queue);
void frames_transmit(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets, uint32_t count);
void frames_io_done(struct xvhost_net_queue *queue, uint32_t number, int32_t result);

/* ---- frames_header.c ---- */

/* frames_header_write - what stands before a packet that is transmitted. */
void frames_header_write(const struct xvhost_packet *packet, struct virtio_net_hdr *header);

enum frames_fit {
	FRAMES_NONE = 0, /* nobody can have such a packet */
	FRAMES_WHOLE,	 /* the guest can have it as it is */
	FRAMES_CUT	 /* in segments only */
};

/*
 * frames_header_read - fill flags, gso and what belongs to them from what stands before a packet that is received, which lies in one
 * piece. A checksum that the guest would not take blank, or not find, is filled in.
 */
enum frames_fit frames_header_read(const struct virtio_net_hdr *header, unsigned int offload,
				   struct xvhost_packet *packet);

/* ---- frames_receive.c ---- */

/* frames_receive_init, _free - the buffers. Returns 0 or -ENOMEM. */
int frames_receive_init(struct frames *frames);
void frames_receive_free(struct frames *frames);

/* frames_receive_start - begin to read. */
void frames_receive_start(struct frames *frames);

/* frames_receive_done - the result of an operation that is none of transmitted packets; it counts from 0. */
void frames_receive_done(struct frames *frames, uint32_t number, int32_t result);

/* What the host calls, see backend.h. */
void frames_room(struct xvhost_net_queue *queue);
void frames_delivered(struct xvhost_packet *packet, int error);

#endif
