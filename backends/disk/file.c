// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * file.c - a disk in a regular file or on a block device
 *
 * Theory of operation: each read, write and flush of the guest is one of the host's I/O operations on the
 * file, at the same offset and straight from or to the guest's pages. What the kernel does only in part is
 * continued until it is done or makes no progress.
 *
 * The disk's blocks are as large as the device's, or as the parameter says. With direct I/O the kernel wants each piece of
 * memory to be whole blocks, too, and a block of 4096 bytes may lie in two pages of the guest's: such a request goes by
 * a second descriptor, through the page cache. The kernel keeps the two ways in agreement; it writes out before it
 * reads directly, and throws away what it has before it writes directly.
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
#include <sys/uio.h>
#include <unistd.h>

#include "xvhost/backend.h"

#define SECTOR_BYTES 512u
#define BLOCK_BYTES_MAX 4096u
#define DISCARD_PIECE_BYTES (UINT64_C(256) << 20)
#define SYSFS_DEVICES "/sys/dev/block"

struct file_config {
	const char *path;
	bool direct;
	bool read_only;
	uint64_t block_bytes; /* 0: as the device has it */
};

/* One open disk. */
struct file {
	int fd;
	int cut_fd; /* for memory that is cut within blocks; fd, unless that can't have it */
	uint32_t block_bytes;
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
	{
		.name = "block-size",
		.type = XVHOST_BYTES,
		.offset = offsetof(struct file_config, block_bytes),
		.minimum = SECTOR_BYTES,
		.maximum = BLOCK_BYTES_MAX,
		.help = "the disk's sector size, a power of 2; without it that of the device, and 512 of a "
			"file",
	},
};

/* find_blocks - the disk's blocks, and what the device writes at once. */
static int find_blocks(struct xvhost_disk *disk, const struct file_config *config, int fd,
		       uint32_t *block_bytes, uint32_t *physical_bytes)
{
	int logical = SECTOR_BYTES;
	unsigned int physical = 0;
	struct stat status;

	/* What is wrong with the file itself is for file_size to say. */
	if (fstat(fd, &status) == 0 && S_ISBLK(status.st_mode) &&
	    (ioctl(fd, BLKSSZGET, &logical) < 0 || ioctl(fd, BLKPBSZGET, &physical) < 0)) {
		int error = errno;

		disk->host->fail(disk, "parameter path of backend file: can't get the block size of '%s': %s",
				 config->path, strerror(error));
		return -error;
	}
	*block_bytes = config->block_bytes ? (uint32_t)config->block_bytes : (uint32_t)logical;
	if ((*block_bytes & (*block_bytes - 1)) != 0) {
		disk->host->fail(disk,
				 "parameter block-size of backend file is %" PRIu32
				 ", it must be a power of 2 from %u to %u",
				 *block_bytes, SECTOR_BYTES, BLOCK_BYTES_MAX);
		return -EINVAL;
	}
	if (*block_bytes > BLOCK_BYTES_MAX) {
		disk->host->fail(disk,
				 "parameter path of backend file: '%s' has blocks of %" PRIu32
				 " bytes, at most %u can be served; give a smaller block-size",
				 config->path, *block_bytes, BLOCK_BYTES_MAX);
		return -EINVAL;
	}
	*physical_bytes = physical > *block_bytes ? physical : *block_bytes;
	return 0;
}

/* size_of - of a regular file or a block device; anything else has none. Returns 0 or a negative errno. */
static int size_of(int fd, uint64_t *size_bytes)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (S_ISBLK(status.st_mode))
		return ioctl(fd, BLKGETSIZE64, size_bytes) < 0 ? -errno : 0;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	*size_bytes = (uint64_t)status.st_size;
	return 0;
}

/* file_size - of a regular file or a block device; anything else is refused. */
static int file_size(struct xvhost_disk *disk, const char *path, int fd, uint32_t block_bytes,
		     uint64_t *size_bytes)
{
	int error = size_of(fd, size_bytes);

	if (error == -EINVAL)
		disk->host->fail(
			disk,
			"parameter path of backend file: '%s' is neither a regular file nor a block device",
			path);
	else if (error < 0)
		disk->host->fail(disk, "parameter path of backend file: can't get the size of '%s': %s", path,
				 strerror(-error));
	if (error < 0)
		return error;
	if (*size_bytes == 0 || *size_bytes % block_bytes != 0) {
		disk->host->fail(disk,
				 "parameter path of backend file: '%s' has %" PRIu64
				 " bytes, it must be a multiple of %" PRIu32 " and more than 0",
				 path, *size_bytes, block_bytes);
		return -EINVAL;
	}
	return 0;
}

/* try_direct - read the first block as a guest may: into memory that is aligned to sectors, in two pieces if `cut`. */
static int try_direct(int fd, uint32_t block_bytes, bool cut)
{
	char *memory = aligned_alloc(BLOCK_BYTES_MAX, 2 * BLOCK_BYTES_MAX);
	struct iovec pieces[2];
	ssize_t result;

	if (!memory)
		return -ENOMEM;
	pieces[0] = (struct iovec){memory + SECTOR_BYTES, cut ? block_bytes - SECTOR_BYTES : block_bytes};
	pieces[1] = (struct iovec){memory + SECTOR_BYTES + block_bytes, SECTOR_BYTES};
	result = preadv(fd, pieces, cut ? 2 : 1, 0);
	free(memory);
	return result < 0 ? -errno : 0;
}

