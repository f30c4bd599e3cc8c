// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backends.c - the backends that there are: built in, and in one directory
 */
#include "worker/backends.h"

#include <assert.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

#define LOADED_MAX 32 /* different backends of each kind that one worker uses */

static const struct backend_head *builtin_disk(size_t number)
{
	return builtin_backends[number] ? head_of_disk(builtin_backends[number]()) : NULL;
}

static const struct backend_head *builtin_net(size_t number)
{
	return builtin_net_backends[number] ? head_of_net(builtin_net_backends[number]()) : NULL;
}

/* The backends of one kind. What was found before is used by control threads only, of which a process may have several: see
 * sim/host.c. */
static struct backends {
	const char *noun, *devices; /* for messages */
	const char *folder;	    /* of the loadable ones, below their directory */
	const char *symbol, *macro; /* what their files have, and what makes it */
	const struct backend_head *(*builtin)(size_t number); /* NULL: no more */
	const struct backend_head *known[LOADED_MAX];
	uint32_t known_count;
} kinds[BACKEND_KINDS] = {
	[BACKEND_DISK] = {.noun = "backend",
			  .devices = "disks",
			  .folder = "",
			  .symbol = XVHOST_BACKEND_SYMBOL_NAME,
			  .macro = "XVHOST_DISK_BACKEND",
			  .builtin = builtin_disk},
	[BACKEND_NET] = {.noun = "net backend",
			 .devices = "network cards",
			 .folder = "/net",
			 .symbol = XVHOST_NET_BACKEND_SYMBOL_NAME,
			 .macro = "XVHOST_NET_BACKEND",
			 .builtin = builtin_net},
};
static pthread_mutex_t known_lock = PTHREAD_MUTEX_INITIALIZER;

#define NAME_RULE "one has 1 to 31 lower case letters, digits and '-'"
static_assert(BACKEND_NAME_MAX == 32, "NAME_RULE");

/* name_is_possible - lower case letters, digits and '-': nothing that leads out of a directory. */
static bool name_is_possible(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return length > 0 && name[length] == '\0' && length < BACKEND_NAME_MAX;
}

/* What is gathered for a sentence that names all backends. */
struct name_list {
	char *text; /* ERROR_TEXT_MAX bytes */
	const char *separator;
};

static void append_name(void *context, const char *name, bool built_in)
{
	struct name_list *list = context;
	size_t used = strlen(list->text);

	(void)built_in;
	snprintf(list->text + used, ERROR_TEXT_MAX - used, "%s%s", list->separator, name);
	list->separator = ", ";
}

/* is_module - a loadable backend's file, by its name. */
static int is_module(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return length > 3 && length - 3 < BACKEND_NAME_MAX && strcmp(entry->d_name + length - 3, ".so") == 0;
}

/* find_built_in - by name; NULL if there is none. */
static const struct backend_head *find_built_in(enum backend_kind kind, const char *name)
{
	const struct backend_head *backend;

	for (size_t i = 0; (backend = kinds[kind].builtin(i)); i++)
		if (strcmp(backend->name, name) == 0)
			return backend;
	return NULL;
}

void backends_each(enum backend_kind kind, const char *directory,
		   void (*each)(void *context, const char *name, bool built_in), void *context)
{
	const struct backend_head *backend;
	struct dirent **entries;
	char folder[PATH_MAX];
	int count = -1;

	for (size_t i = 0; (backend = kinds[kind].builtin(i)); i++)
		each(context, backend->name, true);
	if (directory && snprintf(folder, sizeof(folder), "%s%s", directory, kinds[kind].folder) < PATH_MAX)
		count = scandir(folder, &entries, is_module, alphasort);
	if (count < 0)
		return;
	for (int i = 0; i < count; i++) {
		*strrchr(entries[i]->d_name, '.') = '\0';
		if (!find_built_in(kind, entries[i]->d_name))
			each(context, entries[i]->d_name, false);
		free(entries[i]);
	}
	free(entries);
}

