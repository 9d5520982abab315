/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_DISCOVERY_DROP_IN_APPLY_H
#define DAEMON_DISCOVERY_DROP_IN_APPLY_H

#include "daemon/store/store.h"

/*
 * Applies the drop-ins of the broker to all running VMs, at a start and after a reload. Ends the
 * registrations that match no display client any more. Also makes changes that cannot be persisted,
 * because each start makes them again.
 *
 * Returns the number of VMs that could not be changed, because resources have run out.
 */
size_t drop_ins_apply(Store *store);

#endif
