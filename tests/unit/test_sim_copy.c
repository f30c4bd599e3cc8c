// SPDX-License-Identifier: GPL-2.0-or-later
/* The simulated machine: grant copy, and the grants that can only be copied. */
#include "check_main.h"

#include <errno.h>
#include <string.h>

#include "sim/faults.h"
#include "sim/grant_entry.h"
#include "sim/sim.h"

#define PAGES 8
#define DOMID 5
#define OTHER 6

static struct sim_machine *machine;
static struct sim_guest *guest, *other;
static const struct platform *platform;
static struct grants *grants;
static uint64_t frames[PAGES], other_frame;
static char own[2 * PAGE_BYTES];

static void setup(uint32_t version)
{
	struct sim_guest_options options = {.domid = DOMID, .pages = PAGES, .grant_version = version};
	struct sim_guest_options other_options = {.domid = OTHER, .pages = 1, .grant_version = version};

	machine = sim_machine_create(version);
	ck_assert_ptr_nonnull(machine);
	platform = sim_platform(machine);
	ck_assert_int_eq(sim_guest_create(machine, &options, &guest), 0);
	ck_assert_int_eq(sim_guest_create(machine, &other_options, &other), 0);
	ck_assert_int_eq(platform->grants_open(platform, &grants), 0);
	ck_assert_int_eq(sim_pages_take(guest, PAGES, frames), 0);
	ck_assert_int_eq(sim_pages_take(other, 1, &other_frame), 0);
	for (uint32_t i = 0; i < PAGES; i++)
		for (uint32_t at = 0; at < PAGE_BYTES; at++)
			((uint8_t *)sim_page(guest, frames[i]))[at] = (uint8_t)(at + i);
	memset(own, 0, sizeof(own));
}

static void teardown(void)
{
	platform->grants_close(grants);
	sim_machine_destroy(machine);
}

/* copy - one piece. Returns its error. */
static int copy(int64_t gref, uint16_t offset, uint16_t length, bool to_guest)
{
	struct grant_copy piece = {
		.gref = (uint32_t)gref, .offset = offset, .length = length, .to_guest = to_guest, .own = own};

	ck_assert_int_ge(gref, GRANT_RESERVED_ENTRIES);
	ck_assert_int_eq(platform->grants_copy(grants, DOMID, &piece, 1), 0);
	return piece.error;
}

static int map(int64_t gref)
{
	uint32_t mapped = (uint32_t)gref;
	void *page, *mapping;

	return platform->grants_map(grants, DOMID, &mapped, 1, false, false, &page, &mapping);
}

START_TEST(both_ways)
{
	int64_t gref, read_only;

	setup((uint32_t)_i);
	gref = sim_grant(guest, SIM_HOST_DOMID, frames[0], false);
	read_only = sim_grant(guest, SIM_HOST_DOMID, frames[1], true);
	ck_assert_int_eq(copy(gref, 100, 50, false), 0);
	ck_assert_mem_eq(own, (char *)sim_page(guest, frames[0]) + 100, 50);
	ck_assert_int_eq(own[50], 0);
	ck_assert_int_eq(copy(read_only, 0, PAGE_BYTES, false), 0);
	ck_assert_mem_eq(own, sim_page(guest, frames[1]), PAGE_BYTES);
	ck_assert_int_eq(copy(gref, PAGE_BYTES - 1, 1, true), 0);
	ck_assert_int_eq(((char *)sim_page(guest, frames[0]))[PAGE_BYTES - 1], own[0]);
	ck_assert_int_eq(copy(read_only, 0, 1, true), -EINVAL);
	/* Nothing stays in use. */
	ck_assert_int_eq(sim_grant_end(guest, (uint32_t)gref), 0);
	ck_assert_int_eq(sim_grant_end(guest, (uint32_t)read_only), 0);
	teardown();
}
END_TEST

