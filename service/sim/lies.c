// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lies.c - what a liar can say
 */
#include "sim/liar_internal.h"

#include <string.h>
#include <time.h>
#include <xen/io/blkif.h>

/* some - one of the request's segments. */
static struct front_segment *some(struct liar *liar, const struct front_wire *wire,
				  struct front_segment *segments)
{
	return &segments[liar_random(liar, wire->segment_count)];
}

/* ---- requests: how many segments ---- */

static void no_segments(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	(void)liar;
	(void)segments;
	wire->segment_count = 0;
}

/* fill_up - all that an entry can hold. */
static void fill_up(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	for (uint32_t i = wire->segment_count; i < FRONT_DIRECT_SEGMENTS; i++)
		segments[i] = (struct front_segment){
			.gref = liar->pages[i].gref, .first_sector = 0, .last_sector = 7};
}

static void twelve_segments(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	fill_up(liar, wire, segments);
	wire->segment_count = 12;
}

static void many_segments(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	fill_up(liar, wire, segments);
	wire->segment_count = (uint16_t)(13 + liar_random(liar, 243));
}

/* ---- requests: which sectors ---- */

static void last_before_first(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	struct front_segment *segment = some(liar, wire, segments);

	segment->first_sector = (uint8_t)(1 + liar_random(liar, 255));
	segment->last_sector = (uint8_t)liar_random(liar, segment->first_sector);
}

static void last_beyond_page(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	some(liar, wire, segments)->last_sector = (uint8_t)(8 + liar_random(liar, 248));
}

static void same_page(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	for (uint32_t i = 0; i < wire->segment_count; i++)
		segments[i] = (struct front_segment){
			.gref = liar->pages[0].gref, .first_sector = (uint8_t)(i % 8), .last_sector = 7};
	wire->sector = 0;
}

static void beyond_end(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	(void)segments;
	wire->sector = liar->disk_sectors + liar_random(liar, 1u << 20);
}

static void over_end(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	segments[0].first_sector = 0;
	segments[0].last_sector = 7;
	wire->sector = liar->disk_sectors - 1 - liar_random(liar, 7);
}

static void sum_overflows(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	(void)segments;
	wire->sector = UINT64_MAX - liar_random(liar, 90);
}

static void bytes_overflow(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	(void)segments;
	/* The byte that this is, is a small number in 64 bits. */
	wire->sector = (1 + liar_random(liar, 511)) << 55;
}

/* ---- requests: which grants ---- */

static void withdrawn(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	some(liar, wire, segments)->gref = liar->withdrawn.gref;
}

static void never_granted(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	some(liar, wire, segments)->gref = (uint32_t)liar_random(liar, 8);
}

static void beyond_table(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	some(liar, wire, segments)->gref = UINT32_MAX - (uint32_t)liar_random(liar, 1u << 31);
}

static void read_only(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	some(liar, wire, segments)->gref = liar->read_only.gref;
}

static void other_domain(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	some(liar, wire, segments)->gref = liar->foreign.gref;
}

static void lost_frame(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	some(liar, wire, segments)->gref = liar->lost.gref;
}

/* ---- requests: which operation ---- */

static void unknown_operation(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	(void)segments;
	wire->operation = (uint8_t)(liar_random(liar, 10) == 0 ? 4 : 7 + liar_random(liar, 249));
}

static void discard_nothing(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	(void)liar;
	(void)segments;
	wire->discard_sectors = 0;
}

static void discard_too_much(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	(void)segments;
	wire->discard_sectors = liar_random(liar, 2) ? liar->disk_sectors - wire->sector + 1
						     : UINT64_MAX - wire->sector;
}

static void discard_overflows(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	(void)segments;
	wire->sector = UINT64_MAX - liar_random(liar, 10);
	wire->discard_sectors = 20;
}

static void discard_flags(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	(void)segments;
	wire->flag = (uint8_t)(1 + liar_random(liar, 255));
}

/* ---- indirect requests ---- */

static void indirect_too_many(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	(void)segments;
	wire->segment_count = (uint16_t)(liar->options.frontend->features.indirect_segments + 1 +
					 liar_random(liar, 60000));
}

