// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netif_transmit.c - a network card as the guest has it: packets are sent
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "sim/netif_frontend.h"

#define ID_INDEX 0xffu /* the part of an id that says which slot it is */
#define ID_USE 0x100u  /* the rest counts its uses, so that an answer which comes twice is found */

static_assert(ID_INDEX + 1 == NET_FRONT_RING_SIZE, "an id for each slot");

struct net_front_packet *net_front_take(struct net_front_queue *queue, uint32_t slots, uint32_t extras)
{
	struct net_front_packet *packet = queue->free_packets;

	assert(slots >= 1 && slots <= NET_FRONT_SLOTS_MAX && extras <= NET_FRONT_EXTRAS_MAX);
	if (!packet || queue->free_slot_count < slots || net_ring_free(&queue->tx) < slots + extras)
		return NULL;
	queue->free_packets = packet->next_free;
	packet->extra_count = 0;
	packet->flags = 0;
	for (packet->slot_count = 0; packet->slot_count < slots; packet->slot_count++) {
		struct net_front_slot *slot = queue->free_slots;

		queue->free_slots = slot->next_free;
		slot->packet = packet;
		packet->slots[packet->slot_count] = slot;
	}
	queue->free_slot_count -= slots;
	return packet;
}

void net_front_free(struct net_front_queue *queue, struct net_front_packet *packet)
{
	for (uint32_t i = packet->slot_count; i-- > 0;) {
		struct net_front_slot *slot = packet->slots[i];

		assert(!slot->in_flight && slot->gref == 0);
		slot->packet = NULL;
		slot->next_free = queue->free_slots;
		queue->free_slots = slot;
	}
	queue->free_slot_count += packet->slot_count;
	packet->next_free = queue->free_packets;
	queue->free_packets = packet;
}

/* grant_slots - read-only, all or none. */
static int grant_slots(const struct netif_frontend_options *options, struct net_front_packet *packet)
{
	for (uint32_t i = 0; i < packet->slot_count; i++) {
		struct net_front_slot *slot = packet->slots[i];
		int64_t gref = sim_grant(options->guest, options->host_domid, slot->frame, true);

		if (gref < 0) {
			while (i-- > 0) {
				sim_grant_end(options->guest, packet->slots[i]->gref);
				packet->slots[i]->gref = 0;
			}
			return (int)gref;
		}
		slot->gref = (uint32_t)gref;
	}
	return 0;
}

/* put_entry - and keep what it was, for check_rest. */
static void put_entry(struct net_front_queue *queue, const struct netif_tx_request *request)
{
	uint32_t at = queue->tx.request_producer++;

	memcpy(net_ring_entry(&queue->tx, at), request, sizeof(*request));
	queue->tx_written[at % NET_FRONT_RING_SIZE] = *request;
}

/* put_slot - a request for it; the first slot's size is the packet's. */
static void put_slot(struct net_front_queue *queue, struct net_front_slot *slot, uint16_t flags,
		     uint16_t size)
{
	const struct netif_tx_request request = {
		.gref = slot->gref,
		.offset = slot->offset,
		.flags = flags,
		.id = slot->id = (uint16_t)(slot->id + ID_USE),
		.size = size,
	};

	put_entry(queue, &request);
	slot->in_flight = true;
	queue->slots_in_flight++;
}

static void put_extras(struct net_front_queue *queue, const struct net_front_packet *packet)
{
	for (uint32_t i = 0; i < packet->extra_count; i++) {
		struct netif_extra_info extra = packet->extras[i];
		struct netif_tx_request entry = {0};

		extra.flags = i + 1 < packet->extra_count ? XEN_NETIF_EXTRA_FLAG_MORE : 0;
		memcpy(&entry, &extra, sizeof(extra));
		put_entry(queue, &entry);
	}
	queue->extras_in_flight += packet->extra_count;
}

int net_front_send(struct net_front_queue *queue, struct net_front_packet *packet)
{
	uint32_t length = 0;
	int error = grant_slots(&queue->frontend->options, packet);

	if (error < 0)
		return error;
	for (uint32_t i = 0; i < packet->slot_count; i++) {
		assert(packet->slots[i]->offset + packet->slots[i]->size <= PAGE_BYTES);
		length += packet->slots[i]->size;
	}
	assert(length <= XEN_NETIF_MAX_TX_SIZE &&
	       net_ring_free(&queue->tx) >= packet->slot_count + packet->extra_count);
	packet->status = NETIF_RSP_OKAY;
	packet->unanswered = packet->slot_count;
	for (uint32_t i = 0; i < packet->slot_count; i++) {
		uint16_t flags = i == 0 ? packet->flags : 0;

		if (i + 1 < packet->slot_count)
			flags |= NETTXF_more_data;
		if (i == 0 && packet->extra_count > 0)
			flags |= NETTXF_extra_info;
		put_slot(queue, packet->slots[i], flags, i == 0 ? (uint16_t)length : packet->slots[i]->size);
		if (i == 0)
			put_extras(queue, packet);
	}
	return 0;
}

