// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_blkif_ring.c - a guest's ring: any program of requests, counters and grants
 *
 * The input is a program. Its first byte says what the ring and the disk are like; then come steps, each a byte that says
 * which and what that step needs (struct input). There are two disks with a ring each, of which one is spoken of at a time. Their
 * queues are driven without a loop: the program says when a turn is taken, and which of the backend's requests is completed
 * next.
 *
 * What must hold besides memory: the backend gets only what lies on the disk, in memory that it may use; each request
 * that is taken is answered once, and waits for no request of the other ring; when all is answered nothing is mapped; a page
 * that is not granted to be written is not, whatever the way to it; and a PV guest, which may make a page table of any page that nobody
 * has mapped to be written, has all its pages back. Each program is run by a guest whose memory is reached by grants, by one
 * whose frames are cached, and by a PV guest, whose frames are cached to be read and whose grants are mapped to be written.
 */
#include <stdint.h>
#include <string.h>
#include <xen/io/blkif.h>

#include "fuzzed.h"
#include "rings/blkif.h"
#include "sim/front_ring.h"

#define DOMID 9
#define GOOD_PAGES 16u
#define PAGES 22u /* these, and those with something wrong */
#define DISK_SECTORS 1000u
#define ORDERS 3u /* rings of 1, 2 and 4 pages */
#define DISKS 2u
#define STEPS_MAX 400u
#define IN_FLIGHT_MAX 1024u
#define GRANTS_MAX (IN_FLIGHT_MAX * BLKIF_SEGMENTS_MAX * 2)
#define FEW_IN_FLIGHT 5u
#define FEW_GRANTS 20u
#define FIRST_COUNTER (UINT32_MAX - 20) /* of every second ring: the counters wrap */

/* What the first byte says. */
enum {
	SHAPE_32_BIT = 1u << 0,
	SHAPE_ORDER_AT = 1, /* 2 bits; 3: one page, and little may be under way at a time */
	SHAPE_FLUSH = 1u << 3,
	SHAPE_READ_ONLY = 1u << 4,
	SHAPE_DISCARD = 1u << 5,
	/* What is unmapped can't be touched. Where frames are cached: the data goes by pages of ours. */
	SHAPE_STRICT = 1u << 6,
	SHAPE_WRAP = 1u << 7,
	/* Blocks of 4096 bytes; with SHAPE_FLUSH the frontend of the second disk counts in them. */
	SHAPE_LARGE_BLOCKS = SHAPE_STRICT | SHAPE_WRAP,
};

enum page_kind {
	PAGE_READ_ONLY = GOOD_PAGES + FUZZED_READ_ONLY,
	PAGE_LOST = GOOD_PAGES + FUZZED_LOST,
	PAGE_INDIRECT = GOOD_PAGES + FUZZED_BAD_PAGES, /* describes segments */
	PAGE_RING,				       /* the ring's own first page */
};

/* A ring and its queue. */
struct served {
	struct front_ring ring;
	struct memory_ring mapped;
	struct blkif_queue *queue; /* made when it is used first */
	uint32_t taken_before;	   /* the ring's counter when the program began */
};

/* One guest and how the host reaches it. Made once. */
struct world {
	struct fuzzed base;
	struct served served[2][ORDERS][DISKS];
};

/* Guests, by the way to their memory. */
enum world_kind {
	BY_GRANTS,
	BY_GRANTS_STRICT,
	CACHED,
	CACHED_PV,
	WORLDS
};

static struct world worlds[WORLDS];

static struct world *world;
static struct served *disks;	/* both */
static struct front_ring *ring; /* of the one that is spoken of */
static struct blkif_queue *queue;
static struct blkif_turn turn;
static struct memory_mapping *mappings[IN_FLIGHT_MAX], *gone[IN_FLIGHT_MAX];
static struct xvhost_request *submitted[IN_FLIGHT_MAX];
static uint32_t submitted_count;
static bool complete_at_once;
static bool pages_changed; /* by the program itself, or whether they are granted */
static struct xvhost_disk_properties properties;

/* ---- the input ---- */

/* next_sector - mostly one of the disk's. */
static uint64_t next_sector(struct input *input)
{
	uint16_t number = next_u16(input);

	if (number < 0xff00)
		return number % (DISK_SECTORS + 16);
	return (uint64_t)next_u32(input) << 32 | next_u32(input);
}

/* next_segment_gref - of one of the pages, the ring's among them, or one that is none. */
static uint32_t next_segment_gref(struct input *input)
{
	uint8_t which = next_u8(input);

	if (which == PAGE_RING)
		return ring->grefs[0];
	return which < PAGES ? world->base.grefs[which] : which == 0xff ? next_u32(input) : which;
}

