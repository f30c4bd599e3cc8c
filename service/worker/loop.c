// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loop.c - the thread that serves rings
 */
#include "worker/loop_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Looked at by one turn; the frontend can go on after each. With cards more of them, or what the guest has sent at once could not be
 * answered at once.
 */
#define COMPLETIONS_MAX (CONFIG_LOOP_REQUESTS_PER_TURN + 2 * NETIF_PACKETS_PER_TURN)

static_assert(COMPLETIONS_MAX <= SUBMISSIONS_DONE_MAX, "taken at once");
static_assert(LOOP_QUEUES_MAX <= CONFIG_LOOP_REQUESTS_IN_FLIGHT, "each queue can have a request under way");
static_assert(LOOP_QUEUES_MAX <= CONFIG_LOOP_GRANTS_MAPPED, "each queue can have a request under way");

/* ---- commands and events ---- */

void loop_tell(struct loop *loop, struct mailbox_message message)
{
	mailbox_put(&loop->events, message);
}

static void tell(struct loop *loop, enum loop_event_type type, struct blkif_queue *queue, int error)
{
	loop_tell(loop, (struct mailbox_message){.type = type, .queue = queue, .error = error});
}

/*
 * register_memory - with the first queue whose requests are carried out in memory of ours. Not before, since what is registered is
 * pinned.
 */
static void register_memory(struct loop *loop, const struct blkif_queue *queue)
{
	const struct iovec memory = memory_to_register(loop->turn.memory);
	int error;

	if (loop->registered_tried || !queue->direct || !queue->cached || memory.iov_len == 0)
		return;
	loop->registered_tried = true;
	error = submissions_register(loop, memory);
	if (error < 0)
		log_warning(
			"%s: direct I/O costs more than it must: can't register %zu KiB with io_uring: %s%s",
			queue->name, memory.iov_len / 1024, strerror(-error),
			error == -ENOMEM ? " (see RLIMIT_MEMLOCK)" : "");
	else
		log_info("%s: direct I/O by %zu KiB that are registered with io_uring", queue->name,
			 memory.iov_len / 1024);
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
	register_memory(loop, queue);
	/*
	 * Requests may have come before we were there. And a worker that served the ring before us may have
	 * shown responses without notifying of them.
	 */
	queue->ready = true;
	queue->counters.notifications++;
	loop->platform->event_channels_notify(loop->channels, port);
}

/* tell_watches - the queue is to stop. What a backend waits for may never come. */
static void tell_watches(struct blkif_queue *queue)
{
	for (uint32_t i = 0; i < queue->layer_count; i++) {
		struct blkif_layer *layer = &queue->layers[i];

		for (uint32_t index = 0; index < XVHOST_WATCHES_MAX; index++)
			if (layer->watches[index].fd >= 0)
				layer->backend->ready(&layer->seen, index, 0);
	}
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
				submissions_end_wait(loop, request);
	tell_watches(queue);
}

static void run_commands(struct loop *loop)
{
	struct mailbox_message command;

	while (mailbox_take(&loop->commands, &command)) {
		switch ((enum loop_command)command.type) {
		case COMMAND_SERVE:
			serve(loop, command.queue, command.port);
			break;
		case COMMAND_RELEASE:
			release(loop, command.queue);
			break;
		case COMMAND_NET_SERVE:
		case COMMAND_NET_RELEASE:
		case COMMAND_NET_SET:
			loop_nets_command(loop, (enum loop_command)command.type, command.net);
			break;
		case COMMAND_END:
			loop->ending = true;
			break;
		}
	}
}

/* ---- what backends watch ---- */

void loop_watch(struct xvhost_queue *seen, uint32_t index, int fd, uint32_t events)
{
	struct blkif_layer *layer = (struct blkif_layer *)seen;

	assert(index < XVHOST_WATCHES_MAX && layer->backend->ready);
	submissions_watch(&layer->watches[index], fd, events);
	layer->queue->watching = true;
}

/* watch_place - of a layer's watches: see submissions_change_watches. */
static uint64_t watch_place(const struct blkif_queue *queue, uint32_t layer)
{
	return submissions_tag(COMPLETION_WATCH) | (uint64_t)layer << 52 | (uint64_t)queue->index << 16;
}

static void change_watches(struct loop *loop, struct blkif_queue *queue)
{
	queue->watching = false;
	for (uint32_t i = 0; i < queue->layer_count; i++)
		submissions_change_watches(&loop->io, queue->layers[i].watches, watch_place(queue, i));
}

/* ---- a turn ---- */

