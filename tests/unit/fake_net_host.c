// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fake_net_host.c - a host with network cards, for tests of net backends
 */
#include "fake_net_host.h"

#include <check.h>
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/target.h"

#define CANCEL UINT64_MAX			/* instead of a number */
#define OPERATIONS_MAX (FAKE_NET_PACKETS + 256) /* of a queue */

struct fake_net_queue fake_net_queues[FAKE_NET_QUEUES];
struct fake_net_received fake_net_received[FAKE_NET_RECEIVED];
uint32_t fake_net_received_count;
int fake_net_deliver_error;
struct xvhost_net_properties fake_net_properties;
struct xvhost_net_properties fake_net_inner;
char fake_net_text[ERROR_TEXT_MAX];
uint32_t fake_net_logged;
bool fake_net_uplink;
bool fake_net_link;

static const struct xvhost_net_backend *backend;

/* The cards. One by itself has all queues. */
static struct {
	bool open;
	void *config;
	struct xvhost_net net;
	char name[32], interface[16];
} cards[FAKE_NET_QUEUES];
static bool several;					 /* each has one queue */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what cards that are opened share */

/* What a queue has under way. */
static struct {
	struct xvhost_packet packets[FAKE_NET_PACKETS];
	struct iovec iov[FAKE_NET_PACKETS][XVHOST_NET_IOVECS_MAX];
	_Alignas(16) uint8_t heads[FAKE_NET_PACKETS][XVHOST_NET_HEADROOM_BYTES + 65536]; /* first pieces */
	bool transmitting[FAKE_NET_PACKETS];
	bool operating[OPERATIONS_MAX], reading[OPERATIONS_MAX], writing[OPERATIONS_MAX];
	struct xvhost_packet *below[FAKE_NET_PACKETS]; /* what was forwarded */
	struct {
		struct xvhost_packet packet;
		struct iovec iov[XVHOST_NET_IOVECS_MAX];
		bool used;
	} offered[FAKE_NET_PACKETS];
	uint32_t wait_number;
	struct pollfd watches[XVHOST_WATCHES_MAX]; /* without events: not set */
} own[FAKE_NET_QUEUES];

static struct io_uring ring;

static struct xvhost_packet *taken[FAKE_NET_RECEIVED];
static uint32_t taken_count;

/* place_of - among all queues. */
static uint32_t place_of(const struct xvhost_net_queue *queue)
{
	size_t place = (size_t)((const struct fake_net_queue *)(const void *)queue - fake_net_queues);

	ck_assert_uint_lt(place, FAKE_NET_QUEUES);
	ck_assert_ptr_eq(queue, &fake_net_queues[place].queue);
	return (uint32_t)place;
}

static struct fake_net_queue *queue_of(struct xvhost_net_queue *queue)
{
	return &fake_net_queues[place_of(queue)];
}

static void host_transmitted(struct xvhost_packet *packet, int error)
{
	struct fake_net_queue *queue = queue_of(packet->queue);

	ck_assert_ptr_eq(packet, &own[place_of(packet->queue)].packets[packet->index]);
	ck_assert_msg(own[place_of(packet->queue)].transmitting[packet->index], "a packet is ended twice");
	own[place_of(packet->queue)].transmitting[packet->index] = false;
	queue->transmitted++;
	queue->error = error;
}

/* keep - a copy of what the guest got. */
static void keep(const struct xvhost_packet *packet)
{
	struct fake_net_received *received = &fake_net_received[fake_net_received_count++];
	uint32_t at = 0;

	ck_assert_uint_le(fake_net_received_count, FAKE_NET_RECEIVED);
	received->packet = *packet;
	received->packet.iov = &received->piece;
	received->packet.iov_count = 1;
	received->piece = (struct iovec){malloc(packet->length), packet->length};
	for (uint32_t i = 0; i < packet->iov_count; i++) {
		ck_assert_uint_le(at + packet->iov[i].iov_len, packet->length);
		memcpy((char *)received->piece.iov_base + at, packet->iov[i].iov_base,
		       packet->iov[i].iov_len);
		at += (uint32_t)packet->iov[i].iov_len;
	}
	ck_assert_uint_eq(at, packet->length);
}

