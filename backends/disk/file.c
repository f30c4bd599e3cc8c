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
 * kernel's, and the loop is woken for each. Where guests write several at a time a queue has a thread of its own for them, the writer
 * (file_thread.h). It changes no order: a flush makes durable what is completed, and what the thread has is not. A write that
 * hangs keeps those of its queue back, and nobody else.
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

#include "file_internal.h"

#define PAGE_BYTES 4096u
#define DISCARD_PIECE_BYTES (UINT64_C(256) << 20)

/* The threads of a queue; those that the disk needs. A discard may take any time, and writes don't wait for it. */
enum file_thread_index {
	FILE_WRITER = 0,
	FILE_TRIMMER,
	FILE_THREADS,
};

struct file_queue {
	struct file_thread *threads[FILE_THREADS]; /* each with the watch of its index */
	uint32_t writes;			   /* that are under way */
	bool several;	     /* since there was none, there was more than one of them at a time */
	bool several_before; /* and the time before */
};

/* What a request carries along. */
struct file_request {
	uint64_t done_bytes;
	struct file_piece piece; /* while a thread has it */
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

/* put_piece - what is to be done for the request, by a thread of its queue. */
static void put_piece(struct xvhost_request *request, enum file_thread_index index)
{
	const struct file_queue *mine = request->queue->state;
	struct file_request *scratch = request->scratch;

	scratch->piece.request = request;
	file_thread_put(mine->threads[index], &scratch->piece);
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

/* start_piece - by the trimmer, or by io_uring. */
static void start_piece(struct xvhost_request *request, const uint64_t range[2])
{
	const struct file *file = request->queue->disk->state;

	if (needs_trimmer(file, request->operation))
		put_piece(request, FILE_TRIMMER);
	else
		request->queue->disk->host->fallocate(
			request, file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, range[0], range[1]);
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

/* write_piece - the writer's: what is left of a request, or some of that. */
static int32_t write_piece(const struct xvhost_request *request)
{
	const struct file_request *mine = request->scratch;
	const struct iovec *iov = request->iov;
	int fd = fd_for(request->queue->disk->state, request);
	off_t offset = (off_t)(request->offset + mine->done_bytes);
	ssize_t result;

	do
		result = request->iov_count == 1 ? pwrite(fd, iov->iov_base, iov->iov_len, offset)
						 : pwritev(fd, iov, (int)request->iov_count, offset);
	while (result < 0 && errno == EINTR);
	return result < 0 ? -errno : (int32_t)result;
}

/*
 * wants_writer - of a write that would wait in io_uring, which then gives it to a thread of the kernel's. For one at a time that is
 * cheaper than a thread of ours, for more of them dearer; the guest goes on as it did. What is no whole page may have to be read
 * first: of a block device the kernel reads several at a time.
 */
static bool wants_writer(const struct xvhost_request *request)
{
	const struct file_queue *mine = request->queue->state;

	return (mine->several || mine->several_before) &&
	       (request->offset | request->length) % PAGE_BYTES == 0;
}

static void start_write(struct xvhost_request *request, uint64_t offset)
{
	const struct file *file = request->queue->disk->state;
	int fd = fd_for(file, request);

	if (fd == file->waiting_fd && wants_writer(request))
		put_piece(request, FILE_WRITER);
	else
		request->queue->disk->host->write(request, fd, request->iov, request->iov_count, offset);
}

static void write_begins(struct file_queue *queue)
{
	if (queue->writes++ > 0)
		queue->several = true;
}

static void write_ends(struct file_queue *queue)
{
	if (--queue->writes > 0)
		return;
	queue->several_before = queue->several;
	queue->several = false;
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
		start_write(request, offset);
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
	if (request->operation == XVHOST_WRITE)
		write_begins(request->queue->state);
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
	if (request->operation == XVHOST_WRITE)
		write_ends(request->queue->state);
	if (result == 0 && request->operation != XVHOST_FLUSH)
		no_progress(request);
	else
		request->queue->disk->host->complete(request, result < 0 ? result : 0);
}

/* ---- queues ---- */

static void file_queue_stop(struct xvhost_queue *queue)
{
	struct file_queue *mine = queue->state;
	struct file *file = queue->disk->state;

	for (uint32_t i = 0; i < FILE_THREADS; i++)
		if (mine->threads[i])
			file_thread_stop(&file->threads, mine->threads[i]);
	free(mine);
}

static int file_queue_start(struct xvhost_queue *queue)
{
	struct file *file = queue->disk->state;
	struct file_queue *mine = calloc(1, sizeof(*mine));
	int error = 0;

	if (!mine)
		return -ENOMEM;
	queue->state = mine;
	if (file->waiting_fd >= 0)
		error = file_thread_start(&file->threads, queue, FILE_WRITER, write_piece,
					  &mine->threads[FILE_WRITER]);
	if (error == 0 && (file->discard.way == FILE_DISCARD_IOCTL || file->discard.secure))
		error = file_thread_start(&file->threads, queue, FILE_TRIMMER, trim,
					  &mine->threads[FILE_TRIMMER]);
	if (error < 0)
		file_queue_stop(queue);
	return error;
}

/* file_ready - a thread has done something. */
static void file_ready(struct xvhost_queue *queue, uint32_t index, int32_t events)
{
	const struct file_queue *mine = queue->state;
	struct file_piece *piece, *next;

	/* That the queue is to stop is seen by its flags. */
	if (events == 0)
		return;
	for (piece = file_thread_take(mine->threads[index]); piece; piece = next) {
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
