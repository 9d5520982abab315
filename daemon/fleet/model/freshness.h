/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_MODEL_FRESHNESS_H
#define DAEMON_FLEET_MODEL_FRESHNESS_H

#include "daemon/fleet/model/index.h"

/*
 * How old the index is for a reader. It is of now while etcd is reached and has no alarm. With an
 * alarm, etcd puts no key, so no host can tell what changes there. The model goes on with the index
 * then: deletions are still done, and a put that fails does no harm.
 */
typedef struct FleetFreshness {
	bool is_current;
	bool has_age;
	uint64_t age;      /* milliseconds since the index was of now, if that is known */
	char problem[512]; /* a sentence without a full stop, or "" */
} FleetFreshness;

void fleet_index_freshness(const FleetIndex *index, uint64_t now, FleetFreshness *ret);

#endif
