/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netif_hash.h - hashes of packets for the guest, and the queue that each of them goes to, as the guest wants it
 *
 * Theory of operation: a card whose frontend has connected a control ring has one of these, which its queues share: they are all
 * served by one loop, and so is the control ring. Until the guest has chosen an algorithm and what is hashed, a packet goes to the
 * queue that the backend gives it to. Afterwards its hash is looked up in the guest's mapping. A packet that has no hash, since it is
 * of no kind that the guest named, stays where the backend has it.
 *
 * What the guest says is checked here; functions that it calls so return a XEN_NETIF_CTRL_STATUS_... of netif.h of Xen. One that
 * does not succeed changes nothing.
 */
#ifndef NETIF_HASH_H
#define NETIF_HASH_H

#include <stdbool.h>
#include <stdint.h>

#include "rings/netif_toeplitz.h"
#include "worker/messages.h"

#define NETIF_HASH_MAPPING_MAX 128u /* entries of a mapping, as in Linux's netback */

struct netif_queue;

struct netif_hash {
	uint32_t changes; /* of what follows; wraps */
	uint32_t queue_count;
	uint32_t algorithm;    /* XEN_NETIF_CTRL_HASH_ALGORITHM_... */
	uint32_t flags;	       /* XEN_NETIF_CTRL_HASH_TYPE_... */
	uint32_t mapping_size; /* 0: the queue is the hash modulo their number */
	uint8_t mapping[NETIF_HASH_MAPPING_MAX];
	struct netif_toeplitz toeplitz;
	struct netif_queue *queues[NET_QUEUES_MAX]; /* those that have been started */
};

/* A packet's hash, as an extra info has it. */
struct netif_hash_value {
	bool there;
	uint8_t type; /* _XEN_NETIF_CTRL_HASH_TYPE_... */
	uint32_t value;
};

/* netif_hash_create, _free - of a card with so many queues; it is off. NULL if there is no memory. Control thread. */
struct netif_hash *netif_hash_create(uint32_t queue_count);
void netif_hash_free(struct netif_hash *hash);

/* ---- what the guest wants; loop thread, as all that follow ---- */

uint32_t netif_hash_set_algorithm(struct netif_hash *hash, uint32_t algorithm);
uint32_t netif_hash_get_flags(const struct netif_hash *hash, uint32_t *flags);
uint32_t netif_hash_set_flags(struct netif_hash *hash, uint32_t flags);

/* netif_hash_check_key - before the key is read: may it have so many bytes? They are in a page. */
uint32_t netif_hash_check_key(uint32_t key_bytes);
void netif_hash_set_key(struct netif_hash *hash, const uint8_t *key, uint32_t key_bytes);

uint32_t netif_hash_set_mapping_size(struct netif_hash *hash, uint32_t size);

/* netif_hash_check_mapping - before a part of the mapping is read: can it be there? `count` is at most NETIF_HASH_MAPPING_MAX then. */
uint32_t netif_hash_check_mapping(const struct netif_hash *hash, uint32_t count, uint32_t offset);
uint32_t netif_hash_set_mapping(struct netif_hash *hash, const uint32_t *entries, uint32_t count,
				uint32_t offset);

/* ---- packets ---- */

static inline bool netif_hash_on(const struct netif_hash *hash)
{
	return hash->algorithm != 0 && hash->flags != 0;
}

/* netif_hash_packet - of a packet whose first bytes are these. */
struct netif_hash_value netif_hash_packet(const struct netif_hash *hash, const uint8_t *bytes,
					  uint32_t available);

/* netif_hash_queue - the queue that a packet with this hash goes to. */
uint32_t netif_hash_queue(const struct netif_hash *hash, uint32_t value);

#endif
