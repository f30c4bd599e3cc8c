// SPDX-License-Identifier: GPL-2.0-or-later
/* The simulated machine: foreign memory, ballooning, live migration. */
#include "check_main.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "sim/faults.h"
#include "sim/grant_entry.h"
#include "sim/sim.h"
#include "sim_probe.h"

#define PAGES 64
#define DOMID 5

static struct sim_machine *machine;
static struct sim_guest *guest;
static const struct platform *platform;
static struct foreign *foreign;
static struct grants *grants;
static uint64_t frames[PAGES];
static char *range; /* reserved, of PAGES pages, to be written */

static char *reserve(enum foreign_use use)
{
	void *reserved;

	ck_assert_int_eq(platform->foreign_reserve(foreign, PAGES, use, &reserved), 0);
	return reserved;
}

static int compare_frames(const void *one, const void *other)
{
	const uint64_t *a = one, *b = other;

	return (*a > *b) - (*a < *b);
}

static void setup_guest(bool pv, uint32_t version)
{
	struct sim_guest_options options = {
		.domid = DOMID, .pages = PAGES, .pv = pv, .grant_version = version};

	machine = sim_machine_create(1);
	ck_assert_ptr_nonnull(machine);
	platform = sim_platform(machine);
	ck_assert_int_eq(sim_guest_create(machine, &options, &guest), 0);
	ck_assert_int_eq(platform->foreign_open(platform, &foreign), 0);
	ck_assert_int_eq(platform->grants_open(platform, &grants), 0);
	range = reserve(FOREIGN_WRITE);
	ck_assert_int_eq(sim_pages_take(guest, PAGES, frames), 0);
}

static void teardown(void)
{
	platform->foreign_close(foreign);
	platform->grants_close(grants);
	sim_machine_destroy(machine);
}

static char *at(uint32_t page)
{
	return range + (size_t)page * PAGE_BYTES;
}

/* map_run, unmap_run - one run. */
static int map_run(uint16_t domid, void *address, const uint64_t *list, uint32_t count, int *errors)
{
	return platform->foreign_map(foreign, domid, &(struct foreign_run){address, count}, 1, list, errors);
}

static int unmap_run(void *address, uint32_t count)
{
	return platform->foreign_unmap(foreign, &(struct foreign_run){address, count}, 1);
}

/* map - one frame at one place. Returns the frame's error. */
static int map(uint32_t place, uint64_t frame)
{
	int error;

	ck_assert_int_eq(map_run(DOMID, at(place), &frame, 1, &error), 0);
	return error;
}

/* ---- foreign memory ---- */

/* has - some frames of a list are not the guest's; between them are some runs, one of which is long. */
static bool has(uint32_t i)
{
	return i > PAGES / 2 || i % 5 != 3;
}

/* An error for each frame; the others are mapped, in their places: of frames in any order, and in that of their numbers. */
START_TEST(lists)
{
	uint64_t list[PAGES];
	int errors[PAGES];

	setup_guest(_i & 1, 1);
	if (_i & 2)
		qsort(frames, PAGES, sizeof(frames[0]), compare_frames);
	for (uint32_t i = 0; i < PAGES; i++) {
		list[i] = !has(i) ? UINT64_MAX - i : frames[i];
		*(uint32_t *)sim_page(guest, frames[i]) = i + 1;
		ck_assert(!can_read(at(i)));
	}
	for (int writable = 0; writable < 2; writable++) {
		range = reserve(writable ? FOREIGN_WRITE : FOREIGN_READ);
		ck_assert_int_eq(map_run(DOMID, range, list, PAGES, errors), 0);
		for (uint32_t i = 0; i < PAGES; i++) {
			ck_assert_int_eq(errors[i], !has(i) ? -EINVAL : 0);
			ck_assert_int_eq(can_read(at(i)), has(i));
			ck_assert_int_eq(can_write(at(i)), has(i) && writable);
			if (has(i))
				ck_assert_uint_eq(*(uint32_t *)(void *)at(i), i + 1);
		}
		ck_assert_int_eq(unmap_run(range, PAGES), 0);
		for (uint32_t i = 0; i < PAGES; i++)
			ck_assert(!can_read(at(i)));
	}
	teardown();
}
END_TEST

