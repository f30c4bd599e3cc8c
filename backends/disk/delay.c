// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * delay.c - stands before another disk and lets requests wait
 *
 * Each request waits for the time that its operation has, and some more by chance, and then goes on to the disk
 * below. Requests wait side by side: a delay is a latency, not a rate (see limit.c for that).
 */
#include <stdlib.h>

#include "chance.h"
#include "trigger.h"
#include "xvhost/backend.h"

#define DELAY_MAX_US 60000000 /* one minute; a disk that is disconnected does not wait */

struct delay_config {
	uint64_t read_us;
	uint64_t write_us;
	uint64_t flush_us;
	uint64_t jitter_us;
	uint64_t seed;
	const char *trigger;
	const char *below;
};

/* One open disk. */
struct delay {
	const struct delay_config *config;
	struct trigger trigger;
	struct chance chance;
};

static const struct xvhost_parameter delay_parameters[] = {
	{
		.name = "read-us",
		.type = XVHOST_NUMBER,
		.offset = offsetof(struct delay_config, read_us),
		.default_text = "0",
		.maximum = DELAY_MAX_US,
		.help = "how long a read waits, in microseconds",
	},
	{
		.name = "write-us",
		.type = XVHOST_NUMBER,
		.offset = offsetof(struct delay_config, write_us),
		.default_text = "0",
		.maximum = DELAY_MAX_US,
		.help = "how long a write or a discard waits, in microseconds",
	},
	{
		.name = "flush-us",
		.type = XVHOST_NUMBER,
		.offset = offsetof(struct delay_config, flush_us),
		.default_text = "0",
		.maximum = DELAY_MAX_US,
		.help = "how long a flush waits, in microseconds",
	},
	{
		.name = "jitter-us",
		.type = XVHOST_NUMBER,
		.offset = offsetof(struct delay_config, jitter_us),
		.default_text = "0",
		.maximum = DELAY_MAX_US,
		.help = "each waits by chance up to this much longer, in microseconds",
	},
	{
		.name = "seed",
		.type = XVHOST_NUMBER,
		.offset = offsetof(struct delay_config, seed),
		.default_text = "1",
		.help = "where chance begins; the same seed gives the same delays",
	},
	{
		.name = "trigger",
		.type = XVHOST_STRING,
		.offset = offsetof(struct delay_config, trigger),
		.help = "only while this file exists, as an absolute path",
	},
	{
		.name = "disk",
		.type = XVHOST_TARGET,
		.flags = XVHOST_REQUIRED,
		.offset = offsetof(struct delay_config, below),
		.help = "the target of the disk below",
	},
};

static int delay_open(struct xvhost_disk *disk, const void *opaque, struct xvhost_disk_properties *properties)
{
	struct delay *delay = malloc(sizeof(*delay));
	int error;

	if (!delay)
		return -ENOMEM;
	delay->config = opaque;
	chance_seed(&delay->chance, delay->config->seed);
	error = trigger_open(&delay->trigger, disk, "delay", delay->config->trigger);
	if (error < 0) {
		free(delay);
		return error;
	}
	*properties = *disk->inner;
	disk->state = delay;
	return 0;
}

static int delay_measure(struct xvhost_disk *disk, uint64_t *size_bytes)
{
	*size_bytes = disk->inner->size_bytes;
	return 0;
}

static void delay_close(struct xvhost_disk *disk)
{
	struct delay *delay = disk->state;

	trigger_close(&delay->trigger);
	free(delay);
}

/* delay_us - how long a request of this operation waits. */
static uint64_t delay_us(struct delay *delay, uint32_t operation)
{
	const struct delay_config *config = delay->config;
	uint64_t us;

	if (!trigger_is_on(&delay->trigger))
		return 0;
	switch (operation) {
	case XVHOST_READ:
		us = config->read_us;
		break;
	case XVHOST_WRITE:
	case XVHOST_DISCARD:
	case XVHOST_SECURE_DISCARD:
		us = config->write_us;
		break;
	case XVHOST_FLUSH:
		us = config->flush_us;
		break;
	default:
		return 0;
	}
	return us + (config->jitter_us ? chance_below(&delay->chance, config->jitter_us + 1) : 0);
}

static void pass_on(struct xvhost_request *request)
{
	request->queue->disk->host->forward(request, request->operation, request->offset, request->length,
					    request->iov, request->iov_count);
}

static void delay_submit(struct xvhost_request *request)
{
	const struct xvhost_disk *disk = request->queue->disk;
	uint64_t us = delay_us(disk->state, request->operation);

	if (us > 0)
		disk->host->wait(request, us * 1000);
	else
		pass_on(request);
}

/* The time has passed. */
static void delay_io_done(struct xvhost_request *request, int32_t result)
{
	(void)result;
	pass_on(request);
}

static void delay_forwarded(struct xvhost_request *request, int error)
{
	request->queue->disk->host->complete(request, error);
}

static const struct xvhost_disk_backend delay_backend = {
	.size = sizeof(delay_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "delay",
	.version = "1.0",
	.description = "stands before another disk and lets requests wait",
	.parameters = delay_parameters,
	.parameter_count = sizeof(delay_parameters) / sizeof(delay_parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct delay_config),
	.open = delay_open,
	.close = delay_close,
	.submit = delay_submit,
	.io_done = delay_io_done,
	.forwarded = delay_forwarded,
	.measure = delay_measure,
};

XVHOST_DISK_BACKEND(delay_backend);
