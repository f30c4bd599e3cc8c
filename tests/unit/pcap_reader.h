/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcap_reader.h - reads a pcapng file that backend pcap has written, and fails the test if it is not one
 */
#ifndef PCAP_READER_H
#define PCAP_READER_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCAP_READER_SECTIONS 16
#define PCAP_READER_IN 1u  /* what came from the guest */
#define PCAP_READER_OUT 2u /* what went to it */

struct pcap_reader_packet {
	const uint8_t *bytes;
	uint32_t captured, length, direction;
	uint64_t time_ns;
};

struct pcap_reader_section {
	char name[32], description[64]; /* of its interface */
	uint32_t first_packet;
	bool ended; /* has counts: */
	uint64_t packets, missing;
};

struct pcap_reader {
	uint8_t *file;
	size_t size;
	struct pcap_reader_section sections[PCAP_READER_SECTIONS];
	uint32_t section_count;
	struct pcap_reader_packet *packets;
	uint32_t packet_count;
};

static inline uint32_t pcap_reader_word(const uint8_t *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

static inline uint64_t pcap_reader_time(const uint8_t *at)
{
	return (uint64_t)pcap_reader_word(at) << 32 | pcap_reader_word(at + 4);
}

/* pcap_reader_option - the value of the option with this code, which must have so many bytes; 0 bytes: any number. NULL: there is none. */
static inline const uint8_t *pcap_reader_option(const uint8_t *at, const uint8_t *end, uint16_t code,
						uint16_t *bytes)
{
	for (;;) {
		uint16_t its, size;

		ck_assert_msg(at + 4 <= end, "options without an end");
		memcpy(&its, at, sizeof(its));
		memcpy(&size, at + 2, sizeof(size));
		ck_assert_msg(at + 4 + size <= end, "option %u has %u bytes, which is too much", its, size);
		if (its == 0) {
			ck_assert_msg(at + 4 == end, "something follows the options' end");
			return NULL;
		}
		if (its == code) {
			ck_assert(*bytes == 0 || *bytes == size);
			*bytes = size;
			return at + 4;
		}
		at += 4 + (size + 3u) / 4 * 4;
	}
}

static inline void pcap_reader_text(const uint8_t *at, const uint8_t *end, uint16_t code, char *text,
				    size_t size)
{
	uint16_t bytes = 0;
	const uint8_t *value = pcap_reader_option(at, end, code, &bytes);

	ck_assert_ptr_nonnull(value);
	ck_assert_uint_lt(bytes, size);
	memcpy(text, value, bytes);
}

static inline uint64_t pcap_reader_count(const uint8_t *at, const uint8_t *end, uint16_t code)
{
	uint16_t bytes = 8;
	const uint8_t *value = pcap_reader_option(at, end, code, &bytes);
	uint64_t count;

	ck_assert_ptr_nonnull(value);
	memcpy(&count, value, sizeof(count));
	return count;
}

static inline void pcap_reader_packet(struct pcap_reader *reader, const uint8_t *at, const uint8_t *end)
{
	struct pcap_reader_packet *packet = &reader->packets[reader->packet_count++];
	uint16_t bytes = 4;
	const uint8_t *flags;

	ck_assert(end - at >= 20 && reader->section_count > 0);
	ck_assert_uint_eq(pcap_reader_word(at), 0);
	packet->time_ns = pcap_reader_time(at + 4);
	packet->captured = pcap_reader_word(at + 12);
	packet->length = pcap_reader_word(at + 16);
	packet->bytes = at + 20;
	ck_assert_uint_le(packet->captured, packet->length);
	ck_assert_uint_le(packet->captured, (size_t)(end - at) - 20);
	flags = pcap_reader_option(at + 20 + (packet->captured + 3) / 4 * 4, end, 2, &bytes);
	ck_assert_ptr_nonnull(flags);
	packet->direction = pcap_reader_word(flags);
	ck_assert(packet->direction == PCAP_READER_IN || packet->direction == PCAP_READER_OUT);
}

static inline void pcap_reader_block(struct pcap_reader *reader, uint32_t type, const uint8_t *at,
				     const uint8_t *end)
{
	struct pcap_reader_section *section;
	uint16_t one = 1;

	if (type == 0x0a0d0d0a) {
		ck_assert_uint_lt(reader->section_count, PCAP_READER_SECTIONS);
		ck_assert_uint_eq(pcap_reader_word(at), 0x1a2b3c4d);
		ck_assert_uint_eq(pcap_reader_word(at + 4), 1);
		section = &reader->sections[reader->section_count++];
		*section = (struct pcap_reader_section){.first_packet = reader->packet_count};
		return;
	}
	ck_assert_uint_gt(reader->section_count, 0);
	section = &reader->sections[reader->section_count - 1];
	ck_assert(!section->ended);
	if (type == 1) {
		ck_assert_uint_eq(pcap_reader_word(at), 1);
		ck_assert_uint_eq(pcap_reader_word(at + 4), 65535);
		pcap_reader_text(at + 8, end, 2, section->name, sizeof(section->name));
		pcap_reader_text(at + 8, end, 3, section->description, sizeof(section->description));
		ck_assert_uint_eq(*pcap_reader_option(at + 8, end, 9, &one), 9);
	} else if (type == 5) {
		section->ended = true;
		section->packets = pcap_reader_count(at + 12, end, 4);
		section->missing = pcap_reader_count(at + 12, end, 5);
	} else {
		ck_assert_uint_eq(type, 6);
		ck_assert_msg(section->name[0], "a packet before its interface");
		pcap_reader_packet(reader, at, end);
	}
}

/* pcap_reader_read - the whole file. */
static inline void pcap_reader_read(struct pcap_reader *reader, const char *path)
{
	FILE *file = fopen(path, "r");
	size_t at = 0;

	*reader = (struct pcap_reader){0};
	ck_assert_msg(file, "can't open %s", path);
	fseek(file, 0, SEEK_END);
	reader->size = (size_t)ftell(file);
	rewind(file);
	reader->file = malloc(reader->size + 1);
	ck_assert_uint_eq(fread(reader->file, 1, reader->size, file), reader->size);
	fclose(file);
	/* A packet's block has 44 bytes and more. */
	reader->packets = calloc(reader->size / 44 + 1, sizeof(reader->packets[0]));
	while (at < reader->size) {
		const uint8_t *block = reader->file + at;
		uint32_t length;

		ck_assert_msg(reader->size - at >= 12, "%zu bytes at the end are no block",
			      reader->size - at);
		length = pcap_reader_word(block + 4);
		ck_assert_msg(length % 4 == 0 && length >= 12 && length <= reader->size - at,
			      "the block at %zu has %u bytes", at, length);
		ck_assert_uint_eq(pcap_reader_word(block + length - 4), length);
		pcap_reader_block(reader, pcap_reader_word(block), block + 8, block + length - 4);
		at += length;
	}
}

static inline void pcap_reader_free(struct pcap_reader *reader)
{
	free(reader->packets);
	free(reader->file);
}

#endif
