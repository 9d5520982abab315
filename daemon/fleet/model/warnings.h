/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_MODEL_WARNINGS_H
#define DAEMON_FLEET_MODEL_WARNINGS_H

#include "daemon/fleet/model/index.h"

/* Warnings about the keys in etcd. Each is logged once. */

/* Changes of own keys by others without a warning. An operator may make one by hand. */
#define WARNINGS_MENDED_MAX 1

typedef struct Warnings {
	bool has_told_mended;
	bool has_told_overflow;
	bool has_told_crowded;
} Warnings;

/* Called with a sentence without a full stop. */
typedef void WarningsTell(void *context, const char *message);

/* Logs the new warnings. mended: changes of keys of this host by others, see Wanted. */
void warnings_tell(Warnings *warnings, const FleetIndex *index, uint64_t mended, WarningsTell *tell,
		   void *context);

#endif
