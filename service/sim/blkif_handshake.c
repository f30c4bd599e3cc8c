// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blkif_handshake.c - the guest's part of the talk by which a disk is connected, in xenstore
 */
#include "sim/blkif_handshake.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xen/io/xenbus.h>

#define TRANSACTION_TRIES_MAX 20
#define TOKEN "frontend"

/* One call of a function of blkif_handshake.h. */
struct talk {
	const struct blkif_handshake_options *options;
	char *text;
	uint32_t transaction;
	char front[64]; /* the frontend's directory, relative to the guest's own */
	char back[XENSTORE_PATH_MAX];
	char back_state[XENSTORE_PATH_MAX]; /* the backend's state node, while it is watched */
};

/* refuse - write the reason; returns `error`. */
__attribute__((format(printf, 3, 4))) static int refuse(struct talk *talk, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(talk->text, FRONT_ERROR_MAX, format, arguments);
	va_end(arguments);
	return error;
}

/* ---- nodes ---- */

/* read_node - the text of directory/name, to free(); NULL with errno set. */
static char *read_node(const struct talk *talk, const char *directory, const char *name)
{
	char path[XENSTORE_PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return talk->options->platform->xenstore_read(talk->options->xenstore, talk->transaction, path);
}

/* read_number - of the host's directory; `otherwise` if it is not there or no number. */
static uint64_t read_number(const struct talk *talk, const char *name, uint64_t otherwise)
{
	char *text = read_node(talk, talk->back, name), *end;
	uint64_t number = otherwise;

	if (text && text[0] >= '0' && text[0] <= '9') {
		number = strtoull(text, &end, 10);
		if (*end)
			number = otherwise;
	}
	free(text);
	return number;
}

static unsigned int host_state(const struct talk *talk)
{
	return (unsigned int)read_number(talk, "state", XenbusStateUnknown);
}

/* write_node - below the frontend's directory. */
__attribute__((format(printf, 3, 4))) static int write_node(const struct talk *talk, const char *name,
							    const char *format, ...)
{
	char path[XENSTORE_PATH_MAX], value[64];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(value, sizeof(value), format, arguments);
	va_end(arguments);
	snprintf(path, sizeof(path), "%s/%s", talk->front, name);
	return talk->options->platform->xenstore_write(talk->options->xenstore, talk->transaction, path,
						       value);
}

static int go_to(struct talk *talk, enum xenbus_state state)
{
	int error = write_node(talk, "state", "%d", (int)state);

	return error < 0 ? refuse(talk, error, "can't write the frontend's state %d: %s", (int)state,
				  strerror(-error))
			 : 0;
}

/* ---- waiting for the host ---- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* sleep_for_watch - until a watch fires, or the time is over; all that fired is taken. */
static void sleep_for_watch(const struct talk *talk, int64_t end_ms)
{
	const struct platform *platform = talk->options->platform;
	struct pollfd polled = {.fd = platform->xenstore_fd(talk->options->xenstore), .events = POLLIN};
	char path[XENSTORE_PATH_MAX], token[32];
	int64_t left_ms = end_ms - now_ms();

	poll(&polled, 1, left_ms > 0 ? (int)left_ms : 0);
	while (platform->xenstore_next_watch(talk->options->xenstore, path, sizeof(path), token,
					     sizeof(token)))
		;
}

/*
 * await_host - until the host is in one of these states, given as bits; -ECONNREFUSED when it is in one of those that are
 * `refused`.
 */
static int await_host(struct talk *talk, unsigned int wanted, unsigned int refused)
{
	int64_t end_ms = now_ms() + talk->options->timeout_ms;

	for (;;) {
		unsigned int state = host_state(talk);

		if (wanted & 1u << state)
			return 0;
		if (refused & 1u << state)
			return refuse(talk, -ECONNREFUSED, "the host is in state %u, closing", state);
		if (now_ms() >= end_ms)
			return refuse(talk, -ETIMEDOUT, "the host is in state %u still, after %d ms", state,
				      talk->options->timeout_ms);
		sleep_for_watch(talk, end_ms);
	}
}

/* begin - find the host's directory and watch its state. */
static int begin(struct talk *talk, const struct blkif_handshake_options *options, uint32_t device_id,
		 char *text)
{
	char *back;
	int error;

	*talk = (struct talk){.options = options, .text = text};
	text[0] = '\0';
	snprintf(talk->front, sizeof(talk->front), "device/vbd/%" PRIu32, device_id);
	back = read_node(talk, talk->front, "backend");
	if (!back)
		return refuse(talk, -errno, "%s/backend can't be read: %s", talk->front, strerror(errno));
	snprintf(talk->back, sizeof(talk->back), "%s", back);
	free(back);
	if (snprintf(talk->back_state, sizeof(talk->back_state), "%s/state", talk->back) >=
	    (int)sizeof(talk->back_state))
		return refuse(talk, -ENAMETOOLONG, "%s/backend is too long a path", talk->front);
	error = options->platform->xenstore_watch(options->xenstore, talk->back_state, TOKEN);
	return error < 0 ? refuse(talk, error, "can't watch the host's state: %s", strerror(-error)) : 0;
}

static void end(const struct talk *talk)
{
	talk->options->platform->xenstore_unwatch(talk->options->xenstore, talk->back_state, TOKEN);
}

/* ---- describing the rings ---- */

/* fit - ask for no more than the host can do. */
static void fit(const struct talk *talk, struct blkif_frontend_options *options)
{
	uint64_t order = read_number(talk, "max-ring-page-order", 0);
	uint64_t pages = read_number(talk, "max-ring-pages", 1);
	uint64_t queues = read_number(talk, "multi-queue-max-queues", 1);

	while (order < RING_ORDER_MAX && UINT64_C(2) << order <= pages)
		order++;
	if (options->ring_order > order)
		options->ring_order = (uint32_t)order;
	if (options->queues > queues)
		options->queues = (uint32_t)queues;
}

/* write_queue - its nodes, in the frontend's directory or one of their own. */
static int write_queue(const struct talk *talk, const struct front_queue *queue, const char *directory)
{
	char name[64];
	uint32_t pages = queue->ring.page_count;
	int error = 0;

	for (uint32_t i = 0; i < pages && error >= 0; i++) {
		if (pages == 1 && !talk->options->ring_ref0)
			snprintf(name, sizeof(name), "%sring-ref", directory);
		else
			snprintf(name, sizeof(name), "%sring-ref%" PRIu32, directory, i);
		error = write_node(talk, name, "%" PRIu32, queue->ring.grefs[i]);
	}
	if (error < 0)
		return error;
	snprintf(name, sizeof(name), "%sevent-channel", directory);
	return write_node(talk, name, "%" PRIu32, queue->port);
}

static int write_queues(const struct talk *talk, const struct blkif_frontend *frontend)
{
	char directory[24];
	int error = 0;

	if (frontend->queue_count == 1)
		return write_queue(talk, &frontend->queues[0], "");
	error = write_node(talk, "multi-queue-num-queues", "%" PRIu32, frontend->queue_count);
	for (uint32_t i = 0; i < frontend->queue_count && error >= 0; i++) {
		snprintf(directory, sizeof(directory), "queue-%" PRIu32 "/", i);
		error = write_queue(talk, &frontend->queues[i], directory);
	}
	return error;
}

/* forget_rings - the nodes of the frontend before this one, whose rings may have been of another shape. */
static int forget_rings(const struct talk *talk)
{
	static const char *const ours[] = {"ring-",  "num-ring-", "queue-",  "multi-queue-",
					   "event-", "protocol",  "feature-"};
	const struct platform *platform = talk->options->platform;
	char path[XENSTORE_PATH_MAX];
	unsigned count;
	char **names = platform->xenstore_directory(talk->options->xenstore, talk->transaction, talk->front,
						    &count);
	int error = 0;

	if (!names)
		return -errno;
	for (unsigned i = 0; i < count && error >= 0; i++) {
		for (size_t j = 0; j < sizeof(ours) / sizeof(ours[0]) && error >= 0; j++) {
			if (strncmp(names[i], ours[j], strlen(ours[j])) != 0)
				continue;
			snprintf(path, sizeof(path), "%s/%.100s", talk->front, names[i]);
			error = platform->xenstore_remove(talk->options->xenstore, talk->transaction, path);
		}
	}
	free(names);
	return error;
}

/* write_rings - all that the host must know to connect. */
static int write_rings(const struct talk *talk, const struct blkif_frontend *frontend)
{
	uint32_t order = frontend->options.ring_order;
	int error = forget_rings(talk);

	if (error < 0)
		return error;
	if (order > 0 || talk->options->ring_ref0)
		error = write_node(talk, "ring-page-order", "%" PRIu32, order);
	if (error >= 0 && talk->options->num_ring_pages)
		error = write_node(talk, "num-ring-pages", "%u", 1u << order);
	if (error >= 0 && !talk->options->no_protocol)
		error = write_node(talk, "protocol", "%s",
				   frontend->options.protocol == BLKIF_X86_64 ? "x86_64-abi" : "x86_32-abi");
	if (error >= 0 && frontend->options.persistent)
		error = write_node(talk, "feature-persistent", "1");
	if (error >= 0 && frontend->options.large_sectors)
		error = write_node(talk, "feature-large-sector-size", "1");
	return error < 0 ? error : write_queues(talk, frontend);
}

/* describe - the same in one transaction, which somebody else's may make fail. */
static int describe(struct talk *talk, const struct blkif_frontend *frontend)
{
	const struct platform *platform = talk->options->platform;
	struct xenstore *xenstore = talk->options->xenstore;
	int error = -EAGAIN;

	for (int tries = 0; error == -EAGAIN && tries < TRANSACTION_TRIES_MAX; tries++) {
		talk->transaction = platform->xenstore_transaction_start(xenstore);
		if (talk->transaction == 0)
			return refuse(talk, -errno, "can't begin a transaction: %s", strerror(errno));
		error = write_rings(talk, frontend);
		if (error < 0)
			platform->xenstore_transaction_end(xenstore, talk->transaction, true);
		else
			error = platform->xenstore_transaction_end(xenstore, talk->transaction, false);
		talk->transaction = 0;
	}
	return error < 0 ? refuse(talk, error, "can't write the rings' nodes: %s", strerror(-error)) : 0;
}

/* ---- connecting ---- */

/* read_features - what the host has written by the time it is connected. */
static int read_features(struct talk *talk, const struct blkif_frontend *frontend,
			 struct blkif_features *features)
{
	uint64_t info = read_number(talk, "info", 0);

	*features = (struct blkif_features){
		.sectors = read_number(talk, "sectors", UINT64_MAX),
		.sector_bytes = (uint32_t)read_number(talk, "sector-size", 512),
		.indirect_segments = (uint32_t)read_number(talk, "feature-max-indirect-segments", 0),
		.read_only = info & 4, /* VDISK_READONLY */
		.flush = read_number(talk, "feature-flush-cache", 0),
		.barrier = read_number(talk, "feature-barrier", 0),
		.persistent = read_number(talk, "feature-persistent", 0),
		.discard = read_number(talk, "feature-discard", 0),
		.discard_secure = read_number(talk, "discard-secure", 0),
		.discard_alignment = (uint32_t)read_number(talk, "discard-alignment", 0),
	};
	features->discard_granularity = (uint32_t)read_number(talk, "discard-granularity",
							      features->sector_bytes);
	features->physical_bytes = (uint32_t)read_number(talk, "physical-sector-size",
							 features->sector_bytes);
	if (features->sectors == UINT64_MAX)
		return refuse(talk, -EINVAL, "the host is connected, but its node sectors says nothing");
	if (features->sector_bytes < 512 || (features->sector_bytes & (features->sector_bytes - 1)))
		return refuse(talk, -EINVAL, "the host's node sector-size is %" PRIu32,
			      features->sector_bytes);
	if (frontend->options.large_sectors)
		features->sectors *= features->sector_bytes / 512;
	return 0;
}

/* connect_rings - the frontend is made; all states from Initialised to Connected. */
static int connect_rings(struct talk *talk, struct blkif_frontend *frontend)
{
	struct blkif_features features;
	int error = describe(talk, frontend);

	if (error == 0)
		error = go_to(talk, XenbusStateInitialised);
	if (error == 0)
		error = await_host(talk, 1u << XenbusStateConnected,
				   1u << XenbusStateClosing | 1u << XenbusStateClosed);
	if (error == 0)
		error = read_features(talk, frontend, &features);
	if (error < 0)
		return error;
	error = blkif_frontend_set_up(frontend, &features);
	if (error < 0)
		return refuse(talk, error, "can't take and grant the requests' pages: %s", strerror(-error));
	return go_to(talk, XenbusStateConnected);
}

static int connect_device(struct talk *talk, const struct blkif_frontend_options *options,
			  struct blkif_frontend **frontend)
{
	struct blkif_frontend_options fitted = *options;
	int error = go_to(talk, XenbusStateInitialising);

	/* A host that has closed for the frontend before us, or has yet to do so, begins anew when it sees this. */
	if (error == 0)
		error = await_host(talk, 1u << XenbusStateInitWait, 0);
	if (error < 0)
		return error;
	fit(talk, &fitted);
	error = blkif_frontend_create(&fitted, frontend);
	if (error < 0)
		return refuse(talk, error, "can't make the rings: %s", strerror(-error));
	error = connect_rings(talk, *frontend);
	if (error < 0) {
		blkif_frontend_destroy(*frontend);
		*frontend = NULL;
	}
	return error;
}

int blkif_handshake_connect(const struct blkif_handshake_options *handshake,
			    const struct blkif_frontend_options *options, struct blkif_frontend **frontend,
			    char text[FRONT_ERROR_MAX])
{
	struct talk talk;
	int error = begin(&talk, handshake, options->device_id, text);

	if (error < 0)
		return error;
	error = connect_device(&talk, options, frontend);
	end(&talk);
	return error;
}

/* await_size - a look for each time that the state was written: the first, when the watch is new, may come too late for it. */
static int await_size(struct talk *talk, struct blkif_frontend *frontend)
{
	uint64_t sectors = frontend->features.sectors;
	int64_t end_ms = now_ms() + talk->options->timeout_ms;
	struct blkif_features features;
	int error;

	do {
		sleep_for_watch(talk, end_ms);
		if (now_ms() >= end_ms)
			return refuse(talk, -ETIMEDOUT, "the host has not written its state within %d ms",
				      talk->options->timeout_ms);
		error = read_features(talk, frontend, &features);
		if (error < 0)
			return error;
	} while (host_state(talk) != XenbusStateConnected || features.sectors == sectors);
	frontend->features.sectors = features.sectors;
	return 0;
}

int blkif_handshake_await_size(const struct blkif_handshake_options *handshake,
			       struct blkif_frontend *frontend, char text[FRONT_ERROR_MAX])
{
	struct talk talk;
	int error = begin(&talk, handshake, frontend->options.device_id, text);

	if (error < 0)
		return error;
	error = await_size(&talk, frontend);
	end(&talk);
	return error;
}

int blkif_handshake_close(const struct blkif_handshake_options *handshake, struct blkif_frontend *frontend,
			  char text[FRONT_ERROR_MAX])
{
	struct talk talk;
	uint32_t mapped;
	int error = begin(&talk, handshake, frontend->options.device_id, text);

	if (error == 0) {
		error = go_to(&talk, XenbusStateClosing);
		if (error == 0)
			error = await_host(&talk,
					   1u << XenbusStateClosing | 1u << XenbusStateClosed |
						   1u << XenbusStateUnknown,
					   0);
		if (error == 0)
			error = go_to(&talk, XenbusStateClosed);
		if (error == 0)
			error = await_host(&talk, 1u << XenbusStateClosed | 1u << XenbusStateUnknown, 0);
		end(&talk);
	}
	mapped = blkif_frontend_destroy(frontend);
	if (error == 0 && mapped > 0) {
		snprintf(text, FRONT_ERROR_MAX, "the host has %" PRIu32 " grants mapped still", mapped);
		error = -EBUSY;
	}
	return error;
}
