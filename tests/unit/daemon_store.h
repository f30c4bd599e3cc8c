/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon_store.h - a simulated xenstore for tests of xvhostd's parts, that can be told to fail
 *
 * One store for the process. daemon_store_platform sees it from the domain that xvhostd is to run in; the functions
 * below see it as the toolstack in Dom0, but relative paths are those of xvhostd's domain.
 */
#ifndef DAEMON_STORE_H
#define DAEMON_STORE_H

#include <stdint.h>

#include "platform/platform.h"

/* Only its xenstore_ functions, and device_model_clean_up, which counts. */
extern const struct platform daemon_store_platform;

/* daemon_store_start - a new store, and xvhostd in this domain, whose home has a `domid` and, as libxl has it, `backend`. */
void daemon_store_start(uint16_t domid);

/*
 * daemon_store_set, daemon_store_unset - write a node or remove a directory, as the toolstack. A new node in
 * "backend/vbd/D/N" or "/local/domain/D/device/vbd/N", or the same of a vif, has the permissions that libxl gives it.
 */
void daemon_store_set(const char *path, const char *value);
void daemon_store_unset(const char *path);

/* daemon_store_get - a node's value, "" for a directory; NULL if it isn't there. Good for the next few calls. */
const char *daemon_store_get(const char *path);

/* daemon_store_nodes, daemon_store_watches - how many there are. */
unsigned daemon_store_nodes(void);
unsigned daemon_store_watches(void);

/* daemon_store_reads - by xvhostd, so far. */
unsigned daemon_store_reads(void);

/* daemon_store_conflict - let the next `count` transactions end with EAGAIN. */
void daemon_store_conflict(unsigned count);

/* daemon_store_fail_reads, _writes, _watches, _unwatches - errno of those to come, 0: none. _reads_of: only of nodes of this name. */
void daemon_store_fail_reads(int error);
void daemon_store_fail_reads_of(const char *name, int error);
void daemon_store_fail_writes(int error);
void daemon_store_fail_watches(int error);
void daemon_store_fail_unwatches(int error);

/* daemon_store_clean_ups - of device models of a domain up to 7. */
unsigned daemon_store_clean_ups(uint16_t domid);

#endif
