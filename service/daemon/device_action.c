// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * device_action.c - doing what is to be done with a device
 *
 * Theory of operation: an action either asks the worker something or writes nodes, and `phase` changes only
 * when that went well. When it did not, because the worker must first read what it was sent or because
 * somebody else wrote the same nodes, nothing has changed, and the next look leads to the same action, if it
 * is still right.
 */
#include "daemon/device_action.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/device_kind.h"
#include "daemon/text.h"

#define NUMBER_TEXT_MAX 24 /* bytes of a number as a text with the final 0 */
#define WATCH_TOKEN_MAX 24 /* bytes of a watch's token with the final 0 */
#define STATE_TEXT_MAX 4   /* bytes of a state as a text with the final 0 */

/* watch_token - what comes back when the frontend's nodes change: which device it is. */
static void watch_token(const struct device *device, char token[WATCH_TOKEN_MAX])
{
	snprintf(token, WATCH_TOKEN_MAX, "%s/%" PRIu16 "/%" PRIu32, device->kind->directory, device->domid,
		 device->id);
}

/* watched_nodes - of the frontend. A driver domain has few watches: there only its state is watched. Returns how many. */
static unsigned watched_nodes(const struct device *device, const struct host *host, const char *names[2])
{
	names[0] = "state";
	names[1] = device->kind->watched;
	return names[1] != NULL && host->domid == 0 ? 2 : 1;
}

/* unwatch - the first of the watched nodes. */
static void unwatch(const struct device *device, const struct host *host, const char *const *names,
		    unsigned count)
{
	char path[XENSTORE_PATH_MAX], token[WATCH_TOKEN_MAX];

	watch_token(device, token);
	for (unsigned i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s", device->frontend, names[i]);
		host->platform->xenstore_unwatch(host->xenstore, path, token);
	}
}

int device_watch(struct device *device, const struct host *host)
{
	char path[XENSTORE_PATH_MAX], token[WATCH_TOKEN_MAX];
	const char *names[2];
	unsigned count = watched_nodes(device, host, names);

	if (device->watched)
		return 0;
	watch_token(device, token);
	for (unsigned i = 0; i < count; i++) {
		int error;

		snprintf(path, sizeof(path), "%s/%s", device->frontend, names[i]);
		error = host->platform->xenstore_watch(host->xenstore, path, token);
		/* One that could not be ended when there was such a device before. */
		if (error < 0 && error != -EEXIST) {
			unwatch(device, host, names, i);
			return error;
		}
	}
	device->watched = true;
	return 0;
}

void device_unwatch(struct device *device, const struct host *host)
{
	const char *names[2];

	if (device->watched)
		unwatch(device, host, names, watched_nodes(device, host, names));
	device->watched = false;
}

/* show - write what is still to be said of an error. */
static void show(struct device *device, const struct host *host)
{
	const struct node nodes[] = {
		{"hotplug-error", device->error_text},
		{"xvhost-status", "error"},
	};
	int node_error = 0, error = 0;

	if (device->untold_node)
		node_error = nodes_write_error(host, device->backend, device->error, device->error_text);
	if (device->untold_toolstack)
		error = nodes_update(host, device->backend, XENBUS_ABSENT, nodes, 2);
	if (error == -ENOENT)
		error = 0;
	device->untold_node = node_error < 0;
	device->untold_toolstack = error < 0;
	if (error == 0)
		error = node_error;
	if (error < 0)
		log_limited(&device->log_limit, LOG_LEVEL_ERROR, "%s: can't write an error to xenstore: %s",
			    device->name, nodes_error_text(error));
}

void device_show_error(struct device *device, const struct host *host, int error, const char *text,
		       bool to_toolstack)
{
	device->error_shown = true;
	device->untold_node = true;
	device->untold_toolstack |= to_toolstack;
	device->error = error;
	snprintf(device->error_text, sizeof(device->error_text), "%s", text);
	show(device, host);
}

void device_show_again(struct device *device, const struct host *host, int64_t now_ms)
{
	if (!device->untold_node && !device->untold_toolstack)
		return;
	show(device, host);
	if (device->untold_node || device->untold_toolstack)
		device->retry_at_ms = now_ms + RETRY_PAUSE_MS;
}

bool device_pause(struct device *device, const struct host *host, int64_t now_ms)
{
	int error = nodes_error(host);

	if (error == 0)
		return false;
	log_limited(&device->log_limit, LOG_LEVEL_ERROR, "%s: xenstore can't be read: %s", device->name,
		    nodes_error_text(-error));
	device->retry_at_ms = now_ms + RETRY_PAUSE_MS;
	return true;
}

void device_clear_error(struct device *device, const struct host *host)
{
	if (device->error_shown)
		nodes_clear_error(host, device->backend);
	device->error_shown = device->untold_node = device->untold_toolstack = false;
}

