// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loop.c - queues and requests, and the thread that waits for what they start
 */
#include "try/conform/loop.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "try/conform/host.h"
#include "try/conform/report.h"
#include "try/conform/watch.h"

#define SECTOR_BYTES 512u
#define BETWEEN 0xc5 /* in memory between the pieces of a request's data */
#define RING_ENTRIES 256

void conform_request_text(const struct conform_request *request, char *text, size_t size)
{
	static const char *const names[] = {"?", "read", "write", "flush", "discard", "secure discard"};
	const struct conform_part *part = &request->parts[0];

	if (part->operation == XVHOST_FLUSH)
		snprintf(text, size, "request %" PRIu64 " (flush)", request->number);
	else
		snprintf(text, size,
			 "request %" PRIu64 " (%s of %" PRIu64 " bytes at byte %" PRIu64 " in %u piece%s)",
			 request->number,
			 names[part->operation <= XVHOST_SECURE_DISCARD ? part->operation : 0], part->length,
			 part->offset, part->iov_count, part->iov_count == 1 ? "" : "s");
}

/* ---- loop ---- */

void conform_loop_init(struct conform_loop *loop)
{
	static const struct conform_memory_user user = {conform_host_describe, "struct xvhost_request",
							"the scratch", "complete"};
	int error;

	memset(loop, 0, sizeof(*loop));
	loop->thread = pthread_self();
	conform_calls_init(&loop->calls);
	error = io_uring_queue_init(RING_ENTRIES, &loop->ring, 0);
	if (error < 0)
		conform_skip("can't make an io_uring: %s", strerror(-error));
	conform_my_loop = loop;
	conform_memory_user = &user;
	conform_memory_catch();
}

void conform_loop_exit(struct conform_loop *loop)
{
	io_uring_queue_exit(&loop->ring);
	conform_calls_exit(&loop->calls);
	conform_my_loop = NULL;
}

/* take_results - what io_uring has completed. Returns whether it was a watch, of which the backend has been told. */
static bool take_results(struct conform_loop *loop)
{
	struct io_uring_cqe *cqe;
	bool told = false;

	while (loop->result_count < CONFORM_ARENAS_MAX && io_uring_peek_cqe(&loop->ring, &cqe) == 0) {
		uint64_t data = io_uring_cqe_get_data64(cqe);
		struct conform_result result = {.part = io_uring_cqe_get_data(cqe), .result = cqe->res};

		io_uring_cqe_seen(&loop->ring, cqe);
		if (conform_is_watch(data))
			told |= conform_watch_deliver(loop, data, result.result);
		else
			loop->results[loop->result_count++] = result;
	}
	return told;
}

/* deliver_results - all that are there; a backend that is called may start more, which come with the next turn. */
static void deliver_results(struct conform_loop *loop)
{
	struct conform_result results[CONFORM_ARENAS_MAX];
	uint32_t count = loop->result_count;

	memcpy(results, loop->results, count * sizeof(results[0]));
	loop->result_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		const struct conform_result *result = &results[loop->backwards ? count - 1 - i : i];

		loop->under_way--;
		conform_deliver(result->part, result->result);
	}
}

/* wait_for_one - until io_uring has completed something. */
static void wait_for_one(struct conform_loop *loop)
{
	struct __kernel_timespec timeout = {.tv_sec = CONFORM_TIMEOUT_MS / 1000};
	struct io_uring_cqe *cqe;
	int error;

	/* What was ready a moment ago may be watched anew. */
	io_uring_submit(&loop->ring);
	do
		error = io_uring_wait_cqe_timeout(&loop->ring, &cqe, &timeout);
	while (error == -EINTR);
	if (error == -ETIME)
		conform_broken(CONFORM_COMPLETE, "nothing of what was started has ended for %d s",
			       CONFORM_TIMEOUT_MS / 1000);
}

bool conform_turn(struct conform_loop *loop)
{
	io_uring_submit(&loop->ring);
	if (take_results(loop))
		return true;
	if (loop->under_way == 0) {
		if (loop->in_flight == 0 || loop->watch_count == 0)
			return false;
		wait_for_one(loop);
		take_results(loop);
		return true;
	}
	if (loop->hold) {
		if (loop->result_count == loop->under_way)
			return false;
		wait_for_one(loop);
		return true;
	}
	if (loop->result_count == 0) {
		wait_for_one(loop);
		take_results(loop);
	}
	deliver_results(loop);
	return true;
}