/* Runs of one call, each unmapped alone or with those of another call. */
START_TEST(runs)
{
	setup_guest(_i, 1);

	const struct foreign_run first[] = {{at(2), 3}, {at(7), 1}, {at(9), 4}}, second = {at(14), 2};
	const struct foreign_run mixed[] = {first[2], second};
	const struct foreign_run half_wrong[] = {{at(5), 2}, {at(7), 1}},
				 descending[] = {{at(20), 2}, {at(18), 1}};
	const uint32_t places[] = {2, 3, 4, 7, 9, 10, 11, 12};
	int errors[8];

	for (uint32_t i = 0; i < 8; i++)
		*(uint32_t *)sim_page(guest, frames[i]) = i;
	ck_assert_int_eq(platform->foreign_map(foreign, DOMID, first, 3, frames, errors), 0);
	for (uint32_t i = 0; i < 8; i++) {
		ck_assert_int_eq(errors[i], 0);
		ck_assert_uint_eq(*(uint32_t *)(void *)at(places[i]), i);
	}
	ck_assert(!can_read(at(5)) && !can_read(at(8)));
	/* All or nothing. */
	ck_assert_int_eq(platform->foreign_map(foreign, DOMID, half_wrong, 2, frames, errors), -EBUSY);
	ck_assert(!can_read(at(5)));
	ck_assert_int_eq(platform->foreign_unmap(foreign, half_wrong, 2), -EINVAL);
	ck_assert_int_eq(platform->foreign_map(foreign, DOMID, descending, 2, frames, errors), -EINVAL);
	ck_assert(can_read(at(7)));
	ck_assert_int_eq(map_run(DOMID, at(14), frames, 2, errors), 0);
	ck_assert_int_eq(platform->foreign_unmap(foreign, mixed, 2), 0);
	ck_assert(!can_read(at(9)) && !can_read(at(14)) && can_read(at(4)) && can_read(at(7)));
	ck_assert_int_eq(platform->foreign_unmap(foreign, first, 2), 0);
	teardown();
}
END_TEST

START_TEST(wrong_calls)
{
	struct sim_guest_options options = {.domid = DOMID + 1, .pages = 1};
	struct sim_guest *other;
	int errors[2];
	void *another;

	setup_guest(false, 1);
	ck_assert_int_eq(sim_guest_create(machine, &options, &other), 0);
	ck_assert_int_eq(map(3, frames[0]), 0);
	ck_assert_int_eq(map_run(DOMID, at(2), frames, 2, errors), -EBUSY);
	ck_assert_int_eq(map_run(DOMID, at(4), frames, 0, errors), -EINVAL);
	ck_assert_int_eq(map_run(DOMID, at(4) + 1, frames, 1, errors), -EINVAL);
	ck_assert_int_eq(map_run(DOMID, at(PAGES - 1), frames, 2, errors), -EINVAL);
	ck_assert_int_eq(map_run(DOMID, NULL, frames, 1, errors), -EINVAL);
	ck_assert_int_eq(unmap_run(at(3), 2), -EINVAL);
	ck_assert_int_eq(unmap_run(at(2), 1), -EINVAL);
	ck_assert_int_eq(platform->foreign_release(foreign, at(1), 1), -EINVAL);
	ck_assert_int_eq(platform->foreign_reserve(foreign, 0, FOREIGN_READ, &another), -EINVAL);
	/* Frames and grant tables have their own ranges. */
	ck_assert_int_eq(platform->foreign_map_grant_frames(foreign, DOMID, at(4), GRANT_FRAMES_ENTRIES, 0,
							    1),
			 -EINVAL);
	ck_assert_int_eq(map_run(DOMID, reserve(FOREIGN_GRANT_TABLE), frames, 1, errors), -EINVAL);
	/* A domain that is not there is each frame's error, and there is something to unmap all the same. */
	ck_assert_int_eq(map_run(77, at(4), frames, 2, errors), 0);
	ck_assert_int_eq(errors[0], -ESRCH);
	ck_assert_int_eq(errors[1], -ESRCH);
	ck_assert_int_eq(map_run(DOMID, at(5), frames, 1, errors), -EBUSY);
	ck_assert_int_eq(unmap_run(at(4), 2), 0);
	ck_assert_int_eq(unmap_run(at(3), 1), 0);
	ck_assert_int_eq(unmap_run(at(3), 1), -EINVAL);
	ck_assert_int_eq(platform->foreign_restrict(foreign, DOMID), 0);
	ck_assert_int_eq(platform->foreign_restrict(foreign, DOMID + 1), -EINVAL);
	ck_assert_int_eq(map_run(DOMID + 1, at(3), frames, 1, errors), -EPERM);
	ck_assert_int_eq(map(3, frames[0]), 0);
	/* What is mapped there goes with the range. */
	ck_assert_int_eq(platform->foreign_release(foreign, range, PAGES), 0);
	ck_assert(!can_read(at(3)));
	teardown();
}
END_TEST

