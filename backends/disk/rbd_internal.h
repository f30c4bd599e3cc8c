/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rbd_internal.h - what the files of backend rbd have in common
 *
 * Theory of operation: librbd does its I/O in threads of its own. A request becomes an operation (rbd_queue.c): librbd is
 * given it by the loop's thread, which never waits there, and calls back from one of its threads when it is done. That
 * puts the operation on a list of the queue's and rings the queue's bell, if the list was empty; the loop takes all of it.
 *
 * All that may wait is done by a thread of the disk's (rbd_image.c): to connect, to open, to ask for a new size, to close. A
 * cluster that is away can keep it for ever; then it is left to itself, and gives all back if it ever goes on.
 *
 * librbd can't take an operation back. So it never has the guest's memory for longer than a call: what is to be written is copied
 * by it, what is read is copied by us when all of it is there. A request whose operation takes too long can be failed
 * when its queue is to stop; the operation is given back when librbd is done with it, and the queue with the last of them.
 */
#ifndef RBD_INTERNAL_H
#define RBD_INTERNAL_H

#if !__has_include(<rbd/librbd.h>)
#error "backend rbd needs librbd-dev; CONFIG_BACKEND_RBD=n leaves the backend out"
#endif

#include <errno.h>
#include <pthread.h>
#include <rbd/librbd.h>
#include <stdint.h>

#include "xvhost/backend.h"

#define IMAGE_BLOCK_BYTES 512u
#define IMAGE_TEXT_MAX 400

struct rbd_config {
	const char *image;
	const char *conf;
	const char *id;
	uint64_t timeout_s;
};

/* ---- the image: rbd_image.c ---- */

/* An image of a cluster. Its thread may need it for longer than the disk is there. */
struct image {
	const struct xvhost_disk *disk; /* until image_close */
	bool may_be_read_only;
	uint64_t timeout_s;

	/* Texts of our own. */
	char *conf, *id; /* NULL: librados's own choice */
	char *words;	 /* what the next four are parts of */
	const char *pool;
	const char *namespace_name; /* NULL: none */
	const char *name;
	const char *snapshot; /* NULL: none */

	/* The thread's; the image is the loops' as well, while the disk is open. */
	rados_t cluster;
	rados_ioctx_t pool_io;
	rbd_image_t handle;
	uint64_t size_watch;
	bool watches_size;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool opened, closing, ended, abandoned;
	bool resized;
	int error;
	char text[IMAGE_TEXT_MAX]; /* what went wrong when it was opened */
	uint64_t size_bytes;
};

/* image_open - returns 0, or a negative errno after the host was told why. Control thread; waits for 8 s at most. */
int image_open(struct xvhost_disk *disk, const struct rbd_config *config, struct image **opened);

/* image_close - the image is gone when this returns, or whenever the cluster answers. Control thread; waits for 3 s at most. */
void image_close(struct image *image);

/* image_size - as it is now, in bytes. Any thread; waits for nothing. */
uint64_t image_size(struct image *image);

/* ---- requests: rbd_queue.c; as backend.h has them ---- */

int rbd_queue_start(struct xvhost_queue *queue);
void rbd_queue_stop(struct xvhost_queue *queue);
void rbd_queue_submit(struct xvhost_request *request);
void rbd_queue_ready(struct xvhost_queue *queue, uint32_t index, int32_t events);

#endif
