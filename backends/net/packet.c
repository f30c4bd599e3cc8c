// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * packet.c - a network card on an interface of the host, beside what else uses that
 *
 * Theory of operation: each queue of the card has a packet socket (packet(7)), by which packets pass as frames.h has it. A filter
 * lets through what is for the guest (packet_filter.c); while it is not connected, nothing. Either the interface itself is used, and takes
 * packets for others as well, or one with the guest's MAC that is made on it (packet_macvlan.c).
 *
 * Packets are read, not taken from a ring that is mapped (PACKET_RX_RING). Its second version, which tells of packets one by one, saves 2200 of
 * 7500 instructions for a small packet that comes among others, and nothing for one by itself or a large one (docs/performance.md); but each
 * packet that waits takes the 64 KiB of the largest, of memory that is always there. Its third packs them, but tells of them only when a block
 * is full or a timer of at least one jiffy has ended.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frames.h"
#include "interface_news.h"
#include "packet_internal.h"

#define PROMISCUOUS "promiscuous"
#define MACVLAN "macvlan"

static const struct xvhost_parameter packet_parameters[] = {
	{
		.name = "interface",
		.type = XVHOST_STRING,
		.flags = XVHOST_REQUIRED,
		.offset = offsetof(struct packet_config, interface),
		.help = "the host's interface that the card is on",
	},
	{
		.name = "mode",
		.type = XVHOST_STRING,
		.offset = offsetof(struct packet_config, mode),
		.default_text = PROMISCUOUS,
		.help = "how the interface gets the guest's packets: promiscuous or macvlan",
	},
};

/* ---- control thread ---- */

/* check_config - the card, and the texts. */
static bool check_config(struct xvhost_net *net, const struct packet_config *config)
{
	static const uint8_t none[sizeof(net->mac)];

	if (memcmp(net->mac, none, sizeof(none)) == 0) {
		net->host->fail(net,
				"backend packet serves cards that have an address; it can't be an uplink");
		return false;
	}
	if (!interface_check_name(net, "parameter interface of backend packet", config->interface))
		return false;
	if (strcmp(config->mode, PROMISCUOUS) == 0 || strcmp(config->mode, MACVLAN) == 0)
		return true;
	net->host->fail(net, "parameter mode of backend packet is '%s', it must be %s or %s", config->mode,
			PROMISCUOUS, MACVLAN);
	return false;
}

/* close_all - what open_all has opened. */
static void close_all(struct packet *packet)
{
	if (packet->macvlan && packet->index > 0)
		packet_macvlan_remove(packet->index);
	while (packet->queue_count > 0)
		close(packet->sockets[--packet->queue_count]);
	if (packet->news >= 0)
		close(packet->news);
	free(packet);
}

/* open_all - sockets, and the interface. */
static int open_all(struct xvhost_net *net, struct packet *packet)
{
	char text[PACKET_TEXT_MAX];
	int error;

	packet->news = interface_news_open(net, "packet");
	if (packet->news < 0)
		return packet->news;
	while (packet->queue_count < net->queues) {
		int fd = packet_socket_open();

		if (fd < 0) {
			net->host->fail(net, "backend packet can't make a packet socket: %s", strerror(-fd));
			return fd;
		}
		packet->sockets[packet->queue_count++] = fd;
	}
	error = packet_interface_use(net, packet, text);
	if (error < 0)
		net->host->fail(net, "%s", text);
	return error;
}

static int packet_open(struct xvhost_net *net, const void *config, struct xvhost_net_properties *properties)
{
	const struct packet_config *asked = config;
	struct packet *packet;
	int error;

	if (!check_config(net, asked))
		return -EINVAL;
	packet = calloc(1, sizeof(*packet) + net->queues * sizeof(packet->sockets[0]));
	if (!packet) {
		net->host->fail(net, "no memory for backend packet");
		return -ENOMEM;
	}
	packet->interface = asked->interface;
	packet->macvlan = strcmp(asked->mode, MACVLAN) == 0;
	packet->link = true;
	error = open_all(net, packet);
	if (error < 0) {
		close_all(packet);
		return error;
	}
	packet_interface_look(net, packet);
	net->state = packet;
	net->attend_fd = packet->news;
	properties->flags = FRAMES_TAKES;
	properties->queues_max = net->queues;
	properties->operations = FRAMES_OPERATIONS;
	return 0;
}

static void packet_close(struct xvhost_net *net)
{
	close_all(net->state);
}

static int packet_queue_open(struct xvhost_net_queue *queue)
{
	const struct packet *packet = queue->net->state;

	return packet_filter_open(packet->sockets[queue->index], queue->net->mac, queue->index, queue->count);
}

/* packet_queue_close - the next guest's driver is not to get what came for this one. */
static void packet_queue_close(struct xvhost_net_queue *queue)
{
	const struct packet *packet = queue->net->state;
	int error = packet_filter_close(packet->sockets[queue->index]);

	if (error < 0)
		queue->net->host->log(queue->net, XVHOST_LOG_ERROR,
				      "what comes for queue %u can't be stopped: %s", queue->index,
				      strerror(-error));
	packet_socket_empty(packet->sockets[queue->index]);
}

static void packet_attend(struct xvhost_net *net)
{
	struct packet *packet = net->state;

	interface_news_read(packet->news);
	packet_interface_look(net, packet);
}

/* ---- loop thread ---- */

static int packet_queue_start(struct xvhost_net_queue *queue)
{
	const struct packet *packet = queue->net->state;

	return frames_start(queue, packet->sockets[queue->index]);
}

/* packet_room - before the queue stops, what its socket had no room for is counted. */
static void packet_room(struct xvhost_net_queue *queue)
{
	const struct packet *packet = queue->net->state;

	if (queue->flags & XVHOST_QUEUE_STOPPING) {
		uint32_t dropped = packet_socket_dropped(packet->sockets[queue->index]);

		if (dropped > 0)
			queue->net->host->dropped(queue, dropped);
	}
	frames_room(queue);
}

static const struct xvhost_net_backend packet_backend = {
	.size = sizeof(packet_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "packet",
	.version = "1.0",
	.description = "on an interface of the host",
	.parameters = packet_parameters,
	.parameter_count = sizeof(packet_parameters) / sizeof(packet_parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct packet_config),
	.open = packet_open,
	.close = packet_close,
	.queue_start = packet_queue_start,
	.queue_stop = frames_queue_stop,
	.transmit = frames_transmit,
	.room = packet_room,
	.delivered = frames_delivered,
	.io_done = frames_io_done,
	.queue_open = packet_queue_open,
	.queue_close = packet_queue_close,
	.attend = packet_attend,
};

XVHOST_NET_BACKEND(packet_backend);