/* Of a PV guest's frames, which are the machine's, those of another one have an error of their own. */
START_TEST(frames_of_others)
{
	struct sim_guest_options options = {.domid = DOMID + 1, .pages = 8, .pv = true};
	struct sim_guest *other;
	uint64_t list[4];
	int errors[4];

	setup_guest(_i, 1);
	ck_assert_int_eq(sim_guest_create(machine, &options, &other), 0);
	ck_assert_int_eq(sim_pages_take(other, 3, list), 0);
	ck_assert_int_eq(sim_balloon_out(other, 1, &list[2]), 0);
	list[3] = list[1];
	list[1] = frames[0];
	for (int round = 0; round < 2; round++) {
		ck_assert_int_eq(map_run(DOMID, range, list, 4, errors), 0);
		ck_assert_int_eq(errors[0], _i && round == 0 ? -EPERM : -EINVAL);
		ck_assert_int_eq(errors[1], 0);
		ck_assert_int_eq(errors[2], -EINVAL);
		ck_assert_int_eq(errors[3], errors[0]);
		ck_assert(!can_read(at(0)) && can_read(at(1)) && !can_read(at(3)));
		ck_assert_int_eq(unmap_run(range, 4), 0);
		/* Now they are nobody's. */
		if (round == 0)
			sim_guest_destroy(other);
	}
	teardown();
}
END_TEST

START_TEST(in_part)
{
	int errors[4];

	setup_guest(false, 1);
	sim_fault_set(machine, &(struct sim_fault){.call = SIM_FOREIGN_MAP, .times = 1, .most = 3});
	ck_assert_int_eq(map_run(DOMID, range, frames, 4, errors), 0);
	for (uint32_t i = 0; i < 4; i++) {
		ck_assert_int_eq(errors[i], i < 3 ? 0 : -ENOMEM);
		ck_assert_int_eq(can_read(at(i)), i < 3);
	}
	sim_fault_set(machine, &(struct sim_fault){.call = SIM_FOREIGN_UNMAP, .times = 1, .error = -EIO});
	ck_assert_int_eq(unmap_run(range, 4), -EIO);
	ck_assert(can_read(range));
	ck_assert_int_eq(unmap_run(range, 4), 0);
	sim_fault_set(machine, &(struct sim_fault){.call = SIM_FOREIGN_MAP, .error = -EIO});
	ck_assert_int_eq(map_run(DOMID, range, frames, 4, errors), -EIO);
	teardown();
}
END_TEST

/* The table as the guest has it, and no way to write it; it grows to what is mapped. */
START_TEST(grant_frames)
{
	uint32_t version = (uint32_t)_i, per_frame = version == 1 ? 512 : 256;
	int64_t gref;

	setup_guest(false, version);
	range = reserve(FOREIGN_GRANT_TABLE);
	gref = sim_grant(guest, SIM_HOST_DOMID, frames[0], true);
	ck_assert_ptr_null(sim_grant_entry(guest, per_frame * 64 - 1));
	ck_assert_int_eq(
		platform->foreign_map_grant_frames(foreign, DOMID, range, GRANT_FRAMES_ENTRIES, 0, 64), 0);
	if (version == 1) {
		const struct grant_entry_v1 *entry = (const struct grant_entry_v1 *)(void *)range + gref;

		ck_assert_uint_eq(entry->flags, GRANT_PERMIT | GRANT_READ_ONLY);
		ck_assert_uint_eq(entry->frame, frames[0]);
	} else {
		const union grant_entry_v2 *entry = (const union grant_entry_v2 *)(void *)range + gref;

		ck_assert_uint_eq(entry->flags, GRANT_PERMIT | GRANT_READ_ONLY);
		ck_assert_uint_eq(entry->full_page.frame, frames[0]);
	}
	ck_assert(can_read(at(63)));
	ck_assert(!can_write(at(0)));
	ck_assert_ptr_nonnull(sim_grant_entry(guest, per_frame * 64 - 1));
	ck_assert_int_eq(unmap_run(range, 64), 0);
	ck_assert_int_eq(platform->foreign_map_grant_frames(foreign, DOMID, range, GRANT_FRAMES_ENTRIES, 63,
							    2),
			 -EINVAL);
	ck_assert(!can_read(range));
	ck_assert_int_eq(platform->foreign_map_grant_frames(foreign, 77, range, GRANT_FRAMES_ENTRIES, 0, 1),
			 -ESRCH);
	teardown();
}
END_TEST

