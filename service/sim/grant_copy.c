// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * grant_copy.c - copy between granted pages and the host's memory
 *
 * What Xen answers for each piece becomes: -EINVAL for a grant that is not there or does not permit it, -EFAULT for a
 * frame that the guest does not have, -ESRCH for a domain that is not there. A piece that leaves the page makes the
 * call fail, in gntdev.
 */
#include "sim/machine.h"

#include <errno.h>
#include <string.h>

static int error_of(enum grant_status status)
{
	switch (status) {
	case GRANT_STATUS_OKAY:
		return 0;
	case GRANT_STATUS_BAD_DOMAIN:
		return -ESRCH;
	case GRANT_STATUS_BAD_PAGE:
		return -EFAULT;
	default:
		return -EINVAL;
	}
}

/* copy_found - the grant is in use: copy, if the piece lies in what is granted. */
static enum grant_status copy_found(struct sim_guest *guest, const struct sim_found *found,
				    const struct grant_copy *copy)
{
	char *page = sim_page_host(guest, found->page, copy->to_guest);

	if (copy->offset < found->offset || copy->offset + copy->length > found->offset + found->length)
		return GRANT_STATUS_GENERAL_ERROR;
	if (copy->to_guest)
		memcpy(page + copy->offset, copy->own, copy->length);
	else
		memcpy(copy->own, page + copy->offset, copy->length);
	return GRANT_STATUS_OKAY;
}

/* copy_transitive - the grant says: as another domain has granted it to me. That must be a grant of a page. */
static enum grant_status copy_transitive(struct sim_guest *guest, const struct sim_found *found,
					 const struct grant_copy *copy)
{
	struct sim_use use = {.gref = found->other_gref,
			      .domid = sim_guest_domid(guest),
			      .writable = copy->to_guest,
			      .copy = true,
			      .by_transitive = true};
	enum grant_status status = GRANT_STATUS_GENERAL_ERROR;
	struct sim_found other_found;
	struct sim_guest *other;

	if (found->other_domid == sim_guest_domid(guest))
		return status;
	other = sim_guest_hold(guest->machine, found->other_domid);
	if (!other)
		return status;
	status = sim_grant_use(other, &use, &other_found);
	if (status == GRANT_STATUS_OKAY) {
		status = copy_found(other, &other_found, copy);
		sim_grant_use_end(other, use.gref, use.writable);
	}
	sim_guest_drop(other);
	return status;
}

static enum grant_status copy_one(struct sim_guest *guest, const struct grant_copy *copy)
{
	struct sim_use use = {
		.gref = copy->gref, .domid = SIM_HOST_DOMID, .writable = copy->to_guest, .copy = true};
	enum grant_status status;
	struct sim_found found;

	status = sim_grant_use(guest, &use, &found);
	if (status != GRANT_STATUS_OKAY)
		return status;
	if (found.page == SIM_NO_PAGE)
		status = copy_transitive(guest, &found, copy);
	else
		status = copy_found(guest, &found, copy);
	sim_grant_use_end(guest, use.gref, use.writable);
	return status;
}

int sim_grants_copy(struct grants *grants, uint16_t domid, struct grant_copy *copies, uint32_t count)
{
	uint32_t most = count;
	int error = sim_fault_part(sim_grants_machine(grants), SIM_GRANTS_COPY, &most);
	struct sim_guest *guest;

	if (error < 0 && most == count)
		return error;
	for (uint32_t i = 0; i < count; i++)
		if (copies[i].offset + copies[i].length > (int)PAGE_BYTES)
			return -EINVAL;
	guest = sim_grants_guest(grants, domid);
	for (uint32_t i = 0; i < count; i++) {
		if (i >= most)
			copies[i].error = error < 0 ? error : -EAGAIN;
		else
			copies[i].error = error_of(guest ? copy_one(guest, &copies[i])
							 : GRANT_STATUS_BAD_DOMAIN);
	}
	if (guest)
		sim_guest_drop(guest);
	return 0;
}
