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
 * A discard goes piece by piece, for the kernel or the device may take any time, and between two of them a disk that is
 * disconnected can leave the rest. How a piece is discarded is file_discard.h's. What turns out to be impossible is not tried again,
 * so that a guest that goes on asking costs nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "file_discard.h"
#include "xvhost/backend.h"

#define SECTOR_BYTES 512u
#define BLOCK_BYTES_MAX 4096u
#define DISCARD_PIECE_BYTES (UINT64_C(256) << 20)

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
	uint64_t size_bytes; /* when it was opened */
	struct file_discard discard;
	atomic_bool discard_failed; /* it can't after all */
};

/* What a request carries along. */
struct file_request {
	uint64_t done_bytes;
	struct file_piece piece; /* of a discard */
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

/* check_writable - a device may be read-only (blockdev --setro) and be opened for writing all the same: then each write fails. */
static int check_writable(struct xvhost_disk *disk, const char *path, int fd)
{
	int read_only = 0;

	if (ioctl(fd, BLKROGET, &read_only) < 0 || !read_only)
		return 0;
	disk->host->fail(
		disk,
		"parameter path of backend file: the device '%s' is read-only; give access=ro or readonly=on",
		path);
	return -EROFS;
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
	*fd = open(config->path, flags | O_NONBLOCK);
	if (*fd >= 0) {
		flags = fcntl(*fd, F_GETFL) & ~O_NONBLOCK;
		/* A guest's read says nothing of the file. This is for its owner to decide; others are refused. */
		if (fcntl(*fd, F_SETFL, flags | O_NOATIME) < 0)
			fcntl(*fd, F_SETFL, flags);
		return 0;
	}
	error = errno;
	if (error == EINVAL && flags & O_DIRECT)
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
	if (error == 0 && (flags & O_ACCMODE) != O_RDONLY)
		error = check_writable(disk, config->path, file->fd);
	if (error == 0)
		error = file_size(disk, config->path, file->fd, file->block_bytes, &file->size_bytes);
	if (error == 0 && flags & O_DIRECT)
		error = check_direct(disk, config->path, file->fd, file->block_bytes, &cut_fails);
	if (error == 0 && cut_fails)
		error = open_again(disk, config->path, file->fd, flags & ~O_DIRECT, &file->cut_fd);
	return error;
}

/* open_file - by these flags of open(2). */
static int open_file(struct xvhost_disk *disk, const struct file_config *config, int flags, struct file *file,
		     uint32_t *physical_bytes)
{
	int error = open_path(disk, config, flags, &file->fd);

	if (error < 0)
		return error;
	error = look_at(disk, config, flags, file, physical_bytes);
	if (error < 0)
		close(file->fd);
	return error;
}

/* find_discard - what can be given back, and how. */
static void find_discard(struct xvhost_disk *disk, struct file *file,
			 struct xvhost_disk_properties *properties)
{
	const struct file_discard *discard = &file->discard;

