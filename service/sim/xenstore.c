// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xenstore.c - xenstored and its store, in this process: what its clients ask
 */
#include "sim/xenstore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/xenstore_connection.h"

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-/_@"

/* One request of a client, from begin() to finish(). */
struct request {
	struct xenstore *xenstore;
	struct store_table *table;
	struct store_transaction *transaction; /* NULL: only looks, outside of any transaction */
	bool alone;			       /* the transaction is this request's own */
	char path[STORE_ABSOLUTE_MAX];
};

/* ---- paths ---- */

/* make_absolute - the path as the store has it. 0, or -EINVAL if there can be no such path. */
static int make_absolute(const struct xenstore *xenstore, const char *path, char absolute[STORE_ABSOLUTE_MAX])
{
	size_t length = strlen(path), home_length = strlen("/local/domain/");
	const char *counted = path;

	if (path[0] == '/' && strncmp(path, "/local/domain/", home_length) == 0) {
		counted += home_length;
		counted += strspn(counted, "0123456789");
	}
	if (length == 0 || strlen(counted) > SIM_STORE_PATH_MAX ||
	    path[strspn(path, NAME_CHARACTERS)] != '\0' || path[0] == '@' || strstr(path, "//") != NULL ||
	    (length > 1 && path[length - 1] == '/'))
		return -EINVAL;
	if (path[0] == '/')
		length = (size_t)snprintf(absolute, STORE_ABSOLUTE_MAX, "%s", path);
	else
		length = (size_t)snprintf(absolute, STORE_ABSOLUTE_MAX, "%s/%s", xenstore->home, path);
	return length < STORE_ABSOLUTE_MAX ? 0 : -EINVAL;
}

/* ---- requests ---- */

/* begin - take the lock and find what the request is about; finish() must follow, whatever this returns. */
static int begin(struct request *request, struct xenstore *xenstore, uint32_t transaction, const char *path,
		 bool changes)
{
	struct store_transaction *found = NULL;
	int error;

	*request = (struct request){.xenstore = xenstore, .table = &xenstore->store->table};
	pthread_mutex_lock(&xenstore->store->lock);
	if (xenstore->cut)
		return -ENOTCONN;
	error = make_absolute(xenstore, path, request->path);
	if (error < 0)
		return error;
	if (transaction != 0) {
		LIST_FOREACH(found, &xenstore->transactions, link)
		if (found->id == transaction)
			break;
		if (found == NULL)
			return -ENOENT;
	} else if (changes) {
		found = store_transaction_create(0);
		request->alone = true;
	}
	request->transaction = found;
	return 0;
}

/* finish - make the changes if `result` is no error and they are not for later; returns `result`. */
static int finish(struct request *request, int result)
{
	struct sim_store *store = request->xenstore->store;

	if (request->alone) {
		if (result >= 0) {
			store_fire(store, request->transaction);
			store_apply(&store->table, request->transaction);
		}
		store_transaction_free(request->transaction);
	}
	pthread_mutex_unlock(&store->lock);
	return result;
}

/* look_at - a node as the request sees it, or NULL. */
static const struct store_node *look_at(struct request *request, const char *path)
{
	if (request->transaction == NULL)
		return store_find(request->table, path);
	return store_look(request->table, request->transaction, path);
}

/* may - what the request's domain may do with the node. */
static uint8_t may(const struct request *request, const struct store_node *node)
{
	return store_may(node->permissions, node->permission_count, request->xenstore->domid);
}

/* is_owner - the request's domain may do all with the node. */
static bool is_owner(const struct request *request, const struct store_node *node)
{
	return request->xenstore->domid == 0 || node->permissions[0].domid == request->xenstore->domid;
}

/*
 * find - the request's node, if its domain may do `wanted`. 0; -EACCES; -ENOENT, of which it hears only if it may do the
 * same with the nearest node above that is there.
 */
static int find(struct request *request, uint8_t wanted, const struct store_node **node)
{
	char path[STORE_ABSOLUTE_MAX];
	const struct store_node *above = NULL;

	*node = look_at(request, request->path);
	if (request->transaction != NULL && request->xenstore->domid != 0 &&
	    request->transaction->count > SIM_STORE_TRANSACTION_NODES_MAX)
		return -ENOSPC;
	if (*node != NULL)
		return may(request, *node) & wanted ? 0 : -EACCES;
	memcpy(path, request->path, sizeof(path));
	while (above == NULL && store_parent(path, path, sizeof(path)))
		above = look_at(request, path);
	return above != NULL && (may(request, above) & wanted) ? -ENOENT : -EACCES;
}

