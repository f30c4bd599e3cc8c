// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fake_xenstore.c - a xenstore in this process, for tests of what uses it through struct platform
 *
 * The store is an array of absolute paths and values. A transaction works on a copy; it can be committed if
 * nothing was changed meanwhile, which is stricter than xenstored is.
 */
#include "fake_xenstore.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define NODES_MAX 256
#define WATCHES_MAX 32
#define EVENTS_MAX 1024

struct node {
	char path[XENSTORE_PATH_MAX];
	char value[XENSTORE_VALUE_MAX];
};

struct store {
	struct node node[NODES_MAX];
	unsigned count;
	unsigned generation;
};

struct watch {
	char path[XENSTORE_PATH_MAX]; /* absolute */
	char token[XENSTORE_PATH_MAX];
	bool relative;
	bool used;
};

struct event {
	char path[XENSTORE_PATH_MAX];
	char token[XENSTORE_PATH_MAX];
};

struct xenstore {
	char home[XENSTORE_PATH_MAX]; /* "/local/domain/0" */
	struct store now;
	struct store *transaction;		    /* NULL: none */
	char changed[NODES_MAX][XENSTORE_PATH_MAX]; /* by the transaction */
	unsigned changed_count;
	struct watch watch[WATCHES_MAX];
	struct event event[EVENTS_MAX];
	unsigned event_count;
	int fd;
	unsigned conflicts;
	int read_error, write_error, watch_error;
};

static struct xenstore *fake;

/* absolute - the path as the store has it. */
static void absolute(const char *path, char result[XENSTORE_PATH_MAX])
{
	int length = path[0] == '/' ? snprintf(result, XENSTORE_PATH_MAX, "%s", path)
				    : snprintf(result, XENSTORE_PATH_MAX, "%s/%s", fake->home, path);

	assert(length < XENSTORE_PATH_MAX);
}

/* is_below - `path` is `top` or below it. */
static bool is_below(const char *path, const char *top)
{
	size_t length = strlen(top);

	return strncmp(path, top, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static void ring(void)
{
	uint64_t one = 1;

	assert(write(fake->fd, &one, sizeof(one)) == sizeof(one));
}

/* add_event - queue a fired watch; `path` is absolute. */
static void add_event(const struct watch *watch, const char *path)
{
	struct event *event = &fake->event[fake->event_count];

	if (fake->event_count == EVENTS_MAX)
		return;
	fake->event_count++;
	snprintf(event->path, sizeof(event->path), "%s",
		 watch->relative ? path + strlen(fake->home) + 1 : path);
	snprintf(event->token, sizeof(event->token), "%s", watch->token);
	ring();
}

/* fire - the watches that see a change of this node or, if it was removed, of what was below it. */
static void fire(const char *path)
{
	for (unsigned i = 0; i < WATCHES_MAX; i++) {
		const struct watch *watch = &fake->watch[i];

		if (watch->used && is_below(path, watch->path))
			add_event(watch, path);
		else if (watch->used && is_below(watch->path, path))
			add_event(watch, watch->path);
	}
}

static struct node *find(struct store *store, const char *path)
{
	for (unsigned i = 0; i < store->count; i++)
		if (strcmp(store->node[i].path, path) == 0)
			return &store->node[i];
	return NULL;
}

/* put - write a node and make its parents. */
static void put(struct store *store, const char *path, const char *value)
{
	char parent[XENSTORE_PATH_MAX];
	struct node *node = find(store, path);

	if (node == NULL) {
		snprintf(parent, sizeof(parent), "%s", path);
		*strrchr(parent, '/') = '\0';
		if (parent[0] != '\0' && find(store, parent) == NULL)
			put(store, parent, "");
		assert(store->count < NODES_MAX);
		node = &store->node[store->count++];
		snprintf(node->path, sizeof(node->path), "%s", path);
	}
	snprintf(node->value, sizeof(node->value), "%s", value);
	store->generation++;
}

/* drop - remove a node and all below it; false if there is none. */
static bool drop(struct store *store, const char *path)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < store->count; i++)
		if (!is_below(store->node[i].path, path))
			store->node[kept++] = store->node[i];
	if (kept == store->count)
		return false;
	store->count = kept;
	store->generation++;
	return true;
}

