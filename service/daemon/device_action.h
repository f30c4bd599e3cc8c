/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device_action.h - doing what is to be done with a device
 */
#ifndef DAEMON_DEVICE_ACTION_H
#define DAEMON_DEVICE_ACTION_H

#include "daemon/device.h"
#include "daemon/nodes.h"

/* device_perform - do it, for the device as it was just seen. */
void device_perform(struct device *device, const struct host *host, enum device_action action,
		    int64_t now_ms);

/*
 * device_show_error - put an error where people look for it in xenstore; with `to_toolstack` also where the
 * hotplug script and libxl do.
 */
void device_show_error(struct device *device, const struct host *host, int error, const char *text,
		       bool to_toolstack);

/*
 * device_show_again - what device_show_error could not write. Called at each look, as long as there is something.
 */
void device_show_again(struct device *device, const struct host *host, int64_t now_ms);

/*
 * device_pause - if xenstore could not be read since nodes_begin: say so, look again later, and return true. What was seen is not to be
 * acted upon.
 */
bool device_pause(struct device *device, const struct host *host, int64_t now_ms);

/* device_clear_error - take away the error node, if there is one. */
void device_clear_error(struct device *device, const struct host *host);

/*
 * device_watch, device_unwatch - the frontend's state, and what else its kind has watched. Without that the device can't be opened.
 * 0 or a negative errno.
 */
int device_watch(struct device *device, const struct host *host);
void device_unwatch(struct device *device, const struct host *host);

/* ---- for the kinds ---- */

/*
 * device_write_nodes - bring nodes and the state to what they shall be; the last place of `nodes` is for the state. False: not now,
 * or not any more.
 */
bool device_write_nodes(struct device *device, const struct host *host, struct node *nodes, unsigned count,
			enum xenbus_state state, int64_t now_ms);

/* device_ask - send a question and go on to the phase in which its answer is awaited. */
void device_ask(struct device *device, struct message *message, enum message_type type,
		enum device_phase phase, int64_t answer_deadline_ms);

/* device_says - whether a node of the backend directory has this value. */
bool device_says(const struct device *device, const struct host *host, const char *name, const char *value);

/* device_wish - MESSAGE_OPEN's contents, with what is the same for all kinds. False: `text` says what is wrong. */
bool device_wish(struct device *device, const struct host *host, struct message *message,
		 char text[ERROR_TEXT_MAX]);

#endif
