/* SPDX-License-Identifier: MIT */
#ifndef VA_BENCH_H
#define VA_BENCH_H

/* Each measures a part of the matter and prints its table, targets beside the values. */
void measure_address_ranges(void);

#endif
