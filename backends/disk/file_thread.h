/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_thread.h - a thread of a queue, for system calls that wait
 *
 * Theory of operation: the loop puts pieces of requests on a list, the thread takes all that are there and carries out one after
 * the other. What is done it puts on another list and rings home by an eventfd, which the loop watches.
 *
 * A loop may not wait for the end of a thread. So a queue that stops leaves its thread to the disk's next one, and they end with the
 * disk, which the control thread closes.
 */
#ifndef FILE_THREAD_H
#define FILE_THREAD_H

#include <pthread.h>
#include <stdint.h>

#include "xvhost/backend.h"

struct file_thread;

/* Those of a disk that no queue has. */
struct file_threads {
	pthread_mutex_t lock; /* its queues may be on several loops */
	struct file_thread *idle;
};

/* What is to be done for a request, or was. It lies in its request. */
struct file_piece {
	struct file_piece *next;
	struct xvhost_request *request;
	int32_t result;
};

/* file_carry_out - what a thread does; in the thread. Returns what io_done gets. */
typedef int32_t file_carry_out(const struct xvhost_request *request);

/* file_threads_init, file_threads_end - while no queue runs. Control thread. */
void file_threads_init(struct file_threads *threads);
void file_threads_end(struct file_threads *threads);

/* file_thread_start - for a queue that is starting, with its watch 0. Returns 0 or a negative errno. */
int file_thread_start(struct file_threads *threads, struct xvhost_queue *queue, file_carry_out *carry_out,
		      struct file_thread **started);

/* file_thread_stop - the queue has nothing more to do for it. */
void file_thread_stop(struct file_threads *threads, struct file_thread *thread);

/* file_thread_put - a piece, whose end file_thread_take gives. */
void file_thread_put(struct file_thread *thread, struct file_piece *piece);

/* file_thread_take - all that is done, as a list; the watch was ready, and is set again. */
struct file_piece *file_thread_take(struct file_thread *thread);

#endif
