// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loop.c - the thread that serves rings
 */
#include "worker/loop.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "worker/mailbox.h"

#define SUBMISSIONS_MAX 256 /* entries of the submission queue; when it is full it is submitted early */
#define COMPLETIONS_BATCH 8 /* completions looked at by one turn; the frontend can go on after each batch */
#define PORTS_BATCH 64	    /* event channels taken by one read */
#define UNMASK_BATCH 1024   /* ... unmasked by one write: Linux's driver takes a page of them */
#define GENERATION_MASK 0xfffffu
/* Operations that can be under way: those of requests, writes that unmask, and what is read of ports, commands and memory's bell. */
#define ASIDE_MAX                                                                                            \
	(2 * CONFIG_LOOP_REQUESTS_IN_FLIGHT + (LOOP_QUEUES_MAX + UNMASK_BATCH - 1) / UNMASK_BATCH + 3)

/* What a completion is for: the top 8 bits of its user_data. One switch in reap() knows them all. */
enum completion_type {
	COMPLETION_PORTS = 1, /* the event channels' descriptor was read */
	COMPLETION_UNMASKED,  /* ... could not be written */
	COMPLETION_COMMAND,   /* the mailbox of commands was rung */
	COMPLETION_REQUEST, /* a backend's I/O: 4 bits layer, 20 bits generation, 16 bits queue, 16 bits slot */
	COMPLETION_WAIT,    /* a backend's time has passed; the same */
	COMPLETION_MEMORY,     /* memory's bell was rung */
	COMPLETION_WAIT_ENDED, /* a wait could not be ended early */
};

enum command_type {
	COMMAND_SERVE = 1,
	COMMAND_RELEASE,
	COMMAND_END,
};

/* A place in the table of queues. */
struct served {
	struct blkif_queue *queue; /* NULL: free */
	uint32_t port;
	bool releasing;
	bool broken_told; /* LOOP_BROKEN was sent, or LOOP_NOT_STARTED */
	bool masked;	  /* the port may have been pending and was not unmasked since */
};

struct loop {
	struct blkif_turn turn; /* first: a queue finds its loop by it */
	const struct platform *platform;
	struct event_channels *channels;
	int channels_fd;
	struct io_uring ring;
	struct served served[LOOP_QUEUES_MAX];
	uint32_t served_end; /* no place is used from here on */

	uint32_t ports[PORTS_BATCH];	  /* where pending ports are read to */
	uint32_t unmask[LOOP_QUEUES_MAX]; /* what is being written to unmask */
	uint64_t rung;			  /* where the mailbox's eventfd is read to */
	uint64_t memory_rung;		  /* where memory's is */
	bool ending, failed;
	bool wait_by_poll;
	bool unsubmitted;	    /* the kernel has not taken all that was prepared */
	struct io_uring_sqe *aside; /* ASIDE_MAX of them, prepared while the submission queue was full */
	uint32_t aside_first, aside_count;
	uint32_t first; /* the place that is looked at first, another one each turn */
	struct log_limit limit;

	struct mailbox commands, events;
	pthread_t thread;
	sem_t started;
	int start_error;
};

static_assert(offsetof(struct loop, turn) == 0, "loop_of");
static_assert(LOOP_QUEUES_MAX <= UINT16_MAX, "queue index in user_data");
static_assert(LOOP_QUEUES_MAX <= CONFIG_LOOP_REQUESTS_IN_FLIGHT, "each queue can have a request under way");
static_assert(LOOP_QUEUES_MAX <= CONFIG_LOOP_GRANTS_MAPPED, "each queue can have a request under way");
static_assert(BLKIF_LAYERS_MAX <= 16, "layer in user_data");

static struct loop *loop_of(struct blkif_queue *queue)
{
	return (struct loop *)queue->turn;
}

/* ---- io_uring ---- */

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

/*
 * next_sqe - a submission entry. When none is left, what is there is submitted at once. The kernel may refuse that, for want
 * of memory or because completions are to be looked at first; then the entry is put aside until a later turn. A
 * request has one operation under way, and perhaps another one that ends it early, so there is room for all.
 */
static struct io_uring_sqe *next_sqe(struct loop *loop)
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

/* tag - user_data of a completion that is for the loop itself. */
static uint64_t tag(enum completion_type type)
{
	return (uint64_t)type << 56;
}

/* request_tag - the same of one for a request. */
static uint64_t request_tag(enum completion_type type, struct blkif_layer_request *request)
{
	uint64_t generation = blkif_slot_of(request)->generation & GENERATION_MASK;

	return tag(type) | (uint64_t)request->layer << 52 | generation << 32 |
	       (uint64_t)blkif_layer_of(request)->queue->index << 16 | request->slot;
}

