// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Wrappers of network cards: what goes through them, in both directions, in which order, and what comes back of it. The wrappers here
 * do as a test tells them; the backend below is the one of one_card.h, which ends nothing by itself.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "one_card.h"
#include "worker/net_internal.h"

#define BYTES 100u
#define RX_PAGE 100u /* the first page that is posted */

/* What a wrapper does with packets. */
enum manner {
	PASS,	/* on */
	DROP,	/* it ends them itself */
	REFUSE, /* those for the guest: there is no room */
	HOLD,	/* until the test lets them go */
};

/* The state of a wrapper: 0 is the outermost. */
static struct wrapper {
	struct xvhost_net_queue *seen;
	enum manner from_guest, for_guest;
	uint32_t forwarded, offered, delivered, rooms, io_done;
	uint32_t last_number;
	int last_error;
	bool more_room; /* it tells the card below of room */
	struct xvhost_packet *held[300];
	uint32_t held_count;
} wrappers[2];

static char story[512];		    /* of starts and stops, and what the queue is told */
static int start_error, open_error; /* of the outermost */

static void tell(const char *what, uint32_t which)
{
	size_t used = strlen(story);

	snprintf(story + used, sizeof(story) - used, "%s%u ", what, which);
}

static int wrapper_open(struct xvhost_net *opened, const void *config, struct xvhost_net_properties *its)
{
	(void)opened;
	(void)config;
	(void)its;
	return 0;
}

static void wrapper_close(struct xvhost_net *closed)
{
	(void)closed;
}

static void hold(struct wrapper *wrapper, struct xvhost_packet *packet)
{
	ck_assert_uint_lt(wrapper->held_count, 300);
	wrapper->held[wrapper->held_count++] = packet;
}

static int open_queue(uint32_t which, const struct xvhost_net_queue *queue)
{
	tell("open", which);
	ck_assert_ptr_eq(queue, wrappers[which].seen);
	return which == 0 ? open_error : 0;
}

static int start(uint32_t which, struct xvhost_net_queue *queue)
{
	tell("start", which);
	wrappers[which].seen = queue;
	return which == 0 ? start_error : 0;
}

static void transmit(uint32_t which, struct xvhost_net_queue *queue, struct xvhost_packet *const *packets,
		     uint32_t count)
{
	struct wrapper *wrapper = &wrappers[which];

	ck_assert_ptr_eq(queue, wrapper->seen);
	for (uint32_t i = 0; i < count; i++)
		ck_assert_ptr_eq(packets[i]->queue, queue);
	if (wrapper->from_guest == PASS)
		netif_forward(queue, packets, count);
	for (uint32_t i = 0; i < count && wrapper->from_guest == DROP; i++)
		netif_transmitted(packets[i], -ENOBUFS);
	for (uint32_t i = 0; i < count && wrapper->from_guest == HOLD; i++)
		hold(wrapper, packets[i]);
}

static void forwarded(uint32_t which, struct xvhost_packet *packet, int error)
{
	struct wrapper *wrapper = &wrappers[which];

	ck_assert_ptr_eq(packet->queue, wrapper->seen);
	wrapper->forwarded++;
	wrapper->last_error = error;
	netif_transmitted(packet, error);
}

static bool offered(uint32_t which, struct xvhost_net_queue *queue, struct xvhost_packet *packet)
{
	struct wrapper *wrapper = &wrappers[which];

	ck_assert_ptr_eq(queue, wrapper->seen);
	ck_assert_ptr_eq(packet->queue, queue);
	wrapper->offered++;
	if (wrapper->for_guest == REFUSE)
		return false;
	if (wrapper->for_guest == PASS)
		return netif_receive(queue, packet);
	if (wrapper->for_guest == DROP)
		netif_give_back(packet, -ENOBUFS);
	else
		hold(wrapper, packet);
	return true;
}

static void delivered(uint32_t which, struct xvhost_packet *packet, int error)
{
	ck_assert_ptr_eq(packet->queue, wrappers[which].seen);
	wrappers[which].delivered++;
	netif_give_back(packet, error);
}

