// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blkif_wire.c - blkif requests and responses as they lie in the ring
 *
 * The layouts are tables of offsets rather than two sets of structures, so that one decoder serves both. That
 * the x86_64 row agrees with Xen's header is checked when this is compiled.
 */
#include "rings/blkif_wire.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>
#include <xen/io/blkif.h>

struct layout {
	uint32_t request_bytes;
	uint32_t request_id;
	uint32_t request_sector;
	uint32_t request_segments;
	uint32_t response_bytes;
};

/* Offsets that both have: operation 0, nr_segments 1, handle 2; response: id 0, operation 8, status 10. */
static const struct layout layouts[] = {
	[BLKIF_X86_64] = {112, 8, 16, 24, 16},
	[BLKIF_X86_32] = {108, 4, 12, 20, 12},
};

#define SEGMENT_BYTES 8

static_assert(sizeof(struct blkif_request) == 112, "x86_64 layout");
static_assert(sizeof(struct blkif_request) == BLKIF_ENTRY_MAX, "largest entry");
static_assert(offsetof(struct blkif_request, nr_segments) == 1, "x86_64 layout");
static_assert(offsetof(struct blkif_request, id) == 8, "x86_64 layout");
static_assert(offsetof(struct blkif_request, sector_number) == 16, "x86_64 layout");
static_assert(offsetof(struct blkif_request, seg) == 24, "x86_64 layout");
static_assert(sizeof(struct blkif_request_segment) == SEGMENT_BYTES, "x86_64 layout");
static_assert(sizeof(struct blkif_response) == 16, "x86_64 layout");
static_assert(offsetof(struct blkif_response, operation) == 8, "x86_64 layout");
static_assert(offsetof(struct blkif_response, status) == 10, "x86_64 layout");
static_assert(BLKIF_SEGMENTS_MAX == BLKIF_MAX_SEGMENTS_PER_REQUEST, "segments");

static uint64_t load_u64(const uint8_t *from)
{
	uint64_t value;

	memcpy(&value, from, sizeof(value));
	return value;
}

uint32_t blkif_entry_bytes(enum blkif_protocol protocol)
{
	return layouts[protocol].request_bytes;
}

void blkif_decode(enum blkif_protocol protocol, const uint8_t entry[BLKIF_ENTRY_MAX],
		  struct blkif_wire_request *request)
{
	const struct layout *layout = &layouts[protocol];
	uint32_t count;

	request->operation = entry[0];
	request->segment_count = entry[1];
	request->id = load_u64(entry + layout->request_id);
	request->sector = load_u64(entry + layout->request_sector);
	count = request->segment_count <= BLKIF_SEGMENTS_MAX ? request->segment_count : BLKIF_SEGMENTS_MAX;
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *segment = entry + layout->request_segments + (size_t)i * SEGMENT_BYTES;

		memcpy(&request->segments[i].gref, segment, sizeof(uint32_t));
		request->segments[i].first_sector = segment[4];
		request->segments[i].last_sector = segment[5];
	}
}

uint32_t blkif_encode(enum blkif_protocol protocol, uint64_t id, uint8_t operation, int16_t status,
		      uint8_t entry[BLKIF_ENTRY_MAX])
{
	uint32_t bytes = layouts[protocol].response_bytes;

	memset(entry, 0, bytes);
	memcpy(entry, &id, sizeof(id));
	entry[8] = operation;
	memcpy(entry + 10, &status, sizeof(status));
	return bytes;
}
