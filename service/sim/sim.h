/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim.h - a machine with guests, simulated in this process
 *
 * Theory of operation: a machine stands in for Xen, xenstored and the guests of one host. xvhostd and its
 * workers see it through the `struct platform` that sim_platform() gives, and can't tell it from the real one;
 * a frontend, a test or a fuzzer sees it from the guest's side, through the functions below. Everything that
 * Xen's rules forbid is refused with Xen's error. It never stands in for Xen where a claim is about Xen.
 *
 * What happens by chance (where frames lie, which call fails) comes from one seed, so that a run can be
 * repeated. All functions may be called on any thread unless they say otherwise; those that return int give 0
 * or more for success and a negative errno for failure.
 *
 * On the guest's side a guest's memory is always mapped. The host's side of the same pages is at other
 * addresses, which are gone, or can't be written, as soon as Xen would have it so.
 */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/platform.h"

#define SIM_HOST_DOMID 0

struct sim_machine;
struct sim_guest;
struct sim_store;

/* ---- machine ---- */

/* sim_machine_create - a machine whose host domain is Dom0 and that has no guest. NULL with errno set. */
struct sim_machine *sim_machine_create(uint64_t seed);

/* sim_machine_destroy - after all that was opened through its platform is closed; ends its guests. */
void sim_machine_destroy(struct sim_machine *machine);

/* sim_platform - Xen as the host domain's programs see it. Good as long as the machine. */
const struct platform *sim_platform(struct sim_machine *machine);

/* sim_random - the machine's next random number. */
uint64_t sim_random(struct sim_machine *machine);

/* ---- guests ---- */

struct sim_guest_options {
	uint16_t domid;		/* 1 to 0x7fef */
	uint32_t pages;		/* of its memory */
	uint32_t grant_version; /* of its grant table: 1, 2; 0 means 1 */
	bool pv;		/* its frame numbers are machine frames; otherwise they are its own */
	/*
	 * Runs of 1 to so many frames lie in one piece, each run elsewhere; 0 means 32, and 1 is for frames that all lie
	 * apart. To map a run costs the host one system call.
	 */
	uint32_t run_pages;
	/*
	 * Each grant mapping gets addresses of its own, which fault as soon as it is unmapped, as with Xen. Without
	 * it a mapping costs no system call: host addresses stay, and only the rules are checked and counted.
	 */
	bool strict;
};

/* sim_guest_create - a domain with its xenstore home and no devices. */
int sim_guest_create(struct sim_machine *machine, const struct sim_guest_options *options,
		     struct sim_guest **guest);

/* sim_guest_destroy - the domain ends as by `xl destroy`: ports close, xenstore home goes, memory that the host has
 * mapped stays until it is unmapped. */
void sim_guest_destroy(struct sim_guest *guest);

uint16_t sim_guest_domid(const struct sim_guest *guest);

/* ---- the guest's memory ---- */

/* sim_pages_take - take free pages; `frames` gets their frame numbers, scattered. -ENOMEM: too few are free. */
int sim_pages_take(struct sim_guest *guest, uint32_t count, uint64_t *frames);
void sim_pages_give_back(struct sim_guest *guest, uint32_t count, const uint64_t *frames);

/* sim_page - where the guest sees a frame of its own; NULL if it has no such frame (any more). */
void *sim_page(struct sim_guest *guest, uint64_t frame);

/*
 * sim_page_use_as_table - what a PV guest does when it makes a page table of one of its frames. -EBUSY: the host has
 * it mapped writable, and a real guest would have crashed. For tests; it looks at all that is mapped.
 */
int sim_page_use_as_table(struct sim_guest *guest, uint64_t frame);

/*
 * sim_balloon_out - give frames that were taken to Xen. What the host has mapped of them stays until it is unmapped.
 * In a guest that is not PV the call then waits until the host's device models have answered. -EINVAL at the first
 * frame that the guest does not have; those before it are gone.
 */
int sim_balloon_out(struct sim_guest *guest, uint32_t count, const uint64_t *frames);

