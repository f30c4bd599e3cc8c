/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frontend_disk.h - the rings that a disk's frontend describes in xenstore
 */
#ifndef DAEMON_FRONTEND_DISK_H
#define DAEMON_FRONTEND_DISK_H

#include "daemon/host.h"
#include "worker/messages.h"

/*
 * frontend_disk_read - read a frontend directory's ring nodes. All of them are the guest's words and are
 * checked. Returns 0, or a negative errno with `text` saying which node is wrong and what would be right;
 * that text is printable.
 */
int frontend_disk_read(const struct host *host, const char *directory, struct message_disk_connect *connect,
		       char text[ERROR_TEXT_MAX]);

#endif
