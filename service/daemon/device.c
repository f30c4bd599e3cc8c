// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * device.c - one vbd of one guest
 *
 * Theory of operation: whoever notices that something about a device may have changed marks it dirty. Once
 * in each turn of the daemon's loop device_evaluate looks at a dirty device, in xenstore and in what is
 * known of its worker, asks device_next what is to be done, and does this one thing. So a guest that writes
 * its nodes in a storm costs one look per turn, as does any other. What depends on time is looked at again
 * when wake_ms has come.
 *
 * What the worker says changes `disk` and `failure`, and nothing else: the next look finds out what follows.
 */
#include "daemon/device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/device_action.h"
#include "daemon/kernel_driver.h"
#include "daemon/nodes.h"
#include "daemon/text.h"

void device_adopt(struct device *device, const struct host *host, uint16_t domid, uint32_t id)
{
	int error;

	memset(device, 0, sizeof(*device));
	device->used = true;
	device->dirty = true;
	device->domid = domid;
	device->id = id;
	snprintf(device->name, sizeof(device->name), "guest %" PRIu16 " vbd %" PRIu32, domid, id);
	snprintf(device->backend, sizeof(device->backend), "backend/vbd/%" PRIu16 "/%" PRIu32, domid, id);
	snprintf(device->frontend, sizeof(device->frontend), "/local/domain/%" PRIu16 "/device/vbd/%" PRIu32,
		 domid, id);
	device->state_seen = nodes_read_state(host, device->backend);
	device->error_shown = true;
	device_clear_error(device, host);
	if (kernel_driver_has(host->sysfs_path, domid, id)) {
		device_leave_to_kernel(device, host);
		return;
	}
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

void device_leave_to_kernel(struct device *device, const struct host *host)
{
	char text[ERROR_TEXT_MAX];

	device->kernel_has = true;
	snprintf(text, sizeof(text), "the kernel's driver xen-blkback has taken the device; %s",
		 KERNEL_DRIVER_ADVICE);
	log_error("%s: %s", device->name, text);
	device_show_error(device, host, EBUSY, text, true);
}

/* is_online - the toolstack wants the device to be there. */
static bool is_online(const struct device *device, const struct host *host)
{
	char *text = nodes_read(host, device->backend, "online");
	bool online = text == NULL || strcmp(text, "0") != 0;

	free(text);
	return online;
}

/* was_told - the toolstack has run its script after the failure, or has had the time to. */
static bool was_told(const struct device *device, const struct host *host, int64_t now_ms)
{
	char *text;

	if (device->failure != FAILURE_OPEN)
		return false;
	text = nodes_read(host, device->backend, "hotplug-status");
	free(text);
	return text != NULL || now_ms >= device->told_at_ms;
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
		if (kernel_driver_has(host->sysfs_path, device->domid, device->id))
			device_leave_to_kernel(device, host);
	}
	if (device->disk == DISK_NONE)
		device->leftover = false;
}

/* look - see all that device_next wants to know. */
static void look(struct device *device, const struct host *host, int64_t now_ms, struct device_view *view)
{
	memset(view, 0, sizeof(*view));
	view->backend = nodes_read_state(host, device->backend);
	notice_renewal(device, host, view->backend);
	view->frontend = nodes_read_state(host, device->frontend);
	view->online = is_online(device, host);

	if (host->domid == 0 || view->online || view->backend != XENBUS_CLOSED)
		device->remove_at_ms = 0;
	else if (device->remove_at_ms == 0)
		device->remove_at_ms = now_ms + REMOVE_DELAY_MS;

	view->disk = device->disk;
	view->failure = device->failure;
	view->resized = device->disk == DISK_PUBLISHED &&
			device->published_bytes != device->properties.size_bytes;
	view->changed = device->removable && device_target_changed(device, host);
	view->released = device->leftover || device->kernel_has;
	view->may_open = now_ms >= device->open_not_before_ms;
	view->told = was_told(device, host, now_ms);
	view->may_remove = device->remove_at_ms != 0 && now_ms >= device->remove_at_ms;
	view->scriptless = host->domid != 0;
}

