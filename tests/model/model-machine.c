/* SPDX-License-Identifier: MIT */
/* RegisterVirtualMachine and UpdateVirtualMachine in the model. */
#include <stdio.h>
#include <string.h>

#include "tests/model/model.h"

/* The resolved display clients and agent of a request, before they are applied to the model. */
typedef struct ModelSettings {
	size_t client_count;
	ModelClient clients[MODEL_PARTY_MAX];
	ProcessKey agent;
} ModelSettings;

static bool fail(ModelAnswer *answer, NTSTATUS status, const char *parameter)
{
	answer->status = status;
	snprintf(answer->parameter, sizeof(answer->parameter), "%s", parameter);
	return false;
}

static bool invalid(ModelAnswer *answer, const char *parameter)
{
	return fail(answer, STATUS_INVALID_PARAMETER, parameter);
}

/* Returns the credentials of a process, or NULL and sets the answer if they cannot be read. */
static const Credentials *read_credentials(const FakeProcess *process, const char *path,
					   ModelAnswer *answer)
{
	if (process && process->alive && process->credentials_lookup == LOOKUP_FOUND)
		return &process->credentials;
	if (process && process->alive && process->credentials_lookup == LOOKUP_EXHAUSTED)
		fail(answer, STATUS_INSUFFICIENT_RESOURCES, "");
	else
		invalid(answer, path);
	return NULL;
}

/*
 * Tests whether the caller may name a process with these credentials. Operators may name all.
 * Others may name a process if its four uids and its user namespace are theirs and it has no
 * capability that they lack.
 */
static bool may_name(Model *model, const Caller *caller, const Credentials *named, const char *path,
		     ModelAnswer *answer)
{
	if (caller->is_operator)
		return true;
	const Credentials *own =
		read_credentials(model_process(model, caller->process), path, answer);
	if (!own)
		return false;
	bool is_own = own->uids[ID_EFFECTIVE] == caller->credentials.uid &&
		      named->user_namespace.inode == own->user_namespace.inode &&
		      !(named->permitted & ~own->permitted) &&
		      !(named->effective & ~own->permitted);
	for (int kind = 0; kind < ID_MAX; kind++)
		is_own &= named->uids[kind] == caller->credentials.uid;
	return is_own || invalid(answer, path);
}

static const FakeProcess *resolve(Model *model, const Caller *caller, uint64_t pid,
				  const char *path, ModelAnswer *answer)
{
	const FakeProcess *found = NULL;

	if (pid > 0 && pid <= INT32_MAX && model->fake_host->exhaust_find) {
		fail(answer, STATUS_INSUFFICIENT_RESOURCES, "");
		return NULL;
	}
	for (size_t i = 0; i < model->fake_host->process_count; i++)
		if ((uint64_t)model->fake_host->processes[i].pid == pid &&
		    model->fake_host->processes[i].alive)
			found = &model->fake_host->processes[i];
	if (!found) {
		invalid(answer, path);
		return NULL;
	}
	const Credentials *named = read_credentials(found, path, answer);
	return named && may_name(model, caller, named, path, answer) ? found : NULL;
}

/* Finds a user by name or decimal uid. Callers that are not operators find only their own user. */
static const FakeUser *resolve_user(Model *model, const Caller *caller, const char *name,
				    const char *path, ModelAnswer *answer)
{
	for (size_t i = 0; i < model->fake_host->user_count; i++) {
		const FakeUser *user = &model->fake_host->users[i];
		char decimal[16];

		snprintf(decimal, sizeof(decimal), "%u", user->uid);
		if (strcmp(name, user->name) != 0 && strcmp(name, decimal) != 0)
			continue;
		if (caller->is_operator || user->uid == caller->credentials.uid)
			return user;
	}
	invalid(answer, path);
	return NULL;
}

static bool check_party_form(const ModelParty *party, const char *path, ModelAnswer *answer)
{
	return (party->user != NULL) != party->has_pid || invalid(answer, path);
}

static bool add_client(Model *model, const Caller *caller, const ModelParty *party, size_t index,
		       ModelSettings *settings, ModelAnswer *answer)
{
	ModelClient *client = &settings->clients[index];
	char path[40], member[48];

	snprintf(path, sizeof(path), "displayClients[%zu]", index);
	snprintf(member, sizeof(member), "%s.%s", path, party->user ? "user" : "pid");
	if (!check_party_form(party, path, answer))
		return false;
	if (party->user) {
		const FakeUser *user = resolve_user(model, caller, party->user, member, answer);

		if (!user)
			return false;
		if (user->lookup != LOOKUP_FOUND)
			return invalid(answer, member);
		*client = (ModelClient){ .is_user = true, .uid = user->uid };
		fake_host_must(credentials_copy(&user->credentials, &client->snapshot));
	} else {
		const FakeProcess *process = resolve(model, caller, party->pid, member, answer);

		if (!process)
			return false;
		if (!model_has_real_ids(&process->credentials))
			return invalid(answer, member);
		*client = (ModelClient){ .pid = process->pid };
		fake_host_must(credentials_copy(&process->credentials, &client->snapshot));
	}
	settings->client_count = index + 1;
	return true;
}