static void indirect_operation(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	(void)segments;
	wire->indirect_operation = (uint8_t)(2 + liar_random(liar, 254));
}

static void indirect_withdrawn(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	(void)segments;
	wire->indirect_grefs[0] = liar->withdrawn.gref;
}

static void indirect_beyond_table(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	(void)segments;
	wire->indirect_grefs[0] = UINT32_MAX - (uint32_t)liar_random(liar, 1000);
}

static void indirect_read_only(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	memcpy(liar->read_only.memory, segments, wire->segment_count * sizeof(segments[0]));
	wire->indirect_grefs[0] = liar->read_only.gref;
}

static void indirect_itself(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	some(liar, wire, segments)->gref = liar->indirect.gref;
}

/* ---- deeds: counters ---- */

static void show_producer(struct liar *liar, uint32_t producer)
{
	__atomic_store_n(&liar_header(liar)->request_producer, producer, __ATOMIC_RELEASE);
	sim_port_notify(liar->guest, liar->port);
}

static void producer_too_far(struct liar *liar)
{
	/* One more than there are entries that are not answered yet, if the host has answered all. */
	show_producer(liar, liar->ring->request_producer + liar->ring->size + 1);
}

static void producer_anywhere(struct liar *liar)
{
	show_producer(liar, liar->ring->request_producer + liar->ring->size + 1 +
				    (uint32_t)liar_random(liar, UINT32_MAX - 4 * liar->ring->size));
}

static void producer_backwards(struct liar *liar)
{
	liar_show(liar);
	liar_collect(liar);
	show_producer(liar, liar->ring->request_producer - 1);
}

static void producer_again(struct liar *liar)
{
	for (int i = 0; i < 20; i++)
		liar_show(liar);
}

/* ---- deeds: the header's other counters, and the entries ---- */

static void response_producer_nonsense(struct liar *liar)
{
	__atomic_store_n(&liar_header(liar)->response_producer,
			 liar->ring->response_consumer + (1u << 30) + (uint32_t)liar_random(liar, 1u << 30),
			 __ATOMIC_RELEASE);
}

static void request_event_nonsense(struct liar *liar)
{
	__atomic_store_n(&liar_header(liar)->request_event, (uint32_t)liar_random(liar, UINT32_MAX),
			 __ATOMIC_RELEASE);
}

static void response_event_nonsense(struct liar *liar)
{
	liar_put_honest(liar, 2);
	__atomic_store_n(&liar_header(liar)->response_event, (uint32_t)liar_random(liar, UINT32_MAX),
			 __ATOMIC_RELEASE);
	liar_show(liar);
}

static void free_entries_scribbled(struct liar *liar)
{
	uint8_t bytes[FRONT_ENTRY_MAX];

	for (uint32_t i = 0; i < front_ring_free(liar->ring); i++) {
		for (size_t j = 0; j < sizeof(bytes); j++)
			bytes[j] = (uint8_t)liar_random(liar, 256);
		front_ring_write(liar->ring, liar->ring->request_producer + i, bytes,
				 liar->ring->entry_bytes);
	}
}

/* The host writes a disk's sectors over the ring, because it was told to. */
static void ring_is_read_into(struct liar *liar)
{
	const struct front_segment segments[] = {
		{liar->ring->grefs[liar_random(liar, liar->ring->page_count)], 0, 7, 0}};
	struct front_wire wire = {
		.operation = BLKIF_OP_READ,
		.segment_count = 1,
		.sector = liar_random(liar, liar->disk_sectors - 8),
		.segments = segments,
	};

	liar_put_false(liar, &wire);
	liar_show(liar);
}

static void ring_is_written(struct liar *liar, struct front_wire *wire, struct front_segment *segments)
{
	some(liar, wire, segments)->gref = liar->ring->grefs[0];
}

/* ---- deeds: while the host works on it ---- */

/* pause_a_little - so that the host is sometimes before it, sometimes in the middle, sometimes done. */
static void pause_a_little(struct liar *liar)
{
	const struct timespec pause = {.tv_nsec = (long)liar_random(liar, 100000)};

	nanosleep(&pause, NULL);
}

