/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chance.h - random numbers that are the same for the same seed, for any number of threads
 *
 * Theory of operation: the state is a counter that goes up by a large odd number, and each number is a hash of it
 * (splitmix64, by Sebastiano Vigna, who put it in the public domain).
 */
#ifndef CHANCE_H
#define CHANCE_H

#include <stdatomic.h>
#include <stdint.h>

#define CHANCE_STEP UINT64_C(0x9e3779b97f4a7c15)

struct chance {
	_Atomic uint64_t state;
};

static void chance_seed(struct chance *chance, uint64_t seed)
{
	atomic_init(&chance->state, seed);
}

/* chance_below - 0 to limit - 1; each as likely as the others. `limit` is at least 1 and below 2^32. */
static uint64_t chance_below(struct chance *chance, uint64_t limit)
{
	uint64_t z = atomic_fetch_add_explicit(&chance->state, CHANCE_STEP, memory_order_relaxed) +
		     CHANCE_STEP;

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return (z >> 32) * limit >> 32;
}

#endif
