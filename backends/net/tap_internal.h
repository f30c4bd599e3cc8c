/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tap_internal.h - between the files of backend tap
 */
#ifndef TAP_INTERNAL_H
#define TAP_INTERNAL_H

#include "xvhost/backend.h"

/* What the target string gives. */
struct tap_config {
	const char *name;
	const char *bridge;
};

/* One card. */
struct tap {
	int news;	      /* see interface_news.h */
	int index;	      /* of the interface */
	bool removed;	      /* it was, and the log says so */
	bool up;	      /* the operator has not set it down */
	uint32_t attached;    /* queues that are part of the interface */
	uint32_t queue_count; /* that the interface has */
	int fds[];	      /* one for each queue */
};

/* All of this is the control thread's. */

/*
 * tap_interface_make - make the interface that the card is to have, up, without a link, and a descriptor for each queue. Returns
 * 0, or a negative errno after host->fail.
 */
int tap_interface_make(struct xvhost_net *net, const struct tap_config *config, struct tap *tap);

/* tap_interface_attach - the queue is part of the interface, which has a link. `offload` is TUN_F_... Returns 0 or a negative errno. */
int tap_interface_attach(struct xvhost_net *net, struct tap *tap, uint32_t index, unsigned int offload);

/* tap_interface_detach - the queue is no part any more. The last one takes the link with it. */
void tap_interface_detach(struct tap *tap, uint32_t index);

/* tap_interface_look - what has become of it; the host is told of its link. */
void tap_interface_look(struct xvhost_net *net, struct tap *tap);

#endif
