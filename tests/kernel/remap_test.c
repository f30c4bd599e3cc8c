// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * remap-test DOMID FRAMES          runs all tests
 * remap-test --short DOMID FRAMES  less of those that take long
 * remap-test --hold DOMID FRAMES   maps half of them, prints "held", waits for a line, and goes on with a domain that may be gone
 *
 * FRAMES is a file of 64-bit numbers, or FIRST+COUNT. Those that privcmd can map are used; it writes a mark into each of
 * these pages, which tells whether a mapping shows the right one, and restores what was there in the end. Prints a line
 * for each test; exits with 1 if one failed.
 */
#include "remap_test.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/sys/privcmd.h>

struct frames frames;
bool short_tests;
struct bad_frame bad_frames[MOST_BAD_FRAMES];
unsigned int bad_frame_count;

static unsigned char *marked;
static uint64_t before[MOST_FRAMES];
static bool failed;
static __thread sigjmp_buf escape;

/* ---- what tests use -------------------------------------------------------------------------------------------- */

void check_at(bool holds, const char *file, int line, const char *what)
{
	if (holds)
		return;
	/* One line tells enough; loops would print thousands. */
	if (!failed)
		printf("  %s:%d: not so: %s (errno %d)\n", file, line, what, errno);
	failed = true;
}

int open_remap(void)
{
	int device = open(XVHOST_REMAP_PATH, O_RDWR | O_CLOEXEC);

	if (device < 0)
		err(2, "%s", XVHOST_REMAP_PATH);
	return device;
}

unsigned char *reserve(int device, size_t pages)
{
	void *base = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, device, 0);

	if (base == MAP_FAILED)
		err(2, "mmap of %zu pages", pages);
	return base;
}

/* All frames in order, beginning with the first; the errors get a value that no answer has. */
void prepare_list(struct list *list, void *address, size_t pages)
{
	size_t i;

	memset(&list->request, 0, sizeof(list->request));
	list->run.address = (uintptr_t)address;
	list->run.pages = pages;
	list->request.domain = frames.domain;
	list->request.runs = (uintptr_t)&list->run;
	list->request.run_count = 1;
	list->request.frames = (uintptr_t)list->frame;
	list->request.errors = (uintptr_t)list->error;
	for (i = 0; i < MOST_FRAMES; i++) {
		list->frame[i] = frames.frame[i % frames.count];
		list->error[i] = 12345;
	}
}

int map_list(int device, struct list *list)
{
	return ioctl(device, XVHOST_REMAP_MAP_LIST, &list->request);
}

int unmap_list(int device, struct list *list)
{
	return ioctl(device, XVHOST_REMAP_UNMAP_LIST, &list->request);
}

int replace_list(int device, struct list *list)
{
	return ioctl(device, XVHOST_REMAP_REPLACE_LIST, &list->request);
}

int error_of(uint64_t frame)
{
	unsigned int i;

	for (i = 0; i < bad_frame_count; i++)
		if (bad_frames[i].frame == frame)
			return bad_frames[i].error;
	return 0;
}

static void on_signal(int number)
{
	siglongjmp(escape, number);
}

int signal_of(void *page, bool write)
{
	volatile unsigned char *byte = page;
	int number = sigsetjmp(escape, 1);

	if (number != 0)
		return number;
	if (write)
		*byte = *byte;
	else
		(void)*byte;
	return 0;
}

static uint64_t mark(uint64_t frame)
{
	return 0x7876686f00000000 ^ (frame * 0x9e3779b97f4a7c15);
}

bool shows(const void *page, uint64_t frame)
{
	if (frame == 0)
		return signal_of((void *)page, false) == SIGBUS;
	return signal_of((void *)page, false) == 0 && *(const volatile uint64_t *)page == mark(frame);
}

uint32_t random_number(uint32_t below)
{
	static uint64_t state = 42;

	state = state * 6364136223846793005 + 1442695040888963407;
	return (state >> 33) % below;
}

/* ---- preparation ----------------------------------------------------------------------------------------------- */

static uint64_t *read_candidates(const char *text, size_t *count)
{
	unsigned long first, number;
	uint64_t *candidates;
	struct stat status;
	FILE *file;
	size_t i;

	if (sscanf(text, "%lu+%lu", &first, &number) == 2) {
		candidates = calloc(number, sizeof(*candidates));
		for (i = 0; i < number; i++)
			candidates[i] = first + i;
		*count = number;
		return candidates;
	}
	file = fopen(text, "r");
	if (!file || fstat(fileno(file), &status) != 0)
		err(2, "%s", text);
	candidates = malloc(status.st_size);
	*count = fread(candidates, sizeof(*candidates), status.st_size / sizeof(*candidates), file);
	fclose(file);
	return candidates;
}

static void add_bad_frame(uint64_t frame, int error)
{
	if (error >= 0 || bad_frame_count == MOST_BAD_FRAMES)
		errx(2, "frame %#llx: error %d, %u bad frames", (unsigned long long)frame, error,
		     bad_frame_count);
	bad_frames[bad_frame_count++] = (struct bad_frame){frame, error};
}

