// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pcap_blocks.c - the blocks of a pcapng file, as bytes
 */
#include <assert.h>
#include <string.h>

#include "pcap_blocks.h"

enum {
	SECTION_HEADER = 0x0a0d0d0a,
	INTERFACE_DESCRIPTION = 1,
	INTERFACE_STATISTICS = 5,
	ENHANCED_PACKET = 6
};

enum {
	OPTION_PROGRAM = 4,	/* of a section: who has written it */
	OPTION_NAME = 2,	/* of an interface */
	OPTION_DESCRIPTION = 3, /* the same */
	OPTION_RESOLUTION = 9,	/* the same: of times, as a power of 10 */
	OPTION_FLAGS = 2,	/* of a packet: the direction */
	OPTION_BEGAN = 2,	/* of statistics */
	OPTION_ENDED = 3,
	OPTION_RECEIVED = 4,
	OPTION_DROPPED = 5
};

#define OPTIONS_END 0u /* an option of this code, without a value */
#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define VERSION_MAJOR 1
#define VERSION_MINOR 0
#define LINK_ETHERNET 1
#define NANOSECONDS 9
#define TEXT_BYTES_MAX 128u /* of a name */
#define PACKET_HEAD_BYTES 28u
#define PACKET_TAIL_BYTES 16u /* the flags, the end of the options, the length */

/* Where the next bytes go. */
struct pen {
	uint8_t *start, *at;
};

static void put(struct pen *pen, const void *bytes, uint32_t count)
{
	memcpy(pen->at, bytes, count);
	pen->at += count;
}

static void put16(struct pen *pen, uint16_t value)
{
	put(pen, &value, sizeof(value));
}

static void put32(struct pen *pen, uint32_t value)
{
	put(pen, &value, sizeof(value));
}

/* put_time - the upper half comes first, whatever the byte order. */
static void put_time(struct pen *pen, uint64_t ns)
{
	put32(pen, (uint32_t)(ns >> 32));
	put32(pen, (uint32_t)ns);
}

/* pad - up to a multiple of 4 bytes. Blocks begin at one. */
static void pad(struct pen *pen)
{
	while ((pen->at - pen->start) % 4 != 0)
		*pen->at++ = 0;
}

static void put_option(struct pen *pen, uint16_t code, const void *value, uint16_t bytes)
{
	put16(pen, code);
	put16(pen, bytes);
	put(pen, value, bytes);
	pad(pen);
}

static void put_text(struct pen *pen, uint16_t code, const char *text)
{
	put_option(pen, code, text, (uint16_t)strnlen(text, TEXT_BYTES_MAX));
}

/* begin_block - a block, whose length is not known yet. Returns where it begins. */
static uint8_t *begin_block(struct pen *pen, uint32_t type)
{
	uint8_t *block = pen->at;

	put32(pen, type);
	put32(pen, 0);
	return block;
}

/* end_block - the one that begins there. */
static void end_block(struct pen *pen, uint8_t *block)
{
	uint32_t bytes = (uint32_t)(pen->at - block) + (uint32_t)sizeof(bytes);

	put32(pen, bytes);
	memcpy(block + sizeof(uint32_t), &bytes, sizeof(bytes));
}

uint32_t pcap_put_beginning(uint8_t *to, const struct xvhost_net *net)
{
	struct pen pen = {to, to};
	uint8_t *block = begin_block(&pen, SECTION_HEADER), resolution = NANOSECONDS;
	uint64_t unknown = UINT64_MAX; /* how long the section is */

	put32(&pen, BYTE_ORDER_MAGIC);
	put16(&pen, VERSION_MAJOR);
	put16(&pen, VERSION_MINOR);
	put(&pen, &unknown, sizeof(unknown));
	put_text(&pen, OPTION_PROGRAM, "xvhost");
	put32(&pen, OPTIONS_END);
	end_block(&pen, block);
	block = begin_block(&pen, INTERFACE_DESCRIPTION);
	put16(&pen, LINK_ETHERNET);
	put16(&pen, 0);
	/* The largest that there can be, whatever is kept of it: libpcap wants that to be the same in all sections. */
	put32(&pen, XVHOST_NET_BYTES_MAX);
	put_text(&pen, OPTION_NAME, net->interface);
	put_text(&pen, OPTION_DESCRIPTION, net->name);
	put_option(&pen, OPTION_RESOLUTION, &resolution, sizeof(resolution));
	put32(&pen, OPTIONS_END);
	end_block(&pen, block);
	assert(pen.at - to <= (ptrdiff_t)PCAP_BEGINNING_BYTES_MAX);
	return (uint32_t)(pen.at - to);
}

uint32_t pcap_packet_bytes(uint32_t captured_bytes)
{
	return PACKET_HEAD_BYTES + (captured_bytes + 3) / 4 * 4 + PACKET_TAIL_BYTES;
}

void pcap_put_packet(uint8_t *to, const struct xvhost_packet *packet, uint32_t captured_bytes,
		     enum pcap_direction direction, uint64_t time_ns)
{
	struct pen pen = {to, to};
	uint8_t *block = begin_block(&pen, ENHANCED_PACKET);
	uint32_t flags = direction, left = captured_bytes;

	put32(&pen, 0); /* the section's only interface */
	put_time(&pen, time_ns);
	put32(&pen, captured_bytes);
	put32(&pen, packet->length);
	for (uint32_t i = 0; left > 0; i++) {
		uint32_t bytes = packet->iov[i].iov_len < left ? (uint32_t)packet->iov[i].iov_len : left;

		put(&pen, packet->iov[i].iov_base, bytes);
		left -= bytes;
	}
	pad(&pen);
	put_option(&pen, OPTION_FLAGS, &flags, sizeof(flags));
	put32(&pen, OPTIONS_END);
	end_block(&pen, block);
	assert(pen.at - to == (ptrdiff_t)pcap_packet_bytes(captured_bytes));
}

/* put_time_option - the halves as elsewhere. */
static void put_time_option(struct pen *pen, uint16_t code, uint64_t ns)
{
	put16(pen, code);
	put16(pen, sizeof(ns));
	put_time(pen, ns);
}

void pcap_put_counts(uint8_t *to, const struct pcap_counts *counts)
{
	struct pen pen = {to, to};
	uint8_t *block = begin_block(&pen, INTERFACE_STATISTICS);

	put32(&pen, 0);
	put_time(&pen, counts->ended_ns);
	put_time_option(&pen, OPTION_BEGAN, counts->began_ns);
	put_time_option(&pen, OPTION_ENDED, counts->ended_ns);
	put_option(&pen, OPTION_RECEIVED, &counts->packets, sizeof(counts->packets));
	put_option(&pen, OPTION_DROPPED, &counts->missing, sizeof(counts->missing));
	put32(&pen, OPTIONS_END);
	end_block(&pen, block);
	assert(pen.at - to == (ptrdiff_t)PCAP_COUNTS_BYTES);
}

bool pcap_is_beginning(uint32_t word)
{
	return word == SECTION_HEADER;
}
