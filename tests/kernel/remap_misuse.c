// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Misuse of /dev/xen/remap: defect 4 of docs/kernel-module.md. Each ends in an error, changes nothing, and leaves Dom0
 * alive.
 */
#include "remap_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct list list;
static int device;
static unsigned char *base;

#define PAGES 64

/* A reservation with its first half mapped. */
static void begin(void)
{
	device = open_remap();
	base = reserve(device, PAGES);
	prepare_list(&list, base, PAGES / 2);
	check(map_list(device, &list) == 0 && list.request.failed == 0);
}

/* It is as it was. */
static void end(void)
{
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		check(shows(base + i * PAGE, i < PAGES / 2 ? frames.frame[i] : 0));
	check(munmap(base, PAGES * PAGE) == 0);
	close(device);
}

/* All three calls refuse this run. */
static void refused(uint64_t address, uint64_t pages)
{
	prepare_list(&list, NULL, 0);
	list.run = (struct xvhost_remap_run){.address = address, .pages = pages};
	check_errno(map_list(device, &list), EINVAL);
	check(list.request.done == 0 && list.request.hypercalls == 0);
	check_errno(unmap_list(device, &list), EINVAL);
	check_errno(replace_list(device, &list), EINVAL);
}

static void wrong_addresses(void)
{
	unsigned char *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				     -1, 0);
	int privcmd = open("/dev/xen/privcmd", O_RDWR), other_device = open_remap();
	unsigned char *foreign = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_SHARED, privcmd, 0);
	unsigned char *other = reserve(other_device, PAGES);
	uint64_t start;

	begin();
	start = (uintptr_t)base;
	refused(start + 1, 1);
	refused(start + PAGE - 8, 1);
	refused(start, 0);
	refused(start, PAGES + 1);
	refused(start + PAGES * PAGE, 1);
	refused(start - PAGE, 2);
	refused(start + (PAGES - 1) * PAGE, 2);
	refused(0, 1);
	refused(start, UINT64_MAX);
	refused(start, UINT64_MAX / PAGE);
	refused(start, 1ULL << 52);
	refused(0x7ffffffff000, 1);
	refused(0xffff888000000000, 1);
	refused(UINT64_MAX - PAGE + 1, 1);
	refused((uintptr_t)memory, 1);
	refused((uintptr_t)foreign, 1);
	refused((uintptr_t)other, 1);
	refused((uintptr_t)wrong_addresses & ~(PAGE - 1), 1);
	end();
	munmap(memory, PAGES * PAGE);
	munmap(foreign, PAGES * PAGE);
	munmap(other, PAGES * PAGE);
	close(privcmd);
	close(other_device);
}

/* Runs that overlap, or go back, or lie in two reservations. */
static void wrong_runs(void)
{
	struct xvhost_remap_run run[2];
	unsigned char *other;

	begin();
	other = reserve(device, PAGES);
	prepare_list(&list, NULL, 0);
	list.request.runs = (uintptr_t)run;
	list.request.run_count = 2;
	run[0] = (struct xvhost_remap_run){.address = (uintptr_t)base + 40 * PAGE, .pages = 4};
	run[1] = (struct xvhost_remap_run){.address = (uintptr_t)base + 43 * PAGE, .pages = 4};
	check_errno(map_list(device, &list), EINVAL);
	run[1].address = run[0].address;
	check_errno(map_list(device, &list), EINVAL);
	run[1].address = run[0].address - 4 * PAGE;
	check_errno(map_list(device, &list), EINVAL);
	run[1].address = (uintptr_t)other;
	check_errno(map_list(device, &list), EINVAL);
	munmap(other, PAGES * PAGE);
	end();
}

