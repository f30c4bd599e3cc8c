// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * device_kind.c - what is different between disks and network cards
 */
#include "daemon/device_kind.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/nodes.h"

const struct device_kind *const device_kinds[DEVICE_KINDS] = {&device_kind_disk, &device_kind_net};

bool device_kind_has_script(const struct host *host, const char *directory, const char *name)
{
	char *script = nodes_read(host, directory, "script");
	const char *last = NULL;
	bool same;

	if (script != NULL)
		last = strrchr(script, '/') != NULL ? strrchr(script, '/') + 1 : script;
	same = last != NULL && strcmp(last, name) == 0;
	free(script);
	return same;
}
