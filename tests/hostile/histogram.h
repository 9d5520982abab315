/* SPDX-License-Identifier: MIT */
#ifndef TESTS_HOSTILE_HISTOGRAM_H
#define TESTS_HOSTILE_HISTOGRAM_H

#include <stdint.h>

/*
 * A histogram of durations in nanoseconds, in memory of a constant size. Its buckets are 3 % wide,
 * so a quantile is at most 3 % too small.
 */
#define HISTOGRAM_STEPS 32 /* buckets in each power of two */
#define HISTOGRAM_SIZE  (HISTOGRAM_STEPS * 40)

typedef struct Histogram {
	uint64_t count;
	uint64_t longest;
	uint32_t buckets[HISTOGRAM_SIZE];
} Histogram;

void histogram_add(Histogram *histogram, uint64_t duration);

/*
 * Adds the duration of a request, and those of the requests that its client would have sent
 * meanwhile, one in each period. Otherwise a daemon that stalls for a second would count as one
 * late reply.
 */
void histogram_add_with_missed(Histogram *histogram, uint64_t duration, uint64_t period);

void histogram_merge(Histogram *histogram, const Histogram *other);

/* Returns the duration that a part of all durations does not exceed, for example 0.99 of them. */
uint64_t histogram_quantile(const Histogram *histogram, double part);

#endif