/* ports_pending - the queues of these ports have something to do. */
static void ports_pending(struct loop *loop, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t place = 0;

		while (place < loop->served_end &&
		       (!loop->served[place].queue || loop->served[place].port != loop->ports[i]))
			place++;
		if (place == loop->served_end) {
			loop_nets_port(loop, loop->ports[i]);
			continue;
		}
		loop->served[place].queue->ready = true;
		loop->served[place].queue->counters.events++;
		loop->served[place].masked = true;
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
	assert(request->submitted && (slot->generation & GENERATION_MASK) == submissions_generation(data));
	request->waiting = false;
	blkif_layer_of(request)->backend->io_done(&request->seen, result);
}

/* watch_done - tell the backend, unless it does not watch this any more or its queue is gone. */
static void watch_done(struct loop *loop, uint64_t data, int32_t result)
{
	uint32_t index = data & 0xffff, layer_index = data >> 52 & 0xf;
	struct blkif_queue *queue = loop->served[data >> 16 & 0xffff].queue;
	struct blkif_layer *layer;

	if (!queue || layer_index >= queue->layer_count)
		return;
	layer = &queue->layers[layer_index];
	if (submissions_watch_done(&layer->watches[index], data))
		layer->backend->ready(&layer->seen, index, result);
}

static void complete_one(struct loop *loop, uint64_t data, int32_t result)
{
	switch ((enum completion_type)(data >> 56)) {
	case COMPLETION_PORTS:
		if (result < 0) {
			log_error("can't read event channels: %s", strerror(-result));
			loop->io.failed = true;
			break;
		}
		ports_pending(loop, (uint32_t)result / sizeof(loop->ports[0]));
		submissions_read_ports(loop);
		break;
	case COMPLETION_UNMASKED:
		log_limited(&loop->limit, LOG_LEVEL_ERROR, "can't unmask event channels: %s",
			    result < 0 ? strerror(-result) : "written in part");
		/* To unmask what is not masked does nothing, so all are tried again. */
		for (uint32_t place = 0; place < loop->served_end; place++)
			loop->served[place].masked = true;
		loop_nets_all_masked(loop);
		break;
	case COMPLETION_COMMAND:
		run_commands(loop);
		submissions_read_command_bell(loop);
		break;
	case COMPLETION_MEMORY:
		memory_attend(loop->turn.memory);
		submissions_read_memory_bell(loop);
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
	case COMPLETION_WATCH:
		watch_done(loop, data, result);
		break;
	case COMPLETION_WATCH_ENDED:
		/* It may have ended just now. */
		if (result != -ENOENT && result != -EALREADY)
			log_limited(&loop->limit, LOG_LEVEL_ERROR, "can't end a watch: %s",
				    strerror(-result));
		break;
	case COMPLETION_NET:
		loop_nets_done(loop, data, result);
		break;
	case COMPLETION_NET_WAIT:
		loop_nets_done(loop, data, result == -ETIME || result == -ECANCELED ? 0 : result);
		break;
	case COMPLETION_NET_WATCH:
		loop_nets_watch_done(loop, data, result);
		break;
	case COMPLETION_NET_RATE:
		loop_nets_rate_done(loop, data);
		break;
	case COMPLETION_NET_ROOM:
		loop_nets_room_done(loop, data);
		break;
	case COMPLETION_PUBLISHED:
		loop_publisher_failed(loop, result);
		break;
	}
}

/* reap - look at what io_uring has completed. What a batch does not hold stays for the next turn, which then
 * does not wait. */
static void reap(struct loop *loop)
{
	struct submissions_done done[COMPLETIONS_MAX];
	uint32_t most = loop->nets_end > 0 ? COMPLETIONS_MAX : loop->platform->requests_per_turn;
	uint32_t count = submissions_reap(&loop->io, done, most < COMPLETIONS_MAX ? most : COMPLETIONS_MAX);

	for (uint32_t i = 0; i < count; i++)
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

/* publish - show all responses, of disks and cards; notify each frontend that asked for it, once. */
static void publish(struct loop *loop)
{
	struct ring_publication ring;

	if (!loop_publisher_ready(loop))
		return;
	for (uint32_t place = 0; place < loop->served_end; place++) {
		struct served *served = &loop->served[place];

		if (served->queue && blkif_hand_over(served->queue, &ring))
			loop_publish(loop, &ring, served->port);
	}
	loop_nets_publish(loop);
	loop_publisher_end_turn(loop);
}

/* leave - the queue has been drained: it is the control thread's again. */
static void leave(struct loop *loop, struct served *served)
{
	struct blkif_queue *queue = served->queue;

	if (!loop_publisher_flush(loop))
		return;
	blkif_queue_stop(queue);
	for (uint32_t i = 0; i < queue->layer_count; i++)
		submissions_watch_nothing(&loop->io, queue->layers[i].watches, watch_place(queue, i));
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
		if (served->queue->watching && !loop->io.unsubmitted)
			change_watches(loop, served->queue);
		if (served->releasing && served->queue->in_flight == 0)
			leave(loop, served);
	}
}

