// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * watch.c - a thread that looks after a load while it runs: the progress line, and the user's ^C
 */
#include "try/watch.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define PROGRESS_MS 250
#define NS_PER_MS 1000000

struct watch {
	struct load *load;
	uint64_t time_ms, bytes; /* the load's limits; 0: none */
	bool draw;
	bool interrupted;
	int end_fd, signal_fd;
	uint64_t began_ms;
	uint64_t seen_ms, seen_requests; /* at the last line */
	pthread_t thread;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / NS_PER_MS;
}

static void ending_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
}

void watch_block_signals(void)
{
	sigset_t set;

	ending_signals(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* percent_done - towards the nearer of the load's limits. */
static double percent_done(const struct watch *watch, uint64_t elapsed_ms, uint64_t bytes)
{
	double by_time = watch->time_ms ? (double)elapsed_ms / (double)watch->time_ms : 0;
	double by_bytes = watch->bytes ? (double)bytes / (double)watch->bytes : 0;
	double done = by_time > by_bytes ? by_time : by_bytes;

	return done < 1 ? done * 100 : 100;
}

/* draw - the line, with the cursor left at its beginning, so that a line of the log takes its place. */
static void draw(struct watch *watch)
{
	struct load_counters counters;
	uint64_t now = now_ms(), requests, bytes, errors = 0;
	double seconds = (double)(now - watch->seen_ms) / 1000;

	load_progress(watch->load, &counters);
	requests = counters.reads + counters.writes;
	bytes = counters.bytes_read + counters.bytes_written;
	for (int i = 0; i < LOAD_ERRORS; i++)
		errors += counters.errors[i];
	fprintf(stderr, "%3.0f%%  %.1f s  %.0f requests/s", percent_done(watch, now - watch->began_ms, bytes),
		(double)(now - watch->began_ms) / 1000,
		seconds > 0 ? (double)(requests - watch->seen_requests) / seconds : 0);
	if (errors > 0)
		fprintf(stderr, "  %" PRIu64 " errors", errors);
	fprintf(stderr, "\033[K\r");
	watch->seen_ms = now;
	watch->seen_requests = requests;
}

/* interrupt - end the load; the next signal ends the program. */
static void interrupt(struct watch *watch)
{
	struct signalfd_siginfo info;
	sigset_t set;

	if (read(watch->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	watch->interrupted = true;
	load_stop(watch->load);
	ending_signals(&set);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void *watch_main(void *argument)
{
	struct watch *watch = argument;
	struct pollfd polled[] = {{.fd = watch->end_fd, .events = POLLIN},
				  {.fd = watch->signal_fd, .events = POLLIN}};

	while (!polled[0].revents) {
		if (poll(polled, 2, watch->draw ? PROGRESS_MS : -1) < 0)
			continue;
		if (polled[1].revents && !watch->interrupted)
			interrupt(watch);
		if (watch->interrupted)
			polled[1].fd = -1;
		if (watch->draw && !polled[0].revents)
			draw(watch);
	}
	if (watch->draw)
		fprintf(stderr, "\033[K");
	return NULL;
}

int watch_start(struct load *load, uint64_t time_ms, uint64_t bytes, bool quiet, struct watch **started)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	sigset_t set;
	int error;

	if (!watch)
		return -ENOMEM;
	*watch = (struct watch){.load = load, .time_ms = time_ms, .bytes = bytes, .began_ms = now_ms()};
	watch->seen_ms = watch->began_ms;
	watch->draw = !quiet && isatty(STDERR_FILENO);
	ending_signals(&set);
	watch->end_fd = eventfd(0, EFD_CLOEXEC);
	watch->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	error = watch->end_fd < 0 || watch->signal_fd < 0 ? -errno : 0;
	if (error == 0)
		error = -pthread_create(&watch->thread, NULL, watch_main, watch);
	if (error == 0) {
		*started = watch;
		return 0;
	}
	if (watch->end_fd >= 0)
		close(watch->end_fd);
	if (watch->signal_fd >= 0)
		close(watch->signal_fd);
	free(watch);
	return error;
}

bool watch_end(struct watch *watch)
{
	const uint64_t one = 1;
	bool interrupted;

	/* An eventfd that was never written takes a 1 at once. */
	while (write(watch->end_fd, &one, sizeof(one)) < 0)
		;
	pthread_join(watch->thread, NULL);
	interrupted = watch->interrupted;
	close(watch->end_fd);
	close(watch->signal_fd);
	free(watch);
	return interrupted;
}
