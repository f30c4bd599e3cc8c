// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * host.c - the host's functions for the loop thread, and calls of backends, all of which are watched
 */
#include "try/conform/host.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "try/conform/report.h"
#include "try/conform/watch.h"

#define SCRATCH 0x5c	     /* in scratch: it is not cleared */
#define OPERATIONS_MAX 10000 /* of the host's, for one request: more never end */

/* Which part lies in which arena. */
struct conform_part *conform_parts[CONFORM_ARENAS_MAX];

/* The loop of this thread, NULL on any other. */
_Thread_local struct conform_loop *conform_my_loop;

static const char *const operation_names[] = {"nothing",     "read()", "write()",  "sync()",
					      "fallocate()", "wait()", "forward()"};

static const struct conform_layer *layer_of(const struct conform_part *part)
{
	return &part->request->queue->disk->layers[part->layer];
}

bool conform_host_describe(uint32_t arena, char *text, size_t size)
{
	const struct conform_part *part = conform_parts[arena];

	if (!part) {
		snprintf(text, size, "a request of a queue that was stopped");
		return false;
	}
	conform_request_text(part->request, text, size);
	return part->live;
}

/* ---- calls of the backend ---- */

struct conform_call conform_enter(struct conform_loop *loop, const char *function,
				  const struct conform_part *part)
{
	char text[200];

	if (part)
		conform_request_text(part->request, text, sizeof(text));
	return conform_call_enter(&loop->calls, function, part ? text : NULL);
}

void conform_leave(struct conform_loop *loop, const char *function, struct conform_call call)
{
	conform_call_leave(&loop->calls, function, call);
}

/* ---- what the backend may call ---- */

/* part_of - whose request is this? Breaks a promise if the host can't be called for it here. */
static struct conform_part *part_of(const struct xvhost_request *seen, const char *function)
{
	int arena = conform_arena_of(seen);
	struct conform_part *part = arena < 0 ? NULL : conform_parts[arena];
	char text[200];

	if (!part)
		conform_broken(CONFORM_HOST_CALLS, "%s was called for %p, which is no request", function,
			       (const void *)seen);
	conform_request_text(part->request, text, sizeof(text));
	if (conform_my_loop != part->request->queue->loop)
		conform_broken(CONFORM_THREAD,
			       "%s for %s was called on another thread than the queue's loop thread",
			       function, text);
	if (!part->live && strcmp(function, "complete()") == 0)
		conform_broken(CONFORM_COMPLETE, "complete() was called again for %s, which was complete",
			       text);
	if (!part->live)
		conform_broken(CONFORM_HOST_CALLS, "%s was called for %s, which was complete", function,
			       text);
	if (conform_my_loop->calls.depth == 0)
		conform_broken(CONFORM_HOST_CALLS, "%s for %s was called outside of any call of the backend",
			       function, text);
	if (part->pending != CONFORM_IDLE)
		conform_broken(CONFORM_HOST_CALLS, "%s was called for %s while its %s was under way",
			       function, text, operation_names[part->pending]);
	return part;
}

/* changed_member - what a backend may not change of its request, and did; NULL: nothing. */
static const char *changed_member(const struct conform_part *part)
{
	const struct xvhost_request *seen = part->arena.request;

	if (seen->queue != &part->request->queue->seen[part->layer])
		return "request->queue";
	if (seen->operation != part->operation)
		return "request->operation";
	if (seen->flags != 0)
		return "request->flags";
	if (seen->offset != part->offset)
		return "request->offset";
	if (seen->length != part->length)
		return "request->length";
	if (seen->reserved != 0)
		return "request->reserved";
	if (seen->scratch != part->arena.scratch)
		return "request->scratch";
	for (uint32_t i = layer_of(part)->backend->request_size; i < part->arena.scratch_bytes; i++)
		if (part->arena.scratch[i] != SCRATCH)
			return "memory behind the scratch: request_size is too small";
	return NULL;
}

/* store_of - where the outermost backend writes to. NULL: it has too many. */
static struct conform_store *store_of(struct conform_disk *disk, int fd)
{
	for (uint32_t i = 0; i < disk->store_count; i++)
		if (disk->stores[i].fd == fd)
			return &disk->stores[i];
	if (disk->store_count == CONFORM_STORES_MAX)
		return NULL;
	disk->stores[disk->store_count] = (struct conform_store){.fd = fd};
	return &disk->stores[disk->store_count++];
}

