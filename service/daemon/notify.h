/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * notify.h - tell the service manager how we are (sd_notify(3))
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

/*
 * notify_send - send one message, such as "READY=1", to the socket that NOTIFY_SOCKET names. Returns 0, also
 * if nobody wants to know, or a negative errno.
 */
int notify_send(const char *message);

#endif
