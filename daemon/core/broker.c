/* SPDX-License-Identifier: MIT */
#include "broker.h"

#include <assert.h>
#include <stdlib.h>

Broker *broker_new(const Host *host, const Limits *limits)
{
	Broker *broker = calloc(1, sizeof(*broker));

	if (!broker)
		return NULL;
	broker->host = host;
	accounts_init(&broker->accounts, limits);
	RB_INIT(&broker->processes);
	RB_INIT(&broker->named);
	for (ThingType type = 0; type < THING_MAX; type++)
		RB_INIT(&broker->things[type]);
	RB_INIT(&broker->vms_by_guid);
	RB_INIT(&broker->registrations_by_parties);
	RB_INIT(&broker->quarantines_by_guid);
	if (!adapter_add_software(broker))
		return broker_free(broker);
	return broker;
}

Broker *broker_free(Broker *broker)
{
	VirtualMachine *vm;
	Process *process;
	Quarantine *quarantine;
	Adapter *adapter;

	if (!broker)
		return NULL;
	while ((vm = vm_after(broker, 0)))
		vm_end(broker, vm, END_DAEMON_STOPPED);
	while ((process = process_first(broker)))
		gpu_process_end(broker, LIST_FIRST(&process->gpu_processes), END_DAEMON_STOPPED);
	while ((quarantine = quarantine_after(broker, 0)))
		quarantine_forget(broker, quarantine);
	while ((adapter = adapter_after(broker, 0)))
		adapter_remove(broker, adapter);
	assert(RB_EMPTY(&broker->named) && !thing_after_of_any_type(broker, 0));
	accounts_deinit(&broker->accounts);
	free(broker);
	return NULL;
}

void broker_set_limits(Broker *broker, const Limits *limits)
{
	broker->accounts.limits = *limits;
}

void broker_process_exited(Broker *broker, ProcessKey key)
{
	process_exited(broker, key);
}

void broker_check(Broker *broker)
{
	Process *process;
	VirtualMachine *vm;

	accounts_check(&broker->accounts);
	for (process = process_first(broker); process; process = process_next(process))
		process_check(broker, process);
	for (vm = vm_after(broker, 0); vm; vm = vm_after(broker, vm->thing.serial))
		vm_check(broker, vm);
	registrations_check(broker);
	quarantines_check(broker);
	gpu_check(broker);
}

uint64_t broker_now(Broker *broker)
{
	return broker->host->now(broker->host->self);
}

void broker_event(Broker *broker, const Event *event)
{
	broker->host->event(broker->host->self, event);
}
