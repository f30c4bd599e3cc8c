/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xen.h - what the files of the platform `xen` have in common, and the functions that xen.c puts into its table
 */
#ifndef XEN_PLATFORM_H
#define XEN_PLATFORM_H

#include <errno.h>
#include <xentoollog.h>

#include "platform/platform.h"

/* error_number - errno as a negative number; never 0, whatever a library forgot to set. */
static inline int error_number(void)
{
	return errno > 0 ? -errno : -EIO;
}

/*
 * quiet_logger - a logger for a library, or NULL with errno set. Only critical messages pass, since a guest could cause
 * the others without end; whoever called says what failed and for whom.
 */
xentoollog_logger *quiet_logger(void);

/* xen_grants.c */
int xen_grants_open(const struct platform *platform, struct grants **grants);
void xen_grants_close(struct grants *grants);
int xen_grants_map(struct grants *grants, uint16_t domid, const uint32_t *grefs, uint32_t count,
		   bool writable, bool consecutive, void **pages, void **mapping);
int xen_grants_unmap(struct grants *grants, void *mapping, uint32_t count);
int xen_grants_copy(struct grants *grants, uint16_t domid, struct grant_copy *copies, uint32_t count);

/* xen_foreign.c */
int xen_foreign_open(const struct platform *platform, struct foreign **foreign);
void xen_foreign_close(struct foreign *foreign);
const char *xen_foreign_way(struct foreign *foreign, const char **reason);
int xen_foreign_restrict(struct foreign *foreign, uint16_t domid);
int xen_foreign_reserve(struct foreign *foreign, uint32_t pages, enum foreign_use use, void **address);
int xen_foreign_release(struct foreign *foreign, void *address, uint32_t pages);
int xen_foreign_map(struct foreign *foreign, uint16_t domid, const struct foreign_run *runs,
		    uint32_t run_count, const uint64_t *frames, int *errors);
int xen_foreign_unmap(struct foreign *foreign, const struct foreign_run *runs, uint32_t run_count);
int xen_foreign_map_grant_frames(struct foreign *foreign, uint16_t domid, void *address,
				 enum grant_frames which, uint32_t first, uint32_t count);

/* xen_foreign_remap.c */
int xen_publisher_open(const struct platform *platform, uint16_t domid);

/* xen_device_model.c */
int xen_device_model_open(const struct platform *platform, uint16_t domid, struct device_model **model);
int xen_device_model_possible(const struct platform *platform, uint16_t domid);
int xen_device_model_clean_up(const struct platform *platform, uint16_t domid);
void xen_device_model_close(struct device_model *model);
int xen_device_model_modified(struct device_model *model, const uint64_t *frames, uint32_t count);
int xen_device_model_fd(struct device_model *model);
bool xen_device_model_invalidated(struct device_model *model);
int xen_device_model_answer(struct device_model *model);

#endif
