/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon.h - xvhostd as a whole
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include <stdbool.h>

#include "daemon/config.h"
#include "platform/platform.h"

struct daemon;
struct worker_kind; /* worker_process.h */

struct daemon_settings {
	const struct platform *platform;
	const struct config *config;
	const char *lock_path;
	const char *sysfs_path;
	const struct worker_kind *worker_kind; /* NULL: processes */
};

/*
 * daemon_create - take the lock, open xenstore, find the devices that are there. From here to daemon_destroy
 * SIGTERM and SIGINT are blocked for the calling thread and are taken by daemon_turn. Returns NULL when something is wrong, which
 * then is in the log. The settings must stay until daemon_destroy.
 */
struct daemon *daemon_create(const struct daemon_settings *settings);

/*
 * daemon_turn - wait until something happens, wait_ms at most (-1: for ever), and deal with it. Returns
 * false when a signal or daemon_stop() asked for the end, or xenstore was lost, and all workers have ended.
 */
bool daemon_turn(struct daemon *daemon, int wait_ms);

/* daemon_stop - ask for the end, as SIGTERM does. Any thread. */
void daemon_stop(struct daemon *daemon);

/* daemon_destroy - give back everything. Returns false if nobody had asked for the end. */
bool daemon_destroy(struct daemon *daemon);

#endif
