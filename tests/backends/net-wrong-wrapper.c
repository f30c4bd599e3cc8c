// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net-wrong-wrapper.c - a wrapper of network cards that does one thing wrong, as its parameter says, for tests of xvhost-try --conform
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xvhost/backend.h"

#define SOMETIMES 16

enum fault {
	FAULT_NONE,
	FAULT_CHANGES_FLAGS,
	FAULT_CHANGES_IOVEC,
	FAULT_CHANGES_OFFERED,
	FAULT_ENDS_BELOW,
	FAULT_FORWARDS_TWICE,
	FAULT_GIVES_BACK_EARLY,
	FAULT_GIVES_BACK_TWICE,
	FAULT_KEEPS_OFFERED,
	FAULT_LOOKS_AFTERWARDS,
	FAULT_NEVER_ENDS,
	FAULT_POSITIVE_ERROR,
	FAULT_REFUSES_GIVEN_BACK,
	FAULT_REORDERS,
	FAULT_SWALLOWS_ERRORS,
	FAULT_TAKES_MORE,
	FAULTS
};

static const char *const fault_names[FAULTS] = {
	[FAULT_NONE] = "none",
	[FAULT_CHANGES_FLAGS] = "changes-flags",
	[FAULT_CHANGES_IOVEC] = "changes-iovec",
	[FAULT_CHANGES_OFFERED] = "changes-offered",
	[FAULT_ENDS_BELOW] = "ends-below",
	[FAULT_FORWARDS_TWICE] = "forwards-twice",
	[FAULT_GIVES_BACK_EARLY] = "gives-back-early",
	[FAULT_GIVES_BACK_TWICE] = "gives-back-twice",
	[FAULT_KEEPS_OFFERED] = "keeps-offered",
	[FAULT_LOOKS_AFTERWARDS] = "looks-afterwards",
	[FAULT_NEVER_ENDS] = "never-ends",
	[FAULT_POSITIVE_ERROR] = "positive-error",
	[FAULT_REFUSES_GIVEN_BACK] = "refuses-given-back",
	[FAULT_REORDERS] = "reorders",
	[FAULT_SWALLOWS_ERRORS] = "swallows-errors",
	[FAULT_TAKES_MORE] = "takes-more",
};

struct config {
	const char *fault;
	const char *below;
};

/* One open card. */
struct wrong {
	enum fault fault;
};

struct wrong_queue {
	uint32_t packets; /* so far, in both directions */
};

static const struct xvhost_parameter parameters[] = {
	{.name = "fault",
	 .type = XVHOST_STRING,
	 .offset = offsetof(struct config, fault),
	 .default_text = "none",
	 .help = "what is done wrong"},
	{.name = "target",
	 .type = XVHOST_TARGET,
	 .flags = XVHOST_REQUIRED,
	 .offset = offsetof(struct config, below),
	 .help = "the target of the card below"},
};

static int wrong_open(struct xvhost_net *net, const void *opaque, struct xvhost_net_properties *properties)
{
	const struct config *config = opaque;
	struct wrong *wrong;
	uint32_t fault = 0;

	while (fault < FAULTS && strcmp(config->fault, fault_names[fault]) != 0)
		fault++;
	if (fault == FAULTS) {
		net->host->fail(net, "parameter fault: there is no '%s'", config->fault);
		return -EINVAL;
	}
	wrong = malloc(sizeof(*wrong));
	if (!wrong) {
		net->host->fail(net, "no memory");
		return -ENOMEM;
	}
	wrong->fault = (enum fault)fault;
	net->state = wrong;
	*properties = *net->inner;
	properties->operations = 0;
	if (wrong->fault == FAULT_TAKES_MORE)
		properties->flags |= XVHOST_NET_GSO_TCPV4;
	return 0;
}

static void wrong_close(struct xvhost_net *net)
{
	free(net->state);
}

static int wrong_queue_start(struct xvhost_net_queue *queue)
{
	queue->state = calloc(1, sizeof(struct wrong_queue));
	return queue->state ? 0 : -ENOMEM;
}