/* use_fickle - a request on the page whose grant is about to change. */
static void use_fickle(struct liar *liar)
{
	struct front_segment segments[FRONT_DIRECT_SEGMENTS];
	struct front_wire wire;

	liar_valid(liar, liar_random(liar, 2) ? BLKIF_OP_READ : BLKIF_OP_WRITE, FRONT_DIRECT_SEGMENTS, &wire,
		   segments);
	some(liar, &wire, segments)->gref = liar->fickle.gref;
	liar_put_false(liar, &wire);
	liar_show(liar);
}

static void withdrawn_in_use(struct liar *liar)
{
	uint16_t *flags = sim_grant_entry(liar->guest, liar->fickle.gref);
	uint16_t before = __atomic_load_n(flags, __ATOMIC_SEQ_CST) & GTF_type_mask;

	use_fickle(liar);
	pause_a_little(liar);
	__atomic_fetch_and(flags, (uint16_t)~GTF_type_mask, __ATOMIC_SEQ_CST);
	liar_collect(liar);
	__atomic_fetch_or(flags, before, __ATOMIC_SEQ_CST);
}

static void moved_in_use(struct liar *liar)
{
	const uint32_t version = liar->options.grant_version;
	uint64_t other = liar->pages[liar_random(liar, LIAR_PAGES)].frame;

	use_fickle(liar);
	pause_a_little(liar);
	liar_page_set_frame(liar->guest, &liar->fickle, version, other);
	liar_collect(liar);
	liar_page_set_frame(liar->guest, &liar->fickle, version, liar->fickle.frame);
}

/* settle - let all be answered first, so that what is written over an entry hits no honest request's answer. */
static void settle(struct liar *liar)
{
	liar_show(liar);
	liar_collect(liar);
}

static void request_changed(struct liar *liar)
{
	struct front_segment segments[FRONT_DIRECT_SEGMENTS];
	uint8_t bytes[FRONT_ENTRY_MAX];
	struct front_wire wire;
	uint32_t at = liar->ring->request_producer;

	settle(liar);
	liar_valid(liar, BLKIF_OP_READ, FRONT_DIRECT_SEGMENTS, &wire, segments);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)liar_random(liar, 256);
	liar_put_false(liar, &wire);
	liar_show(liar);
	front_ring_write(liar->ring, at, bytes, liar->ring->entry_bytes);
	liar_collect(liar);
}

/* The first entry of the page is not divided; other requests come after the thread has ended. */
static void request_scribbled(struct liar *liar)
{
	settle(liar);
	for (int i = 0; i < 4; i++) {
		struct front_segment segments[FRONT_DIRECT_SEGMENTS];
		struct front_wire wire;

		liar_valid(liar, BLKIF_OP_WRITE, FRONT_DIRECT_SEGMENTS, &wire, segments);
		/* Only in the first page can it be said simply which entries are whole. */
		while ((liar->ring->request_producer & (liar->ring->size - 1)) > 20) {
			liar_put_honest(liar, 1);
			settle(liar);
		}
		liar_put_false(liar, &wire);
		liar_scribbler_begin(&liar->scribbler, liar_entry_at(liar, liar->ring->request_producer - 1),
				     64);
		liar_show(liar);
		pause_a_little(liar);
		liar_scribbler_end(&liar->scribbler);
		liar_collect(liar);
	}
}

static void segments_scribbled(struct liar *liar)
{
	struct front_segment segments[FRONT_DIRECT_SEGMENTS];
	struct front_wire wire;

	liar_valid(liar, BLKIF_OP_READ, FRONT_DIRECT_SEGMENTS, &wire, segments);
	liar_make_indirect(liar, &wire);
	liar_scribbler_begin(&liar->scribbler, liar->indirect.memory,
			     wire.segment_count * (uint32_t)sizeof(segments[0]));
	liar_put_false(liar, &wire);
	liar_show(liar);
	pause_a_little(liar);
	liar_scribbler_end(&liar->scribbler);
	liar_collect(liar);
}

