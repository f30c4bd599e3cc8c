// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * toolstack.c - what xl does in xenstore with a guest's disks and network cards
 */
#include "sim/toolstack.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/xenstore.h"

#define TOKEN "toolstack"
#define DIRECTORY_MAX 96 /* bytes of a device's directory with the final 0 */
#define NUMBER_MAX 16	 /* bytes of a number as a text with the final 0 */
#define TRIES_MAX 20	 /* of a transaction */

/* A disk or a card, and its two directories. */
struct device {
	uint16_t domid, host_domid;
	uint32_t id;
	const struct sim_block *block; /* either this ... */
	const struct sim_vif *vif;     /* ... or this */
	char back[DIRECTORY_MAX], front[DIRECTORY_MAX];
};

/* set_directories - of a device that is called so in xenstore. */
static void set_directories(struct device *device, const char *kind)
{
	snprintf(device->back, DIRECTORY_MAX, "/local/domain/%" PRIu16 "/backend/%s/%" PRIu16 "/%" PRIu32,
		 device->host_domid, kind, device->domid, device->id);
	snprintf(device->front, DIRECTORY_MAX, "/local/domain/%" PRIu16 "/device/%s/%" PRIu32, device->domid,
		 kind, device->id);
}

static struct device device_of_block(const struct sim_block *block)
{
	struct device device = {.domid = block->domid,
				.host_domid = block->host_domid,
				.id = block->device_id,
				.block = block};

	set_directories(&device, "vbd");
	return device;
}

static struct device device_of_vif(const struct sim_vif *vif)
{
	struct device device = {
		.domid = vif->domid, .host_domid = vif->host_domid, .id = vif->handle, .vif = vif};

	set_directories(&device, "vif");
	return device;
}

/* ---- nodes ---- */

struct named_value {
	const char *name, *value;
};

/* write_directory - make it, `owner`'s and to be read by `reader`, and write its nodes, those that have a value. */
static int write_directory(struct xenstore *toolstack, uint32_t transaction, const char *directory,
			   uint16_t owner, uint16_t reader, const struct named_value *nodes)
{
	const struct sim_permission permissions[] = {{owner, SIM_MAY_NOTHING}, {reader, SIM_MAY_READ}};
	char path[XENSTORE_PATH_MAX];
	int error = sim_xenstore_make_directory(toolstack, transaction, directory);

	if (error == 0)
		error = sim_xenstore_set_permissions(toolstack, transaction, directory, permissions, 2);
	for (; error == 0 && nodes->name != NULL; nodes++) {
		if (nodes->value == NULL)
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, nodes->name);
		error = sim_xenstore_write(toolstack, transaction, path, nodes->value);
	}
	return error;
}

/* write_nodes - both directories, within a transaction: what is the same for all devices, and these nodes. */
static int write_nodes(struct xenstore *toolstack, uint32_t transaction, const struct device *device,
		       const struct named_value *back, const struct named_value *front)
{
	char domid[NUMBER_MAX], host_domid[NUMBER_MAX];
	const struct named_value back_of_all[] = {
		{"frontend", device->front},
		{"frontend-id", domid},
		{"online", "1"},
		{"state", "1"},
		{NULL, NULL},
	};
	const struct named_value front_of_all[] = {
		{"backend", device->back},
		{"backend-id", host_domid},
		{"state", "1"},
		{"trusted", "1"},
		{NULL, NULL},
	};
	int error;

	snprintf(domid, sizeof(domid), "%" PRIu16, device->domid);
	snprintf(host_domid, sizeof(host_domid), "%" PRIu16, device->host_domid);
	error = write_directory(toolstack, transaction, device->front, device->domid, device->host_domid,
				front);
	if (error == 0)
		error = write_directory(toolstack, transaction, device->front, device->domid,
					device->host_domid, front_of_all);
	if (error == 0)
		error = write_directory(toolstack, transaction, device->back, device->host_domid,
					device->domid, back);
	if (error == 0)
		error = write_directory(toolstack, transaction, device->back, device->host_domid,
					device->domid, back_of_all);
	return error;
}

