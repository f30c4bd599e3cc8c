// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * echo.c - a network card that gives the guest each of its packets back, with source and destination exchanged
 *
 * Theory of operation: what the guest transmits is copied, and the copy is received. There are so many buffers; without one, and
 * without room in the guest, a packet is dropped. Nothing is kept.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "checksum.h"
#include "xvhost/backend.h"

#define BUFFERS 128u	    /* of a queue: as many packets as the host takes in a turn */
#define BUFFER_BYTES 65536u /* whole pages, for the largest packet */
#define ADDRESS_BYTES 6u    /* of a MAC */
#define CHECKSUMS (XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6)

/* A packet that is received. It lies in one piece. */
struct echo_packet {
	struct xvhost_packet packet; /* first: `delivered` is called with it */
	struct iovec piece;
	void *memory;
	struct echo_packet *next_free;
};

struct echo_queue {
	struct echo_packet *free;
	void *memory;
	struct echo_packet packets[BUFFERS];
};

static int echo_open(struct xvhost_net *net, const void *config, struct xvhost_net_properties *properties)
{
	(void)net;
	(void)config;
	properties->flags = CHECKSUMS | XVHOST_NET_GSO_TCPV4 | XVHOST_NET_GSO_TCPV6;
	return 0;
}

static void echo_close(struct xvhost_net *net)
{
	(void)net;
}

static int echo_queue_start(struct xvhost_net_queue *queue)
{
	struct echo_queue *echo = calloc(1, sizeof(*echo));

	if (!echo)
		return -ENOMEM;
	/* Pages come into being when packets are so long. */
	echo->memory = mmap(NULL, BUFFERS * BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	if (echo->memory == MAP_FAILED) {
		free(echo);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < BUFFERS; i++) {
		struct echo_packet *packet = &echo->packets[i];

		packet->memory = (char *)echo->memory + (size_t)i * BUFFER_BYTES;
		packet->next_free = echo->free;
		echo->free = packet;
	}
	queue->state = echo;
	return 0;
}

static void echo_queue_stop(struct xvhost_net_queue *queue)
{
	struct echo_queue *echo = queue->state;

	munmap(echo->memory, BUFFERS * BUFFER_BYTES);
	free(echo);
}

/* fill - make a packet to be received of one that was transmitted. */
static void fill(struct echo_packet *to, const struct xvhost_packet *from)
{
	char *at = to->memory;
	char source[ADDRESS_BYTES];

	for (uint32_t i = 0; i < from->iov_count; i++) {
		memcpy(at, from->iov[i].iov_base, from->iov[i].iov_len);
		at += from->iov[i].iov_len;
	}
	at = to->memory;
	memcpy(source, at + ADDRESS_BYTES, ADDRESS_BYTES);
	memcpy(at + ADDRESS_BYTES, at, ADDRESS_BYTES);
	memcpy(at, source, ADDRESS_BYTES);
	to->packet = *from;
	to->piece = (struct iovec){.iov_base = to->memory, .iov_len = from->length};
	to->packet.iov = &to->piece;
	to->packet.iov_count = 1;
}

/* suit - is the packet one that this guest takes? If it takes no blank checksum, it gets a packet that has one. */
static bool suit(struct xvhost_packet *packet, uint32_t guest_takes)
{
	if (packet->gso == XVHOST_GSO_TCPV4)
		return guest_takes & XVHOST_NET_GSO_TCPV4;
	if (packet->gso == XVHOST_GSO_TCPV6)
		return guest_takes & XVHOST_NET_GSO_TCPV6;
	if ((packet->flags & XVHOST_PACKET_CHECKSUM_BLANK) && (guest_takes & CHECKSUMS) != CHECKSUMS)
		return fill_checksum(packet);
	return true;
}

/* give_back - a packet that was transmitted is received. */
static void give_back(struct xvhost_net_queue *queue, const struct xvhost_packet *transmitted)
{
	const struct xvhost_net_host *host = queue->net->host;
	struct echo_queue *echo = queue->state;
	struct echo_packet *packet = echo->free;

	if (!packet || (queue->flags & XVHOST_QUEUE_STOPPING)) {
		host->dropped(queue, 1);
		return;
	}
	fill(packet, transmitted);
	if (!suit(&packet->packet, queue->guest_takes) || !host->receive(queue, &packet->packet)) {
		host->dropped(queue, 1);
		return;
	}
	echo->free = packet->next_free;
}

static void echo_transmit(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets,
			  uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		give_back(queue, packets[i]);
		queue->net->host->transmitted(packets[i], 0);
	}
}

static void echo_room(struct xvhost_net_queue *queue)
{
	(void)queue;
}

static void echo_delivered(struct xvhost_packet *packet, int error)
{
	struct echo_packet *mine = (struct echo_packet *)(void *)packet;
	struct echo_queue *echo = packet->queue->state;

	(void)error;
	mine->next_free = echo->free;
	echo->free = mine;
}

static const struct xvhost_net_backend echo_backend = {
	.size = sizeof(echo_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "echo",
	.version = "1.0",
	.description = "gives the guest each of its packets back",
	.open = echo_open,
	.close = echo_close,
	.queue_start = echo_queue_start,
	.queue_stop = echo_queue_stop,
	.transmit = echo_transmit,
	.room = echo_room,
	.delivered = echo_delivered,
};

XVHOST_NET_BACKEND(echo_backend);
