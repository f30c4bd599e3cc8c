/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host.h - the domain that xvhostd runs in, as its parts see it
 */
#ifndef DAEMON_HOST_H
#define DAEMON_HOST_H

#include <stdint.h>

#include "daemon/config.h"
#include "platform/platform.h"

/* The last domain number that a guest can have (DOMID_FIRST_RESERVED - 1 of xen.h). */
#define DOMID_LAST 0x7fefu

struct workers;

struct host {
	const struct platform *platform;
	struct xenstore *xenstore;
	const struct config *config;
	const char *sysfs_path; /* "/sys" but in tests */
	struct workers *workers;
	uint16_t domid;	 /* our own; 0 for Dom0 */
	int *read_error; /* of nodes_begin; NULL: nobody wants to know */
};

/* host_clean_up - let go on whoever waits for a worker of this guest's that was killed. */
void host_clean_up(const struct host *host, uint16_t domid);

#endif
