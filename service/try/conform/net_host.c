// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net_host.c - the host's functions for the loop thread of network cards, which look at each call
 */
#include "try/conform/net_host.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "try/conform/net_check.h"
#include "try/conform/net_layers.h"
#include "try/conform/net_traffic.h"
#include "try/conform/net_watch.h"
#include "try/conform/report.h"

#define NS_PER_S 1000000000u

struct conform_net_packet *conform_net_packets[CONFORM_ARENAS_MAX];

_Thread_local struct conform_net_loop *conform_my_net_loop;

static const char *const operation_names[] = {"nothing", "read()", "write()", "wait()"};

bool conform_net_describe(uint32_t arena, char *text, size_t size)
{
	const struct conform_net_packet *packet = conform_net_packets[arena];

	if (!packet) {
		snprintf(text, size, "a packet of a queue that was stopped");
		return false;
	}
	conform_net_packet_text(packet, text, size);
	return packet->live;
}

/* ---- what the backend may call ---- */

struct conform_net_queue *conform_net_queue_of(const struct xvhost_net_queue *seen, const char *function)
{
	struct conform_net_loop *loop = conform_my_net_loop;
	struct conform_net_queue *queue = NULL;

	for (uint32_t i = 0; loop && i < CONFORM_NET_QUEUES_MAX && !queue; i++) {
		queue = loop->queues[i];
		while (queue && &queue->seen != seen)
			queue = queue->below;
	}
	if (!queue)
		conform_broken(CONFORM_THREAD,
			       "%s was called for a queue on another thread than its loop thread, or after "
			       "it stopped",
			       function);
	if (loop->calls.depth == 0)
		conform_broken(CONFORM_HOST_CALLS, "%s was called outside of any call of the backend",
			       function);
	if (loop->called != queue)
		conform_broken(CONFORM_HOST_CALLS, "%s was called for queue %u from %s", function,
			       seen->index, loop->called ? "a call for another queue" : "queue_stop()");
	return queue;
}

/* changed_member - what a backend may not change of a packet, and did; NULL: nothing. */
static const char *changed_member(const struct conform_net_packet *packet)
{
	const struct xvhost_packet *seen = conform_arena_packet(&packet->arena), *given = &packet->given;

	if (seen->queue != given->queue)
		return "packet->queue";
	if (seen->length != given->length)
		return "packet->length";
	if (seen->flags != given->flags)
		return "packet->flags";
	if (seen->index != given->index)
		return "packet->index";
	if (seen->gso != given->gso || seen->gso_bytes != given->gso_bytes)
		return "packet->gso or gso_bytes";
	if (seen->header_bytes != given->header_bytes)
		return "packet->header_bytes";
	if (seen->checksum_start != given->checksum_start || seen->checksum_offset != given->checksum_offset)
		return "packet->checksum_start or checksum_offset";
	if (memcmp(packet->headers, packet->arena.scratch + XVHOST_NET_HEADROOM_BYTES,
		   sizeof(packet->headers)) != 0)
		return "the headers, which may only be read";
	if (memcmp(seen->reserved, given->reserved, sizeof(seen->reserved)) != 0)
		return "packet->reserved";
	return NULL;
}

/* check_idle - nothing is under way for the packet, and nothing of it was changed. */
static void check_idle(const struct conform_net_packet *packet, const char *function, const char *text)
{
	const struct conform_net_operation *operation = &packet->holder->operations[packet->given.index];
	const char *changed = changed_member(packet);

	if (changed)
		conform_broken(CONFORM_MEMORY, "%s: the backend changed %s", text, changed);
	if (operation->type != CONFORM_NET_IDLE)
		conform_broken(CONFORM_HOST_CALLS, "%s was called for %s while its %s was under way",
			       function, text, operation_names[operation->type]);
}

struct conform_net_packet *conform_net_packet_of(const struct xvhost_packet *seen, const char *function)
{
	int arena = conform_arena_of(seen);
	struct conform_net_packet *packet = arena < 0 ? NULL : conform_net_packets[arena];
	char text[200];

	if (!packet)
		conform_broken(CONFORM_HOST_CALLS, "%s was called for %p, which is no packet of the guest's",
			       function, (const void *)seen);
	conform_net_packet_text(packet, text, sizeof(text));
	if (!conform_my_net_loop || packet->queue->loop != conform_my_net_loop)
		conform_broken(CONFORM_THREAD,
			       "%s for %s was called on another thread than the queue's loop thread",
			       function, text);
	if (!packet->live)
		conform_broken(CONFORM_TRANSMITTED, "%s was called again for %s, which was ended", function,
			       text);
	if (packet->holder->above && conform_my_net_loop->called == packet->holder->above)
		conform_broken(CONFORM_HOST_CALLS, "%s was called for %s, which the card below has", function,
			       text);
	conform_net_queue_of(&packet->holder->seen, function);
	check_idle(packet, function, text);
	return packet;
}

