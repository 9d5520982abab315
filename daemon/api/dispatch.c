/* SPDX-License-Identifier: MIT */
#include "daemon/api/dispatch.h"

#include <stdio.h>
#include <string.h>

#include "daemon/api/audit-details.h"
#include "daemon/core/audit-record.h"

static NTSTATUS invalid_handle(Request *request, const char *what)
{
	return failure_set(&request->failure, STATUS_INVALID_HANDLE, "handle",
			   "no %s has this handle; it may have ended, so list those that exist",
			   what);
}

NTSTATUS machine_not_found(Failure *failure)
{
	return failure_set(failure, STATUS_NOT_FOUND, "virtualMachine",
			   "no running VM has this GUID; start it, or have it added");
}

static NTSTATUS find_vm(Request *request, Subject *subject)
{
	Broker *broker = request->service->broker;

	subject->vm = vm_find(broker, &request->params.virtual_machine);
	if (!subject->vm)
		return machine_not_found(&request->failure);
	subject->registration = registration_find(broker, request->caller->process, subject->vm);
	return STATUS_SUCCESS;
}

static NTSTATUS find_adapter(Request *request, Subject *subject)
{
	Broker *broker = request->service->broker;
	Handle handle;

	if (!request->params.handle)
		subject->adapter = adapter_software(broker);
	else if (handle_parse(request->params.handle, &handle))
		subject->adapter = adapter_find(broker, &handle);
	return subject->adapter ? STATUS_SUCCESS : invalid_handle(request, "adapter");
}

static void name_object(Request *request, const SharedObject *object)
{
	request->virtual_machine = object->virtual_machine;
	request->names_virtual_machine = true;
	request->object = object->handle_entry.handle;
	request->names_object = true;
}

static NTSTATUS find_display(Request *request, Subject *subject)
{
	Broker *broker = request->service->broker;
	Handle handle;

	if (handle_parse(request->params.handle, &handle))
		subject->display = display_channel_find(broker, &handle);
	if (!subject->display)
		return invalid_handle(request, "display channel");
	subject->vm = subject->display->registration->vm;
	request->virtual_machine = subject->vm->guid;
	request->names_virtual_machine = true;
	request->display = subject->display->handle_entry.handle;
	request->names_display = true;
	request->rights = subject->display->rights;
	return STATUS_SUCCESS;
}

static NTSTATUS find_subject(Request *request, Subject *subject)
{
	Broker *broker = request->service->broker;
	Handle handle;

	switch (request->method->subject) {
	case SUBJECT_NONE:
		return STATUS_SUCCESS;
	case SUBJECT_VM:
		return find_vm(request, subject);
	case SUBJECT_VM_IF_NAMED:
		return request->names_virtual_machine ? find_vm(request, subject) : STATUS_SUCCESS;
	case SUBJECT_ADAPTER:
		return find_adapter(request, subject);
	case SUBJECT_VIRTUAL_GPU:
		if (handle_parse(request->params.handle, &handle))
			subject->virtual_gpu = virtual_gpu_find(broker, &handle);
		if (!subject->virtual_gpu)
			return invalid_handle(request, "virtual GPU");
		subject->vm = subject->virtual_gpu->vm;
		request->virtual_machine = subject->vm->guid;
		request->names_virtual_machine = true;
		return STATUS_SUCCESS;
	case SUBJECT_CONTEXT:
		if (handle_parse(request->params.handle, &handle))
			subject->context = context_find(broker, &handle);
		return subject->context ? STATUS_SUCCESS : invalid_handle(request, "context");
	case SUBJECT_OBJECT:
		if (handle_parse(request->params.handle, &handle))
			subject->object = object_find_shared(broker, &handle);
		if (!subject->object)
			return invalid_handle(request, "shared object");
		subject->vm = subject->object->vm;
		subject->registration =
			registration_find(broker, request->caller->process, subject->vm);
		name_object(request, subject->object);
		return STATUS_SUCCESS;
	case SUBJECT_HELD_OBJECT:
		if (handle_parse(request->params.handle, &handle))
			subject->object = object_find(broker, &handle);
		if (!subject->object)
			return invalid_handle(request, "object");
		name_object(request, subject->object);
		return STATUS_SUCCESS;
	case SUBJECT_DISPLAY:
		return find_display(request, subject);
	case SUBJECT_GPU_PROCESS:
		if (handle_parse(request->params.handle, &handle))
			subject->gpu_process = gpu_process_find(broker, &handle);
		return subject->gpu_process ? STATUS_SUCCESS
					    : invalid_handle(request, "GPU process");
	}
	return invalid_handle(request, "subject");
}

