// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wrong.c - a disk in a file that does what parameter `fault` says wrong, and without it nothing
 *
 * tests/try/conform says for each fault which promise it breaks.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xvhost/backend.h"

#define BLOCK_BYTES 512u
#define MEMORY_BYTES (1u << 20) /* what the faults `memory-only` and `forgets` keep in memory */
#define SOMETIMES 40u		/* faults that are not in each request are in one of so many */
#define BLOCK_US 150000
#define MEETING_MS 40 /* no loop is held to be blocked by so little */
#define MEETINGS_MISSED_MAX 25u

enum fault {
	FAULT_NONE = 0,
	FAULT_ABORTS,
	FAULT_ACCEPTS_SIZE,
	FAULT_STARTS_OVER,
	FAULT_BAD_SIZE,
	FAULT_BAD_GRANULARITY,
	FAULT_BLOCKS,
	FAULT_CHANGES_DATA,
	FAULT_CHANGES_OFFSET,
	FAULT_CHANGING_SIZE,
	FAULT_CLAIMS_FLUSH,
	FAULT_CLAIMS_SECURE,
	FAULT_COMPLETES_TWICE,
	FAULT_CRASHES,
	FAULT_DISCARDS_ALL,
	FAULT_ENDS,
	FAULT_ENDLESS,
	FAULT_EXTRA_BLOCKS,
	FAULT_FAILS_SHORT,
	FAULT_FIRST_PIECE,
	FAULT_FORGETS,
	FAULT_HANGS,
	FAULT_HIDES_DIRECT,
	FAULT_IGNORES_OFFSET,
	FAULT_IN_ORDER,
	FAULT_KEEPS_SECRETS,
	FAULT_LAST_BLOCK,
	FAULT_LEAKS_BY_FAILING,
	FAULT_LEAKS_FD_BY_FAILING,
	FAULT_LEAKS_BY_REQUEST,
	FAULT_LEAKS_FD,
	FAULT_LEAKS_MEMORY,
	FAULT_LEAKS_THREAD,
	FAULT_MEMORY_ONLY,
	FAULT_NEVER_COMPLETES,
	FAULT_NO_FLUSH,
	FAULT_NO_SYNC,
	FAULT_ONE_PIECE,
	FAULT_ONE_QUEUE,
	FAULT_OTHER_THREAD,
	FAULT_POSITIVE_ERROR,
	FAULT_RACES,
	FAULT_READS_BEHIND_IOVECS,
	FAULT_SCRATCH,
	FAULT_SECURE_ONLY,
	FAULT_SHARES_BUFFER,
	FAULT_SHARES_FD,
	FAULT_SILENT,
	FAULT_STAYS_READ_ONLY,
	FAULT_STOPS_SHORT,
	FAULT_SWALLOWS_DISCARDS,
	FAULT_SWALLOWS_ERRORS,
	FAULT_TAKES_ANY_FILE,
	FAULT_TOUCHES_DATA,
	FAULT_TOUCHES_REQUEST,
	FAULT_TWO_AT_ONCE,
	FAULT_WATCHES_BEYOND,
	FAULT_WATCHES_AT_STOP,
	FAULT_WATCHES_CLOSED,
	FAULT_WATCHES_NOTHING,
	FAULT_WRITABLE,
	FAULT_WRONG_MEASURE,
	FAULT_WRITES_READ_ONLY,
	FAULTS
};

