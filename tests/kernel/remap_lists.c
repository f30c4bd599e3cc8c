// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lists that are right: what is mapped afterwards, which entries have errors, and what it cost. The names of the defects
 * are those of docs/kernel-module.md.
 */
#include "remap_test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <pthread.h>
#include <unistd.h>

/* The module's BLOCK_ENTRIES: a hypercall takes so many. */
#define BLOCK 2048

/* Entries of a page table. */
#define TABLE 512

static struct list list;
static bool translated; /* one hypercall for each page that is unmapped, and flushes for each piece */

static unsigned int blocks(size_t pages)
{
	return (pages + BLOCK - 1) / BLOCK;
}

/* Every length around the sizes of blocks, tables and pages of numbers. */
static void lengths(void)
{
	static const unsigned int length[] = {1,    2,	  15,	16,   17,   511,  512,	513,  1023,
					      1024, 1025, 2047, 2048, 2049, 4095, 4096, 4097, MOST_FRAMES};
	int device = open_remap();
	unsigned char *base = reserve(device, MOST_FRAMES);
	unsigned int i, page;

	for (i = 0; i < sizeof(length) / sizeof(length[0]); i++) {
		unsigned int pages = length[i] < frames.count ? length[i] : frames.count;

		if (short_tests && pages > 1025)
			break;
		prepare_list(&list, base, pages);
		check(map_list(device, &list) == 0);
		check(list.request.done == pages && list.request.failed == 0);
		for (page = 0; page < pages; page++)
			check(list.error[page] == 0 && shows(base + page * PAGE, list.frame[page]));
		check(list.error[pages % MOST_FRAMES] == (pages < MOST_FRAMES ? 12345 : 0));
		check(pages == MOST_FRAMES || shows(base + pages * PAGE, 0));
		check(unmap_list(device, &list) == 0);
		check(list.request.done == pages && list.request.failed == 0);
		for (page = 0; page < pages; page += 1 + pages / 50)
			check(shows(base + page * PAGE, 0));
	}
	munmap(base, MOST_FRAMES * PAGE);
	close(device);
}

/*
 * Defects 5 and 7: 1024 pages take one hypercall and no flush. Unmapping them takes one flush; they fill page tables, which
 * are emptied by three hypercalls.
 */
static void few_hypercalls(void)
{
	int device = open_remap();
	unsigned char *base = reserve(device, 1024);

	prepare_list(&list, base, 1024);
	check(map_list(device, &list) == 0);
	check(list.request.hypercalls == 1 && list.request.flushes == 0);
	check(unmap_list(device, &list) == 0);
	check(list.request.flushes == 1);
	translated = list.request.hypercalls == 1024;
	check(translated || list.request.hypercalls == 4);
	/* Nothing is there any more, so nothing needs to be done. */
	check(unmap_list(device, &list) == 0);
	check(list.request.hypercalls == 0 && list.request.flushes == 0);
	munmap(base, 1024 * PAGE);
	close(device);
}

static bool is_bad(unsigned int entry, unsigned int pages)
{
	return entry == 0 || entry == 1 || entry == 16 || (entry >= 511 && entry <= 513) || entry == 1024 ||
	       (entry >= 2040 && entry < 2060) || entry == 4096 || entry == pages - 1;
}

/*
 * Defects 1, 2 and 3: bad frames in every place leave the others mapped, each entry has its own error, and a bad one
 * costs one more hypercall at most.
 */
