/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host.h - xvhostd and its workers, in threads of this process, over the simulated machine
 *
 * Theory of operation: xvhostd's own code, unchanged, runs in one thread; where it would start a process for a guest it
 * starts a thread that runs the worker's. Two things are different from processes. A worker can't be killed: its
 * socket is closed, upon which it answers what it has taken and ends, if it still can. And a fault in one ends all.
 */
#ifndef SIM_HOST_H
#define SIM_HOST_H

#include "daemon/config.h"
#include "sim/sim.h"

struct sim_host;

/*
 * sim_host_start - returns when xvhostd is ready. `config` is as of xvhost.conf, and must stay until the end; its worker
 * is not used. NULL: the defaults. Returns 0 or -EIO, and the log says why.
 */
int sim_host_start(struct sim_machine *machine, const struct config *config, struct sim_host **host);

/*
 * sim_host_stop - as SIGTERM: the disks of connected guests stay connected in xenstore, and another host can go on with
 * them. Returns 0 when all threads have ended and all is given back, or -EIO if xvhostd had ended before.
 */
int sim_host_stop(struct sim_host *host);

/* sim_host_workers - how many worker threads there are. */
unsigned sim_host_workers(struct sim_host *host);

#endif
