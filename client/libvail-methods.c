/* SPDX-License-Identifier: MIT */
/* The typed calls: each writes its parameters, calls, and reads what it needs of the reply. */
#include <string.h>

#include "guid.h"
#include "libvail-internal.h"
#include "writer.h"

/* ---- Parameters ---- */

/* The parameters of one call while they are being written. */
typedef struct Parameters {
	Buffer text;
	Writer writer;
	const char *wrong; /* one that is NULL and must not be, or no pid */
} Parameters;

/* The writer writes into the struct itself: it must not be copied. */
static void parameters_begin(Parameters *parameters)
{
	*parameters = (Parameters){ .text = BUFFER_INIT };
	parameters->writer = WRITER_INIT(&parameters->text);
	writer_object_begin(&parameters->writer);
}

static void parameters_deinit(Parameters *parameters)
{
	buffer_deinit(&parameters->text);
}

/* Each of them leaves out what is absent. */
#define put_string(parameters, name, value)                          \
	do {                                                         \
		const char *_text = (value);                         \
		if (_text) {                                         \
			writer_key(&(parameters)->writer, name);     \
			writer_string(&(parameters)->writer, _text); \
		}                                                    \
	} while (0)

#define put_required(parameters, name, value)                                  \
	do {                                                                   \
		if (!(value))                                                  \
			(parameters)->wrong = name " is NULL; it is required"; \
		put_string(parameters, name, value);                           \
	} while (0)

#define put_pid(parameters, name, value)                                                      \
	do {                                                                                  \
		pid_t _pid = (value);                                                         \
		if (_pid < 0)                                                                 \
			(parameters)->wrong = name " is negative; name a process by its pid"; \
		if (_pid > 0) {                                                               \
			writer_key(&(parameters)->writer, name);                              \
			writer_unsigned(&(parameters)->writer, (uint64_t)_pid);               \
		}                                                                             \
	} while (0)

static void put_party(Parameters *parameters, const VailParty *party)
{
	writer_object_begin(&parameters->writer);
	put_string(parameters, "user", party->user);
	put_pid(parameters, "pid", party->pid);
	writer_object_end(&parameters->writer);
}

/* ---- Calls ---- */

/* Calls with what was written. The reply is as of vail_call_value(). */
static NTSTATUS parameters_call(struct vail *vail, const char *method, Parameters *parameters,
				JsonValue **ret_message, JsonValue **ret_reply)
{
	if (!vail)
		return STATUS_INVALID_PARAMETER;
	if (parameters->wrong)
		return vail_error_set(vail, STATUS_INVALID_PARAMETER, "%s", parameters->wrong);
	writer_object_end(&parameters->writer);
	writer_terminator(&parameters->writer, '\0');
	if (parameters->writer.failed)
		return vail_error_no_memory(vail);
	return vail_call_value(vail, method, buffer_head(&parameters->text), ret_message,
			       ret_reply);
}

/* The same for a method whose reply holds nothing but its status. */
static NTSTATUS parameters_call_plain(struct vail *vail, const char *method, Parameters *parameters)
{
	JsonValue *message = NULL, *reply;
	NTSTATUS status = parameters_call(vail, method, parameters, &message, &reply);

	json_free(message);
	return status;
}

/* Copies a handle out of a reply. ret_handle may be NULL. */
static NTSTATUS read_handle(struct vail *vail, const JsonValue *reply, const char *name,
			    char *ret_handle)
{
	const char *text = json_string(json_member(reply, name));
	Handle handle;

	if (!text || !handle_parse(text, &handle))
		return vail_error_set(vail, STATUS_INVALID_NETWORK_RESPONSE,
				      "vaild answered without the handle \"%s\"; use a libvail of "
				      "its version",
				      name);
	if (ret_handle)
		memcpy(ret_handle, text, VAIL_HANDLE_SIZE);
	return STATUS_SUCCESS;
}

_Static_assert(VAIL_HANDLE_SIZE == HANDLE_TEXT_LENGTH + 1, "a handle's text and its NUL");

/* A method that takes a VM's GUID and nothing else. */
static NTSTATUS call_with_machine(struct vail *vail, const char *method,
				  const char *virtual_machine)
{
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
	_cleanup_(parameters_deinit) Parameters parameters;

	parameters_begin(&parameters);
	put_required(&parameters, "virtualMachineGuid", virtual_machine);
	put_pid(&parameters, "pid", pid);
	return parameters_call_plain(vail, "io.vaild.RevokeRegistration", &parameters);
}

NTSTATUS vail_create_context(struct vail *vail, const char *adapter,
			     char ret_context[VAIL_HANDLE_SIZE], char ret_process[VAIL_HANDLE_SIZE])
{
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
	_cleanup_(parameters_deinit) Parameters parameters;

	parameters_begin(&parameters);
	put_required(&parameters, "context", context);
	return parameters_call_plain(vail, "io.vaild.Gpu.DestroyContext", &parameters);
}

/* ---- Virtual machines ---- */

static void put_machine(Parameters *parameters, const VailMachine *machine)
{
	put_string(parameters, "name", machine->name);
	put_pid(parameters, "vmmPid", machine->vmm_pid);
	if (machine->display_clients) {
		writer_key(&parameters->writer, "displayClients");
		writer_array_begin(&parameters->writer);
		for (size_t i = 0; i < machine->display_client_count; i++)
			put_party(parameters, &machine->display_clients[i]);
		writer_array_end(&parameters->writer);
	}
	if (machine->agent) {
		writer_key(&parameters->writer, "agent");
		put_party(parameters, machine->agent);
	}
}

static NTSTATUS call_with_settings(struct vail *vail, const char *method,
				   const char *virtual_machine, const VailMachine *machine)
{
	_cleanup_(parameters_deinit) Parameters parameters;

	if (vail && machine && machine->size != sizeof(*machine))
		return vail_error_set(vail, STATUS_INVALID_PARAMETER,
				      "machine->size is none that this libvail knows; begin with "
				      "VAIL_MACHINE_INIT");
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
	_cleanup_(parameters_deinit) Parameters parameters;

	parameters_begin(&parameters);
	put_required(&parameters, "virtualGpu", virtual_gpu);
	return parameters_call_plain(vail, "io.vaild.Machine.RemoveVirtualGpu", &parameters);
}

NTSTATUS vail_set_quarantine(struct vail *vail, const char *virtual_machine, bool quarantined,
			     const char *reason)
{
	_cleanup_(parameters_deinit) Parameters parameters;

	parameters_begin(&parameters);
	put_required(&parameters, "virtualMachineGuid", virtual_machine);
	writer_key(&parameters.writer, "quarantined");
	writer_boolean(&parameters.writer, quarantined);
	put_string(&parameters, "reason", reason);
	return parameters_call_plain(vail, "io.vaild.Machine.SetQuarantine", &parameters);
}
