// SPDX-License-Identifier: MIT
/*
 * template.c - a disk in a file
 *
 * Theory of operation: each read, write and flush becomes one of the host's I/O operations on a file, at the same
 * offset and straight from or to the guest's memory. What is done only in part is gone on with.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xvhost/backend.h"

#define BLOCK_BYTES 512u

/* What the target string gives; the table below says what goes where. */
struct template_config {
	const char *path;
};

/* One open disk. Its queues may run on different threads: what changes after open needs care. */
struct template_disk {
	int fd;
};

/* What each request carries along. */
struct template_request {
	uint64_t done_bytes;
};

static const struct xvhost_parameter template_parameters[] = {
	{
		.name = "path",
		.type = XVHOST_STRING,
		.flags = XVHOST_REQUIRED,
		.offset = offsetof(struct template_config, path),
		.help = "the file that holds the disk, as an absolute path",
	},
};

/* ---- control thread: may block ---- */

/* template_open - on failure all that was taken is given back, and fail() has said why. */
static int template_open(struct xvhost_disk *disk, const void *opaque,
			 struct xvhost_disk_properties *properties)
{
	const struct template_config *config = opaque;
	bool read_only = disk->flags & XVHOST_DISK_READ_ONLY;
	struct template_disk *opened;
	struct stat status;
	int error;

	/* The worker's folder is not that of whoever wrote the target. */
	if (config->path[0] != '/') {
		disk->host->fail(disk,
				 "parameter path of backend template is '%s', it must be an absolute path",
				 config->path);
		return -EINVAL;
	}
	opened = malloc(sizeof(*opened));
	if (!opened) {
		disk->host->fail(disk, "no memory for backend template");
		return -ENOMEM;
	}
	opened->fd = open(config->path, O_CLOEXEC | (read_only ? O_RDONLY : O_RDWR));
	if (opened->fd < 0 || fstat(opened->fd, &status) < 0) {
		error = -errno;
		disk->host->fail(disk, "parameter path of backend template: can't open '%s': %s",
				 config->path, strerror(-error));
		goto fail;
	}
	if (!S_ISREG(status.st_mode) || status.st_size == 0 || status.st_size % BLOCK_BYTES != 0) {
		error = -EINVAL;
		disk->host->fail(
			disk,
			"parameter path of backend template: '%s' must be a regular file of a multiple of %u "
			"bytes, it has %lld",
			config->path, BLOCK_BYTES, (long long)status.st_size);
		goto fail;
	}
	properties->size_bytes = (uint64_t)status.st_size;
	properties->block_bytes = BLOCK_BYTES;
	properties->memory_alignment = 1;
	properties->flags = XVHOST_DISK_FLUSH | (read_only ? XVHOST_DISK_READ_ONLY : 0);
	disk->state = opened;
	return 0;
fail:
	if (opened->fd >= 0)
		close(opened->fd);
	free(opened);
	return error;
}

static void template_close(struct xvhost_disk *disk)
{
	struct template_disk *opened = disk->state;

	close(opened->fd);
	free(opened);
}

/* ---- loop thread: never blocks ---- */

/* start - begin, or go on with, what the request asks for. The result comes to template_io_done. */
static void start(struct xvhost_request *request)
{
	const struct xvhost_host *host = request->queue->disk->host;
	const struct template_disk *opened = request->queue->disk->state;
	const struct template_request *mine = request->scratch;
	uint64_t offset = request->offset + mine->done_bytes;

	switch (request->operation) {
	case XVHOST_READ:
		host->read(request, opened->fd, request->iov, request->iov_count, offset);
		break;
	case XVHOST_WRITE:
		host->write(request, opened->fd, request->iov, request->iov_count, offset);
		break;
	case XVHOST_FLUSH:
		host->sync(request, opened->fd);
		break;
	default:
		host->complete(request, -EOPNOTSUPP);
		break;
	}
}

static void template_submit(struct xvhost_request *request)
{
	struct template_request *mine = request->scratch;

	/* The scratch is not cleared between requests. */
	mine->done_bytes = 0;
	start(request);
}

/* skip - take the bytes that are done off the front of the request's memory. */
static void skip(struct xvhost_request *request, size_t bytes)
{
	while (request->iov_count > 0 && bytes >= request->iov->iov_len) {
		bytes -= request->iov->iov_len;
		request->iov++;
		request->iov_count--;
	}
	if (bytes > 0) {
		request->iov->iov_base = (char *)request->iov->iov_base + bytes;
		request->iov->iov_len -= bytes;
	}
}

static void template_io_done(struct xvhost_request *request, int32_t result)
{
	const struct xvhost_host *host = request->queue->disk->host;
	struct template_request *mine = request->scratch;

	if (result < 0 || request->operation == XVHOST_FLUSH) {
		host->complete(request, result);
		return;
	}
	if (result == 0) {
		/* The end of the file, where the disk has not ended. */
		host->complete(request, -EIO);
		return;
	}
	mine->done_bytes += (uint32_t)result;
	if (mine->done_bytes == request->length) {
		host->complete(request, 0);
		return;
	}
	skip(request, (size_t)result);
	start(request);
}

static const struct xvhost_disk_backend template_backend = {
	.size = sizeof(template_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "template",
	.version = "0.1",
	.description = "a disk in a file",
	.parameters = template_parameters,
	.parameter_count = sizeof(template_parameters) / sizeof(template_parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct template_config),
	.request_size = sizeof(struct template_request),
	.open = template_open,
	.close = template_close,
	.submit = template_submit,
	.io_done = template_io_done,
};

XVHOST_DISK_BACKEND(template_backend);
