// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netif_deeds.c - what a liar can do with a network card: to what the host is looking at, to pages and counters
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <xen/grant_table.h>

#include "sim/netif_liar_internal.h"

#define EVENTS 2000

/* ---- deeds: what the host may be looking at ---- */

/* pause_a_little - so that the host is sometimes before it, sometimes in the middle, sometimes done. */
static void pause_a_little(struct net_liar *liar)
{
	const struct timespec pause = {.tv_nsec = net_liar_random(liar, 100000)};

	nanosleep(&pause, NULL);
}

/* some - one of the slots of a packet that has three. */
static struct netif_tx_request *some(struct net_liar *liar, struct net_liar_packet *packet)
{
	return &packet->slots[net_liar_random(liar, 3)].request;
}

/* The page of headers is another one each time that it is looked at; also in the first 128 bytes. */
static void headers_scribbled(struct net_liar *liar)
{
	static uint8_t right[NET_LIAR_LARGE_BYTES];

	memcpy(right, liar->large.memory, sizeof(right));
	for (int i = 0; i < 8; i++) {
		struct net_liar_packet packet;

		net_liar_valid(liar, true, &packet);
		net_liar_put(liar, &packet, NET_LIAR_FALSE, -1);
	}
	liar_scribbler_begin(&liar->scribbler, liar->large.memory, 128);
	net_liar_show(liar);
	net_liar_collect(liar);
	liar_scribbler_end(&liar->scribbler);
	memcpy(liar->large.memory, right, sizeof(right));
}

static void withdrawn_in_use(struct net_liar *liar)
{
	uint16_t *flags = sim_grant_entry(liar->guest, liar->fickle.gref);
	uint16_t before = __atomic_load_n(flags, __ATOMIC_SEQ_CST) & GTF_type_mask;
	struct net_liar_packet packet;

	net_liar_valid(liar, false, &packet);
	some(liar, &packet)->gref = liar->fickle.gref;
	net_liar_put(liar, &packet, NET_LIAR_FALSE, -1);
	net_liar_show(liar);
	pause_a_little(liar);
	__atomic_fetch_and(flags, (uint16_t)~GTF_type_mask, __ATOMIC_SEQ_CST);
	net_liar_collect(liar);
	__atomic_fetch_or(flags, before, __ATOMIC_SEQ_CST);
}

static void moved_in_use(struct net_liar *liar)
{
	const uint32_t version = liar->options.grant_version;
	struct net_liar_packet packet;

	net_liar_valid(liar, false, &packet);
	some(liar, &packet)->gref = liar->fickle.gref;
	net_liar_put(liar, &packet, NET_LIAR_FALSE, -1);
	net_liar_show(liar);
	pause_a_little(liar);
	liar_page_set_frame(liar->guest, &liar->fickle, version, liar->pages[0].frame);
	net_liar_collect(liar);
	liar_page_set_frame(liar->guest, &liar->fickle, version, liar->fickle.frame);
}

/* The slot is another one when it has been shown; its size, and flags that mean nothing, since what the host may have seen or not must be
 * right both times, or the ring could break. */
static void slot_changed(struct net_liar *liar)
{
	struct net_ring *ring = &liar->queue->tx;
	struct net_liar_packet packet;
	struct netif_tx_request *shown;

	net_liar_valid(liar, false, &packet);
	/* What this slot does not have any more the first one has, which must not leave its page by that. */
	packet.slots[0].request.offset = 0;
	net_liar_put(liar, &packet, NET_LIAR_FALSE, -1);
	shown = net_ring_entry(ring, ring->request_producer - 2);
	net_liar_show(liar);
	pause_a_little(liar);
	/* If it is answered by now, this spoils the answer, which is the guest's own affair: so only what an answer has not. */
	__atomic_store_n(&shown->flags, (uint16_t)(NETTXF_more_data | 0x4000), __ATOMIC_RELAXED);
	__atomic_store_n(&shown->size, 0, __ATOMIC_RELAXED);
	net_liar_collect(liar);
}