/* ---- being answered ---- */

/*
 * check_rest - a response is smaller than its entry, and what is left of that is nothing of the host's: as the guest wrote it, or
 * zero.
 */
static int check_rest(struct net_front_queue *queue)
{
	static const struct netif_tx_request zero;
	const uint32_t at = queue->tx.response_consumer, from = sizeof(struct netif_tx_response);
	const uint8_t *entry = net_ring_entry(&queue->tx, at);
	const uint8_t *written = (const uint8_t *)&queue->tx_written[at % NET_FRONT_RING_SIZE];
	const uint32_t length = sizeof(zero) - from;

	if (memcmp(entry + from, written + from, length) == 0 || memcmp(entry + from, &zero, length) == 0)
		return 0;
	return net_front_refuse(
		queue, "tx response %" PRIu32 " has bytes behind it that the guest did not write", at);
}

/* take_extra - the answer to an extra info, which has no id. */
static int take_extra(struct net_front_queue *queue, const struct netif_tx_response *response)
{
	if (queue->extras_in_flight == 0)
		return net_front_refuse(queue,
					"tx response %" PRIu32
					" (id %#x) is for an extra info, and there was none",
					queue->tx.response_consumer, response->id);
	queue->extras_in_flight--;
	return 0;
}

/* find_slot - that a response answers; NULL and the reason if there is none. */
static struct net_front_slot *find_slot(struct net_front_queue *queue,
					const struct netif_tx_response *response)
{
	struct net_front_slot *slot = &queue->slots[response->id & ID_INDEX];
	const char *reason = NULL;

	if (slot->id != response->id)
		reason = "has an id that no request in flight has";
	else if (!slot->in_flight)
		reason = "answers a request that was answered before";
	else if (response->status > NETIF_RSP_NULL || response->status < NETIF_RSP_DROPPED)
		reason = "has a status that netif does not have";
	if (!reason)
		return slot;
	net_front_refuse(queue, "tx response %" PRIu32 " (id %#x, status %d) %s", queue->tx.response_consumer,
			 response->id, response->status, reason);
	return NULL;
}

/* take_response - returns 1 and the packet if it is whole, 0 if not. */
static int take_response(struct net_front_queue *queue, struct net_front_packet **whole)
{
	struct netif_tx_response response;
	struct net_front_slot *slot;

	if (check_rest(queue) < 0)
		return -EPROTO;
	memcpy(&response, net_ring_entry(&queue->tx, queue->tx.response_consumer), sizeof(response));
	if (response.status == NETIF_RSP_NULL) {
		int error = take_extra(queue, &response);

		queue->tx.response_consumer += error == 0;
		return error;
	}
	slot = find_slot(queue, &response);
	if (!slot)
		return -EPROTO;
	if (sim_grant_end(queue->frontend->options.guest, slot->gref) < 0) {
		net_front_refuse(queue,
				 "tx response %" PRIu32 " (id %#x) came while the host uses grant %" PRIu32
				 " still",
				 queue->tx.response_consumer, response.id, slot->gref);
		return -EBUSY;
	}
	slot->gref = 0;
	slot->in_flight = false;
	slot->status = response.status;
	queue->tx.response_consumer++;
	queue->slots_in_flight--;
	if (response.status != NETIF_RSP_OKAY)
		slot->packet->status = response.status;
	*whole = slot->packet;
	return --slot->packet->unanswered == 0;
}

int net_front_reap(struct net_front_queue *queue, struct net_front_packet **packet)
{
	int result = 0, there = net_ring_look(&queue->tx);

	if (there < 0)
		return net_front_refuse(queue,
					"the host shows more tx responses than there were requests (%" PRIu32
					" requests, %" PRIu32 " responses taken)",
					queue->tx.request_published, queue->tx.response_consumer);
	while (result == 0 && there-- > 0)
		result = take_response(queue, packet);
	return result;
}

int net_front_idle(struct net_front_queue *queue)
{
	uint32_t answers = queue->tx.request_published - queue->tx.response_consumer;

	if (queue->slots_in_flight + queue->extras_in_flight != answers)
		return net_front_refuse(queue,
					"%" PRIu32 " tx requests and %" PRIu32
					" extra infos wait for %" PRIu32 " answers",
					queue->slots_in_flight, queue->extras_in_flight, answers);
	if (answers > 0)
		return net_front_refuse(queue, "%" PRIu32 " tx requests have no answer", answers);
	return 0;
}
