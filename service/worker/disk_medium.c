// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * disk_medium.c - drives whose medium is taken out and put in while a frontend is connected
 *
 * Theory of operation: the loops let go of the disk's queues as if it were disconnected, so all that was taken is answered. The rings stay
 * mapped and the event channels bound; a queue is made anew over each ring and goes on where the last one stopped. The frontend
 * sees requests that take long.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "worker/disk_internal.h"

/* ---- no medium ---- */

static void empty_submit(struct xvhost_request *request)
{
	request->queue->disk->host->complete(request, -ENOMEDIUM);
}

static void empty_close(struct xvhost_disk *disk)
{
	(void)disk;
}

/* Not for targets: a disk of no bytes is what no other backend may have. */
static const struct xvhost_disk_backend empty_backend = {
	.size = sizeof(empty_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "empty",
	.close = empty_close,
	.submit = empty_submit,
};

/* The host that the layer has: all that it may call. */
static const struct xvhost_host empty_host = {
	.size = sizeof(empty_host),
	.abi = XVHOST_BACKEND_ABI,
	.complete = blkif_complete,
};

bool disk_is_empty_drive(const char *target)
{
	return target[0] == '\0' || strcmp(target, "empty") == 0;
}

void disk_make_empty(struct disk *disk, uint32_t block_bytes, bool read_only)
{
	assert(disk->layer_count == 0);
	disk->layers[0] = (struct disk_layer){
		.disk = disk,
		.seen = {.size = sizeof(disk->layers[0].seen), .host = &empty_host, .name = disk->name},
		.backend = &empty_backend,
		/* What is put in may have a cache. */
		.properties = {.block_bytes = block_bytes,
			       .memory_alignment = BLKIF_SECTOR_BYTES,
			       .flags = XVHOST_DISK_FLUSH | (read_only ? XVHOST_DISK_READ_ONLY : 0)},
	};
	disk->layer_count = 1;
}

/* ---- another medium ---- */

/* check_fit - what the frontend was told of the drive can't be changed any more. */
static int check_fit(const struct disk *disk, uint32_t block_bytes, char text[ERROR_TEXT_MAX])
{
	const struct disk_layer *outermost = &disk->layers[0];
	uint32_t queues = disk_queues_max(&outermost->seen);

	if (outermost->properties.block_bytes != block_bytes) {
		snprintf(text, ERROR_TEXT_MAX,
			 "the medium has sectors of %" PRIu32
			 " bytes, the guest knows the drive with %" PRIu32 "; give block-size=%" PRIu32
			 " if the backend has it, or detach the drive and attach it anew",
			 outermost->properties.block_bytes, block_bytes, block_bytes);
		return -EINVAL;
	}
	if (queues < disk->queue_count) {
		snprintf(text, ERROR_TEXT_MAX,
			 "the medium can have %" PRIu32 " queues, the guest uses %" PRIu32 " with the drive",
			 queues, disk->queue_count);
		return -EINVAL;
	}
	return 0;
}

/* change_medium - close the old one and open the other one, or none. */
static void change_medium(struct disk *disk, const struct guest *guest, struct message_disk_opened *answer)
{
	uint32_t block_bytes = disk->layers[0].properties.block_bytes;
	const struct message_disk_open *asked = &disk->change;

	disk_close_layers(disk);
	disk_open_layers(disk, guest, asked, answer);
	if (answer->error == 0 && answer->size_bytes > 0) {
		answer->error = check_fit(disk, block_bytes, answer->text);
		if (answer->error == 0)
			return;
	}
	if (disk->layer_count > 0)
		disk_close_layers(disk);
	disk_make_empty(disk, block_bytes, asked->read_only);
	answer->size_bytes = 0;
	answer->block_bytes = answer->physical_block_bytes = block_bytes;
	answer->read_only = asked->read_only;
	answer->flush = true;
	answer->discard = answer->discard_secure = false;
}

/* make_queues - over the same rings. */
static int make_queues(struct disk *disk, const struct guest *guest, char text[ERROR_TEXT_MAX])
{
	int error = 0;

	for (uint32_t i = 0; i < disk->queue_count; i++) {
		blkif_queue_free(disk->queues[i].queue);
		disk->queues[i].queue = NULL;
	}
	for (uint32_t i = 0; i < disk->queue_count && error == 0; i++)
		error = disk_make_queue(disk, guest, i, text);
	return error;
}

void disk_end_change(struct disk *disk, const struct guest *guest, struct message_disk_opened *answer)
{
	int error;

	assert(disk->state == DISK_CHANGING && disk->released == disk->queue_count);
	change_medium(disk, guest, answer);
	error = make_queues(disk, guest, answer->text);
	if (error < 0) {
		answer->error = error;
		answer->lost = true;
		disk_disconnect_queues(disk, guest);
		disk->state = DISK_OPEN;
		return;
	}
	log_limited(&disk->limit, LOG_LEVEL_INFO, "%s: medium changed to '%s': %" PRIu64 " bytes", disk->name,
		    disk->change.target, answer->size_bytes);
	disk_serve(disk);
}
