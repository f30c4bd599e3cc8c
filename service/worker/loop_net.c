// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loop_net.c - the loop's part for network cards: their places, ports, timers, and what their backends ask of io_uring
 *
 * What loop.c does for disks in a turn, this does for cards, in the same turn: so all that is said to the kernel, and all that is
 * waited for, is in the same system call. Packets follow netif.h.
 */
#include "worker/loop_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int loop_nets_init(struct loop *loop)
{
	return netif_turn_init(&loop->net_turn, loop->turn.memory, LOOP_NETS_MAX);
}

void loop_nets_exit(struct loop *loop)
{
	netif_turn_free(&loop->net_turn);
}

/* ---- completions ---- */

static uint64_t place_of(const struct loop_net *net, enum completion_type type)
{
	return submissions_tag(type) | (uint64_t)netif_index(net->queue) << 16;
}

/* net_of - the queue that a completion is for; NULL if its place is free. */
static struct loop_net *net_of(const struct loop *loop, uint64_t data)
{
	uint32_t place = data >> 16 & 0xffff;

	assert(place < LOOP_NETS_MAX);
	return loop->nets[place];
}

/* A queue is let go after its last operation, so a completion never comes too late. */
void loop_nets_done(struct loop *loop, uint64_t data, int32_t result)
{
	struct loop_net *net = net_of(loop, data);

	assert(net);
	netif_done(net->queue, data & 0xffff, submissions_generation(data), result);
}

static_assert((XVHOST_WATCHES_MAX & (XVHOST_WATCHES_MAX - 1)) == 0, "watch_place");

/* watch_place - of a layer's watches: see submissions_change_watches. */
static uint64_t watch_place(const struct loop_net *net, uint32_t layer)
{
	return place_of(net, COMPLETION_NET_WATCH) | layer * XVHOST_WATCHES_MAX;
}

/* Tell the backend, unless it does not watch this any more or its queue is gone. */
void loop_nets_watch_done(struct loop *loop, uint64_t data, int32_t result)
{
	struct loop_net *net = net_of(loop, data);
	uint32_t layer = (data & 0xffff) / XVHOST_WATCHES_MAX, index = data % XVHOST_WATCHES_MAX;

	assert(layer < NETIF_LAYERS_MAX);
	if (net && submissions_watch_done(&net->watches[layer][index], data))
		netif_ready(net->queue, layer, index, result);
}

/* timer_done - false if it was set for a queue that is gone. */
static bool timer_done(struct loop_net_timer *timer, uint64_t data)
{
	if (timer->generation != submissions_generation(data))
		return false;
	timer->waiting = false;
	return true;
}

void loop_nets_rate_done(struct loop *loop, uint64_t data)
{
	struct loop_net *net = net_of(loop, data);

	if (net && timer_done(&net->rate, data))
		netif_rate_passed(net->queue);
}

/* Whether there is room now is looked at in each turn. */
void loop_nets_room_done(struct loop *loop, uint64_t data)
{
	struct loop_net *net = net_of(loop, data);

	if (net)
		timer_done(&net->room, data);
}

/* ---- what backends ask for ---- */

static struct loop_net *net_of_seen(struct xvhost_net_queue *seen)
{
	return netif_owner(netif_queue_of(seen));
}

/* entry - for the operation of this number. */
static struct io_uring_sqe *entry(struct xvhost_net_queue *seen, uint32_t number, enum completion_type type)
{
	struct loop_net *net = net_of_seen(seen);
	struct io_uring_sqe *sqe = submissions_entry(&net->loop->io);

	io_uring_sqe_set_data64(sqe, place_of(net, type) |
					     (uint64_t)(netif_begin(seen, number) & GENERATION_MASK) << 32 |
					     netif_number(seen, number));
	return sqe;
}

void loop_net_read(struct xvhost_net_queue *queue, uint32_t number, int fd, const struct iovec *iov,
		   uint32_t iov_count)
{
	struct io_uring_sqe *sqe = entry(queue, number, COMPLETION_NET);

	netif_set_waiting(queue, number);
	submissions_prepare_read(sqe, fd, iov, iov_count);
}

