// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net_packets.c - promises about packets, in both directions
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "try/conform/net_context.h"
#include "try/conform/net_promises.h"

#define LOAD_PACKETS 300
#define AFTERWARDS_MS 30 /* how long what is done too late, or comes back, is waited for */
#define OPERATIONS_MAX 6 /* the first ones are made to fail, one in each run */
#define MTU_BYTES 1514u

/* What a promise about one queue needs. */
struct trial {
	struct conform_card card;
	struct conform_net_queue queue;
	struct conform_traffic traffic;
};

static struct trial trial;

static void begin(struct conform_context *context, uint32_t guest_takes)
{
	conform_net_begin(context, &trial.card, &trial.queue, &trial.traffic, guest_takes);
}

static void end(void)
{
	conform_net_end(&trial.card, &trial.queue);
}

/* run - so many packets, and what comes of them. */
static void run(uint32_t packets)
{
	struct conform_net_queue *queues[] = {&trial.queue};

	conform_traffic_run(&trial.traffic, queues, 1, packets);
	conform_net_idle(trial.queue.loop, AFTERWARDS_MS);
}

/* needs_received - skip the promise if nothing was there for the guest. */
static void needs_received(uint64_t count)
{
	if (count == 0)
		conform_skip("nothing came for the guest");
}

/* One by one, then many together. */
void conform_net_transmitted(struct conform_context *context)
{
	begin(context, CONFORM_NET_ALL);
	for (uint32_t i = 0; i < 5; i++) {
		conform_traffic_send(&trial.traffic, &trial.queue, 1);
		conform_net_finish(&trial.queue);
	}
	conform_traffic_send(&trial.traffic, &trial.queue, CONFORM_NET_PACKETS);
	conform_net_finish(&trial.queue);
	run(LOAD_PACKETS);
	end();
}

/* The host looks at its calls by itself; this gives it something to look at. */
void conform_net_calls(struct conform_context *context)
{
	begin(context, CONFORM_NET_ALL);
	for (uint32_t i = 0; i < 3; i++)
		run(LOAD_PACKETS);
	end();
}

/* Few packets, so that none is used again while something may still be going on with its memory. */
void conform_net_memory(struct conform_context *context)
{
	begin(context, CONFORM_NET_ALL);
	trial.traffic.pieces_max = XVHOST_NET_IOVECS_MAX;
	trial.traffic.content.maximum = XVHOST_NET_BYTES_MAX;
	for (uint32_t i = 0; i < 10; i++) {
		conform_traffic_send(&trial.traffic, &trial.queue, CONFORM_NET_PACKETS / 2);
		conform_net_finish(&trial.queue);
		conform_net_idle(trial.queue.loop, AFTERWARDS_MS / 3);
	}
	end();
}

/* of_length - some packets of one length, cut in all ways. */
static void of_length(uint32_t bytes)
{
	trial.traffic.content.minimum = trial.traffic.content.maximum = bytes;
	conform_traffic_send(&trial.traffic, &trial.queue, 4);
	conform_net_finish(&trial.queue);
}

/* Each small length, those at the edges, and large ones where they are taken. */
void conform_net_packets_of_all_kinds(struct conform_context *context)
{
	static const uint32_t edges[] = {MTU_BYTES - 1,
					 MTU_BYTES,
					 MTU_BYTES + 1,
					 4095,
					 4096,
					 4097,
					 16384,
					 XVHOST_NET_BYTES_MAX - 1,
					 XVHOST_NET_BYTES_MAX};
	struct conform_net_queue *queues[] = {&trial.queue};

	begin(context, CONFORM_NET_ALL);
	trial.traffic.pieces_max = XVHOST_NET_IOVECS_MAX;
	for (uint32_t bytes = XVHOST_NET_BYTES_MIN; bytes < 150; bytes++)
		of_length(bytes);
	/* Without GSO none is larger than the MTU. */
	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		if (edges[i] <= MTU_BYTES ||
		    (trial.card.properties.flags & (XVHOST_NET_GSO_TCPV4 | XVHOST_NET_GSO_TCPV6)))
			of_length(edges[i]);
	trial.traffic.content.minimum = XVHOST_NET_BYTES_MIN;
	trial.traffic.content.maximum = XVHOST_NET_BYTES_MAX;
	conform_traffic_run(&trial.traffic, queues, 1, 200);
	conform_note("%" PRIu64 " packets, %" PRIu64 " of them lost", trial.queue.given, trial.queue.lost);
	end();
}

