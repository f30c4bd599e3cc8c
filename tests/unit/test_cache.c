// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cache of foreign frames, held against a model.
 *
 * The model is the same rules in their plainest form: a list of places, searched from its beginning. It says of each
 * look-up where the frame is to be found, of each turn what is mapped, and which chunks leave when. What is really mapped
 * is seen by looking over the cache's shoulder at its calls of the platform; that it is the right memory, by its content.
 */
#include "check_main.h"

#include <errno.h>
#include <string.h>

#include "log.h"
#include "memory/cache.h"
#include "sim/faults.h"
#include "sim/sim.h"

#define DOMID 5
#define PAGES 4096u
#define SLOTS_MAX 12u
#define USES_MAX 64u
#define IDLE_TICKS 3u
#define AGE_TICKS 20u

static struct sim_machine *machine;
static struct sim_guest *guest;
static struct platform platform;
static struct foreign *foreign;
static struct cache *cache;
static uint64_t frames[PAGES], random_state;
static uint32_t here; /* frames[0] to [here - 1] are the guest's at the moment */

static uint32_t chance(uint32_t below)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % below;
}

/* ---- what is really mapped ---- */

static bool is_mapped[SLOTS_MAX]; /* by slot */
static uint32_t map_calls, unmap_calls;

static uint32_t slot_of(const void *address)
{
	size_t at = (size_t)((const char *)address - cache->range);

	ck_assert_uint_lt(at, SLOTS_MAX * CHUNK_BYTES);
	return (uint32_t)(at / CHUNK_BYTES);
}

static int seen_map(struct foreign *handle, uint16_t domid, const struct foreign_run *runs,
		    uint32_t run_count, const uint64_t *list, int *errors)
{
	int error = sim_platform(machine)->foreign_map(handle, domid, runs, run_count, list, errors);

	map_calls++;
	for (uint32_t i = 0; i < run_count; i++) {
		ck_assert_uint_eq(runs[i].pages, CHUNK_FRAMES);
		ck_assert(!is_mapped[slot_of(runs[i].address)]);
		ck_assert(i == 0 || (char *)runs[i].address > (char *)runs[i - 1].address);
		is_mapped[slot_of(runs[i].address)] = error == 0;
	}
	return error;
}

static int seen_unmap(struct foreign *handle, const struct foreign_run *runs, uint32_t run_count)
{
	int error = sim_platform(machine)->foreign_unmap(handle, runs, run_count);

	unmap_calls++;
	for (uint32_t i = 0; i < run_count; i++) {
		ck_assert(is_mapped[slot_of(runs[i].address)]);
		is_mapped[slot_of(runs[i].address)] = error < 0;
	}
	return error;
}

static void setup(bool pv, uint32_t slots)
{
	const struct sim_guest_options options = {.domid = DOMID, .pages = PAGES, .pv = pv};
	const struct cache_options cache_options = {
		.platform = &platform,
		.domid = DOMID,
		.writable = !pv,
		.slots = slots,
		.idle_ticks = IDLE_TICKS,
		.age_ticks = pv ? AGE_TICKS : 0,
	};
	struct cache_options all = cache_options;

	log_set_level(LOG_LEVEL_ERROR);
	machine = sim_machine_create(1);
	ck_assert_ptr_nonnull(machine);
	platform = *sim_platform(machine);
	platform.foreign_map = seen_map;
	platform.foreign_unmap = seen_unmap;
	ck_assert_int_eq(sim_guest_create(machine, &options, &guest), 0);
	ck_assert_int_eq(sim_pages_take(guest, PAGES, frames), 0);
	here = PAGES;
	for (uint32_t i = 0; i < PAGES; i++)
		*(uint64_t *)sim_page(guest, frames[i]) = frames[i];
	ck_assert_int_eq(platform.foreign_open(&platform, &foreign), 0);
	all.foreign = foreign;
	ck_assert_int_eq(cache_create(&all, &cache), 0);
}