/* ---- the backend ---- */

/* check_memory - all of it may be used: a disk's data is written to it, or it is read. */
static void check_memory(const struct xvhost_request *request)
{
	uint64_t length = 0;
	uint8_t seen = 0;

	for (uint32_t i = 0; i < request->iov_count; i++) {
		uint8_t *bytes = request->iov[i].iov_base;

		must(request->iov[i].iov_len > 0 && request->iov[i].iov_len % 512 == 0,
		     "iovecs are whole sectors");
		length += request->iov[i].iov_len;
		for (size_t at = 0; at < request->iov[i].iov_len; at += 256) {
			if (request->operation == XVHOST_READ)
				bytes[at] = 0x11;
			else
				seen ^= *(volatile uint8_t *)&bytes[at];
		}
	}
	(void)seen;
	must(length == request->length, "the iovecs sum up to the length");
}

static void fuzz_submit(struct xvhost_request *request)
{
	const bool data = request->operation == XVHOST_READ || request->operation == XVHOST_WRITE;

	must(data || request->operation == XVHOST_FLUSH || request->operation == XVHOST_DISCARD ||
		     request->operation == XVHOST_SECURE_DISCARD,
	     "a known operation");
	must(request->offset % properties.block_bytes == 0 && request->length % properties.block_bytes == 0,
	     "whole blocks");
	must(request->offset <= properties.size_bytes &&
		     request->length <= properties.size_bytes - request->offset,
	     "on the disk");
	must(request->operation == XVHOST_FLUSH || request->length > 0, "something to do");
	must(request->operation != XVHOST_FLUSH || properties.flags & XVHOST_DISK_FLUSH,
	     "flushes where they are wanted");
	must(request->operation != XVHOST_DISCARD || properties.flags & XVHOST_DISK_DISCARD,
	     "discards where they are offered");
	must(request->operation != XVHOST_SECURE_DISCARD || properties.flags & XVHOST_DISK_SECURE_DISCARD,
	     "secure discards where they are offered");
	must(request->operation == XVHOST_READ || request->operation == XVHOST_FLUSH ||
		     !(properties.flags & XVHOST_DISK_READ_ONLY),
	     "a read-only disk is not written");
	if (data)
		check_memory(request);
	if (complete_at_once) {
		blkif_complete(request, 0);
		return;
	}
	for (uint32_t i = 0; i < submitted_count; i++)
		must(submitted[i] != request, "a request is submitted once");
	must(submitted_count < IN_FLIGHT_MAX, "no more than can be in flight");
	submitted[submitted_count++] = request;
}

