// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netif_multicast.c - the multicast addresses that a guest asks for
 */
#include "rings/netif_multicast.h"

#include <errno.h>
#include <stdlib.h>

struct netif_multicast {
	uint64_t addresses[NETIF_MULTICAST_MAX]; /* with a bit more than an address has; 0: none */
};

static uint64_t word_of(const uint8_t address[6])
{
	uint64_t word = 1;

	for (uint32_t i = 0; i < 6; i++)
		word = word << 8 | address[i];
	return word;
}

struct netif_multicast *netif_multicast_create(void)
{
	return calloc(1, sizeof(struct netif_multicast));
}

void netif_multicast_free(struct netif_multicast *multicast)
{
	free(multicast);
}

/* find - where this word is; NETIF_MULTICAST_MAX if it is nowhere. */
static uint32_t find(const struct netif_multicast *multicast, uint64_t word)
{
	uint32_t at = 0;

	while (at < NETIF_MULTICAST_MAX &&
	       __atomic_load_n(&multicast->addresses[at], __ATOMIC_RELAXED) != word)
		at++;
	return at;
}

int netif_multicast_add(struct netif_multicast *multicast, const uint8_t address[6])
{
	uint64_t word = word_of(address);

	while (find(multicast, word) == NETIF_MULTICAST_MAX) {
		uint32_t at = find(multicast, 0);
		uint64_t none = 0;

		if (at == NETIF_MULTICAST_MAX)
			return -ENOSPC;
		/* Another queue may have been faster. */
		__atomic_compare_exchange_n(&multicast->addresses[at], &none, word, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED);
	}
	return 0;
}

/* One that two queues added at the same time may be there twice. */
void netif_multicast_remove(struct netif_multicast *multicast, const uint8_t address[6])
{
	uint64_t word = word_of(address);

	for (uint32_t at = 0; at < NETIF_MULTICAST_MAX; at++) {
		uint64_t expected = word;

		__atomic_compare_exchange_n(&multicast->addresses[at], &expected, 0, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED);
	}
}

bool netif_multicast_has(const struct netif_multicast *multicast, const uint8_t address[6])
{
	return find(multicast, word_of(address)) < NETIF_MULTICAST_MAX;
}
