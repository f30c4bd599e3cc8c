/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netif_rate.h - how much a guest may send
 *
 * There is credit for so many bytes in each interval; what is not used in one is lost with its end. A packet is taken as long as
 * there is any credit, and may leave a debt, which the next intervals pay. So the rate holds however large packets are.
 */
#ifndef NETIF_RATE_H
#define NETIF_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct netif_rate {
	int64_t bytes; /* 0: no limit */
	int64_t interval_ns;
	int64_t credit;	   /* bytes; below 0: debt */
	int64_t filled_ns; /* when the present interval began */
};

/*
 * netif_rate_set - settings as struct message_net_settings has them. One that is not new changes nothing: a guest can have its settings set
 * again as often as it likes, and must not get new credit by that.
 */
void netif_rate_set(struct netif_rate *rate, uint64_t bytes, uint64_t interval_us);

/* netif_rate_fill - netif_rate_has_credit where there is a limit: looks at the clock. */
bool netif_rate_fill(struct netif_rate *rate);

/* netif_rate_has_credit - may a packet be taken now? */
static inline bool netif_rate_has_credit(struct netif_rate *rate)
{
	return rate->bytes == 0 || netif_rate_fill(rate);
}

/* netif_rate_left_ns - until there is credit; at least 1. */
uint64_t netif_rate_left_ns(const struct netif_rate *rate);

static inline void netif_rate_use(struct netif_rate *rate, uint32_t bytes)
{
	if (rate->bytes > 0)
		rate->credit -= bytes;
}

#endif