static const struct xvhost_disk_backend backend = {
	.size = sizeof(backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "fuzz",
	.request_size = 8,
	.submit = fuzz_submit,
};

/* ---- the guest and its host ---- */

static void make_world(enum world_kind kind)
{
	struct world *of = &worlds[kind];

	fuzzed_make(&of->base, &(struct fuzzed_options){.domid = (uint16_t)(DOMID + kind),
							.pv = kind == CACHED_PV,
							.strict = kind == BY_GRANTS_STRICT,
							.cached = kind == CACHED || kind == CACHED_PV,
							.pages = PAGE_RING,
							.bad_from = GOOD_PAGES,
							.mappings_max = IN_FLIGHT_MAX});
	fuzzed_restore(&of->base);
	for (uint32_t i = 0; i < 2 * ORDERS * DISKS; i++) {
		uint32_t layout = i % 2, order = i / 2 % ORDERS;
		struct served *made = &of->served[layout][order][i / (2 * ORDERS)];

		must(front_ring_create(&made->ring, of->base.guest, SIM_HOST_DOMID,
				       layout ? BLKIF_X86_32 : BLKIF_X86_64, 1u << order) == 0,
		     "a ring");
		must(memory_map_ring(of->base.memory, made->ring.grefs, made->ring.page_count,
				     &made->mapped) == 0,
		     "a mapped ring");
	}
}

static void make_worlds(void)
{
	for (enum world_kind kind = 0; kind < WORLDS; kind++)
		make_world(kind);
	fuzzed_mapped = 0; /* the rings stay mapped, and are not counted */
}

/* ---- the steps ---- */

static void put_wire(struct front_wire *wire)
{
	/* A guest may write over requests that were not answered. */
	ring->response_consumer = ring->request_producer;
	front_ring_put(ring, wire);
}

static void read_segments(struct input *input, uint32_t count, struct front_segment *segments)
{
	for (uint32_t i = 0; i < count; i++) {
		uint8_t sectors;

		segments[i].gref = next_segment_gref(input);
		sectors = next_u8(input);
		segments[i].first_sector = sectors >> 4;
		segments[i].last_sector = sectors & 15;
	}
}

static void put_direct(struct input *input)
{
	struct front_segment segments[FRONT_DIRECT_SEGMENTS] = {{0}};
	struct front_wire wire = {.segments = segments};

	wire.operation = next_u8(input);
	wire.segment_count = next_u8(input);
	wire.id = next_u8(input);
	wire.sector = next_sector(input);
	read_segments(input,
		      wire.segment_count < FRONT_DIRECT_SEGMENTS ? wire.segment_count : FRONT_DIRECT_SEGMENTS,
		      segments);
	put_wire(&wire);
}

static void put_indirect(struct input *input)
{
	struct front_wire wire = {.operation = BLKIF_OP_INDIRECT};
	uint32_t described;

	wire.indirect_operation = next_u8(input);
	wire.segment_count = next_u16(input);
	wire.id = next_u8(input);
	wire.sector = next_sector(input);
	wire.indirect_grefs[0] = next_segment_gref(input);
	/* The page keeps the segments of the request before. */
	described = next_u8(input) % 32;
	read_segments(input, described, (void *)world->base.pages[PAGE_INDIRECT]);
	put_wire(&wire);
}

static void put_discard(struct input *input)
{
	struct front_wire wire = {.operation = BLKIF_OP_DISCARD};

	wire.flag = next_u8(input);
	wire.id = next_u8(input);
	wire.sector = next_sector(input);
	wire.discard_sectors = next_sector(input);
	put_wire(&wire);
}

static void put_raw(struct input *input)
{
	uint8_t entry[FRONT_ENTRY_MAX];

	for (uint32_t i = 0; i < ring->entry_bytes; i++)
		entry[i] = next_u8(input);
	front_ring_write(ring, ring->request_producer++, entry, ring->entry_bytes);
}

/* is_submitted - has the backend a request of this queue? */
static bool is_submitted(const struct blkif_queue *of)
{
	for (uint32_t i = 0; i < submitted_count; i++)
		if (blkif_layer_of(blkif_of_seen(submitted[i]))->queue == of)
			return true;
	return false;
}

/* is_whole - nobody has anything of it. */
static bool is_whole(const struct blkif_stock *stock)
{
	return stock->used == 0 && stock->left == (int64_t)stock->max - (int64_t)stock->share * DISKS;
}

static void check_counts(void)
{
	uint32_t in_flight = 0, grants = 0;

	for (uint32_t i = 0; i < DISKS; i++) {
		const struct blkif_queue *of = disks[i].queue;

		in_flight += of->in_flight;
		grants += of->grants;
		must(of->in_flight <= of->ring.size, "as many are in flight as can be");
		must(of->ring.request_consumer - of->ring.response_producer == of->in_flight,
		     "each request that was taken is in flight or answered");
		must((uint32_t)of->counters.requests == of->ring.request_consumer - disks[i].taken_before,
		     "each request is taken once");
		must(of->in_flight == 0 || is_submitted(of), "a request waits for no other ring's");
	}
	must(in_flight == turn.requests.used && grants == turn.grants.used, "what is in flight is counted");
	must(turn.requests.used <= turn.requests.max &&
		     turn.grants.used <= turn.grants.max + (DISKS + 1) * (uint64_t)BLKIF_SEGMENTS_MAX,
	     "no more is under way than may be");
	must(fuzzed_mapped <= grants, "what is mapped is counted");
	must(in_flight > 0 || (fuzzed_mapped == 0 && grants == 0 && is_whole(&turn.requests) &&
			       is_whole(&turn.grants)),
	     "nothing is mapped or held when nothing is in flight");
}

/* take_turn - as the loop does it. */
static void take_turn(uint32_t budget)
{
	struct ring_publication shown;

	blkif_take(queue, budget);
	do {
		blkif_start(&turn);
		blkif_finish(&turn);
	} while (turn.taken.first || turn.completed.first);
	for (uint32_t i = 0; i < DISKS; i++)
		if (blkif_hand_over(disks[i].queue, &shown))
			ring_show(&shown);
	blkif_ask(queue);
	check_counts();
}

static void complete_one(uint32_t which, int error)
{
	struct xvhost_request *request;

	if (submitted_count == 0)
		return;
	which %= submitted_count;
	request = submitted[which];
	submitted[which] = submitted[--submitted_count];
	blkif_complete(request, error);
}

static void poke(struct input *input)
{
	uint8_t which = next_u8(input) % PAGES;
	uint8_t *page = which == PAGE_RING ? ring->pages[0] : world->base.pages[which];
	uint16_t at = next_u16(input) % PAGE_BYTES;

	page[at] = next_u8(input);
}

static void speak_of(struct served *disk)
{
	ring = &disk->ring;
	queue = disk->queue;
}

static void step(struct input *input)
{
	struct ring_header *header = (struct ring_header *)ring->pages[0];

	switch (next_u8(input) % 14) {
	case 0:
		put_direct(input);
		break;
	case 1:
		put_indirect(input);
		break;
	case 2:
		put_discard(input);
		break;
	case 3:
		put_raw(input);
		break;
	case 4:
		front_ring_push(ring);
		break;
	case 5:
		take_turn(next_u8(input));
		break;
	case 6: {
		uint8_t which = next_u8(input);

		complete_one(which, -(next_u8(input) % 100));
		break;
	}
	case 7:
		header->request_producer += (uint32_t)(int8_t)next_u8(input);
		break;
	case 8: {
		uint32_t *counters = (uint32_t *)header;
		uint8_t which = next_u8(input);

		counters[which % 4] = next_u32(input);
		break;
	}
	case 9:
		pages_changed = true;
		change_grant(input, &world->base, PAGE_RING);
		break;
	case 10:
		pages_changed = true;
		poke(input);
		break;
	case 11:
		complete_at_once = next_u8(input) & 1;
		break;
	case 12:
		speak_of(&disks[next_u8(input) % DISKS]);
		break;
	case 13:
		/* Mapped with what is taken from the other ring, by the next turn. */
		blkif_take(queue, next_u8(input));
		break;
	}
}

/* ---- a program ---- */

static struct blkif_queue *make_queue(enum blkif_protocol protocol, const struct memory_ring *with)
{
	static struct xvhost_disk disk = {.size = sizeof(disk), .name = "fuzz"};
	static struct log_limit limit;
	struct blkif_queue_parameters parameters = {
		.layers = {{&disk, &backend, &properties}},
		.layer_count = 1,
		.protocol = protocol,
		.pages = with->pages[0],
		.page_count = with->count,
		.limit = &limit,
	};
	struct blkif_queue *made;

	must(blkif_queue_create(&parameters, &made) == 0, "a queue");
	return made;
}

/* renew_queue - as blkif_queue_create leaves it. To make one for each program would take most of the time. */
static void renew_queue(struct blkif_queue *of, const struct served *with)
{
	must(ring_attach(&of->ring, with->mapped.pages[0], with->mapped.count * PAGE_BYTES,
			 with->ring.entry_bytes) == 0,
	     "a new ring");
	of->read_only = properties.flags & XVHOST_DISK_READ_ONLY;
	of->flush = properties.flags & XVHOST_DISK_FLUSH;
	of->discard = properties.flags & XVHOST_DISK_DISCARD;
	of->discard_secure = properties.flags & XVHOST_DISK_SECURE_DISCARD;
	of->block_sectors = properties.block_bytes / 512;
	of->unit_sectors = 1;
	of->cached = world->base.options.cached;
	of->broken = of->asked = of->ready = of->unpublished = of->watching = false;
	of->barrier = NULL;
	of->in_flight = of->grants = 0;
	memset(&of->counters, 0, sizeof(of->counters));
	of->free_slots = NULL;
	for (uint32_t i = 0; i < of->ring.size; i++) {
		of->slots[i].next = of->free_slots;
		of->free_slots = &of->slots[i];
	}
	of->turn = &turn;
}

/* begin_disk - an empty ring. */
static void begin_disk(struct served *disk, enum blkif_protocol protocol, uint32_t counter)
{
	for (uint32_t i = 0; i < disk->ring.page_count; i++)
		memset(disk->ring.pages[i], 0, PAGE_BYTES);
	front_ring_begin_at(&disk->ring, counter);
	if (!disk->queue)
		disk->queue = make_queue(protocol, &disk->mapped);
	renew_queue(disk->queue, disk);
	disk->taken_before = counter;
}

static void begin(uint8_t shape, enum world_kind kind)
{
	uint32_t order = shape >> SHAPE_ORDER_AT & 3u, layout = shape & SHAPE_32_BIT;
	bool few = order == 3, cached;

	world = &worlds[kind == BY_GRANTS && shape & SHAPE_STRICT ? BY_GRANTS_STRICT : kind];
	cached = world->base.options.cached;
	disks = world->served[layout][order % ORDERS];
	memset(world->base.pages[PAGE_INDIRECT], 0, PAGE_BYTES);
	for (uint32_t i = PAGE_READ_ONLY; i < PAGE_LOST; i++)
		memset(world->base.pages[i], 0, PAGE_BYTES);
	properties = (struct xvhost_disk_properties){
		.size_bytes = DISK_SECTORS * 512,
		.block_bytes = (shape & SHAPE_LARGE_BLOCKS) == SHAPE_LARGE_BLOCKS ? 4096 : 512,
		.flags = (shape & SHAPE_FLUSH ? XVHOST_DISK_FLUSH : 0) |
			 (shape & SHAPE_READ_ONLY ? XVHOST_DISK_READ_ONLY : 0) |
			 (shape & SHAPE_DISCARD ? XVHOST_DISK_DISCARD : 0) |
			 (shape & SHAPE_DISCARD && shape & SHAPE_FLUSH ? XVHOST_DISK_SECURE_DISCARD : 0),
	};
	turn = (struct blkif_turn){
		.memory = world->base.memory,
		.mappings = mappings,
		.gone = gone,
	};
	/* Each program may name as many frames that are not there. */
	if (cached)
		world->base.memory->cache->in_vain = CACHE_IN_VAIN;
	blkif_stock_init(&turn.requests, few ? FEW_IN_FLIGHT : IN_FLIGHT_MAX, DISKS);
	blkif_stock_init(&turn.grants, few ? FEW_GRANTS : GRANTS_MAX, DISKS);
	for (uint32_t i = 0; i < DISKS; i++)
		begin_disk(&disks[i], layout ? BLKIF_X86_32 : BLKIF_X86_64,
			   shape & SHAPE_WRAP ? FIRST_COUNTER : 0);
	for (uint32_t i = 0; i < DISKS; i++)
		disks[i].queue->direct = cached && shape & SHAPE_STRICT;
	if (shape & SHAPE_FLUSH)
		disks[1].queue->unit_sectors = disks[1].queue->block_sectors;
	pages_changed = false;
	speak_of(&disks[0]);
	submitted_count = 0;
	complete_at_once = false;
}

/* check_pages - those that are not granted to be written are what they were. */
static void check_pages(void)
{
	for (uint32_t i = PAGE_READ_ONLY; i < PAGE_LOST && !pages_changed; i++) {
		const uint8_t *page = world->base.pages[i];

		must(page[0] == 0 && memcmp(page, page + 1, PAGE_BYTES - 1) == 0,
		     "only what is granted is written");
	}
}

/* check_cache - nothing of it is in use. */
static void check_cache(const struct cache *cache)
{
	for (uint32_t i = 0; i < cache->slots_end; i++)
		must(cache->slots[i].state == CACHE_FREE || cache->slots[i].uses == 0, "nothing is in use");
}

/* check_tables - each page of a PV guest's, but of rings, can become a page table: none is mapped to be written. */
static void check_tables(void)
{
	for (uint32_t i = 0; world->base.options.pv && i < world->base.options.pages; i++)
		must(sim_page_use_as_table(world->base.guest, world->base.frames[i]) == 0,
		     "no page of a PV guest stays mapped to be written");
}

/* end - all that was taken is answered, and nothing is left. */
static void end(void)
{
	/* What was completed since the last turn is answered by one. */
	for (take_turn(0); turn.requests.used > 0; take_turn(0)) {
		must(submitted_count > 0, "what is in flight is the backend's");
		complete_one(0, 0);
	}
	for (uint32_t i = 0; i < DISKS; i++)
		must(disks[i].queue->ring.response_published == disks[i].queue->ring.response_producer,
		     "all answers are shown");
	check_pages();
	check_tables();
	if (world->base.memory->cache) {
		check_cache(world->base.memory->cache);
		memory_attend(world->base.memory);
	}
	fuzzed_restore(&world->base);
}

/* run - the program, in a guest of one kind. */
static void run(struct input input, enum world_kind kind)
{
	begin(next_u8(&input), kind);
	for (uint32_t steps = 0; input.left > 0 && steps < STEPS_MAX; steps++)
		step(&input);
	end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (world == NULL) {
		make_worlds();
		for (uint32_t i = 0; i < WORLDS; i++)
			fuzzed_restore(&worlds[i].base);
	}
	run((struct input){data, size}, BY_GRANTS);
	run((struct input){data, size}, CACHED);
	run((struct input){data, size}, CACHED_PV);
	return 0;
}
