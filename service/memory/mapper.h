/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapper.h - what a way to reach guest memory does (internal to memory/)
 */
#ifndef MAPPER_H
#define MAPPER_H

#include "memory/memory.h"

struct memory_mapper {
	const char *name;
	/* Sets memory->mapper_state. Returns 0 or a negative errno. */
	int (*open)(struct memory *memory, uint32_t mappings_max);
	void (*close)(struct memory *memory);
	/* As memory_map and memory_unmap. */
	void (*map)(struct memory *memory, struct memory_mapping **mappings, size_t count);
	size_t (*unmap)(struct memory *memory, struct memory_mapping **mappings, size_t count,
			struct memory_mapping **gone);
};

struct memory {
	const struct platform *platform;
	const struct memory_mapper *mapper;
	void *mapper_state;
	struct grants *grants;
	uint16_t domid;
};

extern const struct memory_mapper mapper_gnttab;

#endif
