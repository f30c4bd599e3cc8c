// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * segment.c - large TCP packets are cut into segments, for guests that do not take them
 */
#include "segment.h"

#include <string.h>

#include "checksum.h"

#define ETHERNET_BYTES 14u
#define VLAN_BYTES 4u
#define VLAN_TAGS_MAX 2u
#define IPV4_BYTES 20u /* without options */
#define IPV6_BYTES 40u
#define TCP_BYTES 20u /* without options */

enum {
	TYPE_IPV4 = 0x0800,
	TYPE_IPV6 = 0x86dd,
	TYPE_VLAN = 0x8100,
	TYPE_SERVICE_VLAN = 0x88a8,
	PROTOCOL_TCP = 6,
	TCP_FIN = 0x01,
	TCP_PUSH = 0x08,
	TCP_CWR = 0x80,
	TCP_CHECKSUM = 16, /* in its header */
};

static uint32_t get_16(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 8 | bytes[1];
}

static void put_16(uint8_t *bytes, uint32_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

/* add - 16-bit words, of an even number of bytes. */
static uint32_t add(const uint8_t *bytes, uint32_t count)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < count; i += 2)
		sum += get_16(bytes + i);
	return sum;
}

static uint32_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* ---- beginning ---- */

/* find_network - IP's header, behind VLAN tags if there are any. Returns the type. */
static uint32_t find_network(struct segment *segment)
{
	uint32_t type = get_16(segment->headers + ETHERNET_BYTES - 2);

	segment->network = ETHERNET_BYTES;
	for (uint32_t tags = 0; tags < VLAN_TAGS_MAX && (type == TYPE_VLAN || type == TYPE_SERVICE_VLAN);
	     tags++) {
		segment->network += VLAN_BYTES;
		type = get_16(segment->headers + segment->network - 2);
	}
	return type;
}

/* are_right - do the copied headers say the same as the packet's description? */
static bool are_right(struct segment *segment)
{
	uint32_t type = find_network(segment), transport = segment->transport;
	const uint8_t *ip = segment->headers + segment->network;

	if (type != (segment->ipv6 ? TYPE_IPV6 : TYPE_IPV4) || ip[0] >> 4 != (segment->ipv6 ? 6 : 4))
		return false;
	if (segment->ipv6 && transport < segment->network + IPV6_BYTES)
		return false;
	if (!segment->ipv6 && (transport < segment->network + IPV4_BYTES ||
			       transport != segment->network + (ip[0] & 15u) * 4 || ip[9] != PROTOCOL_TCP))
		return false;
	return segment->header_bytes == transport + (segment->headers[transport + 12] >> 4) * 4u;
}

bool segment_begin(struct segment *segment, const struct xvhost_packet *packet)
{
	const uint8_t *bytes = packet->iov->iov_base;

	segment->header_bytes = packet->header_bytes;
	segment->transport = packet->checksum_start;
	segment->ipv6 = packet->gso == XVHOST_GSO_TCPV6;
	segment->gso_bytes = packet->gso_bytes;
	if (segment->header_bytes > SEGMENT_HEADERS_MAX || segment->header_bytes > packet->length ||
	    segment->transport < ETHERNET_BYTES + VLAN_TAGS_MAX * VLAN_BYTES ||
	    segment->transport + TCP_BYTES > segment->header_bytes || segment->gso_bytes < SEGMENT_DATA_MIN ||
	    segment->gso_bytes > XVHOST_NET_BYTES_MAX - segment->header_bytes)
		return false;
	memcpy(segment->headers, bytes, segment->header_bytes);
	if (!are_right(segment))
		return false;
	segment->data = bytes + segment->header_bytes;
	segment->left = packet->length - segment->header_bytes;
	segment->done = 0;
	segment->number = 0;
	return segment->left > 0;
}

/* ---- each segment ---- */

/* put_ip - the lengths, and IPv4's number and checksum. */
static void put_ip(const struct segment *segment, uint8_t *bytes, uint32_t length)
{
	uint8_t *ip = bytes + segment->network;

	if (segment->ipv6) {
		put_16(ip + 4, length - segment->network - IPV6_BYTES);
		return;
	}
	put_16(ip + 2, length - segment->network);
	put_16(ip + 4, get_16(ip + 4) + segment->number);
	put_16(ip + 10, 0);
	put_16(ip + 10, ~fold(add(ip, segment->transport - segment->network)));
}

/* put_tcp - the sequence number, flags, and the sum of the pseudo header, of which the checksum is made. */
static void put_tcp(const struct segment *segment, uint8_t *bytes, uint32_t length, bool last)
{
	const uint8_t *ip = bytes + segment->network;
	uint8_t *tcp = bytes + segment->transport;
	uint32_t sequence = (get_16(tcp + 4) << 16 | get_16(tcp + 6)) + segment->done;
	uint32_t addresses = segment->ipv6 ? add(ip + 8, 32) : add(ip + 12, 8);

	put_16(tcp + 4, sequence >> 16);
	put_16(tcp + 6, sequence);
	if (!last)
		tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PUSH);
	if (segment->number > 0)
		tcp[13] &= (uint8_t)~TCP_CWR;
	put_16(tcp + TCP_CHECKSUM, fold(addresses + PROTOCOL_TCP + length - segment->transport));
}

bool segment_next(struct segment *segment, struct xvhost_packet *packet)
{
	uint32_t bytes = segment->left < segment->gso_bytes ? segment->left : segment->gso_bytes;
	uint8_t *to = packet->iov->iov_base;
	uint32_t length = segment->header_bytes + bytes;

	if (segment->left == 0)
		return false;
	memcpy(to, segment->headers, segment->header_bytes);
	memcpy(to + segment->header_bytes, segment->data, bytes);
	put_ip(segment, to, length);
	put_tcp(segment, to, length, bytes == segment->left);
	segment->data += bytes;
	segment->left -= bytes;
	segment->done += bytes;
	segment->number++;
	packet->iov->iov_len = length;
	packet->iov_count = 1;
	packet->length = length;
	packet->flags = XVHOST_PACKET_CHECKSUM_BLANK | XVHOST_PACKET_CHECKSUM_GOOD;
	packet->gso = XVHOST_GSO_NONE;
	packet->checksum_start = (uint16_t)segment->transport;
	packet->checksum_offset = TCP_CHECKSUM;
	return fill_checksum(packet);
}
