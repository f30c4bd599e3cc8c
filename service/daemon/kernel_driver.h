/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel_driver.h - the kernel's own backends, xen-blkback and xen-netback, which take every vbd and vif that they see
 */
#ifndef DAEMON_KERNEL_DRIVER_H
#define DAEMON_KERNEL_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

/* What to do about it, for the ends of messages: a format, for the module's name twice. */
#define KERNEL_DRIVER_ADVICE                                                                                 \
	"unload it by `rmmod %s` and keep it from coming back by `blacklist %s` in a file of "               \
	"/etc/modprobe.d"

/* kernel_driver_loaded - that of "vbd" or "vif" is there and takes every new one. `sysfs_path` is "/sys" but in tests. */
bool kernel_driver_loaded(const char *sysfs_path, const char *type);

/* kernel_driver_has - it has taken this vbd or vif: two backends on one ring would destroy the guest's data. */
bool kernel_driver_has(const char *sysfs_path, const char *type, uint16_t domid, uint32_t device_id);

#endif
