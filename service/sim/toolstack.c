// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * toolstack.c - what xl does in xenstore with a guest's disks
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

/* The two directories of a disk. */
struct directories {
	char back[DIRECTORY_MAX], front[DIRECTORY_MAX];
};

static struct directories directories_of(const struct sim_block *block)
{
	struct directories directories;

	snprintf(directories.back, DIRECTORY_MAX,
		 "/local/domain/%" PRIu16 "/backend/vbd/%" PRIu16 "/%" PRIu32, block->host_domid,
		 block->domid, block->device_id);
	snprintf(directories.front, DIRECTORY_MAX, "/local/domain/%" PRIu16 "/device/vbd/%" PRIu32,
		 block->domid, block->device_id);
	return directories;
}

/* ---- nodes ---- */

struct named_value {
	const char *name, *value;
};

/* write_directory - make it, `owner`'s and to be read by `reader`, and write its nodes. */
static int write_directory(struct xenstore *toolstack, uint32_t transaction, const char *directory,
			   uint16_t owner, uint16_t reader, const struct named_value *nodes)
{
	const struct sim_permission permissions[] = {{owner, SIM_MAY_NOTHING}, {reader, SIM_MAY_READ}};
	char path[XENSTORE_PATH_MAX];
	int error = sim_xenstore_make_directory(toolstack, transaction, directory);

	if (error == 0)
		error = sim_xenstore_set_permissions(toolstack, transaction, directory, permissions, 2);
	for (; error == 0 && nodes->name != NULL; nodes++) {
		snprintf(path, sizeof(path), "%s/%s", directory, nodes->name);
		error = sim_xenstore_write(toolstack, transaction, path, nodes->value);
	}
	return error;
}