/* mark_store - something was written to a store, or it was made durable. */
static void mark_store(const struct conform_part *part, int fd, bool dirty)
{
	bool own = part->layer == 0 && (layer_of(part)->seen.inner != NULL) == (fd < 0);
	struct conform_store *store = own ? store_of(part->request->queue->disk, fd) : NULL;

	if (store)
		store->dirty = dirty;
}

/* call_forwarded - the disk below has answered. */
static void call_forwarded(struct conform_part *part, int error)
{
	struct conform_loop *loop = part->request->queue->loop;
	const struct conform_part *below = part + 1;
	struct conform_call call;

	part->pending = CONFORM_IDLE;
	if (error == 0 && below->operation == XVHOST_FLUSH)
		mark_store(part, -1, false);
	if (error == 0 && below->operation == XVHOST_WRITE &&
	    (layer_of(below)->properties.flags & XVHOST_DISK_FLUSH))
		mark_store(part, -1, true);
	call = conform_enter(loop, "forwarded()", part);
	layer_of(part)->backend->forwarded(part->arena.request, error);
	conform_leave(loop, "forwarded()", call);
}

static void host_complete(struct xvhost_request *seen, int error)
{
	struct conform_part *part = part_of(seen, "complete()");
	struct conform_request *request = part->request;
	const char *changed = changed_member(part);
	char text[200];

	conform_request_text(request, text, sizeof(text));
	if (error > 0 || error < -4095)
		conform_broken(CONFORM_ERRORS, "%s was completed with %d, it must be 0 or a negative errno",
			       text, error);
	if (changed)
		conform_broken(CONFORM_MEMORY, "%s: the backend changed %s", text, changed);
	part->live = false;
	conform_arena_access(&part->arena, CONFORM_CLOSED);
	if (part->layer > 0) {
		call_forwarded(part - 1, error);
		return;
	}
	request->state = CONFORM_COMPLETED;
	request->error = error;
	request->queue->in_flight--;
	request->queue->loop->in_flight--;
}

/* iov_sum - changes when an iovec does. */
static uint64_t iov_sum(const struct iovec *iov, uint32_t iov_count)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < iov_count; i++)
		sum = (sum + (uintptr_t)iov[i].iov_base) * 31 + iov[i].iov_len;
	return sum;
}

/* is_faulty - is the operation that begins now one that is to fail? Counts it. */
static bool is_faulty(struct conform_part *part)
{
	struct conform_loop *loop = part->request->queue->loop;
	const struct conform_fault *fault = &loop->fault;
	bool transfers = part->pending == CONFORM_HOST_READ || part->pending == CONFORM_HOST_WRITE;

	/* What a wrapper reads and writes itself, a log perhaps, is not the request's data. */
	if (part->layer > 0 || part->pending == CONFORM_HOST_WAIT ||
	    (layer_of(part)->seen.inner && part->pending != CONFORM_HOST_FORWARD) ||
	    fault->kind == CONFORM_FAULT_NONE || (fault->kind != CONFORM_FAULT_ERROR && !transfers))
		return false;
	loop->operations++;
	if (loop->operations != fault->at && (loop->operations < fault->at || !fault->from_then))
		return false;
	loop->faults++;
	return true;
}

/* begin - an operation of the host's for a request. */
static void begin(struct conform_part *part, enum conform_operation operation)
{
	struct conform_loop *loop = part->request->queue->loop;
	char text[200];

	conform_request_text(part->request, text, sizeof(text));
	if (operation != CONFORM_HOST_FORWARD && !layer_of(part)->backend->io_done)
		conform_broken(CONFORM_HOST_CALLS, "%s was called for %s, but the backend has no io_done()",
			       operation_names[operation], text);
	if (part->operations++ == OPERATIONS_MAX)
		conform_broken(loop->fault.kind == CONFORM_FAULT_NONE	 ? CONFORM_COMPLETE
			       : loop->fault.kind == CONFORM_FAULT_ERROR ? CONFORM_ERRORS
									 : CONFORM_SHORT,
			       "%s is not complete after %d operations%s", text, OPERATIONS_MAX,
			       loop->fault.kind == CONFORM_FAULT_NOTHING ? ", all of which gave 0 bytes"
									 : "");
	part->pending = operation;
	part->faulty = is_faulty(part);
	part->forced = part->faulty && loop->fault.kind != CONFORM_FAULT_SHORT;
	part->forced_result = loop->fault.kind == CONFORM_FAULT_ERROR ? loop->fault.error : 0;
}

