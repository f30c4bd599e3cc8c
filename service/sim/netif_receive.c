// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netif_receive.c - a network card as the guest has it: packets are received
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "sim/net_front_control.h"

#define ID_USE 0x100u	/* the upper part of an id counts its uses, as that of transmitted packets */
#define GUARD_BYTE 0xc3 /* what a page is filled with before it is posted */

#define FLAGS_OF_PACKET (NETRXF_data_validated | NETRXF_csum_blank)
#define FLAGS_OF_FIRST (FLAGS_OF_PACKET | NETRXF_more_data | NETRXF_extra_info)

/* ---- posting ---- */

int net_front_post(struct net_front_queue *queue)
{
	const struct netif_frontend_options *options = &queue->frontend->options;
	int count = 0;

	while (queue->free_pages && net_ring_free(&queue->rx) > 0) {
		struct net_front_page *page = queue->free_pages;
		struct netif_rx_request request = {.id = (uint16_t)(page->id + ID_USE)};
		uint32_t at = queue->rx.request_producer;
		int64_t gref = sim_grant(options->guest, options->host_domid, page->frame, false);

		if (gref < 0)
			return (int)gref;
		if (options->guard)
			memset(page->page, GUARD_BYTE, PAGE_BYTES);
		queue->free_pages = page->next_free;
		page->id = request.id;
		page->gref = request.gref = (uint32_t)gref;
		queue->posted[at % NET_FRONT_RING_SIZE] = page;
		memcpy(net_ring_entry(&queue->rx, at), &request, sizeof(request));
		queue->rx.request_producer++;
		count++;
	}
	return count;
}

void net_front_done(struct net_front_queue *queue, struct net_front_received *received)
{
	while (received->page_count > 0) {
		struct net_front_page *page = received->pages[--received->page_count];

		page->next_free = queue->free_pages;
		queue->free_pages = page;
	}
}

/* ---- being answered ---- */

/* check_guard - is a page as it was posted, but for this part? */
static bool check_guard(const struct net_front_page *page, uint32_t offset, uint32_t size)
{
	for (uint32_t i = 0; i < PAGE_BYTES; i++)
		if (page->page[i] != GUARD_BYTE && (i < offset || i >= offset + size))
			return false;
	return true;
}

/* take_page - that of the request in whose place the next response is; its grant ends. NULL if it is in use still. */
static struct net_front_page *take_page(struct net_front_queue *queue, struct net_front_received *received)
{
	uint32_t at = queue->rx.response_consumer;
	struct net_front_page *page = queue->posted[at % NET_FRONT_RING_SIZE];

	if (sim_grant_end(queue->frontend->options.guest, page->gref) < 0) {
		net_front_refuse(queue,
				 "rx response %" PRIu32 " came while the host uses grant %" PRIu32 " still",
				 at, page->gref);
		return NULL;
	}
	page->gref = 0;
	queue->posted[at % NET_FRONT_RING_SIZE] = NULL;
	received->pages[received->page_count++] = page;
	queue->rx.response_consumer++;
	return page;
}

/* check_response - of one piece. Returns the reason why it can't be, or NULL. */
static const char *check_response(const struct net_front_queue *queue,
				  const struct net_front_received *received,
				  const struct netif_rx_response *response)
{
	const struct netif_frontend_options *options = &queue->frontend->options;
	bool first = received->page_count == 0;
	uint32_t at = queue->rx.response_consumer;

	if (response->id != queue->posted[at % NET_FRONT_RING_SIZE]->id)
		return "has not the id of the request in its place";
	if (response->flags & ~(first ? FLAGS_OF_FIRST : NETRXF_more_data))
		return first ? "has flags that netif does not have"
			     : "has flags that only a packet's first can have";
	if (response->status < NETIF_RSP_DROPPED)
		return "has a status that netif does not have";
	if (response->status < 0)
		return NULL;
	if (response->status == 0)
		return "has no bytes";
	if (response->offset != options->xdp_headroom)
		return "has not the headroom that was asked for as its offset";
	if ((uint32_t)response->offset + (uint32_t)response->status > PAGE_BYTES)
		return "leaves its page";
	if (!first && options->no_scatter)
		return "is a packet's second, though the guest takes one page only";
	if (received->piece_count == NET_FRONT_SLOTS_MAX)
		return "is one more of its packet than netif allows";
	return NULL;
}

/* take_piece - the next response, which is a piece of a packet. Returns 0, with its flags, or a negative errno. */
static int take_piece(struct net_front_queue *queue, struct net_front_received *received, uint16_t *flags)
{
	struct netif_rx_response response;
	struct net_front_page *page;
	const char *reason;
	uint32_t size;

	memcpy(&response, net_ring_entry(&queue->rx, queue->rx.response_consumer), sizeof(response));
	reason = check_response(queue, received, &response);
	if (reason)
		return net_front_refuse(queue,
					"rx response %" PRIu32
					" (id %#x, offset %u, flags %#x, status %d) %s",
					queue->rx.response_consumer, response.id, response.offset,
					response.flags, response.status, reason);
	if (received->page_count == 0)
		received->flags = response.flags & FLAGS_OF_PACKET;
	*flags = response.flags;
	page = take_page(queue, received);
	if (!page)
		return -EBUSY;
	if (response.status < 0) {
		received->failed = true;
		return 0;
	}
	size = (uint32_t)response.status;
	if (queue->frontend->options.guard && !check_guard(page, response.offset, size))
		return net_front_refuse(queue,
					"rx response %" PRIu32 " has %" PRIu32
					" bytes at %u, and the host has written outside of them",
					queue->rx.response_consumer - 1, size, response.offset);
	received->pieces[received->piece_count++] = (struct iovec){.iov_base = page->page + response.offset,
								   .iov_len = size};
	received->length += size;
	return 0;
}

