/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netif_toeplitz.h - the hash of network cards (netif.h of Xen; RSS)
 *
 * The hash of a bit is the 32 bits of the key that begin at its place, or 0 if it is clear; that of many is the sum of them without
 * carries. So it is looked up by four bits at a time, in tables that follow from the key.
 */
#ifndef NETIF_TOEPLITZ_H
#define NETIF_TOEPLITZ_H

#include <stdint.h>

#define NETIF_TOEPLITZ_INPUT_MAX 36u /* bytes that are hashed: two addresses of IPv6 and two ports */
#define NETIF_TOEPLITZ_KEY_MAX 40u   /* bytes of a key: all that can matter for these */

struct netif_toeplitz {
	uint32_t tables[2 * NETIF_TOEPLITZ_INPUT_MAX][16];
};

/* netif_toeplitz_set_key - up to NETIF_TOEPLITZ_KEY_MAX bytes; those that are missing are 0. */
void netif_toeplitz_set_key(struct netif_toeplitz *toeplitz, const uint8_t *key, uint32_t key_bytes);

/* netif_toeplitz_hash - of up to NETIF_TOEPLITZ_INPUT_MAX bytes. */
uint32_t netif_toeplitz_hash(const struct netif_toeplitz *toeplitz, const uint8_t *input, uint32_t bytes);

#endif
