/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clock.h - the time that deadlines are measured in
 */
#ifndef DAEMON_CLOCK_H
#define DAEMON_CLOCK_H

#include <stdint.h>

#define CLOCK_NEVER_MS INT64_MAX

/*
 * clock_now_ms - milliseconds since some moment before the start; never goes back. Tests put their own in
 * its place.
 */
int64_t clock_now_ms(void);

#endif
