// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control ring of a network card, without a loop: what is taken in a turn, when the guest is notified, what is read of its pages,
 * and what breaks the ring. Each test runs for each way to the guest's memory.
 */
#include <errno.h>
#include <string.h>

#include "one_card.h"
#include "rings/netif_control.h"

#define RING_PAGE 300u
#define ENTRIES 128u

static struct netif_hash *hash;
static struct netif_control *control;
static struct memory_ring ring;
static xen_netif_ctrl_sring_t *shared;
static uint32_t producer, consumer, shown;
static struct log_limit limit;

static void begin_at(uint32_t counter)
{
	struct netif_control_parameters parameters = {.name = "test card", .limit = &limit};
	const uint32_t gref = card_gref(RING_PAGE);

	shared = (xen_netif_ctrl_sring_t *)card_page(RING_PAGE);
	memset(shared, 0, PAGE_BYTES);
	shared->req_prod = shared->rsp_prod = producer = consumer = shown = counter;
	shared->req_event = shared->rsp_event = counter + 1;
	hash = netif_hash_create(2);
	ck_assert_ptr_nonnull(hash);
	parameters.hash = hash;
	parameters.memory = card_memory(&parameters.cached);
	ck_assert_int_eq(memory_map_ring(parameters.memory, &gref, 1, &ring), 0);
	parameters.page = ring.pages[0];
	ck_assert_int_eq(netif_control_create(&parameters, &control), 0);
}

static void start_at(enum card_way way, uint32_t counter)
{
	card_start(way, NULL);
	begin_at(counter);
}

static void stop(void)
{
	bool cached;

	netif_control_free(control);
	netif_hash_free(hash);
	memory_unmap_ring(card_memory(&cached), &ring);
	card_stop();
}

/* put - a request; the host sees it after push. */
static void put(uint16_t type, uint32_t first, uint32_t second, uint32_t third)
{
	const struct xen_netif_ctrl_request request = {
		.id = (uint16_t)(producer * 3), .type = type, .data = {first, second, third}};

	memcpy(&shared->ring[producer++ % ENTRIES], &request, sizeof(request));
}

/* push - returns true if the host has asked to be notified. */
static bool push(void)
{
	uint32_t before = shown;

	__atomic_store_n(&shared->req_prod, producer, __ATOMIC_RELEASE);
	shown = producer;
	return producer - shared->req_event < producer - before;
}

/* publish - returns true if the guest has asked to be notified. */
static bool publish(void)
{
	struct ring_publication answers;

	return netif_control_hand_over(control, &answers) && ring_show(&answers);
}

/* expect - the next answer, which is in its place. */
static void expect(uint16_t type, uint32_t status, uint32_t data)
{
	struct xen_netif_ctrl_response response;
	static const uint8_t zeroes[4];

	ck_assert_uint_ne(__atomic_load_n(&shared->rsp_prod, __ATOMIC_ACQUIRE), consumer);
	memcpy(&response, &shared->ring[consumer % ENTRIES], sizeof(response));
	/* The rest of the entry is the host's, too, and tells nothing. */
	ck_assert_mem_eq((const uint8_t *)&shared->ring[consumer % ENTRIES] + sizeof(response), zeroes, 4);
	ck_assert_uint_eq(response.id, (uint16_t)(consumer++ * 3));
	ck_assert_uint_eq(response.type, type);
	ck_assert_uint_eq(response.status, status);
	ck_assert_uint_eq(response.data, data);
}

static void ask(uint16_t type, uint32_t first, uint32_t second, uint32_t third, uint32_t status)
{
	put(type, first, second, third);
	push();
	netif_control_event(control);
	netif_control_take(control);
	publish();
	expect(type, status, 0);
}

