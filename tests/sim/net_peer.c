// SPDX-License-Identifier: GPL-2.0-or-later
/* net_peer.c - a host of a network card, as small as can be, for tests of the guest's side */
#include "net_peer.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "rings/ring.h"

#define FAULT_FIRST 100u /* packets before the first that is treated wrongly */
#define FAULT_EVERY 50u

/* A packet on its way back. */
struct peer_packet {
	uint8_t bytes[XVHOST_NET_BYTES_MAX + 1];
	uint32_t length;
	uint16_t flags; /* NETTXF_... */
	uint16_t gso_bytes;
	uint8_t gso_type;
	bool dropped, repeated;
};

struct peer_queue {
	struct net_peer *peer;
	pthread_t thread;
	struct grants *grants;
	struct event_channels *channels;
	uint32_t tx_port, rx_port;
	struct ring tx, rx;
	void *tx_mapping, *rx_mapping;
	uint32_t headroom;
	uint64_t taken;
	struct peer_packet packets[3]; /* of one turn: PEER_OVERTAKES needs two */
};

struct net_peer {
	struct net_peer_options options;
	int stop_fd;
	uint32_t queue_count;
	struct peer_queue *queues[NET_QUEUES_MAX];
};

static void copy(struct peer_queue *queue, uint32_t gref, uint32_t offset, uint32_t length, bool to_guest,
		 void *own)
{
	struct grant_copy piece = {.gref = gref,
				   .offset = (uint16_t)offset,
				   .length = (uint16_t)length,
				   .to_guest = to_guest,
				   .own = own};
	const struct net_peer_options *options = &queue->peer->options;

	if (length == 0)
		return;
	ck_assert_int_eq(options->platform->grants_copy(queue->grants, options->domid, &piece, 1), 0);
	ck_assert_int_eq(piece.error, 0);
}

/* ---- from the guest ---- */

static void answer(struct peer_queue *queue, uint16_t id, int16_t status)
{
	const struct netif_tx_response response = {.id = id, .status = status};

	ring_answer(&queue->tx, &response, sizeof(response));
}

/* take_packet - and answer it. */
static void take_packet(struct peer_queue *queue, struct peer_packet *packet, int16_t status)
{
	struct netif_tx_request first, requests[NET_FRONT_SLOTS_MAX];
	uint32_t count = 0, extras = 0, at = 0;
	bool more;

	ring_take(&queue->tx, &first);
	requests[count++] = first;
	*packet = (struct peer_packet){.length = first.size, .flags = first.flags};
	for (more = first.flags & NETTXF_extra_info; more; extras++) {
		struct netif_extra_info extra[2];

		ring_take(&queue->tx, extra);
		more = extra->flags & XEN_NETIF_EXTRA_FLAG_MORE;
		packet->gso_bytes = extra->u.gso.size;
		packet->gso_type = extra->u.gso.type;
	}
	while (requests[count - 1].flags & NETTXF_more_data) {
		ck_assert_uint_lt(count, NET_FRONT_SLOTS_MAX);
		ring_take(&queue->tx, &requests[count]);
		requests[0].size = (uint16_t)(requests[0].size - requests[count++].size);
	}
	for (uint32_t i = 0; i < count; i++) {
		copy(queue, requests[i].gref, requests[i].offset, requests[i].size, false,
		     packet->bytes + at);
		at += requests[i].size;
	}
	ck_assert_uint_eq(at, first.size);
	for (uint32_t i = 0; i < count; i++)
		answer(queue, requests[i].id, status);
	while (extras-- > 0)
		answer(queue, 0, NETIF_RSP_NULL);
}

/* ---- to the guest ---- */

static void give_extra(struct peer_queue *queue, const struct peer_packet *packet)
{
	struct netif_extra_info extra = {.type = XEN_NETIF_EXTRA_TYPE_GSO};
	struct netif_rx_request request;

	extra.u.gso.size = packet->gso_bytes;
	extra.u.gso.type = packet->gso_type;
	ring_take(&queue->rx, &request);
	ring_answer(&queue->rx, &extra, sizeof(extra));
}

static void give_packet(struct peer_queue *queue, struct peer_packet *packet)
{
	uint32_t at = 0;

	while (at < packet->length) {
		uint32_t offset = queue->headroom, here = PAGE_BYTES - offset;
		struct netif_rx_response response = {.offset = (uint16_t)offset};
		struct netif_rx_request request;

		ring_take(&queue->rx, &request);
		response.id = request.id;
		if (here > packet->length - at)
			here = packet->length - at;
		copy(queue, request.gref, offset, here, true, packet->bytes + at);
		response.status = (int16_t)here;
		if (at == 0 && packet->flags & NETTXF_csum_blank)
			response.flags |= NETRXF_csum_blank;
		if (at == 0 && packet->flags & NETTXF_data_validated)
			response.flags |= NETRXF_data_validated;
		if (at == 0 && packet->gso_bytes)
			response.flags |= NETRXF_extra_info;
		if (at + here < packet->length)
			response.flags |= NETRXF_more_data;
		ring_answer(&queue->rx, &response, sizeof(response));
		if (at == 0 && packet->gso_bytes)
			give_extra(queue, packet);
		at += here;
	}
}

