/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_memory.h - what the loops of one guest share: the way to its frames, and what the guest must be told and asked
 *
 * Theory of operation: foreign memory is opened when the first device wants it. What kind of guest it is follows from its
 * device model: a PV guest has none. A PVH or HVM guest tells of memory that it gives away by this model, and waits
 * for our answer. A thread of its own, the keeper, hears it: it begins a new epoch, rings each loop's bell, and answers
 * when no loop has a chunk of an older epoch mapped. The same thread is the clock of the caches, as long as
 * something is mapped.
 *
 * Locks: `lock` is held for some instructions only, and never by a loop while it serves requests.
 */
#ifndef GUEST_MEMORY_H
#define GUEST_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/memory.h"

#define GUEST_MEMORY_IDLE_MAX_S 255u
#define CHUNKS_OF_MIB(mib) (mib) /* a chunk has 1 MiB */

struct guest_memory_settings {
	uint32_t most_mib;   /* kept mapped at most, by all loops together, whatever comes; at least 1 */
	uint32_t budget_mib; /* at the moment; at least 1 */
	uint32_t idle_s;     /* what was not used for so long is unmapped; 1 to GUEST_MEMORY_IDLE_MAX_S */
};

/* guest_memory_open - nothing of the guest is touched yet. Returns 0 or a negative errno. */
int guest_memory_open(const struct platform *platform, uint16_t domid,
		      const struct guest_memory_settings *settings, struct guest_memory **guest);

/* guest_memory_close - after all that was opened with it is closed. */
void guest_memory_close(struct guest_memory *guest);

/* guest_memory_set - other settings. When the guest's memory is in use, only the budget becomes another. Control thread. */
void guest_memory_set(struct guest_memory *guest, const struct guest_memory_settings *settings);

/* guest_memory_is_pv - such that it has no device model. False if that can't be told. Control thread. */
bool guest_memory_is_pv(const struct guest_memory *guest);

#endif