static const char *const fault_names[FAULTS] = {
	[FAULT_NONE] = "none",
	[FAULT_ABORTS] = "aborts",
	[FAULT_ACCEPTS_SIZE] = "accepts-size",
	[FAULT_STARTS_OVER] = "starts-over",
	[FAULT_BAD_SIZE] = "bad-size",
	[FAULT_BAD_GRANULARITY] = "bad-granularity",
	[FAULT_BLOCKS] = "blocks",
	[FAULT_CHANGES_DATA] = "changes-data",
	[FAULT_CHANGES_OFFSET] = "changes-offset",
	[FAULT_CHANGING_SIZE] = "changing-size",
	[FAULT_CLAIMS_FLUSH] = "claims-flush",
	[FAULT_CLAIMS_SECURE] = "claims-secure",
	[FAULT_COMPLETES_TWICE] = "completes-twice",
	[FAULT_CRASHES] = "crashes",
	[FAULT_DISCARDS_ALL] = "discards-all",
	[FAULT_ENDS] = "ends",
	[FAULT_ENDLESS] = "endless",
	[FAULT_EXTRA_BLOCKS] = "extra-blocks",
	[FAULT_FAILS_SHORT] = "fails-short",
	[FAULT_FIRST_PIECE] = "first-piece",
	[FAULT_FORGETS] = "forgets",
	[FAULT_HANGS] = "hangs",
	[FAULT_HIDES_DIRECT] = "hides-direct",
	[FAULT_IGNORES_OFFSET] = "ignores-offset",
	[FAULT_IN_ORDER] = "in-order",
	[FAULT_KEEPS_SECRETS] = "keeps-secrets",
	[FAULT_LAST_BLOCK] = "last-block",
	[FAULT_LEAKS_BY_FAILING] = "leaks-by-failing",
	[FAULT_LEAKS_FD_BY_FAILING] = "leaks-fd-by-failing",
	[FAULT_TAKES_ANY_FILE] = "takes-any-file",
	[FAULT_LEAKS_BY_REQUEST] = "leaks-by-request",
	[FAULT_LEAKS_FD] = "leaks-fd",
	[FAULT_LEAKS_MEMORY] = "leaks-memory",
	[FAULT_LEAKS_THREAD] = "leaks-thread",
	[FAULT_MEMORY_ONLY] = "memory-only",
	[FAULT_NEVER_COMPLETES] = "never-completes",
	[FAULT_NO_FLUSH] = "no-flush",
	[FAULT_NO_SYNC] = "no-sync",
	[FAULT_ONE_PIECE] = "one-piece",
	[FAULT_ONE_QUEUE] = "one-queue",
	[FAULT_OTHER_THREAD] = "other-thread",
	[FAULT_POSITIVE_ERROR] = "positive-error",
	[FAULT_RACES] = "races",
	[FAULT_READS_BEHIND_IOVECS] = "reads-behind-iovecs",
	[FAULT_SCRATCH] = "scratch",
	[FAULT_SECURE_ONLY] = "secure-only",
	[FAULT_SHARES_BUFFER] = "shares-buffer",
	[FAULT_SHARES_FD] = "shares-fd",
	[FAULT_SILENT] = "silent",
	[FAULT_STAYS_READ_ONLY] = "stays-read-only",
	[FAULT_STOPS_SHORT] = "stops-short",
	[FAULT_SWALLOWS_DISCARDS] = "swallows-discards",
	[FAULT_SWALLOWS_ERRORS] = "swallows-errors",
	[FAULT_TOUCHES_DATA] = "touches-data",
	[FAULT_TOUCHES_REQUEST] = "touches-request",
	[FAULT_TWO_AT_ONCE] = "two-at-once",
	[FAULT_WATCHES_BEYOND] = "watches-beyond",
	[FAULT_WATCHES_AT_STOP] = "watches-at-stop",
	[FAULT_WATCHES_CLOSED] = "watches-closed",
	[FAULT_WATCHES_NOTHING] = "watches-nothing",
	[FAULT_WRITABLE] = "writable",
	[FAULT_WRONG_MEASURE] = "wrong-measure",
	[FAULT_WRITES_READ_ONLY] = "writes-read-only",
};

struct config {
	const char *path;
	const char *fault;
	uint64_t size_bytes;
};

struct wrong {
	enum fault fault;
	int fd;
	uint64_t size_bytes, told_bytes; /* of the file; as the properties have it */
	atomic_uint requests;
	struct xvhost_request *kept;	 /* `touches-request`: one that was complete */
	struct xvhost_request *fifo[64]; /* `in-order`: what was submitted */
	uint32_t fifo_first, fifo_end;
	char *memory; /* `memory-only`, `forgets` */
	int pipe[2];  /* `watches-nothing` */
};

