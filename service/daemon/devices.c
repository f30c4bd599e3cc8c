// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * devices.c - all vbds and vifs that are ours
 *
 * Theory of operation: one watch on backend/vbd tells of everything that happens to any vbd of this domain, and one on backend/vif
 * of all vifs. A device is adopted when its directory has a state and, by its `script`, is ours, and stays adopted until the
 * directory is gone. For others nothing is kept.
 */
#include "daemon/devices.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/device_kind.h"
#include "daemon/nodes.h"
#include "daemon/text.h"

#define COMPONENT_MAX 16 /* bytes of a part of a path with the final 0 */

struct device *devices_find(struct devices *devices, enum device_class class, uint16_t domid, uint32_t id)
{
	for (uint32_t i = 0; i < devices->end; i++) {
		struct device *device = &devices->device[i];

		if (device->used && device->kind->class == class && device->domid == domid &&
		    device->id == id)
			return device;
	}
	return NULL;
}

/* directory_of - that of all devices of a kind. */
static void directory_of(const struct device_kind *kind, char directory[DEVICE_PATH_MAX])
{
	snprintf(directory, DEVICE_PATH_MAX, BACKEND_DIRECTORY "/%s", kind->directory);
}

int devices_watch(const struct host *host)
{
	char directory[DEVICE_PATH_MAX];
	int error;

	for (unsigned i = 0; i < DEVICE_KINDS; i++) {
		directory_of(device_kinds[i], directory);
		error = host->platform->xenstore_watch(host->xenstore, directory, DEVICES_TOKEN);
		if (error < 0) {
			log_error("can't watch %s in xenstore: %s", directory, strerror(-error));
			return error;
		}
	}
	return 0;
}

void devices_unwatch(const struct host *host)
{
	char directory[DEVICE_PATH_MAX];

	/* Nothing comes of one that is not there. */
	for (unsigned i = 0; i < DEVICE_KINDS; i++) {
		directory_of(device_kinds[i], directory);
		host->platform->xenstore_unwatch(host->xenstore, directory, DEVICES_TOKEN);
	}
}

/* free_place - a place of the table, or NULL if all are taken. */
static struct device *free_place(struct devices *devices)
{
	for (uint32_t i = 0; i < DEVICES_MAX; i++) {
		if (devices->device[i].used)
			continue;
		if (i >= devices->end)
			devices->end = i + 1;
		return &devices->device[i];
	}
	return NULL;
}

/* miss - xenstore could not tell what is in this directory. */
static void miss(struct devices *devices, const char *directory, int error)
{
	log_error("can't read %s in xenstore: %s", directory, nodes_error_text(-error));
	devices->missed = true;
}

/* turn_away - there is no place for a device: let the toolstack see why, and let it remove the device. */
static void turn_away(const struct host *host, const char *directory, enum xenbus_state state)
{
	char text[80];
	const struct node refusal[] = {
		{"hotplug-error", text},
		{"xvhost-status", "error"},
		{"state", "2"}, /* not in a driver domain, where it means success */
	};
	const struct node closed[] = {{"state", "6"}};

	if (state == XENBUS_CLOSING)
		nodes_update(host, directory, state, closed, 1);
	if (state != XENBUS_INITIALISING)
		return;
	snprintf(text, sizeof(text), "xvhostd has %d devices, and no more are allowed", DEVICES_MAX);
	log_error("%s: %s", directory, text);
	nodes_update(host, directory, state, refusal, host->domid == 0 ? 3 : 2);
}

/* consider - adopt a device that is not in the table, if it is ours. */
static void consider(struct devices *devices, const struct host *host, const struct device_kind *kind,
		     uint16_t domid, uint32_t id)
{
	char directory[DEVICE_PATH_MAX];
	struct device *device;
	enum xenbus_state state;
	bool ours;

	snprintf(directory, sizeof(directory), BACKEND_DIRECTORY "/%s/%" PRIu16 "/%" PRIu32, kind->directory,
		 domid, id);
	nodes_begin(host);
	ours = kind->is_ours(host, directory);
	state = nodes_read_state(host, directory);
	if (nodes_error(host) != 0)
		miss(devices, directory, nodes_error(host));
	if (nodes_error(host) != 0 || !ours || state == XENBUS_ABSENT)
		return;
	device = free_place(devices);
	if (device == NULL) {
		turn_away(host, directory, state);
		return;
	}
	device_adopt(device, host, kind, domid, id);
	log_info("%s: found, state %d", device->name, (int)state);
}

/* touch - the device has changed, or is new. */
static void touch(struct devices *devices, const struct host *host, const struct device_kind *kind,
		  uint16_t domid, uint32_t id)
{
	struct device *device = devices_find(devices, kind->class, domid, id);

	if (device != NULL)
		device->dirty = true;
	else
		consider(devices, host, kind, domid, id);
}