static void room(uint32_t which, struct xvhost_net_queue *queue)
{
	wrappers[which].rooms++;
	if (queue->flags & XVHOST_QUEUE_STOPPING)
		tell("stopping", which);
	else if (wrappers[which].more_room)
		netif_more_room(queue);
}

static void io_done(uint32_t which, struct xvhost_net_queue *queue, uint32_t number)
{
	ck_assert_ptr_eq(queue, wrappers[which].seen);
	wrappers[which].io_done++;
	wrappers[which].last_number = number;
}

/* The two have the same functions, each with its number. */
#define WRAPPER(number)                                                                                      \
	static int open##number(struct xvhost_net_queue *queue)                                              \
	{                                                                                                    \
		return open_queue(number, queue);                                                            \
	}                                                                                                    \
	static void close##number(struct xvhost_net_queue *queue)                                            \
	{                                                                                                    \
		ck_assert_ptr_eq(queue, wrappers[number].seen);                                              \
		tell("close", number);                                                                       \
	}                                                                                                    \
	static int start##number(struct xvhost_net_queue *queue)                                             \
	{                                                                                                    \
		return start(number, queue);                                                                 \
	}                                                                                                    \
	static void stop##number(struct xvhost_net_queue *queue)                                             \
	{                                                                                                    \
		ck_assert_ptr_eq(queue, wrappers[number].seen);                                              \
		tell("stop", number);                                                                        \
	}                                                                                                    \
	static void transmit##number(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets,   \
				     uint32_t count)                                                         \
	{                                                                                                    \
		transmit(number, queue, packets, count);                                                     \
	}                                                                                                    \
	static void forwarded##number(struct xvhost_packet *packet, int error)                               \
	{                                                                                                    \
		forwarded(number, packet, error);                                                            \
	}                                                                                                    \
	static bool offered##number(struct xvhost_net_queue *queue, struct xvhost_packet *packet)            \
	{                                                                                                    \
		return offered(number, queue, packet);                                                       \
	}                                                                                                    \
	static void delivered##number(struct xvhost_packet *packet, int error)                               \
	{                                                                                                    \
		delivered(number, packet, error);                                                            \
	}                                                                                                    \
	static void room##number(struct xvhost_net_queue *queue)                                             \
	{                                                                                                    \
		room(number, queue);                                                                         \
	}                                                                                                    \
	static void io_done##number(struct xvhost_net_queue *queue, uint32_t of, int32_t result)             \
	{                                                                                                    \
		(void)result;                                                                                \
		io_done(number, queue, of);                                                                  \
	}                                                                                                    \
	static const struct xvhost_net_backend wrapper##number = {                                           \
		.size = sizeof(wrapper##number),                                                             \
		.abi = XVHOST_BACKEND_ABI,                                                                   \
		.name = "wrapper" #number,                                                                   \
		.open = wrapper_open,                                                                        \
		.close = wrapper_close,                                                                      \
		.queue_open = open##number,                                                                  \
		.queue_close = close##number,                                                                \
		.queue_start = start##number,                                                                \
		.queue_stop = stop##number,                                                                  \
		.transmit = transmit##number,                                                                \
		.room = room##number,                                                                        \
		.delivered = delivered##number,                                                              \
		.io_done = io_done##number,                                                                  \
		.forwarded = forwarded##number,                                                              \
		.offered = offered##number,                                                                  \
	}

WRAPPER(0);
WRAPPER(1);

static const struct xvhost_net_backend *const both[] = {&wrapper0, &wrapper1};

static void begin(enum card_way way)
{
	const struct card_options options = {.wrappers = both,
					     .wrapper_count = 2,
					     .operations = 2,
					     .wrapper_operations = 3,
					     .start_error = start_error};

	wrappers[0].more_room = wrappers[1].more_room = true;
	card_start(way, &options);
}

/* send - so many packets, each in the page of its number. */
static void send(uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++) {
		card_fill(i);
		card_put(card_gref(i), 0, BYTES, 0, i);
	}
	card_push();
	card_take_turn();
}