/* check_error - with which a packet is ended: 0 only if nothing has failed. */
static void check_error(const struct conform_net_packet *packet, int error)
{
	const struct conform_net_operation *operation = &packet->holder->operations[packet->given.index];
	char text[200];

	conform_net_packet_text(packet, text, sizeof(text));
	if (error > 0 || error < -4095)
		conform_broken(CONFORM_ERRORS, "%s was ended with %d, it must be 0 or a negative errno", text,
			       error);
	if (operation->failed && error == 0)
		conform_broken(CONFORM_ERRORS,
			       "%s was ended with 0, though what was started last for it gave %s", text,
			       conform_error_name(operation->forced_result));
	if (packet->below_error < 0 && error == 0)
		conform_broken(CONFORM_ERRORS, "%s was ended with 0, though it came back from below with %s",
			       text, conform_error_name(packet->below_error));
}

static void host_transmitted(struct xvhost_packet *seen, int error)
{
	struct conform_net_packet *packet = conform_net_packet_of(seen, "transmitted()");

	check_error(packet, error);
	packet->holder->operations[packet->given.index].failed = false;
	if (packet->holder->above) {
		conform_net_come_back(packet, error);
		return;
	}
	packet->live = false;
	packet->queue->live--;
	packet->queue->lost += error < 0;
	conform_arena_access(&packet->arena, CONFORM_CLOSED);
}

static bool host_receive(struct xvhost_net_queue *seen, struct xvhost_packet *packet)
{
	struct conform_net_queue *queue = conform_net_queue_of(seen, "receive()");
	struct conform_net_received *received;

	conform_net_check_received(queue, packet);
	if (queue->above)
		return conform_net_offer(queue, packet);
	if (queue->room == 0 || queue->received_count == NETIF_RECEIVED_MAX) {
		queue->room_wanted = true;
		queue->refused++;
		return false;
	}
	if (queue->room != CONFORM_NET_NO_LIMIT)
		queue->room--;
	received = &queue->received[queue->received_count++];
	*received = (struct conform_net_received){.packet = packet, .taken = *packet};
	received->iov_sum = conform_net_iov_sum(packet->iov, packet->iov_count);
	received->content_sum = conform_net_content_sum(packet);
	queue->taken++;
	if (queue->loop->traffic)
		conform_traffic_came(queue->loop->traffic, queue, packet);
	return true;
}

static void host_dropped(struct xvhost_net_queue *seen, uint32_t count)
{
	conform_net_queue_of(seen, "dropped()")->dropped += count;
}

/* ---- operations ---- */

/* check_number - may an operation of this number be started now? */
static void check_number(const struct conform_net_queue *queue, uint32_t number, const char *function)
{
	uint32_t end = CONFORM_NET_PACKETS + queue->card->properties.operations;
	const struct conform_net_queue *outermost = queue;

	while (outermost->above)
		outermost = outermost->above;
	if (number >= end)
		conform_broken(CONFORM_HOST_CALLS,
			       "%s was called with number %u, those of this queue are 0 to %u", function,
			       number, end - 1);
	if (number < CONFORM_NET_PACKETS &&
	    (!outermost->packets[number].live || outermost->packets[number].holder != queue))
		conform_broken(CONFORM_HOST_CALLS,
			       "%s was called with number %u, which is no packet that is being transmitted",
			       function, number);
	if (queue->operations[number].type != CONFORM_NET_IDLE)
		conform_broken(CONFORM_HOST_CALLS,
			       "%s was called with number %u while the %s of that number was under way",
			       function, number, operation_names[queue->operations[number].type]);
	if (!queue->card->backend->io_done)
		conform_broken(CONFORM_HOST_CALLS, "%s was called, but the backend has no io_done()",
			       function);
	if (queue->told_to_stop && number >= CONFORM_NET_PACKETS)
		conform_broken(CONFORM_QUIESCE, "%s was called with number %u after the queue was to stop",
			       function, number);
}

/* check_transfer - the arguments of a read or write. */
static void check_transfer(const char *function, uint32_t number, int fd, const struct iovec *iov,
			   uint32_t iov_count)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat status;

	if (!iov || iov_count == 0 || iov_count > IOV_MAX)
		conform_broken(CONFORM_HOST_CALLS,
			       "%s was called with number %u and %u iovecs, 1 to %d can be", function, number,
			       iov_count, IOV_MAX);
	if (flags < 0)
		conform_broken(CONFORM_HOST_CALLS,
			       "%s was called with number %u and descriptor %d, which is not open", function,
			       number, fd);
	/* A regular file is written at its end. */
	if (!(flags & O_NONBLOCK) && flags & O_APPEND && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		return;
	if (!(flags & O_NONBLOCK))
		conform_broken(CONFORM_HOST_CALLS,
			       "%s was called with number %u and descriptor %d, which has no O_NONBLOCK",
			       function, number, fd);
}

