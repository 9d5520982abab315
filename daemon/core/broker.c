/* SPDX-License-Identifier: MIT */
#include "daemon/core/broker.h"

#include <assert.h>
#include <stdlib.h>

Broker *broker_new(const Host *host, const Limits *limits, const SoftwareAdapterSettings *software)
{
	Broker *broker = calloc(1, sizeof(*broker));

	if (!broker)
		return NULL;
	broker->host = host;
	broker->driver_callbacks = (DriverCallbacks){
		.broker = broker,
		.reserve_gpu_virtual_address_range = gpu_process_reserve_for_driver,
	};
	if (software)
		broker->software_adapter = *software;
	accounts_init(&broker->accounts, limits);
	RB_INIT(&broker->processes);
	RB_INIT(&broker->handles);
	for (EntityType type = 0; type < ENTITY_MAX; type++)
		RB_INIT(&broker->entities[type]);
	RB_INIT(&broker->vms_by_guid);
	RB_INIT(&broker->agents_by_user);
	RB_INIT(&broker->told_guests);
	RB_INIT(&broker->registrations_by_parties);
	RB_INIT(&broker->quarantines_by_guid);
	TAILQ_INIT(&broker->reaper_queue);
	endings_init(&broker->endings);
	TAILQ_INIT(&broker->cut_channels);
	if (!adapter_add_software(broker))
		return broker_free(broker);
	return broker;
}

/* Returns a process that holds objects, or NULL if no process does. */
static Process *process_with_holds(Broker *broker)
{
	Process *process = process_first(broker);

	while (process && LIST_EMPTY(&process->holds))
		process = process_next(process);
	return process;
}

Broker *broker_free(Broker *broker)
{
	VirtualMachine *vm;
	Quarantine *quarantine;
	Adapter *adapter;
	Process *process;

	if (!broker)
		return NULL;
	while (broker_end_some(broker, UINT64_MAX))
		;
	while ((vm = vm_after(broker, 0)))
		vm_end_at_once(broker, vm, END_DAEMON_STOPPED);
	while ((process = process_with_holds(broker)))
		holder_end(broker, LIST_FIRST(&process->holds), END_DAEMON_STOPPED);
	while ((adapter = adapter_after(broker, 0)))
		adapter_end(broker, adapter, END_DAEMON_STOPPED);
	while ((quarantine = quarantine_after(broker, 0)))
		quarantine_forget(broker, quarantine);
	while (broker_reap(broker, SIZE_MAX))
		;
	assert(RB_EMPTY(&broker->told_guests));
	assert(RB_EMPTY(&broker->handles) && !entity_after_of_any_type(broker, 0));
	accounts_deinit(&broker->accounts);
	free(broker);
	return NULL;
}

void broker_configure(Broker *broker, const Limits *limits, const SoftwareAdapterSettings *software)
{
	broker->accounts.limits = *limits;
	broker->software_adapter = *software;
}

void broker_restore_begin(Broker *broker, uint64_t last_serial)
{
	broker->last_serial = last_serial;
	broker->is_restoring = broker->accounts.is_restoring = true;
}

void broker_restore_end(Broker *broker, uint64_t last_serial)
{
	broker->is_restoring = broker->accounts.is_restoring = false;
	broker->last_serial = last_serial;
}

void broker_stop(Broker *broker)
{
	broker->is_stopping = true;
}

void broker_connection_closed(Broker *broker, const Caller *caller)
{
	if (!broker->is_stopping)
		adapters_end_for_connection(broker, caller);
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
	for (vm = vm_after(broker, 0); vm; vm = vm_after(broker, vm->entity.serial))
		vm_check(broker, vm);
	registrations_check(broker);
	quarantines_check(broker);
	adapters_check(broker);
	objects_check(broker);
	display_channels_check(broker);
}

uint64_t broker_now(Broker *broker)
{
	return broker->host->now(broker->host->self);
}

uint64_t broker_next_serial(Broker *broker)
{
	return ++broker->last_serial;
}

void broker_remove_record(Broker *broker, uint64_t serial)
{
	if (serial > 0)
		broker->host->remove(broker->host->self, &serial, 1);
}

void broker_remove_record_later(Broker *broker, uint64_t serial)
{
	if (serial > 0)
		broker->host->remove_later(broker->host->self, &serial, 1);
}

void broker_remove_ended(Broker *broker, uint64_t serial, EndReason reason)
{
	if (end_reason_is_inherited(reason))
		broker_remove_record_later(broker, serial);
	else
		broker_remove_record(broker, serial);
}

void broker_event(Broker *broker, const Event *event)
{
	if (broker->is_restoring)
		return;
	broker->host->event(broker->host->self, event);
}
