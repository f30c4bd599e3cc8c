// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * device.c - one vbd or vif of one guest
 *
 * Theory of operation: whoever notices that something about a device may have changed marks it dirty. Once
 * in each turn of the daemon's loop device_evaluate looks at a dirty device, in xenstore and in what is
 * known of its worker, asks device_next what is to be done, and does this one thing. So a guest that writes
 * its nodes in a storm costs one look per turn, as does any other. What depends on time is looked at again
 * when wake_ms has come.
 *
 * What the worker says changes `phase` and `failure`, and nothing else: the next look finds out what follows.
 */
#include "daemon/device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/device_action.h"
#include "daemon/device_kind.h"
#include "daemon/kernel_driver.h"
#include "daemon/nodes.h"
#include "daemon/text.h"

void device_adopt(struct device *device, const struct host *host, const struct device_kind *kind,
		  uint16_t domid, uint32_t id)
{
	int error;

	memset(device, 0, sizeof(*device));
	device->used = true;
	device->dirty = true;
	device->kind = kind;
	device->domid = domid;
	device->id = id;
	snprintf(device->name, sizeof(device->name), "guest %" PRIu16 " %s %" PRIu32, domid, kind->directory,
		 id);
	snprintf(device->backend, sizeof(device->backend), "backend/%s/%" PRIu16 "/%" PRIu32, kind->directory,
		 domid, id);
	snprintf(device->frontend, sizeof(device->frontend), "/local/domain/%" PRIu16 "/device/%s/%" PRIu32,
		 domid, kind->directory, id);
	device->state_seen = nodes_read_state(host, device->backend);
	device->error_shown = true;
	device_clear_error(device, host);
	if (device_left_to_kernel(device, host))
		return;
	error = device_watch(device, host);
	if (error < 0)
		log_warning("%s: can't watch %s/state in xenstore: %s", device->name, device->frontend,
			    nodes_error_text(error));
}

void device_release(struct device *device, const struct host *host)
{
	device_clear_error(device, host);
	device_unwatch(device, host);
	device->used = false;
}

void device_fail(struct device *device, const struct host *host, int64_t now_ms, enum device_failure failure,
		 int error, const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	text_clean(text);

	device->failure = failure;
	device->open_not_before_ms = now_ms + OPEN_PAUSE_MS;
	device->told_at_ms = now_ms + TELL_TIMEOUT_MS;
	device->dirty = true;
	log_limited(&device->log_limit, LOG_LEVEL_ERROR, "%s: %s", device->name, text);
	device_show_error(device, host, error, text, failure == FAILURE_OPEN);
}

bool device_left_to_kernel(struct device *device, const struct host *host)
{
	const struct device_kind *kind = device->kind;
	char text[ERROR_TEXT_MAX];

	if (!kernel_driver_has(host->sysfs_path, kind->directory, device->domid, device->id))
		return false;
	device->kernel_has = true;
	snprintf(text, sizeof(text), "the kernel's driver %s has taken the device; " KERNEL_DRIVER_ADVICE,
		 kind->driver, kind->module, kind->module);
	log_error("%s: %s", device->name, text);
	device_show_error(device, host, EBUSY, text, true);
	return true;
}

/* is_online - the toolstack wants the device to be there. */
static bool is_online(const struct device *device, const struct host *host)
{
	char *text = nodes_read(host, device->backend, "online");
	bool online = text == NULL || strcmp(text, "0") != 0;

	free(text);
	return online;
}

/* was_told - the toolstack has run its script after the failure, or has had the time to. It makes a card's node empty. */
static bool was_told(const struct device *device, const struct host *host, int64_t now_ms)
{
	char *text;
	bool ran;

	if (device->failure != FAILURE_OPEN)
		return false;
	text = nodes_read(host, device->backend, "hotplug-status");
	ran = text != NULL && text[0] != '\0';
	free(text);
	return ran || now_ms >= device->told_at_ms;
}

/* notice_renewal - another device of the same number may have come in the place of the one we knew. */
static void notice_renewal(struct device *device, const struct host *host, enum xenbus_state state)
{
	bool came_back = device->state_seen == XENBUS_ABSENT && state != XENBUS_ABSENT;
	bool began_anew = device->state_seen > XENBUS_INITIALISING && state == XENBUS_INITIALISING;

	device->state_seen = state;
	if (came_back || began_anew) {
		device->leftover = true;
		device->failure = FAILURE_NONE;
		device->open_deadline_ms = 0;
		device->open_not_before_ms = 0;
		device->kernel_has = false;
		device->untold_node = device->untold_toolstack = false;
		device_left_to_kernel(device, host);
	}
	if (device->phase == PHASE_NONE)
		device->leftover = false;
}

