// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * host.c - the domain that xvhostd runs in
 */
#include "daemon/host.h"

#include <inttypes.h>
#include <string.h>

#include "log.h"

void host_clean_up(const struct host *host, uint16_t domid)
{
	const struct platform *platform = host->platform;
	int error = platform->device_model_clean_up ? platform->device_model_clean_up(platform, domid) : 0;

	if (error < 0)
		log_error("guest %" PRIu16
			  ": can't end the device model of its worker, and it may hang when it gives "
			  "memory away: %s",
			  domid, strerror(-error));
}
