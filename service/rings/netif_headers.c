// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netif_headers.c - where the headers of a packet lie, and its checksums
 */
#include "rings/netif_headers.h"

#include <string.h>

#include "rings/netif.h"

#define ETHERNET_BYTES 14u
#define VLAN_BYTES 4u
#define VLAN_TAGS_MAX 2u
#define IPV4_BYTES 20u /* without options */
#define IPV6_BYTES 40u
#define TCP_BYTES 20u /* without options */
#define UDP_BYTES 8u

enum {
	TYPE_IPV4 = 0x0800,
	TYPE_IPV6 = 0x86dd,
	TYPE_VLAN = 0x8100,
	TYPE_SERVICE_VLAN = 0x88a8,
};

/* Of IP, and of the headers between IPv6's and that of the protocol. */
enum {
	PROTOCOL_HOP_BY_HOP = 0,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	PROTOCOL_ROUTING = 43,
	PROTOCOL_FRAGMENT = 44,
	PROTOCOL_AUTHENTICATION = 51,
	PROTOCOL_DESTINATION = 60,
};

static uint16_t get_16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* find_ipv4 - the protocol, and where its header begins; -1 if it can't be told, or this is a fragment. */
static int find_ipv4(const uint8_t *bytes, uint32_t available, uint32_t *at)
{
	const uint8_t *header = bytes + *at;
	uint32_t header_bytes;

	if (available < *at + IPV4_BYTES || header[0] >> 4 != 4)
		return -1;
	header_bytes = (header[0] & 15u) * 4;
	/* More fragments follow, or this is not the first. */
	if (header_bytes < IPV4_BYTES || (get_16(header + 6) & 0x3fff) != 0)
		return -1;
	*at += header_bytes;
	return header[9];
}

/* find_ipv6 - the same, behind the headers that may lie between. Each has 8 bytes or more, so there are not many. */
static int find_ipv6(const uint8_t *bytes, uint32_t available, uint32_t *at)
{
	int protocol;

	if (available < *at + IPV6_BYTES || bytes[*at] >> 4 != 6)
		return -1;
	protocol = bytes[*at + 6];
	*at += IPV6_BYTES;
	while (protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP) {
		const uint8_t *header = bytes + *at;

		if (available < *at + 8)
			return -1;
		switch (protocol) {
		case PROTOCOL_HOP_BY_HOP:
		case PROTOCOL_ROUTING:
		case PROTOCOL_DESTINATION:
			*at += (header[1] + 1u) * 8;
			break;
		case PROTOCOL_AUTHENTICATION:
			*at += (header[1] + 2u) * 4;
			break;
		case PROTOCOL_FRAGMENT:
			if ((get_16(header + 2) & 0xfff9) != 0)
				return -1;
			*at += 8;
			break;
		default:
			return -1;
		}
		protocol = header[0];
	}
	return protocol;
}

/* find_transport - TCP's or UDP's header. */
static bool find_transport(const uint8_t *bytes, uint32_t available, uint32_t length,
			   struct netif_headers *headers)
{
	uint32_t at = headers->transport_start, header_bytes = UDP_BYTES;

	if (available < at + (headers->tcp ? TCP_BYTES : UDP_BYTES))
		return false;
	if (headers->tcp)
		header_bytes = (bytes[at + 12] >> 4) * 4u;
	if ((headers->tcp && header_bytes < TCP_BYTES) || at + header_bytes > length)
		return false;
	headers->checksum_offset = headers->tcp ? 16 : 6;
	headers->data_start = (uint16_t)(at + header_bytes);
	return true;
}

/* find_network - the type of what follows the Ethernet header, and where it begins; 0 if there is none. */
static uint16_t find_network(const uint8_t *bytes, uint32_t available, uint32_t *at)
{
	uint32_t tags = 0;
	uint16_t type;

	*at = ETHERNET_BYTES;
	if (available < *at)
		return 0;
	type = get_16(bytes + *at - 2);
	while ((type == TYPE_VLAN || type == TYPE_SERVICE_VLAN) && tags++ < VLAN_TAGS_MAX) {
		*at += VLAN_BYTES;
		if (available < *at)
			return 0;
		type = get_16(bytes + *at - 2);
	}
	return type;
}

bool netif_headers_find(const uint8_t *bytes, uint32_t available, uint32_t length,
			struct netif_headers *headers)
{
	uint32_t at;
	uint16_t type = find_network(bytes, available, &at);
	int protocol;