/* The status words tell what is in use, and are there in version 2 only. */
START_TEST(status_frames)
{
	const uint16_t *statuses;
	void *page, *mapping;
	uint32_t gref;

	setup_guest(false, 1);
	range = reserve(FOREIGN_GRANT_TABLE);
	ck_assert_int_eq(platform->foreign_map_grant_frames(foreign, DOMID, range, GRANT_FRAMES_STATUSES, 0,
							    1),
			 -EINVAL);
	teardown();
	setup_guest(false, 2);
	range = reserve(FOREIGN_GRANT_TABLE);
	statuses = (const uint16_t *)(void *)range;
	gref = (uint32_t)sim_grant(guest, SIM_HOST_DOMID, frames[0], false);
	ck_assert_int_eq(
		platform->foreign_map_grant_frames(foreign, DOMID, range, GRANT_FRAMES_STATUSES, 0, 1), 0);
	ck_assert_uint_eq(statuses[gref], 0);
	ck_assert_int_eq(platform->grants_map(grants, DOMID, &gref, 1, true, false, &page, &mapping), 0);
	ck_assert_uint_eq(statuses[gref], GRANT_READING | GRANT_WRITING);
	ck_assert_uint_eq(*(uint16_t *)sim_grant_entry(guest, gref), GRANT_PERMIT);
	ck_assert_int_eq(sim_grant_end(guest, gref), -EBUSY);
	ck_assert_int_eq(platform->grants_unmap(grants, mapping, 1), 0);
	ck_assert_uint_eq(statuses[gref], 0);
	teardown();
}
END_TEST

/* A guest that is destroyed leaves us what we have mapped. */
START_TEST(destroyed)
{
	setup_guest(_i, 1);
	strcpy(sim_page(guest, frames[0]), "still here");
	ck_assert_int_eq(map(0, frames[0]), 0);
	sim_guest_destroy(guest);
	ck_assert_str_eq(range, "still here");
	ck_assert_int_eq(map(1, frames[1]), -ESRCH);
	ck_assert_int_eq(unmap_run(range, 1), 0);
	teardown();
}
END_TEST

/* A PV guest can't make a page table of a page as long as somebody may write to it. */
START_TEST(page_tables)
{
	void *page, *mapping;
	uint32_t gref;
	int error;

	setup_guest(true, 1);
	ck_assert_int_eq(map_run(DOMID, reserve(FOREIGN_READ), frames, 1, &error), 0);
	ck_assert_int_eq(sim_page_use_as_table(guest, frames[0]), 0);
	ck_assert_int_eq(map(1, frames[0]), 0);
	ck_assert_int_eq(sim_page_use_as_table(guest, frames[0]), -EBUSY);
	ck_assert_int_eq(sim_page_use_as_table(guest, frames[1]), 0);
	ck_assert_int_eq(unmap_run(at(1), 1), 0);
	ck_assert_int_eq(sim_page_use_as_table(guest, frames[0]), 0);
	gref = (uint32_t)sim_grant(guest, SIM_HOST_DOMID, frames[1], false);
	ck_assert_int_eq(platform->grants_map(grants, DOMID, &gref, 1, true, false, &page, &mapping), 0);
	ck_assert_int_eq(sim_page_use_as_table(guest, frames[1]), -EBUSY);
	ck_assert_int_eq(platform->grants_unmap(grants, mapping, 1), 0);
	ck_assert_int_eq(sim_page_use_as_table(guest, frames[1]), 0);
	ck_assert_int_eq(sim_page_use_as_table(guest, 1), -EINVAL);
	teardown();
	setup_guest(false, 1);
	ck_assert_int_eq(sim_page_use_as_table(guest, frames[0]), -EINVAL);
	teardown();
}
END_TEST

