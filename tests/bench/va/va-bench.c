/* SPDX-License-Identifier: MIT */
/* Measures the cost of GPU virtual addresses. A wrong result fails, a slow one does not. */
#include "tests/bench/va/va-bench.h"

#include <stdio.h>

#include "tests/support/measure.h"

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	bench_pin_to_one_cpu();
	measure_address_ranges();
	return 0;
}
