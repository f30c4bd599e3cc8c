// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tap_receive.c - packets from the interface to the guest
 *
 * Theory of operation: some reads of the descriptor are always under way. The kernel ends those for which there is a packet at
 * once, and the others when one comes. When all that they brought is with the guest, reads are started again, as many together as
 * what came lets expect: if none was left over, twice as many as before, and if most were, half as many. Each that is left over
 * costs a little when a packet comes, for all of them look for it.
 *
 * What the guest has no room for is kept, in its order, and nothing more is read; what comes meanwhile gathers in the interface's own
 * queue, and is dropped there when that is full. What was kept for so long is dropped.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "tap_internal.h"

#define PAGE_BYTES 4096u
#define ROOM_BYTES 65536u		       /* for a packet, and to see that one is too long */
#define BUFFER_BYTES (PAGE_BYTES + ROOM_BYTES) /* the header ends where the second page begins */
#define NO_ROOM_NS (UINT64_C(10) * 1000000000) /* so long what came is kept; at most twice as long */
#define TIME TAP_BUFFERS		       /* the number of the operation that waits for it */

static_assert(ROOM_BYTES > XVHOST_NET_BYTES_MAX, "a packet fits");
static_assert(TAP_BUFFERS <= UINT8_MAX && (TAP_BUFFERS & (TAP_BUFFERS - 1)) == 0, "free, kept");

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
	receive->size = 1;
	for (uint32_t i = 0; i < TAP_BUFFERS; i++) {
		struct tap_buffer *buffer = &receive->buffers[i];
		/* Packets begin with a page: then they are copied to the guest's by as few pieces as can be. */
		char *packet = (char *)receive->memory + (size_t)i * BUFFER_BYTES + PAGE_BYTES;

		buffer->header = (struct virtio_net_hdr *)(void *)(packet - sizeof(*buffer->header));
		buffer->whole = (struct iovec){buffer->header, sizeof(*buffer->header) + ROOM_BYTES};
		buffer->piece.iov_base = packet;
		buffer->packet = (struct xvhost_packet){
			.queue = mine->queue, .iov = &buffer->piece, .iov_count = 1};
		/* The first ones are taken first. */
		receive->free[receive->free_count++] = (uint8_t)(TAP_BUFFERS - 1 - i);
	}
	return 0;
}

void tap_receive_free(struct tap_queue *mine)
{
	munmap(mine->receive.memory, TAP_BUFFERS * BUFFER_BYTES);
}

void tap_receive_start(struct tap_queue *mine)
{
	struct tap_receive *receive = &mine->receive;
	struct xvhost_net_queue *queue = mine->queue;

	receive->filled = 0;
	while (receive->reading < receive->size && receive->free_count > 0) {
		uint8_t number = receive->free[--receive->free_count];

		receive->reading++;
		queue->net->host->read(queue, queue->packets_max + number, mine->fd,
				       &receive->buffers[number].whole, 1);
	}
}

/* start_time - in which the guest is to give room. */
static void start_time(struct tap_queue *mine)
{
	struct tap_receive *receive = &mine->receive;

	if (receive->timing)
		return;
	receive->timing = true;
	receive->refusals_seen = receive->refusals;
	mine->queue->net->host->wait(mine->queue, mine->queue->packets_max + TIME, NO_ROOM_NS);
}

/* give_all - what is kept, in its order, as far as the guest takes it. A queue that is to stop takes nothing more. */
static void give_all(struct tap_queue *mine)
{
	const struct xvhost_net_host *host = mine->queue->net->host;
	struct tap_receive *receive = &mine->receive;

	while (receive->kept_first != receive->kept_next && !receive->no_room) {
		uint8_t number = receive->kept[receive->kept_first % TAP_BUFFERS];

		if (is_stopping(mine)) {
			host->dropped(mine->queue, 1);
			receive->free[receive->free_count++] = number;
		} else if (host->receive(mine->queue, &receive->buffers[number].packet)) {
			receive->given++;
		} else {
			receive->no_room = true;
			receive->refusals++;
			start_time(mine);
			return;
		}
		receive->kept_first++;
	}
}

/* go_on - give what there is, and start reads again if nothing is left to do with what they brought. */
static void go_on(struct tap_queue *mine)
{
	struct tap_receive *receive = &mine->receive;

	give_all(mine);
	if (receive->given > 0 || receive->no_room || mine->lost || is_stopping(mine))
		return;
	if (receive->reading == 0)
		receive->size = receive->size * 2 < TAP_BUFFERS ? receive->size * 2 : TAP_BUFFERS;
	else if (receive->filled > 0 && receive->filled <= receive->size / 2)
		receive->size /= 2;
	tap_receive_start(mine);
}

/* time_is_up - in which the guest was to give room. It may have, and have refused another packet since. */
static void time_is_up(struct tap_queue *mine)
{
	struct tap_receive *receive = &mine->receive;

	receive->timing = false;
	if (!receive->no_room)
		return;
	if (receive->refusals != receive->refusals_seen) {
		start_time(mine);
		return;
	}
	mine->queue->net->host->dropped(mine->queue, receive->kept_next - receive->kept_first);
	while (receive->kept_first != receive->kept_next)
		receive->free[receive->free_count++] = receive->kept[receive->kept_first++ % TAP_BUFFERS];
	/* What comes next is offered to the guest again. */
	receive->no_room = false;
	go_on(mine);
}

/* make_packet - of what was read. False: it is none that the guest can have. */
static bool make_packet(const struct tap_queue *mine, struct tap_buffer *buffer, uint32_t bytes)
{
	if (bytes < sizeof(*buffer->header) + XVHOST_NET_BYTES_MIN ||
	    bytes > sizeof(*buffer->header) + XVHOST_NET_BYTES_MAX)
		return false;
	buffer->packet.length = bytes - (uint32_t)sizeof(*buffer->header);
	buffer->piece.iov_len = buffer->packet.length;
	return tap_header_read(buffer->header, mine->offload, &buffer->packet);
}

void tap_receive_done(struct tap_queue *mine, uint32_t number, int32_t result)
{
	struct tap_receive *receive = &mine->receive;
	struct tap_buffer *buffer = &receive->buffers[number];

	if (number == TIME) {
		time_is_up(mine);
		return;
	}
	receive->reading--;
	if (result >= 0 && make_packet(mine, buffer, (uint32_t)result)) {
		receive->filled++;
		receive->kept[receive->kept_next++ % TAP_BUFFERS] = (uint8_t)number;
		go_on(mine);
		return;
	}
	receive->free[receive->free_count++] = (uint8_t)number;
	if (result == -EBADFD)
		tap_lost(mine);
	else if (result != -ECANCELED)
		/* Linux has taken a packet that it could not give off its queue, too. */
		mine->queue->net->host->dropped(mine->queue, 1);
	go_on(mine);
}

void tap_room(struct xvhost_net_queue *queue)
{
	struct tap_queue *mine = queue->state;

	mine->receive.no_room = false;
	go_on(mine);
}

void tap_delivered(struct xvhost_packet *packet, int error)
{
	struct tap_queue *mine = packet->queue->state;
	struct tap_receive *receive = &mine->receive;
	struct tap_buffer *buffer = (struct tap_buffer *)(void *)packet;

	(void)error;
	receive->free[receive->free_count++] = (uint8_t)(buffer - receive->buffers);
	receive->given--;
	go_on(mine);
}
