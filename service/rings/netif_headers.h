/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netif_headers.h - where the headers of a packet lie, and its checksums
 *
 * All that is looked at is private memory: the first bytes of a packet, copied once. Only the sum over a packet's data may
 * run over guest memory; a guest that changes the data meanwhile has a wrong checksum.
 */
#ifndef NETIF_HEADERS_H
#define NETIF_HEADERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

/* TCP or UDP over IPv4 or IPv6, in one piece (no IP fragment). */
struct netif_headers {
	bool tcp;		  /* or UDP */
	bool ipv6;		  /* or IPv4 */
	uint16_t network_start;	  /* of the IP header, from the packet's beginning */
	uint16_t transport_start; /* of TCP's or UDP's */
	uint16_t checksum_offset; /* of the checksum, from there */
	uint16_t data_start;	  /* of TCP's or UDP's data */
};

/* What tells the flow of a packet from others: both addresses of IP and, if it has TCP in one piece, both ports. */
struct netif_flow {
	bool tcp;
	bool ipv6;	   /* or IPv4 */
	uint8_t bytes[36]; /* 8 or 32 of the addresses, and with `tcp` 4 of the ports, as they are in the packet */
};

/*
 * netif_headers_find - in a packet of `length` bytes whose first `available` ones are at `bytes`. False if it is no such packet, or
 * its headers are longer than that.
 */
bool netif_headers_find(const uint8_t *bytes, uint32_t available, uint32_t length,
			struct netif_headers *headers);

/* netif_headers_flow - of a packet whose first `available` bytes are at `bytes`. False if it is none of IP. */
bool netif_headers_flow(const uint8_t *bytes, uint32_t available, struct netif_flow *flow);

/* netif_headers_blank - put the sum of the pseudo header into the checksum. */
void netif_headers_blank(uint8_t *bytes, uint32_t length, const struct netif_headers *headers);

/* netif_headers_complete - where the checksum holds the sum of the pseudo header, put the checksum of the whole packet there. The
 * first iovec has all the headers. */
void netif_headers_complete(const struct iovec *iov, uint32_t iov_count, const struct netif_headers *headers);

#endif
