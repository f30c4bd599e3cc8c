/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uplinks.h - the uplinks that switches have by the configuration
 *
 * Theory of operation: each is a process as a guest's worker is (worker_process.h), from xvhostd's start to its end. One that has ended
 * by itself is started again after a pause, which becomes twice as long each time that it does not last: what it needs may be
 * missing, such as a bridge that is yet to be made.
 */
#ifndef DAEMON_UPLINKS_H
#define DAEMON_UPLINKS_H

#include "daemon/host.h"
#include "daemon/worker_process.h"

#define UPLINK_PAUSE_MIN_MS 1000
#define UPLINK_PAUSE_MAX_MS 60000
#define UPLINK_LASTS_MS 60000 /* after so long the pause is the shortest again */

struct uplink {
	struct worker *worker; /* NULL: there is none */
	int64_t start_at_ms;   /* without one */
	int64_t started_ms;    /* of the last one */
	int64_t pause_ms;      /* before the last one; 0: none */
};

/* All 0 in the beginning; in the order of the configuration. */
struct uplinks {
	struct uplink uplink[CONFIG_SWITCHES_MAX];
};

/* uplinks_start - those that are due. */
void uplinks_start(struct uplinks *uplinks, struct host *host, int64_t now_ms);

/* uplinks_ended - the worker of an uplink has. `wanted`: somebody wanted that. */
void uplinks_ended(struct uplinks *uplinks, const struct worker *worker, const char *end, bool wanted,
		   int64_t now_ms);

/* uplinks_wake_ms - when the next one is due, or CLOCK_NEVER_MS. */
int64_t uplinks_wake_ms(const struct uplinks *uplinks, const struct config *config);

#endif
