// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netif_receive.c - packets for the guest
 *
 * The slots of a packet are taken from the rx ring when it is received, and all of them are answered in the ring's order: each response
 * lies in the slot of its request, which is what frontends rely on. The first slot is followed by extra infos, for GSO and for the hash,
 * which take a slot each, too; what their pages would have held stays unused.
 *
 * With a hash (netif_hash.h) a packet goes into the rings of the queue that the guest wants. To the backend it belongs to the queue
 * that it was given to: there it waits for room, and packets are given back there in the order in which they came.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <xen/io/netif.h>

#include "rings/net_packet.h"
#include "rings/netif_internal.h"
#include "rings/netif_multicast.h"

/* Where in a packet of a backend's the next bytes are. */
struct reader {
	const struct iovec *iov;
	size_t offset;
};

/* next_piece - up to `bytes` that lie together; there is at least one more byte. */
static uint8_t *next_piece(struct reader *reader, uint32_t *bytes)
{
	uint8_t *piece;
	size_t left;

	while ((left = reader->iov->iov_len - reader->offset) == 0) {
		reader->iov++;
		reader->offset = 0;
	}
	piece = (uint8_t *)reader->iov->iov_base + reader->offset;
	if (left < *bytes)
		*bytes = (uint32_t)left;
	reader->offset += *bytes;
	return piece;
}

static void read_bytes(struct reader *reader, uint8_t *to, uint32_t bytes)
{
	while (bytes > 0) {
		uint32_t piece = bytes;
		const uint8_t *from = next_piece(reader, &piece);

		memcpy(to, from, piece);
		to += piece;
		bytes -= piece;
	}
}

/* ---- taking ---- */

/* is_filtered - a multicast packet that the guest has not asked for. */
static bool is_filtered(const struct netif_queue *queue, const struct xvhost_packet *packet)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct reader reader = {.iov = packet->iov};
	uint8_t address[6];

	if (!queue->multicast_control)
		return false;
	read_bytes(&reader, address, sizeof(address));
	return address[0] & 1 && memcmp(address, broadcast, sizeof(address)) != 0 &&
	       !netif_multicast_has(queue->multicast, address);
}

/* check - 0, or why the guest can't get it however many slots there are. */
static int check(const struct netif_queue *queue, const struct xvhost_packet *packet)
{
	int error = net_packet_check(packet, queue->layers[0].seen.guest_takes);

	if (error < 0)
		return error;
	return is_filtered(queue, packet) ? -EADDRNOTAVAIL : 0;
}

/* want_room - there is no room in `queue` for what the backend of `from` has. */
static bool want_room(struct netif_queue *from, struct netif_queue *queue, bool at_once)
{
	from->room_wanted = true;
	from->room_at_once = at_once;
	from->room_asked = false;
	from->room_producer = queue->rx_known;
	from->room_ring = &queue->rx;
	from->room_changes = from->hash ? from->hash->changes : 0;
	return false;
}

/* has_slots - has the guest given so many to `queue`? May find the ring broken. */
static bool has_slots(struct netif_queue *from, struct netif_queue *queue, uint32_t needed)
{
	uint32_t producer;

	if (queue->rx_known - queue->rx.request_consumer >= needed)
		return true;
	if (ring_pending(&queue->rx, &producer) < 0) {
		netif_break_counter(queue, &queue->rx, producer);
		return false;
	}
	queue->rx_known = producer;
	return producer - queue->rx.request_consumer >= needed || want_room(from, queue, false);
}

/* take_slots - copy them, and look at the copies only. */
static void take_slots(struct netif_queue *queue, struct netif_batch *batch, uint32_t data_count,
		       uint32_t extra_count)
{
	netif_rx_request_t request;

	static_assert(sizeof(request) == sizeof(union netif_rx_sring_entry), "ring_take_bytes");
	for (uint32_t i = 0; i < data_count + extra_count; i++) {
		ring_take_bytes(&queue->rx, &request, sizeof(union netif_rx_sring_entry));
		batch->ids[batch->id_count++] = request.id;
		if (i == 0 || i > extra_count)
			batch->grefs[batch->data_count++] = request.gref;
	}
}

/* can_receive - is the queue served? */
static bool can_receive(const struct netif_queue *queue)
{
	return queue->started && !queue->released && !queue->broken;
}

