/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stage.h - where a backend is tried: a simulated machine, its guests, and a worker for each of them
 */
#ifndef STAGE_H
#define STAGE_H

#include "sim/sim.h"
#include "sim/worker_thread.h"
#include "try/options.h"
#include "try/threads.h"

#define STAGE_GUESTS_MAX 2u

struct stage_guest {
	struct sim_guest *guest;
	struct worker_thread *worker;
};

/* What was made so far is not NULL. */
struct stage {
	struct sim_machine *machine;
	struct stage_guest guests[STAGE_GUESTS_MAX];
	struct threads not_workers; /* the threads that there were before the workers' */
};

/*
 * stage_make - so many guests, each with so many pages of memory. Returns TRY_GOOD; or TRY_FAILED, after standard error has said why, and
 * then stage_unmake takes what there is.
 */
int stage_make(struct stage *stage, const struct try_options *options, uint32_t guests, uint32_t pages);

/* stage_workers_cpu_ns - processor time of the workers so far, and of the kernel's threads for their io_urings. No other thread was
 * started since. */
uint64_t stage_workers_cpu_ns(const struct stage *stage);

/* stage_stop_workers - then nobody serves the guests any more. stage_unmake - after that, the rest. */
void stage_stop_workers(struct stage *stage);
void stage_unmake(struct stage *stage);

#endif
