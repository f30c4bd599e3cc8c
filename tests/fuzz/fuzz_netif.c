// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_netif.c - the rings of a guest's network card: any program of slots, extra infos, counters and grants
 *
 * The input is a program. Its first byte says what the card and its backend are like; then come steps, each a byte that says
 * which and what that step needs (struct input). The queue is driven without a loop: the program says when a turn is taken, which
 * of the backend's packets is ended next, and what the backend has for the guest.
 *
 * What must hold besides memory: the backend gets only packets as backend.h describes them, in memory that it may read; each
 * slot that is taken is answered once; what the backend gives to the guest it gets back once; when the queue is released all
 * comes to an end and nothing is mapped; a page that is not granted to be written, or was not posted, is not written, whatever
 * the way to it. Each program is run by guests whose memory is copied, mapped by grants, and cached.
 */
#include <stdint.h>
#include <string.h>
#include <xen/io/netif.h>

#include "fuzzed.h"
#include "rings/netif_internal.h"
#include "sim/net_content.h"
#include "sim/net_ring.h"

#define DOMID 9
#define GOOD_PAGES 12u
#define WORLDS 3u
#define STEPS_MAX 400u
#define GIVEN_MAX 32u /* packets that the backend has for the guest at a time */
#define TURNS_MAX 64u /* that a queue needs to come to its end */
#define FIRST_COUNTER (UINT32_MAX - 20)

/* What the first byte says. */
enum {
	SHAPE_GUEST_TAKES = 0xf, /* XVHOST_NET_... */
	SHAPE_NO_SCATTER = 1u << 4,
	SHAPE_TAKES_NOTHING = 1u << 5, /* the backend */
	SHAPE_MULTICAST = 1u << 6,
	SHAPE_WRAP = 1u << 7,
};

enum page_kind {
	PAGE_LARGE_4 = 0, /* a packet for GSO over IPv4 */
	PAGE_LARGE_6,	  /* the same over IPv6 */
	PAGE_BLANK,	  /* a packet with a blank checksum */
	PAGES_GRANTED = GOOD_PAGES + FUZZED_BAD_PAGES,
	PAGE_TX_RING = PAGES_GRANTED, /* the rings' own */
	PAGE_RX_RING,
	PAGES,
};

/* One guest and how the host reaches it. Made once. */
struct world {
	struct fuzzed base;
	struct net_ring tx, rx;
	struct memory_ring tx_mapped, rx_mapped;
	struct netif_turn turn;
};

/* A packet that the backend has for the guest. */
struct given {
	struct xvhost_packet packet;
	struct iovec pieces[3];
	bool busy;
};

static struct world worlds[WORLDS];
static uint8_t first_content[PAGES_GRANTED][PAGE_BYTES];

static struct world *world;
static struct netif_queue *queue;
static struct xvhost_packet *transmitted[NETIF_RING_SIZE];
static uint32_t transmitted_count;
static struct given givens[GIVEN_MAX];
static uint8_t given_bytes[XVHOST_NET_BYTES_MAX];
static bool end_at_once, echo, stopped;
static bool pages_changed; /* by the program itself, or whether they are granted */
static bool posted[PAGES];
static struct xvhost_net_properties properties;
static uint32_t first_counter;

/* ---- the backend ---- */

static int fuzz_start(struct xvhost_net_queue *seen)
{
	(void)seen;
	return 0;
}

static void fuzz_stop(struct xvhost_net_queue *seen)
{
	must(seen->flags & XVHOST_QUEUE_STOPPING, "it is said that a queue is to stop");
	stopped = true;
}