static uint8_t bytes[300][BYTES];
static struct iovec pieces[300];
static struct xvhost_packet packets[300];

/* offer - one more packet of the backend below. Returns whether it is taken. */
static bool offer(uint32_t number)
{
	bool taken;

	memset(bytes[number], (int)number + 1, BYTES);
	pieces[number] = (struct iovec){bytes[number], BYTES};
	packets[number] = (struct xvhost_packet){
		.queue = card_seen, .iov = &pieces[number], .iov_count = 1, .length = BYTES};
	taken = netif_receive(card_seen, &packets[number]);
	if (!taken)
		ck_assert_ptr_eq(packets[number].queue, card_seen);
	return taken;
}

/* expect_delivered - so many came back to the backend below, in their order, with this error. */
static void expect_delivered(uint32_t first, uint32_t count, int error)
{
	ck_assert_uint_eq(card_delivered_count, first + count);
	for (uint32_t i = first; i < first + count; i++) {
		ck_assert_ptr_eq(card_delivered[i].packet, &packets[i]);
		ck_assert_ptr_eq(card_delivered[i].packet->queue, card_seen);
		ck_assert_int_eq(card_delivered[i].error, error);
	}
}

/* ---- from the guest ---- */

START_TEST(passes_down)
{
	begin((enum card_way)_i);
	send(0, 40);
	ck_assert_uint_eq(card_transmitted, 40);
	ck_assert_uint_eq(card_transmit_calls, 1);
	for (uint32_t i = 0; i < 40; i++) {
		ck_assert_mem_eq(card_packets[i].data, card_page(i), BYTES);
		ck_assert_ptr_eq(card_packets[i].seen->queue, card_seen);
	}
	ck_assert(!netif_queue_idle(card));
	for (uint32_t i = 0; i < 40; i++)
		netif_transmitted(card_packets[i].seen, i == 7 ? -EIO : 0);
	ck_assert_uint_eq(wrappers[0].forwarded, 40);
	ck_assert_uint_eq(wrappers[1].forwarded, 40);
	card_take_turn();
	for (uint32_t i = 0; i < 40; i++)
		card_expect(i, i == 7 ? NETIF_RSP_ERROR : NETIF_RSP_OKAY);
	card_expect_none();
	card_stop();
	ck_assert_str_eq(story, "start1 start0 stopping0 stopping1 stop0 stop1 ");
}
END_TEST

static void end_at_once(struct xvhost_packet *const *given, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		netif_transmitted(given[i], 0);
}

/* What the backend below ends from within transmit comes back before forward returns. */
START_TEST(ends_at_once)
{
	begin((enum card_way)_i);
	card_on_transmit = end_at_once;
	send(0, 64);
	for (uint32_t i = 0; i < 64; i++)
		card_expect(i, NETIF_RSP_OKAY);
	ck_assert_uint_eq(wrappers[0].forwarded, 64);
	card_stop();
}
END_TEST

START_TEST(drops_from_guest)
{
	begin((enum card_way)_i);
	wrappers[1].from_guest = DROP;
	send(0, 3);
	ck_assert_uint_eq(card_transmitted, 0);
	ck_assert_uint_eq(wrappers[0].forwarded, 3);
	ck_assert_int_eq(wrappers[0].last_error, -ENOBUFS);
	for (uint32_t i = 0; i < 3; i++)
		card_expect(i, NETIF_RSP_ERROR);
	ck_assert_uint_eq(netif_counters(card)->tx_errors, 3);
	card_stop();
}
END_TEST

