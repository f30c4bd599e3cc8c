/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * context.h - the two threads of a process that looks at a promise, and the disk that is tried
 *
 * A promise runs on the loop thread. Disks are opened and closed by the main thread, which is the control thread.
 */
#ifndef CONFORM_CONTEXT_H
#define CONFORM_CONTEXT_H

#include <sys/resource.h>

#include "try/conform/conform.h"
#include "try/conform/image.h"
#include "try/conform/net_loop.h"
#include "try/subject.h"

struct conform_context {
	const struct conform_options *options;
	enum conform_promise_number promise;
	struct subject subject;
	struct conform_loop loop;
	struct conform_image image;	  /* of the disk that conform_begin() opened */
	struct conform_net_loop net_loop; /* rather than `loop`, for a network card */
};

/* conform_context_run - what the process is for: find the backend and run this on the loop thread. Ends the process. */
noreturn void conform_context_run(const struct conform_options *options, enum conform_promise_number promise,
				  void (*run)(struct conform_context *context));

/* conform_on_control - have the control thread call a function, and wait until it has returned. Loop thread. */
void conform_on_control(void (*function)(void *argument), void *argument);

/* ---- for promises; on the loop thread ---- */

/* conform_open_target - open a disk by any target, on the control thread. Returns what conform_disk_open does. */
int conform_open_target(struct conform_context *context, struct conform_disk *disk, const char *target,
			uint32_t flags);

/* An open of a target that may be wrong. */
struct conform_attempt {
	rlim_t descriptors_max;		 /* while it is opened; 0: as many as there are */
	int error;			 /* what open() returned */
	char why[ERROR_TEXT_MAX];	 /* what it said */
	char impossible[ERROR_TEXT_MAX]; /* without an error: what can't be served of what it says; "": nothing */
};

/* conform_attempt - open a disk or a card, and close it again if it was opened. */
void conform_attempt(struct conform_context *context, const char *target, struct conform_attempt *attempt);

/* conform_open - open a disk of the target that is tried, which must succeed and be possible. */
void conform_open(struct conform_context *context, struct conform_disk *disk, uint32_t flags);

void conform_close(struct conform_disk *disk);

/* conform_check_measure - measure(), if the backend has it, must say what the properties say. */
void conform_check_measure(struct conform_disk *disk);

/* conform_begin - open a disk, start one queue, and set up the context's image. */
void conform_begin(struct conform_context *context, struct conform_disk *disk, struct conform_queue *queue);

/* conform_end - stop the queue and close the disk. */
void conform_end(struct conform_disk *disk, struct conform_queue *queue);

/* conform_is_read_only - the disk can't be written, whatever it was opened for. */
bool conform_is_read_only(const struct conform_disk *disk);

/* conform_needs_data - skip the promise unless the disk can be written and keeps at least this much. */
void conform_needs_data(const struct conform_context *context, const struct conform_disk *disk,
			enum conform_data least);

#endif
