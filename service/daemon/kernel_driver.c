// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kernel_driver.c - the kernel's own disk backend, xen-blkback, which takes every vbd that it sees
 */
#include "daemon/kernel_driver.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

bool kernel_driver_loaded(const char *sysfs_path)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/bus/xen-backend/drivers/vbd", sysfs_path);
	return access(path, F_OK) == 0;
}

bool kernel_driver_has(const char *sysfs_path, uint16_t domid, uint32_t device_id)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/bus/xen-backend/devices/vbd-%" PRIu16 "-%" PRIu32 "/driver",
		 sysfs_path, domid, device_id);
	return access(path, F_OK) == 0;
}
