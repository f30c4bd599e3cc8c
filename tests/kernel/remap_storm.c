// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Everything at once: threads of one process map, unmap and replace in the same reservations, look at their pages, and ask
 * the kernel for whatever it can do to a mapping, or by way of one. Single calls may fail. Afterwards lists work as ever;
 * that nothing is left, and that the kernel does not complain, the scenario sees.
 */
#include "remap_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 6
#define RESERVATIONS 3
#define RESERVED_PAGES 1536UL /* three page tables */
#define RUNS 5
#define LONGEST_RUN 700

static unsigned char *base[RESERVATIONS];
static int device;
static atomic_bool ending;
static atomic_ulong listed, asked; /* calls */

struct storm_thread {
	pthread_t thread;
	uint64_t state;
	struct list list;
	struct xvhost_remap_run run[RUNS];
	unsigned char page[PAGE];
};

static struct storm_thread threads[THREADS];

static uint32_t chance(struct storm_thread *self, uint32_t below)
{
	self->state = self->state * 6364136223846793005 + 1442695040888963407;
	return (self->state >> 33) % below;
}

/* Runs in one reservation, ascending; some of the frames are bad, some of the places nothing's. */
static void any_list(struct storm_thread *self)
{
	uint64_t at = chance(self, RESERVED_PAGES), entries = 0;
	uintptr_t start = (uintptr_t)base[chance(self, RESERVATIONS)];
	unsigned int count = 0;

	prepare_list(&self->list, NULL, 0);
	if (chance(self, 3) == 0)
		at = 0;
	while (count < RUNS && at < RESERVED_PAGES && (count == 0 || chance(self, 3))) {
		uint64_t pages = 1 + chance(self, chance(self, 2) ? 16 : LONGEST_RUN);

		if (pages > RESERVED_PAGES - at)
			pages = RESERVED_PAGES - at;
		self->run[count++] = (struct xvhost_remap_run){.address = start + at * PAGE, .pages = pages};
		entries += pages;
		at += pages + chance(self, 2) * chance(self, 64);
	}
	self->list.request.runs = (uintptr_t)self->run;
	self->list.request.run_count = count;
	for (unsigned int i = chance(self, 8); i > 0 && chance(self, 2); i--)
		self->list.frame[chance(self, entries)] =
			chance(self, 2) ? bad_frames[chance(self, bad_frame_count)].frame
					: XVHOST_REMAP_NOTHING;
}

static void list_something(struct storm_thread *self)
{
	static const unsigned long calls[] = {XVHOST_REMAP_MAP_LIST, XVHOST_REMAP_MAP_LIST,
					      XVHOST_REMAP_UNMAP_LIST, XVHOST_REMAP_UNMAP_LIST,
					      XVHOST_REMAP_REPLACE_LIST};

	any_list(self);
	ioctl(device, calls[chance(self, 5)], &self->list.request);
	listed++;
}

static unsigned char *any_page(struct storm_thread *self)
{
	return base[chance(self, RESERVATIONS)] + chance(self, RESERVED_PAGES) * PAGE;
}

static void read_file(struct storm_thread *self, const char *path)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);

	while (file >= 0 && read(file, self->page, sizeof(self->page)) > 0)
		;
	close(file);
}

/* The kernel copies to and from pages, or looks for what is behind them. */
static void by_the_kernel(struct storm_thread *self)
{
	unsigned char *page = any_page(self);
	struct iovec own = {self->page, PAGE}, other = {page, PAGE};
	static int nothing = -1;
	int ends[2];

	if (nothing < 0)
		nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
	switch (chance(self, 6)) {
	case 0:
		(void)!write(nothing, page, PAGE);
		break;
	case 1:
		process_vm_readv(getpid(), &own, 1, &other, 1, 0);
		break;
	case 2:
		process_vm_writev(getpid(), &own, 1, &other, 1, 0);
		break;
	case 3:
		if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
			break;
		vmsplice(ends[1], &other, 1, SPLICE_F_NONBLOCK);
		(void)!write(ends[1], page, PAGE);
		close(ends[0]);
		close(ends[1]);
		break;
	case 4:
		/* FUTEX_WAKE of a futex that processes share. */
		syscall(SYS_futex, page, 1, 1, NULL, NULL, 0);
		break;
	default:
		mincore(base[chance(self, RESERVATIONS)], RESERVED_PAGES * PAGE, self->page);
		break;
	}
}