/* begin - an operation of this number. Returns its place in io_uring, which does nothing until it is prepared otherwise. */
static struct io_uring_sqe *begin(struct conform_net_queue *queue, uint32_t number,
				  enum conform_net_operation_type type)
{
	struct conform_net_operation *operation = &queue->operations[number];
	struct io_uring_sqe *sqe = conform_net_entry(queue->loop);

	operation->queue = queue;
	operation->type = type;
	operation->iov_count = 0;
	operation->forced = operation->failed = false;
	queue->under_way++;
	io_uring_prep_nop(sqe);
	io_uring_sqe_set_data(sqe, operation);
	return sqe;
}

bool conform_net_is_faulty(struct conform_net_loop *loop)
{
	if (loop->fault.at == 0 || ++loop->operations != loop->fault.at)
		return false;
	loop->faults++;
	return true;
}

/* cut - the first half of what iovecs hold. Returns their number. */
static uint32_t cut(struct conform_net_operation *operation, const struct iovec *iov, uint32_t iov_count)
{
	uint32_t count = 0;
	size_t left = 0;

	for (uint32_t i = 0; i < iov_count; i++)
		left += iov[i].iov_len;
	left = left / 2 + 1;
	while (left > 0 && count < CONFORM_NET_CUT_MAX) {
		operation->cut[count] = iov[count];
		if (operation->cut[count].iov_len > left)
			operation->cut[count].iov_len = left;
		left -= operation->cut[count++].iov_len;
	}
	return count;
}

static void transfer(struct xvhost_net_queue *seen, enum conform_net_operation_type type, uint32_t number,
		     int fd, const struct iovec *iov, uint32_t iov_count)
{
	struct conform_net_queue *queue = conform_net_queue_of(seen, operation_names[type]);
	struct conform_net_operation *operation;
	struct io_uring_sqe *sqe;

	check_number(queue, number, operation_names[type]);
	check_transfer(operation_names[type], number, fd, iov, iov_count);
	sqe = begin(queue, number, type);
	operation = &queue->operations[number];
	operation->iov = iov;
	operation->iov_count = iov_count;
	operation->iov_sum = conform_net_iov_sum(iov, iov_count);
	if (conform_net_is_faulty(queue->loop)) {
		if (queue->loop->fault.error != 0 || type == CONFORM_NET_READ) {
			operation->forced = true;
			operation->failed = queue->loop->fault.error != 0;
			operation->forced_result = queue->loop->fault.error;
			return;
		}
		iov_count = cut(operation, iov, iov_count);
		iov = operation->cut;
	}
	if (type == CONFORM_NET_READ)
		io_uring_prep_readv(sqe, fd, iov, iov_count, 0);
	else
		io_uring_prep_writev(sqe, fd, iov, iov_count, 0);
}

static void host_read(struct xvhost_net_queue *queue, uint32_t number, int fd, const struct iovec *iov,
		      uint32_t iov_count)
{
	transfer(queue, CONFORM_NET_READ, number, fd, iov, iov_count);
}

static void host_write(struct xvhost_net_queue *queue, uint32_t number, int fd, const struct iovec *iov,
		       uint32_t iov_count)
{
	transfer(queue, CONFORM_NET_WRITE, number, fd, iov, iov_count);
}

static void host_wait(struct xvhost_net_queue *seen, uint32_t number, uint64_t nanoseconds)
{
	struct conform_net_queue *queue = conform_net_queue_of(seen, "wait()");
	struct conform_net_operation *operation;
	struct io_uring_sqe *sqe;

	check_number(queue, number, "wait()");
	sqe = begin(queue, number, CONFORM_NET_WAIT);
	operation = &queue->operations[number];
	operation->forced = true;
	operation->forced_result = 0;
	if (nanoseconds == 0 || queue->told_to_stop)
		return;
	operation->timeout.tv_sec = (int64_t)(nanoseconds / NS_PER_S);
	operation->timeout.tv_nsec = (long long)(nanoseconds % NS_PER_S);
	io_uring_prep_timeout(sqe, &operation->timeout, 0, 0);
}

const struct xvhost_net_host conform_net_host = {
	.size = sizeof(struct xvhost_net_host),
	.abi = XVHOST_BACKEND_ABI,
	.transmitted = host_transmitted,
	.receive = host_receive,
	.dropped = host_dropped,
	.read = host_read,
	.write = host_write,
	.wait = host_wait,
	.watch = conform_net_watch,
	.log = conform_card_log,
	.fail = conform_card_fail,
	.forward = conform_net_forward,
	.give_back = conform_net_give_back,
	.more_room = conform_net_more_room,
	.link = conform_card_link,
};