static int write_block(struct xenstore *toolstack, uint32_t transaction, const struct device *device)
{
	const struct sim_block *block = device->block;
	char device_id[NUMBER_MAX];
	const struct named_value back[] = {
		{"params", block->target},
		{"script", "/etc/xen/scripts/block-xvhost"},
		{"removable", block->removable ? "1" : "0"},
		{"bootable", "1"},
		{"dev", device_id},
		{"type", "phy"},
		{"mode", block->read_only ? "r" : "w"},
		{"device-type", block->removable ? "cdrom" : "disk"},
		{"discard-enable", block->discard_off ? "0" : "1"},
		{"specification", "xen"},
		{NULL, NULL},
	};
	const struct named_value front[] = {
		{"virtual-device", device_id},
		{"device-type", block->removable ? "cdrom" : "disk"},
		{NULL, NULL},
	};

	snprintf(device_id, sizeof(device_id), "%" PRIu32, block->device_id);
	return write_nodes(toolstack, transaction, device, back, front);
}

static int write_vif(struct xenstore *toolstack, uint32_t transaction, const struct device *device)
{
	const struct sim_vif *vif = device->vif;
	char handle[NUMBER_MAX], mtu[NUMBER_MAX];
	const char *mtu_given = vif->mtu != 0 ? mtu : NULL;
	const struct named_value back[] = {
		{"script", vif->script != NULL ? vif->script : "/etc/xen/scripts/vif-xvhost"},
		{"vifname", vif->name},
		{"mac", vif->mac},
		{"rate", vif->rate},
		{"mtu", mtu_given},
		{"bridge", vif->bridge},
		{"handle", handle},
		{"type", "vif"},
		{"hotplug-status", ""},
		{NULL, NULL},
	};
	const struct named_value front[] = {
		{"handle", handle},
		{"mac", vif->mac},
		{"mtu", mtu_given},
		{NULL, NULL},
	};

	snprintf(handle, sizeof(handle), "%" PRIu32, vif->handle);
	snprintf(mtu, sizeof(mtu), "%" PRIu32, vif->mtu);
	return write_nodes(toolstack, transaction, device, back, front);
}

/* write_device - all nodes of a new device, within a transaction. */
static int write_device(struct xenstore *toolstack, uint32_t transaction, const struct device *device)
{
	return device->block != NULL ? write_block(toolstack, transaction, device)
				     : write_vif(toolstack, transaction, device);
}

/* clean_up - remove a path, and what is left empty above it. */
static int clean_up(struct xenstore *toolstack, uint32_t transaction, const char *directory)
{
	char path[DIRECTORY_MAX];
	unsigned count = 0;
	char **names, *end;
	int error = 0;

	snprintf(path, sizeof(path), "%s", directory);
	while (error == 0 && count == 0) {
		error = sim_xenstore_remove(toolstack, transaction, path);
		end = strrchr(path, '/');
		if (end == path)
			break;
		*end = '\0';
		names = sim_xenstore_directory(toolstack, transaction, path, &count);
		if (names == NULL)
			break;
		free(names);
	}
	return error == -ENOENT ? 0 : error;
}

static int remove_device(struct xenstore *toolstack, uint32_t transaction, const struct device *device)
{
	int error = clean_up(toolstack, transaction, device->front);

	return error == 0 ? clean_up(toolstack, transaction, device->back) : error;
}

