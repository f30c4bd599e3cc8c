// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * worker.c - the control thread of a worker: messages in, devices served, messages out
 *
 * Theory of operation: one poll() over the socket to xvhostd and the loops' events. A message changes one
 * device; what can't be answered at once (a device must be drained first) is answered when the loop says so.
 * Opening a backend may block this thread; the loop goes on.
 *
 * Disks whose size can change are measured every few seconds. Nothing tells of a change that does so for all of them: inotify
 * knows of files only, and not of what another host does to them; a block device's uevent is for the one who may listen.
 * To look costs one system call.
 */
#include "worker/worker.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "worker/disk.h"
#include "worker/net.h"

#define DISKS_MAX CONFIG_MAX_DISKS_PER_GUEST
#define NETS_MAX CONFIG_MAX_NETS_PER_GUEST
#define MEASURE_INTERVAL_MS 2000

struct worker {
	struct guest guest;
	int socket;
	bool killed_before; /* see struct worker_options */
	bool stopping;	    /* no more messages are read; ends when all devices are free */
	int failed;	    /* 0 or a negative errno: a loop has ended */
	int64_t measure_at_ms;
	struct disk disks[DISKS_MAX];
	struct net nets[NETS_MAX];
};

static struct disk *find_disk(struct worker *worker, uint32_t device_id)
{
	for (uint32_t i = 0; i < DISKS_MAX; i++)
		if (worker->disks[i].state != DISK_FREE && worker->disks[i].device_id == device_id)
			return &worker->disks[i];
	return NULL;
}

static struct disk *free_disk(struct worker *worker)
{
	for (uint32_t i = 0; i < DISKS_MAX; i++)
		if (worker->disks[i].state == DISK_FREE)
			return &worker->disks[i];
	return NULL;
}

/* answer - send a message; when xvhostd is gone, the next read of the socket tells. */
static void answer(struct worker *worker, const struct message *message)
{
	ssize_t sent;

	do
		sent = send(worker->socket, message, sizeof(*message), MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno != EPIPE && errno != ECONNRESET)
		log_error("can't send to xvhostd: %s", strerror(errno));
}

static void answer_plain(struct worker *worker, enum message_type type, enum device_class class,
			 uint32_t device_id)
{
	struct message message = {.type = type, .class = class, .device_id = device_id};

	answer(worker, &message);
}

/* ---- messages ---- */

static void on_open(struct worker *worker, const struct message *message)
{
	struct message reply = {
		.type = MESSAGE_OPENED, .class = DEVICE_DISK, .device_id = message->device_id};
	struct disk *disk = free_disk(worker);

	if (disk) {
		disk_open(disk, &worker->guest, message->device_id, &message->open, &reply.opened);
	} else {
		reply.opened.error = -ENOSPC;
		snprintf(reply.opened.text, sizeof(reply.opened.text),
			 "the guest has %d disks, which is the limit", DISKS_MAX);
	}
	answer(worker, &reply);
}

static void on_connect(struct worker *worker, struct disk *disk, const struct message *message)
{
	struct message reply = {
		.type = MESSAGE_CONNECTED, .class = DEVICE_DISK, .device_id = message->device_id};

	if (message->connect.again && worker->killed_before) {
		reply.error.error = -EIO;
		snprintf(reply.error.text, sizeof(reply.error.text),
			 "the worker before was killed while it served the ring; what it had taken can't be "
			 "known");
	} else {
		disk_connect(disk, &worker->guest, &message->connect, &reply.error);
	}
	answer(worker, &reply);
}

static void on_disconnect(struct worker *worker, struct disk *disk)
{
	if (disk->state == DISK_CONNECTED)
		disk_release(disk);
	else
		answer_plain(worker, MESSAGE_DISCONNECTED, DEVICE_DISK, disk->device_id);
}

/* unexpected - xvhostd asked for what can't be now: a fault in it. Nothing is done, so that it shows there. */
static void unexpected(const struct message *message, int state)
{
	log_error("message %d for %s %" PRIu32 " can't be in state %d", (int)message->type,
		  message->class == DEVICE_NET ? "vif" : "vbd", message->device_id, state);
}

