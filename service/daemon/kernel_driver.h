/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel_driver.h - the kernel's own disk backend, xen-blkback, which takes every vbd that it sees
 */
#ifndef DAEMON_KERNEL_DRIVER_H
#define DAEMON_KERNEL_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

/* What to do about it, for the ends of messages. */
#define KERNEL_DRIVER_ADVICE                                                                                 \
	"unload it by `rmmod xen_blkback` and keep it from coming back by `blacklist xen_blkback` in a "     \
	"file of "                                                                                           \
	"/etc/modprobe.d"

/* kernel_driver_loaded - it is there and takes every new vbd. `sysfs_path` is "/sys" but in tests. */
bool kernel_driver_loaded(const char *sysfs_path);

/* kernel_driver_has - it has taken this vbd: two backends on one ring would destroy the guest's data. */
bool kernel_driver_has(const char *sysfs_path, uint16_t domid, uint32_t device_id);

#endif
