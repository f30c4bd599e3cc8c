/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * histogram.h - how often each latency came, in buckets that grow with it
 *
 * Theory of operation: each power of two is divided into 32 buckets of the same width, so that a value is known to
 * 3%. Adding one is a few instructions; nothing is allocated.
 */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 5u
#define HISTOGRAM_SUB (1u << HISTOGRAM_SUB_BITS)
#define HISTOGRAM_BUCKETS ((40u - HISTOGRAM_SUB_BITS + 1u) * HISTOGRAM_SUB) /* up to 2^40 ns, 18 minutes */

struct histogram {
	uint64_t count;
	uint64_t sum;
	uint64_t minimum, maximum;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_clear(struct histogram *histogram);

static inline uint32_t histogram_bucket(uint64_t value)
{
	uint32_t shift;

	if (value < 2 * HISTOGRAM_SUB)
		return (uint32_t)value;
	if (value >> 40)
		return HISTOGRAM_BUCKETS - 1;
	shift = 63u - (uint32_t)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
	return shift * HISTOGRAM_SUB + (uint32_t)(value >> shift);
}

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
	histogram->count++;
	histogram->sum += value;
	if (value < histogram->minimum)
		histogram->minimum = value;
	if (value > histogram->maximum)
		histogram->maximum = value;
	histogram->buckets[histogram_bucket(value)]++;
}

/* histogram_merge - add all of `from` to `into`. */
void histogram_merge(struct histogram *into, const struct histogram *from);

/* histogram_percentile - the value that `per_cent` of all values do not exceed, to 3%; 0 if there are none. */
uint64_t histogram_percentile(const struct histogram *histogram, double per_cent);

/* histogram_mean - 0 if there are none. */
double histogram_mean(const struct histogram *histogram);

#endif
