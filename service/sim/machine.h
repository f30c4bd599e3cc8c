/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine.h - what the files of the simulated machine know of each other (internal to sim/)
 *
 * Locks, outermost first:
 *   machine->lock           guests come and go, handles are opened and closed
 *   machine->ports_lock     event channels are bound and unbound (for writing), used (for reading)
 *   event_channels->lock    which ports of a handle are masked
 *   guest->memory_lock      frames are taken, given back, ballooned
 *   guest->models_lock      device models come and go, guests wait for them; alone
 *   foreign->lock           what a handle has mapped; after machine->lock
 * A struct sim_lock is held for some instructions, and nothing is called under it but what belongs to it: a grant
 * handle's records, an active entry of a grant table, a guest's list of free grants.
 *
 * A guest is found by its number only under machine->lock or a grant handle's lock, and kept by a reference:
 * sim_guest_destroy takes it out of the table, then waits until every handle's lock was free once. What is mapped
 * holds references, so the memory of a destroyed guest stays until it is unmapped.
 */
#ifndef SIM_MACHINE_H
#define SIM_MACHINE_H

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "sim/faults.h"
#include "sim/grant_entry.h"
#include "sim/sim.h"
#include "sim/xenstore.h"

#define SIM_DOMID_MAX 0x7fefu
#define SIM_GUEST_PORTS_MAX 1024u
#define SIM_HOST_PORTS_MAX 4096u
#define SIM_GRANT_FRAMES_MAX 64u /* of a guest's table, as Xen's default is */
#define SIM_STATUS_FRAMES_MAX 8u /* two bytes for each entry of 16 bytes */
#define SIM_MAPTRACK_MAX 262144u /* grants that a handle has mapped at a time, as Xen's default for Dom0 */
#define SIM_REQUESTS_PER_TURN 8u /* docs/performance.md, small turns */
#define SIM_NO_PAGE UINT32_MAX

/* ---- a lock that is held for some instructions ---- */

struct sim_lock {
	uint8_t taken;
};

static inline void sim_lock(struct sim_lock *lock)
{
	unsigned int tries = 0;

	while (__atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE))
		if (++tries % 64 == 0)
			sched_yield();
}

static inline void sim_unlock(struct sim_lock *lock)
{
	__atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE);
}

/* ---- machine ---- */

/* An end of an event channel in the host domain. */
struct sim_host_port {
	struct event_channels *owner; /* NULL: free */
	struct sim_guest *guest;      /* NULL: unbound, its guest's end was closed */
	uint32_t guest_port;
	bool masked; /* was given to the reader and is not unmasked yet */
	bool held;   /* an event that waits for that */
	bool late;   /* an event that a fault keeps back */
};

/* The host's handle of event channels. */
struct event_channels {
	struct event_channels *next;
	struct sim_machine *machine;
	int fd;		       /* the host's end ... */
	int own_fd;	       /* ... and ours */
	int64_t restricted_to; /* a domain, or -1 */
	pthread_mutex_t lock;
	uint32_t held; /* events that wait for the host to unmask their ports */
	bool watched;  /* the unmasker waits for the host to write */
	bool full;     /* the socket takes no more events */
};

struct sim_machine {
	struct platform platform;
	uint64_t seed, random;
	pthread_mutex_t lock;
	struct sim_guest **guests; /* by domid */
	struct foreign *foreign;
	struct grants *grants;	     /* open handles */
	uint64_t next_machine_frame; /* of the next PV guest's memory */
	pthread_rwlock_t ports_lock;
	struct sim_host_port *host_ports; /* by number */
	struct event_channels *channels;  /* open handles */
	pthread_t unmasker;
	int unmasker_epoll, unmasker_end, late_timer;
	bool late_timer_set;
	struct sim_store *store;
	struct sim_faults *faults;
	uint32_t faults_set; /* how many; most of the time none, and then nobody looks at them */
};

/* sim_mix - splitmix64's: numbers that follow each other become ones that do not. */
static inline uint64_t sim_mix(uint64_t number)
{
	number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9u;
	number = (number ^ number >> 27) * 0x94d049bb133111ebu;
	return number ^ number >> 31;
}

/* faults.c */
int sim_faults_init(struct sim_machine *machine);
void sim_faults_destroy(struct sim_machine *machine);

/* sim_faulty - may there be a fault? */
static inline bool sim_faulty(struct sim_machine *machine)
{
	return __atomic_load_n(&machine->faults_set, __ATOMIC_ACQUIRE) > 0;
}

