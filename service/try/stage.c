// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stage.c - where a backend is tried: a simulated machine, its guests, and a worker for each of them
 */
#include "try/stage.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "try/run.h"
#include "try/watch.h"

#define FIRST_DOMID 1

/* make_guest - and the worker that serves it. */
static int make_guest(struct stage *stage, const struct try_options *options, uint16_t domid, uint32_t pages,
		      struct stage_guest *made)
{
	const struct sim_guest_options guest = {.domid = domid, .pages = pages};
	int error = sim_guest_create(stage->machine, &guest, &made->guest);

	if (error < 0)
		return run_fail(TRY_FAILED, "can't make a guest with %u pages of memory: %s", pages,
				strerror(-error));
	watch_hold_signals(true);
	error = worker_thread_start(sim_platform(stage->machine), domid, options->backend_directory,
				    &made->worker);
	watch_hold_signals(false);
	if (error < 0)
		return run_fail(TRY_FAILED, "can't start a worker: %s", strerror(-error));
	return TRY_GOOD;
}

int stage_make(struct stage *stage, const struct try_options *options, uint32_t guests, uint32_t pages)
{
	int status = TRY_GOOD;

	assert(guests <= STAGE_GUESTS_MAX);
	stage->machine = sim_machine_create(options->seed);
	if (!stage->machine)
		return run_fail(TRY_FAILED, "can't make a simulated machine: %s", strerror(errno));
	threads_note(&stage->not_workers);
	for (uint32_t i = 0; i < guests && status == TRY_GOOD; i++)
		status = make_guest(stage, options, (uint16_t)(FIRST_DOMID + i), pages, &stage->guests[i]);
	return status;
}

uint64_t stage_workers_cpu_ns(const struct stage *stage)
{
	return threads_others_cpu_ns(&stage->not_workers);
}

void stage_stop_workers(struct stage *stage)
{
	for (uint32_t i = 0; i < STAGE_GUESTS_MAX; i++) {
		if (stage->guests[i].worker)
			worker_thread_stop(stage->guests[i].worker);
		stage->guests[i].worker = NULL;
	}
}

void stage_unmake(struct stage *stage)
{
	for (uint32_t i = 0; i < STAGE_GUESTS_MAX; i++)
		if (stage->guests[i].guest)
			sim_guest_destroy(stage->guests[i].guest);
	if (stage->machine)
		sim_machine_destroy(stage->machine);
}
