// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net_control.c - the control ring of one network card, while a frontend that has one is connected
 *
 * By it the guest chooses queues for what it receives, so one loop serves all queues of such a card, and the control ring, too: then a
 * packet goes from one queue to another within that loop.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "rings/netif_control.h"
#include "worker/net_internal.h"

int net_control_begin(struct net *net, const struct message_net_connect *asked, char text[ERROR_TEXT_MAX])
{
	assert(!net->control.hash);
	if (!asked->ctrl)
		return 0;
	net->control.hash = netif_hash_create(asked->queue_count);
	if (net->control.hash)
		return 0;
	snprintf(text, ERROR_TEXT_MAX, "no memory for hashes");
	return -ENOMEM;
}

/* make - over the ring, which is mapped, with the port, which is bound. */
static int make(struct net *net, bool cached, char text[ERROR_TEXT_MAX])
{
	struct net_control *control = &net->control;
	const struct net_queue *last = &net->queues[net->queue_count - 1];
	const struct netif_control_parameters parameters = {
		.name = net->name,
		.limit = &net->limit,
		.page = control->ring.pages[0],
		.memory = last->loop->memory,
		.cached = cached,
		.hash = control->hash,
	};
	int error = netif_control_create(&parameters, &control->control);

	if (error == 0)
		loop_net_control(last->net, control->control, control->port);
	else
		snprintf(text, ERROR_TEXT_MAX, "can't serve the control ring: %s",
			 error == -EPROTO ? "its counters are not possible" : strerror(-error));
	return error;
}

int net_control_connect(struct net *net, const struct guest *guest, const struct message_net_connect *asked,
			bool cached, char text[ERROR_TEXT_MAX])
{
	struct net_control *control = &net->control;
	const struct guest_loop *loop = net->queues[net->queue_count - 1].loop;
	int error;

	if (!asked->ctrl)
		return 0;
	error = net_map_ring(loop, "ctrl-ring-ref", asked->ctrl_ring_ref, &control->ring, text);
	if (error < 0)
		return error;
	error = net_bind(guest, loop, "event-channel-ctrl", asked->event_channel_ctrl, &control->port, text);
	if (error < 0)
		goto fail_ring;
	error = make(net, cached, text);
	if (error < 0)
		goto fail_port;
	return 0;
fail_port:
	net_unbind(net, guest, loop, control->port);
fail_ring:
	memory_unmap_ring(loop->memory, &control->ring);
	return error;
}

void net_control_disconnect(struct net *net, const struct guest *guest)
{
	struct net_control *control = &net->control;
	const struct guest_loop *loop;

	if (!control->control)
		return;
	loop = net->queues[net->queue_count - 1].loop;
	net_unbind(net, guest, loop, control->port);
	netif_control_free(control->control);
	control->control = NULL;
	memory_unmap_ring(loop->memory, &control->ring);
}

void net_control_end(struct net *net)
{
	netif_hash_free(net->control.hash);
	net->control.hash = NULL;
}