void loop_net_write(struct xvhost_net_queue *queue, uint32_t number, int fd, const struct iovec *iov,
		    uint32_t iov_count)
{
	struct io_uring_sqe *sqe = entry(queue, number, COMPLETION_NET);

	netif_set_waiting(queue, number);
	submissions_prepare_write(sqe, fd, iov, iov_count);
}

void loop_net_wait(struct xvhost_net_queue *queue, uint32_t number, uint64_t nanoseconds)
{
	struct loop_net *net = net_of_seen(queue);
	struct io_uring_sqe *sqe = entry(queue, number, COMPLETION_NET_WAIT);
	struct __kernel_timespec *wait = &net->waits[netif_number(queue, number)];

	/* What is let go waits for nothing any more. */
	if (net->releasing)
		nanoseconds = 0;
	netif_set_waiting(queue, number);
	*wait = submissions_time(nanoseconds);
	io_uring_prep_timeout(sqe, wait, 0, 0);
}

void loop_net_watch(struct xvhost_net_queue *queue, uint32_t index, int fd, uint32_t events)
{
	struct loop_net *net = net_of_seen(queue);

	assert(index < XVHOST_WATCHES_MAX && netif_can_watch(queue));
	submissions_watch(&net->watches[netif_layer(queue)][index], fd, events);
	net->watching = true;
}

/* ---- commands ---- */

static void tell(struct loop *loop, enum loop_event_type type, struct loop_net *net, int error)
{
	loop_tell(loop, (struct mailbox_message){.type = type, .net = net, .error = error});
}

static void notify(struct loop *loop, const struct loop_net *net, bool tx, bool rx)
{
	if (tx || (rx && net->port_rx == net->port_tx))
		loop->platform->event_channels_notify(loop->channels, net->port_tx);
	if (rx && net->port_rx != net->port_tx)
		loop->platform->event_channels_notify(loop->channels, net->port_rx);
}

static void notify_control(struct loop *loop, const struct loop_net *net)
{
	loop->platform->event_channels_notify(loop->channels, net->port_control);
}

static void serve(struct loop *loop, struct loop_net *net)
{
	uint32_t place = 0;
	int error;

	while (place < LOOP_NETS_MAX && loop->nets[place])
		place++;
	assert(place < LOOP_NETS_MAX);
	loop->nets[place] = net;
	if (place >= loop->nets_end)
		loop->nets_end = place + 1;
	net->loop = loop;
	/* Xen makes a port pending when it is bound; see loop.c. */
	net->masked_tx = net->masked_rx = net->masked_control = true;
	error = netif_queue_start(net->queue, &loop->net_turn, (uint16_t)place);
	if (error < 0) {
		net->broken_told = true;
		tell(loop, LOOP_NOT_STARTED, net, error);
		return;
	}
	/* Who served the rings before us may have shown responses without notifying of them. */
	netif_event(net->queue);
	notify(loop, net, true, true);
	if (net->control)
		notify_control(loop, net);
}

/* end_wait - I/O that may wait for ever, or a time to pass; one of the two is not under way. */
static void end_wait(void *context, uint32_t number, uint32_t generation)
{
	struct loop_net *net = context;
	uint64_t data = (uint64_t)(generation & GENERATION_MASK) << 32 | number;

	submissions_end_timeout(&net->loop->io, place_of(net, COMPLETION_NET_WAIT) | data);
	submissions_cancel(&net->loop->io, place_of(net, COMPLETION_NET) | data);
}

static void release(struct loop_net *net)
{
	net->releasing = true;
	netif_queue_release(net->queue);
	netif_each_waiting(net->queue, end_wait, net);
}

static void set(struct loop *loop, struct loop_net *net)
{
	netif_queue_set(net->queue, &net->settings);
	tell(loop, LOOP_NET_SET, net, 0);
}

void loop_nets_command(struct loop *loop, enum loop_command command, struct loop_net *net)
{
	if (command == COMMAND_NET_SERVE)
		serve(loop, net);
	else if (command == COMMAND_NET_RELEASE)
		release(net);
	else
		set(loop, net);
}

