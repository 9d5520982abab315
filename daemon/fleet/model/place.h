/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_MODEL_PLACE_H
#define DAEMON_FLEET_MODEL_PLACE_H

#include "daemon/fleet/model/index.h"

/*
 * A host, and how many more vGPUs of a type it can have: those of the devices that name the type.
 * If none does, those of adapters that take any type count. vaild's software adapter never does.
 */
typedef struct FleetPlace {
	const FleetEntry *host;
	uint64_t free;
	const char *why_not; /* a sentence without a full stop, if free is 0 */
} FleetPlace;

/*
 * Lists all hosts: those with free vGPUs of the type first, most free first, then by name. Returns
 * false if out of memory. The caller frees *ret_places, which refers to the index.
 */
bool fleet_place(const FleetIndex *index, const char *type, FleetPlace **ret_places,
		 size_t *ret_count);

#endif
