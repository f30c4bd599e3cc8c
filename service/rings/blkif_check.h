/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blkif_check.h - may this request be carried out?
 */
#ifndef BLKIF_CHECK_H
#define BLKIF_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "rings/blkif_wire.h"

#define BLKIF_REASON_MAX 160 /* bytes of a reason with the final 0 */

/* What a request is held against. */
struct blkif_limits {
	uint64_t disk_sectors;	/* of BLKIF_SECTOR_BYTES, as the two that follow */
	uint32_t block_sectors; /* of a block of the disk: what is no multiple can't be carried out */
	uint32_t unit_sectors;	/* of what the request counts in: 1, or block_sectors */
	bool read_only;
	bool discard;	     /* the disk takes it */
	bool discard_secure; /* and leaves nothing behind, if it is asked to */
	bool indirect;	     /* it is an indirect request */
};

/*
 * blkif_check_head - all but the segments. Returns 0; or -EOPNOTSUPP for an operation that is not offered, -EROFS for a
 * write to a read-only disk, -EINVAL for the rest, and `reason` names the field, its value and the limit.
 */
int blkif_check_head(const struct blkif_wire_request *request, const struct blkif_limits *limits,
		     char reason[BLKIF_REASON_MAX]);

/* blkif_check_discard - the whole of a discard request; returns as blkif_check_head. */
int blkif_check_discard(const struct blkif_wire_discard *request, const struct blkif_limits *limits,
			char reason[BLKIF_REASON_MAX]);

/* blkif_check_segments - the rest, after blkif_check_head. Returns 0 or -EINVAL and a reason. */
int blkif_check_segments(const struct blkif_wire_request *request, const struct blkif_limits *limits,
			 char reason[BLKIF_REASON_MAX]);

#endif
