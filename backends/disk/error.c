// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * error.c - stands before another disk and lets requests fail
 *
 * A request that fails never reaches the disk below. Which ones fail is narrowed down in this order: the operation,
 * the part of the disk, whether the trigger's file exists; of those, the first `after` pass; of the rest, each
 * `every`-th one counts; and of these, chance lets `per-million` of a million fail. What is not given narrows nothing,
 * so that error:disk=... fails every request.
 */
#include <stdlib.h>

#include "chance.h"
#include "trigger.h"
#include "xvhost/backend.h"

#define MILLION 1000000
#define ERRNO_MAX 133 /* EHWPOISON, Linux's last one */

struct error_config {
	const char *operations;
	const char *error;
	uint64_t per_million;
	uint64_t every;
	uint64_t after;
	uint64_t from;
	uint64_t to;
	uint64_t seed;
	const char *trigger;
	const char *below;
};

/* One open disk. */
struct error_disk {
	const struct error_config *config;
	uint32_t operations; /* a bit for each */
	int error;	     /* negative */
	uint64_t from, to;   /* bytes of the disk; 0 and UINT64_MAX: everywhere */
	struct trigger trigger;
	struct chance chance;
	_Atomic uint64_t count; /* of requests that the conditions before `after` left */
};

static const struct xvhost_parameter error_parameters[] = {
	{
		.name = "operations",
		.type = XVHOST_STRING,
		.offset = offsetof(struct error_config, operations),
		.default_text = "all",
		.help = "which fail: all, or some of read, write, flush and discard with + between them",
	},
	{
		.name = "error",
		.type = XVHOST_STRING,
		.offset = offsetof(struct error_config, error),
		.default_text = "EIO",
		.help = "the name of the error, as in errno(3)",
	},
	{
		.name = "per-million",
		.type = XVHOST_NUMBER,
		.offset = offsetof(struct error_config, per_million),
		.default_text = "1000000",
		.maximum = MILLION,
		.help = "how many of a million fail, by chance",
	},
	{
		.name = "every",
		.type = XVHOST_NUMBER,
		.offset = offsetof(struct error_config, every),
		.default_text = "1",
		.minimum = 1,
		.help = "only each one of so many fails",
	},
	{
		.name = "after",
		.type = XVHOST_NUMBER,
		.offset = offsetof(struct error_config, after),
		.default_text = "0",
		.help = "so many pass first",
	},
	{
		.name = "from",
		.type = XVHOST_BYTES,
		.offset = offsetof(struct error_config, from),
		.default_text = "0",
		.help = "only reads, writes and discards that reach beyond this byte of the disk",
	},
	{
		.name = "to",
		.type = XVHOST_BYTES,
		.offset = offsetof(struct error_config, to),
		.minimum = 1,
		.help = "only reads, writes and discards that begin before this byte of the disk",
	},
	{
		.name = "seed",
		.type = XVHOST_NUMBER,
		.offset = offsetof(struct error_config, seed),
		.default_text = "1",
		.help = "where chance begins; the same seed gives the same errors",
	},
	{
		.name = "trigger",
		.type = XVHOST_STRING,
		.offset = offsetof(struct error_config, trigger),
		.help = "only while this file exists, as an absolute path",
	},
	{
		.name = "disk",
		.type = XVHOST_TARGET,
		.flags = XVHOST_REQUIRED,
		.offset = offsetof(struct error_config, below),
		.help = "the target of the disk below",
	},
};

/* parse_operations - all, read, read+write ...: a bit for each; 0 if it is anything else. */
static uint32_t parse_operations(const char *text)
{
	static const char *const names[] = {[XVHOST_READ] = "read",
					    [XVHOST_WRITE] = "write",
					    [XVHOST_FLUSH] = "flush",
					    [XVHOST_DISCARD] = "discard"};
	uint32_t operations = 0;

	if (strcmp(text, "all") == 0)
		return UINT32_MAX;
	for (;;) {
		size_t length = strcspn(text, "+"), i = XVHOST_READ;

		while (i <= XVHOST_DISCARD &&
		       (strlen(names[i]) != length || memcmp(names[i], text, length) != 0))
			i++;
		if (i > XVHOST_DISCARD)
			return 0;
		operations |= 1u << i;
		if (text[length] == '\0')
			return operations;
		text += length + 1;
	}
}

/* parse_error - the negative number of an error's name; 0 if there is none. */
static int parse_error(const char *name)
{
	for (int i = 1; i <= ERRNO_MAX; i++) {
		const char *known = strerrorname_np(i);

		if (known && strcmp(known, name) == 0)
			return -i;
	}
	return 0;
}

