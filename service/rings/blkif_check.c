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
		snprintf(reason, BLKIF_REASON_MAX, "operation is %u, known are 0 to 3, 5 and 6",
			 request->operation);
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

/* check_range - does the disk have these sectors, and are they whole blocks of it? */
static int check_range(uint64_t sector, uint64_t sectors, const struct blkif_limits *limits,
		       char reason[BLKIF_REASON_MAX])
{
	uint64_t disk_units = limits->disk_sectors / limits->unit_sectors;
	uint32_t block_units = limits->block_sectors / limits->unit_sectors;

	if (sector > disk_units || sectors > disk_units - sector) {
		snprintf(reason, BLKIF_REASON_MAX,
			 "sector_number is %" PRIu64 " with %" PRIu64 " sectors, the disk has %" PRIu64,
			 sector, sectors, disk_units);
		return -EINVAL;
	}
	if (sector % block_units != 0 || sectors % block_units != 0) {
		snprintf(reason, BLKIF_REASON_MAX,
			 "sector_number is %" PRIu64 " with %" PRIu64
			 " sectors of %u bytes, both must be multiples of %" PRIu32 ": a block of %" PRIu32
			 " bytes",
			 sector, sectors, BLKIF_SECTOR_BYTES, block_units,
			 limits->block_sectors * BLKIF_SECTOR_BYTES);
		return -EINVAL;
	}
	return 0;
}

int blkif_check_segments(const struct blkif_wire_request *request, const struct blkif_limits *limits,
			 char reason[BLKIF_REASON_MAX])
{
	uint32_t page_units = BLKIF_PAGE_SECTORS / limits->unit_sectors;
	uint64_t sectors = 0;

	for (uint32_t i = 0; i < request->segment_count; i++) {
		const struct blkif_wire_segment *segment = &request->segments[i];

		if (segment->last_sector >= page_units || segment->first_sector > segment->last_sector) {
			snprintf(reason, BLKIF_REASON_MAX,
				 "segment %" PRIu32
				 " has first_sect %u and last_sect %u, a page has sectors 0 to %u in order",
				 i, segment->first_sector, segment->last_sector, page_units - 1);
			return -EINVAL;
		}
		sectors += segment->last_sector - segment->first_sector + 1u;
	}
	/* Without data the sector number means nothing. */
	return sectors > 0 ? check_range(request->sector, sectors, limits, reason) : 0;
}

int blkif_check_discard(const struct blkif_wire_discard *request, const struct blkif_limits *limits,
			char reason[BLKIF_REASON_MAX])
{
	if (!limits->discard) {
		snprintf(reason, BLKIF_REASON_MAX, "operation is %u (discard), which the disk does not offer",
			 BLKIF_OP_DISCARD);
		return -EOPNOTSUPP;
	}
	if (request->flags & ~(limits->discard_secure ? BLKIF_DISCARD_SECURE : 0)) {
		snprintf(reason, BLKIF_REASON_MAX, "flag of a discard is %u, only 0%s offered",
			 request->flags, limits->discard_secure ? " and 1 are" : " is");
		return -EOPNOTSUPP;
	}
	if (limits->read_only) {
		snprintf(reason, BLKIF_REASON_MAX, "operation is %u (discard), the disk is read-only",
			 BLKIF_OP_DISCARD);
		return -EROFS;
	}
	if (request->sectors == 0) {
		snprintf(reason, BLKIF_REASON_MAX, "nr_sectors of a discard is 0, it must be at least 1");
		return -EINVAL;
	}
	return check_range(request->sector, request->sectors, limits, reason);
}