/* What is held goes on later, in its order; and not at all when the queue is to stop. */
START_TEST(holds_from_guest)
{
	begin((enum card_way)_i);
	wrappers[0].from_guest = HOLD;
	send(0, 5);
	ck_assert_uint_eq(card_transmitted, 0);
	netif_forward(wrappers[0].seen, wrappers[0].held, 3);
	ck_assert_uint_eq(card_transmitted, 3);
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_mem_eq(card_packets[i].data, card_page(i), BYTES);
		netif_transmitted(card_packets[i].seen, 0);
	}
	card_take_turn();
	netif_queue_release(card);
	ck_assert(!netif_queue_idle(card));
	netif_forward(wrappers[0].seen, wrappers[0].held + 3, 2);
	ck_assert_uint_eq(card_transmitted, 3);
	ck_assert_uint_eq(wrappers[0].forwarded, 5);
	ck_assert_int_eq(wrappers[0].last_error, -ESHUTDOWN);
	card_take_turn();
	for (uint32_t i = 0; i < 5; i++)
		card_expect(i, i < 3 ? NETIF_RSP_OKAY : NETIF_RSP_ERROR);
	card_stop();
}
END_TEST

/* ---- for the guest ---- */

START_TEST(passes_up)
{
	union netif_rx_sring_entry entry;

	begin((enum card_way)_i);
	card_post_pages(RX_PAGE, 20);
	card_push_rx();
	for (uint32_t i = 0; i < 20; i++)
		ck_assert(offer(i));
	ck_assert(!netif_queue_idle(card));
	expect_delivered(0, 0, 0);
	card_take_turn();
	expect_delivered(0, 20, 0);
	ck_assert_uint_eq(wrappers[0].delivered, 20);
	ck_assert_uint_eq(wrappers[1].delivered, 20);
	for (uint32_t i = 0; i < 20; i++) {
		ck_assert(card_take_rx(&entry));
		ck_assert_int_eq(entry.rsp.status, BYTES);
		ck_assert_mem_eq(card_page(RX_PAGE + i), bytes[i], BYTES);
	}
	/* No turn is wasted on what has been given back. */
	ck_assert(!netif_queue_ready(card));
	card_stop();
}
END_TEST

/* What is dropped on the way comes back, but not from within receive, and not before what was offered earlier. */
START_TEST(drops_for_guest)
{
	begin((enum card_way)_i);
	card_post_pages(RX_PAGE, 20);
	card_push_rx();
	ck_assert(offer(0));
	wrappers[_i % 2].for_guest = DROP;
	ck_assert(offer(1));
	wrappers[_i % 2].for_guest = PASS;
	ck_assert(offer(2));
	expect_delivered(0, 0, 0);
	ck_assert(netif_queue_ready(card));
	card_take_turn();
	ck_assert_uint_eq(card_delivered_count, 3);
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_ptr_eq(card_delivered[i].packet, &packets[i]);
		ck_assert_int_eq(card_delivered[i].error, i == 1 ? -ENOBUFS : 0);
	}
	ck_assert_uint_eq(netif_counters(card)->rx_packets, 2);
	ck_assert(!netif_queue_ready(card));
	card_stop();
}
END_TEST

/* A wrapper that gives back in another order: the backend below does not see that. */
START_TEST(gives_back_in_order)
{
	begin((enum card_way)_i);
	wrappers[1].for_guest = HOLD;
	for (uint32_t i = 0; i < 4; i++)
		ck_assert(offer(i));
	netif_give_back(wrappers[1].held[2], 0);
	netif_give_back(wrappers[1].held[1], 0);
	card_take_turn();
	expect_delivered(0, 0, 0);
	netif_give_back(wrappers[1].held[0], 0);
	ck_assert(netif_queue_ready(card));
	card_take_turn();
	expect_delivered(0, 3, 0);
	/* The queue waits for the last one. */
	netif_queue_release(card);
	ck_assert(!netif_queue_idle(card));
	netif_give_back(wrappers[1].held[3], -ECANCELED);
	card_take_turn();
	ck_assert_uint_eq(card_delivered_count, 4);
	ck_assert_int_eq(card_delivered[3].error, -ECANCELED);
	card_stop();
}
END_TEST

static uint32_t offer_again; /* so many more, from within delivered */

static void offer_more(struct xvhost_packet *packet)
{
	uint32_t number = (uint32_t)(packet - packets);

	ck_assert_uint_lt(number, 300);
	if (offer_again > 0) {
		offer_again--;
		ck_assert(offer(number));
	}
}

