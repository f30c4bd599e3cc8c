// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * submissions.c - an io_uring: what is asked of the kernel by it, and the place that waits
 */
#include "worker/submissions.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define SUBMISSIONS_MAX 256 /* entries of the submission queue; when it is full it is submitted early */
/* ring_init - with the best flags that this kernel knows. Work that is deferred to the one who waits does not wake poll(). */
static int ring_init(struct io_uring *ring, uint32_t completions, bool wait_by_poll)
{
	static const unsigned int flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		0,
	};
	int error = -EINVAL;

	for (size_t i = wait_by_poll ? 1 : 0; i < sizeof(flags) / sizeof(flags[0]) && error == -EINVAL; i++) {
		struct io_uring_params parameters = {
			.flags = flags[i] | IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL,
			/* Linux wants at least as many as there are entries to submit. */
			.cq_entries = completions > SUBMISSIONS_MAX ? completions : SUBMISSIONS_MAX,
		};

		error = io_uring_queue_init_params(SUBMISSIONS_MAX, ring, &parameters);
	}
	if (error < 0)
		log_error("can't make an io_uring: %s%s", strerror(-error),
			  error == -EPERM ? " (see the sysctl kernel.io_uring_disabled)" : "");
	return error;
}

int submissions_init(struct submissions *io, uint32_t operations, uint32_t completions)
{
	int error;

	io->aside_max = operations;
	io->aside = calloc(operations, sizeof(struct io_uring_sqe));
	if (!io->aside)
		return -ENOMEM;
	error = ring_init(&io->ring, completions, io->wait_by_poll);
	if (error < 0)
		free(io->aside);
	return error;
}

void submissions_exit(struct submissions *io)
{
	io_uring_queue_exit(&io->ring);
	free(io->aside);
}

/* ---- entries ---- */

/*
 * When no entry is left, what is there is submitted at once. The kernel may refuse that, for want
 * of memory or because completions are to be looked at first; then the entry is put aside until a later turn. A
 * request has one operation under way, and perhaps another one that ends it early, so there is room for all.
 */
struct io_uring_sqe *submissions_entry(struct submissions *io)
{
	struct io_uring_sqe *sqe = NULL;

	if (io->aside_count == 0) {
		sqe = io_uring_get_sqe(&io->ring);
		if (!sqe && io_uring_submit(&io->ring) > 0)
			sqe = io_uring_get_sqe(&io->ring);
	}
	if (sqe)
		return sqe;
	assert(io->aside_count < io->aside_max);
	io->unsubmitted = true;
	return &io->aside[(io->aside_first + io->aside_count++) % io->aside_max];
}

/* fetch_aside - what was put aside goes before what comes, as far as there is room. */
static void fetch_aside(struct submissions *io)
{
	while (io->aside_count > 0) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&io->ring);

		if (!sqe)
			return;
		*sqe = io->aside[io->aside_first];
		io->aside_first = (io->aside_first + 1) % io->aside_max;
		io->aside_count--;
	}
}

void submissions_prepare_read(struct io_uring_sqe *sqe, int fd, const struct iovec *iov, uint32_t iov_count)
{
	if (iov_count == 1)
		io_uring_prep_read(sqe, fd, iov->iov_base, (unsigned int)iov->iov_len, 0);
	else
		io_uring_prep_readv(sqe, fd, iov, iov_count, 0);
}

void submissions_prepare_write(struct io_uring_sqe *sqe, int fd, const struct iovec *iov, uint32_t iov_count)
{
	if (iov_count == 1)
		io_uring_prep_write(sqe, fd, iov->iov_base, (unsigned int)iov->iov_len, 0);
	else
		io_uring_prep_writev(sqe, fd, iov, iov_count, 0);
}

void submissions_end_timeout(struct submissions *io, uint64_t user_data)
{
	struct io_uring_sqe *sqe = submissions_entry(io);

	io_uring_prep_timeout_remove(sqe, user_data, 0);
	io_uring_sqe_set_data64(sqe, submissions_tag(COMPLETION_WAIT_ENDED));
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
}

void submissions_cancel(struct submissions *io, uint64_t user_data)
{
	struct io_uring_sqe *sqe = submissions_entry(io);

	io_uring_prep_cancel64(sqe, user_data, 0);
	io_uring_sqe_set_data64(sqe, submissions_tag(COMPLETION_WAIT_ENDED));
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
}

/* ---- what backends watch ---- */

void submissions_watch(struct blkif_watch *watch, int fd, uint32_t events)
{
	watch->ended |= fd < 0 || fd != watch->fd;
	watch->fd = fd;
	watch->events = events | POLLERR | POLLHUP;
}