/* make - a node that isn't there, and those above it. 0 or -ENOSPC. */
static int make(struct request *request, const char *path)
{
	const struct store_node *above;
	struct sim_permission permissions[SIM_STORE_PERMISSIONS_MAX];
	uint16_t domid = request->xenstore->domid;
	char parent[STORE_ABSOLUTE_MAX];
	unsigned count;
	int error;

	store_need(store_parent(path, parent, sizeof(parent)) ? parent : NULL);
	if (look_at(request, parent) == NULL) {
		error = make(request, parent);
		if (error < 0)
			return error;
	}
	above = look_at(request, parent);
	if (domid != 0 && (store_owned(request->table, request->transaction, domid) >= SIM_STORE_NODES_MAX ||
			   store_node_bytes(above) + strlen(store_name(path)) + 1 > SIM_STORE_NODE_BYTES_MAX))
		return -ENOSPC;
	/* Who makes a node owns it, but what Dom0 makes is of the owner of the node above. */
	count = above->permission_count;
	memcpy(permissions, above->permissions, count * sizeof(*permissions));
	if (domid != 0)
		permissions[0].domid = domid;
	store_make(request->table, request->transaction, path, permissions, count);
	return 0;
}

/* put - write the request's node, and make it if need be. */
static int put(struct request *request, const void *bytes, size_t length)
{
	const struct store_node *node;
	int error = find(request, SIM_MAY_WRITE, &node);

	if (error == -ENOENT)
		error = make(request, request->path);
	if (error < 0)
		return error;
	node = look_at(request, request->path);
	if (request->xenstore->domid != 0 &&
	    store_node_bytes(node) - node->length + length > SIM_STORE_NODE_BYTES_MAX)
		return -ENOSPC;
	store_node_set_value(store_change(request->table, request->transaction, request->path, true), bytes,
			     length);
	return 0;
}

int sim_xenstore_write_bytes(struct xenstore *xenstore, uint32_t transaction, const char *path,
			     const void *bytes, size_t length)
{
	struct request request;
	int error;

	if (strlen(path) + 1 + length > XENSTORE_VALUE_MAX)
		return -E2BIG;
	error = begin(&request, xenstore, transaction, path, true);
	if (error == 0)
		error = put(&request, bytes, length);
	return finish(&request, error);
}

int sim_xenstore_write(struct xenstore *xenstore, uint32_t transaction, const char *path, const char *value)
{
	return sim_xenstore_write_bytes(xenstore, transaction, path, value, strlen(value));
}

int sim_xenstore_make_directory(struct xenstore *xenstore, uint32_t transaction, const char *path)
{
	const struct store_node *node;
	struct request request;
	int error = begin(&request, xenstore, transaction, path, true);

	if (error == 0)
		error = find(&request, SIM_MAY_WRITE, &node);
	if (error == -ENOENT && request.transaction != NULL) {
		error = make(&request, request.path);
		if (error == 0)
			store_change(request.table, request.transaction, request.path, true);
	}
	return finish(&request, error);
}

/* take_away - remove the request's node. That it is not there is no error if the one above is. */
static int take_away(struct request *request)
{
	char parent[STORE_ABSOLUTE_MAX];
	const struct store_node *node;
	int error = find(request, SIM_MAY_WRITE, &node);

	if (!store_parent(request->path, parent, sizeof(parent)))
		return -EINVAL;
	if (error == -ENOENT)
		return look_at(request, parent) != NULL ? 0 : -ENOENT;
	if (error == 0)
		store_remove(request->table, request->transaction, request->path);
	return error;
}

int sim_xenstore_remove(struct xenstore *xenstore, uint32_t transaction, const char *path)
{
	struct request request;
	int error = begin(&request, xenstore, transaction, path, true);

	if (error == 0)
		error = take_away(&request);
	return finish(&request, error);
}

char *sim_xenstore_read(struct xenstore *xenstore, uint32_t transaction, const char *path)
{
	const struct store_node *node;
	struct request request;
	char *text = NULL;
	int error = begin(&request, xenstore, transaction, path, false);

	if (error == 0)
		error = find(&request, SIM_MAY_READ, &node);
	if (error == 0) {
		text = store_need(malloc(node->length + 1));
		memcpy(text, node->value, node->length + 1);
	}
	errno = -finish(&request, error);
	return text;
}

/* list_children - an array of names, in one piece with their texts. */
static char **list_children(const struct store_node *node, unsigned *count)
{
	const char *end = node->children + node->children_bytes;
	char **names, *text;

	*count = 0;
	for (const char *child = node->children; child < end; child += strlen(child) + 1)
		(*count)++;
	names = store_need(malloc(*count * sizeof(*names) + node->children_bytes + 1));
	text = (char *)(names + *count);
	memcpy(text, node->children, node->children_bytes);
	for (unsigned i = 0; i < *count; i++, text += strlen(text) + 1)
		names[i] = text;
	return names;
}

char **sim_xenstore_directory(struct xenstore *xenstore, uint32_t transaction, const char *path,
			      unsigned *count)
{
	const struct store_node *node;
	struct request request;
	char **names = NULL;
	int error = begin(&request, xenstore, transaction, path, false);

	*count = 0;
	if (error == 0)
		error = find(&request, SIM_MAY_READ, &node);
	if (error == 0)
		names = list_children(node, count);
	errno = -finish(&request, error);
	return names;
}

