/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backends.h - the backends that there are: built in, and in one directory
 *
 * A disk backend NAME that is not built in is looked for as DIRECTORY/NAME.so, a net backend as DIRECTORY/net/NAME.so: the
 * two kinds have their names apart. It stays loaded: a second device finds it at once, and code that might still be on a stack
 * is never unmapped.
 */
#ifndef BACKENDS_H
#define BACKENDS_H

#include "worker/backend_table.h"

#define BACKEND_NAME_MAX 32 /* bytes of a backend's name with the final 0 */

/* Made by the build from the configuration: one function for each backend that is built in, then NULL. */
extern const struct xvhost_disk_backend *(*const builtin_backends[])(void);
extern const struct xvhost_net_backend *(*const builtin_net_backends[])(void);

/*
 * backends_find, _net - the backend of this name. `directory` may be NULL: built-in ones only. On failure returns
 * -ENOENT (there is none), -EINVAL (not a possible name), -ELIBBAD (the file can't be used), and `text` is a
 * sentence for the one who wrote the name. Control thread.
 */
int backends_find(const char *directory, const char *name, const struct xvhost_disk_backend **backend,
		  char text[ERROR_TEXT_MAX]);
int backends_find_net(const char *directory, const char *name, const struct xvhost_net_backend **backend,
		      char text[ERROR_TEXT_MAX]);

/*
 * backends_load, _net - the backend of this file, which backends_find gives for its name from then on, even if one that is
 * built in has that name. For tools: a target string can't name a file. Returns 0, -ELIBBAD, -EEXIST (one of its
 * name is in use), and `text` as above. Before there is a control thread.
 */
int backends_load(const char *path, const struct xvhost_disk_backend **backend, char text[ERROR_TEXT_MAX]);
int backends_load_net(const char *path, const struct xvhost_net_backend **backend, char text[ERROR_TEXT_MAX]);

/* backends_each - the name of each backend of a kind: built-in ones, then those of the directory by the alphabet. */
void backends_each(enum backend_kind kind, const char *directory,
		   void (*each)(void *context, const char *name, bool built_in), void *context);

#endif
