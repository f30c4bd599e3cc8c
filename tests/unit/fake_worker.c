// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fake_worker.c - a worker process that has no disks and does what its targets say
 */
#include "fake_worker.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/messages.h"

#define DISKS_MAX 64

static struct {
	uint32_t id;
	char target[TARGET_MAX];
} disks[DISKS_MAX];
static unsigned disk_count;

/* target_of - the place for what the disk was opened with last. */
static char *target_of(uint32_t id)
{
	unsigned i = 0;

	while (i < disk_count && disks[i].id != id)
		i++;
	if (i == DISKS_MAX)
		exit(90);
	if (i == disk_count)
		disks[disk_count++].id = id;
	return disks[i].target;
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
		message->opened.size_bytes = FAKE_SIZE_BYTES;
		message->opened.block_bytes = 512;
		message->opened.physical_block_bytes = 512;
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

static void serve(int fd)
{
	struct message message;
	bool stubborn = false;

	for (;;) {
		if (recv(fd, &message, sizeof(message), 0) != sizeof(message))
			message.type = MESSAGE_STOP;
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

/* be_worker - before main(): glibc gives its arguments to constructors, too. */
__attribute__((constructor)) static void be_worker(int argc, char **argv)
{
	if (argc == 9 && strcmp(argv[1], "--domid") == 0 && strcmp(argv[3], "--socket") == 0)
		serve(atoi(argv[4]));
}

const char *fake_worker_path(void)
{
	static char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	return length > 0 ? path : NULL;
}