/* give - a packet to the guest. False: it does not take it now. */
static bool give(uint32_t length, uint32_t flags, uint16_t gso, uint16_t gso_bytes, uint32_t pieces)
{
	struct given *given = NULL;
	uint32_t at = 0;

	for (uint32_t i = 0; i < GIVEN_MAX && !given; i++)
		given = givens[i].busy ? NULL : &givens[i];
	if (!given)
		return false;
	given->packet = (struct xvhost_packet){.queue = netif_seen(queue),
					       .iov = given->pieces,
					       .iov_count = pieces,
					       .length = length,
					       .flags = flags,
					       .gso = gso,
					       .gso_bytes = gso_bytes};
	for (uint32_t i = 0; i < pieces; i++) {
		uint32_t here = i + 1 < pieces ? length / pieces : length - at;

		given->pieces[i] = (struct iovec){given_bytes + at, here};
		at += here;
	}
	given->busy = netif_receive(netif_seen(queue), &given->packet);
	return given->busy;
}

/* check_checksum - where a blank one lies. */
static void check_checksum(const struct xvhost_packet *packet)
{
	if (!(packet->flags & XVHOST_PACKET_CHECKSUM_BLANK))
		return;
	must(packet->checksum_start >= XVHOST_NET_BYTES_MIN, "a checksum lies behind the Ethernet header");
	must(packet->checksum_offset == 6 || packet->checksum_offset == 16, "a checksum is UDP's or TCP's");
	must((uint32_t)packet->checksum_start + packet->checksum_offset + 2 <= packet->length,
	     "a checksum lies in the packet");
	must(packet->checksum_start + packet->checksum_offset + 2u <= packet->iov[0].iov_len,
	     "a checksum lies in the first piece");
	must(properties.flags & (XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6),
	     "blank checksums where they are taken");
}

static void check_gso(const struct xvhost_packet *packet)
{
	if (packet->gso == XVHOST_GSO_NONE)
		return;
	must(packet->gso == XVHOST_GSO_TCPV4 || packet->gso == XVHOST_GSO_TCPV6, "a known GSO");
	must(properties.flags &
		     (packet->gso == XVHOST_GSO_TCPV4 ? XVHOST_NET_GSO_TCPV4 : XVHOST_NET_GSO_TCPV6),
	     "GSO where it is taken");
	must(packet->flags & XVHOST_PACKET_CHECKSUM_BLANK, "GSO with a blank checksum");
	must(packet->gso_bytes > 0, "segments have bytes");
	must(packet->header_bytes > packet->checksum_start && packet->header_bytes <= packet->length &&
		     packet->header_bytes <= packet->iov[0].iov_len,
	     "headers lie in the first piece");
}

/* check_memory - all of it may be read, and together it is the packet. */
static void check_memory(const struct xvhost_packet *packet)
{
	uint32_t header = packet->length < XVHOST_NET_HEADER_BYTES ? packet->length : XVHOST_NET_HEADER_BYTES;
	uint64_t length = 0;
	uint8_t seen = 0;

	must(packet->length >= XVHOST_NET_BYTES_MIN && packet->length <= XVHOST_NET_BYTES_MAX,
	     "a packet's size");
	must(packet->iov_count >= 1 && packet->iov_count <= XVHOST_NET_IOVECS_MAX, "so many pieces");
	must(packet->iov[0].iov_len >= header, "headers are in the first piece");
	for (uint32_t i = 0; i < packet->iov_count; i++) {
		must(packet->iov[i].iov_len > 0, "pieces have bytes");
		length += packet->iov[i].iov_len;
		for (size_t at = 0; at < packet->iov[i].iov_len; at += 64)
			seen ^= ((volatile uint8_t *)packet->iov[i].iov_base)[at];
		seen ^= ((volatile uint8_t *)packet->iov[i].iov_base)[packet->iov[i].iov_len - 1];
	}
	(void)seen;
	must(length == packet->length, "the pieces sum up to the length");
}

/* check_slots - each lies in its page: what is behind that may be there, too, and be somebody else's. */
static void check_slots(struct xvhost_packet *seen)
{
	const struct netif_packet *packet = netif_packet_of(seen);
	uint32_t length = 0;

	for (uint32_t i = packet->first; i < packet->end; i++) {
		must(packet->offsets[i] + packet->sizes[i] <= PAGE_BYTES, "a slot lies in its page");
		length += packet->sizes[i];
	}
	must(length == seen->length, "the slots sum up to the length");
}