static void slot_scribbled(struct net_liar *liar)
{
	struct net_ring *ring = &liar->queue->tx;
	struct net_liar_packet packet;

	net_liar_valid(liar, false, &packet);
	/* The lower part of a slot's size, which never leaves its page so; nor does the first slot, which has what the others leave. */
	packet.slots[0].request.offset = packet.slots[2].request.offset = 0;
	net_liar_put(liar, &packet, NET_LIAR_FALSE, -1);
	liar_scribbler_begin(&liar->scribbler,
			     (uint8_t *)net_ring_entry(ring, ring->request_producer - 1) +
				     offsetof(struct netif_tx_request, size),
			     1);
	net_liar_show(liar);
	pause_a_little(liar);
	net_liar_collect(liar);
	liar_scribbler_end(&liar->scribbler);
}

static void data_scribbled(struct net_liar *liar)
{
	liar_scribbler_begin(&liar->scribbler, liar->pages[1].memory, PAGE_BYTES);
	for (int i = 0; i < 4; i++) {
		struct net_liar_packet packet;

		net_liar_valid(liar, false, &packet);
		net_liar_put(liar, &packet, NET_LIAR_FALSE, -1);
	}
	net_liar_show(liar);
	net_liar_collect(liar);
	liar_scribbler_end(&liar->scribbler);
}

/* ---- deeds: pages to receive into ---- */

static void post(struct net_liar *liar, uint32_t gref)
{
	net_liar_post(liar, gref, 0);
	net_liar_put_honest(liar, 4);
	net_liar_show(liar);
	net_liar_collect(liar);
}

static void page_withdrawn(struct net_liar *liar)
{
	post(liar, liar->withdrawn.gref);
}

static void page_never_granted(struct net_liar *liar)
{
	post(liar, net_liar_random(liar, GNTTAB_NR_RESERVED_ENTRIES));
}

static void page_beyond_table(struct net_liar *liar)
{
	post(liar, UINT32_MAX - net_liar_random(liar, 1000000));
}

static void page_read_only(struct net_liar *liar)
{
	post(liar, liar->read_only.gref);
}

static void page_of_other_domain(struct net_liar *liar)
{
	post(liar, liar->foreign.gref);
}

static void page_lost(struct net_liar *liar)
{
	post(liar, liar->lost.gref);
}

/* Many in a row, so that packets which need more than one page have none that is right. */
static void pages_withdrawn(struct net_liar *liar)
{
	for (int i = 0; i < 40; i++)
		net_liar_post(liar, liar->withdrawn.gref, 0);
	net_liar_show(liar);
	net_liar_collect(liar);
}

/* One page for all that comes. */
static void same_page(struct net_liar *liar)
{
	for (int i = 0; i < 10; i++)
		net_liar_post(liar, liar->pages[2].gref, 0);
	net_liar_show(liar);
	net_liar_collect(liar);
}

static void page_padding(struct net_liar *liar)
{
	net_liar_post(liar, liar->pages[2].gref, 0xffff);
	net_liar_show(liar);
	net_liar_collect(liar);
}

static void page_withdrawn_in_use(struct net_liar *liar)
{
	uint16_t *flags = sim_grant_entry(liar->guest, liar->fickle.gref);
	uint16_t before = __atomic_load_n(flags, __ATOMIC_SEQ_CST) & GTF_type_mask;

	net_liar_post(liar, liar->fickle.gref, 0);
	net_liar_put_honest(liar, 12);
	net_liar_show(liar);
	pause_a_little(liar);
	__atomic_fetch_and(flags, (uint16_t)~GTF_type_mask, __ATOMIC_SEQ_CST);
	net_liar_collect(liar);
	__atomic_fetch_or(flags, before, __ATOMIC_SEQ_CST);
}