	file_discard_find(file->fd, &file->discard);
	if (discard->way == FILE_DISCARD_NONE)
		return;
	properties->flags |= XVHOST_DISK_DISCARD | (discard->secure ? XVHOST_DISK_SECURE_DISCARD : 0);
	disk->discard_granularity = discard->granularity;
	disk->discard_alignment = discard->alignment;
}

static int file_open(struct xvhost_disk *disk, const void *opaque, struct xvhost_disk_properties *properties)
{
	const struct file_config *config = opaque;
	bool read_only = config->read_only || (disk->flags & XVHOST_DISK_READ_ONLY);
	bool direct = config->direct || (disk->flags & XVHOST_DISK_DIRECT);
	int flags = O_CLOEXEC | O_NOCTTY | (read_only ? O_RDONLY : O_RDWR);
	struct file *file = calloc(1, sizeof(*file));
	int error;

	if (!file)
		return -ENOMEM;
	error = open_file(disk, config, flags | (direct ? O_DIRECT : 0), file,
			  &properties->physical_block_bytes);
	/* What only the toolstack wants is done where it can be. */
	if (error == -EINVAL && direct && !config->direct) {
		direct = false;
		error = open_file(disk, config, flags, file, &properties->physical_block_bytes);
	}
	if (error < 0) {
		free(file);
		return error;
	}
	properties->size_bytes = file->size_bytes;
	properties->block_bytes = file->block_bytes;
	properties->memory_alignment = SECTOR_BYTES;
	properties->flags |= XVHOST_DISK_FLUSH | (direct ? XVHOST_DISK_DIRECT : 0);
	if (read_only)
		properties->flags |= XVHOST_DISK_READ_ONLY;
	else
		find_discard(disk, file, properties);
	disk->state = file;
	return 0;
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

/* ---- discards ---- */

/* needs_thread - a discard of this kind is done by an ioctl. */
static bool needs_thread(const struct file *file, uint32_t operation)
{
	return operation == XVHOST_SECURE_DISCARD || file->discard.way == FILE_DISCARD_IOCTL;
}

/* next_piece - of a discard. The blocks that are not wholly of the range stay as they are, but where nothing may be left. */
static void next_piece(const struct xvhost_request *request, uint64_t range[2])
{
	const struct file *file = request->queue->disk->state;
	const struct file_request *mine = request->scratch;
	uint64_t block = request->operation == XVHOST_SECURE_DISCARD ? 1 : file->discard.block_bytes;
	uint64_t from = (request->offset + block - 1) / block * block + mine->done_bytes;
	uint64_t end = (request->offset + request->length) / block * block;

	range[0] = from;
	range[1] = from < end ? end - from : 0;
	if (range[1] > DISCARD_PIECE_BYTES)
		range[1] = DISCARD_PIECE_BYTES;
}

/* start_piece - by the thread, or by io_uring. */
static void start_piece(struct xvhost_request *request, const uint64_t range[2])
{
	const struct file *file = request->queue->disk->state;
	struct file_request *mine = request->scratch;

	if (needs_thread(file, request->operation)) {
		mine->piece = (struct file_piece){
			.request = request,
			.code = request->operation == XVHOST_SECURE_DISCARD ? BLKSECDISCARD : BLKDISCARD,
			.range = {range[0], range[1]},
		};
		file_trimmer_put(request->queue->state, &mine->piece);
	} else {
		request->queue->disk->host->fallocate(
			request, file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, range[0], range[1]);
	}
}

/* start_discard - the next piece, if there is one and nobody waits for the queue to stop. */
static void start_discard(struct xvhost_request *request)
{
	const struct xvhost_host *host = request->queue->disk->host;
	const struct file *file = request->queue->disk->state;
	const struct file_request *mine = request->scratch;
	uint64_t range[2];

	next_piece(request, range);
	if (atomic_load_explicit(&file->discard_failed, memory_order_relaxed))
		host->complete(request, -EOPNOTSUPP);
	else if (range[1] == 0)
		host->complete(request, 0);
	else if (mine->done_bytes == 0 || !is_stopping(request->queue))
		start_piece(request, range);
	else
		/* The rest is as it was, which of a plain discard nobody minds. */
		host->complete(request, request->operation == XVHOST_SECURE_DISCARD ? -ECANCELED : 0);
}

/* discard_done - a piece; the last one may have been shorter. */
static void discard_done(struct xvhost_request *request, int32_t result)
{
	struct xvhost_disk *disk = request->queue->disk;
	struct file *file = disk->state;
	struct file_request *mine = request->scratch;

	if (result == -EOPNOTSUPP && !atomic_exchange(&file->discard_failed, true))
		disk->host->log(disk, XVHOST_LOG_WARNING,
				"what is discarded can't be given back after all: it is not tried again");
	if (result < 0) {
		disk->host->complete(request, result);
		return;
	}
	mine->done_bytes += DISCARD_PIECE_BYTES;
	start_discard(request);
}

static int file_queue_start(struct xvhost_queue *queue)
{
	const struct file *file = queue->disk->state;

	queue->state = NULL;
	if (file->discard.way != FILE_DISCARD_IOCTL && !file->discard.secure)
		return 0;
	return file_trimmer_start(queue, file->fd);
}

static void file_queue_stop(struct xvhost_queue *queue)
{
	if (queue->state)
		file_trimmer_stop(queue->state);
}

/* file_ready - the thread has done something. */
static void file_ready(struct xvhost_queue *queue, uint32_t index, int32_t events)
{
	struct file_trimmer *trimmer = queue->state;
	struct file_piece *piece, *next;

	/* That the queue is to stop is seen by its flags. */
	if (events == 0)
		return;
	for (piece = file_trimmer_take(trimmer); piece; piece = next) {
		next = piece->next;
		discard_done(piece->request, piece->result);
	}
	queue->disk->host->watch(queue, index, trimmer->bell, POLLIN);
}

/* ---- reads, writes, flushes ---- */

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
	case XVHOST_SECURE_DISCARD:
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

	if (request->operation == XVHOST_DISCARD) {
		discard_done(request, result);
	} else if (result < 0) {
		host->complete(request, result);
	} else if (request->operation == XVHOST_FLUSH) {
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
	.queue_start = file_queue_start,
	.queue_stop = file_queue_stop,
	.submit = file_submit,
	.io_done = file_io_done,
	.measure = file_measure,
	.ready = file_ready,
};

XVHOST_DISK_BACKEND(file_backend);
