/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net_content.h - packets that say of themselves which they are, and of which each byte is known
 *
 * Theory of operation: a packet follows from the seed, its stream and its number in that: length, protocol, headers, what is
 * asked of the host, and its bytes. So a receiver that knows the two numbers makes the packet once more and compares. The
 * numbers lie in both Ethernet addresses, which have room for them in the smallest packet, or in the last bytes of the packet where
 * the addresses are to be true ones.
 */
#ifndef NET_CONTENT_H
#define NET_CONTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "xvhost/backend.h"

#define NET_CONTENT_MTU_BYTES 1514u	/* a packet of more has GSO */
#define NET_CONTENT_ADDRESSED_BYTES 22u /* the smallest packet with true addresses */
#define NET_CONTENT_ERROR_MAX 192	/* bytes of a text with the final 0 */

struct net_content_options {
	uint64_t seed;
	uint32_t minimum, maximum; /* bytes of a packet; both the same: of each */
	uint32_t takes; /* XVHOST_NET_...: blank checksums and GSO that it may have; without GSO no packet is larger than the MTU */
	bool addressed; /* with these addresses */
	uint8_t source[6], destination[6];
};

/* What a packet is, besides its bytes. */
struct net_content {
	uint32_t length;
	bool blank;		  /* its checksum */
	bool good;		  /* it is said that somebody has looked at the checksum */
	uint8_t ip_version;	  /* 4, 6; 0: neither */
	uint16_t checksum_start;  /* bytes to TCP's or UDP's header; 0: there is none */
	uint16_t checksum_offset; /* from there to the checksum */
	uint16_t gso_bytes;	  /* 0: no GSO; else of its IP version's TCP */
};

/* What a receiver sees of a packet. */
struct net_content_seen {
	const uint8_t *bytes;
	uint32_t length;
	bool blank, good;
	uint8_t gso_version; /* 4, 6; 0: none */
	uint16_t gso_bytes;
	uint32_t takes; /* XVHOST_NET_...: what the receiver takes */
};

/* net_content_make - `bytes` has room for XVHOST_NET_BYTES_MAX. */
void net_content_make(const struct net_content_options *options, uint16_t stream, uint32_t number,
		      struct net_content *content, uint8_t *bytes);

/* net_content_identify - which packet is it? False: none of these. */
bool net_content_identify(const struct net_content_options *options, const uint8_t *bytes, uint32_t length,
			  uint16_t *stream, uint32_t *number);

/*
 * net_content_check - is what was seen the packet of these numbers, as a receiver that takes so much may get it? `bytes` is room
 * as for net_content_make. Returns true; or false, and the text says what is wrong. What came back from a mirror may have its Ethernet
 * addresses exchanged.
 */
bool net_content_check(const struct net_content_options *options, uint16_t stream, uint32_t number,
		       const struct net_content_seen *seen, uint8_t *bytes, char text[NET_CONTENT_ERROR_MAX]);

#endif