/* Guests that take nothing, everything, and each thing alone. The host looks at what there is for them. */
void conform_net_receive(struct conform_context *context)
{
	static const uint32_t takes[] = {0,
					 CONFORM_NET_ALL,
					 XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6,
					 XVHOST_NET_CHECKSUM_IPV4,
					 XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_GSO_TCPV4,
					 XVHOST_NET_CHECKSUM_IPV6 | XVHOST_NET_GSO_TCPV6};
	uint64_t received = 0;

	for (size_t i = 0; i < sizeof(takes) / sizeof(takes[0]); i++) {
		begin(context, takes[i]);
		trial.traffic.content.maximum = 3 * MTU_BYTES;
		run(LOAD_PACKETS);
		received += trial.queue.taken + trial.queue.refused;
		end();
	}
	needs_received(received);
	conform_note("%" PRIu64 " packets came", received);
}

/* What the host has taken is looked at once more when it is given back. */
void conform_net_unchanged(struct conform_context *context)
{
	uint64_t received;

	begin(context, CONFORM_NET_ALL);
	trial.traffic.content.maximum = MTU_BYTES;
	run(2 * LOAD_PACKETS);
	received = trial.queue.taken;
	end();
	needs_received(received);
}

void conform_net_order(struct conform_context *context)
{
	uint64_t came;

	begin(context, CONFORM_NET_ALL);
	trial.traffic.verify = true;
	trial.traffic.content.maximum = MTU_BYTES;
	run(2 * LOAD_PACKETS);
	came = trial.traffic.came_count;
	end();
	if (came == 0)
		conform_skip("none of the packets came back");
	conform_note("%" PRIu64 " of %d packets came back", came, 2 * LOAD_PACKETS);
}

/* Room for few packets, for none, and then for all: what comes then must find its way. */
void conform_net_room(struct conform_context *context)
{
	uint64_t came, came_then, refused;

	begin(context, CONFORM_NET_ALL);
	run(LOAD_PACKETS);
	came = trial.traffic.came_count;
	for (uint32_t i = 0; i < 4; i++) {
		trial.queue.room = i;
		run(LOAD_PACKETS / 4);
	}
	trial.queue.room = CONFORM_NET_NO_LIMIT;
	conform_net_idle(trial.queue.loop, AFTERWARDS_MS);
	refused = trial.queue.refused;
	came_then = trial.traffic.came_count;
	run(LOAD_PACKETS);
	if (came > 0 && trial.traffic.came_count == came_then)
		conform_broken(CONFORM_ROOM,
			       "after the guest had no room and then gave some, nothing came back any more");
	/* And a queue that is stopped when there is none. */
	trial.queue.room = 0;
	run(LOAD_PACKETS / 4);
	end();
	needs_received(refused);
	conform_note("%" PRIu64 " packets found no room", refused);
}

/* try_fault - some packets while one operation fails, then some without that. Returns whether it came about. */
static bool try_fault(struct conform_context *context, uint32_t at, int error)
{
	struct conform_net_loop *loop = &context->net_loop;

	loop->operations = loop->faults = 0;
	loop->fault = (struct conform_net_fault){.at = at, .error = error};
	begin(context, CONFORM_NET_ALL);
	run(40);
	loop->fault.at = 0;
	run(40);
	end();
	return loop->faults > 0;
}

/* Operations that fail or end short, and packets that the guest does not get. Each packet must be ended all the same. */
void conform_net_errors(struct conform_context *context)
{
	static const int errors[] = {-EIO, -EAGAIN, -EBADFD, -ENOBUFS, -ECANCELED, 0};
	uint32_t faults = 0;
	uint64_t undelivered, came;

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		for (uint32_t at = 1; at <= OPERATIONS_MAX; at++)
			faults += try_fault(context, at, errors[i]);
	begin(context, CONFORM_NET_ALL);
	trial.queue.deliver_error = -EFAULT;
	run(LOAD_PACKETS);
	undelivered = trial.queue.taken;
	came = trial.traffic.came_count;
	trial.queue.deliver_error = 0;
	run(LOAD_PACKETS);
	if (came > 0 && trial.traffic.came_count == came)
		conform_broken(CONFORM_ERRORS,
			       "after some packets could not be delivered nothing came back any more");
	end();
	if (faults == 0 && undelivered == 0)
		conform_skip("no operation was started, and nothing came for the guest");
	conform_note("%u operations failed, %" PRIu64 " packets were not delivered", faults, undelivered);
}
