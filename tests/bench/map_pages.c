// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * map-pages DOMID FRAMES ROUNDS - what it costs to map a domain's pages and to unmap them, by blocks of several sizes
 *
 * Runs in the lab's Dom0. FRAMES is a file of 64-bit numbers, or FIRST+COUNT. Prints a line of JSON for each way, size and
 * round: processor ticks for each page, which in a lab that counts instructions are these. Ways are measured in turn; the
 * round before the first is not told.
 *
 *     single     one frame and one flush at a time, as before Linux 3.8: privcmd's older call, a range for each frame
 *     mmapbatch  privcmd's list, as libxenforeignmemory uses it
 *     remap      the kernel module's
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <x86intrin.h>
#include <xen/xen.h>
#include <xen/sys/privcmd.h>
#include <xvhost/remap.h>

#define PAGE 4096UL

/* Pages mapped in each measurement, and the largest block. */
#define PAGES 4096U

/* Ticks of all blocks of one measurement. */
struct cost {
	uint64_t map;
	uint64_t unmap;
	uint64_t hypercalls; /* 0: nobody has counted them */
};

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
		       int (*call)(void *, const uint64_t *, unsigned int), struct cost *cost)
{
	unsigned char *base = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, privcmd, 0);
	uint64_t start = __rdtsc();

	if (base == MAP_FAILED || call(base, frame, pages) != 0)
		err(1, "privcmd");
	cost->map += __rdtsc() - start;
	touch(base, pages);
	start = __rdtsc();
	munmap(base, pages * PAGE);
	cost->unmap += __rdtsc() - start;
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

static void measure_single(const uint64_t *frame, unsigned int pages, struct cost *cost)
{
	by_privcmd(frame, pages, call_single, cost);
}

static void measure_mmapbatch(const uint64_t *frame, unsigned int pages, struct cost *cost)
{
	by_privcmd(frame, pages, call_mmapbatch, cost);
}

static void measure_remap(const uint64_t *frame, unsigned int pages, struct cost *cost)
{
	struct xvhost_remap_run run = {.address = (uintptr_t)reservation, .pages = pages};
	struct xvhost_remap_list list = {.domain = domain,
					 .run_count = 1,
					 .runs = (uintptr_t)&run,
					 .frames = (uintptr_t)frame,
					 .errors = (uintptr_t)errors};
	uint64_t start = __rdtsc();

	if (ioctl(remap, XVHOST_REMAP_MAP_LIST, &list) != 0 || list.failed != 0)
		err(1, "%s: %llu failed", XVHOST_REMAP_PATH, (unsigned long long)list.failed);
	cost->map += __rdtsc() - start;
	cost->hypercalls += list.hypercalls;
	touch(reservation, pages);
	start = __rdtsc();
	if (ioctl(remap, XVHOST_REMAP_UNMAP_LIST, &list) != 0)
		err(1, XVHOST_REMAP_PATH);
	cost->unmap += __rdtsc() - start;
	cost->hypercalls += list.hypercalls;
}

static const struct {
	const char *name;
	void (*measure)(const uint64_t *frame, unsigned int pages, struct cost *cost);
} ways[] = {{"single", measure_single}, {"mmapbatch", measure_mmapbatch}, {"remap", measure_remap}};

static void measure_round(unsigned int round)
{
	static const unsigned int sizes[] = {1, 16, 64, 256, 1024, 4096};
	unsigned int size, way, first;

	for (size = 0; size < sizeof(sizes) / sizeof(*sizes); size++) {
		for (way = 0; way < sizeof(ways) / sizeof(*ways); way++) {
			struct cost cost = {0};

			for (first = 0; first < PAGES; first += sizes[size])
				ways[way].measure(frames + first, sizes[size], &cost);
			if (round == 0)
				continue;
			printf("{\"way\": \"%s\", \"pages\": %u, \"round\": %u, \"map\": %.1f, \"unmap\": "
			       "%.1f, "
			       "\"hypercalls\": %.4f}\n",
			       ways[way].name, sizes[size], round, (double)cost.map / PAGES,
			       (double)cost.unmap / PAGES, (double)cost.hypercalls / PAGES);
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
	for (round = 0; round <= (unsigned int)atoi(arguments[3]); round++)
		measure_round(round);
	return 0;
}
