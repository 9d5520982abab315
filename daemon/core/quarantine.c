/* SPDX-License-Identifier: MIT */
#include "daemon/core/quarantine.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/core/broker.h"

static int quarantine_compare_guid(const Quarantine *a, const Quarantine *b)
{
	return guid_compare(&a->guid, &b->guid);
}

TREE_GENERATE(QuarantineGuidTree, Quarantine, by_guid, quarantine_compare_guid)

Quarantine *quarantine_find(Broker *broker, const Guid *guid)
{
	return RB_FIND(QuarantineGuidTree, &broker->quarantines_by_guid,
		       &(Quarantine){ .guid = *guid });
}

Quarantine *quarantine_after(Broker *broker, uint64_t serial)
{
	return entity_container(entity_after(broker, ENTITY_QUARANTINE, serial), Quarantine);
}

/* Allocates a quarantine without a charge. Takes ownership of *reason on success. */
static Quarantine *quarantine_new(const Guid *guid, char **reason)
{
	Quarantine *quarantine = calloc(1, sizeof(*quarantine));

	if (!quarantine)
		return NULL;
	quarantine->guid = *guid;
	quarantine->reason = TAKE_POINTER(*reason);
	return quarantine;
}

NTSTATUS quarantine_prepare(Broker *broker, const Payer *payer, const Guid *guid, char **reason,
			    Quarantine **ret_quarantine, Failure *failure)
{
	Quarantine *quarantine = quarantine_new(guid, reason);

	if (!quarantine)
		return failure_no_memory(failure);
	/* A replacement does not increase the number of quarantines. */
	NTSTATUS status = quarantine_find(broker, guid)
				  ? charge_restore(&quarantine->charge, &broker->accounts, payer,
						   LIMIT_QUARANTINES, failure)
				  : charge_take(&quarantine->charge, &broker->accounts, payer,
						LIMIT_QUARANTINES, failure);
	if (status != STATUS_SUCCESS) {
		quarantine_discard(broker, quarantine);
		return status;
	}
	*ret_quarantine = quarantine;
	return STATUS_SUCCESS;
}

NTSTATUS quarantine_restore(Broker *broker, const Payer *payer, const Guid *guid, char **reason,
			    Failure *failure)
{
	Quarantine *quarantine = quarantine_new(guid, reason);

	if (!quarantine)
		return failure_no_memory(failure);
	NTSTATUS status = charge_restore(&quarantine->charge, &broker->accounts, payer,
					 LIMIT_QUARANTINES, failure);
	if (status != STATUS_SUCCESS) {
		quarantine_discard(broker, quarantine);
		return status;
	}
	quarantine_commit(broker, quarantine);
	return STATUS_SUCCESS;
}

void quarantine_discard(Broker *broker, Quarantine *quarantine)
{
	charge_return(&quarantine->charge, &broker->accounts);
	free(quarantine->reason);
	free(quarantine);
}

static void quarantine_unlink(Broker *broker, Quarantine *quarantine)
{
	RB_REMOVE(QuarantineGuidTree, &broker->quarantines_by_guid, quarantine);
	entity_remove(broker, &quarantine->entity);
}

void quarantine_forget(Broker *broker, Quarantine *quarantine)
{
	quarantine_unlink(broker, quarantine);
	quarantine_discard(broker, quarantine);
}

void quarantine_commit(Broker *broker, Quarantine *quarantine)
{
	Quarantine *old = quarantine_find(broker, &quarantine->guid);
	VirtualMachine *vm = vm_find(broker, &quarantine->guid);

	if (old) {
		RB_REMOVE(QuarantineGuidTree, &broker->quarantines_by_guid, old);
		entity_replace(broker, &old->entity, &quarantine->entity);
		quarantine_discard(broker, old);
	} else {
		entity_add(broker, &quarantine->entity, ENTITY_QUARANTINE);
	}
	RB_INSERT(QuarantineGuidTree, &broker->quarantines_by_guid, quarantine);
	if (vm) {
		vm_end_registrations(broker, vm, END_QUARANTINED);
		vm_end_objects(broker, vm, END_QUARANTINED);
	}
	broker_event(broker, &(Event){
				     .kind = EVENT_QUARANTINED,
				     .virtual_machine = &quarantine->guid,
				     .entity = &quarantine->entity,
			     });
}

void quarantine_lift(Broker *broker, Quarantine *quarantine)
{
	quarantine_unlink(broker, quarantine);
	broker_event(broker, &(Event){
				     .kind = EVENT_QUARANTINE_LIFTED,
				     .virtual_machine = &quarantine->guid,
				     .entity = &quarantine->entity,
			     });
	quarantine_discard(broker, quarantine);
}

void quarantines_check(Broker *broker)
{
	Quarantine *quarantine;

	for (quarantine = quarantine_after(broker, 0); quarantine;
	     quarantine = quarantine_after(broker, quarantine->entity.serial)) {
		assert(quarantine_find(broker, &quarantine->guid) == quarantine);
		assert(quarantine->charge.account);
		assert(quarantine->charge.kind == LIMIT_QUARANTINES);
	}
}
