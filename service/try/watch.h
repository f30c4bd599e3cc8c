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

#include <stdint.h>

struct watch;

/* What a load has done so far. */
struct watch_progress {
	uint64_t done;	 /* requests or packets */
	uint64_t amount; /* towards the limit */
	uint64_t errors;
};

/* A load that is looked after. */
struct watched {
	void *load;
	void (*stop)(void *load); /* end it soon; from a signal's handler */
	void (*progress)(void *load, struct watch_progress *progress);
	const char *noun;	 /* of what it does: requests */
	uint64_t time_ms, limit; /* when it ends; 0: not by that */
};

/*
 * watch_hold_signals - whether SIGINT and SIGTERM are held back from this thread. A thread that is started meanwhile never
 * gets them, so that no call in it is interrupted.
 */
void watch_hold_signals(bool hold);

/*
 * watch_start - look after a load that has been started. The first SIGINT or SIGTERM ends it, the next one the program;
 * before and afterwards it is the first. Returns 0 or a negative errno.
 */
int watch_start(const struct watched *watched, bool quiet, struct watch **watch);

/* watch_end - the load has ended. Returns true if a signal had it end. */
bool watch_end(struct watch *watch);

#endif