/* settle - what the parameters say, or the reason why they can't be. */
static int settle(struct error_disk *mine, struct xvhost_disk *disk, const struct error_config *config)
{
	uint64_t size = disk->inner->size_bytes;

	mine->config = config;
	mine->operations = parse_operations(config->operations);
	mine->error = parse_error(config->error);
	mine->from = config->from;
	mine->to = config->to ? config->to : UINT64_MAX;
	atomic_init(&mine->count, 0);
	chance_seed(&mine->chance, config->seed);
	if (mine->operations == 0)
		disk->host->fail(disk,
				 "parameter operations of backend error is '%s', it must be all, or some of "
				 "read, write, "
				 "flush and discard with + between them",
				 config->operations);
	else if (mine->error == 0)
		disk->host->fail(
			disk,
			"parameter error of backend error is '%s', it must be the name of an error of Linux, "
			"such as EIO, ENOSPC or ETIMEDOUT",
			config->error);
	else if (mine->from >= mine->to || mine->from >= size)
		disk->host->fail(disk,
				 "parameters from and to of backend error give no part of the disk: from is "
				 "%llu, to is "
				 "%llu, the disk has %llu bytes",
				 (unsigned long long)mine->from,
				 (unsigned long long)(config->to ? config->to : size),
				 (unsigned long long)size);
	else
		return 0;
	return -EINVAL;
}

static int error_open(struct xvhost_disk *disk, const void *opaque, struct xvhost_disk_properties *properties)
{
	const struct error_config *config = opaque;
	struct error_disk *mine = malloc(sizeof(*mine));
	int error;

	if (!mine)
		return -ENOMEM;
	error = settle(mine, disk, config);
	if (error == 0)
		error = trigger_open(&mine->trigger, disk, "error", config->trigger);
	if (error < 0) {
		free(mine);
		return error;
	}
	*properties = *disk->inner;
	disk->state = mine;
	return 0;
}

static int error_measure(struct xvhost_disk *disk, uint64_t *size_bytes)
{
	*size_bytes = disk->inner->size_bytes;
	return 0;
}

static void error_close(struct xvhost_disk *disk)
{
	struct error_disk *mine = disk->state;

	trigger_close(&mine->trigger);
	free(mine);
}

/* is_meant - by operation, place and trigger. A flush has no place: where one is asked for, it is not meant. */
static bool is_meant(const struct error_disk *mine, const struct xvhost_request *request)
{
	uint32_t operation = request->operation == XVHOST_SECURE_DISCARD ? XVHOST_DISCARD
									 : request->operation;

	if (!(mine->operations >> operation & 1))
		return false;
	if (request->operation == XVHOST_FLUSH) {
		if (mine->from > 0 || mine->to < UINT64_MAX)
			return false;
	} else if (request->offset >= mine->to || request->offset + request->length <= mine->from) {
		return false;
	}
	return trigger_is_on(&mine->trigger);
}

/* fails - does this request? Counts it if it is meant. */
static bool fails(struct error_disk *mine, const struct xvhost_request *request)
{
	const struct error_config *config = mine->config;
	uint64_t number;

	if (!is_meant(mine, request))
		return false;
	number = atomic_fetch_add_explicit(&mine->count, 1, memory_order_relaxed);
	if (number < config->after || (number - config->after + 1) % config->every != 0)
		return false;
	return config->per_million == MILLION || chance_below(&mine->chance, MILLION) < config->per_million;
}

static void error_submit(struct xvhost_request *request)
{
	const struct xvhost_disk *disk = request->queue->disk;
	struct error_disk *mine = disk->state;

	if (fails(mine, request))
		disk->host->complete(request, mine->error);
	else
		disk->host->forward(request, request->operation, request->offset, request->length,
				    request->iov, request->iov_count);
}

static void error_forwarded(struct xvhost_request *request, int error)
{
	request->queue->disk->host->complete(request, error);
}

static const struct xvhost_disk_backend error_backend = {
	.size = sizeof(error_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "error",
	.version = "1.0",
	.description = "stands before another disk and lets requests fail",
	.parameters = error_parameters,
	.parameter_count = sizeof(error_parameters) / sizeof(error_parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct error_config),
	.open = error_open,
	.close = error_close,
	.submit = error_submit,
	.forwarded = error_forwarded,
	.measure = error_measure,
};

XVHOST_DISK_BACKEND(error_backend);
