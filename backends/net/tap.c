// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tap.c - a network card that is an interface of the host
 *
 * Theory of operation: the interface is one of Linux's module tun. Each queue of the card has a descriptor, by which packets pass as
 * frames.h has it. What is asked of the interface itself may wait for other changes of the host's interfaces, so it is asked on the
 * control thread only.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "frames.h"
#include "interface_news.h"
#include "tap_internal.h"

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
	tap->news = interface_news_open(net, "tap");
	error = tap->news < 0 ? tap->news : tap_interface_make(net, config, tap);
	if (error < 0) {
		if (tap->news >= 0)
			close(tap->news);
		free(tap);
		return error;
	}
	net->state = tap;
	net->attend_fd = tap->news;
	properties->flags = FRAMES_TAKES;
	properties->queues_max = net->queues;
	properties->operations = FRAMES_OPERATIONS;
	return 0;
}

/* tap_close - the interface goes with its last descriptor. */
static void tap_close(struct xvhost_net *net)
{
	struct tap *tap = net->state;

	for (uint32_t i = 0; i < tap->queue_count; i++)
		close(tap->fds[i]);
	close(tap->news);
	free(tap);
}

static int tap_queue_open(struct xvhost_net_queue *queue)
{
	return tap_interface_attach(queue->net, queue->net->state, queue->index,
				    frames_offload(queue->guest_takes));
}

static void tap_queue_close(struct xvhost_net_queue *queue)
{
	tap_interface_detach(queue->net->state, queue->index);
}

static void tap_attend(struct xvhost_net *net)
{
	struct tap *tap = net->state;

	interface_news_read(tap->news);
	tap_interface_look(net, tap);
}

/* ---- loop thread ---- */

static int tap_queue_start(struct xvhost_net_queue *queue)
{
	const struct tap *tap = queue->net->state;

	return frames_start(queue, tap->fds[queue->index]);
}

static const struct xvhost_net_backend tap_backend = {
	.size = sizeof(tap_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "tap",
	.version = "1.1",
	.description = "an interface of the host",
	.parameters = tap_parameters,
	.parameter_count = sizeof(tap_parameters) / sizeof(tap_parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct tap_config),
	.open = tap_open,
	.close = tap_close,
	.queue_start = tap_queue_start,
	.queue_stop = frames_queue_stop,
	.transmit = frames_transmit,
	.room = frames_room,
	.delivered = frames_delivered,
	.io_done = frames_io_done,
	.queue_open = tap_queue_open,
	.queue_close = tap_queue_close,
	.attend = tap_attend,
};

XVHOST_NET_BACKEND(tap_backend);
