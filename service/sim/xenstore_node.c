// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xenstore_node.c - the nodes of the simulated xenstore, by their paths
 */
#include "sim/xenstore_node.h"

#include <assert.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODE_HEADER_BYTES 24	/* what xenstored's record of a node has before its contents */
#define NODE_PERMISSION_BYTES 8 /* and for each permission */

void *store_need(void *memory)
{
	if (memory == NULL) {
		perror("simulated xenstore");
		abort();
	}
	return memory;
}

/* duplicate - a copy of memory; never NULL. */
static void *duplicate(const void *bytes, size_t length)
{
	void *copy = store_need(malloc(length + 1));

	memcpy(copy, bytes, length);
	return copy;
}

/* ---- one node ---- */

struct store_node *store_node_create(const char *path, const struct sim_permission *permissions,
				     unsigned count)
{
	struct store_node *node = store_need(calloc(1, sizeof(*node)));

	node->path = store_need(strdup(path));
	node->children = store_need(malloc(1));
	store_node_set_value(node, "", 0);
	store_node_set_permissions(node, permissions, count);
	return node;
}

struct store_node *store_node_copy(const struct store_node *node)
{
	struct store_node *copy = store_node_create(node->path, node->permissions, node->permission_count);

	store_node_set_value(copy, node->value, node->length);
	free(copy->children);
	copy->children = duplicate(node->children, node->children_bytes);
	copy->children_bytes = node->children_bytes;
	copy->generation = node->generation;
	return copy;
}

void store_node_free(struct store_node *node)
{
	if (node == NULL)
		return;
	free(node->path);
	free(node->value);
	free(node->children);
	free(node->permissions);
	free(node);
}

void store_node_set_value(struct store_node *node, const void *bytes, size_t length)
{
	char *value = duplicate(bytes, length);

	value[length] = '\0';
	free(node->value);
	node->value = value;
	node->length = length;
}

void store_node_set_permissions(struct store_node *node, const struct sim_permission *permissions,
				unsigned count)
{
	struct sim_permission *copy = duplicate(permissions, count * sizeof(*permissions));

	assert(count > 0);
	free(node->permissions);
	node->permissions = copy;
	node->permission_count = count;
}

void store_node_add_child(struct store_node *node, const char *name)
{
	size_t bytes = strlen(name) + 1;

	node->children = store_need(realloc(node->children, node->children_bytes + bytes));
	memcpy(node->children + node->children_bytes, name, bytes);
	node->children_bytes += bytes;
}

void store_node_drop_child(struct store_node *node, const char *name)
{
	char *end = node->children + node->children_bytes;

	for (char *child = node->children; child < end; child += strlen(child) + 1) {
		size_t bytes = strlen(child) + 1;

		if (strcmp(child, name) != 0)
			continue;
		memmove(child, child + bytes, (size_t)(end - child) - bytes);
		node->children_bytes -= bytes;
		return;
	}
}

size_t store_node_bytes(const struct store_node *node)
{
	return NODE_HEADER_BYTES + node->permission_count * (size_t)NODE_PERMISSION_BYTES + node->length +
	       node->children_bytes;
}

uint8_t store_may(const struct sim_permission *permissions, unsigned count, uint16_t domid)
{
	if (domid == 0 || permissions[0].domid == domid)
		return SIM_MAY_READ | SIM_MAY_WRITE;
	for (unsigned i = 1; i < count; i++)
		if (permissions[i].domid == domid)
			return permissions[i].may;
	return permissions[0].may;
}

bool store_parent(const char *path, char *parent, size_t size)
{
	size_t length = (size_t)(strrchr(path, '/') - path);

	if (strcmp(path, "/") == 0)
		return false;
	length = length == 0 ? 1 : length;
	assert(length < size);
	memmove(parent, path, length);
	parent[length] = '\0';
	return true;
}

const char *store_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

/* ---- all nodes ---- */

static int compare(const void *left, const void *right)
{
	return strcmp(((const struct store_node *)left)->path, ((const struct store_node *)right)->path);
}

struct store_node *store_find(const struct store_table *table, const char *path)
{
	/* Only the path of what is looked for is ever read. */
	const struct store_node wanted = {.path = (char *)(uintptr_t)path};
	void *found = tfind(&wanted, &table->root, compare);

	return found != NULL ? *(struct store_node **)found : NULL;
}

void store_put(struct store_table *table, struct store_node *node)
{
	store_drop(table, node->path);
	node->generation = ++table->generation;
	store_need(tsearch(node, &table->root, compare));
	table->count++;
	table->owned[node->permissions[0].domid]++;
}

void store_drop(struct store_table *table, const char *path)
{
	struct store_node *node = store_find(table, path);

	if (node == NULL)
		return;
	tdelete(node, &table->root, compare);
	table->count--;
	table->owned[node->permissions[0].domid]--;
	table->generation++;
	store_node_free(node);
}

/* One call of store_each. */
struct walk {
	void (*visit)(struct store_node *node, void *user);
	void *user;
};

static void take_step(const void *entry, VISIT which, void *closure)
{
	const struct walk *walk = closure;

	if (which == postorder || which == leaf)
		walk->visit(*(struct store_node *const *)entry, walk->user);
}

void store_each(const struct store_table *table, void (*visit)(struct store_node *node, void *user),
		void *user)
{
	struct walk walk = {.visit = visit, .user = user};

	twalk_r(table->root, take_step, &walk);
}

static void free_node(void *node)
{
	store_node_free(node);
}

void store_clear(struct store_table *table)
{
	tdestroy(table->root, free_node);
	table->root = NULL;
	table->count = 0;
	memset(table->owned, 0, sizeof(table->owned));
}