/* What can be done to mappings; a part of a reservation, or all of it. */
static void to_a_mapping(struct storm_thread *self)
{
	static const int advice[] = {MADV_DONTNEED, MADV_WILLNEED, MADV_REMOVE,	       MADV_COLD,
				     MADV_PAGEOUT,  MADV_DOFORK,   MADV_POPULATE_READ, MADV_FREE,
				     MADV_DODUMP,   MADV_HUGEPAGE, MADV_MERGEABLE,     MADV_SEQUENTIAL,
				     MADV_RANDOM,   MADV_NORMAL};
	unsigned char *start = chance(self, 2) ? any_page(self) : base[chance(self, RESERVATIONS)];
	size_t bytes = chance(self, 2) ? PAGE : RESERVED_PAGES * PAGE;

	switch (chance(self, 7)) {
	case 0:
		mprotect(start, bytes, chance(self, 2) ? PROT_READ : PROT_NONE);
		break;
	case 1:
		mremap(start, bytes, bytes + chance(self, 2) * PAGE, MREMAP_MAYMOVE);
		break;
	case 2:
		mlock(start, bytes);
		munlock(start, bytes);
		break;
	case 3:
		msync(start, bytes, MS_SYNC | MS_INVALIDATE);
		break;
	case 4:
		syscall(SYS_mbind, start, bytes, 0, NULL, 0, 2);
		break;
	case 5:
		munmap(start, PAGE);
		break;
	default:
		madvise(start, bytes, advice[chance(self, sizeof(advice) / sizeof(advice[0]))]);
		break;
	}
}

/* In one step, or another mapping could get these addresses. */
static void renew(struct storm_thread *self)
{
	unsigned char *place = base[chance(self, RESERVATIONS)];
	int protection = chance(self, 4) ? PROT_READ | PROT_WRITE : PROT_READ;

	check(mmap(place, RESERVED_PAGES * PAGE, protection, MAP_SHARED | MAP_FIXED, device, 0) == place);
}

static void fork_a_child(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	check(child > 0 && waitpid(child, NULL, 0) == child);
}

/* Among them what makes the kernel look at all entries, or at all mappings. */
static void ask_something(struct storm_thread *self)
{
	int file;

	asked++;
	switch (chance(self, 64)) {
	case 0:
		renew(self);
		break;
	case 1:
		if (!short_tests)
			fork_a_child();
		break;
	case 2:
		read_file(self, "/proc/self/smaps");
		break;
	case 3:
		file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
		(void)!write(file, chance(self, 2) ? "4" : "1", 1);
		close(file);
		break;
	case 4:
		file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
		(void)!pread(file, self->page, PAGE, (off_t)((uintptr_t)any_page(self) / PAGE * 8));
		close(file);
		break;
	default:
		if (chance(self, 2))
			by_the_kernel(self);
		else
			to_a_mapping(self);
		break;
	}
}

static void *run(void *argument)
{
	struct storm_thread *self = argument;

	while (!ending) {
		uint32_t what = chance(self, 8);

		if (what < 3)
			list_something(self);
		else if (what < 6)
			signal_of(any_page(self), false);
		else
			ask_something(self);
	}
	return NULL;
}

/* Lists work, at all places. */
static void all_is_well(struct list *list)
{
	for (unsigned int i = 0; i < RESERVATIONS; i++) {
		unsigned char *place = mmap(base[i], RESERVED_PAGES * PAGE, PROT_READ | PROT_WRITE,
					    MAP_SHARED | MAP_FIXED, device, 0);

		check(place == base[i]);
		prepare_list(list, place, RESERVED_PAGES);
		check(replace_list(device, list) == 0 && list->request.failed == 0);
		for (unsigned int page = 0; page < RESERVED_PAGES; page++)
			check(shows(place + page * PAGE, list->frame[page]));
		check(unmap_list(device, list) == 0 && list->request.failed == 0);
		check(shows(place, 0) && shows(place + (RESERVED_PAGES - 1) * PAGE, 0));
		check(munmap(place, RESERVED_PAGES * PAGE) == 0);
	}
}

static void storm(void)
{
	time_t end = time(NULL) + (short_tests ? 5 : 10);

	device = open_remap();
	for (unsigned int i = 0; i < RESERVATIONS; i++)
		base[i] = reserve(device, RESERVED_PAGES);
	for (unsigned int i = 0; i < THREADS; i++) {
		threads[i].state = random_number(1u << 30);
		check(pthread_create(&threads[i].thread, NULL, run, &threads[i]) == 0);
	}
	while (time(NULL) < end)
		usleep(100000);
	ending = true;
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i].thread, NULL);
	check(listed > 20 && asked > 20);
	all_is_well(&threads[0].list);
	close(device);
}

const struct test storm_tests[] = {
	{"a storm", storm},
	{NULL, NULL},
};
