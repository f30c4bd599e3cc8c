// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_netif_ring.c - a network card's rings: any program of slots, extra infos, counters and grants
 *
 * The input is a program. Its first byte says what the backend and the guest take; then come steps, each a byte that says which
 * and what that step needs (struct input). The queue is driven without a loop: the program says when a turn is taken, which packet of
 * the guest's ends next, and what the backend has for the guest.
 *
 * What must hold besides memory: the backend gets only packets that are as backend.h says; each that it is given and each that it has
 * given comes back once; each slot that is taken is answered once; when all has ended nothing is mapped or in use; a page that is not
 * granted to be written is not. Each program is run by a guest whose frames are cached, by one whose grants are mapped, and by one
 * whose data is copied.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/netif.h>

#include "log.h"
#include "memory/mapper.h"
#include "rings/netif_internal.h"
#include "sim/sim.h"

#define FIRST_DOMID 9
#define OTHER_DOMID 20
#define GOOD_PAGES 20u
#define STEPS_MAX 500u
#define RECEIVED_MAX 512u		/* the backend has at a time for the guest */
#define FIRST_COUNTER (UINT32_MAX - 20) /* of every second program: the counters wrap */

/* What the first byte says: which of XVHOST_NET_... both take, by 4 bits, and this. */
enum {
	SHAPE_NO_SCATTER = 1u << 4,
	SHAPE_WRAP = 1u << 5,
	SHAPE_MULTICAST = 1u << 6,
	SHAPE_HEADROOM = 1u << 7,
};

enum page_kind {
	PAGE_READ_ONLY = GOOD_PAGES,
	PAGE_OTHER_DOMAIN,
	PAGE_WITHDRAWN,
	PAGE_TX, /* the rings */
	PAGE_RX,
	PAGES,
};

enum way {
	WAY_OF_CACHE,
	WAY_OF_GRANTS,
	WAY_OF_COPIES,
	WAYS,
};

/* One guest and how the host reaches it. Made once. */
struct world {
	struct sim_guest *guest;
	struct guest_memory *shared;
	struct memory *memory;
	struct netif_turn turn;
	uint8_t *pages[PAGES];
	uint64_t frames[PAGES];
	uint32_t grefs[PAGES];
	struct memory_ring tx, rx;
	bool cached;
};

struct input {
	const uint8_t *at;
	size_t left;
};

static struct world worlds[WAYS];
static struct platform platform;
static const struct platform *below;
static int64_t mapped; /* grants */

static struct world *world;
static struct netif_queue *queue;
static uint32_t tx_producer, rx_producer;
static bool pages_changed; /* by the program itself, or whether they are granted */
static bool end_at_once;
static struct xvhost_packet *given[NETIF_RING_SIZE];
static uint32_t given_count;
static uint8_t data[XVHOST_NET_BYTES_MAX];
static struct xvhost_packet received[RECEIVED_MAX];
static struct iovec received_iov[RECEIVED_MAX][3];
static bool is_received[RECEIVED_MAX];

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n", what);
	abort();
}

/* ---- the input ---- */

static uint8_t next_u8(struct input *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->at++;
}

static uint16_t next_u16(struct input *input)
{
	uint16_t low = next_u8(input);

	return (uint16_t)(low | next_u8(input) << 8);
}

static uint32_t next_u32(struct input *input)
{
	uint32_t low = next_u16(input);

	return low | (uint32_t)next_u16(input) << 16;
}

/* next_gref - of one of the pages, or one that is none. */
static uint32_t next_gref(struct input *input)
{
	uint8_t which = next_u8(input);

	return which < PAGES ? world->grefs[which] : which == 0xff ? next_u32(input) : which;
}

/* ---- the backend ---- */

static int fuzz_open(struct xvhost_net *net, const void *config, struct xvhost_net_properties *properties)
{
	(void)net;
	(void)config;
	(void)properties;
	return 0;
}

static void fuzz_close(struct xvhost_net *net)
{
	(void)net;
}

static int fuzz_start(struct xvhost_net_queue *of)
{
	(void)of;
	return 0;
}

static void fuzz_stop(struct xvhost_net_queue *of)
{
	(void)of;
}

