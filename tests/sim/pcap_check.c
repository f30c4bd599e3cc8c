// SPDX-License-Identifier: GPL-2.0-or-later
/* pcap_check.c - does a file of backend pcap have the packets of a load? */
#include "pcap_check.h"

#define STREAMS_MAX 8u

uint32_t pcap_check(const struct pcap_reader *file, uint32_t first, uint32_t direction,
		    const struct net_content_options *options, uint32_t streams, uint32_t packets, bool some,
		    bool mirrored)
{
	static uint8_t made[XVHOST_NET_BYTES_MAX];
	uint32_t next[STREAMS_MAX] = {0}, came = 0;
	struct net_content content;

	ck_assert_uint_le(streams, STREAMS_MAX);
	for (uint32_t i = first; i < file->packet_count; i++) {
		const struct pcap_reader_packet *packet = &file->packets[i];
		uint16_t stream;
		uint32_t number;

		if (packet->direction != direction)
			continue;
		ck_assert_msg(net_content_identify(options, packet->bytes, packet->captured, &stream,
						   &number),
			      "packet %u of the file is none of the load", i);
		ck_assert_uint_lt(stream, streams);
		ck_assert_msg(some ? number >= next[stream] : number == next[stream],
			      "packet %u of stream %u came where %u was to come", number, stream,
			      next[stream]);
		next[stream] = number + 1;
		net_content_make(options, stream, number, &content, made);
		ck_assert_uint_eq(packet->length, content.length);
		ck_assert_uint_eq(packet->captured, content.length);
		ck_assert_mem_eq(packet->bytes + (mirrored ? 6 : 0), made, 6);
		ck_assert_mem_eq(packet->bytes + (mirrored ? 0 : 6), made + 6, 6);
		ck_assert_mem_eq(packet->bytes + 12, made + 12, content.length - 12);
		came++;
	}
	for (uint32_t i = 0; i < streams && !some; i++)
		ck_assert_uint_eq(next[i], packets);
	return came;
}
