/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * access.h - the way to guests' memory that an operator can choose: memory=auto|grant|foreign (docs/memory.md)
 */
#ifndef MEMORY_ACCESS_H
#define MEMORY_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum memory_access {
	MEMORY_AUTO,	/* what is best for the guest */
	MEMORY_GRANT,	/* always by grants */
	MEMORY_FOREIGN, /* as auto, but an error where that would be grants alone */
};

#define MEMORY_IDLE_DEFAULT_S 10 /* what was not used for so long is unmapped */
#define MEMORY_ACCESS_NAMES "auto, grant or foreign"

/* memory_access_parse - false for anything else than these names. */
static inline bool memory_access_parse(const char *text, enum memory_access *access)
{
	static const char *const names[] = {"auto", "grant", "foreign"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			*access = (enum memory_access)i;
			return true;
		}
	}
	return false;
}

#endif
