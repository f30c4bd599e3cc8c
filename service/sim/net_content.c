// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net_content.c - packets that say of themselves which they are, and of which each byte is known
 */
#include "sim/net_content.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ETHERNET_BYTES 14u
#define IPV4_BYTES 20u
#define IPV6_BYTES 40u
#define UDP_BYTES 8u
#define TCP_BYTES 20u
#define TCP_OPTION_BYTES 12u /* time stamps */
#define TYPE_IPV4 0x0800u
#define TYPE_IPV6 0x86ddu
#define TYPE_OTHER 0x88b5u /* for experiments */
#define PROTOCOL_TCP 6u
#define PROTOCOL_UDP 17u
#define STEP UINT64_C(0x9e3779b97f4a7c15)
#define TAIL_BYTES 8u		/* the numbers at a packet's end */
#define DESTINATION_FIRST 0x06u /* the first byte of an address that has the numbers in the others */
#define SOURCE_FIRST 0x02u

/* ---- numbers that follow from the seed ---- */

/* mix - every bit of the value decides on every bit of the result. */
static uint64_t mix(uint64_t value)
{
	value ^= value >> 32;
	value *= UINT64_C(0xd6e8feb86659fd93);
	value ^= value >> 32;
	value *= UINT64_C(0xd6e8feb86659fd93);
	return value ^ value >> 32;
}

static uint32_t next(uint64_t *random, uint32_t limit)
{
	*random += STEP;
	return (uint32_t)((mix(*random) >> 32) * limit >> 32);
}

/* choose_length - as often a small packet, an ordinary one, one at a limit of something, and any. */
static uint32_t choose_length(const struct net_content_options *options, uint64_t *random)
{
	static const uint32_t limits[] = {15,	59,   60,   64,	  127,	128,  129,   1513,  1514,
					  1515, 4095, 4096, 4097, 8192, 9014, 16384, 65534, 65535};
	uint32_t minimum = options->minimum, maximum = options->maximum, most;

	if (!(options->takes & (XVHOST_NET_GSO_TCPV4 | XVHOST_NET_GSO_TCPV6)) &&
	    maximum > NET_CONTENT_MTU_BYTES)
		maximum = NET_CONTENT_MTU_BYTES;
	if (options->addressed && minimum < NET_CONTENT_ADDRESSED_BYTES)
		minimum = NET_CONTENT_ADDRESSED_BYTES;
	if (minimum >= maximum)
		return minimum;
	switch (next(random, 4)) {
	case 0:
		most = minimum + 128;
		break;
	case 1:
		most = NET_CONTENT_MTU_BYTES;
		break;
	case 2:
		most = limits[next(random, sizeof(limits) / sizeof(limits[0]))];
		if (most >= minimum && most <= maximum)
			return most;
		most = maximum;
		break;
	default:
		most = maximum;
		break;
	}
	if (most > maximum || most < minimum)
		most = maximum;
	return minimum + next(random, most - minimum + 1);
}

/* ---- checksums ---- */

/* sum - of words of 16 bits in the order in which they lie, not yet folded. */
static uint64_t sum(const uint8_t *bytes, uint32_t length)
{
	uint64_t total = 0;
	uint16_t word;

	for (; length >= 2; length -= 2, bytes += 2) {
		memcpy(&word, bytes, sizeof(word));
		total += word;
	}
	if (length > 0) {
		const uint8_t last[2] = {bytes[0], 0};

		memcpy(&word, last, sizeof(word));
		total += word;
	}
	return total;
}

static uint16_t fold(uint64_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)total;
}

