/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frontend_node.h - reading what frontends of any kind write into xenstore
 *
 * All of it is the guest's words and is checked. Errors are a negative errno and a text that can be printed and says which node is wrong
 * and what would be right.
 */
#ifndef DAEMON_FRONTEND_NODE_H
#define DAEMON_FRONTEND_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/host.h"
#include "worker/messages.h"

#define EVENT_CHANNEL_MAX                                                                                    \
	((1u << 17) - 1)    /* the last port that a domain can have (EVTCHN_FIFO_NR_CHANNELS) */
#define QUEUE_PREFIX_MAX 20 /* bytes of a queue's directory with its / and the final 0 */
#define NODE_NAME_MAX 40    /* bytes of a node's name, with that of its queue's directory and the final 0 */

/* Whose nodes, and where the text of an error goes. */
struct frontend_reading {
	const struct host *host;
	const char *directory;
	char *text; /* ERROR_TEXT_MAX bytes */
};

/* frontend_refuse - write the error's text; returns `error`. */
int frontend_refuse(struct frontend_reading *reading, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* frontend_read_number - a node that is a decimal number. -ENOENT without a text if it is not there. */
int frontend_read_number(struct frontend_reading *reading, const char *name, uint32_t minimum,
			 uint32_t maximum, uint32_t *value);

/* frontend_read_needed - as frontend_read_number, of a node that must be there. */
int frontend_read_needed(struct frontend_reading *reading, const char *name, uint32_t minimum,
			 uint32_t maximum, uint32_t *value);

/* frontend_read_queue_node - as frontend_read_needed, of a node of the queue whose directory `prefix` names. */
int frontend_read_queue_node(struct frontend_reading *reading, const char *prefix, const char *name,
			     uint32_t minimum, uint32_t maximum, uint32_t *value);

/* frontend_read_flag - a node that is 0 or 1, or not there, which is false. */
int frontend_read_flag(struct frontend_reading *reading, const char *name, bool *flag);

#endif
