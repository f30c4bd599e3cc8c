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

#include "try/options.h"

/* find_by_path - load the file that is named before the ':'. */
static int find_by_path(const char *given, size_t path_length, struct subject *subject,
			char text[ERROR_TEXT_MAX])
{
	char path[PATH_MAX];
	int error;

	if (path_length >= sizeof(path)) {
		snprintf(text, ERROR_TEXT_MAX, "the path of the backend has %zu bytes, at most %zu can be",
			 path_length, sizeof(path) - 1);
		return -ENAMETOOLONG;
	}
	memcpy(path, given, path_length);
	path[path_length] = '\0';
	error = backends_load(path, &subject->backend, text);
	if (error == 0 && snprintf(subject->target, TARGET_MAX, "%s%s", subject->backend->name,
				   given + path_length) >= TARGET_MAX) {
		snprintf(text, ERROR_TEXT_MAX, "the target is longer than %d bytes", TARGET_MAX - 1);
		error = -ENAMETOOLONG;
	}
	return error;
}

int subject_find(const char *given, const char *directory, struct subject *subject, char text[ERROR_TEXT_MAX])
{
	size_t length = strcspn(given, ":");
	char name[BACKEND_NAME_MAX];

	if (memchr(given, '/', length))
		return find_by_path(given, length, subject, text);
	if (length > 3 && length < PATH_MAX && strncmp(given + length - 3, ".so", 3) == 0) {
		snprintf(text, ERROR_TEXT_MAX,
			 "'%.*s' is no backend's name; a file is given with a '/', as in ./%.*s", (int)length,
			 given, (int)length, given);
		return -EINVAL;
	}
	if (snprintf(subject->target, TARGET_MAX, "%s", given) >= TARGET_MAX) {
		snprintf(text, ERROR_TEXT_MAX, "the target is longer than %d bytes", TARGET_MAX - 1);
		return -ENAMETOOLONG;
	}
	if (length == 0 || length >= sizeof(name)) {
		snprintf(
			text, ERROR_TEXT_MAX,
			"target '%.100s' does not begin with a backend's name, as in file:path=/srv/disk.img",
			given);
		return -EINVAL;
	}
	memcpy(name, given, length);
	name[length] = '\0';
	return backends_find(directory, name, &subject->backend, text);
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
