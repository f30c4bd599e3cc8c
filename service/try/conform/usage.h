/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * usage.h - what this process holds: descriptors, threads, memory
 */
#ifndef CONFORM_USAGE_H
#define CONFORM_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conform_usage {
	int64_t descriptors;
	int64_t threads;
	int64_t heap_bytes;   /* malloc() */
	int64_t mapped_bytes; /* mmap(), with what malloc() keeps */
};

void conform_usage_now(struct conform_usage *usage);

/* conform_usage_leak - what grew by so much between two times that each of `count` repetitions left something. Fills
 * `text`, and returns false if nothing did. */
bool conform_usage_leak(const struct conform_usage *before, const struct conform_usage *after, uint32_t count,
			char *text, size_t size);

#endif