static uint64_t watch_tag(const struct blkif_watch *watch, uint64_t place)
{
	return place | (uint64_t)watch->generation << 32;
}

/* unset - take back what the kernel has been asked for. Its completion may be there already; it is known by its generation. */
static void unset(struct submissions *io, struct blkif_watch *watch, uint64_t place)
{
	struct io_uring_sqe *sqe;

	if (watch->set_events == 0)
		return;
	sqe = submissions_entry(io);
	io_uring_prep_poll_remove(sqe, watch_tag(watch, place));
	io_uring_sqe_set_data64(sqe, submissions_tag(COMPLETION_WATCH_ENDED));
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
	watch->set_events = 0;
}

static void set(struct submissions *io, struct blkif_watch *watch, uint64_t place)
{
	struct io_uring_sqe *sqe;

	if (watch->fd < 0 || watch->set_events == watch->events)
		return;
	sqe = submissions_entry(io);
	watch->generation = ++io->watches_set & GENERATION_MASK;
	watch->set_events = watch->events;
	io_uring_prep_poll_add(sqe, watch->fd, watch->events);
	io_uring_sqe_set_data64(sqe, watch_tag(watch, place));
}

void submissions_change_watches(struct submissions *io, struct blkif_watch *watches, uint64_t place)
{
	for (uint32_t index = 0; index < XVHOST_WATCHES_MAX; index++) {
		struct blkif_watch *watch = &watches[index];

		if (watch->ended || watch->events != watch->set_events)
			unset(io, watch, place | index);
		watch->ended = false;
		set(io, watch, place | index);
	}
}

bool submissions_watch_done(struct blkif_watch *watch, uint64_t user_data)
{
	if (watch->set_events == 0 || watch->generation != submissions_generation(user_data))
		return false;
	watch->set_events = 0;
	if (watch->ended)
		return false;
	watch->fd = -1;
	return true;
}

void submissions_watch_nothing(struct submissions *io, struct blkif_watch *watches, uint64_t place)
{
	for (uint32_t index = 0; index < XVHOST_WATCHES_MAX; index++) {
		unset(io, &watches[index], place | index);
		watches[index].fd = -1;
	}
}

/* ---- submit, wait, reap ---- */

/* has_completions - io_uring has some, or has to be entered to find them. */
static bool has_completions(const struct submissions *io)
{
	return io_uring_cq_ready(&io->ring) > 0 || __atomic_load_n(io->ring.sq.kflags, __ATOMIC_RELAXED) &
							   (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

/* wait_outside - until there are completions; what is submitted already may bring them. */
static int wait_outside(struct submissions *io)
{
	struct pollfd polled = {.fd = io->ring.ring_fd, .events = POLLIN};
	int submitted = io_uring_submit(&io->ring);

	if (submitted < 0)
		return submitted;
	while (!has_completions(io) && poll(&polled, 1, -1) < 0)
		if (errno != EINTR)
			return -errno;
	return io_uring_get_events(&io->ring);
}

/* enter - hand what is in the submission queue to the kernel, if there is anything to do. */
static void enter(struct submissions *io, bool wait)
{
	int error;

	if (!wait && io_uring_sq_ready(&io->ring) == 0 && !has_completions(io))
		return;
	if (wait && io->wait_by_poll)
		error = wait_outside(io);
	else if (wait)
		error = io_uring_submit_and_wait(&io->ring, 1);
	else
		error = io_uring_submit_and_get_events(&io->ring);
	io->unsubmitted = io_uring_sq_ready(&io->ring) > 0;
	if (error < 0 && error != -EINTR && error != -EAGAIN && error != -EBUSY) {
		log_error("io_uring: %s", strerror(-error));
		io->failed = true;
	}
}

void submissions_submit(struct submissions *io, bool wait)
{
	fetch_aside(io);
	enter(io, wait);
	if (io->aside_count > 0)
		io->unsubmitted = true;
}

/* The entries are given back at once: what is done with them may add new ones. */
uint32_t submissions_reap(struct submissions *io, struct submissions_done *done, uint32_t most)
{
	struct io_uring_cqe *cqes[SUBMISSIONS_DONE_MAX];
	uint32_t count = io_uring_peek_batch_cqe(&io->ring, cqes,
						 most < SUBMISSIONS_DONE_MAX ? most : SUBMISSIONS_DONE_MAX);

	for (uint32_t i = 0; i < count; i++)
		done[i] = (struct submissions_done){cqes[i]->user_data, cqes[i]->res};
	io_uring_cq_advance(&io->ring, count);
	return count;
}