/* ---- a turn ---- */

void loop_nets_port(struct loop *loop, uint32_t port)
{
	for (uint32_t place = 0; place < loop->nets_end; place++) {
		struct loop_net *net = loop->nets[place];

		if (net && net->control && port == net->port_control) {
			net->masked_control = true;
			netif_control_event(net->control);
			return;
		}
		if (!net || (port != net->port_tx && port != net->port_rx))
			continue;
		net->masked_tx |= port == net->port_tx;
		net->masked_rx |= port == net->port_rx;
		netif_event(net->queue);
		return;
	}
}

void loop_nets_all_masked(struct loop *loop)
{
	for (uint32_t place = 0; place < loop->nets_end; place++)
		if (loop->nets[place])
			loop->nets[place]->masked_tx = loop->nets[place]->masked_rx =
				loop->nets[place]->masked_control = true;
}

void loop_nets_take(struct loop *loop)
{
	if (loop->nets_end == 0)
		return;
	for (uint32_t place = 0; place < loop->nets_end; place++) {
		struct loop_net *net = loop->nets[place];

		if (!net || net->releasing)
			continue;
		netif_take(net->queue);
		if (net->control)
			netif_control_take(net->control);
	}
	netif_start(&loop->net_turn);
	netif_finish(&loop->net_turn);
}

void loop_nets_publish(struct loop *loop)
{
	for (uint32_t place = 0; place < loop->nets_end; place++) {
		const struct loop_net *net = loop->nets[place];
		struct ring_publication ring;

		if (!net)
			continue;
		if (netif_hand_over(net->queue, true, &ring))
			loop_publish(loop, &ring, net->port_tx);
		if (netif_hand_over(net->queue, false, &ring))
			loop_publish(loop, &ring, net->port_rx);
		if (net->control && netif_control_hand_over(net->control, &ring))
			loop_publish(loop, &ring, net->port_control);
	}
}

/* set_timer - unless there is nothing to wait for. */
static void set_timer(struct loop *loop, struct loop_net *net, struct loop_net_timer *timer,
		      enum completion_type type, uint64_t ns)
{
	struct io_uring_sqe *sqe;

	if (ns == 0)
		return;
	sqe = submissions_entry(&loop->io);
	timer->waiting = true;
	timer->generation = ++loop->timers_set & GENERATION_MASK;
	timer->time = submissions_time(ns);
	io_uring_prep_timeout(sqe, &timer->time, 0, 0);
	io_uring_sqe_set_data64(sqe, place_of(net, type) | (uint64_t)timer->generation << 32);
}

/* wait_for_time - a queue that has used up its rate goes on when there is some again; one whose guest says nothing of room is looked
 * at now and then. */
static void wait_for_time(struct loop *loop, struct loop_net *net)
{
	if (!net->rate.waiting)
		set_timer(loop, net, &net->rate, COMPLETION_NET_RATE, netif_rate_wait_ns(net->queue));
	if (!net->room.waiting)
		set_timer(loop, net, &net->room, COMPLETION_NET_ROOM, netif_room_wait_ns(net->queue));
}

/* is_broken - one of its rings. */
static bool is_broken(const struct loop_net *net)
{
	return netif_queue_broken(net->queue) || (net->control && netif_control_broken(net->control));
}

/* leave - nothing of it is under way: it is the control thread's again. */
static void leave(struct loop *loop, uint32_t place)
{
	struct loop_net *net = loop->nets[place];

	/* What is there to be submitted may point to it. */
	if (loop->io.unsubmitted || !loop_publisher_flush(loop))
		return;
	netif_queue_stop(net->queue);
	for (uint32_t i = 0; i < netif_layers(net->queue); i++)
		submissions_watch_nothing(&loop->io, net->watches[i], watch_place(net, i));
	loop->nets[place] = NULL;
	while (loop->nets_end > 0 && !loop->nets[loop->nets_end - 1])
		loop->nets_end--;
	tell(loop, LOOP_RELEASED, net, 0);
}

