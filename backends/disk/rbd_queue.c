// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rbd_queue.c - a queue, and what librbd has of its requests
 *
 * An operation belongs to the loop, but for three of its members: librbd's thread sets the result, and puts it on the list. A
 * queue belongs to all that may still touch it: the loop, and each operation until its callback has ended.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "rbd_internal.h"

#define STOP_S 3 /* how long requests may take when the queue is to stop; whoever waits has 8 s */

enum watch_index {
	WATCH_BELL = 0,
	WATCH_TIMER
};

struct queue {
	struct image *image;
	struct xvhost_queue *host_queue;
	int bell_fd, timer_fd;
	struct operation *under_way;	  /* the loop's: all that it has not taken off the list */
	_Atomic(struct operation *) done; /* the list: the last one is the first */
	atomic_uint users;
};

struct operation {
	struct queue *queue;
	struct operation *next_done;
	ssize_t result; /* of librbd: bytes of a read, or 0; negative: an errno */

	/* The loop's. */
	struct xvhost_request *request;	   /* NULL: it has been failed */
	struct operation *next, *previous; /* of what is under way */
	char read[];			   /* what a read has read */
};

/* ---- operations ---- */

static struct operation *operation_new(struct queue *queue, struct xvhost_request *request)
{
	size_t read_bytes = request->operation == XVHOST_READ ? request->length : 0;
	struct operation *operation = malloc(sizeof(*operation) + read_bytes);

	if (!operation)
		return NULL;
	operation->queue = queue;
	operation->request = request;
	operation->previous = NULL;
	operation->next = queue->under_way;
	if (operation->next)
		operation->next->previous = operation;
	queue->under_way = operation;
	atomic_fetch_add(&queue->users, 1);
	return operation;
}

static void operation_free(struct operation *operation)
{
	struct queue *queue = operation->queue;

	if (operation->previous)
		operation->previous->next = operation->next;
	else
		queue->under_way = operation->next;
	if (operation->next)
		operation->next->previous = operation->previous;
	free(operation);
}

/* queue_leave - whoever is the last gives the queue back. */
static void queue_leave(struct queue *queue)
{
	if (atomic_fetch_sub(&queue->users, 1) > 1)
		return;
	while (queue->under_way)
		operation_free(queue->under_way);
	close(queue->timer_fd);
	close(queue->bell_fd);
	free(queue);
}

/* called_back - by librbd, in a thread of its own. */
static void called_back(rbd_completion_t completion, void *opaque)
{
	struct operation *operation = opaque;
	struct queue *queue = operation->queue;
	struct operation *last = atomic_load(&queue->done);

	operation->result = rbd_aio_get_return_value(completion);
	rbd_aio_release(completion);
	do
		operation->next_done = last;
	while (!atomic_compare_exchange_weak(&queue->done, &last, operation));
	/* The bell can't be full: it is rung once for each time that the list was found empty and emptied. */
	if (!last && write(queue->bell_fd, &(uint64_t){1}, sizeof(uint64_t)) < 0)
		abort();
	queue_leave(queue);
}

/* begin - give it to librbd. What can't be begun is not called back. */
static int begin(struct operation *operation)
{
	const struct xvhost_request *request = operation->request;
	rbd_image_t image = operation->queue->image->handle;
	rbd_completion_t completion;
	int error = rbd_aio_create_completion(operation, called_back, &completion);

	if (error < 0)
		return error;
	switch (request->operation) {
	case XVHOST_READ:
		error = rbd_aio_read(image, request->offset, request->length, operation->read, completion);
		break;
	case XVHOST_WRITE:
		error = rbd_aio_writev(image, request->iov, (int)request->iov_count, request->offset,
				       completion);
		break;
	case XVHOST_FLUSH:
		error = rbd_aio_flush(image, completion);
		break;
	case XVHOST_DISCARD:
		error = rbd_aio_discard(image, request->offset, request->length, completion);
		break;
	default:
		error = -EOPNOTSUPP;
	}
	if (error < 0)
		rbd_aio_release(completion);
	return error;
}

