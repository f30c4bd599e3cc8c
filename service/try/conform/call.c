// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * call.c - calls of backends by a loop thread, which must not block
 */
#include "try/conform/call.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "try/conform/report.h"

#define BLOCKED_MS 100	      /* a thread that is blocked for so long does not serve other devices */
#define BLOCKED_MOST 1	      /* calls that may be: once it may be the machine's doing ... */
#define BLOCKED_MOST_OF_TWO 8 /* ... and loops wait for each other when their memory is mapped */

void conform_calls_init(struct conform_calls *calls)
{
	/* Where the kernel has no such file, waiting for a processor counts as being blocked. */
	*calls = (struct conform_calls){
		.schedstat_fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)};
}

void conform_calls_exit(struct conform_calls *calls)
{
	if (calls->schedstat_fd >= 0)
		close(calls->schedstat_fd);
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* switches - how often this thread has given up its processor of its own accord, as it does to wait for something. */
static int64_t switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nvcsw;
}

/* waiting_for_processor - of this thread, in all; 0 where the kernel does not say. */
static int64_t waiting_for_processor(const struct conform_calls *calls)
{
	long long waited;
	char text[96];
	ssize_t length = calls->schedstat_fd < 0 ? 0 : pread(calls->schedstat_fd, text, sizeof(text) - 1, 0);

	if (length <= 0)
		return 0;
	text[length] = '\0';
	return sscanf(text, "%*d %lld", &waited) == 1 ? waited : 0;
}

struct conform_call conform_call_enter(struct conform_calls *calls, const char *function, const char *of)
{
	struct conform_call call = {0};

	conform_doing("%s%s%s", function, of ? " of " : "", of ? of : "");
	if (calls->depth++ == 0) {
		call.wall_ns = clock_ns(CLOCK_MONOTONIC);
		call.running_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		call.waiting_ns = waiting_for_processor(calls);
		call.switches = switches();
	}
	return call;
}

/* What the call did not spend computing, or waiting for a processor, it was blocked. */
void conform_call_leave(struct conform_calls *calls, const char *function, struct conform_call call)
{
	uint32_t most = calls->is_one_of_two ? BLOCKED_MOST_OF_TWO : BLOCKED_MOST;
	int64_t wall_ns, blocked_ns;

	if (--calls->depth > 0)
		return;
	wall_ns = clock_ns(CLOCK_MONOTONIC) - call.wall_ns;
	if (wall_ns > BLOCKED_MS * INT64_C(1000000)) {
		blocked_ns = wall_ns - (clock_ns(CLOCK_THREAD_CPUTIME_ID) - call.running_ns) -
			     (waiting_for_processor(calls) - call.waiting_ns);
		/* Without a switch it was the machine that stood still. */
		if (blocked_ns > BLOCKED_MS * INT64_C(1000000) && switches() > call.switches &&
		    ++calls->blocked > most)
			conform_broken(CONFORM_NO_BLOCKING,
				       "%s was blocked for %" PRId64
				       " ms, and not for the first time; the loop thread must never wait",
				       function, blocked_ns / 1000000);
	}
	conform_doing(NULL);
}