static void fuzz_transmit(struct xvhost_net_queue *seen, struct xvhost_packet *const *packets, uint32_t count)
{
	must(count >= 1 && count <= NETIF_PACKETS_PER_TURN, "so many packets in a turn");
	for (uint32_t i = 0; i < count; i++) {
		must(packets[i]->queue == seen && packets[i]->index < seen->packets_max,
		     "a packet of the queue's");
		check_slots(packets[i]);
		check_memory(packets[i]);
		check_checksum(packets[i]);
		check_gso(packets[i]);
		for (uint32_t j = 0; j < transmitted_count; j++)
			must(transmitted[j] != packets[i] && transmitted[j]->index != packets[i]->index,
			     "a packet is transmitted once");
		if (echo)
			give(packets[i]->length, 0, XVHOST_GSO_NONE, 0, 1);
		if (end_at_once)
			netif_transmitted(packets[i], 0);
		else
			transmitted[transmitted_count++] = packets[i];
	}
}

static void fuzz_room(struct xvhost_net_queue *seen)
{
	if (!(seen->flags & XVHOST_QUEUE_STOPPING) && echo)
		give(1000, 0, XVHOST_GSO_NONE, 0, 1);
}

static void fuzz_delivered(struct xvhost_packet *packet, int error)
{
	struct given *given = (struct given *)(void *)packet;

	must(given >= givens && given < givens + GIVEN_MAX && given->busy, "a packet is given back once");
	must(error <= 0, "an error is negative");
	given->busy = false;
}

