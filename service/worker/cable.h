/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cable.h - joins two net backends, without a guest: what one of them has received is what the other one transmits
 *
 * So a switch of guests gets an uplink: one end is a port of the switch by the same backend as a guest's card, the other end an
 * interface of the host. Neither backend knows that there is no guest.
 */
#ifndef CABLE_H
#define CABLE_H

#include <stdint.h>

#define CABLE_ENDS 2

struct cable_options {
	const char *name;      /* for messages, such as "uplink of switch lan" */
	const char *interface; /* what an interface of the host for it is to be called */
	const char *targets[CABLE_ENDS];
	uint16_t domid; /* this domain's own */
	int socket;	/* to xvhostd, messages.h: only STOP, or its end, comes there. cable_run closes it */
	const char *backend_directory; /* of loadable backends; NULL: built-in ones only */
};

/*
 * cable_run - carry packets until told to stop, or until the socket's other end closes. Returns 0 after a clean end, or a negative
 * errno; then the log says why.
 */
int cable_run(const struct cable_options *options);

#endif
