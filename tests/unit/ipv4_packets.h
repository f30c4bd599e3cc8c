/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipv4_packets.h - packets of TCP and UDP over IPv4, for tests of net backends
 */
#ifndef IPV4_PACKETS_H
#define IPV4_PACKETS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PACKET_MAX 70000 /* bytes */

/* add - the sum of bytes, as the Internet's checksums have it. */
static inline uint32_t add(uint32_t sum, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* pseudo_sum - of TCP's or UDP's pseudo header over IPv4. */
static inline uint32_t pseudo_sum(const uint8_t *frame, size_t ip_payload)
{
	const uint8_t rest[] = {0, frame[23], (uint8_t)(ip_payload >> 8), (uint8_t)ip_payload};

	return add(add(0, frame + 26, 8), rest, sizeof(rest));
}

#define TCP_HEADERS (14 + 20 + 32) /* with 12 bytes of options */
#define UDP_HEADERS (14 + 20 + 8)

/* make_ipv4 - a packet of TCP or UDP with so much data and a blank checksum. Returns its length. */
static inline size_t make_ipv4(uint8_t *frame, uint8_t protocol, size_t data)
{
	size_t headers = protocol == IPPROTO_TCP ? TCP_HEADERS : UDP_HEADERS;
	size_t ip_bytes = headers - 14 + data, payload = ip_bytes - 20;
	uint8_t *checksum = frame + (protocol == IPPROTO_TCP ? 34 + 16 : 34 + 6);
	uint32_t sum;

	memset(frame, 0, headers);
	memset(frame, 0xff, 6);
	frame[12] = 0x08;
	frame[14] = 0x45;
	frame[16] = (uint8_t)(ip_bytes >> 8);
	frame[17] = (uint8_t)ip_bytes;
	frame[22] = 64;
	frame[23] = protocol;
	memcpy(frame + 26, "\x0a\x00\x00\x01\x0a\x00\x00\x02", 8);
	sum = ~add(0, frame + 14, 20);
	frame[24] = (uint8_t)(sum >> 8);
	frame[25] = (uint8_t)sum;
	if (protocol == IPPROTO_TCP) {
		frame[46] = 8 << 4;
		frame[47] = 0x10; /* ACK */
	} else {
		frame[38] = (uint8_t)(payload >> 8);
		frame[39] = (uint8_t)payload;
	}
	for (size_t i = 0; i < data; i++)
		frame[headers + i] = (uint8_t)(i * 5 + i / 256);
	sum = pseudo_sum(frame, payload);
	checksum[0] = (uint8_t)(sum >> 8);
	checksum[1] = (uint8_t)sum;
	return headers + data;
}

/* checksum_is_right - of a whole packet of TCP or UDP. */
static inline bool checksum_is_right(const uint8_t *frame, size_t length)
{
	return add(pseudo_sum(frame, length - 34), frame + 34, length - 34) == 0xffff;
}

#endif
