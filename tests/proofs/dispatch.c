/* SPDX-License-Identifier: MIT */
/*
 * The order of one request, daemon/api/dispatch.c, for every row that the method table could have.
 *
 * Proved: a handler runs only after the parameters were decoded, the subject was found, and
 * policy_check() allowed the row's rule. Only then does dispatch() return success. A method
 * whose rule is about no subject looks up nothing before it is allowed, so a refusal does not tell
 * what exists. All others look up their subject first. A method that changes state runs only if it
 * was seen that the calling process is alive, and not if it was seen dead after that. Each denial
 * is audited. The rights on a display channel are those of the display clients that were compared.
 * Ends that a request has begun are made last, when nothing that it has found is used any more. A
 * request waits for earlier ends only if it has changed nothing.
 *
 * Assumed: the functions of the core and the policy answer anything, within their comments. The
 * proof of policy.c is about what policy_check() allows. A process may die at any time. It then
 * stays dead, and its credentials are gone.
 *
 * Nothing is bounded: the path has no loop.
 */
#include "daemon/api/dispatch.h"
#include "daemon/api/audit-details.h"
#include "daemon/core/audit-record.h"
#include "tests/proofs/proof.h"

/* The steps of the request so far. */
static struct {
	bool decoded, looked_up, found, asked, allowed, alive, dead, ran, audited, ended;
	unsigned int rights;
} seen;

static bool precedes_subject; /* the method's rule is about no subject */
static Request request;
static Broker broker_of_service;
static Service service = { .broker = &broker_of_service };
static Caller caller;
static JsonTable table;
static const JsonField field = { .type = JSON_FIELD_GUID };

static Process process;
static Adapter adapter;
static VirtualMachine vm = { .vmm = &process };
static Registration registration = { .vm = &vm, .process = &process };
static GpuProcess gpu_process = { .adapter = &adapter };
static Context context = { .gpu_process = &gpu_process };
static VirtualGpu virtual_gpu = { .vm = &vm };
static SharedObject object = { .vm = &vm, .sharer = &process };
static ObjectHolder holder;
static DisplayChannel display = { .registration = &registration };
static Quarantine quarantine;

/* One row, which the proof sets. */
const Method methods[1];

/* The parameters of the only method that dispatch() knows by them. */
const JsonTable params_open_display = { .fields = &field, .count = 1 };

/* --- the core, which finds the entity or does not --------------------------------------------- */

static bool find(void)
{
	seen.looked_up = true;
	seen.found = nondet_bool();
	return seen.found;
}

VirtualMachine *vm_find(Broker *broker, const Guid *guid)
{
	assert(guid);
	(void)broker;
	return find() ? &vm : NULL;
}

Adapter *adapter_software(Broker *broker)
{
	(void)broker;
	seen.looked_up = seen.found = true;
	return &adapter;
}

Adapter *adapter_find(Broker *broker, const Handle *handle)
{
	(void)broker;
	(void)handle;
	return find() ? &adapter : NULL;
}

VirtualGpu *virtual_gpu_find(Broker *broker, const Handle *handle)
{
	(void)broker;
	(void)handle;
	return find() ? &virtual_gpu : NULL;
}

Context *context_find(Broker *broker, const Handle *handle)
{
	(void)broker;
	(void)handle;
	return find() ? &context : NULL;
}

GpuProcess *gpu_process_find(Broker *broker, const Handle *handle)
{
	(void)broker;
	(void)handle;
	return find() ? &gpu_process : NULL;
}

SharedObject *object_find(Broker *broker, const Handle *handle)
{
	(void)broker;
	(void)handle;
	return find() ? &object : NULL;
}

SharedObject *object_find_shared(Broker *broker, const Handle *handle)
{
	return object_find(broker, handle);
}

DisplayChannel *display_channel_find(Broker *broker, const Handle *handle)
{
	(void)broker;
	(void)handle;
	return find() ? &display : NULL;
}

/* --- facts about the caller ------------------------------------------------------------------- */

bool id_is_mapped(uint32_t id)
{
	(void)id;
	return nondet_bool();
}

bool vm_is_run_by(const VirtualMachine *of, ProcessKey key)
{
	(void)key;
	assert(of == &vm);
	return nondet_bool();
}

Registration *registration_find(Broker *broker, ProcessKey key, const VirtualMachine *of)
{
	(void)broker;
	(void)key;
	assert(of == &vm);
	return nondet_bool() ? &registration : NULL;
}

