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

#define LOADED_MAX 32	       /* different backends that one worker uses */
#define REQUEST_SIZE_MAX 4096u /* as backend.h says */

/* What was found before. Used by control threads only, of which a process may have several: see sim/host.c. */
static pthread_mutex_t known_lock = PTHREAD_MUTEX_INITIALIZER;
static const struct xvhost_disk_backend *known[LOADED_MAX];
static uint32_t known_count;

/* Bytes that each structure had in the first version of the ABI: no backend can have less. */
#define FIRST_TABLE_SIZE (offsetof(struct xvhost_disk_backend, io_done) + sizeof(void (*)(void)))
#define FIRST_PARAMETER_SIZE (offsetof(struct xvhost_parameter, help) + sizeof(const char *))

const struct xvhost_parameter *backends_parameter(const struct xvhost_disk_backend *backend, uint32_t number)
{
	const char *rows = (const char *)backend->parameters;

	return (const struct xvhost_parameter *)(const void *)(rows +
							       (size_t)number * backend->parameter_size);
}

/* missing_part - the name of what a table lacks, NULL if it has all. */
static const char *missing_part(const struct xvhost_disk_backend *table)
{
	if (!table->name || !table->name[0])
		return "name";
	if (!table->version)
		return "version";
	if (!table->description)
		return "description";
	if (!table->open)
		return "open";
	if (!table->close)
		return "close";
	if (!table->submit)
		return "submit";
	if (table->parameter_count > 0 &&
	    (!table->parameters || table->parameter_size < FIRST_PARAMETER_SIZE))
		return "parameters";
	return NULL;
}

/* wrong_wrapper - what is wrong with the parts that make a backend a wrapper; NULL if nothing is. */
static const char *wrong_wrapper(const struct xvhost_disk_backend *backend)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < backend->parameter_count; i++) {
		const struct xvhost_parameter *parameter = backends_parameter(backend, i);

		if (parameter->type != XVHOST_TARGET)
			continue;
		if (++count > 1)
			return "more than one parameter of type XVHOST_TARGET";
		if (!(parameter->flags & XVHOST_REQUIRED))
			return "a parameter of type XVHOST_TARGET without XVHOST_REQUIRED";
	}
	if (count > 0 && !backend->forwarded)
		return "a parameter of type XVHOST_TARGET, but no 'forwarded'";
	return NULL;
}

int backends_adopt(const struct xvhost_disk_backend *table, const char *origin,
		   const struct xvhost_disk_backend **backend, char text[ERROR_TEXT_MAX])
{
	struct xvhost_disk_backend *copy;
	const char *missing, *wrong;

	if (table->abi != XVHOST_BACKEND_ABI) {
		snprintf(text, ERROR_TEXT_MAX, "%s was built for backend ABI %u, this xvhost has ABI %u",
			 origin, table->abi, XVHOST_BACKEND_ABI);
		return -ELIBBAD;
	}
	if (table->size < FIRST_TABLE_SIZE) {
		snprintf(text, ERROR_TEXT_MAX, "%s has a backend table of %u bytes, ABI %u has at least %zu",
			 origin, table->size, XVHOST_BACKEND_ABI, FIRST_TABLE_SIZE);
		return -ELIBBAD;
	}
	missing = missing_part(table);
	if (missing) {
		snprintf(text, ERROR_TEXT_MAX, "%s lacks '%s' in its backend table", origin, missing);
		return -ELIBBAD;
	}
	if (table->request_size > REQUEST_SIZE_MAX) {
		snprintf(text, ERROR_TEXT_MAX, "%s asks for %u bytes for each request, at most %u are given",
			 origin, table->request_size, REQUEST_SIZE_MAX);
		return -ELIBBAD;
	}
	copy = calloc(1, sizeof(*copy));
	if (!copy) {
		snprintf(text, ERROR_TEXT_MAX, "%s: no memory", origin);
		return -ENOMEM;
	}
	memcpy(copy, table, table->size < sizeof(*copy) ? table->size : sizeof(*copy));
	copy->size = sizeof(*copy);
	wrong = wrong_wrapper(copy);
	if (wrong) {
		snprintf(text, ERROR_TEXT_MAX, "%s has %s in its backend table", origin, wrong);
		free(copy);
		return -ELIBBAD;
	}
	*backend = copy;
	return 0;
}

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

static bool is_built_in(const char *name)
{
	for (size_t i = 0; builtin_backends[i]; i++)
		if (strcmp(builtin_backends[i]()->name, name) == 0)
			return true;
	return false;
}

void backends_each(const char *directory, void (*each)(void *context, const char *name, bool built_in),
		   void *context)
{
	struct dirent **entries;
	int count;

	for (size_t i = 0; builtin_backends[i]; i++)
		each(context, builtin_backends[i]()->name, true);
	count = directory ? scandir(directory, &entries, is_module, alphasort) : -1;
	if (count < 0)
		return;
	for (int i = 0; i < count; i++) {
		*strrchr(entries[i]->d_name, '.') = '\0';
		if (!is_built_in(entries[i]->d_name))
			each(context, entries[i]->d_name, false);
		free(entries[i]);
	}
	free(entries);
}

