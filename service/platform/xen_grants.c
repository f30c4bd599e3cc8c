// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xen_grants.c - grants: mapped, unmapped, copied
 */
#include "platform/xen.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xengnttab.h>

#define COPY_BATCH 64 /* pieces that one call of the library copies */

struct grants {
	xengnttab_handle *handle;
	xentoollog_logger *logger;
};

int xen_grants_open(const struct platform *platform, struct grants **grants)
{
	struct grants *opened = calloc(1, sizeof(*opened));
	int error;

	(void)platform;
	if (!opened)
		return -ENOMEM;
	opened->logger = quiet_logger();
	opened->handle = xengnttab_open(opened->logger, 0);
	if (!opened->handle) {
		error = error_number();
		xtl_logger_destroy(opened->logger);
		free(opened);
		return error;
	}
	*grants = opened;
	return 0;
}

void xen_grants_close(struct grants *grants)
{
	xengnttab_close(grants->handle);
	xtl_logger_destroy(grants->logger);
	free(grants);
}

int xen_grants_map(struct grants *grants, uint16_t domid, const uint32_t *grefs, uint32_t count,
		   bool writable, bool consecutive, void **pages, void **mapping)
{
	/* The library takes the list as not const and only reads it. Its pages are always consecutive. */
	char *mapped = xengnttab_map_domain_grant_refs(grants->handle, count, domid,
						       (uint32_t *)(uintptr_t)grefs,
						       writable ? PROT_READ | PROT_WRITE : PROT_READ);

	(void)consecutive;
	if (!mapped)
		return error_number();
	for (uint32_t i = 0; i < count; i++)
		pages[i] = mapped + (size_t)i * PAGE_BYTES;
	*mapping = mapped;
	return 0;
}

int xen_grants_unmap(struct grants *grants, void *mapping, uint32_t count)
{
	return xengnttab_unmap(grants->handle, mapping, count) == 0 ? 0 : error_number();
}

/* copy_error - what Xen answered for a piece, as a negative errno. */
static int copy_error(int16_t status)
{
	switch (status) {
	case GNTST_okay:
		return 0;
	case GNTST_bad_domain:
		return -ESRCH;
	case GNTST_bad_page:
		return -EFAULT;
	default:
		return -EINVAL;
	}
}

/* copy_batch - up to COPY_BATCH pieces. */
static int copy_batch(struct grants *grants, uint16_t domid, struct grant_copy *copies, uint32_t count)
{
	xengnttab_grant_copy_segment_t segments[COPY_BATCH];

	for (uint32_t i = 0; i < count; i++) {
		const struct grant_copy *copy = &copies[i];
		xengnttab_grant_copy_segment_t *segment = &segments[i];
		union xengnttab_copy_ptr *guest = copy->to_guest ? &segment->dest : &segment->source;
		union xengnttab_copy_ptr *own = copy->to_guest ? &segment->source : &segment->dest;

		memset(segment, 0, sizeof(*segment));
		guest->foreign.ref = copy->gref;
		guest->foreign.offset = copy->offset;
		guest->foreign.domid = domid;
		own->virt = copy->own;
		segment->len = copy->length;
		segment->flags = copy->to_guest ? GNTCOPY_dest_gref : GNTCOPY_source_gref;
	}
	if (xengnttab_grant_copy(grants->handle, count, segments) < 0)
		return error_number();
	for (uint32_t i = 0; i < count; i++)
		copies[i].error = copy_error(segments[i].status);
	return 0;
}

int xen_grants_copy(struct grants *grants, uint16_t domid, struct grant_copy *copies, uint32_t count)
{
	int error = 0;

	/* gntdev would find this out in the middle of the list. */
	for (uint32_t i = 0; i < count; i++)
		if (copies[i].offset + copies[i].length > (int)PAGE_BYTES)
			return -EINVAL;
	for (uint32_t done = 0; error == 0 && done < count; done += COPY_BATCH)
		error = copy_batch(grants, domid, copies + done,
				   count - done < COPY_BATCH ? count - done : COPY_BATCH);
	return error;
}
