// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net.c - one network card of the guest: its rings while a frontend is connected
 */
#include "worker/net_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

/* ---- open and close ---- */

/* begin - the card as it is asked for, before there is a backend. */
static void begin(struct net *net, const struct guest *guest, uint32_t device_id,
		  const struct message_net_open *asked)
{
	*net = (struct net){.device_id = device_id, .settings = asked->settings};
	snprintf(net->name, sizeof(net->name), "guest %u vif %" PRIu32, guest->domid, device_id);
	memcpy(net->interface, asked->interface, NET_NAME_MAX - 1);
	memcpy(net->bridge, asked->bridge, NET_NAME_MAX - 1);
}

/*
 * queues_max - that the card can have. Backends were told that the host offers so many, and may have room for no more, whatever the frontend
 * says; what they say themselves can make it fewer.
 */
static uint32_t queues_max(const struct net *net)
{
	uint32_t offered = net->layers[0].seen.queues, said = net->layers[0].properties.queues_max;

	return said > 0 && said < offered ? said : offered;
}

/* has_link - packets pass if they pass each of the backends. */
static bool has_link(const struct net *net)
{
	for (uint32_t i = 0; i < net->layer_count; i++)
		if (!net->layers[i].link)
			return false;
	return true;
}

void net_open(struct net *net, const struct guest *guest, uint32_t device_id,
	      const struct message_net_open *asked, struct message_net_opened *answer)
{
	assert(net->state == NET_FREE && asked->queues_max >= 1 && asked->queues_max <= NET_QUEUES_MAX);
	begin(net, guest, device_id, asked);
	answer->error = net_open_layers(net, guest, asked, answer->text);
	if (answer->error < 0) {
		/* The one who asked tells of it. */
		log_debug("%s: target '%s': %s", net->name, asked->target, answer->text);
		return;
	}
	net->state = NET_OPEN;
	answer->takes = net->layers[0].properties.flags;
	answer->queues_max = queues_max(net);
	answer->link = net->link_told = has_link(net);
	log_info("%s: opened %s", net->name, asked->target);
}

void net_close(struct net *net)
{
	assert(net->state == NET_OPEN);
	net_close_layers(net);
	net->state = NET_FREE;
	log_info("%s: closed", net->name);
}

/* ---- the link ---- */

void net_attend(struct net *net, uint32_t layer)
{
	net->layers[layer].backend->attend(&net->layers[layer].seen);
}

bool net_link_changed(struct net *net)
{
	bool link = has_link(net), changed = net->state != NET_FREE && link != net->link_told;

	net->link_told = link;
	return changed;
}

/* ---- connect and disconnect ---- */

void net_unbind(const struct net *net, const struct guest *guest, const struct guest_loop *loop,
		uint32_t port)
{
	int error = guest->platform->event_channels_unbind(loop->channels, port);

	if (error < 0)
		log_error("%s: can't unbind port %" PRIu32 ": %s", net->name, port, strerror(-error));
}

static void unbind_ports(const struct net *net, const struct guest *guest, const struct net_queue *queue)
{
	net_unbind(net, guest, queue->loop, queue->port_tx);
	if (queue->port_rx != queue->port_tx)
		net_unbind(net, guest, queue->loop, queue->port_rx);
}

static void unmap_rings(const struct net_queue *queue)
{
	memory_unmap_ring(queue->loop->memory, &queue->rx_ring);
	memory_unmap_ring(queue->loop->memory, &queue->tx_ring);
}

/* disconnect_queue - unbind, unmake, unmap. */
static void disconnect_queue(struct net *net, const struct guest *guest, struct net_queue *queue)
{
	unbind_ports(net, guest, queue);
	net_close_queue(net, queue->queue);
	netif_queue_free(queue->queue);
	loop_net_destroy(queue->net);
	/* Queues are told apart by these, and another one's may come to lie here. */
	queue->queue = NULL;
	queue->net = NULL;
	unmap_rings(queue);
}

