// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * frames_receive.c - packets by a descriptor of the kernel's, to the guest
 *
 * Theory of operation: some reads of the descriptor are always under way. The kernel ends those for which there is a packet at
 * once, and the others when one comes. When all that they brought is with the guest, reads are started again, as many together as
 * what came lets expect: if none was left over, twice as many as before, and if most were, half as many. Each that is left over
 * costs a little when a packet comes, for all of them look for it.
 *
 * What the guest has no room for is kept, in its order, and nothing more is read; what comes meanwhile gathers in the kernel's
 * queue, and is dropped there when that is full. What was kept for so long is dropped.
 *
 * A large packet that the guest would not take is cut: its segments lie in free buffers, as many at a time as there are. Nothing is read
 * until all are given.
 *
 * A read that ends since the interface has gone down is started again; it waits until the interface has come up and has a packet. So is one that
 * io_uring has given up since others were faster for so many times (128 in Linux).
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "frames.h"

#define PAGE_BYTES 4096u
#define ROOM_BYTES 65536u		       /* for a packet, and to see that one is too long */
#define BUFFER_BYTES (PAGE_BYTES + ROOM_BYTES) /* the header ends where the second page begins */
#define NO_ROOM_NS (UINT64_C(10) * 1000000000) /* so long what came is kept; at most twice as long */
#define TIME FRAMES_BUFFERS		       /* the number of the operation that waits for it */

static_assert(ROOM_BYTES > XVHOST_NET_BYTES_MAX, "a packet fits");
/* A read that was woken 128 times for a packet that another one got would be given to a thread of io_uring's, and packets could overtake each
 * other. */
static_assert(FRAMES_READS < 128, "each that waits is woken for those before it");
static_assert(FRAMES_BUFFERS <= UINT8_MAX && (FRAMES_READS & (FRAMES_READS - 1)) == 0, "free, kept");

static bool is_stopping(const struct frames *frames)
{
	return frames->queue->flags & XVHOST_QUEUE_STOPPING;
}

