// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * run.c - one backend, served by a worker, under the load of a simulated guest
 *
 * Theory of operation: the worker is the same code as in xvhost-worker, with its control thread and its loop thread. The
 * guest's load has a thread for each queue. This thread does what xvhostd does for a worker, and then waits.
 */
#include "try/run.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/blkif_frontend.h"
#include "try/report.h"
#include "try/stage.h"
#include "try/watch.h"
#include "worker/target.h"

#define DEVICE 51712u	       /* xvda */
#define GUEST_PAGES_MORE 1024u /* than its rings and requests need */

/* What a run has made so far; NULL where it has not. */
struct run {
	struct stage stage;
	struct blkif_frontend *frontend;
	struct load *load;
	bool connected;
};

static struct worker_thread *worker_of(const struct run *run)
{
	return run->stage.guests[0].worker;
}

int run_fail(int status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "xvhost-try: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	va_end(arguments);
	return status;
}

/* ---- making ---- */

static uint32_t segments(const struct try_options *options)
{
	return (options->block_bytes + PAGE_BYTES - 1) / PAGE_BYTES;
}

/* guest_pages - enough for all rings, and for all requests with their indirect pages. */
static uint32_t guest_pages(const struct try_options *options)
{
	uint32_t request = segments(options) + FRONT_INDIRECT_PAGES;

	return options->queues * ((1u << options->ring_order) + options->depth * request) + GUEST_PAGES_MORE;
}

/* open_disk - and see that the load can be done with it. */
static int open_disk(struct run *run, struct run_result *result)
{
	const struct try_options *options = result->options;
	char target[2 * TARGET_MAX];

	snprintf(target, sizeof(target), "%s%s", result->host_options, result->subject.target);
	if (worker_thread_open(worker_of(run), DEVICE, target, options->read_only, &result->disk) < 0)
		return run_fail(TRY_FAILED, "%s", result->disk.text);
	if (result->disk.read_only && options->read_percent < 100)
		return run_fail(TRY_USAGE, "the disk can't be written, so --rw %s can't be done",
				options->mode);
	return TRY_GOOD;
}

static int connect_guest(struct run *run, const struct run_result *result)
{
	const struct try_options *options = result->options;
	const struct blkif_frontend_options frontend = {
		.guest = run->stage.guests[0].guest,
		.host_domid = SIM_HOST_DOMID,
		.device_id = DEVICE,
		.protocol = BLKIF_X86_64,
		.queues = options->queues,
		.ring_order = options->ring_order,
		.depth = options->depth,
		.segments = segments(options),
		.persistent = true,
	};
	char text[ERROR_TEXT_MAX];
	int error = blkif_frontend_create(&frontend, &run->frontend);

	if (error < 0)
		return run_fail(TRY_FAILED, "can't make the guest's rings: %s", strerror(-error));
	error = worker_thread_connect(worker_of(run), run->frontend, &result->disk, text);
	if (error < 0)
		return run_fail(TRY_FAILED, "the worker can't serve the guest's rings: %s", text);
	run->connected = true;
	return TRY_GOOD;
}

static int make_load(struct run *run, const struct try_options *options)
{
	const struct load_options load = {
		.read_percent = options->read_percent,
		.random = options->random,
		.block_bytes = options->block_bytes,
		.depth = options->depth,
		.span_bytes = options->size_bytes,
		.time_ms = options->time_ms,
		.bytes = options->bytes,
		.flush_every = options->flush_every,
		.verify = options->verify && options->read_percent < 100,
		.seed = options->seed,
	};
	char text[FRONT_ERROR_MAX];
	int error = load_create(run->frontend, &load, &run->load, text);

	if (error < 0)
		return run_fail(TRY_USAGE, "%s", error == -ENOMEM ? "no memory for the load" : text);
	return TRY_GOOD;
}

/* ---- running ---- */

static void stop(void *load)
{
	load_stop(load);
}

static void progress(void *load, struct watch_progress *progress)
{
	struct load_counters counters;

	load_progress(load, &counters);
	progress->done = counters.reads + counters.writes;
	progress->amount = counters.bytes_read + counters.bytes_written;
	for (int i = 0; i < LOAD_ERRORS; i++)
		progress->errors += counters.errors[i];
}

