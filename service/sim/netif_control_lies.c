// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netif_control_lies.c - what a liar can say and do by the control ring of a network card
 *
 * A lie that asks for hashes takes that back, so that others find the card as it was.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <xen/grant_table.h>

#include "sim/netif_liar_internal.h"

#define ANSWER_TIMEOUT_MS 10000
#define EVENTS 2000
#define KEY_BYTES 40u
#define MAPPING_MAX 128u
#define FLAGS_ALL 15u

/* ---- asking ---- */

static struct net_front_control *control_of(struct net_liar *liar)
{
	return &liar->options.card->control;
}

/* put - a request into the ring. */
static void put(struct net_liar *liar, uint16_t type, uint32_t first, uint32_t second, uint32_t third)
{
	struct net_ring *ring = &control_of(liar)->ring;
	const struct xen_netif_ctrl_request request = {
		.id = (uint16_t)ring->request_producer, .type = type, .data = {first, second, third}};

	memcpy(net_ring_entry(ring, ring->request_producer++), &request, sizeof(request));
}

/* show - whether the host has asked for that or not. */
static void show(struct net_liar *liar)
{
	net_ring_push(&control_of(liar)->ring);
	sim_port_notify(liar->guest, control_of(liar)->port);
}

/* next - the answer to the oldest request. False: there is none in time. */
static bool next(struct net_liar *liar, struct xen_netif_ctrl_response *response)
{
	struct net_front_control *control = control_of(liar);
	struct net_ring *ring = &control->ring;

	for (int waited_ms = 0; !net_ring_ask(ring, 1); waited_ms++) {
		if (waited_ms == ANSWER_TIMEOUT_MS) {
			liar->outcome->unanswered = true;
			return false;
		}
		sim_port_wait(liar->guest, control->port, 1);
	}
	memcpy(response, net_ring_entry(ring, ring->response_consumer), sizeof(*response));
	if (response->id != (uint16_t)ring->response_consumer)
		liar->outcome->strays++;
	ring->response_consumer++;
	return true;
}

/* collect - the answers to all of the lie's own. */
static void collect(struct net_liar *liar)
{
	struct net_ring *ring = &control_of(liar)->ring;
	struct xen_netif_ctrl_response response;

	while (ring->response_consumer != ring->request_producer && next(liar, &response)) {
		liar->outcome->false_ones++;
		if (response.status == XEN_NETIF_CTRL_STATUS_SUCCESS)
			liar->outcome->granted++;
		else
			liar->outcome->refused++;
	}
}

/* lie - one request of the lie's, and its answer. */
static void lie(struct net_liar *liar, uint16_t type, uint32_t first, uint32_t second, uint32_t third)
{
	put(liar, type, first, second, third);
	show(liar);
	collect(liar);
}

/* ask - what is no lie, but the way to it. */
static void ask(struct net_liar *liar, uint16_t type, uint32_t first, uint32_t second, uint32_t third)
{
	struct xen_netif_ctrl_response response;

	put(liar, type, first, second, third);
	show(liar);
	liar->outcome->honest++;
	if (!next(liar, &response))
		return;
	if (response.status == XEN_NETIF_CTRL_STATUS_SUCCESS)
		liar->outcome->honest_good++;
	else
		liar->outcome->honest_failed++;
}

static void set_algorithm(struct net_liar *liar, uint32_t algorithm)
{
	ask(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, algorithm, 0, 0);
}

/* hash - all that there is from now on; stop_hashing - nothing any more. */
static void hash(struct net_liar *liar)
{
	set_algorithm(liar, XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ);
	ask(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, FLAGS_ALL, 0, 0);
}

static void stop_hashing(struct net_liar *liar)
{
	set_algorithm(liar, XEN_NETIF_CTRL_HASH_ALGORITHM_NONE);
}

/* send_large - packets that have a hash. */
static void send_large(struct net_liar *liar, uint32_t count)
{
	while (count-- > 0) {
		struct net_liar_packet packet;

		net_liar_valid(liar, true, &packet);
		net_liar_put(liar, &packet, NET_LIAR_HONEST, -1);
	}
	net_liar_show(liar);
	net_liar_collect(liar);
}

/* ---- lies: numbers ---- */

static void unknown_type(struct net_liar *liar)
{
	lie(liar, XEN_NETIF_CTRL_TYPE_INVALID, 0, 0, 0);
	for (uint16_t type = XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE; type < 20; type++)
		lie(liar, type, 0, liar->pages[0].gref, 1);
	lie(liar, UINT16_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX);
}

static void unknown_algorithm(struct net_liar *liar)
{
	lie(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, 2 + net_liar_random(liar, 1u << 30), 0, 0);
	lie(liar, XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS, 0, 0, 0);
	lie(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, FLAGS_ALL, 0, 0);
}

static void unknown_flags(struct net_liar *liar)
{
	set_algorithm(liar, XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ);
	lie(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, FLAGS_ALL + 1, 0, 0);
	lie(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, 1u << (4 + net_liar_random(liar, 28)), 0, 0);
	stop_hashing(liar);
}

