/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenstore_node.h - the nodes of the simulated xenstore, by their paths
 *
 * Theory of operation: as in xenstored a node is a record of its own, found by its absolute path, that holds the names
 * of its children. That there is a record for each name, and a name for each record, is the caller's business. A
 * simulation that gets no memory has nothing sensible left to do, and aborts.
 */
#ifndef SIM_XENSTORE_NODE_H
#define SIM_XENSTORE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/xenstore.h"

#define STORE_DOMAINS 0x7ff0u /* domain numbers that there can be */
#define STORE_HOME_MAX 24     /* bytes of "/local/domain/N" with the final 0 */

/* Bytes of an absolute path with the final 0: "/local/domain/N/" is not counted against a domain. */
#define STORE_ABSOLUTE_MAX (SIM_STORE_PATH_MAX + 24)

struct store_node {
	char *path;
	char *value; /* with a 0 beyond its length */
	size_t length;
	char *children; /* names, each with its 0, in the order in which they were made */
	size_t children_bytes;
	struct sim_permission *permissions; /* one at least */
	unsigned permission_count;
	uint64_t generation; /* of the table when it was put there; grows with each change, never 0 */
};

struct store_table {
	void *root; /* of tsearch() */
	uint64_t generation;
	unsigned count;
	unsigned owned[STORE_DOMAINS]; /* by each domain */
};

/* store_need - `memory`, which must not be NULL. */
void *store_need(void *memory);

/* store_node_create - a node that is in no table, empty, with a copy of these permissions. */
struct store_node *store_node_create(const char *path, const struct sim_permission *permissions,
				     unsigned count);
struct store_node *store_node_copy(const struct store_node *node);
void store_node_free(struct store_node *node);

void store_node_set_value(struct store_node *node, const void *bytes, size_t length);
void store_node_set_permissions(struct store_node *node, const struct sim_permission *permissions,
				unsigned count);
void store_node_add_child(struct store_node *node, const char *name);
void store_node_drop_child(struct store_node *node, const char *name);

/* store_node_bytes - its size, as the quota counts it. */
size_t store_node_bytes(const struct store_node *node);

/* store_may - what these permissions let a domain do, as bits of SIM_MAY_. */
uint8_t store_may(const struct sim_permission *permissions, unsigned count, uint16_t domid);

/* store_parent - the path of the node above, also in the same place; false for "/". */
bool store_parent(const char *path, char *parent, size_t size);

/* store_name - the last component of a path. */
const char *store_name(const char *path);

/* store_find - NULL if there is no such node. */
struct store_node *store_find(const struct store_table *table, const char *path);

/* store_put - into the table, which owns it from here on, in the place of the one that is there. */
void store_put(struct store_table *table, struct store_node *node);

/* store_drop - remove one node, if it is there; not what is below it. */
void store_drop(struct store_table *table, const char *path);

/* store_each - call `visit` with each node. It must not change the table. */
void store_each(const struct store_table *table, void (*visit)(struct store_node *node, void *user),
		void *user);

/* store_clear - drop all nodes. */
void store_clear(struct store_table *table);

#endif
