// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fake_host.c - a host with one disk, one queue and a clock of its own, for tests of wrapper backends
 */
#include "fake_host.h"

#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker/target.h"

#define BEGINNING_NS (1000 * FAKE_HOST_S) /* the clock when the disk is opened */

enum event_type {
	EVENT_WAIT = 1, /* wait is over */
	EVENT_IO,	/* a write has its result */
	EVENT_BELOW,	/* the disk below answers */
};

/* What a request waits for; each waits for one thing. */
struct event {
	enum event_type type; /* 0: nothing */
	uint64_t due_ns;
	uint64_t number; /* of those that are due at the same time, the first is first */
	int32_t result;
};

uint64_t fake_host_below_ns;
int fake_host_below_error;
char fake_host_text[ERROR_TEXT_MAX];

static const struct xvhost_disk_backend *backend;
static void *config;
static struct xvhost_disk disk;
static struct xvhost_queue queue;
static struct xvhost_disk_properties properties;
static const struct xvhost_disk_properties inner = {.size_bytes = FAKE_HOST_DISK_BYTES,
						    .block_bytes = 512,
						    .memory_alignment = 512,
						    .flags = XVHOST_DISK_FLUSH | XVHOST_DISK_DISCARD};

static struct fake_host_request requests[FAKE_HOST_REQUESTS];
static struct event events[FAKE_HOST_REQUESTS];
static uint32_t request_count, forwarded_count;
static uint64_t now_ns, event_number;

int fake_host_clock(clockid_t clock, struct timespec *time)
{
	(void)clock;
	time->tv_sec = (time_t)(now_ns / FAKE_HOST_S);
	time->tv_nsec = (long)(now_ns % FAKE_HOST_S);
	return 0;
}

/* ---- what the backend may call ---- */

static struct fake_host_request *find(struct xvhost_request *request)
{
	struct fake_host_request *mine = (struct fake_host_request *)(void *)request;

	ck_assert(mine >= requests && mine < requests + request_count);
	ck_assert_msg(mine->completed_ns == 0, "a call for a request that is complete");
	ck_assert_msg(events[mine - requests].type == 0, "a second call for a request that waits already");
	return mine;
}

static void await(struct xvhost_request *request, enum event_type type, uint64_t ns, int32_t result)
{
	events[find(request) - requests] = (struct event){
		.type = type, .due_ns = now_ns + ns, .number = event_number++, .result = result};
}

static void host_complete(struct xvhost_request *request, int error)
{
	struct fake_host_request *mine = find(request);

	mine->completed_ns = now_ns;
	mine->error = error;
}

static void host_write(struct xvhost_request *request, int fd, const struct iovec *iov, uint32_t iov_count,
		       uint64_t offset)
{
	ssize_t result = pwritev(fd, iov, (int)iov_count, (off_t)offset);

	await(request, EVENT_IO, 0, result < 0 ? -errno : (int32_t)result);
}

static void host_wait(struct xvhost_request *request, uint64_t ns)
{
	await(request, EVENT_WAIT, ns, 0);
}

static void host_forward(struct xvhost_request *request, uint32_t operation, uint64_t offset, uint64_t length,
			 struct iovec *iov, uint32_t iov_count)
{
	struct fake_host_request *mine = find(request);

	ck_assert_msg(mine->order == 0, "forwarded twice");
	ck_assert(operation == request->operation && offset == request->offset && length == request->length);
	ck_assert(iov == request->iov && iov_count == request->iov_count);
	mine->forwarded_ns = now_ns;
	mine->order = ++forwarded_count;
	if (fake_host_below_ns == 0)
		backend->forwarded(request, fake_host_below_error);
	else
		await(request, EVENT_BELOW, fake_host_below_ns, fake_host_below_error);
}

static void host_log(const struct xvhost_disk *seen, enum xvhost_log_level level, const char *format, ...)
{
	va_list arguments;

	(void)seen;
	(void)level;
	va_start(arguments, format);
	vsnprintf(fake_host_text, sizeof(fake_host_text), format, arguments);
	va_end(arguments);
}

static void host_fail(struct xvhost_disk *seen, const char *format, ...)
{
	va_list arguments;

	(void)seen;
	va_start(arguments, format);
	vsnprintf(fake_host_text, sizeof(fake_host_text), format, arguments);
	va_end(arguments);
}

static const struct xvhost_host host = {
	.size = sizeof(host),
	.abi = XVHOST_BACKEND_ABI,
	.complete = host_complete,
	.write = host_write,
	.log = host_log,
	.fail = host_fail,
	.wait = host_wait,
	.forward = host_forward,
};

/* ---- what the test calls ---- */

int fake_host_open(const struct xvhost_disk_backend *opened, const char *parameters)
{
	char target[TARGET_MAX];
	int error;

	backend = opened;
	now_ns = BEGINNING_NS;
	disk = (struct xvhost_disk){
		.size = sizeof(disk), .host = &host, .name = "guest 3 vbd 51712", .inner = &inner};
	queue = (struct xvhost_queue){.size = sizeof(queue), .disk = &disk};
	snprintf(target, sizeof(target), "%s:%s%sdisk=null", backend->name, parameters,
		 parameters[0] ? "," : "");
	error = target_configure(target, head_of_disk(backend), &config, fake_host_text);
	if (error < 0)
		return error;
	properties = (struct xvhost_disk_properties){0};
	error = backend->open(&disk, config, &properties);
	if (error < 0)
		free(config);
	return error;
}

void fake_host_close(void)
{
	for (uint32_t i = 0; i < request_count; i++) {
		ck_assert_msg(requests[i].completed_ns != 0, "request %u was not answered", i);
		free(requests[i].request.scratch);
	}
	backend->close(&disk);
	free(config);
}

const struct xvhost_disk_properties *fake_host_properties(void)
{
	return &properties;
}

const struct fake_host_request *fake_host_submit(uint32_t operation, uint64_t offset, uint64_t length)
{
	static char memory[1]; /* nobody looks at it */
	struct fake_host_request *mine = &requests[request_count++];

	ck_assert_uint_le(request_count, FAKE_HOST_REQUESTS);
	mine->submitted_ns = now_ns;
	mine->iov = (struct iovec){memory, length};
	mine->request = (struct xvhost_request){
		.queue = &queue,
		.operation = operation,
		.offset = offset,
		.length = length,
		.iov = &mine->iov,
		.iov_count = operation == XVHOST_READ || operation == XVHOST_WRITE,
		.scratch = backend->request_size ? malloc(backend->request_size) : NULL,
	};
	backend->submit(&mine->request);
	return mine;
}

/* next_event - the one that is due first, until this time; NULL if there is none. */
static struct event *next_event(uint64_t end_ns)
{
	struct event *next = NULL;

	for (uint32_t i = 0; i < request_count; i++) {
		struct event *event = &events[i];

		if (event->type == 0 || event->due_ns > end_ns)
			continue;
		if (!next || event->due_ns < next->due_ns ||
		    (event->due_ns == next->due_ns && event->number < next->number))
			next = event;
	}
	return next;
}

void fake_host_run(uint64_t ns)
{
	uint64_t end_ns = now_ns + ns;
	struct event *event;

	while ((event = next_event(end_ns)) != NULL) {
		struct xvhost_request *request = &requests[event - events].request;
		struct event happens = *event;

		now_ns = happens.due_ns;
		event->type = 0;
		if (happens.type == EVENT_BELOW)
			backend->forwarded(request, happens.result);
		else
			backend->io_done(request, happens.result);
	}
	now_ns = end_ns;
}

uint32_t fake_host_forwarded(void)
{
	return forwarded_count;
}
