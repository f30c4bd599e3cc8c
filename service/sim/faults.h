/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * faults.h - calls of the host's that go wrong on purpose
 *
 * Any call of the platform that can fail can be told to fail at its n-th use, to be slow, or to be done in part. Those that can't: what
 * closes a handle, what gives its descriptor, foreign_way, xenstore_next_watch, device_model_invalidated. A fault hits the host's programs
 * only: what a test does on the guest's side, or as the toolstack, goes well.
 *
 * A call that fails has done nothing. One that is slow has waited before it did anything. One that is done in part
 * does the first entries of its list.
 */
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include <stdint.h>

#include "sim/sim.h"

enum sim_call {
	SIM_XENSTORE_OPEN,
	SIM_XENSTORE_READ,
	SIM_XENSTORE_WRITE,
	SIM_XENSTORE_REMOVE,
	SIM_XENSTORE_DIRECTORY,
	SIM_XENSTORE_TRANSACTION_START,
	SIM_XENSTORE_TRANSACTION_END,
	SIM_XENSTORE_WATCH,
	SIM_XENSTORE_UNWATCH,
	SIM_EVENT_CHANNELS_OPEN,
	SIM_EVENT_CHANNELS_RESTRICT,
	SIM_EVENT_CHANNELS_BIND,
	SIM_EVENT_CHANNELS_UNBIND,
	SIM_EVENT_CHANNELS_NOTIFY,
	/*
	 * An event on its way to the host. It can't fail. One that is slow comes later, and the host's read gives
	 * fewer ports than have events. (Writing to unmask has no fault: Linux's driver takes all that is written.)
	 */
	SIM_EVENT,
	SIM_GRANTS_OPEN,
	SIM_GRANTS_MAP,
	SIM_GRANTS_UNMAP,
	SIM_GRANTS_COPY, /* in part: the other pieces have the fault's error, or -EAGAIN */
	SIM_FOREIGN_OPEN,
	SIM_FOREIGN_RESTRICT,
	SIM_FOREIGN_RESERVE,
	SIM_FOREIGN_RELEASE,
	SIM_FOREIGN_MAP, /* in part: the other frames have the fault's error, or -ENOMEM */
	SIM_FOREIGN_UNMAP,
	SIM_FOREIGN_MAP_GRANT_FRAMES,
	SIM_DEVICE_MODEL_OPEN,
	SIM_DEVICE_MODEL_POSSIBLE,
	SIM_DEVICE_MODEL_CLEAN_UP,
	SIM_DEVICE_MODEL_MODIFIED, /* in part: the other frames are not known to be written */
	SIM_DEVICE_MODEL_ANSWER,
	SIM_CALLS
};

struct sim_fault {
	enum sim_call call;
	uint32_t after;	   /* so many uses go well first */
	uint32_t times;	   /* so many are hit then; 0: all */
	uint32_t one_in;   /* of these, one in so many is hit, by chance: always the same ones; 0: each */
	int error;	   /* what is returned, a negative errno; 0: it does not fail */
	uint32_t delay_us; /* how long it waits */
	uint32_t most;	   /* of a list so many entries are done; 0: all */
};

/* sim_fault_set - from now on; a second fault of the same call comes in the place of the first. */
void sim_fault_set(struct sim_machine *machine, const struct sim_fault *fault);

/* sim_faults_clear - from now on everything goes well. */
void sim_faults_clear(struct sim_machine *machine);

/* sim_fault_hits - how often the fault of this call was hit since it was set. */
uint32_t sim_fault_hits(struct sim_machine *machine, enum sim_call call);

/* ---- for the calls themselves; `machine` may be NULL: then everything goes well ---- */

/* sim_fault_check - the call is used once: waits if it is to be slow. Returns 0 or a negative errno. */
int sim_fault_check(struct sim_machine *machine, enum sim_call call);

/* sim_fault_part - the same for a call that can be done in part: `*count` becomes less. */
int sim_fault_part(struct sim_machine *machine, enum sim_call call, uint32_t *count);

/* sim_fault_delay - the same for what must not wait: how long it is to be late, in microseconds. */
uint32_t sim_fault_delay(struct sim_machine *machine, enum sim_call call);

#endif