static bool is_login_user(Model *model, uid_t uid)
{
	for (size_t i = 0; i < model->fake_host->user_count; i++)
		if (model->fake_host->users[i].uid == uid)
			return model->fake_host->users[i].is_login_user;
	return false;
}

/* Makes the VMM the only display client. It must be a login user unless is_known. */
static bool use_vmm_as_client(Model *model, const FakeProcess *vmm, bool is_known,
			      ModelSettings *settings, ModelAnswer *answer)
{
	if (!is_known && !is_login_user(model, vmm->credentials.uids[ID_EFFECTIVE]))
		return invalid(answer, "displayClients");
	if (!is_known && !model_has_real_ids(&vmm->credentials))
		return invalid(answer, "displayClients");
	settings->clients[0] = (ModelClient){ .pid = vmm->pid };
	fake_host_must(credentials_copy(&vmm->credentials, &settings->clients[0].snapshot));
	settings->client_count = 1;
	return true;
}

static bool resolve_agent(Model *model, const ModelRequest *request, ModelSettings *settings,
			  ModelAnswer *answer)
{
	const ModelParty *agent = &request->agent;

	if (!request->has_agent)
		return true;
	if (!check_party_form(agent, "agent", answer))
		return false;
	if (agent->user)
		return resolve_user(model, request->caller, agent->user, "agent.user", answer);
	const FakeProcess *process =
		resolve(model, request->caller, agent->pid, "agent.pid", answer);
	if (process && !model_has_real_ids(&process->credentials))
		return invalid(answer, "agent.pid");
	settings->agent = process ? process->key : PROCESS_KEY_NONE;
	return process != NULL;
}

/*
 * Resolves the parties of a request. If it names no display client, the VMM is used; vmm is NULL if
 * an update leaves the display clients unchanged. is_known: the same registration exists already.
 */
static bool resolve_settings(Model *model, const ModelRequest *request, const FakeProcess *vmm,
			     bool is_known, ModelSettings *settings, ModelAnswer *answer)
{
	size_t count = request->has_clients ? request->client_count : 0;

	if (vmm && count == 0 && !use_vmm_as_client(model, vmm, is_known, settings, answer))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!add_client(model, request->caller, &request->clients[i], i, settings, answer))
			return false;
	return resolve_agent(model, request, settings, answer);
}

static void free_settings(ModelSettings *settings)
{
	for (size_t i = 0; i < settings->client_count; i++)
		credentials_deinit(&settings->clients[i].snapshot);
}

static void set_clients(ModelMachine *machine, const ModelRequest *request, ModelSettings *settings)
{
	for (size_t i = 0; i < machine->client_count; i++)
		credentials_deinit(&machine->clients[i].snapshot);
	machine->clients_named = request->has_clients && request->client_count > 0;
	machine->client_count = settings->client_count;
	memcpy(machine->clients, settings->clients, sizeof(machine->clients));
	settings->client_count = 0;
}

static void set_name_and_agent(ModelMachine *machine, const ModelRequest *request,
			       const ModelSettings *settings, bool is_incoming)
{
	if (request->has_name)
		machine->name = request->name;
	if (request->has_agent && is_incoming) {
		machine->names_agent = machine->has_incoming_agent = true;
		machine->incoming_agent = settings->agent;
	} else if (request->has_agent) {
		machine->has_agent = true;
		machine->agent = settings->agent;
	}
}

static void add_machine(Model *model, const ModelRequest *request, const FakeProcess *vmm,
			ModelSettings *settings, ModelMachine *old, ModelAnswer *answer)
{
	const Caller *caller = request->caller;

	if (!model_check_limit(model, caller, LIMIT_VIRTUAL_MACHINES, answer) ||
	    !model_watch_process(model, caller, vmm->key, answer) ||
	    !model_watch_process(model, caller, settings->agent, answer))
		return;
	if (old)
		model_end_machine(model, old);
	ModelMachine *machine = MODEL_ADD(model, machines);
	machine->guid = request->guid;
	machine->vmm = vmm->key;
	machine->vmm_pid = vmm->pid;
	machine->registrar = caller->credentials.uid;
	machine->payer = payer_of(caller);
	machine->by_operator = caller->is_operator;
	machine->name = -1;
	set_clients(machine, request, settings);
	set_name_and_agent(machine, request, settings, false);
	answer->machine = machine->serial;
}

/* Tests whether the caller may register the VM again or hand it over, instead of displacing it. */
static bool keeps_machine(const ModelRequest *request, const ModelMachine *old)
{
	const Caller *caller = request->caller;

	if (!old || caller->is_operator)
		return old && old->by_operator;
	return old->registrar == caller->credentials.uid && model_is_real(old->registrar) &&
	       (caller->in_initial_user_namespace || !old->by_operator);
}

