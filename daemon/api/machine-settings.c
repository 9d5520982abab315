/* SPDX-License-Identifier: MIT */
#include "daemon/api/machine-settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/dispatch.h"
#include "daemon/api/names.h"
#include "daemon/api/process-lookup.h"

/* Reports that a user could not be looked up. */
static NTSTATUS lookup_exhausted(Request *request)
{
	return failure_set(&request->failure, STATUS_INSUFFICIENT_RESOURCES, "exhausted",
			   "the daemon has no resources left to look up a user; try again later");
}

/* Reports a failed lookup: the parameter's fault, unless the daemon lacks resources. */
static NTSTATUS user_failure(Request *request, const char *path, Lookup lookup, const char *fault)
{
	if (lookup == LOOKUP_EXHAUSTED)
		return lookup_exhausted(request);
	return failure_parameter(&request->failure, path, "%s", fault);
}

static NTSTATUS resolve_user(Request *request, const char *path, const char *user, uid_t *ret_uid)
{
	const Host *host = request->service->host;

	Lookup lookup = host->find_user(host->self, user, ret_uid);
	if (lookup != LOOKUP_FOUND)
		return user_failure(request, path, lookup,
				    "is not a user of this host; give a name or a decimal uid");
	if (!request->caller->is_operator && *ret_uid != request->caller->credentials.uid)
		return failure_parameter(&request->failure, path,
					 "may name only your own user, unless you are an operator");
	return STATUS_SUCCESS;
}

static NTSTATUS check_mapped(Request *request, const char *path, bool is_mapped)
{
	if (is_mapped)
		return STATUS_SUCCESS;
	return failure_parameter(&request->failure, path,
				 "has 65534 or -1 as a uid, gid or group; these stand for unknown "
				 "ids, by which no process can be recognized, so name another");
}

/* Checks that exactly one of user and pid is present. */
static NTSTATUS check_party(Request *request, const char *path, const PartyParams *party)
{
	if (!party->user != !party->pid.present)
		return STATUS_SUCCESS;
	return failure_parameter(&request->failure, path, "must have either user or pid, not both");
}

static NTSTATUS copy_text(Request *request, const char *text, char **ret)
{
	*ret = text ? strdup(text) : NULL;
	return *ret || !text ? STATUS_SUCCESS : failure_no_memory(&request->failure);
}

static NTSTATUS resolve_display_client(Request *request, const char *path, const PartyParams *party,
				       DisplayClient *ret)
{
	const Host *host = request->service->host;
	char member[64];
	NTSTATUS status = check_party(request, path, party);

	if (status != STATUS_SUCCESS)
		return status;
	snprintf(member, sizeof(member), "%s.%s", path, party->user ? "user" : "pid");
	if (!party->user) {
		ResolvedProcess process = { 0 };
		status = process_resolve(request, member, party->pid.value, &process);
		ret->pid = process.pid;
		ret->inner_pids = inner_pids_ref(host->find_inner_pids(host->self, process.key));
		ret->credentials = process.credentials;
		return status == STATUS_SUCCESS
			       ? check_mapped(request, member,
					      credentials_are_mapped(&ret->credentials))
			       : status;
	}
	status = resolve_user(request, member, party->user, &ret->uid);
	if (status == STATUS_SUCCESS)
		status = copy_text(request, party->user, &ret->user);
	if (status != STATUS_SUCCESS)
		return status;
	Lookup lookup = host->read_user(host->self, ret->uid, &ret->credentials);
	if (lookup == LOOKUP_FOUND)
		return check_mapped(request, member, credentials_are_mapped(&ret->credentials));
	return user_failure(request, member, lookup,
			    "is a user whose groups cannot be looked up; check that "
			    "\"getent group\" works on this host");
}

/* Returns the client that names the same user, among those before it, or NULL. */
static const DisplayClient *find_same_user(const DisplayClients *clients, const char *user)
{
	for (size_t i = 0; user && i + 1 < clients->count; i++)
		if (clients->items[i].user && strcmp(clients->items[i].user, user) == 0)
			return &clients->items[i];
	return NULL;
}

/* Copies a client that is named again. A second lookup in the user database would cost much. */
static NTSTATUS copy_client(Request *request, const DisplayClient *from, DisplayClient *ret)
{
	ret->uid = from->uid;
	if (!credentials_copy(&from->credentials, &ret->credentials))
		return failure_no_memory(&request->failure);
	return copy_text(request, from->user, &ret->user);
}

