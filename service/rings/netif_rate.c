// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netif_rate.c - how much a guest may send
 */
#include "rings/netif_rate.h"

#include <time.h>

/* Beyond these nothing is a limit, and numbers stay within 64 bits. */
#define BYTES_MAX (INT64_C(1) << 40)
#define INTERVAL_NS_MAX (INT64_C(3600) * 1000000000)

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void netif_rate_set(struct netif_rate *rate, uint64_t bytes, uint64_t interval_us)
{
	int64_t limit = bytes < (uint64_t)BYTES_MAX ? (int64_t)bytes : BYTES_MAX;
	int64_t interval_ns = interval_us < (uint64_t)INTERVAL_NS_MAX / 1000 ? (int64_t)interval_us * 1000
									     : INTERVAL_NS_MAX;

	if (interval_ns == 0)
		interval_ns = 1000;
	if (limit == rate->bytes && interval_ns == rate->interval_ns)
		return;
	rate->bytes = limit;
	rate->interval_ns = interval_ns;
	rate->credit = rate->bytes;
	rate->filled_ns = now_ns();
}

bool netif_rate_fill(struct netif_rate *rate)
{
	int64_t intervals = (now_ns() - rate->filled_ns) / rate->interval_ns;

	if (intervals > 0) {
		/* A debt is at most one packet's. */
		int64_t missing = rate->bytes - rate->credit, needed = missing / rate->bytes + 1;

		rate->filled_ns += intervals * rate->interval_ns;
		rate->credit += intervals < needed ? intervals * rate->bytes : missing;
	}
	return rate->credit > 0;
}

uint64_t netif_rate_left_ns(const struct netif_rate *rate)
{
	int64_t intervals = rate->credit > 0 ? 0 : -rate->credit / rate->bytes + 1;
	int64_t left = rate->filled_ns + intervals * rate->interval_ns - now_ns();

	return left > 0 ? (uint64_t)left : 1;
}