/* check_headers - what was found in them lies in what is not the guest's memory. */
static void check_headers(const struct xvhost_packet *packet, uint32_t header)
{
	const bool blank = packet->flags & XVHOST_PACKET_CHECKSUM_BLANK;
	const bool ipv4 = queue->takes & XVHOST_NET_CHECKSUM_IPV4,
		   ipv6 = queue->takes & XVHOST_NET_CHECKSUM_IPV6;

	must(!blank || packet->checksum_start + packet->checksum_offset + 2u <= header,
	     "a blank checksum is in the headers");
	must(!blank || packet->gso != XVHOST_GSO_NONE || ipv4 || ipv6, "blank checksums were offered");
	if (packet->gso == XVHOST_GSO_NONE)
		return;
	must(packet->gso == XVHOST_GSO_TCPV4 || packet->gso == XVHOST_GSO_TCPV6, "a known kind of GSO");
	must(queue->takes & (packet->gso == XVHOST_GSO_TCPV4 ? XVHOST_NET_GSO_TCPV4 : XVHOST_NET_GSO_TCPV6),
	     "GSO was offered");
	must(blank && packet->gso_bytes > 0 && packet->header_bytes <= packet->length &&
		     packet->header_bytes > packet->checksum_start,
	     "GSO has what it needs");
}

static void check_packet(const struct xvhost_packet *packet)
{
	uint32_t header = packet->length < XVHOST_NET_HEADER_BYTES ? packet->length : XVHOST_NET_HEADER_BYTES;
	uint64_t length = 0;
	uint8_t seen = 0;

	must(packet->length >= XVHOST_NET_BYTES_MIN && packet->length <= XVHOST_NET_BYTES_MAX, "a length");
	must(packet->iov_count >= 1 && packet->iov_count <= XVHOST_NET_IOVECS_MAX, "a number of iovecs");
	must(packet->iov[0].iov_len >= header, "headers in one piece");
	must(packet->index < NETIF_RING_SIZE && packet->queue == &queue->seen, "a packet of the queue");
	for (uint32_t i = 0; i < packet->iov_count; i++) {
		const volatile uint8_t *bytes = packet->iov[i].iov_base;

		must(packet->iov[i].iov_len > 0, "no empty iovec");
		length += packet->iov[i].iov_len;
		for (size_t at = 0; at < packet->iov[i].iov_len; at += 64)
			seen ^= bytes[at];
		seen ^= bytes[packet->iov[i].iov_len - 1];
	}
	(void)seen;
	must(length == packet->length, "the iovecs sum up to the length");
	check_headers(packet, header);
}

static void fuzz_transmit(struct xvhost_net_queue *of, struct xvhost_packet *const *packets, uint32_t count)
{
	must(of == &queue->seen && count > 0 && count <= NETIF_PACKETS_PER_TURN, "packets of a turn");
	for (uint32_t i = 0; i < count; i++) {
		check_packet(packets[i]);
		if (end_at_once)
			netif_transmitted(packets[i], 0);
		else
			given[given_count++] = packets[i];
	}
}

static void fuzz_room(struct xvhost_net_queue *of)
{
	must(of == &queue->seen, "room in the queue");
}

static void fuzz_delivered(struct xvhost_packet *packet, int error)
{
	uint32_t which = (uint32_t)(packet - received);

	must(which < RECEIVED_MAX && is_received[which] && error <= 0, "a packet comes back once");
	is_received[which] = false;
}

