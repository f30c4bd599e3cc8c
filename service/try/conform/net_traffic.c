// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net_traffic.c - packets of a guest whose content is known, and those of them that come back
 */
#include "try/conform/net_traffic.h"

#include <assert.h>
#include <string.h>

#define SMALL_BYTES 300u
#define BATCH_MAX 16u /* packets that are transmitted together */
#define GAP_MAX 100u  /* bytes between the pieces of a packet */
#define WAIT_MS 20

void conform_traffic_init(struct conform_traffic *traffic, const struct conform_card *card, uint64_t seed)
{
	*traffic = (struct conform_traffic){
		.content = {.seed = seed,
			    .minimum = XVHOST_NET_BYTES_MIN,
			    .maximum = SMALL_BYTES,
			    .takes = card->properties.flags},
		.random = seed,
		.pieces_max = 2,
	};
}

static uint32_t random_below(struct conform_traffic *traffic, uint32_t limit)
{
	traffic->random = traffic->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(traffic->random >> 33) % limit;
}

/* cut - a packet into pieces: the first has what is not the guest's memory. Returns their number. */
static uint32_t cut(struct conform_traffic *traffic, uint32_t length, uint32_t pieces[XVHOST_NET_IOVECS_MAX])
{
	uint32_t count = 1, left;

	pieces[0] = length < XVHOST_NET_HEADER_BYTES ? length : XVHOST_NET_HEADER_BYTES;
	left = length - pieces[0];
	while (left > 0) {
		uint32_t more = traffic->pieces_max - count;
		uint32_t piece = more > 1 ? 1 + random_below(traffic, 2 * left / more + 1) : left;

		pieces[count] = piece < left ? piece : left;
		left -= pieces[count++];
	}
	return count;
}

/* describe - all of a packet but its memory, as the worker would. */
static struct xvhost_packet describe(const struct net_content *content, const uint8_t *bytes)
{
	struct xvhost_packet packet = {.length = content->length};

	if (content->blank)
		packet.flags |= XVHOST_PACKET_CHECKSUM_BLANK;
	if (content->good)
		packet.flags |= XVHOST_PACKET_CHECKSUM_GOOD;
	if (content->blank) {
		packet.checksum_start = content->checksum_start;
		packet.checksum_offset = content->checksum_offset;
	}
	if (content->gso_bytes > 0) {
		packet.gso = content->ip_version == 4 ? XVHOST_GSO_TCPV4 : XVHOST_GSO_TCPV6;
		packet.gso_bytes = content->gso_bytes;
		packet.header_bytes = (uint16_t)(content->checksum_start +
						 (bytes[content->checksum_start + 12] >> 4) * 4);
	}
	return packet;
}

/* make - the next packet of a queue; NULL: the backend has all. */
static struct conform_net_packet *make(struct conform_traffic *traffic, struct conform_net_queue *queue)
{
	static _Thread_local uint8_t bytes[XVHOST_NET_BYTES_MAX + 8];
	struct conform_net_packet *packet = conform_net_free(queue);
	uint32_t stream = queue->seen.index, pieces[XVHOST_NET_IOVECS_MAX], count;
	struct net_content content;
	struct xvhost_packet described;

	if (!packet)
		return NULL;
	net_content_make(&traffic->content, (uint16_t)stream, ++traffic->sent[stream], &content, bytes);
	count = cut(traffic, content.length, pieces);
	described = describe(&content, bytes);
	conform_net_make(packet, &described, bytes, pieces, count, random_below(traffic, GAP_MAX));
	return packet;
}

uint32_t conform_traffic_send(struct conform_traffic *traffic, struct conform_net_queue *queue,
			      uint32_t count)
{
	struct conform_net_packet *packets[CONFORM_NET_PACKETS];
	uint32_t made = 0, free = CONFORM_NET_PACKETS - queue->live;

	assert(queue->seen.index < CONFORM_CARD_QUEUES);
	if (count > free)
		count = free;
	for (; made < count; made++) {
		packets[made] = make(traffic, queue);
		/* The next one must be another. */
		packets[made]->live = true;
	}
	for (uint32_t i = 0; i < made; i++)
		packets[i]->live = false;
	if (made > 0)
		conform_net_transmit(queue, packets, made);
	return made;
}

void conform_traffic_run(struct conform_traffic *traffic, struct conform_net_queue *const *queues,
			 uint32_t queue_count, uint32_t packets)
{
	uint32_t left[CONFORM_NET_QUEUES_MAX], all = packets * queue_count;

	for (uint32_t i = 0; i < queue_count; i++)
		left[i] = packets;
	while (all > 0) {
		uint32_t sent = 0;

		for (uint32_t i = 0; i < queue_count; i++) {
			uint32_t batch = 1 + random_below(traffic, BATCH_MAX), now;

			now = conform_traffic_send(traffic, queues[i], batch < left[i] ? batch : left[i]);
			left[i] -= now;
			sent += now;
		}
		all -= sent;
		if (sent > 0)
			conform_net_turn(queues[0]->loop, 0);
		else
			for (uint32_t i = 0; i < queue_count; i++)
				conform_net_finish(queues[i]);
	}
	for (uint32_t i = 0; i < queue_count; i++)
		conform_net_finish(queues[i]);
}

/* ---- what comes back ---- */

/* gather - a packet's bytes in one piece. */
static void gather(const struct xvhost_packet *packet, uint8_t *bytes)
{
	for (uint32_t i = 0; i < packet->iov_count; i++) {
		memcpy(bytes, packet->iov[i].iov_base, packet->iov[i].iov_len);
		bytes += packet->iov[i].iov_len;
	}
}

static void verify(struct conform_traffic *traffic, const struct conform_net_queue *queue,
		   const struct xvhost_packet *packet, const uint8_t *bytes, uint16_t stream, uint32_t number)
{
	static _Thread_local uint8_t made[XVHOST_NET_BYTES_MAX + 8];
	static const uint8_t versions[] = {[XVHOST_GSO_TCPV4] = 4, [XVHOST_GSO_TCPV6] = 6};
	const struct net_content_seen seen = {
		.bytes = bytes,
		.length = packet->length,
		.blank = packet->flags & XVHOST_PACKET_CHECKSUM_BLANK,
		.good = packet->flags & XVHOST_PACKET_CHECKSUM_GOOD,
		.gso_version = versions[packet->gso],
		.gso_bytes = packet->gso_bytes,
		.takes = queue->seen.guest_takes,
	};
	char text[NET_CONTENT_ERROR_MAX];

	if (number <= traffic->came[stream])
		conform_broken(CONFORM_ORDER, "packet %u of queue %u came back after packet %u", number,
			       stream, traffic->came[stream]);
	if (!net_content_check(&traffic->content, stream, number, &seen, made, text))
		conform_broken(CONFORM_ORDER,
			       "packet %u of queue %u came back otherwise than it was sent: %s", number,
			       stream, text);
}

void conform_traffic_came(struct conform_traffic *traffic, const struct conform_net_queue *queue,
			  const struct xvhost_packet *packet)
{
	static _Thread_local uint8_t bytes[XVHOST_NET_BYTES_MAX];
	uint16_t stream;
	uint32_t number;

	gather(packet, bytes);
	if (!net_content_identify(&traffic->content, bytes, packet->length, &stream, &number) ||
	    stream >= CONFORM_CARD_QUEUES || number == 0 || number > traffic->sent[stream])
		return;
	if (traffic->verify)
		verify(traffic, queue, packet, bytes, stream, number);
	traffic->came[stream] = number;
	traffic->came_count++;
}
