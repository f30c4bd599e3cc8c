// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_netif_control.c - the control ring of a guest's network card, and what comes of it for packets: any program of requests, pages
 * and packets
 *
 * The input is a program of steps, each a byte that says which and what that step needs (struct input). The card has two queues with
 * rings of their own, which are driven without a loop, as the control ring is: the program says when a turn is taken.
 *
 * What must hold besides memory: each request that is taken is answered once, in its place; what the card was told to do makes sense
 * at any time; a packet goes to the queue that the mapping says and has the hash that the guest works out itself, bit by bit; each
 * queue's packets come back in their order; and nothing stays mapped. Each program is run by guests whose memory is copied, mapped by
 * grants, and cached.
 */
#include <stdint.h>
#include <string.h>
#include <xen/io/netif.h>

#include "fuzzed.h"
#include "rings/netif_control.h"
#include "rings/netif_internal.h"
#include "sim/net_hash.h"
#include "sim/net_ring.h"

#define DOMID 9
#define GOOD_PAGES 8u
#define PAGES (GOOD_PAGES + FUZZED_BAD_PAGES)
#define WORLDS 3u
#define QUEUES 2u
#define STEPS_MAX 400u
#define GIVEN_MAX 64u /* packets of a queue under way; a power of two */
#define TURNS_MAX 64u /* that the card needs to come to its end */
#define PACKET_BYTES 80u
#define FIRST_COUNTER (UINT32_MAX - 20)

/* A queue's rings. */
struct rings {
	struct net_ring tx, rx;
	struct memory_ring tx_mapped, rx_mapped;
};

/* One guest and how the host reaches it. Made once. */
struct world {
	struct fuzzed base;
	struct net_ring ring;
	struct memory_ring mapped;
	struct rings rings[QUEUES];
	struct netif_turn turn;
};

/* The packets that a queue's backend has given and not got back, in their order. */
struct given {
	struct xvhost_packet packets[GIVEN_MAX];
	struct iovec pieces[GIVEN_MAX];
	uint8_t bytes[GIVEN_MAX][PACKET_BYTES];
	uint32_t first, next;
};

static struct world worlds[WORLDS];
static struct world *world;
static struct netif_hash *hash;
static struct netif_control *control;
static struct netif_queue *queues[QUEUES];
static struct given givens[QUEUES];
static uint32_t posted[QUEUES]; /* pages that each rx ring was posted with, by the program's count */
static uint8_t key[NETIF_TOEPLITZ_KEY_MAX];
static bool counters_changed; /* by the program: answers are where nobody looks for them */

/* ---- the backend ---- */

static int fuzz_start(struct xvhost_net_queue *seen)
{
	(void)seen;
	return 0;
}

static void fuzz_stop(struct xvhost_net_queue *seen)
{
	must(seen->flags & XVHOST_QUEUE_STOPPING, "it is said that a queue is to stop");
}

static void fuzz_transmit(struct xvhost_net_queue *seen, struct xvhost_packet *const *packets, uint32_t count)
{
	(void)seen;
	for (uint32_t i = 0; i < count; i++)
		netif_transmitted(packets[i], 0);
}

static void fuzz_room(struct xvhost_net_queue *seen)
{
	(void)seen;
}