/* ---- ballooning ---- */

static void clear_balloon_frames(uint32_t count)
{
	ck_assert_int_eq(sim_balloon_out(guest, count, frames), 0);
	for (uint32_t i = 0; i < count; i++)
		ck_assert_ptr_null(sim_page(guest, frames[i]));
}

/* The frame comes back with another page behind it; what was mapped before is the old page, and stays. */
START_TEST(balloon)
{
	uint64_t before[PAGES];
	void *page, *mapping;
	uint32_t gref;

	setup_guest(_i, 1);
	memcpy(before, frames, sizeof(before));
	for (uint32_t i = 0; i < PAGES; i++)
		memset(sim_page(guest, frames[i]), 1, PAGE_BYTES);
	ck_assert_int_eq(map(0, frames[0]), 0);
	gref = (uint32_t)sim_grant(guest, SIM_HOST_DOMID, frames[1], false);
	ck_assert_int_eq(platform->grants_map(grants, DOMID, &gref, 1, true, false, &page, &mapping), 0);
	clear_balloon_frames(PAGES);
	ck_assert_int_eq(map(1, before[0]), -EINVAL);
	ck_assert_int_eq(sim_balloon_out(guest, 1, before), -EINVAL);
	ck_assert_int_eq(unmap_run(at(1), 1), 0);
	ck_assert_int_eq(*range, 1);
	ck_assert_int_eq(*(char *)page, 1);
	ck_assert_int_eq(sim_balloon_in(guest, PAGES, frames), 0);
	ck_assert_int_eq(memcmp(before, frames, sizeof(before)) == 0, !_i);
	ck_assert_int_eq(sim_balloon_in(guest, 1, frames), _i ? 0 : -EINVAL);
	for (uint32_t i = _i; i < PAGES; i++) {
		ck_assert_int_eq(*(char *)sim_page(guest, frames[i]), 0);
		*(char *)sim_page(guest, frames[i]) = 2;
	}
	ck_assert_int_eq(*range, 1);
	*range = 3;
	*(char *)page = 3;
	for (uint32_t i = _i; i < PAGES; i++)
		ck_assert_int_eq(*(char *)sim_page(guest, frames[i]), 2);
	ck_assert_int_eq(map(1, frames[5]), 0);
	ck_assert_int_eq(*at(1), 2);
	ck_assert_int_eq(unmap_run(range, 1), 0);
	ck_assert_int_eq(platform->grants_unmap(grants, mapping, 1), 0);
	teardown();
}
END_TEST

/* Each of many rounds gives each frame another page than it had. */
START_TEST(other_memory)
{
	setup_guest(false, 1);
	for (int round = 0; round < 20; round++) {
		void *pages[PAGES];

		for (uint32_t i = 0; i < PAGES; i++)
			pages[i] = sim_page(guest, frames[i]);
		ck_assert_int_eq(sim_balloon_out(guest, PAGES, frames), 0);
		ck_assert_int_eq(sim_balloon_in(guest, PAGES, frames), 0);
		for (uint32_t i = 0; i < PAGES; i++)
			ck_assert_ptr_ne(pages[i], sim_page(guest, frames[i]));
	}
	sim_pages_give_back(guest, PAGES, frames);
	ck_assert_int_eq(sim_balloon_out(guest, 1, frames), -EINVAL);
	teardown();
}
END_TEST

