/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * subject.h - the backend that is tried: one of those there are, or a file
 */
#ifndef SUBJECT_H
#define SUBJECT_H

#include "worker/backends.h"

struct subject {
	const struct backend_head *backend;
	char target[TARGET_MAX]; /* what the worker is told: as given, but each backend by its name */
};

/*
 * subject_find - find the backend of a target as people write it: NAME:PARAMETERS, or FILE:PARAMETERS, where FILE has
 * a '/'. The ':' and what follows may be missing. The same goes for the disks below, if it is a wrapper. Returns 0 or a negative errno, then `text` says what is wrong.
 * Before a worker is started.
 */
int subject_find(enum backend_kind kind, const char *given, const char *directory, struct subject *subject,
		 char text[ERROR_TEXT_MAX]);

/* subject_status - the exit status for an error of subject_find: a backend that can't be used has failed, one that there
 * is not was asked for by mistake. */
int subject_status(int error);

/*
 * subject_directory - where loadable backends are looked for unless people say otherwise: beside this program when it
 * lies where it was built, else where backends are installed. The text lasts.
 */
const char *subject_directory(void);

#endif