static void bad_entries(void)
{
	int device = open_remap();
	unsigned char *base = reserve(device, MOST_FRAMES);
	unsigned int pages = frames.count, bad = 0, i;

	prepare_list(&list, base, pages);
	for (i = 0; i < pages; i++)
		if (is_bad(i, pages))
			list.frame[i] = bad_frames[bad++ % bad_frame_count].frame;
	check(map_list(device, &list) == 0);
	check(list.request.done == pages && list.request.failed == bad);
	check(list.request.hypercalls <= blocks(pages) + bad);
	for (i = 0; i < pages; i++) {
		check(list.error[i] == error_of(list.frame[i]));
		check(shows(base + i * PAGE, is_bad(i, pages) ? 0 : list.frame[i]));
	}

	/* All bad, and more than one block of them. */
	prepare_list(&list, base, pages);
	check(unmap_list(device, &list) == 0);
	for (i = 0; i < pages; i++)
		list.frame[i] = bad_frames[i % bad_frame_count].frame;
	check(map_list(device, &list) == 0 && list.request.failed == pages);
	for (i = 0; i < pages; i++)
		check(list.error[i] == error_of(list.frame[i]));
	munmap(base, MOST_FRAMES * PAGE);
	close(device);
}

/* No such domain: every entry says so, after one hypercall for each block. */
static void no_domain(void)
{
	int device = open_remap();
	unsigned char *base = reserve(device, MOST_FRAMES);
	unsigned int i;

	prepare_list(&list, base, frames.count);
	list.request.domain = 32000;
	if (map_list(device, &list) == 0) {
		check(list.request.failed == frames.count);
		check(list.request.hypercalls == blocks(frames.count));
		for (i = 0; i < frames.count; i++)
			check(list.error[i] == -ESRCH && shows(base + i * PAGE, 0));
	} else {
		/* A domain that may serve one other only. */
		check(errno == EPERM);
	}
	munmap(base, MOST_FRAMES * PAGE);
	close(device);
}

/* What is mapped stays as it is under MAP_LIST. */
static void already_mapped(void)
{
	int device = open_remap();
	unsigned char *base = reserve(device, 100);
	unsigned int i;

	prepare_list(&list, base + 10 * PAGE, 20);
	check(map_list(device, &list) == 0);
	prepare_list(&list, base, 100);
	check(map_list(device, &list) == 0);
	check(list.request.failed == 20 && list.request.flushes == 0);
	for (i = 0; i < 100; i++) {
		bool was = i >= 10 && i < 30;

		check(list.error[i] == (was ? -EEXIST : 0));
		check(shows(base + i * PAGE, was ? list.frame[i - 10] : list.frame[i]));
	}
	munmap(base, 100 * PAGE);
	close(device);
}

/* REPLACE_LIST over all that can be: mapped or not, by a good frame, a bad one, nothing; one flush. */
static void replace(void)
{
	int device = open_remap();
	unsigned char *base = reserve(device, 300);
	unsigned int i;

	prepare_list(&list, base, 150);
	check(map_list(device, &list) == 0);
	prepare_list(&list, base, 300);
	for (i = 0; i < 300; i++) {
		list.frame[i] = frames.frame[(i + 77) % frames.count];
		if (i % 3 == 1)
			list.frame[i] = XVHOST_REMAP_NOTHING;
		else if (i % 3 == 2)
			list.frame[i] = bad_frames[i / 3 % bad_frame_count].frame;
	}
	check(replace_list(device, &list) == 0);
	check(list.request.failed == 100 && list.request.flushes == 1);
	for (i = 0; i < 300; i++) {
		check(list.error[i] == (i % 3 == 2 ? error_of(list.frame[i]) : 0));
		check(shows(base + i * PAGE, i % 3 == 0 ? list.frame[i] : 0));
	}
	munmap(base, 300 * PAGE);
	close(device);
}

