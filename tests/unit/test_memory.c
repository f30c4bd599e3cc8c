// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest's memory as rings see it: whatever the way, a mapping gives what Xen's rules give, and nothing else. The rules are
 * a model of their own here: what each grant says at the moment when it is mapped.
 */
#include "check_main.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "mapped_guest.h"
#include "sim/faults.h"
#include "sim/grant_entry.h"
#include "sim_probe.h"

/* ---- single mappings ---- */

/* A steady state has no calls at all: they would all fail. A PV guest's pages are written by grants. */
START_TEST(no_calls)
{
	int64_t read = 0, written = 0;
	struct one one;

	setup(_i & 1, _i & 2 ? 2 : 1, 10);
	for (uint32_t i = 0; i < 2; i++) {
		sim_fault_set(mapped_machine, &(struct sim_fault){.call = SIM_GRANTS_MAP, .error = -EIO});
		sim_fault_set(mapped_machine,
			      &(struct sim_fault){.call = SIM_FOREIGN_MAP, .after = !i, .error = -EIO});
		read = sim_grant(guest, SIM_HOST_DOMID, frames[0], true);
		written = sim_grant(guest, SIM_HOST_DOMID, frames[0], false);
		strcpy(sim_page(guest, frames[0]), "the guest's");
		ck_assert_int_eq(map_one(loops[0], &one, read, false, false), 0);
		ck_assert(in_cache(loops[0], one.page));
		ck_assert_str_eq(one.page, "the guest's");
		ck_assert_int_eq(can_write(one.page), !is_pv);
		/* It may go, though it is mapped. */
		ck_assert_int_eq(sim_grant_end(guest, (uint32_t)read), 0);
		ck_assert_int_eq(unmap_one(loops[0], &one), 0);
		ck_assert_int_eq(map_one(loops[0], &one, written, true, false), is_pv ? -EIO : 0);
		if (is_pv)
			continue;
		strcpy(one.page, "ours");
		ck_assert_int_eq(unmap_one(loops[0], &one), 0);
		ck_assert_str_eq(sim_page(guest, frames[0]), "ours");
	}
	ck_assert_int_eq(sim_page_use_as_table(guest, frames[0]), is_pv ? 0 : -EINVAL);
	teardown();
}
END_TEST

/* What is in the cache can be read without a mapping, if its grant says so at that moment. */
START_TEST(read_at_once)
{
	char text[12] = "";
	struct one one;
	int64_t gref, others, read_only;

	setup(_i & 1, _i & 2 ? 2 : 1, 10);
	gref = sim_grant(guest, SIM_HOST_DOMID, frames[0], false);
	read_only = sim_grant(guest, SIM_HOST_DOMID, frames[0], true);
	others = sim_grant(guest, SIM_HOST_DOMID + 3, frames[0], false);
	strcpy(sim_page(guest, frames[0]), "the guest's");
	ck_assert(!memory_read(loops[0], (uint32_t)gref, 0, sizeof(text), text));
	ck_assert_int_eq(map_one(loops[0], &one, gref, false, false), 0);
	ck_assert_int_eq(unmap_one(loops[0], &one), 0);
	ck_assert(memory_read(loops[0], (uint32_t)gref, 0, sizeof(text), text));
	ck_assert_str_eq(text, "the guest's");
	ck_assert(memory_read(loops[0], (uint32_t)read_only, 4, 8, text));
	ck_assert_str_eq(text, "guest's");
	/* The other loop has a cache of its own. */
	ck_assert(!memory_read(loops[1], (uint32_t)gref, 0, sizeof(text), text));
	ck_assert(!memory_read(loops[0], (uint32_t)others, 0, sizeof(text), text));
	ck_assert(!memory_read(loops[0], UINT32_MAX, 0, sizeof(text), text));
	ck_assert_int_eq(sim_grant_end(guest, (uint32_t)gref), 0);
	ck_assert(!memory_read(loops[0], (uint32_t)gref, 0, sizeof(text), text));
	ck_assert_str_eq(text, "guest's");
	teardown();
}
END_TEST

