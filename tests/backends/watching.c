// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * watching.c - stands before another disk and sends each request through a socket, which it watches
 *
 * The socket holds some requests only, so that its writing end is watched, too, and is another one after some time, with
 * the same numbers. With hold=on nothing goes through it before the queue is to stop.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xvhost/backend.h"

#define REQUESTS_MAX 1024 /* of one queue */
#define ROUNDS 50	  /* after so many requests there is another socket */

enum {
	WATCH_READING = 1,
	WATCH_WRITING = 3
};

struct config {
	uint64_t queues;
	bool hold;
	const char *inner;
};

struct watching {
	int reading, writing; /* of the socket */
	struct xvhost_request *waiting[REQUESTS_MAX];
	uint32_t first, count; /* of those that wait */
	uint32_t inside;       /* the socket */
	uint32_t rounds, told;
};

static const struct xvhost_parameter parameters[] = {
	{.name = "queues",
	 .type = XVHOST_NUMBER,
	 .offset = offsetof(struct config, queues),
	 .default_text = "0",
	 .help = "how many the disk says that it can have"},
	{.name = "hold",
	 .type = XVHOST_BOOL,
	 .offset = offsetof(struct config, hold),
	 .default_text = "off",
	 .help = "nothing is answered before the queue is to stop"},
	{.name = "disk",
	 .type = XVHOST_TARGET,
	 .flags = XVHOST_REQUIRED,
	 .offset = offsetof(struct config, inner),
	 .help = "the target of the disk below"},
};

static int watching_open(struct xvhost_disk *disk, const void *opaque,
			 struct xvhost_disk_properties *properties)
{
	const struct config *config = opaque;

	*properties = *disk->inner;
	disk->queues_max = (uint32_t)config->queues;
	disk->state = (void *)(uintptr_t)opaque;
	return 0;
}

static void watching_close(struct xvhost_disk *disk)
{
	(void)disk;
}

static bool is_held(const struct xvhost_queue *queue)
{
	const struct config *config = queue->disk->state;

	return config->hold && !(queue->flags & XVHOST_QUEUE_STOPPING);
}

static void open_socket(struct watching *watching)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	watching->reading = pair[0];
	watching->writing = pair[1];
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &(int){1}, sizeof(int));
}

/* close_socket - of a running queue, whose watches end first. */
static void close_socket(struct xvhost_queue *queue)
{
	struct watching *watching = queue->state;

	queue->disk->host->watch(queue, WATCH_READING, -1, 0);
	queue->disk->host->watch(queue, WATCH_WRITING, -1, 0);
	close(watching->reading);
	close(watching->writing);
}

static void write_some(struct xvhost_queue *queue)
{
	struct watching *watching = queue->state;

	while (watching->count > 0 && !is_held(queue)) {
		if (write(watching->writing, &watching->waiting[watching->first], sizeof(void *)) < 0) {
			if (errno != EAGAIN)
				abort();
			queue->disk->host->watch(queue, WATCH_WRITING, watching->writing, POLLOUT);
			return;
		}
		watching->first = (watching->first + 1) % REQUESTS_MAX;
		watching->count--;
		watching->inside++;
	}
}

static void read_some(struct xvhost_queue *queue)
{
	struct watching *watching = queue->state;
	struct xvhost_request *request;

	while (read(watching->reading, &request, sizeof(void *)) == sizeof(void *)) {
		watching->inside--;
		watching->rounds++;
		queue->disk->host->forward(request, request->operation, request->offset, request->length,
					   request->iov, request->iov_count);
	}
	if (watching->inside == 0 && watching->rounds >= ROUNDS) {
		watching->rounds = 0;
		close_socket(queue);
		open_socket(watching);
	}
	queue->disk->host->watch(queue, WATCH_READING, watching->reading, POLLIN);
}

static void watching_ready(struct xvhost_queue *queue, uint32_t index, int32_t events)
{
	struct watching *watching = queue->state;

	if (events < 0 || events & POLLNVAL || (index != WATCH_READING && index != WATCH_WRITING))
		abort();
	/* Each watch is told once, and no more than these are there. */
	if (events == 0 && (!(queue->flags & XVHOST_QUEUE_STOPPING) || ++watching->told > 2))
		abort();
	if (events != 0 && index == WATCH_READING)
		read_some(queue);
	write_some(queue);
}

static int watching_queue_start(struct xvhost_queue *queue)
{
	struct watching *watching = calloc(1, sizeof(*watching));

	if (!watching)
		return -ENOMEM;
	open_socket(watching);
	queue->state = watching;
	queue->disk->host->watch(queue, WATCH_READING, watching->reading, POLLIN);
	return 0;
}

/* Its watches are the host's to end. */
static void watching_queue_stop(struct xvhost_queue *queue)
{
	struct watching *watching = queue->state;

	if (queue->flags & XVHOST_QUEUE_STOPPING && watching->told == 0)
		abort();
	close(watching->reading);
	close(watching->writing);
	free(watching);
}

static void watching_submit(struct xvhost_request *request)
{
	struct watching *watching = request->queue->state;

	watching->waiting[(watching->first + watching->count++) % REQUESTS_MAX] = request;
	write_some(request->queue);
}

static void watching_forwarded(struct xvhost_request *request, int error)
{
	request->queue->disk->host->complete(request, error);
}

static const struct xvhost_disk_backend watching_backend = {
	.size = sizeof(watching_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "watching",
	.version = "1.0",
	.description = "sends each request through a socket that it watches",
	.parameters = parameters,
	.parameter_count = sizeof(parameters) / sizeof(parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct config),
	.open = watching_open,
	.close = watching_close,
	.queue_start = watching_queue_start,
	.queue_stop = watching_queue_stop,
	.submit = watching_submit,
	.forwarded = watching_forwarded,
	.ready = watching_ready,
};

XVHOST_DISK_BACKEND(watching_backend);
