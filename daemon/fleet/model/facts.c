/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/model/facts.h"

#include <stdlib.h>

const FleetLocalVm *fleet_facts_vm(const FleetFacts *facts, const Guid *guid)
{
	for (size_t i = 0; i < facts->vm_count; i++)
		if (guid_compare(&facts->vms[i].guid, guid) == 0)
			return &facts->vms[i];
	return NULL;
}

const FleetLocalQuarantine *fleet_facts_quarantine(const FleetFacts *facts, const Guid *guid)
{
	for (size_t i = 0; i < facts->quarantine_count; i++)
		if (guid_compare(&facts->quarantines[i].guid, guid) == 0)
			return &facts->quarantines[i];
	return NULL;
}

void fleet_facts_clear_vms(FleetFacts *facts)
{
	for (size_t i = 0; i < facts->vm_count; i++) {
		free(facts->vms[i].vm.name);
		free(facts->vms[i].vm.date);
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
