// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * foreignmemory.c - libxvhost-foreignmemory.so: preloaded, it lets programs of libxenforeignmemory map by the module xen_remap
 *
 * It has some functions of libxenforeignmemory, which the program then finds first. Each handle of the library's gets a
 * descriptor of /dev/xen/remap beside it. What can't be done by that is left to the library: everything where the device is
 * not there, domains that it does not map (DOMID_SELF, DOMID_XEN), frames that are being paged in.
 *
 * What restricts a handle, or all by xentoolcore, restricts our descriptor, too; else the program would keep a way to
 * other guests of which it does not know. If that fails, the call fails.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xenforeignmemory.h>
#include <xentoolcore.h>

#include "xvhost/remap.h"

#define PAGE_BYTES 4096u
#define HANDLES_MAX 32 /* further handles are the library's alone */
#define EXPORTED __attribute__((visibility("default")))

/* A handle of the library's, and the descriptor beside it. */
struct accelerated {
	xenforeignmemory_handle *handle; /* NULL: the entry is free */
	int device;
};

static struct accelerated handles[HANDLES_MAX];
#define OPENING ((xenforeignmemory_handle *)handles) /* no handle has this address */
static pthread_mutex_t handles_lock = PTHREAD_MUTEX_INITIALIZER;

/*
 * find - writes to *function where the library's function of this name is. It was called, so the library is loaded; but
 * not among what the program was linked with, if a module of the program has brought it.
 */
static void find(void *function, const char *library, const char *name)
{
	void *found = dlsym(RTLD_NEXT, name), *loaded;

	if (!found) {
		loaded = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
		found = loaded ? dlsym(loaded, name) : NULL;
	}
	if (!found)
		abort();
	memcpy(function, &found, sizeof(found));
}

