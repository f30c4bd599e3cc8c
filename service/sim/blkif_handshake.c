// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blkif_handshake.c - the guest's part of the talk by which a disk is connected, in xenstore
 */
#include "sim/blkif_handshake.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim/front_talk.h"

static_assert(FRONT_ERROR_MAX == TALK_TEXT_MAX, "one text");

/* ---- describing the rings ---- */

/* fit - ask for no more than the host can do. */
static void fit(const struct talk *talk, struct blkif_frontend_options *options)
{
	uint64_t order = talk_number(talk, "max-ring-page-order", 0);
	uint64_t pages = talk_number(talk, "max-ring-pages", 1);
	uint64_t queues = talk_number(talk, "multi-queue-max-queues", 1);

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
	const struct blkif_handshake_options *options = talk->own;
	char name[64];
	uint32_t pages = queue->ring.page_count;
	int error = 0;

	for (uint32_t i = 0; i < pages && error >= 0; i++) {
		if (pages == 1 && !options->ring_ref0)
			snprintf(name, sizeof(name), "%sring-ref", directory);
		else
			snprintf(name, sizeof(name), "%sring-ref%" PRIu32, directory, i);
		error = talk_write(talk, name, "%" PRIu32, queue->ring.grefs[i]);
	}
	if (error < 0)
		return error;
	snprintf(name, sizeof(name), "%sevent-channel", directory);
	return talk_write(talk, name, "%" PRIu32, queue->port);
}

static int write_queues(const struct talk *talk, const struct blkif_frontend *frontend)
{
	char directory[24];
	int error = 0;

	if (frontend->queue_count == 1)
		return write_queue(talk, &frontend->queues[0], "");
	error = talk_write(talk, "multi-queue-num-queues", "%" PRIu32, frontend->queue_count);
	for (uint32_t i = 0; i < frontend->queue_count && error >= 0; i++) {
		snprintf(directory, sizeof(directory), "queue-%" PRIu32 "/", i);
		error = write_queue(talk, &frontend->queues[i], directory);
	}
	return error;
}

/* write_rings - all that the host must know to connect; what the frontend before this one wrote of rings of another shape goes. */
static int write_rings(const struct talk *talk, const void *argument)
{
	static const char *const ours[] = {"ring-",  "num-ring-", "queue-",   "multi-queue-",
					   "event-", "protocol",  "feature-", NULL};
	const struct blkif_handshake_options *options = talk->own;
	const struct blkif_frontend *frontend = argument;
	uint32_t order = frontend->options.ring_order;
	int error = talk_forget(talk, ours);

	if (error < 0)
		return error;
	if (order > 0 || options->ring_ref0)
		error = talk_write(talk, "ring-page-order", "%" PRIu32, order);
	if (error >= 0 && options->num_ring_pages)
		error = talk_write(talk, "num-ring-pages", "%u", 1u << order);
	if (error >= 0 && !options->no_protocol)
		error = talk_write(talk, "protocol", "%s",
				   frontend->options.protocol == BLKIF_X86_64 ? "x86_64-abi" : "x86_32-abi");
	if (error >= 0 && frontend->options.persistent)
		error = talk_write(talk, "feature-persistent", "1");
	if (error >= 0 && frontend->options.large_sectors)
		error = talk_write(talk, "feature-large-sector-size", "1");
	return error < 0 ? error : write_queues(talk, frontend);
}

/* ---- connecting ---- */

/* read_features - what the host has written by the time it is connected. */
static int read_features(struct talk *talk, const struct blkif_frontend *frontend,
			 struct blkif_features *features)
{
	uint64_t info = talk_number(talk, "info", 0);