static void read_ports(struct loop *loop)
{
	struct io_uring_sqe *sqe = next_sqe(loop);

	io_uring_prep_read(sqe, loop->channels_fd, loop->ports, sizeof(loop->ports), 0);
	io_uring_sqe_set_data64(sqe, tag(COMPLETION_PORTS));
}

static void read_command_bell(struct loop *loop)
{
	struct io_uring_sqe *sqe = next_sqe(loop);

	io_uring_prep_read(sqe, loop->commands.fd, &loop->rung, sizeof(loop->rung), 0);
	io_uring_sqe_set_data64(sqe, tag(COMPLETION_COMMAND));
}

static void read_memory_bell(struct loop *loop)
{
	struct io_uring_sqe *sqe = next_sqe(loop);

	io_uring_prep_read(sqe, memory_bell(loop->turn.memory), &loop->memory_rung, sizeof(loop->memory_rung),
			   0);
	io_uring_sqe_set_data64(sqe, tag(COMPLETION_MEMORY));
}

/* request_sqe - an entry for a backend's I/O, whose completion finds the request again. */
static struct io_uring_sqe *request_sqe(struct xvhost_request *seen, enum completion_type type)
{
	struct blkif_layer_request *request = blkif_of_seen(seen);
	struct io_uring_sqe *sqe = next_sqe(loop_of(blkif_layer_of(request)->queue));

	assert(request->submitted);
	io_uring_sqe_set_data64(sqe, request_tag(type, request));
	return sqe;
}

/* The prep functions clear what they do not set, but leave user_data alone. */
void loop_read(struct xvhost_request *request, int fd, const struct iovec *iov, uint32_t iov_count,
	       uint64_t offset)
{
	struct io_uring_sqe *sqe = request_sqe(request, COMPLETION_REQUEST);

	if (iov_count == 1)
		io_uring_prep_read(sqe, fd, iov->iov_base, (unsigned int)iov->iov_len, offset);
	else
		io_uring_prep_readv(sqe, fd, iov, iov_count, offset);
}

void loop_write(struct xvhost_request *request, int fd, const struct iovec *iov, uint32_t iov_count,
		uint64_t offset)
{
	struct io_uring_sqe *sqe = request_sqe(request, COMPLETION_REQUEST);

	if (iov_count == 1)
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
	wait->tv_sec = (int64_t)(nanoseconds / 1000000000);
	wait->tv_nsec = (long long)(nanoseconds % 1000000000);
	io_uring_prep_timeout(request_sqe(request, COMPLETION_WAIT), wait, 0, 0);
}

/* ---- commands and events ---- */

static void tell(struct loop *loop, enum loop_event_type type, struct blkif_queue *queue, int error)
{
	mailbox_put(&loop->events, (struct mailbox_message){.type = type, .queue = queue, .error = error});
}

static void serve(struct loop *loop, struct blkif_queue *queue, uint32_t port)
{
	uint32_t place = 0;
	int error;

	while (place < LOOP_QUEUES_MAX && loop->served[place].queue)
		place++;
	assert(place < LOOP_QUEUES_MAX);
	/* Xen makes a port pending when it is bound. We may have read that before, as of a port that nobody
	 * serves. */
	loop->served[place] = (struct served){.queue = queue, .port = port, .masked = true};
	if (place >= loop->served_end)
		loop->served_end = place + 1;
	queue->index = (uint16_t)place;
	queue->turn = &loop->turn;
	error = blkif_queue_start(queue);
	if (error < 0) {
		queue->broken = true;
		loop->served[place].broken_told = true;
		tell(loop, LOOP_NOT_STARTED, queue, error);
		return;
	}
	/*
	 * Requests may have come before we were there. And a worker that served the ring before us may have
	 * shown responses without notifying of them.
	 */
	queue->ready = true;
	queue->counters.notifications++;
	loop->platform->event_channels_notify(loop->channels, port);
}

/* end_wait - before its time. The backend gets the result as ever, by COMPLETION_WAIT. */
static void end_wait(struct loop *loop, struct blkif_layer_request *request)
{
	struct io_uring_sqe *sqe = next_sqe(loop);

	io_uring_prep_timeout_remove(sqe, request_tag(COMPLETION_WAIT, request), 0);
	io_uring_sqe_set_data64(sqe, tag(COMPLETION_WAIT_ENDED));
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
}

