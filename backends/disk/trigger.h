/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trigger.h - on while a file exists; for wrappers that do harm only when told to
 *
 * Theory of operation: a look at the file system can wait, and a loop thread must not. So a thread of the trigger's
 * own waits for changes of the file's directory (inotify), looks whether the file is there, and keeps the answer
 * where any thread can read it at once. A directory that is made anew in the place of a watched one is another: when
 * the watched one goes, the trigger is off for good, and the log says so.
 */
#ifndef TRIGGER_H
#define TRIGGER_H

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "xvhost/backend.h"

struct trigger {
	const struct xvhost_disk *disk;
	const char *path; /* NULL: always on */
	atomic_bool on;
	int changes; /* inotify of the path's directory */
	int end;     /* eventfd that ends the thread */
	pthread_t thread;
};

/* trigger_read - what has changed. False if that was the last: the directory is not there any more. */
static bool trigger_read(const struct trigger *trigger)
{
	_Alignas(struct inotify_event) char events[4096];
	ssize_t length = read(trigger->changes, events, sizeof(events));
	const struct inotify_event *event;

	for (ssize_t at = 0; at < length; at += (ssize_t)(sizeof(*event) + event->len)) {
		event = (const struct inotify_event *)(const void *)(events + at);
		if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED))
			return false;
	}
	return length > 0 || errno == EINTR;
}

static void *trigger_watch(void *opaque)
{
	struct trigger *trigger = opaque;
	struct pollfd polled[] = {{.fd = trigger->changes, .events = POLLIN},
				  {.fd = trigger->end, .events = POLLIN}};

	/* The watch is set already, so what changes after this look is seen. */
	do {
		atomic_store(&trigger->on, access(trigger->path, F_OK) == 0);
		if (poll(polled, 2, -1) > 0 && polled[0].revents && !trigger_read(trigger)) {
			atomic_store(&trigger->on, false);
			trigger->disk->host->log(
				trigger->disk, XVHOST_LOG_WARNING,
				"the directory of the trigger '%s' is not there any more, so that "
				"the trigger stays off",
				trigger->path);
			break;
		}
	} while (!polled[1].revents);
	return NULL;
}

/* trigger_watch_directory - of the path. */
static int trigger_watch_directory(const struct trigger *trigger)
{
	size_t length = (size_t)(strrchr(trigger->path, '/') - trigger->path);
	char directory[PATH_MAX];

	if (length >= sizeof(directory))
		return -ENAMETOOLONG;
	memcpy(directory, trigger->path, length);
	strcpy(directory + length, length == 0 ? "/" : "");
	if (inotify_add_watch(trigger->changes, directory,
			      IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF |
				      IN_MOVE_SELF | IN_ONLYDIR) < 0)
		return -errno;
	return 0;
}

/*
 * trigger_open - begin to watch; `path` stays until trigger_close, NULL is a trigger that is always on. Returns 0 or a
 * negative errno after host->fail(). Control thread.
 */
static int trigger_open(struct trigger *trigger, struct xvhost_disk *disk, const char *backend,
			const char *path)
{
	int error;

	*trigger = (struct trigger){.disk = disk, .path = path, .on = true};
	if (!path)
		return 0;
	if (path[0] != '/') {
		disk->host->fail(disk, "parameter trigger of backend %s is '%s', it must be an absolute path",
				 backend, path);
		return -EINVAL;
	}
	trigger->changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	trigger->end = eventfd(0, EFD_CLOEXEC);
	error = trigger->changes < 0 || trigger->end < 0 ? -errno : trigger_watch_directory(trigger);
	if (error == 0) {
		/* What holds when the first request comes is not left to the thread's start. */
		atomic_store(&trigger->on, access(path, F_OK) == 0);
		error = -pthread_create(&trigger->thread, NULL, trigger_watch, trigger);
	}
	if (error < 0) {
		disk->host->fail(disk,
				 "parameter trigger of backend %s: can't watch the directory of '%s': %s",
				 backend, path, strerror(-error));
		close(trigger->changes);
		close(trigger->end);
	}
	return error;
}

static void trigger_close(struct trigger *trigger)
{
	const uint64_t one = 1;

	if (!trigger->path)
		return;
	while (write(trigger->end, &one, sizeof(one)) < 0)
		;
	pthread_join(trigger->thread, NULL);
	close(trigger->changes);
	close(trigger->end);
}

/* trigger_is_on - any thread. */
static bool trigger_is_on(const struct trigger *trigger)
{
	return atomic_load_explicit(&trigger->on, memory_order_relaxed);
}

#endif