	*features = (struct blkif_features){
		.sectors = talk_number(talk, "sectors", UINT64_MAX),
		.sector_bytes = (uint32_t)talk_number(talk, "sector-size", 512),
		.indirect_segments = (uint32_t)talk_number(talk, "feature-max-indirect-segments", 0),
		.read_only = info & 4, /* VDISK_READONLY */
		.flush = talk_number(talk, "feature-flush-cache", 0),
		.barrier = talk_number(talk, "feature-barrier", 0),
		.persistent = talk_number(talk, "feature-persistent", 0),
		.discard = talk_number(talk, "feature-discard", 0),
		.discard_secure = talk_number(talk, "discard-secure", 0),
		.discard_alignment = (uint32_t)talk_number(talk, "discard-alignment", 0),
	};
	features->discard_granularity = (uint32_t)talk_number(talk, "discard-granularity",
							      features->sector_bytes);
	features->physical_bytes = (uint32_t)talk_number(talk, "physical-sector-size",
							 features->sector_bytes);
	if (features->sectors == UINT64_MAX)
		return talk_refuse(talk, -EINVAL, "the host is connected, but its node sectors says nothing");
	if (features->sector_bytes < 512 || (features->sector_bytes & (features->sector_bytes - 1)))
		return talk_refuse(talk, -EINVAL, "the host's node sector-size is %" PRIu32,
				   features->sector_bytes);
	if (frontend->options.large_sectors)
		features->sectors *= features->sector_bytes / 512;
	return 0;
}

/* connect_rings - the frontend is made; all states from Initialised to Connected. */
static int connect_rings(struct talk *talk, struct blkif_frontend *frontend)
{
	struct blkif_features features;
	int error = talk_describe(talk, write_rings, frontend);

	if (error == 0)
		error = talk_go_to(talk, XenbusStateInitialised);
	if (error == 0)
		error = talk_await_host(talk, 1u << XenbusStateConnected,
					1u << XenbusStateClosing | 1u << XenbusStateClosed);
	if (error == 0)
		error = read_features(talk, frontend, &features);
	if (error < 0)
		return error;
	error = blkif_frontend_set_up(frontend, &features);
	if (error < 0)
		return talk_refuse(talk, error, "can't take and grant the requests' pages: %s",
				   strerror(-error));
	return talk_go_to(talk, XenbusStateConnected);
}

static int connect_device(struct talk *talk, const struct blkif_frontend_options *options,
			  struct blkif_frontend **frontend)
{
	struct blkif_frontend_options fitted = *options;
	int error = talk_go_to(talk, XenbusStateInitialising);

	/* A host that has closed for the frontend before us, or has yet to do so, begins anew when it sees this. */
	if (error == 0)
		error = talk_await_host(talk, 1u << XenbusStateInitWait, 0);
	if (error < 0)
		return error;
	fit(talk, &fitted);
	error = blkif_frontend_create(&fitted, frontend);
	if (error < 0)
		return talk_refuse(talk, error, "can't make the rings: %s", strerror(-error));
	error = connect_rings(talk, *frontend);
	if (error < 0) {
		blkif_frontend_destroy(*frontend);
		*frontend = NULL;
	}
	return error;
}

/* begin - a talk about this device. */
static int begin(struct talk *talk, const struct blkif_handshake_options *options, uint32_t device_id,
		 char *text)
{
	*talk = (struct talk){.platform = options->platform,
			      .xenstore = options->xenstore,
			      .timeout_ms = options->timeout_ms,
			      .text = text,
			      .own = options};
	return talk_begin(talk, "vbd", device_id);
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
	talk_end(&talk);
	return error;
}

/* await_size - a look for each time that the state was written: the first, when the watch is new, may come too late for it. */
static int await_size(struct talk *talk, struct blkif_frontend *frontend)
{
	uint64_t sectors = frontend->features.sectors;
	int64_t end_ms = talk_now_ms() + talk->timeout_ms;
	struct blkif_features features;
	int error;

	do {
		talk_sleep(talk, end_ms);
		if (talk_now_ms() >= end_ms)
			return talk_refuse(talk, -ETIMEDOUT,
					   "the host has not written its state within %d ms",
					   talk->timeout_ms);
		error = read_features(talk, frontend, &features);
		if (error < 0)
			return error;
	} while (talk_host_state(talk) != XenbusStateConnected || features.sectors == sectors);
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
	talk_end(&talk);
	return error;
}

int blkif_handshake_close(const struct blkif_handshake_options *handshake, struct blkif_frontend *frontend,
			  char text[FRONT_ERROR_MAX])
{
	struct talk talk;
	uint32_t mapped;
	int error = begin(&talk, handshake, frontend->options.device_id, text);

	if (error == 0) {
		error = talk_close(&talk);
		talk_end(&talk);
	}
	mapped = blkif_frontend_destroy(frontend);
	if (error == 0 && mapped > 0) {
		snprintf(text, FRONT_ERROR_MAX, "the host has %" PRIu32 " grants mapped still", mapped);
		error = -EBUSY;
	}
	return error;
}