/* The table grows while it is in use; a gref beyond its end is Xen's to refuse. */
START_TEST(table_grows)
{
	struct one one;
	int64_t last = 0;

	setup(false, (uint32_t)_i, 10);
	for (uint32_t i = 0; i < 3000; i++) {
		last = sim_grant(guest, SIM_HOST_DOMID, frames[i % PAGES], false);
		*(uint32_t *)sim_page(guest, frames[i % PAGES]) = i;
		if (i % 50)
			continue;
		ck_assert_int_eq(map_one(loops[i / 50 % 2], &one, last, true, false), 0);
		ck_assert(in_cache(loops[i / 50 % 2], one.page));
		ck_assert_uint_eq(*(uint32_t *)one.page, i);
		ck_assert_int_eq(unmap_one(loops[i / 50 % 2], &one), 0);
	}
	ck_assert_int_eq(map_one(loops[0], &one, last + 100000, false, false), -EINVAL);
	ck_assert_int_eq(map_one(loops[0], &one, UINT32_MAX, false, false), -EINVAL);
	teardown();
}
END_TEST

static uint32_t grow_calls;

static int seen_grow(struct foreign *foreign, uint16_t domid, void *address, enum grant_frames which,
		     uint32_t first, uint32_t count)
{
	grow_calls++;
	return platform->foreign_map_grant_frames(foreign, domid, address, which, first, count);
}

/* A guest that names grants beyond its table's end, over and over, does not have Xen asked for each. */
START_TEST(table_ends)
{
	struct platform seen;
	struct foreign *foreign;
	struct resolver resolver;
	struct resolver_view view;
	uint64_t frame;

	setup_machine(false, (uint32_t)_i, 10);
	seen = *platform;
	seen.foreign_map_grant_frames = seen_grow;
	ck_assert_int_eq(platform->foreign_open(platform, &foreign), 0);
	ck_assert_int_eq(resolver_open(&resolver, &seen, foreign, DOMID), 0);
	ck_assert_int_eq(resolver_see_version(&resolver), 0);
	grow_calls = 0;
	for (uint32_t i = 0; i < 1000; i++) {
		view = resolver_view(&resolver, false);
		ck_assert_int_eq(resolver_look_up(&resolver, &view, 100000 + i * 100, &frame),
				 RESOLVED_NOT_HERE);
	}
	ck_assert_uint_eq(grow_calls, 1);
	/* But up to there it grows. */
	view = resolver_view(&resolver, false);
	ck_assert_uint_lt(view.count, 1000);
	resolver_look_up(&resolver, &view, 1000, &frame);
	ck_assert_uint_gt(view.count, 1000);
	ck_assert_uint_eq(grow_calls, 2);
	resolver_close(&resolver);
	platform->foreign_close(foreign);
	teardown();
}
END_TEST

/* What is for direct I/O is in pages of ours; a read reaches the guest when it is given back, and not if it failed. */
START_TEST(direct)
{
	int64_t gref;
	struct one one;

	setup(_i, 1, 10);
	gref = sim_grant(guest, SIM_HOST_DOMID, frames[0], false);
	strcpy(sim_page(guest, frames[0]), "the guest's");
	ck_assert_int_eq(map_one(loops[0], &one, gref, false, true), 0);
	ck_assert(!in_cache(loops[0], one.page));
	ck_assert_str_eq(one.page, "the guest's");
	strcpy(one.page, "not to be seen");
	ck_assert_int_eq(unmap_one(loops[0], &one), 0);
	ck_assert_str_eq(sim_page(guest, frames[0]), "the guest's");

	for (int failed = 0; failed < 2 && !is_pv; failed++) {
		ck_assert_int_eq(map_one(loops[0], &one, gref, true, true), 0);
		ck_assert(!in_cache(loops[0], one.page));
		strcpy(one.page, failed ? "nothing" : "ours");
		ck_assert_str_eq(sim_page(guest, frames[0]), failed ? "ours" : "the guest's");
		one.mapping.failed = failed;
		ck_assert_int_eq(unmap_one(loops[0], &one), 0);
		ck_assert_str_eq(sim_page(guest, frames[0]), "ours");
	}
	teardown();
}
END_TEST

