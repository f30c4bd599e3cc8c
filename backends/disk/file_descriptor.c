// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * file_descriptor.c - the descriptors of a disk in a file: opened, and looked at whether they can serve
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "file_internal.h"

/* find_blocks - the disk's blocks, and what the device writes at once. */
static int find_blocks(struct xvhost_disk *disk, const struct file_config *config, int fd,
		       uint32_t *block_bytes, uint32_t *physical_bytes)
{
	int logical = SECTOR_BYTES;
	unsigned int physical = 0;
	struct stat status;

	/* What is wrong with the file itself is for file_size to say. */
	if (fstat(fd, &status) == 0 && S_ISBLK(status.st_mode) &&
	    (ioctl(fd, BLKSSZGET, &logical) < 0 || ioctl(fd, BLKPBSZGET, &physical) < 0)) {
		int error = errno;

		disk->host->fail(disk, "parameter path of backend file: can't get the block size of '%s': %s",
				 config->path, strerror(error));
		return -error;
	}
	*block_bytes = config->block_bytes ? (uint32_t)config->block_bytes : (uint32_t)logical;
	if ((*block_bytes & (*block_bytes - 1)) != 0) {
		disk->host->fail(disk,
				 "parameter block-size of backend file is %" PRIu32
				 ", it must be a power of 2 from %u to %u",
				 *block_bytes, SECTOR_BYTES, BLOCK_BYTES_MAX);
		return -EINVAL;
	}
	if (*block_bytes > BLOCK_BYTES_MAX) {
		disk->host->fail(disk,
				 "parameter path of backend file: '%s' has blocks of %" PRIu32
				 " bytes, at most %u can be served; give a smaller block-size",
				 config->path, *block_bytes, BLOCK_BYTES_MAX);
		return -EINVAL;
	}
	*physical_bytes = physical > *block_bytes ? physical : *block_bytes;
	return 0;
}

int file_descriptor_size(int fd, uint64_t *size_bytes)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (S_ISBLK(status.st_mode))
		return ioctl(fd, BLKGETSIZE64, size_bytes) < 0 ? -errno : 0;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	*size_bytes = (uint64_t)status.st_size;
	return 0;
}

/* file_size - of a regular file or a block device; anything else is refused. */
static int file_size(struct xvhost_disk *disk, const char *path, int fd, uint32_t block_bytes,
		     uint64_t *size_bytes)
{
	int error = file_descriptor_size(fd, size_bytes);

	if (error == -EINVAL)
		disk->host->fail(
			disk,
			"parameter path of backend file: '%s' is neither a regular file nor a block device",
			path);
	else if (error < 0)
		disk->host->fail(disk, "parameter path of backend file: can't get the size of '%s': %s", path,
				 strerror(-error));
	if (error < 0)
		return error;
	if (*size_bytes == 0 || *size_bytes % block_bytes != 0) {
		disk->host->fail(disk,
				 "parameter path of backend file: '%s' has %" PRIu64
				 " bytes, it must be a multiple of %" PRIu32 " and more than 0",
				 path, *size_bytes, block_bytes);
		return -EINVAL;
	}
	return 0;
}

/* try_direct - read the first block as a guest may: into memory that is aligned to sectors, in two pieces if `cut`. */
static int try_direct(int fd, uint32_t block_bytes, bool cut)
{
	char *memory = aligned_alloc(BLOCK_BYTES_MAX, 2 * BLOCK_BYTES_MAX);
	struct iovec pieces[2];
	ssize_t result;

	if (!memory)
		return -ENOMEM;
	pieces[0] = (struct iovec){memory + SECTOR_BYTES, cut ? block_bytes - SECTOR_BYTES : block_bytes};
	pieces[1] = (struct iovec){memory + SECTOR_BYTES + block_bytes, SECTOR_BYTES};
	result = preadv(fd, pieces, cut ? 2 : 1, 0);
	free(memory);
	return result < 0 ? -errno : 0;
}

/*
 * check_direct - O_DIRECT may want more of requests and their memory than guests have, depending on the device below; such
 * reads tell. `*cut_fails`: of memory that is cut within blocks.
 */
