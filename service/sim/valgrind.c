// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * valgrind.c - does this process run under valgrind?
 */
#include "sim/valgrind.h"

#include <stdlib.h>
#include <string.h>

bool runs_under_valgrind(void)
{
	const char *preloaded = getenv("LD_PRELOAD");

	return preloaded && strstr(preloaded, "/vgpreload_core");
}
