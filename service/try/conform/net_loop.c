// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net_loop.c - queues of network cards, their packets, and the thread that waits for what they start
 */
#include "try/conform/net_loop.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "try/conform/context.h"
#include "try/conform/net_call.h"
#include "try/conform/net_check.h"
#include "try/conform/net_host.h"
#include "try/conform/net_layers.h"
#include "try/conform/net_watch.h"
#include "try/conform/report.h"

#define UNUSED 0xc5 /* in memory that no packet has */
#define RING_ENTRIES 1024
#define DATA_BYTES (160u << 10) /* in which the pieces of a packet lie */
#define STEP_MS 20		/* how long one turn waits while something is waited for */
#define IDLE_TURNS 20		/* that may follow while things go on, for the machine may have stood still */

void conform_net_packet_text(const struct conform_net_packet *packet, char *text, size_t size)
{
	static const char *const kinds[] = {"", ", GSO over IPv4", ", GSO over IPv6"};

	snprintf(text, size, "packet %" PRIu64 " (%u bytes in %u piece%s%s)", packet->number,
		 packet->given.length, packet->given.iov_count, packet->given.iov_count == 1 ? "" : "s",
		 kinds[packet->given.gso]);
}

/* ---- loop ---- */

void conform_net_loop_init(struct conform_net_loop *loop)
{
	static const struct conform_memory_user user = {conform_net_describe, "struct xvhost_packet",
							"the headers", "transmitted"};
	int error;

	memset(loop, 0, sizeof(*loop));
	conform_calls_init(&loop->calls);
	error = io_uring_queue_init(RING_ENTRIES, &loop->ring, 0);
	if (error < 0)
		conform_skip("can't make an io_uring: %s", strerror(-error));
	conform_my_net_loop = loop;
	conform_memory_user = &user;
	conform_memory_catch();
}

void conform_net_loop_exit(struct conform_net_loop *loop)
{
	io_uring_queue_exit(&loop->ring);
	conform_calls_exit(&loop->calls);
	conform_my_net_loop = NULL;
}

/* take_results - what io_uring has completed is told to the backends. Returns whether there was any. */
static bool take_results(struct conform_net_loop *loop)
{
	struct io_uring_cqe *cqe;
	bool any = false;

	while (io_uring_peek_cqe(&loop->ring, &cqe) == 0) {
		uint64_t data = io_uring_cqe_get_data64(cqe);
		int32_t result = cqe->res;

		io_uring_cqe_seen(&loop->ring, cqe);
		any |= conform_net_deliver(loop, data, result);
	}
	return any;
}

bool conform_net_under_way(const struct conform_net_queue *queue)
{
	for (; queue; queue = queue->below)
		if (queue->under_way > 0 || queue->watch_count > 0)
			return true;
	return false;
}

/* give_back - what the guest has got by now, and news of room. Returns whether there was any. */
static bool give_back(struct conform_net_loop *loop)
{
	bool any = false;

	for (uint32_t i = 0; i < CONFORM_NET_QUEUES_MAX; i++)
		if (loop->queues[i])
			any |= conform_net_delivered(loop->queues[i]);
	for (uint32_t i = 0; i < CONFORM_NET_QUEUES_MAX; i++)
		if (loop->queues[i])
			any |= conform_net_tell_room(loop->queues[i]);
	for (uint32_t i = 0; i < CONFORM_NET_QUEUES_MAX; i++)
		if (loop->queues[i])
			any |= conform_net_deliver_below(loop->queues[i]);
	return any;
}

