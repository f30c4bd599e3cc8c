/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * devices.h - all vbds and vifs that are ours
 */
#ifndef DAEMON_DEVICES_H
#define DAEMON_DEVICES_H

#include <stdint.h>

#include "daemon/device.h"
#include "daemon/host.h"

#define DEVICES_MAX CONFIG_MAX_DEVICES
#define BACKEND_DIRECTORY                                                                                    \
	"backend" /* below our domain's own directory; that of each kind in it is watched as a whole */
#define DEVICES_TOKEN "backend"

struct devices {
	struct device device[DEVICES_MAX];
	uint32_t end; /* no place is used from here on */
	bool missed;  /* xenstore could not tell of all: devices_scan is to be called again */
};

/* devices_find - the device of that number, or NULL. */
struct device *devices_find(struct devices *devices, enum device_class class, uint16_t domid, uint32_t id);

/* devices_watch, devices_unwatch - the directories of all kinds, by DEVICES_TOKEN. Returns 0 or a negative errno, which is in the log. */
int devices_watch(const struct host *host);
void devices_unwatch(const struct host *host);

/* devices_scan - adopt all that are ours and not known yet. */
void devices_scan(struct devices *devices, const struct host *host);

/* devices_backend_changed - something happened at this path, which is the directory of a kind in BACKEND_DIRECTORY or below it. */
void devices_backend_changed(struct devices *devices, const struct host *host, const char *path);

/* devices_frontend_changed - a frontend's watch has fired; `token` is that of device_watch. */
void devices_frontend_changed(struct devices *devices, const char *token);

#endif
