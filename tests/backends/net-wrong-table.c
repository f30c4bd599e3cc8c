// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net-wrong-table.c - a network card that drops what is sent, with a table that $WRONG_TABLE makes wrong
 *
 * tests/try/conform says what is said of each. What parameters can have wrong wrong-table.c has, too.
 */
#include <stdlib.h>
#include <string.h>

#include "xvhost/backend.h"

struct config {
	const char *label;
	const char *target;
};

static int wrong_open(struct xvhost_net *net, const void *config, struct xvhost_net_properties *properties)
{
	(void)net;
	(void)config;
	(void)properties;
	return 0;
}

static void wrong_close(struct xvhost_net *net)
{
	(void)net;
}

static int wrong_queue_start(struct xvhost_net_queue *queue)
{
	(void)queue;
	return 0;
}

static void wrong_queue_stop(struct xvhost_net_queue *queue)
{
	(void)queue;
}

static void wrong_transmit(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets,
			   uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		queue->net->host->transmitted(packets[i], 0);
}

static void wrong_room(struct xvhost_net_queue *queue)
{
	(void)queue;
}

static void wrong_delivered(struct xvhost_packet *packet, int error)
{
	(void)packet;
	(void)error;
}

static struct xvhost_parameter parameters[] = {
	{.name = "label",
	 .type = XVHOST_STRING,
	 .offset = offsetof(struct config, label),
	 .help = "names nothing yet"},
	{.name = "target",
	 .type = XVHOST_STRING,
	 .offset = offsetof(struct config, target),
	 .help = "names nothing yet"},
};

static struct xvhost_net_backend table = {
	.size = sizeof(table),
	.abi = XVHOST_BACKEND_ABI,
	.name = "net-wrong-table",
	.version = "1.0",
	.description = "a network card whose table is wrong",
	.parameters = parameters,
	.parameter_count = sizeof(parameters) / sizeof(parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct config),
	.open = wrong_open,
	.close = wrong_close,
	.queue_start = wrong_queue_start,
	.queue_stop = wrong_queue_stop,
	.transmit = wrong_transmit,
	.room = wrong_room,
	.delivered = wrong_delivered,
};

/* become_wrapper - of which the table lacks all else that makes one. */
static void become_wrapper(void)
{
	parameters[1].type = XVHOST_TARGET;
	parameters[1].flags = XVHOST_REQUIRED;
}

/* make_wrong - as its name says. */
static void make_wrong(const char *how)
{
	if (strcmp(how, "newer-abi") == 0)
		table.abi = XVHOST_BACKEND_ABI + 1;
	else if (strcmp(how, "small") == 0)
		table.size = 40;
	else if (strcmp(how, "no-queue-start") == 0)
		table.queue_start = NULL;
	else if (strcmp(how, "no-queue-stop") == 0)
		table.queue_stop = NULL;
	else if (strcmp(how, "no-transmit") == 0)
		table.transmit = NULL;
	else if (strcmp(how, "no-room") == 0)
		table.room = NULL;
	else if (strcmp(how, "no-delivered") == 0)
		table.delivered = NULL;
	else if (strcmp(how, "no-forwarded") == 0)
		become_wrapper();
	else if (strcmp(how, "other-target") == 0) {
		become_wrapper();
		parameters[1].name = "card";
	} else if (strcmp(how, "same-place") == 0)
		parameters[1].offset = 0;
	else if (strcmp(how, "no-help") == 0)
		parameters[1].help = "";
	else
		abort();
}

const struct xvhost_net_backend *xvhost_net_backend_entry(void);

XVHOST_EXPORT const struct xvhost_net_backend *xvhost_net_backend_entry(void)
{
	const char *how = getenv("WRONG_TABLE");

	if (how)
		make_wrong(how);
	return &table;
}
