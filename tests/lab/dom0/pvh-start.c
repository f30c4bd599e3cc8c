// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded into xl, this spares an emulated PVH guest ten seconds of its boot.
 *
 * Linux measures the processor's clock by reading counter 2 of the interval timer (port 0x42) up to a hundred
 * thousand times, for as long as the high byte stays 0xff. A PVH guest has no such timer: each read leaves the
 * guest, costs some hundred microseconds under software emulation, and gives 0xff. Here the domain gets, as soon as
 * it is created, another port of the machine in that place, the status of ACPI's general purpose events. It reads as
 * 0, and the kernel turns to the clock that Xen offers at once, as it would have done in the end.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <xenctrl.h>

#define GUEST_PORT 0x42
#define MACHINE_PORT 0xafe0

/* The programs that xl starts don't need this library, which is the first one. They may need those after it. */
__attribute__((constructor)) static void forget_preload(void)
{
	const char *libraries = getenv("LD_PRELOAD"), *others = libraries ? strchr(libraries, ':') : NULL;

	if (others)
		setenv("LD_PRELOAD", others + 1, 1);
	else
		unsetenv("LD_PRELOAD");
}

/* Takes the place of libxenctrl's function and calls it. */
int xc_domain_create(xc_interface *xch, uint32_t *domid, struct xen_domctl_createdomain *config)
{
	int (*create)(xc_interface *, uint32_t *, struct xen_domctl_createdomain *);
	int (*map)(xc_interface *, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t);
	int rc;

	*(void **)&create = dlsym(RTLD_NEXT, "xc_domain_create");
	*(void **)&map = dlsym(RTLD_NEXT, "xc_domain_ioport_mapping");
	if (!create)
		abort();
	rc = create(xch, domid, config);
	if (rc == 0 && map && (config->flags & XEN_DOMCTL_CDF_hvm))
		map(xch, *domid, GUEST_PORT, MACHINE_PORT, 1, 1);
	return rc;
}