static bool host_receive(struct xvhost_net_queue *seen, struct xvhost_packet *packet)
{
	struct fake_net_queue *queue = queue_of(seen);

	ck_assert_ptr_eq(packet->queue, seen);
	ck_assert_uint_ge(packet->length, XVHOST_NET_BYTES_MIN);
	ck_assert_uint_le(packet->length, XVHOST_NET_BYTES_MAX);
	if (queue->room == 0)
		return false;
	queue->room--;
	keep(packet);
	ck_assert_uint_lt(taken_count, FAKE_NET_RECEIVED);
	taken[taken_count++] = packet;
	return true;
}

static void host_dropped(struct xvhost_net_queue *queue, uint32_t count)
{
	queue_of(queue)->dropped += count;
}

/* begin - an operation of this number, of which there is no other. */
static void begin(struct xvhost_net_queue *queue, uint32_t number)
{
	ck_assert_uint_lt(number, queue->packets_max + fake_net_properties.operations);
	ck_assert_msg(!own[place_of(queue)].operating[number], "operation %u is under way", number);
	if (number < queue->packets_max)
		ck_assert_msg(own[place_of(queue)].transmitting[number], "packet %u is not transmitted",
			      number);
	own[place_of(queue)].operating[number] = true;
}

/* entry - for an operation. Its number is found again by the queue and the number. */
static struct io_uring_sqe *entry(struct xvhost_net_queue *queue, uint32_t number)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	begin(queue, number);
	ck_assert_ptr_nonnull(sqe);
	sqe->user_data = (uint64_t)place_of(queue) << 32 | number;
	return sqe;
}

static void host_read(struct xvhost_net_queue *queue, uint32_t number, int fd, const struct iovec *iov,
		      uint32_t iov_count)
{
	struct io_uring_sqe *sqe = entry(queue, number);
	uint64_t data = sqe->user_data;

	io_uring_prep_readv(sqe, fd, iov, iov_count, 0);
	sqe->user_data = data;
	own[place_of(queue)].reading[number] = true;
	queue_of(queue)->reading++;
	queue_of(queue)->reads++;
}

static void host_write(struct xvhost_net_queue *queue, uint32_t number, int fd, const struct iovec *iov,
		       uint32_t iov_count)
{
	struct io_uring_sqe *sqe = entry(queue, number);
	uint64_t data = sqe->user_data;

	io_uring_prep_writev(sqe, fd, iov, iov_count, 0);
	sqe->user_data = data;
	own[place_of(queue)].writing[number] = true;
}

static void host_watch(struct xvhost_net_queue *queue, uint32_t index, int fd, uint32_t events)
{
	ck_assert_uint_lt(index, XVHOST_WATCHES_MAX);
	own[place_of(queue)].watches[index] = (struct pollfd){.fd = fd, .events = (short)events};
}

static void host_wait(struct xvhost_net_queue *queue, uint32_t number, uint64_t nanoseconds)
{
	begin(queue, number);
	ck_assert_uint_gt(nanoseconds, 0);
	ck_assert(!queue_of(queue)->waiting);
	queue_of(queue)->waiting = true;
	queue_of(queue)->wait_ns = nanoseconds;
	own[place_of(queue)].wait_number = number;
}

static void host_log(const struct xvhost_net *card, enum xvhost_log_level level, const char *format, ...)
{
	va_list arguments;

	(void)card;
	(void)level;
	va_start(arguments, format);
	vsnprintf(fake_net_text, sizeof(fake_net_text), format, arguments);
	va_end(arguments);
	fake_net_logged++;
}

static void host_fail(struct xvhost_net *card, const char *format, ...)
{
	va_list arguments;

	(void)card;
	va_start(arguments, format);
	vsnprintf(fake_net_text, sizeof(fake_net_text), format, arguments);
	va_end(arguments);
}

static void host_link(struct xvhost_net *card, bool up)
{
	(void)card;
	fake_net_link = up;
}

/* ---- the card below a wrapper ---- */

static void host_forward(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		ck_assert_ptr_eq(packets[i], &own[place_of(queue)].packets[packets[i]->index]);
		ck_assert(own[place_of(queue)].transmitting[packets[i]->index]);
		ck_assert_uint_lt(queue_of(queue)->forwarded, FAKE_NET_PACKETS);
		own[place_of(queue)].below[queue_of(queue)->forwarded++] = packets[i];
	}
}

