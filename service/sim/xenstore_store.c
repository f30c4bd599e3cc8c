// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xenstore_store.c - the simulated xenstore as a whole: its beginning and end, connections, domains
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sim/xenstore_connection.h"

int sim_store_connect(struct sim_store *store, uint16_t domid, struct xenstore **xenstore)
{
	struct xenstore *opened = store_need(calloc(1, sizeof(*opened)));

	if (domid >= STORE_DOMAINS) {
		free(opened);
		return -EINVAL;
	}
	opened->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (opened->fd < 0) {
		free(opened);
		return -errno;
	}
	opened->store = store;
	opened->domid = domid;
	snprintf(opened->home, sizeof(opened->home), "/local/domain/%" PRIu16, domid);
	TAILQ_INIT(&opened->events);
	pthread_mutex_lock(&store->lock);
	LIST_INSERT_HEAD(&store->connections, opened, link);
	pthread_mutex_unlock(&store->lock);
	*xenstore = opened;
	return 0;
}

void sim_xenstore_close(struct xenstore *xenstore)
{
	struct sim_store *store = xenstore->store;

	pthread_mutex_lock(&store->lock);
	connection_cut(xenstore);
	LIST_REMOVE(xenstore, link);
	pthread_mutex_unlock(&store->lock);
	close(xenstore->fd);
	free(xenstore);
}

/* make_home - what libxl makes for a new domain; the toolstack's connection can't fail to. */
static void make_home(struct xenstore *xenstore, uint16_t domid)
{
	static const struct {
		const char *name;
		uint8_t may;
	} nodes[] = {
		{"", SIM_MAY_READ},
		{"/domid", SIM_MAY_READ},
		{"/device", SIM_MAY_READ},
		{"/control", SIM_MAY_READ},
		{"/control/shutdown", SIM_MAY_READ | SIM_MAY_WRITE},
		{"/data", SIM_MAY_READ | SIM_MAY_WRITE},
		{"/error", SIM_MAY_READ | SIM_MAY_WRITE},
	};
	char path[XENSTORE_PATH_MAX], number[8];

	snprintf(number, sizeof(number), "%" PRIu16, domid);
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		struct sim_permission permissions[] = {{0, SIM_MAY_NOTHING}, {domid, nodes[i].may}};
		bool is_number = strcmp(nodes[i].name, "/domid") == 0;

		/* What can be written by the guest is the guest's. */
		if (nodes[i].may & SIM_MAY_WRITE)
			permissions[0].domid = domid;
		snprintf(path, sizeof(path), "/local/domain/%" PRIu16 "%s", domid, nodes[i].name);
		store_need(sim_xenstore_write(xenstore, 0, path, is_number ? number : "") == 0 ? xenstore
											       : NULL);
		sim_xenstore_set_permissions(xenstore, 0, path, permissions, 2);
	}
}

struct sim_store *sim_store_create(void)
{
	static const struct sim_permission nobody = {0, SIM_MAY_NOTHING};
	struct sim_store *store = calloc(1, sizeof(*store));
	struct xenstore *xenstore;

	if (store == NULL)
		return NULL;
	pthread_mutex_init(&store->lock, NULL);
	store_put(&store->table, store_node_create("/", &nobody, 1));
	errno = -sim_store_connect(store, 0, &xenstore);
	if (errno != 0) {
		sim_store_destroy(store);
		return NULL;
	}
	/* xen-init-dom0 does. */
	sim_xenstore_write(xenstore, 0, "domid", "0");
	sim_xenstore_write(xenstore, 0, "name", "Domain-0");
	sim_xenstore_close(xenstore);
	return store;
}

/* Nodes that speak of one domain, for sim_store_release. */
struct mentions {
	uint16_t domid;
	char **paths;
	size_t count;
};

static void collect_mention(struct store_node *node, void *user)
{
	struct mentions *mentions = user;
	bool found = false;

	for (unsigned i = 0; i < node->permission_count; i++)
		found = found || node->permissions[i].domid == mentions->domid;
	if (!found)
		return;
	mentions->paths = store_need(realloc(mentions->paths, (mentions->count + 1) * sizeof(char *)));
	mentions->paths[mentions->count++] = store_need(strdup(node->path));
}

/* forget_domain - remove a node that the domain owns, and all below it; of another only what the domain may do. */
static void forget_domain(const struct store_table *table, struct store_transaction *transaction,
			  uint16_t domid, const char *path)
{
	const struct store_node *seen = store_look(table, transaction, path);
	struct store_node *node;
	unsigned kept = 1;

	if (seen == NULL)
		return;
	if (seen->permissions[0].domid == domid) {
		store_remove(table, transaction, path);
		return;
	}
	node = store_change(table, transaction, path, false);
	for (unsigned i = 1; i < node->permission_count; i++)
		if (node->permissions[i].domid != domid)
			node->permissions[kept++] = node->permissions[i];
	node->permission_count = kept;
}

void sim_store_introduce(struct sim_store *store, uint16_t domid)
{
	struct xenstore *xenstore;

	store_need(sim_store_connect(store, 0, &xenstore) == 0 ? store : NULL);
	make_home(xenstore, domid);
	sim_xenstore_close(xenstore);
	pthread_mutex_lock(&store->lock);
	store_fire_special(store, INTRODUCE_DOMAIN);
	pthread_mutex_unlock(&store->lock);
}

void sim_store_release(struct sim_store *store, uint16_t domid)
{
	struct store_transaction *transaction = store_transaction_create(0);
	struct mentions mentions = {.domid = domid};
	struct xenstore *xenstore;
	char home[STORE_HOME_MAX];

	snprintf(home, sizeof(home), "/local/domain/%" PRIu16, domid);
	pthread_mutex_lock(&store->lock);
	LIST_FOREACH(xenstore, &store->connections, link)
	if (xenstore->domid == domid)
		connection_cut(xenstore);
	if (store_look(&store->table, transaction, home) != NULL)
		store_remove(&store->table, transaction, home);
	store_each(&store->table, collect_mention, &mentions);
	for (size_t i = 0; i < mentions.count; i++) {
		forget_domain(&store->table, transaction, domid, mentions.paths[i]);
		free(mentions.paths[i]);
	}
	store_fire(store, transaction);
	store_apply(&store->table, transaction);
	store_fire_special(store, RELEASE_DOMAIN);
	pthread_mutex_unlock(&store->lock);
	store_transaction_free(transaction);
	free(mentions.paths);
}

unsigned sim_store_nodes(struct sim_store *store)
{
	unsigned count;

	pthread_mutex_lock(&store->lock);
	count = store->table.count;
	pthread_mutex_unlock(&store->lock);
	return count;
}

unsigned sim_store_watches(struct sim_store *store)
{
	const struct store_watch *watch;
	const struct xenstore *xenstore;
	unsigned count = 0;

	pthread_mutex_lock(&store->lock);
	LIST_FOREACH(xenstore, &store->connections, link)
	LIST_FOREACH(watch, &xenstore->watches, link)
	count++;
	pthread_mutex_unlock(&store->lock);
	return count;
}

void sim_store_destroy(struct sim_store *store)
{
	assert(LIST_EMPTY(&store->connections));
	store_clear(&store->table);
	pthread_mutex_destroy(&store->lock);
	free(store);
}