static void data_scribbled(struct liar *liar)
{
	liar_scribbler_begin(&liar->scribbler, liar->pages[0].memory, PAGE_BYTES);
	for (int i = 0; i < 4; i++) {
		struct front_segment segments[FRONT_DIRECT_SEGMENTS];
		struct front_wire wire;

		liar_valid(liar, BLKIF_OP_WRITE, FRONT_DIRECT_SEGMENTS, &wire, segments);
		segments[0].gref = liar->pages[0].gref;
		liar_put_false(liar, &wire);
	}
	liar_show(liar);
	liar_collect(liar);
	liar_scribbler_end(&liar->scribbler);
}

/* ---- deeds: what is legal, and odd ---- */

static void same_id(struct liar *liar)
{
	uint32_t id = liar->next_id;

	for (int i = 0; i < 8; i++) {
		struct front_segment segments[FRONT_DIRECT_SEGMENTS];
		struct front_wire wire;

		liar_valid(liar, BLKIF_OP_READ, FRONT_DIRECT_SEGMENTS, &wire, segments);
		liar->next_id = id;
		liar_put_false(liar, &wire);
	}
	liar_show(liar);
}

static void event_storm(struct liar *liar)
{
	for (int i = 0; i < 2000; i++)
		sim_port_notify(liar->guest, liar->port);
}

static void many_barriers(struct liar *liar)
{
	for (int i = 0; i < 10; i++) {
		struct front_segment segments[FRONT_DIRECT_SEGMENTS];
		struct front_wire wire;

		liar_valid(liar, i % 3 == 2 ? BLKIF_OP_FLUSH_DISKCACHE : BLKIF_OP_WRITE_BARRIER,
			   FRONT_DIRECT_SEGMENTS, &wire, segments);
		if (i % 2)
			wire.segment_count = 0;
		liar_put_false(liar, &wire);
		liar_put_honest(liar, 1);
	}
	liar_show(liar);
	liar_collect(liar);
}

static void full_ring(struct liar *liar)
{
	liar_put_honest(liar, front_ring_free(liar->ring));
	liar_show(liar);
	liar_collect(liar);
}

/* ---- the list ---- */

#define READ BLKIF_OP_READ
#define WRITE BLKIF_OP_WRITE
#define DISCARD BLKIF_OP_DISCARD