NTSTATUS request_await_fdstore(const Request *request)
{
	const Host *host = request->service->host;

	return host->fdstore_is_ready(host->self, request->caller) ? STATUS_SUCCESS
								   : STATUS_PENDING;
}

NTSTATUS request_await_ends(Request *request, NTSTATUS refused)
{
	const Broker *broker = request->service->broker;

	if (refused != STATUS_QUOTA_EXCEEDED || request->changed)
		return refused;
	if (request->awaited_ends == 0)
		request->awaited_ends = broker->endings.begun;
	if (!broker_has_endings_until(broker, request->awaited_ends))
		return refused;
	request->is_repeated = true;
	return STATUS_PENDING;
}

static NTSTATUS no_virtual_gpu(Request *request)
{
	if (request->subject.vm->looks.is_certain)
		return failure_set(&request->failure, STATUS_GRAPHICS_VAIL_STATE_CHANGED,
				   "noVirtualGpu",
				   "the VM has no virtual GPU: none is assigned, and its VMM has "
				   "none open; assign one with io.vaild.Machine.AssignVirtualGpu");
	return failure_set(&request->failure, STATUS_INSUFFICIENT_RESOURCES, "notLookedAt",
			   "the VM has no virtual GPU assigned, and whether its VMM has one open "
			   "cannot be seen now; try again later, or assign one with "
			   "io.vaild.Machine.AssignVirtualGpu");
}

NTSTATUS request_await_look(Request *request)
{
	const Host *host = request->service->host;
	const VirtualMachine *vm = request->subject.vm;

	if (!vm_depends_on_looks(vm))
		return STATUS_SUCCESS;
	if (request->awaited_look == 0)
		request->awaited_look = request->service->broker->looks_begun + 1;
	if (vm->looks.done < request->awaited_look)
		host->look_at_gpus(host->self, request->caller, vm->entity.serial,
				   request->awaited_look);
	if (vm->looks.done < request->awaited_look)
		return STATUS_PENDING;
	return vm_was_seen_with_gpu(vm, request->awaited_look) ? STATUS_SUCCESS
							       : no_virtual_gpu(request);
}

NTSTATUS caller_lookup_failure(Lookup lookup, Failure *failure)
{
	switch (lookup) {
	case LOOKUP_GONE:
		return failure_set(failure, STATUS_PROCESS_IS_TERMINATING, "gone",
				   "the calling process has ended or is ending");
	case LOOKUP_EXHAUSTED:
		return failure_set(failure, STATUS_INSUFFICIENT_RESOURCES, "exhausted",
				   "the daemon has no resources left to examine the calling "
				   "process; try again later");
	default:
		return failure_set(failure, STATUS_ACCESS_DENIED, "unreadable",
				   "the calling process cannot be examined; see the daemon's log");
	}
}

/*
 * Compares the caller's connection with the display clients. Reads unread groups only if everything
 * that is compared before them equals.
 */
static NTSTATUS compare_connection(Request *request, PolicyFacts *facts)
{
	const Host *host = request->service->host;
	const Caller *caller = request->caller;
	const DisplayClients *clients = &request->subject.vm->display_clients;

	facts->difference = display_clients_compare_connection(clients, caller);
	if (facts->difference != DIFFERENCE_GROUPS || caller->unread_groups == 0)
		return STATUS_SUCCESS;
	if (host->read_groups(host->self, caller) != LOOKUP_FOUND)
		return caller_lookup_failure(LOOKUP_EXHAUSTED, &request->failure);
	facts->difference = display_clients_compare_connection(clients, caller);
	return STATUS_SUCCESS;
}

/*
 * Compares the connection's credentials and the process's current ones with the display clients.
 * Reads the process only if its connection matches one of them.
 */