/* ---- frames that can't be mapped ---- */

static const char nothing[] = "nothing of the guest's";

/* map_all - leaves pages that can be read and written where it has errors, as privcmd does in a PVH Dom0. */
static int map_all(struct foreign *foreign, uint16_t domid, const struct foreign_run *runs,
		   uint32_t run_count, const uint64_t *list, int *errors)
{
	int error = sim_platform(mapped_machine)->foreign_map(foreign, domid, runs, run_count, list, errors);

	for (uint32_t i = 0; error == 0 && i < run_count * CHUNK_FRAMES; i++) {
		char *page = (char *)runs[i / CHUNK_FRAMES].address + i % CHUNK_FRAMES * PAGE_BYTES;

		if (errors[i] == 0)
			continue;
		ck_assert_ptr_eq(mmap(page, PAGE_BYTES, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
				 page);
		strcpy(page, nothing);
	}
	return error;
}

/* The page of a frame that the guest did not have is not used, by the loop that finds that out and afterwards, though there is
 * one. */
START_TEST(error_pages)
{
	struct platform leaves_pages;
	char text[MEMORY_TEXT_MAX], *there;
	int64_t gref, neighbour;
	uint32_t near = 1;
	struct one one;
	bool cached;

	setup_machine(_i & 1, 1, 10);
	while (frames[near] / CHUNK_FRAMES != frames[0] / CHUNK_FRAMES)
		near++;
	gref = sim_grant(guest, SIM_HOST_DOMID, frames[0], false);
	neighbour = sim_grant(guest, SIM_HOST_DOMID, frames[near], false);
	ck_assert_int_eq(sim_balloon_out(guest, 1, frames), 0);
	leaves_pages = *platform;
	leaves_pages.foreign_map = map_all;
	shared->platform = loops[0]->platform = &leaves_pages;
	ck_assert_int_eq(memory_choose(loops[0], MEMORY_FOREIGN, &cached, text), 0);
	for (uint32_t i = 0; i < 2; i++) {
		ck_assert_int_lt(map_one(loops[0], &one, gref, _i & 2, false), 0);
		ck_assert_int_eq(map_one(loops[0], &one, neighbour, false, false), 0);
		ck_assert(in_cache(loops[0], one.page));
		there = (char *)one.page + (int64_t)(frames[0] - frames[near]) * (int64_t)PAGE_BYTES;
		ck_assert_str_eq(there, nothing);
		ck_assert_int_eq(unmap_one(loops[0], &one), 0);
	}
	teardown();
}
END_TEST

/* ---- the model: any grants, mapped in any way ---- */

#define GRANTS 48u
#define COUNT_MAX 6u

enum kind {
	WHOLE,
	READ_ONLY,
	SUB_PAGE, /* of version 2: the first half of the page */
	OTHERS,	  /* for another domain */
	WITHDRAWN,
	NO_FRAME, /* that the guest has */
	KINDS,
};

static struct model_grant {
	enum kind kind;
	int64_t gref;
	uint64_t frame;
} model_grants[GRANTS];

static struct model_mapping {
	bool used, whole_pages, refused;
	struct memory *memory;
	struct memory_mapping mapping, *gone[MAPPINGS_MAX];
	uint32_t grefs[COUNT_MAX];
	uint64_t frames[COUNT_MAX];
	void *pages[COUNT_MAX];
	uint8_t first_sectors[COUNT_MAX], sector_counts[COUNT_MAX];
	uint8_t pattern;
} model_mappings[8];

static uint32_t mapped_well, refused_well, copied_well;

/* Nobody else has the frame, so that the content of a page is known: `index` is its place among the frames. */
static void make_grant(uint32_t index, uint32_t version)
{
	struct model_grant *grant = &model_grants[index];

	grant->kind = chance(3) ? WHOLE : (enum kind)chance(KINDS);
	if (grant->kind == SUB_PAGE && version == 1)
		grant->kind = READ_ONLY;
	grant->frame = frames[index * (PAGES / GRANTS) + chance(PAGES / GRANTS)];
	switch (grant->kind) {
	case SUB_PAGE:
		grant->gref = sim_grant_sub_page(guest, SIM_HOST_DOMID, grant->frame, 0, PAGE_BYTES / 2,
						 false);
		break;
	case OTHERS:
		grant->gref = sim_grant(guest, 1, grant->frame, false);
		break;
	case NO_FRAME:
		grant->gref = sim_grant(guest, SIM_HOST_DOMID, 0x12345678, false);
		break;
	default:
		grant->gref = sim_grant(guest, SIM_HOST_DOMID, grant->frame, grant->kind == READ_ONLY);
		break;
	}
	ck_assert_int_ge(grant->gref, 0);
	/* Without giving the gref back, or another grant would get it. */
	if (grant->kind == WITHDRAWN)
		__atomic_store_n((uint16_t *)sim_grant_entry(guest, (uint32_t)grant->gref), 0,
				 __ATOMIC_SEQ_CST);
}

/* in_use - by a mapping. The grant may change all the same, but what its frame must hold would not be known. */
static bool in_use(uint64_t frame)
{
	for (uint32_t i = 0; i < sizeof(model_mappings) / sizeof(model_mappings[0]); i++)
		for (uint32_t j = 0; model_mappings[i].used && j < model_mappings[i].mapping.count; j++)
			if (model_mappings[i].frames[j] == frame)
				return true;
	return false;
}

/* permitted - what must come of it: 1 mapped, 0 refused, 2 mapped if it can be copied. */
static int permitted(const struct model_grant *grant, const struct model_mapping *mapping, uint32_t at)
{
	switch (grant->kind) {
	case WHOLE:
		return 1;
	case READ_ONLY:
		return !mapping->mapping.writable;
	case SUB_PAGE:
		return mapping->whole_pages || mapping->first_sectors[at] + mapping->sector_counts[at] > 4
			       ? 0
			       : 2;
	default:
		return 0;
	}
}

/* part - the bytes of a page that are used. */
static char *part(const struct model_mapping *mapping, uint32_t at, void *page, uint32_t *bytes)
{
	*bytes = mapping->whole_pages ? PAGE_BYTES : mapping->sector_counts[at] * MEMORY_SECTOR_BYTES;
	return (char *)page + (mapping->whole_pages ? 0 : mapping->first_sectors[at] * MEMORY_SECTOR_BYTES);
}

/* holds - is this part of the guest's page all of one byte? */
static bool holds(const struct model_mapping *mapping, uint32_t at, void *page, uint8_t byte)
{
	uint32_t bytes;
	const char *start = part(mapping, at, page, &bytes);

	for (uint32_t i = 0; i < bytes; i++)
		if ((uint8_t)start[i] != byte)
			return false;
	return true;
}

/* describe - a mapping of some grants whose frames are not in use. Returns how many; `chosen` are their indices. */
static uint32_t describe(struct model_mapping *mapping, uint32_t chosen[COUNT_MAX])
{
	uint32_t count = 0, wanted = 1 + chance(COUNT_MAX);

	memset(mapping, 0, sizeof(*mapping));
	mapping->whole_pages = chance(3) == 0;
	mapping->pattern = (uint8_t)(1 + chance(255));
	for (uint32_t tries = 0; count < wanted && tries < 20; tries++) {
		uint32_t index = chance(GRANTS);
		bool taken = in_use(model_grants[index].frame);

		for (uint32_t i = 0; i < count; i++)
			taken = taken || chosen[i] == index;
		if (taken)
			continue;
		mapping->grefs[count] = (uint32_t)model_grants[index].gref;
		mapping->frames[count] = model_grants[index].frame;
		mapping->first_sectors[count] = (uint8_t)chance(4);
		mapping->sector_counts[count] = (uint8_t)(1 + chance(chance(2) ? 3 : 5));
		chosen[count++] = index;
	}
	mapping->mapping = (struct memory_mapping){
		.grefs = mapping->grefs,
		.count = count,
		.writable = chance(2),
		.cached = chance(8) > 0,
		.direct = chance(3) == 0,
		.first_sectors = mapping->whole_pages ? NULL : mapping->first_sectors,
		.sector_counts = mapping->whole_pages ? NULL : mapping->sector_counts,
		.pages = mapping->pages,
	};
	return count;
}

static void model_map(struct model_mapping *mapping)
{
	uint32_t chosen[COUNT_MAX], count = describe(mapping, chosen), copied = 0, refused = 0;
	struct memory_mapping *list = &mapping->mapping;
	bool by_copy;

	if (count == 0)
		return;
	mapping->memory = loops[chance(LOOPS)];
	for (uint32_t i = 0; i < count; i++) {
		int verdict = permitted(&model_grants[chosen[i]], mapping, i);

		refused += verdict == 0;
		copied += model_grants[chosen[i]].kind == SUB_PAGE;
		memset(sim_page(guest, mapping->frames[i]), mapping->pattern, PAGE_BYTES);
	}
	memory_map(mapping->memory, &list, 1);
	/* What can only be copied is copied by those that could use the cache, and what is for direct I/O and not in the cache by
	 * all; if it goes to the guest, what Xen finds wrong with it shows at the end. */
	by_copy = list->direct || (copied > 0 && list->cached);
	mapping->refused = refused > 0 || (copied > 0 && !by_copy);
	if (by_copy && list->writable)
		ck_assert_int_eq(list->error, 0);
	else
		ck_assert_int_eq(list->error < 0, mapping->refused);
	refused_well += refused > 0;
	copied_well += copied > 0;
	if (list->error < 0)
		return;
	mapped_well++;
	mapping->used = true;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t bytes;
		char *start = part(mapping, i, mapping->pages[i], &bytes);

		if (!mapping->mapping.writable)
			ck_assert(holds(mapping, i, mapping->pages[i], mapping->pattern));
		else
			memset(start, (uint8_t)~mapping->pattern, bytes);
	}
}