/* store_of - what a call with this transaction works on. */
static struct store *store_of(uint32_t transaction)
{
	assert(transaction == 0 || (transaction == 1 && fake->transaction != NULL));
	return transaction == 0 ? &fake->now : fake->transaction;
}

/* note_change - fire the watches, or remember to when the transaction ends. */
static void note_change(uint32_t transaction, const char *path)
{
	if (transaction == 0) {
		fire(path);
		return;
	}
	assert(fake->changed_count < NODES_MAX);
	snprintf(fake->changed[fake->changed_count++], XENSTORE_PATH_MAX, "%s", path);
}

/*
 * ---- struct platform ------------------------------------------------------------------------------------
 */

static int fake_open(const struct platform *platform, struct xenstore **xenstore)
{
	(void)platform;
	assert(fake != NULL);
	*xenstore = fake;
	return 0;
}

static void fake_close(struct xenstore *xenstore)
{
	assert(xenstore == fake && fake->transaction == NULL);
	fake->event_count = 0;
}

static char *fake_read(struct xenstore *xenstore, uint32_t transaction, const char *path)
{
	char full[XENSTORE_PATH_MAX];
	struct node *node;

	assert(xenstore == fake);
	absolute(path, full);
	node = find(store_of(transaction), full);
	errno = fake->read_error != 0 ? fake->read_error : ENOENT;
	return node != NULL && fake->read_error == 0 ? strdup(node->value) : NULL;
}

static int fake_write(struct xenstore *xenstore, uint32_t transaction, const char *path, const char *value)
{
	char full[XENSTORE_PATH_MAX];

	assert(xenstore == fake);
	if (fake->write_error != 0)
		return -fake->write_error;
	absolute(path, full);
	put(store_of(transaction), full, value);
	note_change(transaction, full);
	return 0;
}

static int fake_remove(struct xenstore *xenstore, uint32_t transaction, const char *path)
{
	char full[XENSTORE_PATH_MAX];

	assert(xenstore == fake);
	absolute(path, full);
	if (!drop(store_of(transaction), full))
		return -ENOENT;
	note_change(transaction, full);
	return 0;
}

static char **fake_directory(struct xenstore *xenstore, uint32_t transaction, const char *path,
			     unsigned *count)
{
	struct store *store = store_of(transaction);
	char full[XENSTORE_PATH_MAX];
	char **names, *text;

	assert(xenstore == fake);
	absolute(path, full);
	*count = 0;
	if (find(store, full) == NULL) {
		errno = ENOENT;
		return NULL;
	}
	names = malloc(NODES_MAX * (sizeof(*names) + XENSTORE_PATH_MAX));
	assert(names != NULL);
	text = (char *)(names + NODES_MAX);
	for (unsigned i = 0; i < store->count; i++) {
		const char *child = store->node[i].path + strlen(full);

		if (!is_below(store->node[i].path, full) || *child == '\0' || strchr(child + 1, '/') != NULL)
			continue;
		names[(*count)++] = strcpy(text, child + 1);
		text += strlen(text) + 1;
	}
	return names;
}

static uint32_t fake_transaction_start(struct xenstore *xenstore)
{
	assert(xenstore == fake && fake->transaction == NULL);
	fake->transaction = malloc(sizeof(*fake->transaction));
	assert(fake->transaction != NULL);
	*fake->transaction = fake->now;
	fake->transaction->generation = 0;
	fake->changed_count = 0;
	return 1;
}

static int fake_transaction_end(struct xenstore *xenstore, uint32_t transaction, bool abort)
{
	unsigned generation = fake->now.generation;

	assert(xenstore == fake && transaction == 1 && fake->transaction != NULL);
	if (!abort && fake->conflicts == 0) {
		fake->now = *fake->transaction;
		fake->now.generation = generation + 1;
	}
	free(fake->transaction);
	fake->transaction = NULL;
	if (abort)
		return 0;
	if (fake->conflicts > 0) {
		fake->conflicts--;
		return -EAGAIN;
	}
	for (unsigned i = 0; i < fake->changed_count; i++)
		fire(fake->changed[i]);
	return 0;
}

