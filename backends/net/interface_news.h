/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * interface_news.h - what becomes of the host's interfaces, for backends tap and packet
 *
 * A socket of rtnetlink can be read when something has happened to any interface of the host, and that is all that is taken from it: what
 * has become of one is asked for then. So news that got lost since there were too many do no harm. Control thread.
 */
#ifndef INTERFACE_NEWS_H
#define INTERFACE_NEWS_H

#include "xvhost/backend.h"

/* An interface as it is now. */
struct interface_state {
	bool exists;
	bool up;   /* the operator would have it so */
	bool runs; /* and it has a link */
};

/*
 * interface_news_open - begin to listen. Returns the descriptor, which does not block, or a negative errno after host->fail, in which
 * `backend` is named.
 */
int interface_news_open(struct xvhost_net *net, const char *backend);

/* interface_news_read - all that there are. */
void interface_news_read(int fd);

/* interface_find - the index of the one of this name; 0: there is none. */
int interface_find(int fd, const char *name);

/* interface_look - at the one of this index, whatever its name is by now. */
struct interface_state interface_look(int fd, int index);

/* interface_check_name - is it what Linux takes for an interface's name, and does not take for a pattern? If not, host->fail says so of `what`. */
bool interface_check_name(struct xvhost_net *net, const char *what, const char *name);

#endif
