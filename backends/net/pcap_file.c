// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pcap_file.c - the file of backend pcap
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pcap_blocks.h"
#include "pcap_file.h"

/* OPENED - O_NONBLOCK, so that a pipe in the file's place is refused rather than waited for. What is written there is for root only. */
#define OPENED (O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
#define MODE 0600

int pcap_file_write(int fd, const void *from, size_t bytes)
{
	const char *at = from;

	while (bytes > 0) {
		ssize_t written = write(fd, at, bytes);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		if (written == 0)
			return -EIO;
		at += written;
		bytes -= (size_t)written;
	}
	return 0;
}

/* read_word - at this place of the file; 0 if it can't be read, which is no word that is looked for. */
static uint32_t read_word(int fd, uint64_t offset)
{
	uint32_t word = 0;

	return pread(fd, &word, sizeof(word), (off_t)offset) == (ssize_t)sizeof(word) ? word : 0;
}

/* is_whole - does a file of this size begin as a pcapng file of this machine does, and end with a whole block? */
static bool is_whole(int fd, uint64_t size)
{
	uint32_t length;

	if (size < PCAP_BLOCK_BYTES_MIN || !pcap_is_beginning(read_word(fd, 0)))
		return false;
	length = read_word(fd, size - sizeof(length));
	return length >= PCAP_BLOCK_BYTES_MIN && length % 4 == 0 && length <= size &&
	       read_word(fd, size - length + sizeof(length)) == length;
}

/* check - is this a file that can be added to? Gives the reason if not. */
static int check(struct xvhost_net *net, const char *path, int fd, uint64_t *size)
{
	struct stat status;
	int error;

	if (fstat(fd, &status) < 0) {
		error = -errno;
		net->host->fail(net, "parameter path of backend pcap: can't look at '%s': %s", path,
				strerror(-error));
		return error;
	}
	if (!S_ISREG(status.st_mode)) {
		net->host->fail(net, "parameter path of backend pcap: '%s' is not a regular file", path);
		return -EINVAL;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		error = -errno;
		net->host->fail(
			net, "parameter path of backend pcap: '%s' is in use, by another card perhaps", path);
		return error;
	}
	*size = (uint64_t)status.st_size;
	if (*size > 0 && !is_whole(fd, *size)) {
		net->host->fail(
			net,
			"parameter path of backend pcap: '%s' is there, and is no pcapng file that ends "
			"with a whole block; move it away",
			path);
		return -EINVAL;
	}
	return 0;
}

/* begin - a section. What can't be written whole is taken back. */
static int begin(struct xvhost_net *net, const char *path, int fd, uint32_t snap_bytes, uint64_t *size)
{
	_Alignas(4) uint8_t beginning[PCAP_BEGINNING_BYTES_MAX];
	uint32_t bytes = pcap_put_beginning(beginning, net, snap_bytes);
	int error = pcap_file_write(fd, beginning, bytes);

	if (error < 0) {
		net->host->fail(net, "parameter path of backend pcap: can't write to '%s': %s%s", path,
				strerror(-error),
				ftruncate(fd, (off_t)*size) < 0 ? "; a part of it was written" : "");
		return error;
	}
	*size += bytes;
	return 0;
}

int pcap_file_open(struct xvhost_net *net, const char *path, uint32_t snap_bytes, uint64_t *bytes)
{
	int fd, error;

	if (path[0] != '/') {
		net->host->fail(net, "parameter path of backend pcap is '%s', it must be an absolute path",
				path);
		return -EINVAL;
	}
	fd = open(path, OPENED, MODE);
	if (fd < 0) {
		error = -errno;
		net->host->fail(net, "parameter path of backend pcap: can't open '%s': %s", path,
				strerror(-error));
		return error;
	}
	error = check(net, path, fd, bytes);
	/* From here on it may wait for a disk: host->write does not wait for a regular file. */
	if (error == 0 && fcntl(fd, F_SETFL, O_APPEND) < 0) {
		error = -errno;
		net->host->fail(net, "parameter path of backend pcap: can't use '%s': %s", path,
				strerror(-error));
	}
	if (error == 0)
		error = begin(net, path, fd, snap_bytes, bytes);
	if (error < 0)
		close(fd);
	return error < 0 ? error : fd;
}