/* xenstore_platform.c */
void sim_store_platform(struct platform *platform);

/* event_delivery.c */
int sim_events_init(struct sim_machine *machine);
void sim_events_destroy(struct sim_machine *machine);
/* sim_raise_event - an event for a port of the host's. ports_lock is held. */
void sim_raise_event(struct sim_machine *machine, uint32_t number);
/* sim_take_unmasks - see what the host has written. The handle is locked. */
void sim_take_unmasks(struct event_channels *channels);

/* sim_clear - forget that this eventfd or timer has gone off. Returns true if it had. */
static inline bool sim_clear(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == sizeof(count);
}

/* events.c */
void sim_events_platform(struct platform *platform);
void sim_ports_destroy(struct sim_guest *guest);

/* grant_table.c */
int sim_grant_table_init(struct sim_guest *guest);
void sim_grant_table_destroy(struct sim_guest *guest);
/* sim_grant_frame_page - the page of a frame of the table, which grows to it; SIM_NO_PAGE beyond its limit. */
uint32_t sim_grant_frame_page(struct sim_guest *guest, enum grant_frames which, uint32_t number);

/* grants.c */
void sim_grants_platform(struct platform *platform);
/* sim_grants_quiesce - returns when no grant handle still uses a guest that it found in the table before. */
void sim_grants_quiesce(struct sim_machine *machine);

/* ---- guests ---- */

/* What a grant leads to, as Xen found it when its first use began; it stays, whatever the guest makes of the entry. */
struct sim_found {
	uint16_t domid; /* who uses it */
	uint16_t offset, length;
	uint16_t other_domid; /* whose grant it leads to ... */
	uint32_t other_gref;
	uint32_t page; /* ... if there is none of its own: SIM_NO_PAGE */
};

/* A gref that is in use: what Xen calls an active entry. */
struct sim_active {
	struct sim_lock lock;
	uint32_t readers, writers;
	struct sim_found found;
};

/* How a grant is to be used. */
struct sim_use {
	uint32_t gref;
	uint16_t domid; /* by whom */
	bool writable;
	bool copy;	    /* or map */
	bool by_transitive; /* since another domain's grant says so */
};

struct sim_guest_port {
	enum sim_guest_port_state {
		SIM_PORT_CLOSED,
		SIM_PORT_UNBOUND,
		SIM_PORT_BOUND
	} state;
	uint16_t domid;	    /* who may bind it */
	uint32_t host_port; /* bound: to this one */
	int fd;		    /* its eventfd, made at first use and kept as long as the guest */
};

struct sim_guest {
	struct sim_machine *machine;
	struct sim_guest_options options;
	uint32_t references; /* one of its own until it is destroyed, one for each mapping */

	/*
	 * Memory. A page is a place in the memfd, a slot is a place in the guest's view, a frame is a slot's number
	 * there. For a PV guest slots are pages.
	 */
	pthread_mutex_t memory_lock;
	int memory_fd;
	uint32_t page_count; /* pages in the memfd: for the guest and for Xen ... */
	uint32_t table_page; /* ... and from here on the grant table and its status frames */
	uint64_t bytes;	     /* of the memfd */
	char *view;	     /* the guest's own */
	char *host_view[2];  /* read-only, writable */
	uint64_t first_frame;
	uint32_t slot_count;
	uint32_t *page_of_slot;	     /* SIM_NO_PAGE: the guest has no such frame */
	uint32_t *last_page_of_slot; /* that it had before it was ballooned away */
	uint32_t *page_references;   /* the guest's own and the mappings' */
	uint32_t *free_slots;	     /* not taken, in no order */
	uint32_t free_slot_count;
	uint8_t *slot_taken;
	uint32_t *xen_pages; /* the guest's no more or not yet, in no order */
	uint32_t xen_page_count;

	/* Grant table. */
	struct sim_lock grants_lock;
	char *grant_entries;	    /* the shared entries, and ... */
	uint16_t *grant_statuses;   /* ... in version 2 the status words, as the guest sees them */
	uint32_t grant_entry_count; /* grows by a frame at a time */
	uint32_t grant_entries_max;
	struct sim_active *active;
	uint32_t *free_grefs;
	uint32_t free_gref_count;
	uint8_t *gref_taken;

