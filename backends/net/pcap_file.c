// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pcap_file.c - the file of backend pcap
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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

/* The words where a block ends and the next one begins. */
struct border {
	uint32_t length; /* of the one that ends */
	uint32_t next_type, next_length;
};

/* read_words - at this place of the file. What can't be read is 0, which is no word that is looked for. */
static void read_words(int fd, uint64_t offset, void *words, size_t bytes)
{
	memset(words, 0, bytes);
	if (pread(fd, words, bytes, (off_t)offset) < 0)
		memset(words, 0, bytes);
}

static bool is_length(uint32_t length)
{
	return length >= PCAP_BLOCK_BYTES_MIN && length % 4 == 0;
}

/* ends_whole - does a file of this size end with a whole block? */
static bool ends_whole(int fd, uint64_t size)
{
	uint32_t length, again;

	if (size < PCAP_BLOCK_BYTES_MIN)
		return false;
	read_words(fd, size - sizeof(length), &length, sizeof(length));
	if (!is_length(length) || length > size)
		return false;
	read_words(fd, size - length + sizeof(length), &again, sizeof(again));
	return again == length;
}

/* whole_bytes - of a file of this size, up to the end of the last whole block that one gets to from the beginning. */
static uint64_t whole_bytes(int fd, uint64_t size)
{
	struct border border;
	uint64_t at = 0;

	read_words(fd, 0, &border.next_type, 2 * sizeof(uint32_t));
	while (is_length(border.next_length) && border.next_length <= size - at) {
		uint32_t length = border.next_length;

		read_words(fd, at + length - sizeof(length), &border, sizeof(border));
		if (border.length != length)
			break;
		at += length;
	}
	return at;
}

/* mend - a file whose last write was cut, by a full disk or the end of a machine: what follows its whole blocks is cut off. */
static int mend(struct xvhost_net *net, const char *path, int fd, uint64_t *size)
{
	uint64_t whole = whole_bytes(fd, *size);

	if (ftruncate(fd, (off_t)whole) < 0)
		return -errno;
	net->host->log(net, XVHOST_LOG_WARNING,
		       "'%s' did not end with a whole block; %" PRIu64 " bytes were cut off", path,
		       *size - whole);
	*size = whole;
	return 0;
}

/* check - is this a file that can be added to? Gives the reason if not. */
static int check(struct xvhost_net *net, const char *path, int fd, uint64_t *size)
{
	struct stat status;
	uint32_t first;
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
	if (*size == 0)
		return 0;
	read_words(fd, 0, &first, sizeof(first));
	if (!pcap_is_beginning(first)) {
		net->host->fail(net, "parameter path of backend pcap: '%s' is there, and is no pcapng file",
				path);
		return -EINVAL;
	}
	error = ends_whole(fd, *size) ? 0 : mend(net, path, fd, size);
	if (error < 0)
		net->host->fail(net, "parameter path of backend pcap: can't cut '%s': %s", path,
				strerror(-error));
	return error;
}

int pcap_file_begin(struct xvhost_net *net, const char *path, int fd, uint64_t *size)
{
	_Alignas(4) uint8_t beginning[PCAP_BEGINNING_BYTES_MAX];
	uint32_t bytes = pcap_put_beginning(beginning, net);
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

int pcap_file_open(struct xvhost_net *net, const char *path, uint64_t *size)
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
	error = check(net, path, fd, size);
	/* From here on it may wait for a disk: host->write does not wait for a regular file. */
	if (error == 0 && fcntl(fd, F_SETFL, O_APPEND) < 0) {
		error = -errno;
		net->host->fail(net, "parameter path of backend pcap: can't use '%s': %s", path,
				strerror(-error));
	}
	if (error < 0)
		close(fd);
	return error < 0 ? error : fd;
}
