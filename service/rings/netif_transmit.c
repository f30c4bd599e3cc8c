// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netif_transmit.c - packets from the guest are started, ended and answered
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <xen/io/netif.h>

#include "rings/netif_headers.h"
#include "rings/netif_internal.h"

/* ---- what is mapped or copied ---- */

static void collect_mapping(struct netif_queue *queue, struct netif_packet *packet)
{
	struct netif_turn *turn = queue->turn;

	packet->mapping = (struct memory_mapping){
		.grefs = packet->grefs + packet->first,
		.count = packet->end - packet->first,
		.cached = queue->cached,
		.sharer = queue,
		.pages = packet->pages + packet->first,
	};
	turn->mappings[turn->mapping_count++] = &packet->mapping;
}

static void collect_copies(struct netif_queue *queue, const struct netif_packet *packet)
{
	struct netif_turn *turn = queue->turn;
	uint8_t *own = packet->private;

	for (uint32_t i = packet->first; i < packet->end; i++) {
		turn->copies[turn->copy_count++] = (struct grant_copy){
			.gref = packet->grefs[i],
			.offset = packet->offsets[i],
			.length = packet->sizes[i],
			.own = own,
		};
		own += packet->sizes[i];
	}
}

/* read_at_once - copy a packet that has no more than its private beginning. False: it is larger, or not all of it is in the cache. */
static bool read_at_once(const struct netif_queue *queue, const struct netif_packet *packet)
{
	uint8_t *to = packet->private;

	if (!queue->map_tx || !queue->cached || packet->seen.length > NETIF_HEADER_BYTES)
		return false;
	for (uint32_t i = packet->first; i < packet->end; i++) {
		if (!memory_read(queue->turn->memory, packet->grefs[i], packet->offsets[i], packet->sizes[i],
				 to))
			return false;
		to += packet->sizes[i];
	}
	return true;
}

void netif_transmit_collect(struct netif_queue *queue)
{
	for (uint32_t i = 0; i < queue->taken_count; i++) {
		struct netif_packet *packet = netif_packet_of(queue->taken[i]);

		packet->read = read_at_once(queue, packet);
		if (packet->read)
			continue;
		if (queue->map_tx)
			collect_mapping(queue, packet);
		else
			collect_copies(queue, packet);
	}
}

/* ---- what the backend sees ---- */

/* add_iovec - data that follows the last becomes one with it, but for the private first one. */
static void add_iovec(struct netif_packet *packet, uint8_t *start, uint32_t bytes)
{
	struct xvhost_packet *seen = &packet->seen;
	struct iovec *last = &packet->iov[seen->iov_count - 1];

	if (seen->iov_count > 1 && (uint8_t *)last->iov_base + last->iov_len == start)
		last->iov_len += bytes;
	else
		packet->iov[seen->iov_count++] = (struct iovec){start, bytes};
}

/* describe_mapped - copy the headers, once, and describe the rest where it is. */
static void describe_mapped(struct netif_packet *packet)
{
	struct xvhost_packet *seen = &packet->seen;
	uint32_t left = seen->length < NETIF_HEADER_BYTES ? seen->length : NETIF_HEADER_BYTES;
	uint8_t *to = packet->private;

	seen->iov_count = 1;
	packet->iov[0] = (struct iovec){to, left};
	for (uint32_t i = packet->first; i < packet->end; i++) {
		uint8_t *from = (uint8_t *)packet->pages[i] + packet->offsets[i];
		uint32_t bytes = packet->sizes[i], copied = bytes < left ? bytes : left;

		memcpy(to, from, copied);
		to += copied;
		left -= copied;
		if (copied < bytes)
			add_iovec(packet, from + copied, bytes - copied);
	}
}

/* describe_private - all of it is in one piece of ours. */
static void describe_private(struct netif_packet *packet)
{
	packet->seen.iov_count = 1;
	packet->iov[0] = (struct iovec){packet->private, packet->seen.length};
}

/* describe_copied - the same. Returns the error of the first part that has one. */
static int describe_copied(struct netif_packet *packet, const struct grant_copy *copies)
{
	describe_private(packet);
	for (uint32_t i = 0; i < (uint32_t)(packet->end - packet->first); i++)
		if (copies[i].error < 0)
			return copies[i].error;
	return 0;
}

static int refuse_headers(const struct netif_queue *queue, const char *reason)
{
	log_limited(queue->limit, LOG_LEVEL_WARNING, "%s: queue %" PRIu32 ": packet refused: %s", queue->name,
		    queue->layers[0].seen.index, reason);
	return -EINVAL;
}

/* work_out_gso - what headers say about it. */
static int work_out_gso(struct netif_packet *packet, const struct netif_headers *headers)
{
	struct xvhost_packet *seen = &packet->seen;

	if (!headers->tcp || headers->ipv6 != (seen->gso == XVHOST_GSO_TCPV6))
		return refuse_headers(netif_queue_of(seen->queue),
				      "GSO of another protocol than the packet has");
	seen->header_bytes = headers->data_start;
	/* The checksum of such a packet is always blank; a guest that says it is not has computed it for the whole. */
	if (!(packet->flags & NETTXF_csum_blank))
		netif_headers_blank(packet->private, seen->length, headers);
	seen->flags |= XVHOST_PACKET_CHECKSUM_BLANK;
	return 0;
}

