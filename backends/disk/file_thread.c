// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * file_thread.c - a thread of a queue, for system calls that wait
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "file_thread.h"

#define WATCH 0 /* of the queue, for the bell */

/* A list of them, in the order in which they came. */
struct pieces {
	struct file_piece *first, *last;
};

struct file_thread {
	struct file_thread *next; /* of those without a queue */
	struct xvhost_queue *queue;
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

/* tell - hand over a piece that is done, and ring for it. */
static void tell(struct file_thread *thread, struct file_piece *piece)
{
	bool ring;

	piece->next = NULL;
	pthread_mutex_lock(&thread->lock);
	append(&thread->done, (struct pieces){piece, piece});
	ring = !thread->rung;
	thread->rung = true;
	pthread_mutex_unlock(&thread->lock);
	/* The bell can't be full: it is rung once for each time that the loop has looked. */
	if (ring && write(thread->bell, &(uint64_t){1}, sizeof(uint64_t)) < 0)
		abort();
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
	struct file_piece *piece, *next;

	while ((piece = wait_for_pieces(thread))) {
		for (; piece; piece = next) {
			next = piece->next;
			piece->result = thread->carry_out(piece->request);
			tell(thread, piece);
		}
	}
	return NULL;
}

/* ---- the loop's side ---- */

/* start_thread - signals are for the others. */
static int start_thread(struct file_thread *thread)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = -pthread_create(&thread->thread, NULL, thread_main, thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
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

int file_thread_start(struct file_threads *threads, struct xvhost_queue *queue, file_carry_out *carry_out,
		      struct file_thread **started)
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
	thread->carry_out = carry_out;
	queue->disk->host->watch(queue, WATCH, thread->bell, POLLIN);
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
	thread->queue->disk->host->watch(thread->queue, WATCH, thread->bell, POLLIN);
	return first;
}