static void add_incoming(Model *model, const ModelRequest *request, const FakeProcess *vmm,
			 const ModelSettings *settings, ModelMachine *old, ModelAnswer *answer)
{
	if (!model_watch_process(model, request->caller, vmm->key, answer) ||
	    !model_watch_process(model, request->caller, settings->agent, answer))
		return;
	old->incoming = vmm->key;
	old->incoming_pid = vmm->pid;
	old->names_agent = old->has_incoming_agent = request->has_agent;
	old->incoming_agent = settings->agent;
	answer->machine = old->serial;
}

static void register_or_displace(Model *model, const ModelRequest *request, const FakeProcess *vmm,
				 ModelSettings *settings, ModelMachine *old, ModelAnswer *answer)
{
	bool keeps = keeps_machine(request, old);

	if (keeps && (old->vmm == vmm->key || old->incoming == vmm->key))
		answer->machine = old->serial;
	else if (keeps)
		add_incoming(model, request, vmm, settings, old, answer);
	else if (!old || (request->caller->is_operator && !old->by_operator))
		add_machine(model, request, vmm, settings, old, answer);
	else if (model_check_limit(model, request->caller, LIMIT_VIRTUAL_MACHINES, answer))
		fail(answer, STATUS_OBJECT_NAME_COLLISION, "");
}

/* If the VMM is dead, the VM is handed over or ends even if the request fails. */
static ModelMachine *notice_dead_vmm(Model *model, ModelMachine *machine)
{
	if (!machine || model_is_alive(model, machine->vmm))
		return machine;
	int guid = machine->guid;

	model_process_exits(model, machine->vmm);
	return model_machine_of(model, guid);
}

void model_register_machine(Model *model, const ModelRequest *request, ModelAnswer *answer)
{
	const Caller *caller = request->caller;
	ModelMachine *old = model_machine_of(model, request->guid);
	const FakeProcess *vmm = NULL;
	ModelSettings settings = { 0 };

	old = notice_dead_vmm(model, old);
	if (request->has_vmm_pid) {
		vmm = resolve(model, caller, request->pid, "vmmPid", answer);
	} else {
		const FakeProcess *self = model_process(model, caller->process);
		const Credentials *own = read_credentials(self, "vmmPid", answer);

		if (own && may_name(model, caller, own, "vmmPid", answer))
			vmm = self;
	}
	if (vmm &&
	    resolve_settings(model, request, vmm, keeps_machine(request, old), &settings, answer))
		register_or_displace(model, request, vmm, &settings, old, answer);
	free_settings(&settings);
}

static void end_unmatched(Model *model, const ModelMachine *machine)
{
	ModelRegistration *registration;

	MODEL_EACH(model, registration, registrations)
	{
		bool matches = false;

		if (registration->machine != machine->serial)
			continue;
		for (size_t i = 0; i < machine->client_count; i++)
			matches |= model_has_same_privileges(&machine->clients[i],
							     &registration->connection,
							     &registration->credentials);
		if (!matches)
			model_end_registration(registration);
	}
}

/* Finds the VMM that an update concerns, and checks that its credentials can be read. */
static const FakeProcess *named_vmm(Model *model, const ModelRequest *request,
				    const ModelMachine *machine, ModelAnswer *answer)
{
	const FakeProcess *vmm = model_process(model, machine->vmm);

	if (!request->has_vmm_pid)
		return read_credentials(vmm, "virtualMachineGuid", answer) ? vmm : NULL;
	vmm = resolve(model, request->caller, request->pid, "vmmPid", answer);
	if (!vmm || vmm->key == machine->vmm || vmm->key == machine->incoming)
		return vmm;
	invalid(answer, "vmmPid");
	return NULL;
}

void model_update_machine(Model *model, const ModelRequest *request, ModelMachine *machine,
			  ModelAnswer *answer)
{
	const FakeProcess *vmm = NULL;
	ModelSettings settings = { 0 };

	machine = notice_dead_vmm(model, machine);
	if (!machine) {
		fail(answer, STATUS_NOT_FOUND, "");
		return;
	}
	if (request->has_clients || request->has_vmm_pid) {
		vmm = named_vmm(model, request, machine, answer);
		if (!vmm)
			return;
	}
	if (resolve_settings(model, request, request->has_clients ? vmm : NULL, false, &settings,
			     answer) &&
	    model_watch_process(model, request->caller, settings.agent, answer)) {
		set_name_and_agent(machine, request, &settings,
				   vmm && vmm->key == machine->incoming);
		if (request->has_clients) {
			set_clients(machine, request, &settings);
			end_unmatched(model, machine);
		}
		answer->machine = machine->serial;
	}
	free_settings(&settings);
}