static const struct xvhost_net_backend backend = {
	.size = sizeof(backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "fuzz",
	.queue_start = fuzz_start,
	.queue_stop = fuzz_stop,
	.transmit = fuzz_transmit,
	.room = fuzz_room,
	.delivered = fuzz_delivered,
};

/* ---- the guests and their host ---- */

/* make_content - of the pages that are packets; the others have a pattern that is no protocol's. */
static void make_content(void)
{
	static uint8_t bytes[XVHOST_NET_BYTES_MAX + 8];
	struct net_content_options options = {
		.minimum = 3000, .maximum = 3000, .takes = XVHOST_NET_GSO_TCPV4};
	struct net_content content;

	memset(first_content, 0xa2, sizeof(first_content));
	net_content_make(&options, 1, 1, &content, bytes);
	memcpy(first_content[PAGE_LARGE_4], bytes, content.length);
	options.takes = XVHOST_NET_GSO_TCPV6;
	net_content_make(&options, 1, 1, &content, bytes);
	memcpy(first_content[PAGE_LARGE_6], bytes, content.length);
	options.minimum = options.maximum = 200;
	options.takes = XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6;
	for (uint32_t number = 0; !content.blank || content.gso_bytes > 0; number++)
		net_content_make(&options, 1, number, &content, bytes);
	memcpy(first_content[PAGE_BLANK], bytes, content.length);
	memset(given_bytes, 0x5d, sizeof(given_bytes));
	given_bytes[0] = 2;
}

/* restore - grants and content as they were before the program changed them. Nothing is mapped but rings. */
static void restore(struct world *of)
{
	fuzzed_restore(&of->base);
	for (uint32_t i = 0; i < PAGES_GRANTED; i++)
		memcpy(of->base.pages[i], first_content[i], PAGE_BYTES);
}

/* make_ring - whose page can be named by slots, too. */
static void make_ring(struct world *of, struct net_ring *ring, uint32_t entry_bytes, enum page_kind kind,
		      struct memory_ring *ring_mapped)
{
	must(net_ring_create(ring, of->base.guest, SIM_HOST_DOMID, entry_bytes) == 0, "a ring");
	must(memory_map_ring(of->base.memory, &ring->gref, 1, ring_mapped) == 0, "a mapped ring");
	of->base.pages[kind] = ring->page;
	of->base.grefs[kind] = ring->gref;
}

static void make_world(uint32_t index)
{
	struct world *of = &worlds[index];

	/* The second has no copies, so that all is mapped. */
	fuzzed_make(&of->base, &(struct fuzzed_options){.domid = (uint16_t)(DOMID + index),
							.strict = index < 2,
							.no_copies = index == 1,
							.cached = index == 2,
							.pages = PAGES_GRANTED,
							.bad_from = GOOD_PAGES,
							.mappings_max = NETIF_MAPPINGS_MAX});
	make_ring(of, &of->tx, sizeof(struct netif_tx_request), PAGE_TX_RING, &of->tx_mapped);
	make_ring(of, &of->rx, sizeof(struct netif_rx_request), PAGE_RX_RING, &of->rx_mapped);
	must(netif_turn_init(&of->turn, of->base.memory, 1) == 0, "a turn");
	restore(of);
}

static void make_worlds(void)
{
	make_content();
	for (uint32_t i = 0; i < WORLDS; i++)
		make_world(i);
	fuzzed_mapped = 0; /* the rings stay mapped, and are not counted */
}

/* ---- the steps ---- */

static void put_slot(struct input *input)
{
	struct netif_tx_request request;

	request.gref = next_gref(input, &world->base, PAGES);
	request.offset = next_u16(input);
	request.flags = next_u8(input) & 0xf;
	request.id = next_u8(input);
	request.size = next_u16(input);
	memcpy(net_ring_entry(&world->tx, world->tx.request_producer++), &request, sizeof(request));
}

/* read_offset - for so many bytes: mostly such that they lie in the page, and near its end, where some may not. */
static uint16_t read_offset(struct input *input, uint16_t size)
{
	uint8_t how = next_u8(input);

	if (how & 0x80)
		return (uint16_t)(PAGE_BYTES - size + (how & 7) - 6);
	return size < PAGE_BYTES ? (uint16_t)(how * 32 % (PAGE_BYTES - size)) : 0;
}

/* put_packet - slots that belong together, and of which the first mostly has the sum. */
static void put_packet(struct input *input)
{
	uint32_t count = 1 + next_u8(input) % 20, first = world->tx.request_producer, sum = 0;
	const uint8_t flags = next_u8(input) & (NETTXF_csum_blank | NETTXF_data_validated),
		      more = next_u8(input);
	struct netif_tx_request request;

	for (uint32_t i = 0; i < count; i++) {
		request = (struct netif_tx_request){.gref = next_gref(input, &world->base, PAGES),
						    .id = (uint16_t)(i + 100)};
		request.size = next_u16(input) % (PAGE_BYTES + 1);
		request.offset = read_offset(input, request.size);
		request.flags = (uint16_t)((i == 0 ? flags : 0) | (i + 1 < count ? NETTXF_more_data : 0));
		sum += request.size;
		memcpy(net_ring_entry(&world->tx, world->tx.request_producer++), &request, sizeof(request));
	}
	memcpy(&request, net_ring_entry(&world->tx, first), sizeof(request));
	request.size = (uint16_t)(more < 0xc0 ? sum : sum + more - 0xe0);
	memcpy(net_ring_entry(&world->tx, first), &request, sizeof(request));
}

static void put_extra(struct input *input)
{
	uint8_t bytes[sizeof(struct netif_tx_request)] = {0};

	for (size_t i = 0; i < sizeof(struct netif_extra_info); i++)
		bytes[i] = next_u8(input);
	memcpy(net_ring_entry(&world->tx, world->tx.request_producer++), bytes, sizeof(bytes));
}

static void put_page(struct input *input)
{
	struct netif_rx_request request = {.id = next_u8(input)};
	uint8_t which = next_u8(input);

	request.gref = which < PAGES ? world->base.grefs[which] : which == 0xff ? next_u32(input) : which;
	if (which < PAGES)
		posted[which] = true;
	memcpy(net_ring_entry(&world->rx, world->rx.request_producer++), &request, sizeof(request));
}

/* put_pages - the good ones behind those that are packets, over and over: so many requests. */
static void put_pages(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t which = PAGE_BLANK + 1 + i % (GOOD_PAGES - PAGE_BLANK - 1);
		const struct netif_rx_request request = {.id = (uint16_t)i, .gref = world->base.grefs[which]};

		posted[which] = true;
		memcpy(net_ring_entry(&world->rx, world->rx.request_producer++), &request, sizeof(request));
	}
}