#define FIND(variable, name)                                                                                 \
	__typeof__(name) *variable;                                                                          \
	find(&(variable), "libxenforeignmemory.so.1", #name)

/* ---- handles ---- */

/* entry_of - the entry with this handle, or a free one for NULL; NULL if there is none. The table is locked. */
static struct accelerated *entry_of(const xenforeignmemory_handle *handle)
{
	for (int i = 0; i < HANDLES_MAX; i++)
		if (handles[i].handle == handle)
			return &handles[i];
	return NULL;
}

/* device_of - the descriptor beside this handle, or -1. */
static int device_of(const xenforeignmemory_handle *handle)
{
	const struct accelerated *entry;
	int device;

	pthread_mutex_lock(&handles_lock);
	entry = handle ? entry_of(handle) : NULL;
	device = entry ? entry->device : -1;
	pthread_mutex_unlock(&handles_lock);
	return device;
}

/* add_device - an entry with a descriptor, before there is a handle: what restricts all must not miss it. NULL: no acceleration. */
static struct accelerated *add_device(void)
{
	int device = open(XVHOST_REMAP_PATH, O_RDWR | O_CLOEXEC);
	struct accelerated *entry;

	if (device < 0)
		return NULL;
	pthread_mutex_lock(&handles_lock);
	entry = entry_of(NULL);
	if (entry)
		*entry = (struct accelerated){.handle = OPENING, .device = device};
	pthread_mutex_unlock(&handles_lock);
	if (!entry)
		close(device);
	return entry;
}

EXPORTED xenforeignmemory_handle *xenforeignmemory_open(struct xentoollog_logger *logger, unsigned flags)
{
	FIND(library, xenforeignmemory_open);
	struct accelerated *entry = add_device();
	xenforeignmemory_handle *handle = library(logger, flags);
	int error = errno;

	if (!entry)
		return handle;
	pthread_mutex_lock(&handles_lock);
	if (!handle)
		close(entry->device);
	entry->handle = handle;
	pthread_mutex_unlock(&handles_lock);
	errno = error;
	return handle;
}

/* What is mapped stays, as with the library. */
EXPORTED int xenforeignmemory_close(xenforeignmemory_handle *handle)
{
	FIND(library, xenforeignmemory_close);
	struct accelerated *entry;

	pthread_mutex_lock(&handles_lock);
	entry = handle ? entry_of(handle) : NULL;
	if (entry) {
		close(entry->device);
		entry->handle = NULL;
	}
	pthread_mutex_unlock(&handles_lock);
	return library(handle);
}

/* ---- restrictions ---- */

static int restrict_device(int device, domid_t domain)
{
	struct xvhost_remap_restriction restriction = {.domain = domain};

	return ioctl(device, XVHOST_REMAP_RESTRICT, &restriction);
}

EXPORTED int xenforeignmemory_restrict(xenforeignmemory_handle *handle, domid_t domain)
{
	FIND(library, xenforeignmemory_restrict);
	int device = device_of(handle);

	/* The library first: what it refuses, it refuses with its own error. */
	if (library(handle, domain) < 0)
		return -1;
	return device >= 0 ? restrict_device(device, domain) : 0;
}

EXPORTED int xentoolcore_restrict_all(domid_t domain)
{
	__typeof__(xentoolcore_restrict_all) *library;
	int result = 0;

	find(&library, "libxentoolcore.so.1", "xentoolcore_restrict_all");
	pthread_mutex_lock(&handles_lock);
	for (int i = 0; i < HANDLES_MAX && result == 0; i++)
		if (handles[i].handle)
			result = restrict_device(handles[i].device, domain);
	pthread_mutex_unlock(&handles_lock);
	return result < 0 ? result : library(domain);
}

/* ---- map ---- */

/* worst_error - of a list: -ENOENT, which asks to try again, before others; 0 if all frames are mapped. */
static int worst_error(const int *errors, size_t pages)
{
	int worst = 0;

	for (size_t i = 0; i < pages && worst != -ENOENT; i++)
		if (errors[i] == -ENOENT || worst == 0)
			worst = errors[i];
	return worst;
}

/* map_list - what there was to say of frames is in errors. Returns NULL if this is something for the library. */
static void *map_list(int device, uint32_t domain, void *address, int protection, int flags, size_t pages,
		      const xen_pfn_t *frames, int *errors)
{
	void *mapped = mmap(address, pages * PAGE_BYTES, protection, flags | MAP_SHARED, device, 0);
	struct xvhost_remap_run run = {.address = (uintptr_t)mapped, .pages = pages};
	struct xvhost_remap_list list = {.domain = domain,
					 .run_count = 1,
					 .runs = (uintptr_t)&run,
					 .frames = (uintptr_t)frames,
					 .errors = (uintptr_t)errors};

	if (mapped == MAP_FAILED)
		return NULL;
	if (ioctl(device, XVHOST_REMAP_MAP_LIST, &list) == 0 &&
	    (list.failed == 0 || worst_error(errors, pages) != -ENOENT))
		return mapped;
	/* The library replaces what is at addresses that were asked for. If they were free, another thread could get them first. */
	if (!(flags & MAP_FIXED))
		munmap(mapped, pages * PAGE_BYTES);
	return NULL;
}

EXPORTED void *xenforeignmemory_map2(xenforeignmemory_handle *handle, uint32_t domain, void *address,
				     int protection, int flags, size_t pages, const xen_pfn_t frames[],
				     int errors[])
{
	int device = device_of(handle), error;
	int *noted = errors || device < 0 ? errors : malloc(pages * sizeof(*noted));
	void *mapped = NULL;

	if (device >= 0 && noted)
		mapped = map_list(device, domain, address, protection, flags, pages, frames, noted);
	/* Who does not want to hear of errors wants all or nothing. */
	error = mapped && !errors ? worst_error(noted, pages) : 0;
	if (!errors)
		free(noted);
	if (error < 0) {
		munmap(mapped, pages * PAGE_BYTES);
		errno = -error;
		return NULL;
	}
	if (!mapped) {
		FIND(library, xenforeignmemory_map2);

		mapped = library(handle, domain, address, protection, flags, pages, frames, errors);
	}
	return mapped;
}

EXPORTED void *xenforeignmemory_map(xenforeignmemory_handle *handle, uint32_t domain, int protection,
				    size_t pages, const xen_pfn_t frames[], int errors[])
{
	return xenforeignmemory_map2(handle, domain, NULL, protection, 0, pages, frames, errors);
}

/*
 * The device refuses what is not mapped by it, so there is no need to remember what is. Addresses in the midst of a
 * mapping can't be given back alone: they go with the rest, and fault from now on.
 */
EXPORTED int xenforeignmemory_unmap(xenforeignmemory_handle *handle, void *address, size_t pages)
{
	struct xvhost_remap_run run = {.address = (uintptr_t)address, .pages = pages};
	struct xvhost_remap_list list = {.run_count = 1, .runs = (uintptr_t)&run};
	int device = device_of(handle);

	if (device >= 0 && ioctl(device, XVHOST_REMAP_UNMAP_LIST, &list) == 0) {
		munmap(address, pages * PAGE_BYTES);
		return 0;
	}

	FIND(library, xenforeignmemory_unmap);
	return library(handle, address, pages);
}