/* other_kind - who is refused may have taken one for the other. */
static enum backend_kind other_kind(enum backend_kind kind)
{
	return kind == BACKEND_DISK ? BACKEND_NET : BACKEND_DISK;
}

/* has_file - is there one to be loaded in the directory? Its path is in `path` then. */
static bool has_file(enum backend_kind kind, const char *directory, const char *name, char path[PATH_MAX])
{
	return directory &&
	       snprintf(path, PATH_MAX, "%s%s/%s.so", directory, kinds[kind].folder, name) < PATH_MAX &&
	       access(path, F_OK) == 0;
}

/* list_backends - a sentence that says which there are. */
static void list_backends(enum backend_kind kind, const char *directory, const char *name,
			  char text[ERROR_TEXT_MAX])
{
	struct name_list list = {.text = text, .separator = ""};
	enum backend_kind other = other_kind(kind);
	char path[PATH_MAX];

	if (find_built_in(other, name) || has_file(other, directory, name, path))
		snprintf(text, ERROR_TEXT_MAX,
			 "no %s is called '%s', but one of %s is; there are: ", kinds[kind].noun, name,
			 kinds[other].devices);
	else
		snprintf(text, ERROR_TEXT_MAX, "no %s is called '%s'; there are: ", kinds[kind].noun, name);
	backends_each(kind, directory, append_name, &list);
	if (list.separator[0] == '\0')
		snprintf(text, ERROR_TEXT_MAX, "no %s is called '%s'; none is built in, none is in %s%s",
			 kinds[kind].noun, name, directory ? directory : "a directory",
			 directory ? kinds[kind].folder : "");
}

/* load - take a backend from its file, where it must be called `name`; NULL: whatever it is called. */
static int load(enum backend_kind kind, const char *path, const char *name,
		const struct backend_head **backend, char text[ERROR_TEXT_MAX])
{
	const struct backends *its = &kinds[kind], *other = &kinds[other_kind(kind)];
	const struct backend_head *(*entry)(void);
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	int error = -ELIBBAD;
	bool is_other;

	if (!library) {
		/* What dlerror says begins with the path. */
		if (name)
			snprintf(text, ERROR_TEXT_MAX, "%s '%s' can't be loaded: %s", its->noun, name,
				 dlerror());
		else
			snprintf(text, ERROR_TEXT_MAX, "can't load %s", dlerror());
		return -ELIBBAD;
	}
	*(void **)&entry = dlsym(library, its->symbol);
	is_other = dlsym(library, other->symbol);
	if (!entry)
		snprintf(text, ERROR_TEXT_MAX, "%.300s is no %s: it has no %s (see %s)%s%s", path, its->noun,
			 its->symbol, its->macro, is_other ? ", but is one of " : "",
			 is_other ? other->devices : "");
	else
		error = backend_table_adopt(kind, entry(), path, backend, text);
	if (error == 0 && name && strcmp((*backend)->name, name) != 0) {
		snprintf(text, ERROR_TEXT_MAX, "%.300s holds a backend that is called '%.64s'", path,
			 (*backend)->name);
		error = -ELIBBAD;
	}
	if (error == 0 && !name_is_possible((*backend)->name)) {
		snprintf(text, ERROR_TEXT_MAX, "%.300s holds a backend that is called '%.64s': %s", path,
			 (*backend)->name, NAME_RULE);
		error = -ELIBBAD;
	}
	if (error < 0) {
		/* The copy points into the library. */
		free((void *)(uintptr_t)*backend);
		*backend = NULL;
		dlclose(library);
	} else {
		log_info("%s %s %s was loaded from %s", its->noun, (*backend)->name, (*backend)->version,
			 path);
	}
	return error;
}

/* find_new - look among the built-in ones, then in the directory. */
static int find_new(enum backend_kind kind, const char *directory, const char *name,
		    const struct backend_head **backend, char text[ERROR_TEXT_MAX])
{
	const struct backend_head *built_in = find_built_in(kind, name);
	char path[PATH_MAX];

	if (built_in)
		return backend_table_adopt(kind, built_in, name, backend, text);
	if (has_file(kind, directory, name, path))
		return load(kind, path, name, backend, text);
	list_backends(kind, directory, name, text);
	return -ENOENT;
}

