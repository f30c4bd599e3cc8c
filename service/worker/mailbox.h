/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mailbox.h - a bounded queue of small messages from one thread to another
 *
 * The receiver waits for `fd` (an eventfd) in whatever way it waits for everything else. Control only: no
 * request goes through here.
 */
#ifndef MAILBOX_H
#define MAILBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "worker/messages.h"

struct blkif_queue;
struct loop_net;

/* Each queue of a disk has at most two messages under way in each direction, of a card three; one more tells of the end. */
#define MAILBOX_MESSAGES_MAX                                                                                 \
	(2 * CONFIG_MAX_DISKS_PER_GUEST * DISK_QUEUES_MAX + 3 * CONFIG_MAX_NETS_PER_GUEST * NET_QUEUES_MAX + \
	 1)

struct mailbox_message {
	uint32_t type;
	uint32_t port;
	int error;
	struct blkif_queue *queue; /* of a disk, or NULL */
	struct loop_net *net;	   /* queue of a card, or NULL */
};

struct mailbox {
	pthread_mutex_t mutex;
	int fd;
	uint32_t first;
	uint32_t count;
	struct mailbox_message messages[MAILBOX_MESSAGES_MAX];
};

/* mailbox_init - returns 0 or a negative errno. */
int mailbox_init(struct mailbox *mailbox);
void mailbox_destroy(struct mailbox *mailbox);

/* mailbox_put - add a message and wake the receiver. The limit can't be passed by those who keep to it. */
void mailbox_put(struct mailbox *mailbox, struct mailbox_message message);

/* mailbox_take - take the oldest message; false when there is none. Does not read the eventfd. */
bool mailbox_take(struct mailbox *mailbox, struct mailbox_message *message);

#endif