/* check_gso - returns the reason why it can't be, or NULL. */
static const char *check_gso(const struct net_front_queue *queue, const struct net_front_received *received,
			     const struct netif_extra_info *extra)
{
	uint32_t takes = queue->frontend->options.takes;

	if (received->gso_bytes != 0)
		return "is the second of its type";
	if (extra->u.gso.size == 0)
		return "has segments of no bytes";
	if (extra->u.gso.pad != 0 || extra->u.gso.features != 0)
		return "has bytes that are to be zero";
	if (!(received->flags & NETRXF_csum_blank))
		return "is for a packet whose checksum is not blank";
	if (extra->u.gso.type == XEN_NETIF_GSO_TYPE_TCPV4 && takes & XVHOST_NET_GSO_TCPV4)
		return NULL;
	if (extra->u.gso.type == XEN_NETIF_GSO_TYPE_TCPV6 && takes & XVHOST_NET_GSO_TCPV6)
		return NULL;
	return "has a type of GSO that the guest does not take";
}

/* check_hash - the same of one that comes to who has asked for it by the control ring. */
static const char *check_hash(const struct net_front_received *received, const struct netif_extra_info *extra)
{
	if (received->hashed)
		return "is the second of its type";
	if (extra->u.hash.algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ)
		return "is of an algorithm that was not asked for";
	return NULL;
}

/* check_extra - of either type; what it says is taken. */
static const char *check_extra(const struct net_front_queue *queue, struct net_front_received *received,
			       const struct netif_extra_info *extra)
{
	const uint8_t *value = extra->u.hash.value;
	const char *reason = NULL;

	if (extra->flags & ~XEN_NETIF_EXTRA_FLAG_MORE)
		return "has flags that netif does not have";
	if (extra->type == XEN_NETIF_EXTRA_TYPE_HASH && queue->frontend->hash.flags != 0) {
		reason = check_hash(received, extra);
		received->hashed = true;
		received->hash_type = extra->u.hash.type;
		received->hash = value[0] | (uint32_t)value[1] << 8 | (uint32_t)value[2] << 16 |
				 (uint32_t)value[3] << 24;
	} else if (extra->type == XEN_NETIF_EXTRA_TYPE_GSO) {
		reason = check_gso(queue, received, extra);
		received->gso_type = extra->u.gso.type;
		received->gso_bytes = extra->u.gso.size;
	} else {
		reason = "has a type that was not asked for";
	}
	return reason;
}

/* take_extra - the next response, which is an extra info; *more says whether another one follows. */
static int take_extra(struct net_front_queue *queue, struct net_front_received *received, bool *more)
{
	struct netif_extra_info extra;
	struct net_front_page *page;
	const char *reason;

	memcpy(&extra, net_ring_entry(&queue->rx, queue->rx.response_consumer), sizeof(extra));
	reason = check_extra(queue, received, &extra);
	if (reason)
		return net_front_refuse(queue,
					"the extra info in rx response %" PRIu32 " (type %u, flags %#x) %s",
					queue->rx.response_consumer, extra.type, extra.flags, reason);
	*more = extra.flags & XEN_NETIF_EXTRA_FLAG_MORE;
	page = take_page(queue, received);
	if (!page)
		return -EBUSY;
	if (queue->frontend->options.guard && !check_guard(page, 0, 0))
		return net_front_refuse(queue,
					"rx response %" PRIu32
					" is an extra info, and the host has written to its request's page",
					queue->rx.response_consumer - 1);
	return 0;
}

/* take_next - of a packet's responses; a packet must be shown as a whole. */
static int take_next(struct net_front_queue *queue, struct net_front_received *received, int *there,
		     uint16_t *flags, bool *extra)
{
	int error;

	if ((*there)-- == 0)
		return net_front_refuse(queue,
					"the host shows a part of a packet, up to rx response %" PRIu32,
					queue->rx.response_consumer);
	if (*extra)
		return take_extra(queue, received, extra);
	error = take_piece(queue, received, flags);
	*extra = error == 0 && *flags & NETRXF_extra_info;
	return error;
}

int net_front_receive(struct net_front_queue *queue, struct net_front_received *received)
{
	int error, there = net_ring_look(&queue->rx);
	uint16_t flags = 0;
	bool extra = false;

	*received = (struct net_front_received){0};
	if (there < 0)
		return net_front_refuse(queue,
					"the host shows more rx responses than there were requests (%" PRIu32
					" requests, %" PRIu32 " responses taken)",
					queue->rx.request_published, queue->rx.response_consumer);
	if (there == 0)
		return 0;
	do {
		error = take_next(queue, received, &there, &flags, &extra);
		if (error < 0)
			return error;
	} while (extra || flags & NETRXF_more_data);
	if (received->length > XVHOST_NET_BYTES_MAX)
		return net_front_refuse(queue, "a packet of %" PRIu32 " bytes is larger than netif allows",
					received->length);
	if (received->failed)
		queue->failed++;
	else if (received->length < XVHOST_NET_BYTES_MIN)
		return net_front_refuse(queue, "a packet of %" PRIu32 " bytes has no Ethernet header",
					received->length);
	else if (queue->frontend->hash.flags != 0 && net_front_check_hash(queue, received) < 0)
		return -EPROTO;
	return 1;
}