static void model_unmap(struct model_mapping *mapping)
{
	struct memory_mapping *list = &mapping->mapping;
	bool writable = mapping->mapping.writable;

	mapping->mapping.failed = chance(8) == 0;
	ck_assert_uint_eq(memory_unmap(mapping->memory, &list, 1, mapping->gone), 1);
	mapping->used = false;
	ck_assert_int_eq(list->error < 0, mapping->refused && !mapping->mapping.failed);
	for (uint32_t i = 0; i < mapping->mapping.count && !mapping->mapping.failed; i++) {
		void *page = sim_page(guest, mapping->frames[i]);

		if (list->error < 0)
			continue;
		ck_assert(holds(mapping, i, page, writable ? (uint8_t)~mapping->pattern : mapping->pattern));
		ck_assert(!writable || sim_migration_knows(guest, mapping->frames[i]));
	}
}

static void change_grant(uint32_t index, uint32_t version)
{
	struct model_grant *grant = &model_grants[index];

	if (in_use(grant->frame))
		return;
	ck_assert_int_eq(sim_grant_end(guest, (uint32_t)grant->gref), 0);
	make_grant(index, version);
}

START_TEST(as_the_model)
{
	uint32_t version = _i & 2 ? 2 : 1;

	random_state = (uint64_t)_i * 7919;
	setup(_i & 1, version, 10);
	ck_assert_int_eq(sim_migration_begin(guest), 0);
	for (uint32_t i = 0; i < GRANTS; i++)
		make_grant(i, version);
	for (uint32_t step = 0; step < 3000; step++) {
		struct model_mapping *mapping = &model_mappings[chance(8)];

		if (chance(4) == 0)
			change_grant(chance(GRANTS), version);
		else if (mapping->used)
			model_unmap(mapping);
		else
			model_map(mapping);
		if (chance(100) == 0)
			sim_migration_round(guest);
	}
	for (uint32_t i = 0; i < 8; i++)
		if (model_mappings[i].used)
			model_unmap(&model_mappings[i]);
	ck_assert_uint_gt(mapped_well, 500);
	ck_assert_uint_gt(refused_well, 200);
	ck_assert(version == 1 || copied_well > 20);
	ck_assert_uint_gt(loops[0]->cache->counters.hits, 500);
	sim_migration_end(guest);
	teardown();
}
END_TEST