static void disconnect_queues(struct net *net, const struct guest *guest)
{
	net_control_disconnect(net, guest);
	for (; net->queue_count > 0; net->queue_count--)
		disconnect_queue(net, guest, &net->queues[net->queue_count - 1]);
	net_control_end(net);
	netif_multicast_free(net->multicast);
	net->multicast = NULL;
}

int net_map_ring(const struct guest_loop *loop, const char *node, uint32_t gref, struct memory_ring *ring,
		 char text[ERROR_TEXT_MAX])
{
	int error = memory_map_ring(loop->memory, &gref, 1, ring);

	if (error < 0)
		snprintf(text, ERROR_TEXT_MAX, "can't map the ring (%s %" PRIu32 "): %s", node, gref,
			 strerror(-error));
	return error;
}

static int map_rings(struct net_queue *queue, const struct message_net_queue *described,
		     char text[ERROR_TEXT_MAX])
{
	int error = net_map_ring(queue->loop, "tx-ring-ref", described->tx_ring_ref, &queue->tx_ring, text);

	if (error < 0)
		return error;
	error = net_map_ring(queue->loop, "rx-ring-ref", described->rx_ring_ref, &queue->rx_ring, text);
	if (error < 0)
		memory_unmap_ring(queue->loop->memory, &queue->tx_ring);
	return error;
}

int net_bind(const struct guest *guest, const struct guest_loop *loop, const char *node, uint32_t remote,
	     uint32_t *port, char text[ERROR_TEXT_MAX])
{
	int error = guest->platform->event_channels_bind(loop->channels, guest->domid, remote);

	if (error < 0) {
		snprintf(text, ERROR_TEXT_MAX, "can't bind %s %" PRIu32 ": %s", node, remote,
			 strerror(-error));
		return error;
	}
	*port = (uint32_t)error;
	return 0;
}

static int bind_ports(const struct net *net, const struct guest *guest, struct net_queue *queue,
		      const struct message_net_queue *described, char text[ERROR_TEXT_MAX])
{
	bool split = described->event_channel_tx != described->event_channel_rx;
	int error = net_bind(guest, queue->loop, split ? "event-channel-tx" : "event-channel",
			     described->event_channel_tx, &queue->port_tx, text);

	if (error < 0)
		return error;
	queue->port_rx = queue->port_tx;
	if (split)
		error = net_bind(guest, queue->loop, "event-channel-rx", described->event_channel_rx,
				 &queue->port_rx, text);
	if (error < 0)
		net_unbind(net, guest, queue->loop, queue->port_tx);
	return error;
}

/* choose_memory - the way to the memory of a queue's packets, whose rings are mapped. */
static int choose_memory(struct net *net, const struct guest *guest, uint32_t index, bool *cached,
			 char text[ERROR_TEXT_MAX])
{
	enum memory_access access = net->options.access_given ? net->options.access : guest->access;
	char way[MEMORY_TEXT_MAX];
	int error = memory_choose(net->queues[index].loop->memory, access, cached, way);

	if (error < 0)
		snprintf(text, ERROR_TEXT_MAX, "%s", way);
	else if (index == 0)
		log_limited(&net->limit, LOG_LEVEL_INFO, "%s: memory by %s", net->name, way);
	return error;
}