static NTSTATUS compare_privileges(Request *request, PolicyFacts *facts)
{
	const Host *host = request->service->host;
	const Caller *caller = request->caller;
	DisplayClients *clients = &request->subject.vm->display_clients;

	if (!display_clients_refresh(clients, host, caller->credentials.uid))
		return caller_lookup_failure(LOOKUP_EXHAUSTED, &request->failure);
	NTSTATUS status = compare_connection(request, facts);
	if (status != STATUS_SUCCESS)
		return status;
	/* A process with very many groups takes long to read. A dead one gets its own status below.
	 */
	if (facts->difference != DIFFERENCE_NONE &&
	    host->process_is_alive(host->self, caller->process))
		return STATUS_SUCCESS;

	facts->difference = DIFFERENCE_UNREADABLE;
	Lookup lookup = host->read_credentials(host->self, caller->process, &request->credentials);
	if (lookup == LOOKUP_GONE || lookup == LOOKUP_EXHAUSTED)
		return caller_lookup_failure(lookup, &request->failure);
	if (lookup != LOOKUP_FOUND)
		return STATUS_SUCCESS; /* the difference stays DIFFERENCE_UNREADABLE */

	Privileges privileges = {
		.connection = &caller->credentials,
		.process = &request->credentials,
	};
	facts->difference = display_clients_compare(clients, &privileges);
	if (request->method->rule == RULE_DISPLAY_OPENER)
		request->granted_rights = display_clients_rights(clients, &privileges);
	return STATUS_SUCCESS;
}

/* Ends the caller's registration if an open finds privileges that match no display client. */
static void end_if_unmatched(Request *request, const PolicyFacts *facts)
{
	if (!policy_needs_privileges(request->method->rule, facts) || !facts->is_registered ||
	    facts->difference == DIFFERENCE_NONE)
		return;
	registration_end(request->service->broker, request->subject.registration,
			 END_PRIVILEGES_CHANGED);
	request->subject.registration = NULL;
}

/* Anybody may ask the service interface what this service is. */
static bool refuses_strangers(const Request *request)
{
	return request->service->settings.operators_only &&
	       strcmp(request->method->interface, "org.varlink.service") != 0;
}

/* Returns the group's name, or NULL if it is the operators' group. */
static const char *group_name(const ConfiguredGroup *group, const ConfiguredGroup *operators)
{
	return group->exists && operators->exists && group->gid == operators->gid ? NULL
										  : group->name;
}

/* Returns the names of the groups that give rights, each once. */
static PolicyGroups named_groups(const Settings *settings)
{
	const ConfiguredGroup *operators = &settings->operators;

	return (PolicyGroups){
		.operators = operators->name,
		.observers = group_name(&settings->observers, operators),
		.quarantiners = group_name(&settings->quarantiners, operators),
	};
}

static NTSTATUS authorise(Request *request)
{
	const Host *host = request->service->host;
	const Method *method = request->method;
	PolicyFacts facts = caller_facts(request->service, request->caller, &request->subject);

	facts.operators_only = refuses_strangers(request);
	if (method->flags & METHOD_CHANGES_STATE &&
	    !host->process_is_alive(host->self, request->caller->process))
		return caller_lookup_failure(LOOKUP_GONE, &request->failure);
	if (policy_needs_privileges(method->rule, &facts)) {
		NTSTATUS status = compare_privileges(request, &facts);
		if (status != STATUS_SUCCESS)
			return status;
	}
	end_if_unmatched(request, &facts);
	const PolicyGroups groups = named_groups(&request->service->settings);

	return policy_check(method->rule, &facts, &groups, &request->failure);
}

/* Decodes the parameters. If the first one is a GUID, the request concerns that VM. */
static NTSTATUS decode(Request *request, const JsonValue *parameters)
{
	const JsonTable *table = request->method->params;
	NTSTATUS status = params_decode(table, parameters, &request->params, &request->failure);

	if (status == STATUS_SUCCESS && table->count > 0 &&
	    table->fields[0].type == JSON_FIELD_GUID) {
		request->virtual_machine = request->params.virtual_machine;
		request->names_virtual_machine = !guid_is_nil(&request->virtual_machine);
	}
	if (status == STATUS_SUCCESS && table == &params_open_display)
		request->rights = (unsigned int)request->params.open_display.rights.value |
				  DISPLAY_RIGHT_BIT(DISPLAY_RIGHT_VIEW);
	return status;
}

