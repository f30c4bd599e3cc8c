/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch.h - a thread that looks after a load while it runs: the progress line, and the user's ^C
 *
 * The line is drawn on standard error if that is a terminal. The first SIGINT or SIGTERM ends the load early, a second
 * one the program.
 */
#ifndef WATCH_H
#define WATCH_H

#include <stdbool.h>

#include "sim/load.h"

struct watch;

/* watch_block_signals - before the first thread is started, so that only the watch sees them. */
void watch_block_signals(void);

/* watch_start - look after a load that has been started. Returns 0 or a negative errno. */
int watch_start(struct load *load, uint64_t time_ms, uint64_t bytes, bool quiet, struct watch **watch);

/* watch_end - the load has ended. Returns true if a signal had it end. */
bool watch_end(struct watch *watch);

#endif