/* entry - of the io_uring for what has begun. It does nothing until it is prepared otherwise. */
static struct io_uring_sqe *entry(struct conform_part *part)
{
	struct conform_loop *loop = part->request->queue->loop;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);

	if (!sqe) {
		io_uring_submit(&loop->ring);
		sqe = io_uring_get_sqe(&loop->ring);
	}
	assert(sqe);
	io_uring_prep_nop(sqe);
	io_uring_sqe_set_data(sqe, part);
	loop->under_way++;
	return sqe;
}

/* is_guests - does one of these lie in the request's memory, which is the guest's? */
static bool is_guests(const struct conform_part *part, const struct iovec *iov, uint32_t iov_count)
{
	uintptr_t begin = (uintptr_t)part->request->parts[0].arena.data;

	for (uint32_t i = 0; i < iov_count; i++)
		if ((uintptr_t)iov[i].iov_base >= begin &&
		    (uintptr_t)iov[i].iov_base < begin + CONFORM_SPAN_BYTES)
			return true;
	return false;
}

/* check_transfer - the arguments of a read or write. */
static void check_transfer(const struct conform_part *part, const char *function, int fd,
			   const struct iovec *iov, uint32_t iov_count)
{
	bool read_only = (layer_of(part)->seen.flags & XVHOST_DISK_READ_ONLY) && !layer_of(part)->seen.inner;
	int flags = fcntl(fd, F_GETFL);
	char text[200];

	conform_request_text(part->request, text, sizeof(text));
	if (!iov || iov_count == 0 || iov_count > IOV_MAX)
		conform_broken(CONFORM_HOST_CALLS, "%s was called for %s with %u iovecs, 1 to %d can be",
			       function, text, iov_count, IOV_MAX);
	if (flags < 0)
		conform_broken(CONFORM_HOST_CALLS,
			       "%s was called for %s with descriptor %d, which is not open", function, text,
			       fd);
	if (read_only && (flags & O_ACCMODE) != O_RDONLY)
		conform_broken(
			CONFORM_READ_ONLY,
			"the disk was opened with XVHOST_DISK_READ_ONLY, but descriptor %d can be written",
			fd);
	if ((flags & O_DIRECT) && !(layer_of(part)->properties.flags & XVHOST_DISK_DIRECT) &&
	    is_guests(part, iov, iov_count))
		conform_broken(CONFORM_MEMORY,
			       "%s for %s took its memory to descriptor %d, which has O_DIRECT, but the "
			       "disk's flags lack XVHOST_DISK_DIRECT: not all guests' memory can be used so",
			       function, text, fd);
}

/* cut - the first half of what iovecs hold, so that a read or write ends short; in the disk's blocks where the descriptor
 * wants that. Returns the number of iovecs. */
static uint32_t cut(struct conform_part *part, int fd, const struct iovec *iov, uint32_t iov_count)
{
	uint32_t block = part->request->queue->disk->layers[part->layer].properties.block_bytes;
	bool direct = fcntl(fd, F_GETFL) & O_DIRECT;
	uint32_t count = 0;
	size_t left = 0;

	for (uint32_t i = 0; i < iov_count; i++)
		left += iov[i].iov_len;
	left = direct ? left / 2 / block * block : left / 2 + 1;
	while (left > 0 && count < CONFORM_IOV_MAX) {
		part->cut[count] = iov[count];
		if (part->cut[count].iov_len > left)
			part->cut[count].iov_len = left;
		left -= part->cut[count++].iov_len;
	}
	return count;
}

