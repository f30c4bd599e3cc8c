/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blkif_handshake.h - the guest's part of the talk by which a disk is connected, in xenstore
 *
 * Theory of operation: as blkif.h's state diagram has it. The frontend waits until the host is in InitWait, reads the limits
 * of its rings, makes them, describes them in its own directory and goes to Initialised; when the host is Connected
 * it reads what is offered, sets its requests up and is Connected too. The end is Closing, then Closed when the host has
 * let go. Each function does all of one such step and waits for the host, on the calling thread.
 */
#ifndef BLKIF_HANDSHAKE_H
#define BLKIF_HANDSHAKE_H

#include "platform/platform.h"
#include "sim/blkif_frontend.h"

/* What the guest tells in another way than it must. */
struct blkif_handshake_options {
	const struct platform *platform;
	struct xenstore *xenstore; /* with the guest's permissions (sim_xenstore_open); one thread */
	bool num_ring_pages;	   /* the older nodes too: num-ring-pages beside ring-page-order */
	bool ring_ref0;		   /* a ring of one page also by ring-page-order and ring-ref0 */
	bool no_protocol;	   /* BLKIF_X86_32 by no node at all */
	int timeout_ms;		   /* for each state of the host's */
};

/*
 * blkif_handshake_connect - connect the device `options->device_id`, whose nodes the toolstack has made. Returns 0, or a
 * negative errno and the reason: -ETIMEDOUT, -ECONNREFUSED when the host closes instead.
 */
int blkif_handshake_connect(const struct blkif_handshake_options *handshake,
			    const struct blkif_frontend_options *options, struct blkif_frontend **frontend,
			    char text[FRONT_ERROR_MAX]);

/*
 * blkif_handshake_await_size - as a connected frontend learns of another size: the host's state is written once more, and
 * `sectors` is not what it was. Returns 0 and the frontend's features have it, or -ETIMEDOUT.
 */
int blkif_handshake_await_size(const struct blkif_handshake_options *handshake,
			       struct blkif_frontend *frontend, char text[FRONT_ERROR_MAX]);

/*
 * blkif_handshake_close - an orderly end: Closing, the host lets go, the frontend is destroyed, Closed. Returns 0;
 * -EBUSY if the host had grants mapped still; -ETIMEDOUT, and the frontend is destroyed all the same.
 */
int blkif_handshake_close(const struct blkif_handshake_options *handshake, struct blkif_frontend *frontend,
			  char text[FRONT_ERROR_MAX]);

#endif