/* take_turn - as the loop does it. */
static void take_turn(void)
{
	struct ring_publication shown;

	netif_event(queue);
	netif_take(queue);
	netif_start(&world->turn);
	netif_finish(&world->turn);
	for (int tx = 0; tx < 2; tx++)
		if (netif_hand_over(queue, tx, &shown))
			ring_show(&shown);
	netif_ask(queue);
}

static void end_one(uint32_t which, int error)
{
	struct xvhost_packet *packet;

	if (transmitted_count == 0)
		return;
	which %= transmitted_count;
	packet = transmitted[which];
	transmitted[which] = transmitted[--transmitted_count];
	netif_transmitted(packet, error);
}

static void receive(struct input *input)
{
	uint16_t length = next_u16(input);
	uint8_t kind = next_u8(input);
	uint32_t takes = netif_seen(queue)->guest_takes, flags = 0;
	uint16_t gso = XVHOST_GSO_NONE;

	if (length < XVHOST_NET_BYTES_MIN)
		length = XVHOST_NET_BYTES_MIN;
	if (kind & 1 && takes & (XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6))
		flags = XVHOST_PACKET_CHECKSUM_BLANK | XVHOST_PACKET_CHECKSUM_GOOD;
	if (kind & 2 && takes & XVHOST_NET_GSO_TCPV4)
		gso = XVHOST_GSO_TCPV4;
	if (kind & 4 && takes & XVHOST_NET_GSO_TCPV6)
		gso = XVHOST_GSO_TCPV6;
	if (gso != XVHOST_GSO_NONE)
		flags |= XVHOST_PACKET_CHECKSUM_BLANK;
	give(length, flags, gso, gso == XVHOST_GSO_NONE ? 0 : 1448, 1 + (kind >> 3) % 3);
}

static void change_counter(struct input *input)
{
	uint8_t which = next_u8(input);
	struct net_ring *ring = which & 4 ? &world->tx : &world->rx;
	uint32_t *counters = (uint32_t *)(void *)ring->page;

	pages_changed = true;
	if (which & 8)
		counters[which % 4] += (uint32_t)(int8_t)next_u8(input);
	else
		counters[which % 4] = next_u32(input);
}

static void poke(struct input *input)
{
	uint8_t which = next_u8(input) % PAGES;
	uint16_t at = next_u16(input) % PAGE_BYTES;

	pages_changed = true;
	world->base.pages[which][at] = next_u8(input);
}

static void set(struct input *input)
{
	const uint8_t what = next_u8(input);
	const struct message_net_settings settings = {.multicast_control = what & 1,
						      .xdp_headroom = (uint32_t)(what >> 1) * 2};

	netif_queue_set(queue, &settings);
}

static void step(struct input *input)
{
	switch (next_u8(input) % 14) {
	case 0:
		put_slot(input);
		break;
	case 1:
		put_extra(input);
		break;
	case 2:
		put_page(input);
		break;
	case 3:
		put_pages(next_u8(input) % 64);
		break;
	case 4:
		net_ring_push(&world->tx);
		net_ring_push(&world->rx);
		break;
	case 5:
		take_turn();
		break;
	case 6: {
		uint8_t which = next_u8(input);

		end_one(which, -(next_u8(input) % 100));
		break;
	}
	case 7:
		receive(input);
		break;
	case 8:
		change_counter(input);
		break;
	case 9:
		pages_changed = true;
		change_grant(input, &world->base, PAGES_GRANTED);
		break;
	case 10:
		poke(input);
		break;
	case 11: {
		uint8_t how = next_u8(input);

		end_at_once = how & 1;
		echo = how & 2;
		break;
	}
	case 12:
		set(input);
		break;
	case 13:
		put_packet(input);
		break;
	}
}

/* ---- a program ---- */

