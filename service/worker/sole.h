/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sole.h - one worker at a time serves a guest
 *
 * Two of them on one ring would both answer its requests. xvhostd starts a second one only when it knows of no first, but an
 * xvhostd that was killed has left its workers to end by themselves. And a worker that was killed has taken requests that nobody
 * else can know of: its responses have overwritten others in the ring. So a worker has a file, locked while it lives and removed
 * when it has ended in good order.
 */
#ifndef SOLE_H
#define SOLE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * sole_take - wait until no other worker of this guest lives. Returns the file, or a negative errno. `killed`: the one before
 * did not end in good order.
 */
int sole_take(const char *folder, uint16_t domid, bool *killed);

/* sole_release - remove and close it: all that was taken is answered. */
void sole_release(const char *folder, uint16_t domid, int file);

#endif