ObjectHolder *object_holder(const SharedObject *of, ProcessKey key)
{
	(void)key;
	assert(of == &object);
	return nondet_bool() ? &holder : NULL;
}

bool vm_is_pruned(const VirtualMachine *of)
{
	(void)of;
	return nondet_bool();
}

bool vm_prunes(const Registration *of)
{
	assert(of);
	return nondet_bool();
}

Quarantine *quarantine_find(Broker *broker, const Guid *guid)
{
	(void)broker;
	(void)guid;
	return nondet_bool() ? &quarantine : NULL;
}

bool display_clients_match_connection(const DisplayClients *clients, const Caller *of)
{
	(void)clients;
	(void)of;
	return nondet_bool();
}

bool display_clients_refresh(DisplayClients *clients, const Host *host, uid_t uid)
{
	(void)clients;
	(void)host;
	(void)uid;
	return nondet_bool();
}

Difference display_clients_compare_connection(const DisplayClients *clients, const Caller *of)
{
	Difference difference = (Difference)nondet_int();

	assert(clients && of == &caller);
	assume(difference >= DIFFERENCE_NONE && difference < DIFFERENCE_MAX);
	return difference;
}

Difference display_clients_compare(const DisplayClients *clients, const Privileges *privileges)
{
	assert(clients && privileges);
	return nondet_bool() ? DIFFERENCE_NONE : DIFFERENCE_UID;
}

unsigned int display_clients_rights(const DisplayClients *clients, const Privileges *privileges)
{
	assert(clients == &vm.display_clients && privileges);
	seen.rights = nondet_uint32();
	return seen.rights;
}

/* Also stands for the ends that a handler begins. */
static void begin_end(void)
{
	assert(!seen.ended);
	if (nondet_bool())
		broker_of_service.endings.begun++;
}

void registration_end(Broker *broker, Registration *ended, EndReason reason)
{
	(void)broker;
	(void)reason;
	assert(ended == &registration);
	begin_end();
}

bool broker_has_endings_until(const Broker *broker, uint64_t number)
{
	assert(broker == &broker_of_service && number > 0 && !seen.ended);
	return nondet_bool();
}

/* All that the request has found may be gone afterwards. */
bool broker_end_some(Broker *broker, uint64_t microseconds)
{
	const Subject *subject = &request.subject;

	assert(broker == &broker_of_service && microseconds == ENDING_MICROSECONDS && !seen.ended);
	assert(!subject->vm && !subject->registration && !subject->object && !subject->display);
	seen.ended = true;
	return nondet_bool();
}

/* --- decoding and the policy ------------------------------------------------------------------ */

NTSTATUS params_decode(const JsonTable *of, const JsonValue *parameters, void *ret,
		       Failure *failure)
{
	(void)of;
	(void)parameters;
	(void)ret;
	seen.decoded = nondet_bool();
	return seen.decoded ? STATUS_SUCCESS
			    : failure_set(failure, STATUS_INVALID_PARAMETER, "parameter", "text");
}

bool handle_parse(const char *text, Handle *ret)
{
	(void)text;
	(void)ret;
	return nondet_bool();
}

bool guid_is_nil(const Guid *guid)
{
	(void)guid;
	return nondet_bool();
}

/* As in policy.c: only these three rules compare privileges, and only with a VM. */
bool policy_needs_privileges(Rule rule, const PolicyFacts *facts)
{
	return (rule == RULE_DISPLAY_CLIENT || rule == RULE_OBJECT_OPENER ||
		rule == RULE_DISPLAY_OPENER) &&
	       facts->names_machine && nondet_bool();
}

bool policy_allows_view(const PolicyFacts *facts)
{
	(void)facts;
	return nondet_bool();
}

bool policy_allows_process_view(const PolicyFacts *facts)
{
	(void)facts;
	return nondet_bool();
}

/* Any answer, but always the same one for a rule. */
bool policy_precedes_subject(Rule rule)
{
	assert(rule == request.method->rule);
	return precedes_subject;
}

NTSTATUS policy_check(Rule rule, const PolicyFacts *facts, const PolicyGroups *groups,
		      Failure *failure)
{
	bool has_subject = request.method->subject != SUBJECT_NONE &&
			   request.method->subject != SUBJECT_VM_IF_NAMED;

	assert(groups);
	assert(rule == request.method->rule);
	assert(facts->is_operator == caller.is_operator);
	assert(facts->is_observer == caller.is_observer);
	assert(facts->may_quarantine == caller.may_quarantine);
	assert(seen.decoded && !seen.asked && !seen.ran);
	if (precedes_subject)
		assert(!seen.looked_up);
	else
		assert(seen.found || !has_subject);
	seen.asked = true;
	seen.allowed = nondet_bool();
	return seen.allowed ? STATUS_SUCCESS
			    : failure_set(failure, STATUS_ACCESS_DENIED, "denied", "text");
}

