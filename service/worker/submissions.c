// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * submissions.c - what the loop asks of the kernel, by its io_uring: for itself and for backends
 */
#include "worker/loop_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define SUBMISSIONS_MAX 256 /* entries of the submission queue; when it is full it is submitted early */
#define UNMASK_BATCH 1024   /* ... unmasked by one write: Linux's driver takes a page of them */
/* Of one queue in one turn: each watch is ended and set again, and all are ended when the queue has stopped. */
#define WATCHES_CHANGED_MAX (3 * BLKIF_LAYERS_MAX * XVHOST_WATCHES_MAX)
/* Operations that can be under way: those of requests, of packets, watches, waits for rates, writes that unmask, and what is read of ports, commands and
 * memory's bell. */
#define PORTS_MAX (LOOP_QUEUES_MAX + 2 * LOOP_NETS_MAX)
#define ASIDE_MAX                                                                                            \
	(2 * CONFIG_LOOP_REQUESTS_IN_FLIGHT + WATCHES_CHANGED_MAX * LOOP_QUEUES_MAX +                        \
	 (3 * NETIF_NUMBERS_MAX + 3 * XVHOST_WATCHES_MAX + 2) * LOOP_NETS_MAX +                              \
	 (PORTS_MAX + UNMASK_BATCH - 1) / UNMASK_BATCH + 3)

static_assert(LOOP_QUEUES_MAX <= UINT16_MAX && LOOP_NETS_MAX <= UINT16_MAX, "queue index in user_data");
static_assert(BLKIF_LAYERS_MAX <= 16, "layer in user_data");

/* ring_init - with the best flags that this kernel knows. Work that is deferred to the one who waits does not wake poll(). */
static int ring_init(struct io_uring *ring, bool wait_by_poll)
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
			/* Room for everything that can be under way; of waits that end early there may be more. */
			.cq_entries = CONFIG_LOOP_REQUESTS_IN_FLIGHT + 16,
		};

		error = io_uring_queue_init_params(SUBMISSIONS_MAX, ring, &parameters);
	}
	if (error < 0)
		log_error("can't make an io_uring: %s%s", strerror(-error),
			  error == -EPERM ? " (see the sysctl kernel.io_uring_disabled)" : "");
	return error;
}

int submissions_init(struct loop *loop)
{
	int error;

	loop->aside = calloc(ASIDE_MAX, sizeof(struct io_uring_sqe));
	if (!loop->aside)
		return -ENOMEM;
	error = ring_init(&loop->ring, loop->wait_by_poll);
	if (error < 0)
		free(loop->aside);
	return error;
}

void submissions_exit(struct loop *loop)
{
	io_uring_queue_exit(&loop->ring);
	free(loop->aside);
}

int submissions_register(struct loop *loop, struct iovec memory)
{
	int error = io_uring_register_buffers(&loop->ring, &memory, 1);

	if (error == 0)
		loop->registered = memory;
	return error;
}

/* ---- entries ---- */

/*
 * When no entry is left, what is there is submitted at once. The kernel may refuse that, for want
 * of memory or because completions are to be looked at first; then the entry is put aside until a later turn. A
 * request has one operation under way, and perhaps another one that ends it early, so there is room for all.
 */
struct io_uring_sqe *submissions_entry(struct loop *loop)
{
	struct io_uring_sqe *sqe = NULL;

	if (loop->aside_count == 0) {
		sqe = io_uring_get_sqe(&loop->ring);
		if (!sqe && io_uring_submit(&loop->ring) > 0)
			sqe = io_uring_get_sqe(&loop->ring);
	}
	if (sqe)
		return sqe;
	assert(loop->aside_count < ASIDE_MAX);
	loop->unsubmitted = true;
	return &loop->aside[(loop->aside_first + loop->aside_count++) % ASIDE_MAX];
}

/* fetch_aside - what was put aside goes before what comes, as far as there is room. */
static void fetch_aside(struct loop *loop)
{
	while (loop->aside_count > 0) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);

		if (!sqe)
			return;
		*sqe = loop->aside[loop->aside_first];
		loop->aside_first = (loop->aside_first + 1) % ASIDE_MAX;
		loop->aside_count--;
	}
}

/* ---- what the loop itself asks for ---- */

void submissions_read_ports(struct loop *loop)
{
	struct io_uring_sqe *sqe = submissions_entry(loop);

	io_uring_prep_read(sqe, loop->channels_fd, loop->ports, sizeof(loop->ports), 0);
	io_uring_sqe_set_data64(sqe, submissions_tag(COMPLETION_PORTS));
}

