/* SPDX-License-Identifier: MIT */
/* Typed calls for processes and VMs: write the parameters, call, decode the reply. */
#include <string.h>

#include "client/libvail/display-info.h"
#include "client/libvail/internal.h"
#include "client/libvail/parameters.h"

/* ---- Registration and contexts ---- */

/* Calls a method whose only parameter is a VM's GUID. */
static NTSTATUS call_with_machine(struct vail *vail, const char *method,
				  const char *virtual_machine)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;

	parameters_begin(&parameters);
	put_required(&parameters, "virtualMachineGuid", virtual_machine);
	return parameters_call_plain(vail, method, &parameters);
}

NTSTATUS vail_register_process(struct vail *vail, const char *virtual_machine)
{
	return call_with_machine(vail, "io.vaild.RegisterVailProcess", virtual_machine);
}

NTSTATUS vail_unregister_process(struct vail *vail, const char *virtual_machine)
{
	return call_with_machine(vail, "io.vaild.UnregisterVailProcess", virtual_machine);
}

NTSTATUS vail_revoke_registration(struct vail *vail, const char *virtual_machine, pid_t pid)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;

	parameters_begin(&parameters);
	put_required(&parameters, "virtualMachineGuid", virtual_machine);
	put_pid(&parameters, "pid", pid);
	return parameters_call_plain(vail, "io.vaild.RevokeRegistration", &parameters);
}

NTSTATUS vail_create_context(struct vail *vail, const char *adapter,
			     char ret_context[VAIL_HANDLE_SIZE], char ret_process[VAIL_HANDLE_SIZE])
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;
	JsonValue *message = NULL, *reply = NULL;
	char context[VAIL_HANDLE_SIZE];

	if (!vail || !ret_context)
		return STATUS_INVALID_PARAMETER;
	parameters_begin(&parameters);
	put_string(&parameters, "adapter", adapter);
	NTSTATUS status =
		parameters_call(vail, "io.vaild.Gpu.CreateContext", &parameters, &message, &reply);
	if (status == STATUS_SUCCESS)
		status = read_handle(vail, reply, "context", context);
	if (status == STATUS_SUCCESS)
		status = read_handle(vail, reply, "process", ret_process);
	if (status == STATUS_SUCCESS)
		memcpy(ret_context, context, VAIL_HANDLE_SIZE);
	json_free(message);
	return status;
}

NTSTATUS vail_destroy_context(struct vail *vail, const char *context)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;

	parameters_begin(&parameters);
	put_required(&parameters, "context", context);
	return parameters_call_plain(vail, "io.vaild.Gpu.DestroyContext", &parameters);
}

/* ---- Virtual machines ---- */

/* Writes the members of a user or process, without braces. */
static void put_party(Parameters *parameters, const VailParty *party)
{
	put_string(parameters, "user", party->user);
	put_pid(parameters, "pid", party->pid);
}

/* Programs that were built before the last members existed have a shorter structure. */
static const unsigned int *rights_of(const VailMachine *machine)
{
	return machine->size > offsetof(VailMachine, display_client_rights)
		       ? machine->display_client_rights
		       : NULL;
}

static const char *source_of(const VailMachine *machine)
{
	return machine->size > offsetof(VailMachine, settings_source) ? machine->settings_source
								      : NULL;
}

static const char *guest_state_of(const VailMachine *machine)
{
	return machine->size > offsetof(VailMachine, guest_state) ? machine->guest_state : NULL;
}

static bool size_is_known(const VailMachine *machine)
{
	return machine->size == sizeof(*machine) ||
	       machine->size == offsetof(VailMachine, guest_state) ||
	       machine->size == offsetof(VailMachine, settings_source) ||
	       machine->size == offsetof(VailMachine, display_client_rights);
}