/* While the host holds on to all that was given away Xen has nothing to give. */
START_TEST(no_memory)
{
	int errors[PAGES];
	void *second;

	setup_guest(false, 1);
	ck_assert_int_eq(map_run(DOMID, range, frames, PAGES, errors), 0);
	ck_assert_int_eq(sim_balloon_out(guest, PAGES, frames), 0);
	ck_assert_int_eq(sim_balloon_in(guest, PAGES, frames), 0);
	second = reserve(FOREIGN_WRITE);
	ck_assert_int_eq(map_run(DOMID, second, frames, PAGES, errors), 0);
	ck_assert_int_eq(sim_balloon_out(guest, PAGES, frames), 0);
	ck_assert_int_eq(sim_balloon_in(guest, 1, frames), -ENOMEM);
	ck_assert_int_eq(unmap_run(range, PAGES), 0);
	ck_assert_int_eq(sim_balloon_in(guest, PAGES, frames), 0);
	teardown();
}
END_TEST

static atomic_bool guest_went_on;

static void *ballooning_guest(void *argument)
{
	(void)argument;
	must(sim_balloon_out(guest, 4, frames) == 0);
	guest_went_on = true;
	return NULL;
}

/* The guest goes on when all device models have answered, or are gone. */
START_TEST(invalidation)
{
	struct device_model *models[2];
	struct pollfd polled = {.events = POLLIN};
	pthread_t thread;

	setup_guest(false, 1);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(platform->device_model_open(platform, DOMID, &models[i]), 0);
	guest_went_on = false;
	pthread_create(&thread, NULL, ballooning_guest, NULL);
	for (int i = 0; i < 2; i++) {
		polled.fd = platform->device_model_fd(models[i]);
		ck_assert_int_eq(poll(&polled, 1, 5000), 1);
		ck_assert(!guest_went_on);
		/* The memory is gone before we are told. */
		ck_assert_ptr_null(sim_page(guest, frames[3]));
		ck_assert(platform->device_model_invalidated(models[i]));
		ck_assert_int_eq(poll(&polled, 1, 50), 0);
		ck_assert(!guest_went_on);
		if (i == 0 || _i == 0) {
			sim_fault_set(machine, &(struct sim_fault){.call = SIM_DEVICE_MODEL_ANSWER,
								   .times = 1,
								   .error = -EIO});
			ck_assert_int_eq(platform->device_model_answer(models[i]), -EIO);
			ck_assert(platform->device_model_invalidated(models[i]));
			ck_assert_int_eq(platform->device_model_answer(models[i]), 0);
			ck_assert(!platform->device_model_invalidated(models[i]));
		}
	}
	if (_i == 1)
		platform->device_model_close(models[1]);
	pthread_join(thread, NULL);
	ck_assert(guest_went_on);
	platform->device_model_close(models[0]);
	if (_i == 0)
		platform->device_model_close(models[1]);
	/* Nobody is there to be told. */
	ck_assert_int_eq(sim_balloon_out(guest, 1, frames + 10), 0);
	teardown();
}
END_TEST

START_TEST(device_models)
{
	struct device_model *model;

	setup_guest(true, 1);
	ck_assert_int_eq(platform->device_model_open(platform, DOMID, &model), -EINVAL);
	ck_assert_int_eq(platform->device_model_open(platform, 77, &model), -ESRCH);
	ck_assert_int_eq(sim_balloon_out(guest, 1, frames), 0);
	teardown();
	setup_guest(false, 1);
	/* What happened before we were there is not ours to answer. */
	ck_assert_int_eq(sim_balloon_out(guest, 1, frames), 0);
	ck_assert_int_eq(platform->device_model_open(platform, DOMID, &model), 0);
	ck_assert(!platform->device_model_invalidated(model));
	ck_assert_int_eq(platform->device_model_modified(model, frames, PAGES), 0);
	ck_assert_int_eq(platform->device_model_modified(model, &(uint64_t){1ull << 40}, 1), 0);
	sim_guest_destroy(guest);
	ck_assert_int_eq(platform->device_model_modified(model, frames, 1), -ESRCH);
	platform->device_model_close(model);
	teardown();
}
END_TEST

/* ---- several threads ---- */

static atomic_bool stop;

static void *balloon_up_and_down(void *argument)
{
	uint32_t rounds = 0;

	(void)argument;
	while (!stop || rounds < 100) {
		must(sim_balloon_out(guest, PAGES / 2, frames) == 0);
		must(sim_balloon_in(guest, PAGES / 2, frames) == 0);
		for (uint32_t i = 0; i < PAGES / 2; i++)
			*(volatile uint32_t *)sim_page(guest, frames[i]) = i + 1;
		rounds++;
	}
	return NULL;
}

