// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * unreported.c - a library to preload into xvhostd and its workers: what they write to guests is not reported to Xen
 *
 * So a scenario can show that it would notice.
 */
#include <xendevicemodel.h>

/* These take the places of libxendevicemodel's functions. */
int xendevicemodel_modified_memory(xendevicemodel_handle *handle, domid_t domid, uint64_t first,
				   uint32_t count)
{
	(void)handle;
	(void)domid;
	(void)first;
	(void)count;
	return 0;
}

int xendevicemodel_modified_memory_bulk(xendevicemodel_handle *handle, domid_t domid,
					struct xen_dm_op_modified_memory_extent *extents, uint32_t count)
{
	(void)handle;
	(void)domid;
	(void)extents;
	(void)count;
	return 0;
}
