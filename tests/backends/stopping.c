// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stopping.c - stands before another disk and answers nothing before its queue is to stop
 *
 * Each request waits for a minute, and then fails, unless the queue is to stop by then: then it goes on to the disk below.
 */
#include <errno.h>

#include "xvhost/backend.h"

#define MINUTE_NS UINT64_C(60000000000)

struct config {
	const char *inner;
};

static const struct xvhost_parameter parameters[] = {
	{.name = "disk",
	 .type = XVHOST_TARGET,
	 .flags = XVHOST_REQUIRED,
	 .offset = offsetof(struct config, inner),
	 .help = "the target of the disk below"},
};

static int stopping_open(struct xvhost_disk *disk, const void *config,
			 struct xvhost_disk_properties *properties)
{
	(void)config;
	*properties = *disk->inner;
	return 0;
}

static void stopping_close(struct xvhost_disk *disk)
{
	(void)disk;
}

static void stopping_submit(struct xvhost_request *request)
{
	request->queue->disk->host->wait(request, MINUTE_NS);
}

static void stopping_io_done(struct xvhost_request *request, int32_t result)
{
	const struct xvhost_host *host = request->queue->disk->host;

	if (result == 0 && request->queue->flags & XVHOST_QUEUE_STOPPING)
		host->forward(request, request->operation, request->offset, request->length, request->iov,
			      request->iov_count);
	else
		host->complete(request, -EIO);
}

static void stopping_forwarded(struct xvhost_request *request, int error)
{
	request->queue->disk->host->complete(request, error);
}

static const struct xvhost_disk_backend stopping_backend = {
	.size = sizeof(stopping_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "stopping",
	.version = "1.0",
	.description = "answers nothing before its queue is to stop",
	.parameters = parameters,
	.parameter_count = sizeof(parameters) / sizeof(parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct config),
	.open = stopping_open,
	.close = stopping_close,
	.submit = stopping_submit,
	.io_done = stopping_io_done,
	.forwarded = stopping_forwarded,
};

XVHOST_DISK_BACKEND(stopping_backend);
