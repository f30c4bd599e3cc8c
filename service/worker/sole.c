// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sole.c - one worker at a time serves a guest
 *
 * The file has something in it from the moment on when it is locked. A file with something in it that can be locked was left
 * behind; one without a name was removed by the one for whom we have waited.
 */
#include "worker/sole.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

static const char *path_of(const char *folder, uint16_t domid, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/worker-%u", folder, domid);
	return path;
}

/* lock - wait for it; 0 or a negative errno. */
static int lock(int file, uint16_t domid)
{
	if (flock(file, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return -errno;
	log_info("guest %u: waiting for the worker of an earlier xvhostd to end", domid);
	while (flock(file, LOCK_EX) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int sole_take(const char *folder, uint16_t domid, bool *killed)
{
	char path[PATH_MAX];
	struct stat status;
	int file, error;

	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return -errno;
	for (;;) {
		file = open(path_of(folder, domid, path), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (file < 0)
			return -errno;
		error = lock(file, domid);
		if (error == 0 && fstat(file, &status) < 0)
			error = -errno;
		if (error == 0 && status.st_nlink > 0)
			break;
		close(file);
		if (error < 0)
			return error;
	}
	*killed = status.st_size > 0;
	if (*killed || write(file, "\n", 1) == 1)
		return file;
	error = -errno;
	close(file);
	return error;
}

void sole_release(const char *folder, uint16_t domid, int file)
{
	char path[PATH_MAX];

	unlink(path_of(folder, domid, path));
	close(file);
}
