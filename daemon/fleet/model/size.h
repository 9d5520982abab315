/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_MODEL_SIZE_H
#define DAEMON_FLEET_MODEL_SIZE_H

#include "daemon/fleet/model/index.h"

/*
 * Returns the bytes that the entries of the index have asked the allocator for. Looks at each
 * entry.
 */
size_t fleet_index_size(const FleetIndex *index);

#endif
