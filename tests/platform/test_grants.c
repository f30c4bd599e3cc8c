// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest's grant table, and what is granted in it.
 *
 * Each guest has two grants from the toolstack: the page of its console and that of its connection to xenstore, of which
 * the last half is not used by anybody.
 */
#include "platform_test.h"

#include <err.h>
#include <errno.h>
#include <string.h>

#include "sim/grant_entry.h"

#define XENSTORE_GREF 1
#define UNUSED_GREF 500	    /* the guest does not come that far */
#define UNUSED_OFFSET 3072  /* into xenstore's page */
#define TABLE_FRAMES_MAX 64 /* xl's default */

static struct grants *open_grants(void)
{
	struct grants *grants;
	int error = platform->grants_open(platform, &grants);

	if (error < 0)
		errx(2, "grants_open: %s", strerror(-error));
	return grants;
}

static int map_table(struct foreign *foreign, void *address, uint32_t first, uint32_t count)
{
	return platform->foreign_map_grant_frames(foreign, guest.domid, address, GRANT_FRAMES_ENTRIES, first,
						  count);
}

void test_grant_table(void)
{
	struct foreign *foreign = open_foreign();
	char *table = reserve(foreign, TABLE_FRAMES_MAX, FOREIGN_GRANT_TABLE);
	const struct grant_entry_v1 *entries = (const struct grant_entry_v1 *)(void *)table;

	check_equal(map_table(foreign, table, 0, 1), 0);
	for (uint32_t gref = 0; gref <= XENSTORE_GREF; gref++) {
		check_equal(entries[gref].flags & GRANT_TYPE_MASK, GRANT_PERMIT);
		check_equal(entries[gref].domid, 0);
	}
	check_equal(entries[UNUSED_GREF].flags, 0);
	check(!can_write(table));
	check(!can_read(page_at(table, 1)));
	check_equal(map_table(foreign, table, 0, 1), -EBUSY);
	check_equal(unmap(foreign, table, 1), 0);
	check(!can_read(table));
	/* It grows to what is mapped, up to its limit. */
	check_equal(map_table(foreign, table, 0, TABLE_FRAMES_MAX), 0);
	check(can_read(page_at(table, TABLE_FRAMES_MAX - 1)));
	check_equal(unmap(foreign, table, TABLE_FRAMES_MAX), 0);
	check_equal(map_table(foreign, table, TABLE_FRAMES_MAX - 1, 2), -EINVAL);
	check(!can_read(table));
	/* Linux uses version 1, which has no statuses. */
	check_equal(platform->foreign_map_grant_frames(foreign, guest.domid, table, GRANT_FRAMES_STATUSES, 0,
						       1),
		    -EINVAL);
	check_equal(platform->foreign_map_grant_frames(foreign, NO_DOMAIN, table, GRANT_FRAMES_ENTRIES, 0, 1),
		    -ESRCH);
	check_equal(map_table(foreign, table, 0, 1), 0);
	platform->foreign_close(foreign);
}

/* A grant's page, and the frame that its entry names, are the same. */
void test_granted_pages(void)
{
	struct foreign *foreign = open_foreign();
	struct grants *grants = open_grants();
	char *table = reserve(foreign, 1, FOREIGN_GRANT_TABLE), *range = reserve(foreign, 2, FOREIGN_READ);
	const struct grant_entry_v1 *entries = (const struct grant_entry_v1 *)(void *)table;

	check_equal(map_table(foreign, table, 0, 1), 0);
	for (uint32_t gref = 0; gref <= XENSTORE_GREF; gref++) {
		uint64_t frame = entries[gref].frame;
		void *page, *mapping;
		int error;

		check_equal(map(foreign, page_at(range, gref), &frame, 1, &error), 0);
		check_equal(error, 0);
		error = platform->grants_map(grants, guest.domid, &gref, 1, true, true, &page, &mapping);
		check_equal(error, 0);
		if (error < 0)
			continue;
		check(memcmp(page, page_at(range, gref), PAGE_BYTES) == 0);
		if (gref == XENSTORE_GREF) {
			memset((char *)page + UNUSED_OFFSET, 0x5a, 64);
			check(memcmp(page, page_at(range, gref), PAGE_BYTES) == 0);
			memset((char *)page + UNUSED_OFFSET, 0, 64);
		}
		check_equal(platform->grants_unmap(grants, mapping, 1), 0);
	}
	platform->grants_close(grants);
	platform->foreign_close(foreign);
}

#define PIECES 150 /* more than the library is given at a time */

void test_grant_copy(void)
{
	struct grants *grants = open_grants();
	struct grant_copy to[PIECES], from[PIECES],
		leaves = {.offset = 4000, .length = 97, .gref = XENSTORE_GREF};
	uint32_t sent[PIECES], received[PIECES] = {0};
	char byte = 0;

	for (uint32_t i = 0; i < PIECES; i++) {
		bool bad = i % 40 == 39;

		sent[i] = 0xabc000 + i;
		to[i] = (struct grant_copy){.gref = bad ? UNUSED_GREF : XENSTORE_GREF,
					    .offset = (uint16_t)(UNUSED_OFFSET + i * sizeof(sent[0])),
					    .length = sizeof(sent[0]),
					    .to_guest = true,
					    .own = &sent[i],
					    .error = 1};
		from[i] = to[i];
		from[i].to_guest = false;
		from[i].own = &received[i];
	}
	check_equal(platform->grants_copy(grants, guest.domid, to, PIECES), 0);
	check_equal(platform->grants_copy(grants, guest.domid, from, PIECES), 0);
	for (uint32_t i = 0; i < PIECES; i++) {
		check_equal(to[i].error, i % 40 == 39 ? -EINVAL : 0);
		check_equal(from[i].error, i % 40 == 39 ? -EINVAL : 0);
		check_equal(received[i], i % 40 == 39 ? 0 : sent[i]);
		sent[i] = 0;
	}
	check_equal(platform->grants_copy(grants, guest.domid, to, PIECES), 0);
	leaves.own = &byte;
	check_equal(platform->grants_copy(grants, guest.domid, &leaves, 1), -EINVAL);
	check_equal(platform->grants_copy(grants, NO_DOMAIN, from, PIECES), 0);
	for (uint32_t i = 0; i < PIECES; i++)
		check_equal(from[i].error, -ESRCH);
	platform->grants_close(grants);
}
