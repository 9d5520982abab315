/* SPDX-License-Identifier: MIT */
/* What GPU virtual addresses cost. Nothing here fails on a time, only on a wrong answer. */
#include "va-bench.h"

#include <stdio.h>

#include "../bench.h"

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	bench_pin_to_one_cpu();
	measure_address_ranges();
	return 0;
}