struct scratch {
	struct iovec piece; /* `shares-buffer`: of the buffer */
	uint32_t done_bytes;
	bool sometimes; /* it is one of those that are treated wrong */
			/* The size is no multiple of 16, so that there is something behind it. */
};

/* What must not be shared by disks and threads. */
static int shared_fd = -1;
static bool was_read_only;
static unsigned int opens;
static char shared_buffer[1u << 20];
static atomic_uint buffer_uses, meetings_missed;

static const struct xvhost_parameter parameters[] = {
	{.name = "path",
	 .type = XVHOST_STRING,
	 .flags = XVHOST_REQUIRED,
	 .offset = offsetof(struct config, path),
	 .help = "the file"},
	{.name = "fault",
	 .type = XVHOST_STRING,
	 .offset = offsetof(struct config, fault),
	 .default_text = "none",
	 .help = "what is done wrong"},
	{.name = "size",
	 .type = XVHOST_BYTES,
	 .offset = offsetof(struct config, size_bytes),
	 .default_text = "0",
	 .help = "use only so much of the file; 0: all"},
};

/* ---- open and close ---- */

static void *sleep_for_ever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void leak(enum fault fault)
{
	static void *volatile lost;
	pthread_t thread;

	if (fault == FAULT_LEAKS_FD && dup(STDERR_FILENO) < 0)
		abort();
	if (fault == FAULT_LEAKS_MEMORY)
		lost = malloc(24);
	if (fault == FAULT_LEAKS_THREAD && pthread_create(&thread, NULL, sleep_for_ever, (void *)lost) == 0)
		pthread_detach(thread);
}

/* set_properties - with the faults that are about them. */
static int set_properties(struct xvhost_disk *disk, struct wrong *wrong,
			  struct xvhost_disk_properties *properties)
{
	bool read_only = disk->flags & XVHOST_DISK_READ_ONLY;

	if (wrong->size_bytes % BLOCK_BYTES != 0 && wrong->fault != FAULT_ACCEPTS_SIZE &&
	    wrong->fault != FAULT_TAKES_ANY_FILE) {
		disk->host->fail(disk, "parameter size is %llu, it must be a multiple of %u",
				 (unsigned long long)wrong->size_bytes, BLOCK_BYTES);
		return -EINVAL;
	}
	was_read_only |= read_only;
	opens++;
	properties->size_bytes = wrong->size_bytes;
	if (wrong->fault == FAULT_BAD_SIZE)
		properties->size_bytes--;
	if (wrong->fault == FAULT_EXTRA_BLOCKS)
		properties->size_bytes += 8 * BLOCK_BYTES;
	if (wrong->fault == FAULT_CHANGING_SIZE)
		properties->size_bytes -= opens % 2 * BLOCK_BYTES;
	properties->block_bytes = BLOCK_BYTES;
	properties->memory_alignment = 1;
	properties->flags = XVHOST_DISK_FLUSH | XVHOST_DISK_DISCARD;
	if (wrong->fault == FAULT_NO_FLUSH)
		properties->flags &= ~XVHOST_DISK_FLUSH;
	if ((read_only && wrong->fault != FAULT_WRITABLE) ||
	    (was_read_only && wrong->fault == FAULT_STAYS_READ_ONLY))
		properties->flags |= XVHOST_DISK_READ_ONLY;
	if (wrong->fault == FAULT_BAD_GRANULARITY)
		disk->discard_granularity = BLOCK_BYTES + 1;
	if (wrong->fault == FAULT_CLAIMS_SECURE || wrong->fault == FAULT_KEEPS_SECRETS ||
	    wrong->fault == FAULT_SECURE_ONLY)
		properties->flags |= XVHOST_DISK_SECURE_DISCARD;
	if (wrong->fault == FAULT_SECURE_ONLY)
		properties->flags &= ~XVHOST_DISK_DISCARD;
	wrong->told_bytes = properties->size_bytes;
	return 0;
}