/* No page at all: what comes is dropped, and what is sent is answered all the same. */
static void no_pages(struct net_liar *liar)
{
	liar->no_posting = true;
	for (int i = 0; i < 10; i++) {
		net_liar_put_honest(liar, 20);
		net_liar_show(liar);
		net_liar_collect(liar);
	}
	liar->no_posting = false;
}

/* ---- deeds: what is legal, and odd ---- */

static void same_id(struct net_liar *liar)
{
	const int id = liar->next_id++;

	for (int i = 0; i < 8; i++) {
		struct net_liar_packet packet;

		net_liar_valid(liar, false, &packet);
		net_liar_put(liar, &packet, NET_LIAR_FALSE, id);
	}
	net_liar_show(liar);
	net_liar_collect(liar);
}

static void event_storm(struct net_liar *liar)
{
	for (uint32_t i = 0; i < EVENTS; i++) {
		sim_port_notify(liar->guest, liar->queue->tx_port);
		sim_port_notify(liar->guest, liar->queue->rx_port);
	}
}

static void full_ring(struct net_liar *liar)
{
	net_liar_show(liar);
	net_liar_collect(liar);
	net_liar_put_honest(liar, NET_FRONT_RING_SIZE);
	net_liar_show(liar);
	net_liar_collect(liar);
}

/* multicast - ask for so many addresses, one packet each. */
static void multicast(struct net_liar *liar, uint8_t type, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct net_liar_packet packet;

		net_liar_valid(liar, true, &packet);
		packet.slots[0].request.flags = NETTXF_extra_info;
		packet.slots[1].extra = (struct netif_extra_info){.type = type};
		packet.slots[1].extra.u.mcast.addr[0] = 1;
		packet.slots[1].extra.u.mcast.addr[5] = (uint8_t)i;
		net_liar_put(liar, &packet, NET_LIAR_FALSE, -1);
	}
	net_liar_show(liar);
	net_liar_collect(liar);
}

static void too_many_addresses(struct net_liar *liar)
{
	multicast(liar, XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 100);
	multicast(liar, XEN_NETIF_EXTRA_TYPE_MCAST_DEL, 200);
}

/* ---- deeds: the rings' counters ---- */

static void response_events(struct net_liar *liar)
{
	for (int i = 0; i < 20; i++) {
		net_ring_header(&liar->queue->tx)->response_event = net_liar_random(liar, UINT32_MAX);
		net_ring_header(&liar->queue->rx)->response_event = net_liar_random(liar, UINT32_MAX);
		net_liar_put_honest(liar, 2);
		net_liar_show(liar);
	}
	net_liar_collect(liar);
}

static void request_events(struct net_liar *liar)
{
	for (int i = 0; i < 20; i++) {
		net_ring_header(&liar->queue->tx)->request_event = net_liar_random(liar, UINT32_MAX);
		net_ring_header(&liar->queue->rx)->request_event = net_liar_random(liar, UINT32_MAX);
		net_liar_put_honest(liar, 2);
		net_liar_show(liar);
	}
	net_liar_collect(liar);
}

static void same_producer(struct net_liar *liar)
{
	for (int i = 0; i < 50; i++)
		net_liar_show(liar);
}

/* settle - let all be answered first. */
static void settle(struct net_liar *liar)
{
	net_liar_show(liar);
	net_liar_collect(liar);
}

/* set_producer - of a ring, to what the liar does not count. */
static void set_producer(struct net_liar *liar, struct net_ring *ring, uint32_t producer)
{
	__atomic_store_n(&net_ring_header(ring)->request_producer, producer, __ATOMIC_RELEASE);
	sim_port_notify(liar->guest, liar->queue->tx_port);
	sim_port_notify(liar->guest, liar->queue->rx_port);
}

