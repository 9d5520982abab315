/* SPDX-License-Identifier: MIT */
#ifndef CORE_DROPS_H
#define CORE_DROPS_H

#include <stddef.h>
#include <stdint.h>

#include "host.h"

/* Records that go together, so many at a time that not each costs a write of its own. */
#define DROPPED_AT_ONCE 256

typedef struct Drops {
	const Host *host;
	size_t count;
	uint64_t serials[DROPPED_AT_ONCE];
} Drops;

void drops_begin(Drops *drops, const Host *host);

/* In the order in which they are added. A serial of 0 was never made lasting. */
void drops_add(Drops *drops, uint64_t serial);

/* By then all of them have gone. */
void drops_end(Drops *drops);

#endif
