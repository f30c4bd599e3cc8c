// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * frontend_disk.c - the rings that a disk's frontend describes in xenstore
 *
 * Theory of operation (blkif.h of Xen, and what blkback makes of it): without `ring-page-order` there is one
 * page in `ring-ref`; with it, even as 0, the pages are in `ring-ref0` and so on, though some frontends say
 * 0 and write `ring-ref`. With more than one queue, by `multi-queue-num-queues`, each queue has its pages and its
 * event channel in a directory, `queue-0` and so on. A frontend without `protocol` is a 32-bit one. Each node is
 * read once.
 *
 * `feature-persistent` tells that the frontend leaves its grants in place, if it was offered that;
 * `feature-large-sector-size` that it counts in sectors of the size that it is told, and not of 512 bytes.
 *
 * What the configuration says is only offered. A frontend may have taken an earlier offer, of an xvhostd with
 * another configuration, so all that can be served is read.
 */
#include "daemon/frontend_disk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/frontend_node.h"
#include "daemon/nodes.h"

/* read_protocol - which ABI the guest's requests have. */
static int read_protocol(struct frontend_reading *reading, enum blkif_protocol *protocol)
{
	char *text = nodes_read(reading->host, reading->directory, "protocol");
	int error = 0;

	*protocol = BLKIF_X86_32;
	if (text == NULL && errno == ENOENT)
		return 0;
	if (text == NULL)
		return frontend_refuse(reading, -errno, "frontend node protocol can't be read: %s",
				       strerror(errno));
	if (strcmp(text, "x86_64-abi") == 0)
		*protocol = BLKIF_X86_64;
	else if (strcmp(text, "x86_32-abi") != 0)
		error = frontend_refuse(
			reading, -EINVAL,
			"frontend node protocol is \"%.40s\"; it must be x86_64-abi or x86_32-abi", text);
	free(text);
	return error;
}

/* read_pages - the references of all pages of a ring, in ring-ref0 and so on. */
static int read_pages(struct frontend_reading *reading, const char *prefix, uint32_t count, uint32_t *refs)
{
	char name[NODE_NAME_MAX];
	int error = 0;

	if (count == 1) {
		snprintf(name, sizeof(name), "%sring-ref0", prefix);
		error = frontend_read_number(reading, name, 0, UINT32_MAX, refs);
		return error == -ENOENT
			       ? frontend_read_queue_node(reading, prefix, "ring-ref", 0, UINT32_MAX, refs)
			       : error;
	}
	for (uint32_t i = 0; i < count && error == 0; i++) {
		snprintf(name, sizeof(name), "ring-ref%" PRIu32, i);
		error = frontend_read_queue_node(reading, prefix, name, 0, UINT32_MAX, &refs[i]);
	}
	return error;
}

/* read_queue - one queue's ring and event channel. `order_given`: the frontend numbers the pages. */
static int read_queue(struct frontend_reading *reading, const char *prefix, uint32_t pages, bool order_given,
		      struct message_queue *queue)
{
	int error = order_given ? read_pages(reading, prefix, pages, queue->ring_refs)
				: frontend_read_queue_node(reading, prefix, "ring-ref", 0, UINT32_MAX,
							   queue->ring_refs);

	if (error == 0)
		error = frontend_read_queue_node(reading, prefix, "event-channel", 1, EVENT_CHANNEL_MAX,
						 &queue->event_channel);
	return error;
}

/* read_queues - all of them, whose number is known. */
static int read_queues(struct frontend_reading *reading, struct message_disk_connect *connect)
{
	char prefix[QUEUE_PREFIX_MAX] = "";
	uint32_t order = 0;
	int error = frontend_read_number(reading, "ring-page-order", 0, RING_ORDER_MAX, &order);
	bool order_given = error == 0;

	if (error < 0 && error != -ENOENT)
		return error;
	error = 0;
	connect->ring_pages = 1u << order;
	for (uint32_t i = 0; i < connect->queue_count && error == 0; i++) {
		if (connect->queue_count > 1)
			snprintf(prefix, sizeof(prefix), "queue-%" PRIu32 "/", i);
		error = read_queue(reading, prefix, connect->ring_pages, order_given, &connect->queues[i]);
	}
	return error;
}

int frontend_disk_read(const struct host *host, const char *directory, struct message_disk_connect *connect,
		       char text[ERROR_TEXT_MAX])
{
	struct frontend_reading reading = {.host = host, .directory = directory, .text = text};
	int error;

	memset(connect, 0, sizeof(*connect));
	text[0] = '\0';
	connect->queue_count = 1;
	error = frontend_read_number(&reading, "multi-queue-num-queues", 1, DISK_QUEUES_MAX,
				     &connect->queue_count);
	if (error == 0 || error == -ENOENT)
		error = read_queues(&reading, connect);
	if (error == 0)
		error = read_protocol(&reading, &connect->protocol);
	if (error == 0)
		error = frontend_read_flag(&reading, "feature-persistent", &connect->persistent);
	if (error == 0)
		error = frontend_read_flag(&reading, "feature-large-sector-size", &connect->large_sectors);
	return error;
}
