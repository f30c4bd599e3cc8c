// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * watch.c - descriptors that backends watch; each call is looked at
 */
#include "try/conform/watch.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>

#include "try/conform/host.h"
#include "try/conform/report.h"

/* user_data of a watch: odd, as no pointer to a part is; then its place and its generation. */
#define WATCH_MARK 1u
#define ENDED UINT64_MAX /* of the operation that ends one */

static uint64_t data_of(const struct conform_loop *loop, const struct conform_watch *watch)
{
	return WATCH_MARK | (uint64_t)(watch - loop->watches) << 1 | (uint64_t)watch->generation << 32;
}

bool conform_is_watch(uint64_t data)
{
	return data & WATCH_MARK;
}

static struct io_uring_sqe *entry(struct conform_loop *loop)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);

	if (!sqe) {
		io_uring_submit(&loop->ring);
		sqe = io_uring_get_sqe(&loop->ring);
	}
	assert(sqe);
	return sqe;
}

/* find - the watch that has this index, or a free place if there is none. */
static struct conform_watch *find(struct conform_queue *queue, uint32_t layer, uint32_t index)
{
	struct conform_watch *free = NULL;

	for (uint32_t i = 0; i < CONFORM_WATCHES_MAX; i++) {
		struct conform_watch *watch = &queue->loop->watches[i];

		if (watch->queue == queue && watch->layer == layer && watch->index == index)
			return watch;
		if (!watch->queue && !free)
			free = watch;
	}
	assert(free);
	return free;
}

/* end - the kernel is told, too; what it has said already comes too late. */
static void end(struct conform_loop *loop, struct conform_watch *watch)
{
	struct io_uring_sqe *sqe;

	if (!watch->queue)
		return;
	sqe = entry(loop);
	io_uring_prep_poll_remove(sqe, data_of(loop, watch));
	io_uring_sqe_set_data64(sqe, ENDED);
	watch->queue = NULL;
	watch->generation++;
	loop->watch_count--;
}

/* queue_of - whose queue is this? Breaks a promise if the host can't be called for it here. */
static struct conform_queue *queue_of(const struct xvhost_queue *seen, uint32_t *layer)
{
	struct conform_loop *loop = conform_my_loop;

	for (uint32_t i = 0; loop && i < CONFORM_QUEUES_MAX; i++)
		for (*layer = 0; loop->queues[i] && *layer < loop->queues[i]->disk->layer_count; ++*layer)
			if (seen == &loop->queues[i]->seen[*layer])
				return loop->queues[i];
	conform_broken(
		CONFORM_THREAD,
		"watch() was called for a queue on another thread than its loop thread, or after it stopped");
}

void conform_watch(struct xvhost_queue *seen, uint32_t index, int fd, uint32_t events)
{
	struct conform_watch *watch;
	struct conform_queue *queue;
	struct io_uring_sqe *sqe;
	uint32_t layer;

	queue = queue_of(seen, &layer);
	if (queue->loop->calls.depth == 0)
		conform_broken(CONFORM_HOST_CALLS, "watch() was called outside of any call of the backend");
	if (queue->in_stop)
		conform_broken(CONFORM_HOST_CALLS, "watch() was called for queue %u from queue_stop()",
			       seen->index);
	if (index >= XVHOST_WATCHES_MAX)
		conform_broken(CONFORM_HOST_CALLS, "watch() was called with index %u, a queue has %d watches",
			       index, XVHOST_WATCHES_MAX);
	if (!queue->disk->layers[layer].backend->ready)
		conform_broken(CONFORM_HOST_CALLS, "watch() was called, but the backend has no ready()");
	if (fd >= 0 && (events == 0 || (events & ~(uint32_t)(POLLIN | POLLOUT))))
		conform_broken(CONFORM_HOST_CALLS,
			       "watch() was called with events 0x%x, they must be POLLIN, POLLOUT or both",
			       events);
	if (fd >= 0 && fcntl(fd, F_GETFD) < 0)
		conform_broken(CONFORM_HOST_CALLS, "watch() was called with descriptor %d, which is not open",
			       fd);
	watch = find(queue, layer, index);
	end(queue->loop, watch);
	if (fd < 0)
		return;
	watch->queue = queue;
	watch->layer = layer;
	watch->index = index;
	queue->loop->watch_count++;
	sqe = entry(queue->loop);
	io_uring_prep_poll_add(sqe, fd, events);
	io_uring_sqe_set_data64(sqe, data_of(queue->loop, watch));
}

static void call_ready(const struct conform_watch *watch, int32_t events)
{
	struct conform_queue *queue = watch->queue;
	uint32_t layer = watch->layer, index = watch->index;
	struct conform_call call = conform_enter(queue->loop, "ready()", NULL);

	queue->disk->layers[layer].backend->ready(&queue->seen[layer], index, events);
	conform_leave(queue->loop, "ready()", call);
}

bool conform_watch_deliver(struct conform_loop *loop, uint64_t data, int32_t result)
{
	struct conform_watch *watch, was;

	if (data == ENDED)
		return false;
	watch = &loop->watches[(data & UINT32_MAX) >> 1];
	if (!watch->queue || watch->generation != data >> 32)
		return false;
	was = *watch;
	watch->queue = NULL;
	watch->generation++;
	loop->watch_count--;
	call_ready(&was, result);
	return true;
}

void conform_watch_stopping(struct conform_queue *queue)
{
	for (uint32_t i = 0; i < CONFORM_WATCHES_MAX; i++) {
		struct conform_watch was = queue->loop->watches[i];

		if (was.queue == queue)
			call_ready(&was, 0);
	}
}

void conform_watch_nothing(struct conform_queue *queue)
{
	for (uint32_t i = 0; i < CONFORM_WATCHES_MAX; i++)
		if (queue->loop->watches[i].queue == queue)
			end(queue->loop, &queue->loop->watches[i]);
}