static void teardown(void)
{
	sim_faults_clear(machine);
	cache_destroy(cache);
	for (uint32_t i = 0; i < SLOTS_MAX; i++)
		ck_assert(!is_mapped[i]);
	platform.foreign_close(foreign);
	sim_machine_destroy(machine);
}

/* ---- the model ---- */

struct place {
	enum cache_state state;
	uint64_t chunk;
	bool can[CHUNK_FRAMES]; /* be used */
	bool nothing, referenced;
	uint32_t uses, epoch, mapped_at, idle;
};

static struct {
	struct place places[SLOTS_MAX];
	uint32_t slots, budget, chunks, end, hand, tick, epoch, age_ticks;
	uint64_t hits, spent, evictions, refused, holes;
	uint32_t lost, look_ups; /* chunks, with the last epoch or before; since then */
	uint32_t regained;
	bool no_victim;
} model;

static void model_start(uint32_t slots, uint32_t age_ticks)
{
	memset(&model, 0, sizeof(model));
	model.slots = model.budget = slots;
	model.age_ticks = age_ticks;
}

static struct place *model_find(uint64_t chunk)
{
	for (uint32_t i = 0; i < model.slots; i++)
		if (model.places[i].chunk == chunk &&
		    (model.places[i].state == CACHE_MISSED || model.places[i].state == CACHE_MAPPED))
			return &model.places[i];
	return NULL;
}

/* model_settle - what leaves and is not used is free. */
static void model_settle(void)
{
	for (uint32_t i = 0; i < model.slots; i++) {
		if (model.places[i].state != CACHE_LEAVING || model.places[i].uses > 0)
			continue;
		ck_assert(!is_mapped[i]);
		model.places[i].state = CACHE_FREE;
		model.chunks--;
	}
}

/* model_evict - up to `count` places leave; the cache settles at once, which model_settle follows. */
static uint32_t model_evict(uint32_t count)
{
	uint32_t evicted = 0;

	for (uint32_t step = 0; step < 2 * model.end && evicted < count; step++) {
		struct place *place = &model.places[model.hand];

		model.hand = (model.hand + 1) % model.end;
		if (place->state != CACHE_MAPPED || place->uses > 0)
			continue;
		if (place->referenced) {
			place->referenced = false;
		} else {
			place->state = CACHE_LEAVING;
			evicted++;
		}
	}
	model.evictions += evicted;
	return evicted;
}

/* model_make_room - as many as the hits have earned, but not more than an eighth of the budget. True if there was one. */
static bool model_make_room(void)
{
	uint64_t earned = model.hits - model.spent, most = CACHE_CHUNK_PRICE * CACHE_BATCH;
	uint32_t batch = model.budget / 8 ? model.budget / 8 : 1, evicted;

	if (earned > most) {
		earned = most;
		model.spent = model.hits - earned;
	}
	earned /= CACHE_CHUNK_PRICE;
	if (model.no_victim || earned == 0)
		return false;
	evicted = model_evict(earned < batch ? (uint32_t)earned : batch);
	model.spent += evicted * CACHE_CHUNK_PRICE;
	model.no_victim = evicted == 0;
	return true;
}

/* model_regain - the chunks that were lost come back one by one, each for so many look-ups. */
static bool model_regain(void)
{
	if (model.lost == 0)
		return true;
	if (model.look_ups < CACHE_CHUNK_PRICE)
		return false;
	model.look_ups -= CACHE_CHUNK_PRICE;
	model.lost--;
	model.regained++;
	return true;
}

/* What a look-up must find: a place, or NULL. `*is_new`: it must get one, since it is the chunk's first. */
static struct place *model_use(uint64_t frame, bool *is_new)
{
	struct place *place = model_find(frame / CHUNK_FRAMES);

	*is_new = false;
	if (place && place->state == CACHE_MAPPED && !place->can[frame % CHUNK_FRAMES]) {
		model.holes++;
		if (place->mapped_at != model.tick)
			place->state = CACHE_LEAVING;
		return NULL;
	}
	if (place) {
		model.hits++;
		model.look_ups++;
		return place;
	}
	*is_new = true;
	return NULL;
}