/* ---- a turn ---- */

/* fill - a blank checksum, in the slowest way: byte by byte, from what the packet says of itself. */
static void fill(struct peer_packet *packet, uint16_t change)
{
	bool v6 = packet->bytes[12] == 0x86;
	uint32_t start = v6 ? 54 : 34, protocol = packet->bytes[v6 ? 20 : 23];
	uint32_t field = start + (protocol == 17 ? 6 : 16), total = 0;

	for (uint32_t i = start; i < packet->length; i++)
		total += i % 2 == start % 2 ? (uint32_t)packet->bytes[i] << 8 : packet->bytes[i];
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	total = ~total & 0xffff;
	if (protocol == 17 && total == 0)
		total = 0xffff;
	total ^= change;
	packet->bytes[field] = (uint8_t)(total >> 8);
	packet->bytes[field + 1] = (uint8_t)total;
	packet->flags &= (uint16_t)~NETTXF_csum_blank;
}

/* spoil - one that is due. Returns false if this packet can't be treated so: then it is the next one's turn. */
static bool spoil(struct peer_packet *packet, enum net_peer_fault fault)
{
	bool blank = packet->flags & NETTXF_csum_blank && packet->gso_bytes == 0;

	switch (fault) {
	case PEER_DROPS:
	case PEER_REFUSES:
		packet->dropped = true;
		return true;
	case PEER_REPEATS:
		packet->repeated = true;
		return true;
	case PEER_CHANGES_BYTE:
		packet->bytes[packet->length - 1] ^= 1;
		return true;
	case PEER_CUTS:
		packet->length -= packet->length > XVHOST_NET_BYTES_MIN;
		return true;
	case PEER_FORGETS_BLANK:
		packet->flags &= (uint16_t) ~(blank ? NETTXF_csum_blank : 0);
		return blank;
	case PEER_FILLS_WRONG:
		if (blank)
			fill(packet, 0x0100);
		return blank;
	case PEER_FORGETS_GSO:
		packet->gso_bytes = 0;
		return packet->length > 1514;
	case PEER_SAYS_GOOD:
		blank = packet->flags & NETTXF_data_validated;
		packet->flags |= NETTXF_data_validated;
		return !blank;
	default:
		return true;
	}
}

/* due - is the next packet to be treated wrongly? */
static bool due(const struct peer_queue *queue)
{
	return queue->peer->options.fault != PEER_RIGHT && queue->taken >= FAULT_FIRST &&
	       queue->taken % FAULT_EVERY == 0;
}

/* room - has the guest posted pages for as many packets of any length as a turn may give: two, by a host that repeats or overtakes? */
static bool room(const struct peer_queue *queue)
{
	uint32_t producer;

	return ring_pending(&queue->rx, &producer) >= 2 * ((int)NET_FRONT_SLOTS_MAX + 1);
}

static bool pending(const struct peer_queue *queue)
{
	uint32_t producer;

	return ring_pending(&queue->tx, &producer) > 0;
}

static void notify(const struct peer_queue *queue, uint32_t port)
{
	ck_assert_int_eq(queue->peer->options.platform->event_channels_notify(queue->channels, port), 0);
}

/* linger - the guest has the answer for what it sent, and nothing comes back. */
static void linger(struct peer_queue *queue)
{
	struct ring_publication shown;

	if (ring_hand_over(&queue->tx, &shown) && ring_show(&shown))
		notify(queue, queue->tx_port);
	usleep(PEER_LINGERS_MS * 1000);
}

/* take_next - a packet there and back. */
static void take_next(struct peer_queue *queue)
{
	struct peer_packet *packet = &queue->packets[0], *kept = &queue->packets[1];
	enum net_peer_fault fault = queue->peer->options.fault;
	bool wrong = due(queue);

	take_packet(queue, packet, wrong && fault == PEER_REFUSES ? NETIF_RSP_ERROR : NETIF_RSP_OKAY);
	queue->taken++;
	if (wrong && fault == PEER_OVERTAKES) {
		*kept = *packet;
		return;
	}
	if (wrong && fault == PEER_LINGERS)
		linger(queue);
	if (wrong && !spoil(packet, fault))
		queue->taken--;
	if (packet->flags & NETTXF_csum_blank && queue->peer->options.fill && packet->gso_bytes == 0)
		fill(packet, 0);
	if (packet->dropped)
		return;
	give_packet(queue, packet);
	if (packet->repeated)
		give_packet(queue, packet);
	if (kept->length > 0)
		give_packet(queue, kept);
	kept->length = 0;
}

static bool stopped(const struct peer_queue *queue)
{
	return queue->peer->options.fault == PEER_STOPS && queue->taken >= FAULT_FIRST;
}

