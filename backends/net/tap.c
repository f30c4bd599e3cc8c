// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tap.c - a network card that is an interface of the host
 *
 * Theory of operation: the interface is one of Linux's module tun. Each queue of the card has a descriptor, by which each packet
 * that the guest sends is one write, and each packet for it one read. A header before the packet says whether its checksum
 * is blank and whether it is to be cut into segments, so that large packets pass as they are.
 */
#include <assert.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tap_internal.h"

#define CHECKSUMS (XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6)

static_assert(sizeof(struct virtio_net_hdr) <= XVHOST_NET_HEADROOM_BYTES, "it stands before the packet");

static const struct xvhost_parameter tap_parameters[] = {
	{
		.name = "bridge",
		.type = XVHOST_STRING,
		.offset = offsetof(struct tap_config, bridge),
		.help = "the bridge that the interface becomes part of",
	},
	{
		.name = "name",
		.type = XVHOST_STRING,
		.offset = offsetof(struct tap_config, name),
		.help = "the interface's name, if not that which the toolstack gives",
	},
};

/* ---- control thread ---- */

static int tap_open(struct xvhost_net *net, const void *config, struct xvhost_net_properties *properties)
{
	struct tap *tap = calloc(1, sizeof(*tap) + net->queues * sizeof(tap->fds[0]));
	int error;

	if (!tap) {
		net->host->fail(net, "no memory for backend tap");
		return -ENOMEM;
	}
	tap->queue_count = net->queues;
	error = tap_interface_make(net, config, tap);
	if (error < 0) {
		free(tap);
		return error;
	}
	net->state = tap;
	properties->flags = CHECKSUMS | XVHOST_NET_GSO_TCPV4 | XVHOST_NET_GSO_TCPV6;
	properties->queues_max = net->queues;
	properties->operations = TAP_BUFFERS + 1;
	return 0;
}

/* tap_close - the interface goes with its last descriptor. */
static void tap_close(struct xvhost_net *net)
{
	struct tap *tap = net->state;

	for (uint32_t i = 0; i < tap->queue_count; i++)
		close(tap->fds[i]);
	free(tap);
}

/* ---- loop thread ---- */

/* offload_of - what the interface may have in packets for this guest. It does not tell one checksum from the other. */
static unsigned int offload_of(uint32_t guest_takes)
{
	if ((guest_takes & CHECKSUMS) != CHECKSUMS)
		return 0;
	return TUN_F_CSUM | (guest_takes & XVHOST_NET_GSO_TCPV4 ? TUN_F_TSO4 : 0) |
	       (guest_takes & XVHOST_NET_GSO_TCPV6 ? TUN_F_TSO6 : 0);
}

static int tap_queue_start(struct xvhost_net_queue *queue)
{
	struct tap *tap = queue->net->state;
	struct tap_queue *mine = calloc(1,
					sizeof(*mine) + queue->packets_max * sizeof(mine->transmitting[0]));
	int error;

	if (!mine)
		return -ENOMEM;
	mine->queue = queue;
	mine->fd = tap->fds[queue->index];
	mine->offload = offload_of(queue->guest_takes);
	error = tap_receive_init(mine);
	if (error < 0) {
		free(mine);
		return error;
	}
	error = tap_interface_start(queue->net, tap, queue->index, mine->offload);
	if (error < 0) {
		tap_receive_free(mine);
		free(mine);
		return error;
	}
	queue->state = mine;
	tap_receive_start(mine);
	return 0;
}

static void tap_queue_stop(struct xvhost_net_queue *queue)
{
	struct tap_queue *mine = queue->state;

	tap_interface_stop(queue->net->state, queue->index);
	tap_receive_free(mine);
	free(mine);
}

static void tap_transmit(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets, uint32_t count)
{
	const struct xvhost_net_host *host = queue->net->host;
	struct tap_queue *mine = queue->state;

	for (uint32_t i = 0; i < count; i++) {
		struct xvhost_packet *packet = packets[i];
		struct virtio_net_hdr *header = (struct virtio_net_hdr *)packet->iov[0].iov_base - 1;

		if (mine->lost) {
			host->transmitted(packet, -ENODEV);
			continue;
		}
		tap_header_write(packet, header);
		packet->iov[0].iov_base = header;
		packet->iov[0].iov_len += sizeof(*header);
		mine->transmitting[packet->index] = packet;
		host->write(queue, packet->index, mine->fd, packet->iov, packet->iov_count);
	}
}

/* written - a packet that was transmitted, whole or not at all. */
static void written(struct tap_queue *mine, struct xvhost_packet *packet, int32_t result)
{
	if (result == -EBADFD)
		tap_lost(mine);
	if (result >= 0)
		result = (uint32_t)result == sizeof(struct virtio_net_hdr) + packet->length ? 0 : -EIO;
	mine->queue->net->host->transmitted(packet, result);
}

static void tap_io_done(struct xvhost_net_queue *queue, uint32_t number, int32_t result)
{
	struct tap_queue *mine = queue->state;

	if (number < queue->packets_max)
		written(mine, mine->transmitting[number], result);
	else
		tap_receive_done(mine, number - queue->packets_max, result);
}

static const struct xvhost_net_backend tap_backend = {
	.size = sizeof(tap_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "tap",
	.version = "1.0",
	.description = "an interface of the host",
	.parameters = tap_parameters,
	.parameter_count = sizeof(tap_parameters) / sizeof(tap_parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct tap_config),
	.open = tap_open,
	.close = tap_close,
	.queue_start = tap_queue_start,
	.queue_stop = tap_queue_stop,
	.transmit = tap_transmit,
	.room = tap_room,
	.delivered = tap_delivered,
	.io_done = tap_io_done,
};

XVHOST_NET_BACKEND(tap_backend);
