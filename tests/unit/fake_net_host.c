// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fake_net_host.c - a host with one network card, for tests of net backends
 */
#include "fake_net_host.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/target.h"

#define OPERATIONS_MAX (FAKE_NET_QUEUES * (FAKE_NET_PACKETS + 256))

struct operation {
	struct fake_net_queue *queue;
	uint32_t number;
	bool write;
	int fd;
	const struct iovec *iov;
	uint32_t iov_count;
};

struct fake_net_queue fake_net_queues[FAKE_NET_QUEUES];
struct fake_net_received fake_net_received[FAKE_NET_RECEIVED];
uint32_t fake_net_received_count;
struct xvhost_net_properties fake_net_properties;
char fake_net_text[ERROR_TEXT_MAX];
uint32_t fake_net_logged;

static const struct xvhost_net_backend *backend;
static void *config;
static struct xvhost_net net;

/* What a queue has under way. */
static struct {
	struct xvhost_packet packets[FAKE_NET_PACKETS];
	struct iovec iov[FAKE_NET_PACKETS][XVHOST_NET_IOVECS_MAX];
	bool transmitting[FAKE_NET_PACKETS];
	bool operating[FAKE_NET_PACKETS + 256];
	uint32_t wait_number;
	short watched_events;
} own[FAKE_NET_QUEUES];

static struct operation operations[OPERATIONS_MAX];
static uint32_t first_operation, next_operation; /* both wrap */

static struct xvhost_packet *taken[FAKE_NET_RECEIVED];
static uint32_t taken_count;

static struct fake_net_queue *queue_of(struct xvhost_net_queue *queue)
{
	ck_assert_uint_lt(queue->index, FAKE_NET_QUEUES);
	ck_assert_ptr_eq(queue, &fake_net_queues[queue->index].queue);
	return &fake_net_queues[queue->index];
}

static void host_transmitted(struct xvhost_packet *packet, int error)
{
	struct fake_net_queue *queue = queue_of(packet->queue);

	ck_assert_ptr_eq(packet, &own[packet->queue->index].packets[packet->index]);
	ck_assert_msg(own[packet->queue->index].transmitting[packet->index], "a packet is ended twice");
	own[packet->queue->index].transmitting[packet->index] = false;
	queue->transmitted++;
	queue->error = error;
}

/* is_noise - an IPv6 packet. */
static bool is_noise(const struct xvhost_packet *packet)
{
	const uint8_t *bytes = packet->iov->iov_base;

	return bytes[12] == 0x86 && bytes[13] == 0xdd;
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
	if (!is_noise(packet)) {
		if (queue->room == 0)
			return false;
		queue->room--;
		keep(packet);
	}
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
	ck_assert_msg(!own[queue->index].operating[number], "operation %u is under way", number);
	if (number < queue->packets_max)
		ck_assert_msg(own[queue->index].transmitting[number], "packet %u is not transmitted", number);
	own[queue->index].operating[number] = true;
}

static void add_operation(struct xvhost_net_queue *queue, uint32_t number, bool write, int fd,
			  const struct iovec *iov, uint32_t iov_count)
{
	begin(queue, number);
	ck_assert_uint_lt(next_operation - first_operation, OPERATIONS_MAX);
	operations[next_operation++ % OPERATIONS_MAX] = (struct operation){
		queue_of(queue), number, write, fd, iov, iov_count};
	queue_of(queue)->started++;
}

static void host_read(struct xvhost_net_queue *queue, uint32_t number, int fd, const struct iovec *iov,
		      uint32_t iov_count)
{
	add_operation(queue, number, false, fd, iov, iov_count);
}

static void host_write(struct xvhost_net_queue *queue, uint32_t number, int fd, const struct iovec *iov,
		       uint32_t iov_count)
{
	add_operation(queue, number, true, fd, iov, iov_count);
}

static void host_wait(struct xvhost_net_queue *queue, uint32_t number, uint64_t nanoseconds)
{
	begin(queue, number);
	ck_assert_uint_gt(nanoseconds, 0);
	ck_assert(!queue_of(queue)->waiting);
	queue_of(queue)->waiting = true;
	own[queue->index].wait_number = number;
}

static void host_watch(struct xvhost_net_queue *queue, uint32_t index, int fd, uint32_t events)
{
	ck_assert_uint_eq(index, 0);
	queue_of(queue)->watched = fd;
	own[queue->index].watched_events = (short)events;
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
};

