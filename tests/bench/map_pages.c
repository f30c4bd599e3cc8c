// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * map-pages DOMID FRAMES ROUNDS - what it costs to map a domain's pages and to unmap them, by blocks of several sizes
 *
 * Runs in the lab's Dom0. FRAMES is a file of 64-bit numbers, or FIRST+COUNT. Prints a line of JSON for each way, size and
 * round: processor ticks for each page, which in a lab that counts instructions are these; and one for each way and size of
 * what is asked of Xen. Ways are measured in turn; the round before the first is not told.
 *
 *     single     one frame and one flush at a time, as before Linux 3.8: privcmd's older call, a range for each frame
 *     mmapbatch  privcmd's list, as libxenforeignmemory uses it
 *     remap      the kernel module's
 *     replace    the module's too: the pages have other frames before
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/sys/privcmd.h>
#include <xvhost/remap.h>

#include "meter.h"

#define PAGE 4096UL

/* Pages mapped in each measurement, and the largest block. */
#define PAGES 4096U

static uint32_t domain;
static uint64_t frames[PAGES];
static int errors[PAGES];
static privcmd_mmap_entry_t ranges[PAGES];
static int privcmd, remap;
static unsigned char *reservation;

static void read_frames(const char *text)
{
	unsigned long first, count, i;
	FILE *file;

	if (sscanf(text, "%lu+%lu", &first, &count) == 2) {
		/* In no order, as a guest's pages lie. */
		for (i = 0; i < PAGES; i++)
			frames[i] = first + i * 7 % count;
		return;
	}
	file = fopen(text, "r");
	if (!file || fread(frames, sizeof(*frames), PAGES, file) != PAGES)
		errx(1, "%s: not %u frames", text, PAGES);
	fclose(file);
}

static void touch(const volatile unsigned char *base, unsigned int pages)
{
	unsigned int i;

	for (i = 0; i < pages; i++)
		(void)base[i * PAGE];
}

/* One block by privcmd: `call` says how it is mapped. */
static void by_privcmd(const uint64_t *frame, unsigned int pages,
		       int (*call)(void *, const uint64_t *, unsigned int), struct measurement *cost)
{
	unsigned char *base = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, privcmd, 0);
	uint64_t started = meter_start();

	if (base == MAP_FAILED || call(base, frame, pages) != 0)
		err(1, "privcmd");
	meter_stop(&cost->map, started);
	touch(base, pages);
	started = meter_start();
	munmap(base, pages * PAGE);
	meter_stop(&cost->unmap, started);
}

static int call_mmapbatch(void *base, const uint64_t *frame, unsigned int pages)
{
	privcmd_mmapbatch_v2_t batch = {pages, domain, (uintptr_t)base, frame, errors};

	return ioctl(privcmd, IOCTL_PRIVCMD_MMAPBATCH_V2, &batch);
}

static int call_single(void *base, const uint64_t *frame, unsigned int pages)
{
	privcmd_mmap_t all = {(int)pages, domain, ranges};
	unsigned int i;

	for (i = 0; i < pages; i++)
		ranges[i] = (privcmd_mmap_entry_t){(uintptr_t)base + i * PAGE, frame[i], 1};
	return ioctl(privcmd, IOCTL_PRIVCMD_MMAP, &all);
}

static void measure_single(const uint64_t *frame, unsigned int pages, struct measurement *cost)
{
	by_privcmd(frame, pages, call_single, cost);
}

static void measure_mmapbatch(const uint64_t *frame, unsigned int pages, struct measurement *cost)
{
	by_privcmd(frame, pages, call_mmapbatch, cost);
}

/* One of the module's calls. It says itself how many hypercalls it made, and what is counted must agree. */
static void call_remap(unsigned long number, struct xvhost_remap_list *list, struct meter *meter)
{
	uint64_t hypercalls = meter->hypercalls, started = meter_start();

	if (ioctl(remap, number, list) != 0 || list->failed != 0)
		err(1, "%s: %llu failed", XVHOST_REMAP_PATH, (unsigned long long)list->failed);
	meter_stop(meter, started);
	if (meter_counts_hypercalls() && meter->hypercalls - hypercalls != list->hypercalls)
		errx(1, "%llu hypercalls are counted for %u of %s",
		     (unsigned long long)(meter->hypercalls - hypercalls), list->hypercalls,
		     XVHOST_REMAP_PATH);
}

static void by_remap(const uint64_t *before, const uint64_t *frame, unsigned int pages,
		     struct measurement *cost)
{
	struct xvhost_remap_run run = {.address = (uintptr_t)reservation, .pages = pages};
	struct xvhost_remap_list list = {.domain = domain,
					 .run_count = 1,
					 .runs = (uintptr_t)&run,
					 .frames = (uintptr_t)before,
					 .errors = (uintptr_t)errors};

	if (before) {
		struct meter unused = {0};

		call_remap(XVHOST_REMAP_MAP_LIST, &list, &unused);
		touch(reservation, pages);
	}
	list.frames = (uintptr_t)frame;
	call_remap(before ? XVHOST_REMAP_REPLACE_LIST : XVHOST_REMAP_MAP_LIST, &list, &cost->map);
	touch(reservation, pages);
	call_remap(XVHOST_REMAP_UNMAP_LIST, &list, &cost->unmap);
}

static void measure_remap(const uint64_t *frame, unsigned int pages, struct measurement *cost)
{
	by_remap(NULL, frame, pages, cost);
}

static void measure_replace(const uint64_t *frame, unsigned int pages, struct measurement *cost)
{
	static uint64_t before[PAGES];
	unsigned int i;

	for (i = 0; i < pages; i++)
		before[i] = frames[(frame - frames + i + PAGES / 2) % PAGES];
	by_remap(before, frame, pages, cost);
}

static const struct {
	const char *name;
	void (*measure)(const uint64_t *frame, unsigned int pages, struct measurement *cost);
} ways[] = {{"single", measure_single},
	    {"mmapbatch", measure_mmapbatch},
	    {"remap", measure_remap},
	    {"replace", measure_replace}};

static void measure_round(unsigned int round)
{
	static const unsigned int sizes[] = {1, 16, 64, 256, 1024, 4096};
	unsigned int size, way, first;

	for (size = 0; size < sizeof(sizes) / sizeof(*sizes); size++) {
		for (way = 0; way < sizeof(ways) / sizeof(*ways); way++) {
			struct measurement cost = {
				.way = ways[way].name, .block = sizes[size], .round = round, .pages = PAGES};

			for (first = 0; first < PAGES; first += sizes[size])
				ways[way].measure(frames + first, sizes[size], &cost);
			meter_tell(&cost);
		}
	}
}

int main(int count, char **arguments)
{
	unsigned int round;

	if (count != 4)
		errx(2, "usage: map-pages DOMID FRAMES ROUNDS");
	domain = atoi(arguments[1]);
	read_frames(arguments[2]);
	privcmd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
	remap = open(XVHOST_REMAP_PATH, O_RDWR | O_CLOEXEC);
	if (privcmd < 0 || remap < 0)
		err(1, "/dev/xen");
	reservation = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, remap, 0);
	if (reservation == MAP_FAILED)
		err(1, "mmap");
	measure_round(0);
	meter_count_hypercalls(true);
	measure_round(0);
	meter_count_hypercalls(false);
	for (round = 1; round <= (unsigned int)atoi(arguments[3]); round++)
		measure_round(round);
	return 0;
}