void fake_net_end_below(uint32_t index, int error)
{
	uint32_t count = fake_net_queues[index].forwarded;

	fake_net_queues[index].forwarded = 0;
	for (uint32_t i = 0; i < count; i++)
		backend->forwarded(own[index].below[i], error);
}

bool fake_net_offer(uint32_t index, const struct iovec *pieces, uint32_t count)
{
	struct xvhost_packet *packet;
	uint32_t slot = 0;
	bool offered;

	while (own[index].offered[slot].used)
		ck_assert_uint_lt(++slot, FAKE_NET_PACKETS);
	packet = &own[index].offered[slot].packet;
	*packet = (struct xvhost_packet){.queue = &fake_net_queues[index].queue,
					 .iov = own[index].offered[slot].iov,
					 .iov_count = count};
	for (uint32_t i = 0; i < count; i++) {
		packet->iov[i] = pieces[i];
		packet->length += (uint32_t)pieces[i].iov_len;
	}
	own[index].offered[slot].used = true;
	offered = backend->offered(packet->queue, packet);
	own[index].offered[slot].used = offered;
	return offered;
}

static void host_give_back(struct xvhost_packet *packet, int error)
{
	struct fake_net_queue *queue = queue_of(packet->queue);
	uint32_t slot = 0;

	while (packet != &own[place_of(packet->queue)].offered[slot].packet)
		ck_assert_uint_lt(++slot, FAKE_NET_PACKETS);
	ck_assert_msg(own[place_of(packet->queue)].offered[slot].used, "a packet is given back twice");
	own[place_of(packet->queue)].offered[slot].used = false;
	queue->given_back++;
	queue->given_back_error = error;
}

static void host_more_room(struct xvhost_net_queue *queue)
{
	queue_of(queue)->rooms_below++;
}

static const struct xvhost_net_host host = {
	.size = sizeof(host),
	.abi = XVHOST_BACKEND_ABI,
	.transmitted = host_transmitted,
	.receive = host_receive,
	.dropped = host_dropped,
	.read = host_read,
	.write = host_write,
	.wait = host_wait,
	.watch = host_watch,
	.log = host_log,
	.fail = host_fail,
	.forward = host_forward,
	.give_back = host_give_back,
	.more_room = host_more_room,
	.link = host_link,
};

/* open_card - this one, whose guest is the next to the card's number. */
static int open_card(uint32_t card, const char *target, uint16_t queues)
{
	struct xvhost_net_properties properties = {0};
	struct xvhost_net *net = &cards[card].net;
	int error;

	ck_assert_msg(target_configure(target, head_of_net(backend), &cards[card].config, fake_net_text) == 0,
		      "%s", fake_net_text);
	snprintf(cards[card].name, sizeof(cards[card].name), "guest %u vif 0", card + 1);
	snprintf(cards[card].interface, sizeof(cards[card].interface), "vif%u.0", card + 1);
	*net = (struct xvhost_net){
		.size = sizeof(*net),
		.mtu = 1400,
		.host = &host,
		.name = cards[card].name,
		.interface = cards[card].interface,
		.mac = {0, 0x16, 0x3e, 1, 2, (uint8_t)(card + 3)},
		.queues = queues,
		.domid = (uint16_t)(card + 1),
		.attend_fd = -1,
		.inner = backend->forwarded ? &fake_net_inner : NULL,
	};
	if (fake_net_uplink)
		memset(net->mac, 0, sizeof(net->mac));
	pthread_mutex_lock(&lock);
	fake_net_link = true;
	pthread_mutex_unlock(&lock);
	error = backend->open(net, cards[card].config, &properties);
	pthread_mutex_lock(&lock);
	fake_net_properties = properties;
	pthread_mutex_unlock(&lock);
	if (error < 0)
		free(cards[card].config);
	cards[card].open = error == 0;
	return error;
}

/* use - this backend, with the first card. */
static void use(const struct xvhost_net_backend *tried, bool for_several)
{
	pthread_mutex_lock(&lock);
	if (!backend) {
		backend = tried;
		several = for_several;
		ck_assert_int_eq(io_uring_queue_init(1024, &ring, 0), 0);
	}
	ck_assert_ptr_eq(backend, tried);
	pthread_mutex_unlock(&lock);
}

/* end_use - with the last card. */
static void end_use(void)
{
	for (uint32_t i = 0; i < FAKE_NET_QUEUES; i++)
		if (cards[i].open)
			return;
	io_uring_queue_exit(&ring);
	backend = NULL;
}

