// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loop_publisher.c - the end of a turn: frames that were written are reported, responses are shown, frontends notified
 *
 * Theory of operation: each of the three is a call, and the second must come after the first. Where the kernel module
 * xen_remap is there, all three are one entry of io_uring, which the kernel carries out when it is submitted, by the call that
 * begins the next turn. Until then nothing more is published, and no ring is unmapped. Elsewhere, and after the module has
 * failed, each is done by hand.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "worker/loop_internal.h"

#define NOT_YET 1 /* the result of a publication that the kernel has not carried out */

static_assert(PORTS_MAX <= XVHOST_REMAP_MAX_RINGS && MEMORY_EXTENTS_MAX <= XVHOST_REMAP_MAX_EXTENTS,
	      "in one publication");

/* empty - an entry that is carried out now does nothing. */
static void empty(struct publisher *publisher)
{
	publisher->publication.ring_count = publisher->publication.written_count = 0;
}

/* prepare - the entry, of which there is one at a time. */
static void prepare(struct loop *loop, bool tell)
{
	struct publisher *publisher = &loop->publisher;
	struct io_uring_sqe *sqe = submissions_entry(&loop->io);
	uint64_t address = (uintptr_t)&publisher->publication;

	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, publisher->device, NULL, 0, 0);
	sqe->cmd_op = XVHOST_REMAP_PUBLISH;
	memcpy(sqe->cmd, &address, sizeof(address));
	io_uring_sqe_set_data64(sqe, submissions_tag(COMPLETION_PUBLISHED));
	/* Success needs no completion: it would wake the loop up for nothing. */
	io_uring_sqe_set_flags(sqe, tell ? 0 : IOSQE_CQE_SKIP_SUCCESS);
	publisher->publication.result = NOT_YET;
}

/* try_device - does the module know this, does the kernel? Nothing else has been asked of the loop's io_uring yet. */
static int try_device(struct loop *loop)
{
	struct io_uring_cqe *cqe;
	int error;

	prepare(loop, true);
	error = io_uring_submit_and_wait(&loop->io.ring, 1);
	if (error < 0)
		return error;
	error = io_uring_peek_cqe(&loop->io.ring, &cqe);
	if (error < 0)
		return error;
	error = cqe->res;
	io_uring_cqe_seen(&loop->io.ring, cqe);
	return error;
}

static void close_device(struct loop *loop)
{
	close(loop->publisher.device);
	loop->publisher.device = -1;
	memory_leave_reports(loop->turn.memory, false);
}

void loop_publisher_open(struct loop *loop)
{
	struct publisher *publisher = &loop->publisher;
	int error;

	publisher->device = -1;
	if (loop->platform->publisher_open)
		publisher->device = loop->platform->publisher_open(loop->platform, loop->domid);
	if (publisher->device < 0)
		return;
	publisher->publication = (struct xvhost_remap_publication){
		.written = (uintptr_t)publisher->extents,
		.rings = (uintptr_t)publisher->rings,
		.domain = loop->domid,
		.event_channels = loop->channels_fd,
	};
	error = try_device(loop);
	if (error < 0) {
		log_info(
			"guest %u: responses are shown by calls of their own: the module xen_remap can't: %s",
			loop->domid, strerror(-error));
		close_device(loop);
		return;
	}
	log_info("guest %u: responses are shown by the module xen_remap", loop->domid);
	memory_leave_reports(loop->turn.memory, true);
}

/* ---- by hand ---- */

/* notify - the frontend of one that was shown. */
static void notify(struct loop *loop, const struct shown_ring *shown)
{
	loop->platform->event_channels_notify(loop->channels, shown->port);
	if (shown->ring.notifications)
		++*shown->ring.notifications;
}

/* by_hand - rings that follow each other and have one port are notified of together. */
static void by_hand(struct loop *loop)
{
	struct publisher *publisher = &loop->publisher;
	const struct shown_ring *shown = publisher->shown, *end = shown + publisher->shown_count;
	bool wanted = false;

	for (; shown < end; shown++) {
		wanted |= ring_show(&shown->ring);
		if (wanted && (shown + 1 == end || shown[1].port != shown->port)) {
			notify(loop, shown);
			wanted = false;
		}
	}
	publisher->shown_count = 0;
}