/* A backend that always has more, before a wrapper that drops all: the loop comes to others in between. */
START_TEST(turns_are_bounded)
{
	begin((enum card_way)_i);
	wrappers[0].for_guest = DROP;
	card_on_delivered = offer_more;
	offer_again = 25;
	for (uint32_t i = 0; i < 10; i++)
		ck_assert(offer(i));
	for (uint32_t turn = 1; turn <= 3; turn++) {
		card_take_turn();
		ck_assert_uint_eq(card_delivered_count, turn * 10);
		ck_assert(netif_queue_ready(card));
	}
	card_take_turn();
	ck_assert_uint_eq(card_delivered_count, 35);
	ck_assert(!netif_queue_ready(card));
	card_stop();
}
END_TEST

/* ---- room ---- */

/* A guest without room: the backend below is told when there is some, and offers the same again. */
START_TEST(room_of_the_guest)
{
	begin((enum card_way)_i);
	card_post_pages(RX_PAGE, 1);
	card_push_rx();
	ck_assert(offer(0));
	ck_assert(!offer(1));
	ck_assert_uint_eq(wrappers[1].offered, 2);
	card_take_turn();
	expect_delivered(0, 1, 0);
	ck_assert_uint_eq(card_rooms, 0);
	card_post_pages(RX_PAGE + 1, 1);
	card_push_rx();
	card_take_turn();
	ck_assert_uint_eq(wrappers[0].rooms, 1);
	ck_assert_uint_eq(wrappers[1].rooms, 1);
	ck_assert_uint_eq(card_rooms, 1);
	ck_assert(offer(1));
	card_take_turn();
	expect_delivered(1, 1, 0);
	card_stop();
}
END_TEST

/* A wrapper without room of its own says when it has some; and nobody is told after the queue was to stop. */
START_TEST(room_of_a_wrapper)
{
	begin((enum card_way)_i);
	wrappers[1].for_guest = REFUSE;
	ck_assert(!offer(0));
	netif_more_room(wrappers[1].seen);
	ck_assert_uint_eq(card_rooms, 0);
	ck_assert(netif_queue_ready(card));
	card_take_turn();
	ck_assert_uint_eq(card_rooms, 1);
	ck_assert(!netif_queue_ready(card));
	netif_queue_release(card);
	ck_assert_uint_eq(card_rooms, 2);
	netif_more_room(wrappers[1].seen);
	card_take_turn();
	ck_assert_uint_eq(card_rooms, 2);
	ck_assert(!offer(0));
	ck_assert_uint_eq(wrappers[1].offered, 1);
	card_stop();
}
END_TEST

/* A wrapper that keeps too many gets no more until some are given back; the loop does not spin meanwhile. */
START_TEST(offers_are_bounded)
{
	const uint32_t most = 2 * NETIF_RECEIVED_MAX;

	begin((enum card_way)_i);
	wrappers[1].for_guest = HOLD;
	for (uint32_t i = 0; i < most; i++)
		ck_assert(offer(i));
	ck_assert(!offer(most));
	ck_assert_uint_eq(wrappers[1].offered, most);
	card_take_turn();
	ck_assert(!netif_queue_ready(card));
	ck_assert_uint_eq(card_rooms, 0);
	netif_give_back(wrappers[1].held[0], 0);
	card_take_turn();
	ck_assert_uint_eq(card_rooms, 1);
	ck_assert(offer(most));
	for (uint32_t i = 1; i <= most; i++)
		netif_give_back(wrappers[1].held[i], 0);
	card_take_turn();
	expect_delivered(0, most + 1, 0);
	card_stop();
}
END_TEST

/* ---- operations, and the queue's life ---- */

static void end_numbered(uint32_t number, uint32_t generation)
{
	netif_done(card, number, generation, 0);
}

