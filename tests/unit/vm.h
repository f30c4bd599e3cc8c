/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm.h - a simulated machine with xvhostd in it, and guests with one disk each, for tests
 *
 * One machine for each test process. vm_start and vm_stop are its beginning and end; after that nothing may be left: no
 * worker, no thread, no watch, and in xenstore what was there before. What goes wrong ends the test, unless a
 * function's name says that it tries.
 */
#ifndef VM_H
#define VM_H

#include <check.h>
#include <unistd.h>

#include "log.h"
#include "sim/blkif_handshake.h"
#include "sim/host.h"
#include "sim/toolstack.h"

#define VM_DEVICE 51712
#define VM_DISK_BYTES (4u << 20)
#define VM_WAIT_MS 5000

extern struct sim_machine *machine;
extern struct sim_host *host;
extern struct xenstore *toolstack;
extern char vm_text[ERROR_TEXT_MAX]; /* what was said last */

struct vm {
	struct sim_guest *guest;
	struct xenstore *xenstore;
	struct blkif_frontend *frontend; /* NULL: not connected */
	struct blkif_handshake_options handshake;
	struct sim_block block;
	int file; /* what is on the disk */
	char target[64];
};

void vm_start(uint64_t seed, enum log_level level);
void vm_stop(void);

/* vm_boot - a guest with an empty disk of VM_DISK_BYTES, not attached yet. */
void vm_boot(struct vm *vm, uint16_t domid);
void vm_shut_down(struct vm *vm);

/* vm_attach, vm_detach - by the toolstack. */
void vm_attach(const struct vm *vm);
void vm_detach(const struct vm *vm);

/* vm_connect, vm_close - by the guest. */
void vm_connect(struct vm *vm, const struct blkif_frontend_options *options);
int vm_try_to_connect(struct vm *vm, const struct blkif_frontend_options *options);
void vm_close(struct vm *vm);

/* vm_use - write and read all over the disk, and verify. */
void vm_use(struct vm *vm, uint64_t seed);

/* vm_node - a node of the disk's backend, until the next call; "" if it isn't there. */
const char *vm_node(const struct vm *vm, const char *name);

/* vm_error - what xvhostd says of the disk in the way of Linux's backends, until the next call. */
const char *vm_error(const struct vm *vm);

/* wait_for - until this is so. */
#define wait_for(condition)                                                                                  \
	do {                                                                                                 \
		for (unsigned waited_ms = 0; !(condition); waited_ms++) {                                    \
			ck_assert_msg(waited_ms < VM_WAIT_MS, "%s", #condition);                             \
			usleep(1000);                                                                        \
		}                                                                                            \
	} while (0)

#endif