static void put16(uint8_t *to, uint32_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

static void put32(uint8_t *to, uint32_t value)
{
	put16(to, value >> 16);
	put16(to + 2, value & 0xffff);
}

/* pseudo_sum - of the addresses, the protocol and the length. */
static uint64_t pseudo_sum(const struct net_content *content, const uint8_t *bytes, uint8_t protocol)
{
	const uint8_t *ip = bytes + ETHERNET_BYTES;
	uint8_t rest[8] = {0};

	put32(rest, content->length - content->checksum_start);
	rest[7] = protocol;
	if (content->ip_version == 4)
		return sum(ip + 12, 8) + sum(rest, sizeof(rest));
	return sum(ip + 8, 32) + sum(rest, sizeof(rest));
}

/* checksum - as the field must be, in the order of its bytes: whole, or of the pseudo header only. */
static uint16_t checksum(const struct net_content *content, const uint8_t *bytes, bool blank)
{
	bool udp = content->checksum_offset == 6;
	uint64_t total = pseudo_sum(content, bytes, udp ? PROTOCOL_UDP : PROTOCOL_TCP);
	uint16_t field, whole;

	if (blank)
		return fold(total);
	memcpy(&field, bytes + content->checksum_start + content->checksum_offset, sizeof(field));
	total += sum(bytes + content->checksum_start, content->length - content->checksum_start);
	total += (uint16_t)~field;
	whole = (uint16_t)~fold(total);
	return udp && whole == 0 ? 0xffff : whole;
}

/* ---- making ---- */

/* put_ip - the header, and where what follows begins. */
static void put_ip(struct net_content *content, uint8_t *bytes, bool udp, uint64_t *random)
{
	uint8_t *ip = bytes + ETHERNET_BYTES, protocol = udp ? PROTOCOL_UDP : PROTOCOL_TCP;
	uint32_t addresses = next(random, 0x10000);
	uint16_t header;

	content->checksum_start = ETHERNET_BYTES + (content->ip_version == 4 ? IPV4_BYTES : IPV6_BYTES);
	content->checksum_offset = udp ? 6 : 16;
	if (content->ip_version == 4) {
		memset(ip, 0, IPV4_BYTES);
		ip[0] = 0x45;
		put16(ip + 2, content->length - ETHERNET_BYTES);
		put16(ip + 4, next(random, 0x10000));
		ip[6] = 0x40;
		ip[8] = 64;
		ip[9] = protocol;
		put32(ip + 12, 0x0a000000 | addresses);
		put32(ip + 16, 0x0a010000 | addresses);
		header = (uint16_t)~fold(sum(ip, IPV4_BYTES));
		memcpy(ip + 10, &header, sizeof(header));
		return;
	}
	put32(ip, 0x60000000);
	put16(ip + 4, content->length - content->checksum_start);
	ip[6] = protocol;
	ip[7] = 64;
	memset(ip + 8, 0, 32);
	put32(ip + 8, 0xfd000000);
	put32(ip + 20, addresses);
	put32(ip + 24, 0xfd000001);
	put32(ip + 36, ~addresses);
}

/* put_transport - TCP's or UDP's header, without the checksum. */
static void put_transport(struct net_content *content, uint8_t *bytes, bool udp, uint32_t header_bytes,
			  uint64_t *random)
{
	uint8_t *header = bytes + content->checksum_start;

	memset(header, 0, header_bytes);
	put16(header, 1024 + next(random, 60000));
	put16(header + 2, 5001);
	if (udp) {
		put16(header + 4, content->length - content->checksum_start);
		return;
	}
	put32(header + 4, next(random, UINT32_MAX));
	put32(header + 8, next(random, UINT32_MAX));
	header[12] = (uint8_t)(header_bytes / 4 << 4);
	header[13] = 0x18; /* ACK, PSH */
	put16(header + 14, 0xffff);
	if (header_bytes > TCP_BYTES) {
		header[20] = header[21] = 1;
		header[22] = 8;
		header[23] = 10;
		put32(header + 24, next(random, UINT32_MAX));
	}
}

/* choose_version - IP's, as the length allows; with GSO one that is taken. */
static uint8_t choose_version(const struct net_content_options *options, uint32_t length, uint64_t *random)
{
	uint32_t choice = next(random, 5), tail_bytes = options->addressed ? TAIL_BYTES : 0;

	if (length > NET_CONTENT_MTU_BYTES) {
		if (!(options->takes & XVHOST_NET_GSO_TCPV6))
			return 4;
		if (!(options->takes & XVHOST_NET_GSO_TCPV4))
			return 6;
		return choice % 2 ? 4 : 6;
	}
	if (choice < 2 && length >= ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES + tail_bytes)
		return 4;
	if (choice < 4 && length >= ETHERNET_BYTES + IPV6_BYTES + UDP_BYTES + tail_bytes)
		return 6;
	return 0;
}

/* put_headers - all but Ethernet's addresses. Returns their bytes. */
static uint32_t put_headers(const struct net_content_options *options, struct net_content *content,
			    uint8_t *bytes, uint64_t *random)
{
	bool large = content->length > NET_CONTENT_MTU_BYTES, udp;
	uint32_t ip_bytes, header_bytes;

	content->ip_version = choose_version(options, content->length, random);
	put16(bytes + 12, content->ip_version == 0   ? TYPE_OTHER
			  : content->ip_version == 4 ? TYPE_IPV4
						     : TYPE_IPV6);
	if (content->ip_version == 0)
		return ETHERNET_BYTES;
	ip_bytes = content->ip_version == 4 ? IPV4_BYTES : IPV6_BYTES;
	header_bytes = next(random, 2) ? TCP_BYTES : TCP_BYTES + TCP_OPTION_BYTES;
	udp = !large &&
	      (next(random, 2) || content->length < ETHERNET_BYTES + ip_bytes + header_bytes + TAIL_BYTES);
	if (udp)
		header_bytes = UDP_BYTES;
	put_ip(content, bytes, udp, random);
	put_transport(content, bytes, udp, header_bytes, random);
	if (large)
		content->gso_bytes = (uint16_t)(NET_CONTENT_MTU_BYTES - ETHERNET_BYTES - ip_bytes -
						header_bytes - next(random, 2) * next(random, 900));
	return content->checksum_start + header_bytes;
}

static void put_numbers(uint8_t *at, uint8_t first, uint16_t stream, uint32_t number)
{
	at[0] = first;
	at[1] = (uint8_t)stream;
	put32(at + 2, number);
}

/* put_identity - the numbers, and the addresses. */
static void put_identity(const struct net_content_options *options, uint16_t stream, uint32_t number,
			 uint32_t length, uint8_t *bytes)
{
	if (!options->addressed) {
		put_numbers(bytes, DESTINATION_FIRST, stream, number);
		put_numbers(bytes + 6, SOURCE_FIRST, stream, number);
		return;
	}
	memcpy(bytes, options->destination, 6);
	memcpy(bytes + 6, options->source, 6);
	put16(bytes + length - TAIL_BYTES, (uint32_t)mix(options->seed) & 0xffff);
	put_numbers(bytes + length - 6, (uint8_t)(stream >> 8), stream, number);
}

void net_content_make(const struct net_content_options *options, uint16_t stream, uint32_t number,
		      struct net_content *content, uint8_t *bytes)
{
	uint64_t random = mix(mix(mix(options->seed) + stream) + number), word = random;
	uint32_t at, taken;
	uint16_t field;

	*content = (struct net_content){.length = choose_length(options, &random)};
	at = put_headers(options, content, bytes, &random);
	for (; at + 8 <= content->length; at += 8, word += STEP)
		memcpy(bytes + at, &word, 8);
	memcpy(bytes + at, &word, content->length - at);
	put_identity(options, stream, number, content->length, bytes);
	if (content->ip_version == 0)
		return;
	taken = content->ip_version == 4 ? XVHOST_NET_CHECKSUM_IPV4 : XVHOST_NET_CHECKSUM_IPV6;
	content->blank = content->gso_bytes > 0 || (options->takes & taken && next(&random, 3) > 0);
	content->good = content->blank || next(&random, 2);
	field = checksum(content, bytes, content->blank);
	memcpy(bytes + content->checksum_start + content->checksum_offset, &field, sizeof(field));
}

/* ---- looking ---- */

static uint32_t get32(const uint8_t *from)
{
	return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

bool net_content_identify(const struct net_content_options *options, const uint8_t *bytes, uint32_t length,
			  uint16_t *stream, uint32_t *number)
{
	const uint8_t *tail = bytes + length - 6;

	if (!options->addressed) {
		if (memcmp(bytes + 1, bytes + 7, 5) != 0)
			return false;
		*stream = bytes[1];
		*number = get32(bytes + 2);
		return true;
	}
	if (length < NET_CONTENT_ADDRESSED_BYTES ||
	    (uint32_t)(tail[-2] << 8 | tail[-1]) != ((uint32_t)mix(options->seed) & 0xffff))
		return false;
	*stream = (uint16_t)(tail[0] << 8 | tail[1]);
	*number = get32(tail + 2);
	return true;
}

__attribute__((format(printf, 2, 3))) static bool wrong(char text[NET_CONTENT_ERROR_MAX], const char *format,
							...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, NET_CONTENT_ERROR_MAX, format, arguments);
	va_end(arguments);
	return false;
}

/* check_checksum - what was sent blank may have been filled in since; and must be, where the receiver does not take it. */
static bool check_checksum(const struct net_content *content, const struct net_content_seen *seen,
			   char text[NET_CONTENT_ERROR_MAX])
{
	uint32_t at = content->checksum_start + content->checksum_offset;
	uint32_t taken = content->ip_version == 4 ? XVHOST_NET_CHECKSUM_IPV4 : XVHOST_NET_CHECKSUM_IPV6;
	uint16_t field, right;

	if (seen->blank && !content->blank)
		return wrong(text, "its checksum is said to be blank, and was not");
	if (seen->good && !content->good)
		return wrong(text, "its checksum is said to have been looked at, and was not");
	if (seen->blank && content->gso_bytes == 0 && !(seen->takes & taken))
		return wrong(text, "its checksum is blank, and the receiver does not take that");
	memcpy(&field, seen->bytes + at, sizeof(field));
	right = checksum(content, seen->bytes, seen->blank);
	if (field != right)
		return wrong(text, "its %s is %#06x instead of %#06x",
			     seen->blank ? "blank checksum" : "checksum", ntohs(field), ntohs(right));
	return true;
}

static bool check_gso(const struct net_content *content, const struct net_content_seen *seen,
		      char text[NET_CONTENT_ERROR_MAX])
{
	uint8_t version = content->gso_bytes > 0 ? content->ip_version : 0;

	if (seen->gso_bytes == content->gso_bytes && seen->gso_version == version)
		return true;
	return wrong(text, "it has segments of %u bytes (IPv%u) instead of %u (IPv%u)", seen->gso_bytes,
		     seen->gso_version, content->gso_bytes, version);
}

/* exchange - Ethernet's addresses, if that makes them the ones that were seen. */
static void exchange(const struct net_content_seen *seen, uint8_t *bytes)
{
	uint8_t destination[6];

	if (memcmp(seen->bytes, bytes + 6, 6) != 0 || memcmp(seen->bytes + 6, bytes, 6) != 0)
		return;
	memcpy(destination, bytes, 6);
	memcpy(bytes, bytes + 6, 6);
	memcpy(bytes + 6, destination, 6);
}

bool net_content_check(const struct net_content_options *options, uint16_t stream, uint32_t number,
		       const struct net_content_seen *seen, uint8_t *bytes, char text[NET_CONTENT_ERROR_MAX])
{
	struct net_content content;

	net_content_make(options, stream, number, &content, bytes);
	exchange(seen, bytes);
	if (seen->length != content.length)
		return wrong(text, "it has %" PRIu32 " bytes instead of %" PRIu32, seen->length,
			     content.length);
	if (content.ip_version == 0 && (seen->blank || seen->good))
		return wrong(text, "it has a checksum's flags, and no checksum");
	if (!check_gso(&content, seen, text))
		return false;
	if (content.ip_version != 0) {
		uint32_t at = content.checksum_start + content.checksum_offset;

		if (!check_checksum(&content, seen, text))
			return false;
		memcpy(bytes + at, seen->bytes + at, 2);
	}
	if (memcmp(seen->bytes, bytes, content.length) == 0)
		return true;
	for (uint32_t i = 0; i < content.length; i++)
		if (seen->bytes[i] != bytes[i])
			return wrong(text, "byte %" PRIu32 " of %" PRIu32 " is %#04x instead of %#04x", i,
				     content.length, seen->bytes[i], bytes[i]);
	return true;
}