static int fake_watch(struct xenstore *xenstore, const char *path, const char *token)
{
	assert(xenstore == fake);
	if (fake->watch_error != 0)
		return -fake->watch_error;
	for (unsigned i = 0; i < WATCHES_MAX; i++) {
		struct watch *watch = &fake->watch[i];

		if (watch->used)
			continue;
		absolute(path, watch->path);
		snprintf(watch->token, sizeof(watch->token), "%s", token);
		watch->relative = path[0] != '/';
		watch->used = true;
		add_event(watch, watch->path);
		return 0;
	}
	return -E2BIG;
}

static int fake_unwatch(struct xenstore *xenstore, const char *path, const char *token)
{
	char full[XENSTORE_PATH_MAX];

	assert(xenstore == fake);
	absolute(path, full);
	for (unsigned i = 0; i < WATCHES_MAX; i++) {
		struct watch *watch = &fake->watch[i];

		if (watch->used && strcmp(watch->path, full) == 0 && strcmp(watch->token, token) == 0) {
			watch->used = false;
			return 0;
		}
	}
	return -ENOENT;
}

static int fake_fd(struct xenstore *xenstore)
{
	return xenstore->fd;
}

static bool fake_next_watch(struct xenstore *xenstore, char *path, size_t path_size, char *token,
			    size_t token_size)
{
	uint64_t rung;

	if (xenstore->event_count == 0) {
		while (read(xenstore->fd, &rung, sizeof(rung)) > 0)
			;
		return false;
	}
	snprintf(path, path_size, "%s", xenstore->event[0].path);
	snprintf(token, token_size, "%s", xenstore->event[0].token);
	xenstore->event_count--;
	memmove(xenstore->event, xenstore->event + 1, xenstore->event_count * sizeof(xenstore->event[0]));
	return true;
}

const struct platform platform_fake_xenstore = {
	.name = "fake xenstore",
	.xenstore_open = fake_open,
	.xenstore_close = fake_close,
	.xenstore_read = fake_read,
	.xenstore_write = fake_write,
	.xenstore_remove = fake_remove,
	.xenstore_directory = fake_directory,
	.xenstore_transaction_start = fake_transaction_start,
	.xenstore_transaction_end = fake_transaction_end,
	.xenstore_watch = fake_watch,
	.xenstore_unwatch = fake_unwatch,
	.xenstore_fd = fake_fd,
	.xenstore_next_watch = fake_next_watch,
};

/*
 * ---- for tests ------------------------------------------------------------------------------------------
 */

void fake_xenstore_start(uint16_t domid)
{
	char text[8];

	if (fake == NULL) {
		fake = malloc(sizeof(*fake));
		assert(fake != NULL);
	} else {
		close(fake->fd);
	}
	memset(fake, 0, sizeof(*fake));
	fake->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert(fake->fd >= 0);
	snprintf(fake->home, sizeof(fake->home), "/local/domain/%u", domid);
	snprintf(text, sizeof(text), "%u", domid);
	fake_xenstore_set("domid", text);
}

void fake_xenstore_set(const char *path, const char *value)
{
	char full[XENSTORE_PATH_MAX];

	absolute(path, full);
	put(&fake->now, full, value);
	fire(full);
}

void fake_xenstore_unset(const char *path)
{
	char full[XENSTORE_PATH_MAX];

	absolute(path, full);
	if (drop(&fake->now, full))
		fire(full);
}

const char *fake_xenstore_get(const char *path)
{
	char full[XENSTORE_PATH_MAX];
	struct node *node;

	absolute(path, full);
	node = find(&fake->now, full);
	return node != NULL ? node->value : NULL;
}

unsigned fake_xenstore_nodes(void)
{
	return fake->now.count;
}

unsigned fake_xenstore_watches(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < WATCHES_MAX; i++)
		count += fake->watch[i].used;
	return count;
}

void fake_xenstore_conflict(unsigned count)
{
	fake->conflicts = count;
}

void fake_xenstore_fail_reads(int error)
{
	fake->read_error = error;
}

void fake_xenstore_fail_writes(int error)
{
	fake->write_error = error;
}

void fake_xenstore_fail_watches(int error)
{
	fake->watch_error = error;
}