static int wrong_measure(struct xvhost_disk *disk, uint64_t *size_bytes)
{
	const struct wrong *wrong = disk->state;

	*size_bytes = wrong->told_bytes + (wrong->fault == FAULT_WRONG_MEASURE ? BLOCK_BYTES : 0);
	return 0;
}

/* open_file - with the faults that are about it. */
static int open_file(struct xvhost_disk *disk, struct wrong *wrong, const struct config *config)
{
	bool read_only = (disk->flags & XVHOST_DISK_READ_ONLY) && wrong->fault != FAULT_WRITES_READ_ONLY;
	struct stat status;

	wrong->fd = open(config->path, O_CLOEXEC | (read_only ? O_RDONLY : O_RDWR) |
					       (wrong->fault == FAULT_HIDES_DIRECT ? O_DIRECT : 0));
	if (wrong->fd < 0 || fstat(wrong->fd, &status) < 0) {
		int error = -errno;

		if (wrong->fault != FAULT_SILENT)
			disk->host->fail(disk, "parameter path: can't open '%s': %s", config->path,
					 strerror(errno));
		return error;
	}
	wrong->size_bytes = config->size_bytes ? config->size_bytes : (uint64_t)status.st_size;
	if ((status.st_size == 0 || status.st_size % BLOCK_BYTES != 0) &&
	    wrong->fault != FAULT_TAKES_ANY_FILE) {
		disk->host->fail(disk, "parameter path: '%s' has %llu bytes", config->path,
				 (unsigned long long)status.st_size);
		return -EINVAL;
	}
	if (wrong->size_bytes > (uint64_t)status.st_size) {
		disk->host->fail(disk, "parameter size: '%s' has only %llu bytes", config->path,
				 (unsigned long long)status.st_size);
		return -EINVAL;
	}
	if ((disk->flags & XVHOST_DISK_READ_ONLY) && wrong->fault == FAULT_WRITES_READ_ONLY &&
	    pwrite(wrong->fd, "opened", 6, 0) < 0)
		abort();
	if (wrong->fault == FAULT_SHARES_FD)
		shared_fd = wrong->fd;
	return wrong->fault == FAULT_WATCHES_NOTHING && pipe(wrong->pipe) < 0 ? -errno : 0;
}

static int find_fault(struct xvhost_disk *disk, const char *name, enum fault *fault)
{
	for (uint32_t i = 0; i < FAULTS; i++) {
		if (strcmp(name, fault_names[i]) == 0) {
			*fault = (enum fault)i;
			return 0;
		}
	}
	disk->host->fail(disk, "parameter fault: there is no '%s'", name);
	return -EINVAL;
}

static int wrong_open(struct xvhost_disk *disk, const void *opaque, struct xvhost_disk_properties *properties)
{
	const struct config *config = opaque;
	struct wrong *wrong = calloc(1, sizeof(*wrong));
	int error;

	if (!wrong) {
		disk->host->fail(disk, "no memory");
		return -ENOMEM;
	}
	wrong->fd = -1;
	error = find_fault(disk, config->fault, &wrong->fault);
	if (error == 0)
		error = open_file(disk, wrong, config);
	if (error == 0)
		error = set_properties(disk, wrong, properties);
	if (error == 0 && (wrong->fault == FAULT_MEMORY_ONLY || wrong->fault == FAULT_FORGETS)) {
		wrong->memory = calloc(1, MEMORY_BYTES);
		error = wrong->memory && pread(wrong->fd, wrong->memory, MEMORY_BYTES, 0) >= 0 ? 0 : -ENOMEM;
	}
	if (error < 0) {
		if (wrong->fd >= 0 && wrong->fault != FAULT_LEAKS_FD_BY_FAILING)
			close(wrong->fd);
		if (wrong->fault != FAULT_LEAKS_BY_FAILING)
			free(wrong);
		return error;
	}
	leak(wrong->fault);
	disk->state = wrong;
	return 0;
}

