// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * worker_thread.c - a worker in a thread of this process, and messages to it, without an xvhostd
 */
#include "sim/worker_thread.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "rings/blkif_wire.h"
#include "log.h"
#include "sim/valgrind.h"
#include "worker/worker.h"

#define BROKEN_MAX 64 /* reports that are kept */

struct worker_thread {
	struct worker_options options;
	pthread_t thread;
	int result;
	int socket;
	uint32_t broken_count;
	struct {
		uint32_t device_id;
		char text[ERROR_TEXT_MAX];
	} broken[BROKEN_MAX];
	uint32_t links_down; /* cards that have no link, by their numbers */
	struct message_net_counters net_counters;
};

static void *run(void *argument)
{
	struct worker_thread *worker = argument;

	worker->result = worker_run(&worker->options);
	return NULL;
}

int worker_thread_start(const struct platform *platform, uint16_t domid, const char *backend_directory,
			struct worker_thread **started)
{
	struct worker_thread *worker = calloc(1, sizeof(*worker));
	int sockets[2], error;

	if (!worker)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0) {
		error = -errno;
		free(worker);
		return error;
	}
	worker->socket = sockets[0];
	worker->options = (struct worker_options){
		.platform = platform,
		.domid = domid,
		.socket = sockets[1],
		.wait_by_poll = runs_under_valgrind(),
		.backend_directory = backend_directory,
	};
	error = pthread_create(&worker->thread, NULL, run, worker);
	if (error) {
		close(sockets[0]);
		close(sockets[1]);
		free(worker);
		return -error;
	}
	*started = worker;
	return 0;
}

/* ---- messages ---- */

