/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake_xenstore.h - a xenstore in this process, for tests of what uses it through struct platform
 *
 * One store for the process. It has transactions that conflict, watches that fire as xenstored's do, and can
 * be told to fail. Paths of the functions below are absolute or relative to the domain's own, as everywhere.
 */
#ifndef FAKE_XENSTORE_H
#define FAKE_XENSTORE_H

#include <stdint.h>

#include "platform/platform.h"

/* Only its xenstore_ functions. */
extern const struct platform platform_fake_xenstore;

/* fake_xenstore_start - an empty store, seen from this domain, that has a `domid`. */
void fake_xenstore_start(uint16_t domid);

/* fake_xenstore_set, fake_xenstore_unset - write a node or remove a directory, as somebody else. */
void fake_xenstore_set(const char *path, const char *value);
void fake_xenstore_unset(const char *path);

/*
 * fake_xenstore_get - a node's value, "" for a directory; NULL if it isn't there. Good until the next
 * change.
 */
const char *fake_xenstore_get(const char *path);

/* fake_xenstore_nodes, fake_xenstore_watches - how many there are. */
unsigned fake_xenstore_nodes(void);
unsigned fake_xenstore_watches(void);

/* fake_xenstore_conflict - let the next `count` transactions end with EAGAIN. */
void fake_xenstore_conflict(unsigned count);

/* fake_xenstore_fail_reads, _writes, _watches - errno of those to come, 0: none. */
void fake_xenstore_fail_reads(int error);
void fake_xenstore_fail_writes(int error);
void fake_xenstore_fail_watches(int error);

#endif
