// SPDX-License-Identifier: GPL-2.0-or-later
/* mapped_guest.c - a simulated guest, and its memory as two loops reach it */
#include "mapped_guest.h"

#include "check_main.h"
#include "log.h"
#include "sim/faults.h"

struct sim_machine *mapped_machine;
struct sim_guest *guest;
const struct platform *platform;
struct guest_memory *shared;
struct memory *loops[LOOPS];
uint64_t frames[PAGES], random_state;
bool is_pv;

uint32_t chance(uint32_t below)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % below;
}

void setup_machine(bool pv, uint32_t version, uint32_t idle_s)
{
	const struct sim_guest_options options = {
		.domid = DOMID, .pages = PAGES, .pv = pv, .grant_version = version};
	const struct guest_memory_settings settings = {.most_mib = 64, .budget_mib = 64, .idle_s = idle_s};

	log_set_level(LOG_LEVEL_ERROR);
	is_pv = pv;
	mapped_machine = sim_machine_create(1);
	ck_assert_ptr_nonnull(mapped_machine);
	platform = sim_platform(mapped_machine);
	ck_assert_int_eq(sim_guest_create(mapped_machine, &options, &guest), 0);
	ck_assert_int_eq(sim_pages_take(guest, PAGES, frames), 0);
	ck_assert_int_eq(guest_memory_open(platform, DOMID, &settings, &shared), 0);
	for (uint32_t i = 0; i < LOOPS; i++)
		ck_assert_int_eq(memory_open(platform, DOMID, shared, MAPPINGS_MAX, &loops[i]), 0);
}

void setup(bool pv, uint32_t version, uint32_t idle_s)
{
	char text[MEMORY_TEXT_MAX];
	bool cached;

	setup_machine(pv, version, idle_s);
	for (uint32_t i = 0; i < LOOPS; i++) {
		ck_assert_int_eq(memory_choose(loops[i], MEMORY_AUTO, &cached, text), 0);
		ck_assert_msg(cached, "%s", text);
	}
}

void teardown(void)
{
	sim_faults_clear(mapped_machine);
	for (uint32_t i = 0; i < LOOPS; i++)
		memory_close(loops[i]);
	guest_memory_close(shared);
	sim_machine_destroy(mapped_machine);
}

/* map_one - a page. Returns the error. */
int map_one(struct memory *memory, struct one *one, int64_t gref, bool writable, bool direct)
{
	ck_assert_int_ge(gref, 0);
	*one = (struct one){.gref = (uint32_t)gref};
	one->mapping = (struct memory_mapping){
		.grefs = &one->gref,
		.count = 1,
		.writable = writable,
		.cached = true,
		.direct = direct,
		.pages = &one->page,
	};
	one->list = &one->mapping;
	memory_map(memory, &one->list, 1);
	return one->mapping.error;
}

int unmap_one(struct memory *memory, struct one *one)
{
	ck_assert_uint_eq(memory_unmap(memory, &one->list, 1, one->gone), 1);
	ck_assert_ptr_eq(one->gone[0], &one->mapping);
	return one->mapping.error;
}

/* in_cache - does this page lie there? */
bool in_cache(const struct memory *memory, const void *page)
{
	const struct cache *cache = memory->cache;

	return (const char *)page >= cache->range &&
	       (const char *)page < cache->range + cache->slot_count * CHUNK_BYTES;
}