void submissions_read_command_bell(struct loop *loop)
{
	struct io_uring_sqe *sqe = submissions_entry(loop);

	io_uring_prep_read(sqe, loop->commands.fd, &loop->rung, sizeof(loop->rung), 0);
	io_uring_sqe_set_data64(sqe, submissions_tag(COMPLETION_COMMAND));
}

void submissions_read_memory_bell(struct loop *loop)
{
	struct io_uring_sqe *sqe = submissions_entry(loop);

	io_uring_prep_read(sqe, memory_bell(loop->turn.memory), &loop->memory_rung, sizeof(loop->memory_rung),
			   0);
	io_uring_sqe_set_data64(sqe, submissions_tag(COMPLETION_MEMORY));
}

/* write_unmask - one write for these ports. */
static void write_unmask(struct loop *loop, const uint32_t *ports, uint32_t count)
{
	struct io_uring_sqe *sqe = submissions_entry(loop);

	io_uring_prep_write(sqe, loop->channels_fd, ports, count * sizeof(ports[0]), 0);
	io_uring_sqe_set_data64(sqe, submissions_tag(COMPLETION_UNMASKED));
	/* Success needs no completion: it would wake the loop up for nothing. */
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
}

void submissions_unmask(struct loop *loop, uint32_t count)
{
	for (uint32_t first = 0; first < count; first += UNMASK_BATCH)
		write_unmask(loop, loop->unmask + first,
			     count - first < UNMASK_BATCH ? count - first : UNMASK_BATCH);
}

/* ---- what backends ask for ---- */

/* request_tag - user_data of what a backend asks for. */
static uint64_t request_tag(enum completion_type type, struct blkif_layer_request *request)
{
	uint64_t generation = blkif_slot_of(request)->generation & GENERATION_MASK;

	return submissions_tag(type) | (uint64_t)request->layer << 52 | generation << 32 |
	       (uint64_t)blkif_layer_of(request)->queue->index << 16 | request->slot;
}

/* loop_of_request - the loop that serves it, whose thread this is. */
static struct loop *loop_of_request(struct xvhost_request *seen)
{
	return loop_of(blkif_layer_of(blkif_of_seen(seen))->queue);
}

/* is_registered - does this memory lie in what is registered, in one piece? */
static bool is_registered(const struct loop *loop, const struct iovec *iov, uint32_t iov_count)
{
	const struct iovec *registered = &loop->registered;
	size_t at;

	if (iov_count != 1)
		return false;
	at = (uintptr_t)iov->iov_base - (uintptr_t)registered->iov_base;
	return at < registered->iov_len && iov->iov_len <= registered->iov_len - at;
}

/* request_sqe - an entry for a backend's I/O, whose completion finds the request again. */
static struct io_uring_sqe *request_sqe(struct xvhost_request *seen, enum completion_type type)
{
	struct blkif_layer_request *request = blkif_of_seen(seen);
	struct io_uring_sqe *sqe = submissions_entry(loop_of_request(seen));

	assert(request->submitted);
	io_uring_sqe_set_data64(sqe, request_tag(type, request));
	return sqe;
}

/* The prep functions clear what they do not set, but leave user_data alone. */
void loop_read(struct xvhost_request *request, int fd, const struct iovec *iov, uint32_t iov_count,
	       uint64_t offset)
{
	struct io_uring_sqe *sqe = request_sqe(request, COMPLETION_REQUEST);

	if (is_registered(loop_of_request(request), iov, iov_count))
		io_uring_prep_read_fixed(sqe, fd, iov->iov_base, (unsigned int)iov->iov_len, offset, 0);
	else if (iov_count == 1)
		io_uring_prep_read(sqe, fd, iov->iov_base, (unsigned int)iov->iov_len, offset);
	else
		io_uring_prep_readv(sqe, fd, iov, iov_count, offset);
}

void loop_write(struct xvhost_request *request, int fd, const struct iovec *iov, uint32_t iov_count,
		uint64_t offset)
{
	struct io_uring_sqe *sqe = request_sqe(request, COMPLETION_REQUEST);

	if (is_registered(loop_of_request(request), iov, iov_count))
		io_uring_prep_write_fixed(sqe, fd, iov->iov_base, (unsigned int)iov->iov_len, offset, 0);
	else if (iov_count == 1)
		io_uring_prep_write(sqe, fd, iov->iov_base, (unsigned int)iov->iov_len, offset);
	else
		io_uring_prep_writev(sqe, fd, iov, iov_count, offset);
}

void loop_sync(struct xvhost_request *request, int fd)
{
	io_uring_prep_fsync(request_sqe(request, COMPLETION_REQUEST), fd, IORING_FSYNC_DATASYNC);
}

void loop_fallocate(struct xvhost_request *request, int fd, int mode, uint64_t offset, uint64_t length)
{
	io_uring_prep_fallocate(request_sqe(request, COMPLETION_REQUEST), fd, mode, (off_t)offset,
				(off_t)length);
}

