/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch.h - looks after a load while it runs: the progress line, and the user's ^C
 *
 * The line is drawn on standard error if that is a terminal. The first SIGINT or SIGTERM ends the load early, a second
 * one the program.
 */
#ifndef WATCH_H
#define WATCH_H

#include <stdbool.h>

#include "sim/load.h"

struct watch;

/*
 * watch_hold_signals - whether SIGINT and SIGTERM are held back from this thread. A thread that is started meanwhile never
 * gets them, so that no call in it is interrupted.
 */
void watch_hold_signals(bool hold);

/*
 * watch_start - look after a load that has been started. The first SIGINT or SIGTERM ends it, the next one the program;
 * before and afterwards it is the first. Returns 0 or a negative errno.
 */
int watch_start(struct load *load, uint64_t time_ms, uint64_t bytes, bool quiet, struct watch **watch);

/* watch_end - the load has ended. Returns true if a signal had it end. */
bool watch_end(struct watch *watch);

#endif
