// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kernel_driver.c - the kernel's own backends, xen-blkback and xen-netback, which take every vbd and vif that they see
 */
#include "daemon/kernel_driver.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

bool kernel_driver_loaded(const char *sysfs_path, const char *type)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/bus/xen-backend/drivers/%s", sysfs_path, type);
	return access(path, F_OK) == 0;
}

bool kernel_driver_has(const char *sysfs_path, const char *type, uint16_t domid, uint32_t device_id)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/bus/xen-backend/devices/%s-%" PRIu16 "-%" PRIu32 "/driver",
		 sysfs_path, type, domid, device_id);
	return access(path, F_OK) == 0;
}
