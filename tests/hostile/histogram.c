/* SPDX-License-Identifier: MIT */
#include "tests/hostile/histogram.h"

#include <stddef.h>

#define STEP_BITS 5 /* log2 of HISTOGRAM_STEPS */

static size_t bucket_of(uint64_t duration)
{
	if (duration < HISTOGRAM_STEPS)
		return duration;
	unsigned int exponent = 63u - (unsigned int)__builtin_clzll(duration);
	size_t step = duration >> (exponent - STEP_BITS) & (HISTOGRAM_STEPS - 1);
	size_t bucket = (exponent - STEP_BITS + 1) * HISTOGRAM_STEPS + step;

	return bucket < HISTOGRAM_SIZE ? bucket : HISTOGRAM_SIZE - 1;
}

/* Returns the shortest duration of the bucket. */
static uint64_t bucket_begin(size_t bucket)
{
	if (bucket < HISTOGRAM_STEPS)
		return bucket;
	return (uint64_t)(HISTOGRAM_STEPS + bucket % HISTOGRAM_STEPS)
	       << (bucket / HISTOGRAM_STEPS - 1);
}

void histogram_add(Histogram *histogram, uint64_t duration)
{
	histogram->buckets[bucket_of(duration)]++;
	histogram->count++;
	if (duration > histogram->longest)
		histogram->longest = duration;
}

void histogram_add_with_missed(Histogram *histogram, uint64_t duration, uint64_t period)
{
	for (;;) {
		histogram_add(histogram, duration);
		if (duration <= period)
			return;
		duration -= period;
	}
}

void histogram_merge(Histogram *histogram, const Histogram *other)
{
	for (size_t i = 0; i < HISTOGRAM_SIZE; i++)
		histogram->buckets[i] += other->buckets[i];
	histogram->count += other->count;
	if (other->longest > histogram->longest)
		histogram->longest = other->longest;
}

uint64_t histogram_quantile(const Histogram *histogram, double part)
{
	uint64_t wanted = (uint64_t)((double)histogram->count * part), seen = 0;
	size_t i = 0;

	while (i < HISTOGRAM_SIZE - 1 && (seen += histogram->buckets[i]) <= wanted)
		i++;
	return bucket_begin(i);
}