static void wrong_requests(void)
{
	void *nowhere = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct xvhost_remap_restriction restriction = {.domain = 0x7ff0};
	static const uint32_t domains[] = {0x7ff0, 0x7ff1, 0x7ff2, 0x7ff4, 0x8000, 0x10000, UINT32_MAX};
	unsigned int i;

	begin();
	prepare_list(&list, base + 40 * PAGE, 4);
	for (i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
		list.request.domain = domains[i];
		check_errno(map_list(device, &list), EINVAL);
		check_errno(replace_list(device, &list), EINVAL);
	}
	prepare_list(&list, base + 40 * PAGE, 4);
	list.request.run_count = 0;
	check_errno(map_list(device, &list), EINVAL);
	list.request.run_count = XVHOST_REMAP_MAX_RUNS + 1;
	check_errno(map_list(device, &list), EINVAL);
	list.request.run_count = 1;
	list.request.runs = (uintptr_t)nowhere;
	check_errno(map_list(device, &list), EFAULT);
	list.request.runs = (uintptr_t)&list.run;
	list.request.frames = (uintptr_t)nowhere;
	check_errno(map_list(device, &list), EFAULT);
	list.request.frames = UINT64_MAX - 8;
	check_errno(map_list(device, &list), EFAULT);
	check(list.request.done == 0);
	check_errno(ioctl(device, XVHOST_REMAP_MAP_LIST, nowhere), EFAULT);
	check_errno(ioctl(device, XVHOST_REMAP_RESTRICT, nowhere), EFAULT);
	check_errno(ioctl(device, XVHOST_REMAP_RESTRICT, &restriction), EINVAL);
	restriction = (struct xvhost_remap_restriction){.domain = 1, .reserved = 1};
	check_errno(ioctl(device, XVHOST_REMAP_RESTRICT, &restriction), EINVAL);
	check_errno(ioctl(device, _IO('X', 0xe0), 0), ENOTTY);
	check_errno(ioctl(device, _IO('P', 0), 0), ENOTTY);

	/* Errors that can't be told: the pages are mapped, and `done` says so. */
	prepare_list(&list, base + 40 * PAGE, 4);
	list.request.errors = (uintptr_t)nowhere;
	check_errno(map_list(device, &list), EFAULT);
	check(list.request.done == 4 && shows(base + 40 * PAGE, list.frame[0]));
	/* Nor wanted. */
	list.request.errors = 0;
	check(unmap_list(device, &list) == 0);
	end();
	munmap(nowhere, PAGE);
}

static void wrong_mmap(void)
{
	int reader = open(XVHOST_REMAP_PATH, O_RDONLY);

	begin();
	check_errno((intptr_t)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, device, 0), EINVAL);
	check_errno((intptr_t)mmap(NULL, PAGE, PROT_NONE, MAP_SHARED, device, 0), EINVAL);
	check_errno((intptr_t)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, device, PAGE), EINVAL);
	check_errno((intptr_t)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, device, 1L << 44), EINVAL);
	check_errno((intptr_t)mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0), EACCES);
	end();
	close(reader);
}

