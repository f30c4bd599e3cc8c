/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nonsense.h - a guest that writes nonsense into xenstore where its disk's or card's frontend should describe rings
 *
 * Theory of operation: bytes are a program; each step takes some of them and does one thing that a guest is able to do
 * to the nodes of its own device: any node that a backend might read, with values that are right, nearly right, huge,
 * binary or none, directories instead of values, states in any order, permissions withdrawn, all of it in
 * transactions or not. Random bytes make a generator, and a fuzzer's bytes a harness. A step that xenstore refuses, by
 * a quota for example, does nothing.
 */
#ifndef SIM_NONSENSE_H
#define SIM_NONSENSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/platform.h"

struct sim_nonsense {
	struct xenstore *guest; /* the guest's connection, used by nobody else meanwhile */
	bool card;		/* it is a vif; if not, a vbd */
	uint32_t device_id;
	uint16_t domid, host_domid;
	uint32_t ring_ref, event_channel; /* what a right description says */
	const uint8_t *bytes;		  /* the program */
	size_t left;			  /* bytes of it */
	uint32_t transaction;		  /* 0 at the beginning */
};

/* sim_nonsense_byte - the program's next byte, 0 after its end. */
uint8_t sim_nonsense_byte(struct sim_nonsense *nonsense);

/* sim_nonsense_step - do one thing. False at the program's end. */
bool sim_nonsense_step(struct sim_nonsense *nonsense);

/* sim_nonsense_end - end a transaction that is open. */
void sim_nonsense_end(struct sim_nonsense *nonsense);

#endif
