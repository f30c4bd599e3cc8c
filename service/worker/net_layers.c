// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net_layers.c - the backends of a network card: opened and closed, and their queues
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "worker/net_internal.h"

static_assert(offsetof(struct net_layer, seen) == 0, "layer_of");

/* layer_of - from what a backend sees. Its view may be const; what the host keeps for it is the host's own. */
static struct net_layer *layer_of(const struct xvhost_net *seen)
{
	return (struct net_layer *)(uintptr_t)seen;
}

/* ---- what backends may ask of the host ---- */

static void host_log(const struct xvhost_net *seen, enum xvhost_log_level level, const char *format, ...)
{
	struct net *net = layer_of(seen)->net;
	char text[ERROR_TEXT_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	log_limited(&net->limit, (enum log_level)level, "%s: %s", net->name, text);
}

static void host_fail(struct xvhost_net *seen, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(layer_of(seen)->net->fail_text, ERROR_TEXT_MAX, format, arguments);
	va_end(arguments);
}

static void host_link(struct xvhost_net *seen, bool up)
{
	layer_of(seen)->link = up;
}

static const struct xvhost_net_host host = {
	.size = sizeof(host),
	.abi = XVHOST_BACKEND_ABI,
	.transmitted = netif_transmitted,
	.receive = netif_receive,
	.dropped = netif_dropped,
	.read = loop_net_read,
	.write = loop_net_write,
	.wait = loop_net_wait,
	.watch = loop_net_watch,
	.log = host_log,
	.fail = host_fail,
	.link = host_link,
	.forward = netif_forward,
	.give_back = netif_give_back,
	.more_room = netif_more_room,
};

/* ---- open and close ---- */

int net_check_properties(const struct xvhost_net *seen, const struct xvhost_net_backend *backend,
			 const struct xvhost_net_properties *properties, char text[ERROR_TEXT_MAX])
{
	const struct xvhost_net_properties *inner = seen->inner;
	const uint32_t known = XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6 | XVHOST_NET_GSO_TCPV4 |
			       XVHOST_NET_GSO_TCPV6;

	if (properties->flags & ~known)
		snprintf(text, ERROR_TEXT_MAX,
			 "backend %s says that it takes 0x%" PRIx32 ", of which 0x%" PRIx32 " is known",
			 backend->name, properties->flags, known);
	else if (inner && properties->flags & ~inner->flags)
		snprintf(text, ERROR_TEXT_MAX,
			 "backend %s says that it takes 0x%" PRIx32 ", the card below it takes 0x%" PRIx32,
			 backend->name, properties->flags, inner->flags);
	else if (properties->operations > NETIF_OPERATIONS_MAX)
		snprintf(text, ERROR_TEXT_MAX,
			 "backend %s wants %" PRIu32 " operations for each queue, at most %u are given",
			 backend->name, properties->operations, NETIF_OPERATIONS_MAX);
	else if (seen->attend_fd >= 0 && !backend->attend)
		snprintf(text, ERROR_TEXT_MAX, "backend %s has a descriptor to attend to, but no 'attend'",
			 backend->name);
	else if (properties->mtu_max > 0 && properties->mtu_max < seen->mtu)
		snprintf(text, ERROR_TEXT_MAX, "the mtu is %" PRIu32 ", backend %s can have at most %" PRIu32,
			 seen->mtu, backend->name, properties->mtu_max);
	else
		return 0;
	return -EINVAL;
}

/* begin_layer - what its backend is to see of the card. */
static void begin_layer(struct net *net, struct net_layer *layer, const struct guest *guest,
			const struct message_net_open *asked)
{
	*layer = (struct net_layer){.net = net, .link = true};
	layer->seen = (struct xvhost_net){
		.size = sizeof(layer->seen),
		.mtu = asked->mtu,
		.host = &host,
		.name = net->name,
		.interface = net->interface,
		.bridge = net->bridge[0] ? net->bridge : NULL,
		.queues = (uint16_t)asked->queues_max,
		.domid = guest->domid,
		.attend_fd = -1,
	};
	memcpy(layer->seen.mac, asked->mac, sizeof(layer->seen.mac));
}

/* configure_layer - find a target's backend and parse its parameters. `*inner` is the target of the layer below. */
static int configure_layer(struct net *net, struct net_layer *layer, const char *backend_directory,
			   const char *target, const char **inner, char text[ERROR_TEXT_MAX])
{
	int error = target_find_net(backend_directory, target, &layer->backend, &layer->config, text);

	if (error < 0)
		return error;
	net->layer_count++;
	*inner = target_of_inner(head_of_net(layer->backend), layer->config);
	return 0;
}

/* configure_layers - all backends that a target names. */
static int configure_layers(struct net *net, const struct guest *guest, const struct message_net_open *asked,
			    char text[ERROR_TEXT_MAX])
{
	const char *target;
	int error = target_take_options(asked->target, &net->options, &target, text);

	while (target && error == 0) {
		struct net_layer *layer = &net->layers[net->layer_count];

		if (net->layer_count == NETIF_LAYERS_MAX) {
			snprintf(text, ERROR_TEXT_MAX, "more than %u backends stand one before the other",
				 NETIF_LAYERS_MAX);
			return -EINVAL;
		}
		begin_layer(net, layer, guest, asked);
		error = configure_layer(net, layer, guest->backend_directory, target, &target, text);
	}
	return error;
}

/* open_layer - those below it are open. */
static int open_layer(struct net *net, struct net_layer *layer, char text[ERROR_TEXT_MAX])
{
	const struct xvhost_net_properties *inner = layer == &net->layers[net->layer_count - 1]
							    ? NULL
							    : &layer[1].properties;
	uint32_t *queues_max = &layer->properties.queues_max;
	int error;

	layer->seen.inner = inner;
	net->fail_text[0] = '\0';
	error = layer->backend->open(&layer->seen, layer->config, &layer->properties);
	if (error < 0) {
		snprintf(text, ERROR_TEXT_MAX, "%s",
			 net->fail_text[0] ? net->fail_text
					   : "the backend can't open the card and does not say why");
		return error;
	}
	error = net_check_properties(&layer->seen, layer->backend, &layer->properties, text);
	if (error < 0)
		layer->backend->close(&layer->seen);
	if (inner && inner->queues_max > 0 && (*queues_max == 0 || inner->queues_max < *queues_max))
		*queues_max = inner->queues_max;
	return error;
}

/* free_layers - close those from `opened` on, the outermost first, since each uses those below it. */
static void free_layers(struct net *net, uint32_t opened)
{
	for (uint32_t i = 0; i < net->layer_count; i++) {
		struct net_layer *layer = &net->layers[i];

		if (i >= opened)
			layer->backend->close(&layer->seen);
		free(layer->config);
	}
	net->layer_count = 0;
}

int net_open_layers(struct net *net, const struct guest *guest, const struct message_net_open *asked,
		    char text[ERROR_TEXT_MAX])
{
	int error = configure_layers(net, guest, asked, text);
	uint32_t opened = net->layer_count;

	while (opened > 0 && error == 0) {
		error = open_layer(net, &net->layers[opened - 1], text);
		if (error == 0)
			opened--;
	}
	if (error < 0)
		free_layers(net, opened);
	return error;
}

void net_close_layers(struct net *net)
{
	free_layers(net, 0);
}

/* ---- queues ---- */

/* close_queue - those from `opened` on, the outermost first. */
static void close_queue(const struct net *net, struct netif_queue *queue, uint32_t opened)
{
	for (uint32_t i = opened; i < net->layer_count; i++)
		if (net->layers[i].backend->queue_close)
			net->layers[i].backend->queue_close(netif_seen_by(queue, i));
}

int net_open_queue(const struct net *net, struct netif_queue *queue, char text[ERROR_TEXT_MAX])
{
	for (uint32_t i = net->layer_count; i-- > 0;) {
		const struct xvhost_net_backend *backend = net->layers[i].backend;
		struct xvhost_net_queue *seen = netif_seen_by(queue, i);
		int error = backend->queue_open ? backend->queue_open(seen) : 0;

		if (error < 0) {
			snprintf(text, ERROR_TEXT_MAX, "backend %s can't open queue %" PRIu32 ": %s",
				 backend->name, seen->index, strerror(-error));
			close_queue(net, queue, i + 1);
			return error;
		}
	}
	return 0;
}

void net_close_queue(const struct net *net, struct netif_queue *queue)
{
	close_queue(net, queue, 0);
}
