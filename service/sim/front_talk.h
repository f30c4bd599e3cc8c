/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * front_talk.h - one step of a frontend's talk with the host in xenstore, of any class of device
 *
 * A talk is begun, waits for states of the host's and writes nodes, and is ended, on one thread. All that return int give 0 or a
 * negative errno, and the reason is in the text that the talk was begun with.
 */
#ifndef FRONT_TALK_H
#define FRONT_TALK_H

#include <stdint.h>
#include <xen/io/xenbus.h>

#include "platform/platform.h"

#define TALK_TEXT_MAX 256 /* bytes of a text with the final 0 */

struct talk {
	const struct platform *platform;
	struct xenstore *xenstore;
	int timeout_ms;	 /* for each state of the host's */
	char *text;	 /* TALK_TEXT_MAX bytes */
	const void *own; /* of who talks */
	uint32_t transaction;
	char front[64]; /* the frontend's directory, relative to the guest's own */
	char back[XENSTORE_PATH_MAX];
	char back_state[XENSTORE_PATH_MAX]; /* the backend's state node, while it is watched */
};

/* talk_begin - about this device: find the host's directory and watch its state. platform, xenstore, timeout_ms and text of
 * `talk` are filled in; talk_end ends what has begun without an error. */
int talk_begin(struct talk *talk, const char *class, uint32_t device_id);
void talk_end(const struct talk *talk);

/* talk_refuse - write the reason; returns `error`. */
int talk_refuse(struct talk *talk, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* talk_read - the text of directory/name, to free(); NULL with errno set. */
char *talk_read(const struct talk *talk, const char *directory, const char *name);

/* talk_number - of the host's directory; `otherwise` if it is not there or no number. */
uint64_t talk_number(const struct talk *talk, const char *name, uint64_t otherwise);
unsigned int talk_host_state(const struct talk *talk);

/* talk_write - below the frontend's directory. */
int talk_write(const struct talk *talk, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* talk_forget - remove the nodes of the frontend's whose names begin with one of these; the last is NULL. */
int talk_forget(const struct talk *talk, const char *const *prefixes);

/* talk_describe - write nodes in one transaction, which somebody else's may make fail: then once more. */
int talk_describe(struct talk *talk, int (*write)(const struct talk *talk, const void *frontend),
		  const void *frontend);

int talk_go_to(struct talk *talk, enum xenbus_state state);

/*
 * talk_await_host - until the host is in one of these states, given as bits; -ECONNREFUSED when it is in one of those that are
 * `refused`.
 */
int talk_await_host(struct talk *talk, unsigned int wanted, unsigned int refused);

/* talk_now_ms, talk_sleep - until a watch fires, or it is end_ms; all that fired is taken. */
int64_t talk_now_ms(void);
void talk_sleep(const struct talk *talk, int64_t end_ms);

/* talk_close - Closing, until the host does so too, then Closed, until the host has let go. */
int talk_close(struct talk *talk);

#endif
