// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net_check.c - is a packet that a backend has for the guest as backend.h says, and does it stay so?
 */
#include "try/conform/net_check.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "try/conform/report.h"

#define KNOWN_FLAGS (XVHOST_PACKET_CHECKSUM_BLANK | XVHOST_PACKET_CHECKSUM_GOOD)
#define CHECKSUMS (XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6)
#define CHECKSUM_BYTES 2u

uint64_t conform_net_iov_sum(const struct iovec *iov, uint32_t iov_count)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < iov_count; i++)
		sum = (sum + (uintptr_t)iov[i].iov_base) * 31 + iov[i].iov_len;
	return sum;
}

uint64_t conform_net_content_sum(const struct xvhost_packet *packet)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < packet->iov_count; i++) {
		const uint8_t *bytes = packet->iov[i].iov_base;

		for (size_t k = 0; k < packet->iov[i].iov_len; k++)
			sum = sum * 31 + bytes[k];
	}
	return sum;
}

/* check_memory - the iovecs of a packet, and its length. */
static void check_memory(const struct xvhost_packet *packet)
{
	uint64_t sum = 0;

	if (!packet->iov || packet->iov_count == 0 || packet->iov_count > XVHOST_NET_IOVECS_MAX)
		conform_broken(CONFORM_RECEIVE, "a packet for the guest has %u iovecs, 1 to %d can be",
			       packet->iov_count, XVHOST_NET_IOVECS_MAX);
	for (uint32_t i = 0; i < packet->iov_count; i++)
		sum += packet->iov[i].iov_len;
	if (sum != packet->length)
		conform_broken(CONFORM_RECEIVE,
			       "a packet for the guest has the length %u, its iovecs have %" PRIu64 " bytes",
			       packet->length, sum);
	if (packet->length < XVHOST_NET_BYTES_MIN || packet->length > XVHOST_NET_BYTES_MAX)
		conform_broken(CONFORM_RECEIVE, "a packet for the guest has %u bytes, it must have %d to %d",
			       packet->length, XVHOST_NET_BYTES_MIN, XVHOST_NET_BYTES_MAX);
}

/* check_checksum - what is said of the checksum. */
static void check_checksum(const struct conform_net_queue *queue, const struct xvhost_packet *packet)
{
	bool blank = packet->flags & XVHOST_PACKET_CHECKSUM_BLANK;

	if (packet->flags & ~(uint32_t)KNOWN_FLAGS)
		conform_broken(CONFORM_RECEIVE, "a packet for the guest has flags 0x%x, backend.h has 0x%x",
			       packet->flags, (unsigned int)KNOWN_FLAGS);
	if (!blank)
		return;
	if (packet->gso == XVHOST_GSO_NONE && !(queue->seen.guest_takes & CHECKSUMS))
		conform_broken(CONFORM_RECEIVE,
			       "a packet for the guest has a blank checksum, which the guest does not take "
			       "(guest_takes is 0x%x)",
			       queue->seen.guest_takes);
	if (packet->checksum_start < XVHOST_NET_BYTES_MIN ||
	    (uint32_t)packet->checksum_start + packet->checksum_offset + CHECKSUM_BYTES > packet->length)
		conform_broken(CONFORM_RECEIVE,
			       "a packet for the guest of %u bytes has its blank checksum at byte %u + %u",
			       packet->length, packet->checksum_start, packet->checksum_offset);
}

/* check_gso - what is said of its segments. */
static void check_gso(const struct conform_net_queue *queue, const struct xvhost_packet *packet)
{
	uint32_t wanted = packet->gso == XVHOST_GSO_TCPV4 ? XVHOST_NET_GSO_TCPV4 : XVHOST_NET_GSO_TCPV6;

	if (packet->gso == XVHOST_GSO_NONE)
		return;
	if (packet->gso > XVHOST_GSO_TCPV6)
		conform_broken(CONFORM_RECEIVE,
			       "a packet for the guest has gso %u, which backend.h does not have",
			       packet->gso);
	if (!(queue->seen.guest_takes & wanted))
		conform_broken(CONFORM_RECEIVE,
			       "a packet for the guest has gso %u, which the guest does not take "
			       "(guest_takes is 0x%x)",
			       packet->gso, queue->seen.guest_takes);
	if (!(packet->flags & XVHOST_PACKET_CHECKSUM_BLANK))
		conform_broken(CONFORM_RECEIVE,
			       "a packet for the guest has gso %u, but its checksum is not blank",
			       packet->gso);
	if (packet->gso_bytes == 0 || packet->header_bytes < XVHOST_NET_BYTES_MIN ||
	    packet->header_bytes > packet->length)
		conform_broken(CONFORM_RECEIVE,
			       "a packet for the guest of %u bytes has gso with segments of %u bytes and "
			       "headers of %u",
			       packet->length, packet->gso_bytes, packet->header_bytes);
}

void conform_net_check_received(const struct conform_net_queue *queue, const struct xvhost_packet *packet)
{
	for (uint32_t i = 0; i < queue->received_count; i++)
		if (queue->received[i].packet == packet)
			conform_broken(CONFORM_UNCHANGED,
				       "receive() was called again with a packet that is not delivered yet");
	if (packet->queue != &queue->seen)
		conform_broken(CONFORM_RECEIVE,
			       "a packet for the guest has packet->queue %p, its queue is %p",
			       (void *)packet->queue, (const void *)&queue->seen);
	check_memory(packet);
	check_checksum(queue, packet);
	check_gso(queue, packet);
}

void conform_net_check_unchanged(const struct conform_net_received *received)
{
	const struct xvhost_packet *packet = received->packet;

	if (memcmp(packet, &received->taken, sizeof(*packet)) != 0)
		conform_broken(
			CONFORM_UNCHANGED,
			"struct xvhost_packet of a packet for the guest was changed before it was delivered");
	if (conform_net_iov_sum(packet->iov, packet->iov_count) != received->iov_sum)
		conform_broken(CONFORM_UNCHANGED,
			       "the iovecs of a packet for the guest were changed before it was delivered");
	if (conform_net_content_sum(packet) != received->content_sum)
		conform_broken(CONFORM_UNCHANGED,
			       "the memory of a packet for the guest was changed before it was delivered");
}