/* begin - an empty ring each, and a queue. */
static void begin(uint8_t shape, struct world *of)
{
	static const struct message_net_settings settings[2] = {{0}, {.multicast_control = true}};
	static struct xvhost_net net = {.size = sizeof(net), .name = "fuzz", .mtu = 1500};
	static struct log_limit limit;
	struct netif_queue_parameters parameters = {
		.net = &net,
		.backend = &backend,
		.properties = &properties,
		.count = 1,
		.tx_page = of->tx_mapped.pages[0],
		.rx_page = of->rx_mapped.pages[0],
		.guest_takes = shape & SHAPE_GUEST_TAKES,
		.scatter = !(shape & SHAPE_NO_SCATTER),
		.cached = of->base.options.cached,
		.map_tx = !memory_copies(of->base.memory, of->base.options.cached, false),
		.map_rx = !memory_copies(of->base.memory, of->base.options.cached, true),
		.settings = &settings[(shape & SHAPE_MULTICAST) != 0],
		.limit = &limit,
	};

	world = of;
	first_counter = shape & SHAPE_WRAP ? FIRST_COUNTER : 0;
	memset(of->tx.page, 0, PAGE_BYTES);
	memset(of->rx.page, 0, PAGE_BYTES);
	net_ring_begin_at(&of->tx, first_counter);
	net_ring_begin_at(&of->rx, first_counter);
	properties = (struct xvhost_net_properties){
		.flags = shape & SHAPE_TAKES_NOTHING ? 0
						     : XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6 |
							       XVHOST_NET_GSO_TCPV4 | XVHOST_NET_GSO_TCPV6};
	if (of->base.options.cached)
		of->base.memory->cache->in_vain = CACHE_IN_VAIN;
	memset(posted, 0, sizeof(posted));
	memset(givens, 0, sizeof(givens));
	pages_changed = end_at_once = echo = stopped = false;
	transmitted_count = 0;
	must(netif_queue_create(&parameters, &queue) == 0, "a queue");
	must(netif_queue_start(queue, &of->turn, 0) == 0, "it starts");
}

/* check_pages - those that are not granted to be written, or were not posted, are what they were. */
static void check_pages(void)
{
	for (uint32_t i = 0; i < PAGES_GRANTED && !pages_changed; i++)
		must((posted[i] && i < GOOD_PAGES) ||
			     memcmp(world->base.pages[i], first_content[i], PAGE_BYTES) == 0,
		     "only what is posted and granted is written");
}

/* check_ring - of an idle queue: each request that was taken was answered, and that was shown, unless the rings are left alone. */
static void check_ring(const struct ring *ring)
{
	if (queue->broken)
		return;
	must(ring->response_producer == ring->request_consumer, "what was taken is answered");
	must(ring->response_published == ring->response_producer, "all answers are shown");
}

/* end - all that was taken is answered, all that was given comes back, and nothing is left. */
static void end(void)
{
	echo = false;
	netif_queue_release(queue);
	for (uint32_t turns = 0; !netif_queue_idle(queue); turns++) {
		must(turns < TURNS_MAX + NETIF_RING_SIZE, "a queue that is released comes to its end");
		end_one(0, 0);
		take_turn();
	}
	must(transmitted_count == 0, "what is under way is the backend's");
	for (uint32_t i = 0; i < GIVEN_MAX; i++)
		must(!givens[i].busy, "what was given comes back");
	check_ring(&queue->tx);
	check_ring(&queue->rx);
	netif_queue_stop(queue);
	must(stopped, "the backend hears of the end");
	netif_queue_free(queue);
	must(fuzzed_mapped == 0, "nothing stays mapped");
	check_pages();
	if (world->base.memory->cache)
		memory_attend(world->base.memory);
	restore(world);
}

/* run - the program, in a guest of one kind. */
static void run(struct input input, struct world *of)
{
	begin(next_u8(&input), of);
	for (uint32_t steps = 0; input.left > 0 && steps < STEPS_MAX; steps++)
		step(&input);
	end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (world == NULL)
		make_worlds();
	for (uint32_t i = 0; i < WORLDS; i++)
		run((struct input){data, size}, &worlds[i]);
	return 0;
}
