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
	uint32_t indirect_grefs;
	uint32_t discard_sectors;
	uint32_t response_bytes;
};

/*
 * Offsets that both have: operation 0, nr_segments 1, handle 2; of an indirect request indirect_op 1, nr_segments 2; of a
 * discard request flag 1;
 * response: id 0, operation 8, status 10.
 */
static const struct layout layouts[] = {
	[BLKIF_X86_64] = {112, 8, 16, 24, 28, 24, 16},
	[BLKIF_X86_32] = {108, 4, 12, 20, 24, 20, 12},
};

static_assert(sizeof(struct blkif_request) == 112, "x86_64 layout");
static_assert(sizeof(struct blkif_request) == BLKIF_ENTRY_MAX, "largest entry");
static_assert(offsetof(struct blkif_request, nr_segments) == 1, "x86_64 layout");
static_assert(offsetof(struct blkif_request, id) == 8, "x86_64 layout");
static_assert(offsetof(struct blkif_request, sector_number) == 16, "x86_64 layout");
static_assert(offsetof(struct blkif_request, seg) == 24, "x86_64 layout");
static_assert(sizeof(struct blkif_request_segment) == BLKIF_SEGMENT_BYTES, "x86_64 layout");
static_assert(offsetof(struct blkif_request_indirect, indirect_op) == 1, "x86_64 layout");
static_assert(offsetof(struct blkif_request_indirect, nr_segments) == 2, "x86_64 layout");
static_assert(offsetof(struct blkif_request_indirect, id) == 8, "x86_64 layout");
static_assert(offsetof(struct blkif_request_indirect, sector_number) == 16, "x86_64 layout");
static_assert(offsetof(struct blkif_request_indirect, indirect_grefs) == 28, "x86_64 layout");
static_assert(offsetof(struct blkif_request_discard, flag) == 1, "x86_64 layout");
static_assert(offsetof(struct blkif_request_discard, id) == 8, "x86_64 layout");
static_assert(offsetof(struct blkif_request_discard, sector_number) == 16, "x86_64 layout");
static_assert(offsetof(struct blkif_request_discard, nr_sectors) == 24, "x86_64 layout");
static_assert(sizeof(struct blkif_response) == 16, "x86_64 layout");
static_assert(offsetof(struct blkif_response, operation) == 8, "x86_64 layout");
static_assert(offsetof(struct blkif_response, status) == 10, "x86_64 layout");
static_assert(BLKIF_DIRECT_SEGMENTS_MAX == BLKIF_MAX_SEGMENTS_PER_REQUEST, "segments");
static_assert(BLKIF_SEGMENTS_MAX * BLKIF_SEGMENT_BYTES <= 4096, "one page of segments");

static uint64_t load_u64(const uint8_t *from)
{
	uint64_t value;

	memcpy(&value, from, sizeof(value));
	return value;
}

static void load_segments(const uint8_t *from, uint32_t count, struct blkif_wire_segment *segments)
{
	for (uint32_t i = 0; i < count; i++, from += BLKIF_SEGMENT_BYTES) {
		memcpy(&segments[i].gref, from, sizeof(uint32_t));
		segments[i].first_sector = from[4];
		segments[i].last_sector = from[5];
	}
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
	count = request->segment_count;
	if (count > BLKIF_DIRECT_SEGMENTS_MAX)
		count = BLKIF_DIRECT_SEGMENTS_MAX;
	load_segments(entry + layout->request_segments, count, request->segments);
}

bool blkif_is_indirect(const uint8_t entry[BLKIF_ENTRY_MAX])
{
	return entry[0] == BLKIF_OP_INDIRECT;
}

uint32_t blkif_decode_indirect(enum blkif_protocol protocol, const uint8_t entry[BLKIF_ENTRY_MAX],
			       struct blkif_wire_request *request)
{
	const struct layout *layout = &layouts[protocol];
	uint32_t gref;

	request->operation = entry[1];
	memcpy(&request->segment_count, entry + 2, sizeof(request->segment_count));
	request->id = load_u64(entry + layout->request_id);
	request->sector = load_u64(entry + layout->request_sector);
	memcpy(&gref, entry + layout->indirect_grefs, sizeof(gref));
	return gref;
}

void blkif_decode_segments(const uint8_t *page, struct blkif_wire_request *request)
{
	load_segments(page, request->segment_count, request->segments);
}

bool blkif_is_discard(const uint8_t entry[BLKIF_ENTRY_MAX])
{
	return entry[0] == BLKIF_OP_DISCARD;
}

void blkif_decode_discard(enum blkif_protocol protocol, const uint8_t entry[BLKIF_ENTRY_MAX],
			  struct blkif_wire_discard *request)
{
	const struct layout *layout = &layouts[protocol];

	request->flags = entry[1];
	request->id = load_u64(entry + layout->request_id);
	request->sector = load_u64(entry + layout->request_sector);
	request->sectors = load_u64(entry + layout->discard_sectors);
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
