// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * frontend_net.c - the rings that a network card's frontend describes in xenstore
 *
 * Theory of operation (netif.h of Xen, and what netback makes of it): each queue has a pair of rings of one page, in `tx-ring-ref` and
 * `rx-ring-ref`, and either one event channel for both, in `event-channel`, or one for each, in `event-channel-tx` and
 * `event-channel-rx`. With more than one queue, by `multi-queue-num-queues`, they are in a directory for each, `queue-0` and so on.
 *
 * What the guest takes: TCP and UDP over IPv4 without a checksum unless it says `feature-no-csum-offload`, all else if it says so. A
 * packet that is to be cut into segments has no checksum and comes in many pieces, so it goes to those only that take both
 * (`feature-sg`).
 *
 * A frontend must ask for its packets to be copied (`request-rx-copy`), since giving it pages of ours is a thing of the past. One
 * that does not notify when it has given room (`feature-rx-notify`) is served, too: its ring is looked at now and then.
 *
 * It may have a control ring, of one page, in `ctrl-ring-ref`, with an event channel in `event-channel-ctrl`.
 *
 * What the configuration says is only offered. A frontend may have taken an earlier offer, of an xvhostd with another configuration,
 * so all that can be served is read. Each node is read once.
 */
#include "daemon/frontend_net.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/frontend_node.h"
#include "xvhost/backend.h"

/* A feature that a frontend can have, and what the guest takes with it. In the order in which one needs the other. */
struct feature {
	const char *name;
	uint32_t takes; /* XVHOST_NET_... */
	bool inverted;	/* it takes that without the feature */
	uint32_t needs; /* only with these, and if it takes packets in pieces */
};

static const struct feature features[] = {
	{"feature-no-csum-offload", XVHOST_NET_CHECKSUM_IPV4, true, 0},
	{"feature-ipv6-csum-offload", XVHOST_NET_CHECKSUM_IPV6, false, 0},
	{"feature-gso-tcpv4", XVHOST_NET_GSO_TCPV4, false, XVHOST_NET_CHECKSUM_IPV4},
	{"feature-gso-tcpv6", XVHOST_NET_GSO_TCPV6, false, XVHOST_NET_CHECKSUM_IPV6},
};

#define FEATURE_COUNT (sizeof(features) / sizeof(features[0]))

/* read_must - a node that must be there and 1; `why` says what for. */
static int read_must(struct frontend_reading *reading, const char *name, const char *why)
{
	uint32_t value = 0;
	int error = frontend_read_number(reading, name, 0, 1, &value);

	if (error < 0 && error != -ENOENT)
		return error;
	if (value == 1)
		return 0;
	return frontend_refuse(reading, -EOPNOTSUPP, "frontend node %s is %s; it must be 1: %s", name,
			       error == -ENOENT ? "missing" : "0", why);
}

/* read_event_channels - of the queue whose directory `prefix` names: split, or one for both. */
static int read_event_channels(struct frontend_reading *reading, const char *prefix,
			       struct message_net_queue *queue)
{
	char name[NODE_NAME_MAX];
	int error;

	snprintf(name, sizeof(name), "%sevent-channel-tx", prefix);
	error = frontend_read_number(reading, name, 1, EVENT_CHANNEL_MAX, &queue->event_channel_tx);
	if (error == 0)
		return frontend_read_queue_node(reading, prefix, "event-channel-rx", 1, EVENT_CHANNEL_MAX,
						&queue->event_channel_rx);
	if (error != -ENOENT)
		return error;
	error = frontend_read_queue_node(reading, prefix, "event-channel", 1, EVENT_CHANNEL_MAX,
					 &queue->event_channel_tx);
	queue->event_channel_rx = queue->event_channel_tx;
	return error;
}

/* read_queue - one queue's rings and event channels. */
static int read_queue(struct frontend_reading *reading, const char *prefix, struct message_net_queue *queue)
{
	int error = frontend_read_queue_node(reading, prefix, "tx-ring-ref", 0, UINT32_MAX,
					     &queue->tx_ring_ref);

	if (error == 0)
		error = frontend_read_queue_node(reading, prefix, "rx-ring-ref", 0, UINT32_MAX,
						 &queue->rx_ring_ref);
	if (error == 0)
		error = read_event_channels(reading, prefix, queue);
	return error;
}

