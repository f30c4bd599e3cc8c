// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * front_talk.c - one step of a frontend's talk with the host in xenstore
 */
#include "sim/front_talk.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRANSACTION_TRIES_MAX 20
#define TOKEN "frontend"

int talk_refuse(struct talk *talk, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(talk->text, TALK_TEXT_MAX, format, arguments);
	va_end(arguments);
	return error;
}

/* ---- nodes ---- */

char *talk_read(const struct talk *talk, const char *directory, const char *name)
{
	char path[XENSTORE_PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return talk->platform->xenstore_read(talk->xenstore, talk->transaction, path);
}

uint64_t talk_number(const struct talk *talk, const char *name, uint64_t otherwise)
{
	char *text = talk_read(talk, talk->back, name), *end;
	uint64_t number = otherwise;

	if (text && text[0] >= '0' && text[0] <= '9') {
		number = strtoull(text, &end, 10);
		if (*end)
			number = otherwise;
	}
	free(text);
	return number;
}

unsigned int talk_host_state(const struct talk *talk)
{
	return (unsigned int)talk_number(talk, "state", XenbusStateUnknown);
}

int talk_write(const struct talk *talk, const char *name, const char *format, ...)
{
	char path[XENSTORE_PATH_MAX], value[64];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(value, sizeof(value), format, arguments);
	va_end(arguments);
	snprintf(path, sizeof(path), "%s/%s", talk->front, name);
	return talk->platform->xenstore_write(talk->xenstore, talk->transaction, path, value);
}

int talk_forget(const struct talk *talk, const char *const *prefixes)
{
	const struct platform *platform = talk->platform;
	char path[XENSTORE_PATH_MAX];
	unsigned count;
	char **names = platform->xenstore_directory(talk->xenstore, talk->transaction, talk->front, &count);
	int error = 0;

	if (!names)
		return -errno;
	for (unsigned i = 0; i < count && error >= 0; i++) {
		for (size_t j = 0; prefixes[j] && error >= 0; j++) {
			if (strncmp(names[i], prefixes[j], strlen(prefixes[j])) != 0)
				continue;
			snprintf(path, sizeof(path), "%s/%.100s", talk->front, names[i]);
			error = platform->xenstore_remove(talk->xenstore, talk->transaction, path);
		}
	}
	free(names);
	return error;
}

int talk_describe(struct talk *talk, int (*write)(const struct talk *talk, const void *frontend),
		  const void *frontend)
{
	const struct platform *platform = talk->platform;
	int error = -EAGAIN;

	for (int tries = 0; error == -EAGAIN && tries < TRANSACTION_TRIES_MAX; tries++) {
		talk->transaction = platform->xenstore_transaction_start(talk->xenstore);
		if (talk->transaction == 0)
			return talk_refuse(talk, -errno, "can't begin a transaction: %s", strerror(errno));
		error = write(talk, frontend);
		if (error < 0)
			platform->xenstore_transaction_end(talk->xenstore, talk->transaction, true);
		else
			error = platform->xenstore_transaction_end(talk->xenstore, talk->transaction, false);
		talk->transaction = 0;
	}
	return error < 0 ? talk_refuse(talk, error, "can't write the rings' nodes: %s", strerror(-error)) : 0;
}

int talk_go_to(struct talk *talk, enum xenbus_state state)
{
	int error = talk_write(talk, "state", "%d", (int)state);

	return error < 0 ? talk_refuse(talk, error, "can't write the frontend's state %d: %s", (int)state,
				       strerror(-error))
			 : 0;
}

/* ---- waiting for the host ---- */

int64_t talk_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void talk_sleep(const struct talk *talk, int64_t end_ms)
{
	const struct platform *platform = talk->platform;
	struct pollfd polled = {.fd = platform->xenstore_fd(talk->xenstore), .events = POLLIN};
	char path[XENSTORE_PATH_MAX], token[32];
	int64_t left_ms = end_ms - talk_now_ms();

	poll(&polled, 1, left_ms > 0 ? (int)left_ms : 0);
	while (platform->xenstore_next_watch(talk->xenstore, path, sizeof(path), token, sizeof(token)))
		;
}

int talk_await_host(struct talk *talk, unsigned int wanted, unsigned int refused)
{
	int64_t end_ms = talk_now_ms() + talk->timeout_ms;

	for (;;) {
		unsigned int state = talk_host_state(talk);

		if (wanted & 1u << state)
			return 0;
		if (refused & 1u << state)
			return talk_refuse(talk, -ECONNREFUSED, "the host is in state %u, closing", state);
		if (talk_now_ms() >= end_ms)
			return talk_refuse(talk, -ETIMEDOUT, "the host is in state %u still, after %d ms",
					   state, talk->timeout_ms);
		talk_sleep(talk, end_ms);
	}
}

int talk_begin(struct talk *talk, const char *class, uint32_t device_id)
{
	char *back;
	int error;

	talk->text[0] = '\0';
	talk->transaction = 0;
	snprintf(talk->front, sizeof(talk->front), "device/%s/%" PRIu32, class, device_id);
	back = talk_read(talk, talk->front, "backend");
	if (!back)
		return talk_refuse(talk, -errno, "%s/backend can't be read: %s", talk->front,
				   strerror(errno));
	snprintf(talk->back, sizeof(talk->back), "%s", back);
	free(back);
	if (snprintf(talk->back_state, sizeof(talk->back_state), "%s/state", talk->back) >=
	    (int)sizeof(talk->back_state))
		return talk_refuse(talk, -ENAMETOOLONG, "%s/backend is too long a path", talk->front);
	error = talk->platform->xenstore_watch(talk->xenstore, talk->back_state, TOKEN);
	return error < 0 ? talk_refuse(talk, error, "can't watch the host's state: %s", strerror(-error)) : 0;
}

void talk_end(const struct talk *talk)
{
	talk->platform->xenstore_unwatch(talk->xenstore, talk->back_state, TOKEN);
}

int talk_close(struct talk *talk)
{
	const unsigned int gone = 1u << XenbusStateClosed | 1u << XenbusStateUnknown;
	int error = talk_go_to(talk, XenbusStateClosing);

	if (error == 0)
		error = talk_await_host(talk, 1u << XenbusStateClosing | gone, 0);
	if (error == 0)
		error = talk_go_to(talk, XenbusStateClosed);
	if (error == 0)
		error = talk_await_host(talk, gone, 0);
	return error;
}
