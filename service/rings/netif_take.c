// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netif_take.c - packets are copied out of the tx ring and checked
 *
 * A packet is one slot that has its flags and total size, extra infos if that says so, and more slots. Each is copied out once. What
 * makes it impossible to say where the packet ends, or that no driver does by mistake, breaks the ring; anything else is answered
 * with an error.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <xen/io/netif.h>

#include "rings/netif_internal.h"
#include "rings/netif_multicast.h"

/* What lies in a slot of the tx ring. */
union slot {
	netif_tx_request_t request;
	netif_extra_info_t extra;
};

static_assert(sizeof(union slot) == sizeof(union netif_tx_sring_entry), "ring_take_bytes");

/* A packet that is being read. */
struct reading {
	struct netif_queue *queue;
	struct netif_packet *packet;
	uint32_t pending;		   /* slots that are in the ring still */
	uint32_t rest;			   /* of the packet's size, not in the slots after the first */
	bool refused;			   /* it is read to its end, to be answered */
	netif_extra_info_t gso, multicast; /* type 0: none */
};

/* refuse - the packet is to be answered with an error. The first reason goes to the log. */
static void __attribute__((format(printf, 2, 3))) refuse(struct reading *reading, const char *format, ...)
{
	struct netif_queue *queue = reading->queue;
	char reason[128];
	va_list arguments;

	if (reading->refused)
		return;
	reading->refused = true;
	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	log_limited(queue->limit, LOG_LEVEL_WARNING, "%s: queue %" PRIu32 ": packet refused: %s", queue->name,
		    queue->layers[0].seen.index, reason);
}

/* next_slot - copy it, and look at the copy only. False: the guest has not put it there. */
static bool next_slot(struct reading *reading, union slot *slot)
{
	if (reading->pending == 0) {
		netif_break(reading->queue,
			    "tx: a packet ends at the end of the ring, after %" PRIu32 " slots and %" PRIu32
			    " extra infos, though more is to come",
			    reading->packet->slot_count, reading->packet->extra_count);
		return false;
	}
	ring_take_bytes(&reading->queue->tx, slot, sizeof(*slot));
	reading->pending--;
	return true;
}

/* read_extras - the extra infos, which follow the first slot. */
static bool read_extras(struct reading *reading)
{
	struct netif_packet *packet = reading->packet;
	union slot slot;

	do {
		if (packet->extra_count == NETIF_EXTRAS_MAX) {
			netif_break(reading->queue, "tx: a packet has more than %u extra infos",
				    NETIF_EXTRAS_MAX);
			return false;
		}
		if (!next_slot(reading, &slot))
			return false;
		packet->extra_count++;
		switch (slot.extra.type) {
		case XEN_NETIF_EXTRA_TYPE_GSO:
			reading->gso = slot.extra;
			break;
		case XEN_NETIF_EXTRA_TYPE_MCAST_ADD:
		case XEN_NETIF_EXTRA_TYPE_MCAST_DEL:
			reading->multicast = slot.extra;
			break;
		case XEN_NETIF_EXTRA_TYPE_HASH: /* nothing here needs it */
			break;
		default:
			netif_break(reading->queue, "tx: extra info of type %u, there are 1 to %u",
				    slot.extra.type, XEN_NETIF_EXTRA_TYPE_MAX - 1);
			return false;
		}
	} while (slot.extra.flags & XEN_NETIF_EXTRA_FLAG_MORE);
	return true;
}

/* within_page - breaks the ring if this slot's data is not. */
static bool within_page(struct netif_queue *queue, uint32_t offset, uint32_t size)
{
	if (offset + size <= PAGE_BYTES)
		return true;
	netif_break(queue, "tx: a slot has %" PRIu32 " bytes at offset %" PRIu32 " of a page of %u", size,
		    offset, PAGE_BYTES);
	return false;
}

/* keep - a slot with data: one without may have any grant. Those that the packet may not have are not kept. */
static void keep(struct netif_packet *packet, uint32_t at, const netif_tx_request_t *request, uint32_t size)
{
	packet->grefs[at] = request->gref;
	packet->offsets[at] = request->offset;
	packet->sizes[at] = (uint16_t)size;
}

/* read_fragments - the slots after the first. */
static bool read_fragments(struct reading *reading)
{
	struct netif_packet *packet = reading->packet;
	union slot slot;
	uint32_t size;

	do {
		if (packet->slot_count == NETIF_SLOTS_BROKEN) {
			netif_break(reading->queue, "tx: a packet has more than %u slots",
				    NETIF_SLOTS_BROKEN);
			return false;
		}
		if (!next_slot(reading, &slot))
			return false;
		packet->ids[packet->slot_count++] = slot.request.id;
		size = slot.request.size;
		if (!within_page(reading->queue, slot.request.offset, size))
			return false;
		if (size > reading->rest) {
			refuse(reading,
			       "a slot has %" PRIu32 " bytes, of the packet's size there are %" PRIu32, size,
			       reading->rest);
			size = reading->rest;
		}
		reading->rest -= size;
		if (size > 0 && packet->end < NETIF_SLOTS_MAX)
			keep(packet, packet->end++, &slot.request, size);
	} while (slot.request.flags & NETTXF_more_data);
	if (packet->slot_count > NETIF_SLOTS_MAX)
		refuse(reading, "%u slots, at most %u are possible", packet->slot_count, NETIF_SLOTS_MAX);
	return true;
}

