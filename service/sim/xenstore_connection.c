// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xenstore_connection.c - connections of the simulated xenstore, and the watches that fire for them
 */
#include "sim/xenstore_connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* set_readable - bring the descriptor to what it shall be. */
static void set_readable(struct xenstore *xenstore, bool readable)
{
	uint64_t value = 1;

	if (readable)
		store_need(write(xenstore->fd, &value, sizeof(value)) == sizeof(value) ? xenstore : NULL);
	else if (read(xenstore->fd, &value, sizeof(value)) < 0)
		store_need(errno == EAGAIN ? xenstore : NULL);
}

/* ---- events ---- */

void store_event_free(struct store_event *event)
{
	free(event->path);
	free(event->token);
	free(event);
}

/* remove_event - out of the queue. */
static void remove_event(struct xenstore *xenstore, struct store_event *event)
{
	TAILQ_REMOVE(&xenstore->events, event, link);
	xenstore->event_count--;
	if (xenstore->event_count == 0)
		set_readable(xenstore, false);
}

/* waits_already - the same event is in the queue. */
static bool waits_already(const struct xenstore *xenstore, const char *path, const char *token)
{
	const struct store_event *event;

	TAILQ_FOREACH(event, &xenstore->events, link)
	if (strcmp(event->path, path) == 0 && strcmp(event->token, token) == 0)
		return true;
	return false;
}

/* fire - queue an event; `path` is absolute, or special. */
static void fire(struct xenstore *xenstore, const struct store_watch *watch, const char *path)
{
	struct store_event *event;

	if (watch->relative)
		path += strlen(xenstore->home) + 1;
	if (xenstore->event_count >= STORE_EVENTS_BEFORE_MERGE && waits_already(xenstore, path, watch->token))
		return;
	event = store_need(malloc(sizeof(*event)));
	event->path = store_need(strdup(path));
	event->token = store_need(strdup(watch->token));
	TAILQ_INSERT_TAIL(&xenstore->events, event, link);
	if (xenstore->event_count++ == 0)
		set_readable(xenstore, true);
}

struct store_event *connection_take_event(struct xenstore *xenstore)
{
	struct store_event *event = TAILQ_FIRST(&xenstore->events);

	if (event != NULL)
		remove_event(xenstore, event);
	return event;
}

/* ---- watches ---- */

static struct store_watch *find_watch(const struct xenstore *xenstore, const char *absolute,
				      const char *token)
{
	struct store_watch *watch;

	LIST_FOREACH(watch, &xenstore->watches, link)
	if (strcmp(watch->path, absolute) == 0 && strcmp(watch->token, token) == 0)
		return watch;
	return NULL;
}

int connection_add_watch(struct xenstore *xenstore, const char *absolute, const char *token, bool relative)
{
	struct store_watch *watch;

	if (find_watch(xenstore, absolute, token) != NULL)
		return -EEXIST;
	if (xenstore->domid != 0 &&
	    store_watch_count(xenstore->store, xenstore->domid) >= SIM_STORE_WATCHES_MAX)
		return -E2BIG;
	watch = store_need(malloc(sizeof(*watch)));
	watch->path = store_need(strdup(absolute));
	watch->token = store_need(strdup(token));
	watch->relative = relative;
	LIST_INSERT_HEAD(&xenstore->watches, watch, link);
	fire(xenstore, watch, absolute);
	return 0;
}

static void free_watch(struct store_watch *watch)
{
	LIST_REMOVE(watch, link);
	free(watch->path);
	free(watch->token);
	free(watch);
}

int connection_drop_watch(struct xenstore *xenstore, const char *absolute, const char *token)
{
	struct store_watch *watch = find_watch(xenstore, absolute, token);

	if (watch == NULL)
		return -ENOENT;
	free_watch(watch);
	return 0;
}

unsigned store_watch_count(const struct sim_store *store, uint16_t domid)
{
	const struct xenstore *xenstore;
	const struct store_watch *watch;
	unsigned count = 0;

	LIST_FOREACH(xenstore, &store->connections, link)
	if (xenstore->domid == domid)
		LIST_FOREACH(watch, &xenstore->watches, link)
	count++;
	return count;
}

void connection_cut(struct xenstore *xenstore)
{
	struct store_transaction *transaction;
	struct store_event *event;
	struct store_watch *watch;

	while ((watch = LIST_FIRST(&xenstore->watches)) != NULL)
		free_watch(watch);
	while ((event = connection_take_event(xenstore)) != NULL)
		store_event_free(event);
	while ((transaction = LIST_FIRST(&xenstore->transactions)) != NULL) {
		LIST_REMOVE(transaction, link);
		store_transaction_free(transaction);
	}
	xenstore->cut = true;
	set_readable(xenstore, true);
}

/* ---- what fires ---- */

/* may_read - a domain may read a node; of one that is not there it may know nothing. */
static bool may_read(const struct store_node *node, uint16_t domid)
{
	return node != NULL && (store_may(node->permissions, node->permission_count, domid) & SIM_MAY_READ);
}

/* may_know - a domain may know that a node changes: it could or can read it, or the one above. */
static bool may_know(const struct sim_store *store, struct store_transaction *transaction,
		     const struct store_access *access, uint16_t domid)
{
	char parent[STORE_ABSOLUTE_MAX];

	return domid == 0 || may_read(store_find(&store->table, access->path), domid) ||
	       may_read(access->node, domid) ||
	       (store_parent(access->path, parent, sizeof(parent)) &&
		may_read(store_look(&store->table, transaction, parent), domid));
}

/* is_seen_by - a watch sees a change of the node. */
static bool is_seen_by(const struct store_watch *watch, const struct store_access *access)
{
	size_t length = strlen(watch->path);

	if (strcmp(watch->path, access->path) == 0)
		return true;
	return !access->fires_exactly && strncmp(watch->path, access->path, length) == 0 &&
	       (access->path[length] == '/' || strcmp(watch->path, "/") == 0);
}

void store_fire(struct sim_store *store, struct store_transaction *transaction)
{
	const struct store_access *access;
	const struct store_watch *watch;
	struct xenstore *xenstore;

	TAILQ_FOREACH(access, &transaction->accesses, link)
	{
		if (!access->fires)
			continue;
		LIST_FOREACH(xenstore, &store->connections, link)
		{
			LIST_FOREACH(watch, &xenstore->watches, link)
			if (is_seen_by(watch, access) &&
			    may_know(store, transaction, access, xenstore->domid))
				fire(xenstore, watch, access->path);
		}
	}
}

void store_fire_special(struct sim_store *store, const char *name)
{
	const struct store_watch *watch;
	struct xenstore *xenstore;

	LIST_FOREACH(xenstore, &store->connections, link)
	{
		if (xenstore->domid != 0)
			continue;
		LIST_FOREACH(watch, &xenstore->watches, link)
		if (strcmp(watch->path, name) == 0)
			fire(xenstore, watch, name);
	}
}