static void wrong_queue_stop(struct xvhost_net_queue *queue)
{
	free(queue->state);
}

static enum fault fault_of(const struct xvhost_net_queue *queue)
{
	const struct wrong *wrong = queue->net->state;

	return wrong->fault;
}

/* is_now - some packets are treated wrongly, if this is the fault. */
static bool is_now(struct xvhost_net_queue *queue, enum fault fault)
{
	struct wrong_queue *mine = queue->state;

	return fault_of(queue) == fault && ++mine->packets % SOMETIMES == 7;
}

/* ---- from the guest ---- */

/* backwards - pass on, the last one first. */
static void backwards(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets, uint32_t count)
{
	for (uint32_t i = count; i > 0; i--)
		queue->net->host->forward(queue, packets + i - 1, 1);
}

static void wrong_transmit(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets,
			   uint32_t count)
{
	const struct xvhost_net_host *host = queue->net->host;
	volatile uint32_t *length = &packets[0]->length;

	if (is_now(queue, FAULT_CHANGES_FLAGS))
		packets[0]->flags ^= XVHOST_PACKET_CHECKSUM_GOOD;
	if (is_now(queue, FAULT_CHANGES_IOVEC))
		packets[0]->iov[0].iov_len--;
	if (is_now(queue, FAULT_NEVER_ENDS)) {
		packets++;
		count--;
	}
	if (fault_of(queue) == FAULT_REORDERS)
		backwards(queue, packets, count);
	else if (count > 0)
		host->forward(queue, packets, count);
	if (is_now(queue, FAULT_FORWARDS_TWICE))
		host->forward(queue, packets, 1);
	if (is_now(queue, FAULT_ENDS_BELOW))
		host->transmitted(packets[0], 0);
	if (fault_of(queue) == FAULT_LOOKS_AFTERWARDS && *length == 1)
		abort();
}

static void wrong_forwarded(struct xvhost_packet *packet, int error)
{
	const struct xvhost_net_host *host = packet->queue->net->host;

	host->transmitted(packet, fault_of(packet->queue) == FAULT_SWALLOWS_ERRORS ? 0 : error);
}

/* ---- for the guest ---- */

static bool wrong_offered(struct xvhost_net_queue *queue, struct xvhost_packet *packet)
{
	const struct xvhost_net_host *host = queue->net->host;

	if (is_now(queue, FAULT_KEEPS_OFFERED))
		return true;
	if (is_now(queue, FAULT_REFUSES_GIVEN_BACK)) {
		host->give_back(packet, 0);
		return false;
	}
	if (!host->receive(queue, packet))
		return false;
	if (is_now(queue, FAULT_GIVES_BACK_EARLY))
		host->give_back(packet, 0);
	return true;
}

static void wrong_delivered(struct xvhost_packet *packet, int error)
{
	struct xvhost_net_queue *queue = packet->queue;
	const struct xvhost_net_host *host = queue->net->host;

	if (is_now(queue, FAULT_CHANGES_OFFERED))
		((char *)packet->iov[0].iov_base)[XVHOST_NET_BYTES_MIN - 1]++;
	if (is_now(queue, FAULT_POSITIVE_ERROR))
		error = EIO;
	host->give_back(packet, error);
	if (is_now(queue, FAULT_GIVES_BACK_TWICE))
		host->give_back(packet, error);
}

static void wrong_room(struct xvhost_net_queue *queue)
{
	if (!(queue->flags & XVHOST_QUEUE_STOPPING))
		queue->net->host->more_room(queue);
}

static const struct xvhost_net_backend wrong_backend = {
	.size = sizeof(wrong_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "net-wrong-wrapper",
	.version = "1",
	.description = "a wrapper of network cards that does something wrong, for tests",
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
	.forwarded = wrong_forwarded,
	.offered = wrong_offered,
};

XVHOST_NET_BACKEND(wrong_backend);