/* Each backend has numbers of its own; those of packets belong to who has the packet. */
START_TEST(operations)
{
	uint32_t first = NETIF_RING_SIZE, above, middle, below, packet;

	begin((enum card_way)_i);
	ck_assert_uint_eq(netif_layers(card), 3);
	ck_assert_uint_eq(netif_numbers(card), first + 3 + 3 + 2);
	ck_assert_uint_eq(netif_number(wrappers[0].seen, first), first);
	ck_assert_uint_eq(netif_number(wrappers[1].seen, first + 2), first + 5);
	ck_assert_uint_eq(netif_number(card_seen, first + 1), first + 7);
	ck_assert_uint_eq(netif_number(card_seen, 9), 9);
	above = netif_begin(wrappers[0].seen, first + 1);
	middle = netif_begin(wrappers[1].seen, first + 1);
	below = netif_begin(card_seen, first + 1);
	end_numbered(first + 7, below);
	ck_assert_uint_eq(card_io_done, 1);
	end_numbered(first + 4, middle);
	ck_assert_uint_eq(wrappers[1].io_done, 1);
	ck_assert_uint_eq(wrappers[1].last_number, first + 1);
	ck_assert(!netif_queue_idle(card));
	end_numbered(first + 1, above);
	ck_assert_uint_eq(wrappers[0].last_number, first + 1);
	packet = netif_begin(wrappers[1].seen, 5);
	end_numbered(5, packet);
	ck_assert_uint_eq(wrappers[1].last_number, 5);
	packet = netif_begin(card_seen, 5);
	end_numbered(5, packet);
	ck_assert_uint_eq(card_io_done, 2);
	card_stop();
}
END_TEST

/* The outermost can't start: those that have are told to stop, and are stopped. */
START_TEST(does_not_start)
{
	start_error = -EBUSY;
	begin((enum card_way)_i);
	ck_assert_str_eq(netif_not_started(card)->name, "wrapper0");
	ck_assert(!offer(0));
	card_take_turn();
	card_stop();
	ck_assert_str_eq(story, "start1 start0 stopping1 stop1 ");
	ck_assert_uint_eq(card_rooms, 1);
}
END_TEST

/* News of room is under way when the queue is to stop: it does not go before that has been seen. */
START_TEST(room_at_the_end)
{
	begin((enum card_way)_i);
	card_take_turn();
	ck_assert(netif_queue_idle(card));
	netif_more_room(wrappers[0].seen);
	ck_assert(!netif_queue_idle(card));
	netif_queue_release(card);
	ck_assert(!netif_queue_idle(card));
	ck_assert(netif_queue_ready(card));
	card_take_turn();
	ck_assert(netif_queue_idle(card));
	card_stop();
}
END_TEST

/* A queue is opened by the innermost first, and closed by the outermost first. One that can't be has been opened by none. */
START_TEST(opened_and_closed)
{
	static const struct xvhost_net_backend needs_nothing = {.name = "plain"};
	static struct net net = {
		.layers = {{.backend = &wrapper0}, {.backend = &wrapper1}, {.backend = &needs_nothing}},
		.layer_count = 3};
	char text[ERROR_TEXT_MAX];

	begin(CARD_CACHED);
	story[0] = '\0';
	ck_assert_int_eq(net_open_queue(&net, card, text), 0);
	ck_assert_str_eq(story, "open1 open0 ");
	net_close_queue(&net, card);
	ck_assert_str_eq(story, "open1 open0 close0 close1 ");
	story[0] = '\0';
	open_error = -EBUSY;
	ck_assert_int_eq(net_open_queue(&net, card, text), -EBUSY);
	ck_assert_str_eq(story, "open1 open0 close1 ");
	ck_assert_str_eq(text, "backend wrapper0 can't open queue 0: Device or resource busy");
	card_stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, passes_down, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, ends_at_once, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, drops_from_guest, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, holds_from_guest, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, passes_up, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, drops_for_guest, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, gives_back_in_order, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, turns_are_bounded, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, room_of_the_guest, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, room_of_a_wrapper, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, offers_are_bounded, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, operations, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, does_not_start, 0, CARD_WAYS);
	tcase_add_loop_test(test_case, room_at_the_end, 0, CARD_WAYS);
	tcase_add_test(test_case, opened_and_closed);
}

CHECK_MAIN("net_layers", add_tests)
