/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/model/place.h"

#include <stdlib.h>
#include <string.h>

/* Adds up what the host's adapters can have, and says why that is nothing. */
static FleetPlace measure(const FleetIndex *index, const FleetEntry *host, const char *type)
{
	FleetPlace place = { .host = host };
	const FleetEntry *gpu = fleet_index_first_gpu(index, &host->key.host);
	bool has_gpu = gpu != NULL, has_type = false;

	if (host->value.host.is_vaild_away) {
		place.why_not = "vaild is away";
		return place;
	}
	for (; gpu; gpu = fleet_index_next_gpu(gpu)) {
		has_type |= fleet_gpu_offers(&gpu->value.gpu, type);
		place.free += fleet_gpu_free(&gpu->value.gpu, type);
	}
	if (place.free > 0)
		return place;
	if (!has_gpu)
		place.why_not = "it has no GPU";
	else
		place.why_not = has_type ? "all its vGPUs of this type are in use"
					 : "none of its GPUs is known to offer this type";
	return place;
}

static int compare_places(const void *a, const void *b)
{
	const FleetPlace *one = a, *other = b;

	if (one->free != other->free)
		return one->free > other->free ? -1 : 1;
	int order = strcmp(one->host->value.host.name, other->host->value.host.name);
	return order != 0 ? order : fleet_key_compare(&one->host->key, &other->host->key);
}

bool fleet_place(const FleetIndex *index, const char *type, FleetPlace **ret_places,
		 size_t *ret_count)
{
	const FleetEntry *host = fleet_index_first(index, FLEET_KEY_HOST);
	FleetPlace *places = calloc(index->counts[FLEET_KEY_HOST] + 1, sizeof(*places));
	size_t count = 0;

	if (!places)
		return false;
	for (; host; host = fleet_index_next(host))
		places[count++] = measure(index, host, type);
	qsort(places, count, sizeof(*places), compare_places);
	*ret_places = places;
	*ret_count = count;
	return true;
}
