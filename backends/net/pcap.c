// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pcap.c - stands before another network card and writes what passes to a pcapng file
 *
 * Theory of operation: a queue has two buffers. Packets are copied into one of them, as blocks of the file, while the other one is being
 * written; when that is done they change places. So nothing waits for the disk: a packet that finds no room is counted and passes
 * without being written. The file is open for appending, and each write is one of whole blocks, so the queues of a card, which may be on
 * different threads, need no lock to write to it. When a queue stops, what is left in its buffers is kept until it starts
 * again or the card is closed, which may wait.
 *
 * The blocks are made here since libpcap writes no pcapng, and waits for what it writes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pcap_blocks.h"
#include "pcap_file.h"

#define BUFFER_BYTES (4u << 20) /* more than passes while a disk is busy for a moment */
#define OPERATIONS 1u		/* of a queue: one write */

struct pcap_config {
	const char *path;
	uint64_t snap_bytes;
	uint64_t limit_bytes;
	const char *below;
};

struct pcap_buffer {
	uint32_t bytes; /* that are to be written */
	struct iovec piece;
	_Alignas(4) uint8_t blocks[BUFFER_BYTES];
};

/* A queue, also while it is stopped. */
struct pcap_queue {
	uint64_t packets, missing;
	uint32_t filling; /* the buffer that packets go to; the other one is empty, or is to be written before */
	bool writing;	  /* the other one is */
	struct pcap_buffer buffers[2];
};

/* One open card. Queues on different threads share what is atomic. */
struct pcap {
	const struct pcap_config *config;
	int fd;
	uint64_t began_ns;
	_Atomic uint64_t bytes;	     /* of the file, when all is written that is taken for it */
	atomic_bool full;	     /* no more packet is taken */
	atomic_bool ended;	     /* nothing more is written */
	atomic_bool behind;	     /* it was said that packets are missing */
	struct pcap_queue *queues[]; /* by index; NULL: it was never started */
};

static const struct xvhost_parameter pcap_parameters[] = {
	{
		.name = "path",
		.type = XVHOST_STRING,
		.flags = XVHOST_REQUIRED,
		.offset = offsetof(struct pcap_config, path),
		.help = "the file, as an absolute path; made if it is not there, or else added to",
	},
	{
		.name = "snap",
		.type = XVHOST_BYTES,
		.offset = offsetof(struct pcap_config, snap_bytes),
		.default_text = "65535",
		.minimum = XVHOST_NET_BYTES_MIN,
		.maximum = XVHOST_NET_BYTES_MAX,
		.help = "how much of each packet is written, from its beginning",
	},
	{
		.name = "limit",
		.type = XVHOST_BYTES,
		.offset = offsetof(struct pcap_config, limit_bytes),
		.default_text = "1G",
		.minimum = 4096,
		.help = "the file's largest size; when it is reached no more packets are written",
	},
	{
		.name = "target",
		.type = XVHOST_TARGET,
		.flags = XVHOST_REQUIRED,
		.offset = offsetof(struct pcap_config, below),
		.help = "the target of the card below",
	},
};

/* now_ns - since 1970. */
static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* fail - nothing more is written to the file, in which the last block may not be whole. Said once. */
static void fail(const struct xvhost_net *net, int error)
{
	struct pcap *pcap = net->state;

	atomic_store(&pcap->full, true);
	if (!atomic_exchange(&pcap->ended, true))
		net->host->log(net, XVHOST_LOG_ERROR,
			       "can't write to '%s': %s; no more packets are written there",
			       pcap->config->path,
			       error ? strerror(-error) : "it could be written only in part");
}

/* ---- packets to buffers ---- */

/* reach_limit - no more packets are taken. Said once. */
static void reach_limit(const struct xvhost_net *net)
{
	struct pcap *pcap = net->state;

	if (!atomic_exchange(&pcap->full, true))
		net->host->log(net, XVHOST_LOG_WARNING,
			       "'%s' has reached its limit of %" PRIu64
			       " bytes; no more packets are written there",
			       pcap->config->path, pcap->config->limit_bytes);
}

/* take_bytes - of what the file may still have. False: there are not so many; said once. */
static bool take_bytes(const struct xvhost_net *net, uint32_t bytes)
{
	struct pcap *pcap = net->state;

	if (atomic_load_explicit(&pcap->full, memory_order_relaxed))
		return false;
	if (atomic_fetch_add(&pcap->bytes, bytes) + bytes <= pcap->config->limit_bytes)
		return true;
	atomic_fetch_sub(&pcap->bytes, bytes);
	reach_limit(net);
	return false;
}