static void on_disk_message(struct worker *worker, const struct message *message)
{
	struct disk *disk = find_disk(worker, message->device_id);
	enum disk_state state = disk ? disk->state : DISK_FREE;

	if (message->type == MESSAGE_OPEN && state == DISK_FREE) {
		on_open(worker, message);
	} else if (message->type == MESSAGE_CONNECT && state == DISK_OPEN) {
		on_connect(worker, disk, message);
	} else if (message->type == MESSAGE_CHANGE && state == DISK_CONNECTED) {
		disk_begin_change(disk, &message->open);
	} else if (message->type == MESSAGE_DISCONNECT && (state == DISK_OPEN || state == DISK_CONNECTED)) {
		on_disconnect(worker, disk);
	} else if (message->type == MESSAGE_CLOSE && state == DISK_OPEN) {
		disk_close(disk);
		answer_plain(worker, MESSAGE_CLOSED, DEVICE_DISK, message->device_id);
	} else {
		unexpected(message, (int)state);
	}
}

/* ---- messages for cards ---- */

static struct net *find_net(struct worker *worker, uint32_t device_id)
{
	for (uint32_t i = 0; i < NETS_MAX; i++)
		if (worker->nets[i].state != NET_FREE && worker->nets[i].device_id == device_id)
			return &worker->nets[i];
	return NULL;
}

static struct net *free_net(struct worker *worker)
{
	for (uint32_t i = 0; i < NETS_MAX; i++)
		if (worker->nets[i].state == NET_FREE)
			return &worker->nets[i];
	return NULL;
}

static void on_net_open(struct worker *worker, const struct message *message)
{
	struct message reply = {.type = MESSAGE_OPENED, .class = DEVICE_NET, .device_id = message->device_id};
	struct net *net = free_net(worker);

	if (net) {
		net_open(net, &worker->guest, message->device_id, &message->net_open, &reply.net_opened);
	} else {
		reply.net_opened.error = -ENOSPC;
		snprintf(reply.net_opened.text, sizeof(reply.net_opened.text),
			 "the guest has %d network cards, which is the limit", NETS_MAX);
	}
	answer(worker, &reply);
}

/* What a worker that was killed had taken is lost, as packets may be; but rings may not be answered twice. */
static void on_net_connect(struct worker *worker, struct net *net, const struct message *message)
{
	struct message reply = {
		.type = MESSAGE_CONNECTED, .class = DEVICE_NET, .device_id = message->device_id};

	if (message->net_connect.again && worker->killed_before) {
		reply.error.error = -EIO;
		snprintf(reply.error.text, sizeof(reply.error.text),
			 "the worker before was killed while it served the rings; what it had taken can't be "
			 "known");
	} else {
		net_connect(net, &worker->guest, &message->net_connect, &reply.error);
	}
	answer(worker, &reply);
}

static void on_net_disconnect(struct worker *worker, struct net *net)
{
	if (net->state == NET_CONNECTED)
		net_release(net);
	else
		answer_plain(worker, MESSAGE_DISCONNECTED, DEVICE_NET, net->device_id);
}

static void on_net_message(struct worker *worker, const struct message *message)
{
	struct net *net = find_net(worker, message->device_id);
	enum net_state state = net ? net->state : NET_FREE;

	if (message->type == MESSAGE_OPEN && state == NET_FREE) {
		on_net_open(worker, message);
	} else if (message->type == MESSAGE_CONNECT && state == NET_OPEN) {
		on_net_connect(worker, net, message);
	} else if (message->type == MESSAGE_CHANGE && state == NET_CONNECTED) {
		net_begin_change(net, &message->net_settings);
	} else if (message->type == MESSAGE_DISCONNECT && (state == NET_OPEN || state == NET_CONNECTED)) {
		on_net_disconnect(worker, net);
	} else if (message->type == MESSAGE_CLOSE && state == NET_OPEN) {
		net_close(net);
		answer_plain(worker, MESSAGE_CLOSED, DEVICE_NET, message->device_id);
	} else {
		unexpected(message, (int)state);
	}
}

