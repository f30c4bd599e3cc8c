// SPDX-License-Identifier: GPL-2.0-or-later
/* one_card.c - one pair of rings of a network card over a simulated guest, without a loop: the test takes the turns */
#include "one_card.h"

#include <string.h>

#include "memory/guest_memory.h"

#define DOMID 7

struct netif_queue *card;
struct xvhost_net_queue *card_seen;
struct netif_turn card_turn;
struct card_packet card_packets[NETIF_RING_SIZE];
uint32_t card_transmitted, card_transmit_calls;
struct card_delivered card_delivered[1024];
uint32_t card_delivered_count, card_rooms, card_io_done;
int32_t card_io_result;
void (*card_on_transmit)(struct xvhost_packet *const *packets, uint32_t count);
void (*card_on_delivered)(struct xvhost_packet *packet);
void (*card_on_room)(void);
uint32_t card_copy_calls, card_copies, card_map_calls;
bool card_notify_tx, card_notify_rx;

static struct sim_machine *machine;
static struct sim_guest *guest;
static struct platform counting;
static struct guest_memory *shared;
static struct memory *memory;
static struct memory_ring tx_ring, rx_ring, second_ring;
static struct netif_queue *second;
static struct card_options used; /* of card_start */
static bool memory_cached;
static uint64_t frames[CARD_PAGES + 2];
static uint32_t grefs[CARD_PAGES + 2];
static struct log_limit limit;
static struct xvhost_net net = {.size = sizeof(net), .name = "test card", .mtu = 1500};
static struct xvhost_net_properties properties;
static uint32_t tx_producer, tx_consumer, tx_shown, rx_producer, rx_consumer, rx_shown;
static int mapped;

/* ---- the backend ---- */

static int backend_open(struct xvhost_net *opened, const void *config, struct xvhost_net_properties *its)
{
	(void)opened;
	(void)config;
	(void)its;
	return 0;
}

static void backend_close(struct xvhost_net *closed)
{
	(void)closed;
}

static int backend_start(struct xvhost_net_queue *queue)
{
	ck_assert_uint_eq(queue->packets_max, NETIF_RING_SIZE);
	if (queue->index == 0)
		card_seen = queue;
	return 0;
}

static void backend_stop(struct xvhost_net_queue *queue)
{
	ck_assert(queue->flags & XVHOST_QUEUE_STOPPING);
}

/* record - and check what is promised of every packet. */
static void record(struct xvhost_packet *seen)
{
	struct card_packet *packet = &card_packets[card_transmitted++ % NETIF_RING_SIZE];
	uint32_t header = seen->length < NETIF_HEADER_BYTES ? seen->length : NETIF_HEADER_BYTES;

	*packet = (struct card_packet){.seen = seen, .flags = seen->flags, .iov_count = seen->iov_count};
	ck_assert_uint_ge(seen->length, XVHOST_NET_BYTES_MIN);
	ck_assert_uint_lt(seen->index, seen->queue->packets_max);
	ck_assert_uint_ge(seen->iov_count, 1);
	ck_assert_uint_le(seen->iov_count, XVHOST_NET_IOVECS_MAX);
	packet->first_bytes = (uint32_t)seen->iov[0].iov_len;
	ck_assert_uint_eq((uintptr_t)seen->iov[0].iov_base % XVHOST_NET_HEADROOM_BYTES, 0);
	memset((uint8_t *)seen->iov[0].iov_base - XVHOST_NET_HEADROOM_BYTES, 0x5a, XVHOST_NET_HEADROOM_BYTES);
	ck_assert_uint_ge(packet->first_bytes, header);
	for (uint32_t i = 0; i < seen->iov_count; i++) {
		ck_assert_uint_gt(seen->iov[i].iov_len, 0);
		ck_assert_uint_le(packet->length + seen->iov[i].iov_len, seen->length);
		memcpy(packet->data + packet->length, seen->iov[i].iov_base, seen->iov[i].iov_len);
		packet->length += (uint32_t)seen->iov[i].iov_len;
	}
	ck_assert_uint_eq(packet->length, seen->length);
}

static void backend_transmit(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets,
			     uint32_t count)
{
	card_transmit_calls++;
	ck_assert_uint_le(count, NETIF_PACKETS_PER_TURN);
	for (uint32_t i = 0; i < count; i++) {
		ck_assert_ptr_eq(packets[i]->queue, queue);
		record(packets[i]);
	}
	if (card_on_transmit)
		card_on_transmit(packets, count);
}

