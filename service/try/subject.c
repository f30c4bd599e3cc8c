// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * subject.c - the backend that is tried: one of those there are, or a file
 */
#include "try/subject.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "try/conform/target.h"
#include "try/options.h"
#include "worker/target.h"

/* find_by_path - load the file that is named before the ':'. */
static int find_by_path(enum backend_kind kind, const char *given, size_t path_length,
			const struct backend_head **backend, char text[ERROR_TEXT_MAX])
{
	const struct xvhost_disk_backend *disk;
	const struct xvhost_net_backend *net;
	char path[PATH_MAX];
	int error;

	if (path_length >= sizeof(path)) {
		snprintf(text, ERROR_TEXT_MAX, "the path of the backend has %zu bytes, at most %zu can be",
			 path_length, sizeof(path) - 1);
		return -ENAMETOOLONG;
	}
	memcpy(path, given, path_length);
	path[path_length] = '\0';
	if (kind == BACKEND_NET) {
		error = backends_load_net(path, &net, text);
		*backend = head_of_net(net);
	} else {
		error = backends_load(path, &disk, text);
		*backend = head_of_disk(disk);
	}
	return error;
}

static int find_by_name(enum backend_kind kind, const char *given, const char *directory,
			const struct backend_head **backend, char text[ERROR_TEXT_MAX])
{
	const struct xvhost_disk_backend *disk;
	const struct xvhost_net_backend *net;
	size_t length = strcspn(given, ":");
	char name[BACKEND_NAME_MAX];
	int error;

	if (length > 3 && length < PATH_MAX && strncmp(given + length - 3, ".so", 3) == 0) {
		snprintf(text, ERROR_TEXT_MAX,
			 "'%.*s' is no backend's name; a file is given with a '/', as in ./%.*s", (int)length,
			 given, (int)length, given);
		return -EINVAL;
	}
	error = target_backend_name(given, name, text);
	if (error < 0)
		return error;
	if (kind == BACKEND_NET) {
		error = backends_find_net(directory, name, &net, text);
		*backend = head_of_net(net);
	} else {
		error = backends_find(directory, name, &disk, text);
		*backend = head_of_disk(disk);
	}
	return error;
}

/* append - to the target that the worker is told. False: that is too long. */
static bool append(struct subject *subject, const char *piece, size_t length)
{
	size_t used = strlen(subject->target);

	return (size_t)snprintf(subject->target + used, TARGET_MAX - used, "%.*s", (int)length, piece) <
	       TARGET_MAX - used;
}

int subject_find(enum backend_kind kind, const char *given, const char *directory, struct subject *subject,
		 char text[ERROR_TEXT_MAX])
{
	const struct backend_head *backend;
	bool fits = true;

	subject->backend = NULL;
	subject->target[0] = '\0';
	/* Each backend of a stack; the disk below a wrapper is a target, too. */
	while (given && fits) {
		size_t length = strcspn(given, ":");
		const char *inner;
		int error = memchr(given, '/', length) ? find_by_path(kind, given, length, &backend, text)
						       : find_by_name(kind, given, directory, &backend, text);

		if (error < 0)
			return error;
		if (!subject->backend)
			subject->backend = backend;
		inner = conform_target_inner(given, backend);
		fits = strlen(given) < TARGET_MAX && append(subject, backend->name, strlen(backend->name)) &&
		       append(subject, given + length, inner ? (size_t)(inner - given) - length : TARGET_MAX);
		given = inner;
	}
	if (fits)
		return 0;
	snprintf(text, ERROR_TEXT_MAX, "the target is longer than %d bytes", TARGET_MAX - 1);
	return -ENAMETOOLONG;
}

int subject_status(int error)
{
	return error == -ELIBBAD ? TRY_FAILED : TRY_USAGE;
}

const char *subject_directory(void)
{
	static char directory[PATH_MAX];
	struct stat status;
	char *slash;
	ssize_t length = readlink("/proc/self/exe", directory, sizeof(directory) - sizeof("/../backends"));

	if (length > 0) {
		directory[length] = '\0';
		slash = strrchr(directory, '/');
		if (slash && slash - directory >= 4 && strncmp(slash - 4, "/bin", 4) == 0) {
			strcpy(slash - 4, "/backends");
			if (stat(directory, &status) == 0 && S_ISDIR(status.st_mode))
				return directory;
		}
	}
	return XVHOST_BACKEND_DIR;
}
