/* SPDX-License-Identifier: MIT */
/* Compares replies of the daemon with answers of the model. */
#include "tests/model/compare.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/status.h"

static char difference[512];

static const char *differ(const char *format, ...) _printf_(1, 2);

static const char *differ(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(difference, sizeof(difference), format, arguments);
	va_end(arguments);
	return difference;
}

static const char *member_string(const JsonValue *value, const char *name)
{
	const char *text = json_string(json_member(value, name));

	return text ? text : "";
}

static uint64_t member_number(const JsonValue *value, const char *name)
{
	uint64_t number = UINT64_MAX;

	json_read_unsigned(json_member(value, name), &number);
	return number;
}

/* The random requests cause two errors of org.varlink.service, which carry no status. */
#define INTERFACE_NOT_FOUND "org.varlink.service.InterfaceNotFound"

NTSTATUS reply_status(const JsonValue *reply)
{
	NTSTATUS status = STATUS_SUCCESS;
	const char *name = member_string(json_member(reply, "parameters"), "status");
	const char *error = member_string(reply, "error");

	if (name[0] != '\0' && !status_from_name(name, &status))
		return STATUS_INVALID_NETWORK_RESPONSE;
	if (name[0] == '\0' && error[0] != '\0')
		return strcmp(error, INTERFACE_NOT_FOUND) == 0 ? STATUS_NOT_FOUND
							       : STATUS_INVALID_PARAMETER;
	return status;
}

/* The error name, the status and the code must agree. */
static const char *compare_error(const JsonValue *reply, const ModelAnswer *answer)
{
	const JsonValue *parameters = json_member(reply, "parameters");
	const char *error = member_string(reply, "error");
	const char *dot = strrchr(error, '.');
	char code[16];

	if (strcmp(error, INTERFACE_NOT_FOUND) == 0)
		return NULL;
	if (strcmp(member_string(parameters, "parameter"), answer->parameter) != 0 &&
	    answer->parameter[0] != '\0')
		return differ("parameter %s", member_string(parameters, "parameter"));
	if (strncmp(error, "org.", 4) == 0)
		return NULL;
	if (!dot || strcmp(dot + 1, status_error_name(answer->status)) != 0)
		return differ("error %s", error);
	snprintf(code, sizeof(code), "0x%08X", (unsigned int)answer->status);
	if (strcmp(member_string(parameters, "code"), code) != 0)
		return differ("code %s", member_string(parameters, "code"));
	if (member_string(parameters, "message")[0] == '\0')
		return differ("no message");
	if (answer->limit && (strcmp(member_string(parameters, "limit"), answer->limit) != 0 ||
			      member_number(parameters, "used") != answer->used))
		return differ("limit %s, used %lu", member_string(parameters, "limit"),
			      (unsigned long)member_number(parameters, "used"));
	return NULL;
}

static const char *compare_registration(Model *model, uint64_t serial, const JsonValue *item)
{
	static const char *const kinds[] = { "vaild", "drm", "nvidia", "kfd", "dxg" };
	ModelRegistration *registration, *found = NULL;

	MODEL_EACH(model, registration, registrations)
	if (registration->serial == serial)
		found = registration;
	if (!found)
		return differ("the model has no such registration");
	const ModelMachine *machine = model_machine(model, found->machine);
	if (strcmp(member_string(item, "virtualMachineGuid"), model_guids[machine->guid]) != 0 ||
	    member_number(item, "pid") != (uint64_t)found->pid ||
	    member_number(item, "uid") != found->uid ||
	    strcmp(member_string(item, "graphicsContext"), kinds[found->context]) != 0)
		return differ("registration of pid %d, uid %u, context %s, for %s", found->pid,
			      found->uid, kinds[found->context], model_guids[machine->guid]);
	return NULL;
}

static const char *compare_clients(const ModelMachine *machine, const JsonValue *item)
{
	const JsonValue *clients = json_member(item, "displayClients");
	size_t count = machine->clients_named ? machine->client_count : 0;

	if (json_array_size(clients) != count)
		return differ("%zu display clients", json_array_size(clients));
	for (size_t i = 0; i < count; i++) {
		const JsonValue *client = json_array_at(clients, i);
		bool is_user = json_member(client, "user") != NULL;

		if (is_user != machine->clients[i].is_user ||
		    (!is_user && member_number(client, "pid") != (uint64_t)machine->clients[i].pid))
			return differ("display client %zu", i);
	}
	return NULL;
}

static const char *compare_incoming(const ModelMachine *machine, const JsonValue *item)
{
	uint64_t pid = machine->incoming == PROCESS_KEY_NONE ? UINT64_MAX
							     : (uint64_t)machine->incoming_pid;

	if (member_number(item, "incomingVmmPid") != pid)
		return differ("incoming VMM %lu",
			      (unsigned long)member_number(item, "incomingVmmPid"));
	if ((json_member(item, "incomingAgent") != NULL) != machine->has_incoming_agent)
		return differ("incoming agent");
	return NULL;
}