static void wrong_close(struct xvhost_disk *disk)
{
	struct wrong *wrong = disk->state;

	/* At last what is in memory goes to the file. */
	if (wrong->fault == FAULT_MEMORY_ONLY && !(disk->flags & XVHOST_DISK_READ_ONLY) &&
	    pwrite(wrong->fd, wrong->memory, MEMORY_BYTES, 0) < 0)
		abort();
	close(wrong->fd);
	free(wrong->memory);
	free(wrong);
}

static int wrong_queue_start(struct xvhost_queue *queue)
{
	const struct wrong *wrong = queue->disk->state;
	const struct xvhost_host *host = queue->disk->host;

	if (wrong->fault == FAULT_WATCHES_BEYOND)
		host->watch(queue, XVHOST_WATCHES_MAX, wrong->fd, POLLIN);
	if (wrong->fault == FAULT_WATCHES_CLOSED)
		host->watch(queue, 0, 987, POLLIN);
	/* The other end of the pipe is never written to. */
	if (wrong->fault == FAULT_WATCHES_NOTHING)
		host->watch(queue, 0, wrong->pipe[0], POLLIN);
	return wrong->fault == FAULT_ONE_QUEUE && queue->index > 0 ? -EBUSY : 0;
}

static void wrong_queue_stop(struct xvhost_queue *queue)
{
	const struct wrong *wrong = queue->disk->state;

	if (wrong->fault == FAULT_WATCHES_AT_STOP)
		queue->disk->host->watch(queue, 0, -1, 0);
}

static void wrong_ready(struct xvhost_queue *queue, uint32_t index, int32_t events)
{
	(void)queue;
	(void)index;
	(void)events;
}

/* ---- requests ---- */

/* complete - with the faults that are about it. */
static void complete(struct xvhost_request *request, int error)
{
	const struct xvhost_host *host = request->queue->disk->host;
	struct wrong *wrong = request->queue->disk->state;
	char *data = request->iov_count ? request->iov->iov_base : NULL;
	bool sometimes = ((struct scratch *)request->scratch)->sometimes;

	if (wrong->fault == FAULT_NEVER_COMPLETES && sometimes)
		return;
	if (wrong->fault == FAULT_CHANGES_OFFSET)
		request->offset += BLOCK_BYTES;
	if (wrong->fault == FAULT_SCRATCH)
		((char *)request->scratch)[sizeof(struct scratch)] = 1;
	if (wrong->fault == FAULT_TOUCHES_REQUEST && wrong->kept && wrong->kept != request)
		wrong->kept->flags = 0;
	wrong->kept = request;
	host->complete(request, error);
	if (wrong->fault == FAULT_COMPLETES_TWICE && sometimes)
		host->complete(request, error);
	if (wrong->fault == FAULT_TOUCHES_DATA && sometimes && data)
		*(volatile char *)data;
}

static void *complete_on_thread(void *request)
{
	complete(request, 0);
	return NULL;
}

/* write_from_buffer - for `shares-buffer`: the disk's one buffer has the data of the request that came last. */
static void write_from_buffer(struct xvhost_request *request, int fd, uint64_t offset)
{
	struct scratch *scratch = request->scratch;
	size_t at = 0;

	for (uint32_t i = 0; i < request->iov_count; i++) {
		memcpy(shared_buffer + at, request->iov[i].iov_base, request->iov[i].iov_len);
		at += request->iov[i].iov_len;
	}
	scratch->piece = (struct iovec){shared_buffer, at};
	request->queue->disk->host->write(request, fd, &scratch->piece, 1, offset);
}

