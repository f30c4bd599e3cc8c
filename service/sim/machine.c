// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * machine.c - a machine and its guests: made, found, destroyed
 */
#include "sim/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* sim_random - splitmix64: a counter, mixed; so threads need no lock and share one sequence. */
uint64_t sim_random(struct sim_machine *machine)
{
	const uint64_t step = 0x9e3779b97f4a7c15u;

	return sim_mix(__atomic_add_fetch(&machine->random, step, __ATOMIC_RELAXED));
}

struct sim_machine *sim_machine_create(uint64_t seed)
{
	struct sim_machine *machine = calloc(1, sizeof(*machine));
	int error;

	if (!machine)
		return NULL;
	machine->seed = machine->random = seed;
	machine->next_machine_frame = 0x100000;
	machine->guests = calloc(SIM_DOMID_MAX + 1, sizeof(machine->guests[0]));
	if (!machine->guests) {
		error = ENOMEM;
		goto fail;
	}
	error = -sim_faults_init(machine);
	if (error)
		goto fail;
	error = -sim_events_init(machine);
	if (error)
		goto fail_faults;
	machine->store = sim_store_create();
	if (!machine->store) {
		error = errno;
		goto fail_events;
	}
	pthread_mutex_init(&machine->lock, NULL);
	machine->platform.name = "sim";
	/* Our calls are functions, so they need not be shared. */
	machine->platform.requests_per_turn = SIM_REQUESTS_PER_TURN;
	machine->platform.context = machine;
	sim_events_platform(&machine->platform);
	sim_grants_platform(&machine->platform);
	sim_store_platform(&machine->platform);
	sim_foreign_platform(&machine->platform);
	sim_device_model_platform(&machine->platform);
	return machine;
fail_events:
	sim_events_destroy(machine);
fail_faults:
	sim_faults_destroy(machine);
fail:
	free(machine->guests);
	free(machine);
	errno = error;
	return NULL;
}

void sim_machine_destroy(struct sim_machine *machine)
{
	/* The guests' memory is freed with their last mapping, and these end with their handles. */
	assert(!machine->grants && !machine->channels && !machine->foreign);
	for (uint32_t domid = 0; domid <= SIM_DOMID_MAX; domid++)
		if (machine->guests[domid])
			sim_guest_destroy(machine->guests[domid]);
	sim_store_destroy(machine->store);
	sim_events_destroy(machine);
	sim_faults_destroy(machine);
	pthread_mutex_destroy(&machine->lock);
	free(machine->guests);
	free(machine);
}

const struct platform *sim_platform(struct sim_machine *machine)
{
	return &machine->platform;
}

/* ---- guests ---- */

/* guest_register - give the guest its number; -EEXIST if another one has it. */
static int guest_register(struct sim_guest *guest)
{
	struct sim_machine *machine = guest->machine;
	struct sim_guest **place = &machine->guests[guest->options.domid];
	int error = 0;

	pthread_mutex_lock(&machine->lock);
	if (*place)
		error = -EEXIST;
	else
		__atomic_store_n(place, guest, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&machine->lock);
	return error;
}

int sim_guest_create(struct sim_machine *machine, const struct sim_guest_options *options,
		     struct sim_guest **guest)
{
	struct sim_guest *created;
	int error;

	if (options->domid < 1 || options->domid > SIM_DOMID_MAX || options->pages < 1 ||
	    options->grant_version > 2)
		return -EINVAL;
	created = calloc(1, sizeof(*created));
	if (!created)
		return -ENOMEM;
	created->machine = machine;
	created->options = *options;
	if (created->options.grant_version == 0)
		created->options.grant_version = 1;
	created->references = 1;
	for (uint32_t port = 0; port < SIM_GUEST_PORTS_MAX; port++)
		created->ports[port].fd = -1;
	pthread_mutex_init(&created->models_lock, NULL);
	pthread_cond_init(&created->models_answered, NULL);
	error = sim_memory_init(created);
	if (error < 0)
		goto fail;
	error = sim_grant_table_init(created);
	if (error < 0)
		goto fail_memory;
	error = guest_register(created);
	if (error < 0)
		goto fail_table;
	sim_store_introduce(machine->store, options->domid);
	*guest = created;
	return 0;
fail_table:
	sim_grant_table_destroy(created);
fail_memory:
	sim_memory_destroy(created);
fail:
	free(created);
	return error;
}

void sim_guest_destroy(struct sim_guest *guest)
{
	struct sim_machine *machine = guest->machine;

	pthread_mutex_lock(&machine->lock);
	__atomic_store_n(&machine->guests[guest->options.domid], NULL, __ATOMIC_SEQ_CST);
	sim_grants_quiesce(machine);
	pthread_mutex_unlock(&machine->lock);
	sim_ports_destroy(guest);
	sim_store_release(machine->store, guest->options.domid);
	sim_guest_drop(guest);
}

void sim_guest_free(struct sim_guest *guest)
{
	assert(!guest->models);
	sim_dirty_destroy(guest);
	sim_grant_table_destroy(guest);
	sim_memory_destroy(guest);
	free(guest);
}

struct sim_guest *sim_guest_hold(struct sim_machine *machine, uint16_t domid)
{
	struct sim_guest *guest;

	pthread_mutex_lock(&machine->lock);
	guest = sim_guest_find(machine, domid);
	if (guest)
		sim_guest_reference(guest);
	pthread_mutex_unlock(&machine->lock);
	return guest;
}

uint16_t sim_guest_domid(const struct sim_guest *guest)
{
	return guest->options.domid;
}
