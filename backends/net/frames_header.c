// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tap_header.c - what stands before each packet on the way from and to the interface (struct virtio_net_hdr)
 */
#include <errno.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <netinet/in.h>

#include "checksum.h"
#include "tap_internal.h"

#define ETHERNET_BYTES 14u /* of its header, without a VLAN's tag */
#define IPV6_BYTES 40u	   /* of its header */
#define TCP_BYTES_MIN 20u  /* of its header */

void tap_header_write(const struct xvhost_packet *packet, struct virtio_net_hdr *header)
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

/* read_gso - false: such packets were not asked for. The header's own length of the headers is but a hint. */
static bool read_gso(const struct virtio_net_hdr *header, unsigned int offload, struct xvhost_packet *packet)
{
	const uint8_t *tcp = (const uint8_t *)packet->iov->iov_base + packet->checksum_start;
	uint32_t tcp_bytes;

	if (header->gso_type == VIRTIO_NET_HDR_GSO_TCPV4 && (offload & TUN_F_TSO4))
		packet->gso = XVHOST_GSO_TCPV4;
	else if (header->gso_type == VIRTIO_NET_HDR_GSO_TCPV6 && (offload & TUN_F_TSO6))
		packet->gso = XVHOST_GSO_TCPV6;
	else
		return false;
	if (!(packet->flags & XVHOST_PACKET_CHECKSUM_BLANK) || header->gso_size == 0 ||
	    packet->checksum_start + TCP_BYTES_MIN > packet->length)
		return false;
	tcp_bytes = (tcp[12] >> 4) * 4u;
	if (tcp_bytes < TCP_BYTES_MIN || packet->checksum_start + tcp_bytes > packet->length)
		return false;
	packet->header_bytes = (uint16_t)(packet->checksum_start + tcp_bytes);
	packet->gso_bytes = header->gso_size;
	return true;
}

bool tap_header_read(const struct virtio_net_hdr *header, unsigned int offload, struct xvhost_packet *packet)
{
	packet->flags = 0;
	packet->gso = XVHOST_GSO_NONE;
	if (header->flags & VIRTIO_NET_HDR_F_DATA_VALID)
		packet->flags |= XVHOST_PACKET_CHECKSUM_GOOD;
	if (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if ((uint32_t)header->csum_start + header->csum_offset + 2 > packet->length)
			return false;
		packet->flags = XVHOST_PACKET_CHECKSUM_BLANK | XVHOST_PACKET_CHECKSUM_GOOD;
		packet->checksum_start = header->csum_start;
		packet->checksum_offset = header->csum_offset;
	}
	if (header->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		return is_plain(packet) && read_gso(header, offload, packet);
	if ((packet->flags & XVHOST_PACKET_CHECKSUM_BLANK) && (!(offload & TUN_F_CSUM) || !is_plain(packet)))
		return fill_checksum(packet);
	return true;
}
