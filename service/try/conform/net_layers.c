// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net_layers.c - packets that go through wrappers
 */
#include "try/conform/net_layers.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "try/conform/net_call.h"
#include "try/conform/net_check.h"
#include "try/conform/net_host.h"
#include "try/conform/report.h"

/* ---- from the guest ---- */

/* hand - a packet to the backend of this queue. */
static void hand(struct conform_net_packet *packet, struct conform_net_queue *to)
{
	packet->holder = to;
	packet->given.queue = &to->seen;
	conform_arena_packet(&packet->arena)->queue = &to->seen;
}

/* check_forward - may this packet be passed on now? */
static struct conform_net_packet *check_forward(struct conform_net_queue *queue, struct xvhost_packet *seen)
{
	struct conform_net_packet *packet = conform_net_packet_of(seen, "forward()");
	char text[200];

	conform_net_packet_text(packet, text, sizeof(text));
	if (packet->holder != queue)
		conform_broken(CONFORM_HOST_CALLS,
			       "forward() was called for %s with another queue than its own", text);
	if (seen->iov != packet->given.iov || seen->iov_count != packet->given.iov_count ||
	    conform_net_iov_sum(seen->iov, seen->iov_count) != packet->iov_sum)
		conform_broken(CONFORM_MEMORY, "%s: the iovecs were changed before it was forwarded", text);
	if (packet->number <= queue->forwarded)
		conform_broken(CONFORM_ORDER, "%s was forwarded after packet %" PRIu64, text,
			       queue->forwarded);
	queue->forwarded = packet->number;
	return packet;
}

void conform_net_come_back(struct conform_net_packet *packet, int error)
{
	hand(packet, packet->holder->above);
	packet->below_error = error;
	conform_net_call_forwarded(packet->holder, conform_arena_packet(&packet->arena), error);
}

/* fails - is this packet to come back with an error before the card below has seen it? */
static bool fails(struct conform_net_queue *queue)
{
	return queue->loop->fault.error != 0 && conform_net_is_faulty(queue->loop);
}

void conform_net_forward(struct xvhost_net_queue *seen, struct xvhost_packet *const *packets, uint32_t count)
{
	struct conform_net_queue *queue = conform_net_queue_of(seen, "forward()");
	struct xvhost_packet *passing[CONFORM_NET_PACKETS];
	struct conform_net_packet *failing[CONFORM_NET_PACKETS];
	uint32_t passing_count = 0, failing_count = 0;
	int error = queue->told_to_stop ? -ESHUTDOWN : queue->loop->fault.error;

	if (!queue->below)
		conform_broken(CONFORM_HOST_CALLS, "forward() was called, but there is no card below");
	if (count > CONFORM_NET_PACKETS)
		conform_broken(CONFORM_HOST_CALLS,
			       "forward() was called with %u packets, the backend has at most %u", count,
			       CONFORM_NET_PACKETS);
	for (uint32_t i = 0; i < count; i++) {
		struct conform_net_packet *packet = check_forward(queue, packets[i]);

		hand(packet, queue->below);
		if (queue->told_to_stop || fails(queue))
			failing[failing_count++] = packet;
		else
			passing[passing_count++] = packets[i];
	}
	if (passing_count > 0)
		conform_net_call_transmit(queue->below, passing, passing_count);
	for (uint32_t i = 0; i < failing_count; i++)
		conform_net_come_back(failing[i], error);
}

/* ---- for the guest ---- */

bool conform_net_offer(struct conform_net_queue *queue, struct xvhost_packet *packet)
{
	struct conform_net_received *received;

	queue->refused++;
	if (queue->told_to_stop)
		return false;
	if (queue->received_count == NETIF_RECEIVED_MAX) {
		queue->room_due = true;
		return false;
	}
	received = &queue->received[queue->received_count++];
	*received = (struct conform_net_received){.packet = packet, .taken = *packet};
	received->iov_sum = conform_net_iov_sum(packet->iov, packet->iov_count);
	received->content_sum = conform_net_content_sum(packet);
	packet->queue = &queue->above->seen;
	if (conform_net_call_offered(queue->above, packet)) {
		queue->refused--;
		queue->taken++;
		return true;
	}
	if (received->given_back)
		conform_broken(CONFORM_HOST_CALLS,
			       "offered() returned false for a packet that it had given back");
	queue->received_count--;
	packet->queue = &queue->seen;
	return false;
}

