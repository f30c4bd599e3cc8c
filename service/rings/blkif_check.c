// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blkif_check.c - may this request be carried out?
 *
 * Everything here works on a private copy of what the guest wrote. After it, each value can be used without a
 * further look: sums do not overflow, segments lie in their page, data lies on the disk.
 */
#include "rings/blkif_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <xen/io/blkif.h>

int blkif_check_head(const struct blkif_wire_request *request, const struct blkif_limits *limits,
		     char reason[BLKIF_REASON_MAX])
{
	uint32_t least = 1, most = limits->indirect ? BLKIF_SEGMENTS_MAX : BLKIF_DIRECT_SEGMENTS_MAX;

	if (limits->indirect && request->operation != BLKIF_OP_READ && request->operation != BLKIF_OP_WRITE) {
		snprintf(reason, BLKIF_REASON_MAX, "indirect_op is %u, it can be 0 or 1", request->operation);
		return -EOPNOTSUPP;
	}

	switch (request->operation) {
	case BLKIF_OP_READ:
	case BLKIF_OP_WRITE:
		break;
	case BLKIF_OP_WRITE_BARRIER:
	case BLKIF_OP_FLUSH_DISKCACHE:
		least = 0;
		break;
	default:
		snprintf(reason, BLKIF_REASON_MAX, "operation is %u, known are 0 to 3", request->operation);
		return -EOPNOTSUPP;
	}
	if (request->segment_count < least || request->segment_count > most) {
		snprintf(reason, BLKIF_REASON_MAX, "nr_segments is %u, %soperation %u takes %u to %u",
			 request->segment_count, limits->indirect ? "indirect " : "", request->operation,
			 least, most);
		return -EINVAL;
	}
	if (limits->read_only && request->operation != BLKIF_OP_READ && request->segment_count > 0) {
		snprintf(reason, BLKIF_REASON_MAX, "operation is %u (a write), the disk is read-only",
			 request->operation);
		return -EROFS;
	}
	return 0;
}

int blkif_check_segments(const struct blkif_wire_request *request, const struct blkif_limits *limits,
			 char reason[BLKIF_REASON_MAX])
{
	uint64_t sectors = 0;

	for (uint32_t i = 0; i < request->segment_count; i++) {
		const struct blkif_wire_segment *segment = &request->segments[i];

		if (segment->last_sector >= BLKIF_PAGE_SECTORS ||
		    segment->first_sector > segment->last_sector) {
			snprintf(reason, BLKIF_REASON_MAX,
				 "segment %" PRIu32
				 " has first_sect %u and last_sect %u, a page has sectors 0 to %u in order",
				 i, segment->first_sector, segment->last_sector, BLKIF_PAGE_SECTORS - 1);
			return -EINVAL;
		}
		sectors += segment->last_sector - segment->first_sector + 1u;
	}
	/* Without data the sector number means nothing. */
	if (sectors > 0 &&
	    (request->sector > limits->disk_sectors || sectors > limits->disk_sectors - request->sector)) {
		snprintf(reason, BLKIF_REASON_MAX,
			 "sector_number is %" PRIu64 " with %" PRIu64 " sectors, the disk has %" PRIu64,
			 request->sector, sectors, limits->disk_sectors);
		return -EINVAL;
	}
	return 0;
}
