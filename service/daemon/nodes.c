// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nodes.c - reading and writing the xenstore nodes of devices
 *
 * Theory of operation: xenstore makes missing directories when a node is written. The toolstack may remove a
 * device at any time, and a node written after that would stay for ever. So all writes go by a transaction
 * that first reads the directory's `state`: if that is gone nothing is written, and if it goes meanwhile the
 * transaction fails.
 */
#include "daemon/nodes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/text.h"
#include "log.h"

#define TRANSACTION_TRIES_MAX                                                                                \
	10 /* somebody else changing the same nodes that often at the same time is not usual */

/* join - "directory/name" into `path`; false if that is too long. */
static bool join(char path[XENSTORE_PATH_MAX], const char *directory, const char *name)
{
	int length = snprintf(path, XENSTORE_PATH_MAX, "%s/%s", directory, name);

	return length > 0 && length < XENSTORE_PATH_MAX;
}

/* Of a directory that is gone a driver domain hears that it must not know. */
bool nodes_is_absence(int error)
{
	return error == ENOENT || error == EACCES;
}

void nodes_begin(const struct host *host)
{
	if (host->read_error != NULL)
		*host->read_error = 0;
}

int nodes_error(const struct host *host)
{
	return host->read_error != NULL ? *host->read_error : 0;
}

/* read_in - as nodes_read, within a transaction. */
static char *read_in(const struct host *host, uint32_t transaction, const char *directory, const char *name)
{
	char path[XENSTORE_PATH_MAX];
	char *value;

	if (!join(path, directory, name)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	value = host->platform->xenstore_read(host->xenstore, transaction, path);
	if (value == NULL && !nodes_is_absence(errno) && host->read_error != NULL)
		*host->read_error = errno;
	return value;
}

/* read_state_in - as nodes_read_state, within a transaction. `*error` is a negative errno if xenstore can't tell, or 0. */
static enum xenbus_state read_state_in(const struct host *host, uint32_t transaction, const char *directory,
				       int *error)
{
	char *text = read_in(host, transaction, directory, "state");
	uint64_t number = XENBUS_NONSENSE;

	*error = text == NULL && !nodes_is_absence(errno) ? -errno : 0;
	if (text == NULL)
		return *error == 0 ? XENBUS_ABSENT : XENBUS_NONSENSE;
	text_number(text, XENBUS_ABSENT, XENBUS_RECONFIGURED, &number);
	free(text);
	return (enum xenbus_state)number;
}

const char *nodes_error_text(int error)
{
	switch (error) {
	case -ENOSPC:
		return "xenstored gives this domain no more nodes (No space left on device; in Dom0, "
		       "xenstore-control "
		       "quota DOMID tells what it has)";
	case -E2BIG:
		return "xenstored gives this domain no more watches (Argument list too long; in Dom0, "
		       "xenstore-control "
		       "quota DOMID tells what it has)";
	case -EINVAL:
		/* What it sends then libxenstore does not know. */
		return "Invalid argument (from oxenstored that may be a quota that is used up: see its log "
		       "in Dom0)";
	default:
		return strerror(-error);
	}
}

char *nodes_read(const struct host *host, const char *directory, const char *name)
{
	return read_in(host, 0, directory, name);
}

enum xenbus_state nodes_read_state(const struct host *host, const char *directory)
{
	int error;

	return read_state_in(host, 0, directory, &error);
}

/* put - bring one node to what it shall be. */
static int put(const struct host *host, uint32_t transaction, const char *directory, const struct node *node)
{
	char path[XENSTORE_PATH_MAX];
	int error;

	if (!join(path, directory, node->name))
		return -ENAMETOOLONG;
	if (node->value != NULL)
		return host->platform->xenstore_write(host->xenstore, transaction, path, node->value);
	error = host->platform->xenstore_remove(host->xenstore, transaction, path);
	return error == -ENOENT ? 0 : error;
}

/* put_all - put nodes within a transaction, if the state is as expected. */
static int put_all(const struct host *host, uint32_t transaction, const char *directory,
		   enum xenbus_state expected, const struct node *nodes, unsigned count)
{
	int error;
	enum xenbus_state state = read_state_in(host, transaction, directory, &error);

	if (error < 0)
		return error;
	if (state == XENBUS_ABSENT)
		return -ENOENT;
	if (expected != XENBUS_ABSENT && state != expected)
		return -ESTALE;
	for (unsigned i = 0; i < count && error >= 0; i++)
		error = put(host, transaction, directory, &nodes[i]);
	return error < 0 ? error : 0;
}

int nodes_update(const struct host *host, const char *directory, enum xenbus_state expected,
		 const struct node *nodes, unsigned count)
{
	uint32_t transaction;
	int error = -EAGAIN;

	for (unsigned tries = 0; error == -EAGAIN && tries < TRANSACTION_TRIES_MAX; tries++) {
		transaction = host->platform->xenstore_transaction_start(host->xenstore);
		if (transaction == 0)
			return errno != 0 ? -errno : -EIO;
		error = put_all(host, transaction, directory, expected, nodes, count);
		if (error < 0)
			host->platform->xenstore_transaction_end(host->xenstore, transaction, true);
		else
			error = host->platform->xenstore_transaction_end(host->xenstore, transaction, false);
	}
	return error < 0 ? error : 0;
}

int nodes_write_error(const struct host *host, const char *directory, int error, const char *text)
{
	char path[XENSTORE_PATH_MAX], value[NODE_VALUE_MAX];
	int result;

	snprintf(path, sizeof(path), "error/%s/error", directory);
	snprintf(value, sizeof(value), "%d %s", abs(error), text);
	result = host->platform->xenstore_write(host->xenstore, 0, path, value);
	return result < 0 ? result : 0;
}

/* remove_if_empty - remove a directory that has neither children nor a value; false if it stays. */
static bool remove_if_empty(const struct host *host, const char *path)
{
	char *value = host->platform->xenstore_read(host->xenstore, 0, path);
	bool empty = value != NULL && value[0] == '\0';
	unsigned count;
	char **names;

	free(value);
	if (!empty)
		return false;
	names = host->platform->xenstore_directory(host->xenstore, 0, path, &count);
	if (names == NULL)
		return false;
	free(names);
	return count == 0 && host->platform->xenstore_remove(host->xenstore, 0, path) >= 0;
}

void nodes_clear_error(const struct host *host, const char *directory)
{
	char path[XENSTORE_PATH_MAX];
	char *end;
	int result;

	snprintf(path, sizeof(path), "error/%s", directory);
	result = host->platform->xenstore_remove(host->xenstore, 0, path);
	if (result < 0 && result != -ENOENT)
		log_warning("xenstore: can't remove %s: %s", path, strerror(-result));

	/* The toolstack gives `error` itself to a driver domain, which could not make it again. */
	while ((end = strrchr(path, '/')) != NULL) {
		*end = '\0';
		if (host->domid != 0 && strchr(path, '/') == NULL)
			break;
		if (!remove_if_empty(host, path))
			break;
	}
}

int nodes_remove_backend(const struct host *host, const char *directory)
{
	char path[XENSTORE_PATH_MAX];
	char *end;
	int error = host->platform->xenstore_remove(host->xenstore, 0, directory);

	if (error < 0 && error != -ENOENT)
		return error;
	snprintf(path, sizeof(path), "%s", directory);
	end = strrchr(path, '/');
	if (end != NULL) {
		*end = '\0';
		remove_if_empty(host, path);
	}
	return 0;
}