/* ---- what fails ---- */

/*
 * What was written and can't be reported is marked by its grant; if that fails, too, the mapping does. A frame that Xen refuses by
 * itself is the only one; after another error grants are the way from then on, whose writing Xen sees.
 */
START_TEST(report_fails)
{
	bool refused = _i & 1, grants_fail = _i & 2;
	struct one one;
	int64_t gref;

	setup(false, 1, 10);
	gref = sim_grant(guest, SIM_HOST_DOMID, frames[0], false);
	ck_assert_int_eq(map_one(loops[0], &one, gref, true, false), 0);
	ck_assert(in_cache(loops[0], one.page));
	ck_assert_int_eq(sim_migration_begin(guest), 0);
	*(volatile char *)one.page ^= 1;
	sim_fault_set(mapped_machine, &(struct sim_fault){.call = SIM_DEVICE_MODEL_MODIFIED,
							  .error = refused ? -EINVAL : -EIO});
	if (grants_fail)
		sim_fault_set(mapped_machine, &(struct sim_fault){.call = SIM_GRANTS_MAP, .error = -EFAULT});
	ck_assert_int_eq(unmap_one(loops[0], &one), grants_fail ? -EIO : 0);
	ck_assert(sim_migration_knows(guest, frames[0]) == !grants_fail);
	/* All together, then each by itself. */
	ck_assert_uint_eq(loops[0]->reports.calls, 2);
	ck_assert_uint_eq(loops[0]->reports.frames, 0);
	sim_migration_end(guest);
	sim_faults_clear(mapped_machine);
	ck_assert_int_eq(map_one(loops[0], &one, gref, true, false), 0);
	ck_assert(in_cache(loops[0], one.page) == refused);
	ck_assert_int_eq(unmap_one(loops[0], &one), 0);
	teardown();
}
END_TEST

