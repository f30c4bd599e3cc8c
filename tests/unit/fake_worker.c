// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fake_worker.c - a worker process that has no disks and no cards and does what their targets say
 */
#include "fake_worker.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/messages.h"

#define DEVICES_MAX 64

static struct {
	enum device_class class;
	uint32_t id;
	char target[TARGET_MAX];
} devices[DEVICES_MAX];
static unsigned device_count;

/* target_of_device - the place for what the device was opened with last. */
static char *target_of_device(enum device_class class, uint32_t id)
{
	unsigned i = 0;

	while (i < device_count && (devices[i].id != id || devices[i].class != class))
		i++;
	if (i == DEVICES_MAX)
		exit(90);
	if (i == device_count) {
		devices[device_count].class = class;
		devices[device_count++].id = id;
	}
	return devices[i].target;
}

static char *target_of(uint32_t id)
{
	return target_of_device(DEVICE_DISK, id);
}

/* is - the disk's target is this one. */
static bool is(uint32_t id, const char *target)
{
	return strcmp(target_of(id), target) == 0;
}

static void answer(int fd, struct message *message, enum message_type type, int error, const char *text)
{
	message->type = type;
	if (type == MESSAGE_OPENED || type == MESSAGE_CHANGED) {
		message->opened.error = error;
		snprintf(message->opened.text, sizeof(message->opened.text), "%s", text);
	} else if (type == MESSAGE_CONNECTED || type == MESSAGE_BROKEN) {
		message->error.error = error;
		snprintf(message->error.text, sizeof(message->error.text), "%s", text);
	}
	if (send(fd, message, sizeof(*message), MSG_NOSIGNAL) < 0)
		exit(91);
}

static void open_disk(int fd, struct message *message)
{
	uint32_t id = message->device_id;
	bool direct = message->open.direct;

	memcpy(target_of(id), message->open.target, TARGET_MAX);
	memset(&message->opened, 0, sizeof(message->opened));
	if (is(id, "dies-opening"))
		exit(3);
	if (is(id, "bad")) {
		answer(fd, message, MESSAGE_OPENED, -ENOENT, "no such disk");
	} else if (is(id, "nonsense")) {
		answer(fd, message, MESSAGE_CLOSED, 0, "");
	} else if (!is(id, "silent")) {
		message->opened.size_bytes = FAKE_SIZE_BYTES + (is(id, "physical-odd") ? 1024 : 0);
		message->opened.block_bytes = 512;
		message->opened.physical_block_bytes = is(id, "physical") || is(id, "physical-odd") ? 4096
												    : 512;
		message->opened.flush = true;
		message->opened.read_only = is(id, "read-only") || (is(id, "direct") && direct);
		message->opened.discard = message->opened.discard_secure = is(id, "erases");
		message->opened.discard_granularity = is(id, "erases") ? 65536 : 512;
		message->opened.discard_alignment = is(id, "erases") ? 4096 : 0;
		answer(fd, message, MESSAGE_OPENED, 0, "");
	}
	if (is(id, "opens-twice"))
		answer(fd, message, MESSAGE_OPENED, 0, "");
}

static void change_disk(int fd, struct message *message)
{
	uint32_t id = message->device_id;
	int error = 0;

	memcpy(target_of(id), message->open.target, TARGET_MAX);
	memset(&message->opened, 0, sizeof(message->opened));
	if (is(id, "dies-changing"))
		exit(6);
	if (is(id, "bad"))
		error = -ENOENT;
	if (is(id, "loses-rings"))
		error = -ENOMEM;
	message->opened.lost = error == -ENOMEM;
	message->opened.size_bytes = error || target_of(id)[0] == '\0' ? 0 : 2 * FAKE_SIZE_BYTES;
	message->opened.block_bytes = message->opened.physical_block_bytes = 512;
	answer(fd, message, MESSAGE_CHANGED, error, error == 0 ? "" : "no such disk");
}

