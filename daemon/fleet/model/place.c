/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/model/place.h"

#include <stdlib.h>
#include <string.h>

/* The sum of those adapters of a host that have the type in the same way. */
typedef struct Offer {
	bool has_type;
	uint64_t free;
} Offer;

static void add_gpu(Offer *offer, const FleetGpu *gpu, const char *type)
{
	offer->has_type |= fleet_gpu_offers(gpu, type);
	offer->free += fleet_gpu_free(gpu, type);
}

/*
 * Adds up what the host's adapters can have, and says why that is nothing. Devices that name the
 * type are what it means, so adapters that take any type count only on a host without such a
 * device.
 */
static FleetPlace measure(const FleetIndex *index, const FleetEntry *host, const char *type)
{
	FleetPlace place = { .host = host };
	const FleetEntry *gpu = fleet_index_first_gpu(index, &host->key.host);
	Offer named = { .free = 0 }, any = { .free = 0 };
	bool has_gpu = false;

	if (host->value.host.is_vaild_away) {
		place.why_not = "vaild is away";
		return place;
	}
	for (; gpu; gpu = fleet_index_next_gpu(gpu)) {
		if (fleet_gpu_is_software(&gpu->value.gpu))
			continue;
		has_gpu = true;
		add_gpu(fleet_gpu_names(&gpu->value.gpu, type) ? &named : &any, &gpu->value.gpu,
			type);
	}
	const Offer *offer = named.has_type ? &named : &any;
	place.free = offer->free;
	if (!has_gpu)
		place.why_not = "it has no GPU";
	else if (!offer->has_type)
		place.why_not = "none of its GPUs is known to offer this type";
	else if (place.free == 0)
		place.why_not = "all its vGPUs of this type are in use";
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