/* has_room - for so much, in the buffer that is being filled. The first time that there is none is said. */
static bool has_room(const struct xvhost_net *net, const struct pcap_buffer *buffer, uint32_t bytes)
{
	struct pcap *pcap = net->state;

	if (bytes <= BUFFER_BYTES - buffer->bytes)
		return true;
	if (!atomic_load(&pcap->full) && !atomic_exchange(&pcap->behind, true))
		net->host->log(net, XVHOST_LOG_WARNING,
			       "packets come faster than they can be written to '%s'; some are missing there",
			       pcap->config->path);
	return false;
}

static void take(struct xvhost_net_queue *queue, const struct xvhost_packet *packet,
		 enum pcap_direction direction, uint64_t time_ns)
{
	const struct pcap *pcap = queue->net->state;
	struct pcap_queue *mine = queue->state;
	struct pcap_buffer *buffer = &mine->buffers[mine->filling];
	uint32_t captured = packet->length < pcap->config->snap_bytes ? packet->length
								      : (uint32_t)pcap->config->snap_bytes;
	uint32_t bytes = pcap_packet_bytes(captured);

	mine->packets++;
	if (!has_room(queue->net, buffer, bytes) || !take_bytes(queue->net, bytes)) {
		mine->missing++;
		return;
	}
	pcap_put_packet(buffer->blocks + buffer->bytes, packet, captured, direction, time_ns);
	buffer->bytes += bytes;
}

/* ---- buffers to the file ---- */

/* next_buffer - the one to be written next, while none is; NULL: there is nothing. The other one is filled from then on. */
static struct pcap_buffer *next_buffer(struct pcap_queue *mine)
{
	if (mine->buffers[mine->filling ^ 1].bytes == 0)
		mine->filling ^= 1;
	return mine->buffers[mine->filling ^ 1].bytes > 0 ? &mine->buffers[mine->filling ^ 1] : NULL;
}

/* write_on - what there is, unless something is being written. A queue that is to stop starts nothing more. */
static void write_on(struct xvhost_net_queue *queue)
{
	struct pcap *pcap = queue->net->state;
	struct pcap_queue *mine = queue->state;
	struct pcap_buffer *buffer;

	if (mine->writing || (queue->flags & XVHOST_QUEUE_STOPPING) || atomic_load(&pcap->ended))
		return;
	buffer = next_buffer(mine);
	if (!buffer)
		return;
	buffer->piece = (struct iovec){buffer->blocks, buffer->bytes};
	mine->writing = true;
	queue->net->host->write(queue, queue->packets_max, pcap->fd, &buffer->piece, 1);
}

static void pcap_io_done(struct xvhost_net_queue *queue, uint32_t number, int32_t result)
{
	struct pcap_queue *mine = queue->state;
	struct pcap_buffer *buffer = &mine->buffers[mine->filling ^ 1];

	(void)number;
	mine->writing = false;
	/* What was not written since the queue is to stop is kept. */
	if (result != -ECANCELED) {
		if (result < 0 || (uint32_t)result < buffer->bytes)
			fail(queue->net, result < 0 ? result : 0);
		buffer->bytes = 0;
	}
	write_on(queue);
}

/* ---- open and close ---- */

/* begin_section - what is written to the file before packets and after them must have room in it, too; without that nothing is. */
static int begin_section(struct xvhost_net *net, uint64_t size)
{
	struct pcap *pcap = net->state;
	const struct pcap_config *config = pcap->config;
	int error;

	if (size + PCAP_BEGINNING_BYTES_MAX + PCAP_COUNTS_BYTES > config->limit_bytes) {
		reach_limit(net);
		atomic_store(&pcap->ended, true);
		return 0;
	}
	error = pcap_file_begin(net, config->path, pcap->fd, &size);
	atomic_store(&pcap->bytes, size + PCAP_COUNTS_BYTES);
	return error;
}

static int pcap_open(struct xvhost_net *net, const void *opaque, struct xvhost_net_properties *properties)
{
	const struct pcap_config *config = opaque;
	struct pcap *pcap = calloc(1, sizeof(*pcap) + net->queues * sizeof(pcap->queues[0]));
	uint64_t size = 0;
	int error = 0;

	if (!pcap) {
		net->host->fail(net, "no memory for backend pcap");
		return -ENOMEM;
	}
	net->state = pcap;
	pcap->config = config;
	pcap->began_ns = now_ns();
	pcap->fd = pcap_file_open(net, config->path, &size);
	if (pcap->fd < 0) {
		error = pcap->fd;
		goto fail;
	}
	error = begin_section(net, size);
	if (error < 0) {
		close(pcap->fd);
		goto fail;
	}
	*properties = *net->inner;
	properties->operations = OPERATIONS;
	return 0;
fail:
	free(pcap);
	return error;
}