void rbd_queue_submit(struct xvhost_request *request)
{
	struct queue *queue = request->queue->state;
	struct operation *operation = operation_new(queue, request);
	int error = -ENOMEM;

	if (operation) {
		error = begin(operation);
		if (error >= 0)
			return;
		operation_free(operation);
		queue_leave(queue);
	}
	queue->image->disk->host->complete(request, error);
}

/* settle - what librbd said of it: 0 or a negative errno. What was read goes to the request's memory. */
static int settle(const struct operation *operation)
{
	const struct xvhost_request *request = operation->request;
	const char *from = operation->read;

	if (operation->result < 0)
		return (int)operation->result;
	if (request->operation != XVHOST_READ)
		return 0;
	/* Beyond the end of an image that has become smaller. */
	if ((uint64_t)operation->result != request->length)
		return -EIO;
	for (uint32_t i = 0; i < request->iov_count; i++) {
		memcpy(request->iov[i].iov_base, from, request->iov[i].iov_len);
		from += request->iov[i].iov_len;
	}
	return 0;
}

/* take_done - complete what is on the list, in the order in which it came there. */
static void take_done(struct queue *queue)
{
	struct operation *last = atomic_exchange(&queue->done, NULL), *first = NULL;

	while (last) {
		struct operation *before = last->next_done;

		last->next_done = first;
		first = last;
		last = before;
	}
	while (first) {
		struct operation *operation = first;
		struct xvhost_request *request = operation->request;
		int error = request ? settle(operation) : 0;

		first = operation->next_done;
		operation_free(operation);
		if (request)
			queue->image->disk->host->complete(request, error);
	}
}

/* give_up - fail what is still under way: the queue is to stop. */
static void give_up(struct queue *queue)
{
	const struct xvhost_disk *disk = queue->image->disk;
	uint32_t count = 0;

	for (struct operation *operation = queue->under_way; operation; operation = operation->next) {
		struct xvhost_request *request = operation->request;

		if (!request)
			continue;
		operation->request = NULL;
		disk->host->complete(request, -ETIMEDOUT);
		count++;
	}
	if (count > 0)
		disk->host->log(disk, XVHOST_LOG_WARNING,
				"%" PRIu32
				" requests failed because the cluster did not answer for %d s while the disk "
				"was disconnected; what they were to write may still be written",
				count, STOP_S);
}

/* ---- the queue ---- */

static void start_timer(struct queue *queue)
{
	struct itimerspec time = {.it_value.tv_sec = STOP_S};

	timerfd_settime(queue->timer_fd, 0, &time, NULL);
	queue->image->disk->host->watch(queue->host_queue, WATCH_TIMER, queue->timer_fd, POLLIN);
}

void rbd_queue_ready(struct xvhost_queue *host_queue, uint32_t index, int32_t events)
{
	struct queue *queue = host_queue->state;
	uint64_t count;

	if (events == 0) {
		if (index == WATCH_BELL)
			start_timer(queue);
		return;
	}
	if (index == WATCH_TIMER) {
		give_up(queue);
		return;
	}
	if (read(queue->bell_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		abort();
	queue->image->disk->host->watch(host_queue, WATCH_BELL, queue->bell_fd, POLLIN);
	take_done(queue);
}

int rbd_queue_start(struct xvhost_queue *host_queue)
{
	struct queue *queue = calloc(1, sizeof(*queue));
	int error;

	if (!queue)
		return -ENOMEM;
	queue->image = host_queue->disk->state;
	queue->host_queue = host_queue;
	queue->users = 1;
	queue->timer_fd = -1;
	queue->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (queue->bell_fd >= 0)
		queue->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (queue->timer_fd < 0) {
		error = -errno;
		if (queue->bell_fd >= 0)
			close(queue->bell_fd);
		free(queue);
		return error;
	}
	host_queue->state = queue;
	host_queue->disk->host->watch(host_queue, WATCH_BELL, queue->bell_fd, POLLIN);
	return 0;
}

void rbd_queue_stop(struct xvhost_queue *host_queue)
{
	queue_leave(host_queue->state);
}