static void on_message(struct worker *worker, const struct message *message)
{
	if (message->type == MESSAGE_STOP)
		worker->stopping = true;
	else if (message->type == MESSAGE_MEMORY)
		guest_set_memory(&worker->guest, &message->memory);
	else if (message->class == DEVICE_DISK)
		on_disk_message(worker, message);
	else if (message->class == DEVICE_NET)
		on_net_message(worker, message);
	else
		log_error("message %d is of no class of devices: %d", (int)message->type,
			  (int)message->class);
}

static void read_socket(struct worker *worker)
{
	struct message message;
	ssize_t length = recv(worker->socket, &message, sizeof(message), MSG_DONTWAIT | MSG_TRUNC);

	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length <= 0) {
		log_warning("xvhostd is gone; this worker ends");
		worker->stopping = true;
	} else if (length != sizeof(message)) {
		log_error("a message of %zd bytes instead of %zu: xvhostd is of another version", length,
			  sizeof(message));
		worker->stopping = true;
	} else {
		on_message(worker, &message);
	}
}

/* ---- the loops' events ---- */

/* disk_of_queue - the disk that has this queue. */
static struct disk *disk_of_queue(struct worker *worker, const struct blkif_queue *queue)
{
	for (uint32_t i = 0; i < DISKS_MAX; i++) {
		struct disk *disk = &worker->disks[i];

		if (disk->state == DISK_FREE)
			continue;
		for (uint32_t place = 0; place < disk->queue_count; place++)
			if (disk->queues[place].queue == queue)
				return disk;
	}
	return NULL;
}

/* report_broken - nothing more is taken from a queue. That of the disk which is the first is told. */
__attribute__((format(printf, 4, 5))) static void report_broken(struct worker *worker, struct disk *disk,
								int error, const char *format, ...)
{
	struct message message = {.type = MESSAGE_BROKEN, .device_id = disk->device_id, .error.error = error};
	va_list arguments;

	if (disk->broken)
		return;
	disk->broken = true;
	va_start(arguments, format);
	vsnprintf(message.error.text, sizeof(message.error.text), format, arguments);
	va_end(arguments);
	answer(worker, &message);
}

/* on_broken - by the frontend. */
static void on_broken(struct worker *worker, struct disk *disk)
{
	report_broken(worker, disk, -EPROTO,
		      "the ring is broken: its counters are not possible; the disk is not served any more");
}

/* on_not_started - nobody is to blame but the backend. */
static void on_not_started(struct worker *worker, struct disk *disk, const struct loop_event *event)
{
	const struct blkif_layer *layer = blkif_layer_not_started(event->queue);

	report_broken(worker, disk, event->error,
		      "backend %s can't start queue %" PRIu32 ": %s; the disk is not served",
		      layer->backend->name, layer->seen.index, strerror(-event->error));
}

/* on_released - no loop serves the disk any more. */
static void on_released(struct worker *worker, struct disk *disk)
{
	struct message reply = {.type = MESSAGE_CHANGED, .class = DEVICE_DISK, .device_id = disk->device_id};

	if (disk->state == DISK_CHANGING) {
		disk_end_change(disk, &worker->guest, &reply.opened);
		answer(worker, &reply);
	} else {
		disk_disconnect(disk, &worker->guest);
		answer_plain(worker, MESSAGE_DISCONNECTED, DEVICE_DISK, disk->device_id);
	}
}

/* on_disk_event - of one of its queues. */
static void on_disk_event(struct worker *worker, const struct loop_event *event)
{
	struct disk *disk = disk_of_queue(worker, event->queue);

	assert(disk);
	if (event->type == LOOP_BROKEN)
		on_broken(worker, disk);
	else if (event->type == LOOP_NOT_STARTED)
		on_not_started(worker, disk, event);
	else if (disk_released(disk))
		on_released(worker, disk);
}

static struct net *net_of_queue(struct worker *worker, const struct loop_net *queue)
{
	for (uint32_t i = 0; i < NETS_MAX; i++) {
		struct net *net = &worker->nets[i];

		for (uint32_t place = 0; net->state != NET_FREE && place < net->queue_count; place++)
			if (net->queues[place].net == queue)
				return net;
	}
	return NULL;
}