/* What privcmd says of frames that no domain has, and the first of each error among those that were tried. */
static void find_bad_frames(int privcmd, const uint64_t *candidates, const int *errors, size_t count)
{
	/* The second and third don't fit a page table; privcmd maps another frame then. */
	static const uint64_t frame[] = {(1ULL << 40) - 1, 1ULL << 40, ~0ULL - 1, 0xf0000000};
	uint64_t seen = 0;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		int error = -EINVAL;
		privcmd_mmapbatch_v2_t batch = {1, frames.domain, 0, &frame[i], &error};
		void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, privcmd, 0);

		batch.addr = (uintptr_t)page;
		if (frame[i] < 1ULL << 40 && ioctl(privcmd, IOCTL_PRIVCMD_MMAPBATCH_V2, &batch) != 0)
			err(2, "privcmd, frame %#llx", (unsigned long long)frame[i]);
		add_bad_frame(frame[i], error);
		munmap(page, PAGE);
	}
	for (i = 0; i < count; i++) {
		if (errors[i] >= 0 || errors[i] < -63 || seen & 1ULL << -errors[i])
			continue;
		seen |= 1ULL << -errors[i];
		add_bad_frame(candidates[i], errors[i]);
	}
	for (i = 0; i < bad_frame_count; i++)
		printf("bad frame %#llx, error %d\n", (unsigned long long)bad_frames[i].frame,
		       bad_frames[i].error);
}

/* Maps with privcmd what can be mapped, and marks it. */
static void prepare_frames(const char *text)
{
	int privcmd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
	size_t count, i;
	uint64_t *candidates = read_candidates(text, &count);
	int *errors = calloc(count, sizeof(*errors));
	privcmd_mmapbatch_v2_t batch = {.num = count, .dom = frames.domain, .arr = candidates, .err = errors};

	if (privcmd < 0)
		err(2, "/dev/xen/privcmd");
	marked = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, privcmd, 0);
	batch.addr = (uintptr_t)marked;
	if (marked == MAP_FAILED ||
	    (ioctl(privcmd, IOCTL_PRIVCMD_MMAPBATCH_V2, &batch) != 0 && errno != ENOENT))
		err(2, "privcmd");
	for (i = 0; i < count && frames.count < MOST_FRAMES; i++)
		if (errors[i] == 0 && candidates[i] != 0)
			frames.frame[frames.count++] = candidates[i];
	find_bad_frames(privcmd, candidates, errors, count);
	/* Mapped anew, so that the places are those of the list. */
	munmap(marked, count * PAGE);
	marked = mmap(NULL, frames.count * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, privcmd, 0);
	batch.addr = (uintptr_t)marked;
	batch.num = frames.count;
	batch.arr = frames.frame;
	if (frames.count < 100 || marked == MAP_FAILED ||
	    ioctl(privcmd, IOCTL_PRIVCMD_MMAPBATCH_V2, &batch) != 0)
		err(2, "privcmd, %u frames of %zu", frames.count, count);
	for (i = 0; i < frames.count; i++) {
		uint64_t *page = (uint64_t *)(marked + i * PAGE);

		before[i] = *page;
		*page = mark(frames.frame[i]);
	}
	free(candidates);
	free(errors);
}

static void restore_frames(void)
{
	unsigned int i;

	for (i = 0; i < frames.count; i++)
		*(uint64_t *)(marked + i * PAGE) = before[i];
	munmap(marked, frames.count * PAGE);
}

/* ---- running --------------------------------------------------------------------------------------------------- */

static int run_tests(const struct test *test)
{
	int bad = 0;

	for (; test->name; test++) {
		time_t began = time(NULL);

		failed = false;
		test->run();
		printf("%s %s, %lld s\n", failed ? "not ok" : "ok", test->name,
		       (long long)(time(NULL) - began));
		fflush(stdout);
		bad += failed;
	}
	return bad;
}

/* Keeps half of the frames mapped while the domain is destroyed. */
static int hold(void)
{
	static struct list list;
	int device = open_remap();
	unsigned int held = frames.count / 2, i;
	unsigned char *base = reserve(device, frames.count);

	restore_frames();
	prepare_list(&list, base, held);
	check(map_list(device, &list) == 0 && list.request.failed == 0);
	puts("held");
	fflush(stdout);
	(void)getchar();

	/* What is mapped stays; the other frames are gone, and each entry says so. */
	for (i = 0; i < held; i++)
		check(signal_of(base + i * PAGE, true) == 0);
	list.run.address += held * PAGE;
	list.request.frames += held * sizeof(list.frame[0]);
	check(map_list(device, &list) == 0 && list.request.failed == held);
	for (i = 0; i < held; i++)
		check(list.error[i] < 0);
	prepare_list(&list, base, held);
	check(unmap_list(device, &list) == 0 && list.request.failed == 0);
	printf("%s hold\n", failed ? "not ok" : "ok");
	fflush(stdout);
	/* With everything unmapped the domain can go, though we are still here. */
	(void)getchar();
	return failed;
}

int main(int count, char **arguments)
{
	struct sigaction action = {.sa_handler = on_signal};
	bool holding = count == 4 && strcmp(arguments[1], "--hold") == 0;
	int bad;

	short_tests = count == 4 && strcmp(arguments[1], "--short") == 0;
	if (count != 3 && !holding && !short_tests)
		errx(2, "usage: remap-test [--short|--hold] DOMID FRAMES");
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	frames.domain = atoi(arguments[count - 2]);
	prepare_frames(arguments[count - 1]);
	printf("%u frames\n", frames.count);
	if (holding)
		return hold();
	bad = run_tests(list_tests) + run_tests(misuse_tests) + run_tests(storm_tests);
	restore_frames();
	return bad != 0;
}
