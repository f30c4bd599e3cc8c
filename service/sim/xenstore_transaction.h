/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenstore_transaction.h - changes of the simulated xenstore that are made together or not at all
 *
 * Theory of operation: a transaction has a copy of each node that it has looked at or changed, and nobody else sees
 * those. It can be committed if none of these nodes has changed in the store meanwhile. Each single change outside
 * of a transaction is one, too, that is committed at once.
 */
#ifndef SIM_XENSTORE_TRANSACTION_H
#define SIM_XENSTORE_TRANSACTION_H

#include <sys/queue.h>

#include "sim/xenstore_node.h"

/* One node that a transaction has looked at. */
struct store_access {
	TAILQ_ENTRY(store_access) link;
	char *path;
	uint64_t generation;	 /* of the store's node when it was looked at; 0: there was none */
	struct store_node *node; /* as the transaction has it; NULL: not there */
	bool changed;
	bool fires;	    /* watches of the node fire when the transaction is committed ... */
	bool fires_exactly; /* ... but not those of the nodes above it */
};

struct store_transaction {
	LIST_ENTRY(store_transaction) link; /* of the connection's */
	uint32_t id;
	unsigned count;
	TAILQ_HEAD(, store_access) accesses; /* in the order in which they were looked at */
};

struct store_transaction *store_transaction_create(uint32_t id);
void store_transaction_free(struct store_transaction *transaction);

/* store_look - the node as the transaction sees it, or NULL. Good until the transaction's next change of it. */
const struct store_node *store_look(const struct store_table *table, struct store_transaction *transaction,
				    const char *path);

/* store_change - the same node, to be changed; it must be there. With `fires` its watches will fire. */
struct store_node *store_change(const struct store_table *table, struct store_transaction *transaction,
				const char *path, bool fires);

/* store_make - a new node, which isn't there yet; its parent must be, and gets its name. No watch fires by it. */
struct store_node *store_make(const struct store_table *table, struct store_transaction *transaction,
			      const char *path, const struct sim_permission *permissions, unsigned count);

/* store_remove - a node that is there, and all below it. */
void store_remove(const struct store_table *table, struct store_transaction *transaction, const char *path);

/* store_owned - how many nodes the domain would own if the transaction was committed now. */
unsigned store_owned(const struct store_table *table, const struct store_transaction *transaction,
		     uint16_t domid);

/* store_conflicts - somebody else has changed what the transaction has looked at. */
bool store_conflicts(const struct store_table *table, const struct store_transaction *transaction);

/* store_apply - make all its changes, in the order of its looks. */
void store_apply(struct store_table *table, const struct store_transaction *transaction);

#endif