static void fuzz_delivered(struct xvhost_packet *packet, int error)
{
	struct given *given = &givens[packet->queue->index];

	must(given->first != given->next && packet == &given->packets[given->first % GIVEN_MAX],
	     "packets come back in their order");
	must(error <= 0, "an error is negative");
	given->first++;
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

static void make_ring(struct world *of, struct net_ring *ring, uint32_t entry_bytes,
		      struct memory_ring *mapped)
{
	must(net_ring_create(ring, of->base.guest, SIM_HOST_DOMID, entry_bytes) == 0, "a ring");
	must(memory_map_ring(of->base.memory, &ring->gref, 1, mapped) == 0, "a mapped ring");
}

static void make_world(uint32_t index)
{
	struct world *of = &worlds[index];

	/* The second has no copies, so that all is mapped. */
	fuzzed_make(&of->base, &(struct fuzzed_options){.domid = (uint16_t)(DOMID + index),
							.strict = index < 2,
							.no_copies = index == 1,
							.cached = index == 2,
							.pages = PAGES,
							.bad_from = GOOD_PAGES,
							.mappings_max = QUEUES * NETIF_MAPPINGS_MAX +
									NETIF_CONTROL_MAPPINGS_MAX});
	make_ring(of, &of->ring, sizeof(struct xen_netif_ctrl_request), &of->mapped);
	for (uint32_t i = 0; i < QUEUES; i++) {
		make_ring(of, &of->rings[i].tx, sizeof(struct netif_tx_request), &of->rings[i].tx_mapped);
		make_ring(of, &of->rings[i].rx, sizeof(struct netif_rx_request), &of->rings[i].rx_mapped);
	}
	must(netif_turn_init(&of->turn, of->base.memory, QUEUES) == 0, "a turn");
}

static void make_worlds(void)
{
	for (uint32_t i = 0; i < WORLDS; i++)
		make_world(i);
	fuzzed_mapped = 0; /* the rings stay mapped, and are not counted */
}

/* ---- the steps: requests ---- */

/* next_number - mostly a small one. */
static uint32_t next_number(struct input *input)
{
	uint8_t number = next_u8(input);

	return number == 0xff ? next_u32(input) : number;
}

static void put(uint16_t type, uint32_t first, uint32_t second, uint32_t third)
{
	struct net_ring *ring = &world->ring;
	const struct xen_netif_ctrl_request request = {
		.id = (uint16_t)ring->request_producer, .type = type, .data = {first, second, third}};

	memcpy(net_ring_entry(ring, ring->request_producer++), &request, sizeof(request));
}

static void put_any(struct input *input)
{
	uint16_t type = next_u16(input);
	uint32_t first = next_u32(input), second = next_u32(input);

	put(type, first, second, next_u32(input));
}

/* put_likely - of a type that there is, with numbers that may be right. */
static void put_likely(struct input *input)
{
	uint16_t type = 1 + next_u8(input) % XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM;
	bool page = type == XEN_NETIF_CTRL_TYPE_SET_HASH_KEY || type == XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING;
	uint32_t first = page ? next_gref(input, &world->base, PAGES) : next_number(input);
	uint32_t second = page ? next_number(input) : 0;

	put(type, first, second, type == XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING ? next_number(input) : 0);
}

/* take_answers - each in its place, and shown to the guest when the request was shown to the host. */
static void take_answers(void)
{
	struct net_ring *ring = &world->ring;
	int there = counters_changed ? 0 : net_ring_look(ring);

	must(there >= 0, "no more answers than requests");
	for (; there > 0; there--) {
		struct xen_netif_ctrl_response response;

		memcpy(&response, net_ring_entry(ring, ring->response_consumer), sizeof(response));
		must(response.id == (uint16_t)ring->response_consumer++, "an answer is in its place");
		must(response.status <= XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW, "a status that there is");
	}
}

static void change_counter(struct input *input)
{
	uint32_t *counters = (uint32_t *)(void *)world->ring.page;
	uint8_t which = next_u8(input);

	counters_changed = true;
	if (which & 8)
		counters[which % 4] += (uint32_t)(int8_t)next_u8(input);
	else
		counters[which % 4] = next_u32(input);
}

/* fill_page - what a key, or a mapping, is read from. */
static void fill_page(struct input *input)
{
	uint8_t *page = world->base.pages[next_u8(input) % GOOD_PAGES];
	uint8_t count = next_u8(input), step = next_u8(input);

	for (uint32_t i = 0; i < count; i++)
		page[i * (1 + step % 4)] = step & 0x80 ? next_u8(input) : i % QUEUES;
}

/* ---- the steps: packets ---- */

static void post(struct input *input)
{
	uint8_t which = next_u8(input);
	uint32_t index = which % QUEUES, count = which / QUEUES;
	struct net_ring *ring = &world->rings[index].rx;

	for (; count > 0 && posted[index] < NETIF_RING_SIZE; count--, posted[index]++) {
		const struct netif_rx_request request = {.id = (uint16_t)ring->request_producer,
							 .gref = world->base.grefs[count % GOOD_PAGES]};

		memcpy(net_ring_entry(ring, ring->request_producer++), &request, sizeof(request));
	}
	net_ring_push(ring);
}

/* make_packet - with the headers that the program names. */
static void make_packet(struct input *input, uint8_t bytes[PACKET_BYTES])
{
	uint8_t kind = next_u8(input);

	memset(bytes, 0, PACKET_BYTES);
	bytes[12] = kind & 1 ? 0x86 : 0x08;
	bytes[13] = kind & 1 ? 0xdd : 0x00;
	bytes[14] = kind & 1 ? 0x60 : 0x45;
	bytes[kind & 1 ? 20 : 23] = kind & 2 ? 6 : 17;
	for (uint32_t i = 0; i < 8; i++)
		bytes[26 + i] = bytes[46 + i] = next_u8(input);
	/* Headers of any form, which the guest does not work out itself. */
	for (uint32_t i = kind >> 4; i > 0; i--)
		bytes[next_u8(input) % PACKET_BYTES] = next_u8(input);
}

/* check_delivery - does a packet that was taken lie where it must, with what it must have? */
static void check_delivery(const struct netif_queue *from, const uint8_t *bytes, bool right_headers)
{
	const struct netif_order *order = &from->orders[from->batch];
	const struct netif_delivery *delivery = order->deliveries[order->count - 1];
	struct net_hash expected = {.flags = netif_hash_on(hash) ? hash->flags : 0, .key_bytes = sizeof(key)};
	uint32_t value = 0, index = from->layers[0].seen.index;
	const struct netif_batch *batch;
	uint8_t type = 0;
	bool there;

	memcpy(expected.key, key, sizeof(key));
	there = net_hash_of(&expected, bytes, PACKET_BYTES, &type, &value);
	if (right_headers)
		must(delivery->hash.there == there &&
			     (!there || (delivery->hash.type == type && delivery->hash.value == value)),
		     "the hash is right");
	if (delivery->hash.there)
		index = hash->mapping_size > 0 ? hash->mapping[delivery->hash.value % hash->mapping_size]
					       : delivery->hash.value % QUEUES;
	batch = &queues[index]->batches[queues[index]->batch];
	must(delivery == &batch->deliveries[batch->count - 1], "it goes to the queue that is wanted");
}

static void receive(struct input *input)
{
	uint32_t index = next_u8(input) % QUEUES, at;
	struct given *given = &givens[index];

	if (given->next - given->first == GIVEN_MAX)
		return;
	at = given->next % GIVEN_MAX;
	make_packet(input, given->bytes[at]);
	given->pieces[at] = (struct iovec){given->bytes[at], PACKET_BYTES};
	given->packets[at] = (struct xvhost_packet){.queue = netif_seen(queues[index]),
						    .iov = &given->pieces[at],
						    .iov_count = 1,
						    .length = PACKET_BYTES};
	if (!netif_receive(netif_seen(queues[index]), &given->packets[at]))
		return;
	given->next++;
	check_delivery(queues[index], given->bytes[at],
		       (given->bytes[at][14] == 0x45 && given->bytes[at][12] == 0x08) ||
			       (given->bytes[at][12] == 0x86 && given->bytes[at][14] == 0x60 &&
				(given->bytes[at][20] == 6 || given->bytes[at][20] == 17)));
}

/* ---- turns ---- */

/* check_hash - at any time all that the guest has asked for can be. */
static void check_hash(void)
{
	must(hash->algorithm <= XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ, "a known algorithm");
	must(hash->flags <= 15, "known types");
	must(hash->mapping_size <= NETIF_HASH_MAPPING_MAX, "a mapping of possible size");
	for (uint32_t i = 0; i < NETIF_HASH_MAPPING_MAX; i++)
		must(hash->mapping[i] < QUEUES, "a mapping to queues that there are");
}

/* read_key - from the tables: the hash of a bit is the 32 bits of the key that begin at its place. */
static void read_key(void)
{
	const uint32_t last = 8 * NETIF_TOEPLITZ_INPUT_MAX - 1;
	static struct netif_toeplitz known;

	if (memcmp(&known, &hash->toeplitz, sizeof(known)) == 0)
		return;
	known = hash->toeplitz;
	memset(key, 0, sizeof(key));
	for (uint32_t at = 0; at < last + 32; at++) {
		uint32_t window = at < last ? at : last;
		uint8_t input[NETIF_TOEPLITZ_INPUT_MAX] = {0};

		input[window / 8] = (uint8_t)(0x80u >> window % 8);
		if (netif_toeplitz_hash(&hash->toeplitz, input, sizeof(input)) & 0x80000000u >> (at - window))
			key[at / 8] |= (uint8_t)(0x80u >> at % 8);
	}
}

static void take_turn(void)
{
	struct ring_publication shown;

	netif_control_event(control);
	netif_control_take(control);
	for (uint32_t i = 0; i < QUEUES; i++)
		netif_take(queues[i]);
	netif_start(&world->turn);
	netif_finish(&world->turn);
	for (uint32_t i = 0; i < QUEUES; i++) {
		struct net_ring *rx = &world->rings[i].rx;

		for (int tx = 0; tx < 2; tx++)
			if (netif_hand_over(queues[i], tx, &shown))
				ring_show(&shown);
		netif_ask(queues[i]);
		posted[i] -= net_ring_header(rx)->response_producer - rx->response_consumer;
		rx->response_consumer = net_ring_header(rx)->response_producer;
	}
	if (netif_control_hand_over(control, &shown))
		ring_show(&shown);
	netif_control_ask(control);
	take_answers();
	check_hash();
	read_key();
}

static void step(struct input *input)
{
	switch (next_u8(input) % 10) {
	case 0:
		put_any(input);
		break;
	case 1:
	case 2:
		put_likely(input);
		break;
	case 3:
		net_ring_push(&world->ring);
		break;
	case 4:
		take_turn();
		break;
	case 5:
		change_counter(input);
		break;
	case 6:
		fill_page(input);
		break;
	case 7:
		change_grant(input, &world->base, PAGES);
		break;
	case 8:
		post(input);
		break;
	case 9:
		receive(input);
		break;
	}
}

/* ---- a program ---- */

static void begin_ring(struct net_ring *ring)
{
	memset(ring->page, 0, PAGE_BYTES);
	net_ring_begin_at(ring, FIRST_COUNTER);
}

static void begin_queue(uint32_t index)
{
	static const struct message_net_settings settings;
	static const struct xvhost_net_properties properties;
	static struct xvhost_net net = {.size = sizeof(net), .name = "fuzz", .mtu = 1500};
	static struct log_limit limit;
	const struct memory *memory = world->base.memory;
	const bool cached = world->base.options.cached;
	struct rings *rings = &world->rings[index];
	const struct netif_queue_parameters parameters = {
		.net = &net,
		.backend = &backend,
		.properties = &properties,
		.index = index,
		.count = QUEUES,
		.tx_page = rings->tx_mapped.pages[0],
		.rx_page = rings->rx_mapped.pages[0],
		.scatter = true,
		.cached = cached,
		.map_tx = !memory_copies(memory, cached, false),
		.map_rx = !memory_copies(memory, cached, true),
		.hash = hash,
		.settings = &settings,
		.limit = &limit,
	};

	begin_ring(&rings->tx);
	begin_ring(&rings->rx);
	must(netif_queue_create(&parameters, &queues[index]) == 0, "a queue");
	must(netif_queue_start(queues[index], &world->turn, (uint16_t)index) == 0, "it starts");
}

static void begin(struct world *of)
{
	static struct log_limit limit;
	struct netif_control_parameters parameters = {.name = "fuzz",
						      .limit = &limit,
						      .page = of->mapped.pages[0],
						      .memory = of->base.memory,
						      .cached = of->base.options.cached};

	world = of;
	counters_changed = false;
	memset(givens, 0, sizeof(givens));
	memset(posted, 0, sizeof(posted));
	fuzzed_restore(&of->base);
	for (uint32_t i = 0; i < PAGES; i++)
		memset(of->base.pages[i], 0, PAGE_BYTES);
	begin_ring(&of->ring);
	hash = parameters.hash = netif_hash_create(QUEUES);
	must(hash != NULL, "hashes");
	read_key();
	for (uint32_t i = 0; i < QUEUES; i++)
		begin_queue(i);
	must(netif_control_create(&parameters, &control) == 0, "a control ring");
	if (of->base.memory->cache)
		of->base.memory->cache->in_vain = CACHE_IN_VAIN;
}

/* end - all that was given comes back, and nothing is left. */
static void end(void)
{
	for (uint32_t i = 0; i < QUEUES; i++)
		netif_queue_release(queues[i]);
	for (uint32_t turns = 0; !netif_queue_idle(queues[0]) || !netif_queue_idle(queues[1]); turns++) {
		must(turns < TURNS_MAX, "queues that are released come to their end");
		take_turn();
	}
	for (uint32_t i = 0; i < QUEUES; i++) {
		must(givens[i].first == givens[i].next, "what was given comes back");
		netif_queue_stop(queues[i]);
	}
	for (uint32_t i = 0; i < QUEUES; i++)
		netif_queue_free(queues[i]);
	netif_control_free(control);
	netif_hash_free(hash);
	must(fuzzed_mapped == 0, "nothing stays mapped");
	if (world->base.memory->cache)
		memory_attend(world->base.memory);
}

/* run - the program, in a guest of one kind. */
static void run(struct input input, struct world *of)
{
	begin(of);
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
