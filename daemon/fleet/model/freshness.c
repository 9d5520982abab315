/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/model/freshness.h"

#include <stdio.h>

static void describe_problem(const FleetIndex *index, FleetFreshness *ret)
{
	const char *begin = "", *rest = NULL;

	if (!index->is_reached) {
		begin = index->why ? "etcd cannot be reached" : "etcd was not reached yet";
		rest = index->why;
	} else if (index->has_alarm) {
		begin = "etcd takes no changes, because it has an alarm";
		rest = index->alarm;
	}
	snprintf(ret->problem, sizeof(ret->problem), "%s%s%s", begin, rest ? ": " : "",
		 rest ? rest : "");
}

/* Limits the time as of which the index is by another one; 0 if that is not known. */
static void limit(uint64_t *since, uint64_t other)
{
	if (other < *since)
		*since = other;
}

void fleet_index_freshness(const FleetIndex *index, uint64_t now, FleetFreshness *ret)
{
	uint64_t since = now;

	if (!index->is_reached)
		limit(&since, index->revision > 0 ? index->since : 0);
	if (index->has_alarm)
		limit(&since, index->alarm_since);
	ret->is_current = fleet_index_is_current(index) && !index->has_alarm;
	ret->has_age = since > 0;
	ret->age = ret->has_age ? now - since : 0;
	describe_problem(index, ret);
}