bool device_write_nodes(struct device *device, const struct host *host, struct node *nodes, unsigned count,
			enum xenbus_state state, int64_t now_ms)
{
	char state_text[STATE_TEXT_MAX];
	int error;

	snprintf(state_text, sizeof(state_text), "%u", (unsigned)state % 10);
	if (device_pause(device, host, now_ms))
		return false;
	nodes[count - 1] = (struct node){"state", state_text};
	error = nodes_update(host, device->backend, device->state_seen, nodes, count);
	if (error == 0) {
		device->state_seen = state;
		device->dirty = true;
		device->retry_at_ms = 0;
		return true;
	}
	if (error == -ENOENT || error == -ESTALE) {
		device->dirty = true;
		return false;
	}
	log_limited(&device->log_limit, LOG_LEVEL_ERROR, "%s: can't write state %s to %s in xenstore: %s",
		    device->name, state_text, device->backend, nodes_error_text(error));
	device->retry_at_ms = now_ms + RETRY_PAUSE_MS;
	return false;
}

/* write_state - the same without other nodes. */
static bool write_state(struct device *device, const struct host *host, enum xenbus_state state,
			int64_t now_ms)
{
	struct node nodes[1];

	return device_write_nodes(device, host, nodes, 1, state, now_ms);
}

void device_ask(struct device *device, struct message *message, enum message_type type,
		enum device_phase phase, int64_t answer_deadline_ms)
{
	int error;

	message->type = type;
	message->class = device->kind->class;
	message->device_id = device->id;
	error = worker_send(device->worker, message);
	if (error == 0) {
		device->phase = phase;
		device->answer_deadline_ms = answer_deadline_ms;
	} else if (error != -EAGAIN) {
		worker_kill(device->worker, strerror(-error));
	}
}

/* ask_plainly - a question without contents. */
static void ask_plainly(struct device *device, enum message_type type, enum device_phase phase,
			int64_t answer_deadline_ms)
{
	struct message message;

	memset(&message, 0, sizeof(message));
	device_ask(device, &message, type, phase, answer_deadline_ms);
}

/*
 * check_node - a node of the backend directory that must have a certain value. False: `text` says what is
 * wrong.
 */
static bool check_node(const struct device *device, const struct host *host, const char *name,
		       const char *right, char text[ERROR_TEXT_MAX])
{
	char *value = nodes_read(host, device->backend, name);
	bool same = value != NULL && strcmp(value, right) == 0;

	if (!same)
		snprintf(text, ERROR_TEXT_MAX, "backend node %s is \"%.100s\"; it must be %s", name,
			 value != NULL ? value : "", right);
	free(value);
	return same;
}

bool device_says(const struct device *device, const struct host *host, const char *name, const char *value)
{
	char *text = nodes_read(host, device->backend, name);
	bool same = text != NULL && strcmp(text, value) == 0;

	free(text);
	return same;
}

bool device_wish(struct device *device, const struct host *host, struct message *message,
		 char text[ERROR_TEXT_MAX])
{
	char domid[NUMBER_TEXT_MAX];
	int error = device_watch(device, host);

	memset(message, 0, sizeof(*message));
	snprintf(domid, sizeof(domid), "%" PRIu16, device->domid);
	if (error < 0) {
		snprintf(text, ERROR_TEXT_MAX, "can't watch %s/state in xenstore: %s", device->frontend,
			 nodes_error_text(error));
		return false;
	}
	return check_node(device, host, "frontend-id", domid, text) &&
	       check_node(device, host, "frontend", device->frontend, text) &&
	       device->kind->read_wish(device, host, message, text);
}

/* taken_by_kernel - the kernel's driver has the device since we looked last. */
static bool taken_by_kernel(struct device *device, const struct host *host)
{
	if (!device_left_to_kernel(device, host))
		return false;
	device->dirty = true;
	return true;
}

/* open_device - ACTION_OPEN. */
static void open_device(struct device *device, const struct host *host, int64_t now_ms)
{
	struct message message;
	char text[ERROR_TEXT_MAX];
	bool right;

	if (taken_by_kernel(device, host))
		return;
	if (device->open_deadline_ms == 0)
		device->open_deadline_ms = now_ms + device_open_timeout_ms(device);
	right = device_wish(device, host, &message, text);
	if (device_pause(device, host, now_ms))
		return;
	if (!right) {
		device_fail(device, host, now_ms, FAILURE_OPEN, EINVAL, "%s", text);
		return;
	}
	device->worker = worker_find(host->workers, device->domid);
	if (device->worker == NULL) {
		/* An xvhostd before us may have been killed with its worker; ours may have no need of a device model. */
		host_clean_up(host, device->domid);
		device->worker = worker_start(host->workers, host->config, device->domid, text);
	}
	if (device->worker == NULL) {
		device_fail(device, host, now_ms, FAILURE_OPEN, EAGAIN, "%s", text);
		return;
	}
	device_ask(device, &message, MESSAGE_OPEN, PHASE_OPENING, 0);
	if (device->phase == PHASE_OPENING)
		device->kind->opening(device, &message);
}