/* report_net_broken - the first of its queues is told. */
static void report_net_broken(struct worker *worker, struct net *net, const struct loop_event *event)
{
	struct message message = {.type = MESSAGE_BROKEN, .class = DEVICE_NET, .device_id = net->device_id};

	if (net->broken)
		return;
	net->broken = true;
	message.error.error = event->type == LOOP_BROKEN ? -EPROTO : event->error;
	if (event->type == LOOP_BROKEN)
		snprintf(message.error.text, sizeof(message.error.text),
			 "a ring is broken (the log says how); the card is not served any more");
	else
		snprintf(message.error.text, sizeof(message.error.text),
			 "backend %s can't start a queue: %s; the card is not served",
			 net_not_started(net, event->net)->name, strerror(-event->error));
	answer(worker, &message);
}

/* on_net_event - of one of its queues. */
static void on_net_event(struct worker *worker, const struct loop_event *event)
{
	struct net *net = net_of_queue(worker, event->net);

	assert(net);
	if (event->type == LOOP_NET_SET) {
		if (net_changed(net))
			answer_plain(worker, MESSAGE_CHANGED, DEVICE_NET, net->device_id);
	} else if (event->type != LOOP_RELEASED) {
		report_net_broken(worker, net, event);
	} else if (net_released(net)) {
		struct message message = {
			.type = MESSAGE_DISCONNECTED, .class = DEVICE_NET, .device_id = net->device_id};

		net_disconnect(net, &worker->guest, &message.net_counters);
		answer(worker, &message);
	}
}

static void read_events(struct worker *worker, struct loop *loop)
{
	struct loop_event event;
	uint64_t rung;

	if (read(loop_event_fd(loop), &rung, sizeof(rung)) < 0)
		return;
	while (loop_next_event(loop, &event)) {
		if (event.type == LOOP_FAILED)
			worker->failed = -EIO;
		else if (event.net)
			on_net_event(worker, &event);
		else
			on_disk_event(worker, &event);
	}
}

/* tell_links - of cards whose links have come or gone. */
static void tell_links(struct worker *worker)
{
	for (uint32_t i = 0; i < NETS_MAX; i++) {
		struct net *net = &worker->nets[i];
		struct message message = {
			.type = MESSAGE_LINK, .class = DEVICE_NET, .device_id = net->device_id};

		if (!net_link_changed(net))
			continue;
		message.net_link.up = net->link_told;
		answer(worker, &message);
	}
}

/* ---- sizes of disks ---- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static bool can_change(const struct worker *worker)
{
	for (uint32_t i = 0; i < DISKS_MAX; i++)
		if (worker->disks[i].state != DISK_FREE && disk_can_change(&worker->disks[i]))
			return true;
	return false;
}

/* measure_disks - and tell of those that have another size. */
static void measure_disks(struct worker *worker)
{
	for (uint32_t i = 0; i < DISKS_MAX; i++) {
		struct disk *disk = &worker->disks[i];
		struct message message = {
			.type = MESSAGE_RESIZED, .class = DEVICE_DISK, .device_id = disk->device_id};

		if (disk->state != DISK_FREE && disk_can_change(disk) &&
		    disk_measure(disk, &message.resized.size_bytes))
			answer(worker, &message);
	}
}

/* measure_in_time - if it is time for that. Returns how long that will be from now on, -1: there is nothing to measure. */
static int measure_in_time(struct worker *worker)
{
	int64_t now;

	if (worker->stopping || !can_change(worker))
		return -1;
	now = now_ms();
	if (now >= worker->measure_at_ms) {
		measure_disks(worker);
		worker->measure_at_ms = now + MEASURE_INTERVAL_MS;
	}
	return (int)(worker->measure_at_ms - now);
}

/* ---- beginning and end ---- */

/* close_nets, close_disks - ask the loop for what it still serves, close what is free of it. Return true when none is
 * left. */
