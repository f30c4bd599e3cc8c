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
 * Few file systems let io_uring write to the page cache without waiting; for the others it gives each write to a thread of the
 * kernel's. A thread of ours for them was tried (docs/performance.md).
 *
 * A discard goes piece by piece, for the kernel or the device may take any time, and between two of them a disk that is
 * disconnected can leave the rest. How a piece is discarded is file_discard.h's. What turns out to be impossible is not tried again,
 * so that a guest that goes on asking costs nothing. A device that can't erase securely after all may well take other discards, and
 * the other way round.
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

#include "file_internal.h"

#define DISCARD_PIECE_BYTES (UINT64_C(256) << 20)

/* What a request carries along. */
struct file_request {
	uint64_t done_bytes;
	struct file_piece piece; /* while the trimmer has it */
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

/* find_discard - what can be given back, and how. */
static void find_discard(struct xvhost_disk *disk, struct file *file,
			 struct xvhost_disk_properties *properties)
{
	const struct file_discard *discard = &file->discard;

	file_discard_find(file->fd, &file->discard);
	if (discard->way == FILE_DISCARD_NONE)
		return;
	properties->flags |= XVHOST_DISK_DISCARD | (discard->secure ? XVHOST_DISK_SECURE_DISCARD : 0);
	/* What is no multiple of the disk's blocks, no guest can keep to. */
	if (discard->granularity % properties->block_bytes != 0 ||
	    discard->alignment % properties->block_bytes != 0)
		return;
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
	error = file_descriptor_open(disk, config, flags | (direct ? O_DIRECT : 0), file,
				     &properties->physical_block_bytes);
	/* What only the toolstack wants is done where it can be. */
	if (error == -EINVAL && direct && !config->direct) {
		direct = false;
		error = file_descriptor_open(disk, config, flags, file, &properties->physical_block_bytes);
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
	file_threads_init(&file->threads);
	disk->state = file;
	return 0;
}

/* file_measure - somebody may have made it larger or smaller. */
static int file_measure(struct xvhost_disk *disk, uint64_t *size_bytes)
{
	const struct file *file = disk->state;

	return file_descriptor_size(file->fd, size_bytes);
}

static void file_close(struct xvhost_disk *disk)
{
	struct file *file = disk->state;

	file_threads_end(&file->threads);
	file_descriptor_close(file);
	free(file);
}

/* is_stopping - the host may be one that does not tell. */
static bool is_stopping(const struct xvhost_queue *queue)
{
	return queue->size >= offsetof(struct xvhost_queue, flags) + sizeof(queue->flags) &&
	       (queue->flags & XVHOST_QUEUE_STOPPING);
}

/* ---- discards ---- */

/* needs_trimmer - a discard of this kind is done by an ioctl. */
static bool needs_trimmer(const struct file *file, uint32_t operation)
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

/* trim - the trimmer's piece. */
static int32_t trim(const struct xvhost_request *request)
{
	const struct file *file = request->queue->disk->state;
	uint64_t range[2];

	next_piece(request, range);
	return ioctl(file->fd, request->operation == XVHOST_SECURE_DISCARD ? BLKSECDISCARD : BLKDISCARD,
		     range) < 0
		       ? -errno
		       : 0;
}

/* not_possible - whether discards of this kind have turned out not to be. */
static atomic_bool *not_possible(struct file *file, uint32_t operation)
{
	return operation == XVHOST_SECURE_DISCARD ? &file->erase_failed : &file->discard_failed;
}

/* start_piece - by the trimmer, the thread of the queue, or by io_uring. */
static void start_piece(struct xvhost_request *request, const uint64_t range[2])
{
	const struct file *file = request->queue->disk->state;
	struct file_request *mine = request->scratch;

	if (!needs_trimmer(file, request->operation)) {
		request->queue->disk->host->fallocate(
			request, file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, range[0], range[1]);
		return;
	}
	mine->piece.request = request;
	file_thread_put(request->queue->state, &mine->piece);
}

/* start_discard - the next piece, if there is one and nobody waits for the queue to stop. */
static void start_discard(struct xvhost_request *request)
{
	const struct xvhost_host *host = request->queue->disk->host;
	const struct file_request *mine = request->scratch;
	const atomic_bool *failed = not_possible(request->queue->disk->state, request->operation);
	uint64_t range[2];

	next_piece(request, range);
	if (atomic_load_explicit(failed, memory_order_relaxed))
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
	struct file_request *mine = request->scratch;
	bool secure = request->operation == XVHOST_SECURE_DISCARD;

	if (result == -EOPNOTSUPP && !atomic_exchange(not_possible(disk->state, request->operation), true))
		disk->host->log(disk, XVHOST_LOG_WARNING,
				"what is discarded can't be %s after all: it is not tried again",
				secure ? "erased" : "given back");
	if (result < 0) {
		disk->host->complete(request, result);
		return;
	}
	mine->done_bytes += DISCARD_PIECE_BYTES;
	start_discard(request);
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

/* goes_on - counts what was done; is something left of a read or write that makes progress? */
static bool goes_on(const struct xvhost_request *request, int32_t result)
{
	struct file_request *mine = request->scratch;

	if (result <= 0 || request->operation == XVHOST_FLUSH)
		return false;
	mine->done_bytes += (uint32_t)result;
	return mine->done_bytes < request->length;
}

static void file_io_done(struct xvhost_request *request, int32_t result)
{
	if (request->operation == XVHOST_DISCARD || request->operation == XVHOST_SECURE_DISCARD) {
		discard_done(request, result);
		return;
	}
	if (goes_on(request, result)) {
		skip(request, (size_t)result);
		start(request);
		return;
	}
	if (result == 0 && request->operation != XVHOST_FLUSH)
		no_progress(request);
	else
		request->queue->disk->host->complete(request, result < 0 ? result : 0);
}

/* ---- queues ---- */

static void file_queue_stop(struct xvhost_queue *queue)
{
	struct file *file = queue->disk->state;

	if (queue->state)
		file_thread_stop(&file->threads, queue->state);
}

static int file_queue_start(struct xvhost_queue *queue)
{
	struct file *file = queue->disk->state;
	struct file_thread *trimmer = NULL;
	int error = 0;

	if (file->discard.way == FILE_DISCARD_IOCTL || file->discard.secure)
		error = file_thread_start(&file->threads, queue, trim, &trimmer);
	queue->state = trimmer;
	return error;
}

/* file_ready - the trimmer has done something. */
static void file_ready(struct xvhost_queue *queue, uint32_t index, int32_t events)
{
	struct file_piece *piece, *next;

	(void)index;
	/* That the queue is to stop is seen by its flags. */
	if (events == 0)
		return;
	for (piece = file_thread_take(queue->state); piece; piece = next) {
		next = piece->next;
		file_io_done(piece->request, piece->result);
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
