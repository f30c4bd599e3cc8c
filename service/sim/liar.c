// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * liar.c - a hostile guest: rings that are right but for one thing
 */
#include "sim/liar_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xen/io/blkif.h>

#define HONEST_MARK (UINT64_C(0x4e) << 56)
#define FALSE_MARK (UINT64_C(0x11) << 56)
#define ANSWER_TIMEOUT_MS 10000
#define QUIET_MS 50 /* after a lie that ruins the ring no answer may come at all */

uint64_t liar_random(struct liar *liar, uint64_t below)
{
	uint64_t value = liar->random += UINT64_C(0x9e3779b97f4a7c15);

	value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
	return (value ^ value >> 31) % below;
}

struct ring_header *liar_header(struct liar *liar)
{
	return (struct ring_header *)liar->ring->pages[0];
}

/* ---- making and unmaking ---- */

int liar_create(const struct liar_options *options, struct liar **created)
{
	struct blkif_frontend *frontend = options->frontend;
	uint16_t host = frontend->options.host_domid;
	struct liar *liar = calloc(1, sizeof(*liar));
	int error = 0;

	if (!liar)
		return -ENOMEM;
	liar->options = *options;
	liar->guest = frontend->options.guest;
	liar->ring = &frontend->queues[0].ring;
	liar->port = frontend->queues[0].port;
	liar->random = options->seed;
	liar->disk_sectors = frontend->features.sectors;
	for (uint32_t i = 0; i < LIAR_PAGES && error == 0; i++)
		error = liar_page_take(liar->guest, &liar->pages[i], host, false);
	if (error == 0)
		error = liar_page_take(liar->guest, &liar->indirect, host, false);
	if (error == 0)
		error = liar_page_take(liar->guest, &liar->read_only, host, true);
	if (error == 0)
		error = liar_page_take(liar->guest, &liar->foreign, LIAR_OTHER_DOMID, false);
	if (error == 0)
		error = liar_page_take(liar->guest, &liar->fickle, host, false);
	if (error == 0)
		error = liar_page_take(liar->guest, &liar->lost, host, false);
	if (error == 0)
		error = liar_page_take(liar->guest, &liar->withdrawn, host, false);
	if (error < 0) {
		liar_destroy(liar);
		return error;
	}
	if (options->others_frame)
		liar_page_set_frame(liar->guest, &liar->lost, options->grant_version, options->others_frame);
	else
		liar_page_lose_frame(liar->guest, &liar->lost, options->grant_version);
	liar_page_set_flags(liar->guest, &liar->withdrawn, 0);
	*created = liar;
	return 0;
}

uint32_t liar_destroy(struct liar *liar)
{
	struct liar_page *others[] = {&liar->indirect, &liar->read_only, &liar->foreign,
				      &liar->fickle,   &liar->lost,	 &liar->withdrawn};
	uint32_t mapped = 0;

	if (liar->withdrawn.gref)
		liar_page_set_flags(liar->guest, &liar->withdrawn, GTF_permit_access);
	for (uint32_t i = 0; i < LIAR_PAGES; i++)
		mapped += liar_page_give_up(liar->guest, &liar->pages[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		mapped += liar_page_give_up(liar->guest, others[i]);
	free(liar);
	return mapped;
}

/* ---- requests ---- */

void liar_valid(struct liar *liar, uint8_t operation, uint32_t count_max, struct front_wire *wire,
		struct front_segment *segments)
{
	uint32_t count = 1 + (uint32_t)liar_random(liar, count_max), sectors = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint8_t first = (uint8_t)liar_random(liar, FRONT_PAGE_SECTORS);
		uint8_t last = (uint8_t)(first + liar_random(liar, FRONT_PAGE_SECTORS - first));

		segments[i] = (struct front_segment){
			.gref = liar->pages[liar_random(liar, LIAR_PAGES)].gref,
			.first_sector = first,
			.last_sector = last,
		};
		sectors += last - first + 1u;
	}
	*wire = (struct front_wire){
		.operation = operation,
		.segment_count = (uint16_t)count,
		.sector = liar_random(liar, liar->disk_sectors - sectors),
		.discard_sectors = 1 + liar_random(liar, sectors),
		.segments = segments,
	};
}

void liar_make_indirect(struct liar *liar, struct front_wire *wire)
{
	wire->indirect_operation = wire->operation;
	wire->operation = BLKIF_OP_INDIRECT;
	memcpy(liar->indirect.memory, wire->segments, wire->segment_count * sizeof(wire->segments[0]));
	wire->indirect_grefs[0] = liar->indirect.gref;
}

/* make_id - one that is not taken for another when some of its bytes were written over. */
static uint64_t make_id(uint64_t mark, uint32_t number)
{
	uint64_t value = mark | (uint64_t)number << 24;

	return value | ((value * UINT64_C(0x9e3779b97f4a7c15)) >> 40);
}

/* is_id - was it made with this mark, for the lie that is being told? */
static bool is_id(const struct liar *liar, uint64_t mark, uint64_t id)
{
	uint32_t number = (uint32_t)(id >> 24);

	return liar->next_id - number <= liar->ring->size * 8 && id == make_id(mark, number);
}

void liar_put_false(struct liar *liar, struct front_wire *wire)
{
	wire->id = make_id(FALSE_MARK, liar->next_id++);
	liar->outcome->false_ones++;
	front_ring_put(liar->ring, wire);
}

void liar_put_honest(struct liar *liar, uint32_t count)
{
	while (count-- > 0) {
		struct front_segment segments[FRONT_DIRECT_SEGMENTS];
		struct front_wire wire;

		liar_valid(liar, liar_random(liar, 2) ? BLKIF_OP_READ : BLKIF_OP_WRITE, FRONT_DIRECT_SEGMENTS,
			   &wire, segments);
		wire.id = make_id(HONEST_MARK, liar->next_id++);
		liar->outcome->honest++;
		front_ring_put(liar->ring, &wire);
	}
}

void liar_show(struct liar *liar)
{
	front_ring_push(liar->ring);
	sim_port_notify(liar->guest, liar->port);
}

void *liar_entry_at(struct liar *liar, uint32_t at)
{
	uint32_t byte = (uint32_t)sizeof(struct ring_header) +
			(at & (liar->ring->size - 1)) * liar->ring->entry_bytes;

	return liar->ring->pages[byte / PAGE_BYTES] + byte % PAGE_BYTES;
}

/* ---- answers ---- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void note_answer(struct liar *liar, const struct front_response *response)
{
	struct lie_outcome *outcome = liar->outcome;
	bool good = response->status == BLKIF_RSP_OKAY;

	if (is_id(liar, HONEST_MARK, response->id)) {
		outcome->honest_good += good;
		outcome->honest_failed += !good;
	} else if (is_id(liar, FALSE_MARK, response->id)) {
		outcome->granted += good;
		outcome->refused += !good;
	} else {
		outcome->strays++;
	}
}

static bool all_answered(const struct lie_outcome *outcome)
{
	return outcome->honest_good + outcome->honest_failed + outcome->granted + outcome->refused +
		       outcome->strays >=
	       outcome->honest + outcome->false_ones;
}

void liar_collect(struct liar *liar)
{
	struct lie_outcome *outcome = liar->outcome;
	int64_t end_ms = now_ms() + ANSWER_TIMEOUT_MS;
	struct front_response response;

	while (!all_answered(outcome) && !outcome->broken && !outcome->unanswered) {
		/* What the liar wrote over the host's counter is no answer. */
		if (front_ring_take(liar->ring, &response) == 1) {
			note_answer(liar, &response);
			continue;
		}
		outcome->broken = liar->options.broken(liar->options.context);
		outcome->unanswered = now_ms() >= end_ms;
		front_ring_ask(liar->ring);
		sim_port_wait(liar->guest, liar->port, 1);
	}
}

