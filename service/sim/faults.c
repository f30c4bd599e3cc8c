// SPDX-License-Identifier: GPL-2.0-or-later
/* faults.c - calls of the host's that go wrong on purpose */
#include "sim/faults.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/machine.h"

struct sim_faults {
	pthread_mutex_t lock;
	struct {
		struct sim_fault fault;
		bool set;
		uint32_t uses, hits;
	} calls[SIM_CALLS];
};

int sim_faults_init(struct sim_machine *machine)
{
	machine->faults = calloc(1, sizeof(*machine->faults));
	if (!machine->faults)
		return -ENOMEM;
	pthread_mutex_init(&machine->faults->lock, NULL);
	return 0;
}

void sim_faults_destroy(struct sim_machine *machine)
{
	pthread_mutex_destroy(&machine->faults->lock);
	free(machine->faults);
}

void sim_fault_set(struct sim_machine *machine, const struct sim_fault *fault)
{
	struct sim_faults *faults = machine->faults;

	assert(fault->call < SIM_CALLS && fault->error <= 0);
	pthread_mutex_lock(&faults->lock);
	if (!faults->calls[fault->call].set)
		__atomic_add_fetch(&machine->faults_set, 1, __ATOMIC_RELEASE);
	memset(&faults->calls[fault->call], 0, sizeof(faults->calls[0]));
	faults->calls[fault->call].fault = *fault;
	faults->calls[fault->call].set = true;
	pthread_mutex_unlock(&faults->lock);
}

void sim_faults_clear(struct sim_machine *machine)
{
	struct sim_faults *faults = machine->faults;

	pthread_mutex_lock(&faults->lock);
	memset(faults->calls, 0, sizeof(faults->calls));
	__atomic_store_n(&machine->faults_set, 0, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&faults->lock);
}

uint32_t sim_fault_hits(struct sim_machine *machine, enum sim_call call)
{
	uint32_t hits;

	pthread_mutex_lock(&machine->faults->lock);
	hits = machine->faults->calls[call].hits;
	pthread_mutex_unlock(&machine->faults->lock);
	return hits;
}

/* by_chance - is this one of the uses that are hit? It follows from the seed, whatever else has happened meanwhile. */
static bool by_chance(const struct sim_machine *machine, enum sim_call call, uint32_t use, uint32_t one_in)
{
	return sim_mix(sim_mix(machine->seed + call) + use) % one_in == 0;
}

/* take - the call is used once. Returns true if it is hit, and by what. */
static bool take(struct sim_machine *machine, enum sim_call call, struct sim_fault *fault)
{
	struct sim_faults *faults = machine ? machine->faults : NULL;
	bool hit = false;

	if (!machine || !sim_faulty(machine))
		return false;
	pthread_mutex_lock(&faults->lock);
	if (faults->calls[call].set) {
		uint32_t use = faults->calls[call].uses++;

		*fault = faults->calls[call].fault;
		hit = use >= fault->after && (fault->times == 0 || use - fault->after < fault->times) &&
		      (fault->one_in == 0 || by_chance(machine, call, use, fault->one_in));
		faults->calls[call].hits += hit;
	}
	pthread_mutex_unlock(&faults->lock);
	return hit;
}

static void wait_us(uint32_t delay_us)
{
	struct timespec left = {.tv_sec = delay_us / 1000000, .tv_nsec = (long)(delay_us % 1000000) * 1000};

	while (delay_us > 0 && nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

int sim_fault_check(struct sim_machine *machine, enum sim_call call)
{
	uint32_t all = UINT32_MAX;

	return sim_fault_part(machine, call, &all);
}

int sim_fault_part(struct sim_machine *machine, enum sim_call call, uint32_t *count)
{
	struct sim_fault fault;

	if (!take(machine, call, &fault))
		return 0;
	wait_us(fault.delay_us);
	if (fault.most > 0 && fault.most < *count)
		*count = fault.most;
	return fault.error;
}

uint32_t sim_fault_delay(struct sim_machine *machine, enum sim_call call)
{
	struct sim_fault fault;

	return take(machine, call, &fault) ? fault.delay_us : 0;
}
