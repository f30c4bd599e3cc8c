/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * switch_ring.h - packets from one port of a switch to another, in memory that both share
 *
 * Theory of operation: whoever is to receive (the consumer) makes the memory, and whoever sends (the producer) maps it. Both positions are
 * counts of bytes that only grow. The records lie in an area that is mapped twice in a row, so that each of them is in one piece. A packet
 * for which there is no room is thrown away by the producer, which counts it where the consumer can see it.
 *
 * Neither believes the other, which may belong to a worker that its guest has taken over. Each keeps its own position in its own memory and
 * only shows it; what the other shows is read once and checked, and so is what stands before a packet. What does not fit is -EPROTO, and the
 * ring is to be used no more.
 */
#ifndef SWITCH_RING_H
#define SWITCH_RING_H

#include <stdatomic.h>

#include "xvhost/backend.h"

#define SWITCH_RING_BYTES                                                                                    \
	(UINT32_C(1) << 20) /* of records: as much as the guest itself can have room for, 256 pages */
#define SWITCH_RECORD_ALIGNMENT 16u
#define SWITCH_RING_LINE 64 /* of the processor's cache */

/* What the consumer is doing. */
enum switch_ring_state {
	SWITCH_RING_CLOSED = 0, /* no guest is connected: nothing is to be put */
	SWITCH_RING_AWAKE = 1,	/* it looks by itself */
	SWITCH_RING_SLEEPS = 2, /* whoever shows something makes this AWAKE, and wakes it */
};

/* The first page of the memory; the area follows. */
struct switch_ring_header {
	_Alignas(SWITCH_RING_LINE) _Atomic uint64_t produced; /* the producer's position */
	_Atomic uint64_t thrown_away;			      /* packets */
	_Alignas(SWITCH_RING_LINE) _Atomic uint64_t consumed; /* the consumer's position */
	_Alignas(SWITCH_RING_LINE) _Atomic uint32_t state;    /* enum switch_ring_state */
};

/* What stands before each packet, as two numbers, each of which is read at once. Part of what ports of different versions must agree on:
 * see SWITCH_GREETING_VERSION. */
struct switch_record {
	uint32_t length;
	uint8_t flags; /* XVHOST_PACKET_... */
	uint8_t gso;   /* enum xvhost_gso */
	uint16_t gso_bytes;
	uint16_t header_bytes;
	uint16_t checksum_start;
	uint16_t checksum_offset;
	uint16_t reserved;
};

struct switch_producer {
	struct switch_ring_header *header; /* NULL: there is no ring */
	uint8_t *area;
	uint64_t produced, shown;
	uint64_t consumed; /* as it was last seen */
};

struct switch_consumer {
	struct switch_ring_header *header; /* NULL: there is no ring */
	uint8_t *area;
	uint64_t taken;	   /* up to here packets were taken */
	uint64_t last;	   /* here the last one of them begins */
	uint64_t consumed; /* as it is shown */
	uint64_t produced; /* as it was last seen */
	uint64_t thrown_away;
};

/* switch_consumer_create - a ring, which is closed. `fd` is for the producer, and to be closed by the caller. Returns 0 or a negative
 * errno. */
int switch_consumer_create(struct switch_consumer *consumer, int *fd);
void switch_consumer_destroy(struct switch_consumer *consumer);

/* switch_consumer_open - from now on packets are wanted, and it sleeps; those that are still there are left out. Returns 0 or -EPROTO. */
int switch_consumer_open(struct switch_consumer *consumer);
void switch_consumer_close(struct switch_consumer *consumer);

/*
 * switch_consumer_next - take the next packet: fills it but for its queue, and `piece`, which becomes its only iovec. Its memory can change
 * at any time, and stays until its record is given back. Returns 1; 0 when there is none; or -EPROTO.
 */
int switch_consumer_next(struct switch_consumer *consumer, struct xvhost_packet *packet, struct iovec *piece);

/* switch_consumer_give_back - the records of all that was taken; but not of the last one if that is still in use. */
void switch_consumer_give_back(struct switch_consumer *consumer, bool but_last);

/* switch_consumer_sleep - be woken by what comes next. False: something has come meanwhile, so that it is awake. */
bool switch_consumer_sleep(struct switch_consumer *consumer);

/* switch_consumer_thrown_away - so many packets since this was last asked; as the producer says. */
uint32_t switch_consumer_thrown_away(struct switch_consumer *consumer);

/* switch_producer_map - a ring that somebody else has made, whoever that is. Returns 0, -EPROTO if it can't be one, or another negative errno.
 * `fd` is the caller's. */
int switch_producer_map(struct switch_producer *producer, int fd);
void switch_producer_unmap(struct switch_producer *producer);

/* switch_producer_put - a copy of a packet. Returns 0; -ENOTCONN when nothing is wanted, -ENOBUFS when there is no room; or -EPROTO. */
int switch_producer_put(struct switch_producer *producer, const struct xvhost_packet *packet);

/* switch_producer_show - all that was put. True: the consumer is to be woken. */
bool switch_producer_show(struct switch_producer *producer);

#endif