/* Each piece has its own error. */
START_TEST(errors)
{
	struct grant_copy pieces[6];

	setup((uint32_t)_i);
	for (int i = 0; i < 6; i++)
		pieces[i] = (struct grant_copy){.length = 8, .own = own + 8 * i, .error = 1};
	pieces[0].gref = (uint32_t)sim_grant(guest, SIM_HOST_DOMID, frames[0], false);
	pieces[1].gref = 1000000;
	pieces[2].gref = (uint32_t)sim_grant(guest, 9, frames[0], false);
	pieces[3].gref = (uint32_t)sim_grant(guest, SIM_HOST_DOMID, 1ull << 31, false);
	pieces[4].gref = 400 / (uint32_t)_i; /* never granted */
	pieces[5].gref = (uint32_t)sim_grant(guest, SIM_HOST_DOMID, frames[5], true);
	ck_assert_int_eq(platform->grants_copy(grants, DOMID, pieces, 6), 0);
	ck_assert_int_eq(pieces[0].error, 0);
	ck_assert_int_eq(pieces[1].error, -EINVAL);
	ck_assert_int_eq(pieces[2].error, -EINVAL);
	ck_assert_int_eq(pieces[3].error, -EFAULT);
	ck_assert_int_eq(pieces[4].error, -EINVAL);
	ck_assert_int_eq(pieces[5].error, 0);
	ck_assert_mem_eq(own + 40, sim_page(guest, frames[5]), 8);
	ck_assert_int_eq(platform->grants_copy(grants, 77, pieces, 2), 0);
	ck_assert_int_eq(pieces[0].error, -ESRCH);
	ck_assert_int_eq(pieces[1].error, -ESRCH);
	/* A piece that leaves the page makes the call fail, and nothing is copied. */
	memset(own, 0, sizeof(own));
	pieces[1].offset = PAGE_BYTES - 7;
	ck_assert_int_eq(platform->grants_copy(grants, DOMID, pieces, 6), -EINVAL);
	ck_assert_int_eq(own[1], 0);
	teardown();
}
END_TEST

START_TEST(sub_page)
{
	int64_t gref, read_only;

	setup(2);
	gref = sim_grant_sub_page(guest, SIM_HOST_DOMID, frames[0], 1000, 24, false);
	read_only = sim_grant_sub_page(guest, SIM_HOST_DOMID, frames[0], 0, 24, true);
	ck_assert_int_eq(copy(gref, 1000, 24, false), 0);
	ck_assert_mem_eq(own, (char *)sim_page(guest, frames[0]) + 1000, 24);
	ck_assert_int_eq(copy(gref, 1010, 14, true), 0);
	ck_assert_int_eq(copy(gref, 999, 2, false), -EINVAL);
	ck_assert_int_eq(copy(gref, 1000, 25, false), -EINVAL);
	ck_assert_int_eq(copy(gref, 1023, 2, true), -EINVAL);
	ck_assert_int_eq(copy(read_only, 0, 24, false), 0);
	ck_assert_int_eq(copy(read_only, 0, 24, true), -EINVAL);
	ck_assert_int_eq(map(gref), -EINVAL);
	ck_assert_int_eq(sim_grant_end(guest, (uint32_t)gref), 0);
	teardown();
}
END_TEST

START_TEST(transitive)
{
	int64_t source, gref, self, twice, wrong, read_only;

	setup(2);
	strcpy(sim_page(other, other_frame), "of another domain");
	source = sim_grant(other, DOMID, other_frame, false);
	gref = sim_grant_transitive(guest, SIM_HOST_DOMID, OTHER, (uint32_t)source, false);
	read_only = sim_grant_transitive(guest, SIM_HOST_DOMID, OTHER, (uint32_t)source, true);
	self = sim_grant_transitive(guest, SIM_HOST_DOMID, DOMID, 8, false);
	ck_assert_int_eq(copy(gref, 0, 20, false), 0);
	ck_assert_str_eq(own, "of another domain");
	strcpy(own, "of Dom0");
	ck_assert_int_eq(copy(gref, 0, 20, true), 0);
	ck_assert_str_eq(sim_page(other, other_frame), "of Dom0");
	ck_assert_int_eq(copy(read_only, 0, 20, false), 0);
	ck_assert_int_eq(copy(read_only, 0, 20, true), -EINVAL);
	ck_assert_int_eq(copy(self, 0, 20, false), -EINVAL);
	ck_assert_int_eq(map(gref), -EINVAL);
	/* It leads once to another domain, not twice; and to what that one has granted to the first, not to us. */
	twice = sim_grant_transitive(other, DOMID, 9, 8, false);
	twice = sim_grant_transitive(guest, SIM_HOST_DOMID, OTHER, (uint32_t)twice, false);
	ck_assert_int_eq(copy(twice, 0, 20, false), -EINVAL);
	wrong = sim_grant(other, SIM_HOST_DOMID, other_frame, false);
	wrong = sim_grant_transitive(guest, SIM_HOST_DOMID, OTHER, (uint32_t)wrong, false);
	ck_assert_int_eq(copy(wrong, 0, 20, false), -EINVAL);
	/* The other domain can withdraw it, or be gone. */
	ck_assert_int_eq(sim_grant_end(other, (uint32_t)source), 0);
	ck_assert_int_eq(copy(gref, 0, 20, false), -EINVAL);
	sim_guest_destroy(other);
	ck_assert_int_eq(copy(gref, 0, 20, false), -EINVAL);
	ck_assert_int_eq(sim_grant_end(guest, (uint32_t)gref), 0);
	teardown();
}
END_TEST