int fake_net_open(const struct xvhost_net_backend *tried, const char *target, uint16_t queues)
{
	int error;

	use(tried, false);
	error = open_card(0, target, queues);
	if (error < 0)
		end_use();
	return error;
}

int fake_net_open_card(uint32_t card, const struct xvhost_net_backend *tried, const char *target)
{
	ck_assert_uint_lt(card, FAKE_NET_QUEUES);
	use(tried, true);
	return open_card(card, target, 1);
}

void fake_net_close_card(uint32_t card)
{
	ck_assert(cards[card].open);
	backend->close(&cards[card].net);
	free(cards[card].config);
	cards[card].open = false;
}

void fake_net_close(void)
{
	for (uint32_t i = 0; i < FAKE_NET_QUEUES; i++)
		if (cards[i].open)
			fake_net_close_card(i);
	end_use();
	for (uint32_t i = 0; i < fake_net_received_count; i++)
		free(fake_net_received[i].piece.iov_base);
	fake_net_received_count = 0;
}

struct xvhost_net *fake_net_card(void)
{
	return &cards[0].net;
}

void fake_net_start(uint32_t index, uint32_t takes)
{
	struct xvhost_net *net = &cards[several ? index : 0].net;

	fake_net_queues[index] = (struct fake_net_queue){
		.queue = {.size = sizeof(struct xvhost_net_queue),
			  .index = several ? 0 : index,
			  .count = net->queues,
			  .packets_max = FAKE_NET_PACKETS,
			  .guest_takes = takes,
			  .net = net},
		.room = UINT32_MAX,
	};
	if (backend->queue_open)
		ck_assert_msg(backend->queue_open(&fake_net_queues[index].queue) == 0, "%s", fake_net_text);
	ck_assert_msg(backend->queue_start(&fake_net_queues[index].queue) == 0, "%s", fake_net_text);
}

void fake_net_release(uint32_t index)
{
	struct fake_net_queue *queue = &fake_net_queues[index];

	queue->queue.flags |= XVHOST_QUEUE_STOPPING;
	backend->room(&queue->queue);
	if (queue->waiting)
		fake_net_time(index);
	for (uint32_t i = 0; i < OPERATIONS_MAX; i++) {
		struct io_uring_sqe *sqe;

		if (!own[index].reading[i] && !own[index].writing[i])
			continue;
		sqe = io_uring_get_sqe(&ring);
		io_uring_prep_cancel64(sqe, (uint64_t)index << 32 | i, 0);
		sqe->user_data = CANCEL;
	}
}

void fake_net_stop(uint32_t index)
{
	struct fake_net_queue *queue = &fake_net_queues[index];

	if (!(queue->queue.flags & XVHOST_QUEUE_STOPPING))
		fake_net_release(index);
	fake_net_run_writes(index);
	ck_assert(!queue->waiting);
	for (uint32_t i = 0; i < FAKE_NET_PACKETS; i++)
		ck_assert(!own[index].transmitting[i] && !own[index].offered[i].used);
	for (uint32_t i = 0; i < OPERATIONS_MAX; i++)
		ck_assert(!own[index].operating[i]);
	memset(own[index].watches, 0, sizeof(own[index].watches));
	backend->queue_stop(&queue->queue);
	if (backend->queue_close)
		backend->queue_close(&queue->queue);
}

void fake_net_transmit(uint32_t index, const struct iovec *pieces, uint32_t count,
		       const struct xvhost_packet *shape)
{
	struct xvhost_packet *packet = own[index].packets;
	uint32_t slot = 0;

	while (own[index].transmitting[slot])
		ck_assert_uint_lt(++slot, FAKE_NET_PACKETS);
	ck_assert_uint_le(count, XVHOST_NET_IOVECS_MAX);
	packet += slot;
	*packet = shape ? *shape : (struct xvhost_packet){0};
	packet->queue = &fake_net_queues[index].queue;
	packet->iov = own[index].iov[slot];
	packet->iov_count = count;
	packet->length = 0;
	packet->index = slot;
	for (uint32_t i = 0; i < count; i++) {
		packet->iov[i] = pieces[i];
		packet->length += (uint32_t)pieces[i].iov_len;
	}
	/* The first piece gets what a host has before it. */
	ck_assert_uint_le(pieces[0].iov_len, sizeof(own[index].heads[slot]) - XVHOST_NET_HEADROOM_BYTES);
	packet->iov[0].iov_base = own[index].heads[slot] + XVHOST_NET_HEADROOM_BYTES;
	memcpy(packet->iov[0].iov_base, pieces[0].iov_base, pieces[0].iov_len);
	own[index].transmitting[slot] = true;
	backend->transmit(&fake_net_queues[index].queue, &packet, 1);
}

