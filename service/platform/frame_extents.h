/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frame_extents.h - frames of a list, as Xen's call that reports them wants them (hvm/dm_op.h, XEN_DMOP_modified_memory)
 */
#ifndef FRAME_EXTENTS_H
#define FRAME_EXTENTS_H

#include <stdint.h>

#include "xvhost/remap.h"

/* frame_extents - frames that follow each other become one extent; there is room for as many as frames. Returns how many. */
static inline uint32_t frame_extents(const uint64_t *frames, uint32_t count,
				     struct xvhost_remap_extent *extents)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (used > 0 && frames[i] == extents[used - 1].first + extents[used - 1].frames)
			extents[used - 1].frames++;
		else
			extents[used++] = (struct xvhost_remap_extent){.frames = 1, .first = frames[i]};
	}
	return used;
}

#endif