/* write_block - both directories, within a transaction. */
static int write_block(struct xenstore *toolstack, uint32_t transaction, const struct sim_block *block)
{
	struct directories directories = directories_of(block);
	char domid[NUMBER_MAX], host_domid[NUMBER_MAX], device_id[NUMBER_MAX];
	const struct named_value back[] = {
		{"frontend", directories.front},
		{"frontend-id", domid},
		{"online", "1"},
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
		{"state", "1"},
		{NULL, NULL},
	};
	const struct named_value front[] = {
		{"backend", directories.back},
		{"backend-id", host_domid},
		{"state", "1"},
		{"virtual-device", device_id},
		{"device-type", block->removable ? "cdrom" : "disk"},
		{"trusted", "1"},
		{NULL, NULL},
	};
	int error;

	snprintf(domid, sizeof(domid), "%" PRIu16, block->domid);
	snprintf(host_domid, sizeof(host_domid), "%" PRIu16, block->host_domid);
	snprintf(device_id, sizeof(device_id), "%" PRIu32, block->device_id);
	error = write_directory(toolstack, transaction, directories.front, block->domid, block->host_domid,
				front);
	if (error == 0)
		error = write_directory(toolstack, transaction, directories.back, block->host_domid,
					block->domid, back);
	return error;
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

static int remove_block(struct xenstore *toolstack, uint32_t transaction, const struct sim_block *block)
{
	struct directories directories = directories_of(block);
	int error = clean_up(toolstack, transaction, directories.front);

	return error == 0 ? clean_up(toolstack, transaction, directories.back) : error;
}

/* read_node - of the backend's directory: a text to free(), or NULL. */
static char *read_node(struct xenstore *toolstack, uint32_t transaction, const struct sim_block *block,
		       const char *name)
{
	char path[XENSTORE_PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", directories_of(block).back, name);
	return sim_xenstore_read(toolstack, transaction, path);
}

static int write_node(struct xenstore *toolstack, uint32_t transaction, const struct sim_block *block,
		      const char *name, const char *value)
{
	char path[XENSTORE_PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", directories_of(block).back, name);
	return sim_xenstore_write(toolstack, transaction, path, value);
}

/* write_leaving - online and state, within a transaction. */
static int write_leaving(struct xenstore *toolstack, uint32_t transaction, const struct sim_block *block)
{
	char *state = read_node(toolstack, transaction, block, "state");
	int error;

	if (state == NULL)
		return -errno;
	error = write_node(toolstack, transaction, block, "online", "0");
	if (error == 0 && strcmp(state, "6") != 0)
		error = write_node(toolstack, transaction, block, "state", "5");
	free(state);
	return error;
}

/* write_leaving_by_force - the same, and the frontend's nodes are gone. */
static int write_leaving_by_force(struct xenstore *toolstack, uint32_t transaction,
				  const struct sim_block *block)
{
	int error = write_leaving(toolstack, transaction, block);

	return error == 0 ? clean_up(toolstack, transaction, directories_of(block).front) : error;
}

/* transact - do it all or nothing. */
static int transact(struct xenstore *toolstack, const struct sim_block *block,
		    int (*change)(struct xenstore *toolstack, uint32_t transaction,
				  const struct sim_block *block))
{
	int error = -EAGAIN;

	for (unsigned tries = 0; error == -EAGAIN && tries < TRIES_MAX; tries++) {
		uint32_t transaction = sim_xenstore_transaction_start(toolstack);

		if (transaction == 0)
			return -errno;
		error = change(toolstack, transaction, block);
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
static int await_node(struct xenstore *toolstack, const struct sim_block *block, const char *name,
		      const char *value, const char *other, int64_t end_ms)
{
	struct directories directories = directories_of(block);
	int result = sim_xenstore_watch(toolstack, directories.back, TOKEN);

	if (result < 0)
		return result;
	for (;;) {
		char *state = read_node(toolstack, 0, block, "state");
		char *text = read_node(toolstack, 0, block, name);

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
	sim_xenstore_unwatch(toolstack, directories.back, TOKEN);
	take_watches(toolstack);
	return result;
}

/* run_script - block-xvhost add. */
static int run_script(struct xenstore *toolstack, const struct sim_block *block, int64_t end_ms,
		      char text[ERROR_TEXT_MAX])
{
	int result = await_node(toolstack, block, "xvhost-status", "ready", "error", end_ms);
	char *said;

	if (result == 0)
		return write_node(toolstack, 0, block, "hotplug-status", "connected");
	if (result < 0) {
		snprintf(text, ERROR_TEXT_MAX, "block-xvhost: no word from xvhostd: %s", strerror(-result));
		return result;
	}
	said = read_node(toolstack, 0, block, "hotplug-error");
	snprintf(text, ERROR_TEXT_MAX, "%s", said != NULL ? said : "");
	free(said);
	write_node(toolstack, 0, block, "hotplug-status", "error");
	return -ECONNREFUSED;
}

/* ---- xl ---- */

int sim_block_create(struct xenstore *toolstack, const struct sim_block *block)
{
	return transact(toolstack, block, write_block);
}

int sim_block_attach(struct xenstore *toolstack, const struct sim_block *block, int timeout_ms,
		     char text[ERROR_TEXT_MAX])
{
	int64_t end_ms = now_ms() + timeout_ms;
	int error = sim_block_create(toolstack, block);

	text[0] = '\0';
	if (error == 0)
		error = await_node(toolstack, block, "state", "2", "2", end_ms);
	if (error < 0) {
		snprintf(text, ERROR_TEXT_MAX, "backend %s not ready: %s", directories_of(block).back,
			 strerror(-error));
		return error;
	}
	return run_script(toolstack, block, end_ms, text);
}

int sim_block_begin_detach(struct xenstore *toolstack, const struct sim_block *block, bool force)
{
	return transact(toolstack, block, force ? write_leaving_by_force : write_leaving);
}

int sim_block_detach(struct xenstore *toolstack, const struct sim_block *block, bool force, int timeout_ms)
{
	int64_t end_ms = now_ms() + timeout_ms;
	int error, error_of_removal;

	error = sim_block_begin_detach(toolstack, block, force);
	if (error == 0) {
		error = await_node(toolstack, block, "state", "6", "6", end_ms);
		/* A driver domain has removed it itself, but for the directory above. */
		if (error == -ENOENT)
			error = 0;
	}
	if (error < 0 && error != -ENOENT && !force)
		return error;
	error_of_removal = transact(toolstack, block, remove_block);
	return error < 0 ? error : error_of_removal;
}

int sim_block_insert(struct xenstore *toolstack, const struct sim_block *block, const char *target)
{
	return write_node(toolstack, 0, block, "params", target);
}