/* steer - the packet's hash, and the queue that it goes to; NULL: it is not served, and the others won't be for long. */
static struct netif_queue *steer(struct netif_queue *from, const struct xvhost_packet *packet,
				 struct netif_hash_value *hash)
{
	struct reader reader = {.iov = packet->iov};
	uint32_t bytes = packet->length < NETIF_HEADER_BYTES ? packet->length : NETIF_HEADER_BYTES;
	uint8_t headers[NETIF_HEADER_BYTES];
	struct netif_queue *queue;

	read_bytes(&reader, headers, bytes);
	*hash = netif_hash_packet(from->hash, headers, bytes);
	if (!hash->there)
		return from;
	queue = from->hash->queues[netif_hash_queue(from->hash, hash->value)];
	return queue && can_receive(queue) ? queue : NULL;
}

/* receive - into the batch of `queue`, which has room for it. */
static struct netif_delivery *receive(struct netif_queue *queue, struct xvhost_packet *packet, int error,
				      uint32_t data_count, uint32_t extra_count)
{
	struct netif_batch *batch = &queue->batches[queue->batch];
	struct netif_delivery *delivery = &batch->deliveries[batch->count++];

	delivery->seen = packet;
	delivery->error = error;
	delivery->headroom = queue->headroom;
	delivery->extra_count = (uint8_t)extra_count;
	delivery->first_id = (uint16_t)batch->id_count;
	delivery->first_data = (uint16_t)batch->data_count;
	delivery->data_count = error == 0 ? (uint8_t)data_count : 0;
	if (error == 0)
		take_slots(queue, batch, data_count, extra_count);
	netif_add_finished(queue);
	return delivery;
}

bool netif_receive(struct xvhost_net_queue *seen, struct xvhost_packet *packet)
{
	struct netif_layer *layer = netif_layer_of(seen);
	struct netif_queue *from = layer->queue, *queue = from;
	struct netif_hash_value hash = {0};
	uint32_t slot_bytes, data_count, extra_count;
	struct netif_delivery *delivery;
	int error;

	if (!can_receive(from))
		return false;
	if (netif_is_below(layer))
		return netif_offer(layer, packet);
	error = check(from, packet);
	if (from->hash) {
		if (from->orders[from->batch].count == NETIF_RECEIVED_MAX)
			return want_room(from, from, true);
		if (error == 0 && netif_hash_on(from->hash))
			queue = steer(from, packet, &hash);
		if (!queue)
			return false;
	}
	if (queue->batches[queue->batch].count == NETIF_RECEIVED_MAX)
		return want_room(from, queue, true);
	slot_bytes = PAGE_BYTES - queue->headroom;
	data_count = (packet->length + slot_bytes - 1) / slot_bytes;
	if (error == 0 && data_count > 1 && !queue->scatter)
		error = -EMSGSIZE;
	extra_count = (uint32_t)(packet->gso != XVHOST_GSO_NONE) + hash.there;
	if (error == 0 && !has_slots(from, queue, data_count + extra_count))
		return false;
	delivery = receive(queue, packet, error, data_count, extra_count);
	if (from->hash) {
		struct netif_order *order = &from->orders[from->batch];

		delivery->hash = hash;
		order->deliveries[order->count++] = delivery;
		netif_add_finished(from);
	}
	return true;
}

void netif_dropped(struct xvhost_net_queue *queue, uint32_t count)
{
	netif_queue_of(queue)->counters.rx_dropped += count;
}

bool netif_room_due(const struct netif_queue *queue)
{
	return queue->room_wanted &&
	       (queue->room_at_once || (queue->hash && queue->hash->changes != queue->room_changes) ||
		__atomic_load_n(&queue->room_ring->header->request_producer, __ATOMIC_ACQUIRE) !=
			queue->room_producer);
}

bool netif_ask_room(struct netif_queue *queue)
{
	if (!queue->room_wanted)
		return false;
	if (!queue->room_asked) {
		ring_ask_more(queue->room_ring, queue->room_producer);
		queue->room_asked = true;
	}
	return netif_room_due(queue);
}

uint64_t netif_room_wait_ns(const struct netif_queue *queue)
{
	return queue->silent && queue->room_wanted ? NETIF_ROOM_WAIT_NS : 0;
}

/* ---- bringing them to the guest ---- */