/* find - a packet that the host has taken of this queue and that is not given back; NULL: there is none. */
static struct conform_net_received *find(struct conform_net_queue *queue, const struct xvhost_packet *packet)
{
	for (uint32_t i = 0; i < queue->received_count; i++)
		if (queue->received[i].packet == packet && !queue->received[i].given_back)
			return &queue->received[i];
	return NULL;
}

/* caller - the queue for which this function is called, which is a wrapper's. */
static struct conform_net_queue *caller(const char *function)
{
	struct conform_net_loop *loop = conform_my_net_loop;

	if (!loop)
		conform_broken(CONFORM_THREAD, "%s was called on another thread than a loop thread",
			       function);
	if (!loop->called)
		conform_broken(CONFORM_HOST_CALLS,
			       "%s was called outside of any call of the backend, or from "
			       "queue_stop()",
			       function);
	if (!loop->called->below)
		conform_broken(CONFORM_HOST_CALLS, "%s was called, but there is no card below", function);
	return loop->called;
}

void conform_net_give_back(struct xvhost_packet *packet, int error)
{
	struct conform_net_queue *queue = caller("give_back()");
	struct conform_net_received *received = find(queue->below, packet);

	if (!received)
		conform_broken(
			CONFORM_HOST_CALLS,
			"give_back() was called for %p, which is no packet that was offered and is not "
			"given back",
			(void *)packet);
	if (find(queue, packet))
		conform_broken(CONFORM_HOST_CALLS,
			       "give_back() was called for a packet that is not delivered yet");
	if (error > 0 || error < -4095)
		conform_broken(CONFORM_ERRORS,
			       "a packet was given back with %d, it must be 0 or a negative errno", error);
	received->given_back = true;
	received->error = error;
}

void conform_net_more_room(struct xvhost_net_queue *seen)
{
	struct conform_net_queue *queue = conform_net_queue_of(seen, "more_room()");

	if (!queue->below)
		conform_broken(CONFORM_HOST_CALLS, "more_room() was called, but there is no card below");
	queue->below->room_due = true;
}

/* deliver - to one queue, what it gets back; what it offers meanwhile is for the next turn. */
static bool deliver(struct conform_net_queue *queue)
{
	uint32_t end = 0, count;

	while (end < queue->received_count && queue->received[end].given_back)
		end++;
	for (count = 0; count < end; count++) {
		struct conform_net_received received = queue->received[0];

		queue->received_count--;
		memmove(queue->received, queue->received + 1,
			queue->received_count * sizeof(queue->received[0]));
		received.packet->queue = &queue->seen;
		conform_net_check_unchanged(&received);
		conform_net_call_delivered(queue, received.packet, received.error);
	}
	return count > 0;
}

/* tell_room - to one queue, if it is to know. */
static bool tell_room(struct conform_net_queue *queue)
{
	if (!queue->room_due || queue->told_to_stop || queue->received_count == NETIF_RECEIVED_MAX)
		return false;
	queue->room_due = false;
	conform_net_call_room(queue);
	return true;
}

/* check_kept - what a wrapper has taken it has given back or passed on by now. */
static void check_kept(struct conform_net_queue *queue)
{
	for (uint32_t i = 0; i < queue->received_count; i++)
		if (!queue->received[i].given_back && !find(queue->above, queue->received[i].packet))
			conform_broken(
				CONFORM_HOST_CALLS,
				"a packet that was offered is neither given back nor received, and the "
				"loop is about to wait");
}

bool conform_net_deliver_below(struct conform_net_queue *outermost)
{
	bool any = false;

	for (struct conform_net_queue *queue = outermost->below; queue; queue = queue->below) {
		check_kept(queue);
		any |= deliver(queue);
		any |= tell_room(queue);
	}
	return any;
}