static void tx_too_far(struct net_liar *liar)
{
	struct net_ring *ring = &liar->queue->tx;

	settle(liar);
	set_producer(liar, ring, ring->request_producer + NET_FRONT_RING_SIZE + 1);
}

static void tx_anywhere(struct net_liar *liar)
{
	struct net_ring *ring = &liar->queue->tx;

	settle(liar);
	set_producer(liar, ring,
		     ring->request_producer + NET_FRONT_RING_SIZE + 1 +
			     net_liar_random(liar, UINT32_MAX - 1000));
}

static void tx_backwards(struct net_liar *liar)
{
	struct net_ring *ring = &liar->queue->tx;

	settle(liar);
	set_producer(liar, ring, ring->request_producer - 1 - net_liar_random(liar, 300));
}

/* The host looks at this ring when there is something for the guest: so something is sent, too. */
static void rx_too_far(struct net_liar *liar)
{
	struct net_ring *ring = &liar->queue->rx;

	settle(liar);
	net_liar_put_honest(liar, NET_LIAR_POSTED + 4);
	net_ring_push(&liar->queue->tx);
	set_producer(liar, ring,
		     ring->response_consumer + 2 * NET_FRONT_RING_SIZE + net_liar_random(liar, 1u << 30));
}

const struct net_lie net_deeds[] = {
	{"headers-change", LIE_ANYTHING, NULL, false, headers_scribbled},
	{"grant-withdrawn-in-use", LIE_ANYTHING, NULL, false, withdrawn_in_use},
	{"grant-moved-in-use", LIE_ANYTHING, NULL, false, moved_in_use},
	{"slot-changed-after-it-was-shown", LIE_ANYTHING, NULL, false, slot_changed},
	{"slot-changes-while-it-is-read", LIE_ANYTHING, NULL, false, slot_scribbled},
	{"data-changes-while-it-is-sent", LIE_HARMLESS, NULL, false, data_scribbled},
	{"page-withdrawn", LIE_REFUSED, NULL, false, page_withdrawn},
	{"page-never-granted", LIE_REFUSED, NULL, false, page_never_granted},
	{"page-beyond-the-table", LIE_REFUSED, NULL, false, page_beyond_table},
	{"page-read-only", LIE_REFUSED, NULL, false, page_read_only},
	{"page-of-another-domain", LIE_REFUSED, NULL, false, page_of_other_domain},
	{"page-of-no-frame", LIE_REFUSED, NULL, false, page_lost},
	{"many-pages-withdrawn", LIE_REFUSED, NULL, false, pages_withdrawn},
	{"same-page-for-all", LIE_HARMLESS, NULL, false, same_page},
	{"padding-of-a-page", LIE_HARMLESS, NULL, false, page_padding},
	{"page-withdrawn-in-use", LIE_ANYTHING, NULL, false, page_withdrawn_in_use},
	{"no-pages", LIE_HARMLESS, NULL, false, no_pages},
	{"same-id-for-all", LIE_HARMLESS, NULL, false, same_id},
	{"event-storm", LIE_HARMLESS, NULL, false, event_storm},
	{"full-ring", LIE_HARMLESS, NULL, false, full_ring},
	{"too-many-multicast-addresses", LIE_ANYTHING, NULL, false, too_many_addresses},
	{"response-events-nonsense", LIE_HARMLESS, NULL, false, response_events},
	{"request-events-overwritten", LIE_HARMLESS, NULL, false, request_events},
	{"same-producer-again", LIE_HARMLESS, NULL, false, same_producer},
	{"producer-too-far", LIE_BREAKS, NULL, false, tx_too_far},
	{"producer-anywhere", LIE_BREAKS, NULL, false, tx_anywhere},
	{"producer-backwards", LIE_BREAKS, NULL, false, tx_backwards},
	{"page-producer-too-far", LIE_BREAKS, NULL, false, rx_too_far},
};

const uint32_t net_deed_count = sizeof(net_deeds) / sizeof(net_deeds[0]);