/* wait_quiet - see whether the ring breaks. */
static void wait_quiet(struct liar *liar, int64_t timeout_ms)
{
	int64_t end_ms = now_ms() + timeout_ms;

	while (!(liar->outcome->broken = liar->options.broken(liar->options.context)) && now_ms() < end_ms)
		sim_port_wait(liar->guest, liar->port, 1);
}

/* ---- lying ---- */

/* tell_twisted - put a request that is valid but for what the lie changes. */
static void tell_twisted(struct liar *liar, const struct lie *lie)
{
	struct front_segment segments[FRONT_PAGE_DESCRIPTORS];
	struct front_wire wire;

	liar_valid(liar, lie->operation, FRONT_DIRECT_SEGMENTS, &wire, segments);
	if (lie->indirect) {
		liar_make_indirect(liar, &wire);
		lie->twist(liar, &wire, liar->indirect.memory);
	} else {
		lie->twist(liar, &wire, segments);
	}
	liar_put_false(liar, &wire);
	liar_show(liar);
}

void liar_tell(struct liar *liar, const struct lie *lie, struct lie_outcome *outcome)
{
	*outcome = (struct lie_outcome){0};
	liar->outcome = outcome;
	liar_put_honest(liar, (uint32_t)liar_random(liar, 4));
	if (liar_random(liar, 2))
		liar_show(liar);
	if (lie->twist)
		tell_twisted(liar, lie);
	else
		lie->act(liar);
	if (lie->end == LIE_BREAKS) {
		wait_quiet(liar, ANSWER_TIMEOUT_MS);
	} else if (lie->end == LIE_RUINS) {
		wait_quiet(liar, QUIET_MS);
	} else {
		liar_put_honest(liar, 1 + (uint32_t)liar_random(liar, 4));
		liar_show(liar);
		liar_collect(liar);
	}
}

const char *liar_judge(const struct lie *lie, const struct lie_outcome *outcome)
{
	if (lie->end == LIE_RUINS)
		return NULL;
	if (lie->end == LIE_BREAKS)
		return outcome->broken ? NULL : "the ring should be declared broken, and is not";
	if (outcome->broken)
		return "the ring was declared broken, and is not";
	if (outcome->unanswered)
		return "not all requests were answered";
	if (outcome->honest_good != outcome->honest)
		return "an honest request was answered with an error";
	if (lie->end != LIE_ANYTHING && outcome->strays > 0)
		return "an answer came to what was not asked";
	if (lie->end == LIE_REFUSED && outcome->granted > 0)
		return "the lie should be answered with an error, and was not";
	if (lie->end == LIE_HARMLESS && outcome->refused > 0)
		return "what is legal was answered with an error";
	return NULL;
}

const struct lie *liar_choose(struct liar *liar)
{
	const struct lie *lie;

	do
		lie = &lies[liar_random(liar, lie_count)];
	while (lie->end == LIE_BREAKS || lie->end == LIE_RUINS);
	return lie;
}

const struct lie *lie_at(uint32_t index)
{
	return index < lie_count ? &lies[index] : NULL;
}

const char *lie_name(const struct lie *lie)
{
	return lie->name;
}

enum lie_end lie_end(const struct lie *lie)
{
	return lie->end;
}

const struct lie *lie_find(const char *name)
{
	for (uint32_t i = 0; i < lie_count; i++)
		if (strcmp(lies[i].name, name) == 0)
			return &lies[i];
	return NULL;
}