static bool close_nets(struct worker *worker)
{
	bool none = true;

	for (uint32_t i = 0; i < NETS_MAX; i++) {
		struct net *net = &worker->nets[i];

		if (net->state == NET_CONNECTED)
			net_release(net);
		if (net->state == NET_OPEN)
			net_close(net);
		none = none && net->state == NET_FREE;
	}
	return none;
}

static bool close_disks(struct worker *worker)
{
	bool none = true;

	for (uint32_t i = 0; i < DISKS_MAX; i++) {
		struct disk *disk = &worker->disks[i];

		if (disk->state == DISK_CONNECTED)
			disk_release(disk);
		if (disk->state == DISK_OPEN)
			disk_close(disk);
		none = none && disk->state == DISK_FREE;
	}
	return none;
}

/* close_all - both. */
static bool close_all(struct worker *worker)
{
	bool no_disks = close_disks(worker);

	return close_nets(worker) && no_disks;
}

/* Where things are among what the control thread waits for. poll() leaves out what has descriptor -1. */
enum {
	POLLED_SOCKET,
	POLLED_NETS,
	POLLED_LOOPS = POLLED_NETS + NETS_MAX * NETIF_LAYERS_MAX,
	POLLED_MAX = POLLED_LOOPS + GUEST_LOOPS_MAX,
};

/* prepare - all that there is to wait for. */
static void prepare(const struct worker *worker, struct pollfd polled[POLLED_MAX])
{
	for (uint32_t i = 0; i < POLLED_MAX; i++)
		polled[i] = (struct pollfd){.fd = -1, .events = POLLIN};
	if (!worker->stopping)
		polled[POLLED_SOCKET].fd = worker->socket;
	for (uint32_t i = 0; i < NETS_MAX; i++)
		for (uint32_t k = 0; k < worker->nets[i].layer_count; k++)
			polled[POLLED_NETS + i * NETIF_LAYERS_MAX + k].fd =
				worker->nets[i].layers[k].seen.attend_fd;
	for (uint32_t i = 0; i < worker->guest.loop_count; i++)
		polled[POLLED_LOOPS + i].fd = loop_event_fd(worker->guest.loops[i].loop);
}

static void serve(struct worker *worker)
{
	struct pollfd polled[POLLED_MAX];

	while (!worker->failed) {
		if (worker->stopping && close_all(worker))
			return;
		prepare(worker, polled);
		if (poll(polled, POLLED_MAX, measure_in_time(worker)) < 0)
			continue;
		/* Before anything that closes a card. */
		for (uint32_t i = 0; i < NETS_MAX * NETIF_LAYERS_MAX; i++)
			if (polled[POLLED_NETS + i].revents)
				net_attend(&worker->nets[i / NETIF_LAYERS_MAX], i % NETIF_LAYERS_MAX);
		for (uint32_t i = 0; i < worker->guest.loop_count; i++)
			if (polled[POLLED_LOOPS + i].revents)
				read_events(worker, worker->guest.loops[i].loop);
		if (polled[POLLED_SOCKET].revents && !worker->stopping)
			read_socket(worker);
		tell_links(worker);
	}
}

int worker_run(const struct worker_options *options)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	struct guest_loop *loop;
	char text[ERROR_TEXT_MAX];
	int error;

	if (!worker)
		return -ENOMEM;
	worker->socket = options->socket;
	worker->killed_before = options->killed_before;
	worker->guest.platform = options->platform;
	worker->guest.domid = options->domid;
	worker->guest.backend_directory = options->backend_directory;
	worker->guest.wait_by_poll = options->wait_by_poll;
	error = guest_open(&worker->guest);
	if (error < 0) {
		log_error("guest %u: can't begin: %s", options->domid, strerror(-error));
		close(worker->socket);
		free(worker);
		return error;
	}
	/* The first loop is made at once, so that a host without Xen's devices is told from the start. */
	error = guest_loop(&worker->guest, 0, &loop, text);
	if (error == 0) {
		serve(worker);
		error = worker->failed;
	} else {
		log_error("%s", text);
	}
	guest_close(&worker->guest);
	close(worker->socket);
	free(worker);
	return error;
}
