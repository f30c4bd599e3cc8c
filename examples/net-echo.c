// SPDX-License-Identifier: MIT
/*
 * net-echo.c - a network card that gives the guest each of its packets back: the smallest net backend that does both directions
 *
 * Build it as a shared object; the Makefile beside it shows how. `make install` puts it into the folder net/ beside the disk backends, where
 * the target net-echo finds it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xvhost/backend.h>

#define BUFFERS 64u

/* A packet for the guest, with its memory. It is the guest's from host->receive until `delivered`. */
struct echo_packet {
	struct xvhost_packet packet; /* first: `delivered` is called with it */
	struct iovec piece;
	struct echo_packet *next_free;
	unsigned char bytes[XVHOST_NET_BYTES_MAX];
};

/* What a queue has. Queues may be on different threads, so they share nothing. */
struct echo_queue {
	struct echo_packet *free;
	struct echo_packet packets[BUFFERS];
};

/* net_echo_open - without flags in the properties the guest cuts and sums its packets itself. */
static int net_echo_open(struct xvhost_net *net, const void *config, struct xvhost_net_properties *properties)
{
	(void)net, (void)config, (void)properties;
	return 0;
}

static void net_echo_close(struct xvhost_net *net)
{
	(void)net;
}

/* net_echo_queue_start - from here on nothing may allocate or wait. calloc's pages come into being when they are used. */
static int net_echo_queue_start(struct xvhost_net_queue *queue)
{
	struct echo_queue *echo = calloc(1, sizeof(*echo));

	if (!echo)
		return -ENOMEM;
	for (unsigned i = 0; i < BUFFERS; i++) {
		echo->packets[i].next_free = echo->free;
		echo->free = &echo->packets[i];
	}
	queue->state = echo;
	return 0;
}

/* net_echo_queue_stop - all packets have been given back. */
static void net_echo_queue_stop(struct xvhost_net_queue *queue)
{
	free(queue->state);
}

/* give_back - copy a packet, exchange its addresses, and let the guest receive it. False: it has no room, or we have none. */
static bool give_back(struct xvhost_net_queue *queue, const struct xvhost_packet *sent)
{
	struct echo_queue *echo = queue->state;
	struct echo_packet *mine = echo->free;
	const unsigned char *header = sent->iov[0].iov_base;
	unsigned char *at;

	if (!mine || (queue->flags & XVHOST_QUEUE_STOPPING))
		return false;
	at = mine->bytes;
	for (uint32_t i = 0; i < sent->iov_count; i++) {
		memcpy(at, sent->iov[i].iov_base, sent->iov[i].iov_len);
		at += sent->iov[i].iov_len;
	}
	/* The headers lie in the first piece and don't change; the rest is the guest's memory, of which only a copy is looked at. */
	memcpy(mine->bytes, header + 6, 6);
	memcpy(mine->bytes + 6, header, 6);
	mine->piece = (struct iovec){.iov_base = mine->bytes, .iov_len = sent->length};
	mine->packet = (struct xvhost_packet){
		.queue = queue, .iov = &mine->piece, .iov_count = 1, .length = sent->length};
	if (!queue->net->host->receive(queue, &mine->packet))
		return false;
	echo->free = mine->next_free;
	return true;
}

static void net_echo_transmit(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets,
			      uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!give_back(queue, packets[i]))
			queue->net->host->dropped(queue, 1);
		/* From here on the packet is the host's: not even its iovecs may be looked at. */
		queue->net->host->transmitted(packets[i], 0);
	}
}

/* net_echo_room - nothing is kept, so there is nothing to go on with. */
static void net_echo_room(struct xvhost_net_queue *queue)
{
	(void)queue;
}

static void net_echo_delivered(struct xvhost_packet *packet, int error)
{
	struct echo_packet *mine = (struct echo_packet *)(void *)packet;
	struct echo_queue *echo = packet->queue->state;

	(void)error;
	mine->next_free = echo->free;
	echo->free = mine;
}

static const struct xvhost_net_backend net_echo_backend = {
	.size = sizeof(net_echo_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "net-echo",
	.version = "1.0",
	.description = "gives the guest each of its packets back",
	.open = net_echo_open,
	.close = net_echo_close,
	.queue_start = net_echo_queue_start,
	.queue_stop = net_echo_queue_stop,
	.transmit = net_echo_transmit,
	.room = net_echo_room,
	.delivered = net_echo_delivered,
};

XVHOST_NET_BACKEND(net_echo_backend);
