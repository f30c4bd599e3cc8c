/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenstore.h - xenstored and its store, in this process
 *
 * Theory of operation: behaves as xenstored 4.17 does to its clients (docs/misc/xenstore.txt of Xen): nodes with
 * permissions, watches, transactions that can conflict, and quotas of what a guest may take. Each connection belongs
 * to a domain; Dom0's may do everything. Connections of one store can be used by different threads at the same
 * time, each by one.
 *
 * The functions sim_xenstore_* are those of struct platform, with the same promises, and some more that only guests
 * and the toolstack need. Paths are absolute or relative to the domain's own, "/local/domain/N".
 */
#ifndef SIM_XENSTORE_H
#define SIM_XENSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/platform.h"

/* What xenstored grants any domain but Dom0. */
#define SIM_STORE_NODES_MAX 1000	     /* that the domain owns; then -ENOSPC */
#define SIM_STORE_NODE_BYTES_MAX 2048	     /* of one node, with its children's names; then -ENOSPC */
#define SIM_STORE_WATCHES_MAX 128	     /* then -E2BIG */
#define SIM_STORE_TRANSACTIONS_MAX 10	     /* at a time; then -ENOSPC */
#define SIM_STORE_TRANSACTION_NODES_MAX 1024 /* that one transaction has looked at; then -ENOSPC */
#define SIM_STORE_PERMISSIONS_MAX 5	     /* of one node; then -ENOSPC */

/* The same for all domains. */
#define SIM_STORE_PATH_MAX 2048 /* bytes of a path, not counting /local/domain/N/; then -EINVAL */

/* Bits of what a domain may do with a node. */
#define SIM_MAY_NOTHING 0
#define SIM_MAY_READ 1
#define SIM_MAY_WRITE 2

/* The first permission of a node names its owner, who may do everything, and what all that are not named may do. */
struct sim_permission {
	uint16_t domid;
	uint8_t may;
};

struct sim_store;

/* ---- the store ---- */

/* sim_store_create - a store with Dom0's home; NULL with errno set. */
struct sim_store *sim_store_create(void);

/* sim_store_destroy - after all its connections are closed. */
void sim_store_destroy(struct sim_store *store);

/* sim_store_connect - a connection of this domain. */
int sim_store_connect(struct sim_store *store, uint16_t domid, struct xenstore **xenstore);

/* sim_store_introduce - a domain begins: its home is made, as by libxl, and @introduceDomain fires. */
void sim_store_introduce(struct sim_store *store, uint16_t domid);

/*
 * sim_store_release - a domain has ended: its home goes, with all other nodes that it owns; nodes of others forget
 * what it could do with them; its connections are cut, and answer -ENOTCONN from now on; @releaseDomain fires.
 */
void sim_store_release(struct sim_store *store, uint16_t domid);

/* sim_store_nodes, sim_store_watches - how many there are in all. */
unsigned sim_store_nodes(struct sim_store *store);
unsigned sim_store_watches(struct sim_store *store);

/* ---- struct platform ---- */

void sim_xenstore_close(struct xenstore *xenstore);
char *sim_xenstore_read(struct xenstore *xenstore, uint32_t transaction, const char *path);
int sim_xenstore_write(struct xenstore *xenstore, uint32_t transaction, const char *path, const char *value);
int sim_xenstore_remove(struct xenstore *xenstore, uint32_t transaction, const char *path);
char **sim_xenstore_directory(struct xenstore *xenstore, uint32_t transaction, const char *path,
			      unsigned *count);
uint32_t sim_xenstore_transaction_start(struct xenstore *xenstore);
int sim_xenstore_transaction_end(struct xenstore *xenstore, uint32_t transaction, bool abort);
int sim_xenstore_watch(struct xenstore *xenstore, const char *path, const char *token);
int sim_xenstore_unwatch(struct xenstore *xenstore, const char *path, const char *token);
int sim_xenstore_fd(struct xenstore *xenstore);
bool sim_xenstore_next_watch(struct xenstore *xenstore, char *path, size_t path_size, char *token,
			     size_t token_size);

/* ---- what guests and the toolstack do beyond it ---- */

/* sim_xenstore_write_bytes - as sim_xenstore_write, of any bytes. */
int sim_xenstore_write_bytes(struct xenstore *xenstore, uint32_t transaction, const char *path,
			     const void *bytes, size_t length);

/* sim_xenstore_make_directory - an empty node, unless there is one. */
int sim_xenstore_make_directory(struct xenstore *xenstore, uint32_t transaction, const char *path);

/* sim_xenstore_set_permissions - in the place of those that the node has. Only its owner and Dom0 may. */
int sim_xenstore_set_permissions(struct xenstore *xenstore, uint32_t transaction, const char *path,
				 const struct sim_permission *permissions, unsigned count);

/* sim_xenstore_get_permissions - how many there are, of which `size` at most are copied. */
int sim_xenstore_get_permissions(struct xenstore *xenstore, uint32_t transaction, const char *path,
				 struct sim_permission *permissions, unsigned size);

#endif
