// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * limit.c - stands before another disk and lets through so many requests, and bytes, in a second
 *
 * Theory of operation: each of the two limits is a token bucket, kept as one moment: when it allows the next request.
 * A request begins at the latest of these moments, or at once if they have passed, and moves them on by what it costs:
 * one request, and its bytes. So a long one is never stuck; those after it wait for it. A moment lies at most `burst`
 * behind the clock, which is how much a disk that was idle may catch up.
 *
 * The buckets are the disk's, whatever queue a request comes from, and give each request its own moment in the order
 * of arrival, so none starves. They change under a lock that is held for some instructions and never during I/O.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "xvhost/backend.h"

/*
 * Moments are counted in ticks of 1/64 ns since the disk was opened: fine enough for what 512 bytes cost at 10 GB/s
 * (off by 0.03 %), and 64 bits last for 9 years.
 */
#define TICKS_PER_NS 64
#define TICKS_PER_S (UINT64_C(1000000000) * TICKS_PER_NS)
#define BYTES_MAX (UINT64_C(1) << 28) /* of one request, so that their cost can be computed in 64 bits */

struct limit_config {
	uint64_t iops;	    /* 0: no limit */
	uint64_t bandwidth; /* the same */
	uint64_t burst_ms;
	const char *below;
};

/* One open disk. */
struct limit {
	const struct limit_config *config;
	uint64_t opened_ns;
	uint64_t burst_ticks;
	pthread_mutex_t lock;	/* for the rest */
	uint64_t next_request;	/* when `iops` allows the next request */
	uint64_t next_bytes;	/* when `bandwidth` does */
	uint64_t waiting_count; /* requests whose moment has not come */
};

static const struct xvhost_parameter limit_parameters[] = {
	{
		.name = "iops",
		.type = XVHOST_NUMBER,
		.offset = offsetof(struct limit_config, iops),
		.minimum = 1,
		.maximum = 100000000,
		.help = "reads, writes, flushes and discards in a second; without it any number",
	},
	{
		.name = "bandwidth",
		.type = XVHOST_BYTES,
		.offset = offsetof(struct limit_config, bandwidth),
		.minimum = 4096,
		.maximum = UINT64_C(1) << 40,
		.help = "bytes read and written in a second; without it any number",
	},
	{
		.name = "burst-ms",
		.type = XVHOST_NUMBER,
		.offset = offsetof(struct limit_config, burst_ms),
		.default_text = "100",
		.maximum = 60000,
		.help = "an idle disk may catch up what the limits allow in so many milliseconds",
	},
	{
		.name = "disk",
		.type = XVHOST_TARGET,
		.flags = XVHOST_REQUIRED,
		.offset = offsetof(struct limit_config, below),
		.help = "the target of the disk below",
	},
};

/* monotonic_ns - the one place that asks for the time. */
static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int limit_open(struct xvhost_disk *disk, const void *opaque, struct xvhost_disk_properties *properties)
{
	const struct limit_config *config = opaque;
	struct limit *limit;

	if (config->iops == 0 && config->bandwidth == 0) {
		disk->host->fail(disk,
				 "backend limit limits nothing: give parameter iops, bandwidth or both");
		return -EINVAL;
	}
	limit = calloc(1, sizeof(*limit));
	if (!limit)
		return -ENOMEM;
	limit->config = config;
	limit->opened_ns = monotonic_ns();
	limit->burst_ticks = config->burst_ms * 1000000 * TICKS_PER_NS;
	pthread_mutex_init(&limit->lock, NULL);
	*properties = *disk->inner;
	disk->state = limit;
	return 0;
}

static int limit_measure(struct xvhost_disk *disk, uint64_t *size_bytes)
{
	*size_bytes = disk->inner->size_bytes;
	return 0;
}

static void limit_close(struct xvhost_disk *disk)
{
	struct limit *limit = disk->state;

	pthread_mutex_destroy(&limit->lock);
	free(limit);
}

/* cost - of an amount at a rate in a second; rounded up, so that a limit is never passed. */
static uint64_t cost(uint64_t amount, uint64_t rate)
{
	return (amount * TICKS_PER_S + rate - 1) / rate;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/*
 * take_moment - when may this request begin, if it is `now`? It has its place from here on. Called with the lock held.
 *
 * The moments never go back: a limit that makes a request wait lies at the request's moment, and the other one is
 * moved there, too, but for the burst.
 */
static uint64_t take_moment(struct limit *limit, const struct xvhost_request *request, uint64_t now)
{
	const struct limit_config *config = limit->config;
	uint64_t moment = later(now, later(limit->next_request, limit->next_bytes));
	uint64_t earliest = moment > limit->burst_ticks ? moment - limit->burst_ticks : 0;
	uint64_t bytes = request->length < BYTES_MAX ? request->length : BYTES_MAX;

	if (config->iops)
		limit->next_request = later(limit->next_request, earliest) + cost(1, config->iops);
	if (config->bandwidth && (request->operation == XVHOST_READ || request->operation == XVHOST_WRITE))
		limit->next_bytes = later(limit->next_bytes, earliest) + cost(bytes, config->bandwidth);
	return moment;
}

static void pass_on(struct xvhost_request *request)
{
	request->queue->disk->host->forward(request, request->operation, request->offset, request->length,
					    request->iov, request->iov_count);
}

static void limit_submit(struct xvhost_request *request)
{
	const struct xvhost_disk *disk = request->queue->disk;
	struct limit *limit = disk->state;
	uint64_t now, moment;
	bool waits;

	pthread_mutex_lock(&limit->lock);
	now = (monotonic_ns() - limit->opened_ns) * TICKS_PER_NS;
	moment = take_moment(limit, request, now);
	/* Its moment may have come while those before it have not been woken yet: it stays behind them. */
	waits = moment > now || limit->waiting_count > 0;
	limit->waiting_count += waits;
	pthread_mutex_unlock(&limit->lock);
	if (waits)
		disk->host->wait(request, (moment - now + TICKS_PER_NS - 1) / TICKS_PER_NS);
	else
		pass_on(request);
}

/* The request's moment has come. */
static void limit_io_done(struct xvhost_request *request, int32_t result)
{
	struct limit *limit = request->queue->disk->state;

	(void)result;
	pthread_mutex_lock(&limit->lock);
	limit->waiting_count--;
	pthread_mutex_unlock(&limit->lock);
	pass_on(request);
}

static void limit_forwarded(struct xvhost_request *request, int error)
{
	request->queue->disk->host->complete(request, error);
}

static const struct xvhost_disk_backend limit_backend = {
	.size = sizeof(limit_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "limit",
	.version = "1.0",
	.description = "stands before another disk and limits its requests and bytes in a second",
	.parameters = limit_parameters,
	.parameter_count = sizeof(limit_parameters) / sizeof(limit_parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct limit_config),
	.open = limit_open,
	.close = limit_close,
	.submit = limit_submit,
	.io_done = limit_io_done,
	.forwarded = limit_forwarded,
	.measure = limit_measure,
};

XVHOST_DISK_BACKEND(limit_backend);