/* model_mapped - the turn's misses are mapped: what could be is what the guest has, if the call went well. */
static void model_mapped(bool went_well)
{
	model.no_victim = false;
	for (uint32_t i = 0; i < model.slots; i++) {
		struct place *place = &model.places[i];

		if (place->state != CACHE_MISSED)
			continue;
		place->state = CACHE_MAPPED;
		place->nothing = !went_well;
		for (uint32_t j = 0; j < CHUNK_FRAMES; j++)
			place->can[j] = went_well && sim_page(guest, place->chunk * CHUNK_FRAMES + j);
	}
}

static void model_tick(uint32_t tick)
{
	model.tick = tick;
	for (uint32_t i = 0; i < model.end; i++) {
		struct place *place = &model.places[i];
		bool used = place->referenced || place->uses > 0;

		if (place->state != CACHE_MAPPED)
			continue;
		if (model.age_ticks && tick - place->mapped_at >= model.age_ticks) {
			place->state = CACHE_LEAVING;
			continue;
		}
		place->idle = used ? 0 : place->idle + 1;
		place->referenced = place->uses > 0;
		if (place->idle >= IDLE_TICKS)
			place->state = CACHE_LEAVING;
	}
}

static void model_advance(uint32_t epoch)
{
	model.epoch = epoch;
	model.look_ups = 0;
	for (uint32_t i = 0; i < model.slots; i++) {
		if (model.places[i].state != CACHE_MAPPED)
			continue;
		model.places[i].state = CACHE_LEAVING;
		model.lost++;
	}
}

/* ---- a run of both ---- */

static struct {
	char *page;
	uint64_t frame;
	bool fresh; /* of this turn: not mapped yet */
} uses[USES_MAX];
static uint32_t use_count;

/* compare - everything, but what is between a look-up and the end of its turn. */
static void compare(void)
{
	uint32_t older = 0, chunks = 0;

	for (uint32_t i = 0; i < model.slots; i++) {
		const struct place *place = &model.places[i];
		const struct cache_slot *slot = &cache->slots[i];

		if (i >= model.end) {
			ck_assert_int_eq(place->state, CACHE_FREE);
			continue;
		}
		ck_assert_int_eq(slot->state, place->state);
		if (place->state == CACHE_FREE) {
			ck_assert(!is_mapped[i]);
			continue;
		}
		chunks++;
		older += place->epoch != model.epoch;
		ck_assert_uint_eq(slot->chunk, place->chunk);
		ck_assert_uint_eq(slot->uses, place->uses);
		ck_assert_int_eq(slot->referenced, place->referenced);
		ck_assert_int_eq(is_mapped[i], place->state != CACHE_MISSED && !place->nothing);
		ck_assert_ptr_eq(cache_find(cache, place->chunk),
				 model_find(place->chunk)
					 ? &cache->slots[model_find(place->chunk) - model.places]
					 : NULL);
	}
	ck_assert_uint_eq(cache->chunks, chunks);
	ck_assert_uint_eq(cache->older, older);
	ck_assert_uint_eq(cache->counters.hits, model.hits);
	ck_assert_uint_eq(cache->counters.evictions, model.evictions);
	ck_assert_uint_eq(cache->counters.refused, model.refused);
	ck_assert_uint_eq(cache->counters.holes, model.holes);
	ck_assert_uint_eq(cache->lost, model.lost);
}

/* give_place - a new chunk may take any place that is free. */
static struct place *give_place(uint32_t slot, uint64_t chunk)
{
	struct place *place = &model.places[slot];

	ck_assert_uint_lt(model.chunks, model.budget);
	ck_assert_int_eq(place->state, CACHE_FREE);
	*place = (struct place){
		.state = CACHE_MISSED, .chunk = chunk, .epoch = model.epoch, .mapped_at = model.tick};
	model.chunks++;
	if (slot >= model.end)
		model.end = slot + 1;
	return place;
}

