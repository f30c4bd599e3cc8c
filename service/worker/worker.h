/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker.h - everything that serves one guest, behind one socket
 */
#ifndef WORKER_H
#define WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/platform.h"

struct worker_options {
	const struct platform *platform;
	uint16_t domid;
	int socket;		       /* SOCK_SEQPACKET, messages.h; the worker closes it */
	const char *backend_directory; /* of loadable backends; NULL: built-in ones only */
	bool wait_by_poll;	       /* see loop_create */
	bool killed_before; /* a worker of this guest has ended without answering what it had taken */
};

/*
 * worker_run - serve one guest until told to stop, or until the socket's other end closes. The calling
 * thread is the control thread meanwhile. Returns 0 after a clean end, or a negative errno; then the log says
 * why.
 */
int worker_run(const struct worker_options *options);

#endif