/* tell - the backend of a result. */
static void tell(uint64_t data, int32_t result)
{
	uint32_t index = data >> 32, number = (uint32_t)data;

	if (data == CANCEL)
		return;
	ck_assert(own[index].operating[number]);
	own[index].operating[number] = false;
	if (own[index].reading[number])
		fake_net_queues[index].reading--;
	own[index].reading[number] = own[index].writing[number] = false;
	backend->io_done(&fake_net_queues[index].queue, number, result);
}

/* carry_out - submit what there is, and tell what has ended. False: nothing. */
static bool carry_out(void)
{
	struct io_uring_cqe *cqe;
	bool any = false;

	ck_assert_int_ge(io_uring_submit(&ring), 0);
	ck_assert_int_ge(io_uring_get_events(&ring), 0);
	while (io_uring_peek_cqe(&ring, &cqe) == 0) {
		uint64_t data = cqe->user_data;
		int32_t result = cqe->res;

		io_uring_cqe_seen(&ring, cqe);
		tell(data, result);
		any = true;
	}
	return any;
}

/* look_at_watches - tell of those that have something. False: none has. */
static bool look_at_watches(void)
{
	bool any = false;

	for (uint32_t i = 0; i < FAKE_NET_QUEUES * XVHOST_WATCHES_MAX; i++) {
		uint32_t place = i / XVHOST_WATCHES_MAX, index = i % XVHOST_WATCHES_MAX;
		struct pollfd *watch = &own[place].watches[index];

		if (watch->events == 0 || poll(watch, 1, 0) <= 0)
			continue;
		watch->events = 0;
		backend->ready(&fake_net_queues[place].queue, index, watch->revents);
		any = true;
	}
	return any;
}

/* attend - to the cards' descriptors. False: there was nothing. */
static bool attend(void)
{
	bool any = false;

	for (uint32_t i = 0; i < FAKE_NET_QUEUES; i++) {
		struct pollfd polled = {.fd = cards[i].open ? cards[i].net.attend_fd : -1, .events = POLLIN};

		if (poll(&polled, 1, 0) <= 0)
			continue;
		backend->attend(&cards[i].net);
		any = true;
	}
	return any;
}

/* deliver - what the host has taken. */
static void deliver(void)
{
	uint32_t count = taken_count;
	struct xvhost_packet *packets[FAKE_NET_RECEIVED];

	memcpy(packets, taken, count * sizeof(packets[0]));
	taken_count = 0;
	for (uint32_t i = 0; i < count; i++)
		backend->delivered(packets[i], fake_net_deliver_error);
}

void fake_net_run(void)
{
	bool again = true;

	for (uint32_t turns = 0; again; turns++) {
		ck_assert_msg(turns < 10000, "this has no end");
		again = carry_out();
		again |= look_at_watches();
		again |= attend();
		if (taken_count > 0) {
			deliver();
			again = true;
		}
	}
}

/* is_writing - any of the queue's own operations is a write. */
static bool is_writing(uint32_t index)
{
	for (uint32_t i = FAKE_NET_PACKETS; i < OPERATIONS_MAX; i++)
		if (own[index].writing[i])
			return true;
	return false;
}

void fake_net_run_writes(uint32_t index)
{
	fake_net_run();
	while (is_writing(index)) {
		ck_assert_int_ge(io_uring_submit_and_wait(&ring, 1), 0);
		fake_net_run();
	}
}

void fake_net_make_room(uint32_t index, uint32_t packets)
{
	fake_net_queues[index].room = packets;
	backend->room(&fake_net_queues[index].queue);
}

void fake_net_time(uint32_t index)
{
	struct fake_net_queue *queue = &fake_net_queues[index];
	uint32_t number = own[index].wait_number;

	ck_assert(queue->waiting);
	queue->waiting = false;
	own[index].operating[number] = false;
	backend->io_done(&queue->queue, number, 0);
}
