/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run_net.h - one net backend, served by a worker, under the load of a simulated guest; or by two, for packets from one guest to another
 */
#ifndef RUN_NET_H
#define RUN_NET_H

#include "sim/net_load.h"
#include "try/options.h"
#include "try/subject.h"

/* What came of it. */
struct run_net_result {
	const struct try_options *options;
	char host_options[TARGET_MAX]; /* what the target has before the backend */
	struct subject subject;
	bool arrives;		/* packets come back, or to the second guest: they were verified */
	bool interrupted;	/* by a signal */
	uint64_t worker_cpu_ns; /* of the worker's threads, and of the kernel's for its io_uring */
	struct net_load_result load;
};

/* run_net_load - all of it, up to the report. Returns TRY_GOOD, TRY_FAILED or TRY_USAGE, the exit status. */
int run_net_load(const struct try_options *options);

/* run_net_good - was nothing wrong? What the backend or the guest drops is not. */
bool run_net_good(const struct run_net_result *result);

#endif