START_TEST(not_in_version_1)
{
	setup(1);
	ck_assert_int_eq(sim_grant_sub_page(guest, SIM_HOST_DOMID, frames[0], 0, 8, false), -EINVAL);
	ck_assert_int_eq(sim_grant_transitive(guest, SIM_HOST_DOMID, OTHER, 8, false), -EINVAL);
	teardown();
}
END_TEST

/* A grant that is withdrawn by force while it is mapped can still be copied from, not to. */
START_TEST(withdrawn_while_mapped)
{
	uint32_t gref;
	void *page, *mapping;

	setup((uint32_t)_i);
	gref = (uint32_t)sim_grant(guest, SIM_HOST_DOMID, frames[0], false);
	ck_assert_int_eq(platform->grants_map(grants, DOMID, &gref, 1, false, false, &page, &mapping), 0);
	__atomic_store_n((uint16_t *)sim_grant_entry(guest, gref), 0, __ATOMIC_SEQ_CST);
	ck_assert_int_eq(copy(gref, 0, 8, false), 0);
	ck_assert_int_eq(copy(gref, 0, 8, true), -EINVAL);
	ck_assert_int_eq(platform->grants_unmap(grants, mapping, 1), 0);
	ck_assert_int_eq(copy(gref, 0, 8, false), -EINVAL);
	teardown();
}
END_TEST

/* As long as one domain uses a grant another one can't, whatever the entry says by then. */
START_TEST(used_by_one_domain)
{
	void *page, *mapping;
	uint32_t source;
	int64_t gref;

	setup(2);
	source = (uint32_t)sim_grant(other, SIM_HOST_DOMID, other_frame, false);
	gref = sim_grant_transitive(guest, SIM_HOST_DOMID, OTHER, source, false);
	ck_assert_int_eq(platform->grants_map(grants, OTHER, &source, 1, false, false, &page, &mapping), 0);
	__atomic_store_n((uint16_t *)sim_grant_entry(other, source) + 1, DOMID, __ATOMIC_SEQ_CST);
	ck_assert_int_eq(copy(gref, 0, 8, false), -EINVAL);
	ck_assert_int_eq(platform->grants_unmap(grants, mapping, 1), 0);
	ck_assert_int_eq(copy(gref, 0, 8, false), 0);
	teardown();
}
END_TEST

START_TEST(in_part)
{
	struct grant_copy pieces[4];

	setup(1);
	for (int i = 0; i < 4; i++)
		pieces[i] = (struct grant_copy){.gref = (uint32_t)sim_grant(guest, SIM_HOST_DOMID, frames[i],
									    false),
						.offset = 8,
						.length = 8,
						.own = own + 8 * i};
	sim_fault_set(machine, &(struct sim_fault){.call = SIM_GRANTS_COPY, .times = 1, .most = 3});
	ck_assert_int_eq(platform->grants_copy(grants, DOMID, pieces, 4), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(pieces[i].error, i < 3 ? 0 : -EAGAIN);
		ck_assert_int_eq(own[8 * i], i < 3 ? 8 + i : 0);
	}
	sim_fault_set(machine,
		      &(struct sim_fault){.call = SIM_GRANTS_COPY, .times = 1, .most = 1, .error = -EIO});
	ck_assert_int_eq(platform->grants_copy(grants, DOMID, pieces, 2), 0);
	ck_assert_int_eq(pieces[0].error, 0);
	ck_assert_int_eq(pieces[1].error, -EIO);
	sim_fault_set(machine, &(struct sim_fault){.call = SIM_GRANTS_COPY, .error = -EIO});
	ck_assert_int_eq(platform->grants_copy(grants, DOMID, pieces, 2), -EIO);
	teardown();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, both_ways, 1, 3);
	tcase_add_loop_test(test_case, errors, 1, 3);
	tcase_add_test(test_case, sub_page);
	tcase_add_test(test_case, transitive);
	tcase_add_test(test_case, not_in_version_1);
	tcase_add_loop_test(test_case, withdrawn_while_mapped, 1, 3);
	tcase_add_test(test_case, used_by_one_domain);
	tcase_add_test(test_case, in_part);
}

CHECK_MAIN("sim_copy", add_tests)
