/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conform.h - does a backend keep the promises of backend.h?
 *
 * Theory of operation: each promise is a small program that uses the backend as the worker would, but with a host
 * (struct xvhost_host, struct xvhost_net_host) that looks at every call. It runs in a process of its own, so that a backend that crashes
 * or hangs has broken one promise, and the next is looked at all the same. In that process the main thread is the
 * control thread, and another one is the loop thread. The first thing that is seen to be wrong ends it, and is
 * told with its values.
 *
 *	conform.c		the processes, what is printed
 *	list.*			the promises of disk backends, and those of net backends
 *	report.*		what a process says of itself, in memory that outlives it
 *	context.*		the two threads of a process, and the disk that is tried
 *	call.*			calls of a backend, which must not block
 *	memory.*		requests' and packets' memory, which faults when it is touched at the wrong time
 *	target.*		a target string with one parameter changed
 *	usage.*			what a process holds: descriptors, threads, memory
 *	parameters.c		the promises that disks and network cards have in common
 *
 * For disks:
 *
 *	disk.*			opening and closing a disk and those below it
 *	loop.*			queues and requests, and the thread that waits for what they start
 *	host.*, watch.*		the host's functions for the loop thread, and calls of the backend
 *	image.*			what was written where; random requests that are verified
 *	requests.c, data.c, errors.c, life.c
 *				the promises themselves
 *
 * For network cards:
 *
 *	card.*, net_context.*	opening and closing a card and those below it
 *	net_loop.*		queues and packets, and the thread that waits for what they start
 *	net_host.*, net_watch.*	the host's functions for the loop thread
 *	net_layers.*		packets that go through wrappers
 *	net_check.*		what a backend has for the guest
 *	net_call.*		calls of the backend
 *	net_traffic.*		packets of the guest, and those of them that come back
 *	net_packets.c, net_life.c
 *				the promises themselves
 *
 * The disk is written to: what it held before is lost.
 */
#ifndef CONFORM_H
#define CONFORM_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/backend_table.h"

/* What the disk is meant to keep of that which is written. */
enum conform_data {
	CONFORM_DATA_ALWAYS = 0, /* it is there when the disk is opened again */
	CONFORM_DATA_WHILE_OPEN, /* it is gone when the disk is closed: memory */
	CONFORM_DATA_NEVER,	 /* nothing */
};

struct conform_options {
	enum backend_kind kind;
	const char *target;	/* as people write it: NAME:PARAMETERS or FILE.so:PARAMETERS */
	const char *directory;	/* where loadable backends are; NULL: nowhere */
	enum conform_data data; /* what the disk is meant to keep */
	const char *only;	/* the name of the one promise to look at; NULL: all */
	bool json;		/* print one JSON object rather than lines */
};

/* A promise, as it is printed and as docs/backend-guide.md lists it. */
struct conform_promise {
	const char *name;
	const char *text;
};

/* conform_promise - of a kind of backend, by number, counted from 0 in the order in which they are looked at; NULL behind the last. */
const struct conform_promise *conform_promise(enum backend_kind kind, uint32_t number);

/*
 * conform_run - look at the promises and print a line for each. Returns the exit status: 0 when no promise is broken, 1
 * when one is, 2 when the target names no backend.
 */
int conform_run(const struct conform_options *options);

#endif