static void change_watches(struct loop *loop, struct loop_net *net)
{
	net->watching = false;
	for (uint32_t i = 0; i < netif_layers(net->queue); i++)
		submissions_change_watches(&loop->io, net->watches[i], watch_place(net, i));
}

void loop_nets_look_after(struct loop *loop)
{
	for (uint32_t place = 0; place < loop->nets_end; place++) {
		struct loop_net *net = loop->nets[place];

		if (!net)
			continue;
		if (is_broken(net) && !net->broken_told) {
			net->broken_told = true;
			tell(loop, LOOP_BROKEN, net, 0);
		}
		if (net->watching && !loop->io.unsubmitted)
			change_watches(loop, net);
		if (!net->releasing)
			wait_for_time(loop, net);
		else if (netif_queue_idle(net->queue))
			leave(loop, place);
	}
}

/* can_unmask_control - its ring was emptied. */
static bool can_unmask_control(const struct loop_net *net)
{
	return !netif_control_ready(net->control) && !netif_control_broken(net->control);
}

uint32_t loop_nets_unmask(struct loop *loop, uint32_t count)
{
	for (uint32_t place = 0; place < loop->nets_end; place++) {
		struct loop_net *net = loop->nets[place];

		if (!net)
			continue;
		if (net->masked_control && net->control && can_unmask_control(net)) {
			net->masked_control = false;
			loop->unmask[count++] = net->port_control;
		}
		if (netif_queue_ready(net->queue) || netif_queue_broken(net->queue))
			continue;
		if (net->masked_tx)
			loop->unmask[count++] = net->port_tx;
		if (net->masked_rx && net->port_rx != net->port_tx)
			loop->unmask[count++] = net->port_rx;
		net->masked_tx = net->masked_rx = false;
	}
	return count;
}

bool loop_nets_ready(const struct loop *loop)
{
	for (uint32_t place = 0; place < loop->nets_end; place++) {
		const struct loop_net *net = loop->nets[place];

		if (!net)
			continue;
		if (netif_queue_ready(net->queue))
			return true;
		if (net->control && !net->releasing && netif_control_ready(net->control))
			return true;
	}
	return false;
}

bool loop_nets_ask(struct loop *loop)
{
	bool more = false;

	for (uint32_t place = 0; place < loop->nets_end; place++) {
		struct loop_net *net = loop->nets[place];

		if (!net || net->releasing)
			continue;
		more |= netif_ask(net->queue);
		if (net->control)
			more |= netif_control_ask(net->control);
	}
	return more;
}

/* ---- the control thread's side ---- */

int loop_net_create(uint32_t port_tx, uint32_t port_rx, struct loop_net **created)
{
	struct loop_net *net = calloc(1, sizeof(*net));

	if (!net)
		return -ENOMEM;
	net->port_tx = port_tx;
	net->port_rx = port_rx;
	for (uint32_t i = 0; i < NETIF_LAYERS_MAX * XVHOST_WATCHES_MAX; i++)
		net->watches[i / XVHOST_WATCHES_MAX][i % XVHOST_WATCHES_MAX].fd = -1;
	*created = net;
	return 0;
}

void loop_net_control(struct loop_net *net, struct netif_control *control, uint32_t port)
{
	net->control = control;
	net->port_control = port;
}

void loop_net_destroy(struct loop_net *net)
{
	free(net);
}

void loop_net_serve(struct loop *loop, struct loop_net *net, struct netif_queue *queue)
{
	net->queue = queue;
	mailbox_put(&loop->commands, (struct mailbox_message){.type = COMMAND_NET_SERVE, .net = net});
}

void loop_net_release(struct loop *loop, struct loop_net *net)
{
	mailbox_put(&loop->commands, (struct mailbox_message){.type = COMMAND_NET_RELEASE, .net = net});
}

void loop_net_set(struct loop *loop, struct loop_net *net, const struct message_net_settings *settings)
{
	net->settings = *settings;
	mailbox_put(&loop->commands, (struct mailbox_message){.type = COMMAND_NET_SET, .net = net});
}