/* is_over - nothing that happens to the device now is of interest to anybody. */
static bool is_over(const struct device *device)
{
	return device->leftover || device->kernel_has || device->state_seen == XENBUS_ABSENT;
}

/*
 * wait_on - storage that does not answer keeps its own disk alone: the worker is not killed while it serves others of the guest's.
 * The toolstack gives up by itself.
 */
static bool wait_on(struct device *device, const struct host *host, int64_t now_ms)
{
	static const char text[] = "the storage has not answered in time; the disk is let go when it does";

	if (device->disk != DISK_DISCONNECTING && device->disk != DISK_CHANGING)
		return false;
	if (!device->worker->serving)
		return false;
	device->answer_deadline_ms = now_ms + DISCONNECT_TIMEOUT_MS;
	if (!device->error_shown && !is_over(device)) {
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
	    device->failure == FAILURE_NONE && (device->disk == DISK_NONE || device->disk == DISK_OPENING)) {
		device->open_deadline_ms = 0;
		if (!is_over(device))
			device_fail(device, host, now_ms, FAILURE_OPEN, ETIMEDOUT,
				    "the worker has not opened the disk within %d ms",
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
	look(device, host, now_ms, &view);
	action = device_next(&view);
	if (action != ACTION_NONE)
		log_debug("%s: backend %d, frontend %d, %s: %s", device->name, (int)view.backend,
			  (int)view.frontend, view.online ? "online" : "offline", device_action_name(action));
	device_perform(device, host, action, now_ms);
	device->wake_ms = next_wake(device, now_ms);
}

/* are_sound - a disk can have such properties; one that is removable may be empty. */
static bool are_sound(const struct message_disk_opened *opened, bool removable)
{
	uint32_t block = opened->block_bytes, physical = opened->physical_block_bytes;

	return is_disk_block(block) && physical >= block && is_power_of_2(physical) &&
	       (opened->size_bytes > 0 || removable) && opened->size_bytes % block == 0;
}

/* answer_opened - DISK_OPENED. */
static int answer_opened(struct device *device, const struct host *host, struct message_disk_opened *opened,
			 int64_t now_ms)
{
	if (device->disk != DISK_OPENING)
		return -EPROTO;
	opened->text[ERROR_TEXT_MAX - 1] = '\0';
	if (opened->error != 0) {
		device->disk = DISK_NONE;
		device->worker = NULL;
		if (device->failure == FAILURE_NONE && !is_over(device))
			device_fail(device, host, now_ms, FAILURE_OPEN, opened->error, "%s", opened->text);
		return 0;
	}
	if (!are_sound(opened, device->removable))
		return -EPROTO;
	device->disk = DISK_OPEN;
	device->properties = *opened;
	return 0;
}

/* answer_connected - DISK_CONNECTED. */
static int answer_connected(struct device *device, const struct host *host, struct message_error *answer,
			    int64_t now_ms)
{
	if (device->disk != DISK_CONNECTING)
		return -EPROTO;
	answer->text[ERROR_TEXT_MAX - 1] = '\0';
	device->answer_deadline_ms = 0;
	device->disk = answer->error != 0 ? DISK_OPEN : DISK_CONNECTED;
	if (answer->error != 0 && !is_over(device))
		device_fail(device, host, now_ms, FAILURE_RUNTIME, answer->error, "%s", answer->text);
	return 0;
}

/* answer_changed - DISK_CHANGED. */
static int answer_changed(struct device *device, const struct host *host, struct message_disk_opened *changed,
			  int64_t now_ms)
{
	if (device->disk != DISK_CHANGING)
		return -EPROTO;
	if (!are_sound(changed, true) || changed->block_bytes != device->properties.block_bytes ||
	    (changed->lost && changed->error == 0))
		return -EPROTO;
	changed->text[ERROR_TEXT_MAX - 1] = '\0';
	device->answer_deadline_ms = 0;
	device->properties = *changed;
	/* The frontend is told even if both have the same size. */
	device->published_bytes = UINT64_MAX;
	if (changed->lost)
		device->disk = DISK_OPEN;
	else
		device->disk = device->failure == FAILURE_NONE ? DISK_PUBLISHED : DISK_BROKEN;
	if (is_over(device))
		return 0;
	if (changed->lost)
		device_fail(device, host, now_ms, FAILURE_RUNTIME, changed->error, "%s", changed->text);
	else
		device_show_medium(device, host, changed->error, changed->text);
	return 0;
}

/* report_broken - DISK_BROKEN. */
static int report_broken(struct device *device, const struct host *host, struct message_error *report,
			 int64_t now_ms)
{
	/* The report and our question may have crossed. */
	if (device->disk == DISK_DISCONNECTING || device->disk == DISK_BROKEN)
		return 0;
	if (device->disk != DISK_CONNECTED && device->disk != DISK_PUBLISHED && device->disk != DISK_CHANGING)
		return -EPROTO;
	report->text[ERROR_TEXT_MAX - 1] = '\0';
	/* What was asked is answered first. */
	if (device->disk != DISK_CHANGING)
		device->disk = DISK_BROKEN;
	if (!is_over(device))
		device_fail(device, host, now_ms, FAILURE_RUNTIME, report->error, "%s", report->text);
	return 0;
}

/* report_resized - DISK_RESIZED. */
static int report_resized(struct device *device, const struct message_disk_resized *report)
{
	struct message_disk_opened properties = device->properties;

	if (device->disk == DISK_NONE || device->disk == DISK_OPENING)
		return -EPROTO;
	properties.size_bytes = report->size_bytes;
	if (!are_sound(&properties, false))
		return -EPROTO;
	device->properties.size_bytes = report->size_bytes;
	return 0;
}

/* answer_let_go - DISK_DISCONNECTED, DISK_CLOSED. */
static int answer_let_go(struct device *device, enum disk_phase from, enum disk_phase to, int64_t now_ms)
{
	if (device->disk != from)
		return -EPROTO;
	device->answer_deadline_ms = 0;
	device->disk = to;
	if (to == DISK_NONE) {
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
		return answer_opened(device, host, &message->opened, now_ms);
	case MESSAGE_CONNECTED:
		return answer_connected(device, host, &message->error, now_ms);
	case MESSAGE_CHANGED:
		return answer_changed(device, host, &message->opened, now_ms);
	case MESSAGE_BROKEN:
		return report_broken(device, host, &message->error, now_ms);
	case MESSAGE_RESIZED:
		return report_resized(device, &message->resized);
	case MESSAGE_DISCONNECTED:
		return answer_let_go(device, DISK_DISCONNECTING, DISK_OPEN, now_ms);
	case MESSAGE_CLOSED:
		return answer_let_go(device, DISK_CLOSING, DISK_NONE, now_ms);
	default:
		return -EPROTO;
	}
}

void device_worker_ended(struct device *device, const struct host *host, const char *end, int64_t now_ms)
{
	enum disk_phase disk = device->disk;

	device->disk = DISK_NONE;
	device->worker = NULL;
	device->dirty = true;
	device->answer_deadline_ms = 0;
	device->open_deadline_ms = 0;
	device->open_not_before_ms = now_ms + OPEN_PAUSE_MS;
	if (device->failure != FAILURE_NONE || is_over(device))
		return;

	switch (disk) {
	case DISK_OPENING:
		device_fail(device, host, now_ms, FAILURE_OPEN, EIO,
			    "the worker is gone, %s, before it opened the disk", end);
		break;
	case DISK_CONNECTING:
	case DISK_CONNECTED:
	case DISK_PUBLISHED:
	case DISK_CHANGING:
	case DISK_BROKEN:
		device_fail(device, host, now_ms, FAILURE_RUNTIME, EIO,
			    "the worker is gone while the disk was in use, %s", end);
		break;
	default:
		/* The frontend has not begun, or has ended: the disk is opened again when it is wanted. */
		break;
	}
}

bool device_is_served(const struct device *device)
{
	return device->disk == DISK_CONNECTED || device->disk == DISK_PUBLISHED;
}

bool device_needs_worker(const struct device *device)
{
	if (device->worker == NULL)
		return false;
	return device->disk != DISK_OPENING || (device->failure == FAILURE_NONE && !is_over(device));
}