/*
 * release - nothing more is taken, and what was taken is to be answered soon: a wrapper may have made it wait for a
 * minute, and whoever disconnects the disk has less patience.
 */
static void release(struct loop *loop, struct blkif_queue *queue)
{
	struct served *served = &loop->served[queue->index];

	assert(served->queue == queue);
	served->releasing = true;
	for (uint32_t i = 0; i < queue->layer_count; i++)
		queue->layers[i].seen.flags |= XVHOST_QUEUE_STOPPING;
	for (uint32_t i = 0; i < queue->ring.size; i++)
		for (struct blkif_layer_request *request = &queue->slots[i].request; request;
		     request = request->inner)
			if (request->waiting)
				end_wait(loop, request);
}

static void run_commands(struct loop *loop)
{
	struct mailbox_message command;

	while (mailbox_take(&loop->commands, &command)) {
		switch ((enum command_type)command.type) {
		case COMMAND_SERVE:
			serve(loop, command.queue, command.port);
			break;
		case COMMAND_RELEASE:
			release(loop, command.queue);
			break;
		case COMMAND_END:
			loop->ending = true;
			break;
		}
	}
}

/* ---- a turn ---- */

/* ports_pending - the queues of these ports have something to do. */
static void ports_pending(struct loop *loop, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		for (uint32_t place = 0; place < loop->served_end; place++) {
			struct served *served = &loop->served[place];

			if (!served->queue || served->port != loop->ports[i])
				continue;
			served->queue->ready = true;
			served->queue->counters.events++;
			served->masked = true;
			break;
		}
	}
}

/* request_done - what a backend started for a request has its result. */
static void request_done(struct loop *loop, uint64_t data, int32_t result)
{
	uint32_t queue_index = data >> 16 & 0xffff, slot_index = data & 0xffff, layer = data >> 52 & 0xf;
	struct blkif_queue *queue;
	struct blkif_layer_request *request;
	struct blkif_slot *slot;

	assert(queue_index < loop->served_end);
	queue = loop->served[queue_index].queue;
	/* A queue is released after its last request, so a completion never comes too late. */
	assert(queue && slot_index < queue->ring.size);
	slot = &queue->slots[slot_index];
	request = &slot->request;
	for (; layer > 0; layer--)
		request = request->inner;
	assert(request->submitted && (slot->generation & GENERATION_MASK) == (data >> 32 & GENERATION_MASK));
	request->waiting = false;
	blkif_layer_of(request)->backend->io_done(&request->seen, result);
}

static void complete_one(struct loop *loop, uint64_t data, int32_t result)
{
	switch ((enum completion_type)(data >> 56)) {
	case COMPLETION_PORTS:
		if (result < 0) {
			log_error("can't read event channels: %s", strerror(-result));
			loop->failed = true;
			break;
		}
		ports_pending(loop, (uint32_t)result / sizeof(loop->ports[0]));
		read_ports(loop);
		break;
	case COMPLETION_UNMASKED:
		log_limited(&loop->limit, LOG_LEVEL_ERROR, "can't unmask event channels: %s",
			    result < 0 ? strerror(-result) : "written in part");
		/* To unmask what is not masked does nothing, so all are tried again. */
		for (uint32_t place = 0; place < loop->served_end; place++)
			loop->served[place].masked = true;
		break;
	case COMPLETION_COMMAND:
		run_commands(loop);
		read_command_bell(loop);
		break;
	case COMPLETION_MEMORY:
		memory_attend(loop->turn.memory);
		read_memory_bell(loop);
		break;
	case COMPLETION_REQUEST:
		request_done(loop, data, result);
		break;
	case COMPLETION_WAIT:
		request_done(loop, data, result == -ETIME || result == -ECANCELED ? 0 : result);
		break;
	case COMPLETION_WAIT_ENDED:
		/* Its time may have passed just now. */
		if (result != -ENOENT && result != -EALREADY)
			log_limited(&loop->limit, LOG_LEVEL_ERROR, "can't end a wait: %s", strerror(-result));
		break;
	}
}

/* reap - look at what io_uring has completed. What a batch does not hold stays for the next turn, which then
 * does not wait. */
static void reap(struct loop *loop)
{
	struct io_uring_cqe *cqes[COMPLETIONS_BATCH];
	struct {
		uint64_t data;
		int32_t result;
	} done[COMPLETIONS_BATCH];
	unsigned int count = io_uring_peek_batch_cqe(&loop->ring, cqes, COMPLETIONS_BATCH);

	/* The entries are given back first: what is done with them may add new ones. */
	for (unsigned int i = 0; i < count; i++) {
		done[i].data = cqes[i]->user_data;
		done[i].result = cqes[i]->res;
	}
	io_uring_cq_advance(&loop->ring, count);
	for (unsigned int i = 0; i < count; i++)
		complete_one(loop, done[i].data, done[i].result);
}

