// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * file.c - a disk in a regular file or on a block device
 *
 * Theory of operation: each read, write and flush of the guest is one of the host's I/O operations on the
 * file, at the same offset and straight from or to the guest's pages. What the kernel does only in part is
 * continued until it is done or makes no progress.
 *
 * A discard is a hole that is punched. It goes piece by piece, for the kernel does a piece in one of io_uring's threads,
 * whatever time that takes, and between two of them a disk that is disconnected can leave the rest. A block device
 * punches a hole by writing zeroes in its own way (fallocate(2) asks it for nothing else), so that takes devices that can
 * do so without being sent the zeroes, and that give space back at all. They do it in whole blocks of theirs only.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "xvhost/backend.h"

#define SECTOR_BYTES 512u
#define DISCARD_PIECE_BYTES (UINT64_C(256) << 20)
#define SYSFS_DEVICES "/sys/dev/block"

struct file_config {
	const char *path;
	bool direct;
	bool read_only;
};

/* One open disk. */
struct file {
	int fd;
	uint64_t size_bytes;	/* when it was opened */
	uint64_t discard_bytes; /* what is discarded begins and ends at a multiple of this; 0: nothing can be */
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

/* queue_limit - what the kernel says of a block device, or of the one that a partition is of; 0 if it says nothing. */
static uint64_t queue_limit(const char *devices, dev_t device, const char *name)
{
	static const char *const queues[] = {"queue", "../queue"};
	unsigned long long value = 0;

	for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
		char path[128];
		FILE *stream;
		int fields;

		snprintf(path, sizeof(path), "%s/%u:%u/%s/%s", devices, major(device), minor(device),
			 queues[i], name);
		stream = fopen(path, "re");
		if (!stream)
			continue;
		fields = fscanf(stream, "%llu", &value);
		fclose(stream);
		return fields == 1 ? value : 0;
	}
	return 0;
}

/* device_discard_bytes - see struct file, of a block device; `devices` is sysfs's directory of them. */
static uint64_t device_discard_bytes(const char *devices, dev_t device)
{
	if (queue_limit(devices, device, "discard_max_bytes") == 0 ||
	    queue_limit(devices, device, "write_zeroes_max_bytes") == 0)
		return 0;
	return queue_limit(devices, device, "logical_block_size");
}

/* file_discard_bytes - see struct file. */
static uint64_t file_discard_bytes(int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return 0;
	return S_ISBLK(status.st_mode) ? device_discard_bytes(SYSFS_DEVICES, status.st_rdev) : SECTOR_BYTES;
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
	file->discard_bytes = file_discard_bytes(file->fd);
	properties->size_bytes = file->size_bytes;
	properties->block_bytes = SECTOR_BYTES;
	properties->memory_alignment = SECTOR_BYTES;
	if (config->direct)
		properties->flags |= XVHOST_DISK_DIRECT;
	properties->flags |= XVHOST_DISK_FLUSH | (read_only ? XVHOST_DISK_READ_ONLY : 0) |
			     (file->discard_bytes ? XVHOST_DISK_DISCARD : 0);
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

/* is_stopping - the host may be one that does not tell. */
static bool is_stopping(const struct xvhost_queue *queue)
{
	return queue->size >= offsetof(struct xvhost_queue, flags) + sizeof(queue->flags) &&
	       (queue->flags & XVHOST_QUEUE_STOPPING);
}

/* start_discard - the next piece, if there is one and nobody waits for the queue to stop. The blocks that are not wholly
 * of the range stay as they are. */
static void start_discard(struct xvhost_request *request)
{
	const struct xvhost_host *host = request->queue->disk->host;
	const struct file *file = request->queue->disk->state;
	const struct file_request *mine = request->scratch;
	uint64_t block = file->discard_bytes;
	uint64_t from = (request->offset + block - 1) / block * block + mine->done_bytes;
	uint64_t end = (request->offset + request->length) / block * block;
	uint64_t piece = from < end ? end - from : 0;

	if (piece > DISCARD_PIECE_BYTES)
		piece = DISCARD_PIECE_BYTES;
	if (piece == 0 || (mine->done_bytes > 0 && is_stopping(request->queue)))
		host->complete(request, 0);
	else
		host->fallocate(request, file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, piece);
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
		start_discard(request);
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
	} else if (request->operation == XVHOST_FLUSH) {
		host->complete(request, 0);
	} else if (request->operation == XVHOST_DISCARD) {
		/* The last piece may have been shorter; then it was the last. */
		mine->done_bytes += DISCARD_PIECE_BYTES;
		start_discard(request);
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