/* offer - ACTION_OFFER. */
static void offer(struct device *device, const struct host *host, int64_t now_ms)
{
	if (taken_by_kernel(device, host) || !device->kind->offer(device, host, now_ms))
		return;
	device->phase = PHASE_OFFERED;
	device->open_deadline_ms = 0;
	/*
	 * The toolstack waits for state 2 in another domain, and no script tells that it has seen it. The frontend of a running guest can be
	 * so quick that it would find 4, and wait in vain.
	 */
	device->publish_not_before_ms = host->domid != 0 ? now_ms + SEEN_PAUSE_MS : 0;
	device_clear_error(device, host);
}

/* connect_rings - ACTION_CONNECT. */
static void connect_rings(struct device *device, const struct host *host, int64_t now_ms)
{
	struct message message;
	char text[ERROR_TEXT_MAX];
	int error;

	if (taken_by_kernel(device, host))
		return;
	memset(&message, 0, sizeof(message));
	error = device->kind->read_rings(device, host, &message, text);
	if (device_pause(device, host, now_ms))
		return;
	if (error < 0)
		device_fail(device, host, now_ms, FAILURE_RUNTIME, error, "%s", text);
	else
		device_ask(device, &message, MESSAGE_CONNECT, PHASE_CONNECTING, now_ms + ANSWER_TIMEOUT_MS);
}

/* publish - ACTION_PUBLISH. */
static void publish(struct device *device, const struct host *host, int64_t now_ms)
{
	if (!device->kind->publish(device, host, now_ms))
		return;
	device->phase = PHASE_PUBLISHED;
	device->open_deadline_ms = 0;
	device_clear_error(device, host);
}

/* end_closing - ACTION_END_CLOSING. */
static void end_closing(struct device *device, const struct host *host, int64_t now_ms)
{
	if (!write_state(device, host, XENBUS_CLOSED, now_ms))
		return;
	device->failure = FAILURE_NONE;
	device->open_deadline_ms = 0;
	if (device->phase == PHASE_OFFERED)
		device->phase = PHASE_OPEN;
	log_limited(&device->log_limit, LOG_LEVEL_INFO, "%s: closed", device->name);
}

/* remove_backend - ACTION_REMOVE. */
static void remove_backend(struct device *device, const struct host *host, int64_t now_ms)
{
	int error = nodes_remove_backend(host, device->backend);

	device->dirty = error == 0;
	if (error == 0)
		return;
	log_limited(&device->log_limit, LOG_LEVEL_ERROR, "%s: can't remove %s from xenstore: %s",
		    device->name, device->backend, strerror(-error));
	device->retry_at_ms = now_ms + RETRY_PAUSE_MS;
}

/* forget - ACTION_FORGET. */
static void forget(struct device *device, const struct host *host)
{
	log_info("%s: removed", device->name);
	device_release(device, host);
}

void device_perform(struct device *device, const struct host *host, enum device_action action, int64_t now_ms)
{
	switch (action) {
	case ACTION_NONE:
		break;
	case ACTION_OPEN:
		open_device(device, host, now_ms);
		break;
	case ACTION_OFFER:
		offer(device, host, now_ms);
		break;
	case ACTION_REFUSE:
		write_state(device, host, XENBUS_INIT_WAIT, now_ms);
		break;
	case ACTION_CONNECT:
		connect_rings(device, host, now_ms);
		break;
	case ACTION_PUBLISH:
		publish(device, host, now_ms);
		break;
	case ACTION_RESIZE:
		device->kind->resize(device, host, now_ms);
		break;
	case ACTION_CHANGE:
		device->kind->change(device, host, now_ms);
		break;
	case ACTION_RECONFIGURED:
		write_state(device, host, XENBUS_RECONFIGURED, now_ms);
		break;
	case ACTION_BEGIN_CLOSING:
		write_state(device, host, XENBUS_CLOSING, now_ms);
		break;
	case ACTION_DISCONNECT:
		ask_plainly(device, MESSAGE_DISCONNECT, PHASE_DISCONNECTING, now_ms + DISCONNECT_TIMEOUT_MS);
		break;
	case ACTION_END_CLOSING:
		end_closing(device, host, now_ms);
		break;
	case ACTION_FORGIVE:
		device->failure = FAILURE_NONE;
		device->open_deadline_ms = 0;
		device->dirty = true;
		break;
	case ACTION_CLOSE:
		ask_plainly(device, MESSAGE_CLOSE, PHASE_CLOSING, now_ms + ANSWER_TIMEOUT_MS);
		break;
	case ACTION_REMOVE:
		remove_backend(device, host, now_ms);
		break;
	case ACTION_FORGET:
		forget(device, host);
		break;
	}
}