/* find_known - one that was found before; NULL if it was not. Called with the lock held. */
static const struct backend_head *find_known(enum backend_kind kind, const char *name)
{
	for (uint32_t i = 0; i < kinds[kind].known_count; i++)
		if (strcmp(kinds[kind].known[i]->name, name) == 0)
			return kinds[kind].known[i];
	return NULL;
}

/* find_or_load - see find. The name is possible. Called with the lock held. */
static int find_or_load(enum backend_kind kind, const char *directory, const char *name,
			const struct backend_head **backend, char text[ERROR_TEXT_MAX])
{
	struct backends *its = &kinds[kind];
	int error;

	*backend = find_known(kind, name);
	if (*backend)
		return 0;
	if (its->known_count == LOADED_MAX) {
		snprintf(text, ERROR_TEXT_MAX,
			 "%s '%s' is one too many: a guest's %s can use %d different ones", its->noun, name,
			 its->devices, LOADED_MAX);
		return -ENOENT;
	}
	error = find_new(kind, directory, name, backend, text);
	if (error == 0)
		its->known[its->known_count++] = *backend;
	return error;
}

/* find - see backends_find. */
static int find(enum backend_kind kind, const char *directory, const char *name,
		const struct backend_head **backend, char text[ERROR_TEXT_MAX])
{
	int error;

	if (!name_is_possible(name)) {
		snprintf(text, ERROR_TEXT_MAX, "'%.64s' is no backend's name: %s", name, NAME_RULE);
		return -EINVAL;
	}
	pthread_mutex_lock(&known_lock);
	error = find_or_load(kind, directory, name, backend, text);
	pthread_mutex_unlock(&known_lock);
	return error;
}

int backends_find(const char *directory, const char *name, const struct xvhost_disk_backend **backend,
		  char text[ERROR_TEXT_MAX])
{
	const struct backend_head *found = NULL;
	int error = find(BACKEND_DISK, directory, name, &found, text);

	*backend = disk_of_head(found);
	return error;
}

int backends_find_net(const char *directory, const char *name, const struct xvhost_net_backend **backend,
		      char text[ERROR_TEXT_MAX])
{
	const struct backend_head *found = NULL;
	int error = find(BACKEND_NET, directory, name, &found, text);

	*backend = net_of_head(found);
	return error;
}

/* add_known - what was loaded from this file. Called with the lock held. */
static int add_known(enum backend_kind kind, const struct backend_head *backend, const char *path,
		     char text[ERROR_TEXT_MAX])
{
	struct backends *its = &kinds[kind];

	if (its->known_count == LOADED_MAX || find_known(kind, backend->name)) {
		snprintf(text, ERROR_TEXT_MAX, "%s '%s' of %.300s is one too many: %s", its->noun,
			 backend->name, path,
			 its->known_count == LOADED_MAX ? "no more can be used" : "another has its name");
		return -EEXIST;
	}
	its->known[its->known_count++] = backend;
	return 0;
}

/* load_and_add - see backends_load. */
static int load_and_add(enum backend_kind kind, const char *path, const struct backend_head **backend,
			char text[ERROR_TEXT_MAX])
{
	int error;

	*backend = NULL;
	pthread_mutex_lock(&known_lock);
	error = load(kind, path, NULL, backend, text);
	if (error == 0)
		error = add_known(kind, *backend, path, text);
	pthread_mutex_unlock(&known_lock);
	return error;
}

int backends_load(const char *path, const struct xvhost_disk_backend **backend, char text[ERROR_TEXT_MAX])
{
	const struct backend_head *loaded;
	int error = load_and_add(BACKEND_DISK, path, &loaded, text);

	*backend = disk_of_head(loaded);
	return error;
}

int backends_load_net(const char *path, const struct xvhost_net_backend **backend, char text[ERROR_TEXT_MAX])
{
	const struct backend_head *loaded;
	int error = load_and_add(BACKEND_NET, path, &loaded, text);

	*backend = net_of_head(loaded);
	return error;
}