/* write_rest - of a queue that is stopped. */
static void write_rest(const struct xvhost_net *net, struct pcap_queue *mine)
{
	const struct pcap *pcap = net->state;
	struct pcap_buffer *buffer;

	while (!atomic_load(&pcap->ended) && (buffer = next_buffer(mine))) {
		int error = pcap_file_write(pcap->fd, buffer->blocks, buffer->bytes);

		buffer->bytes = 0;
		if (error < 0)
			fail(net, error);
	}
}

/* write_counts - the last block of the section. */
static void write_counts(const struct xvhost_net *net, const struct pcap_counts *counts)
{
	const struct pcap *pcap = net->state;
	_Alignas(4) uint8_t block[PCAP_COUNTS_BYTES];
	int error;

	if (counts->missing > 0)
		net->host->log(net, XVHOST_LOG_WARNING,
			       "of %" PRIu64 " packets %" PRIu64 " are missing in '%s'", counts->packets,
			       counts->missing, pcap->config->path);
	if (atomic_load(&pcap->ended))
		return;
	pcap_put_counts(block, counts);
	error = pcap_file_write(pcap->fd, block, sizeof(block));
	if (error < 0)
		fail(net, error);
}

static void pcap_close(struct xvhost_net *net)
{
	struct pcap *pcap = net->state;
	struct pcap_counts counts = {.began_ns = pcap->began_ns};

	for (uint32_t i = 0; i < net->queues; i++) {
		struct pcap_queue *mine = pcap->queues[i];

		if (!mine)
			continue;
		write_rest(net, mine);
		counts.packets += mine->packets;
		counts.missing += mine->missing;
		free(mine);
	}
	counts.ended_ns = now_ns();
	write_counts(net, &counts);
	close(pcap->fd);
	free(pcap);
}

/* ---- queues ---- */

static int pcap_queue_start(struct xvhost_net_queue *queue)
{
	struct pcap *pcap = queue->net->state;
	struct pcap_queue **mine = &pcap->queues[queue->index];

	if (!*mine)
		*mine = calloc(1, sizeof(**mine));
	if (!*mine)
		return -ENOMEM;
	queue->state = *mine;
	write_on(queue);
	return 0;
}

static void pcap_queue_stop(struct xvhost_net_queue *queue)
{
	(void)queue;
}

/* Before the packets go on: afterwards they are not ours. */
static void pcap_transmit(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets,
			  uint32_t count)
{
	uint64_t time_ns = now_ns();

	for (uint32_t i = 0; i < count; i++)
		take(queue, packets[i], PCAP_IN, time_ns);
	write_on(queue);
	queue->net->host->forward(queue, packets, count);
}

static void pcap_forwarded(struct xvhost_packet *packet, int error)
{
	packet->queue->net->host->transmitted(packet, error);
}

static bool pcap_offered(struct xvhost_net_queue *queue, struct xvhost_packet *packet)
{
	return queue->net->host->receive(queue, packet);
}

/* What the guest could not get has not passed. */
static void pcap_delivered(struct xvhost_packet *packet, int error)
{
	struct xvhost_net_queue *queue = packet->queue;

	if (error == 0) {
		take(queue, packet, PCAP_OUT, now_ns());
		write_on(queue);
	}
	queue->net->host->give_back(packet, error);
}

static void pcap_room(struct xvhost_net_queue *queue)
{
	if (!(queue->flags & XVHOST_QUEUE_STOPPING))
		queue->net->host->more_room(queue);
}

static const struct xvhost_net_backend pcap_backend = {
	.size = sizeof(pcap_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "pcap",
	.version = "1.0",
	.description = "stands before another card and writes what passes to a pcapng file",
	.parameters = pcap_parameters,
	.parameter_count = sizeof(pcap_parameters) / sizeof(pcap_parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct pcap_config),
	.open = pcap_open,
	.close = pcap_close,
	.queue_start = pcap_queue_start,
	.queue_stop = pcap_queue_stop,
	.transmit = pcap_transmit,
	.room = pcap_room,
	.delivered = pcap_delivered,
	.io_done = pcap_io_done,
	.forwarded = pcap_forwarded,
	.offered = pcap_offered,
};

XVHOST_NET_BACKEND(pcap_backend);
