/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device_action.h - doing what is to be done with a device
 */
#ifndef DAEMON_DEVICE_ACTION_H
#define DAEMON_DEVICE_ACTION_H

#include "daemon/device.h"

/* device_target_changed - the toolstack's target is not what was opened, or tried, last. */
bool device_target_changed(const struct device *device, const struct host *host);

/* device_show_medium - how it went with another medium; `error` is 0 or an errno, which `text` explains. */
void device_show_medium(struct device *device, const struct host *host, int error, const char *text);

/* device_perform - do it, for the device as it was just seen. */
void device_perform(struct device *device, const struct host *host, enum device_action action,
		    int64_t now_ms);

/*
 * device_show_error - put an error where people look for it in xenstore; with `to_toolstack` also where the
 * hotplug script and libxl do.
 */
void device_show_error(struct device *device, const struct host *host, int error, const char *text,
		       bool to_toolstack);

/* device_clear_error - take away the error node, if there is one. */
void device_clear_error(struct device *device, const struct host *host);

/* device_watch, device_unwatch - the frontend's state. Without the watch the device can't be opened. 0 or a negative errno. */
int device_watch(struct device *device, const struct host *host);
void device_unwatch(struct device *device, const struct host *host);

#endif
