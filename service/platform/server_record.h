/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server_record.h - files that tell of ioreq servers
 *
 * A process that has made a server has its file locked. A file that is not locked is of a process that was killed.
 * Any number of processes make, open and remove them at the same time.
 */
#ifndef SERVER_RECORD_H
#define SERVER_RECORD_H

#include <stdint.h>

/* server_record_make - of a new server. Returns the file, locked, or a negative errno. */
int server_record_make(const char *folder, uint16_t domid, unsigned server);

/* server_record_open - the same of one that a dead process has left. -EBUSY while it lives, -ENOENT if there is none. */
int server_record_open(const char *folder, uint16_t domid, unsigned server);

/* server_record_remove - and close it. */
void server_record_remove(const char *folder, uint16_t domid, unsigned server, int record);

#endif
