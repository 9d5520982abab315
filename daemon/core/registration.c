/* SPDX-License-Identifier: MIT */
#include "daemon/core/registration.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/core/broker.h"

static int registration_compare_parties(const Registration *a, const Registration *b)
{
	int order = compare_numbers(a->process->key, b->process->key);

	return order != 0 ? order : compare_numbers(a->vm->entity.serial, b->vm->entity.serial);
}

TREE_GENERATE(RegistrationPartiesTree, Registration, by_parties, registration_compare_parties)

Registration *registration_find(Broker *broker, ProcessKey process, const VirtualMachine *vm)
{
	Process key = { .key = process };
	Registration parties = { .process = &key, .vm = (VirtualMachine *)vm };

	return RB_FIND(RegistrationPartiesTree, &broker->registrations_by_parties, &parties);
}

Registration *registration_find_by_pid(const VirtualMachine *vm, pid_t pid, PidNamespace namespace)
{
	Registration *registration;

	if (pid == 0) /* that of every process which is not visible there */
		return NULL;
	LIST_FOREACH (registration, &vm->registrations, of_vm)
		if (process_pid_in(registration->process, namespace) == pid)
			return registration;
	return NULL;
}

Registration *registration_after(Broker *broker, uint64_t serial)
{
	return entity_container(entity_after(broker, ENTITY_REGISTRATION, serial), Registration);
}

/* Frees a registration that is attached only to its process and charged to its account. */
void registration_discard(Broker *broker, Registration *registration)
{
	Process *process = registration->process;

	charge_return(&registration->charge, &broker->accounts);
	connection_credentials_deinit(&registration->connection_credentials);
	credentials_deinit(&registration->process_credentials);
	free(registration);
	process_release(broker, process);
}

NTSTATUS registration_prepare(Broker *broker, const Caller *caller, VirtualMachine *vm,
			      const Credentials *process_credentials,
			      GraphicsContextKind graphics_context, Registration **ret_registration,
			      Failure *failure)
{
	const ProcessOrigin origin = process_origin_of(caller);
	Registration *registration = calloc(1, sizeof(*registration));

	if (!registration)
		return failure_no_memory(failure);
	registration->vm = vm;
	LIST_INIT(&registration->display_channels);
	registration->graphics_context = graphics_context;
	NTSTATUS status = charge_take(&registration->charge, &broker->accounts, &origin.payer,
				      LIMIT_REGISTRATIONS, failure);
	if (status == STATUS_SUCCESS &&
	    (!credentials_copy(process_credentials, &registration->process_credentials) ||
	     !connection_credentials_copy(&caller->credentials,
					  &registration->connection_credentials)))
		status = failure_no_memory(failure);
	if (status == STATUS_SUCCESS)
		status = process_attach(broker, &origin, &registration->process, failure);
	if (status != STATUS_SUCCESS) {
		registration_discard(broker, registration);
		return status;
	}
	entity_prepare(broker, &registration->entity, ENTITY_REGISTRATION);
	registration->since = broker_now(broker);
	*ret_registration = registration;
	return STATUS_SUCCESS;
}

static void registration_event(Broker *broker, const Registration *registration, EventKind kind,
			       EndReason reason)
{
	broker_event(broker, &(Event){
				     .kind = kind,
				     .virtual_machine = &registration->vm->guid,
				     .entity = &registration->entity,
				     .pid = registration->process->pid,
				     .uid = registration->connection_credentials.uid,
				     .reason = reason,
			     });
}

/* Counts the objects of the registration's VM that its process holds, by the VM's GUID. */
static uint64_t count_open_objects(const Registration *registration)
{
	const ObjectHolder *holder;
	uint64_t count = 0;

	LIST_FOREACH (holder, &registration->process->holds, of_process)
		count += guid_compare(&holder->object->virtual_machine, &registration->vm->guid) ==
			 0;
	return count;
}

void registration_commit(Broker *broker, Registration *registration)
{
	/* A process that was registered before can still hold objects. */
	registration->open_object_count = count_open_objects(registration);
	entity_insert(broker, &registration->entity);
	LIST_INSERT_HEAD(&registration->process->registrations, registration, of_process);
	LIST_INSERT_HEAD(&registration->vm->registrations, registration, of_vm);
	registration->vm->registration_count++;
	RB_INSERT(RegistrationPartiesTree, &broker->registrations_by_parties, registration);
	registration_event(broker, registration, EVENT_REGISTERED, END_REQUESTED);
}

Privileges registration_privileges(const Registration *registration)
{
	return (Privileges){
		.connection = &registration->connection_credentials,
		.process = &registration->process_credentials,
	};
}

void registration_end(Broker *broker, Registration *registration, EndReason reason)
{
	display_channels_end(broker, registration, reason);
	RB_REMOVE(RegistrationPartiesTree, &broker->registrations_by_parties, registration);
	entity_remove(broker, &registration->entity);
	if (registration->vm->prune_next == registration)
		registration->vm->prune_next = LIST_NEXT(registration, of_vm);
	LIST_REMOVE(registration, of_process);
	LIST_REMOVE(registration, of_vm);
	registration->vm->registration_count--;
	broker_remove_ended(broker, registration->entity.serial, reason);
	registration_event(broker, registration, EVENT_UNREGISTERED, reason);
	registration_discard(broker, registration);
}

void registrations_check(Broker *broker)
{
	Registration *registration;

	for (registration = registration_after(broker, 0); registration;
	     registration = registration_after(broker, registration->entity.serial)) {
		assert(registration_find(broker, registration->process->key, registration->vm) ==
		       registration);
		assert(registration->charge.account);
		assert(registration->open_object_count == count_open_objects(registration));
		assert(registration->charge.kind == LIMIT_REGISTRATIONS);
	}
}
