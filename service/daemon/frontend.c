// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * frontend.c - the ring that a frontend describes in xenstore
 *
 * Theory of operation (blkif.h of Xen, and what blkback makes of it): without `ring-page-order` there is one
 * page in `ring-ref`; with it, even as 0, the pages are in `ring-ref0` and so on, though some frontends say
 * 0 and write `ring-ref`. A frontend without `protocol` is a 32-bit one. Each node is read once.
 */
#include "daemon/frontend.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/nodes.h"
#include "daemon/text.h"

#define EVENT_CHANNEL_MAX                                                                                    \
	((1u << 17) - 1) /* the last port that a domain can have (EVTCHN_FIFO_NR_CHANNELS) */
#define NODE_NAME_MAX 24 /* bytes of a node's name with the final 0 */

/* One call of frontend_read_ring. */
struct reading {
	const struct host *host;
	const char *directory;
	char *text;
};

/* refuse - write the error's text; returns `error`. */
__attribute__((format(printf, 3, 4))) static int refuse(struct reading *reading, int error,
							const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reading->text, ERROR_TEXT_MAX, format, arguments);
	va_end(arguments);
	text_clean(reading->text);
	return error;
}

/* read_number - a node that is a decimal number. -ENOENT without a text if it is not there. */
static int read_number(struct reading *reading, const char *name, uint32_t minimum, uint32_t maximum,
		       uint32_t *value)
{
	char *text = nodes_read(reading->host, reading->directory, name);
	uint64_t number;
	int error = 0;

	if (text == NULL && errno == ENOENT)
		return -ENOENT;
	if (text == NULL)
		return refuse(reading, -errno, "frontend node %s can't be read: %s", name, strerror(errno));
	if (text_number(text, minimum, maximum, &number))
		*value = (uint32_t)number;
	else
		error = refuse(reading, -EINVAL,
			       "frontend node %s is \"%.40s\"; it must be a decimal number from %" PRIu32
			       " to %" PRIu32,
			       name, text, minimum, maximum);
	free(text);
	return error;
}

/* read_needed - as read_number, of a node that must be there. */
static int read_needed(struct reading *reading, const char *name, uint32_t minimum, uint32_t maximum,
		       uint32_t *value)
{
	int error = read_number(reading, name, minimum, maximum, value);

	if (error == -ENOENT)
		return refuse(reading, error,
			      "frontend node %s is missing; it must be a decimal number from %" PRIu32
			      " to %" PRIu32,
			      name, minimum, maximum);
	return error;
}

/* read_protocol - which ABI the guest's requests have. */
static int read_protocol(struct reading *reading, enum blkif_protocol *protocol)
{
	char *text = nodes_read(reading->host, reading->directory, "protocol");
	int error = 0;

	*protocol = BLKIF_X86_32;
	if (text == NULL && errno == ENOENT)
		return 0;
	if (text == NULL)
		return refuse(reading, -errno, "frontend node protocol can't be read: %s", strerror(errno));
	if (strcmp(text, "x86_64-abi") == 0)
		*protocol = BLKIF_X86_64;
	else if (strcmp(text, "x86_32-abi") != 0)
		error = refuse(reading, -EINVAL,
			       "frontend node protocol is \"%.40s\"; it must be x86_64-abi or x86_32-abi",
			       text);
	free(text);
	return error;
}

/* read_pages - the references of all pages of a ring of 2^order pages, in ring-ref0 and so on. */
static int read_pages(struct reading *reading, uint32_t order, struct message_disk_connect *connect)
{
	char name[NODE_NAME_MAX];
	int error = 0;

	connect->ring_pages = 1u << order;
	if (order == 0) {
		error = read_number(reading, "ring-ref0", 0, UINT32_MAX, &connect->ring_refs[0]);
		if (error == -ENOENT)
			error = read_needed(reading, "ring-ref", 0, UINT32_MAX, &connect->ring_refs[0]);
		return error;
	}
	for (uint32_t i = 0; i < connect->ring_pages && error == 0; i++) {
		snprintf(name, sizeof(name), "ring-ref%" PRIu32, i);
		error = read_needed(reading, name, 0, UINT32_MAX, &connect->ring_refs[i]);
	}
	return error;
}

/* read_ring - all pages of the ring. */
static int read_ring(struct reading *reading, struct message_disk_connect *connect)
{
	uint32_t order = 0;
	int error = read_number(reading, "ring-page-order", 0, reading->host->config->max_ring_page_order,
				&order);

	if (error == 0)
		return read_pages(reading, order, connect);
	if (error != -ENOENT)
		return error;
	connect->ring_pages = 1;
	return read_needed(reading, "ring-ref", 0, UINT32_MAX, &connect->ring_refs[0]);
}

int frontend_read_ring(const struct host *host, const char *directory, struct message_disk_connect *connect,
		       char text[ERROR_TEXT_MAX])
{
	struct reading reading = {.host = host, .directory = directory, .text = text};
	uint32_t queues;
	int error;

	memset(connect, 0, sizeof(*connect));
	text[0] = '\0';
	/* More than one was not offered, and their rings would be elsewhere. */
	error = read_number(&reading, "multi-queue-num-queues", 1, 1, &queues);
	if (error == 0 || error == -ENOENT)
		error = read_ring(&reading, connect);
	if (error == 0)
		error = read_needed(&reading, "event-channel", 1, EVENT_CHANNEL_MAX, &connect->event_channel);
	if (error == 0)
		error = read_protocol(&reading, &connect->protocol);
	return error;
}
