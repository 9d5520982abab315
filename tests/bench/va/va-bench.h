/* SPDX-License-Identifier: MIT */
#ifndef TESTS_BENCH_VA_VA_BENCH_H
#define TESTS_BENCH_VA_VA_BENCH_H

/* Measures the allocator of address ranges, and prints a table with values and targets. */
void measure_address_ranges(void);

#endif