/* Who leaves reports to us hands frames over, and takes back those that came since; what can't be reported is not forgotten. */
START_TEST(reports_left)
{
	static struct xvhost_remap_extent extents[MEMORY_EXTENTS_MAX];
	struct one one, other;
	int64_t gref, other_gref;

	setup(false, 1, 10);
	gref = sim_grant(guest, SIM_HOST_DOMID, frames[0], false);
	other_gref = sim_grant(guest, SIM_HOST_DOMID, frames[5], false);
	memory_leave_reports(loops[0], true);
	ck_assert_int_eq(sim_migration_begin(guest), 0);
	ck_assert_int_eq(map_one(loops[0], &one, gref, true, false), 0);
	ck_assert_int_eq(map_one(loops[0], &other, other_gref, true, false), 0);
	*(volatile char *)one.page ^= 1;
	*(volatile char *)other.page ^= 1;
	ck_assert_int_eq(unmap_one(loops[0], &one), 0);
	ck_assert(!sim_migration_knows(guest, frames[0]));
	ck_assert_uint_eq(memory_hand_over_written(loops[0], extents), 1);
	ck_assert_uint_eq(extents[0].first, frames[0]);
	ck_assert_uint_eq(extents[0].frames, 1);
	ck_assert_int_eq(unmap_one(loops[0], &other), 0);
	memory_written_reported(loops[0]);
	ck_assert_uint_eq(memory_hand_over_written(loops[0], extents), 1);
	ck_assert_uint_eq(extents[0].first, frames[5]);
	ck_assert(!sim_migration_knows(guest, frames[5]));
	ck_assert_uint_eq(loops[0]->reports.calls, 1);
	ck_assert_uint_eq(loops[0]->reports.frames, 1);
	ck_assert_int_eq(memory_report(loops[0]), 0);
	ck_assert(sim_migration_knows(guest, frames[5]));
	ck_assert_uint_eq(loops[0]->reports.calls, 2);
	ck_assert_uint_eq(loops[0]->reports.frames, 2);
	ck_assert_uint_eq(memory_hand_over_written(loops[0], extents), 0);
	ck_assert(!memory_is_unreported(loops[0]));

	ck_assert_int_eq(map_one(loops[0], &one, gref, true, false), 0);
	sim_fault_set(mapped_machine, &(struct sim_fault){.call = SIM_DEVICE_MODEL_MODIFIED, .error = -EIO});
	sim_fault_set(mapped_machine, &(struct sim_fault){.call = SIM_GRANTS_MAP, .error = -EFAULT});
	ck_assert_int_eq(unmap_one(loops[0], &one), 0);
	ck_assert_int_eq(memory_report(loops[0]), -EFAULT);
	ck_assert(memory_is_unreported(loops[0]));
	sim_faults_clear(mapped_machine);
	sim_migration_end(guest);
	teardown();
}
END_TEST

