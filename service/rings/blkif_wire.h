/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blkif_wire.h - blkif requests and responses as they lie in the ring (xen/include/public/io/blkif.h)
 *
 * A frontend writes them in its own ABI, which it names in its `protocol` node. A 32-bit guest aligns 64-bit
 * members to 4 bytes; everything else is the same. The ring's entries are as large as the larger of request
 * and response: the request.
 */
#ifndef BLKIF_WIRE_H
#define BLKIF_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/messages.h"

#define BLKIF_DIRECT_SEGMENTS_MAX 11	     /* segments of a direct request */
#define BLKIF_SEGMENTS_MAX DISK_SEGMENTS_MAX /* of an indirect one */
#define BLKIF_SECTOR_BYTES 512u		     /* unit of sector numbers, unless the frontend says otherwise */
#define BLKIF_PAGE_SECTORS 8u		     /* such sectors in a page */
#define BLKIF_ENTRY_MAX 112		     /* bytes of the largest entry */
#define BLKIF_SEGMENT_BYTES 8		     /* of one segment */

/* A segment: sectors first to last of one granted page. */
struct blkif_wire_segment {
	uint32_t gref;
	uint8_t first_sector;
	uint8_t last_sector;
};

/* A request, decoded but not checked: each value is as the guest wrote it. */
struct blkif_wire_request {
	uint8_t operation;
	uint16_t segment_count;
	uint64_t id;
	uint64_t sector;
	struct blkif_wire_segment
		segments[BLKIF_SEGMENTS_MAX]; /* of a direct request min(segment_count, 11) are set */
};

/* blkif_entry_bytes - size of a ring's entries in this ABI. */
uint32_t blkif_entry_bytes(enum blkif_protocol protocol);

/* blkif_decode - read a request from a private copy of its entry. */
void blkif_decode(enum blkif_protocol protocol, const uint8_t entry[BLKIF_ENTRY_MAX],
		  struct blkif_wire_request *request);

/* blkif_is_indirect - is this an indirect request? Its segments then lie in a granted page of their own. */
bool blkif_is_indirect(const uint8_t entry[BLKIF_ENTRY_MAX]);

/*
 * blkif_decode_indirect - read an indirect request from a private copy of its entry: all but the segments. Returns the
 * grant of the first page of segments; BLKIF_SEGMENTS_MAX segments never need another.
 */
uint32_t blkif_decode_indirect(enum blkif_protocol protocol, const uint8_t entry[BLKIF_ENTRY_MAX],
			       struct blkif_wire_request *request);

/*
 * blkif_decode_segments - read segment_count of them, at most BLKIF_SEGMENTS_MAX, from a private copy of their page. They
 * are the same in both ABIs.
 */
void blkif_decode_segments(const uint8_t *page, struct blkif_wire_request *request);

/* A discard request, decoded but not checked. */
struct blkif_wire_discard {
	uint8_t flags;
	uint64_t id;
	uint64_t sector;
	uint64_t sectors;
};

/* blkif_is_discard - is this a discard request? Its entry has a layout of its own. */
bool blkif_is_discard(const uint8_t entry[BLKIF_ENTRY_MAX]);

/* blkif_decode_discard - read a discard request from a private copy of its entry. */
void blkif_decode_discard(enum blkif_protocol protocol, const uint8_t entry[BLKIF_ENTRY_MAX],
			  struct blkif_wire_discard *request);

/* blkif_encode - make a response, all bytes of it, padding too. Returns its size in bytes. */
uint32_t blkif_encode(enum blkif_protocol protocol, uint64_t id, uint8_t operation, int16_t status,
		      uint8_t entry[BLKIF_ENTRY_MAX]);

#endif