static void put_display_client(Parameters *parameters, const VailMachine *machine, size_t index)
{
	const unsigned int *rights = rights_of(machine);

	writer_object_begin(&parameters->writer);
	put_party(parameters, &machine->display_clients[index]);
	if (rights) {
		writer_key(&parameters->writer, "rights");
		put_rights(parameters, rights[index]);
	}
	writer_object_end(&parameters->writer);
}

static void put_machine(Parameters *parameters, const VailMachine *machine)
{
	put_string(parameters, "name", machine->name);
	put_pid(parameters, "vmmPid", machine->vmm_pid);
	if (machine->display_clients) {
		writer_key(&parameters->writer, "displayClients");
		writer_array_begin(&parameters->writer);
		for (size_t i = 0; i < machine->display_client_count; i++)
			put_display_client(parameters, machine, i);
		writer_array_end(&parameters->writer);
	}
	if (machine->agent) {
		writer_key(&parameters->writer, "agent");
		writer_object_begin(&parameters->writer);
		put_party(parameters, machine->agent);
		writer_object_end(&parameters->writer);
	}
	put_string(parameters, "settingsSource", source_of(machine));
	put_string(parameters, "guestState", guest_state_of(machine));
}

static NTSTATUS call_with_settings(struct vail *vail, const char *method,
				   const char *virtual_machine, const VailMachine *machine)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;

	if (vail && machine && !size_is_known(machine))
		return refuse_size(vail, "VAIL_MACHINE_INIT");
	parameters_begin(&parameters);
	put_required(&parameters, "virtualMachineGuid", virtual_machine);
	if (machine)
		put_machine(&parameters, machine);
	return parameters_call_plain(vail, method, &parameters);
}

NTSTATUS vail_register_virtual_machine(struct vail *vail, const char *virtual_machine,
				       const VailMachine *machine)
{
	return call_with_settings(vail, "io.vaild.Machine.RegisterVirtualMachine", virtual_machine,
				  machine);
}

NTSTATUS vail_update_virtual_machine(struct vail *vail, const char *virtual_machine,
				     const VailMachine *machine)
{
	return call_with_settings(vail, "io.vaild.Machine.UpdateVirtualMachine", virtual_machine,
				  machine);
}

NTSTATUS vail_unregister_virtual_machine(struct vail *vail, const char *virtual_machine)
{
	return call_with_machine(vail, "io.vaild.Machine.UnregisterVirtualMachine",
				 virtual_machine);
}

NTSTATUS vail_assign_virtual_gpu(struct vail *vail, const char *virtual_machine,
				 const char *adapter, const char *profile,
				 char ret_virtual_gpu[VAIL_HANDLE_SIZE])
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;
	JsonValue *message = NULL, *reply = NULL;

	parameters_begin(&parameters);
	put_required(&parameters, "virtualMachineGuid", virtual_machine);
	put_string(&parameters, "adapter", adapter);
	put_string(&parameters, "profile", profile);
	NTSTATUS status = parameters_call(vail, "io.vaild.Machine.AssignVirtualGpu", &parameters,
					  &message, &reply);
	if (status == STATUS_SUCCESS)
		status = read_handle(vail, reply, "virtualGpu", ret_virtual_gpu);
	json_free(message);
	return status;
}

NTSTATUS vail_remove_virtual_gpu(struct vail *vail, const char *virtual_gpu)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;

	parameters_begin(&parameters);
	put_required(&parameters, "virtualGpu", virtual_gpu);
	return parameters_call_plain(vail, "io.vaild.Machine.RemoveVirtualGpu", &parameters);
}

NTSTATUS vail_set_quarantine(struct vail *vail, const char *virtual_machine, bool quarantined,
			     const char *reason)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;

	parameters_begin(&parameters);
	put_required(&parameters, "virtualMachineGuid", virtual_machine);
	writer_key(&parameters.writer, "quarantined");
	writer_boolean(&parameters.writer, quarantined);
	put_string(&parameters, "reason", reason);
	return parameters_call_plain(vail, "io.vaild.Machine.SetQuarantine", &parameters);
}
