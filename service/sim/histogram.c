// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * histogram.c - how often each latency came, in buckets that grow with it
 */
#include "sim/histogram.h"

#include <string.h>

void histogram_clear(struct histogram *histogram)
{
	memset(histogram, 0, sizeof(*histogram));
	histogram->minimum = UINT64_MAX;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	into->count += from->count;
	into->sum += from->sum;
	if (from->minimum < into->minimum)
		into->minimum = from->minimum;
	if (from->maximum > into->maximum)
		into->maximum = from->maximum;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->buckets[i] += from->buckets[i];
}

/* last_of - the largest value that belongs to a bucket. */
static uint64_t last_of(uint32_t bucket)
{
	uint32_t shift;

	if (bucket < 2 * HISTOGRAM_SUB)
		return bucket;
	/* The last one has all that is larger, too. */
	if (bucket == HISTOGRAM_BUCKETS - 1)
		return UINT64_MAX;
	shift = bucket / HISTOGRAM_SUB - 1;
	return ((uint64_t)(bucket % HISTOGRAM_SUB + HISTOGRAM_SUB + 1) << shift) - 1;
}

uint64_t histogram_percentile(const struct histogram *histogram, double per_cent)
{
	double wanted = (double)histogram->count * per_cent / 100;
	uint64_t seen = 0;

	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->buckets[i];
		if (seen > 0 && (double)seen >= wanted) {
			uint64_t value = last_of(i);

			return value < histogram->maximum ? value : histogram->maximum;
		}
	}
	return histogram->maximum;
}

double histogram_mean(const struct histogram *histogram)
{
	return histogram->count ? (double)histogram->sum / (double)histogram->count : 0;
}
