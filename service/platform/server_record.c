// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * server_record.c - files that tell of ioreq servers
 */
#include "platform/server_record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *path_of(const char *folder, uint16_t domid, unsigned server, const char *end,
			   char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/device-model-%u-%u%s", folder, domid, server, end);
	return path;
}

/* lock - returns the file, or a negative errno and it is closed. */
static int lock(int record)
{
	struct stat status;
	int error;

	if (flock(record, LOCK_EX | LOCK_NB) < 0)
		error = errno == EWOULDBLOCK ? -EBUSY : -errno;
	else if (fstat(record, &status) < 0)
		error = -errno;
	else if (status.st_nlink == 0)
		error = -ENOENT; /* removed after we had opened it; the number may be another server's by now */
	else
		return record;
	close(record);
	return error;
}

/* The file gets its name when it is locked, or it could be taken for a dead process's. */
int server_record_make(const char *folder, uint16_t domid, unsigned server)
{
	char path[PATH_MAX], new_path[PATH_MAX];
	int error, record;

	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return -errno;
	path_of(folder, domid, server, ".new", new_path);
	record = open(new_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_CREAT, 0600);
	if (record < 0)
		return -errno;
	record = lock(record);
	if (record < 0 || rename(new_path, path_of(folder, domid, server, "", path)) == 0)
		return record;
	error = -errno;
	close(record);
	return error;
}

int server_record_open(const char *folder, uint16_t domid, unsigned server)
{
	char path[PATH_MAX];
	int record = open(path_of(folder, domid, server, "", path), O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	return record >= 0 ? lock(record) : -errno;
}

void server_record_remove(const char *folder, uint16_t domid, unsigned server, int record)
{
	char path[PATH_MAX];

	unlink(path_of(folder, domid, server, "", path));
	close(record);
}