/* read_packet - all its slots and extra infos. False: the ring is broken. */
static bool read_packet(struct reading *reading)
{
	struct netif_packet *packet = reading->packet;
	union slot first;

	if (!next_slot(reading, &first))
		return false;
	packet->ids[packet->slot_count++] = first.request.id;
	packet->flags = first.request.flags;
	packet->seen.length = reading->rest = first.request.size;
	if (packet->flags & NETTXF_extra_info && !read_extras(reading))
		return false;
	/* How much is in the first slot is known at the end. */
	packet->first = packet->end = 1;
	if (packet->flags & NETTXF_more_data && !read_fragments(reading))
		return false;
	if (!reading->refused && !within_page(reading->queue, first.request.offset, reading->rest))
		return false;
	if (reading->rest > 0) {
		keep(packet, 0, &first.request, reading->rest);
		packet->first = 0;
	}
	return true;
}

/* check_gso - what the extra info says. Which headers the packet has is seen later. */
static void check_gso(struct reading *reading)
{
	const netif_extra_info_t *extra = &reading->gso;
	struct xvhost_packet *seen = &reading->packet->seen;
	uint32_t kind = 0;

	if (extra->u.gso.type == XEN_NETIF_GSO_TYPE_TCPV4) {
		seen->gso = XVHOST_GSO_TCPV4;
		kind = XVHOST_NET_GSO_TCPV4;
	} else if (extra->u.gso.type == XEN_NETIF_GSO_TYPE_TCPV6) {
		seen->gso = XVHOST_GSO_TCPV6;
		kind = XVHOST_NET_GSO_TCPV6;
	} else {
		refuse(reading, "GSO of type %u, there are %u and %u", extra->u.gso.type,
		       XEN_NETIF_GSO_TYPE_TCPV4, XEN_NETIF_GSO_TYPE_TCPV6);
	}
	seen->gso_bytes = extra->u.gso.size;
	if (seen->gso_bytes == 0)
		refuse(reading, "GSO with segments of 0 bytes");
	if (!(reading->queue->takes & kind))
		refuse(reading, "GSO of type %u, which was not offered", extra->u.gso.type);
}

/* change_multicast - such a packet asks for this only. */
static void change_multicast(struct reading *reading)
{
	struct netif_multicast *multicast = reading->queue->multicast;
	const netif_extra_info_t *extra = &reading->multicast;

	if (extra->type == XEN_NETIF_EXTRA_TYPE_MCAST_DEL)
		netif_multicast_remove(multicast, extra->u.mcast.addr);
	else if (netif_multicast_add(multicast, extra->u.mcast.addr) < 0)
		refuse(reading, "more than %u multicast addresses", NETIF_MULTICAST_MAX);
	reading->packet->seen.length = 0;
}

/* check - returns true if it is a packet for the backend. */
static bool check(struct reading *reading)
{
	struct netif_packet *packet = reading->packet;

	if (!reading->refused && reading->multicast.type != 0) {
		change_multicast(reading);
	} else {
		if (packet->seen.length < XVHOST_NET_BYTES_MIN)
			refuse(reading, "%" PRIu32 " bytes, at least %u are possible", packet->seen.length,
			       XVHOST_NET_BYTES_MIN);
		if (reading->gso.type != 0)
			check_gso(reading);
	}
	packet->error = reading->refused ? -EINVAL : 0;
	return !reading->refused && packet->seen.length > 0;
}

/* take_one - one packet. Returns how many slots of `pending` are left; -EPROTO: the ring is broken. */
static int take_one(struct netif_queue *queue, uint32_t pending)
{
	struct netif_packet *packet = queue->free_packets;
	struct reading reading = {.queue = queue, .packet = packet, .pending = pending};

	/* Each that is under way has a slot that is not answered. */
	assert(packet);
	packet->slot_count = packet->extra_count = 0;
	packet->seen.gso = XVHOST_GSO_NONE;
	packet->mapped = false;
	if (!read_packet(&reading))
		return -EPROTO;
	queue->free_packets = packet->next;
	queue->in_flight++;
	if (!check(&reading)) {
		netif_answer_packet(packet);
		return (int)reading.pending;
	}
	netif_rate_use(&queue->rate, packet->seen.length);
	if (!queue->map_tx)
		packet->private = netif_area_take(&queue->area, packet->seen.index, packet->seen.length);
	queue->taken[queue->taken_count++] = &packet->seen;
	return (int)reading.pending;
}

/* can_take - is there what one more packet needs? */
static bool can_take(struct netif_queue *queue)
{
	queue->tx_no_room = !queue->map_tx && !netif_area_fits(&queue->area);
	queue->rate_waits = !queue->tx_no_room && !netif_rate_has_credit(&queue->rate);
	return !queue->tx_no_room && !queue->rate_waits;
}

static void take_packets(struct netif_queue *queue)
{
	uint32_t producer, budget = NETIF_PACKETS_PER_TURN - queue->taken_count;
	int pending = ring_pending(&queue->tx, &producer);

	queue->tx_look = queue->tx_no_room = queue->rate_waits = false;
	if (pending < 0)
		netif_break_counter(queue, &queue->tx, producer);
	if (pending > 0)
		queue->tx_asked = false;
	for (; pending > 0 && can_take(queue); budget--) {
		if (budget == 0) {
			queue->tx_look = true;
			break;
		}
		pending = take_one(queue, (uint32_t)pending);
	}
	if (queue->taken_count > 0)
		netif_add_taken(queue);
}

void netif_take(struct netif_queue *queue)
{
	if (!queue->started || queue->released || queue->broken)
		return;
	take_packets(queue);
	if (!queue->broken && netif_room_due(queue)) {
		queue->room_due = true;
		netif_add_taken(queue);
	}
}
