// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * errors.c - promises about operations of the host's that fail, or end short
 *
 * An error may be passed on or mended. It may not be taken for success: a request that is completed with 0 must
 * have been carried out.
 */
#include <errno.h>
#include <string.h>

#include "try/conform/context.h"
#include "try/conform/promises.h"

#define OPERATIONS_MAX 64 /* the first ones of a request are made to fail, one in each run */

struct trial {
	struct conform_context *context;
	struct conform_queue *queue;
	enum conform_promise_number promise;
	uint32_t operation;
	const char *name;
	uint32_t without_fault; /* operations that a discard starts if none of them fails */
	struct conform_fault fault;
};

static const uint32_t pieces[] = {512, 1024, 4096, 2560}; /* the faults come within one of them */
#define PIECE_COUNT (sizeof(pieces) / sizeof(pieces[0]))

static void rewrite(const struct trial *trial)
{
	conform_image_do(&trial->context->image, trial->queue, XVHOST_WRITE, 0, 0, pieces, PIECE_COUNT, 512);
}

/* flush_once - with the fault. Returns the result of the flush. */
static int flush_once(const struct trial *trial)
{
	struct conform_request *request = conform_request_make(trial->queue, XVHOST_FLUSH, 0, NULL, 0, 0);
	int error;

	conform_submit(request);
	error = conform_finish(request);
	conform_request_open(request);
	conform_request_give_back(request);
	return error;
}

/* discard_once - with the fault; all of the area, so that some of it is as large as the disk wants it. */
static int discard_once(const struct trial *trial)
{
	struct conform_image *image = &trial->context->image;

	return conform_image_discard(image, trial->queue, trial->operation, 0, 0, image->areas[0].count,
				     false);
}

/* transfer_once - a read or write with the fault. What it did is verified if it says that it succeeded. */
static int transfer_once(const struct trial *trial)
{
	struct conform_image *image = &trial->context->image;
	struct conform_request *request;
	int error;

	request = conform_image_begin(image, trial->queue, trial->operation, 0, 0, pieces, PIECE_COUNT, 512);
	conform_finish(request);
	error = conform_image_end(image, request);
	memset(&trial->context->loop.fault, 0, sizeof(trial->context->loop.fault));
	if (error == 0 && trial->operation == XVHOST_WRITE)
		conform_image_do(image, trial->queue, XVHOST_READ, 0, 0, pieces, PIECE_COUNT, 512);
	return error;
}

/* request_once - of the trial's kind. */
static int request_once(const struct trial *trial)
{
	if (trial->operation == XVHOST_FLUSH)
		return flush_once(trial);
	return trial->operation >= XVHOST_DISCARD ? discard_once(trial) : transfer_once(trial);
}

/* is_dirty - something was written and not made durable. */
static bool is_dirty(const struct conform_disk *disk)
{
	for (uint32_t i = 0; i < disk->store_count; i++)
		if (disk->stores[i].dirty)
			return true;
	return false;
}

/* try_once - one request with one fault. Returns whether the fault came about. */
static bool try_once(const struct trial *trial)
{
	struct conform_loop *loop = &trial->context->loop;
	struct conform_disk *disk = trial->queue->disk;
	int error;

	if (trial->context->image.writes)
		rewrite(trial);
	loop->operations = 0;
	loop->faults = 0;
	loop->fault = trial->fault;
	error = request_once(trial);
	memset(&loop->fault, 0, sizeof(loop->fault));
	if (loop->faults == 0)
		return false;
	if (trial->operation == XVHOST_FLUSH && error == 0 && is_dirty(disk))
		conform_broken(trial->promise,
			       "a flush was completed with 0, though operation %u that it started gave %s",
			       trial->fault.at, conform_error_name(trial->fault.error));
	/* What it discarded can't be seen. What failed was not done unless something more was. */
	if (trial->operation >= XVHOST_DISCARD && error == 0 && loop->operations <= trial->without_fault)
		conform_broken(trial->promise,
			       "a %s was completed with 0, though operation %u that it started gave %s",
			       trial->name, trial->fault.at, conform_error_name(trial->fault.error));
	if (trial->fault.kind == CONFORM_FAULT_SHORT && error < 0)
		conform_broken(
			trial->promise,
			"a %s was completed with %s, because operation %u that it started ended short; "
			"what is left of it must be tried",
			trial->name, conform_error_name(error), trial->fault.at);
	if (trial->fault.kind == CONFORM_FAULT_NOTHING && trial->fault.from_then && error == 0)
		conform_broken(trial->promise, "a %s was completed with 0, though nothing was done of it",
			       trial->name);
	return true;
}

