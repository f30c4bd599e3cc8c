// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netif_handshake.c - the guest's part of the talk by which a network card is connected, in xenstore
 */
#include "sim/netif_handshake.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim/front_talk.h"

static_assert(NET_FRONT_ERROR_MAX == TALK_TEXT_MAX, "one text");

/* begin - a talk about this device. */
static int begin(struct talk *talk, const struct netif_handshake_options *options, uint32_t device_id,
		 char *text)
{
	*talk = (struct talk){.platform = options->platform,
			      .xenstore = options->xenstore,
			      .timeout_ms = options->timeout_ms,
			      .text = text};
	return talk_begin(talk, "vif", device_id);
}

/* ---- what the host offers ---- */

/* offered - one of XVHOST_NET_..., if the node says so. */
static uint32_t offered(const struct talk *talk, const char *name, uint32_t takes)
{
	return talk_number(talk, name, 0) ? takes : 0;
}

static int read_features(struct talk *talk, struct netif_features *features)
{
	*features = (struct netif_features){
		.takes = offered(talk, "feature-ipv6-csum-offload", XVHOST_NET_CHECKSUM_IPV6) |
			 offered(talk, "feature-gso-tcpv4", XVHOST_NET_GSO_TCPV4) |
			 offered(talk, "feature-gso-tcpv6", XVHOST_NET_GSO_TCPV6),
		.scatter = talk_number(talk, "feature-sg", 0),
		.split = talk_number(talk, "feature-split-event-channels", 0),
		.multicast_control = talk_number(talk, "feature-multicast-control", 0),
		.dynamic_multicast = talk_number(talk, "feature-dynamic-multicast-control", 0),
		.xdp_headroom = talk_number(talk, "feature-xdp-headroom", 0),
		.control = talk_number(talk, "feature-ctrl-ring", 0),
		.queues_max = (uint32_t)talk_number(talk, "multi-queue-max-queues", 1),
	};
	if (!talk_number(talk, "feature-no-csum-offload", 0))
		features->takes |= XVHOST_NET_CHECKSUM_IPV4;
	if (!talk_number(talk, "feature-rx-copy", 0))
		return talk_refuse(talk, -EOPNOTSUPP,
				   "the host does not copy packets into the guest's pages");
	return 0;
}

/* fit - ask for no more than the host can do. */
static void fit(const struct netif_features *features, struct netif_frontend_options *options)
{
	if (options->queues > features->queues_max)
		options->queues = features->queues_max;
	options->split = options->split && features->split;
	options->multicast_control = options->multicast_control && features->multicast_control;
	options->control = options->control && features->control;
	if (!features->xdp_headroom)
		options->xdp_headroom = 0;
}

/* ---- describing the rings ---- */

/* write_queue - its nodes, in the frontend's directory or one of their own. */
static int write_queue(const struct talk *talk, const struct net_front_queue *queue, const char *directory)
{
	const struct {
		const char *name;
		uint32_t value;
		bool written;
	} nodes[] = {
		{"tx-ring-ref", queue->tx.gref, true},
		{"rx-ring-ref", queue->rx.gref, true},
		{"event-channel", queue->tx_port, queue->tx_port == queue->rx_port},
		{"event-channel-tx", queue->tx_port, queue->tx_port != queue->rx_port},
		{"event-channel-rx", queue->rx_port, queue->tx_port != queue->rx_port},
	};
	char name[64];
	int error = 0;

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]) && error >= 0; i++) {
		snprintf(name, sizeof(name), "%s%s", directory, nodes[i].name);
		if (nodes[i].written)
			error = talk_write(talk, name, "%" PRIu32, nodes[i].value);
	}
	return error;
}

static int write_queues(const struct talk *talk, const struct netif_frontend *frontend)
{
	char directory[24];
	int error = 0;

	if (frontend->queue_count == 1)
		return write_queue(talk, frontend->queues[0], "");
	error = talk_write(talk, "multi-queue-num-queues", "%" PRIu32, frontend->queue_count);
	for (uint32_t i = 0; i < frontend->queue_count && error >= 0; i++) {
		snprintf(directory, sizeof(directory), "queue-%" PRIu32 "/", i);
		error = write_queue(talk, frontend->queues[i], directory);
	}
	return error;
}

static int write_control(const struct talk *talk, const struct netif_frontend *frontend)
{
	int error = talk_write(talk, "ctrl-ring-ref", "%" PRIu32, frontend->control.ring.gref);

	return error < 0 ? error : talk_write(talk, "event-channel-ctrl", "%" PRIu32, frontend->control.port);
}

