/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * one_queue.h - one queue over a simulated guest, without a loop: the test takes the turns
 */
#ifndef ONE_QUEUE_H
#define ONE_QUEUE_H

#include "small_guest.h"
#include "rings/blkif.h"

#define ONE_QUEUE_DISK_BYTES (1000 * 512)

extern struct blkif_turn turn;
extern struct blkif_queue *queue;
extern struct front_ring frontend;

/* one_queue_start - a ring, served by these backends (the outermost first), which are not opened. */
void one_queue_start(enum blkif_protocol protocol, uint32_t ring_pages, uint32_t disk_flags,
		     const struct xvhost_disk_backend *const *backends, uint32_t count);

/* one_queue_stop - nothing but the ring may be mapped any more. */
void one_queue_stop(void);

/* one_turn - as the loop does it; says whether the frontend would be notified. */
bool one_turn(void);

/* expect_answer - the next response. */
void expect_answer(uint64_t id, uint8_t operation, int16_t status);

#endif