/* execute - the load from its first request to its last answer, and what it cost. */
static int execute(struct run *run, struct run_result *result)
{
	const struct try_options *options = result->options;
	uint64_t before_ns = stage_workers_cpu_ns(&run->stage);
	struct watch *watch;
	int error;

	watch_hold_signals(true);
	error = load_start(run->load);
	if (error < 0)
		return run_fail(TRY_FAILED, "can't start the guest's load: %s", strerror(-error));
	error = watch_start(&(struct watched){.load = run->load,
					      .stop = stop,
					      .progress = progress,
					      .noun = "requests",
					      .time_ms = options->time_ms,
					      .limit = options->bytes},
			    options->quiet, &watch);
	watch_hold_signals(false);
	if (error < 0) {
		load_stop(run->load);
		load_finish(run->load, &result->load);
		return run_fail(TRY_FAILED, "can't look after the load: %s", strerror(-error));
	}
	load_finish(run->load, &result->load);
	result->interrupted = watch_end(watch);
	result->worker_cpu_ns = stage_workers_cpu_ns(&run->stage) - before_ns;
	return TRY_GOOD;
}

/* read_back - all that was written, unless the user is tired of it or the disk does not answer any more. */
static void read_back(struct run *run, struct run_result *result)
{
	if (!result->options->verify || result->load.counters.writes == 0 || result->interrupted ||
	    result->load.error)
		return;
	load_verify(run->load, &result->read_back_result);
	result->read_back = true;
}

static int run_all(struct run *run, struct run_result *result)
{
	int status = stage_make(&run->stage, result->options, 1, guest_pages(result->options));

	if (status == TRY_GOOD)
		status = open_disk(run, result);
	if (status == TRY_GOOD)
		status = connect_guest(run, result);
	if (status == TRY_GOOD)
		status = make_load(run, result->options);
	if (status == TRY_GOOD)
		status = execute(run, result);
	if (status != TRY_GOOD)
		return status;
	read_back(run, result);
	report(result);
	return load_errors(&result->load) + (result->read_back ? load_errors(&result->read_back_result) : 0)
		       ? TRY_FAILED
		       : TRY_GOOD;
}

/* unmake - the reverse. */
static void unmake(struct run *run)
{
	if (run->load)
		load_destroy(run->load);
	if (run->connected)
		worker_thread_disconnect(worker_of(run), DEVICE);
	stage_stop_workers(&run->stage);
	if (run->frontend)
		blkif_frontend_destroy(run->frontend);
	stage_unmake(&run->stage);
}

int run_find(const struct try_options *options, char host_options[TARGET_MAX], struct subject *subject,
	     char text[ERROR_TEXT_MAX])
{
	struct target_options parsed;
	const char *rest;
	int error = target_take_options(options->target, &parsed, &rest, text);

	if (error < 0)
		return error;
	snprintf(host_options, TARGET_MAX, "%.*s", (int)(rest - options->target), options->target);
	return subject_find(options->kind, rest, options->backend_directory, subject, text);
}

int run_load(const struct try_options *options)
{
	struct run_result *result = calloc(1, sizeof(*result));
	struct run run = {0};
	char text[ERROR_TEXT_MAX];
	int status, error;

	if (!result)
		return run_fail(TRY_FAILED, "no memory");
	result->options = options;
	error = run_find(options, result->host_options, &result->subject, text);
	if (error < 0) {
		free(result);
		return run_fail(subject_status(error), "%s", text);
	}
	status = run_all(&run, result);
	/* A backend may give up what takes too long when the disk is disconnected. One that has lost requests can't. */
	if (result->load.error == -ETIMEDOUT || result->read_back_result.error == -ETIMEDOUT) {
		if (worker_thread_disconnect(worker_of(&run), DEVICE) < 0) {
			fflush(stdout);
			_Exit(status);
		}
		run.connected = false;
	}
	unmake(&run);
	free(result);
	return status;
}