/* read_node - of the backend's directory: a text to free(), or NULL. */
static char *read_node(struct xenstore *toolstack, uint32_t transaction, const struct device *device,
		       const char *name)
{
	char path[XENSTORE_PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", device->back, name);
	return sim_xenstore_read(toolstack, transaction, path);
}

static int write_node(struct xenstore *toolstack, uint32_t transaction, const struct device *device,
		      const char *name, const char *value)
{
	char path[XENSTORE_PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", device->back, name);
	return sim_xenstore_write(toolstack, transaction, path, value);
}

/* write_leaving - online and state, within a transaction. */
static int write_leaving(struct xenstore *toolstack, uint32_t transaction, const struct device *device)
{
	char *state = read_node(toolstack, transaction, device, "state");
	int error;

	if (state == NULL)
		return -errno;
	error = write_node(toolstack, transaction, device, "online", "0");
	if (error == 0 && strcmp(state, "6") != 0)
		error = write_node(toolstack, transaction, device, "state", "5");
	free(state);
	return error;
}

/* write_leaving_by_force - the same, and the frontend's nodes are gone. */
static int write_leaving_by_force(struct xenstore *toolstack, uint32_t transaction,
				  const struct device *device)
{
	int error = write_leaving(toolstack, transaction, device);

	return error == 0 ? clean_up(toolstack, transaction, device->front) : error;
}

/* transact - do it all or nothing. */
static int transact(struct xenstore *toolstack, const struct device *device,
		    int (*change)(struct xenstore *toolstack, uint32_t transaction,
				  const struct device *device))
{
	int error = -EAGAIN;

	for (unsigned tries = 0; error == -EAGAIN && tries < TRIES_MAX; tries++) {
		uint32_t transaction = sim_xenstore_transaction_start(toolstack);

		if (transaction == 0)
			return -errno;
		error = change(toolstack, transaction, device);
		if (error < 0)
			sim_xenstore_transaction_end(toolstack, transaction, true);
		else
			error = sim_xenstore_transaction_end(toolstack, transaction, false);
	}
	return error;
}

/* ---- waiting ---- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* take_watches - all that have fired. */
static void take_watches(struct xenstore *toolstack)
{
	char path[XENSTORE_PATH_MAX], token[sizeof(TOKEN)];

	while (sim_xenstore_next_watch(toolstack, path, sizeof(path), token, sizeof(token)))
		;
}

/* sleep_for_watch - until a watch fires, or that time has come. */
static void sleep_for_watch(struct xenstore *toolstack, int64_t end_ms)
{
	struct pollfd polled = {.fd = sim_xenstore_fd(toolstack), .events = POLLIN};
	int64_t left_ms = end_ms - now_ms();

	poll(&polled, 1, left_ms > 0 ? (int)left_ms : 0);
	take_watches(toolstack);
}

/*
 * await_node - until a node of the backend's directory is `value` or `other`. 0 or 1 says which; -ENOENT: the directory is
 * gone; -ETIMEDOUT.
 */
static int await_node(struct xenstore *toolstack, const struct device *device, const char *name,
		      const char *value, const char *other, int64_t end_ms)
{
	int result = sim_xenstore_watch(toolstack, device->back, TOKEN);

	if (result < 0)
		return result;
	for (;;) {
		char *state = read_node(toolstack, 0, device, "state");
		char *text = read_node(toolstack, 0, device, name);

		result = -EAGAIN;
		if (state == NULL)
			result = -ENOENT;
		else if (text != NULL && strcmp(text, value) == 0)
			result = 0;
		else if (text != NULL && strcmp(text, other) == 0)
			result = 1;
		else if (now_ms() >= end_ms)
			result = -ETIMEDOUT;
		free(state);
		free(text);
		if (result != -EAGAIN)
			break;
		sleep_for_watch(toolstack, end_ms);
	}
	sim_xenstore_unwatch(toolstack, device->back, TOKEN);
	take_watches(toolstack);
	return result;
}

/* run_script - block-xvhost add, vif-xvhost online; other scripts find what they need. */
static int run_script(struct xenstore *toolstack, const struct device *device, int64_t end_ms,
		      char text[ERROR_TEXT_MAX])
{
	int result = await_node(toolstack, device, "xvhost-status", "ready", "error", end_ms);
	char *said;

	if (result == 0)
		return write_node(toolstack, 0, device, "hotplug-status", "connected");
	if (result < 0) {
		snprintf(text, ERROR_TEXT_MAX, "%s: no word from xvhostd: %s",
			 device->block != NULL ? "block-xvhost" : "vif-xvhost", strerror(-result));
		return result;
	}
	said = read_node(toolstack, 0, device, "hotplug-error");
	snprintf(text, ERROR_TEXT_MAX, "%s", said != NULL ? said : "");
	free(said);
	write_node(toolstack, 0, device, "hotplug-status", "error");
	return -ECONNREFUSED;
}

/* ---- xl ---- */

static int attach(struct xenstore *toolstack, const struct device *device, int timeout_ms,
		  char text[ERROR_TEXT_MAX])
{
	int64_t end_ms = now_ms() + timeout_ms;
	int error = transact(toolstack, device, write_device);

	text[0] = '\0';
	if (error == 0)
		error = await_node(toolstack, device, "state", "2", "2", end_ms);
	if (error < 0) {
		snprintf(text, ERROR_TEXT_MAX, "backend %s not ready: %s", device->back, strerror(-error));
		return error;
	}
	return run_script(toolstack, device, end_ms, text);
}

static int begin_detach(struct xenstore *toolstack, const struct device *device, bool force)
{
	return transact(toolstack, device, force ? write_leaving_by_force : write_leaving);
}

static int detach(struct xenstore *toolstack, const struct device *device, bool force, int timeout_ms)
{
	int64_t end_ms = now_ms() + timeout_ms;
	int error, error_of_removal;

	error = begin_detach(toolstack, device, force);
	if (error == 0) {
		error = await_node(toolstack, device, "state", "6", "6", end_ms);
		/* A driver domain has removed it itself, but for the directory above. */
		if (error == -ENOENT)
			error = 0;
	}
	if (error < 0 && error != -ENOENT && !force)
		return error;
	error_of_removal = transact(toolstack, device, remove_device);
	return error < 0 ? error : error_of_removal;
}

int sim_block_create(struct xenstore *toolstack, const struct sim_block *block)
{
	const struct device device = device_of_block(block);

	return transact(toolstack, &device, write_device);
}

int sim_block_attach(struct xenstore *toolstack, const struct sim_block *block, int timeout_ms,
		     char text[ERROR_TEXT_MAX])
{
	const struct device device = device_of_block(block);

	return attach(toolstack, &device, timeout_ms, text);
}

int sim_block_begin_detach(struct xenstore *toolstack, const struct sim_block *block, bool force)
{
	const struct device device = device_of_block(block);

	return begin_detach(toolstack, &device, force);
}

int sim_block_detach(struct xenstore *toolstack, const struct sim_block *block, bool force, int timeout_ms)
{
	const struct device device = device_of_block(block);

	return detach(toolstack, &device, force, timeout_ms);
}

int sim_block_insert(struct xenstore *toolstack, const struct sim_block *block, const char *target)
{
	const struct device device = device_of_block(block);

	return write_node(toolstack, 0, &device, "params", target);
}

int sim_vif_create(struct xenstore *toolstack, const struct sim_vif *vif)
{
	const struct device device = device_of_vif(vif);

	return transact(toolstack, &device, write_device);
}

int sim_vif_attach(struct xenstore *toolstack, const struct sim_vif *vif, int timeout_ms,
		   char text[ERROR_TEXT_MAX])
{
	const struct device device = device_of_vif(vif);

	return attach(toolstack, &device, timeout_ms, text);
}

int sim_vif_begin_detach(struct xenstore *toolstack, const struct sim_vif *vif, bool force)
{
	const struct device device = device_of_vif(vif);

	return begin_detach(toolstack, &device, force);
}

int sim_vif_detach(struct xenstore *toolstack, const struct sim_vif *vif, bool force, int timeout_ms)
{
	const struct device device = device_of_vif(vif);

	return detach(toolstack, &device, force, timeout_ms);
}

int sim_vif_set_rate(struct xenstore *toolstack, const struct sim_vif *vif, const char *rate)
{
	const struct device device = device_of_vif(vif);

	return write_node(toolstack, 0, &device, "rate", rate);
}
