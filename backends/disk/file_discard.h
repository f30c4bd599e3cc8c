/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_discard.h - how what is discarded of a file or block device is given back
 *
 * Theory of operation: a file gets a hole, by fallocate(2) in io_uring. A block device takes the same as "write zeroes in your own
 * way", which is offered by those alone that can do so without being sent the zeroes. Others give space back by an ioctl, and so
 * does whoever must leave nothing behind. Nothing does these in the background (Linux 6.12 begins to), and they last as
 * long as the device likes. So each queue of such a disk has a thread for them (file_thread.h).
 */
#ifndef FILE_DISCARD_H
#define FILE_DISCARD_H

#include <errno.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "xvhost/backend.h"

#define FILE_SECTOR_BYTES 512u
#define SYSFS_DEVICES "/sys/dev/block"

enum file_discard_way {
	FILE_DISCARD_NONE = 0, /* it can't be */
	FILE_DISCARD_HOLE,     /* fallocate */
	FILE_DISCARD_IOCTL,    /* BLKDISCARD */
};

/* What a file or a device can. */
struct file_discard {
	enum file_discard_way way;
	bool secure;	      /* BLKSECDISCARD */
	uint32_t block_bytes; /* what is discarded begins and ends at a multiple of this */
	uint32_t granularity; /* bytes that it gives back at a time; 0: block_bytes */
	uint32_t alignment;   /* of the first of these */
};

/* ---- what can it do ---- */

/* file_attribute - what sysfs says of a block device. False: nothing. */
static inline bool file_attribute(const char *devices, dev_t device, const char *place, const char *name,
				  uint64_t *value)
{
	unsigned long long number = 0;
	char path[128];
	FILE *stream;
	int fields;

	snprintf(path, sizeof(path), "%s/%u:%u/%s%s", devices, major(device), minor(device), place, name);
	stream = fopen(path, "re");
	if (!stream)
		return false;
	fields = fscanf(stream, "%llu", &number);
	fclose(stream);
	*value = number;
	return fields == 1;
}

/* file_limit - of a device's queue, or that of the device which a partition is of; 0 if there is none. */
static inline uint64_t file_limit(const char *devices, dev_t device, const char *name)
{
	uint64_t value = 0;

	if (!file_attribute(devices, device, "queue/", name, &value) &&
	    !file_attribute(devices, device, "../queue/", name, &value))
		return 0;
	return value;
}

/* file_discard_of_device - `devices` is sysfs's directory of them. */
static inline void file_discard_of_device(const char *devices, dev_t device, struct file_discard *discard)
{
	uint64_t alignment = 0;

	*discard = (struct file_discard){0};
	if (file_limit(devices, device, "discard_max_bytes") == 0)
		return;
	discard->way = file_limit(devices, device, "write_zeroes_max_bytes") > 0 ? FILE_DISCARD_HOLE
										 : FILE_DISCARD_IOCTL;
	discard->block_bytes = (uint32_t)file_limit(devices, device, "logical_block_size");
	discard->granularity = (uint32_t)file_limit(devices, device, "discard_granularity");
	if (file_attribute(devices, device, "", "discard_alignment", &alignment))
		discard->alignment = (uint32_t)alignment;
}

/* file_discard_of_file - a hole beyond its end changes nothing, and not every file system has holes. */
static inline void file_discard_of_file(int fd, const struct stat *status, struct file_discard *discard)
{
	int block = 0;

	*discard = (struct file_discard){.block_bytes = FILE_SECTOR_BYTES};
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, status->st_size, FILE_SECTOR_BYTES) < 0)
		return;
	discard->way = FILE_DISCARD_HOLE;
	if (ioctl(fd, FIGETBSZ, &block) == 0 && block > 0)
		discard->granularity = (uint32_t)block;
}

/* file_can_erase - asked for what can't be, a device that can't erase securely says that first. */
static inline bool file_can_erase(int fd)
{
	uint64_t range[2] = {1, 1};

	return ioctl(fd, BLKSECDISCARD, range) < 0 && errno == EINVAL;
}

/* file_discard_find - of a file or device that is open for writing. */
static inline void file_discard_find(int fd, struct file_discard *discard)
{
	struct stat status;

	*discard = (struct file_discard){0};
	if (fstat(fd, &status) < 0)
		return;
	if (S_ISREG(status.st_mode)) {
		file_discard_of_file(fd, &status, discard);
		return;
	}
	file_discard_of_device(SYSFS_DEVICES, status.st_rdev, discard);
	discard->secure = discard->way != FILE_DISCARD_NONE && file_can_erase(fd);
}

#endif
