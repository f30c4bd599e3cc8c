/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disk_internal.h - what the files of a disk have in common: disk.c, disk_layers.c, disk_medium.c
 */
#ifndef DISK_INTERNAL_H
#define DISK_INTERNAL_H

#include "worker/disk.h"

/* disk_access - how the memory of this disk's requests is to be reached. */
static inline enum memory_access disk_access(const struct disk *disk, const struct guest *guest)
{
	return disk->options.access_given ? disk->options.access : guest->access;
}

/* disk_queues_max - how many queues a disk can have at a time, as one of its layers says. */
static inline uint32_t disk_queues_max(const struct xvhost_disk *seen)
{
	return seen->queues_max > 0 && seen->queues_max < DISK_QUEUES_MAX ? seen->queues_max
									  : DISK_QUEUES_MAX;
}

/* disk_open_layers - all backends of a target, or none and the reason; fills the answer. */
void disk_open_layers(struct disk *disk, const struct guest *guest, const struct message_disk_open *asked,
		      struct message_disk_opened *answer);

/* disk_close_layers - there are none afterwards. */
void disk_close_layers(struct disk *disk);

/* disk_is_empty_drive - that is what the target asks for, not a backend. */
bool disk_is_empty_drive(const char *target);

/* disk_make_empty - a disk without a medium: one layer, which answers each request with an error. */
void disk_make_empty(struct disk *disk, uint32_t block_bytes, bool read_only);

/* disk_make_queue - over a ring that is mapped; the disk's layers are open. Returns 0, or a negative errno and why. */
int disk_make_queue(struct disk *disk, const struct guest *guest, uint32_t index, char text[ERROR_TEXT_MAX]);

/* disk_disconnect_queues - all that are connected: unbind, unmake, unmap. */
void disk_disconnect_queues(struct disk *disk, const struct guest *guest);

/* disk_serve - give all queues to their loops. */
void disk_serve(struct disk *disk);

#endif
