// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tap_receive.c - packets from the interface to the guest
 *
 * Theory of operation: the descriptor does not block. A batch of reads is started at once; what comes back without a packet says
 * that nothing more was there, and then a watch tells when there is. How many reads a batch has follows what comes. Their
 * packets go to the guest in the order of the reads. If it has no room, they stay where they are, and nothing more is
 * read: what comes meanwhile gathers in the interface's own queue, and is dropped there when that is full. A guest
 * that has no room for so long loses what was kept.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>

#include "tap_internal.h"

#define BUFFER_BYTES 65536u /* whole pages, for more than the largest packet: what is longer shows */
#define BATCH_MIN 2u	    /* one packet, and that there is no other */
#define BATCH_FIRST 4u
#define NO_ROOM_NS (UINT64_C(10) * 1000000000) /* so long what came is kept; at most twice as long */
#define WATCH 0u			       /* its index */

static_assert(BUFFER_BYTES > XVHOST_NET_BYTES_MAX, "a packet fits");

static bool is_stopping(const struct tap_queue *mine)
{
	return mine->queue->flags & XVHOST_QUEUE_STOPPING;
}

void tap_lost(struct tap_queue *mine)
{
	struct xvhost_net *net = mine->queue->net;
	struct tap *tap = net->state;

	mine->lost = true;
	if (!atomic_exchange(&tap->lost, true))
		net->host->log(net, XVHOST_LOG_ERROR,
			       "the interface was removed: all packets are dropped until the card is "
			       "attached again");
}

