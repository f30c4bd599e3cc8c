// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netif_layers.c - packets that go through wrappers, from the guest to the card below and back, and the other way
 *
 * A packet's structure goes along, with the queue of the backend that has it. What a card below has offered is given back to it in
 * the order in which it was offered, and never from within its own call: at the end of the turn, behind what the guest has got.
 */
#include <assert.h>
#include <errno.h>

#include "rings/netif_internal.h"

static_assert((NETIF_OFFERED_MAX & (NETIF_OFFERED_MAX - 1)) == 0, "counters that overflow");

/* ---- from the guest ---- */

void netif_forward(struct xvhost_net_queue *seen, struct xvhost_packet *const *packets, uint32_t count)
{
	struct netif_layer *layer = netif_layer_of(seen), *below = layer + 1;
	struct netif_queue *queue = layer->queue;

	/* A backend with nothing below it, or that has not these packets, has lost count. */
	assert(below < queue->layers + queue->layer_count);
	for (uint32_t i = 0; i < count; i++)
		assert(packets[i]->queue == seen && netif_packet_of(packets[i])->given);
	if (queue->released) {
		for (uint32_t i = 0; i < count; i++)
			layer->backend->forwarded(packets[i], -ESHUTDOWN);
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		packets[i]->queue = &below->seen;
	below->backend->transmit(&below->seen, packets, count);
}

void netif_come_back(struct netif_layer *layer, struct xvhost_packet *packet, int error)
{
	struct netif_layer *above = layer - 1;

	packet->queue = &above->seen;
	above->backend->forwarded(packet, error);
}

/* ---- for the guest ---- */

static struct netif_offered *place_of(struct netif_offers *offers, uint32_t counter)
{
	return &offers->packets[counter % NETIF_OFFERED_MAX];
}

/* want_turn - there is something for netif_deliver_below, which comes now or in the next turn. */
static void want_turn(struct netif_queue *queue)
{
	if (!queue->delivering)
		netif_add_finished(queue);
}

static bool is_full(const struct netif_offers *offers)
{
	return offers->next - offers->first == NETIF_OFFERED_MAX;
}

bool netif_offer(struct netif_layer *layer, struct xvhost_packet *packet)
{
	struct netif_layer *above = layer - 1;
	struct netif_offers *offers = layer->offers;

	if (is_full(offers)) {
		/* It is told when some are given back. */
		offers->room_due = true;
		return false;
	}
	*place_of(offers, offers->next++) = (struct netif_offered){.packet = packet};
	packet->queue = &above->seen;
	if (above->backend->offered(&above->seen, packet))
		return true;
	/* A wrapper that has given back what it does not take has lost count. */
	assert(place_of(offers, offers->next - 1)->packet == packet &&
	       !place_of(offers, offers->next - 1)->given_back);
	offers->next--;
	packet->queue = &layer->seen;
	return false;
}

void netif_give_back(struct xvhost_packet *packet, int error)
{
	struct netif_layer *above = netif_layer_of(packet->queue), *layer = above + 1;
	struct netif_offers *offers = layer->offers;
	uint32_t at = offers->back;

	while (at != offers->next &&
	       (place_of(offers, at)->packet != packet || place_of(offers, at)->given_back))
		at++;
	/* One that was not taken, or is given back again, or with an error above 0: a wrapper that has lost count. */
	assert(at != offers->next && error <= 0);
	place_of(offers, at)->given_back = true;
	place_of(offers, at)->error = error;
	while (offers->back != offers->next && place_of(offers, offers->back)->given_back)
		offers->back++;
	want_turn(layer->queue);
}

void netif_more_room(struct xvhost_net_queue *seen)
{
	struct netif_layer *layer = netif_layer_of(seen) + 1;

	assert(layer < layer->queue->layers + layer->queue->layer_count);
	layer->offers->room_due = true;
	want_turn(layer->queue);
}

/* deliver - to one layer, what it gets back. From within these calls it may offer more, which is for the next turn. */
static void deliver(struct netif_layer *layer)
{
	struct netif_offers *offers = layer->offers;
	uint32_t end = offers->back;

	while (offers->first != end) {
		struct netif_offered offered = *place_of(offers, offers->first++);

		offered.packet->queue = &layer->seen;
		layer->backend->delivered(offered.packet, offered.error);
	}
}

/* tell_room - to one layer, if it is to know. When the queue is to stop it is told of that only. */
static void tell_room(struct netif_layer *layer)
{
	if (!layer->offers->room_due || is_full(layer->offers))
		return;
	layer->offers->room_due = false;
	if (layer->queue->started && !layer->queue->released)
		layer->backend->room(&layer->seen);
}

/* Layers from above to below, since each gives back to the next. What comes up to be given back meanwhile needs another turn. */
void netif_deliver_below(struct netif_queue *queue)
{
	bool more = false;

	for (uint32_t i = 1; i < queue->layer_count; i++) {
		deliver(&queue->layers[i]);
		tell_room(&queue->layers[i]);
	}
	for (uint32_t i = 1; i < queue->layer_count; i++) {
		const struct netif_offers *offers = queue->layers[i].offers;

		more |= offers->first != offers->back || (offers->room_due && !is_full(offers));
	}
	if (more)
		netif_add_finished(queue);
}

bool netif_offers_none(const struct netif_queue *queue)
{
	for (uint32_t i = 1; i < queue->layer_count; i++)
		if (queue->layers[i].offers->first != queue->layers[i].offers->next)
			return false;
	return true;
}