/* make_queue - over rings that are mapped, and ports that are bound. */
static int make_queue(struct net *net, const struct message_net_connect *asked, uint32_t index, bool cached,
		      char text[ERROR_TEXT_MAX])
{
	struct net_queue *queue = &net->queues[index];
	const struct memory *memory = queue->loop->memory;
	struct netif_below below[NETIF_LAYERS_MAX];
	struct netif_queue_parameters parameters = {
		.net = &net->layers[0].seen,
		.backend = net->layers[0].backend,
		.properties = &net->layers[0].properties,
		.below = below,
		.below_count = net->layer_count - 1,
		.index = index,
		.count = asked->queue_count,
		.tx_page = queue->tx_ring.pages[0],
		.rx_page = queue->rx_ring.pages[0],
		.guest_takes = asked->guest_takes,
		.scatter = asked->scatter,
		.silent = asked->silent,
		.hash = net->control.hash,
		.cached = cached,
		.multicast = net->multicast,
		.map_tx = !memory_copies(memory, cached, false),
		.map_rx = !memory_copies(memory, cached, true),
		.settings = &net->settings,
		.limit = &net->limit,
	};
	int error = loop_net_create(queue->port_tx, queue->port_rx, &queue->net);

	for (uint32_t i = 1; i < net->layer_count; i++)
		below[i - 1] = (struct netif_below){&net->layers[i].seen, net->layers[i].backend,
						    &net->layers[i].properties};
	parameters.owner = queue->net;
	if (error == 0) {
		error = netif_queue_create(&parameters, &queue->queue);
		if (error < 0)
			loop_net_destroy(queue->net);
	}
	if (error < 0) {
		snprintf(text, ERROR_TEXT_MAX, "can't serve the rings: %s",
			 error == -EPROTO ? "their counters are not possible" : strerror(-error));
		return error;
	}
	error = net_open_queue(net, queue->queue, text);
	if (error < 0) {
		netif_queue_free(queue->queue);
		loop_net_destroy(queue->net);
	}
	return error;
}

/* connect_queue - map, bind, make; or nothing and the reason. */
static int connect_queue(struct net *net, struct guest *guest, const struct message_net_connect *asked,
			 uint32_t index, bool *cached, char text[ERROR_TEXT_MAX])
{
	const struct message_net_queue *described = &asked->queues[index];
	struct net_queue *queue = &net->queues[index];
	/* With a control ring one loop serves all of them; see net_control.c. */
	int error = guest_loop(guest, asked->ctrl ? 0 : index, &queue->loop, text);

	if (error < 0)
		return error;
	error = map_rings(queue, described, text);
	if (error < 0)
		return error;
	error = choose_memory(net, guest, index, cached, text);
	if (error == 0)
		error = bind_ports(net, guest, queue, described, text);
	if (error < 0)
		goto fail_rings;
	error = make_queue(net, asked, index, *cached, text);
	if (error < 0)
		goto fail_ports;
	return 0;
fail_ports:
	unbind_ports(net, guest, queue);
fail_rings:
	unmap_rings(queue);
	return error;
}

/* connect_queues - all or none. */
static int connect_queues(struct net *net, struct guest *guest, const struct message_net_connect *asked,
			  char text[ERROR_TEXT_MAX])
{
	uint32_t most = queues_max(net);
	bool cached = false;
	int error;

	if (asked->queue_count > most) {
		snprintf(text, ERROR_TEXT_MAX,
			 "the frontend has %" PRIu32 " queues, the card can have %" PRIu32,
			 asked->queue_count, most);
		return -EINVAL;
	}
	net->multicast = netif_multicast_create();
	if (!net->multicast) {
		snprintf(text, ERROR_TEXT_MAX, "no memory for multicast addresses");
		return -ENOMEM;
	}
	error = net_control_begin(net, asked, text);
	while (error == 0 && net->queue_count < asked->queue_count) {
		error = connect_queue(net, guest, asked, net->queue_count, &cached, text);
		net->queue_count += error == 0;
	}
	if (error == 0)
		error = net_control_connect(net, guest, asked, cached, text);
	if (error < 0)
		disconnect_queues(net, guest);
	return error;
}