static void long_key(struct net_liar *liar)
{
	lie(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, liar->pages[0].gref, KEY_BYTES + 1, 0);
	lie(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, liar->pages[0].gref, PAGE_BYTES, 0);
	lie(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, liar->pages[0].gref, UINT32_MAX, 0);
}

static void large_mapping(struct net_liar *liar)
{
	lie(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, MAPPING_MAX + 1, 0, 0);
	lie(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, UINT32_MAX, 0, 0);
}

static void mapping_beyond_size(struct net_liar *liar)
{
	const uint32_t gref = liar->pages[0].gref;

	ask(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 100, 0, 0);
	memset(liar->pages[0].memory, 0, PAGE_BYTES);
	lie(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, gref, 101, 0);
	lie(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, gref, 1, 100);
	lie(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, gref, 2, UINT32_MAX - 1);
	lie(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, gref, UINT32_MAX - 10, 20);
	lie(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, gref, 0x40000001, 0);
	memset(liar->pages[0].memory, 0xa2, PAGE_BYTES);
}

/* Behind the last queue, and where one number of 8 bits is a right one. */
static void mapping_beyond_queues(struct net_liar *liar)
{
	static const uint32_t wrong[] = {UINT32_MAX, 256, NET_QUEUES_MAX};
	uint32_t *entries = liar->pages[0].memory;

	ask(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, MAPPING_MAX, 0, 0);
	memset(entries, 0, PAGE_BYTES);
	for (uint32_t i = 0; i < 3; i++) {
		entries[net_liar_random(liar, MAPPING_MAX)] = wrong[i];
		lie(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, liar->pages[0].gref, MAPPING_MAX, 0);
	}
	memset(entries, 0xa2, PAGE_BYTES);
}

/* ---- lies: grants ---- */

/* bad_grants - in place of a page that holds something. */
static void bad_grants(struct net_liar *liar, uint16_t type, uint32_t size)
{
	lie(liar, type, liar->withdrawn.gref, size, 0);
	lie(liar, type, net_liar_random(liar, GNTTAB_NR_RESERVED_ENTRIES), size, 0);
	lie(liar, type, UINT32_MAX - net_liar_random(liar, 1000000), size, 0);
	lie(liar, type, liar->foreign.gref, size, 0);
	lie(liar, type, liar->lost.gref, size, 0);
}

static void key_without_grant(struct net_liar *liar)
{
	bad_grants(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, KEY_BYTES);
}

static void mapping_without_grant(struct net_liar *liar)
{
	ask(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 10, 0, 0);
	bad_grants(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, 10);
}

/* Nothing is read by the grant of a key without bytes. */
static void read_only_or_nothing(struct net_liar *liar)
{
	lie(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, liar->read_only.gref, KEY_BYTES, 0);
	lie(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, liar->withdrawn.gref, 0, 0);
	lie(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, UINT32_MAX, 0, 0);
	lie(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, control_of(liar)->ring.gref, KEY_BYTES, 0);
}

/* ---- deeds ---- */

/* The entries are others each time that they are looked at: what was checked must be what is used. */
static void mapping_scribbled(struct net_liar *liar)
{
	hash(liar);
	ask(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, MAPPING_MAX, 0, 0);
	memset(liar->pages[0].memory, 0, PAGE_BYTES);
	liar_scribbler_begin(&liar->scribbler, liar->pages[0].memory, MAPPING_MAX * sizeof(uint32_t));
	for (int i = 0; i < 20; i++)
		put(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, liar->pages[0].gref, MAPPING_MAX, 0);
	show(liar);
	send_large(liar, 4);
	collect(liar);
	liar_scribbler_end(&liar->scribbler);
	send_large(liar, 4);
	stop_hashing(liar);
	memset(liar->pages[0].memory, 0xa2, PAGE_BYTES);
}

static void key_withdrawn_in_use(struct net_liar *liar)
{
	uint16_t *flags = sim_grant_entry(liar->guest, liar->fickle.gref);
	uint16_t before = __atomic_load_n(flags, __ATOMIC_SEQ_CST) & GTF_type_mask;

	for (int i = 0; i < 10; i++)
		put(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, liar->fickle.gref, KEY_BYTES, 0);
	show(liar);
	__atomic_fetch_and(flags, (uint16_t)~GTF_type_mask, __ATOMIC_SEQ_CST);
	collect(liar);
	__atomic_fetch_or(flags, before, __ATOMIC_SEQ_CST);
}

/* A request's words are others each time that they are looked at. Its id and type are not. */
static void request_scribbled(struct net_liar *liar)
{
	struct net_ring *ring = &control_of(liar)->ring;

	for (int i = 0; i < 20; i++)
		put(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, liar->pages[0].gref, 1, 0);
	liar_scribbler_begin(&liar->scribbler,
			     (uint8_t *)net_ring_entry(ring, ring->request_producer - 1) +
				     offsetof(struct xen_netif_ctrl_request, data),
			     3 * sizeof(uint32_t));
	show(liar);
	collect(liar);
	liar_scribbler_end(&liar->scribbler);
}