int sim_xenstore_set_permissions(struct xenstore *xenstore, uint32_t transaction, const char *path,
				 const struct sim_permission *permissions, unsigned count)
{
	const struct store_node *node;
	struct request request;
	int error = begin(&request, xenstore, transaction, path, true);

	if (error == 0 && count == 0)
		error = -EINVAL;
	if (error == 0 && count > SIM_STORE_PERMISSIONS_MAX)
		error = -ENOSPC;
	if (error == 0)
		error = find(&request, SIM_MAY_READ, &node);
	if (error == 0 && !is_owner(&request, node))
		error = -EACCES;
	/* A guest may not give its nodes away, against the other's quota. */
	if (error == 0 && xenstore->domid != 0 && permissions[0].domid != xenstore->domid)
		error = -EPERM;
	if (error == 0)
		store_node_set_permissions(store_change(request.table, request.transaction, request.path,
							true),
					   permissions, count);
	return finish(&request, error);
}

int sim_xenstore_get_permissions(struct xenstore *xenstore, uint32_t transaction, const char *path,
				 struct sim_permission *permissions, unsigned size)
{
	const struct store_node *node;
	struct request request;
	int result = begin(&request, xenstore, transaction, path, false);

	if (result == 0)
		result = find(&request, SIM_MAY_READ, &node);
	if (result == 0) {
		for (unsigned i = 0; i < node->permission_count && i < size; i++)
			permissions[i] = node->permissions[i];
		result = (int)node->permission_count;
	}
	return finish(&request, result);
}

/* ---- transactions ---- */

uint32_t sim_xenstore_transaction_start(struct xenstore *xenstore)
{
	struct store_transaction *transaction;
	unsigned count = 0;
	uint32_t id = 0;

	pthread_mutex_lock(&xenstore->store->lock);
	LIST_FOREACH(transaction, &xenstore->transactions, link)
	count++;
	if (xenstore->cut) {
		errno = ENOTCONN;
	} else if (xenstore->domid != 0 && count >= SIM_STORE_TRANSACTIONS_MAX) {
		errno = ENOSPC;
	} else {
		id = ++xenstore->last_transaction;
		transaction = store_transaction_create(id);
		LIST_INSERT_HEAD(&xenstore->transactions, transaction, link);
	}
	pthread_mutex_unlock(&xenstore->store->lock);
	return id;
}

int sim_xenstore_transaction_end(struct xenstore *xenstore, uint32_t transaction, bool abort)
{
	struct store_transaction *found;
	struct request request;
	/* Any path: the request is about the transaction only. */
	int error = begin(&request, xenstore, transaction, "/", false);

	found = request.transaction;
	if (error == 0 && found == NULL)
		error = -ENOENT;
	if (error == 0) {
		LIST_REMOVE(found, link);
		if (!abort && store_conflicts(request.table, found))
			error = -EAGAIN;
		request.alone = true;
		finish(&request, abort ? -ECANCELED : error);
		return error;
	}
	return finish(&request, error);
}

/* ---- watches ---- */

/* watch_path - as make_absolute, of what can be watched. */
static int watch_path(const struct xenstore *xenstore, const char *path, char absolute[STORE_ABSOLUTE_MAX])
{
	if (xenstore->cut)
		return -ENOTCONN;
	if (strcmp(path, INTRODUCE_DOMAIN) != 0 && strcmp(path, RELEASE_DOMAIN) != 0)
		return make_absolute(xenstore, path, absolute);
	snprintf(absolute, STORE_ABSOLUTE_MAX, "%s", path);
	return 0;
}

int sim_xenstore_watch(struct xenstore *xenstore, const char *path, const char *token)
{
	char absolute[STORE_ABSOLUTE_MAX];
	int error;

	pthread_mutex_lock(&xenstore->store->lock);
	error = watch_path(xenstore, path, absolute);
	if (error == 0)
		error = connection_add_watch(xenstore, absolute, token, path[0] != '/' && path[0] != '@');
	pthread_mutex_unlock(&xenstore->store->lock);
	return error;
}

int sim_xenstore_unwatch(struct xenstore *xenstore, const char *path, const char *token)
{
	char absolute[STORE_ABSOLUTE_MAX];
	int error;

	pthread_mutex_lock(&xenstore->store->lock);
	error = watch_path(xenstore, path, absolute);
	if (error == 0)
		error = connection_drop_watch(xenstore, absolute, token);
	pthread_mutex_unlock(&xenstore->store->lock);
	return error;
}

int sim_xenstore_fd(struct xenstore *xenstore)
{
	return xenstore->fd;
}

bool sim_xenstore_next_watch(struct xenstore *xenstore, char *path, size_t path_size, char *token,
			     size_t token_size)
{
	struct store_event *event;

	pthread_mutex_lock(&xenstore->store->lock);
	event = connection_take_event(xenstore);
	pthread_mutex_unlock(&xenstore->store->lock);
	if (event == NULL)
		return false;
	snprintf(path, path_size, "%s", event->path);
	snprintf(token, token_size, "%s", event->token);
	store_event_free(event);
	return true;
}
