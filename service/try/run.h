/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run.h - one backend, served by a worker, under the load of a simulated guest
 */
#ifndef RUN_H
#define RUN_H

#include "sim/load.h"
#include "try/options.h"
#include "try/subject.h"
#include "worker/messages.h"

/* What came of it. */
struct run_result {
	const struct try_options *options;
	char host_options[TARGET_MAX]; /* what the target has before the backend */
	struct subject subject;
	struct message_disk_opened disk;
	bool interrupted; /* by a signal */
	bool read_back;	  /* all that was written was read again at the end; `read_back_result` counts */
	uint64_t worker_cpu_ns; /* of the worker's threads, and of the kernel's for its io_uring */
	struct load_result load;
	struct load_result read_back_result;
};

/*
 * run_load - all of it, up to the report. Returns TRY_GOOD, TRY_FAILED or TRY_USAGE, the exit status.
 */
int run_load(const struct try_options *options);

/* ---- for the loads of both kinds ---- */

/* run_fail - one line on standard error; returns the exit status. */
int run_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* run_find - the backend that the options name; what stands before its name is for the worker. As subject_find. */
int run_find(const struct try_options *options, char host_options[TARGET_MAX], struct subject *subject,
	     char text[ERROR_TEXT_MAX]);

#endif