/*
 * sim_balloon_in - get frames back, taken, zero, with other memory behind them. A guest that is not PV names the
 * frames; a PV guest gets other ones. -ENOMEM: Xen has no memory, as long as the host has it mapped.
 */
int sim_balloon_in(struct sim_guest *guest, uint32_t count, uint64_t *frames);

/* ---- live migration of the guest ---- */

/*
 * While a migration is under way Xen must know of each page that is written. It sees what the guest does and what is
 * done by grants; what the host writes through foreign mappings is reported to it, or lost.
 * Here nobody sees what the guest does itself, so who writes to a page on the guest's side says so by
 * sim_migration_wrote. All this but sim_migration_wrote is for times when nobody writes.
 */
int sim_migration_begin(struct sim_guest *guest);
void sim_migration_wrote(struct sim_guest *guest, uint64_t frame);

/* sim_migration_round - copy what is known to be written since the last round. Returns the number of pages. */
uint32_t sim_migration_round(struct sim_guest *guest);

/*
 * sim_migration_missed - which frames have another content than was copied, and nobody knows? Returns how many, and
 * the first `max` of them.
 */
uint32_t sim_migration_missed(struct sim_guest *guest, uint64_t *frames, uint32_t max);

/* sim_migration_knows - is this frame as it was copied, or known to be written? For one frame that has just been
 * read, in the moment when the host says so. */
bool sim_migration_knows(struct sim_guest *guest, uint64_t frame);
void sim_migration_end(struct sim_guest *guest);

/* ---- the guest's grants (grant_table.h) ---- */

/* sim_grant - let a domain map this frame. Returns the gref, or -ENOSPC. */
int64_t sim_grant(struct sim_guest *guest, uint16_t domid, uint64_t frame, bool read_only);

/* Grants of version 2, which can be copied but not mapped; -EINVAL for a table of version 1. */
int64_t sim_grant_sub_page(struct sim_guest *guest, uint16_t domid, uint64_t frame, uint16_t offset,
			   uint16_t length, bool read_only);
int64_t sim_grant_transitive(struct sim_guest *guest, uint16_t domid, uint16_t other_domid,
			     uint32_t other_gref, bool read_only);

/*
 * sim_grant_end - withdraw a grant. Returns -EBUSY and does nothing as long as it is mapped, as Linux's frontends
 * do; -EINVAL if there is no such grant.
 */
int sim_grant_end(struct sim_guest *guest, uint32_t gref);

/* sim_grant_entry - the entry itself (grant_entry.h), to be written in any way; NULL beyond the table. */
void *sim_grant_entry(struct sim_guest *guest, uint32_t gref);

/* ---- the guest's event channels (event_channel.h) ---- */

/* sim_port_open - an unbound port, to be bound by this domain. Returns the guest's port number. */
int sim_port_open(struct sim_guest *guest, uint16_t domid);
int sim_port_close(struct sim_guest *guest, uint32_t port);

/* sim_port_notify - send an event to the other end; -ENOTCONN if there is none. */
int sim_port_notify(struct sim_guest *guest, uint32_t port);

/*
 * sim_port_fd - becomes readable when an event has come; reading its 8 bytes clears it, as for an eventfd. For
 * poll(); sim_port_wait is the same thing in one call: 1 when an event had come and is cleared, 0 after timeout_ms
 * (-1: for ever).
 */
int sim_port_fd(struct sim_guest *guest, uint32_t port);
int sim_port_wait(struct sim_guest *guest, uint32_t port, int timeout_ms);

/* ---- the guest's xenstore ---- */

/* sim_xenstore_open - a connection with the permissions of this domain, for the platform's xenstore_ functions; 0 is the
 * toolstack's, which may do everything. */
int sim_xenstore_open(struct sim_machine *machine, uint16_t domid, struct xenstore **xenstore);

/* sim_machine_store - the store itself (xenstore.h). */
struct sim_store *sim_machine_store(struct sim_machine *machine);

#endif
