// SPDX-License-Identifier: GPL-2.0-or-later
/* Frames mapped by number. */
#include "platform_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGES 600 /* more than one page of frame numbers, which is 512 */

/* Frames that no guest of the lab has. The middle one is that of the local interrupt controller. */
static const uint64_t bad_frames[] = {UINT64_MAX, 1ull << 40, (1ull << 40) - 1,
				      0xfeeee,	  0xf0000000, 1ull << 52};
#define BAD_FRAMES (sizeof(bad_frames) / sizeof(bad_frames[0]))

static bool is_bad(uint32_t i)
{
	return i % 7 == 3 || i == 511 || i == 512 || i == PAGES - 1;
}

/* marks - the first word of each page, which are the marks while `mark` is true, and then as before. */
static void marks(bool mark)
{
	static uint64_t before[PAGES];
	struct foreign *foreign = open_foreign();
	char *range = reserve(foreign, PAGES, FOREIGN_WRITE);
	int errors[PAGES];

	check_equal(map(foreign, range, guest.frames, PAGES, errors), 0);
	for (uint32_t i = 0; i < PAGES; i++) {
		uint64_t *word = (uint64_t *)(void *)page_at(range, i);

		check_equal(errors[i], 0);
		if (mark)
			before[i] = *word;
		*word = mark ? 0x1234500000u + i : before[i];
	}
	check_equal(unmap(foreign, range, PAGES), 0);
	platform->foreign_close(foreign);
}

static bool is_marked(char *page, uint32_t number)
{
	return *(uint64_t *)(void *)page == 0x1234500000u + number;
}

/* lists_in - good and bad frames in one list, in a range of this use. */
static void lists_in(struct foreign *foreign, enum foreign_use use)
{
	char *range = reserve(foreign, PAGES, use);
	uint64_t list[PAGES];
	int errors[PAGES];

	for (uint32_t i = 0; i < PAGES; i++) {
		list[i] = is_bad(i) ? bad_frames[i % BAD_FRAMES] : guest.frames[(i * 7) % PAGES];
		check(!can_read(page_at(range, i)));
	}
	for (int round = 0; round < 2; round++) {
		check_equal(map(foreign, range, list, PAGES, errors), 0);
		for (uint32_t i = 0; i < PAGES; i++) {
			char *page = page_at(range, i);

			check(errors[i] == (is_bad(i) ? -EINVAL : 0) ||
			      (is_bad(i) && guest.pv && errors[i] == -EPERM));
			check_equal(can_read(page), !is_bad(i));
			check_equal(can_write(page), !is_bad(i) && use == FOREIGN_WRITE);
			check(is_bad(i) || is_marked(page, (i * 7) % PAGES));
		}
		check_equal(unmap(foreign, range, PAGES), 0);
		for (uint32_t i = 0; i < PAGES; i++)
			check(!can_read(page_at(range, i)));
	}
	check_equal(platform->foreign_release(foreign, range, PAGES), 0);
}

void test_lists(void)
{
	struct foreign *foreign = open_foreign();

	marks(true);
	lists_in(foreign, FOREIGN_READ);
	lists_in(foreign, FOREIGN_WRITE);
	marks(false);
	platform->foreign_close(foreign);
}

/* Runs of one call, unmapped with those of another. */
void test_runs(void)
{
	struct foreign *foreign = open_foreign();
	char *range = reserve(foreign, PAGES, FOREIGN_READ);
	const struct foreign_run first[] = {
		{page_at(range, 2), 3}, {page_at(range, 7), 1}, {page_at(range, 9), 4}};
	const struct foreign_run second = {page_at(range, 14), 2}, mixed[] = {first[0], first[2], second};
	const struct foreign_run descending[] = {{page_at(range, 20), 2}, {page_at(range, 18), 1}};
	const struct foreign_run half_wrong[] = {{page_at(range, 5), 2}, {page_at(range, 7), 1}};
	const uint32_t places[] = {2, 3, 4, 7, 9, 10, 11, 12};
	int errors[8];

	marks(true);
	check_equal(platform->foreign_map(foreign, guest.domid, first, 3, guest.frames, errors), 0);
	for (uint32_t i = 0; i < 8; i++) {
		check_equal(errors[i], 0);
		check(is_marked(page_at(range, places[i]), i));
	}
	check(!can_read(page_at(range, 5)) && !can_read(page_at(range, 8)) && !can_read(page_at(range, 13)));
	check_equal(platform->foreign_map(foreign, guest.domid, half_wrong, 2, guest.frames, errors), -EBUSY);
	check(!can_read(page_at(range, 5)));
	check_equal(platform->foreign_unmap(foreign, half_wrong, 2), -EINVAL);
	check_equal(platform->foreign_map(foreign, guest.domid, descending, 2, guest.frames, errors),
		    -EINVAL);
	check(can_read(page_at(range, 7)));
	check_equal(map(foreign, second.address, guest.frames + 20, 2, errors), 0);
	check(is_marked(page_at(range, 15), 21));
	check_equal(platform->foreign_unmap(foreign, mixed, 3), 0);
	check(!can_read(page_at(range, 2)) && !can_read(page_at(range, 9)) && !can_read(page_at(range, 14)));
	check(is_marked(page_at(range, 7), 3));
	marks(false);
	platform->foreign_close(foreign);
}

