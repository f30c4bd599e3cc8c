/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * toolstack.h - what xl does in xenstore with a guest's disks and network cards
 *
 * Theory of operation: as libxl 4.17 does it for a disk with script=block-xvhost or a card with script=vif-xvhost, and in its order: all nodes in one
 * transaction, then waiting for the backend's states, then the script, which is done here too. What libxl keeps for
 * itself below /libxl is left out.
 *
 * Each function is given a connection of Dom0's that nobody else uses meanwhile; what its other watches fire while
 * it waits is lost. All return 0 or a negative errno.
 */
#ifndef SIM_TOOLSTACK_H
#define SIM_TOOLSTACK_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/platform.h"
#include "worker/messages.h"

#define SIM_TOOLSTACK_TIMEOUT_MS 10000 /* libxl's own, for each state that it waits for */

/* One disk=[...] of a guest. */
struct sim_block {
	uint16_t domid;
	uint32_t device_id;  /* 51712 is xvda */
	const char *target;  /* target=, such as "file:path=/tmp/x.img" */
	bool read_only;	     /* access=ro */
	bool discard_off;    /* no-discard */
	bool removable;	     /* devtype=cdrom, for which xl also has access=ro */
	uint16_t host_domid; /* backend= */
};

/* sim_block_create - the nodes of a new disk, as they are before anybody has seen them. */
int sim_block_create(struct xenstore *toolstack, const struct sim_block *block);

/*
 * sim_block_attach - `xl block-attach`: create, wait for state 2, run the script. When xvhostd can't serve the disk, `text`
 * is what xl says, and the disk is to be detached. -ETIMEDOUT: nobody has said anything within timeout_ms.
 */
int sim_block_attach(struct xenstore *toolstack, const struct sim_block *block, int timeout_ms,
		     char text[ERROR_TEXT_MAX]);

/* sim_block_begin_detach - only its first step: the disk is to go. With `force` the frontend's nodes go at once. */
int sim_block_begin_detach(struct xenstore *toolstack, const struct sim_block *block, bool force);

/*
 * sim_block_detach - `xl block-detach`, with `force` also if the guest does not take part: begin, wait for state 6, remove
 * all nodes. -ETIMEDOUT: the state was not reached; the nodes stay, but with `force` they are removed all the same.
 * -ENOENT: there is no such disk; what is left of its nodes is removed.
 */
int sim_block_detach(struct xenstore *toolstack, const struct sim_block *block, bool force, int timeout_ms);

/*
 * sim_block_insert - another medium in a drive that the guest keeps; "" takes it out. It is what `xl cd-insert` and `xl cd-eject` come to;
 * nobody waits for anything.
 */
int sim_block_insert(struct xenstore *toolstack, const struct sim_block *block, const char *target);

/* One vif=[...] of a guest. */
struct sim_vif {
	uint16_t domid;
	uint32_t handle;     /* counts from 0 within the guest */
	const char *mac;     /* mac=, such as "00:16:3e:01:02:03" */
	const char *bridge;  /* bridge=; NULL: none */
	const char *name;    /* vifname=; NULL: none */
	const char *rate;    /* rate= as libxl writes it, such as "125000,50000"; NULL: none */
	const char *script;  /* as a path; NULL: that of vif-xvhost */
	uint32_t mtu;	     /* mtu=; 0: none */
	uint16_t host_domid; /* backend= */
};

/* sim_vif_create, _attach, _begin_detach, _detach - as those of disks: `xl network-attach` and `xl network-detach`. */
int sim_vif_create(struct xenstore *toolstack, const struct sim_vif *vif);
int sim_vif_attach(struct xenstore *toolstack, const struct sim_vif *vif, int timeout_ms,
		   char text[ERROR_TEXT_MAX]);
int sim_vif_begin_detach(struct xenstore *toolstack, const struct sim_vif *vif, bool force);
int sim_vif_detach(struct xenstore *toolstack, const struct sim_vif *vif, bool force, int timeout_ms);

/* sim_vif_set_rate - another rate for a card that is there, by xenstore-write: xl has no word for it. */
int sim_vif_set_rate(struct xenstore *toolstack, const struct sim_vif *vif, const char *rate);

#endif
