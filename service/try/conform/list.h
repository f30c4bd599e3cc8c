/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * list.h - the promises of disk backends, and those of net backends
 */
#ifndef CONFORM_LIST_H
#define CONFORM_LIST_H

#include "try/conform/conform.h"
#include "try/conform/report.h"

struct conform_context;

struct conform_entry {
	struct conform_promise promise;
	void (*check)(struct conform_context *context);
	void (*check_after)(struct conform_context *context); /* in a second process; may be NULL */
};

/* conform_entry - NULL: backends of this kind make no such promise. */
const struct conform_entry *conform_entry(enum backend_kind kind, enum conform_promise_number number);

#endif