static const struct xvhost_net_backend backend = {
	.size = sizeof(backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "fuzz",
	.open = fuzz_open,
	.close = fuzz_close,
	.queue_start = fuzz_start,
	.queue_stop = fuzz_stop,
	.transmit = fuzz_transmit,
	.room = fuzz_room,
	.delivered = fuzz_delivered,
};

/* ---- the guests ---- */

static int counted_map(struct grants *grants, uint16_t domid, const uint32_t *grefs, uint32_t count,
		       bool writable, bool consecutive, void **pages, void **mapping)
{
	int error = below->grants_map(grants, domid, grefs, count, writable, consecutive, pages, mapping);

	if (error == 0)
		mapped += count;
	return error;
}

static int counted_unmap(struct grants *grants, void *mapping, uint32_t count)
{
	mapped -= count;
	return below->grants_unmap(grants, mapping, count);
}

/* restore_grants - as they were before a program wrote to their entries. Version 1: flags, domain, frame. */
static void restore_grants(const struct world *of)
{
	for (uint32_t i = 0; i < PAGES; i++) {
		uint16_t *entry = sim_grant_entry(of->guest, of->grefs[i]);
		uint32_t frame = (uint32_t)of->frames[i];

		if (i == PAGE_TX || i == PAGE_RX)
			continue;
		entry[0] = i == PAGE_WITHDRAWN ? 0 : i == PAGE_READ_ONLY ? 1 | 4 : 1;
		entry[1] = i == PAGE_OTHER_DOMAIN ? OTHER_DOMID : SIM_HOST_DOMID;
		memcpy(&entry[2], &frame, sizeof(frame));
	}
}

static void make_world(struct sim_machine *machine, enum way way)
{
	const struct sim_guest_options options = {
		.domid = (uint16_t)(FIRST_DOMID + way), .pages = PAGES, .strict = true};
	const struct guest_memory_settings settings = {.most_mib = 4, .budget_mib = 4, .idle_s = 10};
	struct world *made = &worlds[way];
	char text[MEMORY_TEXT_MAX];

	must(sim_guest_create(machine, &options, &made->guest) == 0, "a guest");
	must(sim_pages_take(made->guest, PAGES, made->frames) == 0, "pages");
	for (uint32_t i = 0; i < PAGES; i++) {
		int64_t gref = sim_grant(made->guest, SIM_HOST_DOMID, made->frames[i], false);

		must(gref >= 0, "a grant");
		made->grefs[i] = (uint32_t)gref;
		made->pages[i] = sim_page(made->guest, made->frames[i]);
	}
	must(guest_memory_open(&platform, options.domid, &settings, &made->shared) == 0,
	     "the guest's memory");
	must(memory_open(&platform, options.domid, made->shared, NETIF_MAPPINGS_MAX, &made->memory) == 0,
	     "its memory");
	must(memory_map_ring(made->memory, &made->grefs[PAGE_TX], 1, &made->tx) == 0, "a tx ring");
	must(memory_map_ring(made->memory, &made->grefs[PAGE_RX], 1, &made->rx) == 0, "a rx ring");
	must(netif_turn_init(&made->turn, made->memory, 1) == 0, "a turn");
	if (way == WAY_OF_CACHE)
		must(memory_choose(made->memory, MEMORY_AUTO, &made->cached, text) == 0 && made->cached,
		     "a cache");
}

static void make_worlds(void)
{
	struct sim_machine *machine = sim_machine_create(1);

	must(machine != NULL, "a machine");
	log_set_level((enum log_level)0);
	below = sim_platform(machine);
	platform = *below;
	platform.grants_map = counted_map;
	platform.grants_unmap = counted_unmap;
	for (enum way way = 0; way < WAYS; way++)
		make_world(machine, way);
	mapped = 0; /* the rings stay mapped, and are not counted */
}

/* ---- the steps ---- */

static netif_tx_sring_t *tx_ring(void)
{
	return (netif_tx_sring_t *)world->pages[PAGE_TX];
}

static netif_rx_sring_t *rx_ring(void)
{
	return (netif_rx_sring_t *)world->pages[PAGE_RX];
}

static void *next_tx_slot(void)
{
	return &tx_ring()->ring[tx_producer++ % NETIF_RING_SIZE];
}

static void put_slot(struct input *input)
{
	netif_tx_request_t request = {.flags = next_u8(input) & 15};

	request.gref = next_gref(input);
	request.offset = (uint16_t)(next_u8(input) * 17);
	request.size = next_u16(input);
	request.id = (uint16_t)tx_producer;
	memcpy(next_tx_slot(), &request, sizeof(request));
}

static void put_extra(struct input *input)
{
	netif_extra_info_t extra = {.type = next_u8(input) % (XEN_NETIF_EXTRA_TYPE_MAX + 1)};

	extra.flags = next_u8(input);
	for (uint32_t i = 0; i < sizeof(extra.u.mcast.addr); i++)
		extra.u.mcast.addr[i] = next_u8(input);
	memcpy(next_tx_slot(), &extra, sizeof(extra));
}

/* put_headers - those of a good packet at a page's beginning, which the program may poke into. */
static void put_headers(struct input *input)
{
	uint8_t which = next_u8(input), *page = world->pages[next_u8(input) % GOOD_PAGES];

	pages_changed = true;
	memset(page, 0, 128);
	page[12] = which & 1 ? 0x86 : 0x08;
	page[13] = which & 1 ? 0xdd : 0x00;
	page[14] = which & 1 ? 0x60 : 0x45;
	page[which & 1 ? 20 : 23] = which & 2 ? 6 : 17;
	page[(which & 1 ? 54 : 34) + 12] = which & 2 ? 0x50 : 0;
}

static void post(struct input *input)
{
	uint32_t count = next_u8(input) % 32 + 1;
	netif_rx_request_t request = {.gref = next_gref(input)};

	for (uint32_t i = 0; i < count; i++) {
		request.id = (uint16_t)rx_producer;
		memcpy(&rx_ring()->ring[rx_producer++ % NETIF_RING_SIZE], &request, sizeof(request));
	}
}

static void check_counts(void)
{
	uint32_t unanswered = queue->tx.request_consumer - queue->tx.response_producer;

	must(queue->in_flight <= NETIF_RING_SIZE && unanswered <= NETIF_RING_SIZE,
	     "as many are in flight as can be");
	must(queue->broken || queue->in_flight <= unanswered,
	     "each in flight has a slot that is not answered");
	must(given_count <= queue->in_flight, "what the backend has is in flight");
	must(mapped == 0 || queue->in_flight > 0, "nothing is mapped when nothing is in flight");
}

static void take_turn(void)
{
	bool notify_tx, notify_rx;

	netif_take(queue);
	netif_start(&world->turn);
	netif_finish(&world->turn);
	netif_publish(queue, &notify_tx, &notify_rx);
	netif_ask(queue);
	if (netif_rate_wait_ns(queue) > UINT32_MAX)
		netif_rate_passed(queue);
	check_counts();
}

static void end_one(uint32_t which, int error)
{
	struct xvhost_packet *packet;

	if (given_count == 0)
		return;
	which %= given_count;
	packet = given[which];
	given[which] = given[--given_count];
	netif_transmitted(packet, error);
}

/* receive - the backend has a packet for the guest, in up to three pieces; it may be wrong, too. */
static void receive(struct input *input)
{
	uint32_t which = 0, flags = next_u8(input), length = next_u16(input), cut = next_u8(input) * 8u;
	struct xvhost_packet *packet;
	struct iovec *iov;

	while (which < RECEIVED_MAX && is_received[which])
		which++;
	if (which == RECEIVED_MAX)
		return;
	packet = &received[which];
	iov = received_iov[which];
	*packet = (struct xvhost_packet){
		.queue = &queue->seen,
		.iov = iov,
		.iov_count = 3,
		.length = flags & 32 ? length + 1 : length,
		.flags = flags & 3,
		.gso = flags >> 2 & 3,
		.gso_bytes = 1448,
	};
	cut = cut < length ? cut : length;
	data[0] = (uint8_t)(flags >> 4 & 1);
	iov[0] = (struct iovec){data, cut};
	iov[1] = (struct iovec){data + cut, (length - cut) / 2};
	iov[2] = (struct iovec){data + cut + iov[1].iov_len, length - cut - iov[1].iov_len};
	is_received[which] = true;
	if (!netif_receive(&queue->seen, packet))
		is_received[which] = false;
}

static void change_settings(struct input *input)
{
	const uint8_t what = next_u8(input);
	const struct message_net_settings settings = {
		.rate_bytes = what & 1 ? next_u32(input) : 0,
		.rate_interval_us = what & 1 ? next_u16(input) : 0,
		.multicast_control = what & 2,
		.xdp_headroom = what & 4 ? next_u16(input) : 0,
	};

	netif_queue_set(queue, &settings);
}

static void change_counter(struct input *input)
{
	uint8_t which = next_u8(input);
	uint32_t *counters = (uint32_t *)world->pages[which & 4 ? PAGE_RX : PAGE_TX];

	counters[which & 3] = next_u32(input);
}

static void change_grant(struct input *input)
{
	uint16_t *entry = sim_grant_entry(world->guest, world->grefs[next_u8(input) % PAGE_TX]);
	uint8_t what = next_u8(input);

	pages_changed = true;
	entry[what % 4] = next_u16(input);
}

static void poke(struct input *input)
{
	uint8_t *page = world->pages[next_u8(input) % PAGES];
	uint16_t at = next_u16(input) % PAGE_BYTES;

	pages_changed = true;
	page[at] = next_u8(input);
}

static void step(struct input *input)
{
	switch (next_u8(input) % 15) {
	case 0:
		put_slot(input);
		break;
	case 1:
		put_extra(input);
		break;
	case 2:
		put_headers(input);
		break;
	case 3:
		tx_ring()->req_prod = tx_producer;
		break;
	case 4:
		post(input);
		break;
	case 5:
		rx_ring()->req_prod = rx_producer;
		break;
	case 6:
		take_turn();
		break;
	case 7: {
		uint8_t which = next_u8(input);

		end_one(which, -(next_u8(input) % 100));
		break;
	}
	case 8:
		receive(input);
		break;
	case 9:
		change_counter(input);
		break;
	case 10:
		change_grant(input);
		break;
	case 11:
		poke(input);
		break;
	case 12:
		change_settings(input);
		break;
	case 13:
		end_at_once = next_u8(input) & 1;
		break;
	case 14:
		/* Started with what is taken later, by the next turn. */
		netif_event(queue);
		netif_take(queue);
		break;
	}
}

/* ---- a program ---- */

static void begin(uint8_t shape, enum way way)
{
	static struct xvhost_net net = {.size = sizeof(net), .name = "fuzz"};
	static struct xvhost_net_properties properties;
	static struct log_limit limit;
	const uint32_t counter = shape & SHAPE_WRAP ? FIRST_COUNTER : 0;
	const struct message_net_settings settings = {
		.multicast_control = shape & SHAPE_MULTICAST,
		.xdp_headroom = shape & SHAPE_HEADROOM ? NET_XDP_HEADROOM_MAX : 0,
	};
	struct netif_queue_parameters parameters = {
		.net = &net,
		.backend = &backend,
		.properties = &properties,
		.count = 1,
		.guest_takes = shape & 15u,
		.scatter = !(shape & SHAPE_NO_SCATTER),
		.map_tx = way != WAY_OF_COPIES,
		.map_rx = way != WAY_OF_COPIES,
		.settings = &settings,
		.limit = &limit,
	};

	world = &worlds[way];
	for (uint32_t i = 0; i < PAGES; i++)
		memset(world->pages[i], 0, PAGE_BYTES);
	restore_grants(world);
	properties.flags = shape & 15u;
	tx_ring()->req_prod = tx_ring()->rsp_prod = rx_ring()->req_prod = rx_ring()->rsp_prod = counter;
	tx_producer = rx_producer = counter;
	parameters.tx_page = world->tx.pages[0];
	parameters.rx_page = world->rx.pages[0];
	parameters.cached = world->cached;
	/* Each program may name as many frames that are not there. */
	if (world->cached)
		world->memory->cache->in_vain = CACHE_IN_VAIN;
	must(netif_queue_create(&parameters, &queue) == 0, "a queue");
	must(netif_queue_start(queue, &world->turn, 0) == 0, "a queue that is started");
	pages_changed = end_at_once = false;
	given_count = 0;
}

/* check_pages - those that are not granted to be written are what they were. */
static void check_pages(void)
{
	for (uint32_t i = PAGE_READ_ONLY; i <= PAGE_WITHDRAWN && !pages_changed; i++) {
		const uint8_t *page = world->pages[i];

		must(page[0] == 0 && memcmp(page, page + 1, PAGE_BYTES - 1) == 0,
		     "only what is granted is written");
	}
}

/* check_cache - nothing of it is in use. */
static void check_cache(const struct cache *cache)
{
	for (uint32_t i = 0; i < cache->slots_end; i++)
		must(cache->slots[i].state == CACHE_FREE || cache->slots[i].uses == 0, "nothing is in use");
}

/* end - all that was taken is answered, and nothing is left. */
static void end(void)
{
	netif_queue_release(queue);
	/* What was answered since the last turn is shown by one. */
	take_turn();
	while (!netif_queue_idle(queue) || netif_queue_ready(queue)) {
		end_one(0, 0);
		must(netif_queue_ready(queue), "what is in flight is the backend's");
		take_turn();
	}
	must(queue->broken || queue->tx.request_consumer == queue->tx.response_published,
	     "each slot that was taken is answered, and the answer shown");
	must(queue->broken || queue->rx.request_consumer == queue->rx.response_published,
	     "the same of those for the guest");
	for (uint32_t i = 0; i < RECEIVED_MAX; i++)
		must(!is_received[i], "each packet comes back");
	netif_queue_stop(queue);
	netif_queue_free(queue);
	must(mapped == 0, "nothing is mapped");
	check_pages();
	if (!world->cached)
		return;
	check_cache(world->memory->cache);
	memory_attend(world->memory);
}

/* run - the program, in a guest of one kind. */
static void run(struct input input, enum way way)
{
	begin(next_u8(&input), way);
	for (uint32_t steps = 0; input.left > 0 && steps < STEPS_MAX; steps++)
		step(&input);
	end();
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	if (below == NULL)
		make_worlds();
	for (enum way way = 0; way < WAYS; way++)
		run((struct input){input, size}, way);
	return 0;
}