/* While the guest balloons up and down, each frame that can be mapped holds what it can hold, and no other frame's. */
START_TEST(balloon_while_mapping)
{
	uint32_t grefs[PAGES / 2];
	uint64_t fixed[PAGES / 2];
	pthread_t thread;

	setup_guest(false, 1);
	memcpy(fixed, frames, sizeof(fixed));
	for (uint32_t i = 0; i < PAGES / 2; i++)
		grefs[i] = (uint32_t)sim_grant(guest, SIM_HOST_DOMID, fixed[i], false);
	stop = false;
	pthread_create(&thread, NULL, balloon_up_and_down, NULL);
	for (uint32_t round = 0; round < 300; round++) {
		int errors[PAGES / 2];

		must(map_run(DOMID, range, fixed, PAGES / 2, errors) == 0);
		for (uint32_t i = 0; i < PAGES / 2; i++) {
			uint32_t found = errors[i] ? 0 : *(volatile uint32_t *)(void *)at(i);
			void *page, *mapping;

			must(errors[i] == 0 || errors[i] == -EINVAL);
			must(found == 0 || found == i + 1);
			if (platform->grants_map(grants, DOMID, &grefs[i], 1, true, false, &page, &mapping) <
			    0)
				continue;
			found = *(volatile uint32_t *)page;
			must(found == 0 || found == i + 1);
			must(platform->grants_unmap(grants, mapping, 1) == 0);
		}
		must(unmap_run(range, PAGES / 2) == 0);
	}
	stop = true;
	pthread_join(thread, NULL);
	for (uint32_t i = 0; i < PAGES / 2; i++)
		ck_assert_int_eq(sim_grant_end(guest, grefs[i]), 0);
	/* No page was lost. */
	ck_assert_int_eq(sim_balloon_out(guest, PAGES, frames), 0);
	ck_assert_int_eq(sim_balloon_in(guest, PAGES, frames), 0);
	teardown();
}
END_TEST

/* ---- live migration ---- */

static struct device_model *model;

static void setup_migration(void)
{
	setup_guest(false, 1);
	ck_assert_int_eq(platform->device_model_open(platform, DOMID, &model), 0);
	for (uint32_t i = 0; i < 4; i++)
		ck_assert_int_eq(map(i, frames[i]), 0);
	ck_assert_int_eq(sim_migration_begin(guest), 0);
	ck_assert_int_eq(sim_migration_begin(guest), -EBUSY);
}

static void teardown_migration(void)
{
	sim_migration_end(guest);
	platform->device_model_close(model);
	teardown();
}

START_TEST(reported_or_missed)
{
	uint64_t missed[2];

	setup_migration();
	ck_assert_uint_eq(sim_migration_missed(guest, missed, 2), 0);
	*at(0) = 1;
	*at(1) = 1;
	*at(3) = 1;
	ck_assert_int_eq(platform->device_model_modified(model, frames, 1), 0);
	ck_assert(sim_migration_knows(guest, frames[0]));
	ck_assert(!sim_migration_knows(guest, frames[1]));
	ck_assert(sim_migration_knows(guest, frames[2]));
	ck_assert_uint_eq(sim_migration_missed(guest, missed, 2), 2);
	ck_assert(missed[0] == frames[1] || missed[0] == frames[3]);
	ck_assert(missed[1] == frames[1] || missed[1] == frames[3]);
	ck_assert_int_eq(platform->device_model_modified(model, frames + 1, 3), 0);
	ck_assert_uint_eq(sim_migration_missed(guest, missed, 2), 0);
	ck_assert_int_eq(platform->device_model_modified(model, &(uint64_t){1ull << 40}, 1), -EINVAL);
	/* What was reported is copied, and must be reported anew. */
	ck_assert_uint_eq(sim_migration_round(guest), 4);
	ck_assert_uint_eq(sim_migration_missed(guest, missed, 2), 0);
	*at(0) = 2;
	ck_assert_uint_eq(sim_migration_missed(guest, missed, 0), 1);
	teardown_migration();
}
END_TEST