/* The grant of the ring itself goes while the host serves it: its mapping stays. */
static void ring_withdrawn(struct net_liar *liar)
{
	uint16_t *flags = sim_grant_entry(liar->guest, control_of(liar)->ring.gref);
	uint16_t before = __atomic_load_n(flags, __ATOMIC_SEQ_CST) & GTF_type_mask;

	__atomic_fetch_and(flags, (uint16_t)~GTF_type_mask, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 10; i++)
		lie(liar, XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, 0, 0, 0);
	__atomic_fetch_or(flags, before, __ATOMIC_SEQ_CST);
}

static void event_storm(struct net_liar *liar)
{
	for (uint32_t i = 0; i < EVENTS; i++)
		sim_port_notify(liar->guest, control_of(liar)->port);
}

static void full_ring(struct net_liar *liar)
{
	while (net_ring_free(&control_of(liar)->ring) > 0)
		put(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, liar->pages[1].gref, KEY_BYTES, 0);
	show(liar);
	collect(liar);
}

static void response_events(struct net_liar *liar)
{
	for (int i = 0; i < 20; i++) {
		net_ring_header(&control_of(liar)->ring)->response_event = net_liar_random(liar, UINT32_MAX);
		net_ring_header(&control_of(liar)->ring)->request_event = net_liar_random(liar, UINT32_MAX);
		lie(liar, XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, 0, 0, 0);
	}
}

/* Hashes come and go among packets, with a key of no bytes and with one. */
static void on_and_off(struct net_liar *liar)
{
	for (int i = 0; i < 10; i++) {
		ask(liar, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, liar->pages[2].gref, i % 2 ? KEY_BYTES : 0, 0);
		hash(liar);
		send_large(liar, 2);
		stop_hashing(liar);
		send_large(liar, 1);
	}
}

/* ---- deeds: the ring's counters ---- */

static void set_producer(struct net_liar *liar, uint32_t producer)
{
	__atomic_store_n(&net_ring_header(&control_of(liar)->ring)->request_producer, producer,
			 __ATOMIC_RELEASE);
	sim_port_notify(liar->guest, control_of(liar)->port);
}

static void producer_too_far(struct net_liar *liar)
{
	const struct net_ring *ring = &control_of(liar)->ring;

	set_producer(liar, ring->request_producer + ring->size + 1);
}

static void producer_anywhere(struct net_liar *liar)
{
	const struct net_ring *ring = &control_of(liar)->ring;

	set_producer(liar,
		     ring->request_producer + ring->size + 1 + net_liar_random(liar, UINT32_MAX - 1000));
}

static void producer_backwards(struct net_liar *liar)
{
	ask(liar, XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, 0, 0, 0);
	set_producer(liar, control_of(liar)->ring.request_producer - 1 - net_liar_random(liar, 300));
}

const struct net_lie net_control_lies[] = {
	{"control-type-unknown", LIE_REFUSED, NULL, false, unknown_type},
	{"control-algorithm-unknown", LIE_REFUSED, NULL, false, unknown_algorithm},
	{"control-flags-unknown", LIE_REFUSED, NULL, false, unknown_flags},
	{"control-key-too-long", LIE_REFUSED, NULL, false, long_key},
	{"control-mapping-too-large", LIE_REFUSED, NULL, false, large_mapping},
	{"control-mapping-beyond-its-size", LIE_REFUSED, NULL, false, mapping_beyond_size},
	{"control-mapping-beyond-the-queues", LIE_REFUSED, NULL, false, mapping_beyond_queues},
	{"control-key-without-grant", LIE_REFUSED, NULL, false, key_without_grant},
	{"control-mapping-without-grant", LIE_REFUSED, NULL, false, mapping_without_grant},
	{"control-key-read-only", LIE_HARMLESS, NULL, false, read_only_or_nothing},
	{"control-mapping-changes", LIE_ANYTHING, NULL, false, mapping_scribbled},
	{"control-key-withdrawn-in-use", LIE_ANYTHING, NULL, false, key_withdrawn_in_use},
	{"control-request-changes", LIE_ANYTHING, NULL, false, request_scribbled},
	{"control-ring-withdrawn", LIE_HARMLESS, NULL, false, ring_withdrawn},
	{"control-event-storm", LIE_HARMLESS, NULL, false, event_storm},
	{"control-full-ring", LIE_HARMLESS, NULL, false, full_ring},
	{"control-events-nonsense", LIE_HARMLESS, NULL, false, response_events},
	{"control-hashes-on-and-off", LIE_HARMLESS, NULL, false, on_and_off},
	{"control-producer-too-far", LIE_BREAKS, NULL, false, producer_too_far},
	{"control-producer-anywhere", LIE_BREAKS, NULL, false, producer_anywhere},
	{"control-producer-backwards", LIE_BREAKS, NULL, false, producer_backwards},
};

const uint32_t net_control_lie_count = sizeof(net_control_lies) / sizeof(net_control_lies[0]);
