// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net_hash.c - what a guest expects of each packet that it receives, when it has asked for hashes
 */
#include "sim/net_hash.h"

#include <string.h>
#include <xen/io/netif.h>

#define ETHERNET_BYTES 14u
#define PROTOCOL_TCP 6

static bool key_bit(const struct net_hash *hash, uint32_t at)
{
	return at < 8 * hash->key_bytes && hash->key[at / 8] & 0x80u >> at % 8;
}

/* toeplitz - for each bit that is set, 32 bits of the key. */
static uint32_t toeplitz(const struct net_hash *hash, const uint8_t *input, uint32_t bytes)
{
	uint32_t value = 0;

	for (uint32_t at = 0; at < 8 * bytes; at++)
		if (input[at / 8] & 0x80u >> at % 8)
			for (uint32_t i = 0; i < 32; i++)
				value ^= (uint32_t)key_bit(hash, at + i) << (31 - i);
	return value;
}

/* find - where the addresses lie, how long they are, and whether TCP's ports follow. False: this is not IP. */
static bool find(const uint8_t *bytes, uint32_t length, uint32_t *at, uint32_t *count, bool *tcp)
{
	const uint8_t *ip = bytes + ETHERNET_BYTES;

	if (length >= ETHERNET_BYTES + 20 && bytes[12] == 0x08 && bytes[13] == 0x00) {
		*at = ETHERNET_BYTES + 12;
		*count = 8;
		*tcp = ip[0] == 0x45 && ip[9] == PROTOCOL_TCP && (ip[6] & 0x3f) == 0 && ip[7] == 0 &&
		       length >= ETHERNET_BYTES + 20 + 20;
		return true;
	}
	if (length >= ETHERNET_BYTES + 40 && bytes[12] == 0x86 && bytes[13] == 0xdd) {
		*at = ETHERNET_BYTES + 8;
		*count = 32;
		*tcp = ip[6] == PROTOCOL_TCP && length >= ETHERNET_BYTES + 40 + 20;
		return true;
	}
	return false;
}

bool net_hash_of(const struct net_hash *hash, const uint8_t *bytes, uint32_t length, uint8_t *type,
		 uint32_t *value)
{
	uint32_t at, count;
	bool tcp;

	if (!find(bytes, length, &at, &count, &tcp))
		return false;
	*type = count == 8 ? _XEN_NETIF_CTRL_HASH_TYPE_IPV4 : _XEN_NETIF_CTRL_HASH_TYPE_IPV6;
	/* Ports follow the addresses, and the type with them that without. */
	if (tcp && hash->flags & 2u << *type) {
		++*type;
		count += 4;
	}
	if (!(hash->flags & 1u << *type))
		return false;
	*value = toeplitz(hash, bytes + at, count);
	return true;
}

uint32_t net_hash_queue(const struct net_hash *hash, uint32_t queue_count, uint32_t value)
{
	return hash->mapping_size > 0 ? hash->mapping[value % hash->mapping_size] : value % queue_count;
}