/* What the kernel could do to a part of a mapping, or to all of it. */
static void wrong_changes(void)
{
	unsigned char *free_place = mmap(NULL, 2 * PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
					 0);

	begin();
	check_errno(munmap(base, PAGE), EINVAL);
	check_errno(munmap(base + PAGE, PAGE), EINVAL);
	check_errno(munmap(base + (PAGES - 1) * PAGE, PAGE), EINVAL);
	check(mmap(base + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	      MAP_FAILED);
	check_errno(mprotect(base, PAGES * PAGE, PROT_READ), EACCES);
	check(mprotect(base + PAGE, PAGE, PROT_READ) == -1);
	check(mprotect(base, PAGES * PAGE, PROT_NONE) == -1);
	check(mremap(base, PAGES * PAGE, 2 * PAGES * PAGE, MREMAP_MAYMOVE) == MAP_FAILED);
	check(mremap(base, PAGES * PAGE, PAGE, 0) == MAP_FAILED);
	check_errno((intptr_t)mremap(base, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				     free_place),
		    EINVAL);
	check(mremap(base, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, free_place) == MAP_FAILED);
	check(mremap(base + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, free_place) == MAP_FAILED);
	check(mremap(base, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL) ==
	      MAP_FAILED);
	check(mremap(base, 0, PAGES * PAGE, MREMAP_MAYMOVE, NULL) == MAP_FAILED);
	check(madvise(base, PAGES * PAGE, MADV_DONTNEED) == -1);
	check(madvise(base, PAGES * PAGE, MADV_REMOVE) == -1);
	check(madvise(base, PAGES * PAGE, MADV_DOFORK) == -1);
	check(madvise(base, PAGES * PAGE, MADV_PAGEOUT) == -1);
	check(remap_file_pages(base, PAGE, 0, 7, 0) == -1);
	end();
	munmap(free_place, 2 * PAGES * PAGE);
}

/* A child has no part of it: not the addresses, nor the use of the parent's. */
static void fork_child(void)
{
	int status = -1;
	pid_t child;

	begin();
	child = fork();
	if (child == 0) {
		bool good = signal_of(base, false) == SIGSEGV;

		prepare_list(&list, base, 1);
		good &= unmap_list(device, &list) == -1 && errno == EINVAL;
		good &= map_list(device, &list) == -1 && errno == EINVAL;
		/* But it can make its own, and die with it. */
		list.run.address = (uintptr_t)reserve(device, 1);
		good &= map_list(device, &list) == 0 &&
			shows((void *)(uintptr_t)list.run.address, list.frame[0]);
		_exit(!good);
	}
	check(waitpid(child, &status, 0) == child && status == 0);
	end();
}

/* A process that is killed in the middle of its lists; what it held is checked when the domain is destroyed. */
static void killed(void)
{
	struct timespec delay = {.tv_nsec = 3000000};
	unsigned int round;

	for (round = 0; round < 8; round++) {
		pid_t child = fork();

		if (child == 0) {
			int mine = open_remap();
			unsigned char *place = reserve(mine, MOST_FRAMES);

			for (;;) {
				prepare_list(&list, place, MOST_FRAMES);
				replace_list(mine, &list);
			}
		}
		delay.tv_nsec += 7000000;
		nanosleep(&delay, NULL);
		kill(child, SIGKILL);
		check(waitpid(child, NULL, 0) == child);
	}
}

/* One domain for good. */
static void restriction(void)
{
	struct xvhost_remap_restriction ours = {.domain = frames.domain},
					other = {.domain = frames.domain + 1};
	int copy;

	begin();
	copy = dup(device);
	check(ioctl(device, XVHOST_REMAP_RESTRICT, &ours) == 0);
	check(ioctl(device, XVHOST_REMAP_RESTRICT, &ours) == 0);
	check_errno(ioctl(device, XVHOST_REMAP_RESTRICT, &other), EPERM);
	check_errno(ioctl(copy, XVHOST_REMAP_RESTRICT, &other), EPERM);
	prepare_list(&list, base + 40 * PAGE, 4);
	list.request.domain = frames.domain + 1;
	check_errno(map_list(device, &list), EPERM);
	check_errno(replace_list(copy, &list), EPERM);
	list.request.domain = 0;
	check_errno(map_list(device, &list), EPERM);
	list.request.domain = frames.domain;
	check(map_list(copy, &list) == 0 && list.request.failed == 0);
	check(unmap_list(device, &list) == 0);
	close(copy);
	end();
}

const struct test misuse_tests[] = {
	{"wrong addresses", wrong_addresses},
	{"wrong runs", wrong_runs},
	{"wrong requests", wrong_requests},
	{"wrong mmap", wrong_mmap},
	{"munmap, mprotect, mremap, madvise", wrong_changes},
	{"fork", fork_child},
	{"killed", killed},
	{"restriction", restriction},
	{NULL, NULL},
};