/* Several runs in one list, in one hypercall; unmapping parts leaves the rest. */
static void runs(void)
{
	int device = open_remap();
	unsigned char *base = reserve(device, 2000);
	struct xvhost_remap_run run[20];
	unsigned int i, page;

	prepare_list(&list, base, 200);
	for (i = 0; i < 20; i++)
		run[i] = (struct xvhost_remap_run){.address = (uintptr_t)base + i * 97 * PAGE, .pages = 10};
	list.request.runs = (uintptr_t)run;
	list.request.run_count = 20;
	check(map_list(device, &list) == 0);
	check(list.request.failed == 0 && list.request.hypercalls == 1);
	for (i = 0; i < 2000; i++)
		check(shows(base + i * PAGE,
			    i % 97 < 10 && i / 97 < 20 ? list.frame[i / 97 * 10 + i % 97] : 0));

	/* Three pages of each. */
	for (i = 0; i < 20; i++) {
		run[i].address += 4 * PAGE;
		run[i].pages = 3;
	}
	check(unmap_list(device, &list) == 0 && list.request.done == 60);
	check(translated || (list.request.flushes == 1 && list.request.hypercalls == 2));
	for (i = 0; i < 20; i++)
		for (page = 0; page < 10; page++)
			check(shows(base + (i * 97 + page) * PAGE,
				    page >= 4 && page < 7 ? 0 : list.frame[i * 10 + page]));
	munmap(base, 2000 * PAGE);
	close(device);
}

/*
 * Page tables that lose all entries, almost all, or all that they have: whatever way this takes, nothing else goes, and the
 * table is as good as before.
 */
static void whole_tables(void)
{
	int device = open_remap();
	unsigned char *base = reserve(device, 3 * TABLE);
	unsigned int i, page;

	check((uintptr_t)base % (TABLE * PAGE) == 0);
	for (i = 0; i < 3; i++) {
		/* The middle one: all of it; all but the first and the last page; that, where these are not mapped. */
		unsigned int rest = i == 1, first = i > 0;

		prepare_list(&list, base, 3 * TABLE);
		check(replace_list(device, &list) == 0 && list.request.failed == 0);
		if (i == 2) {
			prepare_list(&list, base + TABLE * PAGE, 1);
			check(unmap_list(device, &list) == 0);
			list.run.address += (TABLE - 1) * PAGE;
			check(unmap_list(device, &list) == 0);
		}
		prepare_list(&list, base + (TABLE + first) * PAGE, TABLE - 2 * first);
		check(unmap_list(device, &list) == 0 && list.request.flushes == 1);
		check(translated || list.request.hypercalls == (rest ? 2 : 4));
		for (page = 0; page < 3 * TABLE; page++) {
			bool gone = page >= TABLE + rest && page < 2 * TABLE - rest;

			check(shows(base + page * PAGE, gone ? 0 : frames.frame[page % frames.count]));
		}
	}
	munmap(base, 3 * TABLE * PAGE);
	close(device);
}

/* The same by two runs: side by side; with a gap in which nothing is mapped; with a gap in which something is. */
static void tables_by_runs(void)
{
	int device = open_remap();
	unsigned char *base = reserve(device, TABLE);
	unsigned int i, page;

	for (i = 0; i < 3; i++) {
		struct xvhost_remap_run run[2] = {{(uintptr_t)base, TABLE / 2 - i},
						  {(uintptr_t)base + TABLE / 2 * PAGE, TABLE / 2}};

		prepare_list(&list, base, TABLE);
		check(replace_list(device, &list) == 0 && list.request.failed == 0);
		if (i == 1) {
			prepare_list(&list, base + (TABLE / 2 - 1) * PAGE, 1);
			check(unmap_list(device, &list) == 0);
		}
		list.request.runs = (uintptr_t)run;
		list.request.run_count = 2;
		check(unmap_list(device, &list) == 0 && list.request.flushes == (translated ? 2 : 1));
		check(translated || list.request.hypercalls == (i == 2 ? 2 : 4));
		for (page = 0; page < TABLE; page++) {
			bool stays = i == 2 && (page == TABLE / 2 - 1 || page == TABLE / 2 - 2);

			check(shows(base + page * PAGE, stays ? frames.frame[page] : 0));
		}
	}
	munmap(base, TABLE * PAGE);
	close(device);
}

/* A table that the reservation has only in part is not touched as a whole. */
static void shared_table(void)
{
	int device = open_remap();
	unsigned char *base = reserve(device, TABLE / 2);
	unsigned int i;

	prepare_list(&list, base, TABLE / 2);
	for (i = 0; i < 3; i++) {
		check(map_list(device, &list) == 0 && list.request.failed == 0);
		check(unmap_list(device, &list) == 0);
		check(translated || list.request.hypercalls == 2);
	}
	munmap(base, TABLE / 2 * PAGE);
	close(device);
}