/*
 * check_direct - O_DIRECT may want more of requests and their memory than guests have, depending on the device below; such
 * reads tell. `*cut_fails`: of memory that is cut within blocks.
 */
static int check_direct(struct xvhost_disk *disk, const char *path, int fd, uint32_t block_bytes,
			bool *cut_fails)
{
	int error = try_direct(fd, block_bytes, false);

	if (error == 0 && block_bytes > SECTOR_BYTES) {
		error = try_direct(fd, block_bytes, true);
		*cut_fails = error == -EINVAL;
		if (*cut_fails)
			error = 0;
	}
	if (error == -EINVAL)
		disk->host->fail(disk,
				 "parameter direct of backend file is on, but '%s' can't do direct I/O of "
				 "%" PRIu32 " bytes; use direct=off or a larger block-size",
				 path, block_bytes);
	else if (error < 0)
		disk->host->fail(disk, "parameter path of backend file: can't read '%s': %s", path,
				 strerror(-error));
	return error;
}

/* open_again - the same file without O_DIRECT. */
static int open_again(struct xvhost_disk *disk, const char *path, int fd, int flags, int *again)
{
	char link[32];
	int error;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	*again = open(link, flags);
	if (*again >= 0)
		return 0;
	error = errno;
	disk->host->fail(disk, "parameter path of backend file: can't open '%s' a second time: %s", path,
			 strerror(error));
	return -error;
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

/* open_path - the descriptor of the path, or why there is none. */
static int open_path(struct xvhost_disk *disk, const struct file_config *config, int flags, int *fd)
{
	int error;

	if (config->path[0] != '/') {
		disk->host->fail(disk, "parameter path of backend file is '%s', it must be an absolute path",
				 config->path);
		return -EINVAL;
	}
	/* O_NONBLOCK, so that a pipe in the disk's place is refused rather than waited for. I/O is then
	 * without it. */
	*fd = open(config->path, flags | O_NONBLOCK | (config->direct ? O_DIRECT : 0));
	if (*fd >= 0) {
		fcntl(*fd, F_SETFL, fcntl(*fd, F_GETFL) & ~O_NONBLOCK);
		return 0;
	}
	error = errno;
	if (error == EINVAL && config->direct)
		disk->host->fail(
			disk,
			"parameter direct of backend file is on, but the file system of '%s' can't do "
			"direct I/O; use direct=off",
			config->path);
	else
		disk->host->fail(disk, "parameter path of backend file: can't open '%s' for %s: %s",
				 config->path,
				 (flags & O_ACCMODE) == O_RDONLY ? "reading" : "reading and writing",
				 strerror(error));
	return -error;
}

/* look_at - an open file: its blocks and its size, and what direct I/O asks for. */
static int look_at(struct xvhost_disk *disk, const struct file_config *config, int flags, struct file *file,
		   uint32_t *physical_bytes)
{
	bool cut_fails = false;
	int error = find_blocks(disk, config, file->fd, &file->block_bytes, physical_bytes);

	file->cut_fd = file->fd;
	if (error == 0)
		error = file_size(disk, config->path, file->fd, file->block_bytes, &file->size_bytes);
	if (error == 0 && config->direct)
		error = check_direct(disk, config->path, file->fd, file->block_bytes, &cut_fails);
	if (error == 0 && cut_fails)
		error = open_again(disk, config->path, file->fd, flags, &file->cut_fd);
	return error;
}

static int file_open(struct xvhost_disk *disk, const void *opaque, struct xvhost_disk_properties *properties)
{
	const struct file_config *config = opaque;
	bool read_only = config->read_only || (disk->flags & XVHOST_DISK_READ_ONLY);
	int flags = O_CLOEXEC | O_NOCTTY | (read_only ? O_RDONLY : O_RDWR);
	struct file *file = malloc(sizeof(*file));
	int error;

	if (!file)
		return -ENOMEM;
	error = open_path(disk, config, flags, &file->fd);
	if (error < 0)
		goto fail_memory;
	error = look_at(disk, config, flags, file, &properties->physical_block_bytes);
	if (error < 0)
		goto fail_fd;
	file->discard_bytes = file_discard_bytes(file->fd);
	properties->size_bytes = file->size_bytes;
	properties->block_bytes = file->block_bytes;
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

/* file_measure - somebody may have made it larger or smaller. */
static int file_measure(struct xvhost_disk *disk, uint64_t *size_bytes)
{
	const struct file *file = disk->state;

	return size_of(file->fd, size_bytes);
}

static void file_close(struct xvhost_disk *disk)
{
	struct file *file = disk->state;

	if (file->cut_fd != file->fd)
		close(file->cut_fd);
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

/*
 * fd_for - the descriptor that takes the request's memory as it is cut. The kernel cuts what the host has registered with
 * io_uring at each page, so a piece must begin at a block, too.
 */
static int fd_for(const struct file *file, const struct xvhost_request *request)
{
	if (file->cut_fd == file->fd)
		return file->fd;
	for (uint32_t i = 0; i < request->iov_count; i++)
		if (((uintptr_t)request->iov[i].iov_base | request->iov[i].iov_len) % file->block_bytes != 0)
			return file->cut_fd;
	return file->fd;
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
		host->read(request, fd_for(file, request), request->iov, request->iov_count, offset);
		break;
	case XVHOST_WRITE:
		host->write(request, fd_for(file, request), request->iov, request->iov_count, offset);
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
	.measure = file_measure,
};

XVHOST_DISK_BACKEND(file_backend);