/* read_queues - all of them. */
static int read_queues(struct frontend_reading *reading, struct message_net_connect *connect)
{
	char prefix[QUEUE_PREFIX_MAX] = "";
	int error;

	connect->queue_count = 1;
	error = frontend_read_number(reading, "multi-queue-num-queues", 1, NET_QUEUES_MAX,
				     &connect->queue_count);
	if (error == -ENOENT)
		error = 0;
	for (uint32_t i = 0; i < connect->queue_count && error == 0; i++) {
		if (connect->queue_count > 1)
			snprintf(prefix, sizeof(prefix), "queue-%" PRIu32 "/", i);
		error = read_queue(reading, prefix, &connect->queues[i]);
	}
	return error;
}

/* read_control - the control ring, if there is one. */
static int read_control(struct frontend_reading *reading, struct message_net_connect *connect)
{
	int error = frontend_read_number(reading, "ctrl-ring-ref", 0, UINT32_MAX, &connect->ctrl_ring_ref);

	if (error == -ENOENT)
		return 0;
	if (error == 0)
		error = frontend_read_needed(reading, "event-channel-ctrl", 1, EVENT_CHANNEL_MAX,
					     &connect->event_channel_ctrl);
	connect->ctrl = error == 0;
	return error;
}

/* read_features - what the guest takes. */
static int read_features(struct frontend_reading *reading, struct message_net_connect *connect)
{
	bool notifies;
	int error = frontend_read_flag(reading, "feature-rx-notify", &notifies);

	if (error == 0)
		error = frontend_read_flag(reading, "feature-sg", &connect->scatter);
	connect->silent = error == 0 && !notifies;

	for (size_t i = 0; i < FEATURE_COUNT && error == 0; i++) {
		const struct feature *feature = &features[i];
		bool may = (connect->guest_takes & feature->needs) == feature->needs &&
			   (feature->needs == 0 || connect->scatter);
		bool flag;

		error = frontend_read_flag(reading, feature->name, &flag);
		if (may && flag != feature->inverted)
			connect->guest_takes |= feature->takes;
	}
	return error;
}

int frontend_net_read_multicast(const struct host *host, const char *directory,
				struct message_net_settings *settings, char text[ERROR_TEXT_MAX])
{
	struct frontend_reading reading = {.host = host, .directory = directory, .text = text};
	bool control;
	int error = frontend_read_flag(&reading, "request-multicast-control", &control);

	if (error == 0)
		settings->multicast_control = control;
	return error;
}

int frontend_net_read_headroom(const struct host *host, const char *directory,
			       struct message_net_settings *settings, char text[ERROR_TEXT_MAX])
{
	struct frontend_reading reading = {.host = host, .directory = directory, .text = text};
	uint32_t headroom = 0;
	int error = frontend_read_number(&reading, "xdp-headroom", 0, NET_XDP_HEADROOM_MAX, &headroom);

	if (error == -ENOENT)
		error = 0;
	if (error == 0)
		settings->xdp_headroom = headroom;
	return error;
}

int frontend_net_read(const struct host *host, const char *directory, struct message_net_connect *connect,
		      char text[ERROR_TEXT_MAX])
{
	struct frontend_reading reading = {.host = host, .directory = directory, .text = text};
	int error;

	text[0] = '\0';
	error = read_must(&reading, "request-rx-copy", "packets are copied into the guest's pages");
	if (error == 0)
		error = read_queues(&reading, connect);
	if (error == 0)
		error = read_control(&reading, connect);
	if (error == 0)
		error = read_features(&reading, connect);
	if (error == 0)
		error = frontend_net_read_multicast(host, directory, &connect->settings, text);
	if (error == 0)
		error = frontend_net_read_headroom(host, directory, &connect->settings, text);
	return error;
}
