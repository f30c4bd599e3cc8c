/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon_run.h - an xvhostd over daemon_store.h, with the processes of fake_worker.h, for tests that play all others
 *
 * The test lets it run, and lets time pass. After each test nothing may be left: no process, no watch, no file, and in xenstore only what
 * the toolstack made.
 */
#ifndef DAEMON_RUN_H
#define DAEMON_RUN_H

#include <stdint.h>

#include "daemon/config.h"

#define DAEMON_RUN_WATCHES 2 /* of an xvhostd without devices */

extern struct config daemon_run_config;
extern char daemon_run_lock_path[96], daemon_run_sysfs_path[96];
extern char daemon_run_record_path[96]; /* of what the workers write (FAKE_RECORD); not there before they do */
extern int64_t daemon_run_ahead_ms;	/* xvhostd's clock: turns let it go on, and so does the test */

/* daemon_run_set_up, _tear_down - fixtures: the defaults, an empty store in Dom0; an xvhostd that runs is stopped. */
void daemon_run_set_up(void);
void daemon_run_tear_down(void);

/* daemon_run_start - one that finds what is there. */
void daemon_run_start(void);

/* daemon_run_stop - by SIGTERM; nothing of it is left. */
void daemon_run_stop(void);

/* daemon_run_turn - one turn of its loop; it must not end. */
void daemon_run_turn(int wait_ms);

/* daemon_run_until - until a node has this value; "(none)": is not there. */
void daemon_run_until(const char *path, const char *value);

/* daemon_run_for - for a while, and for some turns, however slow the machine is: xvhostd has done what it can by itself. */
void daemon_run_for(int64_t while_ms);

/* daemon_run_children - how many workers there are; each is sent `signal_number` if that is not 0. */
int daemon_run_children(int signal_number);

/* daemon_run_until_children - until there are that many workers. */
void daemon_run_until_children(int count);

#endif