static void connect_disk(int fd, struct message *message)
{
	const struct message_disk_connect *ring = &message->connect;
	uint32_t id = message->device_id;
	bool right = ring->protocol == BLKIF_X86_64 && ring->ring_pages == 1 && ring->queue_count == 1 &&
		     ring->queues[0].ring_refs[0] == FAKE_RING_REF &&
		     ring->queues[0].event_channel == FAKE_EVENT_CHANNEL;

	memset(&message->error, 0, sizeof(message->error));
	if (is(id, "dies-connecting"))
		exit(4);
	if (is(id, "fails-connecting") || !right) {
		answer(fd, message, MESSAGE_CONNECTED, -EIO, "no such ring");
		return;
	}
	answer(fd, message, MESSAGE_CONNECTED, 0, "");
	if (is(id, "breaks"))
		answer(fd, message, MESSAGE_BROKEN, -EPROTO, "nonsense\nin the ring");
	if (is(id, "dies-connected"))
		exit(5);
}

/* ---- cards ---- */

/* record - a line for the test. */
__attribute__((format(printf, 1, 2))) static void record(const char *format, ...)
{
	const char *path = getenv(FAKE_RECORD);
	FILE *file = path != NULL ? fopen(path, "ae") : NULL;
	va_list arguments;

	if (file == NULL)
		return;
	va_start(arguments, format);
	vfprintf(file, format, arguments);
	va_end(arguments);
	fputc('\n', file);
	fclose(file);
}

static void record_settings(const char *what, const struct message_net_settings *settings)
{
	record("%s: rate %" PRIu64 ",%" PRIu64 " multicast %d headroom %" PRIu32, what, settings->rate_bytes,
	       settings->rate_interval_us, settings->multicast_control, settings->xdp_headroom);
}

static void tell(int fd, const struct message *message)
{
	if (send(fd, message, sizeof(*message), MSG_NOSIGNAL) < 0)
		exit(91);
}

/* report_link - of the card that the message is about, which stays as it is. */
static void report_link(int fd, const struct message *message, bool up)
{
	struct message report = {.type = MESSAGE_LINK,
				 .class = DEVICE_NET,
				 .device_id = message->device_id,
				 .net_link = {.up = up}};

	tell(fd, &report);
}

static void open_card(int fd, struct message *message)
{
	char *target = target_of_device(DEVICE_NET, message->device_id);
	const struct message_net_open open = message->net_open;

	record("open %" PRIu32 ": %s interface %s bridge %s mac %02x:%02x:%02x:%02x:%02x:%02x mtu %" PRIu32
	       " queues %" PRIu32,
	       message->device_id, open.target, open.interface, open.bridge, open.mac[0], open.mac[1],
	       open.mac[2], open.mac[3], open.mac[4], open.mac[5], open.mtu, open.queues_max);
	record_settings("open", &open.settings);
	memcpy(target, open.target, TARGET_MAX);
	if (strcmp(target, "dies-opening") == 0)
		exit(3);
	if (strcmp(target, "silent") == 0)
		return;
	if (strcmp(target, "links-early") == 0)
		report_link(fd, message, true);
	memset(&message->net_opened, 0, sizeof(message->net_opened));
	message->net_opened.link = strcmp(target, "no-link") != 0;
	if (strcmp(target, "bad") == 0) {
		message->net_opened.error = -ENOENT;
		snprintf(message->net_opened.text, ERROR_TEXT_MAX, "no such network");
	}
	message->net_opened.takes = strcmp(target, "takes-nothing") == 0    ? 0
				    : strcmp(target, "takes-too-much") == 0 ? 16
									    : 15;
	message->net_opened.queues_max = strcmp(target, "no-queues") == 0     ? 0
					 : strcmp(target, "many-queues") == 0 ? NET_QUEUES_MAX + 1
									      : FAKE_NET_QUEUES;
	message->type = MESSAGE_OPENED;
	tell(fd, message);
}

static void connect_card(int fd, struct message *message)
{
	const char *target = target_of_device(DEVICE_NET, message->device_id);
	const struct message_net_connect *connect = &message->net_connect;
	const struct message_net_queue *queue = &connect->queues[0];
	bool right = connect->queue_count == 1 && queue->tx_ring_ref == FAKE_RING_REF &&
		     queue->rx_ring_ref == FAKE_RING_REF + 1 &&
		     queue->event_channel_tx == FAKE_EVENT_CHANNEL &&
		     queue->event_channel_rx == FAKE_EVENT_CHANNEL + 1;

	record("connect %" PRIu32 ": takes %" PRIu32 " scatter %d again %d", message->device_id,
	       connect->guest_takes, connect->scatter, connect->again);
	record_settings("connect", &connect->settings);
	memset(&message->error, 0, sizeof(message->error));
	if (strcmp(target, "fails-connecting") == 0 || !right) {
		answer(fd, message, MESSAGE_CONNECTED, -EIO, "no such ring");
		return;
	}
	answer(fd, message, MESSAGE_CONNECTED, 0, "");
	if (strcmp(target, "breaks") == 0)
		answer(fd, message, MESSAGE_BROKEN, -EPROTO, "nonsense\nin the ring");
	if (strcmp(target, "dies-connected") == 0)
		exit(5);
}