/* start - begin, or go on with, what the request asks for. */
static void start(struct xvhost_request *request)
{
	const struct xvhost_host *host = request->queue->disk->host;
	const struct wrong *wrong = request->queue->disk->state;
	const struct scratch *scratch = request->scratch;
	uint64_t offset = request->offset + scratch->done_bytes;
	int fd = wrong->fault == FAULT_SHARES_FD ? shared_fd : wrong->fd;

	if (wrong->fault == FAULT_IGNORES_OFFSET)
		offset = scratch->done_bytes;
	switch (request->operation) {
	case XVHOST_READ:
		host->read(request, fd, request->iov, request->iov_count, offset);
		break;
	case XVHOST_WRITE:
		if (wrong->fault == FAULT_SHARES_BUFFER) {
			write_from_buffer(request, fd, offset);
			return;
		}
		host->write(request, fd, request->iov, request->iov_count, offset);
		break;
	case XVHOST_FLUSH:
		if (wrong->fault == FAULT_NO_SYNC)
			complete(request, 0);
		else
			host->sync(request, fd);
		return;
	case XVHOST_SECURE_DISCARD:
		complete(request, wrong->fault == FAULT_KEEPS_SECRETS ? 0 : -EOPNOTSUPP);
		return;
	case XVHOST_DISCARD:
		if (wrong->fault == FAULT_DISCARDS_ALL)
			host->fallocate(request, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
					(int64_t)wrong->size_bytes);
		else
			host->fallocate(request, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					request->offset, request->length);
		return;
	}
	if (wrong->fault == FAULT_TWO_AT_ONCE)
		host->read(request, fd, request->iov, 1, offset);
}

/* fault_before - what is wrong before anything is started. Returns whether the request needs no more. */
static bool fault_before(struct wrong *wrong, struct xvhost_request *request, bool sometimes)
{
	static void *volatile lost;
	static int *volatile nowhere = (int *)4096;
	pthread_t thread;

	switch (wrong->fault) {
	case FAULT_ABORTS:
		abort();
	case FAULT_ENDS:
		exit(3);
	case FAULT_CRASHES:
		if (sometimes)
			*nowhere = 1;
		return false;
	case FAULT_HANGS:
		sleep_for_ever(NULL);
		return false;
	case FAULT_BLOCKS:
		if (sometimes)
			usleep(BLOCK_US);
		return false;
	case FAULT_LEAKS_BY_REQUEST:
		lost = malloc(24);
		return lost == NULL;
	case FAULT_CHANGES_DATA:
		if (request->operation == XVHOST_WRITE)
			++*(volatile char *)request->iov->iov_base;
		return false;
	case FAULT_READS_BEHIND_IOVECS:
		return request->iov_count > 0 && request->iov[request->iov_count].iov_len == 1;
	case FAULT_CLAIMS_FLUSH:
		if (request->operation != XVHOST_FLUSH)
			return false;
		complete(request, -EOPNOTSUPP);
		return true;
	case FAULT_LAST_BLOCK:
		if (request->operation != XVHOST_WRITE ||
		    request->offset + request->length < wrong->size_bytes)
			return false;
		/* The range is held to be one block too short. */
		complete(request, -EIO);
		return true;
	case FAULT_WATCHES_NOTHING:
		return true;
	case FAULT_EXTRA_BLOCKS:
		if (request->offset + request->length <= wrong->size_bytes)
			return false;
		complete(request, -EIO);
		return true;
	case FAULT_OTHER_THREAD:
		if (!sometimes || pthread_create(&thread, NULL, complete_on_thread, request) != 0)
			return false;
		pthread_join(thread, NULL);
		return true;
	default:
		return false;
	}
}

/* meet - wait for another thread to use the shared buffer, too. One that is not there does not come however often it is waited for. */
static void meet(void)
{
	unsigned int uses = atomic_fetch_add(&buffer_uses, 1) + 1;

	if (atomic_load(&meetings_missed) == MEETINGS_MISSED_MAX)
		return;
	for (unsigned int ms = 0; ms < MEETING_MS && atomic_load(&buffer_uses) == uses; ms++)
		usleep(1000);
	if (atomic_load(&buffer_uses) == uses)
		atomic_fetch_add(&meetings_missed, 1);
}