void net_connect(struct net *net, struct guest *guest, const struct message_net_connect *asked,
		 struct message_error *answer)
{
	assert(net->state == NET_OPEN && net->queue_count == 0);
	assert(asked->queue_count >= 1 && asked->queue_count <= NET_QUEUES_MAX);
	net->settings = asked->settings;
	answer->error = connect_queues(net, guest, asked, answer->text);
	if (answer->error < 0) {
		log_limited(&net->limit, LOG_LEVEL_ERROR, "%s: %s", net->name, answer->text);
		return;
	}
	log_limited(
		&net->limit, LOG_LEVEL_INFO, "%s: connected, %" PRIu32 " %s of rings, %s event channels%s%s",
		net->name, asked->queue_count, asked->queue_count == 1 ? "pair" : "pairs",
		net->queues[0].port_tx == net->queues[0].port_rx ? "shared" : "split",
		asked->guest_takes & (XVHOST_NET_GSO_TCPV4 | XVHOST_NET_GSO_TCPV6) ? ", large packets" : "",
		asked->ctrl ? ", control ring" : "");
	net->state = NET_CONNECTED;
	net->released = 0;
	net->broken = false;
	for (uint32_t i = 0; i < net->queue_count; i++)
		loop_net_serve(net->queues[i].loop->loop, net->queues[i].net, net->queues[i].queue);
}

void net_begin_change(struct net *net, const struct message_net_settings *settings)
{
	assert(net->state == NET_CONNECTED);
	net->settings = *settings;
	net->changed = 0;
	for (uint32_t i = 0; i < net->queue_count; i++)
		loop_net_set(net->queues[i].loop->loop, net->queues[i].net, settings);
}

bool net_changed(struct net *net)
{
	return ++net->changed == net->queue_count;
}

void net_release(struct net *net)
{
	assert(net->state == NET_CONNECTED);
	net->state = NET_RELEASING;
	for (uint32_t i = 0; i < net->queue_count; i++)
		loop_net_release(net->queues[i].loop->loop, net->queues[i].net);
}

bool net_released(struct net *net)
{
	assert(net->state == NET_RELEASING);
	return ++net->released == net->queue_count;
}

const struct xvhost_net_backend *net_not_started(const struct net *net, const struct loop_net *queue)
{
	uint32_t i = 0;

	while (net->queues[i].net != queue)
		i++;
	return netif_not_started(net->queues[i].queue);
}

/* log_counters - what was done since the card was connected, by all its queues together. Returns that. */
static struct netif_counters log_counters(struct net *net)
{
	struct netif_counters sum = {0};

	for (uint32_t i = 0; i < net->queue_count; i++) {
		const struct netif_counters *counters = netif_counters(net->queues[i].queue);

		sum.tx_packets += counters->tx_packets;
		sum.tx_bytes += counters->tx_bytes;
		sum.tx_errors += counters->tx_errors;
		sum.rx_packets += counters->rx_packets;
		sum.rx_bytes += counters->rx_bytes;
		sum.rx_dropped += counters->rx_dropped;
		sum.events += counters->events;
		sum.notifications += counters->notifications;
	}
	log_limited(&net->limit, LOG_LEVEL_INFO,
		    "%s: disconnected after %" PRIu64 " packets from the guest (%" PRIu64 " bytes, %" PRIu64
		    " failed), %" PRIu64 " to it (%" PRIu64 " bytes, %" PRIu64 " dropped), %" PRIu64
		    " events, %" PRIu64 " notifications",
		    net->name, sum.tx_packets, sum.tx_bytes, sum.tx_errors, sum.rx_packets, sum.rx_bytes,
		    sum.rx_dropped, sum.events, sum.notifications);
	return sum;
}

void net_disconnect(struct net *net, const struct guest *guest, struct message_net_counters *counters)
{
	struct netif_counters sum;

	assert(net->state == NET_RELEASING && net->released == net->queue_count);
	sum = log_counters(net);
	*counters = (struct message_net_counters){
		.tx_packets = sum.tx_packets,
		.tx_errors = sum.tx_errors,
		.rx_packets = sum.rx_packets,
		.rx_dropped = sum.rx_dropped,
	};
	disconnect_queues(net, guest);
	net->state = NET_OPEN;
}
