// SPDX-License-Identifier: MIT
/*
 * template.c - a network card whose packets are datagrams of UDP to one peer, and the peer's are its packets
 *
 * Theory of operation: each packet of the guest becomes one write to a socket, straight from the guest's memory. Some reads of the
 * socket always wait; what one brings is offered to the guest, and when the guest has it, the buffer is read into again. A guest
 * that has no room loses the packet, as on a wire.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xvhost/backend.h"

#define BUFFERS 16u
#define MTU_MAX (65507 - 18) /* a datagram holds a packet with the Ethernet header and a VLAN's tag */

/* What the target string gives; the table below says what goes where. */
struct template_config {
	uint64_t port;
	const char *peer;
	uint64_t peer_port;
};

/* One open card. */
struct template_card {
	int fd;
};

/* A packet for the guest. It is being read, or the guest has it. */
struct template_buffer {
	struct xvhost_packet packet; /* first: `delivered` is called with it */
	struct iovec piece;	     /* the packet's */
	struct iovec room;	     /* what is read into */
	unsigned char bytes[XVHOST_NET_BYTES_MAX];
};

struct template_queue {
	int fd;
	struct template_buffer buffers[BUFFERS];
	struct xvhost_packet *sent[]; /* by their index: packets that are being written */
};

static const struct xvhost_parameter template_parameters[] = {
	{
		.name = "port",
		.type = XVHOST_NUMBER,
		.flags = XVHOST_REQUIRED,
		.offset = offsetof(struct template_config, port),
		.minimum = 1,
		.maximum = 65535,
		.help = "the port of UDP to which the peer sends",
	},
	{
		.name = "peer",
		.type = XVHOST_STRING,
		.flags = XVHOST_REQUIRED,
		.offset = offsetof(struct template_config, peer),
		.help = "the peer's IPv4 address",
	},
	{
		.name = "peer-port",
		.type = XVHOST_NUMBER,
		.flags = XVHOST_REQUIRED,
		.offset = offsetof(struct template_config, peer_port),
		.minimum = 1,
		.maximum = 65535,
		.help = "the peer's port",
	},
};

/* ---- control thread: may block ---- */

/* template_open - on failure all that was taken is given back, and fail() has said why. */
static int template_open(struct xvhost_net *net, const void *opaque, struct xvhost_net_properties *properties)
{
	const struct template_config *config = opaque;
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons((uint16_t)config->port)};
	struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons((uint16_t)config->peer_port)};
	struct template_card *card;
	int error;

	if (inet_pton(AF_INET, config->peer, &peer.sin_addr) != 1) {
		net->host->fail(net, "parameter peer of backend template is '%s', it must be an IPv4 address",
				config->peer);
		return -EINVAL;
	}
	card = malloc(sizeof(*card));
	if (!card) {
		net->host->fail(net, "no memory for backend template");
		return -ENOMEM;
	}
	/* Operations are for descriptors that do not block. */
	card->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (card->fd < 0 || bind(card->fd, (struct sockaddr *)&own, sizeof(own)) < 0 ||
	    connect(card->fd, (struct sockaddr *)&peer, sizeof(peer)) < 0) {
		error = -errno;
		net->host->fail(net, "backend template can't use port %llu for peer %s: %s",
				(unsigned long long)config->port, config->peer, strerror(-error));
		if (card->fd >= 0)
			close(card->fd);
		free(card);
		return error;
	}
	net->state = card;
	/* No flags: the guest cuts large packets and fills in checksums itself. */
	properties->mtu_max = MTU_MAX;
	properties->queues_max = 1;
	properties->operations = BUFFERS;
	return 0;
}

static void template_close(struct xvhost_net *net)
{
	struct template_card *card = net->state;

	close(card->fd);
	free(card);
}

/* ---- loop thread: never blocks, and allocates in queue_start only ---- */

/* start_read - operations that are not for a packet of the guest's have numbers from packets_max on. */
static void start_read(struct xvhost_net_queue *queue, uint32_t number)
{
	struct template_queue *mine = queue->state;
	struct template_buffer *buffer = &mine->buffers[number];

	buffer->room = (struct iovec){buffer->bytes, sizeof(buffer->bytes)};
	queue->net->host->read(queue, queue->packets_max + number, mine->fd, &buffer->room, 1);
}

static int template_queue_start(struct xvhost_net_queue *queue)
{
	const struct template_card *card = queue->net->state;
	struct template_queue *mine = calloc(1, sizeof(*mine) + queue->packets_max * sizeof(mine->sent[0]));

	if (!mine)
		return -ENOMEM;
	mine->fd = card->fd;
	queue->state = mine;
	for (uint32_t i = 0; i < BUFFERS; i++)
		start_read(queue, i);
	return 0;
}

/* template_queue_stop - nothing is under way any more. */
static void template_queue_stop(struct xvhost_net_queue *queue)
{
	free(queue->state);
}

static void template_transmit(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets,
			      uint32_t count)
{
	struct template_queue *mine = queue->state;

	for (uint32_t i = 0; i < count; i++) {
		mine->sent[packets[i]->index] = packets[i];
		queue->net->host->write(queue, packets[i]->index, mine->fd, packets[i]->iov,
					packets[i]->iov_count);
	}
}

/* template_io_done - a packet was written, or one was read. */
static void template_io_done(struct xvhost_net_queue *queue, uint32_t number, int32_t result)
{
	const struct xvhost_net_host *host = queue->net->host;
	struct template_queue *mine = queue->state;
	struct template_buffer *buffer;

	if (number < queue->packets_max) {
		host->transmitted(mine->sent[number], result < 0 ? result : 0);
		return;
	}
	number -= queue->packets_max;
	/* A queue that is to stop starts nothing more. */
	if (queue->flags & XVHOST_QUEUE_STOPPING)
		return;
	if (result >= XVHOST_NET_BYTES_MIN) {
		buffer = &mine->buffers[number];
		buffer->piece = (struct iovec){buffer->bytes, (size_t)result};
		buffer->packet = (struct xvhost_packet){
			.queue = queue, .iov = &buffer->piece, .iov_count = 1, .length = (uint32_t)result};
		if (host->receive(queue, &buffer->packet))
			return;
		host->dropped(queue, 1);
	}
	start_read(queue, number);
}

static void template_delivered(struct xvhost_packet *packet, int error)
{
	struct template_queue *mine = packet->queue->state;
	struct template_buffer *buffer = (struct template_buffer *)(void *)packet;

	(void)error;
	if (!(packet->queue->flags & XVHOST_QUEUE_STOPPING))
		start_read(packet->queue, (uint32_t)(buffer - mine->buffers));
}

/* template_room - nothing is kept for a guest without room, so there is nothing to go on with. */
static void template_room(struct xvhost_net_queue *queue)
{
	(void)queue;
}

static const struct xvhost_net_backend template_backend = {
	.size = sizeof(template_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "template",
	.version = "0.1",
	.description = "packets as datagrams of UDP to one peer",
	.parameters = template_parameters,
	.parameter_count = sizeof(template_parameters) / sizeof(template_parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct template_config),
	.open = template_open,
	.close = template_close,
	.queue_start = template_queue_start,
	.queue_stop = template_queue_stop,
	.transmit = template_transmit,
	.room = template_room,
	.delivered = template_delivered,
	.io_done = template_io_done,
};

XVHOST_NET_BACKEND(template_backend);