int conform_finish(struct conform_request *request)
{
	struct conform_loop *loop = request->queue->loop;
	struct timespec began, now;
	char text[200];

	clock_gettime(CLOCK_MONOTONIC, &began);
	conform_request_text(request, text, sizeof(text));
	while (request->state == CONFORM_SUBMITTED) {
		if (!conform_turn(loop))
			conform_broken(CONFORM_COMPLETE,
				       "%s is not complete, and nothing is under way that could complete it",
				       text);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - began.tv_sec > 4 * CONFORM_TIMEOUT_MS / 1000)
			conform_broken(CONFORM_COMPLETE, "%s is not complete after %d s", text,
				       (int)(now.tv_sec - began.tv_sec));
	}
	return request->error;
}

void conform_idle(struct conform_loop *loop, uint32_t time_ms)
{
	for (uint32_t i = 0; i < time_ms; i++) {
		while (conform_turn(loop))
			;
		usleep(1000);
	}
}

/* ---- queues ---- */

/* take_parts - when a request is used for the first time. */
static void take_parts(struct conform_request *request)
{
	const struct conform_disk *disk = request->queue->disk;

	request->parts = calloc(disk->layer_count, sizeof(request->parts[0]));
	if (!request->parts)
		conform_skip("no memory");
	for (uint32_t layer = 0; layer < disk->layer_count; layer++) {
		struct conform_part *part = &request->parts[layer];

		part->request = request;
		part->layer = layer;
		conform_arena_take(&part->arena, disk->layers[layer].backend->request_size);
		conform_parts[part->arena.number] = part;
	}
}

static void give_parts_back(struct conform_request *request)
{
	if (!request->parts)
		return;
	for (uint32_t layer = 0; layer < request->queue->disk->layer_count; layer++) {
		conform_parts[request->parts[layer].arena.number] = NULL;
		conform_arena_give_back(&request->parts[layer].arena);
	}
	free(request->parts);
}

/* place_of - where the loop has this queue. */
static struct conform_queue **place_of(struct conform_loop *loop, const struct conform_queue *queue)
{
	uint32_t i = 0;

	while (i < CONFORM_QUEUES_MAX && loop->queues[i] != queue)
		i++;
	assert(i < CONFORM_QUEUES_MAX);
	return &loop->queues[i];
}

void conform_queue_start(struct conform_queue *queue, struct conform_loop *loop, struct conform_disk *disk,
			 uint32_t index)
{
	memset(queue, 0, sizeof(*queue));
	place_of(loop, NULL)[0] = queue;
	queue->loop = loop;
	queue->disk = disk;
	for (uint32_t i = 0; i < CONFORM_DEPTH; i++)
		queue->requests[i].queue = queue;
	for (uint32_t layer = disk->layer_count; layer-- > 0;) {
		const struct xvhost_disk_backend *backend = disk->layers[layer].backend;
		struct conform_call call;
		int error;

		queue->seen[layer] = (struct xvhost_queue){.size = sizeof(queue->seen[layer]),
							   .index = index,
							   .disk = &disk->layers[layer].seen};
		if (!backend->queue_start)
			continue;
		call = conform_enter(loop, "queue_start()", NULL);
		error = backend->queue_start(&queue->seen[layer]);
		conform_leave(loop, "queue_start()", call);
		if (error != 0)
			conform_broken(CONFORM_QUEUES, "queue_start() of queue %u returned %s", index,
				       conform_error_name(error));
	}
}

void conform_queue_stop(struct conform_queue *queue)
{
	struct conform_disk *disk = queue->disk;

	assert(queue->in_flight == 0);
	queue->in_stop = true;
	for (uint32_t layer = 0; layer < disk->layer_count; layer++) {
		struct conform_call call;

		if (!disk->layers[layer].backend->queue_stop)
			continue;
		call = conform_enter(queue->loop, "queue_stop()", NULL);
		disk->layers[layer].backend->queue_stop(&queue->seen[layer]);
		conform_leave(queue->loop, "queue_stop()", call);
	}
	conform_watch_nothing(queue);
	place_of(queue->loop, queue)[0] = NULL;
	for (uint32_t i = 0; i < CONFORM_DEPTH; i++)
		give_parts_back(&queue->requests[i]);
	/* Nobody may look at it any more. */
	memset(queue->seen, 0xff, sizeof(queue->seen));
}

