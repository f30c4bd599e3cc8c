/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest.h - what the disks of a guest have in common: the guest's number, and the loops that serve its queues
 *
 * Each loop has its own event channels, its own way to the guest's memory and its own thread, so loops share
 * nothing. Queue n of a disk is served by loop n, counted round; most guests have disks of one queue, and one loop. All
 * functions belong to the control thread.
 */
#ifndef GUEST_H
#define GUEST_H

#include "log.h"
#include "memory/guest_memory.h"
#include "worker/loop.h"
#include "worker/messages.h"

#define GUEST_LOOPS_MAX CONFIG_LOOPS_PER_GUEST

struct guest_loop {
	struct event_channels *channels;
	struct memory *memory;
	struct loop *loop;
};

struct guest {
	const struct platform *platform;
	uint16_t domid;
	const char *backend_directory;
	bool wait_by_poll;	     /* see loop_create */
	struct guest_memory *memory; /* what the loops share */
	enum memory_access access;   /* of disks whose target does not say */
	struct guest_loop loops[GUEST_LOOPS_MAX];
	uint32_t loop_count; /* that were needed so far */
	struct log_limit limit;
};

/*
 * guest_loop - the loop for queues of this index, made if there is none yet. If it can't be made, another one serves them,
 * too, and the log says so. Returns 0; or, when there is no loop at all, a negative errno and `text` says what can't be had.
 */
int guest_loop(struct guest *guest, uint32_t queue_index, struct guest_loop **loop,
	       char text[ERROR_TEXT_MAX]);

/* guest_open - the guest's memory, with the defaults of this build. Returns 0 or a negative errno. */
int guest_open(struct guest *guest);

/* guest_set_memory - other settings. */
void guest_set_memory(struct guest *guest, const struct message_memory *asked);

/* guest_close - end all loops; they serve no queue any more. */
void guest_close(struct guest *guest);

#endif