/* --- the rest --------------------------------------------------------------------------------- */

VirtualMachine *vm_after(Broker *broker, uint64_t serial)
{
	(void)broker;
	(void)serial;
	return NULL;
}

void statistics_count(Statistics *statistics, size_t method, NTSTATUS status)
{
	(void)statistics;
	(void)method;
	(void)status;
}

void credentials_deinit(Credentials *credentials)
{
	(void)credentials;
}

static bool process_is_alive(void *self, ProcessKey key)
{
	(void)self;
	assert(key == caller.process);
	seen.dead = seen.dead || nondet_bool();
	seen.alive = seen.alive || !seen.dead;
	return !seen.dead;
}

static Lookup read_credentials(void *self, ProcessKey key, Credentials *ret)
{
	Lookup lookup = (Lookup)nondet_int();

	(void)self;
	(void)ret;
	assert(key == caller.process);
	assume(lookup >= LOOKUP_FOUND && lookup <= LOOKUP_EXHAUSTED);
	return seen.dead ? LOOKUP_GONE : lookup;
}

static Lookup read_groups(void *self, const Caller *of)
{
	(void)self;
	assert(of == &caller && of->unread_groups > 0);
	return nondet_bool() ? LOOKUP_FOUND : LOOKUP_EXHAUSTED;
}

/* The parameters of requests are not modelled, so neither are the details. */
void audit_details_init(AuditDetails *details, const Request *of)
{
	(void)of;
	details->count = 0;
}

static void audit(void *self, const AuditRecord *record)
{
	(void)self;
	assert(record->caller == &caller && !seen.ended);
	seen.audited = true;
}

static NTSTATUS handle(Request *of)
{
	assert(seen.decoded && seen.allowed && !seen.ran);
	assert(of->granted_rights == seen.rights);
	seen.ran = true;
	of->changed = nondet_bool();
	begin_end();
	if (nondet_bool())
		return failure_set(&of->failure, STATUS_NOT_SUPPORTED, "state", "text");
	if (nondet_bool())
		return failure_set(&of->failure, STATUS_QUOTA_EXCEEDED, "quota", "text");
	return STATUS_SUCCESS;
}

PROOF(dispatch)
{
	static const Host host = {
		.process_is_alive = process_is_alive,
		.read_credentials = read_credentials,
		.read_groups = read_groups,
		.audit = audit,
	};
	Method *method = (Method *)methods;

	*method = (Method){
		.interface = "interface",
		.name = "Method",
		.rule = (Rule)nondet_int(),
		.subject = (SubjectType)nondet_int(),
		.flags = nondet_int(),
		.params = nondet_bool() ? &table : &params_open_display,
		.handler = nondet_bool() ? handle : NULL,
	};

	table = (JsonTable){ .fields = &field, .count = nondet_bool() ? 1 : 0 };
	caller.is_operator = nondet_bool();
	caller.is_observer = nondet_bool();
	caller.may_quarantine = nondet_bool();
	precedes_subject = nondet_bool();
	caller.process = nondet_uint64();
	caller.unread_groups = nondet_bool() ? 65536 : 0;
	service.host = &host;
	request = (Request){ .service = &service, .caller = &caller, .method = method };
	broker_of_service.endings.begun = nondet_uint32() + UINT64_C(1);
	uint64_t begun_before = broker_of_service.endings.begun;
	NTSTATUS status = dispatch(&request, NULL);

	if (status == STATUS_SUCCESS)
		assert(seen.decoded && seen.allowed && (seen.ran || !method->handler));
	if (seen.ran && method->flags & METHOD_CHANGES_STATE)
		assert(seen.alive && !seen.dead);
	if (precedes_subject && !seen.allowed)
		assert(!seen.looked_up);
	if (status == STATUS_ACCESS_DENIED)
		assert(seen.audited && !seen.ran);
	if (status == STATUS_PENDING)
		assert(!seen.audited && !(seen.ran && request.changed));
	assert(seen.ended == (broker_of_service.endings.begun != begun_before));
}
