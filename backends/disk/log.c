// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * log.c - stands before another disk and writes a line for each request to a file
 *
 * Theory of operation: when the disk below has answered, the line is made in the request's own memory and written
 * like any other I/O; then the guest is answered. The file is open for appending, so the kernel puts each line at its
 * end, whatever offset the write names and however many are under way.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "xvhost/backend.h"

#define LINE_MAX_BYTES 160 /* what line_for can make, at most */

struct log_config {
	const char *file;
	const char *below;
};

/* One open disk. */
struct log {
	const char *path;
	int fd;
};

/* What a request carries along. */
struct log_request {
	uint64_t began_ns;  /* of the monotonic clock */
	struct timespec at; /* of the day's clock */
	int error;	    /* what the disk below answered */
	struct iovec iov;
	char line[LINE_MAX_BYTES];
};

static const struct xvhost_parameter log_parameters[] = {
	{
		.name = "file",
		.type = XVHOST_STRING,
		.flags = XVHOST_REQUIRED,
		.offset = offsetof(struct log_config, file),
		.help = "where the lines go, as an absolute path; made if it is not there, or else added to",
	},
	{
		.name = "disk",
		.type = XVHOST_TARGET,
		.flags = XVHOST_REQUIRED,
		.offset = offsetof(struct log_config, below),
		.help = "the target of the disk below",
	},
};

/* begin_file - check that it is a file, and write a line that says what follows. */
static int begin_file(const struct xvhost_disk *disk, int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	if (dprintf(fd, "# %s: time operation offset length result microseconds\n", disk->name) < 0)
		return -errno;
	return 0;
}

static int log_open(struct xvhost_disk *disk, const void *opaque, struct xvhost_disk_properties *properties)
{
	const struct log_config *config = opaque;
	struct log *log = malloc(sizeof(*log));
	int error = -EINVAL;

	if (!log)
		return -ENOMEM;
	log->path = config->file;
	if (config->file[0] != '/') {
		disk->host->fail(disk, "parameter file of backend log is '%s', it must be an absolute path",
				 config->file);
		goto fail_memory;
	}
	/* O_NONBLOCK, so that a pipe in the file's place is refused rather than waited for. */
	log->fd = open(config->file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
	if (log->fd < 0) {
		error = -errno;
		disk->host->fail(disk, "parameter file of backend log: can't open '%s' for appending: %s",
				 config->file, strerror(-error));
		goto fail_memory;
	}
	error = begin_file(disk, log->fd);
	if (error < 0) {
		disk->host->fail(disk, "parameter file of backend log: can't write to '%s': %s", config->file,
				 error == -EINVAL ? "it is not a regular file" : strerror(-error));
		goto fail_fd;
	}
	*properties = *disk->inner;
	disk->state = log;
	return 0;
fail_fd:
	close(log->fd);
fail_memory:
	free(log);
	return error;
}

static int log_measure(struct xvhost_disk *disk, uint64_t *size_bytes)
{
	*size_bytes = disk->inner->size_bytes;
	return 0;
}

static void log_close(struct xvhost_disk *disk)
{
	struct log *log = disk->state;

	close(log->fd);
	free(log);
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void log_submit(struct xvhost_request *request)
{
	struct log_request *mine = request->scratch;

	clock_gettime(CLOCK_REALTIME, &mine->at);
	mine->began_ns = monotonic_ns();
	request->queue->disk->host->forward(request, request->operation, request->offset, request->length,
					    request->iov, request->iov_count);
}

static const char *operation_name(uint32_t operation)
{
	switch (operation) {
	case XVHOST_READ:
		return "read";
	case XVHOST_WRITE:
		return "write";
	case XVHOST_FLUSH:
		return "flush";
	case XVHOST_DISCARD:
		return "discard";
	case XVHOST_SECURE_DISCARD:
		return "secure-discard";
	default:
		return "other";
	}
}

/* line_for - make the request's line. Returns its length. */
static size_t line_for(const struct xvhost_request *request, struct log_request *mine)
{
	uint64_t us = (monotonic_ns() - mine->began_ns) / 1000;
	const char *result = mine->error < 0 ? strerrorname_np(-mine->error) : "ok";

	return (size_t)snprintf(mine->line, sizeof(mine->line),
				"%jd.%06ld %s %" PRIu64 " %" PRIu64 " %s %" PRIu64 "\n",
				(intmax_t)mine->at.tv_sec, mine->at.tv_nsec / 1000,
				operation_name(request->operation), request->offset, request->length,
				result ? result : "unknown", us);
}

static void log_forwarded(struct xvhost_request *request, int error)
{
	const struct xvhost_disk *disk = request->queue->disk;
	const struct log *log = disk->state;
	struct log_request *mine = request->scratch;

	mine->error = error;
	mine->iov.iov_base = mine->line;
	mine->iov.iov_len = line_for(request, mine);
	disk->host->write(request, log->fd, &mine->iov, 1, 0);
}

/* The line is written, or it is not: the guest gets its answer. */
static void log_io_done(struct xvhost_request *request, int32_t result)
{
	const struct xvhost_disk *disk = request->queue->disk;
	const struct log *log = disk->state;
	const struct log_request *mine = request->scratch;

	if (result < 0 || (size_t)result < mine->iov.iov_len)
		disk->host->log(disk, XVHOST_LOG_WARNING, "a line is missing in '%s': %s", log->path,
				result < 0 ? strerror(-result) : "it could be written only in part");
	disk->host->complete(request, mine->error);
}

static const struct xvhost_disk_backend log_backend = {
	.size = sizeof(log_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "log",
	.version = "1.0",
	.description = "stands before another disk and writes a line for each request",
	.parameters = log_parameters,
	.parameter_count = sizeof(log_parameters) / sizeof(log_parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct log_config),
	.request_size = sizeof(struct log_request),
	.open = log_open,
	.close = log_close,
	.submit = log_submit,
	.io_done = log_io_done,
	.forwarded = log_forwarded,
	.measure = log_measure,
};

XVHOST_DISK_BACKEND(log_backend);