/* look - see all that device_next wants to know. */
static void look(struct device *device, const struct host *host, int64_t now_ms, struct device_view *view)
{
	memset(view, 0, sizeof(*view));
	view->backend = nodes_read_state(host, device->backend);
	if (nodes_error(host) != 0)
		return;
	notice_renewal(device, host, view->backend);
	view->frontend = nodes_read_state(host, device->frontend);
	view->online = is_online(device, host);

	if (host->domid == 0 || view->online || view->backend != XENBUS_CLOSED)
		device->remove_at_ms = 0;
	else if (device->remove_at_ms == 0)
		device->remove_at_ms = now_ms + REMOVE_DELAY_MS;

	view->phase = device->phase;
	view->failure = device->failure;
	view->released = device->leftover || device->kernel_has;
	view->may_open = now_ms >= device->open_not_before_ms;
	view->told = was_told(device, host, now_ms);
	view->may_remove = device->remove_at_ms != 0 && now_ms >= device->remove_at_ms;
	view->scriptless = host->domid != 0;
	device->kind->look(device, host, view);
	view->held |= now_ms < device->publish_not_before_ms;
}

bool device_is_over(const struct device *device)
{
	return device->leftover || device->kernel_has || device->state_seen == XENBUS_ABSENT;
}

/*
 * wait_on - what does not answer keeps its own device alone: the worker is not killed while it serves others of the guest's.
 * The toolstack gives up by itself.
 */
static bool wait_on(struct device *device, const struct host *host, int64_t now_ms)
{
	const char *text = device->kind->hangs;

	if (device->phase != PHASE_DISCONNECTING && device->phase != PHASE_CHANGING)
		return false;
	if (!device->worker->serving)
		return false;
	device->answer_deadline_ms = now_ms + DISCONNECT_TIMEOUT_MS;
	if (!device->error_shown && !device_is_over(device)) {
		log_warning("%s: %s", device->name, text);
		device_show_error(device, host, ETIMEDOUT, text, false);
	}
	return true;
}

/* check_deadlines - a worker that does not answer. */
static void check_deadlines(struct device *device, const struct host *host, int64_t now_ms)
{
	char text[ERROR_TEXT_MAX];

	if (device->open_deadline_ms != 0 && now_ms >= device->open_deadline_ms &&
	    device->failure == FAILURE_NONE &&
	    (device->phase == PHASE_NONE || device->phase == PHASE_OPENING)) {
		device->open_deadline_ms = 0;
		if (!device_is_over(device))
			device_fail(device, host, now_ms, FAILURE_OPEN, ETIMEDOUT,
				    "the worker has not opened the %s within %d ms", device->kind->noun,
				    device_open_timeout_ms(device));
	}
	if (device->answer_deadline_ms != 0 && now_ms >= device->answer_deadline_ms &&
	    !wait_on(device, host, now_ms)) {
		device->answer_deadline_ms = 0;
		snprintf(text, sizeof(text), "%s: it has not answered in time", device->name);
		worker_kill(device->worker, text);
	}
}

/* earlier - the earlier of two times; `time_ms` counts only if it is yet to come. */
static int64_t earlier(int64_t wake_ms, int64_t time_ms, int64_t now_ms)
{
	return time_ms > now_ms && time_ms < wake_ms ? time_ms : wake_ms;
}

/* next_wake - when something will be otherwise only because time has passed. */
static int64_t next_wake(const struct device *device, int64_t now_ms)
{
	int64_t wake_ms = CLOCK_NEVER_MS;

	wake_ms = earlier(wake_ms, device->open_deadline_ms, now_ms);
	wake_ms = earlier(wake_ms, device->open_not_before_ms, now_ms);
	wake_ms = earlier(wake_ms, device->publish_not_before_ms, now_ms);
	wake_ms = earlier(wake_ms, device->answer_deadline_ms, now_ms);
	wake_ms = earlier(wake_ms, device->remove_at_ms, now_ms);
	wake_ms = earlier(wake_ms, device->retry_at_ms, now_ms);
	if (device->failure == FAILURE_OPEN)
		wake_ms = earlier(wake_ms, device->told_at_ms, now_ms);
	return wake_ms;
}

void device_evaluate(struct device *device, const struct host *host, int64_t now_ms)
{
	struct device_view view;
	enum device_action action;

	device->dirty = false;
	check_deadlines(device, host, now_ms);
	nodes_begin(host);
	look(device, host, now_ms, &view);
	action = device_pause(device, host, now_ms) ? ACTION_NONE : device_next(&view);
	if (action != ACTION_NONE)
		log_debug("%s: backend %d, frontend %d, %s: %s", device->name, (int)view.backend,
			  (int)view.frontend, view.online ? "online" : "offline", device_action_name(action));
	device_perform(device, host, action, now_ms);
	if (device->used)
		device_show_again(device, host, now_ms);
	device->wake_ms = next_wake(device, now_ms);
}