void loop_wait(struct xvhost_request *request, uint64_t nanoseconds)
{
	struct blkif_layer_request *mine = blkif_of_seen(request);
	struct blkif_queue *queue = blkif_layer_of(mine)->queue;
	struct __kernel_timespec *wait = &mine->wait;

	/* What is let go waits for nothing any more. */
	if (loop_of(queue)->served[queue->index].releasing)
		nanoseconds = 0;
	mine->waiting = true;
	*wait = submissions_time(nanoseconds);
	io_uring_prep_timeout(request_sqe(request, COMPLETION_WAIT), wait, 0, 0);
}

void submissions_end_wait(struct loop *loop, struct blkif_layer_request *request)
{
	submissions_end_timeout(loop, request_tag(COMPLETION_WAIT, request));
}

void submissions_end_timeout(struct loop *loop, uint64_t user_data)
{
	struct io_uring_sqe *sqe = submissions_entry(loop);

	io_uring_prep_timeout_remove(sqe, user_data, 0);
	io_uring_sqe_set_data64(sqe, submissions_tag(COMPLETION_WAIT_ENDED));
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
}

void submissions_cancel(struct loop *loop, uint64_t user_data)
{
	struct io_uring_sqe *sqe = submissions_entry(loop);

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
static void unset(struct loop *loop, struct blkif_watch *watch, uint64_t place)
{
	struct io_uring_sqe *sqe;

	if (watch->set_events == 0)
		return;
	sqe = submissions_entry(loop);
	io_uring_prep_poll_remove(sqe, watch_tag(watch, place));
	io_uring_sqe_set_data64(sqe, submissions_tag(COMPLETION_WATCH_ENDED));
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
	watch->set_events = 0;
}

static void set(struct loop *loop, struct blkif_watch *watch, uint64_t place)
{
	struct io_uring_sqe *sqe;

	if (watch->fd < 0 || watch->set_events == watch->events)
		return;
	sqe = submissions_entry(loop);
	watch->generation = ++loop->watches_set & GENERATION_MASK;
	watch->set_events = watch->events;
	io_uring_prep_poll_add(sqe, watch->fd, watch->events);
	io_uring_sqe_set_data64(sqe, watch_tag(watch, place));
}

void submissions_change_watches(struct loop *loop, struct blkif_watch *watches, uint64_t place)
{
	for (uint32_t index = 0; index < XVHOST_WATCHES_MAX; index++) {
		struct blkif_watch *watch = &watches[index];

		if (watch->ended || watch->events != watch->set_events)
			unset(loop, watch, place | index);
		watch->ended = false;
		set(loop, watch, place | index);
	}
}

void submissions_watch_nothing(struct loop *loop, struct blkif_watch *watches, uint64_t place)
{
	for (uint32_t index = 0; index < XVHOST_WATCHES_MAX; index++) {
		unset(loop, &watches[index], place | index);
		watches[index].fd = -1;
	}
}

/* ---- submit and wait ---- */

/* has_completions - io_uring has some, or has to be entered to find them. */
static bool has_completions(const struct loop *loop)
{
	return io_uring_cq_ready(&loop->ring) > 0 || __atomic_load_n(loop->ring.sq.kflags, __ATOMIC_RELAXED) &
							     (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

/* wait_outside - until there are completions; what is submitted already may bring them. */
static int wait_outside(struct loop *loop)
{
	struct pollfd polled = {.fd = loop->ring.ring_fd, .events = POLLIN};
	int submitted = io_uring_submit(&loop->ring);

	if (submitted < 0)
		return submitted;
	while (!has_completions(loop) && poll(&polled, 1, -1) < 0)
		if (errno != EINTR)
			return -errno;
	return io_uring_get_events(&loop->ring);
}

/* enter - hand what is in the submission queue to the kernel, if there is anything to do. */
static void enter(struct loop *loop, bool wait)
{
	int error;

	if (!wait && io_uring_sq_ready(&loop->ring) == 0 && !has_completions(loop))
		return;
	if (wait && loop->wait_by_poll)
		error = wait_outside(loop);
	else if (wait)
		error = io_uring_submit_and_wait(&loop->ring, 1);
	else
		error = io_uring_submit_and_get_events(&loop->ring);
	loop->unsubmitted = io_uring_sq_ready(&loop->ring) > 0;
	if (error < 0 && error != -EINTR && error != -EAGAIN && error != -EBUSY) {
		log_error("io_uring: %s", strerror(-error));
		loop->failed = true;
	}
}

void submissions_submit(struct loop *loop, bool wait)
{
	fetch_aside(loop);
	enter(loop, wait);
	if (loop->aside_count > 0)
		loop->unsubmitted = true;
}
