/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nodes.h - reading and writing the xenstore nodes of devices
 */
#ifndef DAEMON_NODES_H
#define DAEMON_NODES_H

#include <stdint.h>

#include "daemon/device_state.h"
#include "daemon/host.h"

#define NODE_VALUE_MAX 1024 /* bytes of a value that we write, with the final 0 */

/* A node of a directory, as it shall be. */
struct node {
	const char *name;
	const char *value; /* NULL: not there */
};

/*
 * nodes_begin, nodes_error - the errno of a read, of all since nodes_begin, that xenstore could not carry out, be the node there or
 * not; 0: there was none. What was seen by reads among which there is one is not to be acted upon.
 */
void nodes_begin(const struct host *host);
int nodes_error(const struct host *host);

/* nodes_is_absence - does this errno of a read, or of a directory's, say that there is no node? */
bool nodes_is_absence(int error);

/* nodes_read - a text to free(), or NULL with errno (ENOENT: no such node). */
char *nodes_read(const struct host *host, const char *directory, const char *name);

/* nodes_read_state - the directory's `state`; XENBUS_NONSENSE also if xenstore can't tell. */
enum xenbus_state nodes_read_state(const struct host *host, const char *directory);

/*
 * nodes_update - write nodes of a backend directory, all or none, provided that its `state` is still
 * `expected` (XENBUS_ABSENT: whatever it is). Never makes a directory that is not there (any more). Returns
 * 0, -ENOENT without a `state`, -ESTALE with another one, or another negative errno.
 */
int nodes_update(const struct host *host, const char *directory, enum xenbus_state expected,
		 const struct node *nodes, unsigned count);

/*
 * nodes_write_error - say what is wrong with a device, where Linux's backends say it: error/DIRECTORY/error,
 * as "ERRNO TEXT". Returns 0 or a negative errno.
 */
int nodes_write_error(const struct host *host, const char *directory, int error, const char *text);

/* nodes_clear_error - the opposite; also takes away the directories that this leaves empty. */
void nodes_clear_error(const struct host *host, const char *directory);

/* nodes_remove_backend - remove a backend directory, and that of its guest if it was the last in it. */
int nodes_remove_backend(const struct host *host, const char *directory);

/* nodes_error_text - what a negative errno of xenstore's means. */
const char *nodes_error_text(int error);

#endif
