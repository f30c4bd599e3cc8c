// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * frames.c - packets by a descriptor of the kernel's: a queue's beginning and end, and packets from the guest
 */
#include "frames.h"

#include <assert.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <stdlib.h>

static_assert(sizeof(struct virtio_net_hdr) <= XVHOST_NET_HEADROOM_BYTES, "it stands before the packet");

unsigned int frames_offload(uint32_t guest_takes)
{
	if ((guest_takes & FRAMES_CHECKSUMS) != FRAMES_CHECKSUMS)
		return 0;
	return TUN_F_CSUM | (guest_takes & XVHOST_NET_GSO_TCPV4 ? TUN_F_TSO4 : 0) |
	       (guest_takes & XVHOST_NET_GSO_TCPV6 ? TUN_F_TSO6 : 0);
}

int frames_start(struct xvhost_net_queue *queue, int fd)
{
	struct frames *frames = calloc(1, sizeof(*frames) +
						  queue->packets_max * sizeof(frames->transmitting[0]));
	int error;

	if (!frames)
		return -ENOMEM;
	frames->queue = queue;
	frames->fd = fd;
	frames->offload = frames_offload(queue->guest_takes);
	error = frames_receive_init(frames);
	if (error < 0) {
		free(frames);
		return error;
	}
	queue->state = frames;
	frames_receive_start(frames);
	return 0;
}

void frames_queue_stop(struct xvhost_net_queue *queue)
{
	struct frames *frames = queue->state;

	frames_receive_free(frames);
	free(frames);
}

void frames_transmit(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets, uint32_t count)
{
	const struct xvhost_net_host *host = queue->net->host;
	struct frames *frames = queue->state;

	for (uint32_t i = 0; i < count; i++) {
		struct xvhost_packet *packet = packets[i];
		struct virtio_net_hdr *header = (struct virtio_net_hdr *)packet->iov[0].iov_base - 1;

		if (frames->lost) {
			host->transmitted(packet, -ENODEV);
			continue;
		}
		frames_header_write(packet, header);
		packet->iov[0].iov_base = header;
		packet->iov[0].iov_len += sizeof(*header);
		frames->transmitting[packet->index] = packet;
		host->write(queue, packet->index, frames->fd, packet->iov, packet->iov_count);
	}
}

/* written - a packet that was transmitted, whole or not at all. */
static void written(struct frames *frames, struct xvhost_packet *packet, int32_t result)
{
	if (result == -EBADFD)
		frames->lost = true;
	if (result >= 0)
		result = (uint32_t)result == sizeof(struct virtio_net_hdr) + packet->length ? 0 : -EIO;
	frames->queue->net->host->transmitted(packet, result);
}

void frames_io_done(struct xvhost_net_queue *queue, uint32_t number, int32_t result)
{
	struct frames *frames = queue->state;

	if (number < queue->packets_max)
		written(frames, frames->transmitting[number], result);
	else
		frames_receive_done(frames, number - queue->packets_max, result);
}
