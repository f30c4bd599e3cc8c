// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * uplinks.c - the uplinks that switches have by the configuration
 */
#include "daemon/uplinks.h"

#include <inttypes.h>

#include "daemon/clock.h"
#include "log.h"

/* pause_uplink - before it is started again. Returns milliseconds. */
static int64_t pause_uplink(struct uplink *uplink, int64_t now_ms)
{
	if (uplink->pause_ms == 0 || now_ms - uplink->started_ms >= UPLINK_LASTS_MS)
		uplink->pause_ms = UPLINK_PAUSE_MIN_MS;
	else if (uplink->pause_ms < UPLINK_PAUSE_MAX_MS / 2)
		uplink->pause_ms *= 2;
	else
		uplink->pause_ms = UPLINK_PAUSE_MAX_MS;
	uplink->start_at_ms = now_ms + uplink->pause_ms;
	return uplink->pause_ms;
}

void uplinks_start(struct uplinks *uplinks, struct host *host, int64_t now_ms)
{
	for (uint32_t i = 0; i < host->config->switch_count; i++) {
		const struct config_named *configured = &host->config->switches[i];
		struct uplink *uplink = &uplinks->uplink[i];
		char text[ERROR_TEXT_MAX];

		if (uplink->worker || now_ms < uplink->start_at_ms)
			continue;
		uplink->started_ms = now_ms;
		uplink->worker = worker_start_uplink(host->workers, host->config, host->domid, configured,
						     text);
		if (!uplink->worker)
			log_error("switch %s: no uplink: %s; next try in %" PRId64 " s", configured->name,
				  text, pause_uplink(uplink, now_ms) / 1000);
	}
}

void uplinks_ended(struct uplinks *uplinks, const struct worker *worker, const char *end, bool wanted,
		   int64_t now_ms)
{
	struct uplink *uplink = uplinks->uplink;

	while (uplink->worker != worker)
		uplink++;
	uplink->worker = NULL;
	if (wanted)
		log_debug("%s: uplink, %s: %s", worker->serves, worker->name, end);
	else
		log_error("%s: the uplink, %s, is gone: %s; it is started again in %" PRId64 " s",
			  worker->serves, worker->name, end, pause_uplink(uplink, now_ms) / 1000);
}

int64_t uplinks_wake_ms(const struct uplinks *uplinks, const struct config *config)
{
	int64_t wake_ms = CLOCK_NEVER_MS;

	for (uint32_t i = 0; i < config->switch_count; i++)
		if (!uplinks->uplink[i].worker && uplinks->uplink[i].start_at_ms < wake_ms)
			wake_ms = uplinks->uplink[i].start_at_ms;
	return wake_ms;
}