	/* Live migration and ballooning. */
	bool migrating;
	struct sim_migration *migration; /* made by the first one */
	pthread_mutex_t models_lock;
	pthread_cond_t models_answered;
	struct device_model *models;
	uint64_t invalidations;

	struct sim_guest_port ports[SIM_GUEST_PORTS_MAX];
};

/* sim_guest_find - the domain of this number, or NULL; see above for what keeps it. */
static inline struct sim_guest *sim_guest_find(struct sim_machine *machine, uint16_t domid)
{
	if (domid > SIM_DOMID_MAX)
		return NULL;
	return __atomic_load_n(&machine->guests[domid], __ATOMIC_ACQUIRE);
}

static inline void sim_guest_reference(struct sim_guest *guest)
{
	__atomic_fetch_add(&guest->references, 1, __ATOMIC_RELAXED);
}

/* sim_guest_free - what sim_guest_drop does when nobody uses the guest any more. */
void sim_guest_free(struct sim_guest *guest);

static inline void sim_guest_drop(struct sim_guest *guest)
{
	if (__atomic_fetch_sub(&guest->references, 1, __ATOMIC_ACQ_REL) == 1)
		sim_guest_free(guest);
}

/* sim_guest_hold - the domain of this number with a reference, or NULL. */
struct sim_guest *sim_guest_hold(struct sim_machine *machine, uint16_t domid);

/* ---- memory.c ---- */

int sim_memory_init(struct sim_guest *guest);
void sim_memory_destroy(struct sim_guest *guest);

/* sim_take_random - take one of `*count` numbers out of a list in no order. */
uint32_t sim_take_random(struct sim_machine *machine, uint32_t *numbers, uint32_t *count);

/* sim_page_find - the page behind a frame at this moment, or SIM_NO_PAGE. */
uint32_t sim_page_find(const struct sim_guest *guest, uint64_t frame);

/* sim_page_get - find a frame's page and keep it; false if the guest has no such frame. */
bool sim_page_get(struct sim_guest *guest, uint64_t frame, uint32_t *page);
void sim_page_put(struct sim_guest *guest, uint32_t page);

/* sim_page_map - map pages one after the other at new addresses; NULL with errno set. */
void *sim_page_map(struct sim_guest *guest, const uint32_t *pages, uint32_t count, bool writable);

/* sim_page_host - the permanent address at which the host may read or write a page. */
static inline void *sim_page_host(const struct sim_guest *guest, uint32_t page, bool writable)
{
	return guest->host_view[writable] + (size_t)page * PAGE_BYTES;
}

/* ---- grant_use.c: what Xen does with a grant ---- */

/* sim_grant_use - begin to use a grant; `*found` is what it leads to, and is kept until sim_grant_use_end. */
enum grant_status sim_grant_use(struct sim_guest *guest, const struct sim_use *use, struct sim_found *found);
void sim_grant_use_end(struct sim_guest *guest, uint32_t gref, bool writable);

/* sim_grants_write - is a page in use for writing by any grant? */
bool sim_grants_write(struct sim_guest *guest, uint32_t page);

/* ---- dirty.c: live migration ---- */

void sim_dirty_destroy(struct sim_guest *guest);

/* sim_dirty_mark - Xen knows that this page is written; what sim_dirty_page does while a migration is under way. */
void sim_dirty_mark(struct sim_guest *guest, uint32_t page);

static inline void sim_dirty_page(struct sim_guest *guest, uint32_t page)
{
	if (__atomic_load_n(&guest->migrating, __ATOMIC_ACQUIRE))
		sim_dirty_mark(guest, page);
}

/* ---- the other files' parts of the platform ---- */

/* grant_copy.c */
int sim_grants_copy(struct grants *grants, uint16_t domid, struct grant_copy *copies, uint32_t count);
/* grants.c: the machine of a handle, and a guest of it with a reference, or NULL. */
struct sim_machine *sim_grants_machine(struct grants *grants);
struct sim_guest *sim_grants_guest(struct grants *grants, uint16_t domid);

/* foreign.c */
void sim_foreign_platform(struct platform *platform);
/* sim_foreign_writes - is a page mapped writable by any handle of foreign memory? */
bool sim_foreign_writes(struct sim_guest *guest, uint32_t page);

/* device_model.c */
void sim_device_model_platform(struct platform *platform);

/* sim_invalidate - tell the guest's device models that it gave memory away, and wait for their answers. */
void sim_invalidate(struct sim_guest *guest);

#endif
