/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/model/facts.h"

#include <stdlib.h>

static int compare_vms(const void *a, const void *b)
{
	return guid_compare(&((const FleetLocalVm *)a)->guid, &((const FleetLocalVm *)b)->guid);
}

static int compare_quarantines(const void *a, const void *b)
{
	return guid_compare(&((const FleetLocalQuarantine *)a)->guid,
			    &((const FleetLocalQuarantine *)b)->guid);
}

void fleet_facts_sort(FleetFacts *facts)
{
	if (facts->vm_count > 0)
		qsort(facts->vms, facts->vm_count, sizeof(*facts->vms), compare_vms);
	if (facts->quarantine_count > 0)
		qsort(facts->quarantines, facts->quarantine_count, sizeof(*facts->quarantines),
		      compare_quarantines);
}

const FleetLocalVm *fleet_facts_vm(const FleetFacts *facts, const Guid *guid)
{
	const FleetLocalVm wanted = { .guid = *guid };

	return facts->vm_count > 0 ? bsearch(&wanted, facts->vms, facts->vm_count,
					     sizeof(*facts->vms), compare_vms)
				   : NULL;
}

const FleetLocalQuarantine *fleet_facts_quarantine_from(const FleetFacts *facts, const Guid *guid)
{
	size_t low = 0, high = facts->quarantine_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (guid_compare(&facts->quarantines[middle].guid, guid) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < facts->quarantine_count ? &facts->quarantines[low] : NULL;
}

const FleetLocalQuarantine *fleet_facts_quarantine(const FleetFacts *facts, const Guid *guid)
{
	const FleetLocalQuarantine *found = fleet_facts_quarantine_from(facts, guid);

	return found && guid_compare(&found->guid, guid) == 0 ? found : NULL;
}

void fleet_facts_clear_vms(FleetFacts *facts)
{
	for (size_t i = 0; i < facts->vm_count; i++) {
		free(facts->vms[i].vm.name);
		free(facts->vms[i].vm.date);
		free(facts->vms[i].users);
	}
	free(facts->vms);
	facts->vms = NULL;
	facts->vm_count = 0;
}

void fleet_facts_clear_gpus(FleetFacts *facts)
{
	for (size_t i = 0; i < facts->gpu_count; i++) {
		FleetValue value = { .kind = FLEET_KEY_GPU, .gpu = facts->gpus[i].gpu };

		fleet_value_deinit(&value);
	}
	free(facts->gpus);
	facts->gpus = NULL;
	facts->gpu_count = 0;
}

void fleet_facts_clear_quarantines(FleetFacts *facts)
{
	for (size_t i = 0; i < facts->quarantine_count; i++)
		free(facts->quarantines[i].reason);
	free(facts->quarantines);
	facts->quarantines = NULL;
	facts->quarantine_count = 0;
}

void fleet_facts_deinit(FleetFacts *facts)
{
	fleet_facts_clear_vms(facts);
	fleet_facts_clear_gpus(facts);
	fleet_facts_clear_quarantines(facts);
	free(facts->host.name);
	free(facts->host.version);
	*facts = (FleetFacts){ .is_known = false };
}