void test_wrong_calls(void)
{
	struct foreign *foreign = open_foreign();
	char *range = reserve(foreign, PAGES, FOREIGN_WRITE),
	     *table = reserve(foreign, 1, FOREIGN_GRANT_TABLE);
	const uint64_t *frames = guest.frames;
	struct foreign_run nobody = {page_at(range, 4), 2};
	int errors[2];
	void *none;

	check_equal(platform->foreign_reserve(foreign, 0, FOREIGN_READ, &none), -EINVAL);
	check_equal(map(foreign, page_at(range, 3), frames, 1, errors), 0);
	check_equal(map(foreign, page_at(range, 2), frames, 2, errors), -EBUSY);
	check_equal(map(foreign, page_at(range, 4), frames, 0, errors), -EINVAL);
	check_equal(map(foreign, page_at(range, 4) + 1, frames, 1, errors), -EINVAL);
	check_equal(map(foreign, page_at(range, PAGES - 1), frames, 2, errors), -EINVAL);
	check_equal(map(foreign, NULL, frames, 1, errors), -EINVAL);
	check_equal(map(foreign, table, frames, 1, errors), -EINVAL);
	check_equal(platform->foreign_map_grant_frames(foreign, guest.domid, page_at(range, 4),
						       GRANT_FRAMES_ENTRIES, 0, 1),
		    -EINVAL);
	check_equal(unmap(foreign, page_at(range, 3), 2), -EINVAL);
	check_equal(unmap(foreign, page_at(range, 2), 1), -EINVAL);
	check_equal(platform->foreign_release(foreign, page_at(range, 1), 1), -EINVAL);
	/* A domain that is not there is each frame's error. */
	check_equal(platform->foreign_map(foreign, NO_DOMAIN, &nobody, 1, frames, errors), 0);
	check_equal(errors[0], -ESRCH);
	check_equal(errors[1], -ESRCH);
	check(!can_read(nobody.address));
	check_equal(unmap(foreign, nobody.address, 2), 0);
	check(can_read(page_at(range, 3)));
	check_equal(unmap(foreign, page_at(range, 3), 1), 0);
	check_equal(unmap(foreign, page_at(range, 3), 1), -EINVAL);
	platform->foreign_close(foreign);
}

void test_restricted(void)
{
	struct foreign *foreign = open_foreign();
	char *range = reserve(foreign, 8, FOREIGN_READ), *table = reserve(foreign, 1, FOREIGN_GRANT_TABLE);
	const struct foreign_run place = {page_at(range, 1), 1};
	int error;

	check_equal(map(foreign, range, guest.frames, 1, &error), 0);
	check_equal(platform->foreign_restrict(foreign, guest.domid), 0);
	check(can_read(range));
	check_equal(platform->foreign_restrict(foreign, (uint16_t)(guest.domid + 1)), -EINVAL);
	check_equal(platform->foreign_map(foreign, 0, &place, 1, guest.frames, &error), -EPERM);
	check_equal(platform->foreign_map_grant_frames(foreign, 0, table, GRANT_FRAMES_ENTRIES, 0, 1),
		    -EPERM);
	check_equal(map(foreign, place.address, guest.frames, 1, &error), 0);
	check_equal(error, 0);
	check(can_read(place.address));
	/* Addresses can still be had, and the grant table. */
	check_equal(map(foreign, reserve(foreign, 1, FOREIGN_WRITE), guest.frames, 1, &error), 0);
	check_equal(error, 0);
	check_equal(platform->foreign_map_grant_frames(foreign, guest.domid, table, GRANT_FRAMES_ENTRIES, 0,
						       1),
		    0);
	check(can_read(table));
	platform->foreign_close(foreign);
}

/* What is mapped goes with the range, and with the handle. */
void test_close(void)
{
	struct foreign *foreign = open_foreign();
	char *first = reserve(foreign, 8, FOREIGN_READ), *second = reserve(foreign, 8, FOREIGN_WRITE);
	char *table = reserve(foreign, 1, FOREIGN_GRANT_TABLE);
	int errors[8];

	check_equal(map(foreign, first, guest.frames, 8, errors), 0);
	check_equal(map(foreign, second, guest.frames, 8, errors), 0);
	check_equal(platform->foreign_map_grant_frames(foreign, guest.domid, table, GRANT_FRAMES_ENTRIES, 0,
						       1),
		    0);
	check_equal(platform->foreign_release(foreign, first, 8), 0);
	check(!can_read(first));
	check(can_read(second));
	check(can_read(table));
	platform->foreign_close(foreign);
	check(!can_read(second));
	check(!can_read(table));
}
