/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_VA_RANGE_DETACH_H
#define DAEMON_CORE_VA_RANGE_DETACH_H

#include "daemon/core/va/range-path.h"

/* Balances or merges nodes of the path with fewer entries than the minimum, from the leaf up. */
void range_tree_rebalance(RangeTree *tree, const RangePath *path);

#endif