static int check_direct(struct xvhost_disk *disk, const char *path, int fd, uint32_t block_bytes,
			bool *cut_fails)
{
	int error = try_direct(fd, block_bytes, false);

	if (error == 0 && block_bytes > SECTOR_BYTES) {
		error = try_direct(fd, block_bytes, true);
		*cut_fails = error == -EINVAL;
		if (*cut_fails)
			error = 0;
	}
	if (error == -EINVAL)
		disk->host->fail(disk,
				 "parameter direct of backend file is on, but '%s' can't do direct I/O of "
				 "%" PRIu32 " bytes; use direct=off or a larger block-size",
				 path, block_bytes);
	else if (error < 0)
		disk->host->fail(disk, "parameter path of backend file: can't read '%s': %s", path,
				 strerror(-error));
	return error;
}

/* open_again - the same file without O_DIRECT. */
static int open_again(struct xvhost_disk *disk, const char *path, int fd, int flags, int *again)
{
	char link[32];
	int error;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	*again = open(link, flags);
	if (*again >= 0)
		return 0;
	error = errno;
	disk->host->fail(disk, "parameter path of backend file: can't open '%s' a second time: %s", path,
			 strerror(error));
	return -error;
}

/* check_writable - a device may be read-only (blockdev --setro) and be opened for writing all the same: then each write fails. */
static int check_writable(struct xvhost_disk *disk, const char *path, int fd)
{
	int read_only = 0;

	if (ioctl(fd, BLKROGET, &read_only) < 0 || !read_only)
		return 0;
	disk->host->fail(
		disk,
		"parameter path of backend file: the device '%s' is read-only; give access=ro or readonly=on",
		path);
	return -EROFS;
}

/* open_path - the descriptor of the path, or why there is none. */
static int open_path(struct xvhost_disk *disk, const struct file_config *config, int flags, int *fd)
{
	int error;

	if (config->path[0] != '/') {
		disk->host->fail(disk, "parameter path of backend file is '%s', it must be an absolute path",
				 config->path);
		return -EINVAL;
	}
	/* O_NONBLOCK, so that a pipe in the disk's place is refused rather than waited for. I/O is then
	 * without it. */
	*fd = open(config->path, flags | O_NONBLOCK);
	if (*fd >= 0) {
		flags = fcntl(*fd, F_GETFL) & ~O_NONBLOCK;
		/* A guest's read says nothing of the file. This is for its owner to decide; others are refused. */
		if (fcntl(*fd, F_SETFL, flags | O_NOATIME) < 0)
			fcntl(*fd, F_SETFL, flags);
		return 0;
	}
	error = errno;
	if (error == EINVAL && flags & O_DIRECT)
		disk->host->fail(
			disk,
			"parameter direct of backend file is on, but the file system of '%s' can't do "
			"direct I/O; use direct=off",
			config->path);
	else
		disk->host->fail(disk, "parameter path of backend file: can't open '%s' for %s: %s",
				 config->path,
				 (flags & O_ACCMODE) == O_RDONLY ? "reading" : "reading and writing",
				 strerror(error));
	return -error;
}

/* look_at - an open file: its blocks and its size, and what direct I/O asks for. */
static int look_at(struct xvhost_disk *disk, const struct file_config *config, int flags, struct file *file,
		   uint32_t *physical_bytes)
{
	bool cut_fails = false;
	int error = find_blocks(disk, config, file->fd, &file->block_bytes, physical_bytes);

	file->cut_fd = file->fd;
	if (error == 0 && (flags & O_ACCMODE) != O_RDONLY)
		error = check_writable(disk, config->path, file->fd);
	if (error == 0)
		error = file_size(disk, config->path, file->fd, file->block_bytes, &file->size_bytes);
	if (error == 0 && flags & O_DIRECT)
		error = check_direct(disk, config->path, file->fd, file->block_bytes, &cut_fails);
	if (error == 0 && cut_fails)
		error = open_again(disk, config->path, file->fd, flags & ~O_DIRECT, &file->cut_fd);
	return error;
}

int file_descriptor_open(struct xvhost_disk *disk, const struct file_config *config, int flags,
			 struct file *file, uint32_t *physical_bytes)
{
	int error = open_path(disk, config, flags, &file->fd);

	if (error < 0)
		return error;
	error = look_at(disk, config, flags, file, physical_bytes);
	if (error < 0)
		close(file->fd);
	return error;
}

void file_descriptor_close(const struct file *file)
{
	if (file->cut_fd != file->fd)
		close(file->cut_fd);
	close(file->fd);
}
