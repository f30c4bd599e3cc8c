// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wrong-wrapper.c - stands before another disk and does what parameter `fault` says wrong, and without it nothing
 *
 * tests/try/conform says for each fault which promise it breaks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xvhost/backend.h"

enum fault {
	FAULT_NONE = 0,
	FAULT_ASKS_BEYOND,
	FAULT_DROPS_FLUSHES,
	FAULT_HIDES_FLUSH,
	FAULT_LOOKS_AFTERWARDS,
	FAULT_SHIFTS,
	FAULT_SWALLOWS_ERRORS,
	FAULT_TWO_AT_ONCE,
	FAULTS
};

static const char *const fault_names[FAULTS] = {
	[FAULT_NONE] = "none",
	[FAULT_ASKS_BEYOND] = "asks-beyond",
	[FAULT_DROPS_FLUSHES] = "drops-flushes",
	[FAULT_HIDES_FLUSH] = "hides-flush",
	[FAULT_LOOKS_AFTERWARDS] = "looks-afterwards",
	[FAULT_SHIFTS] = "shifts",
	[FAULT_SWALLOWS_ERRORS] = "swallows-errors",
	[FAULT_TWO_AT_ONCE] = "two-at-once",
};

struct config {
	const char *fault;
	const char *inner;
};

struct wrong {
	enum fault fault;
};

static const struct xvhost_parameter parameters[] = {
	{.name = "fault",
	 .type = XVHOST_STRING,
	 .offset = offsetof(struct config, fault),
	 .default_text = "none",
	 .help = "what is done wrong"},
	{.name = "disk",
	 .type = XVHOST_TARGET,
	 .flags = XVHOST_REQUIRED,
	 .offset = offsetof(struct config, inner),
	 .help = "the target of the disk below"},
};

static int wrong_open(struct xvhost_disk *disk, const void *opaque, struct xvhost_disk_properties *properties)
{
	const struct config *config = opaque;
	struct wrong *wrong;

	for (uint32_t i = 0; i < FAULTS; i++) {
		if (strcmp(config->fault, fault_names[i]) != 0)
			continue;
		wrong = malloc(sizeof(*wrong));
		if (!wrong)
			break;
		wrong->fault = (enum fault)i;
		disk->state = wrong;
		*properties = *disk->inner;
		if (wrong->fault == FAULT_ASKS_BEYOND)
			properties->size_bytes += 512;
		if (wrong->fault == FAULT_HIDES_FLUSH)
			properties->flags &= ~XVHOST_DISK_FLUSH;
		return 0;
	}
	disk->host->fail(disk, "parameter fault: there is no '%s', or no memory", config->fault);
	return -EINVAL;
}

static void wrong_close(struct xvhost_disk *disk)
{
	free(disk->state);
}

static void wrong_submit(struct xvhost_request *request)
{
	const struct xvhost_host *host = request->queue->disk->host;
	const struct wrong *wrong = request->queue->disk->state;
	uint64_t offset = request->offset;

	if (wrong->fault == FAULT_DROPS_FLUSHES && request->operation == XVHOST_FLUSH) {
		host->complete(request, 0);
		return;
	}
	if (wrong->fault == FAULT_SHIFTS && request->operation == XVHOST_WRITE)
		offset = offset ^ 4096;
	host->forward(request, request->operation, offset, request->length, request->iov, request->iov_count);
	if (wrong->fault == FAULT_LOOKS_AFTERWARDS)
		(void)*(volatile uint64_t *)&request->length;
	if (wrong->fault == FAULT_TWO_AT_ONCE)
		host->forward(request, request->operation, offset, request->length, request->iov,
			      request->iov_count);
}

static void wrong_forwarded(struct xvhost_request *request, int error)
{
	const struct wrong *wrong = request->queue->disk->state;

	request->queue->disk->host->complete(request, wrong->fault == FAULT_SWALLOWS_ERRORS ? 0 : error);
}

static const struct xvhost_disk_backend wrong_backend = {
	.size = sizeof(wrong_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "wrong-wrapper",
	.version = "1.0",
	.description = "stands before another disk and does something wrong",
	.parameters = parameters,
	.parameter_count = sizeof(parameters) / sizeof(parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct config),
	.open = wrong_open,
	.close = wrong_close,
	.submit = wrong_submit,
	.forwarded = wrong_forwarded,
};

XVHOST_DISK_BACKEND(wrong_backend);