/*
 * unmask_ports - all ports whose queues have been emptied, mostly by one write. A broken queue's port stays masked.
 * The descriptor does not block, so the write is over when the next turn's submission has taken it, and `unmask`
 * can be filled anew.
 */
static void unmask_ports(struct loop *loop)
{
	uint32_t count = 0;

	if (loop->io.unsubmitted)
		return;
	for (uint32_t place = 0; place < loop->served_end; place++) {
		struct served *served = &loop->served[place];

		if (!served->queue || !served->masked || served->queue->ready || served->queue->broken)
			continue;
		served->masked = false;
		loop->unmask[count++] = served->port;
	}
	submissions_unmask(loop, loop_nets_unmask(loop, count));
}

/*
 * can_wait - nothing is left to do until io_uring completes something. Only now the frontends are asked to notify of
 * what comes next: while the loop was at work it looked by itself.
 */
static bool can_wait(struct loop *loop)
{
	bool more = false;

	/* What could not be shown in this turn is shown by the next. */
	if (loop->io.unsubmitted || loop->publisher.skipped)
		return false;
	for (uint32_t place = 0; place < loop->served_end; place++)
		if (loop->served[place].queue && loop->served[place].queue->ready)
			return false;
	if (loop_nets_ready(loop))
		return false;
	for (uint32_t place = 0; place < loop->served_end; place++) {
		struct served *served = &loop->served[place];

		if (!served->queue || served->releasing || !blkif_ask(served->queue))
			continue;
		served->queue->ready = true;
		more = true;
	}
	more |= loop_nets_ask(loop);
	return !more;
}

static void turn(struct loop *loop, bool wait)
{
	submissions_submit(&loop->io, wait);
	reap(loop);
	if (loop->turn.completed.first || loop->net_turn.finished)
		loop_publisher_place(loop);
	take_requests(loop);
	loop_nets_take(loop);
	do {
		blkif_start(&loop->turn);
		blkif_finish(&loop->turn);
		/* A barrier that waited for the last of the others begins at once. */
	} while (loop->turn.taken.first || loop->turn.completed.first);
	publish(loop);
	look_after_queues(loop);
	loop_nets_look_after(loop);
	unmask_ports(loop);
}

static void *loop_main(void *argument)
{
	struct loop *loop = argument;

	loop->start_error = loop_submissions_init(loop);
	if (loop->start_error == 0)
		loop_publisher_open(loop);
	sem_post(&loop->started);
	if (loop->start_error < 0)
		return NULL;
	submissions_read_ports(loop);
	submissions_read_command_bell(loop);
	submissions_read_memory_bell(loop);
	while (!loop->ending && !loop->io.failed)
		turn(loop, can_wait(loop));
	submissions_exit(&loop->io);
	loop_publisher_close(loop);
	if (loop->io.failed)
		tell(loop, LOOP_FAILED, NULL, 0);
	return NULL;
}

/* ---- the control thread's side ---- */

int loop_create(const struct platform *platform, struct event_channels *channels, struct memory *memory,
		uint16_t domid, bool wait_by_poll, struct loop **created)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int error = -ENOMEM;

	if (!loop)
		return -ENOMEM;
	loop->platform = platform;
	loop->channels = channels;
	loop->domid = domid;
	loop->io.wait_by_poll = wait_by_poll;
	loop->channels_fd = platform->event_channels_fd(channels);
	loop->turn.memory = memory;
	blkif_stock_init(&loop->turn.requests, CONFIG_LOOP_REQUESTS_IN_FLIGHT, LOOP_QUEUES_MAX);
	blkif_stock_init(&loop->turn.grants, CONFIG_LOOP_GRANTS_MAPPED, LOOP_QUEUES_MAX);
	loop->turn.mappings = calloc(CONFIG_LOOP_REQUESTS_IN_FLIGHT, sizeof(struct memory_mapping *));
	loop->turn.gone = calloc(CONFIG_LOOP_REQUESTS_IN_FLIGHT, sizeof(struct memory_mapping *));
	if (!loop->turn.mappings || !loop->turn.gone)
		goto fail_memory;
	error = loop_nets_init(loop);
	if (error < 0)
		goto fail_memory;
	error = mailbox_init(&loop->commands);
	if (error < 0)
		goto fail_nets;
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
fail_nets:
	loop_nets_exit(loop);
fail_memory:
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
	loop_nets_exit(loop);
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
	event->net = message.net;
	event->error = message.error;
	return true;
}
