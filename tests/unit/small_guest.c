// SPDX-License-Identifier: GPL-2.0-or-later
/* small_guest.c - a simulated guest for tests of a worker's parts */
#include "small_guest.h"

#include <check.h>
#include <stdatomic.h>
#include <string.h>
#include <xen/io/blkif.h>

#include "sim/sim.h"

#define PAGES (SMALL_GUEST_LAST_GREF - SMALL_GUEST_FIRST_GREF + 1)

static struct sim_machine *machine;
static struct sim_guest *guest;
static struct platform counting; /* the machine's, with those calls counted that the tests ask for */
static uint64_t frames[PAGES];
static uint32_t port;
static atomic_int mapped, bound;
static bool last_writable;

/* ---- what is counted ---- */

static int count_map(struct grants *grants, uint16_t domid, const uint32_t *grefs, uint32_t count,
		     bool writable, bool consecutive, void **pages, void **mapping)
{
	int error = sim_platform(machine)->grants_map(grants, domid, grefs, count, writable, consecutive,
						      pages, mapping);

	if (error == 0)
		mapped += (int)count;
	last_writable = writable;
	return error;
}

static int count_unmap(struct grants *grants, void *mapping, uint32_t count)
{
	mapped -= (int)count;
	return sim_platform(machine)->grants_unmap(grants, mapping, count);
}

static int count_bind(struct event_channels *channels, uint16_t domid, uint32_t remote_port)
{
	int local = sim_platform(machine)->event_channels_bind(channels, domid, remote_port);

	bound += local >= 0;
	return local;
}

static int count_unbind(struct event_channels *channels, uint32_t local)
{
	bound--;
	return sim_platform(machine)->event_channels_unbind(channels, local);
}

int small_guest_mapped(void)
{
	return mapped;
}

int small_guest_bound(void)
{
	return bound;
}

bool small_guest_mapped_writable(void)
{
	return last_writable;
}

/* ---- the guest ---- */

void small_guest_init(void)
{
	/* Strict: what is used after it was unmapped shows. */
	const struct sim_guest_options options = {
		.domid = SMALL_GUEST_DOMID, .pages = PAGES + RING_PAGES_MAX, .strict = true};
	int opened;

	machine = sim_machine_create(1);
	ck_assert_ptr_nonnull(machine);
	ck_assert_int_eq(sim_guest_create(machine, &options, &guest), 0);
	ck_assert_int_eq(sim_pages_take(guest, PAGES, frames), 0);
	for (uint32_t i = 0; i < PAGES; i++)
		ck_assert_int_eq(sim_grant(guest, SIM_HOST_DOMID, frames[i], false),
				 SMALL_GUEST_FIRST_GREF + i);
	opened = sim_port_open(guest, SIM_HOST_DOMID);
	ck_assert_int_ge(opened, 0);
	port = (uint32_t)opened;
	counting = *sim_platform(machine);
	counting.grants_map = count_map;
	counting.grants_unmap = count_unmap;
	counting.event_channels_bind = count_bind;
	counting.event_channels_unbind = count_unbind;
}

const struct platform *small_guest_platform(void)
{
	return &counting;
}

void *small_guest_page(uint32_t gref)
{
	ck_assert(gref >= SMALL_GUEST_FIRST_GREF && gref <= SMALL_GUEST_LAST_GREF);
	return sim_page(guest, frames[gref - SMALL_GUEST_FIRST_GREF]);
}

void small_guest_kick(void)
{
	sim_port_notify(guest, port);
}

bool small_guest_wait_notified(int timeout_ms)
{
	return sim_port_wait(guest, port, timeout_ms) == 1;
}

/* ---- its ring ---- */

void small_ring_init(struct front_ring *ring, enum blkif_protocol protocol, uint32_t pages)
{
	ck_assert_int_eq(front_ring_create(ring, guest, SIM_HOST_DOMID, protocol, pages), 0);
}

void small_ring_put(struct front_ring *ring, uint8_t operation, uint64_t id, uint64_t sector,
		    uint8_t segment_count, const struct front_segment *segments)
{
	const struct front_wire wire = {
		.operation = operation,
		.id = id,
		.sector = sector,
		.segment_count = segment_count,
		.segments = segments,
	};

	front_ring_put(ring, &wire);
}

void small_ring_put_indirect(struct front_ring *ring, uint8_t operation, uint64_t id, uint64_t sector,
			     uint16_t segment_count, uint32_t gref)
{
	const struct front_wire wire = {
		.operation = BLKIF_OP_INDIRECT,
		.indirect_operation = operation,
		.id = id,
		.sector = sector,
		.segment_count = segment_count,
		.indirect_grefs = {gref},
	};

	front_ring_put(ring, &wire);
}

void small_ring_put_discard(struct front_ring *ring, uint64_t id, uint64_t sector, uint64_t sectors)
{
	const struct front_wire wire = {
		.operation = BLKIF_OP_DISCARD, .id = id, .sector = sector, .discard_sectors = sectors};

	front_ring_put(ring, &wire);
}

bool small_ring_take(struct front_ring *ring, struct front_response *response)
{
	int taken = front_ring_take(ring, response);

	if (taken == 0 && front_ring_ask(ring))
		taken = front_ring_take(ring, response);
	ck_assert_int_ge(taken, 0);
	return taken == 1;
}

void small_ring_describe(const struct front_ring *ring, struct message_disk_connect *connect)
{
	connect->protocol = ring->protocol;
	connect->ring_pages = ring->page_count;
	connect->queue_count = 1;
	connect->queues[0].event_channel = port;
	memcpy(connect->queues[0].ring_refs, ring->grefs, ring->page_count * sizeof(ring->grefs[0]));
}
