/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * checksum.h - the checksum of TCP and UDP, for packets that nobody else gives theirs
 */
#ifndef CHECKSUM_H
#define CHECKSUM_H

#include <stdint.h>

#include "xvhost/backend.h"

/*
 * fill_checksum - put the checksum into a packet that lies in one piece and of which it is blank: where it goes is the sum of the
 * pseudo header. Returns false if its place is not in the packet.
 */
static inline bool fill_checksum(struct xvhost_packet *packet)
{
	const uint32_t start = packet->checksum_start, at = start + packet->checksum_offset;
	uint8_t *bytes = packet->iov->iov_base;
	uint64_t sum = 0;

	if (at + 2 > packet->length)
		return false;
	for (uint32_t i = start; i + 1 < packet->length; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	if ((packet->length - start) % 2 != 0)
		sum += (uint32_t)bytes[packet->length - 1] << 8;
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	/* UDP knows no sum of 0, for that says that there is none; TCP takes either. */
	sum = sum == 0xffff ? 0xffff : ~sum & 0xffff;
	bytes[at] = (uint8_t)(sum >> 8);
	bytes[at + 1] = (uint8_t)sum;
	packet->flags &= ~XVHOST_PACKET_CHECKSUM_BLANK;
	return true;
}

#endif