/* The same frame at several places, and by several descriptors. */
static void shared_frames(void)
{
	int one = open_remap(), other = open_remap();
	unsigned char *base = reserve(one, 64), *second = reserve(other, 64);
	unsigned int i;

	prepare_list(&list, base, 64);
	for (i = 0; i < 64; i++)
		list.frame[i] = frames.frame[i % 4];
	check(map_list(one, &list) == 0 && list.request.failed == 0);
	list.run.address = (uintptr_t)second;
	check(map_list(other, &list) == 0 && list.request.failed == 0);
	munmap(base, 64 * PAGE);
	close(one);
	/* The file lives as long as its mapping. */
	close(other);
	for (i = 0; i < 64; i++)
		check(shows(second + i * PAGE, list.frame[i]));
	munmap(second, 64 * PAGE);
}

/* A mapping to read only: reading works, writing does not. */
static void read_only(void)
{
	int device = open_remap();
	unsigned char *base = mmap(NULL, 10 * PAGE, PROT_READ, MAP_SHARED, device, 0);

	prepare_list(&list, base, 10);
	check(map_list(device, &list) == 0 && list.request.failed == 0);
	check(shows(base, list.frame[0]));
	check(signal_of(base, true) == SIGSEGV);
	munmap(base, 10 * PAGE);
	close(device);
}

/* ---- compared with a model ------------------------------------------------------------------------------------- */

#define MODEL_PAGES 3000

/* What is mapped at each page of a reservation; 0: nothing. */
static uint64_t model[MODEL_PAGES];

static uint64_t random_frame(int command_is_replace)
{
	uint32_t dice = random_number(100);

	if (dice < 10)
		return bad_frames[random_number(bad_frame_count)].frame;
	if (dice < 20 && command_is_replace)
		return XVHOST_REMAP_NOTHING;
	return frames.frame[random_number(frames.count)];
}

/* Whether an entry's error and page are what they should be; keeps the model up. */
static void check_entry(unsigned long command, const unsigned char *base, unsigned int page,
			unsigned int entry)
{
	uint64_t frame = list.frame[entry];
	int error = list.error[entry];

	if (command == XVHOST_REMAP_UNMAP_LIST) {
		check(error == 0);
		model[page] = 0;
	} else if (command == XVHOST_REMAP_MAP_LIST && model[page] != 0) {
		check(error == -EEXIST);
	} else {
		check(error == error_of(frame));
		model[page] = error || frame == XVHOST_REMAP_NOTHING ? 0 : frame;
	}
	check(shows(base + page * PAGE, model[page]));
}

static void random_list(int device, const unsigned char *base)
{
	static const unsigned long commands[] = {XVHOST_REMAP_MAP_LIST, XVHOST_REMAP_UNMAP_LIST,
						 XVHOST_REMAP_REPLACE_LIST};
	unsigned long command = commands[random_number(3)];
	unsigned int entries = 0, page, count = 0, i;
	struct xvhost_remap_run run[16];

	prepare_list(&list, NULL, 0);
	for (page = random_number(500); page < MODEL_PAGES && count < 16; page += random_number(200)) {
		run[count].address = (uintptr_t)base + page * PAGE;
		run[count].pages = 1 + random_number(random_number(10) == 0 ? 1000 : 50);
		if (run[count].pages > MODEL_PAGES - page)
			run[count].pages = MODEL_PAGES - page;
		page += run[count].pages;
		entries += run[count].pages;
		count++;
	}
	for (i = 0; i < entries; i++)
		list.frame[i] = random_frame(command == XVHOST_REMAP_REPLACE_LIST);
	list.request.runs = (uintptr_t)run;
	list.request.run_count = count;
	check(ioctl(device, command, &list.request) == 0 && list.request.done == entries);
	for (i = 0, entries = 0; i < count; i++)
		for (page = 0; page < run[i].pages; page++, entries++)
			check_entry(command, base, (run[i].address - (uintptr_t)base) / PAGE + page, entries);
}