/* transfer - a read or a write. */
static void transfer(struct xvhost_request *seen, enum conform_operation operation, int fd,
		     const struct iovec *iov, uint32_t iov_count, uint64_t offset)
{
	struct conform_part *part = part_of(seen, operation_names[operation]);
	struct io_uring_sqe *sqe;
	uint32_t count;

	check_transfer(part, operation_names[operation], fd, iov, iov_count);
	begin(part, operation);
	sqe = entry(part);
	part->fd = fd;
	part->iov = iov;
	part->pending_iov_count = iov_count;
	part->iov_sum = iov_sum(iov, iov_count);
	if (part->forced)
		return;
	if (part->faulty) {
		count = cut(part, fd, iov, iov_count);
		if (count > 0) {
			iov = part->cut;
			iov_count = count;
		}
	}
	if (operation == CONFORM_HOST_READ)
		io_uring_prep_readv(sqe, fd, iov, iov_count, offset);
	else
		io_uring_prep_writev(sqe, fd, iov, iov_count, offset);
}

static void host_read(struct xvhost_request *seen, int fd, const struct iovec *iov, uint32_t iov_count,
		      uint64_t offset)
{
	transfer(seen, CONFORM_HOST_READ, fd, iov, iov_count, offset);
}

static void host_write(struct xvhost_request *seen, int fd, const struct iovec *iov, uint32_t iov_count,
		       uint64_t offset)
{
	transfer(seen, CONFORM_HOST_WRITE, fd, iov, iov_count, offset);
}

static void host_sync(struct xvhost_request *seen, int fd)
{
	struct conform_part *part = part_of(seen, "sync()");
	struct io_uring_sqe *sqe;

	begin(part, CONFORM_HOST_SYNC);
	sqe = entry(part);
	part->fd = fd;
	if (!part->forced)
		io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
}

static void host_fallocate(struct xvhost_request *seen, int fd, int mode, uint64_t offset, uint64_t length)
{
	struct conform_part *part = part_of(seen, "fallocate()");
	struct io_uring_sqe *sqe;

	begin(part, CONFORM_HOST_FALLOCATE);
	sqe = entry(part);
	part->fd = fd;
	if (!part->forced)
		io_uring_prep_fallocate(sqe, fd, mode, (off_t)offset, (off_t)length);
}

static void host_wait(struct xvhost_request *seen, uint64_t nanoseconds)
{
	struct conform_part *part = part_of(seen, "wait()");
	struct io_uring_sqe *sqe;

	begin(part, CONFORM_HOST_WAIT);
	sqe = entry(part);
	part->forced = true;
	part->forced_result = 0;
	if (nanoseconds == 0)
		return;
	part->timeout.tv_sec = (int64_t)(nanoseconds / 1000000000);
	part->timeout.tv_nsec = (int64_t)(nanoseconds % 1000000000);
	io_uring_prep_timeout(sqe, &part->timeout, 0, 0);
}

/* check_forward - may the disk below be asked for this? */
static void check_forward(const struct conform_part *part, uint32_t operation, uint64_t offset,
			  uint64_t length, const struct iovec *iov, uint32_t iov_count)
{
	const struct xvhost_disk_properties *inner = layer_of(part)->seen.inner;
	uint64_t sum = 0;
	char text[200];

	conform_request_text(part->request, text, sizeof(text));
	if (!inner)
		conform_broken(CONFORM_HOST_CALLS, "forward() was called for %s, but there is no disk below",
			       text);
	if (!layer_of(part)->backend->forwarded)
		conform_broken(CONFORM_HOST_CALLS,
			       "forward() was called for %s, but the backend has no forwarded()", text);
	if (operation < XVHOST_READ || operation > XVHOST_SECURE_DISCARD ||
	    (operation == XVHOST_FLUSH && !(inner->flags & XVHOST_DISK_FLUSH)) ||
	    (operation == XVHOST_DISCARD && !(inner->flags & XVHOST_DISK_DISCARD)) ||
	    (operation == XVHOST_SECURE_DISCARD && !(inner->flags & XVHOST_DISK_SECURE_DISCARD)) ||
	    ((operation == XVHOST_WRITE || operation >= XVHOST_DISCARD) &&
	     (inner->flags & XVHOST_DISK_READ_ONLY)))
		conform_broken(
			CONFORM_HOST_CALLS,
			"forward() was called for %s with operation %u, which the disk below does not offer",
			text, operation);
	for (uint32_t i = 0; i < iov_count; i++)
		sum += iov[i].iov_len;
	if (offset % inner->block_bytes != 0 || length % inner->block_bytes != 0 ||
	    sum != (operation >= XVHOST_DISCARD ? 0 : length) || length > inner->size_bytes ||
	    offset > inner->size_bytes - length || (operation == XVHOST_FLUSH) != (length == 0))
		conform_broken(CONFORM_HOST_CALLS,
			       "forward() was called for %s with %" PRIu64 " bytes at byte %" PRIu64
			       " in iovecs of %" PRIu64 " bytes; the disk below has %" PRIu64
			       " bytes in blocks of %u",
			       text, length, offset, sum, inner->size_bytes, inner->block_bytes);
}

