// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lock.c - only one xvhostd at a time
 *
 * The one that ends removes the file. Who opened it just before has locked a file without a name, and must
 * try again, lest a third one makes and locks a new file of that name.
 */
#include "daemon/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_TRIES_MAX 10

/* directory_of - the path without its last part; false if there is none. */
static bool directory_of(const char *path, char directory[PATH_MAX])
{
	char *end;

	if (snprintf(directory, PATH_MAX, "%s", path) >= PATH_MAX)
		return false;
	end = strrchr(directory, '/');
	if (end == NULL || end == directory)
		return false;
	*end = '\0';
	return true;
}

/* is_named - the path still leads to the open file. */
static bool is_named(const char *path, int fd)
{
	struct stat by_path, by_fd;

	return stat(path, &by_path) == 0 && fstat(fd, &by_fd) == 0 && by_path.st_dev == by_fd.st_dev &&
	       by_path.st_ino == by_fd.st_ino;
}

int lock_take(const char *path)
{
	char directory[PATH_MAX];
	int fd, error;

	if (directory_of(path, directory) && mkdir(directory, 0755) < 0 && errno != EEXIST)
		return -errno;
	for (unsigned tries = 0; tries < LOCK_TRIES_MAX; tries++) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			error = -errno;
			close(fd);
			return error;
		}
		if (is_named(path, fd))
			return fd;
		close(fd);
	}
	return -EWOULDBLOCK;
}

void lock_release(const char *path, int fd)
{
	char directory[PATH_MAX];

	unlink(path);
	close(fd);
	/* Others may have something in it, or systemd may look after it. */
	if (directory_of(path, directory))
		rmdir(directory);
}