/* ---- by the module ---- */

/* count - what the kernel has answered. */
static void count(struct publisher *publisher)
{
	for (uint32_t i = 0; i < publisher->shown_count; i++)
		if (publisher->rings[i].result == 1 && publisher->shown[i].ring.notifications)
			++*publisher->shown[i].ring.notifications;
	publisher->shown_count = 0;
}

/* show_at_last - what the kernel has not. Without a report a guest that is migrated would never see what it has asked for. */
static void show_at_last(struct loop *loop)
{
	loop->publisher.under_way = false;
	if (memory_report(loop->turn.memory) < 0)
		loop->io.failed = true;
	else
		by_hand(loop);
}

void loop_publisher_failed(struct loop *loop, int error)
{
	struct publisher *publisher = &loop->publisher;
	/* The module has answered: Xen does not take the report, which can be made in another way. */
	bool refused = publisher->publication.result == error && error != -EFAULT;

	if (!refused && publisher->device >= 0) {
		log_error("guest %u: the module xen_remap can't show responses any more: %s", loop->domid,
			  strerror(-error));
		close_device(loop);
	}
	empty(publisher);
	show_at_last(loop);
}

/* is_done - what was under way. Of a failure there will be a completion. */
static bool is_done(struct loop *loop)
{
	struct publisher *publisher = &loop->publisher;

	if (!publisher->under_way)
		return true;
	if (publisher->publication.result != 0)
		return false;
	publisher->under_way = false;
	empty(publisher);
	memory_written_reported(loop->turn.memory);
	count(publisher);
	return true;
}

/* ---- a turn ---- */

void loop_publisher_place(struct loop *loop)
{
	const struct publisher *publisher = &loop->publisher;

	if (publisher->device >= 0 && is_done(loop) && publisher->publication.result != NOT_YET)
		prepare(loop, false);
}

bool loop_publisher_ready(struct loop *loop)
{
	loop->publisher.skipped = !is_done(loop);
	return !loop->publisher.skipped;
}

void loop_publish(struct loop *loop, const struct ring_publication *ring, uint32_t port)
{
	struct publisher *publisher = &loop->publisher;

	assert(!publisher->under_way && publisher->shown_count < PORTS_MAX);
	publisher->shown[publisher->shown_count++] = (struct shown_ring){*ring, port};
}

void loop_publisher_end_turn(struct loop *loop)
{
	struct publisher *publisher = &loop->publisher;

	if (memory_is_unreported(loop->turn.memory))
		loop->io.failed = true;
	if (publisher->shown_count == 0 || loop->io.failed)
		return;
	if (publisher->device < 0) {
		by_hand(loop);
		return;
	}
	for (uint32_t i = 0; i < publisher->shown_count; i++)
		publisher->rings[i] = (struct xvhost_remap_ring){
			.producer = (uintptr_t)publisher->shown[i].ring.producer,
			.event = (uintptr_t)publisher->shown[i].ring.event,
			.before = publisher->shown[i].ring.before,
			.now = publisher->shown[i].ring.now,
			.port = publisher->shown[i].port,
		};
	publisher->publication.ring_count = publisher->shown_count;
	publisher->publication.written_count = memory_hand_over_written(loop->turn.memory,
									publisher->extents);
	publisher->under_way = true;
	/* It may have been placed, and there are so many entries in a turn, now and then, that some are submitted before its end. */
	if (publisher->publication.result != NOT_YET)
		prepare(loop, false);
}

bool loop_publisher_flush(struct loop *loop)
{
	if (!is_done(loop))
		submissions_submit(&loop->io, false);
	return is_done(loop) && !loop->publisher.skipped;
}

void loop_publisher_close(struct loop *loop)
{
	if (loop->publisher.device >= 0)
		close_device(loop);
	/* The io_uring has ended: what it has not carried out it never will. */
	if (!is_done(loop) && !loop->io.failed)
		show_at_last(loop);
}