bool machine_is_for_libvirt(const Request *request)
{
	return request->params.machine_settings.source.value == SETTINGS_FROM_LIBVIRT;
}

static NTSTATUS resolve_named_clients(Request *request, DisplayClients *ret)
{
	const DisplayClientsParams *params = &request->params.machine_settings.display_clients;

	ret->are_explicit = true;
	ret->are_from_libvirt = machine_is_for_libvirt(request);
	for (size_t i = 0; i < params->array.count; i++) {
		char path[40];

		snprintf(path, sizeof(path), "displayClients[%zu]", i);
		ret->count = i + 1;
		const PartyParams *party = &params->items[i];
		const DisplayClient *same =
			party->pid.present ? NULL : find_same_user(ret, party->user);
		NTSTATUS status =
			same ? copy_client(request, same, &ret->items[i])
			     : resolve_display_client(request, path, party, &ret->items[i]);
		if (status != STATUS_SUCCESS)
			return status;
		ret->items[i].rights =
			(unsigned int)party->rights.value & ~DISPLAY_RIGHT_BIT(DISPLAY_RIGHT_VIEW);
	}
	return STATUS_SUCCESS;
}

/* Makes the VMM the display client. With must_log_in its user must be one that can log in. */
static NTSTATUS resolve_vmm_as_client(Request *request, const ResolvedProcess *vmm,
				      bool must_log_in, DisplayClients *ret)
{
	const Host *host = request->service->host;

	if (must_log_in && !host->is_login_user(host->self, vmm->credentials.uids[ID_EFFECTIVE]))
		return failure_parameter(&request->failure, "displayClients",
					 "is missing, and the VMM's user (uid %u) is not a login "
					 "user; name the user whose viewer may register",
					 vmm->credentials.uids[ID_EFFECTIVE]);
	if (must_log_in && !credentials_are_mapped(&vmm->credentials))
		return failure_parameter(&request->failure, "displayClients",
					 "is missing, and the VMM has 65534 or -1 as a uid, gid or "
					 "group, by which no process can be recognized; name the "
					 "user whose viewer may register");
	ret->count = 1;
	ret->items[0].pid = vmm->pid;
	if (!credentials_copy(&vmm->credentials, &ret->items[0].credentials))
		return failure_no_memory(&request->failure);
	return STATUS_SUCCESS;
}

static NTSTATUS resolve_display_clients(Request *request, const ResolvedProcess *vmm,
					bool must_log_in, const DropIn *drop_in, VmSettings *ret)
{
	const ParamArray *array = &request->params.machine_settings.display_clients.array;
	size_t count = array->count > 0 ? array->count : 1;

	if (!vmm)
		return STATUS_SUCCESS;
	ret->has_display_clients = true;
	ret->has_metadata |= machine_is_for_libvirt(request);
	if (drop_in && (array->count == 0 || machine_is_for_libvirt(request)))
		return drop_in_make_clients(drop_in, request->service->host, &ret->display_clients)
			       ? STATUS_SUCCESS
			       : lookup_exhausted(request);
	if (array->count == 0 && ret->has_metadata)
		return display_clients_make_nobody(&ret->display_clients)
			       ? STATUS_SUCCESS
			       : failure_no_memory(&request->failure);
	ret->display_clients.items = calloc(count, sizeof(DisplayClient));
	if (!ret->display_clients.items)
		return failure_no_memory(&request->failure);
	return array->count > 0
		       ? resolve_named_clients(request, &ret->display_clients)
		       : resolve_vmm_as_client(request, vmm, must_log_in, &ret->display_clients);
}

static NTSTATUS resolve_agent(Request *request, const DropIn *drop_in, VmSettings *ret)
{
	const PartyParams *agent = &request->params.machine_settings.agent;

	if (!agent->present)
		return !drop_in || drop_in_take_agent(drop_in, ret)
			       ? STATUS_SUCCESS
			       : failure_no_memory(&request->failure);
	ret->has_agent = true;
	NTSTATUS status = check_party(request, "agent", agent);
	if (status != STATUS_SUCCESS)
		return status;
	if (!agent->user) {
		const ResolvedProcess *process = &ret->agent_process;

		status = process_resolve(request, "agent.pid", agent->pid.value,
					 &ret->agent_process);
		return status == STATUS_SUCCESS
			       ? check_mapped(request, "agent.pid",
					      credentials_are_mapped(&process->credentials))
			       : status;
	}
	status = resolve_user(request, "agent.user", agent->user, &ret->agent_uid);
	if (status == STATUS_SUCCESS)
		status = check_mapped(request, "agent.user", id_is_mapped(ret->agent_uid));
	return status == STATUS_SUCCESS ? copy_text(request, agent->user, &ret->agent_user)
					: status;
}

