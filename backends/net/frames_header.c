// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * frames_header.c - what stands before each packet (struct virtio_net_hdr)
 */
#include <errno.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <netinet/in.h>

#include "checksum.h"
#include "frames.h"

#define ETHERNET_BYTES 14u /* of its header, without a VLAN's tag */
#define IPV6_BYTES 40u	   /* of its header */
#define TCP_BYTES_MIN 20u  /* of its header */

void frames_header_write(const struct xvhost_packet *packet, struct virtio_net_hdr *header)
{
	*header = (struct virtio_net_hdr){.gso_type = VIRTIO_NET_HDR_GSO_NONE};
	if (packet->flags & XVHOST_PACKET_CHECKSUM_BLANK) {
		header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		header->csum_start = packet->checksum_start;
		header->csum_offset = packet->checksum_offset;
	}
	if (packet->gso == XVHOST_GSO_NONE)
		return;
	header->gso_type = packet->gso == XVHOST_GSO_TCPV4 ? VIRTIO_NET_HDR_GSO_TCPV4
							   : VIRTIO_NET_HDR_GSO_TCPV6;
	header->hdr_len = packet->header_bytes;
	header->gso_size = packet->gso_bytes;
}

/*
 * is_plain - does the checksum belong to TCP or UDP right behind an IP header right behind an Ethernet header? Guests find by
 * themselves where a blank one is to go, and look only there.
 */
static bool is_plain(const struct xvhost_packet *packet)
{
	const uint8_t *bytes = packet->iov->iov_base;
	const uint8_t *ip = bytes + ETHERNET_BYTES;
	uint32_t type, ip_bytes, protocol;

	if (packet->checksum_start < ETHERNET_BYTES + sizeof(uint32_t) * 5)
		return false;
	type = (uint32_t)bytes[12] << 8 | bytes[13];
	if (type == ETHERTYPE_IP) {
		ip_bytes = (ip[0] & 0xfu) * 4;
		protocol = ip[9];
	} else if (type == ETHERTYPE_IPV6) {
		ip_bytes = IPV6_BYTES;
		protocol = ip[6];
	} else {
		return false;
	}
	return packet->checksum_start == ETHERNET_BYTES + ip_bytes &&
	       (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP);
}

/*
 * read_gso - what is not TCP's can't be. The header's own length of the headers is but a hint. With ECN nothing is different: TCP's
 * flag for it is in the first segment only, whoever cuts.
 */
static enum frames_fit read_gso(const struct virtio_net_hdr *header, unsigned int offload,
				struct xvhost_packet *packet)
{
	const uint8_t *tcp = (const uint8_t *)packet->iov->iov_base + packet->checksum_start;
	uint8_t type = header->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	bool ipv6 = type == VIRTIO_NET_HDR_GSO_TCPV6;
	uint32_t tcp_bytes;

	if (!ipv6 && type != VIRTIO_NET_HDR_GSO_TCPV4)
		return FRAMES_NONE;
	if (!(packet->flags & XVHOST_PACKET_CHECKSUM_BLANK) || header->gso_size == 0 ||
	    packet->checksum_start + TCP_BYTES_MIN > packet->length)
		return FRAMES_NONE;
	tcp_bytes = (tcp[12] >> 4) * 4u;
	if (tcp_bytes < TCP_BYTES_MIN || packet->checksum_start + tcp_bytes > packet->length)
		return FRAMES_NONE;
	packet->gso = ipv6 ? XVHOST_GSO_TCPV6 : XVHOST_GSO_TCPV4;
	packet->header_bytes = (uint16_t)(packet->checksum_start + tcp_bytes);
	packet->gso_bytes = header->gso_size;
	return (offload & (ipv6 ? TUN_F_TSO6 : TUN_F_TSO4)) && is_plain(packet) ? FRAMES_WHOLE : FRAMES_CUT;
}

enum frames_fit frames_header_read(const struct virtio_net_hdr *header, unsigned int offload,
				   struct xvhost_packet *packet)
{
	packet->flags = 0;
	packet->gso = XVHOST_GSO_NONE;
	if (header->flags & VIRTIO_NET_HDR_F_DATA_VALID)
		packet->flags |= XVHOST_PACKET_CHECKSUM_GOOD;
	if (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if ((uint32_t)header->csum_start + header->csum_offset + 2 > packet->length)
			return FRAMES_NONE;
		packet->flags = XVHOST_PACKET_CHECKSUM_BLANK | XVHOST_PACKET_CHECKSUM_GOOD;
		packet->checksum_start = header->csum_start;
		packet->checksum_offset = header->csum_offset;
	}
	if (header->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		return read_gso(header, offload, packet);
	if ((packet->flags & XVHOST_PACKET_CHECKSUM_BLANK) &&
	    (!(offload & TUN_F_CSUM) || !is_plain(packet)) && !fill_checksum(packet))
		return FRAMES_NONE;
	return FRAMES_WHOLE;
}
