// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net_packet.c - a packet that a net backend has for somebody
 */
#include "rings/net_packet.h"

#include <errno.h>

/* is_taken - is it of a kind that is taken? */
static bool is_taken(const struct xvhost_packet *packet, uint32_t takes)
{
	switch (packet->gso) {
	case XVHOST_GSO_NONE:
		return !(packet->flags & XVHOST_PACKET_CHECKSUM_BLANK) ||
		       takes & (XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6);
	case XVHOST_GSO_TCPV4:
		return takes & XVHOST_NET_GSO_TCPV4;
	case XVHOST_GSO_TCPV6:
		return takes & XVHOST_NET_GSO_TCPV6;
	default:
		return false;
	}
}

int net_packet_check(const struct xvhost_packet *packet, uint32_t takes)
{
	uint64_t bytes = 0;

	if (packet->length < XVHOST_NET_BYTES_MIN || packet->length > XVHOST_NET_BYTES_MAX ||
	    packet->iov_count > XVHOST_NET_IOVECS_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < packet->iov_count; i++)
		bytes += packet->iov[i].iov_len;
	if (bytes != packet->length)
		return -EINVAL;
	return is_taken(packet, takes) ? 0 : -EOPNOTSUPP;
}