/* list - the names in a directory, to free(); NULL: there are none. */
static char **list(struct devices *devices, const struct host *host, const char *directory, unsigned *count)
{
	char **names = host->platform->xenstore_directory(host->xenstore, 0, directory, count);

	if (names == NULL && !nodes_is_absence(errno))
		miss(devices, directory, errno);
	return names;
}

/* scan_guest - touch all devices of one kind and guest. */
static void scan_guest(struct devices *devices, const struct host *host, const struct device_kind *kind,
		       uint16_t domid)
{
	char directory[DEVICE_PATH_MAX];
	unsigned count;
	uint64_t id;
	char **names;

	snprintf(directory, sizeof(directory), BACKEND_DIRECTORY "/%s/%" PRIu16, kind->directory, domid);
	names = list(devices, host, directory, &count);
	if (names == NULL)
		return;
	for (unsigned i = 0; i < count; i++)
		if (text_number(names[i], 0, UINT32_MAX, &id))
			touch(devices, host, kind, domid, (uint32_t)id);
	free(names);
}

/* scan_kind - touch all devices of one kind. */
static void scan_kind(struct devices *devices, const struct host *host, const struct device_kind *kind)
{
	char directory[DEVICE_PATH_MAX];
	unsigned count;
	uint64_t domid;
	char **names;

	directory_of(kind, directory);
	names = list(devices, host, directory, &count);
	if (names == NULL)
		return;
	for (unsigned i = 0; i < count; i++)
		if (text_number(names[i], 0, DOMID_LAST, &domid))
			scan_guest(devices, host, kind, (uint16_t)domid);
	free(names);
}

void devices_scan(struct devices *devices, const struct host *host)
{
	for (unsigned i = 0; i < DEVICE_KINDS; i++)
		scan_kind(devices, host, device_kinds[i]);
}

/* next_component - take "/COMPONENT" from the front of a path. False if there is none. */
static bool next_component(const char **path, char component[COMPONENT_MAX])
{
	size_t length;

	if (**path != '/')
		return false;
	length = strcspn(*path + 1, "/");
	if (length >= COMPONENT_MAX)
		return false;
	memcpy(component, *path + 1, length);
	component[length] = '\0';
	*path += 1 + length;
	return true;
}

/* next_number - the same, of a number. */
static bool next_number(const char **path, uint64_t maximum, uint64_t *number)
{
	char component[COMPONENT_MAX];

	return next_component(path, component) && text_number(component, 0, maximum, number);
}

/* next_kind - the same, of what a kind of devices is called in xenstore. NULL: that is none. */
static const struct device_kind *next_kind(const char **path)
{
	char component[COMPONENT_MAX];

	if (!next_component(path, component))
		return NULL;
	for (unsigned i = 0; i < DEVICE_KINDS; i++)
		if (strcmp(component, device_kinds[i]->directory) == 0)
			return device_kinds[i];
	return NULL;
}

/* mark_dirty - all devices of a kind, or those of one guest. */
static void mark_dirty(struct devices *devices, const struct device_kind *kind, bool all, uint64_t domid)
{
	for (uint32_t i = 0; i < devices->end; i++)
		if (devices->device[i].kind == kind && (all || devices->device[i].domid == domid))
			devices->device[i].dirty = true;
}

void devices_backend_changed(struct devices *devices, const struct host *host, const char *path)
{
	const struct device_kind *kind;
	uint64_t domid, id;

	if (strncmp(path, BACKEND_DIRECTORY, strlen(BACKEND_DIRECTORY)) != 0)
		return;
	path += strlen(BACKEND_DIRECTORY);
	kind = next_kind(&path);
	if (kind == NULL)
		return;
	if (*path == '\0') {
		mark_dirty(devices, kind, true, 0);
		scan_kind(devices, host, kind);
		return;
	}
	if (!next_number(&path, DOMID_LAST, &domid))
		return;
	if (*path == '\0') {
		mark_dirty(devices, kind, false, domid);
		scan_guest(devices, host, kind, (uint16_t)domid);
		return;
	}
	if (next_number(&path, UINT32_MAX, &id))
		touch(devices, host, kind, (uint16_t)domid, (uint32_t)id);
}

void devices_frontend_changed(struct devices *devices, const char *token)
{
	char path[XENSTORE_PATH_MAX];
	const char *at = path;
	const struct device_kind *kind;
	uint64_t domid, id;
	struct device *device;

	snprintf(path, sizeof(path), "/%s", token);
	kind = next_kind(&at);
	if (kind == NULL || !next_number(&at, DOMID_LAST, &domid) || !next_number(&at, UINT32_MAX, &id))
		return;
	device = devices_find(devices, kind->class, (uint16_t)domid, (uint32_t)id);
	if (device != NULL)
		device->dirty = true;
}
