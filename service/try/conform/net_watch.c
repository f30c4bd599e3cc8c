// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net_watch.c - what a queue of a network card has io_uring do: descriptors that its backend watches
 */
#include "try/conform/net_watch.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>

#include "try/conform/net_call.h"
#include "try/conform/net_host.h"
#include "try/conform/report.h"

/* user_data of a watch: odd, as no pointer to an operation is; then its index, the queue's layer and place, and its generation. */
#define WATCH_MARK 1u
#define INDEX_SHIFT 1u
#define LAYER_SHIFT 8u
#define PLACE_SHIFT 16u
#define GENERATION_SHIFT 32u

struct io_uring_sqe *conform_net_entry(struct conform_net_loop *loop)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);

	if (!sqe) {
		io_uring_submit(&loop->ring);
		sqe = io_uring_get_sqe(&loop->ring);
	}
	assert(sqe);
	return sqe;
}

static uint64_t data_of(const struct conform_net_queue *queue, uint32_t index)
{
	const struct conform_net_queue *outermost = queue;
	uint64_t place = 0, layer = 0;

	for (; outermost->above; outermost = outermost->above)
		layer++;
	while (queue->loop->queues[place] != outermost)
		place++;
	return WATCH_MARK | (uint64_t)index << INDEX_SHIFT | layer << LAYER_SHIFT | place << PLACE_SHIFT |
	       (uint64_t)queue->watches[index].generation << GENERATION_SHIFT;
}

bool conform_net_is_watch(uint64_t data)
{
	return data & WATCH_MARK;
}

/* end - the kernel is told, too; what it has said already comes too late. */
static void end(struct conform_net_queue *queue, uint32_t index)
{
	struct io_uring_sqe *sqe;

	if (!queue->watches[index].set)
		return;
	sqe = conform_net_entry(queue->loop);
	io_uring_prep_poll_remove(sqe, data_of(queue, index));
	io_uring_sqe_set_data64(sqe, CONFORM_NET_NOTHING);
	queue->watches[index].set = false;
	queue->watches[index].generation++;
	queue->watch_count--;
}

void conform_net_watch(struct xvhost_net_queue *seen, uint32_t index, int fd, uint32_t events)
{
	struct conform_net_queue *queue = conform_net_queue_of(seen, "watch()");
	struct io_uring_sqe *sqe;

	if (index >= XVHOST_WATCHES_MAX)
		conform_broken(CONFORM_HOST_CALLS, "watch() was called with index %u, a queue has %d watches",
			       index, XVHOST_WATCHES_MAX);
	if (!queue->card->backend->ready)
		conform_broken(CONFORM_HOST_CALLS, "watch() was called, but the backend has no ready()");
	if (fd >= 0 && (events == 0 || (events & ~(uint32_t)(POLLIN | POLLOUT))))
		conform_broken(CONFORM_HOST_CALLS,
			       "watch() was called with events 0x%x, they must be POLLIN, POLLOUT or both",
			       events);
	if (fd >= 0 && fcntl(fd, F_GETFD) < 0)
		conform_broken(CONFORM_HOST_CALLS, "watch() was called with descriptor %d, which is not open",
			       fd);
	end(queue, index);
	if (fd < 0)
		return;
	queue->watches[index].set = true;
	queue->watch_count++;
	sqe = conform_net_entry(queue->loop);
	io_uring_prep_poll_add(sqe, fd, events);
	io_uring_sqe_set_data64(sqe, data_of(queue, index));
}

bool conform_net_watch_deliver(struct conform_net_loop *loop, uint64_t data, int32_t result)
{
	struct conform_net_queue *queue;
	uint32_t index;

	queue = loop->queues[(uint32_t)data >> PLACE_SHIFT];
	for (uint32_t layer = data >> LAYER_SHIFT & UINT8_MAX; queue && layer > 0; layer--)
		queue = queue->below;
	index = (uint32_t)(data & UINT8_MAX) >> INDEX_SHIFT;
	if (!queue || !queue->watches[index].set ||
	    queue->watches[index].generation != data >> GENERATION_SHIFT)
		return false;
	queue->watches[index].set = false;
	queue->watches[index].generation++;
	queue->watch_count--;
	conform_net_call_ready(queue, index, result);
	return true;
}

void conform_net_watch_stopping(struct conform_net_queue *queue)
{
	for (uint32_t i = 0; i < XVHOST_WATCHES_MAX; i++)
		if (queue->watches[i].set)
			conform_net_call_ready(queue, i, 0);
}

void conform_net_watch_nothing(struct conform_net_queue *queue)
{
	for (uint32_t i = 0; i < XVHOST_WATCHES_MAX; i++)
		end(queue, i);
}
