// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * platform-test TEST... DOMID pv|pvh FRAMES - does the platform `xen` keep the promises of platform.h?
 *
 * Runs in the lab's Dom0. Of FRAMES, a file of 64-bit numbers or FIRST+COUNT/STEP, those are used that can be mapped. A mark
 * is written to their pages, and what was there is put back; the guest must be paused. Prints a line for each test, and
 * exits with 1 if one failed.
 */
#include "platform_test.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{"lists", test_lists},
	{"runs", test_runs},
	{"wrong-calls", test_wrong_calls},
	{"restricted", test_restricted},
	{"close", test_close},
	{"grant-table", test_grant_table},
	{"granted-pages", test_granted_pages},
	{"grant-copy", test_grant_copy},
	{"device-models", test_device_models},
	{"device-models-at-once", test_device_models_at_once},
	{"dirty", test_dirty},
	{"balloon", test_balloon},
	{"abandoned", test_abandoned},
	{"kept", test_kept},
	{"clean-up", test_clean_up},
	{"publish", test_publish},
	{"publish-shared", test_publish_shared},
	{"publish-refused", test_publish_refused},
	{"publish-dirty", test_publish_dirty},
};

struct test_guest guest;
const struct platform *const platform = &platform_xen;
static bool failed;

void check_at(bool holds, const char *file, int line, const char *what)
{
	if (!holds && !failed)
		printf("  %s:%d: not so: %s (errno %d)\n", file, line, what, errno);
	failed = failed || !holds;
}

void check_equal_at(int64_t is, int64_t should, const char *file, int line, const char *what)
{
	if (is != should && !failed)
		printf("  %s:%d: not so: %s is %lld, should be %lld\n", file, line, what, (long long)is,
		       (long long)should);
	failed = failed || is != should;
}

/* probe - the kernel is asked, by a pipe: it answers EFAULT where the program would be killed. */
static bool probe(void *address, bool write_it)
{
	int fds[2];
	bool can;

	if (pipe(fds) < 0)
		err(2, "pipe");
	can = write(fds[1], address, 1) == 1;
	/* The same byte comes back. */
	if (can && write_it)
		can = read(fds[0], address, 1) == 1;
	close(fds[0]);
	close(fds[1]);
	return can;
}

bool can_read(void *address)
{
	return probe(address, false);
}

bool can_write(void *address)
{
	return probe(address, true);
}

struct foreign *open_foreign(void)
{
	struct foreign *foreign;
	int error = platform->foreign_open(platform, &foreign);

	if (error < 0)
		errx(2, "foreign_open: %s", strerror(-error));
	return foreign;
}

char *reserve(struct foreign *foreign, uint32_t pages, enum foreign_use use)
{
	void *address;
	int error = platform->foreign_reserve(foreign, pages, use, &address);

	if (error < 0)
		errx(2, "foreign_reserve of %u pages: %s", pages, strerror(-error));
	return address;
}

int map(struct foreign *foreign, void *address, const uint64_t *frames, uint32_t count, int *errors)
{
	return platform->foreign_map(foreign, guest.domid, &(struct foreign_run){address, count}, 1, frames,
				     errors);
}

int unmap(struct foreign *foreign, void *address, uint32_t count)
{
	return platform->foreign_unmap(foreign, &(struct foreign_run){address, count}, 1);
}

/* choose_frames - those that can be mapped writable. */
static void choose_frames(const char *text)
{
	struct foreign *foreign = open_foreign();
	char *range = reserve(foreign, FRAMES_MAX, FOREIGN_WRITE);
	uint64_t given[FRAMES_MAX], first, step = 1, count = 0;
	int errors[FRAMES_MAX];
	const char *reason, *way = platform->foreign_way(foreign, &reason);

	if (sscanf(text, "%lu+%lu/%lu", &first, &count, &step) >= 2) {
		count = count < FRAMES_MAX ? count : FRAMES_MAX;
		for (uint32_t i = 0; i < count; i++)
			given[i] = first + i * step;
	} else {
		FILE *file = fopen(text, "r");

		count = file ? fread(given, sizeof(given[0]), FRAMES_MAX, file) : 0;
		if (count == 0)
			err(2, "%s", text);
		fclose(file);
	}
	if (map(foreign, range, given, (uint32_t)count, errors) < 0)
		err(2, "foreign_map");
	for (uint32_t i = 0; i < count; i++)
		if (errors[i] == 0)
			guest.frames[guest.frame_count++] = given[i];
	platform->foreign_close(foreign);
	if (guest.frame_count < 600)
		errx(2, "%u of %lu frames can be mapped, 600 are needed", guest.frame_count, count);
	printf("%u frames by %s: %s\n", guest.frame_count, way, reason);
}

int main(int count, char **arguments)
{
	bool any_failed = false;

	if (count < 5)
		errx(2, "usage: platform-test TEST... DOMID pv|pvh FRAMES");
	setvbuf(stdout, NULL, _IOLBF, 0);
	guest.domid = (uint16_t)atoi(arguments[count - 3]);
	guest.pv = strcmp(arguments[count - 2], "pv") == 0;
	choose_frames(arguments[count - 1]);
	for (int i = 1; i < count - 3; i++) {
		uint32_t test = 0;

		while (test < sizeof(tests) / sizeof(tests[0]) && strcmp(tests[test].name, arguments[i]) != 0)
			test++;
		if (test == sizeof(tests) / sizeof(tests[0]))
			errx(2, "there is no test '%s'", arguments[i]);
		failed = false;
		tests[test].run();
		printf("%s %s\n", failed ? "FAILED" : "ok", tests[test].name);
		any_failed = any_failed || failed;
	}
	return any_failed;
}
