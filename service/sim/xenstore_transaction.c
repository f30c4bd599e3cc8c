// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xenstore_transaction.c - changes of the simulated xenstore that are made together or not at all
 */
#include "sim/xenstore_transaction.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct store_transaction *store_transaction_create(uint32_t id)
{
	struct store_transaction *transaction = store_need(calloc(1, sizeof(*transaction)));

	transaction->id = id;
	TAILQ_INIT(&transaction->accesses);
	return transaction;
}

void store_transaction_free(struct store_transaction *transaction)
{
	struct store_access *access;

	while ((access = TAILQ_FIRST(&transaction->accesses)) != NULL) {
		TAILQ_REMOVE(&transaction->accesses, access, link);
		store_node_free(access->node);
		free(access->path);
		free(access);
	}
	free(transaction);
}

/* access_of - the transaction's own view of a node, from now on. */
static struct store_access *access_of(const struct store_table *table, struct store_transaction *transaction,
				      const char *path)
{
	const struct store_node *node;
	struct store_access *access;

	TAILQ_FOREACH(access, &transaction->accesses, link)
	if (strcmp(access->path, path) == 0)
		return access;
	access = store_need(calloc(1, sizeof(*access)));
	access->path = store_need(strdup(path));
	node = store_find(table, path);
	if (node != NULL) {
		access->generation = node->generation;
		access->node = store_node_copy(node);
	}
	TAILQ_INSERT_TAIL(&transaction->accesses, access, link);
	transaction->count++;
	return access;
}

const struct store_node *store_look(const struct store_table *table, struct store_transaction *transaction,
				    const char *path)
{
	return access_of(table, transaction, path)->node;
}

struct store_node *store_change(const struct store_table *table, struct store_transaction *transaction,
				const char *path, bool fires)
{
	struct store_access *access = access_of(table, transaction, path);

	assert(access->node != NULL);
	access->changed = true;
	if (fires) {
		access->fires = true;
		access->fires_exactly = false;
	}
	return access->node;
}

struct store_node *store_make(const struct store_table *table, struct store_transaction *transaction,
			      const char *path, const struct sim_permission *permissions, unsigned count)
{
	struct store_access *access = access_of(table, transaction, path);
	char parent[STORE_ABSOLUTE_MAX];

	assert(access->node == NULL);
	access->node = store_node_create(path, permissions, count);
	access->changed = true;
	if (store_parent(path, parent, sizeof(parent)))
		store_node_add_child(store_change(table, transaction, parent, false), store_name(path));
	return access->node;
}

/* remove_tree - a node and all below it. Each tells those who watch it, and only the first those above. */
static void remove_tree(const struct store_table *table, struct store_transaction *transaction,
			const char *path, bool first)
{
	struct store_access *access = access_of(table, transaction, path);
	struct store_node *node = access->node;
	char child_path[STORE_ABSOLUTE_MAX];

	/* Somebody has removed it since the transaction has seen the one above, and so it can't be committed. */
	if (node == NULL)
		return;
	access->node = NULL;
	access->changed = true;
	access->fires_exactly = !first && (access->fires_exactly || !access->fires);
	access->fires = true;
	for (const char *child = node->children; child < node->children + node->children_bytes;
	     child += strlen(child) + 1)
		if (snprintf(child_path, sizeof(child_path), "%s/%s", path, child) < (int)sizeof(child_path))
			remove_tree(table, transaction, child_path, false);
	store_node_free(node);
}

void store_remove(const struct store_table *table, struct store_transaction *transaction, const char *path)
{
	char parent[STORE_ABSOLUTE_MAX];

	/* The one above may be gone in the same way. */
	if (store_parent(path, parent, sizeof(parent)) && store_look(table, transaction, parent) != NULL)
		store_node_drop_child(store_change(table, transaction, parent, false), store_name(path));
	remove_tree(table, transaction, path, true);
}

unsigned store_owned(const struct store_table *table, const struct store_transaction *transaction,
		     uint16_t domid)
{
	const struct store_access *access;
	unsigned owned = table->owned[domid];

	TAILQ_FOREACH(access, &transaction->accesses, link)
	{
		const struct store_node *node = store_find(table, access->path);

		if (!access->changed)
			continue;
		owned += access->node != NULL && access->node->permissions[0].domid == domid;
		owned -= node != NULL && node->permissions[0].domid == domid;
	}
	return owned;
}

bool store_conflicts(const struct store_table *table, const struct store_transaction *transaction)
{
	const struct store_access *access;

	TAILQ_FOREACH(access, &transaction->accesses, link)
	{
		const struct store_node *node = store_find(table, access->path);

		if ((node != NULL ? node->generation : 0) != access->generation)
			return true;
	}
	return false;
}

void store_apply(struct store_table *table, const struct store_transaction *transaction)
{
	const struct store_access *access;

	TAILQ_FOREACH(access, &transaction->accesses, link)
	{
		if (!access->changed)
			continue;
		if (access->node != NULL)
			store_put(table, store_node_copy(access->node));
		else
			store_drop(table, access->path);
	}
}