/* What Xen sees by itself: grants, copies, other memory; and what the guest says of itself. */
START_TEST(known_without_report)
{
	char own[] = "own";
	struct grant_copy piece = {.length = 3, .to_guest = true, .own = own};
	uint32_t gref, read_only;
	void *page, *mapping;
	uint64_t missed[1];

	setup_migration();
	gref = (uint32_t)sim_grant(guest, SIM_HOST_DOMID, frames[5], false);
	read_only = (uint32_t)sim_grant(guest, SIM_HOST_DOMID, frames[0], true);
	ck_assert_int_eq(platform->grants_map(grants, DOMID, &gref, 1, true, false, &page, &mapping), 0);
	*(char *)page = 1;
	ck_assert_uint_eq(sim_migration_missed(guest, missed, 1), 0);
	ck_assert_uint_eq(sim_migration_round(guest), 1);
	*(char *)page = 2;
	ck_assert_int_eq(platform->grants_unmap(grants, mapping, 1), 0);
	ck_assert_uint_eq(sim_migration_missed(guest, missed, 1), 0);
	ck_assert_uint_eq(sim_migration_round(guest), 1);
	/* To map read-only writes nothing, and so excuses nothing. */
	ck_assert_int_eq(platform->grants_map(grants, DOMID, &read_only, 1, false, false, &page, &mapping),
			 0);
	*at(0) = 3;
	ck_assert_int_eq(platform->grants_unmap(grants, mapping, 1), 0);
	ck_assert_uint_eq(sim_migration_missed(guest, missed, 1), 1);
	ck_assert_int_eq(platform->device_model_modified(model, frames, 1), 0);
	piece.gref = gref;
	ck_assert_int_eq(platform->grants_copy(grants, DOMID, &piece, 1), 0);
	*(char *)sim_page(guest, frames[6]) = 1;
	sim_migration_wrote(guest, frames[6]);
	platform->device_model_close(model);
	/* Pages that have been the guest's before are among those that it gets back, too. */
	ck_assert_int_eq(sim_balloon_out(guest, 40, frames + 7), 0);
	ck_assert_int_eq(sim_balloon_in(guest, 40, frames + 7), 0);
	for (uint32_t i = 7; i < 47; i++)
		*(char *)sim_page(guest, frames[i]) = 1;
	ck_assert_int_eq(platform->device_model_open(platform, DOMID, &model), 0);
	ck_assert_uint_eq(sim_migration_missed(guest, missed, 1), 0);
	/* All this was known, and only this: the report, the copy, what the guest said, the new pages. */
	ck_assert_uint_eq(sim_migration_round(guest), 43);
	teardown_migration();
}
END_TEST

/* A fault that loses reports is found. */
START_TEST(lost_report)
{
	uint64_t missed[4];

	setup_migration();
	for (uint32_t i = 0; i < 4; i++)
		*at(i) = 1;
	sim_fault_set(machine, &(struct sim_fault){.call = SIM_DEVICE_MODEL_MODIFIED, .times = 1, .most = 3});
	ck_assert_int_eq(platform->device_model_modified(model, frames, 4), 0);
	ck_assert_uint_eq(sim_migration_missed(guest, missed, 4), 1);
	ck_assert_uint_eq(missed[0], frames[3]);
	teardown_migration();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, lists, 0, 4);
	tcase_add_loop_test(test_case, runs, 0, 2);
	tcase_add_test(test_case, wrong_calls);
	tcase_add_loop_test(test_case, frames_of_others, 0, 2);
	tcase_add_test(test_case, in_part);
	tcase_add_loop_test(test_case, grant_frames, 1, 3);
	tcase_add_test(test_case, status_frames);
	tcase_add_loop_test(test_case, destroyed, 0, 2);
	tcase_add_test(test_case, page_tables);
	tcase_add_loop_test(test_case, balloon, 0, 2);
	tcase_add_test(test_case, other_memory);
	tcase_add_test(test_case, no_memory);
	tcase_add_loop_test(test_case, invalidation, 0, 2);
	tcase_add_test(test_case, device_models);
	tcase_add_test(test_case, balloon_while_mapping);
	tcase_add_test(test_case, reported_or_missed);
	tcase_add_test(test_case, known_without_report);
	tcase_add_test(test_case, lost_report);
}

CHECK_MAIN("sim_foreign", add_tests)
