// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * file.c - a disk in a regular file or on a block device
 *
 * Theory of operation: each read, write and flush of the guest is one of the host's I/O operations on the
 * file, at the same offset and straight from or to the guest's pages. What the kernel does only in part is
 * continued until it is done or makes no progress.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xvhost/backend.h"

#define SECTOR_BYTES 512u

struct file_config {
	const char *path;
	bool direct;
	bool read_only;
};

/* One open disk. */
struct file {
	int fd;
	uint64_t size_bytes; /* when it was opened */
};

/* What a request carries along. */
struct file_request {
	uint64_t done_bytes;
};

static const struct xvhost_parameter file_parameters[] = {
	{
		.name = "path",
		.type = XVHOST_STRING,
		.flags = XVHOST_REQUIRED,
		.offset = offsetof(struct file_config, path),
		.help = "the file or block device, as an absolute path",
	},
	{
		.name = "direct",
		.type = XVHOST_BOOL,
		.offset = offsetof(struct file_config, direct),
		.default_text = "off",
		.help = "pass by the host's page cache (O_DIRECT)",
	},
	{
		.name = "readonly",
		.type = XVHOST_BOOL,
		.offset = offsetof(struct file_config, read_only),
		.default_text = "off",
		.help = "never write, whatever the guest's configuration allows",
	},
};

/* file_size - of a regular file or a block device; anything else is refused. */
static int file_size(struct xvhost_disk *disk, const char *path, int fd, uint64_t *size_bytes)
{
	struct stat status;

	if (fstat(fd, &status) < 0) {
		int error = errno;

		disk->host->fail(disk, "parameter path of backend file: can't look at '%s': %s", path,
				 strerror(error));
		return -error;
	}
	if (S_ISREG(status.st_mode)) {
		*size_bytes = (uint64_t)status.st_size;
	} else if (!S_ISBLK(status.st_mode)) {
		disk->host->fail(
			disk,
			"parameter path of backend file: '%s' is neither a regular file nor a block device",
			path);
		return -EINVAL;
	} else if (ioctl(fd, BLKGETSIZE64, size_bytes) < 0) {
		int error = errno;

		disk->host->fail(disk, "parameter path of backend file: can't get the size of '%s': %s", path,
				 strerror(error));
		return -error;
	}
	if (*size_bytes == 0 || *size_bytes % SECTOR_BYTES != 0) {
		disk->host->fail(disk,
				 "parameter path of backend file: '%s' has %" PRIu64
				 " bytes, it must be a multiple of %u and more than 0",
				 path, *size_bytes, SECTOR_BYTES);
		return -EINVAL;
	}
	return 0;
}

/*
 * check_direct - guests read and write single sectors into memory that is aligned to sectors. O_DIRECT may
 * want more, depending on the device below; one such read tells.
 */
static int check_direct(struct xvhost_disk *disk, const char *path, int fd)
{
	char *page = aligned_alloc(4096, 4096);
	int error = 0;

	if (!page)
		return -ENOMEM;
	if (pread(fd, page + SECTOR_BYTES, SECTOR_BYTES, 0) < 0)
		error = -errno;
	free(page);
	if (error == -EINVAL)
		disk->host->fail(disk,
				 "parameter direct of backend file is on, but '%s' can't do direct I/O of %u "
				 "bytes; use "
				 "direct=off",
				 path, SECTOR_BYTES);
	else if (error < 0)
		disk->host->fail(disk, "parameter path of backend file: can't read '%s': %s", path,
				 strerror(-error));
	return error;
}