static uint32_t slot_bytes_of(const struct netif_delivery *delivery)
{
	return PAGE_BYTES - delivery->headroom;
}

static void collect_mapping(struct netif_queue *queue, struct netif_batch *batch,
			    struct netif_delivery *delivery)
{
	struct netif_turn *turn = queue->turn;

	delivery->mapping = (struct memory_mapping){
		.grefs = batch->grefs + delivery->first_data,
		.count = delivery->data_count,
		.writable = true,
		.cached = queue->cached,
		.sharer = queue,
		.pages = batch->pages + delivery->first_data,
	};
	turn->mappings[turn->mapping_count++] = &delivery->mapping;
}

/* collect_copies - a piece ends where the slot does, or the backend's iovec. */
static void collect_copies(struct netif_turn *turn, const struct netif_batch *batch,
			   const struct netif_delivery *delivery)
{
	struct reader reader = {.iov = delivery->seen->iov};
	uint32_t left = delivery->seen->length, room = slot_bytes_of(delivery), used = 0;
	uint32_t slot = delivery->first_data;

	while (left > 0) {
		uint32_t bytes = left < room - used ? left : room - used;
		uint8_t *own = next_piece(&reader, &bytes);

		turn->copies[turn->copy_count++] = (struct grant_copy){
			.gref = batch->grefs[slot],
			.offset = (uint16_t)(delivery->headroom + used),
			.length = (uint16_t)bytes,
			.to_guest = true,
			.own = own,
		};
		left -= bytes;
		used += bytes;
		if (used == room) {
			used = 0;
			slot++;
		}
	}
}

void netif_receive_collect(struct netif_queue *queue)
{
	struct netif_batch *batch = &queue->batches[queue->batch];

	queue->batch ^= 1;
	assert(queue->batches[queue->batch].count == 0);
	assert(!queue->hash || queue->orders[queue->batch].count == 0);
	for (uint32_t i = 0; i < batch->count; i++) {
		struct netif_delivery *delivery = &batch->deliveries[i];
		uint32_t before = queue->turn->copy_count;

		if (delivery->data_count == 0)
			continue;
		if (queue->map_rx)
			collect_mapping(queue, batch, delivery);
		else
			collect_copies(queue->turn, batch, delivery);
		delivery->copy_count = queue->turn->copy_count - before;
	}
}

const struct grant_copy *netif_receive_copied(struct netif_queue *queue, const struct grant_copy *copies)
{
	struct netif_batch *batch = &queue->batches[queue->batch ^ 1];

	for (uint32_t i = 0; i < batch->count; i++) {
		struct netif_delivery *delivery = &batch->deliveries[i];

		if (delivery->data_count == 0)
			continue;
		for (uint32_t k = 0; k < delivery->copy_count; k++, copies++)
			if (copies->error < 0)
				delivery->error = copies->error;
	}
	return copies;
}

void netif_receive_fill(struct netif_delivery *delivery)
{
	struct reader reader = {.iov = delivery->seen->iov};
	uint32_t left = delivery->seen->length, room = slot_bytes_of(delivery);

	for (uint32_t i = 0; i < delivery->mapping.count; i++) {
		uint32_t bytes = left < room ? left : room;

		read_bytes(&reader, (uint8_t *)delivery->mapping.pages[i] + delivery->headroom, bytes);
		left -= bytes;
	}
}

/* ---- answering ---- */

/* put_gso - the extra info, in the place of a response. */
static void put_gso(struct netif_queue *queue, const struct xvhost_packet *packet, bool more)
{
	const netif_extra_info_t extra = {
		.type = XEN_NETIF_EXTRA_TYPE_GSO,
		.flags = more ? XEN_NETIF_EXTRA_FLAG_MORE : 0,
		.u.gso = {.size = packet->gso_bytes,
			  .type = packet->gso == XVHOST_GSO_TCPV4 ? XEN_NETIF_GSO_TYPE_TCPV4
								  : XEN_NETIF_GSO_TYPE_TCPV6},
	};

	ring_answer(&queue->rx, &extra, sizeof(extra));
}

/* put_hash - the same of a hash, whose bytes begin with the least. */
static void put_hash(struct netif_queue *queue, const struct netif_hash_value *hash)
{
	const uint32_t value = hash->value;
	const netif_extra_info_t extra = {
		.type = XEN_NETIF_EXTRA_TYPE_HASH,
		.u.hash = {.type = hash->type,
			   .algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ,
			   .value = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
				     (uint8_t)(value >> 24)}},
	};

	ring_answer(&queue->rx, &extra, sizeof(extra));
}

