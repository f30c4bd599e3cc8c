// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net-quiet.c - a net backend that does nothing, in a file of its own: for tests of how such a file is loaded
 */
#include "xvhost/backend.h"

static int quiet_open(struct xvhost_net *net, const void *config, struct xvhost_net_properties *properties)
{
	(void)net;
	(void)config;
	(void)properties;
	return 0;
}

static void quiet_close(struct xvhost_net *net)
{
	(void)net;
}

static int quiet_queue_start(struct xvhost_net_queue *queue)
{
	(void)queue;
	return 0;
}

static void quiet_queue(struct xvhost_net_queue *queue)
{
	(void)queue;
}

static void quiet_transmit(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets,
			   uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		queue->net->host->transmitted(packets[i], 0);
}

static void quiet_delivered(struct xvhost_packet *packet, int error)
{
	(void)packet;
	(void)error;
}

static const struct xvhost_net_backend quiet_backend = {
	.size = sizeof(quiet_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "net-quiet",
	.version = "1",
	.description = "for tests",
	.open = quiet_open,
	.close = quiet_close,
	.queue_start = quiet_queue_start,
	.queue_stop = quiet_queue,
	.transmit = quiet_transmit,
	.room = quiet_queue,
	.delivered = quiet_delivered,
};

XVHOST_NET_BACKEND(quiet_backend);