static void use_one(uint64_t frame)
{
	bool is_new, may_map, settles = false;
	struct place *place = model_use(frame, &is_new);
	char *page;

	may_map = is_new && model_regain();
	if (may_map && model.chunks >= model.budget)
		may_map = settles = model_make_room();
	page = cache_use(cache, frame);
	if (settles)
		model_settle();
	if (is_new && page) {
		ck_assert(may_map);
		place = give_place(slot_of(page), frame / CHUNK_FRAMES);
	} else if (is_new) {
		model.refused++;
		model.look_ups++;
	}
	if (!place) {
		ck_assert_ptr_null(page);
		ck_assert(!may_map || model.chunks >= model.budget);
		return;
	}
	ck_assert_ptr_eq(page, cache->range + (size_t)(place - model.places) * CHUNK_BYTES +
				       frame % CHUNK_FRAMES * PAGE_BYTES);
	place->uses++;
	place->referenced = true;
	ck_assert_uint_lt(use_count, USES_MAX);
	uses[use_count].page = page;
	uses[use_count].frame = frame;
	uses[use_count++].fresh = true;
}

static void drop_one(uint32_t i)
{
	struct place *place = &model.places[slot_of(uses[i].page)];

	place->uses--;
	cache_drop(cache, uses[i].page);
	uses[i] = uses[--use_count];
}

/* end_turn - map what was missed; those that could not be mapped are given back, the others hold the right memory. */
static void end_turn(bool goes_well)
{
	if (!goes_well)
		sim_fault_set(machine,
			      &(struct sim_fault){.call = SIM_FOREIGN_MAP, .times = 1, .error = -ENOMEM});
	cache_map_missed(cache);
	sim_faults_clear(machine);
	model_mapped(goes_well);
	for (uint32_t i = use_count; i > 0; i--) {
		struct place *place = &model.places[slot_of(uses[i - 1].page)];
		bool can = place->can[uses[i - 1].frame % CHUNK_FRAMES];

		if (!uses[i - 1].fresh)
			continue;
		uses[i - 1].fresh = false;
		ck_assert_int_eq(cache_has(cache, uses[i - 1].page), can);
		ck_assert_uint_eq(cache_frame(cache, uses[i - 1].page), uses[i - 1].frame);
		if (can)
			ck_assert_uint_eq(*(uint64_t *)(void *)uses[i - 1].page, uses[i - 1].frame);
		else
			drop_one(i - 1);
	}
	cache_settle(cache);
	model_settle();
	compare();
}

/* any_frame - mostly of two chunks, so that there are hits; and some that the guest does not have. */
static uint64_t any_frame(void)
{
	uint64_t frame = frames[chance(PAGES)];

	if (chance(100) == 0)
		return frame + (UINT64_C(1) << 40);
	if (chance(8) > 0)
		return frames[chance(2)] / CHUNK_FRAMES * CHUNK_FRAMES + frame % CHUNK_FRAMES;
	return frame;
}

/* balloon - the guest gives some frames away, or gets them back; either way what was mapped before is over. */
static void balloon(void)
{
	if (here == PAGES) {
		here = PAGES - 1 - chance(PAGES / 4);
		ck_assert_int_eq(sim_balloon_out(guest, PAGES - here, frames + here), 0);
	} else {
		ck_assert_int_eq(sim_balloon_in(guest, PAGES - here, frames + here), 0);
		for (uint32_t i = here; i < PAGES; i++)
			*(uint64_t *)sim_page(guest, frames[i]) = frames[i];
		here = PAGES;
	}
	cache_advance(cache, model.epoch + 1);
	model_advance(model.epoch + 1);
	model_settle();
}

