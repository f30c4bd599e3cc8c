// SPDX-License-Identifier: MIT
/*
 * first.c - a disk in a file, written for the first version of backend.h
 *
 * first.so is this file, compiled by `build` against that version. A host of the same ABI number has to take it for ever.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xvhost/backend.h"

struct first_config {
	const char *path;
	bool flush;
	uint64_t skip_blocks;
	uint64_t size_bytes;
};

struct first_disk {
	int fd;
	uint64_t skip_bytes;
	uint32_t queues;
};

struct first_request {
	uint64_t done_bytes;
};

/* One of each type that there was. */
static const struct xvhost_parameter first_parameters[] = {
	{
		.name = "path",
		.type = XVHOST_STRING,
		.flags = XVHOST_REQUIRED,
		.offset = offsetof(struct first_config, path),
		.help = "the file",
	},
	{
		.name = "flush",
		.type = XVHOST_BOOL,
		.offset = offsetof(struct first_config, flush),
		.default_text = "on",
		.help = "offer flushes",
	},
	{
		.name = "skip",
		.type = XVHOST_NUMBER,
		.offset = offsetof(struct first_config, skip_blocks),
		.default_text = "0",
		.maximum = 1000,
		.help = "blocks at the file's start that are not part of the disk",
	},
	{
		.name = "size",
		.type = XVHOST_BYTES,
		.offset = offsetof(struct first_config, size_bytes),
		.default_text = "1M",
		.minimum = 512,
		.maximum = 1 << 20,
		.help = "how large the disk is",
	},
};

static int first_open(struct xvhost_disk *disk, const void *opaque, struct xvhost_disk_properties *properties)
{
	const struct first_config *config = opaque;
	bool read_only = disk->flags & XVHOST_DISK_READ_ONLY;
	uint64_t end = config->skip_blocks * 512 + config->size_bytes;
	struct first_disk *opened = calloc(1, sizeof(*opened));
	struct stat status;
	int error;

	if (!opened)
		return -ENOMEM;
	opened->fd = open(config->path, O_CLOEXEC | (read_only ? O_RDONLY : O_RDWR));
	if (opened->fd < 0 || fstat(opened->fd, &status) < 0) {
		error = -errno;
		disk->host->fail(disk, "parameter path: can't open '%s': %s", config->path, strerror(-error));
		goto fail;
	}
	if (config->size_bytes % 512 != 0 || end > (uint64_t)status.st_size) {
		error = -EINVAL;
		disk->host->fail(disk,
				 "parameter size: %llu is no multiple of 512, or the file ends before that",
				 (unsigned long long)config->size_bytes);
		goto fail;
	}
	opened->skip_bytes = config->skip_blocks * 512;
	disk->state = opened;
	properties->size_bytes = config->size_bytes;
	properties->block_bytes = 512;
	properties->memory_alignment = 1;
	properties->flags = (config->flush ? XVHOST_DISK_FLUSH : 0) | (read_only ? XVHOST_DISK_READ_ONLY : 0);
	disk->host->log(disk, XVHOST_LOG_DEBUG, "host ABI %u, %u bytes", disk->host->abi, disk->host->size);
	return 0;
fail:
	if (opened->fd >= 0)
		close(opened->fd);
	free(opened);
	return error;
}

static void first_close(struct xvhost_disk *disk)
{
	struct first_disk *opened = disk->state;

	close(opened->fd);
	free(opened);
}

static int first_queue_start(struct xvhost_queue *queue)
{
	queue->state = queue->disk->state;
	return 0;
}

static void first_queue_stop(struct xvhost_queue *queue)
{
	queue->state = NULL;
}

static void start(struct xvhost_request *request)
{
	const struct xvhost_host *host = request->queue->disk->host;
	const struct first_disk *opened = request->queue->state;
	const struct first_request *mine = request->scratch;
	uint64_t offset = opened->skip_bytes + request->offset + mine->done_bytes;

	if (request->operation == XVHOST_READ)
		host->read(request, opened->fd, request->iov, request->iov_count, offset);
	else if (request->operation == XVHOST_WRITE)
		host->write(request, opened->fd, request->iov, request->iov_count, offset);
	else if (request->operation == XVHOST_FLUSH)
		host->sync(request, opened->fd);
	else
		host->complete(request, -EOPNOTSUPP);
}

static void first_submit(struct xvhost_request *request)
{
	((struct first_request *)request->scratch)->done_bytes = 0;
	start(request);
}

static void first_io_done(struct xvhost_request *request, int32_t result)
{
	const struct xvhost_host *host = request->queue->disk->host;
	struct first_request *mine = request->scratch;
	size_t bytes = result > 0 ? (size_t)result : 0;

	mine->done_bytes += bytes;
	if (result < 0 || request->operation == XVHOST_FLUSH || mine->done_bytes == request->length) {
		host->complete(request, result < 0 ? result : 0);
		return;
	}
	if (result == 0) {
		host->complete(request, -EIO);
		return;
	}
	while (bytes >= request->iov->iov_len) {
		bytes -= request->iov->iov_len;
		request->iov++;
		request->iov_count--;
	}
	request->iov->iov_base = (char *)request->iov->iov_base + bytes;
	request->iov->iov_len -= bytes;
	start(request);
}

static const struct xvhost_disk_backend first_backend = {
	.size = sizeof(first_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "first",
	.version = "1.0",
	.description = "a disk in a file, built with the first backend.h",
	.parameters = first_parameters,
	.parameter_count = sizeof(first_parameters) / sizeof(first_parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct first_config),
	.request_size = sizeof(struct first_request),
	.open = first_open,
	.close = first_close,
	.queue_start = first_queue_start,
	.queue_stop = first_queue_stop,
	.submit = first_submit,
	.io_done = first_io_done,
};

XVHOST_DISK_BACKEND(first_backend);