/* try_all - each of the operations that a request starts, until it starts no more. Returns how many there were. */
static uint32_t try_all(struct trial *trial)
{
	/* A fault of the number 0 does not come about. */
	if (trial->operation >= XVHOST_DISCARD) {
		trial->fault.at = 0;
		try_once(trial);
		trial->without_fault = trial->context->loop.operations;
	}
	for (uint32_t at = 1; at <= OPERATIONS_MAX; at++) {
		trial->fault.at = at;
		if (!try_once(trial))
			return at - 1;
	}
	return OPERATIONS_MAX;
}

/* is_asked - is the disk asked for this, and does this fault concern it? */
static bool is_asked(const struct conform_context *context, const struct conform_disk *disk,
		     uint32_t operation, enum conform_fault_kind kind)
{
	uint32_t flags = disk->layers[0].properties.flags;

	switch (operation) {
	case XVHOST_WRITE:
		return context->image.writes;
	case XVHOST_FLUSH:
		return (flags & XVHOST_DISK_FLUSH) && kind == CONFORM_FAULT_ERROR;
	case XVHOST_DISCARD:
		return (flags & XVHOST_DISK_DISCARD) && context->image.writes && kind == CONFORM_FAULT_ERROR;
	case XVHOST_SECURE_DISCARD:
		return (flags & XVHOST_DISK_SECURE_DISCARD) && context->image.writes &&
		       kind == CONFORM_FAULT_ERROR;
	default:
		return true;
	}
}

/* try_requests - these faults with each kind of request. Returns how many came about. */
static uint32_t try_requests(struct conform_context *context, struct conform_queue *queue,
			     struct conform_fault fault)
{
	static const char *const names[] = {"?", "read", "write", "flush", "discard", "secure discard"};
	uint32_t count = 0;

	for (uint32_t operation = XVHOST_READ; operation <= XVHOST_SECURE_DISCARD; operation++) {
		struct trial trial = {.context = context,
				      .queue = queue,
				      .promise = context->promise,
				      .operation = operation,
				      .name = names[operation],
				      .fault = fault};

		if (!is_asked(context, queue->disk, operation, fault.kind))
			continue;
		count += try_all(&trial);
	}
	return count;
}

/* begin - with a disk that is large enough. */
static void begin(struct conform_context *context, struct conform_disk *disk, struct conform_queue *queue)
{
	uint32_t bytes = 0;

	for (size_t i = 0; i < PIECE_COUNT; i++)
		bytes += pieces[i];
	conform_begin(context, disk, queue);
	if (disk->layers[0].properties.size_bytes < bytes)
		conform_skip("the disk has less than %u bytes", bytes);
}

/* end - the disk works as before. */
static void end(struct conform_context *context, struct conform_disk *disk, struct conform_queue *queue,
		uint32_t count)
{
	struct conform_queue *queues[] = {queue};

	if (count == 0)
		conform_skip("the backend starts none of the host's operations");
	if (context->image.writes)
		conform_image_all(&context->image, queue, XVHOST_WRITE);
	conform_image_load(&context->image, queues, 1, 100);
	conform_end(disk, queue);
	conform_note("%u operations", count);
}

void conform_check_errors(struct conform_context *context)
{
	static const int errors[] = {-EIO, -ENOSPC, -EAGAIN};
	struct conform_disk disk;
	struct conform_queue queue;
	uint32_t count = 0;

	begin(context, &disk, &queue);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		count += try_requests(context, &queue,
				      (struct conform_fault){.kind = CONFORM_FAULT_ERROR,
							     .error = errors[i]});
	end(context, &disk, &queue, count);
}

void conform_check_short(struct conform_context *context)
{
	struct conform_disk disk;
	struct conform_queue queue;
	uint32_t count = 0;

	begin(context, &disk, &queue);
	count += try_requests(context, &queue, (struct conform_fault){.kind = CONFORM_FAULT_SHORT});
	count += try_requests(context, &queue, (struct conform_fault){.kind = CONFORM_FAULT_NOTHING});
	count += try_requests(context, &queue,
			      (struct conform_fault){.kind = CONFORM_FAULT_NOTHING, .from_then = true});
	end(context, &disk, &queue, count);
}
