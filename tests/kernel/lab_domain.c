// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lab-domain frames DOMID FILE   writes the machine frames of a PV domain's memory, as 64-bit numbers
 * lab-domain target DOMID OTHER  gives a domain rights over another, as a device model's domain has
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenctrl.h>
#include <xenguest.h>

static void write_frames(xc_interface *xen, uint32_t domain, const char *path)
{
	struct xc_domain_meminfo memory = {0};
	FILE *file = fopen(path, "w");
	unsigned long i;

	if (!file)
		err(1, "%s", path);
	if (xc_map_domain_meminfo(xen, domain, &memory) != 0)
		err(1, "memory of domain %u", domain);
	for (i = 0; i < memory.p2m_size; i++) {
		uint64_t frame = memory.p2m_table[i];

		if (frame < 1ULL << 40)
			fwrite(&frame, sizeof(frame), 1, file);
	}
	xc_unmap_domain_meminfo(xen, &memory);
	if (fclose(file) != 0)
		err(1, "%s", path);
}

int main(int count, char **arguments)
{
	xc_interface *xen = xc_interface_open(NULL, NULL, 0);

	if (!xen)
		err(1, "xc_interface_open");
	if (count == 4 && strcmp(arguments[1], "frames") == 0)
		write_frames(xen, atoi(arguments[2]), arguments[3]);
	else if (count == 4 && strcmp(arguments[1], "target") == 0)
		return xc_domain_set_target(xen, atoi(arguments[2]), atoi(arguments[3])) != 0;
	else
		errx(2, "usage: lab-domain frames DOMID FILE | lab-domain target DOMID OTHER");
	return 0;
}