/* transfer_in_memory - for `memory-only`, `forgets`, `one-piece` and `first-piece` and `races`, which do it themselves, at once. */
static void transfer_in_memory(struct wrong *wrong, struct xvhost_request *request)
{
	bool write = request->operation == XVHOST_WRITE;
	uint64_t at = request->offset;
	ssize_t done = 0;

	for (uint32_t i = 0; i < request->iov_count && done >= 0; i++) {
		char *data = request->iov[i].iov_base;
		size_t length = request->iov[i].iov_len;

		if (wrong->fault == FAULT_ONE_PIECE)
			length = request->length;
		if (wrong->fault == FAULT_RACES && write) {
			memcpy(shared_buffer, data, length);
			meet();
			done = pwrite(wrong->fd, shared_buffer, length, (off_t)at);
		} else if (wrong->fault == FAULT_RACES) {
			done = pread(wrong->fd, shared_buffer, length, (off_t)at);
			meet();
			memcpy(data, shared_buffer, length);
		} else if (wrong->memory && at + length <= MEMORY_BYTES) {
			memcpy(write ? wrong->memory + at : data, write ? data : wrong->memory + at, length);
		} else {
			done = write ? pwrite(wrong->fd, data, length, (off_t)at)
				     : pread(wrong->fd, data, length, (off_t)at);
		}
		at += length;
		if (wrong->fault == FAULT_ONE_PIECE || wrong->fault == FAULT_FIRST_PIECE)
			break;
	}
	complete(request, done < 0 ? -errno : 0);
}

static void wrong_submit(struct xvhost_request *request)
{
	struct wrong *wrong = request->queue->disk->state;
	struct scratch *scratch = request->scratch;
	bool sometimes = (atomic_fetch_add(&wrong->requests, 1) + 1) % SOMETIMES == 0;
	bool transfers = request->operation == XVHOST_READ || request->operation == XVHOST_WRITE;

	scratch->done_bytes = 0;
	scratch->sometimes = sometimes;
	if (fault_before(wrong, request, sometimes))
		return;
	if (transfers && (wrong->memory || wrong->fault == FAULT_ONE_PIECE ||
			  wrong->fault == FAULT_FIRST_PIECE || wrong->fault == FAULT_RACES)) {
		transfer_in_memory(wrong, request);
		return;
	}
	if (wrong->fault == FAULT_IN_ORDER)
		wrong->fifo[wrong->fifo_end++ % 64] = request;
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

static void wrong_io_done(struct xvhost_request *request, int32_t result)
{
	struct wrong *wrong = request->queue->disk->state;
	struct scratch *scratch;

	/* Results come in the order in which they were asked for, do they not? */
	if (wrong->fault == FAULT_IN_ORDER)
		request = wrong->fifo[wrong->fifo_first++ % 64];
	scratch = request->scratch;
	if (result < 0) {
		if (wrong->fault == FAULT_POSITIVE_ERROR)
			result = -result;
		if (wrong->fault == FAULT_SWALLOWS_ERRORS ||
		    (wrong->fault == FAULT_SWALLOWS_DISCARDS && request->operation == XVHOST_DISCARD))
			result = 0;
		complete(request, result);
	} else if (request->operation == XVHOST_FLUSH || request->operation == XVHOST_DISCARD) {
		complete(request, 0);
	} else if (result == 0 && wrong->fault != FAULT_ENDLESS) {
		complete(request, -EIO);
	} else {
		scratch->done_bytes += (uint32_t)result;
		if (scratch->done_bytes == request->length || wrong->fault == FAULT_STOPS_SHORT) {
			complete(request, 0);
		} else if (wrong->fault == FAULT_FAILS_SHORT) {
			complete(request, -EIO);
		} else {
			skip(request, wrong->fault == FAULT_STARTS_OVER ? 0 : (size_t)result);
			start(request);
		}
	}
}

static const struct xvhost_disk_backend wrong_backend = {
	.size = sizeof(wrong_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "wrong",
	.version = "1.0",
	.description = "a disk in a file that does something wrong",
	.parameters = parameters,
	.parameter_count = sizeof(parameters) / sizeof(parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct config),
	.request_size = sizeof(struct scratch),
	.open = wrong_open,
	.close = wrong_close,
	.queue_start = wrong_queue_start,
	.queue_stop = wrong_queue_stop,
	.submit = wrong_submit,
	.io_done = wrong_io_done,
	.measure = wrong_measure,
	.ready = wrong_ready,
};

XVHOST_DISK_BACKEND(wrong_backend);
