/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disk.h - one disk of the guest: its backend, and its ring while a frontend is connected
 *
 * All functions belong to the control thread. The states follow each other as messages.h draws it.
 */
#ifndef DISK_H
#define DISK_H

#include "worker/backends.h"
#include "worker/loop.h"
#include "worker/messages.h"

enum disk_state {
	DISK_FREE = 0,	/* not in use */
	DISK_OPEN,	/* the backend is open */
	DISK_CONNECTED, /* the loop serves its ring */
	DISK_RELEASING, /* the loop was asked to let go of it */
};

/* What the disks of a guest have in common. */
struct disk_guest {
	const struct platform *platform;
	struct event_channels *channels;
	struct memory *memory;
	struct loop *loop;
	uint16_t domid;
	const char *backend_directory;
};

struct disk;

/* One backend of a disk. A wrapper is above the backend that it stands before. */
struct disk_layer {
	struct xvhost_disk seen; /* first: what the backend sees */
	struct disk *disk;
	const struct xvhost_disk_backend *backend;
	void *config;
	struct xvhost_disk_properties properties;
};

struct disk {
	enum disk_state state;
	uint32_t device_id;
	char name[48];
	struct disk_layer layers[BLKIF_LAYERS_MAX]; /* the outermost first */
	uint32_t layer_count;
	struct blkif_queue *queue;
	struct memory_ring ring;
	uint32_t port;
	char fail_text[ERROR_TEXT_MAX]; /* what a backend said of its open() */
	struct log_limit limit;
};

/* disk_open - parse the target, open the backend; fills the answer. On failure the disk stays free. */
void disk_open(struct disk *disk, const struct disk_guest *guest, uint32_t device_id,
	       const struct message_disk_open *asked, struct message_disk_opened *answer);

/* disk_connect - map the ring, bind the event channel, give the queue to the loop; fills the answer. */
void disk_connect(struct disk *disk, const struct disk_guest *guest, const struct message_disk_connect *asked,
		  struct message_error *answer);

/* disk_release - ask the loop to let go of a connected disk. */
void disk_release(struct disk *disk, const struct disk_guest *guest);

/* disk_released - the loop let go: unbind and unmap. The disk is open afterwards. */
void disk_released(struct disk *disk, const struct disk_guest *guest);

/* disk_close - close the backend of an open disk. The disk is free afterwards. */
void disk_close(struct disk *disk);

#endif
