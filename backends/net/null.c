// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * null.c - a network card that is connected to nothing: what the guest sends is dropped, and nothing comes for it
 *
 * It shows what xvhost and the guest cost by themselves, and it is the smallest net backend: each packet has been transmitted
 * before transmit returns.
 */
#include "xvhost/backend.h"

static int null_open(struct xvhost_net *net, const void *config, struct xvhost_net_properties *properties)
{
	(void)net;
	(void)config;
	properties->flags = XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6 | XVHOST_NET_GSO_TCPV4 |
			    XVHOST_NET_GSO_TCPV6;
	return 0;
}

static void null_close(struct xvhost_net *net)
{
	(void)net;
}

static int null_queue_start(struct xvhost_net_queue *queue)
{
	(void)queue;
	return 0;
}

static void null_queue_stop(struct xvhost_net_queue *queue)
{
	(void)queue;
}

static void null_transmit(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets,
			  uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		queue->net->host->transmitted(packets[i], 0);
}

static void null_room(struct xvhost_net_queue *queue)
{
	(void)queue;
}

static void null_delivered(struct xvhost_packet *packet, int error)
{
	(void)packet;
	(void)error;
}

static const struct xvhost_net_backend null_backend = {
	.size = sizeof(null_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "null",
	.version = "1.0",
	.description = "drops what the guest sends, and gives it nothing",
	.open = null_open,
	.close = null_close,
	.queue_start = null_queue_start,
	.queue_stop = null_queue_stop,
	.transmit = null_transmit,
	.room = null_room,
	.delivered = null_delivered,
};

XVHOST_NET_BACKEND(null_backend);