const struct lie lies[] = {
	{"no-segments", LIE_REFUSED, no_segments, false, READ, NULL},
	{"12-segments", LIE_REFUSED, twelve_segments, false, READ, NULL},
	{"many-segments", LIE_REFUSED, many_segments, false, WRITE, NULL},
	{"last-sector-before-first", LIE_REFUSED, last_before_first, false, WRITE, NULL},
	{"last-sector-beyond-page", LIE_REFUSED, last_beyond_page, false, READ, NULL},
	{"one-page-for-all-segments", LIE_HARMLESS, same_page, false, READ, NULL},
	{"beyond-the-end", LIE_REFUSED, beyond_end, false, WRITE, NULL},
	{"over-the-end", LIE_REFUSED, over_end, false, WRITE, NULL},
	{"sectors-overflow", LIE_REFUSED, sum_overflows, false, READ, NULL},
	{"bytes-overflow", LIE_REFUSED, bytes_overflow, false, WRITE, NULL},
	{"grant-withdrawn", LIE_REFUSED, withdrawn, false, WRITE, NULL},
	{"grant-never-given", LIE_REFUSED, never_granted, false, READ, NULL},
	{"grant-beyond-the-table", LIE_REFUSED, beyond_table, false, READ, NULL},
	{"grant-read-only-for-a-read", LIE_REFUSED, read_only, false, READ, NULL},
	{"grant-read-only-for-a-write", LIE_HARMLESS, read_only, false, WRITE, NULL},
	{"grant-of-another-domain", LIE_REFUSED, other_domain, false, READ, NULL},
	{"grant-of-no-frame", LIE_REFUSED, lost_frame, false, WRITE, NULL},
	{"grant-withdrawn-in-use", LIE_ANYTHING, NULL, false, 0, withdrawn_in_use},
	{"grant-moved-in-use", LIE_ANYTHING, NULL, false, 0, moved_in_use},
	{"unknown-operation", LIE_REFUSED, unknown_operation, false, READ, NULL},
	{"discard-nothing", LIE_REFUSED, discard_nothing, false, DISCARD, NULL},
	{"discard-too-much", LIE_REFUSED, discard_too_much, false, DISCARD, NULL},
	{"discard-overflow", LIE_REFUSED, discard_overflows, false, DISCARD, NULL},
	{"discard-unknown-flags", LIE_REFUSED, discard_flags, false, DISCARD, NULL},
	{"indirect-no-segments", LIE_REFUSED, no_segments, true, READ, NULL},
	{"indirect-too-many-segments", LIE_REFUSED, indirect_too_many, true, WRITE, NULL},
	{"indirect-unknown-operation", LIE_REFUSED, indirect_operation, true, READ, NULL},
	{"indirect-page-withdrawn", LIE_REFUSED, indirect_withdrawn, true, READ, NULL},
	{"indirect-page-beyond-the-table", LIE_REFUSED, indirect_beyond_table, true, WRITE, NULL},
	{"indirect-page-read-only", LIE_HARMLESS, indirect_read_only, true, WRITE, NULL},
	{"indirect-page-is-data", LIE_HARMLESS, indirect_itself, true, READ, NULL},
	{"indirect-last-sector-before-first", LIE_REFUSED, last_before_first, true, READ, NULL},
	{"indirect-last-sector-beyond-page", LIE_REFUSED, last_beyond_page, true, WRITE, NULL},
	{"indirect-beyond-the-end", LIE_REFUSED, beyond_end, true, WRITE, NULL},
	{"indirect-sectors-overflow", LIE_REFUSED, sum_overflows, true, WRITE, NULL},
	{"indirect-grant-withdrawn", LIE_REFUSED, withdrawn, true, READ, NULL},
	{"indirect-grant-read-only-for-a-read", LIE_REFUSED, read_only, true, READ, NULL},
	{"indirect-grant-of-another-domain", LIE_REFUSED, other_domain, true, WRITE, NULL},
	{"indirect-segments-change", LIE_ANYTHING, NULL, false, 0, segments_scribbled},
	{"request-changed-after-it-was-shown", LIE_ANYTHING, NULL, false, 0, request_changed},
	{"request-changes-while-it-is-read", LIE_ANYTHING, NULL, false, 0, request_scribbled},
	{"data-changes-while-it-is-written", LIE_HARMLESS, NULL, false, 0, data_scribbled},
	{"ring-is-written-to-the-disk", LIE_HARMLESS, ring_is_written, false, WRITE, NULL},
	{"same-id-for-all", LIE_HARMLESS, NULL, false, 0, same_id},
	{"event-storm", LIE_HARMLESS, NULL, false, 0, event_storm},
	{"many-barriers", LIE_HARMLESS, NULL, false, 0, many_barriers},
	{"full-ring", LIE_HARMLESS, NULL, false, 0, full_ring},
	{"same-producer-again", LIE_HARMLESS, NULL, false, 0, producer_again},
	{"host-counter-overwritten", LIE_HARMLESS, NULL, false, 0, response_producer_nonsense},
	{"request-event-overwritten", LIE_HARMLESS, NULL, false, 0, request_event_nonsense},
	{"response-event-nonsense", LIE_HARMLESS, NULL, false, 0, response_event_nonsense},
	{"free-entries-scribbled", LIE_HARMLESS, NULL, false, 0, free_entries_scribbled},
	{"producer-too-far", LIE_BREAKS, NULL, false, 0, producer_too_far},
	{"producer-anywhere", LIE_BREAKS, NULL, false, 0, producer_anywhere},
	{"producer-backwards", LIE_BREAKS, NULL, false, 0, producer_backwards},
	{"ring-is-read-into", LIE_RUINS, NULL, false, 0, ring_is_read_into},
};

const uint32_t lie_count = sizeof(lies) / sizeof(lies[0]);