static void anything(void)
{
	switch (chance(12)) {
	case 0:
		if (chance(6) > 0)
			break;
		model_tick(model.tick + 1);
		cache_tick(cache, model.tick);
		model_settle();
		if (model.chunks > model.budget)
			model_evict(model.chunks - model.budget);
		model_settle();
		break;
	case 1:
		if (chance(8) == 0)
			balloon();
		break;
	case 2:
		if (chance(4) == 0)
			cache->budget = model.budget = 1 + chance(model.slots);
		break;
	default:
		for (uint32_t count = 1 + chance(20); count > 0 && use_count < USES_MAX; count--)
			use_one(any_frame());
		end_turn(chance(40) != 0);
		break;
	}
	while (use_count > USES_MAX / 2 || (use_count > 0 && chance(3)))
		drop_one(chance(use_count));
	cache_settle(cache);
	model_settle();
	compare();
}

static void run_model(bool pv, uint32_t slots, uint32_t steps)
{
	setup(pv, slots);
	model_start(slots, pv ? AGE_TICKS : 0);
	for (uint32_t i = 0; i < steps; i++)
		anything();
	/* The run was worth something. */
	ck_assert_uint_gt(model.hits, steps / 2);
	ck_assert_uint_gt(model.holes, 0);
	ck_assert_uint_gt(model.regained, 2);
	ck_assert(slots > 8 || (model.evictions > 0 && model.refused > 0));
	while (use_count > 0)
		drop_one(0);
	teardown();
}

START_TEST(as_the_model)
{
	static const uint32_t slots[] = {1, 2, 3, 5, SLOTS_MAX};

	random_state = (uint64_t)_i * 7907;
	run_model(_i % 2, slots[_i % 5], 900);
}
END_TEST

/* ---- single rules ---- */

/* All misses of a turn are mapped by one call, and all that leaves together is unmapped by one. */
START_TEST(one_call)
{
	char *pages[8];

	setup(false, SLOTS_MAX);
	for (uint32_t i = 0; i < 8; i++)
		pages[i] = cache_use(cache, frames[0] / CHUNK_FRAMES * CHUNK_FRAMES + i * CHUNK_FRAMES);
	ck_assert_uint_eq(map_calls, 0);
	cache_map_missed(cache);
	ck_assert_uint_eq(map_calls, 1);
	for (uint32_t i = 0; i < 8; i++)
		cache_drop(cache, pages[i]);
	cache_advance(cache, 1);
	ck_assert_uint_eq(unmap_calls, 1);
	ck_assert_uint_eq(cache->older, 0);
	teardown();
}
END_TEST

/* choose_frames - of four chunks. */
static void choose_frames(uint64_t of_chunk[4])
{
	uint32_t chunks = 0;

	for (uint32_t i = 0; chunks < 4; i++) {
		bool known = false;

		for (uint32_t j = 0; j < chunks; j++)
			known = known || of_chunk[j] / CHUNK_FRAMES == frames[i] / CHUNK_FRAMES;
		if (!known)
			of_chunk[chunks++] = frames[i];
	}
}

/* earn - a chunk that was lost: so many look-ups in vain, and then it is mapped. */
static char *earn(uint64_t frame)
{
	char *page;

	for (uint32_t i = 0; i < CACHE_CHUNK_PRICE; i++)
		ck_assert_ptr_null(cache_use(cache, frame));
	page = cache_use(cache, frame);
	ck_assert_ptr_nonnull(page);
	cache_map_missed(cache);
	return page;
}

/* A chunk of an older epoch that is in use goes on, is not found, and counts until its last use has ended. */
START_TEST(older_epoch)
{
	char *before, *after;

	setup(false, 3);
	before = cache_use(cache, frames[0]);
	cache_map_missed(cache);
	cache_advance(cache, 1);
	ck_assert_uint_eq(cache->older, 1);
	after = earn(frames[0]);
	ck_assert_ptr_ne(before, after);
	ck_assert_uint_eq(*(uint64_t *)(void *)before, frames[0]);
	ck_assert_uint_eq(*(uint64_t *)(void *)after, frames[0]);
	cache_drop(cache, before);
	cache_settle(cache);
	ck_assert_uint_eq(cache->older, 0);
	ck_assert_ptr_eq(cache_use(cache, frames[0]), after);
	cache_drop(cache, after);
	cache_drop(cache, after);
	teardown();
}
END_TEST

