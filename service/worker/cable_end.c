// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cable_end.c - one end of a cable: its backend, and the packets on their way to that
 *
 * Theory of operation: a packet stays where the other end's backend has it, but for its first bytes: those are copied, since a
 * backend may look at them where they are, and they may lie in memory that others write to. It is given back when this end's backend has
 * transmitted it. That is the only difference to a guest: there it is given back before the loop waits.
 *
 * Backends are called from each other's calls only by way of these lists: a packet that is received is transmitted later in the turn, and
 * one that was transmitted is given back later.
 */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rings/net_packet.h"
#include "worker/backends.h"
#include "worker/cable_internal.h"
#include "worker/net.h"
#include "worker/target.h"

static_assert(offsetof(struct cable_end, net) == 0, "cable_end_of");
static_assert((CABLE_PACKETS_MAX & (CABLE_PACKETS_MAX - 1)) == 0, "places of packets, whose numbers wrap");

static bool is_stopping(const struct cable_end *end)
{
	return end->queue.flags & XVHOST_QUEUE_STOPPING;
}

static struct cable_packet *packet_at(struct cable_end *end, uint32_t number)
{
	return &end->packets[number % CABLE_PACKETS_MAX];
}

/* ---- packets ---- */

/* point_to - all of the packet: its first bytes, which are copied to this header, and the rest where it is. */
static int point_to(struct cable_packet *packet, struct cable_header *header)
{
	const struct xvhost_packet *from = packet->from;
	uint32_t left = from->length < sizeof(header->bytes) ? from->length : sizeof(header->bytes);
	uint32_t count = 1;

	packet->iov[0] = (struct iovec){header->bytes, 0};
	for (uint32_t i = 0; i < from->iov_count; i++) {
		uint8_t *piece = from->iov[i].iov_base;
		size_t bytes = from->iov[i].iov_len, copied = bytes < left ? bytes : left;

		memcpy(header->bytes + packet->iov[0].iov_len, piece, copied);
		packet->iov[0].iov_len += copied;
		left -= (uint32_t)copied;
		if (bytes == copied)
			continue;
		if (count == XVHOST_NET_IOVECS_MAX)
			return -EMSGSIZE;
		packet->iov[count++] = (struct iovec){piece + copied, bytes - copied};
	}
	packet->seen.iov = packet->iov;
	packet->seen.iov_count = count;
	return 0;
}

/* host_receive - for the backend of one end: the packet is on its way to the other one. */
static bool host_receive(struct xvhost_net_queue *queue, struct xvhost_packet *from)
{
	struct cable_end *end = cable_end_of(queue)->other;
	uint32_t place = end->next % CABLE_PACKETS_MAX;
	struct cable_packet *packet = &end->packets[place];

	if (is_stopping(end))
		return false;
	if (end->next - end->first == CABLE_PACKETS_MAX) {
		end->refused = true;
		return false;
	}
	packet->from = from;
	packet->ended = false;
	packet->seen = *from;
	packet->seen.queue = &end->queue;
	packet->seen.index = place;
	packet->error = net_packet_check(from, end->properties.flags);
	if (packet->error == 0)
		packet->error = point_to(packet, &end->headers[place]);
	end->next++;
	return true;
}

/* host_transmitted - this end's backend is through with a packet. */
static void host_transmitted(struct xvhost_packet *seen, int error)
{
	struct cable_packet *packet = (struct cable_packet *)seen;

	assert(!packet->ended);
	packet->ended = true;
	packet->error = error;
}

void cable_end_transmit(struct cable_end *end)
{
	struct xvhost_packet *packets[CABLE_PACKETS_MAX];
	uint32_t count = 0;

	for (; end->given != end->next; end->given++) {
		struct cable_packet *packet = packet_at(end, end->given);

		if (packet->error == 0 && is_stopping(end))
			packet->error = -ECANCELED;
		packet->ended = packet->error < 0;
		if (!packet->ended)
			packets[count++] = &packet->seen;
	}
	if (count > 0)
		end->backend->transmit(&end->queue, packets, count);
}

/* has_ended - the packet that is to be given back next. */
static bool has_ended(const struct cable_end *end)
{
	return end->first != end->given && end->packets[end->first % CABLE_PACKETS_MAX].ended;
}

/* has_room - for a packet that it has refused. */
static bool has_room(const struct cable_end *end)
{
	return end->refused && end->next - end->first < CABLE_PACKETS_MAX;
}