/* What can't be had of foreign memory is a reason for grants, or an error for who wants nothing else. */
START_TEST(choose)
{
	static const struct {
		enum sim_call call;
		const char *reason;
	} faults[] = {
		{SIM_FOREIGN_OPEN, "can't open foreign memory"},
		{SIM_FOREIGN_RESTRICT, "can't restrict foreign memory to the guest"},
		{SIM_DEVICE_MODEL_OPEN, "can't hear of memory that the guest gives away"},
		{SIM_FOREIGN_MAP_GRANT_FRAMES, "can't map the guest's grant table"},
	};
	char text[MEMORY_TEXT_MAX];
	bool cached = true;

	setup_machine(_i, 1, 10);
	ck_assert_int_eq(memory_choose(loops[0], MEMORY_GRANT, &cached, text), 0);
	ck_assert(!cached);
	ck_assert_str_eq(text, "grants (memory=grant)");
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		sim_fault_set(mapped_machine, &(struct sim_fault){.call = faults[i].call, .error = -EPERM});
		ck_assert_int_eq(memory_choose(loops[0], MEMORY_AUTO, &cached, text), 0);
		ck_assert(!cached);
		ck_assert_msg(strstr(text, faults[i].reason) != NULL, "%s", text);
		ck_assert_int_eq(memory_choose(loops[0], MEMORY_FOREIGN, &cached, text), -EPERM);
		ck_assert_msg(strncmp(text, "memory=foreign can't be: ", 25) == 0, "%s", text);
		sim_faults_clear(mapped_machine);
	}
	ck_assert_int_eq(memory_choose(loops[0], MEMORY_FOREIGN, &cached, text), 0);
	ck_assert(cached);
	ck_assert_msg((strstr(text, "PV guest") != NULL) == _i, "%s", text);
	teardown();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, no_calls, 0, 4);
	tcase_add_loop_test(test_case, read_at_once, 0, 4);
	tcase_add_loop_test(test_case, table_grows, 1, 3);
	tcase_add_loop_test(test_case, table_ends, 1, 3);
	tcase_add_loop_test(test_case, direct, 0, 2);
	tcase_add_loop_test(test_case, error_pages, 0, 4);
	tcase_add_loop_test(test_case, as_the_model, 0, 12);
	tcase_add_loop_test(test_case, report_fails, 0, 4);
	tcase_add_test(test_case, reports_left);
	tcase_add_loop_test(test_case, choose, 0, 2);
}

CHECK_MAIN("memory", add_tests)
