/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disk.h - a disk that is tried, and those below it if its backend is a wrapper
 *
 * All functions belong to the control thread.
 */
#ifndef CONFORM_DISK_H
#define CONFORM_DISK_H

#include "rings/blkif.h"
#include "worker/backends.h"

#define CONFORM_STORES_MAX 8 /* descriptors that a disk writes to */

struct conform_disk;

/* One backend of a stack. */
struct conform_layer {
	struct xvhost_disk seen; /* first: what the backend sees */
	struct conform_disk *disk;
	uint32_t number; /* 0: the one that is tried; the one below has the next number */
	const struct xvhost_disk_backend *backend;
	void *config;
	struct xvhost_disk_properties properties;
};

/* Where a disk writes to: a descriptor, or the disk below. */
struct conform_store {
	int fd;	    /* -1: the disk below */
	bool dirty; /* written since it was last made durable */
};

struct conform_disk {
	struct conform_layer layers[BLKIF_LAYERS_MAX]; /* the outermost first */
	uint32_t layer_count;
	char fail_text[ERROR_TEXT_MAX];			 /* what a backend said of its open() */
	struct conform_store stores[CONFORM_STORES_MAX]; /* of the outermost backend; loop thread */
	uint32_t store_count;
};

/* conform_disk_init - says to this module which thread is the control thread: the one that calls. */
void conform_disk_init(void);

/*
 * conform_disk_open - open all that a target names, or none of it; a disk that was opened must be closed. `flags` is
 * XVHOST_DISK_READ_ONLY or 0. Returns what the backend returned, or what is wrong with the target; fail_text says why.
 */
int conform_disk_open(struct conform_disk *disk, const char *directory, const char *target, uint32_t flags);
void conform_disk_close(struct conform_disk *disk);

/* conform_disk_measure - what measure() returns and says; the backend has it. */
int conform_disk_measure(struct conform_disk *disk, uint64_t *size_bytes);

/* conform_disk_impossible - what can't be served of what a layer says of its disk. Returns false if all of it can. */
bool conform_disk_impossible(const struct conform_layer *layer, char text[ERROR_TEXT_MAX]);

/* conform_disk_queues - so many, or as many as the disk can have at a time. */
uint32_t conform_disk_queues(const struct conform_disk *disk, uint32_t wanted);

/* What xvhost_host has for any thread, and for the control thread. */
void conform_disk_log(const struct xvhost_disk *disk, enum xvhost_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void conform_disk_fail(struct xvhost_disk *disk, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