void cable_end_give_back(struct cable_end *end)
{
	struct cable_end *other = end->other;

	while (has_ended(end)) {
		struct cable_packet *packet = packet_at(end, end->first++);

		if (packet->error == 0)
			end->packets_sent++;
		else
			end->packets_failed++;
		/* What comes meanwhile may take this place. */
		other->backend->delivered(packet->from, packet->error);
	}
	if (!has_room(end))
		return;
	end->refused = false;
	other->backend->room(&other->queue);
}

bool cable_end_is_due(const struct cable_end *end)
{
	return end->given != end->next || has_ended(end) || has_room(end) || end->watching;
}

static void host_dropped(struct xvhost_net_queue *queue, uint32_t count)
{
	cable_end_of(queue)->other->packets_dropped += count;
}

/* ---- operations ---- */

static uint64_t place_of(const struct cable_end *end, enum completion_type type)
{
	return submissions_tag(type) | (uint64_t)end->index << 16;
}

/* operation_tag - user_data of one that is under way. */
static uint64_t operation_tag(const struct cable_end *end, enum completion_type type, uint32_t number)
{
	return place_of(end, type) | (uint64_t)end->operations[number].generation << 32 | number;
}

/* begin - the operation of this number. A backend with other numbers than it has said has lost count. */
static struct io_uring_sqe *begin(struct cable_end *end, uint32_t number, enum completion_type type)
{
	struct io_uring_sqe *sqe = submissions_entry(end->io);
	struct cable_operation *operation = &end->operations[number];

	assert(number < CABLE_PACKETS_MAX + end->properties.operations && !operation->busy);
	operation->busy = true;
	operation->generation = (operation->generation + 1) & GENERATION_MASK;
	end->operations_busy++;
	io_uring_sqe_set_data64(sqe, operation_tag(end, type, number));
	return sqe;
}

static void host_read(struct xvhost_net_queue *queue, uint32_t number, int fd, const struct iovec *iov,
		      uint32_t iov_count)
{
	submissions_prepare_read(begin(cable_end_of(queue), number, COMPLETION_NET), fd, iov, iov_count);
}

static void host_write(struct xvhost_net_queue *queue, uint32_t number, int fd, const struct iovec *iov,
		       uint32_t iov_count)
{
	submissions_prepare_write(begin(cable_end_of(queue), number, COMPLETION_NET), fd, iov, iov_count);
}

static void host_wait(struct xvhost_net_queue *queue, uint32_t number, uint64_t nanoseconds)
{
	struct cable_end *end = cable_end_of(queue);
	struct io_uring_sqe *sqe = begin(end, number, COMPLETION_NET_WAIT);
	struct __kernel_timespec *time = &end->operations[number].time;

	/* What is to stop waits for nothing any more. */
	*time = submissions_time(is_stopping(end) ? 0 : nanoseconds);
	io_uring_prep_timeout(sqe, time, 0, 0);
}

static void host_watch(struct xvhost_net_queue *queue, uint32_t index, int fd, uint32_t events)
{
	struct cable_end *end = cable_end_of(queue);

	assert(index < XVHOST_WATCHES_MAX && end->backend->ready);
	submissions_watch(&end->watches[index], fd, events);
	end->watching = true;
}

void cable_end_change_watches(struct cable_end *end)
{
	if (!end->watching || end->io->unsubmitted)
		return;
	end->watching = false;
	submissions_change_watches(end->io, end->watches, place_of(end, COMPLETION_NET_WATCH));
}

void cable_end_done(struct cable_end *end, uint64_t data, int32_t result)
{
	uint32_t number = data & 0xffff;
	struct cable_operation *operation = &end->operations[number];

	assert(operation->busy && operation->generation == submissions_generation(data));
	operation->busy = false;
	end->operations_busy--;
	end->backend->io_done(&end->queue, number, result);
}

void cable_end_watch_done(struct cable_end *end, uint64_t data, int32_t result)
{
	uint32_t index = data & 0xffff;

	if (end->started && submissions_watch_done(&end->watches[index], data))
		end->backend->ready(&end->queue, index, result);
}

/* ---- messages ---- */