static void random_lists(void)
{
	int device = open_remap();
	unsigned char *base = reserve(device, MODEL_PAGES);
	unsigned int i;

	memset(model, 0, sizeof(model));
	for (i = 0; i < (short_tests ? 10 : 60); i++)
		random_list(device, base);
	for (i = 0; i < MODEL_PAGES; i++)
		check(shows(base + i * PAGE, model[i]));
	munmap(base, MODEL_PAGES * PAGE);
	close(device);
}

/* ---- several threads ------------------------------------------------------------------------------------------- */

struct worker {
	pthread_t thread;
	int device;
	unsigned char *base;
	unsigned int seed;
	_Atomic bool stop;
	bool wrong;
};

/* Up to more than a table, so that tables are emptied as a whole. */
#define THREAD_PAGES (2 * TABLE)

static void *work(void *data)
{
	struct worker *worker = data;
	struct list *mine = malloc(sizeof(*mine));
	unsigned int round;

	for (round = 0; round < (short_tests ? 60u : 300u); round++) {
		unsigned int first = rand_r(&worker->seed) % 300, pages = 1 + rand_r(&worker->seed) % 100;

		if (round % 4 == 0)
			pages += TABLE;
		prepare_list(mine, worker->base + first * PAGE, pages);
		switch (rand_r(&worker->seed) % 3) {
		case 0:
			worker->wrong |= map_list(worker->device, mine) != 0;
			break;
		case 1:
			worker->wrong |= replace_list(worker->device, mine) != 0 || mine->request.failed != 0;
			break;
		default:
			mine->run.pages = THREAD_PAGES - first;
			worker->wrong |= unmap_list(worker->device, mine) != 0 || mine->request.failed != 0;
		}
	}
	free(mine);
	return NULL;
}

/* Reads pages that come and go: there is one, or there is none. */
static void *look(void *data)
{
	struct worker *worker = data;

	while (!worker->stop) {
		int number = signal_of(worker->base + rand_r(&worker->seed) % THREAD_PAGES * PAGE, false);

		worker->wrong |= number != 0 && number != SIGBUS;
	}
	return NULL;
}

/* Threads that use the same reservation at the same time; the last one looks at it. */
static void threads(void)
{
	struct worker worker[5];
	int device = open_remap();
	unsigned char *base = reserve(device, THREAD_PAGES);
	unsigned int i;

	for (i = 0; i < 5; i++) {
		worker[i] = (struct worker){.device = device, .base = base, .seed = i};
		pthread_create(&worker[i].thread, NULL, i < 4 ? work : look, &worker[i]);
	}
	for (i = 0; i < 5; i++) {
		worker[i].stop = true;
		pthread_join(worker[i].thread, NULL);
		check(!worker[i].wrong);
	}
	prepare_list(&list, base, THREAD_PAGES);
	check(replace_list(device, &list) == 0 && list.request.failed == 0);
	for (i = 0; i < THREAD_PAGES; i++)
		check(shows(base + i * PAGE, list.frame[i]));
	munmap(base, THREAD_PAGES * PAGE);
	close(device);
}

const struct test list_tests[] = {
	{"1024 pages in one hypercall, without a flush", few_hypercalls},
	{"lists of every length", lengths},
	{"bad frames anywhere in a list", bad_entries},
	{"a domain that is not there", no_domain},
	{"pages that are mapped already", already_mapped},
	{"replacing", replace},
	{"several runs, and unmapping parts", runs},
	{"page tables emptied as a whole", whole_tables},
	{"page tables emptied by several runs", tables_by_runs},
	{"a page table shared with others", shared_table},
	{"the same frames twice", shared_frames},
	{"read only", read_only},
	{"random lists, compared with a model", random_lists},
	{"threads with one reservation", threads},
	{NULL, NULL},
};
