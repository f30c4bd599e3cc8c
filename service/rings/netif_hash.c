// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netif_hash.c - hashes of packets for the guest, and the queue that each of them goes to
 */
#include "rings/netif_hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/netif.h>

#include "rings/netif_headers.h"

#define FLAGS_ALL                                                                                            \
	(XEN_NETIF_CTRL_HASH_TYPE_IPV4 | XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP | XEN_NETIF_CTRL_HASH_TYPE_IPV6 | \
	 XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP)

static_assert(XEN_NETIF_CTRL_HASH_ALGORITHM_NONE == 0, "netif_hash_on");
static_assert(NET_QUEUES_MAX <= UINT8_MAX, "an entry of the mapping is a queue");

struct netif_hash *netif_hash_create(uint32_t queue_count)
{
	struct netif_hash *hash = calloc(1, sizeof(*hash));

	if (hash)
		hash->queue_count = queue_count;
	return hash;
}

void netif_hash_free(struct netif_hash *hash)
{
	free(hash);
}

/* ---- what the guest wants ---- */

uint32_t netif_hash_set_algorithm(struct netif_hash *hash, uint32_t algorithm)
{
	if (algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_NONE &&
	    algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	hash->algorithm = algorithm;
	hash->changes++;
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

uint32_t netif_hash_get_flags(const struct netif_hash *hash, uint32_t *flags)
{
	if (hash->algorithm == XEN_NETIF_CTRL_HASH_ALGORITHM_NONE)
		return XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
	*flags = FLAGS_ALL;
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

uint32_t netif_hash_set_flags(struct netif_hash *hash, uint32_t flags)
{
	if (hash->algorithm == XEN_NETIF_CTRL_HASH_ALGORITHM_NONE)
		return XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
	if (flags & ~(uint32_t)FLAGS_ALL)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	hash->flags = flags;
	hash->changes++;
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

uint32_t netif_hash_check_key(uint32_t key_bytes)
{
	return key_bytes <= NETIF_TOEPLITZ_KEY_MAX ? XEN_NETIF_CTRL_STATUS_SUCCESS
						   : XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW;
}

void netif_hash_set_key(struct netif_hash *hash, const uint8_t *key, uint32_t key_bytes)
{
	netif_toeplitz_set_key(&hash->toeplitz, key, key_bytes);
	hash->changes++;
}

uint32_t netif_hash_set_mapping_size(struct netif_hash *hash, uint32_t size)
{
	if (size > NETIF_HASH_MAPPING_MAX)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	hash->mapping_size = size;
	memset(hash->mapping, 0, sizeof(hash->mapping));
	hash->changes++;
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

uint32_t netif_hash_check_mapping(const struct netif_hash *hash, uint32_t count, uint32_t offset)
{
	if (count > NETIF_HASH_MAPPING_MAX)
		return XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW;
	/* Their sum may be more than 32 bits. */
	if (offset > hash->mapping_size || count > hash->mapping_size - offset)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

uint32_t netif_hash_set_mapping(struct netif_hash *hash, const uint32_t *entries, uint32_t count,
				uint32_t offset)
{
	assert(offset <= NETIF_HASH_MAPPING_MAX && count <= NETIF_HASH_MAPPING_MAX - offset);
	for (uint32_t i = 0; i < count; i++)
		if (entries[i] >= hash->queue_count)
			return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	for (uint32_t i = 0; i < count; i++)
		hash->mapping[offset + i] = (uint8_t)entries[i];
	hash->changes++;
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

/* ---- packets ---- */

/* choose_type - the one that says most of this packet, of those that the guest wants; -1: none. */
static int choose_type(const struct netif_hash *hash, const struct netif_flow *flow)
{
	int tcp = flow->ipv6 ? _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP : _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP;
	int other = flow->ipv6 ? _XEN_NETIF_CTRL_HASH_TYPE_IPV6 : _XEN_NETIF_CTRL_HASH_TYPE_IPV4;

	if (flow->tcp && hash->flags & 1u << tcp)
		return tcp;
	return hash->flags & 1u << other ? other : -1;
}

struct netif_hash_value netif_hash_packet(const struct netif_hash *hash, const uint8_t *bytes,
					  uint32_t available)
{
	struct netif_flow flow;
	uint32_t length;
	int type;

	if (!netif_headers_flow(bytes, available, &flow))
		return (struct netif_hash_value){0};
	type = choose_type(hash, &flow);
	if (type < 0)
		return (struct netif_hash_value){0};
	length = flow.ipv6 ? 32 : 8;
	if (type == _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP || type == _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP)
		length += 4;
	return (struct netif_hash_value){
		.there = true,
		.type = (uint8_t)type,
		.value = netif_toeplitz_hash(&hash->toeplitz, flow.bytes, length),
	};
}

uint32_t netif_hash_queue(const struct netif_hash *hash, uint32_t value)
{
	return hash->mapping_size > 0 ? hash->mapping[value % hash->mapping_size] : value % hash->queue_count;
}