int tap_receive_init(struct tap_queue *mine)
{
	struct tap_receive *receive = &mine->receive;

	/* Pages come into being when packets are so long. */
	receive->memory = mmap(NULL, TAP_BUFFERS * BUFFER_BYTES, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (receive->memory == MAP_FAILED)
		return -ENOMEM;
	receive->size = BATCH_FIRST;
	receive->dry = true;
	for (uint32_t i = 0; i < TAP_BUFFERS; i++) {
		struct tap_buffer *buffer = &receive->buffers[i];

		buffer->pieces[0] = (struct iovec){&buffer->header, sizeof(buffer->header)};
		buffer->pieces[1] = (struct iovec){(char *)receive->memory + (size_t)i * BUFFER_BYTES,
						   BUFFER_BYTES};
		buffer->piece.iov_base = buffer->pieces[1].iov_base;
		buffer->packet = (struct xvhost_packet){
			.queue = mine->queue, .iov = &buffer->piece, .iov_count = 1};
	}
	return 0;
}

void tap_receive_free(struct tap_queue *mine)
{
	munmap(mine->receive.memory, TAP_BUFFERS * BUFFER_BYTES);
}

/* start_batch - of reads. */
static void start_batch(struct tap_queue *mine)
{
	struct tap_receive *receive = &mine->receive;
	struct xvhost_net_queue *queue = mine->queue;

	receive->started = receive->reading = receive->size;
	receive->next = receive->filled = 0;
	for (uint32_t i = 0; i < receive->started; i++) {
		struct tap_buffer *buffer = &receive->buffers[i];

		buffer->reading = true;
		queue->net->host->read(queue, queue->packets_max + i, mine->fd, buffer->pieces, 2);
	}
}

/* end_batch - the next one is as large as what came lets expect. */
static void end_batch(struct tap_receive *receive)
{
	if (receive->filled == receive->started)
		receive->size = receive->size * 2 < TAP_BUFFERS ? receive->size * 2 : TAP_BUFFERS;
	else if (receive->filled < receive->started / 2)
		receive->size = receive->size / 2 > BATCH_MIN ? receive->size / 2 : BATCH_MIN;
	receive->started = receive->next = 0;
}

/* start_time - in which the guest is to give room. */
static void start_time(struct tap_queue *mine)
{
	struct tap_receive *receive = &mine->receive;

	if (receive->timing || is_stopping(mine))
		return;
	receive->timing = true;
	receive->refusals_seen = receive->refusals;
	mine->queue->net->host->wait(mine->queue, mine->queue->packets_max + TAP_BUFFERS, NO_ROOM_NS);
}

/* make_packet - of what was read. False: it is none that the guest can have. */
static bool make_packet(const struct tap_queue *mine, struct tap_buffer *buffer)
{
	uint32_t bytes = (uint32_t)buffer->result;

	if (bytes < sizeof(buffer->header) + XVHOST_NET_BYTES_MIN ||
	    bytes > sizeof(buffer->header) + XVHOST_NET_BYTES_MAX)
		return false;
	buffer->packet.length = bytes - (uint32_t)sizeof(buffer->header);
	buffer->piece.iov_len = buffer->packet.length;
	return tap_header_read(&buffer->header, mine->offload, &buffer->packet);
}

/* give - what was read, to the guest. False: it has no room. */
static bool give(struct tap_queue *mine, struct tap_buffer *buffer)
{
	const struct xvhost_net_host *host = mine->queue->net->host;
	struct tap_receive *receive = &mine->receive;

	if (buffer->result == -EAGAIN) {
		receive->dry = true;
		return true;
	}
	if (buffer->result == -EBADFD) {
		tap_lost(mine);
		return true;
	}
	receive->filled++;
	/* Linux has taken a packet that it could not give off its queue, too. */
	if (buffer->result < 0 || is_stopping(mine) || receive->too_long || !make_packet(mine, buffer)) {
		host->dropped(mine->queue, 1);
		return true;
	}
	if (host->receive(mine->queue, &buffer->packet)) {
		receive->given++;
		return true;
	}
	receive->filled--;
	receive->no_room = true;
	receive->refusals++;
	start_time(mine);
	return false;
}

/* give_all - what was read and not given yet, in order. */
static void give_all(struct tap_queue *mine)
{
	struct tap_receive *receive = &mine->receive;

	while (receive->next < receive->started) {
		struct tap_buffer *buffer = &receive->buffers[receive->next];

		if (buffer->reading || (receive->no_room && !receive->too_long && !is_stopping(mine)))
			return;
		if (!give(mine, buffer))
			return;
		receive->next++;
	}
}

void tap_receive_go_on(struct tap_queue *mine)
{
	struct tap_receive *receive = &mine->receive;

	give_all(mine);
	if (receive->reading > 0 || receive->given > 0 || receive->next < receive->started)
		return;
	if (receive->started > 0)
		end_batch(receive);
	if (receive->no_room || receive->watching || mine->lost || is_stopping(mine))
		return;
	if (receive->dry) {
		receive->watching = true;
		mine->queue->net->host->watch(mine->queue, WATCH, mine->fd, POLLIN);
	} else {
		start_batch(mine);
	}
}

/* time_is_up - in which the guest was to give room. It may have, and have refused another packet since. */
static void time_is_up(struct tap_queue *mine)
{
	struct tap_receive *receive = &mine->receive;

	receive->timing = false;
	if (!receive->no_room)
		return;
	if (receive->refusals == receive->refusals_seen) {
		receive->too_long = true;
		tap_receive_go_on(mine);
	} else {
		start_time(mine);
	}
}

void tap_receive_done(struct tap_queue *mine, uint32_t number, int32_t result)
{
	struct tap_receive *receive = &mine->receive;

	if (number == TAP_BUFFERS) {
		time_is_up(mine);
		return;
	}
	receive->buffers[number].reading = false;
	receive->buffers[number].result = result;
	receive->reading--;
	tap_receive_go_on(mine);
}

void tap_room(struct xvhost_net_queue *queue)
{
	struct tap_queue *mine = queue->state;
	struct tap_receive *receive = &mine->receive;

	receive->no_room = receive->too_long = false;
	if (is_stopping(mine) && receive->watching) {
		receive->watching = false;
		queue->net->host->watch(queue, WATCH, -1, 0);
	}
	tap_receive_go_on(mine);
}

void tap_delivered(struct xvhost_packet *packet, int error)
{
	struct tap_queue *mine = packet->queue->state;

	(void)error;
	mine->receive.given--;
	tap_receive_go_on(mine);
}

void tap_ready(struct xvhost_net_queue *queue, uint32_t index, int32_t events)
{
	struct tap_queue *mine = queue->state;

	(void)index;
	/* That the queue is to stop is told by `room`. */
	if (events == 0)
		return;
	mine->receive.watching = false;
	if (events < 0 || (events & POLLERR)) {
		tap_lost(mine);
		return;
	}
	mine->receive.dry = false;
	tap_receive_go_on(mine);
}