int fake_net_open(const struct xvhost_net_backend *tried, const char *target, uint16_t queues)
{
	int error;

	backend = tried;
	ck_assert_msg(target_configure(target, head_of_net(backend), &config, fake_net_text) == 0, "%s",
		      fake_net_text);
	net = (struct xvhost_net){
		.size = sizeof(net),
		.mtu = 1400,
		.host = &host,
		.name = "guest 1 vif 0",
		.interface = "vif1.0",
		.mac = {0, 0x16, 0x3e, 1, 2, 3},
		.queues = queues,
		.domid = 1,
	};
	fake_net_properties = (struct xvhost_net_properties){0};
	error = backend->open(&net, config, &fake_net_properties);
	if (error < 0)
		free(config);
	return error;
}

void fake_net_close(void)
{
	backend->close(&net);
	free(config);
	for (uint32_t i = 0; i < fake_net_received_count; i++)
		free(fake_net_received[i].piece.iov_base);
	fake_net_received_count = 0;
}

void fake_net_start(uint32_t index, uint32_t takes)
{
	fake_net_queues[index] = (struct fake_net_queue){
		.queue = {.size = sizeof(struct xvhost_net_queue),
			  .index = index,
			  .count = net.queues,
			  .packets_max = FAKE_NET_PACKETS,
			  .guest_takes = takes,
			  .net = &net},
		.room = UINT32_MAX,
		.watched = -1,
	};
	ck_assert_msg(backend->queue_start(&fake_net_queues[index].queue) == 0, "%s", fake_net_text);
}

void fake_net_release(uint32_t index)
{
	struct fake_net_queue *queue = &fake_net_queues[index];

	queue->queue.flags |= XVHOST_QUEUE_STOPPING;
	if (queue->watched >= 0)
		backend->ready(&queue->queue, 0, 0);
	backend->room(&queue->queue);
	if (queue->waiting)
		fake_net_time(index);
}

void fake_net_stop(uint32_t index)
{
	struct fake_net_queue *queue = &fake_net_queues[index];

	if (!(queue->queue.flags & XVHOST_QUEUE_STOPPING))
		fake_net_release(index);
	fake_net_run();
	ck_assert_int_eq(queue->watched, -1);
	ck_assert(!queue->waiting);
	for (uint32_t i = 0; i < FAKE_NET_PACKETS; i++)
		ck_assert(!own[index].transmitting[i]);
	for (uint32_t i = 0; i < FAKE_NET_PACKETS + fake_net_properties.operations; i++)
		ck_assert(!own[index].operating[i]);
	backend->queue_stop(&queue->queue);
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
	own[index].transmitting[slot] = true;
	backend->transmit(&fake_net_queues[index].queue, &packet, 1);
}

/* carry_out - the operation that was started first. */
static void carry_out(void)
{
	struct operation *operation = &operations[first_operation++ % OPERATIONS_MAX];
	struct xvhost_net_queue *queue = &operation->queue->queue;
	ssize_t result = operation->write ? writev(operation->fd, operation->iov, (int)operation->iov_count)
					  : readv(operation->fd, operation->iov, (int)operation->iov_count);

	own[queue->index].operating[operation->number] = false;
	backend->io_done(queue, operation->number, result < 0 ? -errno : (int32_t)result);
}

/* deliver - what the host has taken. */
static void deliver(void)
{
	uint32_t count = taken_count;
	struct xvhost_packet *packets[FAKE_NET_RECEIVED];

	memcpy(packets, taken, count * sizeof(packets[0]));
	taken_count = 0;
	for (uint32_t i = 0; i < count; i++)
		backend->delivered(packets[i], 0);
}

/* look - does a watch find something? The backend is told. */
static bool look(struct fake_net_queue *queue)
{
	struct pollfd watched = {.fd = queue->watched, .events = own[queue->queue.index].watched_events};

	if (queue->watched < 0 || poll(&watched, 1, 0) != 1)
		return false;
	queue->watched = -1;
	backend->ready(&queue->queue, 0, watched.revents);
	return true;
}

void fake_net_run(void)
{
	bool again = true;

	for (uint32_t turns = 0; again; turns++) {
		again = false;
		ck_assert_msg(turns < 10000, "this has no end");
		while (first_operation != next_operation) {
			carry_out();
			again = true;
		}
		if (taken_count > 0) {
			deliver();
			again = true;
		}
		for (uint32_t i = 0; i < FAKE_NET_QUEUES && fake_net_queues[i].queue.size > 0; i++)
			again |= look(&fake_net_queues[i]);
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