int frames_receive_init(struct frames *frames)
{
	struct frames_receive *receive = &frames->receive;

	/* Pages come into being when packets are so long. */
	receive->memory = mmap(NULL, FRAMES_BUFFERS * BUFFER_BYTES, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (receive->memory == MAP_FAILED)
		return -ENOMEM;
	receive->size = 1;
	for (uint32_t i = 0; i < FRAMES_BUFFERS; i++) {
		struct frames_buffer *buffer = &receive->buffers[i];
		/* Packets begin with a page: then they are copied to the guest's by as few pieces as can be. */
		char *packet = (char *)receive->memory + (size_t)i * BUFFER_BYTES + PAGE_BYTES;

		buffer->header = (struct virtio_net_hdr *)(void *)(packet - sizeof(*buffer->header));
		buffer->whole = (struct iovec){buffer->header, sizeof(*buffer->header) + ROOM_BYTES};
		buffer->piece.iov_base = packet;
		buffer->packet = (struct xvhost_packet){
			.queue = frames->queue, .iov = &buffer->piece, .iov_count = 1};
		/* The first ones are taken first. */
		receive->free[receive->free_count++] = (uint8_t)(FRAMES_BUFFERS - 1 - i);
	}
	return 0;
}

void frames_receive_free(struct frames *frames)
{
	munmap(frames->receive.memory, FRAMES_BUFFERS * BUFFER_BYTES);
}

void frames_receive_start(struct frames *frames)
{
	struct frames_receive *receive = &frames->receive;
	struct xvhost_net_queue *queue = frames->queue;

	receive->filled = 0;
	while (receive->reading < receive->size && receive->free_count > 0) {
		uint8_t number = receive->free[--receive->free_count];

		receive->reading++;
		queue->net->host->read(queue, queue->packets_max + number, frames->fd,
				       &receive->buffers[number].whole, 1);
	}
}

/* start_time - in which the guest is to give room. */
static void start_time(struct frames *frames)
{
	struct frames_receive *receive = &frames->receive;

	if (receive->timing)
		return;
	receive->timing = true;
	receive->refusals_seen = receive->refusals;
	frames->queue->net->host->wait(frames->queue, frames->queue->packets_max + TIME, NO_ROOM_NS);
}

/* set_free - nobody needs it any more. */
static void set_free(struct frames_receive *receive, const struct frames_buffer *buffer)
{
	receive->free[receive->free_count++] = (uint8_t)(buffer - receive->buffers);
}

/* give - a packet. False: the guest has no room for it. */
static bool give(struct frames *frames, struct frames_buffer *buffer)
{
	struct frames_receive *receive = &frames->receive;

	if (frames->queue->net->host->receive(frames->queue, &buffer->packet)) {
		receive->given++;
		return true;
	}
	receive->no_room = true;
	receive->refusals++;
	start_time(frames);
	return false;
}

/* cut_next - the next segment, in a buffer of its own. False: there is none, or no buffer for it. */
static bool cut_next(struct frames_receive *receive)
{
	struct frames_buffer *buffer;

	if (receive->cut)
		return true;
	if (receive->free_count == 0)
		return false;
	buffer = &receive->buffers[receive->free[receive->free_count - 1]];
	if (!segment_next(&receive->segment, &buffer->packet)) {
		receive->cutting = false;
		return false;
	}
	receive->free_count--;
	receive->cut = buffer;
	return true;
}

/* give_segments - of a packet, as many as there are buffers and room for. False: there are more. */
static bool give_segments(struct frames *frames, struct frames_buffer *whole)
{
	struct frames_receive *receive = &frames->receive;

	if (!receive->cutting) {
		receive->cutting = segment_begin(&receive->segment, &whole->packet);
		if (!receive->cutting)
			frames->queue->net->host->dropped(frames->queue, 1);
	}
	while (receive->cutting && cut_next(receive)) {
		if (!give(frames, receive->cut))
			return false;
		receive->cut = NULL;
	}
	if (receive->cutting)
		return false;
	set_free(receive, whole);
	return true;
}

/* drop_kept - all that is kept. A packet of which the guest has got some segments is lost as a whole. */
static void drop_kept(struct frames *frames)
{
	struct frames_receive *receive = &frames->receive;

	if (receive->kept_first != receive->kept_next)
		frames->queue->net->host->dropped(frames->queue, receive->kept_next - receive->kept_first);
	while (receive->kept_first != receive->kept_next)
		receive->free[receive->free_count++] = receive->kept[receive->kept_first++ % FRAMES_READS];
	if (receive->cut)
		set_free(receive, receive->cut);
	receive->cut = NULL;
	receive->cutting = false;
}

/* give_all - what is kept, in its order, as far as the guest takes it. A queue that is to stop takes nothing more. */
static void give_all(struct frames *frames)
{
	struct frames_receive *receive = &frames->receive;

	if (is_stopping(frames))
		drop_kept(frames);
	while (receive->kept_first != receive->kept_next && !receive->no_room) {
		struct frames_buffer *buffer =
			&receive->buffers[receive->kept[receive->kept_first % FRAMES_READS]];

		if (!(buffer->in_segments ? give_segments(frames, buffer) : give(frames, buffer)))
			return;
		receive->kept_first++;
	}
}

/* go_on - give what there is, and start reads again if nothing is left to do with what they brought. */
static void go_on(struct frames *frames)
{
	struct frames_receive *receive = &frames->receive;

	give_all(frames);
	if (receive->given > 0 || receive->no_room || frames->lost || is_stopping(frames))
		return;
	if (receive->reading == 0)
		receive->size = receive->size * 2 < FRAMES_READS ? receive->size * 2 : FRAMES_READS;
	else if (receive->filled > 0 && receive->filled <= receive->size / 2)
		receive->size /= 2;
	frames_receive_start(frames);
}

/* time_is_up - in which the guest was to give room. It may have, and have refused another packet since. */
static void time_is_up(struct frames *frames)
{
	struct frames_receive *receive = &frames->receive;

	receive->timing = false;
	if (!receive->no_room)
		return;
	if (receive->refusals != receive->refusals_seen) {
		start_time(frames);
		return;
	}
	drop_kept(frames);
	/* What comes next is offered to the guest again. */
	receive->no_room = false;
	go_on(frames);
}

/* make_packet - of what was read. False: it is none that the guest can have. */
static bool make_packet(const struct frames *frames, struct frames_buffer *buffer, uint32_t bytes)
{
	enum frames_fit fit;

	if (bytes < sizeof(*buffer->header) + XVHOST_NET_BYTES_MIN ||
	    bytes > sizeof(*buffer->header) + XVHOST_NET_BYTES_MAX)
		return false;
	buffer->packet.length = bytes - (uint32_t)sizeof(*buffer->header);
	buffer->piece.iov_len = buffer->packet.length;
	fit = frames_header_read(buffer->header, frames->offload, &buffer->packet);
	buffer->in_segments = fit == FRAMES_CUT;
	return fit != FRAMES_NONE;
}

void frames_receive_done(struct frames *frames, uint32_t number, int32_t result)
{
	struct frames_receive *receive = &frames->receive;
	struct frames_buffer *buffer = &receive->buffers[number];

	if (number == TIME) {
		time_is_up(frames);
		return;
	}
	receive->reading--;
	if (result >= 0 && make_packet(frames, buffer, (uint32_t)result)) {
		receive->filled++;
		receive->kept[receive->kept_next++ % FRAMES_READS] = (uint8_t)number;
		go_on(frames);
		return;
	}
	receive->free[receive->free_count++] = (uint8_t)number;
	if (result == -EBADFD)
		frames->lost = true;
	else if (result != -ECANCELED && result != -ENETDOWN && result != -EAGAIN)
		/* Linux has taken a packet that it could not give off its queue, too. */
		frames->queue->net->host->dropped(frames->queue, 1);
	go_on(frames);
}

void frames_room(struct xvhost_net_queue *queue)
{
	struct frames *frames = queue->state;

	frames->receive.no_room = false;
	go_on(frames);
}

void frames_delivered(struct xvhost_packet *packet, int error)
{
	struct frames *frames = packet->queue->state;
	struct frames_receive *receive = &frames->receive;
	struct frames_buffer *buffer = (struct frames_buffer *)(void *)packet;

	(void)error;
	set_free(receive, buffer);
	receive->given--;
	go_on(frames);
}