/* answer_opened - MESSAGE_OPENED, which begins for each kind as struct message_error does. */
static int answer_opened(struct device *device, const struct host *host, struct message *message,
			 int64_t now_ms)
{
	int error;

	if (device->phase != PHASE_OPENING)
		return -EPROTO;
	message->error.text[ERROR_TEXT_MAX - 1] = '\0';
	if (message->error.error != 0) {
		device->phase = PHASE_NONE;
		device->worker = NULL;
		if (device->failure == FAILURE_NONE && !device_is_over(device))
			device_fail(device, host, now_ms, FAILURE_OPEN, message->error.error, "%s",
				    message->error.text);
		return 0;
	}
	error = device->kind->opened(device, message);
	if (error == 0)
		device->phase = PHASE_OPEN;
	return error;
}

/* answer_connected - MESSAGE_CONNECTED. */
static int answer_connected(struct device *device, const struct host *host, struct message_error *answer,
			    int64_t now_ms)
{
	if (device->phase != PHASE_CONNECTING)
		return -EPROTO;
	answer->text[ERROR_TEXT_MAX - 1] = '\0';
	device->answer_deadline_ms = 0;
	device->phase = answer->error != 0 ? PHASE_OPEN : PHASE_CONNECTED;
	if (answer->error != 0 && !device_is_over(device))
		device_fail(device, host, now_ms, FAILURE_RUNTIME, answer->error, "%s", answer->text);
	return 0;
}

/* report_broken - MESSAGE_BROKEN. */
static int report_broken(struct device *device, const struct host *host, struct message_error *report,
			 int64_t now_ms)
{
	/* The report and our question may have crossed. */
	if (device->phase == PHASE_DISCONNECTING || device->phase == PHASE_BROKEN)
		return 0;
	if (device->phase != PHASE_CONNECTED && device->phase != PHASE_PUBLISHED &&
	    device->phase != PHASE_CHANGING)
		return -EPROTO;
	report->text[ERROR_TEXT_MAX - 1] = '\0';
	/* What was asked is answered first. */
	if (device->phase != PHASE_CHANGING)
		device->phase = PHASE_BROKEN;
	if (!device_is_over(device))
		device_fail(device, host, now_ms, FAILURE_RUNTIME, report->error, "%s", report->text);
	return 0;
}

/* answer_let_go - MESSAGE_DISCONNECTED, MESSAGE_CLOSED. */
static int answer_let_go(struct device *device, enum device_phase from, enum device_phase to, int64_t now_ms)
{
	if (device->phase != from)
		return -EPROTO;
	device->answer_deadline_ms = 0;
	device->phase = to;
	if (to == PHASE_NONE) {
		device->worker = NULL;
		/* A frontend that comes and goes must not have us start a worker each time. */
		device->open_deadline_ms = 0;
		device->open_not_before_ms = now_ms + OPEN_PAUSE_MS;
	}
	return 0;
}

int device_answer(struct device *device, const struct host *host, struct message *message, int64_t now_ms)
{
	device->dirty = true;
	switch (message->type) {
	case MESSAGE_OPENED:
		return answer_opened(device, host, message, now_ms);
	case MESSAGE_CONNECTED:
		return answer_connected(device, host, &message->error, now_ms);
	case MESSAGE_BROKEN:
		return report_broken(device, host, &message->error, now_ms);
	case MESSAGE_DISCONNECTED:
		return answer_let_go(device, PHASE_DISCONNECTING, PHASE_OPEN, now_ms);
	case MESSAGE_CLOSED:
		return answer_let_go(device, PHASE_CLOSING, PHASE_NONE, now_ms);
	default:
		return device->kind->answer ? device->kind->answer(device, host, message, now_ms) : -EPROTO;
	}
}

void device_worker_ended(struct device *device, const struct host *host, const char *end, int64_t now_ms)
{
	enum device_phase phase = device->phase;

	device->phase = PHASE_NONE;
	device->worker = NULL;
	device->dirty = true;
	device->answer_deadline_ms = 0;
	device->open_deadline_ms = 0;
	device->open_not_before_ms = now_ms + OPEN_PAUSE_MS;
	if (device->failure != FAILURE_NONE || device_is_over(device))
		return;

	switch (phase) {
	case PHASE_OPENING:
		device_fail(device, host, now_ms, FAILURE_OPEN, EIO,
			    "the worker is gone, %s, before it opened the %s", end, device->kind->noun);
		break;
	case PHASE_CONNECTING:
	case PHASE_CONNECTED:
	case PHASE_PUBLISHED:
	case PHASE_CHANGING:
	case PHASE_BROKEN:
		device_fail(device, host, now_ms, FAILURE_RUNTIME, EIO,
			    "the worker is gone while the %s was in use, %s", device->kind->noun, end);
		break;
	default:
		/* The frontend has not begun, or has ended: the device is opened again when it is wanted. */
		break;
	}
}

bool device_is_served(const struct device *device)
{
	return device->phase == PHASE_CONNECTED || device->phase == PHASE_PUBLISHED;
}

bool device_needs_worker(const struct device *device)
{
	if (device->worker == NULL)
		return false;
	return device->phase != PHASE_OPENING || (device->failure == FAILURE_NONE && !device_is_over(device));
}