NTSTATUS machine_resolve_vmm(Request *request, ResolvedProcess *ret)
{
	const OptionalInteger *pid = &request->params.machine_settings.vmm_pid;

	if (pid->present)
		return process_resolve(request, "vmmPid", pid->value, ret);
	ret->key = request->caller->process;
	ret->pid = request->caller->pid;
	NTSTATUS status = process_read(request, "vmmPid", ret);
	return status == STATUS_SUCCESS ? process_check_own(request, "vmmPid", ret) : status;
}

/* Finds the VMM that the message names, which is the VM's or its incoming one. */
static NTSTATUS resolve_named_vmm(Request *request, const VirtualMachine *vm, ResolvedProcess *ret)
{
	NTSTATUS status = machine_resolve_vmm(request, ret);

	if (status != STATUS_SUCCESS || vm_is_run_by(vm, ret->key))
		return status;
	return failure_parameter(&request->failure, "vmmPid",
				 "is neither the VM's VMM nor its incoming VMM; add the "
				 "process as the incoming VMM first");
}

NTSTATUS machine_read_vmm(Request *request, const VirtualMachine *vm, ResolvedProcess *ret)
{
	const Host *host = request->service->host;

	if (request->params.machine_settings.vmm_pid.present)
		return resolve_named_vmm(request, vm, ret);
	ret->key = vm->vmm->key;
	ret->pid = vm->vmm->pid;
	if (!host->process_is_alive(host->self, ret->key))
		return failure_set(&request->failure, STATUS_NOT_FOUND, "virtualMachine",
				   "the VM's VMM has just ended, so the VM is gone; add it "
				   "again after its next start");
	return process_read(request, "virtualMachineGuid", ret);
}

/* Replaces display clients of libvirt's metadata by those of the drop-in, if there is one. */
static NTSTATUS replace_by_drop_in(Request *request, const DropIn *drop_in, VmSettings *settings)
{
	if (!drop_in)
		return STATUS_SUCCESS;
	display_clients_deinit(&settings->display_clients);
	return drop_in_make_clients(drop_in, request->service->host, &settings->display_clients)
		       ? STATUS_SUCCESS
		       : lookup_exhausted(request);
}

NTSTATUS machine_weigh_sources(Request *request, const DisplayClients *present,
			       const DropIn *drop_in, VmSettings *settings)
{
	DisplayClients *named = &settings->display_clients;

	if (!settings->has_display_clients)
		return STATUS_SUCCESS;
	bool are_present = display_clients_match(present, named);
	bool did_agree = present->are_from_libvirt || present->libvirt_agrees;
	if (!machine_is_for_libvirt(request)) {
		named->libvirt_agrees = are_present && did_agree;
	} else if (!display_clients_are_requested(present)) {
		return STATUS_SUCCESS;
	} else if (are_present) {
		named->are_from_libvirt = false;
		named->libvirt_agrees = true;
	} else if (did_agree) {
		return replace_by_drop_in(request, drop_in, settings);
	} else {
		display_clients_deinit(named);
		settings->has_display_clients = false;
	}
	return STATUS_SUCCESS;
}

NTSTATUS machine_resolve_settings(Request *request, const ResolvedProcess *vmm, bool must_log_in,
				  const DropInChoice *choice, VmSettings *ret)
{
	const MachineSettingsParams *params = &request->params.machine_settings;
	NTSTATUS status = copy_text(request, params->name, &ret->name);

	if (status == STATUS_SUCCESS)
		status = resolve_display_clients(request, vmm, must_log_in, choice->clients, ret);
	if (status == STATUS_SUCCESS)
		status = resolve_agent(request, choice->agent, ret);
	if (params->guest_state.present) {
		ret->guest_state = (GuestState)(GUEST_STATE_RUNNING + params->guest_state.value);
		ret->teller = request->caller;
	}
	return status;
}
