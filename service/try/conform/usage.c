// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usage.c - what this process holds: descriptors, threads, memory
 */
#include "try/conform/usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* With the address sanitizer malloc() is its own, and mallinfo2() knows nothing. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

/* count_entries - of a folder of /proc. */
static int64_t count_entries(const char *path)
{
	DIR *folder = opendir(path);
	int64_t count = 0;

	if (!folder)
		return 0;
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static int64_t mapped_bytes(void)
{
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	char text[64];
	ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[length > 0 ? length : 0] = '\0';
	return strtoll(text, NULL, 10) * sysconf(_SC_PAGESIZE);
}

void conform_usage_now(struct conform_usage *usage)
{
	struct mallinfo2 heap = mallinfo2();

	usage->descriptors = count_entries("/proc/self/fd");
	usage->threads = count_entries("/proc/self/task");
	usage->heap_bytes = __sanitizer_get_current_allocated_bytes
				    ? (int64_t)__sanitizer_get_current_allocated_bytes()
				    : (int64_t)(heap.uordblks + heap.hblkhd);
	usage->mapped_bytes = mapped_bytes();
}

bool conform_usage_leak(const struct conform_usage *before, const struct conform_usage *after, uint32_t count,
			char *text, size_t size)
{
	int64_t descriptors = after->descriptors - before->descriptors,
		threads = after->threads - before->threads;
	int64_t heap = after->heap_bytes - before->heap_bytes,
		mapped = after->mapped_bytes - before->mapped_bytes;

	/* What is kept once, for all times, is no leak. */
	if (descriptors >= count / 2)
		snprintf(text, size, "%" PRId64 " descriptors are open that were not", descriptors);
	else if (threads >= count / 2)
		snprintf(text, size, "%" PRId64 " threads run that did not", threads);
	else if (heap >= (int64_t)count * 8)
		snprintf(text, size,
			 "%" PRId64 " bytes of malloc() are in use that were not, %" PRId64 " for each", heap,
			 heap / count);
	else if (!__sanitizer_get_current_allocated_bytes &&
		 mapped >= (int64_t)count / 2 * sysconf(_SC_PAGESIZE))
		snprintf(text, size, "%" PRId64 " bytes are mapped that were not, %" PRId64 " for each",
			 mapped, mapped / count);
	else
		return false;
	return true;
}
