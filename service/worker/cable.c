// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cable.c - the life of a cable, and its loop
 *
 * Theory of operation: one thread, one io_uring, one place that waits, as in loop.h; but there are no rings and no guest, and the same thread
 * opens and closes. Each turn takes what is complete, gives each backend what the other one has received, and gives back what was
 * transmitted.
 */
#include "worker/cable.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/cable_internal.h"

/* Taken at once: all that can be under way but for what ends it early. */
#define COMPLETIONS_MAX (CABLE_ENDS * (CABLE_PACKETS_MAX + XVHOST_WATCHES_MAX))
/* Each operation and what ends it early in two ways; each watch is ended and set again, and all are ended; what is waited for. */
#define OPERATIONS_MAX (CABLE_ENDS * 3 * (CABLE_NUMBERS_MAX + XVHOST_WATCHES_MAX) + AWAITED_MAX)

/* What is waited for besides, as in user_data of COMPLETION_COMMAND. */
enum {
	AWAITED_SOCKET,
	AWAITED_ENDS, /* that there is something to attend to */
	AWAITED_MAX = AWAITED_ENDS + CABLE_ENDS,
};

static_assert(COMPLETIONS_MAX <= SUBMISSIONS_DONE_MAX, "taken at once");

struct cable {
	const struct cable_options *options;
	struct submissions io;
	struct cable_end ends[CABLE_ENDS];
	bool stopping;
};

/* await - that this descriptor can be read. */
static void await(struct cable *cable, uint32_t what, int fd)
{
	struct io_uring_sqe *sqe = submissions_entry(&cable->io);

	io_uring_prep_poll_add(sqe, (unsigned int)fd, POLLIN);
	io_uring_sqe_set_data64(sqe, submissions_tag(COMPLETION_COMMAND) | what);
}

/* ---- the socket to xvhostd ---- */

static void await_message(struct cable *cable)
{
	await(cable, AWAITED_SOCKET, cable->options->socket);
}

static void stop(struct cable *cable)
{
	cable->stopping = true;
	for (uint32_t i = 0; i < CABLE_ENDS; i++)
		cable_end_release(&cable->ends[i]);
}

/* read_message - whatever comes, it is the end, but for what there can't be. */
static void read_message(struct cable *cable)
{
	struct message message;
	ssize_t length = recv(cable->options->socket, &message, sizeof(message), MSG_DONTWAIT);

	if (length < 0 && (errno == EAGAIN || errno == EINTR)) {
		await_message(cable);
		return;
	}
	if (length <= 0)
		log_warning("%s: xvhostd is gone; it ends", cable->options->name);
	else if (length != sizeof(message) || message.type != MESSAGE_STOP)
		log_error("%s: a message that is not for it; it ends", cable->options->name);
	stop(cable);
}

/* ---- what backends attend to ---- */

static void await_end(struct cable *cable, struct cable_end *end)
{
	if (end->net.attend_fd >= 0)
		await(cable, AWAITED_ENDS + end->index, end->net.attend_fd);
}

static void attend(struct cable *cable, struct cable_end *end)
{
	end->backend->attend(&end->net);
	await_end(cable, end);
}

/* ---- a turn ---- */

static void complete_one(struct cable *cable, uint64_t data, int32_t result)
{
	struct cable_end *end = &cable->ends[data >> 16 & (CABLE_ENDS - 1)];

	switch (data >> 56) {
	case COMPLETION_COMMAND:
		if ((data & 0xff) == AWAITED_SOCKET)
			read_message(cable);
		else
			attend(cable, &cable->ends[(data & 0xff) - AWAITED_ENDS]);
		break;
	case COMPLETION_NET:
		cable_end_done(end, data, result);
		break;
	case COMPLETION_NET_WAIT:
		cable_end_done(end, data, result == -ETIME || result == -ECANCELED ? 0 : result);
		break;
	case COMPLETION_NET_WATCH:
		cable_end_watch_done(end, data, result);
		break;
	default:
		/* A wait or a watch that could not be ended early: it has ended just now. */
		break;
	}
}

static void turn(struct cable *cable, bool wait)
{
	struct submissions_done done[COMPLETIONS_MAX];
	uint32_t count;

	submissions_submit(&cable->io, wait);
	count = submissions_reap(&cable->io, done, COMPLETIONS_MAX);
	for (uint32_t i = 0; i < count; i++)
		complete_one(cable, done[i].data, done[i].result);
	for (uint32_t i = 0; i < CABLE_ENDS; i++)
		cable_end_transmit(&cable->ends[i]);
	for (uint32_t i = 0; i < CABLE_ENDS; i++)
		cable_end_give_back(&cable->ends[i]);
	for (uint32_t i = 0; i < CABLE_ENDS; i++)
		cable_end_change_watches(&cable->ends[i]);
}

static bool can_wait(const struct cable *cable)
{
	return !cable->io.unsubmitted && !cable_end_is_due(&cable->ends[0]) &&
	       !cable_end_is_due(&cable->ends[1]);
}

static bool has_ended(const struct cable *cable)
{
	return cable->stopping && !cable->io.unsubmitted && cable_end_is_idle(&cable->ends[0]) &&
	       cable_end_is_idle(&cable->ends[1]);
}

/* ---- its life ---- */

static void log_counters(const struct cable *cable)
{
	const struct cable_end *end = cable->ends;

	log_info("%s: ended after %" PRIu64 " packets from %s (%" PRIu64 " failed, %" PRIu64
		 " dropped) and %" PRIu64 " from %s (%" PRIu64 " failed, %" PRIu64 " dropped)",
		 cable->options->name, end[1].packets_sent, end[0].backend->name, end[1].packets_failed,
		 end[1].packets_dropped, end[0].packets_sent, end[1].backend->name, end[0].packets_failed,
		 end[0].packets_dropped);
}

/* carry - packets between two backends that are open. */
static int carry(struct cable *cable)
{
	int error = submissions_init(&cable->io, OPERATIONS_MAX, COMPLETIONS_MAX);

	if (error < 0)
		return error;
	await_message(cable);
	for (uint32_t i = 0; i < CABLE_ENDS; i++)
		await_end(cable, &cable->ends[i]);
	for (uint32_t i = 0; i < CABLE_ENDS && error == 0; i++)
		error = cable_end_start(&cable->ends[i]);
	if (error == 0)
		log_info("%s: %s to %s", cable->options->name, cable->options->targets[0],
			 cable->options->targets[1]);
	else
		stop(cable);
	while (!has_ended(cable) && !cable->io.failed)
		turn(cable, can_wait(cable));
	for (uint32_t i = 0; i < CABLE_ENDS && !cable->io.failed; i++)
		cable_end_stop(&cable->ends[i]);
	if (error == 0)
		log_counters(cable);
	if (cable->io.failed)
		error = -EIO;
	submissions_exit(&cable->io);
	return error;
}

int cable_run(const struct cable_options *options)
{
	struct cable *cable = calloc(1, sizeof(*cable));
	int error = cable ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < CABLE_ENDS && error == 0; i++) {
		struct cable_end *end = &cable->ends[i];

		end->index = i;
		end->other = &cable->ends[1 - i];
		end->io = &cable->io;
		cable->options = options;
		error = cable_end_open(end, options);
	}
	if (error == 0)
		error = carry(cable);
	/* With an io_uring that has failed the backends were not stopped: the end of the process closes them. */
	for (uint32_t i = 0; cable && i < CABLE_ENDS && !cable->io.failed; i++)
		cable_end_close(&cable->ends[i]);
	free(cable);
	close(options->socket);
	return error;
}
