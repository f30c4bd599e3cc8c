/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenstore_connection.h - connections of the simulated xenstore, and the watches that fire for them
 *
 * Everything here is called with the store's lock held.
 */
#ifndef SIM_XENSTORE_CONNECTION_H
#define SIM_XENSTORE_CONNECTION_H

#include <pthread.h>
#include <sys/queue.h>

#include "sim/xenstore_node.h"
#include "sim/xenstore_transaction.h"

/* From so many on an event is left out that waits already, as xenstored does when a domain doesn't read. */
#define STORE_EVENTS_BEFORE_MERGE 1024

/* What can be watched beside nodes. */
#define INTRODUCE_DOMAIN "@introduceDomain"
#define RELEASE_DOMAIN "@releaseDomain"

struct store_watch {
	LIST_ENTRY(store_watch) link;
	char *path; /* absolute */
	char *token;
	bool relative; /* so it was asked for, and so it is told */
};

struct store_event {
	TAILQ_ENTRY(store_event) link;
	char *path, *token;
};

struct xenstore {
	LIST_ENTRY(xenstore) link;
	struct sim_store *store;
	struct sim_machine *machine; /* whose faults it meets, or NULL */
	uint16_t domid;
	bool cut; /* its domain has ended */
	char home[STORE_HOME_MAX];
	int fd; /* an eventfd that is set while there are events */
	LIST_HEAD(, store_watch) watches;
	TAILQ_HEAD(, store_event) events;
	unsigned event_count;
	LIST_HEAD(, store_transaction) transactions;
	uint32_t last_transaction;
};

struct sim_store {
	pthread_mutex_t lock;
	struct store_table table;
	LIST_HEAD(, xenstore) connections;
};

/* connection_add_watch - it fires at once, as each does once it is there. */
int connection_add_watch(struct xenstore *xenstore, const char *absolute, const char *token, bool relative);

/* connection_drop_watch - what has fired of it before is not taken back. */
int connection_drop_watch(struct xenstore *xenstore, const char *absolute, const char *token);

/* connection_take_event - the oldest, for store_event_free(), or NULL. */
struct store_event *connection_take_event(struct xenstore *xenstore);
void store_event_free(struct store_event *event);

/* connection_cut - it has no watches, events or transactions any more. Its descriptor stays readable. */
void connection_cut(struct xenstore *xenstore);

/* store_watch_count - of all connections of a domain. */
unsigned store_watch_count(const struct sim_store *store, uint16_t domid);

/* store_fire - tell all who watch what a transaction, which is about to be applied, changes. */
void store_fire(struct sim_store *store, struct store_transaction *transaction);

/* store_fire_special - "@introduceDomain", "@releaseDomain": for Dom0 only. */
void store_fire_special(struct sim_store *store, const char *name);

#endif