/* write_features - what the guest takes. */
static int write_features(const struct talk *talk, const struct netif_frontend_options *options)
{
	const struct {
		const char *name;
		bool written;
	} nodes[] = {
		{"request-rx-copy", true},
		{"feature-rx-notify", !options->silent},
		{"feature-sg", !options->no_scatter},
		{"feature-gso-tcpv4", options->takes & XVHOST_NET_GSO_TCPV4},
		{"feature-gso-tcpv6", options->takes & XVHOST_NET_GSO_TCPV6},
		{"feature-ipv6-csum-offload", options->takes & XVHOST_NET_CHECKSUM_IPV6},
		{"feature-no-csum-offload", !(options->takes & XVHOST_NET_CHECKSUM_IPV4)},
		{"request-multicast-control", options->multicast_control},
	};
	int error = 0;

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]) && error >= 0; i++)
		if (nodes[i].written)
			error = talk_write(talk, nodes[i].name, "1");
	if (error >= 0 && options->xdp_headroom)
		error = talk_write(talk, "xdp-headroom", "%" PRIu32, options->xdp_headroom);
	return error;
}

/* write_card - all that the host must know to connect; what the frontend before this one wrote goes. */
static int write_card(const struct talk *talk, const void *argument)
{
	static const char *const ours[] = {"tx-",    "rx-",	 "ctrl-",    "queue-", "multi-queue-",
					   "event-", "feature-", "request-", "xdp-",   NULL};
	const struct netif_frontend *frontend = argument;
	int error = talk_forget(talk, ours);

	if (error >= 0)
		error = write_features(talk, &frontend->options);
	if (error >= 0 && frontend->options.control)
		error = write_control(talk, frontend);
	return error < 0 ? error : write_queues(talk, frontend);
}

/* ---- connecting ---- */

static int connect_device(struct talk *talk, const struct netif_frontend_options *options,
			  struct netif_frontend **frontend)
{
	const unsigned int closed = 1u << XenbusStateClosing | 1u << XenbusStateClosed;
	struct netif_frontend_options fitted = *options;
	struct netif_features features;
	int error = talk_go_to(talk, XenbusStateInitialising);

	/* A host that has closed for the frontend before us, or has yet to do so, begins anew when it sees this. */
	if (error == 0)
		error = talk_await_host(talk, 1u << XenbusStateInitWait, 0);
	if (error == 0)
		error = read_features(talk, &features);
	if (error < 0)
		return error;
	fit(&features, &fitted);
	error = netif_frontend_create(&fitted, &features, frontend);
	if (error < 0)
		return talk_refuse(talk, error, "can't make the rings: %s", strerror(-error));
	error = talk_describe(talk, write_card, *frontend);
	if (error == 0)
		error = talk_go_to(talk, XenbusStateConnected);
	if (error == 0)
		error = talk_await_host(talk, 1u << XenbusStateConnected, closed);
	if (error < 0) {
		netif_frontend_destroy(*frontend);
		*frontend = NULL;
	}
	return error;
}

int netif_handshake_connect(const struct netif_handshake_options *handshake,
			    const struct netif_frontend_options *options, struct netif_frontend **frontend,
			    char text[NET_FRONT_ERROR_MAX])
{
	struct talk talk;
	int error = begin(&talk, handshake, options->device_id, text);

	if (error < 0)
		return error;
	error = connect_device(&talk, options, frontend);
	talk_end(&talk);
	return error;
}

/* reconfigure - with another headroom. */
static int reconfigure(struct talk *talk, uint32_t headroom)
{
	int error = talk_write(talk, "xdp-headroom", "%" PRIu32, headroom);

	if (error < 0)
		return talk_refuse(talk, error, "can't write the headroom: %s", strerror(-error));
	error = talk_go_to(talk, XenbusStateReconfiguring);
	if (error == 0)
		error = talk_await_host(talk, 1u << XenbusStateReconfigured, 1u << XenbusStateClosing);
	return error < 0 ? error : talk_go_to(talk, XenbusStateConnected);
}

int netif_handshake_headroom(const struct netif_handshake_options *handshake, struct netif_frontend *frontend,
			     uint32_t headroom, char text[NET_FRONT_ERROR_MAX])
{
	struct talk talk;
	int error = begin(&talk, handshake, frontend->options.device_id, text);

	if (error < 0)
		return error;
	error = reconfigure(&talk, headroom);
	if (error == 0)
		frontend->options.xdp_headroom = headroom;
	talk_end(&talk);
	return error;
}

int netif_handshake_close(const struct netif_handshake_options *handshake, struct netif_frontend *frontend,
			  char text[NET_FRONT_ERROR_MAX])
{
	struct talk talk;
	uint32_t mapped;
	int error = begin(&talk, handshake, frontend->options.device_id, text);

	if (error == 0) {
		error = talk_close(&talk);
		talk_end(&talk);
	}
	mapped = netif_frontend_destroy(frontend);
	if (error == 0 && mapped > 0) {
		snprintf(text, NET_FRONT_ERROR_MAX, "the host has %" PRIu32 " grants mapped still", mapped);
		error = -EBUSY;
	}
	return error;
}