/* serve_card - a message about a card. */
static void serve_card(int fd, struct message *message)
{
	static bool link;
	const char *target = target_of_device(DEVICE_NET, message->device_id);

	switch (message->type) {
	case MESSAGE_OPEN:
		open_card(fd, message);
		break;
	case MESSAGE_CONNECT:
		connect_card(fd, message);
		break;
	case MESSAGE_CHANGE:
		record_settings("settings", &message->net_settings);
		answer(fd, message, MESSAGE_CHANGED, 0, "");
		link = !link;
		if (strcmp(target, "no-link") == 0)
			report_link(fd, message, link);
		break;
	case MESSAGE_DISCONNECT:
		record("disconnect %" PRIu32, message->device_id);
		if (strcmp(target, "hangs-disconnecting") != 0)
			answer(fd, message, MESSAGE_DISCONNECTED, 0, "");
		break;
	case MESSAGE_CLOSE:
		record("close %" PRIu32, message->device_id);
		answer(fd, message, MESSAGE_CLOSED, 0, "");
		break;
	default:
		exit(92);
	}
}

static void serve(int fd)
{
	struct message message;
	bool stubborn = false;

	for (;;) {
		if (recv(fd, &message, sizeof(message), 0) != sizeof(message))
			message = (struct message){.type = MESSAGE_STOP};
		if (message.class == DEVICE_NET) {
			serve_card(fd, &message);
			continue;
		}
		switch (message.type) {
		case MESSAGE_OPEN:
			stubborn = stubborn || strcmp(message.open.target, "stubborn") == 0;
			open_disk(fd, &message);
			break;
		case MESSAGE_CONNECT:
			connect_disk(fd, &message);
			break;
		case MESSAGE_CHANGE:
			change_disk(fd, &message);
			break;
		case MESSAGE_DISCONNECT:
			if (!is(message.device_id, "hangs-disconnecting"))
				answer(fd, &message, MESSAGE_DISCONNECTED, 0, "");
			break;
		case MESSAGE_MEMORY:
			break;
		case MESSAGE_CLOSE:
			answer(fd, &message, MESSAGE_CLOSED, 0, "");
			break;
		default:
			while (stubborn)
				pause();
			exit(0);
		}
	}
}

/* be_uplink - of this switch. */
static void be_uplink(int fd, char **argv)
{
	const char *target = argv[12];
	struct message message = {.type = MESSAGE_OPENED};

	record("switch %s: %s in domain %s", argv[10], target, argv[2]);
	if (strcmp(target, "dies") == 0)
		exit(7);
	if (strcmp(target, "talks") == 0 && send(fd, &message, sizeof(message), MSG_NOSIGNAL) < 0)
		exit(91);
	/* There is nothing that it can be told but to end. */
	if (recv(fd, &message, sizeof(message), 0) == sizeof(message) && message.type != MESSAGE_STOP)
		exit(92);
	while (strcmp(target, "stubborn") == 0)
		pause();
	record("switch %s: end", argv[10]);
	exit(0);
}

/* be_worker - before main(): glibc gives its arguments to constructors, too. */
__attribute__((constructor)) static void be_worker(int argc, char **argv)
{
	if (argc == 13 && strcmp(argv[9], "--switch") == 0 && strcmp(argv[11], "--uplink") == 0)
		be_uplink(atoi(argv[4]), argv);
	if (argc == 9 && strcmp(argv[1], "--domid") == 0 && strcmp(argv[3], "--socket") == 0)
		serve(atoi(argv[4]));
}

const char *fake_worker_path(void)
{
	static char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	return length > 0 ? path : NULL;
}