static int ask(struct worker_thread *worker, const struct message *message)
{
	return send(worker->socket, message, sizeof(*message), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void note_broken(struct worker_thread *worker, const struct message *message)
{
	uint32_t i = worker->broken_count;

	if (i == BROKEN_MAX)
		return;
	worker->broken[i].device_id = message->device_id;
	memcpy(worker->broken[i].text, message->error.text, sizeof(worker->broken[i].text));
	worker->broken_count++;
}

static void note_link(struct worker_thread *worker, const struct message *message)
{
	uint32_t bit = message->device_id < 32 ? 1u << message->device_id : 0;

	worker->links_down &= ~bit;
	if (!message->net_link.up)
		worker->links_down |= bit;
	log_info("the card of device %" PRIu32 " has %s link now", message->device_id,
		 message->net_link.up ? "a" : "no");
}

/* forget_broken - what was said of this device is over. */
static void forget_broken(struct worker_thread *worker, uint32_t device_id)
{
	for (uint32_t i = 0; i < worker->broken_count;) {
		if (worker->broken[i].device_id == device_id)
			worker->broken[i] = worker->broken[--worker->broken_count];
		else
			i++;
	}
}

static const char *find_broken(const struct worker_thread *worker, uint32_t device_id)
{
	for (uint32_t i = 0; i < worker->broken_count; i++)
		if (worker->broken[i].device_id == device_id)
			return worker->broken[i].text;
	return NULL;
}

/* next_message - reports of broken disks are kept, and 0 returned. 1: a message; else a negative errno. */
static int next_message(struct worker_thread *worker, int timeout_ms, struct message *message)
{
	struct pollfd polled = {.fd = worker->socket, .events = POLLIN};
	int ready = poll(&polled, 1, timeout_ms);
	ssize_t length;

	if (ready < 0)
		return errno == EINTR ? 0 : -errno;
	if (ready == 0)
		return -ETIMEDOUT;
	length = recv(worker->socket, message, sizeof(*message), 0);
	if (length == 0)
		return -ECONNRESET;
	if (length != (ssize_t)sizeof(*message))
		return length < 0 ? -errno : -EPROTO;
	/* Frontends are told by xenstore, if there is an xvhostd. */
	if (message->type == MESSAGE_RESIZED) {
		log_info("the disk of device %" PRIu32 " has %" PRIu64 " bytes now", message->device_id,
			 message->resized.size_bytes);
		return 0;
	}
	if (message->type == MESSAGE_LINK) {
		note_link(worker, message);
		return 0;
	}
	if (message->type != MESSAGE_BROKEN)
		return 1;
	note_broken(worker, message);
	return 0;
}

/* answer - of this type, for this device; nothing else can come meanwhile. */
static int answer(struct worker_thread *worker, enum message_type type, uint32_t device_id,
		  struct message *message)
{
	int result;

	do
		result = next_message(worker, WORKER_THREAD_TIMEOUT_MS, message);
	while (result == 0);
	if (result < 0)
		return result;
	return message->type == type && message->device_id == device_id ? 0 : -EPROTO;
}

/* ask_plain - a question without content. */
static int ask_plain(struct worker_thread *worker, enum message_type type, uint32_t device_id,
		     enum message_type answer_type)
{
	struct message message = {.type = type, .class = DEVICE_DISK, .device_id = device_id};
	int error = ask(worker, &message);

	return error < 0 ? error : answer(worker, answer_type, device_id, &message);
}

int worker_thread_set_memory(struct worker_thread *worker, const struct message_memory *memory)
{
	return ask(worker, &(struct message){.type = MESSAGE_MEMORY, .memory = *memory});
}

int worker_thread_open(struct worker_thread *worker, uint32_t device_id, const char *target, bool read_only,
		       struct message_disk_opened *opened)
{
	struct message message = {.type = MESSAGE_OPEN,
				  .class = DEVICE_DISK,
				  .device_id = device_id,
				  .open = {.read_only = read_only}};
	int error;

	snprintf(message.open.target, sizeof(message.open.target), "%s", target);
	error = ask(worker, &message);
	if (error == 0)
		error = answer(worker, MESSAGE_OPENED, device_id, &message);
	*opened = message.opened;
	if (error < 0) {
		opened->error = error;
		snprintf(opened->text, sizeof(opened->text), "the worker does not answer: %s",
			 strerror(-error));
	}
	return opened->error;
}

/* features_of - what an xvhostd would write for such a disk. */
static struct blkif_features features_of(const struct message_disk_opened *opened)
{
	return (struct blkif_features){
		.sectors = opened->size_bytes / 512,
		.sector_bytes = opened->block_bytes,
		.physical_bytes = opened->physical_block_bytes,
		.indirect_segments = BLKIF_SEGMENTS_MAX,
		.read_only = opened->read_only,
		.flush = opened->flush,
		.barrier = opened->flush,
		.discard = opened->discard,
		.discard_secure = opened->discard_secure,
		.discard_granularity = opened->discard_granularity,
		.discard_alignment = opened->discard_alignment,
		.persistent = opened->persistent,
	};
}

int worker_thread_connect(struct worker_thread *worker, struct blkif_frontend *frontend,
			  const struct message_disk_opened *opened, char text[ERROR_TEXT_MAX])
{
	struct message message = {
		.type = MESSAGE_CONNECT, .class = DEVICE_DISK, .device_id = frontend->options.device_id};
	struct blkif_features features = features_of(opened);
	int error;

	text[0] = '\0';
	forget_broken(worker, frontend->options.device_id);
	if (!frontend->queues[0].requests) {
		error = blkif_frontend_set_up(frontend, &features);
		if (error < 0) {
			snprintf(text, ERROR_TEXT_MAX, "can't set the frontend's requests up: %s",
				 strerror(-error));
			return error;
		}
	}
	blkif_frontend_describe(frontend, &message.connect);
	message.connect.persistent = message.connect.persistent && opened->persistent;
	error = ask(worker, &message);
	if (error == 0)
		error = answer(worker, MESSAGE_CONNECTED, frontend->options.device_id, &message);
	if (error < 0) {
		snprintf(text, ERROR_TEXT_MAX, "the worker does not answer: %s", strerror(-error));
		return error;
	}
	snprintf(text, ERROR_TEXT_MAX, "%s", message.error.text);
	return message.error.error;
}

int worker_thread_disconnect(struct worker_thread *worker, uint32_t device_id)
{
	return ask_plain(worker, MESSAGE_DISCONNECT, device_id, MESSAGE_DISCONNECTED);
}

int worker_thread_close(struct worker_thread *worker, uint32_t device_id)
{
	return ask_plain(worker, MESSAGE_CLOSE, device_id, MESSAGE_CLOSED);
}

/* ---- network cards ---- */

int worker_thread_net_open(struct worker_thread *worker, uint32_t device_id,
			   const struct message_net_open *open, struct message_net_opened *opened)
{
	struct message message = {
		.type = MESSAGE_OPEN, .class = DEVICE_NET, .device_id = device_id, .net_open = *open};
	int error = ask(worker, &message);

	if (error == 0)
		error = answer(worker, MESSAGE_OPENED, device_id, &message);
	*opened = message.net_opened;
	if (error < 0) {
		opened->error = error;
		snprintf(opened->text, sizeof(opened->text), "the worker does not answer: %s",
			 strerror(-error));
	}
	return opened->error;
}

struct netif_features worker_thread_net_features(const struct message_net_opened *opened)
{
	return (struct netif_features){
		.takes = opened->takes,
		.scatter = true,
		.split = true,
		.multicast_control = true,
		.dynamic_multicast = true,
		.xdp_headroom = true,
		.control = true,
		.queues_max = opened->queues_max,
	};
}

int worker_thread_net_connect(struct worker_thread *worker, struct netif_frontend *frontend, bool again,
			      char text[ERROR_TEXT_MAX])
{
	const uint32_t device_id = frontend->options.device_id;
	struct message message = {.type = MESSAGE_CONNECT, .class = DEVICE_NET, .device_id = device_id};
	int error;

	text[0] = '\0';
	forget_broken(worker, device_id);
	netif_frontend_describe(frontend, &message.net_connect);
	message.net_connect.again = again;
	error = ask(worker, &message);
	if (error == 0)
		error = answer(worker, MESSAGE_CONNECTED, device_id, &message);
	if (error < 0) {
		snprintf(text, ERROR_TEXT_MAX, "the worker does not answer: %s", strerror(-error));
		return error;
	}
	snprintf(text, ERROR_TEXT_MAX, "%s", message.error.text);
	return message.error.error;
}

int worker_thread_net_set(struct worker_thread *worker, uint32_t device_id,
			  const struct message_net_settings *settings)
{
	struct message message = {.type = MESSAGE_CHANGE,
				  .class = DEVICE_NET,
				  .device_id = device_id,
				  .net_settings = *settings};
	int error = ask(worker, &message);

	return error < 0 ? error : answer(worker, MESSAGE_CHANGED, device_id, &message);
}

/* ask_plain_net - a question of a card without content. */
static int ask_plain_net(struct worker_thread *worker, enum message_type type, uint32_t device_id,
			 enum message_type answer_type, struct message *message)
{
	int error;

	*message = (struct message){.type = type, .class = DEVICE_NET, .device_id = device_id};
	error = ask(worker, message);
	return error < 0 ? error : answer(worker, answer_type, device_id, message);
}

int worker_thread_net_disconnect(struct worker_thread *worker, uint32_t device_id)
{
	struct message message;
	int error = ask_plain_net(worker, MESSAGE_DISCONNECT, device_id, MESSAGE_DISCONNECTED, &message);

	if (error == 0)
		worker->net_counters = message.net_counters;
	return error;
}

const struct message_net_counters *worker_thread_net_counters(const struct worker_thread *worker)
{
	return &worker->net_counters;
}

int worker_thread_net_close(struct worker_thread *worker, uint32_t device_id)
{
	struct message message;

	return ask_plain_net(worker, MESSAGE_CLOSE, device_id, MESSAGE_CLOSED, &message);
}

/* ---- what the worker reports ---- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool worker_thread_broken(struct worker_thread *worker, uint32_t device_id, int timeout_ms,
			  char text[ERROR_TEXT_MAX])
{
	int64_t end_ms = now_ms() + timeout_ms;
	const char *said;

	while (!(said = find_broken(worker, device_id))) {
		int64_t left_ms = end_ms - now_ms();
		struct message message;

		if (next_message(worker, left_ms > 0 ? (int)left_ms : 0, &message) < 0)
			return false;
	}
	if (text)
		snprintf(text, ERROR_TEXT_MAX, "%s", said);
	return true;
}

bool worker_thread_net_link(struct worker_thread *worker, uint32_t device_id, bool up, int timeout_ms)
{
	int64_t end_ms = now_ms() + timeout_ms;

	while (!(worker->links_down & 1u << device_id) != up) {
		int64_t left_ms = end_ms - now_ms();
		struct message message;

		if (next_message(worker, left_ms > 0 ? (int)left_ms : 0, &message) < 0)
			return false;
	}
	return true;
}

int worker_thread_stop(struct worker_thread *worker)
{
	const struct message message = {.type = MESSAGE_STOP};
	int result;

	/* If it does not hear this, it hears the socket close. */
	ask(worker, &message);
	shutdown(worker->socket, SHUT_WR);
	pthread_join(worker->thread, NULL);
	close(worker->socket);
	result = worker->result;
	free(worker);
	return result;
}
