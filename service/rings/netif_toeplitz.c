// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netif_toeplitz.c - the hash of network cards
 */
#include "rings/netif_toeplitz.h"

#include <assert.h>
#include <string.h>

/* window - the 32 bits of the key that begin at this bit; behind its end are zeroes. */
static uint32_t window(const uint8_t key[NETIF_TOEPLITZ_KEY_MAX], uint32_t bit)
{
	uint64_t bits = 0;

	for (uint32_t at = bit / 8; at < bit / 8 + 5; at++)
		bits = bits << 8 | (at < NETIF_TOEPLITZ_KEY_MAX ? key[at] : 0);
	return (uint32_t)(bits >> (8 - bit % 8));
}

void netif_toeplitz_set_key(struct netif_toeplitz *toeplitz, const uint8_t *key, uint32_t key_bytes)
{
	uint8_t whole[NETIF_TOEPLITZ_KEY_MAX] = {0};

	assert(key_bytes <= NETIF_TOEPLITZ_KEY_MAX);
	if (key_bytes > 0)
		memcpy(whole, key, key_bytes);
	memset(toeplitz, 0, sizeof(*toeplitz));
	for (uint32_t bit = 0; bit < 8 * NETIF_TOEPLITZ_INPUT_MAX; bit++) {
		uint32_t hash = window(whole, bit);

		for (uint32_t value = 0; value < 16; value++)
			if (value & 8u >> bit % 4)
				toeplitz->tables[bit / 4][value] ^= hash;
	}
}

uint32_t netif_toeplitz_hash(const struct netif_toeplitz *toeplitz, const uint8_t *input, uint32_t bytes)
{
	uint32_t hash = 0;

	assert(bytes <= NETIF_TOEPLITZ_INPUT_MAX);
	for (uint32_t i = 0; i < bytes; i++)
		hash ^= toeplitz->tables[2 * i][input[i] >> 4] ^ toeplitz->tables[2 * i + 1][input[i] & 15];
	return hash;
}