static void backend_room(struct xvhost_net_queue *queue)
{
	ck_assert(netif_queue_of(queue) == card || netif_queue_of(queue) == second);
	card_rooms++;
	if (card_on_room)
		card_on_room();
}

static void backend_delivered(struct xvhost_packet *packet, int error)
{
	ck_assert_uint_lt(card_delivered_count, 1024);
	card_delivered[card_delivered_count++] = (struct card_delivered){packet, error};
	if (card_on_delivered)
		card_on_delivered(packet);
}

static void backend_io_done(struct xvhost_net_queue *queue, uint32_t number, int32_t result)
{
	ck_assert_ptr_eq(queue, card_seen);
	(void)number;
	card_io_done++;
	card_io_result = result;
}

static const struct xvhost_net_backend backend = {
	.size = sizeof(backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "test",
	.open = backend_open,
	.close = backend_close,
	.queue_start = backend_start,
	.queue_stop = backend_stop,
	.transmit = backend_transmit,
	.room = backend_room,
	.delivered = backend_delivered,
	.io_done = backend_io_done,
};

/* ---- Xen, counted ---- */

static int count_map(struct grants *grants, uint16_t domid, const uint32_t *asked, uint32_t count,
		     bool writable, bool consecutive, void **pages, void **mapping)
{
	int error = sim_platform(machine)->grants_map(grants, domid, asked, count, writable, consecutive,
						      pages, mapping);

	card_map_calls++;
	if (error == 0)
		mapped += (int)count;
	return error;
}

static int count_unmap(struct grants *grants, void *mapping, uint32_t count)
{
	mapped -= (int)count;
	return sim_platform(machine)->grants_unmap(grants, mapping, count);
}

static int count_copy(struct grants *grants, uint16_t domid, struct grant_copy *copies, uint32_t count)
{
	card_copy_calls++;
	card_copies += count;
	return sim_platform(machine)->grants_copy(grants, domid, copies, count);
}

/* ---- start and stop ---- */

static void make_guest(void)
{
	/* Strict: what is used after it was unmapped shows. */
	const struct sim_guest_options options = {.domid = DOMID, .pages = CARD_PAGES + 2, .strict = true};

	log_set_level(LOG_LEVEL_ERROR);
	machine = sim_machine_create(1);
	ck_assert_ptr_nonnull(machine);
	ck_assert_int_eq(sim_guest_create(machine, &options, &guest), 0);
	ck_assert_int_eq(sim_pages_take(guest, CARD_PAGES + 2, frames), 0);
	for (uint32_t i = 0; i < CARD_PAGES + 2; i++) {
		int64_t gref = sim_grant(guest, SIM_HOST_DOMID, frames[i], false);

		ck_assert_int_ge(gref, 0);
		grefs[i] = (uint32_t)gref;
	}
	counting = *sim_platform(machine);
	counting.grants_map = count_map;
	counting.grants_unmap = count_unmap;
	counting.grants_copy = count_copy;
}

static bool open_memory(enum card_way way)
{
	const struct guest_memory_settings settings = {.most_mib = 16, .budget_mib = 16, .idle_s = 10};
	char text[MEMORY_TEXT_MAX];
	bool cached = false;

	ck_assert_int_eq(guest_memory_open(&counting, DOMID, &settings, &shared), 0);
	ck_assert_int_eq(memory_open(&counting, DOMID, shared, 2 * NETIF_MAPPINGS_MAX, &memory), 0);
	if (way != CARD_BY_GRANTS) {
		ck_assert_int_eq(memory_choose(memory, MEMORY_AUTO, &cached, text), 0);
		ck_assert_msg(cached, "%s", text);
	}
	return cached;
}

static void begin_rings(uint32_t at)
{
	netif_tx_sring_t *tx = card_tx_ring();
	netif_rx_sring_t *rx = card_rx_ring();

	tx->req_prod = tx->rsp_prod = rx->req_prod = rx->rsp_prod = at;
	tx->req_event = tx->rsp_event = rx->req_event = rx->rsp_event = at + 1;
	tx_producer = tx_consumer = tx_shown = rx_producer = rx_consumer = rx_shown = at;
}

/* put_wrappers - before the backend. All say of the card what it says, but for their own operations. */
static void put_wrappers(struct netif_queue_parameters *parameters, const struct card_options *options)
{
	static struct xvhost_net_properties its;
	static struct netif_below below[NETIF_LAYERS_MAX];

	if (options->wrapper_count == 0)
		return;
	its = properties;
	its.operations = options->wrapper_operations;
	parameters->backend = options->wrappers[0];
	parameters->properties = &its;
	for (uint32_t i = 1; i < options->wrapper_count; i++)
		below[i - 1] = (struct netif_below){&net, options->wrappers[i], &its};
	below[options->wrapper_count - 1] = (struct netif_below){&net, &backend, &properties};
	parameters->below = below;
	parameters->below_count = options->wrapper_count;
}

void card_start(enum card_way way, const struct card_options *options)
{
	static const struct card_options none;
	struct netif_queue_parameters parameters = {
		.net = &net,
		.backend = &backend,
		.properties = &properties,
		.count = 1,
		.map_tx = way != CARD_COPIED,
		.map_rx = way != CARD_COPIED && way != CARD_READ_CACHED,
		.limit = &limit,
		.owner = &net,
	};

	if (!options)
		options = &none;
	make_guest();
	begin_rings(options->begin_at);
	parameters.cached = memory_cached = open_memory(way);
	ck_assert_int_eq(memory_map_ring(memory, &grefs[CARD_PAGES], 1, &tx_ring), 0);
	ck_assert_int_eq(memory_map_ring(memory, &grefs[CARD_PAGES + 1], 1, &rx_ring), 0);
	properties = (struct xvhost_net_properties){.flags = options->takes,
						    .operations = options->operations};
	parameters.tx_page = tx_ring.pages[0];
	parameters.rx_page = rx_ring.pages[0];
	parameters.guest_takes = options->guest_takes;
	parameters.scatter = !options->no_scatter;
	parameters.silent = options->silent;
	used = *options;
	parameters.hash = options->hash;
	if (used.queues > 0)
		parameters.count = used.queues;
	else
		parameters.count = used.hash ? 2 : 1;
	parameters.settings = &options->settings;
	ck_assert_int_eq(netif_turn_init(&card_turn, memory, 2), 0);
	put_wrappers(&parameters, options);
	ck_assert_int_eq(netif_queue_create(&parameters, &card), 0);
	ck_assert_int_eq(netif_queue_start(card, &card_turn, 3), options->start_error);
	card_map_calls = 0;
}

struct memory *card_memory(bool *cached)
{
	*cached = memory_cached;
	return memory;
}

struct netif_queue *card_second(enum card_way way, uint32_t tx_page)
{
	struct netif_queue_parameters parameters = {
		.net = &net,
		.backend = &backend,
		.properties = &properties,
		.index = 1,
		.count = 2,
		.scatter = used.hash != NULL,
		.hash = used.hash,
		.cached = memory_cached,
		.map_tx = way != CARD_COPIED,
		.map_rx = way != CARD_COPIED && way != CARD_READ_CACHED,
		.settings = &used.settings,
		.limit = &limit,
	};

	put_wrappers(&parameters, &used);
	ck_assert_int_eq(memory_map_ring(memory, &grefs[tx_page], 2, &second_ring), 0);
	parameters.tx_page = second_ring.pages[0];
	parameters.rx_page = second_ring.pages[1];
	ck_assert_int_eq(netif_queue_create(&parameters, &second), 0);
	ck_assert_int_eq(netif_queue_start(second, &card_turn, 4), 0);
	return second;
}

static void stop_second(void)
{
	netif_queue_release(second);
	while (netif_queue_ready(second))
		card_take_turn();
	ck_assert(netif_queue_idle(second));
	netif_queue_stop(second);
	netif_queue_free(second);
	memory_unmap_ring(memory, &second_ring);
}

void card_stop(void)
{
	if (second)
		stop_second();
	netif_queue_release(card);
	while (netif_queue_ready(card))
		card_take_turn();
	ck_assert(netif_queue_idle(card));
	netif_queue_stop(card);
	netif_queue_free(card);
	netif_turn_free(&card_turn);
	ck_assert_int_eq(mapped, 2);
	memory_unmap_ring(memory, &tx_ring);
	memory_unmap_ring(memory, &rx_ring);
	memory_close(memory);
	guest_memory_close(shared);
	sim_machine_destroy(machine);
}

/* show - one of the rings, as the loop does. Returns whether the frontend is notified, which is counted. */
static bool show(struct netif_queue *of, bool tx)
{
	struct ring_publication shown;

	if (!netif_hand_over(of, tx, &shown) || !ring_show(&shown))
		return false;
	++*shown.notifications;
	return true;
}

void card_publish(struct netif_queue *of)
{
	card_notify_tx = show(of, true);
	card_notify_rx = show(of, false);
}

void card_take_turn(void)
{
	netif_take(card);
	netif_start(&card_turn);
	netif_finish(&card_turn);
	card_publish(card);
}

void card_fault(enum sim_call call, int error)
{
	if (error == 0)
		sim_faults_clear(machine);
	else
		sim_fault_set(machine, &(struct sim_fault){.call = call, .error = error});
}

uint8_t *card_page(uint32_t page)
{
	ck_assert_uint_lt(page, CARD_PAGES);
	return sim_page(guest, frames[page]);
}

uint32_t card_gref(uint32_t page)
{
	ck_assert_uint_lt(page, CARD_PAGES);
	return grefs[page];
}

void card_fill(uint32_t page)
{
	uint8_t *bytes = card_page(page);

	for (uint32_t i = 0; i < PAGE_BYTES; i++)
		bytes[i] = (uint8_t)(page * 37 + i * 11 + (i >> 8));
}

/* ---- the tx ring ---- */

netif_tx_sring_t *card_tx_ring(void)
{
	return sim_page(guest, frames[CARD_PAGES]);
}

void *card_tx_slot(uint32_t at)
{
	return &card_tx_ring()->ring[at % NETIF_RING_SIZE];
}

void card_put(uint32_t gref, uint32_t offset, uint32_t size, uint32_t flags, uint32_t id)
{
	const netif_tx_request_t request = {
		.gref = gref,
		.offset = (uint16_t)offset,
		.size = (uint16_t)size,
		.flags = (uint16_t)flags,
		.id = (uint16_t)id,
	};

	memcpy(card_tx_slot(tx_producer++), &request, sizeof(request));
}

void card_put_extra(const netif_extra_info_t *extra)
{
	memset(card_tx_slot(tx_producer), 0xee, sizeof(netif_tx_request_t));
	memcpy(card_tx_slot(tx_producer++), extra, sizeof(*extra));
}

bool card_push(void)
{
	uint32_t before = tx_shown;

	__atomic_store_n(&card_tx_ring()->req_prod, tx_producer, __ATOMIC_RELEASE);
	tx_shown = tx_producer;
	return tx_producer - card_tx_ring()->req_event < tx_producer - before;
}

bool card_take_response(netif_tx_response_t *response)
{
	ck_assert_uint_le(card_tx_ring()->rsp_prod - tx_consumer, tx_producer - tx_consumer);
	if (card_tx_ring()->rsp_prod == tx_consumer) {
		card_tx_ring()->rsp_event = tx_consumer + 1;
		return false;
	}
	memcpy(response, card_tx_slot(tx_consumer++), sizeof(*response));
	return true;
}

void card_expect(uint32_t id, int16_t status)
{
	netif_tx_response_t response;

	ck_assert(card_take_response(&response));
	ck_assert_uint_eq(response.id, id);
	ck_assert_int_eq(response.status, status);
}

void card_expect_null(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		card_expect(0, NETIF_RSP_NULL);
}

void card_expect_none(void)
{
	netif_tx_response_t response;

	ck_assert(!card_take_response(&response));
}

/* ---- the rx ring ---- */

netif_rx_sring_t *card_rx_ring(void)
{
	return sim_page(guest, frames[CARD_PAGES + 1]);
}

void card_post(uint32_t gref, uint32_t id)
{
	const netif_rx_request_t request = {.gref = gref, .id = (uint16_t)id, .pad = 0xeeee};

	memcpy(&card_rx_ring()->ring[rx_producer++ % NETIF_RING_SIZE], &request, sizeof(request));
}

void card_post_pages(uint32_t page, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		memset(card_page(page + i), 0xcc, PAGE_BYTES);
		card_post(card_gref(page + i), page + i);
	}
	card_push_rx();
}

bool card_push_rx(void)
{
	uint32_t before = rx_shown;

	__atomic_store_n(&card_rx_ring()->req_prod, rx_producer, __ATOMIC_RELEASE);
	rx_shown = rx_producer;
	return rx_producer - card_rx_ring()->req_event < rx_producer - before;
}

bool card_take_rx(union netif_rx_sring_entry *entry)
{
	ck_assert_uint_le(card_rx_ring()->rsp_prod - rx_consumer, rx_producer - rx_consumer);
	if (card_rx_ring()->rsp_prod == rx_consumer) {
		card_rx_ring()->rsp_event = rx_consumer + 1;
		return false;
	}
	memcpy(entry, &card_rx_ring()->ring[rx_consumer++ % NETIF_RING_SIZE], sizeof(*entry));
	return true;
}
