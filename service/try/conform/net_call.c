// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net_call.c - calls of net backends, each for one queue, and when they come
 */
#include "try/conform/net_call.h"

#include <stdio.h>
#include <string.h>

#include "try/conform/net_check.h"
#include "try/conform/net_watch.h"
#include "try/conform/report.h"

/* What is known while a call runs. */
struct running {
	struct conform_call call;
	struct conform_net_queue *before; /* an outer call's */
};

static struct running enter(struct conform_net_queue *queue, const char *function)
{
	struct running running = {.before = queue->loop->called};

	queue->loop->called = queue;
	running.call = conform_call_enter(&queue->loop->calls, function, NULL);
	return running;
}

static void leave(struct conform_net_queue *queue, const char *function, struct running running)
{
	conform_call_leave(&queue->loop->calls, function, running.call);
	queue->loop->called = running.before;
}

int conform_net_call_start(struct conform_net_queue *queue)
{
	struct running running = enter(queue, "queue_start()");
	int error = queue->card->backend->queue_start(&queue->seen);

	leave(queue, "queue_start()", running);
	return error;
}

/* From queue_stop() the host is not called any more. */
void conform_net_call_stop(struct conform_net_queue *queue)
{
	struct running running = enter(queue, "queue_stop()");

	queue->loop->called = NULL;
	queue->card->backend->queue_stop(&queue->seen);
	leave(queue, "queue_stop()", running);
}

void conform_net_call_transmit(struct conform_net_queue *queue, struct xvhost_packet *const *packets,
			       uint32_t count)
{
	struct running running = enter(queue, "transmit()");

	queue->card->backend->transmit(&queue->seen, packets, count);
	leave(queue, "transmit()", running);
}

void conform_net_call_ready(struct conform_net_queue *queue, uint32_t index, int32_t events)
{
	struct running running = enter(queue, "ready()");

	queue->card->backend->ready(&queue->seen, index, events);
	leave(queue, "ready()", running);
}

void conform_net_call_room(struct conform_net_queue *queue)
{
	struct running running = enter(queue, "room()");

	queue->rooms++;
	queue->card->backend->room(&queue->seen);
	leave(queue, "room()", running);
}

void conform_net_call_delivered(struct conform_net_queue *queue, struct xvhost_packet *packet, int error)
{
	struct running running = enter(queue, "delivered()");

	queue->card->backend->delivered(packet, error);
	leave(queue, "delivered()", running);
}

void conform_net_call_forwarded(struct conform_net_queue *queue, struct xvhost_packet *packet, int error)
{
	struct running running = enter(queue, "forwarded()");

	queue->card->backend->forwarded(packet, error);
	leave(queue, "forwarded()", running);
}

bool conform_net_call_offered(struct conform_net_queue *queue, struct xvhost_packet *packet)
{
	struct running running = enter(queue, "offered()");
	bool taken = queue->card->backend->offered(&queue->seen, packet);

	leave(queue, "offered()", running);
	return taken;
}

/* end_waiting - a read that may wait for ever, or a time to pass. */
static void end_waiting(struct conform_net_queue *queue, struct conform_net_operation *operation)
{
	struct io_uring_sqe *sqe;

	if (operation->type != CONFORM_NET_READ && operation->type != CONFORM_NET_WAIT)
		return;
	sqe = conform_net_entry(queue->loop);
	if (operation->type == CONFORM_NET_WAIT)
		io_uring_prep_timeout_remove(sqe, (uint64_t)(uintptr_t)operation, 0);
	else
		io_uring_prep_cancel64(sqe, (uint64_t)(uintptr_t)operation, 0);
	io_uring_sqe_set_data64(sqe, CONFORM_NET_NOTHING);
}

void conform_net_tell_stop(struct conform_net_queue *queue)
{
	for (struct conform_net_queue *one = queue; one; one = one->below)
		one->seen.flags |= XVHOST_QUEUE_STOPPING;
	for (struct conform_net_queue *one = queue; one; one = one->below) {
		one->room_wanted = one->room_due = false;
		conform_net_call_room(one);
		one->told_to_stop = true;
	}
	/* What is under way must be in the kernel before it can be ended there. */
	io_uring_submit(&queue->loop->ring);
	for (struct conform_net_queue *one = queue; one; one = one->below) {
		for (uint32_t i = 0; i < sizeof(one->operations) / sizeof(one->operations[0]); i++)
			end_waiting(one, &one->operations[i]);
		conform_net_watch_stopping(one);
	}
}

bool conform_net_tell_room(struct conform_net_queue *queue)
{
	if (!queue->room_wanted || queue->room == 0 || queue->received_count == NETIF_RECEIVED_MAX ||
	    queue->told_to_stop)
		return false;
	queue->room_wanted = false;
	conform_net_call_room(queue);
	return true;
}

bool conform_net_delivered(struct conform_net_queue *queue)
{
	struct conform_net_received received[NETIF_RECEIVED_MAX];
	uint32_t count = queue->received_count;

	memcpy(received, queue->received, count * sizeof(received[0]));
	for (uint32_t i = 0; i < count; i++)
		conform_net_check_unchanged(&received[i]);
	/* From within these calls more may be received, which is delivered next time. */
	queue->received_count = 0;
	for (uint32_t i = 0; i < count; i++)
		conform_net_call_delivered(queue, received[i].packet, queue->deliver_error);
	return count > 0;
}

bool conform_net_deliver(struct conform_net_loop *loop, uint64_t data, int32_t result)
{
	struct conform_net_operation *operation;
	struct conform_net_queue *queue;
	struct running running;
	uint32_t number;

	if (data == CONFORM_NET_NOTHING)
		return false;
	if (conform_net_is_watch(data))
		return conform_net_watch_deliver(loop, data, result);
	operation = (struct conform_net_operation *)(uintptr_t)data;
	queue = operation->queue;
	number = (uint32_t)(operation - queue->operations);
	if (operation->forced)
		result = operation->forced_result;
	if (operation->iov_count > 0 &&
	    conform_net_iov_sum(operation->iov, operation->iov_count) != operation->iov_sum)
		conform_broken(
			CONFORM_HOST_CALLS,
			"the iovecs of the operation with number %u were changed while it was under way",
			number);
	operation->type = CONFORM_NET_IDLE;
	queue->under_way--;
	running = enter(queue, "io_done()");
	queue->card->backend->io_done(&queue->seen, number, result);
	leave(queue, "io_done()", running);
	return true;
}
