// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * threads.c - processor time of threads that somebody else has started
 */
#include "try/threads.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

/* each_thread - call it with the number of each thread of this process. */
static void each_thread(void (*call)(void *context, pid_t id), void *context)
{
	DIR *directory = opendir("/proc/self/task");
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			call(context, (pid_t)strtol(entry->d_name, NULL, 10));
	if (directory)
		closedir(directory);
}

static void note(void *context, pid_t id)
{
	struct threads *threads = context;

	if (threads->count < THREADS_MAX)
		threads->ids[threads->count++] = id;
}

void threads_note(struct threads *threads)
{
	threads->count = 0;
	each_thread(note, threads);
}

struct sum {
	const struct threads *left_out;
	uint64_t ns;
};

static bool is_one_of(const struct threads *threads, pid_t id)
{
	for (uint32_t i = 0; i < threads->count; i++)
		if (threads->ids[i] == id)
			return true;
	return false;
}

static void add(void *context, pid_t id)
{
	/* The clock of a thread by its number, as pthread_getcpuclockid makes it of a pthread_t. */
	clockid_t clock = (clockid_t)(~(unsigned int)id << 3 | 6u);
	struct sum *sum = context;
	struct timespec used;

	if (!is_one_of(sum->left_out, id) && clock_gettime(clock, &used) == 0)
		sum->ns += (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

uint64_t threads_others_cpu_ns(const struct threads *threads)
{
	struct sum sum = {threads, 0};

	each_thread(add, &sum);
	return sum.ns;
}
