/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_internal.h - what the files of the backend `file` have in common
 */
#ifndef FILE_INTERNAL_H
#define FILE_INTERNAL_H

#include <stdatomic.h>

#include "file_discard.h"
#include "file_thread.h"
#include "xvhost/backend.h"

#define SECTOR_BYTES 512u
#define BLOCK_BYTES_MAX 4096u

struct file_config {
	const char *path;
	bool direct;
	bool read_only;
	uint64_t block_bytes; /* 0: as the device has it */
};

/* One open disk. */
struct file {
	int fd;
	int cut_fd; /* for memory that is cut within blocks; fd, unless that can't have it */
	uint32_t block_bytes;
	uint64_t size_bytes; /* when it was opened */
	struct file_discard discard;
	atomic_bool discard_failed; /* it can't after all */
	atomic_bool erase_failed;   /* the same of secure discards */
	struct file_threads threads;
};

/*
 * file_descriptor_open - by these flags of open(2); fills `file` but for what is about discards, and says what the device writes at
 * once. Returns 0, or a negative errno after host->fail().
 */
int file_descriptor_open(struct xvhost_disk *disk, const struct file_config *config, int flags,
			 struct file *file, uint32_t *physical_bytes);

void file_descriptor_close(const struct file *file);

/* file_descriptor_size - of a regular file or a block device; anything else has none. Returns 0 or a negative errno. */
int file_descriptor_size(int fd, uint64_t *size_bytes);

#endif
