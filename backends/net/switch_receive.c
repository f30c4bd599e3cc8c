// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * switch_receive.c - packets from the other ports to the guest
 *
 * Theory of operation: the rings of all peers that are busy are looked at in turn, some packets of each, and the guest is given the packets
 * where they lie, up to as many as the host takes in a turn. When all that were given are delivered, their records are given back, and the
 * rings are looked at again. A peer whose ring is empty then is asked to wake this port, and is not busy any more.
 *
 * What the guest has no room for stays in the rings, which fill up; then the other ports throw packets away. What stayed there for too long
 * is thrown away here. What the guest does not take is copied, and changed there.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "checksum.h"
#include "switch_internal.h"

#define PACKETS_AT_ONCE 16u		       /* of one peer, before the next one */
#define NO_ROOM_NS (UINT64_C(10) * 1000000000) /* so long a packet waits; at most twice as long */
#define DISCARDED_MAX 1024u /* in one turn: peers whose packets nobody can have must not hold up the loop */
#define BUFFER_BYTES 65536u /* of each packet */
#define SOURCE 6u	    /* where in a packet its source's MAC is */
#define CHECKSUMS (XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6)

_Static_assert(BUFFER_BYTES >= XVHOST_NET_BYTES_MAX, "a packet fits");

int switch_receive_init(struct switch_port *port, struct xvhost_net_queue *queue)
{
	struct switch_receive *receive = &port->receive;

	*receive = (struct switch_receive){0};
	/* Pages come into being when packets must be changed. */
	receive->buffers = mmap(NULL, SWITCH_RECEIVED_MAX * BUFFER_BYTES, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (receive->buffers == MAP_FAILED)
		return -ENOMEM;
	for (uint32_t i = 0; i < SWITCH_RECEIVED_MAX; i++)
		receive->packets[i] = (struct switch_packet){
			.packet.queue = queue,
			.buffer = (uint8_t *)receive->buffers + (size_t)i * BUFFER_BYTES,
		};
	return 0;
}

void switch_receive_free(struct switch_port *port)
{
	munmap(port->receive.buffers, SWITCH_RECEIVED_MAX * BUFFER_BYTES);
}

/* ---- making a packet that the guest takes ---- */

static struct switch_packet *next_packet(struct switch_receive *receive)
{
	return &receive->packets[receive->next % SWITCH_RECEIVED_MAX];
}

/* learn - behind whom the packet's source is. The memory is read once. */
static void learn(struct switch_port *port, struct switch_peer *peer, const struct switch_packet *packet)
{
	uint8_t source[6];
	uint64_t key;

	memcpy(source, (const uint8_t *)packet->piece.iov_base + SOURCE, sizeof(source));
	key = switch_table_key(source);
	if (source[0] & 1 || key == 0)
		return;
	/* The table may have another by now, which has said so later. */
	if (key == peer->last_source && switch_table_find(&port->table, key) == switch_number(port, peer))
		return;
	switch_table_learn(&port->table, key, switch_number(port, peer));
	peer->last_source = key;
}

/* use_buffer - the packet is to lie there. */
static void use_buffer(struct switch_packet *packet)
{
	packet->piece.iov_base = packet->buffer;
	packet->packet.iov = &packet->piece;
	packet->packet.iov_count = 1;
}

/* suit - make the packet one that this guest takes, or begin to cut it. False: it can't have it. */
static bool suit(struct switch_port *port, struct switch_packet *packet)
{
	const uint32_t takes = port->queue->guest_takes;
	struct switch_receive *receive = &port->receive;
	const void *from = packet->piece.iov_base;

	if (packet->packet.gso != XVHOST_GSO_NONE) {
		if (takes &
		    (packet->packet.gso == XVHOST_GSO_TCPV4 ? XVHOST_NET_GSO_TCPV4 : XVHOST_NET_GSO_TCPV6))
			return true;
		if (!segment_begin(&receive->segment, &packet->packet))
			return false;
		receive->cut = packet->peer;
		use_buffer(packet);
		return segment_next(&receive->segment, &packet->packet);
	}
	if (!(packet->packet.flags & XVHOST_PACKET_CHECKSUM_BLANK) || (takes & CHECKSUMS) == CHECKSUMS)
		return true;
	memcpy(packet->buffer, from, packet->packet.length);
	use_buffer(packet);
	return fill_checksum(&packet->packet);
}

/* prepare_segment - the next one of a packet that is being cut. */
static bool prepare_segment(struct switch_port *port, struct switch_packet *packet)
{
	struct switch_receive *receive = &port->receive;

	packet->peer = receive->cut;
	use_buffer(packet);
	if (segment_next(&receive->segment, &packet->packet))
		return true;
	receive->cut = NULL;
	return false;
}

/* prepare - the next packet of this peer. False: there is none, or the peer is lost. */
static bool prepare(struct switch_port *port, struct switch_peer *peer, struct switch_packet *packet)
{
	for (;;) {
		int there;

		packet->peer = peer;
		there = switch_consumer_next(&peer->in, &packet->packet, &packet->piece);
		if (there < 0)
			switch_peer_lose(port, peer, "what is in its ring is not possible");
		if (there <= 0)
			return false;
		learn(port, peer, packet);
		if (suit(port, packet))
			return true;
		port->net->host->dropped(port->queue, 1);
		if (++port->receive.discarded == DISCARDED_MAX)
			return false;
	}
}

/* ---- giving ---- */

/* start_time - in which the guest is to give room. */
static void start_time(struct switch_port *port)
{
	struct switch_receive *receive = &port->receive;

	if (receive->timing)
		return;
	receive->timing = true;
	receive->refusals_seen = receive->refusals;
	port->net->host->wait(port->queue, port->queue->packets_max + SWITCH_TIME, NO_ROOM_NS);
}

/* offer - the packet at `next`. False: the guest has no room. */
static bool offer(struct switch_port *port)
{
	struct switch_receive *receive = &port->receive;
	struct switch_packet *packet = next_packet(receive);

	if (port->net->host->receive(port->queue, &packet->packet)) {
		receive->kept = false;
		packet->peer->given++;
		receive->next++;
		return true;
	}
	receive->kept = true;
	receive->no_room = true;
	receive->refusals++;
	start_time(port);
	return false;
}

/* can_give - the guest takes more, and there is a packet to describe it by. */
static bool can_give(const struct switch_receive *receive)
{
	return !receive->no_room && receive->discarded < DISCARDED_MAX &&
	       receive->next - receive->first < SWITCH_RECEIVED_MAX;
}

/* give_some - of one peer. False: it has nothing more. */
static bool give_some(struct switch_port *port, struct switch_peer *peer)
{
	struct switch_receive *receive = &port->receive;

	for (uint32_t i = 0; i < PACKETS_AT_ONCE && can_give(receive); i++) {
		if (!prepare(port, peer, next_packet(receive)))
			return false;
		/* One that was begun to be cut goes before all others. */
		offer(port);
		if (receive->cut)
			return true;
	}
	return true;
}

/* give_begun - what was refused, and the rest of what is being cut. */
static void give_begun(struct switch_port *port)
{
	struct switch_receive *receive = &port->receive;

	if (receive->kept && can_give(receive))
		offer(port);
	while (receive->cut && can_give(receive) && prepare_segment(port, next_packet(receive)))
		offer(port);
}

/* give_all - of all peers that are busy, in turn, as much as the guest takes. */
static void give_all(struct switch_port *port)
{
	struct switch_receive *receive = &port->receive;
	uint32_t empty = 0;

	give_begun(port);
	while (empty < port->peers_end && can_give(receive)) {
		struct switch_peer *peer = &port->peers[receive->turn++ % port->peers_end];

		if (peer->busy && give_some(port, peer))
			empty = 0;
		else
			empty++;
		give_begun(port);
	}
}

/* give_back - the records of what was delivered: the guest has none of them. */
static void give_back(struct switch_port *port)
{
	struct switch_receive *receive = &port->receive;
	const struct switch_peer *kept = receive->kept ? next_packet(receive)->peer : NULL;

	for (uint32_t i = 0; i < port->peers_end; i++) {
		struct switch_peer *peer = &port->peers[i];

		if (peer->busy)
			switch_consumer_give_back(&peer->in, peer == kept || peer == receive->cut);
	}
}

/* sleep_all - let all busy peers wake this port. False: one has sent something meanwhile. */
static bool sleep_all(struct switch_port *port)
{
	bool asleep = true;

	for (uint32_t i = 0; i < port->peers_end; i++) {
		struct switch_peer *peer = &port->peers[i];
		uint32_t thrown_away;

		if (!peer->busy)
			continue;
		thrown_away = switch_consumer_thrown_away(&peer->in);
		if (thrown_away > 0)
			port->net->host->dropped(port->queue, thrown_away);
		peer->busy = !switch_consumer_sleep(&peer->in);
		asleep &= !peer->busy;
	}
	return asleep;
}

/* go_on_later - in the next turn: the loop has others to serve. The peers stay busy. */
static void go_on_later(struct switch_port *port)
{
	if (!port->receive.again)
		port->net->host->wait(port->queue, port->queue->packets_max + SWITCH_AGAIN, 1);
	port->receive.again = true;
}

void switch_receive_again(struct switch_port *port)
{
	port->receive.again = false;
	switch_receive(port);
}

void switch_receive(struct switch_port *port)
{
	struct switch_receive *receive = &port->receive;

	receive->discarded = 0;
	while (receive->first == receive->next) {
		give_back(port);
		if (receive->no_room || switch_is_stopping(port))
			return;
		give_all(port);
		if (receive->first != receive->next || receive->no_room)
			return;
		/* What nobody could have was taken, too. A full ring from which nothing comes any more would wake nobody. */
		give_back(port);
		if (receive->discarded >= DISCARDED_MAX) {
			go_on_later(port);
			return;
		}
		if (sleep_all(port))
			return;
	}
}

void switch_receive_forget(struct switch_port *port, const struct switch_peer *peer)
{
	struct switch_receive *receive = &port->receive;

	if (receive->kept && next_packet(receive)->peer == peer)
		receive->kept = false;
	if (receive->cut == peer)
		receive->cut = NULL;
}

/* throw_away - all that waits for the guest. */
static void throw_away(struct switch_port *port)
{
	struct switch_receive *receive = &port->receive;
	uint32_t count = receive->kept;

	receive->kept = false;
	receive->cut = NULL;
	for (uint32_t i = 0; i < port->peers_end; i++) {
		struct switch_peer *peer = &port->peers[i];
		struct xvhost_packet packet;
		struct iovec piece;
		int there = 1;

		while (peer->busy && there > 0) {
			there = switch_consumer_next(&peer->in, &packet, &piece);
			count += there > 0;
		}
		if (there < 0)
			switch_peer_lose(port, peer, "what is in its ring is not possible");
	}
	port->net->host->dropped(port->queue, count);
}

void switch_receive_time(struct switch_port *port)
{
	struct switch_receive *receive = &port->receive;

	receive->timing = false;
	if (!receive->no_room || switch_is_stopping(port))
		return;
	if (receive->refusals != receive->refusals_seen) {
		/* It has given room, and has refused another packet since. */
		start_time(port);
		return;
	}
	throw_away(port);
	/* What comes next is offered to the guest again. */
	receive->no_room = false;
	switch_receive(port);
}

void switch_room(struct xvhost_net_queue *queue)
{
	struct switch_port *port = queue->net->state;

	if (switch_is_stopping(port)) {
		switch_peers_close(port);
		return;
	}
	port->receive.no_room = false;
	switch_receive(port);
}

void switch_delivered(struct xvhost_packet *packet, int error)
{
	struct switch_packet *mine = (struct switch_packet *)(void *)packet;
	struct switch_port *port = packet->queue->net->state;
	struct switch_receive *receive = &port->receive;

	(void)error;
	assert(receive->first != receive->next &&
	       mine == &receive->packets[receive->first % SWITCH_RECEIVED_MAX]);
	receive->first++;
	mine->peer->given--;
	switch_peer_settle(port, mine->peer);
	switch_receive(port);
}