/* Key and mapping are read from their pages, as they were then. */
START_TEST(pages)
{
	static const uint32_t entries[] = {1, 0, 1};
	bool cached;

	start_at((enum card_way)_i, 0);
	for (uint32_t i = 0; i < 40; i++)
		card_page(5)[i] = (uint8_t)(i + 1);
	card_map_calls = 0;
	ask(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, card_gref(5), 40, 0, XEN_NETIF_CTRL_STATUS_SUCCESS);
	card_memory(&cached);
	ck_assert_uint_eq(card_map_calls, cached ? 0 : 1);
	memset(card_page(5), 0xff, 40);
	ck_assert_uint_eq(netif_toeplitz_hash(&hash->toeplitz, (const uint8_t[]){0x80}, 1), 0x01020304);
	ck_assert_uint_eq(netif_toeplitz_hash(&hash->toeplitz, (const uint8_t[36]){[35] = 0x01}, 36),
			  0x12931394);
	memcpy(card_page(6), entries, sizeof(entries));
	ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 3, 0, 0, XEN_NETIF_CTRL_STATUS_SUCCESS);
	ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, card_gref(6), 3, 0, XEN_NETIF_CTRL_STATUS_SUCCESS);
	for (uint32_t i = 0; i < 3; i++)
		ck_assert_uint_eq(netif_hash_queue(hash, i), entries[i]);
	/* What can't be read changes nothing. */
	ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, CARD_BAD_GREF, 3, 0,
	    XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER);
	ask(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, CARD_BAD_GREF, 40, 0, XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(netif_toeplitz_hash(&hash->toeplitz, (const uint8_t[]){0x80}, 1), 0x01020304);
	ck_assert_uint_eq(netif_hash_queue(hash, 0), 1);
	stop();
}
END_TEST

/* A full ring takes several turns, over the end of its counters; the guest is notified as it has asked. */
START_TEST(turns)
{
	start_at((enum card_way)_i, UINT32_MAX - 60);
	shared->rsp_event = consumer + ENTRIES;
	for (uint32_t i = 0; i < ENTRIES; i++)
		put(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, i, 0, 0);
	push();
	for (uint32_t i = 0; i < ENTRIES / NETIF_CONTROL_PER_TURN; i++) {
		ck_assert(netif_control_ready(control));
		netif_control_take(control);
		ck_assert_uint_eq(hash->mapping_size, (i + 1) * NETIF_CONTROL_PER_TURN - 1);
		ck_assert(publish() == (i + 1 == ENTRIES / NETIF_CONTROL_PER_TURN));
		ck_assert(!publish());
	}
	for (uint32_t i = 0; i < ENTRIES; i++)
		expect(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, XEN_NETIF_CTRL_STATUS_SUCCESS, 0);
	ck_assert(!netif_control_ready(control));
	ck_assert(!netif_control_ask(control));
	put(XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, 0, 0, 0);
	ck_assert(push());
	netif_control_event(control);
	ck_assert(netif_control_ready(control));
	netif_control_take(control);
	publish();
	expect(XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, XEN_NETIF_CTRL_STATUS_SUCCESS, 128);
	stop();
}
END_TEST

/* What comes while the host asks for a notification is not notified, and found all the same. */
START_TEST(comes_meanwhile)
{
	start_at((enum card_way)_i, 0);
	netif_control_take(control);
	put(XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS, 0, 0, 0);
	push();
	ck_assert(!netif_control_ready(control));
	ck_assert(netif_control_ask(control));
	ck_assert(netif_control_ready(control));
	netif_control_take(control);
	ck_assert(publish());
	expect(XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS, XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED, 0);
	stop();
}
END_TEST

START_TEST(breaks)
{
	static const uint32_t producers[] = {ENTRIES + 1, UINT32_MAX, 0x80000000};

	start_at((enum card_way)_i % CARD_WAYS, 0);
	__atomic_store_n(&shared->req_prod, producers[_i / CARD_WAYS], __ATOMIC_RELEASE);
	netif_control_event(control);
	netif_control_take(control);
	ck_assert(netif_control_broken(control));
	ck_assert(!netif_control_ready(control));
	ck_assert(!netif_control_ask(control));
	__atomic_store_n(&shared->req_prod, 1, __ATOMIC_RELEASE);
	netif_control_event(control);
	netif_control_take(control);
	ck_assert(!publish());
	ck_assert_uint_eq(shared->rsp_prod, 0);
	stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, pages, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, turns, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, comes_meanwhile, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, breaks, 0, 3 * CARD_WAYS);
}

CHECK_MAIN("netif: control ring", add_tests)