static int file_open(struct xvhost_disk *disk, const void *opaque, struct xvhost_disk_properties *properties)
{
	const struct file_config *config = opaque;
	bool read_only = config->read_only || (disk->flags & XVHOST_DISK_READ_ONLY);
	int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (read_only ? O_RDONLY : O_RDWR);
	struct file *file = malloc(sizeof(*file));
	int error = -ENOMEM;

	if (!file)
		return -ENOMEM;
	if (config->path[0] != '/') {
		disk->host->fail(disk, "parameter path of backend file is '%s', it must be an absolute path",
				 config->path);
		error = -EINVAL;
		goto fail_memory;
	}
	/* O_NONBLOCK, so that a pipe in the disk's place is refused rather than waited for. I/O is then
	 * without it. */
	file->fd = open(config->path, flags | (config->direct ? O_DIRECT : 0));
	if (file->fd < 0) {
		error = -errno;
		if (error == -EINVAL && config->direct)
			disk->host->fail(disk,
					 "parameter direct of backend file is on, but the file system of "
					 "'%s' can't do "
					 "direct I/O; use direct=off",
					 config->path);
		else
			disk->host->fail(disk, "parameter path of backend file: can't open '%s' for %s: %s",
					 config->path, read_only ? "reading" : "reading and writing",
					 strerror(-error));
		goto fail_memory;
	}
	fcntl(file->fd, F_SETFL, fcntl(file->fd, F_GETFL) & ~O_NONBLOCK);
	error = file_size(disk, config->path, file->fd, &file->size_bytes);
	if (error == 0 && config->direct)
		error = check_direct(disk, config->path, file->fd);
	if (error < 0)
		goto fail_fd;
	properties->size_bytes = file->size_bytes;
	properties->block_bytes = SECTOR_BYTES;
	properties->memory_alignment = SECTOR_BYTES;
	properties->flags = XVHOST_DISK_FLUSH | XVHOST_DISK_DISCARD | (read_only ? XVHOST_DISK_READ_ONLY : 0);
	disk->state = file;
	return 0;
fail_fd:
	close(file->fd);
fail_memory:
	free(file);
	return error;
}

static void file_close(struct xvhost_disk *disk)
{
	struct file *file = disk->state;

	close(file->fd);
	free(file);
}

/* start - begin, or go on with, what the request asks for. */
static void start(struct xvhost_request *request)
{
	const struct xvhost_host *host = request->queue->disk->host;
	const struct file *file = request->queue->disk->state;
	const struct file_request *mine = request->scratch;
	uint64_t offset = request->offset + mine->done_bytes;

	switch (request->operation) {
	case XVHOST_READ:
		host->read(request, file->fd, request->iov, request->iov_count, offset);
		break;
	case XVHOST_WRITE:
		host->write(request, file->fd, request->iov, request->iov_count, offset);
		break;
	case XVHOST_FLUSH:
		host->sync(request, file->fd);
		break;
	case XVHOST_DISCARD:
		host->fallocate(request, file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				request->offset, request->length);
		break;
	default:
		host->complete(request, -EOPNOTSUPP);
		break;
	}
}

static void file_submit(struct xvhost_request *request)
{
	struct file_request *mine = request->scratch;

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

/* no_progress - 0 bytes: the end of the file, where the disk has not ended. */
static void no_progress(struct xvhost_request *request)
{
	struct xvhost_disk *disk = request->queue->disk;
	const struct file *file = disk->state;
	const struct file_request *mine = request->scratch;

	disk->host->log(disk, XVHOST_LOG_ERROR,
			"the file ends at byte %" PRIu64 "; it had %" PRIu64
			" bytes when it was opened and is shorter now",
			request->offset + mine->done_bytes, file->size_bytes);
	disk->host->complete(request, -EIO);
}

static void file_io_done(struct xvhost_request *request, int32_t result)
{
	const struct xvhost_host *host = request->queue->disk->host;
	struct file_request *mine = request->scratch;

	if (result < 0) {
		host->complete(request, result);
	} else if (request->operation == XVHOST_FLUSH || request->operation == XVHOST_DISCARD) {
		host->complete(request, 0);
	} else if (result == 0) {
		no_progress(request);
	} else {
		mine->done_bytes += (uint32_t)result;
		if (mine->done_bytes == request->length) {
			host->complete(request, 0);
		} else {
			skip(request, (size_t)result);
			start(request);
		}
	}
}

static const struct xvhost_disk_backend file_backend = {
	.size = sizeof(file_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "file",
	.version = "1.0",
	.description = "a disk in a regular file or on a block device",
	.parameters = file_parameters,
	.parameter_count = sizeof(file_parameters) / sizeof(file_parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct file_config),
	.request_size = sizeof(struct file_request),
	.open = file_open,
	.close = file_close,
	.submit = file_submit,
	.io_done = file_io_done,
};

XVHOST_DISK_BACKEND(file_backend);
