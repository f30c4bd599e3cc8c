// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * file_thread.c - a thread of a queue, for system calls that wait
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "file_thread.h"

#define UNTOLD_MAX 16 /* pieces that are done before the loop is rung for */

/* A list of them, in the order in which they came. */
struct pieces {
	struct file_piece *first, *last;
};

/* What is done, and the loop does not know of. */
struct untold {
	struct pieces pieces;
	uint32_t count;
	struct timespec since; /* when it began to do them, by the clock's tick */
};

struct file_thread {
	struct file_thread *next; /* of those without a queue */
	struct xvhost_queue *queue;
	uint32_t watch;
	int bell; /* eventfd: something is done */
	file_carry_out *carry_out;
	pthread_t thread;
	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t work;
	struct pieces to_do, done;
	bool sleeping; /* and nobody has signalled it */
	bool rung;     /* and the loop has not looked */
	bool ending;
};

/* append - a list to a list, which then has all. */
static void append(struct pieces *pieces, struct pieces more)
{
	if (pieces->first)
		pieces->last->next = more.first;
	else
		pieces->first = more.first;
	pieces->last = more.last;
}

/* ---- the thread ---- */

/* tell - hand over what is done, and ring for it. */
static void tell(struct file_thread *thread, struct untold *untold)
{
	bool ring;

	if (untold->count == 0)
		return;
	pthread_mutex_lock(&thread->lock);
	append(&thread->done, untold->pieces);
	ring = !thread->rung;
	thread->rung = true;
	pthread_mutex_unlock(&thread->lock);
	untold->pieces = (struct pieces){0};
	untold->count = 0;
	/* The bell can't be full: it is rung once for each time that the loop has looked. */
	if (ring && write(thread->bell, &(uint64_t){1}, sizeof(uint64_t)) < 0)
		abort();
}

static struct timespec tick(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now;
}

/* note_done - one more piece. If storage is slow, what is done is told after each that took longer than a tick. */
static void note_done(struct file_thread *thread, struct file_piece *piece, struct untold *untold)
{
	struct timespec now = tick();

	piece->next = NULL;
	append(&untold->pieces, (struct pieces){piece, piece});
	if (++untold->count < UNTOLD_MAX && now.tv_nsec == untold->since.tv_nsec &&
	    now.tv_sec == untold->since.tv_sec)
		return;
	tell(thread, untold);
	untold->since = now;
}

/* wait_for_pieces - all that are there, as a list. NULL: there will be none any more. */
static struct file_piece *wait_for_pieces(struct file_thread *thread)
{
	struct file_piece *first;

	pthread_mutex_lock(&thread->lock);
	while (!thread->to_do.first && !thread->ending) {
		thread->sleeping = true;
		pthread_cond_wait(&thread->work, &thread->lock);
	}
	first = thread->to_do.first;
	thread->to_do = (struct pieces){0};
	pthread_mutex_unlock(&thread->lock);
	return first;
}

static void *thread_main(void *argument)
{
	struct file_thread *thread = argument;
	struct untold untold = {0};
	struct file_piece *piece, *next;

	while ((piece = wait_for_pieces(thread))) {
		untold.since = tick();
		for (; piece; piece = next) {
			next = piece->next;
			piece->result = thread->carry_out(piece->request);
			note_done(thread, piece, &untold);
		}
		tell(thread, &untold);
	}
	return NULL;
}

/* ---- the loop's side ---- */

/*
 * start_thread - signals are for the others. What wakes it shall not be interrupted by it: the loop has more for it, which it
 * then finds together. An administrator's scheduling is kept.
 */
static int start_thread(struct file_thread *thread)
{
	const struct sched_param parameters = {0};
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = -pthread_create(&thread->thread, NULL, thread_main, thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error == 0 && sched_getscheduler(0) == SCHED_OTHER)
		pthread_setschedparam(thread->thread, SCHED_BATCH, &parameters);
	return error;
}

/* make - a thread that has no queue yet. */
static int make(struct file_thread **made)
{
	struct file_thread *thread = calloc(1, sizeof(*thread));
	int error;

	if (!thread)
		return -ENOMEM;
	thread->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (thread->bell < 0) {
		error = -errno;
		goto fail_memory;
	}
	pthread_mutex_init(&thread->lock, NULL);
	pthread_cond_init(&thread->work, NULL);
	error = start_thread(thread);
	if (error < 0)
		goto fail_bell;
	*made = thread;
	return 0;
fail_bell:
	pthread_cond_destroy(&thread->work);
	pthread_mutex_destroy(&thread->lock);
	close(thread->bell);
fail_memory:
	free(thread);
	return error;
}

/* end - what make made. */
static void end(struct file_thread *thread)
{
	pthread_mutex_lock(&thread->lock);
	thread->ending = true;
	pthread_cond_signal(&thread->work);
	pthread_mutex_unlock(&thread->lock);
	pthread_join(thread->thread, NULL);
	pthread_cond_destroy(&thread->work);
	pthread_mutex_destroy(&thread->lock);
	close(thread->bell);
	free(thread);
}

int file_thread_start(struct file_threads *threads, struct xvhost_queue *queue, uint32_t watch,
		      file_carry_out *carry_out, struct file_thread **started)
{
	struct file_thread *thread;
	int error;

	pthread_mutex_lock(&threads->lock);
	thread = threads->idle;
	if (thread)
		threads->idle = thread->next;
	pthread_mutex_unlock(&threads->lock);
	error = thread ? 0 : make(&thread);
	if (error < 0)
		return error;
	/* It looks at these when it has got a piece. */
	thread->queue = queue;
	thread->watch = watch;
	thread->carry_out = carry_out;
	queue->disk->host->watch(queue, watch, thread->bell, POLLIN);
	*started = thread;
	return 0;
}

void file_thread_stop(struct file_threads *threads, struct file_thread *thread)
{
	pthread_mutex_lock(&threads->lock);
	thread->next = threads->idle;
	threads->idle = thread;
	pthread_mutex_unlock(&threads->lock);
}

void file_threads_init(struct file_threads *threads)
{
	threads->idle = NULL;
	pthread_mutex_init(&threads->lock, NULL);
}

void file_threads_end(struct file_threads *threads)
{
	struct file_thread *thread, *next;

	for (thread = threads->idle; thread; thread = next) {
		next = thread->next;
		end(thread);
	}
	pthread_mutex_destroy(&threads->lock);
}

void file_thread_put(struct file_thread *thread, struct file_piece *piece)
{
	bool wake;

	piece->next = NULL;
	pthread_mutex_lock(&thread->lock);
	append(&thread->to_do, (struct pieces){piece, piece});
	wake = thread->sleeping;
	thread->sleeping = false;
	pthread_mutex_unlock(&thread->lock);
	if (wake)
		pthread_cond_signal(&thread->work);
}

struct file_piece *file_thread_take(struct file_thread *thread)
{
	struct file_piece *first;
	uint64_t rung;

	if (read(thread->bell, &rung, sizeof(rung)) < 0 && errno != EAGAIN)
		abort();
	pthread_mutex_lock(&thread->lock);
	first = thread->done.first;
	thread->done = (struct pieces){0};
	thread->rung = false;
	pthread_mutex_unlock(&thread->lock);
	thread->queue->disk->host->watch(thread->queue, thread->watch, thread->bell, POLLIN);
	return first;
}
