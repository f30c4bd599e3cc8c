// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * switch.c - a network card that is a port of a switch among the cards of this host
 *
 * Theory of operation: each guest has a worker of its own, and nobody is in the middle. Each port has a ring of shared memory to and from
 * each other port (switch_ring.c), of which it learns when one of the two joins (switch_join.c, switch_peers.c). What the guest sends
 * is copied once, into the ring of the port behind which its destination is; and into all rings if that is not known, or if it is for many.
 * Behind which port a MAC is, is learned from what comes from there (switch_receive.c).
 *
 * A ring that is full takes no more: the packet is thrown away, and counted where its receiver sees it. So no guest can hold up another one.
 */
#include <errno.h>
#include <stdlib.h>

#include "switch_internal.h"

_Static_assert(SWITCH_OPERATIONS <= 256, "as many as a queue can have");

static const struct xvhost_parameter switch_parameters[] = {
	{
		.name = "name",
		.type = XVHOST_STRING,
		.offset = offsetof(struct switch_config, name),
		.help = "the switch's name, if not that of the toolstack's bridge",
	},
	{
		.name = "directory",
		.type = XVHOST_STRING,
		.offset = offsetof(struct switch_config, directory),
		.default_text = "/run/xvhost/switch",
		.help = "the folder in which the ports of all switches find each other",
	},
};

/* ---- control thread ---- */

static int switch_open(struct xvhost_net *net, const void *config, struct xvhost_net_properties *properties)
{
	struct switch_port *port = calloc(1, sizeof(*port));
	int error;

	if (!port) {
		net->host->fail(net, "no memory for backend switch");
		return -ENOMEM;
	}
	port->net = net;
	error = switch_join(port, config);
	if (error < 0) {
		free(port);
		return error;
	}
	net->state = port;
	properties->flags = XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6 | XVHOST_NET_GSO_TCPV4 |
			    XVHOST_NET_GSO_TCPV6;
	properties->queues_max = 1;
	properties->operations = SWITCH_OPERATIONS;
	return 0;
}

static void switch_close(struct xvhost_net *net)
{
	switch_leave(net->state);
	free(net->state);
}

/* ---- loop thread ---- */

static int switch_queue_start(struct xvhost_net_queue *queue)
{
	struct switch_port *port = queue->net->state;
	int error = switch_receive_init(port, queue);

	if (error < 0)
		return error;
	port->queue = queue;
	queue->state = port;
	switch_peers_start(port);
	return 0;
}

static void switch_queue_stop(struct xvhost_net_queue *queue)
{
	struct switch_port *port = queue->state;

	switch_receive_free(port);
	port->queue = NULL;
}

/* send_to - a copy of the packet. */
static void send_to(struct switch_port *port, struct switch_peer *peer, const struct xvhost_packet *packet)
{
	if (switch_producer_put(&peer->out, packet) == -EPROTO)
		switch_peer_lose(port, peer, "its position is not possible");
}

/* send_all - to each of them. */
static void send_all(struct switch_port *port, const struct xvhost_packet *packet)
{
	for (uint32_t i = 0; i < port->peers_end; i++)
		if (port->peers[i].state == SWITCH_PEER_JOINED)
			send_to(port, &port->peers[i], packet);
}

static void switch_transmit(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets,
			    uint32_t count)
{
	const struct xvhost_net_host *host = queue->net->host;
	struct switch_port *port = queue->state;

	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *destination = packets[i]->iov->iov_base;
		uint16_t number = SWITCH_TABLE_NONE;

		if (!(destination[0] & 1))
			number = switch_table_find(&port->table, switch_table_key(destination));
		if (number == SWITCH_TABLE_NONE)
			send_all(port, packets[i]);
		else
			send_to(port, &port->peers[number], packets[i]);
		host->transmitted(packets[i], 0);
	}
	for (uint32_t i = 0; i < port->peers_end; i++)
		if (port->peers[i].state == SWITCH_PEER_JOINED && switch_producer_show(&port->peers[i].out))
			switch_peer_ring(port, &port->peers[i]);
}

static void switch_io_done(struct xvhost_net_queue *queue, uint32_t number, int32_t result)
{
	struct switch_port *port = queue->state;
	uint32_t own = number - queue->packets_max;

	if (own == SWITCH_TIME)
		switch_receive_time(port);
	else if (own == SWITCH_AGAIN)
		switch_receive_again(port);
	else if (own >= SWITCH_RING)
		switch_peer_rung(port, &port->peers[own - SWITCH_RING], result);
	else if (switch_peer_read(port, &port->peers[own], result))
		switch_receive(port);
}

static void switch_ready(struct xvhost_net_queue *queue, uint32_t index, int32_t events)
{
	(void)index;
	(void)events;
	switch_peers_ready(queue->state);
}

static const struct xvhost_net_backend switch_backend = {
	.size = sizeof(switch_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "switch",
	.version = "1.0",
	.description = "a switch among the network cards of this host",
	.parameters = switch_parameters,
	.parameter_count = sizeof(switch_parameters) / sizeof(switch_parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct switch_config),
	.open = switch_open,
	.close = switch_close,
	.queue_start = switch_queue_start,
	.queue_stop = switch_queue_stop,
	.transmit = switch_transmit,
	.room = switch_room,
	.delivered = switch_delivered,
	.io_done = switch_io_done,
	.ready = switch_ready,
};

XVHOST_NET_BACKEND(switch_backend);
