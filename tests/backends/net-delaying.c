// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net-delaying.c - a wrapper of network cards that lets packets wait in both directions, for tests: it does what no other does
 *
 * Packets from the guest are kept, and go on later. Those for the guest are copied and given back at once; the copies are received later, as
 * many as there are buffers for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xvhost/backend.h"

#define DELAY_NS 300000u
#define BUFFERS 64u /* a power of 2 */
#define PACKETS_MAX 1024u

struct config {
	bool link;
	const char *below;
};

/* A packet for the guest. */
struct copy {
	struct xvhost_packet packet; /* first: `delivered` is called with it */
	struct iovec piece;
	char bytes[XVHOST_NET_BYTES_MAX];
};

struct delaying {
	struct xvhost_packet *held[PACKETS_MAX]; /* from the guest */
	uint32_t held_count;
	/* Counters of copies: made, received, delivered. All come in the same order. */
	uint32_t made, received, delivered;
	bool waiting, no_room, refused;
	struct copy copies[BUFFERS];
};

static const struct xvhost_parameter parameters[] = {
	{.name = "link",
	 .type = XVHOST_BOOL,
	 .offset = offsetof(struct config, link),
	 .default_text = "on",
	 .help = "whether it says that there is a link"},
	{.name = "target",
	 .type = XVHOST_TARGET,
	 .flags = XVHOST_REQUIRED,
	 .offset = offsetof(struct config, below),
	 .help = "the target of the card below"},
};

static int delaying_open(struct xvhost_net *net, const void *config, struct xvhost_net_properties *properties)
{
	const struct config *mine = config;

	net->host->link(net, mine->link);
	*properties = *net->inner;
	properties->operations = 1;
	return 0;
}

static void delaying_close(struct xvhost_net *net)
{
	(void)net;
}

static int delaying_queue_start(struct xvhost_net_queue *queue)
{
	if (queue->packets_max > PACKETS_MAX)
		return -EINVAL;
	queue->state = calloc(1, sizeof(struct delaying));
	return queue->state ? 0 : -ENOMEM;
}

static void delaying_queue_stop(struct xvhost_net_queue *queue)
{
	free(queue->state);
}

static bool is_stopping(const struct xvhost_net_queue *queue)
{
	return queue->flags & XVHOST_QUEUE_STOPPING;
}

/* start_wait - until what has come goes on. */
static void start_wait(struct xvhost_net_queue *queue)
{
	struct delaying *mine = queue->state;

	if (mine->waiting)
		return;
	mine->waiting = true;
	queue->net->host->wait(queue, queue->packets_max, DELAY_NS);
}

/* drop - copies that the host does not have. */
static void drop(struct xvhost_net_queue *queue)
{
	struct delaying *mine = queue->state;

	queue->net->host->dropped(queue, mine->made - mine->received);
	mine->made = mine->received;
}

/* receive_all - copies, as far as the guest takes them. */
static void receive_all(struct xvhost_net_queue *queue)
{
	struct delaying *mine = queue->state;

	if (is_stopping(queue))
		drop(queue);
	while (mine->received != mine->made && !mine->no_room) {
		struct copy *copy = &mine->copies[mine->received % BUFFERS];

		if (queue->net->host->receive(queue, &copy->packet))
			mine->received++;
		else
			mine->no_room = true;
	}
}

static void delaying_io_done(struct xvhost_net_queue *queue, uint32_t number, int32_t result)
{
	struct delaying *mine = queue->state;
	uint32_t count = mine->held_count;

	(void)number;
	(void)result;
	mine->waiting = false;
	mine->held_count = 0;
	if (count > 0)
		queue->net->host->forward(queue, mine->held, count);
	receive_all(queue);
}

static void delaying_transmit(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets,
			      uint32_t count)
{
	struct delaying *mine = queue->state;

	memcpy(mine->held + mine->held_count, packets, count * sizeof(packets[0]));
	mine->held_count += count;
	start_wait(queue);
}

static void delaying_forwarded(struct xvhost_packet *packet, int error)
{
	packet->queue->net->host->transmitted(packet, error);
}

static bool delaying_offered(struct xvhost_net_queue *queue, struct xvhost_packet *packet)
{
	struct delaying *mine = queue->state;
	struct copy *copy = &mine->copies[mine->made % BUFFERS];
	char *at = copy->bytes;

	if (is_stopping(queue))
		return false;
	if (mine->made - mine->delivered == BUFFERS) {
		mine->refused = true;
		return false;
	}
	for (uint32_t i = 0; i < packet->iov_count; i++) {
		memcpy(at, packet->iov[i].iov_base, packet->iov[i].iov_len);
		at += packet->iov[i].iov_len;
	}
	copy->packet = *packet;
	copy->piece = (struct iovec){copy->bytes, packet->length};
	copy->packet.iov = &copy->piece;
	copy->packet.iov_count = 1;
	mine->made++;
	queue->net->host->give_back(packet, 0);
	start_wait(queue);
	return true;
}

/* All of these are copies. */
static void delaying_delivered(struct xvhost_packet *packet, int error)
{
	struct delaying *mine = packet->queue->state;

	(void)error;
	mine->delivered++;
	if (mine->refused && !is_stopping(packet->queue))
		packet->queue->net->host->more_room(packet->queue);
	mine->refused = false;
}

static void delaying_room(struct xvhost_net_queue *queue)
{
	struct delaying *mine = queue->state;

	mine->no_room = false;
	receive_all(queue);
}

static const struct xvhost_net_backend delaying_backend = {
	.size = sizeof(delaying_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "net-delaying",
	.version = "1",
	.description = "a wrapper of network cards that lets packets wait, for tests",
	.parameters = parameters,
	.parameter_count = sizeof(parameters) / sizeof(parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct config),
	.open = delaying_open,
	.close = delaying_close,
	.queue_start = delaying_queue_start,
	.queue_stop = delaying_queue_stop,
	.transmit = delaying_transmit,
	.room = delaying_room,
	.delivered = delaying_delivered,
	.io_done = delaying_io_done,
	.forwarded = delaying_forwarded,
	.offered = delaying_offered,
};

XVHOST_NET_BACKEND(delaying_backend);
