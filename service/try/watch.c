// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * watch.c - looks after a load while it runs: the progress line, and the user's ^C
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
#include <time.h>
#include <unistd.h>

#define PROGRESS_MS 250
#define NS_PER_MS 1000000

struct watch {
	struct watched watched;
	bool draws;
	int end_fd;
	uint64_t began_ms;
	uint64_t seen_ms, seen_done; /* at the last line */
	pthread_t thread;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / NS_PER_MS;
}

/* What the signal handler needs: the load that it ends. */
static struct watched handled;
static volatile sig_atomic_t interrupted;

static const int ending_signals[] = {SIGINT, SIGTERM};
#define ENDING_SIGNALS (sizeof(ending_signals) / sizeof(ending_signals[0]))

/* set_handler - of both signals; SIG_DFL ends the program. */
static void set_handler(void (*handler)(int signal))
{
	/* What the program waits for meanwhile goes on. */
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};

	for (size_t i = 0; i < ENDING_SIGNALS; i++)
		sigaction(ending_signals[i], &action, NULL);
}

/* interrupt - end the load; the next signal ends the program. */
static void interrupt(int signal)
{
	(void)signal;
	set_handler(SIG_DFL);
	interrupted = true;
	handled.stop(handled.load);
}

void watch_hold_signals(bool hold)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ENDING_SIGNALS; i++)
		sigaddset(&set, ending_signals[i]);
	pthread_sigmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

/* percent_done - towards the nearer of the load's limits. */
static double percent_done(const struct watched *watched, uint64_t elapsed_ms, uint64_t amount)
{
	double by_time = watched->time_ms ? (double)elapsed_ms / (double)watched->time_ms : 0;
	double by_amount = watched->limit ? (double)amount / (double)watched->limit : 0;
	double done = by_time > by_amount ? by_time : by_amount;

	return done < 1 ? done * 100 : 100;
}

/* draw - the line, with the cursor left at its beginning, so that a line of the log takes its place. */
static void draw(struct watch *watch)
{
	struct watch_progress progress = {0};
	uint64_t now = now_ms();
	double seconds = (double)(now - watch->seen_ms) / 1000;

	watch->watched.progress(watch->watched.load, &progress);
	fprintf(stderr, "%3.0f%%  %.1f s  %.0f %s/s",
		percent_done(&watch->watched, now - watch->began_ms, progress.amount),
		(double)(now - watch->began_ms) / 1000,
		seconds > 0 ? (double)(progress.done - watch->seen_done) / seconds : 0, watch->watched.noun);
	if (progress.errors > 0)
		fprintf(stderr, "  %" PRIu64 " errors", progress.errors);
	fprintf(stderr, "\033[K\r");
	watch->seen_ms = now;
	watch->seen_done = progress.done;
}

static void *watch_main(void *argument)
{
	struct watch *watch = argument;
	struct pollfd polled = {.fd = watch->end_fd, .events = POLLIN};

	while (poll(&polled, 1, PROGRESS_MS) <= 0)
		draw(watch);
	fprintf(stderr, "\033[K");
	return NULL;
}

/* start_drawing - in a thread of its own. */
static int start_drawing(struct watch *watch)
{
	int error;

	watch->end_fd = eventfd(0, EFD_CLOEXEC);
	if (watch->end_fd < 0)
		return -errno;
	error = -pthread_create(&watch->thread, NULL, watch_main, watch);
	if (error < 0)
		close(watch->end_fd);
	return error;
}

int watch_start(const struct watched *watched, bool quiet, struct watch **started)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int error;

	if (!watch)
		return -ENOMEM;
	*watch = (struct watch){.watched = *watched, .began_ms = now_ms()};
	watch->seen_ms = watch->began_ms;
	watch->draws = !quiet && isatty(STDERR_FILENO);
	error = watch->draws ? start_drawing(watch) : 0;
	if (error < 0) {
		free(watch);
		return error;
	}
	handled = *watched;
	set_handler(interrupt);
	*started = watch;
	return 0;
}

bool watch_end(struct watch *watch)
{
	const uint64_t one = 1;

	set_handler(SIG_DFL);
	if (watch->draws) {
		/* An eventfd that was never written takes a 1 at once. */
		while (write(watch->end_fd, &one, sizeof(one)) < 0)
			;
		pthread_join(watch->thread, NULL);
		close(watch->end_fd);
	}
	free(watch);
	return interrupted;
}
