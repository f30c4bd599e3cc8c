/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim_disk.h - one guest over the simulated machine, a worker that serves it, and its disks
 *
 * One machine for each test process. Each disk is a file in memory, behind the file backend.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "sim/blkif_frontend.h"
#include "sim/load.h"
#include "sim/sim.h"
#include "sim/worker_thread.h"

#define SIM_DISK_DOMID 7
#define SIM_DISK_DEVICE 51712
#define SIM_DISK_PATH_MAX 512

extern struct sim_machine *machine;
extern struct sim_guest *guest;
extern struct worker_thread *worker;

struct sim_disk {
	uint32_t device_id;
	int file; /* what is on the disk, for pread and pwrite; -1: something else */
	struct message_disk_opened opened;
	struct blkif_frontend *frontend; /* NULL: not connected */
};

/*
 * How the disks' targets say that the guest's memory is to be reached: auto, grant or foreign. NULL: as the environment's
 * XVHOST_TEST_MEMORY has it, or auto.
 */
extern const char *sim_disk_access;

/* sim_disk_built - where something is that was built; absolute, so that it stays right when a test goes elsewhere. */
void sim_disk_built(char path[SIM_DISK_PATH_MAX], const char *name);

/*
 * sim_disk_start - the machine, the guest and its worker; _version with a grant table of this version, _guest with such a
 * guest, whose number is filled in, and so is its size if it has none.
 */
void sim_disk_start(bool strict);
void sim_disk_start_version(bool strict, uint32_t grant_version);
void sim_disk_start_guest(const struct sim_guest_options *options);

/* sim_disk_stop - the worker ends without an error; all disks are closed before. */
void sim_disk_stop(void);

/* sim_disk_open - a new disk of zeroes. `parameters` follow the path in the target string. */
void sim_disk_open(struct sim_disk *disk, uint32_t device_id, uint64_t bytes, const char *parameters);

/* sim_disk_open_behind - the same disk behind others: `before` is the target string up to that of the file; NULL: "". */
void sim_disk_open_behind(struct sim_disk *disk, uint32_t device_id, uint64_t bytes, const char *before);

/*
 * sim_disk_open_direct - the same disk as a file where the tests were built, for direct I/O. False: that can't be, because its
 * file system has none.
 */
bool sim_disk_open_direct(struct sim_disk *disk, uint32_t device_id, uint64_t bytes);

/* sim_disk_open_target - a disk that is not a file. */
void sim_disk_open_target(struct sim_disk *disk, uint32_t device_id, const char *target);

/* sim_disk_connect - a frontend with these options, of which guest, device and host are filled in. */
void sim_disk_connect(struct sim_disk *disk, const struct blkif_frontend_options *options);

/* sim_disk_disconnect - in order; nothing may be mapped afterwards. */
void sim_disk_disconnect(struct sim_disk *disk);

/* sim_disk_close - disconnected if it is connected. */
void sim_disk_close(struct sim_disk *disk);

/* sim_disk_wait_until_taken - until the worker has so many requests, and asks each ring for the next one. */
void sim_disk_wait_until_taken(const struct sim_disk *disk, uint32_t requests);

/* sim_disk_load - run a load, then read back what it wrote, if it is to verify; all of it without any error. Returns the
 * result of the load. */
const struct load_result *sim_disk_load(struct sim_disk *disk, const struct load_options *options);

#endif