static const char *compare_machine(Model *model, uint64_t serial, const JsonValue *item)
{
	const ModelMachine *machine = model_machine(model, serial);
	ModelRegistration *registration;
	ModelVirtualGpu *virtual_gpu;
	uint64_t registrations = 0, virtual_gpus = 0;
	bool quarantined = false, by_operator = false;
	char name[16] = "";

	MODEL_EACH(model, registration, registrations)
	registrations += registration->machine == serial;
	MODEL_EACH(model, virtual_gpu, virtual_gpus)
	virtual_gpus += virtual_gpu->machine == serial;
	json_read_boolean(json_member(item, "quarantined"), &quarantined);
	json_read_boolean(json_member(item, "registeredByOperator"), &by_operator);
	if (machine->name >= 0)
		snprintf(name, sizeof(name), "n%d", machine->name);
	if (strcmp(member_string(item, "virtualMachineGuid"), model_guids[machine->guid]) != 0)
		return differ("GUID %s", member_string(item, "virtualMachineGuid"));
	if (strcmp(member_string(item, "name"), name) != 0)
		return differ("name %s", member_string(item, "name"));
	if (member_number(item, "vmmPid") != (uint64_t)machine->vmm_pid ||
	    member_number(item, "registeredByUid") != machine->registrar ||
	    by_operator != machine->by_operator)
		return differ("VMM or registrar of %s", model_guids[machine->guid]);
	if (member_number(item, "registrations") != registrations)
		return differ("%lu registrations",
			      (unsigned long)member_number(item, "registrations"));
	if (json_array_size(json_member(item, "virtualGpus")) != virtual_gpus)
		return differ("%zu vGPUs", json_array_size(json_member(item, "virtualGpus")));
	if (quarantined != (model_quarantine(model, machine->guid) != NULL))
		return differ("quarantined");
	if ((json_member(item, "agent") != NULL) != machine->has_agent)
		return differ("agent");
	const char *incoming = compare_incoming(machine, item);
	if (incoming)
		return incoming;
	return compare_clients(machine, item);
}

static const char *compare_quarantine(Model *model, uint64_t serial, const JsonValue *item)
{
	ModelQuarantine *quarantine;

	MODEL_EACH(model, quarantine, quarantines)
	if (quarantine->serial == serial &&
	    strcmp(member_string(item, "virtualMachineGuid"), model_guids[quarantine->guid]) == 0)
		return NULL;
	return differ("quarantine of %s", member_string(item, "virtualMachineGuid"));
}

static const char *compare_adapter(Model *model, const JsonValue *item)
{
	ModelVirtualGpu *virtual_gpu;
	uint64_t virtual_gpus = 0;

	MODEL_EACH(model, virtual_gpu, virtual_gpus)
	virtual_gpus++;
	if (strcmp(member_string(item, "adapter"), model->adapter) != 0 ||
	    member_number(item, "virtualGpus") != virtual_gpus)
		return differ("adapter with %lu vGPUs",
			      (unsigned long)member_number(item, "virtualGpus"));
	return NULL;
}

static const char *const list_keys[MODEL_METHOD_MAX] = {
	[MODEL_LIST_REGISTRATIONS] = "registrations",
	[MODEL_LIST_MACHINES] = "virtualMachines",
	[MODEL_LIST_QUARANTINES] = "quarantines",
	[MODEL_LIST_ADAPTERS] = "adapters",
};

static const char *compare_items(Model *model, ModelMethod method, const JsonValue *items,
				 const ModelAnswer *answer, size_t *at)
{
	for (size_t i = 0; i < json_array_size(items); i++) {
		const JsonValue *item = json_array_at(items, i);
		const char *found = NULL;

		if (*at >= answer->count)
			return differ("more than %zu items", answer->count);
		uint64_t serial = answer->serials[(*at)++];
		if (method == MODEL_LIST_REGISTRATIONS)
			found = compare_registration(model, serial, item);
		else if (method == MODEL_LIST_MACHINES)
			found = compare_machine(model, serial, item);
		else if (method == MODEL_LIST_QUARANTINES)
			found = compare_quarantine(model, serial, item);
		else
			found = compare_adapter(model, item);
		if (found)
			return found;
	}
	return NULL;
}

const char *compare_reply(Model *model, const ModelRequest *request, const ModelAnswer *answer,
			  const JsonValue *reply, size_t *at)
{
	NTSTATUS status = reply_status(reply);
	const JsonValue *parameters = json_member(reply, "parameters");

	if (status != answer->status)
		return differ("status %s", status_name(status));
	if (status != STATUS_SUCCESS)
		return compare_error(reply, answer);
	if (answer->registration)
		return compare_registration(model, answer->registration,
					    json_member(parameters, "registration"));
	if (answer->machine)
		return compare_machine(model, answer->machine,
				       json_member(parameters, "virtualMachine"));
	if (list_keys[request->method])
		return compare_items(model, request->method,
				     json_member(parameters, list_keys[request->method]), answer,
				     at);
	return NULL;
}