static void host_log(const struct xvhost_net *net, enum xvhost_log_level level, const char *format, ...)
{
	struct cable_end *end = (struct cable_end *)(uintptr_t)net;
	char text[ERROR_TEXT_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	log_limited(&end->limit, (enum log_level)level, "%s: %s", net->name, text);
}

static void host_fail(struct xvhost_net *net, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(((struct cable_end *)net)->fail_text, ERROR_TEXT_MAX, format, arguments);
	va_end(arguments);
}

/* host_link - nobody has to be told, but who looks for packets that don't come finds it in the log. */
static void host_link(struct xvhost_net *net, bool up)
{
	struct cable_end *end = (struct cable_end *)net;

	if (end->no_link == !up)
		return;
	end->no_link = !up;
	log_info("%s: backend %s has %s link", net->name, end->backend->name, up ? "a" : "no");
}

const struct xvhost_net_host cable_host = {
	.size = sizeof(cable_host),
	.abi = XVHOST_BACKEND_ABI,
	.transmitted = host_transmitted,
	.receive = host_receive,
	.dropped = host_dropped,
	.read = host_read,
	.write = host_write,
	.wait = host_wait,
	.watch = host_watch,
	.log = host_log,
	.fail = host_fail,
	.link = host_link,
};

/* ---- its life ---- */

/* find_backend - the target's, with its parameters. */
static int find_backend(struct cable_end *end, const struct cable_options *options, char text[ERROR_TEXT_MAX])
{
	int error = target_find_net(options->backend_directory, options->targets[end->index], &end->backend,
				    &end->config, text);

	if (error == 0 && target_of_inner(head_of_net(end->backend), end->config)) {
		snprintf(text, ERROR_TEXT_MAX, "backend %s is a wrapper, which can't be an end of a cable",
			 end->backend->name);
		error = -EOPNOTSUPP;
	}
	return error;
}

/* open_backend - what find_backend has found. */
static int open_backend(struct cable_end *end, char text[ERROR_TEXT_MAX])
{
	int error = end->backend->open(&end->net, end->config, &end->properties);

	if (error < 0) {
		snprintf(text, ERROR_TEXT_MAX, "%s",
			 end->fail_text[0] ? end->fail_text
					   : "the backend can't open it and does not say why");
		return error;
	}
	end->opened = true;
	return net_check_properties(&end->net, end->backend, &end->properties, text);
}

int cable_end_open(struct cable_end *end, const struct cable_options *options)
{
	char text[ERROR_TEXT_MAX];
	int error;

	end->net = (struct xvhost_net){
		.size = sizeof(end->net),
		.mtu = CABLE_MTU,
		.host = &cable_host,
		.name = options->name,
		.interface = options->interface,
		.queues = 1,
		.domid = options->domid,
		.attend_fd = -1,
	};
	for (uint32_t i = 0; i < XVHOST_WATCHES_MAX; i++)
		end->watches[i].fd = -1;
	error = find_backend(end, options, text);
	if (error == 0)
		error = open_backend(end, text);
	if (error < 0)
		log_error("%s: %s", options->name, text);
	return error;
}

void cable_end_close(struct cable_end *end)
{
	if (end->opened)
		end->backend->close(&end->net);
	free(end->config);
}

/* start_queue - what it needs before, too. */
static int start_queue(struct cable_end *end)
{
	int error = end->backend->queue_open ? end->backend->queue_open(&end->queue) : 0;

	if (error < 0)
		return error;
	error = end->backend->queue_start(&end->queue);
	if (error < 0 && end->backend->queue_close)
		end->backend->queue_close(&end->queue);
	return error;
}

int cable_end_start(struct cable_end *end)
{
	int error;

	end->queue = (struct xvhost_net_queue){
		.size = sizeof(end->queue),
		.count = 1,
		.packets_max = CABLE_PACKETS_MAX,
		.guest_takes = end->other->properties.flags,
		.net = &end->net,
	};
	error = start_queue(end);
	if (error < 0)
		log_error("%s: backend %s can't start: %s", end->net.name, end->backend->name,
			  strerror(-error));
	end->started = error == 0;
	return error;
}

void cable_end_release(struct cable_end *end)
{
	end->queue.flags |= XVHOST_QUEUE_STOPPING;
	/* It is told once, and that there is room for nothing. */
	end->other->refused = false;
	if (!end->started)
		return;
	end->backend->room(&end->queue);
	for (uint32_t i = 0; i < CABLE_NUMBERS_MAX; i++) {
		if (!end->operations[i].busy)
			continue;
		/* One of the two is not under way. */
		submissions_end_timeout(end->io, operation_tag(end, COMPLETION_NET_WAIT, i));
		submissions_cancel(end->io, operation_tag(end, COMPLETION_NET, i));
	}
}

bool cable_end_is_idle(const struct cable_end *end)
{
	return end->first == end->next && end->operations_busy == 0;
}

void cable_end_stop(struct cable_end *end)
{
	assert(cable_end_is_idle(end));
	if (!end->started)
		return;
	end->backend->queue_stop(&end->queue);
	if (end->backend->queue_close)
		end->backend->queue_close(&end->queue);
	end->started = false;
	submissions_watch_nothing(end->io, end->watches, place_of(end, COMPLETION_NET_WATCH));
}