/* put_extras - all that a packet has. */
static void put_extras(struct netif_queue *queue, const struct netif_delivery *delivery)
{
	bool gso = delivery->seen->gso != XVHOST_GSO_NONE;

	if (gso)
		put_gso(queue, delivery->seen, delivery->extra_count > 1);
	if (delivery->extra_count > gso)
		put_hash(queue, &delivery->hash);
}

/* first_flags - of the first slot's response, apart from those that say what follows. */
static uint16_t first_flags(const struct xvhost_packet *packet)
{
	if (packet->flags & XVHOST_PACKET_CHECKSUM_BLANK)
		return NETRXF_csum_blank | NETRXF_data_validated;
	return packet->flags & XVHOST_PACKET_CHECKSUM_GOOD ? NETRXF_data_validated : 0;
}

/* answer - all slots of a packet. One that could not be delivered looks the same but for the status, so that the frontend finds its
 * end. */
static void answer(struct netif_queue *queue, const struct netif_batch *batch,
		   const struct netif_delivery *delivery)
{
	const struct xvhost_packet *packet = delivery->seen;
	uint32_t left = packet->length, room = slot_bytes_of(delivery);
	const uint16_t *id = batch->ids + delivery->first_id;

	for (uint32_t i = 0; i < delivery->data_count; i++) {
		uint32_t bytes = left < room ? left : room;
		netif_rx_response_t response = {
			.id = *id++,
			.offset = delivery->headroom,
			.flags = i == 0 ? first_flags(packet) : 0,
			.status = delivery->error < 0 ? NETIF_RSP_ERROR : (int16_t)bytes,
		};

		left -= bytes;
		if (left > 0)
			response.flags |= NETRXF_more_data;
		if (i == 0 && delivery->extra_count > 0)
			response.flags |= NETRXF_extra_info;
		ring_answer(&queue->rx, &response, sizeof(response));
		if (i == 0 && delivery->extra_count > 0) {
			put_extras(queue, delivery);
			id += delivery->extra_count;
		}
	}
}

static void count(struct netif_queue *queue, const struct netif_delivery *delivery)
{
	if (delivery->error == 0) {
		queue->counters.rx_packets++;
		queue->counters.rx_bytes += delivery->seen->length;
		return;
	}
	queue->counters.rx_dropped++;
	if (delivery->error != -EADDRNOTAVAIL)
		log_limited(queue->limit, LOG_LEVEL_WARNING,
			    "%s: queue %" PRIu32 ": a packet of %" PRIu32 " bytes for the guest is lost: %s",
			    queue->name, queue->layers[0].seen.index, delivery->seen->length,
			    strerror(-delivery->error));
}

void netif_receive_answer(struct netif_queue *queue)
{
	struct netif_batch *batch = &queue->batches[queue->batch ^ 1];

	for (uint32_t i = 0; i < batch->count; i++) {
		struct netif_delivery *delivery = &batch->deliveries[i];

		if (queue->broken)
			delivery->error = -EPROTO;
		else
			answer(queue, batch, delivery);
		count(queue, delivery);
	}
}

/* The backend may have more to be received, which goes to the other batch. */
void netif_receive_give_back(struct netif_queue *queue)
{
	const struct netif_batch *batch = &queue->batches[queue->batch ^ 1];
	const struct netif_order *order = queue->hash ? &queue->orders[queue->batch ^ 1] : NULL;
	uint32_t given = order ? order->count : batch->count;

	queue->delivering = true;
	for (uint32_t i = 0; i < given; i++) {
		const struct netif_delivery *delivery = order ? order->deliveries[i] : &batch->deliveries[i];

		queue->layers[0].backend->delivered(delivery->seen, delivery->error);
	}
	if (queue->layer_count > 1)
		netif_deliver_below(queue);
	queue->delivering = false;
}

void netif_receive_empty(struct netif_queue *queue)
{
	struct netif_batch *batch = &queue->batches[queue->batch ^ 1];

	batch->count = batch->id_count = batch->data_count = 0;
	if (queue->hash)
		queue->orders[queue->batch ^ 1].count = 0;
}