/*
 * As many chunks as were lost with an epoch have to be earned, each by so many look-ups, found or not, of this epoch. Then
 * everything is mapped when it is missed, as in the beginning.
 */
START_TEST(lost_is_earned)
{
	uint64_t of_chunk[4];
	char *pages[4];

	setup(false, SLOTS_MAX);
	choose_frames(of_chunk);
	for (uint32_t i = 0; i < 3; i++)
		pages[i] = cache_use(cache, of_chunk[i]);
	cache_map_missed(cache);
	ck_assert_uint_eq(map_calls, 1);
	for (uint32_t i = 0; i < 3; i++)
		cache_drop(cache, pages[i]);
	cache_advance(cache, 1);
	pages[0] = earn(of_chunk[0]);
	/* What was earned is lost with the epoch, too, and one of those that had to be earned was. */
	for (uint32_t i = 0; i < 2 * CACHE_CHUNK_PRICE; i++)
		cache_drop(cache, cache_use(cache, of_chunk[0]));
	cache_drop(cache, pages[0]);
	cache_advance(cache, 2);
	pages[0] = earn(of_chunk[0]);
	ck_assert_ptr_null(cache_use(cache, of_chunk[1]));
	for (uint32_t i = 0; i < 2 * CACHE_CHUNK_PRICE - 1; i++)
		cache_drop(cache, cache_use(cache, of_chunk[0]));
	for (uint32_t i = 1; i < 4; i++)
		ck_assert_ptr_nonnull(pages[i] = cache_use(cache, of_chunk[i]));
	cache_map_missed(cache);
	for (uint32_t i = 0; i < 4; i++)
		cache_drop(cache, pages[i]);
	teardown();
}
END_TEST

/* What can't be unmapped counts as mapped, and is tried again. */
START_TEST(unmap_fails)
{
	char *page;

	setup(false, 3);
	page = cache_use(cache, frames[0]);
	cache_map_missed(cache);
	cache_drop(cache, page);
	sim_fault_set(machine, &(struct sim_fault){.call = SIM_FOREIGN_UNMAP, .times = 2, .error = -EIO});
	cache_advance(cache, 1);
	ck_assert_uint_eq(cache->older, 1);
	cache_tick(cache, 1);
	ck_assert_uint_eq(cache->older, 1);
	cache_settle(cache);
	ck_assert_uint_eq(cache->older, 0);
	teardown();
}
END_TEST

/* The hits decide: where each chunk is used once nothing is evicted, where each is used often everything is served. */
START_TEST(evictions_are_earned)
{
	uint32_t per_visit = _i ? 2 * CACHE_CHUNK_PRICE : 1;
	uint64_t of_chunk[4];
	uint32_t found = 0;

	setup(false, 2);
	choose_frames(of_chunk);
	for (uint32_t visit = 0; visit < 100; visit++) {
		for (uint32_t i = 0; i < per_visit; i++) {
			char *page = cache_use(cache, of_chunk[visit % 4]);

			cache_map_missed(cache);
			found += page != NULL;
			if (page)
				cache_drop(cache, page);
		}
	}
	if (_i) {
		ck_assert_uint_gt(found, 99 * per_visit);
		ck_assert_uint_ge(cache->counters.evictions, 90);
	} else {
		ck_assert_uint_eq(cache->counters.evictions, 0);
		ck_assert_uint_eq(found, 50);
	}
	teardown();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, as_the_model, 0, 15);
	tcase_add_test(test_case, one_call);
	tcase_add_test(test_case, older_epoch);
	tcase_add_test(test_case, lost_is_earned);
	tcase_add_test(test_case, unmap_fails);
	tcase_add_loop_test(test_case, evictions_are_earned, 0, 2);
}

CHECK_MAIN("cache", add_tests)