/* list_backends - a sentence that says which there are. */
static void list_backends(const char *directory, const char *name, char text[ERROR_TEXT_MAX])
{
	struct name_list list = {.text = text, .separator = ""};

	snprintf(text, ERROR_TEXT_MAX, "no backend is called '%s'; there are: ", name);
	backends_each(directory, append_name, &list);
	if (list.separator[0] == '\0')
		snprintf(text, ERROR_TEXT_MAX, "no backend is called '%s'; none is built in, none is in %s",
			 name, directory ? directory : "a directory");
}

/* load - take a backend from its file, where it must be called `name`; NULL: whatever it is called. */
static int load(const char *path, const char *name, const struct xvhost_disk_backend **backend,
		char text[ERROR_TEXT_MAX])
{
	const struct xvhost_disk_backend *(*entry)(void);
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	int error = -ELIBBAD;

	if (!library) {
		/* What dlerror says begins with the path. */
		if (name)
			snprintf(text, ERROR_TEXT_MAX, "backend '%s' can't be loaded: %s", name, dlerror());
		else
			snprintf(text, ERROR_TEXT_MAX, "can't load %s", dlerror());
		return -ELIBBAD;
	}
	*(void **)&entry = dlsym(library, XVHOST_BACKEND_SYMBOL_NAME);
	if (!entry)
		snprintf(text, ERROR_TEXT_MAX, "%.300s is no backend: it has no %s (see XVHOST_DISK_BACKEND)",
			 path, XVHOST_BACKEND_SYMBOL_NAME);
	else
		error = backends_adopt(entry(), path, backend, text);
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
	if (error < 0)
		dlclose(library);
	else
		log_info("backend %s %s was loaded from %s", (*backend)->name, (*backend)->version, path);
	return error;
}

/* find_new - look among the built-in ones, then in the directory. */
static int find_new(const char *directory, const char *name, const struct xvhost_disk_backend **backend,
		    char text[ERROR_TEXT_MAX])
{
	char path[PATH_MAX];

	for (size_t i = 0; builtin_backends[i]; i++)
		if (strcmp(builtin_backends[i]()->name, name) == 0)
			return backends_adopt(builtin_backends[i](), name, backend, text);
	if (directory && snprintf(path, sizeof(path), "%s/%s.so", directory, name) < (int)sizeof(path) &&
	    access(path, F_OK) == 0)
		return load(path, name, backend, text);
	list_backends(directory, name, text);
	return -ENOENT;
}

/* find_known - one that was found before; NULL if it was not. Called with the lock held. */
static const struct xvhost_disk_backend *find_known(const char *name)
{
	for (uint32_t i = 0; i < known_count; i++)
		if (strcmp(known[i]->name, name) == 0)
			return known[i];
	return NULL;
}

/* find - see backends_find. The name is possible. Called with the lock held. */
static int find(const char *directory, const char *name, const struct xvhost_disk_backend **backend,
		char text[ERROR_TEXT_MAX])
{
	int error;

	*backend = find_known(name);
	if (*backend)
		return 0;
	if (known_count == LOADED_MAX) {
		snprintf(text, ERROR_TEXT_MAX,
			 "backend '%s' is one too many: a guest's disks can use %d different ones", name,
			 LOADED_MAX);
		return -ENOENT;
	}
	error = find_new(directory, name, backend, text);
	if (error == 0)
		known[known_count++] = *backend;
	return error;
}

int backends_find(const char *directory, const char *name, const struct xvhost_disk_backend **backend,
		  char text[ERROR_TEXT_MAX])
{
	int error;

	if (!name_is_possible(name)) {
		snprintf(text, ERROR_TEXT_MAX, "'%.64s' is no backend's name: %s", name, NAME_RULE);
		return -EINVAL;
	}
	pthread_mutex_lock(&known_lock);
	error = find(directory, name, backend, text);
	pthread_mutex_unlock(&known_lock);
	return error;
}

/* add_known - what was loaded from this file. Called with the lock held. */
static int add_known(const struct xvhost_disk_backend *backend, const char *path, char text[ERROR_TEXT_MAX])
{
	if (known_count == LOADED_MAX || find_known(backend->name)) {
		snprintf(text, ERROR_TEXT_MAX, "backend '%s' of %.300s is one too many: %s", backend->name,
			 path, known_count == LOADED_MAX ? "no more can be used" : "another has its name");
		return -EEXIST;
	}
	known[known_count++] = backend;
	return 0;
}

int backends_load(const char *path, const struct xvhost_disk_backend **backend, char text[ERROR_TEXT_MAX])
{
	int error;

	pthread_mutex_lock(&known_lock);
	error = load(path, NULL, backend, text);
	if (error == 0)
		error = add_known(*backend, path, text);
	pthread_mutex_unlock(&known_lock);
	return error;
}
