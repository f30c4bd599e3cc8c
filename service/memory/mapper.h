/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapper.h - what a way to reach guest memory does (internal to memory/)
 */
#ifndef MAPPER_H
#define MAPPER_H

#include "memory/memory.h"

struct memory_mapper {
	const char *name;
	/* As memory_map and memory_unmap. */
	void (*map)(struct memory *memory, struct memory_mapping **mappings, size_t count);
	void (*unmap)(struct memory *memory, struct memory_mapping **mappings, size_t count);
};

struct memory {
	const struct platform *platform;
	const struct memory_mapper *mapper;
	struct grants *grants;
	uint16_t domid;
};

extern const struct memory_mapper mapper_gnttab;

#endif
