// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xenstore_platform.c - the simulated machine's xenstore behind struct platform, and its faults
 *
 * Connections that the host's programs have opened know the machine, and meet its faults; those of guests and of the
 * toolstack don't.
 */
#include <errno.h>

#include "sim/machine.h"
#include "sim/xenstore_connection.h"

int sim_xenstore_open(struct sim_machine *machine, uint16_t domid, struct xenstore **xenstore)
{
	return sim_store_connect(machine->store, domid, xenstore);
}

struct sim_store *sim_machine_store(struct sim_machine *machine)
{
	return machine->store;
}

static int host_open(const struct platform *platform, struct xenstore **xenstore)
{
	struct sim_machine *machine = platform->context;
	int error = sim_fault_check(machine, SIM_XENSTORE_OPEN);

	if (error == 0)
		error = sim_xenstore_open(machine, SIM_HOST_DOMID, xenstore);
	if (error == 0)
		(*xenstore)->machine = machine;
	return error;
}

/* goes_wrong - the call is hit by a fault: errno is set. */
static bool goes_wrong(struct xenstore *xenstore, enum sim_call call)
{
	int error = sim_fault_check(xenstore->machine, call);

	errno = -error;
	return error < 0;
}

static char *host_read(struct xenstore *xenstore, uint32_t transaction, const char *path)
{
	return goes_wrong(xenstore, SIM_XENSTORE_READ) ? NULL
						       : sim_xenstore_read(xenstore, transaction, path);
}

static int host_write(struct xenstore *xenstore, uint32_t transaction, const char *path, const char *value)
{
	int error = sim_fault_check(xenstore->machine, SIM_XENSTORE_WRITE);

	return error < 0 ? error : sim_xenstore_write(xenstore, transaction, path, value);
}

static int host_remove(struct xenstore *xenstore, uint32_t transaction, const char *path)
{
	int error = sim_fault_check(xenstore->machine, SIM_XENSTORE_REMOVE);

	return error < 0 ? error : sim_xenstore_remove(xenstore, transaction, path);
}

static char **host_directory(struct xenstore *xenstore, uint32_t transaction, const char *path,
			     unsigned *count)
{
	*count = 0;
	return goes_wrong(xenstore, SIM_XENSTORE_DIRECTORY)
		       ? NULL
		       : sim_xenstore_directory(xenstore, transaction, path, count);
}

static uint32_t host_transaction_start(struct xenstore *xenstore)
{
	return goes_wrong(xenstore, SIM_XENSTORE_TRANSACTION_START)
		       ? 0
		       : sim_xenstore_transaction_start(xenstore);
}

/* host_transaction_end - a fault ends it, too, and nothing is changed. */
static int host_transaction_end(struct xenstore *xenstore, uint32_t transaction, bool abort)
{
	int error = sim_fault_check(xenstore->machine, SIM_XENSTORE_TRANSACTION_END);
	int result = sim_xenstore_transaction_end(xenstore, transaction, abort || error < 0);

	return error < 0 ? error : result;
}

static int host_watch(struct xenstore *xenstore, const char *path, const char *token)
{
	int error = sim_fault_check(xenstore->machine, SIM_XENSTORE_WATCH);

	return error < 0 ? error : sim_xenstore_watch(xenstore, path, token);
}

static int host_unwatch(struct xenstore *xenstore, const char *path, const char *token)
{
	int error = sim_fault_check(xenstore->machine, SIM_XENSTORE_UNWATCH);

	return error < 0 ? error : sim_xenstore_unwatch(xenstore, path, token);
}

void sim_store_platform(struct platform *platform)
{
	platform->xenstore_open = host_open;
	platform->xenstore_close = sim_xenstore_close;
	platform->xenstore_read = host_read;
	platform->xenstore_write = host_write;
	platform->xenstore_remove = host_remove;
	platform->xenstore_directory = host_directory;
	platform->xenstore_transaction_start = host_transaction_start;
	platform->xenstore_transaction_end = host_transaction_end;
	platform->xenstore_watch = host_watch;
	platform->xenstore_unwatch = host_unwatch;
	platform->xenstore_fd = sim_xenstore_fd;
	platform->xenstore_next_watch = sim_xenstore_next_watch;
}
