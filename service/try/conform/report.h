/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * report.h - what the process that looks at a promise says of itself
 *
 * It lies in memory that is shared with the process that started it, so that it is there after a crash.
 */
#ifndef CONFORM_REPORT_H
#define CONFORM_REPORT_H

#include <stdatomic.h>
#include <stdint.h>
#include <stdnoreturn.h>

/* The promises, in the order in which they are looked at (list.c). Those of disks and those of network cards have most in common. */
enum conform_promise_number {
	CONFORM_LOAD = 0,
	CONFORM_TABLE,
	CONFORM_OPEN,
	CONFORM_PROPERTIES,
	CONFORM_COMPLETE,
	CONFORM_DATA,
	CONFORM_TRANSMITTED,
	CONFORM_LAST_BASIC = CONFORM_TRANSMITTED, /* without these the others can't be looked at */
	CONFORM_THREAD,
	CONFORM_HOST_CALLS,
	CONFORM_MEMORY,
	CONFORM_READ_FILLS,
	CONFORM_EDGES,
	CONFORM_IOVECS,
	CONFORM_PARALLEL,
	CONFORM_PACKETS,
	CONFORM_RECEIVE,
	CONFORM_UNCHANGED,
	CONFORM_ORDER,
	CONFORM_ROOM,
	CONFORM_KEEPS,
	CONFORM_FLUSH,
	CONFORM_DISCARD,
	CONFORM_READ_ONLY,
	CONFORM_ERRORS,
	CONFORM_SHORT,
	CONFORM_QUIESCE,
	CONFORM_QUEUES,
	CONFORM_LOOPS,
	CONFORM_NO_BLOCKING,
	CONFORM_FRESH,
	CONFORM_NO_LEAK,
	CONFORM_OPEN_FAILS,
	CONFORM_PARAMETERS,
	CONFORM_PROMISES
};

enum conform_verdict {
	CONFORM_NO_VERDICT = 0, /* the process ended before it came to one */
	CONFORM_KEPT,
	CONFORM_BROKEN,
	CONFORM_SKIPPED,
	CONFORM_NO_SUBJECT /* there is nothing to look at */
};

struct conform_report {
	atomic_int verdict; /* enum conform_verdict */
	uint32_t broken;    /* the promise that was broken; it need not be the one that was looked at */
	char text[1024];    /* what was seen; why skipped; what to know about a promise that is kept */
	char doing[256];    /* what the backend was asked last, and has not returned from */
	char log[256];	    /* the last line that the backend wrote to the log */
	_Atomic uint64_t progress; /* counts whatever goes on, for a process that hangs */
};

/* The report of this process. */
extern struct conform_report *conform_report;

/* conform_broken - a promise is broken; says what was seen and ends the process. Any thread; the first one counts. */
noreturn void conform_broken(enum conform_promise_number promise, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* conform_no_subject - the target names no backend; ends the process. */
noreturn void conform_no_subject(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* conform_skip - the promise can't be looked at, and why; ends the process. */
noreturn void conform_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* conform_kept - nothing wrong was seen; ends the process. What conform_note said is printed beside it. */
noreturn void conform_kept(void);
void conform_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* conform_doing - what is being asked of the backend. NULL: nothing. */
void conform_doing(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* conform_error_name - for texts: "-EIO", or the number where there is no name. The text lasts until the next call. */
const char *conform_error_name(int error);

#endif
