/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * segment.h - large TCP packets are cut into segments, for guests that do not take them
 *
 * The packet may be changed by somebody else meanwhile: its headers are copied once, and each byte of data is. Each segment has the headers with
 * lengths, sequence number, flags and checksums of its own.
 */
#ifndef SEGMENT_H
#define SEGMENT_H

#include "xvhost/backend.h"

#define SEGMENT_HEADERS_MAX 256u /* bytes of a packet's headers */
#define SEGMENT_DATA_MIN 48u /* bytes in each segment but the last: else there may be ten thousands of them */

struct segment {
	uint8_t headers[SEGMENT_HEADERS_MAX];
	uint32_t header_bytes;
	uint32_t network, transport; /* where the headers of IP and TCP are */
	const uint8_t *data;	     /* what is left of it */
	uint32_t left;
	uint32_t done; /* bytes of data */
	uint16_t number;
	uint16_t gso_bytes;
	bool ipv6;
};

/* segment_begin - a packet in one piece, whose gso and header_bytes lie within it. False: it can't be cut. */
bool segment_begin(struct segment *segment, const struct xvhost_packet *packet);

/* segment_next - the next one: fills the only iovec's memory, which has room for XVHOST_NET_BYTES_MAX, and makes the packet fit; no
 * checksum is blank. False: there is none left. */
bool segment_next(struct segment *segment, struct xvhost_packet *packet);

#endif
