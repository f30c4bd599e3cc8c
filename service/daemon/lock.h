/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lock.h - only one xvhostd at a time
 */
#ifndef DAEMON_LOCK_H
#define DAEMON_LOCK_H

/*
 * lock_take - make the file and lock it; makes its directory, too. Returns a descriptor, -EWOULDBLOCK if
 * another process has the lock, or another negative errno. The lock ends with the process at the latest.
 */
int lock_take(const char *path);

/* lock_release - give it back and remove the file, and the directory if it is empty. */
void lock_release(const char *path, int fd);

#endif
