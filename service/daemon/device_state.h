/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device_state.h - what to do next with a device
 */
#ifndef DAEMON_DEVICE_STATE_H
#define DAEMON_DEVICE_STATE_H

#include <stdbool.h>

/* The value of a `state` node (xen/io/xenbus.h), of either end. */
enum xenbus_state {
	XENBUS_ABSENT = 0, /* no such node, or its value is 0 */
	XENBUS_INITIALISING = 1,
	XENBUS_INIT_WAIT = 2,
	XENBUS_INITIALISED = 3,
	XENBUS_CONNECTED = 4,
	XENBUS_CLOSING = 5,
	XENBUS_CLOSED = 6,
	XENBUS_RECONFIGURING = 7,
	XENBUS_RECONFIGURED = 8,
	XENBUS_NONSENSE = 9, /* anything else */
};

/* What the worker has of the device, and what it has been asked. */
enum device_phase {
	PHASE_NONE,
	PHASE_OPENING,	  /* asked, not answered */
	PHASE_OPEN,	  /* the frontend does not know yet */
	PHASE_OFFERED,	  /* open, and the frontend was told */
	PHASE_CONNECTING, /* asked, not answered */
	PHASE_CONNECTED,  /* serves the ring; the frontend does not know yet */
	PHASE_PUBLISHED,  /* serves the ring, and the frontend was told */
	PHASE_BROKEN,	  /* still has the ring, but takes nothing more from it */
	PHASE_CHANGING, /* asked for another medium, or settings, not answered; the frontend knows the device */
	PHASE_DISCONNECTING, /* asked, not answered */
	PHASE_CLOSING,	     /* asked, not answered */
};

enum device_failure {
	FAILURE_NONE,
	FAILURE_OPEN,	 /* the device could not be opened: the toolstack is to hear of it */
	FAILURE_RUNTIME, /* it was in use, or about to be: the frontend is to hear of it */
};

/* All that the decision rests on. */
struct device_view {
	enum xenbus_state backend; /* XENBUS_ABSENT: the toolstack has removed the device */
	enum xenbus_state frontend;
	bool online; /* the toolstack wants the device to be there */

	enum device_phase phase;
	enum device_failure failure;
	bool released; /* not ours, or not any more: the worker's part of it is given up, its nodes stay */
	bool may_open; /* not so soon after a failure */
	bool told;     /* the toolstack has seen the failure to open, or has had its time to do so */
	bool resized;  /* with PHASE_PUBLISHED: the frontend was told of another size, or of another link */
	bool changed; /* something is wanted otherwise than the worker was told: the drive's medium, a card's settings */
	bool held; /* the toolstack must have seen state 2, or its script have been there, before state 4 */
	bool may_remove;   /* the directory is ours to remove, and the toolstack had its time to see 6 */
	bool scriptless;   /* the toolstack runs no script for the device, and takes state 2 for success */
	bool reconfigures; /* such a frontend may ask by state 7 for a look at its nodes, and waits for 8 */
};

enum device_action {
	ACTION_NONE,	/* wait until something changes */
	ACTION_OPEN,	/* ask the worker, which is started if there is none */
	ACTION_OFFER,	/* features and state 2 */
	ACTION_REFUSE,	/* state 2 after a failure to open, for the toolstack to go on and find the error */
	ACTION_CONNECT, /* read the ring's nodes and ask the worker */
	ACTION_PUBLISH, /* what the frontend has to know (a disk's size), and state 4 */
	ACTION_RESIZE,	/* the disk's size, and state 4 once more */
	ACTION_CHANGE,	/* tell the worker what is wanted now */
	ACTION_RECONFIGURED,  /* state 8: what the frontend asked for by state 7 is done */
	ACTION_BEGIN_CLOSING, /* state 5 */
	ACTION_DISCONNECT,    /* ask the worker */
	ACTION_END_CLOSING,   /* state 6; a failure is over */
	ACTION_FORGIVE,	      /* a failure is over */
	ACTION_CLOSE,	      /* ask the worker */
	ACTION_REMOVE,	      /* the backend directory */
	ACTION_FORGET,	      /* the device */
};

/* device_next - the one thing to do now. Has no memory: after the action, ask anew. */
enum device_action device_next(const struct device_view *view);

/* device_action_name - for the debug log and the tests. */
const char *device_action_name(enum device_action action);

#endif
