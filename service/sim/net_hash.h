/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net_hash.h - what a guest has asked for by its control ring, and what it expects of each packet then
 *
 * It is worked out bit by bit, as netif.h of Xen describes it, and shares nothing with the host.
 */
#ifndef NET_HASH_H
#define NET_HASH_H

#include <stdbool.h>
#include <stdint.h>

#define NET_HASH_KEY_MAX 40u
#define NET_HASH_MAPPING_MAX 128u
#define NET_HASH_BYTES_MAX 128u /* of a packet, that are looked at */

struct net_hash {
	uint32_t flags; /* XEN_NETIF_CTRL_HASH_TYPE_...; 0: there are no hashes, and packets come by any queue */
	uint32_t key_bytes;
	uint8_t key[NET_HASH_KEY_MAX];
	uint32_t mapping_size;
	uint32_t mapping[NET_HASH_MAPPING_MAX];
};

/* net_hash_of - of a packet whose first bytes these are: its type and value. False: it has none. */
bool net_hash_of(const struct net_hash *hash, const uint8_t *bytes, uint32_t length, uint8_t *type,
		 uint32_t *value);

/* net_hash_queue - by which of so many queues a packet with this hash comes. */
uint32_t net_hash_queue(const struct net_hash *hash, uint32_t queue_count, uint32_t value);

#endif