/* work_out_headers - what the packet's flags leave to us to find in it. */
static int work_out_headers(struct netif_queue *queue, struct netif_packet *packet)
{
	struct xvhost_packet *seen = &packet->seen;
	struct netif_headers headers;

	seen->iov = packet->iov;
	seen->flags = 0;
	if (packet->flags & (NETTXF_csum_blank | NETTXF_data_validated))
		seen->flags = XVHOST_PACKET_CHECKSUM_GOOD;
	if (seen->gso == XVHOST_GSO_NONE && !(packet->flags & NETTXF_csum_blank))
		return 0;
	if (!netif_headers_find(packet->private,
				seen->length < NETIF_HEADER_BYTES ? seen->length : NETIF_HEADER_BYTES,
				seen->length, &headers))
		return refuse_headers(queue,
				      "GSO or a blank checksum, but it has no headers of TCP or UDP over IP");
	seen->checksum_start = headers.transport_start;
	seen->checksum_offset = headers.checksum_offset;
	if (seen->gso != XVHOST_GSO_NONE)
		return work_out_gso(packet, &headers);
	if (queue->takes & (headers.ipv6 ? XVHOST_NET_CHECKSUM_IPV6 : XVHOST_NET_CHECKSUM_IPV4))
		seen->flags |= XVHOST_PACKET_CHECKSUM_BLANK;
	else
		netif_headers_complete(packet->iov, seen->iov_count, &headers);
	return 0;
}

/* ---- starting ---- */

/* prepare - returns 0 if the packet is ready for the backend. */
static int prepare(struct netif_queue *queue, struct netif_packet *packet, const struct grant_copy *copies)
{
	int error;

	if (packet->read) {
		describe_private(packet);
		return work_out_headers(queue, packet);
	}
	error = queue->map_tx ? packet->mapping.error : describe_copied(packet, copies);
	if (error < 0) {
		log_limited(queue->limit, LOG_LEVEL_WARNING,
			    "%s: queue %" PRIu32 ": packet refused: can't %s its %u grants (gref %" PRIu32
			    " and on): %s",
			    queue->name, queue->layers[0].seen.index, queue->map_tx ? "map" : "copy",
			    packet->end - packet->first, packet->grefs[packet->first], strerror(-error));
		return error;
	}
	if (queue->map_tx) {
		packet->mapped = true;
		describe_mapped(packet);
	}
	return work_out_headers(queue, packet);
}

/* tell_room - the backend has waited for it. */
static void tell_room(struct netif_queue *queue)
{
	if (!queue->room_due)
		return;
	queue->room_due = queue->room_wanted = false;
	/* The queue may have been released since. */
	if (!queue->released)
		queue->layers[0].backend->room(&queue->layers[0].seen);
}

const struct grant_copy *netif_transmit(struct netif_queue *queue, const struct grant_copy *copies)
{
	uint32_t taken = queue->taken_count, ready = 0;

	queue->taken_count = 0;
	for (uint32_t i = 0; i < taken; i++) {
		struct netif_packet *packet = netif_packet_of(queue->taken[i]);
		int error = prepare(queue, packet, copies);

		if (!queue->map_tx)
			copies += packet->end - packet->first;
		packet->given = error == 0;
		if (error == 0)
			queue->taken[ready++] = &packet->seen;
		else
			netif_end_packet(packet, error);
	}
	if (ready > 0)
		queue->layers[0].backend->transmit(&queue->layers[0].seen, queue->taken, ready);
	tell_room(queue);
	return copies;
}

/* ---- ending ---- */

void netif_end_packet(struct netif_packet *packet, int error)
{
	struct netif_queue *queue = netif_queue_of(packet->seen.queue);

	packet->error = error;
	packet->next = NULL;
	*queue->ended_last = packet;
	queue->ended_last = &packet->next;
	netif_add_finished(queue);
}

void netif_transmitted(struct xvhost_packet *seen, int error)
{
	struct netif_packet *packet = netif_packet_of(seen);
	struct netif_layer *layer = netif_layer_of(seen->queue);

	/* Each is ended once, and an error is not above 0: a backend that does otherwise has lost count. */
	assert(packet->given && error <= 0);
	if (netif_is_below(layer)) {
		netif_come_back(layer, seen, error);
		return;
	}
	packet->given = false;
	netif_end_packet(packet, error);
}

/* put_response - all its bytes are ours. */
static void put_response(struct netif_queue *queue, uint16_t id, int16_t status)
{
	struct {
		netif_tx_response_t response;
		uint8_t unused[sizeof(netif_tx_request_t) - sizeof(netif_tx_response_t)];
	} entry = {.response = {.id = id, .status = status}};

	ring_answer(&queue->tx, &entry, sizeof(entry));
}

void netif_answer_packet(struct netif_packet *packet)
{
	struct netif_queue *queue = netif_queue_of(packet->seen.queue);
	int16_t status = packet->error < 0 ? NETIF_RSP_ERROR : NETIF_RSP_OKAY;

	for (uint32_t i = 0; i < packet->slot_count && !queue->broken; i++)
		put_response(queue, packet->ids[i], status);
	for (uint32_t i = 0; i < packet->extra_count && !queue->broken; i++)
		put_response(queue, 0, NETIF_RSP_NULL);
	if (packet->error < 0) {
		queue->counters.tx_errors++;
	} else if (packet->seen.length > 0) {
		queue->counters.tx_packets++;
		queue->counters.tx_bytes += packet->seen.length;
	}
	if (!queue->map_tx && packet->private) {
		netif_area_give_back(&queue->area, packet->seen.index);
		packet->private = NULL;
		queue->tx_look |= queue->tx_no_room;
	}
	packet->next = queue->free_packets;
	queue->free_packets = packet;
	queue->in_flight--;
}