void conform_queue_stopping(struct conform_queue *queue)
{
	for (uint32_t layer = 0; layer < queue->disk->layer_count; layer++)
		queue->seen[layer].flags |= XVHOST_QUEUE_STOPPING;
	conform_watch_stopping(queue);
}

/* ---- requests ---- */

/* oldest_free - the request that was not used for longest, so that its memory faults as long as possible. */
static struct conform_request *oldest_free(struct conform_queue *queue)
{
	struct conform_request *oldest = NULL;

	for (uint32_t i = 0; i < CONFORM_DEPTH; i++) {
		struct conform_request *request = &queue->requests[i];

		if (request->state == CONFORM_FREE && (!oldest || request->number < oldest->number))
			oldest = request;
	}
	return oldest;
}

struct conform_request *conform_request_make(struct conform_queue *queue, uint32_t operation, uint64_t offset,
					     const uint32_t *pieces, uint32_t count, uint32_t gap)
{
	struct conform_request *request = oldest_free(queue);
	struct conform_part *part;
	uint32_t at = gap;
	uint64_t length = 0;

	if (!request)
		return NULL;
	assert(count <= CONFORM_IOV_MAX);
	if (!request->parts)
		take_parts(request);
	part = &request->parts[0];
	request->state = CONFORM_MADE;
	request->number = ++queue->loop->made;
	request->given_count = count;
	for (uint32_t i = 0; i < count; i++) {
		request->given[i] = (struct iovec){part->arena.data + at, pieces[i]};
		at += pieces[i] + gap;
		length += pieces[i];
	}
	assert(at <= CONFORM_SPAN_BYTES);
	request->span = at;
	part->arena.data_used = at;
	conform_arena_access(&part->arena, CONFORM_OPEN_ALL);
	memset(part->arena.data, BETWEEN, at);
	for (uint32_t i = 0; i < count; i++)
		memset(request->given[i].iov_base, CONFORM_UNREAD, pieces[i]);
	part->operation = operation;
	part->offset = offset;
	part->length = length;
	part->iov_count = count;
	return request;
}

uint8_t *conform_request_sector(struct conform_request *request, uint32_t sector)
{
	size_t at = (size_t)sector * SECTOR_BYTES;

	for (uint32_t i = 0; i < request->given_count; i++) {
		if (at < request->given[i].iov_len)
			return (uint8_t *)request->given[i].iov_base + at;
		at -= request->given[i].iov_len;
	}
	abort();
}

void conform_request_open(struct conform_request *request)
{
	struct conform_part *part = &request->parts[0];
	uint32_t at = 0;
	char text[200];

	assert(request->state == CONFORM_COMPLETED);
	conform_arena_access(&part->arena, CONFORM_OPEN_DATA);
	conform_request_text(request, text, sizeof(text));
	for (uint32_t i = 0; i <= request->given_count; i++) {
		uint32_t end = i < request->given_count
				       ? (uint32_t)((uint8_t *)request->given[i].iov_base - part->arena.data)
				       : request->span;

		for (; at < end; at++)
			if (part->arena.data[at] != BETWEEN)
				conform_broken(CONFORM_MEMORY, "%s: memory %s its pieces was written", text,
					       i == 0			   ? "before"
					       : i == request->given_count ? "behind"
									   : "between");
		if (i < request->given_count)
			at += (uint32_t)request->given[i].iov_len;
	}
}

void conform_request_give_back(struct conform_request *request)
{
	assert(request->state == CONFORM_COMPLETED);
	conform_arena_access(&request->parts[0].arena, CONFORM_CLOSED);
	request->state = CONFORM_FREE;
}

void conform_submit(struct conform_request *request)
{
	struct conform_part *part = &request->parts[0];
	struct iovec *iov = conform_arena_iov(&part->arena, request->given_count);

	assert(request->state == CONFORM_MADE);
	request->state = CONFORM_SUBMITTED;
	request->queue->in_flight++;
	request->queue->loop->in_flight++;
	memcpy(iov, request->given, request->given_count * sizeof(iov[0]));
	conform_hand_over(part, part->operation, part->offset, part->length,
			  request->given_count ? iov : NULL, request->given_count);
}