/*
 * take_requests - from each queue that may have some: those known to be ready, and those whose frontend was not asked to
 * notify of the next. When not all can be taken, each queue is the first in its turn; a turn that takes nothing
 * does not count.
 */
static void take_requests(struct loop *loop)
{
	uint32_t before = loop->turn.requests.used;

	for (uint32_t i = 0; i < loop->served_end; i++) {
		struct served *served = &loop->served[(loop->first + i) % loop->served_end];

		if (!served->queue || (!served->queue->ready && served->queue->asked))
			continue;
		if (served->releasing)
			served->queue->ready = false;
		else
			served->queue->ready = blkif_take(served->queue, served->queue->requests_per_turn);
	}
	if (loop->turn.requests.used > before)
		loop->first = loop->first + 1 < loop->served_end ? loop->first + 1 : 0;
}

/* publish_responses - show them; notify each frontend that asked for it, once. */
static void publish_responses(struct loop *loop)
{
	for (uint32_t place = 0; place < loop->served_end; place++) {
		struct served *served = &loop->served[place];

		if (served->queue && blkif_publish(served->queue))
			loop->platform->event_channels_notify(loop->channels, served->port);
	}
}

/* leave - the queue has been drained: it is the control thread's again. */
static void leave(struct loop *loop, struct served *served)
{
	struct blkif_queue *queue = served->queue;

	blkif_queue_stop(queue);
	served->queue = NULL;
	tell(loop, LOOP_RELEASED, queue, 0);
}

/* look_after_queues - broken ones, and those that are to be released and have no request left. */
static void look_after_queues(struct loop *loop)
{
	for (uint32_t place = 0; place < loop->served_end; place++) {
		struct served *served = &loop->served[place];

		if (!served->queue)
			continue;
		if (served->queue->broken && !served->broken_told) {
			served->broken_told = true;
			tell(loop, LOOP_BROKEN, served->queue, 0);
		}
		if (served->releasing && served->queue->in_flight == 0)
			leave(loop, served);
	}
}

/* write_unmask - one write for these ports. */
static void write_unmask(struct loop *loop, const uint32_t *ports, uint32_t count)
{
	struct io_uring_sqe *sqe = next_sqe(loop);

	io_uring_prep_write(sqe, loop->channels_fd, ports, count * sizeof(ports[0]), 0);
	io_uring_sqe_set_data64(sqe, tag(COMPLETION_UNMASKED));
	/* Success needs no completion: it would wake the loop up for nothing. */
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
}

/*
 * unmask_ports - all ports whose queues have been emptied, mostly by one write. A broken queue's port stays masked.
 * The descriptor does not block, so the write is over when the next turn's submission has taken it, and `unmask`
 * can be filled anew.
 */
static void unmask_ports(struct loop *loop)
{
	uint32_t count = 0;

	if (loop->unsubmitted)
		return;
	for (uint32_t place = 0; place < loop->served_end; place++) {
		struct served *served = &loop->served[place];

		if (!served->queue || !served->masked || served->queue->ready || served->queue->broken)
			continue;
		served->masked = false;
		loop->unmask[count++] = served->port;
	}
	for (uint32_t first = 0; first < count; first += UNMASK_BATCH)
		write_unmask(loop, loop->unmask + first,
			     count - first < UNMASK_BATCH ? count - first : UNMASK_BATCH);
}

/*
 * can_wait - nothing is left to do until io_uring completes something. Only now the frontends are asked to notify of
 * what comes next: while the loop was at work it looked by itself.
 */
static bool can_wait(struct loop *loop)
{
	bool more = false;

	if (loop->unsubmitted)
		return false;
	for (uint32_t place = 0; place < loop->served_end; place++)
		if (loop->served[place].queue && loop->served[place].queue->ready)
			return false;
	for (uint32_t place = 0; place < loop->served_end; place++) {
		struct served *served = &loop->served[place];

		if (!served->queue || served->releasing || !blkif_ask(served->queue))
			continue;
		served->queue->ready = true;
		more = true;
	}
	return !more;
}

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

/* submit_and_wait - the one place that waits. */
static void submit_and_wait(struct loop *loop, bool wait)
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