/* Lets a request wait while registrations of its VM end. */
static NTSTATUS await_pruning(Request *request)
{
	request->is_repeated = vm_is_pruned(request->subject.vm);
	return request->is_repeated ? STATUS_PENDING : STATUS_SUCCESS;
}

/*
 * Tests whether the look for which an authorised open has waited has ended the caller's
 * registration, because the VM has lost its last virtual GPU.
 */
static bool has_lost_virtual_gpu(const Request *request)
{
	const Rule rule = request->method->rule;
	const Subject *subject = &request->subject;

	return request->awaited_look != 0 && !subject->registration &&
	       subject->vm->virtual_gpu_count == 0 &&
	       (rule == RULE_OBJECT_OPENER || rule == RULE_DISPLAY_OPENER);
}

static NTSTATUS run(Request *request, const JsonValue *parameters)
{
	const Method *method = request->method;
	bool is_authorised_first = policy_precedes_subject(method->rule);
	NTSTATUS status = decode(request, parameters);

	if (status == STATUS_SUCCESS && is_authorised_first)
		status = authorise(request);
	if (status == STATUS_SUCCESS)
		status = find_subject(request, &request->subject);
	if (status == STATUS_SUCCESS)
		status = await_pruning(request);
	if (status == STATUS_SUCCESS && has_lost_virtual_gpu(request))
		return no_virtual_gpu(request);
	if (status == STATUS_SUCCESS && !is_authorised_first)
		status = authorise(request);
	if (status == STATUS_SUCCESS && method->handler)
		status = method->handler(request);
	return status;
}

static bool is_audited_refusal(const Method *method, NTSTATUS status)
{
	return status == STATUS_ACCESS_DENIED ||
	       (status != STATUS_SUCCESS && status != STATUS_PENDING &&
		method->flags & METHOD_AUDITS_REFUSALS);
}

/* Writes the audit record, with the method's full name. */
static void audit(Service *service, const Method *method, AuditRecord record)
{
	char name[96];

	snprintf(name, sizeof(name), "%s.%s", method->interface, method->name);
	record.method = name;
	service->host->audit(service->host->self, &record);
}

void dispatch_audit_refusal(Service *service, const Caller *caller, const Method *method,
			    const Failure *failure)
{
	if (is_audited_refusal(method, failure->status))
		audit(service, method,
		      (AuditRecord){
			      .caller = caller,
			      .status = failure->status,
			      .reason = failure->reason,
			      .message = failure->message,
		      });
}

static void audit_request(const Request *request, NTSTATUS status)
{
	const Failure *failure = status != STATUS_SUCCESS ? &request->failure : NULL;
	AuditDetails details;

	audit_details_init(&details, request);
	audit(request->service, request->method,
	      (AuditRecord){
		      .caller = request->caller,
		      .virtual_machine =
			      request->names_virtual_machine ? &request->virtual_machine : NULL,
		      .object = request->names_object ? &request->object : NULL,
		      .display = request->names_display ? &request->display : NULL,
		      .rights = request->rights,
		      .details = &details,
		      .status = status,
		      .reason = failure ? failure->reason : request->change,
		      .message = failure ? failure->message : NULL,
	      });
}

/*
 * Makes a slice of the ends that the request has begun. That can end whatever a handler has found,
 * so it comes last, when the reply is written.
 */
static void make_begun_ends(Request *request, uint64_t begun_before)
{
	Broker *broker = request->service->broker;

	if (broker->endings.begun == begun_before)
		return;
	request->subject = (Subject){ 0 };
	broker_end_some(broker, ENDING_MICROSECONDS);
}

NTSTATUS dispatch(Request *request, const JsonValue *parameters)
{
	uint64_t begun_before = request->service->broker->endings.begun;
	NTSTATUS status = request_await_ends(request, run(request, parameters));
	bool changed = status == STATUS_SUCCESS && request->changed;

	if (status != STATUS_PENDING)
		statistics_count(&request->service->statistics, (size_t)(request->method - methods),
				 status);
	if (changed || request->audits_refusal || is_audited_refusal(request->method, status))
		audit_request(request, status);
	credentials_deinit(&request->credentials);
	make_begun_ends(request, begun_before);
	return status;
}
