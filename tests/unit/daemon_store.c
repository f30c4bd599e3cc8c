// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * daemon_store.c - a simulated xenstore for tests of xvhostd's parts, that can be told to fail
 */
#include "daemon_store.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/xenstore.h"

#define VALUES_KEPT 8

static struct sim_store *store;
static struct xenstore *toolstack;
static uint16_t host_domid;
static unsigned conflicts;
static int read_error, write_error, watch_error, unwatch_error;
static const char *read_error_of; /* NULL: of any node */
static unsigned clean_ups[8];	  /* by domain */
static unsigned reads;

/* ---- xvhostd's side ---- */

static int open_store(const struct platform *platform, struct xenstore **xenstore)
{
	(void)platform;
	return sim_store_connect(store, host_domid, xenstore);
}

static char *read_node(struct xenstore *xenstore, uint32_t transaction, const char *path)
{
	const char *name = strrchr(path, '/');

	reads++;
	if (read_error == 0 ||
	    (read_error_of != NULL && strcmp(name != NULL ? name + 1 : path, read_error_of) != 0))
		return sim_xenstore_read(xenstore, transaction, path);
	errno = read_error;
	return NULL;
}

static int write_node(struct xenstore *xenstore, uint32_t transaction, const char *path, const char *value)
{
	return write_error != 0 ? -write_error : sim_xenstore_write(xenstore, transaction, path, value);
}

static int end_transaction(struct xenstore *xenstore, uint32_t transaction, bool abort)
{
	if (abort || conflicts == 0)
		return sim_xenstore_transaction_end(xenstore, transaction, abort);
	conflicts--;
	sim_xenstore_transaction_end(xenstore, transaction, true);
	return -EAGAIN;
}

static int add_watch(struct xenstore *xenstore, const char *path, const char *token)
{
	return watch_error != 0 ? -watch_error : sim_xenstore_watch(xenstore, path, token);
}

static int remove_watch(struct xenstore *xenstore, const char *path, const char *token)
{
	return unwatch_error != 0 ? -unwatch_error : sim_xenstore_unwatch(xenstore, path, token);
}

static int clean_up(const struct platform *platform, uint16_t domid)
{
	(void)platform;
	if (domid < sizeof(clean_ups) / sizeof(clean_ups[0]))
		clean_ups[domid]++;
	return 0;
}

const struct platform daemon_store_platform = {
	.name = "xenstore for tests",
	.device_model_clean_up = clean_up,
	.xenstore_open = open_store,
	.xenstore_close = sim_xenstore_close,
	.xenstore_read = read_node,
	.xenstore_write = write_node,
	.xenstore_remove = sim_xenstore_remove,
	.xenstore_directory = sim_xenstore_directory,
	.xenstore_transaction_start = sim_xenstore_transaction_start,
	.xenstore_transaction_end = end_transaction,
	.xenstore_watch = add_watch,
	.xenstore_unwatch = remove_watch,
	.xenstore_fd = sim_xenstore_fd,
	.xenstore_next_watch = sim_xenstore_next_watch,
};

/* ---- the toolstack's side ---- */

/* absolute - the path as the toolstack's connection must have it. */
static const char *absolute(const char *path)
{
	static char text[XENSTORE_PATH_MAX];

	if (path[0] == '/')
		return path;
	snprintf(text, sizeof(text), "/local/domain/%u/%s", host_domid, path);
	return text;
}

/* give_directory - make a device's directory if it isn't there: `owner`'s, to be read by `reader`. */
static void give_directory(const char *path, uint16_t owner, uint16_t reader)
{
	const struct sim_permission permissions[] = {{owner, SIM_MAY_NOTHING}, {reader, SIM_MAY_READ}};
	char *value = sim_xenstore_read(toolstack, 0, path);

	if (value == NULL) {
		assert(sim_xenstore_make_directory(toolstack, 0, path) == 0);
		assert(sim_xenstore_set_permissions(toolstack, 0, path, permissions, 2) == 0);
	}
	free(value);
}

/* prepare_device - as prepare, of a device of that kind, "vbd" or "vif". */
static void prepare_device(const char *path, const char *kind)
{
	char device[XENSTORE_PATH_MAX], backend[64], frontend[64];
	unsigned domid, id;
	int used = 0;

	snprintf(backend, sizeof(backend), "/local/domain/%u/backend/%s/", host_domid, kind);
	snprintf(frontend, sizeof(frontend), "/local/domain/%%u/device/%s/%%u%%n", kind);
	if (strncmp(path, backend, strlen(backend)) == 0 &&
	    sscanf(path + strlen(backend), "%u/%u%n", &domid, &id, &used) == 2 && used > 0) {
		snprintf(device, sizeof(device), "%s%u/%u", backend, domid, id);
		give_directory(device, host_domid, (uint16_t)domid);
	} else if (sscanf(path, frontend, &domid, &id, &used) == 2 && used > 0) {
		snprintf(device, sizeof(device), "/local/domain/%u/device/%s/%u", domid, kind, id);
		give_directory(device, (uint16_t)domid, host_domid);
	}
}

/* prepare - see daemon_store_set. */
static void prepare(const char *path)
{
	prepare_device(path, "vbd");
	prepare_device(path, "vif");
}

void daemon_store_start(uint16_t domid)
{
	if (store != NULL) {
		sim_xenstore_close(toolstack);
		sim_store_destroy(store);
	}
	store = sim_store_create();
	assert(store != NULL && sim_store_connect(store, 0, &toolstack) == 0);
	host_domid = domid;
	conflicts = 0;
	read_error = write_error = watch_error = unwatch_error = 0;
	read_error_of = NULL;
	memset(clean_ups, 0, sizeof(clean_ups));
	if (domid != 0)
		sim_store_introduce(store, domid);
}

void daemon_store_set(const char *path, const char *value)
{
	prepare(absolute(path));
	assert(sim_xenstore_write(toolstack, 0, absolute(path), value) == 0);
}

void daemon_store_unset(const char *path)
{
	int error = sim_xenstore_remove(toolstack, 0, absolute(path));

	assert(error == 0 || error == -ENOENT);
}

const char *daemon_store_get(const char *path)
{
	static char *values[VALUES_KEPT];
	static unsigned next;
	char **value = &values[next++ % VALUES_KEPT];

	free(*value);
	*value = sim_xenstore_read(toolstack, 0, absolute(path));
	return *value;
}

unsigned daemon_store_nodes(void)
{
	return sim_store_nodes(store);
}

unsigned daemon_store_watches(void)
{
	return sim_store_watches(store);
}

unsigned daemon_store_reads(void)
{
	return reads;
}

void daemon_store_conflict(unsigned count)
{
	conflicts = count;
}

void daemon_store_fail_reads(int error)
{
	daemon_store_fail_reads_of(NULL, error);
}

void daemon_store_fail_reads_of(const char *name, int error)
{
	read_error_of = name;
	read_error = error;
}

void daemon_store_fail_writes(int error)
{
	write_error = error;
}

void daemon_store_fail_watches(int error)
{
	watch_error = error;
}

void daemon_store_fail_unwatches(int error)
{
	unwatch_error = error;
}

unsigned daemon_store_clean_ups(uint16_t domid)
{
	return clean_ups[domid];
}