static void turn(struct loop *loop, bool wait)
{
	fetch_aside(loop);
	submit_and_wait(loop, wait);
	if (loop->aside_count > 0)
		loop->unsubmitted = true;
	reap(loop);
	take_requests(loop);
	do {
		blkif_start(&loop->turn);
		blkif_finish(&loop->turn);
		/* A barrier that waited for the last of the others begins at once. */
	} while (loop->turn.taken.first || loop->turn.completed.first);
	publish_responses(loop);
	look_after_queues(loop);
	unmask_ports(loop);
}

static void *loop_main(void *argument)
{
	struct loop *loop = argument;

	/* Made here, since it belongs to the thread that uses it. */
	loop->start_error = ring_init(&loop->ring, loop->wait_by_poll);
	sem_post(&loop->started);
	if (loop->start_error < 0)
		return NULL;
	read_ports(loop);
	read_command_bell(loop);
	read_memory_bell(loop);
	while (!loop->ending && !loop->failed)
		turn(loop, can_wait(loop));
	io_uring_queue_exit(&loop->ring);
	if (loop->failed)
		tell(loop, LOOP_FAILED, NULL, 0);
	return NULL;
}

/* ---- the control thread's side ---- */

int loop_create(const struct platform *platform, struct event_channels *channels, struct memory *memory,
		bool wait_by_poll, struct loop **created)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int error = -ENOMEM;

	if (!loop)
		return -ENOMEM;
	loop->platform = platform;
	loop->channels = channels;
	loop->wait_by_poll = wait_by_poll;
	loop->channels_fd = platform->event_channels_fd(channels);
	loop->turn.memory = memory;
	blkif_stock_init(&loop->turn.requests, CONFIG_LOOP_REQUESTS_IN_FLIGHT, LOOP_QUEUES_MAX);
	blkif_stock_init(&loop->turn.grants, CONFIG_LOOP_GRANTS_MAPPED, LOOP_QUEUES_MAX);
	loop->turn.mappings = calloc(CONFIG_LOOP_REQUESTS_IN_FLIGHT, sizeof(struct memory_mapping *));
	loop->turn.gone = calloc(CONFIG_LOOP_REQUESTS_IN_FLIGHT, sizeof(struct memory_mapping *));
	loop->aside = calloc(ASIDE_MAX, sizeof(struct io_uring_sqe));
	if (!loop->turn.mappings || !loop->turn.gone || !loop->aside)
		goto fail_memory;
	error = mailbox_init(&loop->commands);
	if (error < 0)
		goto fail_memory;
	error = mailbox_init(&loop->events);
	if (error < 0)
		goto fail_commands;
	sem_init(&loop->started, 0, 0);
	error = -pthread_create(&loop->thread, NULL, loop_main, loop);
	if (error < 0)
		goto fail_events;
	while (sem_wait(&loop->started) < 0)
		;
	error = loop->start_error;
	if (error < 0) {
		pthread_join(loop->thread, NULL);
		goto fail_events;
	}
	*created = loop;
	return 0;

fail_events:
	sem_destroy(&loop->started);
	mailbox_destroy(&loop->events);
fail_commands:
	mailbox_destroy(&loop->commands);
fail_memory:
	free(loop->aside);
	free(loop->turn.gone);
	free(loop->turn.mappings);
	free(loop);
	return error;
}

void loop_destroy(struct loop *loop)
{
	mailbox_put(&loop->commands, (struct mailbox_message){.type = COMMAND_END});
	pthread_join(loop->thread, NULL);
	sem_destroy(&loop->started);
	mailbox_destroy(&loop->events);
	mailbox_destroy(&loop->commands);
	free(loop->aside);
	free(loop->turn.gone);
	free(loop->turn.mappings);
	free(loop);
}

void loop_serve(struct loop *loop, struct blkif_queue *queue, uint32_t port)
{
	mailbox_put(&loop->commands,
		    (struct mailbox_message){.type = COMMAND_SERVE, .queue = queue, .port = port});
}

void loop_release(struct loop *loop, struct blkif_queue *queue)
{
	mailbox_put(&loop->commands, (struct mailbox_message){.type = COMMAND_RELEASE, .queue = queue});
}

int loop_event_fd(const struct loop *loop)
{
	return loop->events.fd;
}

bool loop_next_event(struct loop *loop, struct loop_event *event)
{
	struct mailbox_message message;

	if (!mailbox_take(&loop->events, &message))
		return false;
	event->type = (enum loop_event_type)message.type;
	event->queue = message.queue;
	event->error = message.error;
	return true;
}