bool conform_net_turn(struct conform_net_loop *loop, uint32_t wait_ms)
{
	struct __kernel_timespec timeout = {.tv_nsec = wait_ms * 1000000ll};
	struct io_uring_cqe *cqe;
	bool any;

	io_uring_submit(&loop->ring);
	any = take_results(loop);
	any |= give_back(loop);
	io_uring_submit(&loop->ring);
	if (any || wait_ms == 0)
		return any;
	/* A signal or a timeout is no result; the caller comes again. */
	io_uring_wait_cqe_timeout(&loop->ring, &cqe, &timeout);
	any = take_results(loop);
	return give_back(loop) || any;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* first_live - a packet that the backend has; NULL: it has none. */
static const struct conform_net_packet *first_live(const struct conform_net_queue *queue)
{
	for (uint32_t i = 0; i < CONFORM_NET_PACKETS; i++)
		if (queue->packets[i].live)
			return &queue->packets[i];
	return NULL;
}

void conform_net_finish(struct conform_net_queue *queue)
{
	uint64_t began_ms = now_ms();
	char text[200];

	while (queue->live > 0) {
		bool any = conform_net_turn(queue->loop, STEP_MS);
		bool waits = conform_net_under_way(queue);

		if (queue->live == 0)
			return;
		conform_net_packet_text(first_live(queue), text, sizeof(text));
		if (!any && !waits)
			conform_broken(CONFORM_TRANSMITTED,
				       "%s is not ended, and nothing is under way that could end it", text);
		if (now_ms() - began_ms > CONFORM_NET_TIMEOUT_MS)
			conform_broken(CONFORM_TRANSMITTED, "%s is not ended after %d s", text,
				       CONFORM_NET_TIMEOUT_MS / 1000);
	}
	conform_net_turn(queue->loop, 0);
}

void conform_net_idle(struct conform_net_loop *loop, uint32_t time_ms)
{
	uint64_t end_ms = now_ms() + time_ms;
	bool any = true;

	for (uint32_t turns = 0; now_ms() < end_ms || (any && turns < IDLE_TURNS); turns++) {
		uint64_t now = now_ms(), left_ms = now < end_ms ? end_ms - now : STEP_MS;

		any = conform_net_turn(loop, left_ms < STEP_MS ? (uint32_t)left_ms : STEP_MS);
	}
}

/* ---- queues ---- */

/* place_of - where the loop has this queue. */
static struct conform_net_queue **place_of(struct conform_net_loop *loop,
					   const struct conform_net_queue *queue)
{
	uint32_t i = 0;

	while (i < CONFORM_NET_QUEUES_MAX && loop->queues[i] != queue)
		i++;
	assert(i < CONFORM_NET_QUEUES_MAX);
	return &loop->queues[i];
}

struct opening {
	struct conform_net_queue *queue;
	int error;
};

static void open_on_control(void *argument)
{
	struct opening *opening = argument;

	conform_doing("queue_open() of queue %u", opening->queue->seen.index);
	opening->error = opening->queue->card->backend->queue_open(&opening->queue->seen);
	conform_doing(NULL);
}

static void close_on_control(void *argument)
{
	struct conform_net_queue *queue = argument;

	conform_doing("queue_close() of queue %u", queue->seen.index);
	queue->card->backend->queue_close(&queue->seen);
	conform_doing(NULL);
}

/* open_queue - after those below it: if the backend has something to do for that. */
static void open_queue(struct conform_net_queue *queue)
{
	struct opening opening = {.queue = queue};

	if (queue->below)
		open_queue(queue->below);
	if (!queue->card->backend->queue_open)
		return;
	conform_on_control(open_on_control, &opening);
	if (opening.error != 0)
		conform_broken(CONFORM_QUEUES, "queue_open() of queue %u returned %s", queue->seen.index,
			       conform_error_name(opening.error));
}

/* close_queue - before those below it. */
static void close_queue(struct conform_net_queue *queue)
{
	for (; queue; queue = queue->below)
		if (queue->card->backend->queue_close)
			conform_on_control(close_on_control, queue);
}

/* make - this queue, and those below it. */
static void make(struct conform_net_queue *queue, struct conform_net_loop *loop, struct conform_card *card,
		 uint32_t index, uint32_t count, uint32_t guest_takes)
{
	queue->loop = loop;
	queue->card = card;
	queue->room = CONFORM_NET_NO_LIMIT;
	for (uint32_t i = 0; i < CONFORM_NET_PACKETS; i++)
		queue->packets[i].queue = queue;
	queue->seen = (struct xvhost_net_queue){
		.size = sizeof(queue->seen),
		.index = index,
		.count = count,
		.packets_max = CONFORM_NET_PACKETS,
		.guest_takes = guest_takes,
		.net = &card->seen,
	};
	if (!card->below)
		return;
	queue->below = calloc(1, sizeof(*queue->below));
	if (!queue->below)
		conform_skip("no memory for a queue");
	queue->below->above = queue;
	make(queue->below, loop, card->below, index, count, guest_takes);
}

/* start - after those below it. */
static void start(struct conform_net_queue *queue)
{
	int error;

	if (queue->below)
		start(queue->below);
	error = conform_net_call_start(queue);
	if (error != 0)
		conform_broken(CONFORM_QUEUES, "queue_start() of queue %u returned %s", queue->seen.index,
			       conform_error_name(error));
}

void conform_net_queue_start(struct conform_net_queue *queue, struct conform_net_loop *loop,
			     struct conform_card *card, uint32_t index, uint32_t count, uint32_t guest_takes)
{
	memset(queue, 0, sizeof(*queue));
	place_of(loop, NULL)[0] = queue;
	make(queue, loop, card, index, count, guest_takes);
	open_queue(queue);
	start(queue);
}

/* check_ended - what the backend still has after all that time breaks a promise. */
static void check_ended(const struct conform_net_queue *queue)
{
	char text[200];

	if (queue->live > 0) {
		conform_net_packet_text(first_live(queue), text, sizeof(text));
		conform_broken(CONFORM_QUIESCE, "%d s after the queue was to stop %s is not ended",
			       CONFORM_NET_TIMEOUT_MS / 1000, text);
	}
	if (queue->under_way > 0)
		conform_broken(CONFORM_QUIESCE,
			       "%d s after the queue was to stop %u operations are under way",
			       CONFORM_NET_TIMEOUT_MS / 1000, queue->under_way);
	if (queue->received_count > 0)
		conform_broken(CONFORM_QUIESCE,
			       "%d s after the queue was to stop there are still packets for the guest",
			       CONFORM_NET_TIMEOUT_MS / 1000);
}

/* has_some - is anything not ended that must be before the queue is stopped? */
static bool has_some(const struct conform_net_queue *queue)
{
	for (; queue; queue = queue->below)
		if (queue->live > 0 || queue->under_way > 0 || queue->received_count > 0)
			return true;
	return false;
}

static void free_below(struct conform_net_queue *queue)
{
	struct conform_net_queue *below = queue->below, *next;

	for (; below; below = next) {
		next = below->below;
		free(below);
	}
	queue->below = NULL;
}

void conform_net_queue_stop(struct conform_net_queue *queue)
{
	struct conform_net_loop *loop = queue->loop;
	uint64_t began_ms = now_ms();

	conform_net_tell_stop(queue);
	while (has_some(queue) && now_ms() - began_ms < CONFORM_NET_TIMEOUT_MS)
		conform_net_turn(loop, STEP_MS);
	for (const struct conform_net_queue *one = queue; one; one = one->below)
		check_ended(one);
	for (struct conform_net_queue *one = queue; one; one = one->below) {
		conform_net_call_stop(one);
		conform_net_watch_nothing(one);
	}
	close_queue(queue);
	place_of(loop, queue)[0] = NULL;
	free_below(queue);
	for (uint32_t i = 0; i < CONFORM_NET_PACKETS; i++)
		if (queue->packets[i].has_arena) {
			conform_net_packets[queue->packets[i].arena.number] = NULL;
			conform_arena_give_back(&queue->packets[i].arena);
		}
	/* Nobody may look at it any more. */
	memset(&queue->seen, 0xff, sizeof(queue->seen));
}

/* ---- packets ---- */

struct conform_net_packet *conform_net_free(struct conform_net_queue *queue)
{
	struct conform_net_packet *oldest = NULL;

	for (uint32_t i = 0; i < CONFORM_NET_PACKETS; i++) {
		struct conform_net_packet *packet = &queue->packets[i];

		if (!packet->live && (!oldest || packet->number < oldest->number))
			oldest = packet;
	}
	return oldest;
}

/* place_headers - the first piece, which is not the guest's memory, with room before it for a header of the backend's. */
static void place_headers(struct conform_net_packet *packet, struct iovec *iov, const uint8_t *content,
			  uint32_t bytes)
{
	uint8_t *headers = packet->arena.scratch + XVHOST_NET_HEADROOM_BYTES;

	assert(bytes <= XVHOST_NET_HEADER_BYTES);
	memset(packet->arena.scratch, UNUSED, packet->arena.scratch_bytes);
	memcpy(headers, content, bytes);
	memcpy(packet->headers, headers, sizeof(packet->headers));
	iov[0] = (struct iovec){headers, bytes};
}

/* place_pieces - so that the last one ends where the memory ends. */
static void place_pieces(const struct conform_net_packet *packet, struct iovec *iov, const uint8_t *content,
			 const uint32_t *pieces, uint32_t count, uint32_t gap)
{
	uint32_t span = 0;
	uint8_t *at;

	for (uint32_t i = 0; i < count; i++)
		span += pieces[i] + (i > 0 ? gap : 0);
	assert(span <= DATA_BYTES);
	at = packet->arena.data + DATA_BYTES - span;
	for (uint32_t i = 0; i < count; i++) {
		iov[i] = (struct iovec){at, pieces[i]};
		memcpy(at, content, pieces[i]);
		content += pieces[i];
		at += pieces[i] + gap;
	}
}

void conform_net_make(struct conform_net_packet *packet, const struct xvhost_packet *described,
		      const uint8_t *content, const uint32_t *pieces, uint32_t count, uint32_t gap)
{
	struct conform_net_queue *queue = packet->queue;
	struct iovec *iov;

	assert(!packet->live && count >= 1 && count <= XVHOST_NET_IOVECS_MAX);
	if (!packet->has_arena) {
		conform_arena_take(&packet->arena, XVHOST_NET_HEADROOM_BYTES + XVHOST_NET_HEADER_BYTES);
		conform_net_packets[packet->arena.number] = packet;
		packet->has_arena = true;
		packet->arena.data_used = DATA_BYTES;
	}
	conform_arena_access(&packet->arena, CONFORM_OPEN_ALL);
	iov = conform_arena_iov(&packet->arena, count);
	place_headers(packet, iov, content, pieces[0]);
	place_pieces(packet, iov + 1, content + pieces[0], pieces + 1, count - 1, gap);
	packet->number = ++queue->loop->made;
	packet->given = *described;
	packet->given.queue = &queue->seen;
	packet->given.iov = iov;
	packet->given.iov_count = count;
	packet->given.index = (uint32_t)(packet - queue->packets);
	packet->holder = queue;
	packet->iov_sum = conform_net_iov_sum(iov, count);
	packet->below_error = 0;
	*conform_arena_packet(&packet->arena) = packet->given;
}

void conform_net_transmit(struct conform_net_queue *queue, struct conform_net_packet *const *packets,
			  uint32_t count)
{
	struct xvhost_packet *seen[CONFORM_NET_PACKETS];

	assert(count <= CONFORM_NET_PACKETS && !queue->told_to_stop);
	for (uint32_t i = 0; i < count; i++) {
		packets[i]->live = true;
		seen[i] = conform_arena_packet(&packets[i]->arena);
		conform_arena_access(&packets[i]->arena, CONFORM_DATA_READABLE);
	}
	queue->live += count;
	queue->given += count;
	conform_net_call_transmit(queue, seen, count);
}