void conform_hand_over(struct conform_part *part, uint32_t operation, uint64_t offset, uint64_t length,
		       struct iovec *iov, uint32_t iov_count)
{
	struct conform_loop *loop = part->request->queue->loop;
	struct conform_call call;

	part->operation = operation;
	part->offset = offset;
	part->length = length;
	part->iov_count = iov_count;
	part->pending = CONFORM_IDLE;
	part->operations = 0;
	conform_arena_access(&part->arena, CONFORM_OPEN_ALL);
	memset(part->arena.scratch, SCRATCH, part->arena.scratch_bytes);
	*part->arena.request = (struct xvhost_request){
		.queue = &part->request->queue->seen[part->layer],
		.operation = operation,
		.offset = offset,
		.length = length,
		.iov = iov,
		.iov_count = iov_count,
		.scratch = part->arena.scratch,
	};
	part->live = true;
	conform_arena_access(&part->arena,
			     operation == XVHOST_READ ? CONFORM_DATA_WRITABLE : CONFORM_DATA_READABLE);
	call = conform_enter(loop, "submit()", part);
	layer_of(part)->backend->submit(part->arena.request);
	conform_leave(loop, "submit()", call);
}

static void host_forward(struct xvhost_request *seen, uint32_t operation, uint64_t offset, uint64_t length,
			 struct iovec *iov, uint32_t iov_count)
{
	struct conform_part *part = part_of(seen, "forward()");

	check_forward(part, operation, offset, length, iov, iov_count);
	begin(part, CONFORM_HOST_FORWARD);
	part[1].operation = operation;
	if (part->forced)
		entry(part);
	else
		conform_hand_over(part + 1, operation, offset, length, iov, iov_count);
}

/* note_store - what a result says of the store that was written to or made durable. */
static void note_store(struct conform_part *part, int32_t result)
{
	if (part->pending == CONFORM_HOST_WRITE && result > 0)
		mark_store(part, part->fd, true);
	if (part->pending == CONFORM_HOST_SYNC && result == 0)
		mark_store(part, part->fd, false);
}

void conform_deliver(struct conform_part *part, int32_t result)
{
	struct conform_loop *loop = part->request->queue->loop;
	struct conform_call call;
	char text[200];

	/* complete() refuses a request whose operation is under way. */
	assert(part->live && part->pending != CONFORM_IDLE);
	if (part->forced)
		result = part->forced_result;
	if (part->pending == CONFORM_HOST_FORWARD) {
		call_forwarded(part, result);
		return;
	}
	if ((part->pending == CONFORM_HOST_READ || part->pending == CONFORM_HOST_WRITE) &&
	    iov_sum(part->iov, part->pending_iov_count) != part->iov_sum) {
		conform_request_text(part->request, text, sizeof(text));
		conform_broken(CONFORM_HOST_CALLS,
			       "the iovecs of %s for %s were changed while it was under way",
			       operation_names[part->pending], text);
	}
	note_store(part, result);
	part->pending = CONFORM_IDLE;
	call = conform_enter(loop, "io_done()", part);
	layer_of(part)->backend->io_done(part->arena.request, result);
	conform_leave(loop, "io_done()", call);
}

const struct xvhost_host conform_host = {
	.size = sizeof(struct xvhost_host),
	.abi = XVHOST_BACKEND_ABI,
	.complete = host_complete,
	.read = host_read,
	.write = host_write,
	.sync = host_sync,
	.log = conform_disk_log,
	.fail = conform_disk_fail,
	.fallocate = host_fallocate,
	.wait = host_wait,
	.forward = host_forward,
	.watch = conform_watch,
};