static void turn(struct peer_queue *queue)
{
	struct ring_publication shown;
	uint32_t count = 0;

	while (!stopped(queue) && count++ < 8 && pending(queue) && room(queue))
		take_next(queue);
	if (ring_hand_over(&queue->tx, &shown) && ring_show(&shown))
		notify(queue, queue->tx_port);
	if (ring_hand_over(&queue->rx, &shown) && ring_show(&shown))
		notify(queue, queue->rx_port);
}

/* wait_for_guest - false when the peer is to stop. */
static bool wait_for_guest(struct peer_queue *queue)
{
	const struct platform *platform = queue->peer->options.platform;
	struct pollfd polled[2] = {{.fd = platform->event_channels_fd(queue->channels), .events = POLLIN},
				   {.fd = queue->peer->stop_fd, .events = POLLIN}};
	uint32_t ports[16];
	ssize_t length;

	ck_assert_int_ge(poll(polled, 2, -1), 0);
	if (polled[1].revents)
		return false;
	length = read(polled[0].fd, ports, sizeof(ports));
	ck_assert_int_gt(length, 0);
	ck_assert_int_eq(write(polled[0].fd, ports, (size_t)length), length);
	return true;
}

/* ask - to be notified of packets, and of pages beyond those that there are. Returns whether there is something to do. */
static bool ask(struct peer_queue *queue)
{
	uint32_t producer;

	ring_ask_notification(&queue->tx);
	ring_pending(&queue->rx, &producer);
	__atomic_store_n(&queue->rx.header->request_event, producer + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return pending(queue) && room(queue);
}

static void *run(void *argument)
{
	struct peer_queue *queue = argument;

	do {
		do
			turn(queue);
		while (!stopped(queue) && ask(queue));
	} while (wait_for_guest(queue));
	return NULL;
}

/* ---- made and unmade ---- */

static void *map_ring(struct peer_queue *queue, const struct net_ring *guests, struct ring *ring)
{
	const struct net_peer_options *options = &queue->peer->options;
	void *page, *mapping;

	ck_assert_int_eq(options->platform->grants_map(queue->grants, options->domid, &guests->gref, 1, true,
						       true, &page, &mapping),
			 0);
	ck_assert_int_eq(ring_attach(ring, page, PAGE_BYTES, guests->entry_bytes), 0);
	return mapping;
}

static uint32_t bind_port(struct peer_queue *queue, uint32_t port)
{
	const struct net_peer_options *options = &queue->peer->options;
	int bound = options->platform->event_channels_bind(queue->channels, options->domid, port);

	ck_assert_int_gt(bound, 0);
	return (uint32_t)bound;
}

static void start_queue(struct net_peer *peer, const struct net_front_queue *from,
			const struct net_front_queue *to)
{
	const struct platform *platform = peer->options.platform;
	struct peer_queue *queue = calloc(1, sizeof(*queue));

	ck_assert_ptr_nonnull(queue);
	peer->queues[peer->queue_count++] = queue;
	queue->peer = peer;
	queue->headroom = to->frontend->options.xdp_headroom;
	ck_assert_int_eq(platform->grants_open(platform, &queue->grants), 0);
	ck_assert_int_eq(platform->event_channels_open(platform, &queue->channels), 0);
	queue->tx_mapping = map_ring(queue, &from->tx, &queue->tx);
	queue->rx_mapping = map_ring(queue, &to->rx, &queue->rx);
	queue->tx_port = queue->rx_port = bind_port(queue, from->tx_port);
	if (to->rx_port != from->tx_port)
		queue->rx_port = bind_port(queue, to->rx_port);
	ck_assert_int_eq(pthread_create(&queue->thread, NULL, run, queue), 0);
}

struct net_peer *net_peer_start(const struct net_peer_options *options, const struct netif_frontend *from,
				const struct netif_frontend *to)
{
	struct net_peer *peer = calloc(1, sizeof(*peer));

	ck_assert_ptr_nonnull(peer);
	peer->options = *options;
	peer->stop_fd = eventfd(0, EFD_CLOEXEC);
	ck_assert_int_ge(peer->stop_fd, 0);
	for (uint32_t i = 0; i < from->queue_count; i++)
		start_queue(peer, from->queues[i], to->queues[i]);
	return peer;
}

void net_peer_stop(struct net_peer *peer)
{
	const struct platform *platform = peer->options.platform;
	const uint64_t one = 1;

	ck_assert_int_eq(write(peer->stop_fd, &one, sizeof(one)), sizeof(one));
	for (uint32_t i = 0; i < peer->queue_count; i++) {
		struct peer_queue *queue = peer->queues[i];

		pthread_join(queue->thread, NULL);
		ck_assert_int_eq(platform->grants_unmap(queue->grants, queue->tx_mapping, 1), 0);
		ck_assert_int_eq(platform->grants_unmap(queue->grants, queue->rx_mapping, 1), 0);
		platform->event_channels_close(queue->channels);
		platform->grants_close(queue->grants);
		free(queue);
	}
	close(peer->stop_fd);
	free(peer);
}
