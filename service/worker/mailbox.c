// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mailbox.c - a bounded queue of small messages from one thread to another
 */
#include "worker/mailbox.h"

#include <assert.h>
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

int mailbox_init(struct mailbox *mailbox)
{
	mailbox->first = 0;
	mailbox->count = 0;
	mailbox->fd = eventfd(0, EFD_CLOEXEC);
	if (mailbox->fd < 0)
		return -errno;
	pthread_mutex_init(&mailbox->mutex, NULL);
	return 0;
}

void mailbox_destroy(struct mailbox *mailbox)
{
	pthread_mutex_destroy(&mailbox->mutex);
	close(mailbox->fd);
}

void mailbox_put(struct mailbox *mailbox, struct mailbox_message message)
{
	const uint64_t one = 1;
	ssize_t written;

	pthread_mutex_lock(&mailbox->mutex);
	assert(mailbox->count < MAILBOX_MESSAGES_MAX);
	mailbox->messages[(mailbox->first + mailbox->count++) % MAILBOX_MESSAGES_MAX] = message;
	pthread_mutex_unlock(&mailbox->mutex);
	/* An eventfd takes 2^64 - 2 such writes before it would block. */
	written = write(mailbox->fd, &one, sizeof(one));
	assert(written == sizeof(one));
}

bool mailbox_take(struct mailbox *mailbox, struct mailbox_message *message)
{
	bool taken = false;

	pthread_mutex_lock(&mailbox->mutex);
	if (mailbox->count > 0) {
		*message = mailbox->messages[mailbox->first];
		mailbox->first = (mailbox->first + 1) % MAILBOX_MESSAGES_MAX;
		mailbox->count--;
		taken = true;
	}
	pthread_mutex_unlock(&mailbox->mutex);
	return taken;
}
