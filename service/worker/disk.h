/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disk.h - one disk of the guest: its backend, and its ring while a frontend is connected
 *
 * All functions belong to the control thread. The states follow each other as messages.h draws it.
 */
#ifndef DISK_H
#define DISK_H

#include "worker/backends.h"
#include "worker/guest.h"
#include "worker/messages.h"
#include "worker/target.h"

enum disk_state {
	DISK_FREE = 0,	/* not in use */
	DISK_OPEN,	/* the backend is open */
	DISK_CONNECTED, /* loops serve its rings */
	DISK_RELEASING, /* the loops were asked to let go of them */
	DISK_CHANGING,	/* the same, to serve them with another medium */
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

/* One ring of a connected disk. */
struct disk_queue {
	struct blkif_queue *queue;
	struct guest_loop *loop; /* that serves it */
	struct memory_ring ring;
	struct persistent *persistent; /* its grants that stay mapped, or NULL */
	bool cached;		       /* its requests may reach the guest's memory by the cache */
	uint32_t port;
};

struct disk {
	enum disk_state state;
	uint32_t device_id;
	char name[48];
	struct disk_layer layers[BLKIF_LAYERS_MAX]; /* the outermost first */
	uint32_t layer_count;
	struct disk_queue queues[DISK_QUEUES_MAX];
	uint32_t queue_count; /* 0: not connected */
	uint32_t released;    /* of them, which loops have let go of */
	bool discard_off;     /* no layer offers it, whatever its backend can */
	bool broken;	      /* since it was connected, and reported */
	struct target_options options;
	struct message_disk_connect rings; /* as the frontend described them, while it is connected */
	struct message_disk_open change;   /* in DISK_CHANGING: the other medium */
	char fail_text[ERROR_TEXT_MAX];	   /* what a backend said of its open() */
	struct log_limit limit;
};

/* disk_open - parse the target, open the backend; fills the answer. On failure the disk stays free. */
void disk_open(struct disk *disk, const struct guest *guest, uint32_t device_id,
	       const struct message_disk_open *asked, struct message_disk_opened *answer);

/* disk_connect - map the rings, bind the event channels, give the queues to their loops; fills the answer. */
void disk_connect(struct disk *disk, struct guest *guest, const struct message_disk_connect *asked,
		  struct message_error *answer);

/* disk_release - ask the loops to let go of a connected disk. */
void disk_release(struct disk *disk);

/* disk_released - a loop let go of one of its queues. True if that was the last one: then one of the next two follows. */
bool disk_released(struct disk *disk);

/* disk_disconnect - of a released disk all is unbound and unmapped. It is open then. */
void disk_disconnect(struct disk *disk, const struct guest *guest);

/*
 * disk_begin_change - ask the loops to let go of a connected disk, to have another medium. What was taken is answered by the old one;
 * what the guest asks meanwhile stays in its rings.
 */
void disk_begin_change(struct disk *disk, const struct message_disk_open *asked);

/*
 * disk_end_change - of a released disk: close the old medium, open the other one, and serve the same rings; fills the answer. A
 * medium that can't be had leaves the drive empty.
 */
void disk_end_change(struct disk *disk, const struct guest *guest, struct message_disk_opened *answer);

/* disk_can_change - its size may, so that it is to be measured from time to time. */
bool disk_can_change(const struct disk *disk);

/* disk_measure - ask the backends how large an open disk is. True if that is not what it was: this is what it has now. */
bool disk_measure(struct disk *disk, uint64_t *size_bytes);

/* disk_close - close the backend of an open disk. The disk is free afterwards. */
void disk_close(struct disk *disk);

#endif
