/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frontend_net.h - the rings that a network card's frontend describes in xenstore
 */
#ifndef DAEMON_FRONTEND_NET_H
#define DAEMON_FRONTEND_NET_H

#include "daemon/host.h"
#include "worker/messages.h"

/*
 * frontend_net_read - read a frontend directory's nodes. All of them are the guest's words and are checked. What the toolstack says of
 * connect->settings stays as it is. Returns 0, or a negative errno with `text` saying which node is wrong and what would be
 * right; that text is printable.
 */
int frontend_net_read(const struct host *host, const char *directory, struct message_net_connect *connect,
		      char text[ERROR_TEXT_MAX]);

/* frontend_net_read_multicast, _headroom - the same of the nodes that may change while it is connected, into *settings. */
int frontend_net_read_multicast(const struct host *host, const char *directory,
				struct message_net_settings *settings, char text[ERROR_TEXT_MAX]);
int frontend_net_read_headroom(const struct host *host, const char *directory,
			       struct message_net_settings *settings, char text[ERROR_TEXT_MAX]);

#endif