	headers->network_start = (uint16_t)at;
	headers->ipv6 = type == TYPE_IPV6;
	if (type == TYPE_IPV4)
		protocol = find_ipv4(bytes, available, &at);
	else if (type == TYPE_IPV6)
		protocol = find_ipv6(bytes, available, &at);
	else
		return false;
	if (protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP)
		return false;
	headers->tcp = protocol == PROTOCOL_TCP;
	headers->transport_start = (uint16_t)at;
	return find_transport(bytes, available, length, headers);
}

bool netif_headers_flow(const uint8_t *bytes, uint32_t available, struct netif_flow *flow)
{
	uint32_t at, address_bytes;
	uint16_t type = find_network(bytes, available, &at);
	int protocol;

	if (type == TYPE_IPV4 && available >= at + IPV4_BYTES && bytes[at] >> 4 == 4) {
		address_bytes = 8;
		memcpy(flow->bytes, bytes + at + 12, address_bytes);
		protocol = find_ipv4(bytes, available, &at);
	} else if (type == TYPE_IPV6 && available >= at + IPV6_BYTES && bytes[at] >> 4 == 6) {
		address_bytes = 32;
		memcpy(flow->bytes, bytes + at + 8, address_bytes);
		protocol = find_ipv6(bytes, available, &at);
	} else {
		return false;
	}
	flow->ipv6 = type == TYPE_IPV6;
	flow->tcp = protocol == PROTOCOL_TCP && available >= at + TCP_BYTES;
	if (flow->tcp)
		memcpy(flow->bytes + address_bytes, bytes + at, 4);
	return true;
}

/* ---- checksums ---- */

/* A sum of 16-bit words in the order of the packet's bytes (RFC 1071). Pieces may have an odd number of bytes. */
struct sum {
	uint64_t words; /* in this machine's order of bytes */
	bool odd;	/* the next byte is the second one of a word */
};

static uint16_t fold(uint64_t words)
{
	while (words >> 16)
		words = (words & 0xffff) + (words >> 16);
	return (uint16_t)words;
}

/* Up to 64 KiB: the sum of words of 32 bits does not overflow. */
static void add(struct sum *sum, const void *data, size_t length)
{
	const uint8_t *bytes = data;
	uint64_t words = 0;
	bool odd = length & 1;

	for (; length >= 4; length -= 4, bytes += 4) {
		uint32_t word;

		memcpy(&word, bytes, sizeof(word));
		words += word;
	}
	if (length >= 2) {
		uint16_t word;

		memcpy(&word, bytes, sizeof(word));
		words += word;
		bytes += 2;
	}
	if (odd) {
		const uint8_t last[2] = {bytes[0], 0};
		uint16_t word;

		memcpy(&word, last, sizeof(word));
		words += word;
	}
	/* Words that begin at an odd byte have their bytes the other way round, and so has their sum. */
	sum->words += sum->odd ? __builtin_bswap16(fold(words)) : words;
	sum->odd ^= odd;
}

static void put_checksum(uint8_t *bytes, const struct netif_headers *headers, uint16_t checksum)
{
	memcpy(bytes + headers->transport_start + headers->checksum_offset, &checksum, sizeof(checksum));
}

void netif_headers_blank(uint8_t *bytes, uint32_t length, const struct netif_headers *headers)
{
	uint32_t transport_bytes = length - headers->transport_start;
	const uint8_t rest[8] = {
		0,
		(uint8_t)(transport_bytes >> 16),
		(uint8_t)(transport_bytes >> 8),
		(uint8_t)transport_bytes,
		0,
		0,
		0,
		headers->tcp ? PROTOCOL_TCP : PROTOCOL_UDP,
	};
	const uint8_t *header = bytes + headers->network_start;
	struct sum sum = {0};

	/* Both addresses, which follow each other. */
	if (headers->ipv6)
		add(&sum, header + 8, 32);
	else
		add(&sum, header + 12, 8);
	add(&sum, rest, sizeof(rest));
	put_checksum(bytes, headers, fold(sum.words));
}

void netif_headers_complete(const struct iovec *iov, uint32_t iov_count, const struct netif_headers *headers)
{
	uint8_t *bytes = iov[0].iov_base;
	struct sum sum = {0};
	uint16_t checksum;

	add(&sum, bytes + headers->transport_start, iov[0].iov_len - headers->transport_start);
	for (uint32_t i = 1; i < iov_count; i++)
		add(&sum, iov[i].iov_base, iov[i].iov_len);
	checksum = (uint16_t)~fold(sum.words);
	/* In UDP 0 means that there is none; both values are the same to who adds up. */
	if (checksum == 0 && !headers->tcp)
		checksum = 0xffff;
	put_checksum(bytes, headers, checksum);
}
